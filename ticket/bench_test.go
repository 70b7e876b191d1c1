package ticket_test

import (
	"fmt"
	"math"
	"runtime"
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

// thinker is a ticket whose next act has as much worked out as one input may.
func thinker(t testing.TB, people int) heaviest {
	source := "key: thinker\nname: Thinker\nfields: [{key: ms, type: MEMBERS}, {key: i, type: INT}]\nnodes:\n- {id: t, name: T, type: task, processors: {anyone: true}, next: b0}\n"
	for i := range 4 {
		source += fmt.Sprintf("- {id: b%d, name: B, type: branch, cases: [{when: 'count(fields.ms, len(#) * fields.i / 1.5 > 1000) > 0', next: done}], default: b%d}\n", i, i+1)
	}
	def, faults := flow.Parse([]byte(source + "- {id: b4, name: B, type: branch, cases: [{when: 'opener == \"x\"', next: done}], default: done}\n- {id: done, name: Done, type: end}"))
	require.Empty(t, faults, "%s", faults.Error())
	d := draft()
	d.Service, d.Definition, d.Form = def.Key, &def, map[string]any{"ms": items(people, "p"), "i": 7}
	events, err := ticket.Open(d, ticket.Identity{Number: "IM1", Tenant: "t"}, "op", monday)
	require.NoError(t, err)
	return heaviest{"much to work out", ticket.Fold(ticket.Ticket{}, events), []ticket.Command{{Action: ticket.Submit, Node: "t", Operator: "ann"}}}
}

// BenchmarkLargest is what a command costs on the largest tickets there can be. None may take 50 ms of a processor.
func BenchmarkLargest(b *testing.B) {
	for _, h := range []heaviest{crowd(b, flow.MaxItems-100), thinker(b, flow.MaxItems)} {
		for _, c := range h.commands {
			b.Run(h.name+"/"+string(c.Action), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					h.command(b, c)
				}
			})
		}
	}
}

// Twice as many people, votes, relations and messages cost twice as much, and no more: what is allocated is counted, because that is the same on every
// machine.
func TestCommandsGrowNoFasterThanTheirTicket(t *testing.T) {
	small, large := crowd(t, 900), crowd(t, 1_800)
	for i, c := range small.commands {
		few, many := allocated(func() { small.command(t, c) }), allocated(func() { large.command(t, large.commands[i]) })
		require.LessOrEqual(t, many, few*5/2+20_000, "%s: %d bytes, then %d", c.Action, few, many)
	}
}

// allocated counts the bytes that a call allocates; of several calls the fewest, because others may run meanwhile.
func allocated(call func()) uint64 {
	fewest := uint64(math.MaxUint64)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		call()
		runtime.ReadMemStats(&after)
		fewest = min(fewest, after.TotalAlloc-before.TotalAlloc)
	}
	return fewest
}

// BenchmarkDecide is what one action costs the rule book on an ordinary ticket: decided, and folded.
func BenchmarkDecide(b *testing.B) {
	d := draft()
	events, err := ticket.Open(d, ticket.Identity{ID: 1, UUID: "u", Number: "IM1", Tenant: "t"}, "op", monday)
	require.NoError(b, err)
	opened := ticket.Fold(ticket.Ticket{}, events)
	for _, c := range []ticket.Command{
		{Action: ticket.Accept, Operator: "li"},
		{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "li", Content: "hello"}},
		{Action: ticket.Relate, Operator: "li", Relation: &ticket.Relation{Type: "manifest", Content: []string{"A1"}}},
	} {
		c.Channel, c.App, c.Admin = ticket.ChannelIssue, "demo", true
		b.Run(string(c.Action), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				events, err := ticket.Decide(opened, c, monday)
				if err != nil {
					b.Fatal(err)
				}
				ticket.Fold(opened, events)
			}
		})
	}
}
