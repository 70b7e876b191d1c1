package flow

var workingScenarios = []scenario{
	{"a deadline counts working time, by the closest calendar; nights, holidays and weekends are no part of it", `
key: test
name: Test
calendar: office
nodes:
- id: t
  name: T
  type: task
  processors: {persons: [ann]}
  deadline:
  - {after: 4 working hours, do: remind}
  - {after: 1 working day, do: remind, calendar: shifts}
  - {after: 3 working days, do: reassign, to: {persons: [boss]}}
  next: u
- {id: u, name: U, type: task, calendar: shifts, processors: {anyone: true}, deadline: [{after: 90 working minutes, do: remind}], next: w}
- {id: w, name: W, type: wait, calendar: office, for: 1 working hour, next: done}
- {id: done, name: Done, type: end}`, `
	start          => t[ann]
	due            => t[ann]
	clock          => Mon 13:00
	pass 1h        => t[ann]
	suspend        => t[ann]
	pass 1d        => t[ann]
	resume         => t[ann]
	clock          => Tue 14:00
	due            => t[ann]
	# sixteen hours of shifts, of which five were used on Monday
	clock          => Wed 09:00
	due            => t[boss]
	# twenty-four of the office: five on Monday, three on Tuesday, eight on Wednesday, none on Thursday, and eight on Friday
	clock          => Fri 17:00
	pass 6h30m     => t[boss]
	submit by boss => u[anyone]
	due            => u[anyone]
	clock          => Sat 09:00
	submit by zoe  => w:waiting
	due            => completed approved
	clock          => Mon 10:00`},

	{"a wait that counts working time goes on with what was left", `
key: test
name: Test
calendar: office
nodes:
- {id: w, name: W, type: wait, for: 10 working hours, next: done}
- {id: done, name: Done, type: end}`, `
	start   => w:waiting
	pass 6h => w:waiting
	suspend => w:waiting
	pass 2d => w:waiting
	resume  => w:waiting
	# Wednesday at three: two hours there, Thursday is a holiday, and two on Friday
	due     => completed approved
	clock   => Fri 11:00`},

	{"SLAs warn and are breached, stop while the ticket waits or is suspended, and go by a field", `
key: test
name: Test
calendar: office
fields: [{key: t, type: STRING}, {key: w, type: STRING}]
sla:
- {name: respond, until: t, target: 1h, warn: 50 %}
- {name: resolve, until: end, target: 2 working days, warn: 25 %, by: {field: t, targets: {high: 5 working hours, low: 5 working days}}, pause: [w]}
- {name: close, until: end, target: 8 working hours, calendar: shifts}
nodes:
- {id: t, name: T, type: task, processors: {anyone: true}, fields: [{key: t, type: STRING}], next: w}
- {id: w, name: W, type: task, processors: {anyone: true}, next: x}
- {id: x, name: X, type: task, processors: {anyone: true}, next: done}
- {id: done, name: Done, type: end}`, `
	start      => t[anyone]
	due        => t[anyone]
	clock      => Mon 09:30
	says       => sla_warned(respond: 50 % of 1h)
	suspend    => t[anyone]
	pass 2h    => t[anyone]
	resume     => t[anyone]
	due        => t[anyone]
	clock      => Mon 12:00
	says       => sla_breached(respond: 1h)
	submit set t=high => w[anyone]
	pass 1d    => w[anyone]
	due        => w[anyone]
	says       => sla_breached(close: 8 working hours)
	submit     => x[anyone]
	clock      => Tue 12:00
	due        => x[anyone]
	says       => sla_warned(resolve: 25 % of 5 working hours)
	clock      => Tue 12:15
	due        => x[anyone]
	clock      => Tue 16:00
	says       => sla_breached(resolve: 5 working hours)`},
}
