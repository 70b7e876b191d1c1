package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.temporal.io/sdk/worker"

	"signalbox/activities"
	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/ticket"
	"signalbox/workflows"
)

// TestTheEngineKeepsItsPromises runs the suite that the engine in memory passes on the true one.
func TestTheEngineKeepsItsPromises(t *testing.T) {
	t.Parallel()
	c, _, namespace := temporalServer(t)
	desktest.TestEngine(t, func(t *testing.T, ledger desk.Ledger, updates int) desktest.EngineFixture {
		engine := &workflows.Engine{Client: c, Namespace: namespace, MoveAfter: updates}
		var w worker.Worker // a stopped one cannot be started again
		workers := func(t *testing.T, up bool) {
			if !up {
				w.Stop()
				return
			}
			w = worker.New(c, workflows.QueueTickets, worker.Options{})
			w.RegisterWorkflow(workflows.Ticket)
			w.RegisterActivity(&activities.Activities{Desk: desk.New(ledger, engine, desk.Options{})})
			require.NoError(t, w.Start())
		}
		workers(t, true)
		t.Cleanup(func() { w.Stop() })
		return desktest.EngineFixture{
			Engine: engine,
			Signal: func(t *testing.T, id ticket.Identity, generation int, operator string) {
				err := c.SignalWorkflow(t.Context(), workflows.TicketID(id.Number, generation), "", string(ticket.Accept), workflows.AcceptSignal{Operator: operator})
				require.NoError(t, err)
			},
			Workers: workers,
		}
	})
}
