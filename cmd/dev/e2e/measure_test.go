package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
	"signalbox/store/postgrestest"
	"signalbox/ticket"
	"signalbox/workflows"
)

const (
	measuredCallers = 16
	lifecycles      = 2 // of each caller in one burst
	bursts          = 2 // of each kind, in turn, so that what else the machine does hits both
)

// TestMeasure measures production's wiring on PostgreSQL: what a ticket's generation costs through the API against the bare engine, and what
// deliveries cost. It is not parallel, so that other tests are not measured with it. The figures are logged; what is required of them is far
// from what an idle machine shows.
func TestMeasure(t *testing.T) {
	p := startProduction(t, postgrestest.Start(t))
	p.startWorker(t, "tickets")
	p.startWorker(t, "deliveries")
	c, tc := p.caller(), dialTemporal(t, p.temporal.address, p.namespace)
	engine := &workflows.Engine{Client: tc, Namespace: p.namespace}

	bare := func(i int) error { return bareGeneration(t.Context(), engine, i) }
	whole := func(int) error { return wholeGeneration(t.Context(), c) }
	burst(t, bare, 1) // everything is warm after these
	burst(t, whole, 1)
	var bareTook, wholeTook time.Duration
	for range bursts {
		bareTook += burst(t, bare, lifecycles)
		wholeTook += burst(t, whole, lifecycles)
	}
	n := float64(bursts * lifecycles * measuredCallers)
	ratio := bareTook.Seconds() / wholeTook.Seconds()
	t.Logf("lifecycles (open, accept, commit, confirm) with %d callers: %.1f/s through the API, %.1f/s by the bare engine; ratio %.2f",
		measuredCallers, n/wholeTook.Seconds(), n/bareTook.Seconds(), ratio)
	require.Greater(t, ratio, 0.2, "the house costs more than the engine under it")

	measureDeliveries(t, c, tc)
}

// burst has every caller do something so many times and tells how long that took.
func burst(t *testing.T, generation func(caller int) error, each int) time.Duration {
	t.Helper()
	began := time.Now()
	var group sync.WaitGroup
	for i := range measuredCallers {
		group.Go(func() {
			for range each {
				if err := generation(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	require.False(t, t.Failed())
	return time.Since(began)
}

// solution is what commit-solution needs.
var solution = ticket.Solution{Type: "inc_type_p_config_issues", Interrupted: true, Cause: "c", Text: "s"}

var bareTickets atomic.Int64

// bareGeneration is a ticket's generation by start and updates alone: nothing is claimed, nothing written down, nothing answered.
func bareGeneration(ctx context.Context, engine *workflows.Engine, caller int) error {
	n := 1_000_000 + bareTickets.Add(1)
	id := ticket.Identity{ID: n, Number: fmt.Sprintf("IM20260102030405%010d", n), UUID: uuid.NewString(), Tenant: "bare"}
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "e2e", Title: fmt.Sprint("life of ", caller)}, id, uuid.NewString(), time.Now())
	if err != nil {
		return err
	}
	if err := engine.Begin(ctx, ticket.Ticket{}, events); err != nil {
		return err
	}
	solve, confirm := command(ticket.CommitSolution), command(ticket.Confirm)
	solve.Solution, confirm.Verdict = &solution, &ticket.Verdict{Passed: true, Comment: "good"}
	for _, c := range []ticket.Command{command(ticket.Accept), solve, confirm} {
		if _, err := engine.Update(ctx, id, 0, desk.Seen{}, c); err != nil && !errors.Is(err, desk.ErrMoving) {
			return fmt.Errorf("%s: %w", c.Action, err)
		}
	}
	return nil
}

// wholeGeneration is the same through the API, with keys.
func wholeGeneration(ctx context.Context, c *caller) error {
	send := func(path string, body any) (answer, error) {
		a, err := c.send(ctx, "POST", path, uuid.NewString(), body)
		if err == nil && a.status != 200 {
			err = errors.New(a.String())
		}
		return a, err
	}
	a, err := send("/api/issue", map[string]any{"origin": "e2e", "title": "life"})
	if err != nil {
		return err
	}
	var number string
	if err := a.result(&number); err != nil {
		return err
	}
	for _, step := range lifeSteps {
		if _, err := send("/api/issue/"+number+"/handle", step); err != nil {
			return err
		}
	}
	return nil
}

var lifeSteps = []map[string]any{
	{"action": "accept", "operator": "li"},
	{"action": "commit-solution", "operator": "li", "parameter": map[string]any{"mtm_type": solution.Type, "is_service_interrupt": true, "cause": "c", "solution": "s"}},
	{"action": "confirm", "operator": "li", "parameter": map[string]any{"virtual_confirm_result": true, "virtual_confirm_comment": "good"}},
}

// measureDeliveries sends 2,000 notifications to a healthy receiver. They must cost the engine nothing.
func measureDeliveries(t *testing.T, c *caller, tc client.Client) {
	t.Helper()
	const tickets, addresses, messages = 4, 50, 10
	const total = tickets * addresses * messages
	r := harness.NewReceiver(t)
	var numbers []string
	for range tickets {
		number := c.open(t)
		numbers = append(numbers, number)
		for i := range addresses {
			c.register(t, number, r.URL(fmt.Sprintf("/%s/%d", number, i)))
		}
	}
	events, transitions := partitionCosts(t, tc)
	began := time.Now()
	for range messages {
		for _, number := range numbers {
			c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "hello"})
		}
	}
	r.Await(t, "", total, 60*time.Second)
	took := time.Since(began)
	moreEvents, moreTransitions := partitionCosts(t, tc)
	t.Logf("%d notifications in %s: %.0f/s; the partitions' workflows grew by %d events and %d state transitions",
		total, took.Round(time.Millisecond), total/took.Seconds(), moreEvents-events, moreTransitions-transitions)
	require.Len(t, r.Requests(""), total)
	require.Equal(t, events, moreEvents, "a delivery to a healthy receiver leaves nothing in history")
	require.Less(t, moreTransitions-transitions, int64(total/10), "heartbeats go with time, not with deliveries")
	count, err := tc.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: `WorkflowType = "Lane"`})
	require.NoError(t, err)
	require.Zero(t, count.Count)
}

// partitionCosts adds up what all partitions' workflows have in Temporal.
func partitionCosts(t *testing.T, tc client.Client) (events, transitions int64) {
	t.Helper()
	for partition := range 16 {
		described, err := tc.DescribeWorkflowExecution(t.Context(), workflows.DeliveriesID(partition), "")
		require.NoError(t, err)
		events += described.WorkflowExecutionInfo.HistoryLength
		transitions += described.WorkflowExecutionInfo.StateTransitionCount
	}
	return events, transitions
}
