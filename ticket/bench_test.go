package ticket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// heaviest are tickets as large as they can be, and what can be asked of them.
type heaviest struct {
	name     string
	ticket   ticket.Ticket
	commands []ticket.Command
}

// crowd is a ticket that asks so many people at one node, nearly half of whom have voted. Its fields, relations and messages take what there is room for.
func crowd(t testing.TB, people int) heaviest {
	def, faults := flow.Parse([]byte(`
key: crowd
name: Crowd
fields: [{key: text, type: TEXT}, {key: ms, type: MEMBERS}]
nodes:
- {id: a, name: A, type: approval, rule: all, finish: 'PASS_COUNT >= 100000', processors: {caller: true}, deliver: {anyone: true}, add: {anyone: true}, terminable: true,
   deadline: [{after: 1h, do: remind}, {after: 2h, do: escalate, to: {persons: [boss]}}], next: b}
- {id: b, name: B, type: branch, cases: [{when: 'all(nodes.a.by, {# in fields.ms})', next: done}], default: done}
- {id: done, name: Done, type: end}`))
	require.Empty(t, faults, "%s", faults.Error())
	asked := items(people, "p")
	d := draft()
	d.Service, d.Definition, d.Opener, d.Tags, d.Relations = def.Key, &def, "olga", nil, nil
	d.Named = map[string][]string{"a": asked}
	d.Form = map[string]any{"text": strings.Repeat("x", flow.MaxText), "ms": asked}
	d.Relations = []ticket.Relation{{Type: "r", Content: items(people*5, "i")}}
	events, err := ticket.Open(d, ticket.Identity{Number: "IM1", Tenant: "t"}, "op", monday)
	require.NoError(t, err)
	on := ticket.Fold(ticket.Ticket{}, events)
	do := func(c ticket.Command) {
		c.Channel, c.App = ticket.ChannelIssue, "demo"
		events, err := ticket.Decide(on, c, monday)
		require.NoError(t, err, "%v", c)
		on = ticket.Fold(on, events)
	}
	for _, who := range asked[:people*2/5] {
		do(ticket.Command{Action: ticket.Approve, Node: "a", Operator: who, Note: "yes"})
	}
	for i := range min(people/2, ticket.MaxMessages-1) {
		do(ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: fmt.Sprint("m", i), Author: "ann", Content: "hello"}})
	}
	last := asked[people-1]
	return heaviest{fmt.Sprintf("%d asked", people), on, []ticket.Command{
		{Action: ticket.Approve, Node: "a", Operator: last},
		{Action: ticket.Reject, Node: "a", Operator: last, Note: "no"},
		{Action: ticket.Deliver, Node: "a", Operator: last, Targets: items(100, "new"), Note: "instead of me"},
		{Action: ticket.Reassign, Node: "a", Operator: "root", Admin: true, Targets: items(100, "new")},
		{Action: ticket.Add, Node: "a", Operator: "root", Admin: true, Targets: items(1, "new")},
		{Action: ticket.Terminate, Node: "a", Operator: last, Note: "enough"},
		{Action: ticket.Suspend, Operator: last, Admin: true},
		{Action: ticket.Withdraw, Operator: "olga"},
		{Action: ticket.Close, Operator: "root", Admin: true, Note: "enough"},
		{Action: ticket.Say, Message: &ticket.Message{ID: "new", Author: "ann", Content: strings.Repeat("x", ticket.MaxMessage)}},
		{Action: ticket.Relate, Relation: &ticket.Relation{Type: "r", Content: items(people*5, "j")}},
		{Action: ticket.Fire, Fired: &flow.Fired{Node: "a", Round: 1}},
	}}
}

// command decides a command, and folds what it leads to, as a ticket's workflow does; then it works out where the ticket stands.
func (h heaviest) command(t testing.TB, c ticket.Command) {
	c.Channel, c.App = ticket.ChannelIssue, "demo"
	at := monday
	if c.Action == ticket.Fire {
		at = monday.Add(time.Hour)
	}
	events, err := ticket.Decide(h.ticket, c, at)
	require.NoError(t, err, "%s", c.Action)
	on := ticket.Fold(h.ticket, events)
	on.Nodes()
	on.Timers()
	on.Calls(at)
}

// BenchmarkLargest is what a command costs on the largest ticket there can be.
func BenchmarkLargest(b *testing.B) {
	h := crowd(b, flow.MaxItems)
	for _, c := range h.commands {
		b.Run(string(c.Action), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.command(b, c)
			}
		})
	}
}
