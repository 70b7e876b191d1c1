package flow

// standingScenarios are about people who are absent or have left.
var standingScenarios = []scenario{
	{"deputies: whoever stands in acts for the absent one, once, and is told so", `
- {id: v, name: Vote, type: approval, rule: all, retract: true, processors: {persons: [ann, bob]}, next: done}` + end, `
	start                  => v[ann bob]
	away ann=deb           => v[ann bob deb]
	says                   => stands_in(v >deb for ann)
	approve by deb for bob => refused forbidden only an admin can vote in somebody's name
	approve by deb         => v[bob]
	says                   => voted(v deb true for ann)
	approve by ann         => refused conflict ann has voted already
	retract by deb         => v[ann bob deb]
	approve by ann         => v[bob]
	approve by deb         => refused forbidden "Vote" asks bob
	approve by bob         => completed approved`},

	{"deputies: whoever is asked as well, or has acted for somebody, counts once", `
- {id: v, name: Vote, type: approval, rule: all, add: {anyone: true}, processors: {persons: [ann, bob, joe]}, next: done}` + end, `
	start                  => v[ann bob joe]
	away ann=bob           => v[ann bob joe]
	approve by bob         => v[ann joe]
	approve by bob for ann => refused forbidden only an admin
	away ann=deb           => v[ann joe deb]
	away joe=deb           => v[ann joe deb]
	approve by deb for joe => v[ann]
	approve by deb         => refused conflict deb has acted for joe already
	add by ann to deb      => refused conflict deb has handled this node already
	approve by ann         => completed approved`},

	{"deputies: one after the other, until somebody is back", `
- {id: v, name: Vote, type: approval, rule: sequence, processors: {persons: [ann, bob]}, deadline: [{after: 4h, do: remind}], next: done}` + end, `
	start          => v[ann]
	away bob=deb   => v[ann]
	away ann=sue 2h => v[ann sue]
	due            => v[ann]
	says           => stands_down(v >sue for ann)
	approve by sue => refused forbidden "Vote" asks ann
	away ann=sue   => v[ann sue]
	due            => v[ann sue]
	says           => reminded(v >ann,sue)
	approve by sue => v[bob deb]
	away bob=      => v[bob]
	says           => stands_down(v >deb for bob)`},

	{"deputies: a task is claimed and done in the place of the one who is absent", `
- {id: t, name: Task, type: task, action: accept, distribute: claim, processors: {persons: [ann, bob]}, deliver: {persons: [sue, deb]}, next: u}
- {id: u, name: Next, type: approval, not: [t], processors: {persons: [ann, deb, zoe]}, next: done}` + end, `
	absent zoe=deb       =>
	start                => t:claiming[ann bob]
	away ann=deb         => t:claiming[ann bob deb]
	claim by deb         => t[ann deb]
	says                 => claimed(t deb for ann)
	accept by bob        => refused forbidden "Task" asks ann
	accept by deb        => u[zoe]
	says                 => acted(t deb for ann) left(t) entered(u >zoe) barred(u >ann,deb)
	approve by deb       => refused forbidden deb acted at "Task"`},

	{"deputies: are known as people are asked", `
- {id: t, name: Task, type: task, processors: {persons: [bob]}, next: v}
- {id: v, name: Vote, type: approval, rule: all, four_eyes: true, add: {persons: [joe]}, processors: {persons: [ann, sue]}, next: done}` + end, `
	absent ann=deb       =>
	absent sue=olga      =>
	absent joe=zoe       =>
	start                => t[bob]
	submit by bob        => v[ann sue deb]
	says                 => acted(t bob) left(t) entered(v >ann,sue) stands_in(v >deb for ann)
	add by ann to joe    => v[ann sue joe deb zoe]
	says                 => added(v ann >joe) stands_in(v >zoe for joe)
	approve by olga for sue => refused forbidden only an admin`},

	{"left: who takes over carries on, and without anybody the rest decides", `
- {id: v, name: Vote, type: approval, rule: n-of-m, n: 2, processors: {persons: [ann, bob, joe]}, next: t}
- {id: t, name: Task, type: task, distribute: claim, processors: {persons: [ann, bob]}, next: w}
- {id: w, name: Work, type: task, processors: {persons: [joe]}, next: done}` + end, `
	start          => v[ann bob joe]
	left ann=sue   => v[sue bob joe]
	says           => succeeded(v >sue for ann)
	approve by ann => refused forbidden "Vote" asks sue, bob, joe
	approve by joe => v[sue bob]
	left joe=zoe   => v[sue bob]
	left sue=bob   => v[bob]
	approve by bob => t:claiming[ann bob]
	claim by ann   => t[ann]
	left ann=      => t[bob]
	says           => succeeded(t for ann)
	submit by bob  => w[joe]
	suspend        => w[joe]
	left joe=      => w[joe]
	resume         => w[joe]
	left joe=      => w[]
	submit by joe  => refused forbidden nobody is asked`},
}
