package flow_test

import (
	"fmt"
	"time"

	"signalbox/flow"
)

const leave = `
key: leave
name: Leave
fields: [{key: days, type: INT, required: true}]
nodes:
- {id: manager, name: Manager, type: approval, processors: {persons: [ann, bob]}, reject: {then: end}, deadline: [{after: 2d, do: remind}], next: long}
- {id: long, name: "Long?", type: branch, cases: [{name: "yes", when: fields.days > 10, next: board}], default: done}
- {id: board, name: Board, type: approval, rule: all, processors: {persons: [eve, joe]}, next: done}
- {id: done, name: Done, type: end}
`

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// A definition is read and checked whole; then Step moves a position through it, one input at a time.
func Example() {
	def, faults := flow.Parse([]byte(leave))
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	process, err := flow.Compile(def)
	if err != nil {
		fmt.Println(err)
		return
	}
	fields, err := flow.Fill(def.Fields, map[string]any{"days": 12})
	if err != nil {
		fmt.Println(err)
		return
	}
	env, pos := flow.Env{Now: monday, Opener: "olga", Fields: fields}, flow.Position{}
	for _, in := range []flow.Input{flow.Start{}, flow.Act{Action: flow.Approve, Actor: "olga"}, flow.Act{Action: flow.Approve, Actor: "bob"}} {
		out, err := process.Step(pos, env, in)
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		pos = flow.Apply(pos, out.States)
		for _, asked := range process.Waiting(pos) {
			fmt.Println(asked.Name, "asks", asked.Pending)
		}
	}
	// Output:
	// Manager asks [ann bob]
	// refused: operator: "Manager" asks ann, bob
	// Board asks [eve joe]
}

// What is wrong with a definition is named with line and column, all of it at once.
func ExampleParse() {
	_, faults := flow.Parse([]byte(`key: leave
name: Leave
nodes:
- {id: manager, name: Manager, type: aproval, next: done}
- {id: done, name: Done, type: end}
`))
	fmt.Println(faults)
	// Output:
	// 4:38 nodes[0].type: must be one of task, approval, call, wait, branch, parallel, join, end, not "aproval"
}
