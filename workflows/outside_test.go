package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"signalbox/activities"
	"signalbox/flow"
	"signalbox/ticket"
)

// Whom a node asks is asked for as calls are made, attempt by attempt, while the ticket takes commands; of what is no answer an admin has it asked again.
func TestPeopleAreAskedForAsCallsAreMade(t *testing.T) {
	b := newBench(t)
	var seen []activities.CallInput
	var d *activities.Deliveries
	b.OnActivity(d.CallService, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CallInput) (flow.Called, error) {
		seen = append(seen, in)
		switch len(seen) {
		case 1, 2:
			return flow.Called{}, temporal.NewApplicationError("HTTP 503", "fault", "HTTP 503")
		case 3:
			return flow.Called{Status: 200, Body: `{"people": "nobody knows"}`, Headers: map[string]string{}}, nil
		}
		return flow.Called{Status: 200, Body: `["joe"]`, Headers: map[string]string{}}, nil
	})
	said := b.handle(5*time.Minute, say("op-say"))
	early := b.handle(6*time.Minute, ticket.Command{Action: ticket.Approve, Operator: "joe", Operation: "op-early"})
	retried := b.handle(time.Hour, ticket.Command{Action: ticket.Retry, Operator: "root", Admin: true, Operation: "op-retry"})
	var problem string
	b.RegisterDelayedCallback(func() { problem = b.state().Nodes()[0].Problem }, 50*time.Minute)
	voted := b.handle(2*time.Hour, ticket.Command{Action: ticket.Approve, Operator: "joe", Operation: "op-vote"})
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, `
key: asking
name: Asking
nodes:
  - {id: v, name: Vote, type: approval, processors: {http: {url: 'https://who/${opener}', method: GET, retry: {attempts: 3, interval: 10m, coefficient: 1}}}, next: over}
  - {id: over, name: Over, type: end}
`)})
	require.NoError(t, b.GetWorkflowError())
	require.NoError(t, said.err)
	require.True(t, ticket.Is(fromWire(early.err), ticket.Conflict), "%v", early.err)
	require.NoError(t, retried.err)
	require.NoError(t, voted.err)
	require.Contains(t, problem, `who is asked could not be found out: answer persons: {"people":"nobody knows"} is no list of persons`)
	require.True(t, b.state().Approved())
	require.Len(t, seen, 4)
	for i, in := range seen {
		require.Equal(t, "https://who/li", in.Call.URL)
		require.Equal(t, "asking", in.Service)
		require.Equal(t, i == 3, in.Call.Key != seen[0].Call.Key, "sent again under another key")
	}
}
