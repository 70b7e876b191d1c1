package ticket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// Every cause of a process that needs no directory, and what takes it back.
func TestWhyATicketIsStuck(t *testing.T) {
	on := onLeave(t)
	_, stuck := on.Stuck()
	require.False(t, stuck, "it waits for people, who are asked")

	d := draft()
	d.Service, d.Definition = "leave", service(t, 1, `
key: leave
name: Leave
nodes:
  - {id: lead, name: Lead, type: approval, rule: n-of-m, n: 2, processors: {persons: [wang], caller: true}, next: boss}
  - {id: boss, name: Boss, type: task, processors: {caller: true}, next: book}
  - {id: book, name: Book it, type: call, call: {url: 'https://hr.example.com'}, processors: {persons: [hr]}, next: over}
  - {id: over, name: Over, type: end}
`)
	on, _ = open(t, d)
	s, stuck := on.Stuck()
	require.True(t, stuck)
	require.Equal(t, []any{flow.CauseTooFew, "lead", "Lead", 2, 1, on.CreatedAt}, []any{s.Cause, s.Node, s.Name, s.Needed, s.Voices, s.Since})
	require.Contains(t, s.Problem, "2 must approve")

	admin := func(action ticket.Action, who ...string) ticket.Command {
		c := command(action)
		c.Admin, c.Targets = true, who
		return c
	}
	on, _ = do(t, on, admin(ticket.Add, "li"))
	_, stuck = on.Stuck()
	require.False(t, stuck)
	for _, who := range []string{"wang", "li"} {
		c := command(ticket.Approve)
		c.Operator = who
		on, _ = do(t, on, c)
	}
	s, stuck = on.Stuck()
	require.True(t, stuck)
	require.Equal(t, []any{flow.CauseNobody, "boss", true}, []any{s.Cause, s.Node, s.Nobody})

	suspended, _ := do(t, on, admin(ticket.Suspend))
	_, stuck = suspended.Stuck()
	require.False(t, stuck, "somebody wants it to stand still")
	over, _ := do(t, on, admin(ticket.Close))
	_, stuck = over.Stuck()
	require.False(t, stuck)

	on, _ = do(t, on, admin(ticket.Reassign, "li"))
	_, stuck = on.Stuck()
	require.False(t, stuck)
	c := command(ticket.Submit)
	c.Operator = "li"
	on, _ = do(t, on, c)
	call := on.Calls(time.Now())[0]
	on, _ = do(t, on, ticket.Command{Action: ticket.Answer, Operation: "op-answer", Channel: ticket.ChannelSystem, App: string(ticket.ChannelSystem),
		Called: &flow.Called{Key: call.Key, Node: call.Node, Round: call.Round, Try: call.Try, Status: 503}})
	s, stuck = on.Stuck()
	require.True(t, stuck)
	require.Equal(t, []any{flow.CauseFailed, "book", false}, []any{s.Cause, s.Node, s.Nobody})
	require.Contains(t, s.Reason, "503")
}
