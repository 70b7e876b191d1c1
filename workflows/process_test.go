package workflows

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/flow"
	"signalbox/ticket"
)

// openingOf gives the events of a ticket of a published service.
func openingOf(t *testing.T, source string) []ticket.Event {
	t.Helper()
	def, faults := flow.Parse([]byte(source))
	require.Empty(t, faults)
	def.Version = 1
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Opener: "li", Service: def.Key, Definition: &def},
		ticket.Identity{ID: 1, Number: "IM202601020304050000000001", UUID: "u", Tenant: "a"}, "op-open", epoch)
	require.NoError(t, err)
	return events
}

// calls answers the requests of a process, each after an hour, and tells which were made.
func (b *bench) calls() *[]flow.PendingCall {
	var made []flow.PendingCall
	var d *activities.Deliveries
	b.OnActivity(d.CallService, mock.Anything, mock.Anything).After(time.Hour).Return(
		func(_ context.Context, in activities.CallInput) (flow.Called, error) {
			made = append(made, in.Call)
			return flow.Called{Node: in.Call.Node, Round: in.Call.Round, Try: in.Call.Try, Status: 200, Body: `{"ok":true}`}, nil
		})
	return &made
}

func TestThreeDaysPassInMilliseconds(t *testing.T) {
	b := newBench(t)
	began := time.Now()
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, `
key: consent
name: Silence is consent
nodes:
  - id: vote
    name: Vote
    type: approval
    rule: all
    processors: {persons: [wang, zhao]}
    deadline: [{after: 1d, do: remind}, {after: 2d, do: escalate, to: {persons: [boss]}}, {after: 3d, do: approve}]
    next: over
  - {id: over, name: Over, type: end}
`)})
	require.NoError(t, b.GetWorkflowError())
	require.Less(t, time.Since(began), time.Hour, "three days")
	state := b.state()
	require.True(t, state.Approved())
	require.Equal(t, epoch.Add(72*time.Hour), state.UpdatedAt)
	require.EqualValues(t, 4, state.Seq, "opened, reminded, escalated, approved")
	require.Positive(t, b.projected, "nobody waits for an answer, so the workflow itself tells the read model")
	vote, _ := state.Position.Find("vote")
	require.Equal(t, []string{"wang", "zhao", "boss"}, vote.Asked)
}

const booking = `
key: booking
name: Booking
nodes:
  - {id: book, name: Book, type: call, call: {url: 'https://old.example.com'}, processors: {persons: [ops]}, next: check}
  - {id: check, name: Check, type: approval, processors: {persons: [wang]}, deadline: [{after: 1d, do: approve}], next: over}
  - {id: over, name: Over, type: end}
`

func TestTimersAndCallsGoOnUnderAnotherVersion(t *testing.T) {
	for name, renamed := range map[string]bool{"the same node": false, "under a new name": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			made := b.calls()
			change := []string{"old.example", "new.example", "after: 1d", "after: 2d"}
			nodes := map[string]string{}
			if renamed {
				change, nodes["book"] = append(change, "id: book", "id: reserve"), "reserve"
			}
			v2, faults := flow.Parse([]byte(strings.NewReplacer(change...).Replace(booking)))
			require.Empty(t, faults)
			v2.Version = 2
			moved := b.handle(time.Minute, ticket.Command{Action: ticket.Migrate, Operator: "boss", Admin: true, Operation: "op-migrate",
				Migration: &ticket.Migration{Definition: &v2, Nodes: nodes}})
			b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, booking)})
			require.NoError(t, b.GetWorkflowError())
			require.NoError(t, moved.err)
			require.Equal(t, ticket.Migrated, moved.result.Events[0].Type)
			var hosts []string
			for _, call := range *made {
				hosts = append(hosts, call.URL)
				require.Equal(t, (*made)[0].Key, call.Key, "to a receiver it is the same request, whatever its node is called")
			}
			require.Equal(t, []string{"https://old.example.com", "https://new.example.com"}, hosts, "what was under way is broken off, and made as the new version says")
			state := b.state()
			require.Equal(t, 2, state.Version)
			require.True(t, state.Approved())
			check, _ := state.Position.Find("check")
			require.Equal(t, 48*time.Hour, check.Left.Sub(check.Entered), "a node that is entered later has the deadline of the new version")
		})
	}
}

