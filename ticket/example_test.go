package ticket_test

import (
	"fmt"
	"time"

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
