package ticket_test

import (
	"fmt"
	"time"

	"signalbox/flow"
	"signalbox/ticket"
)

// A case is opened, accepted and looked at: events are decided, then folded. Nothing else changes a ticket.
func Example() {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	draft := ticket.Draft{Channel: ticket.ChannelIssue, App: "customs", Origin: "customs", Title: "the seal is broken", Opener: "olga"}
	id := ticket.Identity{ID: 7, Number: ticket.SeriesIM.Number(at, 7), UUID: "0b0f2c9e-7a51-4f0e-9a67-000000000007", Tenant: "acme"}
	events, err := ticket.Open(draft, id, "operation-1", at)
	if err != nil {
		fmt.Println(err)
		return
	}
	t := ticket.Fold(ticket.Ticket{}, events)
	fmt.Println(t.Number, t.Status, t.Nodes()[0].Name)

	accept := ticket.Command{Action: ticket.Accept, Operator: "ann", Channel: ticket.ChannelIssue, App: "customs", Operation: "operation-2"}
	events, err = ticket.Decide(t, accept, at.Add(time.Minute))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range events {
		t = ticket.Evolve(t, e)
		fmt.Println(e.Seq, e.Type, e.Actor)
	}
	fmt.Println(t.Status, t.WaitingFor())
	// Output:
	// IM202603020900000000000007 triggered Accept
	// 2 accepted ann
	// acknowledged [ann]
}

// What cannot be opened is refused with everything that is wrong with it.
func ExampleOpen_refused() {
	_, err := ticket.Open(ticket.Draft{Origin: "customs", Relations: []ticket.Relation{{Type: "bill of lading"}}}, ticket.Identity{}, "operation-1", time.Time{})
	fmt.Println(err)
	// Output:
	// title: is required and must not be empty; relations[0].type: may only contain A-Z, a-z, 0-9, '_', '.' and '-'
}

// A command that the rules do not allow where the ticket stands changes nothing and says why.
func ExampleDecide_refused() {
	t := ticket.Ticket{Status: ticket.Completed}
	_, err := ticket.Decide(t, ticket.Command{Action: ticket.Withdraw, Operator: "olga"}, time.Time{})
	fmt.Println(ticket.Is(err, ticket.Conflict), err)
	// Output:
	// true the ticket is completed
}

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

// A simulation plays a ticket through with a clock of its own: here nobody hears the reminder but ann, who approves after three days.
func ExampleSimulate() {
	def, faults := flow.Parse([]byte(leave))
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	draft := ticket.Draft{Channel: ticket.ChannelIssue, Origin: "example", Title: "Holiday", Service: def.Key, Definition: &def, Opener: "olga",
		Form: map[string]any{"days": 3}}
	script := ticket.Script{Answers: []ticket.ScriptedAct{{After: "3d", Act: flow.Act{Node: "manager", Action: flow.Approve, Actor: "ann"}}}}
	report, err := ticket.Simulate(draft, script, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range report.Path {
		fmt.Println(m.At.Sub(report.Began), m.Kind, m.Node, m.To)
	}
	fmt.Println(report.Ending.Status, "approved:", report.Ending.ApproveResult)
	// Output:
	// 0s entered manager [ann bob]
	// 48h0m0s reminded manager [ann bob]
	// 72h0m0s voted manager []
	// 72h0m0s left manager []
	// 72h0m0s entered long []
	// 72h0m0s left long []
	// 72h0m0s entered done []
	// 72h0m0s finished done []
	// completed approved: true
}
