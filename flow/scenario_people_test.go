package flow

// peopleScenarios show who may vote, who is asked when, and where what was rejected goes.
var peopleScenarios = []scenario{
	{"four eyes: who opened the ticket does not vote on it", `
- {id: v, name: Vote, type: approval, rule: all, four_eyes: true, add: {anyone: true}, deliver: {anyone: true}, processors: {persons: [ann, olga]}, next: done}` + end, `
	start                 => v[ann]
	says                  => entered(v >ann) barred(v >olga)
	approve by olga       => refused forbidden operator: olga opened the ticket, and may not act at "Vote"
	approve by olga for ann admin => refused forbidden olga opened the ticket
	add by ann to olga    => refused conflict targets: olga opened the ticket, and may not vote at "Vote"
	deliver by ann to olga say x => refused conflict olga opened the ticket
	reassign by root admin to olga => refused conflict olga opened the ticket
	approve by ann        => completed approved`},

	{"four eyes: it is shown when that leaves nobody, and anybody else may be asked", `
- {id: v, name: Vote, type: approval, four_eyes: true, processors: {opener: true, fields: [WHO]}, next: w}
- {id: w, name: Again, type: approval, four_eyes: true, processors: {anyone: true}, deadline: [{after: 1h, do: escalate, to: {opener: true}}], next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHO, type: MEMBER}]`, `
	start                  => v[]
	says                   => entered(v) barred(v >olga)
	approve by olga        => refused forbidden olga opened the ticket
	reassign by root admin to ann => v[ann]
	approve by ann         => w[anyone]
	due                    => w[anyone]
	says                   => escalated(w)
	approve by olga        => refused forbidden olga opened the ticket
	approve by zoe         => completed approved`},

	{"not: who acted at a node does not vote at another", `
- {id: made, name: Make, type: task, processors: {anyone: true}, next: seen}
- {id: seen, name: See, type: approval, processors: {persons: [bob, sue]}, next: v}
- {id: v, name: Vote, type: approval, rule: all, not: [made, seen], processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start          => made[anyone]
	submit by ann  => seen[bob sue]
	approve by bob => v[joe]
	says           => voted(seen bob true) left(seen true) entered(v >joe) barred(v >ann,bob)
	approve by ann => refused forbidden ann acted at "Make", and may not act at "Vote"
	approve by bob => refused forbidden bob acted at "See"
	approve by joe => completed approved`},

	{"remove: when the last who is silent is taken out, those who voted have decided", `
- {id: v, name: Vote, type: approval, rule: all, finish: everyone, add: {anyone: true}, processors: {persons: [ann, bob]}, next: done}` + end, `
	start               => v[ann bob]
	add by ann to xu beside => v[ann bob xu]
	approve by ann      => v[bob xu]
	approve by bob      => v[xu]
	remove by ann to xu => completed approved`},

	{"add before: they agree first, and then whoever added them votes", `
- {id: v, name: Vote, type: approval, rule: any, add: {anyone: true}, processors: {persons: [ann]}, next: done}` + end, `
	start                     => v[ann]
	add by ann to xu,li before => v[xu]
	says                      => added(v ann >xu,li)
	approve by ann            => refused forbidden asks xu
	add by xu to li           => refused conflict li is asked already
	approve by xu             => v[li]
	says                      => agreed(v xu >li)
	add by li to xu           => refused conflict xu has handled this node already
	approve by li             => v[ann]
	approve by ann            => completed approved
	says                      => voted(v ann true) left(v true) entered(done) finished(done)`},

	{"add before: who says no says it with the voice of whoever added them", `
- {id: v, name: Vote, type: approval, rule: all, finish: decided, veto: {persons: [ann]}, add: {anyone: true}, reject: {then: back, to: fix}, processors: {persons: [ann, bob]}, next: done}
- {id: fix, name: Fix, type: task, processors: {opener: true}, next: v}` + end, `
	start                  => v[ann bob]
	add by ann to xu before => v[xu bob]
	reject by xu           => fix[olga]
	submit by olga         => v[ann bob]`},

	{"add after: asked once the one has agreed who added them", `
- {id: v, name: Vote, type: approval, rule: any, add: {persons: [xu]}, deliver: {anyone: true}, processors: {persons: [ann]}, next: done}` + end, `
	start                  => v[ann]
	add by ann to eve after => refused forbidden cannot be given
	add by ann to xu beside => v[ann xu]
	remove by ann to xu    => v[ann]
	add by root admin to xu after => refused forbidden place
	add by ann to xu after => v[ann]
	deliver by ann to joe,sue say ill => refused conflict hand over to one person
	deliver by ann to joe say ill => v[joe]
	approve by joe         => v[xu]
	approve by joe         => refused forbidden asks xu
	approve by xu          => completed approved`},

	{"remove: who was added, and by whom", `
- {id: v, name: Vote, type: approval, rule: all, add: {anyone: true}, processors: {persons: [ann, bob]}, next: done}` + end, `
	start                    => v[ann bob]
	remove by ann to bob     => refused conflict remove is not possible
	add by ann to xu         => v[ann bob xu]
	remove by ann            => refused invalid targets
	remove by ann to bob     => refused conflict bob was not added
	remove by bob to xu      => refused forbidden xu can be removed by whoever added them
	remove by ann to xu      => v[ann bob]
	says                     => removed(v ann >xu)
	add by ann to xu,li      => v[ann bob xu li]
	approve by xu            => v[ann bob li]
	remove by ann to xu      => refused conflict xu has handled this node already
	remove by root to li     => refused forbidden
	add by ann to jo,mo before => v[jo bob li]
	remove by ann to jo      => v[mo bob li]
	remove by root admin to mo => v[ann bob li]
	add by ann to jo after   => v[ann bob li]
	approve by ann           => v[jo bob li]
	remove by ann to jo      => v[ann bob li]
	approve by ann           => v[bob li]
	approve by bob           => v[li]
	remove by ann to li      => completed approved`},

	{"retract: a vote is taken back while the vote is on", `
- {id: v, name: Vote, type: approval, rule: all, retract: true, processors: {persons: [ann, bob]}, next: done}` + end, `
	start          => v[ann bob]
	retract by ann => refused conflict retract is not possible
	reject by ann  => v[bob]
	retract by bob => refused conflict bob has no vote to take back
	retract        => refused invalid operator
	retract by ann => v[ann bob]
	says           => retracted(v ann false)
	approve by ann => v[bob]
	retract by root for ann admin => v[ann bob]
	approve by ann => v[bob]
	approve by bob => completed approved
	retract by bob => refused conflict`},

	{"skip_if_voted: who has approved is not asked again, until the ticket is sent back", `
- {id: v, name: First, type: approval, rule: all, processors: {persons: [ann, bob]}, next: w}
- {id: w, name: Second, type: approval, rule: all, skip_if_voted: true, processors: {persons: [ann, joe]}, reject: {then: back, to: x}, next: u}
- {id: u, name: Third, type: approval, skip_if_voted: true, processors: {persons: [bob, sue]}, next: done}
- {id: x, name: Rework, type: task, processors: {opener: true}, next: w}` + end, `
	start          => v[ann bob]
	approve by ann => v[bob]
	approve by bob => w[joe]
	says           => voted(v bob true) left(v true) entered(w >joe) carried(w ann true)
	approve by ann => refused conflict ann has voted already
	reject by joe  => x[olga]
	submit by olga => w[ann joe]
	approve by joe => w[ann]
	approve by ann => u[bob sue]
	approve by sue => completed approved`},

	{"skip_if_voted: nobody has to be asked", `
- {id: v, name: First, type: approval, processors: {persons: [ann]}, next: w}
- {id: w, name: Second, type: approval, skip_if_voted: true, processors: {persons: [ann]}, next: done}` + end, `
	start          => v[ann]
	approve by ann => completed approved
	says           => voted(v ann true) left(v true) entered(w) carried(w ann true) left(w true) entered(done) finished(done)`},

	{"if_nobody: the ticket goes on, or waits", `
- {id: t, name: Task, type: task, if_nobody: skip, processors: {fields: [WHO]}, next: v}
- {id: v, name: Vote, type: approval, if_nobody: skip, processors: {fields: [WHO]}, next: w}
- {id: w, name: Again, type: approval, if_nobody: wait, processors: {fields: [WHO]}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHO, type: MEMBER}]`, `
	start => w[]
	says  => entered(t) skipped(t) left(t) entered(v) skipped(v) left(v) entered(w)
	reassign by root admin to ann => w[ann]
	approve by ann => completed approved`},

	{"choose: whoever rejects says where it goes back to", `
- {id: a, name: A, type: task, processors: {persons: [ann]}, next: b}
- {id: b, name: B, type: approval, processors: {persons: [bob]}, next: v}
- {id: v, name: Vote, type: approval, rule: all, finish: decided, processors: {persons: [joe]}, reject: {then: choose}, next: c}
- {id: c, name: C, type: task, action: confirm, processors: {persons: [sue]}, reject: {then: choose, to: b}, next: done}` + end, `
	start                  => a[ann]
	submit by ann          => b[bob]
	reject by bob back a   => refused invalid to: "B" says itself
	approve by bob         => v[joe]
	reject by joe          => refused invalid to: is required: back to which of a, b?
	reject by joe back c   => refused invalid to: "c" is none of a, b
	reject by joe back a   => a[ann]
	says                   => voted(v joe false) left(v false) went_back(v joe >a) entered(a >ann)
	submit by ann          => b[bob]
	approve by bob         => v[joe]
	approve by joe         => c[sue]
	confirm by sue no back v => v[joe]
	approve by joe         => c[sue]
	confirm by sue no      => b[bob]`},

	{"choose: where the ticket has passed nobody it begins again", `
- {id: q, name: Q, type: branch, cases: [{when: 'fields.N > 1', next: t}], default: v}
- {id: t, name: T, type: task, processors: {persons: [ann]}, next: v}
- {id: v, name: Vote, type: approval, processors: {persons: [joe]}, reject: {then: choose}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: N, type: INT}]`, `
	field N=1     =>
	start         => v[joe]
	field N=2     => v[joe]
	reject by joe => t[ann]`},

	{"resubmit: straight back to who rejected, where the approvals still count", `
- {id: a, name: A, type: task, processors: {persons: [ann]}, next: b}
- {id: b, name: B, type: approval, processors: {persons: [bob]}, next: v}
- {id: v, name: Vote, type: approval, rule: all, finish: decided, processors: {persons: [joe, sue, li]}, reject: {then: back, to: a, resubmit: rejector}, next: done}` + end, `
	start          => a[ann]
	submit by ann  => b[bob]
	approve by bob => v[joe sue li]
	approve by joe => v[sue li]
	reject by sue  => a[ann]
	submit by ann  => v[sue li]
	says           => acted(a ann) left(a) entered(v >sue,li) carried(v joe true)
	approve by li  => v[sue]
	reject by sue  => a[ann]
	submit by ann  => v[sue]
	approve by sue => completed approved`},

	{"resubmit: through everything again", `
- {id: a, name: A, type: task, processors: {persons: [ann]}, next: b}
- {id: b, name: B, type: approval, processors: {persons: [bob]}, next: v}
- {id: v, name: Vote, type: approval, processors: {persons: [joe]}, reject: {then: back, to: a, resubmit: through}, next: done}` + end, `
	start          => a[ann]
	submit by ann  => b[bob]
	approve by bob => v[joe]
	reject by joe  => a[ann]
	submit by ann  => b[bob]`},

	{"groups: their members are looked up when the node is entered, and again in the next round", `
- {id: v, name: Vote, type: approval, rule: all, processors: {groups: [finance, legal], persons: [ann]}, reject: {then: back, to: v}, next: done}` + end, `
	group finance=bob,sue =>
	group legal=bob       =>
	start                 => v[ann bob sue]
	says                  => entered(v >ann,bob,sue) found(v >bob,sue) found(v >bob)
	group finance=joe     => v[ann bob sue]
	approve by ann        => v[bob sue]
	approve by sue        => v[bob]
	reject by bob         => v[ann joe bob]`},

	{"groups: one without an active member, or that is not known, asks nobody, and says so", `
- {id: v, name: Vote, type: approval, processors: {groups: [finance]}, next: t}
- {id: t, name: Task, type: task, processors: {groups: [nowhere]}, next: done}` + end, `
	group finance=        =>
	start                 => v[]
	approve by ann        => refused forbidden nobody is asked
	reassign by root admin to ann => v[ann]
	approve by ann        => t[]
	says                  => voted(v ann true) left(v true) entered(t) found(t)`},

	{"groups: who may be added, and who is asked by a deadline", `
- {id: v, name: Vote, type: approval, rule: all, add: {groups: [legal]}, processors: {persons: [ann]}, deadline: [{after: 1h, do: escalate, to: {groups: [finance]}}], next: done}` + end, `
	group finance=bob     =>
	group legal=li        =>
	start                 => v[ann]
	add by ann to bob     => refused forbidden cannot be given
	add by ann to li      => v[ann li]
	says                  => added(v ann >li)
	due                   => v[ann li bob]
	says                  => escalated(v >bob) found(v >bob)`},

	{"manager_of: of the opener, the assignee, or whom a field names", `
- {id: a, name: A, type: task, action: accept, processors: {manager_of: opener}, next: b}
- {id: b, name: B, type: task, processors: {manager_of: assignee}, next: c}
- {id: c, name: C, type: approval, rule: all, processors: {manager_of: WHO}, next: d}
- {id: d, name: D, type: task, processors: {manager_of: WHO}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHO, type: MEMBERS}]`, `
	manager olga=ann      =>
	manager ann=boss      =>
	manager li=lead       =>
	field WHO=li,olga     =>
	start                 => a[ann]
	says                  => entered(a >ann) found(a >ann)
	accept by ann         => b[boss]
	submit by boss        => c[lead ann]
	field WHO=zoe         => c[lead ann]
	approve by lead       => c[ann]
	approve by ann        => d[]`},

	{"who was added before somebody, and is then asked by a deadline with a place of their own, has that one alone", `
- {id: v, name: Vote, type: approval, rule: all, add: {anyone: true}, processors: {persons: [ann]}, deadline: [{after: 1h, do: reassign, to: {persons: [boss, bob]}}], next: done}` + end, `
	start                        => v[ann]
	add by ann to bob,boss before => v[bob]
	due                          => v[boss bob]
	approve by boss              => v[bob]
	approve by bob               => v[ann]
	says                         => agreed(v bob >ann)
	approve by ann               => completed approved`},
}