// What a ticket cannot keep of an answer is no reason to ask for it again and again.
func TestAnAnswerThatIsTooMuchIsAskedForOnce(t *testing.T) {
	b := newBench(t)
	var d *activities.Deliveries
	made := 0
	b.OnActivity(d.CallService, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CallInput) (flow.Called, error) {
		made++
		return flow.Called{Node: in.Call.Node, Round: in.Call.Round, Try: in.Call.Try, Status: 200, Body: strings.Repeat("<", 40_000)}, nil
	})
	b.RegisterDelayedCallback(func() {
		require.Equal(t, []string{"ops"}, b.state().WaitingFor())
	}, time.Hour)
	b.handle(2*time.Hour, terminate("op-end"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, `
key: long
name: Long
nodes:
  - {id: ask, name: Ask, type: call, call: {url: 'https://a.example.com', answer: {all: body}}, fields: [{key: all, type: TEXT}], processors: {persons: [ops]}, next: over}
  - {id: over, name: Over, type: end}
`)})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, 1, made)
}

// A timer that cannot be decided is shown once, tried again, and holds up no other.
func TestATimerThatCannotBeDecidedHoldsUpNoOther(t *testing.T) {
	text := strings.Repeat("<", 30_000) // six bytes each as JSON, more than the fields of a ticket may have
	def, faults := flow.Parse([]byte(`
key: stuck
name: Stuck
nodes:
  - {id: both, name: Both, type: parallel, branches: [{name: a, next: fill}, {name: b, next: rest}], join: met}
  - {id: fill, name: Fill, type: task, processors: {persons: [wang]}, fields: [{key: f, type: TEXT}], deadline: [{after: 1h, do: approve}], next: met}
  - {id: rest, name: Rest, type: wait, for: 2h, next: met}
  - {id: met, name: Met, type: join, next: over}
  - {id: over, name: Over, type: end}
`))
	require.Empty(t, faults)
	def.Version, def.Nodes[1].Fields[0].Default = 1, text
	for rules, rested := range map[flow.Rules]bool{flow.RulesFirst: false, flow.RulesWeighed: true} {
		events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Opener: "li", Service: def.Key, Definition: &def},
			ticket.Identity{ID: 1, Number: "IM202601020304050000000001", UUID: "u", Tenant: "a"}, "op-open", epoch)
		require.NoError(t, err)
		events[0].After.Rules = rules
		b := newBench(t)
		b.handle(5*time.Hour, terminate("op-end"))
		refused := 0
		b.RegisterDelayedCallback(func() {
			value, err := b.QueryWorkflow(QueryTicket, PeekRequest{})
			require.NoError(t, err)
			var seen PeekResult
			require.NoError(t, value.Get(&seen))
			for _, e := range seen.Events {
				if e.Type == ticket.RefusedCmd {
					refused++
					require.Contains(t, e.Note, "fire")
				}
			}
		}, 4*time.Hour)
		b.ExecuteWorkflow(Ticket, TicketInput{Events: events})
		require.NoError(t, b.GetWorkflowError())
		rest, _ := b.state().Position.Find("rest")
		require.Equal(t, rested, rest.State == flow.Done, "by rules %d", rules)
		if rested {
			require.Equal(t, 2*time.Hour, rest.Left.Sub(rest.Entered))
			require.Equal(t, 1, refused)
		}
	}
}

// TestAnApprovalLeadsIntoAWaitUntilNever: a ticket that was opened before such times were refused goes on, and whoever fills one in now is refused before anything is taken.
func TestAnApprovalLeadsIntoAWaitUntilNever(t *testing.T) {
	const never = "9999-12-31T23:59:59-05:00"
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	events := openingOf(t, `
key: window
name: Window
fields: [{key: start, type: DATETIME}]
nodes:
  - {id: vote, name: Vote, type: approval, processors: {persons: [wang]}, fields: [{key: other, type: DATETIME}], next: window}
  - {id: window, name: Window, type: wait, until: start, next: over}
  - {id: over, name: Over, type: end}
`)
	events[0].After.Opening.Fields = flow.Values{"start": never}
	b := newBench(t)
	approve := ticket.Command{Action: ticket.Approve, Operator: "wang", Channel: ticket.ChannelIssue, App: "demo", Node: "vote", Operation: "op-never", Fields: flow.Values{"other": never}}
	refused := b.handle(time.Minute, approve)
	approve.Operation, approve.Fields = "op-approve", nil
	approved := b.handle(time.Hour, approve)
	var stands ticket.Ticket
	b.RegisterDelayedCallback(func() { stands = b.state() }, 2*time.Hour)
	b.handle(3*time.Hour, terminate("op-end"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: events})
	require.NoError(t, b.GetWorkflowError())
	require.False(t, refused.accepted)
	require.ErrorContains(t, refused.err, "within the years 0 to 9999")
	require.NoError(t, approved.err)
	_, err := json.Marshal(approved.result)
	require.NoError(t, err)
	window, _ := stands.Position.Find("window")
	require.Equal(t, flow.Waiting, window.State)
	require.Equal(t, last, *window.Due)
}
