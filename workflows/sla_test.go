package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/calendar"
	"signalbox/flow"
	"signalbox/ticket"
)

// openPromised opens a ticket on a Friday morning, of which ten working hours are promised.
func openPromised(t *testing.T) []ticket.Event {
	t.Helper()
	hours := []string{"09:00-17:00"}
	office := calendar.Calendar{Key: "office", Name: "Office", Version: 1, Zone: "UTC", Offsets: calendar.OffsetsOf(time.UTC),
		Week: calendar.Week{Monday: hours, Tuesday: hours, Wednesday: hours, Thursday: hours, Friday: hours}}
	def, faults := flow.Read([]byte(`
key: promised
name: Promised
calendar: office
sla: [{name: resolve, until: end, target: 10 working hours, warn: 80 %}]
nodes:
  - {id: check, name: Check, type: task, processors: {persons: [ann]}, next: over}
  - {id: over, name: Over, type: end}
`)).Check([]calendar.Calendar{office})
	require.Empty(t, faults)
	def.Version = 1
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Opener: "li", Service: "promised", Definition: &def},
		ticket.Identity{ID: 1, Number: "IM202601020304050000000001", UUID: "u", Tenant: "a"}, "op-open", epoch)
	require.NoError(t, err)
	return events
}

// What is left of an SLA is the same before a roll-over and after it, also where it stood still and what counts is working time; warning and breach come
// in the next run when they would have come in this one.
func TestARollOverForgetsNoSLA(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 1, day, hour, 0, 0, 0, time.UTC) }
	since := func(moment time.Time) time.Duration { return moment.Sub(epoch) }
	warned, due := at(5, 11), at(5, 13) // of Friday six hours count, since two were spent in a suspension; the rest is Monday's

	b := newBench(t)
	b.handle(since(at(2, 12)), order(ticket.Suspend, 1))
	b.handle(since(at(2, 14)), order(ticket.Unsuspend, 2))
	b.handle(since(at(2, 15)), say("op-1"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openPromised(t), MoveAfter: 3})
	next := rolledOver(t, b.GetWorkflowError())
	clock := next.Before.Position.SLA[0]
	require.Equal(t, warned, clock.Warn.UTC())
	require.Equal(t, due, clock.Due.UTC())

	b = newBench(t)
	b.SetStartTime(at(2, 15))
	next.MoveAfter = 0
	var events []ticket.Event
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(QueryTicket, PeekRequest{After: next.Before.Seq})
		require.NoError(t, err)
		var out PeekResult
		require.NoError(t, value.Get(&out))
		events = out.Events
	}, at(5, 14).Sub(at(2, 15)))
	b.handle(at(5, 15).Sub(at(2, 15)), order(ticket.Close, 3))
	b.ExecuteWorkflow(Ticket, next)
	require.NoError(t, b.GetWorkflowError())
	require.Len(t, events, 2)
	for i, want := range []struct {
		what ticket.Type
		at   time.Time
	}{{ticket.SLAWarned, warned}, {ticket.SLABreached, due}} {
		require.Equal(t, want.what, events[i].Type)
		require.Equal(t, want.at, events[i].At.UTC())
	}
}
