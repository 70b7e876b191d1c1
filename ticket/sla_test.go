package ticket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/calendar"
	"signalbox/flow"
	"signalbox/ticket"
)

// weekdays works from nine to five, Monday to Friday, in UTC.
func weekdays(version int, holidays ...calendar.Holiday) calendar.Calendar {
	hours := []string{"09:00-17:00"}
	return calendar.Calendar{Key: "office", Name: "Office", Version: version, Zone: "UTC", Offsets: calendar.OffsetsOf(time.UTC), Holidays: holidays,
		Week: calendar.Week{Monday: hours, Tuesday: hours, Wednesday: hours, Thursday: hours, Friday: hours}}
}

const promised = `
key: promised
name: Promised
calendar: office
fields: [{key: priority, type: SELECT, required: true, choice: [{key: high}, {key: low}]}]
sla:
- {name: respond, until: accept, target: 30m, warn: 50 %}
- {name: resolve, until: end, by: {field: priority, targets: {high: 4 working hours, low: 2 working days}}, warn: 75 %, pause: [customer]}
nodes:
- {id: accept, name: Accept, type: task, action: accept, processors: {anyone: true}, next: work}
- {id: work, name: Work, type: task, processors: {anyone: true}, fields: [{key: priority, type: SELECT, choice: [{key: high}, {key: low}]}], next: customer}
- {id: customer, name: Customer, type: task, processors: {anyone: true}, next: last}
- {id: last, name: Last, type: task, processors: {anyone: true}, next: done}
- {id: done, name: Done, type: end}
`

// promise opens a ticket of that service, on a Friday at three.
func promise(t *testing.T, priority string) (ticket.Ticket, time.Time) {
	t.Helper()
	def, faults := flow.Read([]byte(promised)).Check([]calendar.Calendar{weekdays(1)})
	require.Empty(t, faults)
	at := time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC)
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Service: "promised", Origin: "o", Title: "t", Definition: &def, Form: flow.Values{"priority": priority}},
		ticket.Identity{ID: 1, Number: "IM1", UUID: "u", Tenant: "a"}, "op", at)
	require.NoError(t, err)
	return ticket.Fold(ticket.Ticket{}, events), at
}

// act decides and folds, and gives the types of the events.
func act(t *testing.T, on *ticket.Ticket, c ticket.Command, at time.Time) (types []ticket.Type) {
	t.Helper()
	c.App, c.Channel, c.Operation = "demo", ticket.ChannelIssue, "op-2"
	events, err := ticket.Decide(*on, c, at)
	require.NoError(t, err)
	for _, e := range events {
		types = append(types, e.Type)
		require.Equal(t, "op-2", e.Operation, "what lapsed belongs to the operation that found it")
	}
	*on = ticket.Fold(*on, events)
	return types
}

func clockOf(t *testing.T, on ticket.Ticket, name string) flow.SLAClock {
	t.Helper()
	for _, c := range on.Position.SLA {
		if c.Name == name {
			return c
		}
	}
	t.Fatal("there is no clock ", name)
	return flow.SLAClock{}
}

// TestABrokenPromiseIsNotHiddenByAFasterCommand: whoever accepts after the time was up, and before its timer was heard of, leaves two events more.
func TestABrokenPromiseIsNotHiddenByAFasterCommand(t *testing.T) {
	on, at := promise(t, "high")
	require.Equal(t, at.Add(30*time.Minute), *on.DueAt())
	require.Equal(t, []ticket.Type{ticket.SLAWarned, ticket.SLABreached, ticket.Accepted}, act(t, &on, ticket.Command{Action: ticket.Accept, Operator: "ann"}, at.Add(31*time.Minute)))
	c := clockOf(t, on, "respond")
	require.Equal(t, at.Add(30*time.Minute), *c.Breached, "since when, and not when it was noted")
	require.Equal(t, at.Add(31*time.Minute), *c.Over)
	require.Equal(t, ticket.SLAStateBreached, on.SLAState())
	require.Equal(t, time.Date(2026, 11, 30, 11, 0, 0, 0, time.UTC), *on.DueAt(), "two hours on Friday and two on Monday")

	late, at := promise(t, "high")
	_, err := ticket.Decide(late, ticket.Command{Action: ticket.Approve, Operator: "ann"}, at.Add(time.Hour))
	require.Error(t, err, "a refusal leaves it to the timer")
	in, at := promise(t, "high")
	require.Equal(t, []ticket.Type{ticket.SLAWarned, ticket.Accepted}, act(t, &in, ticket.Command{Action: ticket.Accept, Operator: "ann"}, at.Add(30*time.Minute-time.Microsecond)))
	require.Empty(t, in.SLAState(), "who warned and was kept is over")
}

