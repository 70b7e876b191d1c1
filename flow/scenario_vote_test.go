package flow

var voteScenarios = []scenario{
	{"any: the first vote decides", `
- {id: v, name: Vote, type: approval, rule: any, processors: {persons: [ann, bob]}, next: done}` + end, `
	start          => v[ann bob]
	approve        => refused forbidden asks ann, bob
	reject by bob  => completed refused
	approve by ann => refused conflict already rejected by bob
	says           => voted(v bob false) left(v false) entered(done) finished(done)`},

	{"all: everybody is heard, one rejection spoils it", `
- {id: v, name: Vote, type: approval, rule: all, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start          => v[ann bob joe]
	reject by ann  => v[bob joe]
	approve by ann => refused conflict has voted already
	approve by bob => v[joe]
	approve by joe => completed refused`},

	{"all: decided as soon as one rejects", `
- {id: v, name: Vote, type: approval, rule: all, finish: decided, reject: {then: end}, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start          => v[ann bob joe]
	approve by ann => v[bob joe]
	reject by bob  => terminated refused`},

	{"n-of-m: over when n have approved, or no longer can", `
- {id: v, name: Vote, type: approval, rule: n-of-m, n: 2, processors: {persons: [ann, bob, joe]}, reject: {then: back, to: v}, next: done}` + end, `
	start          => v[ann bob joe]
	reject by ann  => v[bob joe]
	reject by bob  => v[ann bob joe]
	says           => voted(v bob false) left(v false) went_back(v bob >v) entered(v >ann,bob,joe)
	approve by ann => v[bob joe]
	approve by joe => completed approved
	reject by bob  => refused conflict already approved by ann, joe`},

	{"n-of-m: everybody is heard where that is wanted", `
- {id: v, name: Vote, type: approval, rule: n-of-m, n: 1, finish: everyone, processors: {persons: [ann, bob]}, next: done}` + end, `
	start          => v[ann bob]
	approve by ann => v[bob]
	reject by bob  => completed approved`},

	{"percent: of those who are asked", `
- {id: v, name: Vote, type: approval, rule: percent, percent: 60, processors: {persons: [a, b, c, d, e]}, next: done}` + end, `
	start        => v[a b c d e]
	approve by a => v[b c d e]
	reject by b  => v[c d e]
	approve by c => v[d e]
	approve by d => completed approved`},

	{"percent: over when it can no longer be reached", `
- {id: v, name: Vote, type: approval, rule: percent, percent: 67, processors: {persons: [a, b, c]}, next: done}` + end, `
	start        => v[a b c]
	approve by a => v[b c]
	reject by b  => completed refused`},

	{"sequence: one after the other", `
- {id: v, name: Vote, type: approval, rule: sequence, processors: {persons: [ann, bob]}, deliver: {anyone: true}, add: {persons: [sue]}, next: done}` + end, `
	start          => v[ann]
	approve by bob => refused forbidden asks ann
	deliver by ann to joe say ill => v[joe]
	approve by joe => v[bob]
	deliver by bob to joe say ill => refused conflict has handled this node already
	add by bob to eve => refused forbidden cannot be given
	add by bob to sue => v[bob]
	add by bob to sue => refused conflict asked already
	approve by bob => v[sue]
	approve by sue => completed approved`},

	{"a veto decides at once", `
- {id: v, name: Vote, type: approval, rule: all, veto: {persons: [bob]}, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start         => v[ann bob joe]
	reject by ann => v[bob joe]
	reject by bob => completed refused`},

	{"anybody's veto decides at once", `
- {id: v, name: Vote, type: approval, rule: n-of-m, n: 1, veto: {anyone: true}, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start         => v[ann bob joe]
	reject by bob => completed refused`},

	{"a finish condition over the counts", `
- {id: v, name: Vote, type: approval, rule: all, finish: "PASS_RATE >= 50 || REJECT_COUNT > 1", processors: {persons: [a, b, c, d]}, next: done}` + end, `
	start        => v[a b c d]
	approve by a => v[b c d]
	approve by b => completed approved`},

	{"a finish condition that finds rejections", `
- {id: v, name: Vote, type: approval, rule: all, finish: "PROCESS_COUNT >= 2 && REJECT_RATE > 0.0 || PASS_COUNT == 3", processors: {persons: [a, b, c, d]}, next: done}` + end, `
	start        => v[a b c d]
	reject by a  => v[b c d]
	approve by b => completed refused`},

	{"a finish condition that cannot be computed lets everybody be heard", `
- {id: v, name: Vote, type: approval, rule: all, finish: "5 % PASS_COUNT > 1", processors: {persons: [a, b]}, next: done}` + end, `
	start        => v[a b]
	reject by a  => v[b]
	approve by b => completed refused`},

	{"fewer people than must approve is a problem, not a result", `
- {id: v, name: Vote, type: approval, rule: n-of-m, n: 2, processors: {fields: [WHO]}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHO, type: MEMBERS}]`, `
	field WHO=ann  =>
	start          => v[ann]
	approve by ann => v[]
	add by root admin to bob => v[bob]
	approve by bob => completed approved`},

	{"an admin replaces who has not voted, and votes in somebody's name", `
- {id: v, name: Vote, type: approval, rule: all, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start          => v[ann bob joe]
	approve by ann => v[bob joe]
	reassign by root admin to ann => refused conflict has handled this node already
	reassign by root admin to sue => v[sue]
	approve by root for sue       => refused forbidden only an admin
	approve by root for bob admin => refused forbidden asks sue
	approve by root for sue admin => completed approved`},

	{"a vote is counted under a name", `
- {id: v, name: Vote, type: approval, processors: {anyone: true}, fields: [{key: why, type: STRING, required: true}], next: done}` + end, `
	start                   => v[anyone]
	approve set why=x       => refused invalid is required to vote
	approve by zoe          => refused invalid why: is required
	approve by zoe set why=x => completed approved
	fields                  => {"why":"x"}`},

	{"a rejection asks for no form", `
- {id: v, name: Vote, type: approval, processors: {persons: [ann]}, fields: [{key: why, type: STRING, required: true}], terminable: true, next: done}` + end, `
	start         => v[ann]
	reject by ann => completed refused`},

	{"approved again after a rejection counts as approved", `
- {id: v, name: Vote, type: approval, processors: {persons: [ann]}, reject: {then: back, to: fix}, next: done}
- {id: fix, name: Fix, type: task, processors: {opener: true}, next: v}` + end, `
	start          => v[ann]
	reject by ann  => fix[olga]
	submit by olga => v[ann]
	approve by ann => completed approved`},

	{"an early rejection is not undone by later approvals of others", `
- {id: v, name: V, type: approval, processors: {persons: [ann]}, reject: {then: on}, next: w}
- {id: w, name: W, type: approval, processors: {persons: [bob]}, next: done}` + end, `
	start          => v[ann]
	reject by ann  => w[bob]
	approve by bob => completed refused`},

	{"an action that several nodes take needs the node, unless one person is asked at one", `
- {id: p, name: P, type: parallel, branches: [{name: l, next: v}, {name: r, next: w}], join: j}
- {id: v, name: V, type: approval, processors: {persons: [ann, bob]}, next: j}
- {id: w, name: W, type: approval, processors: {persons: [ann, joe]}, next: j}
- {id: j, name: J, type: join, next: done}` + end, `
	start             => j:waiting() v[ann bob] w[ann joe]
	approve by ann    => refused conflict name one of v, w
	approve by eve    => refused forbidden asks ann, bob
	approve by joe    => j:waiting(r) v[ann bob]
	approve by ann @w => refused conflict already approved by joe
	approve by ann    => completed approved`},
}
