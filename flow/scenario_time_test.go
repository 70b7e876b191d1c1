package flow

var timeScenarios = []scenario{
	{"a wait goes on when its time has passed", `
- {id: w, name: W, type: wait, for: 1d2h, next: t}
- {id: t, name: T, type: task, processors: {anyone: true}, next: done}` + end, `
	start         => w:waiting
	submit by ann => refused conflict not possible
	due           => t[anyone]`},

	{"a wait until a point in time; one that has passed is not waited for", `
- {id: w, name: W, type: wait, until: WHEN, next: t}
- {id: t, name: T, type: task, action: confirm, processors: {anyone: true}, reject: {then: back, to: w}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHEN, type: DATETIME}]`, `
	field WHEN=2026-03-02 12:00:00 =>
	start      => w:waiting
	due        => t[anyone]
	confirm no => t[anyone]
	field WHEN= => t[anyone]
	confirm no => t[anyone]
	says       => acted(t false) left(t false) went_back(t >w) entered(w) left(w) entered(t)`},

	{"a wait until never waits until the last moment that can be written", `
- {id: w, name: W, type: wait, until: WHEN, next: t}
- {id: t, name: T, type: task, action: confirm, processors: {anyone: true}, reject: {then: back, to: w}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHEN, type: DATETIME}]`, `
	field WHEN=9999-12-31T23:59:59-05:00 =>
	start      => w:waiting
	timers     => w 9999-12-31T23:59:59.999999Z
	suspend    => w:waiting
	pass 1d    => w:waiting
	resume     => w:waiting
	timers     => w 9999-12-31T23:59:59.999999Z
	due        => t[anyone]
	field WHEN=9999-12-31T23:59:59.9999995Z => t[anyone]
	confirm no => t[anyone]
	field WHEN=0000-01-01T00:00:00+05:00 => t[anyone]
	confirm no => t[anyone]`},

	{"what comes due later than can be written comes due at the last moment that can be", `
- {id: w, name: W, type: wait, until: WHEN, next: t}
- id: t
  name: T
  type: task
  action: confirm
  processors: {persons: [ann]}
  deadline: [{after: 1h, do: remind}, {after: 3 working hours, calendar: shifts, do: remind}, {after: 3650d, do: reject}]
  reject: {then: back, to: u}
  next: done
- {id: u, name: U, type: wait, for: 2 working days, calendar: shifts, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHEN, type: DATETIME}]
sla: [{name: long, until: end, target: 10 working hours, calendar: shifts, warn: 50 %, pause: [w]}]`, `
	field WHEN=9999-12-31 23:50:00 =>
	start      => w:waiting
	due        => t[ann]
	timers     => long 9999-12-31T23:59:59.999999Z; long 9999-12-31T23:59:59.999999Z; t 9999-12-31T23:59:59.999999Z`},

	{"a deadline reminds, escalates, and at last approves", `
- id: v
  name: V
  type: approval
  rule: all
  processors: {persons: [ann, bob]}
  deadline:
  - {after: 1h, do: remind}
  - {after: 2h, do: escalate, to: {persons: [boss]}}
  - {after: 3h, do: escalate, to: {persons: [big]}, mode: replace}
  - {after: 1d, do: approve}
  next: done` + end, `
	start          => v[ann bob]
	approve by ann => v[bob]
	due            => v[bob]
	says           => reminded(v >bob)
	due            => v[bob boss]
	says           => escalated(v >boss)
	due            => v[big]
	due            => completed approved
	says           => expired(v true) left(v true) entered(done) finished(done)
	approve by big => refused conflict "V" is already approved`},

	{"a deadline gives a task to others, and at last says no", `
- id: c
  name: C
  type: task
  action: confirm
  distribute: claim
  processors: {persons: [ann, bob]}
  deadline:
  - {after: 1h, do: reassign, to: {persons: [joe]}}
  - {after: 2h, do: escalate, to: {anyone: true}}
  - {after: 3h, do: reject}
  reject: {then: end}
  next: done` + end, `
	start          => c:claiming[ann bob]
	claim by ann   => c[ann]
	due            => c[joe]
	says           => reassigned(c >joe)
	due            => c:claiming[anyone joe]
	claim by zoe   => c[zoe]
	due            => terminated refused`},

	{"a deadline does a task that needs nobody's knowledge", `
- {id: t, name: T, type: task, processors: {anyone: true}, fields: [{key: f, type: STRING, required: true, default: none}], deadline: [{after: 1h, do: approve}], next: done}` + end, `
	start  => t[anyone]
	due    => completed approved
	fields => {"f":"none"}`},

	{"a deadline that finds nobody leaves those asked", `
- {id: t, name: T, type: task, processors: {persons: [ann]}, deadline: [{after: 1h, do: reassign, to: {assignee: true}}], next: done}` + end, `
	start         => t[ann]
	due           => t[ann]
	says          => reassigned(t)
	submit by ann => completed approved`},

	{"a suspended ticket stops the clocks and goes on with what was left", `
- {id: p, name: P, type: parallel, branches: [{name: l, next: t}, {name: r, next: w}], join: j}
- {id: t, name: T, type: task, processors: {persons: [ann]}, deadline: [{after: 1h, do: remind}, {after: 3h, do: remind}], next: j}
- {id: w, name: W, type: wait, for: 2h, next: j}
- {id: j, name: J, type: join, next: done}` + end, `
	resume        => refused conflict not suspended
	suspend       => refused conflict not running
	start         => j:waiting() t[ann] w:waiting
	pass 30m      => j:waiting() t[ann] w:waiting
	suspend       => j:waiting() t[ann] w:waiting
	suspend       => refused conflict suspended already
	submit by ann => refused conflict suspended
	pass 10h      => j:waiting() t[ann] w:waiting
	resume        => j:waiting() t[ann] w:waiting
	# 30m had passed: of 1h, 2h and 3h so much is left, to the second. late fires what is due and nothing else
	pass 29m59s   => j:waiting() t[ann] w:waiting
	late          => j:waiting() t[ann] w:waiting
	says          =>
	pass 1s       => j:waiting() t[ann] w:waiting
	late          => j:waiting() t[ann] w:waiting
	says          => reminded(t >ann)
	pass 59m59s   => j:waiting() t[ann] w:waiting
	late          => j:waiting() t[ann] w:waiting
	says          =>
	pass 1s       => j:waiting() t[ann] w:waiting
	late          => j:waiting(r) t[ann]
	pass 59m59s   => j:waiting(r) t[ann]
	late          => j:waiting(r) t[ann]
	says          =>
	pass 1s       => j:waiting(r) t[ann]
	late          => j:waiting(r) t[ann]
	says          => reminded(t >ann)
	submit by ann => completed approved`},

	{"a suspension does not move a point in time", `
- {id: w, name: W, type: wait, until: WHEN, next: t}
- {id: t, name: T, type: task, processors: {anyone: true}, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHEN, type: DATE}]`, `
	field WHEN=2026-03-03 =>
	start    => w:waiting
	suspend  => w:waiting
	pass 1d  => w:waiting
	resume   => w:waiting
	late     => t[anyone]`},
}