// TestAClockOfAnSLAStandsStill while the ticket is suspended and at the nodes that are named.
func TestAClockOfAnSLAStandsStill(t *testing.T) {
	on, at := promise(t, "high")
	act(t, &on, ticket.Command{Action: ticket.Accept, Operator: "ann"}, at.Add(10*time.Minute))
	act(t, &on, ticket.Command{Action: ticket.Suspend}, at.Add(time.Hour)) // four on Friday: three hours are left
	require.Nil(t, on.DueAt(), "nobody knows when it goes on")
	act(t, &on, ticket.Command{Action: ticket.Unsuspend}, at.AddDate(0, 0, 5)) // Wednesday at three
	require.Equal(t, time.Date(2026, 12, 3, 10, 0, 0, 0, time.UTC), *on.DueAt())
	act(t, &on, ticket.Command{Action: ticket.Submit, Operator: "ann", Node: "work"}, at.AddDate(0, 0, 5).Add(time.Hour))
	require.Nil(t, on.DueAt(), "it stands at the customer's")
	act(t, &on, ticket.Command{Action: ticket.Submit, Operator: "ann", Node: "customer"}, at.AddDate(0, 0, 12))
	require.Equal(t, 2*time.Hour, clockOf(t, on, "resolve").Worked)
	require.Equal(t, time.Date(2026, 12, 9, 17, 0, 0, 0, time.UTC), *on.DueAt())
	act(t, &on, ticket.Command{Action: ticket.Submit, Operator: "ann", Node: "last"}, at.AddDate(0, 0, 12).Add(time.Hour))
	require.True(t, on.Ended())
	require.Nil(t, on.DueAt())
	require.Empty(t, on.SLAState())
}

// TestAnotherPriorityIsAnotherTarget, against which counts what was used.
func TestAnotherPriorityIsAnotherTarget(t *testing.T) {
	on, at := promise(t, "low")
	act(t, &on, ticket.Command{Action: ticket.Accept, Operator: "ann"}, at.Add(10*time.Minute))
	require.Equal(t, time.Date(2026, 12, 1, 15, 0, 0, 0, time.UTC), *on.DueAt(), "two hours, eight, and six")
	monday := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	act(t, &on, ticket.Command{Action: ticket.Submit, Operator: "ann", Node: "work", Fields: flow.Values{"priority": "high"}}, monday)
	c := clockOf(t, on, "resolve")
	require.Equal(t, 4*time.Hour, c.Target)
	require.Equal(t, 5*time.Hour, c.Worked)
	act(t, &on, ticket.Command{Action: ticket.Submit, Operator: "ann", Node: "customer"}, monday.Add(time.Hour))
	require.Equal(t, []ticket.Type{ticket.SLAWarned, ticket.SLABreached}, act(t, &on, ticket.Command{Action: ticket.Suspend}, monday.Add(time.Hour))[:2], "it is used up already")
	require.Equal(t, ticket.SLAStateBreached, on.SLAState())
}

// TestReopeningBeginsThePromisesAnew and ending ends them.
func TestReopeningBeginsThePromisesAnew(t *testing.T) {
	on, at := promise(t, "high")
	require.Equal(t, []ticket.Type{ticket.SLAWarned, ticket.SLABreached, ticket.Closed}, act(t, &on, ticket.Command{Action: ticket.Close}, at.Add(time.Hour)))
	require.Equal(t, ticket.SLAStateBreached, on.SLAState(), "for good, in this generation")
	require.Empty(t, on.Timers())
	monday := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	act(t, &on, ticket.Command{Action: ticket.Reopen}, monday)
	require.Empty(t, on.SLAState())
	require.Equal(t, monday.Add(30*time.Minute), *on.DueAt())
	require.Equal(t, monday.Add(4*time.Hour), *clockOf(t, on, "resolve").Due)
}

// TestMovingATicketGivesItTheCalendarsOfTheDay, also to the version that it has; what is used stays used.
func TestMovingATicketGivesItTheCalendarsOfTheDay(t *testing.T) {
	on, at := promise(t, "high")
	act(t, &on, ticket.Command{Action: ticket.Accept, Operator: "ann"}, at.Add(10*time.Minute))
	def := *on.Definition
	_, err := ticket.Decide(on, ticket.Command{Action: ticket.Migrate, Admin: true, Operator: "boss", Migration: &ticket.Migration{Definition: &def, Rules: flow.RulesNow}}, at.Add(time.Hour))
	require.True(t, ticket.Is(err, ticket.Conflict), "it has that version, and its calendars")
	def.Calendars = []calendar.Calendar{weekdays(2, calendar.Holiday{Date: "2026-11-30"})}
	act(t, &on, ticket.Command{Action: ticket.Migrate, Admin: true, Operator: "boss", Migration: &ticket.Migration{Definition: &def, Rules: flow.RulesNow}}, at.Add(time.Hour))
	require.Equal(t, time.Date(2026, 12, 1, 11, 0, 0, 0, time.UTC), *on.DueAt(), "Monday has become a holiday")
	require.Equal(t, 2, clockOf(t, on, "resolve").Version)
}
