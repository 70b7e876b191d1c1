package flow

const end = `
- {id: done, name: Done, type: end}
`

var taskScenarios = []scenario{
	{"any one of those asked does a task", `
- {id: t, name: Do it, type: task, processors: {persons: [ann, bob]}, next: done}` + end, `
	start          => t[ann bob]
	submit         => refused forbidden asks ann, bob
	submit by eve  => refused forbidden asks ann, bob
	approve by ann => refused conflict not possible
	fly by ann     => refused invalid no action
	submit by ann @nowhere => refused not_found no node
	submit by ann @done    => refused conflict has not come
	submit by bob @t => completed approved
	submit by ann @t => refused conflict "Do it" is already done by bob
	says           => acted(t bob) left(t) entered(done) finished(done)`},

	{"a task is claimed before it is done", `
- {id: t, name: T, type: task, distribute: claim, processors: {persons: [ann, bob]}, deliver: {anyone: true}, next: done}` + end, `
	start         => t:claiming[ann bob]
	submit by ann => refused conflict not possible
	claim by eve  => refused forbidden asks
	claim by ann  => t[ann]
	claim by bob  => refused conflict not possible
	submit by bob => refused forbidden asks ann
	deliver by ann to eve,joe say busy => t:claiming[eve joe]
	claim by joe  => t[joe]
	deliver by joe to sue say busy => t[sue]
	submit by sue => completed approved`},

	{"with one candidate there is nothing to claim", `
- {id: t, name: T, type: task, distribute: claim, processors: {opener: true}, next: done}` + end, `
	start          => t[olga]
	submit by olga => completed approved`},

	{"anybody may claim what is open to anyone", `
- {id: t, name: T, type: task, distribute: claim, processors: {anyone: true}, deliver: {persons: [sue]}, next: done}` + end, `
	start         => t:claiming[anyone]
	claim         => refused invalid required
	claim by zoe  => t[zoe]
	submit by ann => refused forbidden asks zoe
	deliver by zoe to ann say busy => refused forbidden cannot be given
	deliver by zoe to sue say busy => t[sue]
	submit by sue => completed approved`},

	{"a task is assigned, then done", `
- {id: t, name: T, type: task, distribute: assign, assigners: {persons: [lead]}, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start         => t:assigning[lead]
	submit by ann => refused conflict not possible
	assign by ann to ann       => refused forbidden asks lead
	assign by lead             => refused invalid to whom
	assign by lead to eve      => refused forbidden cannot be given to eve
	assign by lead to ann,bob  => t[ann bob]
	submit by joe => refused forbidden asks
	submit by bob => completed approved`},

	{"a task is assigned, then claimed, then done", `
- {id: t, name: T, type: task, distribute: assign-then-claim, assigners: {opener: true}, processors: {anyone: true}, next: done}` + end, `
	start => t:assigning[olga]
	assign by olga to ann,bob => t:claiming[ann bob]
	claim by bob  => t[bob]
	reassign by eve to joe        => refused forbidden only an admin
	reassign by eve to joe,sue admin => t:claiming[joe sue]
	reassign by eve to joe admin  => t[joe]
	submit by joe => completed approved`},

	{"a task is handed over only where that is allowed, and to whom it is allowed", `
- {id: a, name: A, type: task, processors: {persons: [ann]}, next: b}
- {id: b, name: B, type: task, processors: {persons: [ann, bob]}, deliver: {persons: [joe, sue]}, next: done}` + end, `
	start => a[ann]
	deliver by ann to joe say busy       => refused conflict not possible
	deliver by root to joe say ill admin => a[joe]
	submit by joe                        => b[ann bob]
	deliver by ann to joe                => refused invalid required
	deliver by ann to eve say busy       => refused forbidden cannot be given to eve
	deliver by ann to ann say busy       => refused conflict asked already
	deliver by ann to ,joe say busy      => refused invalid is no name
	deliver by ann to joe say busy       => b[joe bob]
	says                                 => delivered(b ann >joe)
	deliver by ann to sue say again      => refused forbidden asks joe, bob
	submit by joe @b                     => completed approved`},

	{"those asked may end a ticket where that is allowed", `
- {id: a, name: A, type: task, processors: {persons: [ann]}, next: b}
- {id: b, name: B, type: task, processors: {persons: [ann]}, terminable: true, next: done}` + end, `
	start                      => a[ann]
	terminate by ann say no    => refused conflict not possible
	submit by ann              => b[ann]
	terminate by ann           => refused invalid required
	terminate by eve say no    => refused forbidden asks ann
	terminate by ann say no    => terminated refused
	says                       => finished(b ann)
	status                     => terminated
	submit by ann              => refused conflict already done by ann`},

	{"a no leads on, back, or to the end", `
- {id: a, name: A, type: task, action: confirm, status: resolved, processors: {persons: [ann]}, reject: {then: on}, next: b}
- {id: b, name: B, type: task, action: confirm, status: acknowledged, processors: {persons: [bob]}, reject: {then: back, to: a}, next: c}
- {id: c, name: C, type: task, action: confirm, status: triggered, processors: {persons: [joe]}, reject: {then: end}, next: done}` + end, `
	start             => a[ann]
	status            => resolved
	confirm by ann no => b[bob]
	confirm by bob no => a[ann]
	says              => acted(b bob false) left(b false) went_back(b bob >a) entered(a >ann)
	confirm by ann    => b[bob]
	confirm by bob    => c[joe]
	status            => triggered
	confirm by joe no => terminated refused`},

	{"a form is checked and kept", `
- id: t
  name: T
  type: task
  processors: {anyone: true}
  next: done
  fields:
  - {key: s, type: STRING, required: true, regex: '[a-z]+'}
  - {key: x, type: TEXT}
  - {key: i, type: INT, default: 3}
  - {key: d, type: DATE}
  - {key: dt, type: DATETIME}
  - {key: b, type: BOOL}
  - {key: se, type: SELECT, choice: [{key: p}, {key: q}]}
  - {key: ra, type: RADIO, choice: [{key: p}]}
  - {key: ch, type: CHECKBOX, choice: [{key: p}, {key: q}]}
  - {key: mu, type: MULTISELECT, choice: [{key: p}, {key: q}]}
  - {key: m, type: MEMBER}
  - {key: ms, type: MEMBERS}
  - {key: l, type: LINK}` + end, `
	start => t[anyone]
	submit                       => refused invalid s: is required
	submit set s=                => refused invalid s: is required
	submit set s=A               => refused invalid must match
	submit set s=a;nix=1         => refused invalid nix: the form has no such field
	submit set s=a;i=1.5         => refused invalid i: must be a whole number
	submit set s=a;d=2026-02-30  => refused invalid d: must be a time such as 2006-01-02
	submit set s=a;d=2026-01-01T00:00:00Z => refused invalid d: must be a time
	submit set s=a;dt=noon       => refused invalid dt: must be a time
	submit set s=a;b=yes         => refused invalid b: must be true or false
	submit set s=a;se=r          => refused invalid none of the choices
	submit set s=a;ra=q          => refused invalid none of the choices
	submit set s=a;ch=p,r        => refused invalid none of the choices
	submit set s=a;m=ann,bob     => refused invalid m: must name one person
	submit set s=a;l=ftp://x     => refused invalid l: must be an http
	submit set s=a;x=t;d=2026-01-02;dt=2026-01-02T03:04:05Z;b=true;se=q;ra=p;ch=p,q;mu=q;m=ann;ms=ann,bob;l=https://x => completed approved
	fields => {"b":true,"ch":"p,q","d":"2026-01-02","dt":"2026-01-02T03:04:05Z","i":3,"l":"https://x","m":"ann","ms":"ann,bob","mu":"q","ra":"p","s":"a","se":"q","x":"t"}`},

	{"accepting makes the assignee, who is asked from then on", `
- {id: a, name: A, type: task, action: accept, processors: {anyone: true}, next: b}
- {id: b, name: B, type: task, action: commit-solution, processors: {assignee: true}, next: done}` + end, `
	start                  => a[anyone]
	accept by ann          => b[ann]
	commit-solution by ann => completed approved`},

	{"nobody to ask is shown, and never passed by", `
- {id: a, name: A, type: task, action: accept, processors: {assignee: true}, next: b}
- {id: b, name: B, type: approval, processors: {caller: true}, next: done}` + end, `
	start         => a[]
	accept by ann => refused forbidden nobody is asked
	reassign by root admin to ann => a[ann]
	accept by ann => b[]
	reassign by root admin to ann => b[ann]
	approve by ann => completed approved`},

	{"people come from fields: the first that is not empty", `
- {id: a, name: A, type: task, processors: {fields: [FIRST, SECOND]}, next: b}
- {id: b, name: B, type: task, action: confirm, processors: {opener: true, fields: [SECOND]}, reject: {then: back, to: a}, next: done}
- {id: done, name: Done, type: end}
fields:
- {key: FIRST, type: MEMBERS}
- {key: SECOND, type: MEMBERS}`, `
	field SECOND=ann(Ann (A)), bob =>
	start              => a[ann bob]
	submit by ann      => b[olga ann bob]
	field FIRST=joe    => b[olga ann bob]
	confirm by bob no  => a[joe]
	submit by joe      => b[olga ann bob]`},

	{"whom the caller names takes the place of the node's own processors, and is asked again", `
- {id: a, name: A, type: task, processors: {persons: [ann]}, deliver: {anyone: true}, next: b}
- {id: b, name: B, type: task, action: confirm, processors: {persons: [bob]}, reject: {then: back, to: a}, next: done}` + end, `
	named a=joe,sue(Sue) =>
	start              => a[joe sue]
	deliver by joe to eve say busy => a[eve sue]
	submit by sue      => b[bob]
	confirm by bob no  => a[eve sue]`},

	{"nobody is not asked again when the ticket comes back and somebody is known", `
- {id: a, name: A, type: task, action: confirm, processors: {caller: true}, terminable: true, reject: {then: back, to: b}, next: done}
- {id: b, name: B, type: task, processors: {persons: [bob]}, next: a}` + end, `
	named b=bob   =>
	start         => a[]
	reassign by root admin to ann => a[ann]
	confirm by ann no => b[bob]
	named a=joe   => b[bob]
	submit by bob => a[ann]
	stop          =>`},

	{"somebody who is named later is asked when the ticket comes back", `
- {id: a, name: A, type: task, action: confirm, processors: {caller: true}, deadline: [{after: 1h, do: reject}], reject: {then: back, to: b}, next: done}
- {id: b, name: B, type: task, processors: {persons: [bob]}, next: a}` + end, `
	start         => a[]
	due           => b[bob]
	named a=joe   => b[bob]
	submit by bob => a[joe]`},

	{"whom the caller names is not heard where a task is claimed", `
- {id: a, name: A, type: task, distribute: claim, processors: {persons: [ann, bob]}, next: done}` + end, `
	named a=joe => 
	start       => a:claiming[ann bob]`},
}
