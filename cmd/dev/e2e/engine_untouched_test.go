package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
	"signalbox/workflows"
)

// A ticket that nobody has touched yet has had no workflow task. The server treats it in two ways that callers must not feel.
func TestAnUntouchedTicket(t *testing.T) {
	t.Parallel() // most of it is a minute's wait
	c, _, namespace := temporalServer(t)
	engine := &workflows.Engine{Client: c, Namespace: namespace}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	notes := &notebook{}
	startTicketWorker(t, c, desk.New(notes, engine, desk.Options{}))

	t.Run("does not make a command wait that comes after a refusal", func(t *testing.T) {
		quickest := time.Hour // of several: a busy machine is slow now and then, the server's wait is there each time
		for range 5 {
			events := openingEvents(t)
			id := events[0].After.Opening.Identity
			require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))
			began := time.Now()
			for range 2 {
				_, err := engine.Update(ctx, id, 0, desk.Seen{}, command(ticket.Approve))
				require.True(t, ticket.Is(err, ticket.Conflict), "%v", err)
			}
			_, err := engine.Update(ctx, id, 0, desk.Seen{}, command(ticket.Accept))
			require.NoError(t, err)
			if quickest = min(quickest, time.Since(began)); quickest < 4*time.Second {
				break
			}
		}
		require.Less(t, quickest, 4*time.Second, "the server waits five seconds for a worker that it did not ask")
	})

	t.Run("hears a signal", func(t *testing.T) {
		events := openingEvents(t)
		id := events[0].After.Opening.Identity
		require.NoError(t, notes.Project(ctx, id, events))
		require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))
		require.NoError(t, c.SignalWorkflow(ctx, workflows.TicketID(id.Number, 0), "", string(ticket.Accept), workflows.AcceptSignal{Operator: "li"}))
		require.Eventually(t, func() bool { row, _ := notes.Ticket(ctx, "", ""); return row.Status == ticket.Acknowledged }, 2*time.Minute, 100*time.Millisecond)
	})
}
