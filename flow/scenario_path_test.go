package flow

var pathScenarios = []scenario{
	{"the first case that holds is taken, or the default", `
- {id: b, name: B, type: branch, cases: [{name: dear, when: fields.amount > 1000, next: x}, {when: '"it" in fields.tags || opener == "eve"', next: y}], default: z}
- {id: x, name: X, type: task, action: confirm, processors: {anyone: true}, reject: {then: back, to: b}, next: done}
- {id: y, name: Y, type: task, action: confirm, processors: {anyone: true}, reject: {then: back, to: b}, next: done}
- {id: z, name: Z, type: task, action: confirm, processors: {anyone: true}, reject: {then: back, to: b}, next: done}
- {id: done, name: Done, type: end}
service_type: change
fields: [{key: amount, type: INT}, {key: tags, type: MULTISELECT, choice: [{key: it}, {key: hr}]}]`, `
	start             => z[anyone]
	field amount=1001 => z[anyone]
	confirm no        => x[anyone]
	field amount=7    => x[anyone]
	field tags=hr,it  => x[anyone]
	confirm no        => y[anyone]`},

	{"a condition asks what earlier nodes came to", `
- {id: v, name: V, type: approval, rule: all, processors: {persons: [ann, bob]}, next: b}
- {id: b, name: B, type: branch, cases: [{when: nodes.v.passed, next: done}, {when: 'nodes.v.PASS_COUNT == 1 && nodes.v.PASS_RATE == 50.0', next: t}], default: bad}
- {id: t, name: T, type: task, processors: {anyone: true}, next: c}
- {id: c, name: C, type: branch, cases: [{when: 'nodes.t.done && "zoe" in nodes.t.by && nodes.t.passed == false', next: done}], default: bad}
- {id: bad, name: Bad, type: end, status: terminated}
- {id: done, name: Done, type: end}
service_type: question`, `
	start          => v[ann bob]
	reject by ann  => v[bob]
	approve by bob => t[anyone]
	submit by zoe  => completed refused`},

	{"a condition that cannot be computed waits for a person", `
- {id: b, name: B, type: branch, cases: [{when: '10 % fields.n == 0', next: done}], default: bad}
- {id: bad, name: Bad, type: end, status: terminated}
- {id: done, name: Done, type: end}
service_type: request
fields: [{key: n, type: INT}]`, `
	start         => b:failed[]
	retry by ann  => refused forbidden nobody is asked
	retry by root admin => b:failed[]
	field n=5     => b:failed[]
	reassign by root admin to ann => b:failed[ann]
	suspend       => b:failed[ann]
	resume        => b:failed[ann]
	retry by ann  => completed approved`},

	{"a condition that cannot be computed is skipped to the default", `
- {id: b, name: B, type: branch, cases: [{when: '10 % fields.n == 0', next: done}], default: bad}
- {id: bad, name: Bad, type: end, status: terminated}
- {id: done, name: Done, type: end}
service_type: event
fields: [{key: n, type: INT}]`, `
	start              => b:failed[]
	skip by root admin => terminated refused`},

	{"parallels nest, and a branch may be empty", `
- {id: p, name: P, type: parallel, branches: [{name: left, next: q}, {name: none, next: j}, {name: right, next: r}], join: j}
- {id: q, name: Q, type: parallel, branches: [{name: one, next: a}, {name: two, next: b}], join: k}
- {id: a, name: A, type: task, processors: {persons: [ann]}, next: k}
- {id: b, name: B, type: task, processors: {persons: [bob]}, next: k}
- {id: k, name: K, type: join, next: c}
- {id: c, name: C, type: task, action: confirm, processors: {persons: [joe]}, reject: {then: back, to: q}, next: j}
- {id: r, name: R, type: task, processors: {persons: [sue]}, next: j}
- {id: j, name: J, type: join, status: resolved, next: last}
- {id: last, name: Last, type: task, processors: {persons: [ann]}, next: done}` + end, `
	start             => j:waiting(none) k:waiting() r[sue] a[ann] b[bob]
	submit by bob     => j:waiting(none) k:waiting(two) r[sue] a[ann]
	submit by ann     => j:waiting(none) r[sue] c[joe]
	confirm by joe no => j:waiting(none) k:waiting() r[sue] a[ann] b[bob]
	submit by ann     => j:waiting(none) k:waiting(one) r[sue] b[bob]
	submit by sue     => j:waiting(none right) k:waiting(one) b[bob]
	submit by bob     => j:waiting(none right) c[joe]
	status            =>
	confirm by joe    => last[ann]
	status            => resolved
	start             => refused conflict is running
	submit by ann     => completed approved`},

	{"a rejection out of a parallel cancels the other branches, and all begins again", `
- {id: t, name: T, type: task, processors: {opener: true}, next: p}
- {id: p, name: P, type: parallel, branches: [{name: l, next: a}, {name: r, next: q}], join: j}
- {id: a, name: A, type: approval, processors: {persons: [ann]}, reject: {then: back, to: t}, next: j}
- {id: q, name: Q, type: parallel, branches: [{name: one, next: b}, {name: two, next: c}], join: k}
- {id: b, name: B, type: approval, processors: {persons: [bob]}, reject: {then: back, to: q}, next: k}
- {id: c, name: C, type: approval, processors: {persons: [joe]}, reject: {then: back, to: rework}, next: k}
- {id: k, name: K, type: join, next: j}
- {id: rework, name: Rework, type: task, processors: {opener: true}, next: p}
- {id: j, name: J, type: join, next: done}` + end, `
	start          => t[olga]
	submit by olga => j:waiting() a[ann] k:waiting() b[bob] c[joe]
	approve by joe => j:waiting() a[ann] k:waiting(two) b[bob]
	reject by bob  => j:waiting() a[ann] k:waiting() b[bob] c[joe]
	reject by joe  => rework[olga]
	says           => voted(c joe false) left(c false) went_back(c joe >rework) cancelled(a) cancelled(b) entered(rework >olga)
	approve by bob => refused conflict "C" is already rejected by joe
	approve by bob @b => refused conflict already cancelled
	submit by olga => j:waiting() a[ann] k:waiting() b[bob] c[joe]
	reject by ann  => t[olga]
	submit by olga => j:waiting() a[ann] k:waiting() b[bob] c[joe]
	approve by ann => j:waiting(l) k:waiting() b[bob] c[joe]
	approve by bob => j:waiting(l) k:waiting(one) c[joe]
	approve by joe => completed approved`},

	{"an end that is reached at once leaves no other branch behind", `
- {id: p, name: P, type: parallel, branches: [{name: l, next: b}, {name: r, next: c}], join: j}
- {id: b, name: B, type: branch, cases: [{when: 'opener == "olga"', next: no}], default: j}
- {id: c, name: C, type: branch, cases: [{when: 'opener == "olga"', next: d}], default: j}
- {id: d, name: D, type: branch, cases: [{when: 'opener == "olga"', next: t}], default: j}
- {id: t, name: T, type: task, processors: {anyone: true}, next: j}
- {id: j, name: J, type: join, next: done}
- {id: no, name: No, type: end, status: terminated}` + end, `
	start         => terminated refused
	submit by ann => refused conflict not possible`},

	{"an end in a branch ends the whole ticket", `
- {id: p, name: P, type: parallel, branches: [{name: l, next: a}, {name: r, next: b}], join: j}
- {id: a, name: A, type: approval, processors: {persons: [ann]}, reject: {then: back, to: no}, next: j}
- {id: b, name: B, type: task, processors: {persons: [bob]}, next: j}
- {id: j, name: J, type: join, next: done}
- {id: no, name: No, type: end, status: terminated}` + end, `
	start         => j:waiting() a[ann] b[bob]
	reject by ann => terminated refused
	says          => voted(a ann false) left(a false) went_back(a ann >no) entered(no) cancelled(b) finished(no)
	start         => j:waiting() a[ann] b[bob]`},
}
