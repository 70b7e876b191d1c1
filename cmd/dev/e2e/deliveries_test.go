package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/activities/outboxtest"
	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/workflows"
)

const retryEvery = time.Second

// forgetful loses starts of lanes, as a process does that dies right after it has retrying them.
type forgetful struct {
	workflows.Lanes
	losing atomic.Bool
	lost   atomic.Int32
}

func (f *forgetful) Start(ctx context.Context, lane notice.Lane, wait time.Duration) error {
	if f.losing.Load() {
		f.lost.Add(1)
		return context.Canceled
	}
	return f.Lanes.Start(ctx, lane, wait)
}

// deliveryWorker starts a worker as production has it, with the house API's profile at a faster pace.
func deliveryWorker(t *testing.T, c client.Client, outbox *outboxtest.Outbox, lanes activities.Lanes) worker.Worker {
	t.Helper()
	profiles := notice.BuiltIn()
	profiles[notice.Minutely] = profiles[notice.Minutely].Every(retryEvery)
	log := slog.New(slog.DiscardHandler)
	reach := notice.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	w := worker.New(c, workflows.QueueDeliveries, worker.Options{WorkerStopTimeout: 15 * time.Second})
	w.RegisterWorkflow(workflows.Deliveries)
	w.RegisterWorkflow(workflows.Lane)
	w.RegisterWorkflow(workflows.Sweep)
	w.RegisterActivity(&activities.Activities{Desk: desk.New(&empty{}, nil, desk.Options{Log: log})})
	deliveries := &activities.Deliveries{Outbox: outbox, Lanes: lanes, Profiles: profiles, Partitions: 1, Now: time.Now, Log: log,
		Sender: activities.NewSender(activities.SenderOptions{Reach: reach, Now: time.Now})}
	w.RegisterActivity(deliveries)
	w.RegisterActivityWithOptions(deliveries.Reconcile, activity.RegisterOptions{Name: activities.NameReconcile})
	require.NoError(t, w.Start())
	return w
}

// empty is a ledger in which nothing has expired.
type empty struct{ desk.Ledger }

func (empty) Expired(context.Context, int) ([]desk.Operation, error) { return nil, nil }

func await(t *testing.T, outbox *outboxtest.Outbox, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	require.True(t, outbox.Await(ctx, condition), what)
}

func TestDeliveriesOnARealServer(t *testing.T) {
	t.Parallel()
	c, _, namespace := temporalServer(t)
	ctx := t.Context()
	outbox := outboxtest.New()
	lanes := &forgetful{Lanes: workflows.Lanes{Client: c, Namespace: namespace}}
	r := harness.NewReceiver(t)
	w := deliveryWorker(t, c, outbox, lanes)
	stop := func() { w.Stop() }
	t.Cleanup(func() { stop() })

	// The sweep brings a partition up that has something to send; processes that start together all ensure it.
	outbox.Subscribe("healthy", r.URL("/healthy"), notice.Minutely)
	outbox.Enqueue("healthy", 1, 20)
	for range 3 {
		require.NoError(t, workflows.EnsureSweep(ctx, c, time.Second))
	}
	require.Eventually(t, func() bool {
		_, err := c.DescribeWorkflowExecution(ctx, workflows.DeliveriesID(0), "")
		return err == nil
	}, 30*time.Second, 20*time.Millisecond)

	// What is healthy is told and leaves nothing behind in Temporal.
	await(t, outbox, "sent", func() bool { return outbox.Count(notice.Sent) == 20 })
	_, err := c.DescribeWorkflowExecution(ctx, workflows.LaneID(notice.Lane{Subscription: "healthy", TicketID: 1}), "")
	require.Error(t, err)

	// A receiver that recovers gets everything in order; one that does not is dropped after eleven tries, evenly apart.
	r.Answer("/recovers", harness.Response{Status: 500}, harness.Response{Drop: true}, harness.Response{Status: 204}, harness.Response{})
	r.Answer("/dead", harness.Response{Status: 500, Delay: 100 * time.Millisecond})
	outbox.Subscribe("recovers", r.URL("/recovers"), notice.Minutely)
	outbox.Subscribe("dead", r.URL("/dead"), notice.Minutely)
	outbox.Enqueue("recovers", 1, 3)
	outbox.Enqueue("dead", 1, 2)
	await(t, outbox, "settled", func() bool { return outbox.Count(notice.Sent) == 23 && outbox.Count(notice.Failed) == 1 })
	ids := []string{}
	for _, request := range r.Requests("/recovers") {
		ids = append(ids, request.Header.Get("webhook-id"))
	}
	require.Equal(t, []string{"recovers:1:1", "recovers:1:1", "recovers:1:1", "recovers:1:1", "recovers:1:2", "recovers:1:3"}, ids)
	dead := r.Requests("/dead")
	require.Len(t, dead, 11)
	for i, request := range dead {
		// A busy machine makes tries late, never early; each wait counts from the end of the try before.
		require.GreaterOrEqual(t, request.At.Sub(dead[0].At), time.Duration(i)*retryEvery-100*time.Millisecond, "try %d", i+1)
	}
	require.Equal(t, notice.Dropped, outbox.Subscription("dead").State)
	require.Equal(t, 1, outbox.Count(notice.Held))

	// Lanes whose start was lost are found by the sweep, and the running ones are left alone.
	lanes.losing.Store(true)
	for i := range 30 {
		id := fmt.Sprint("lost", i)
		r.Answer("/"+id, harness.Response{Status: 500}, harness.Response{})
		outbox.Subscribe(id, r.URL("/"+id), notice.Minutely)
		outbox.Enqueue(id, 1, 2)
	}
	await(t, outbox, "found by the sweep", func() bool { return outbox.Count(notice.Sent) == 83 })
	require.EqualValues(t, 30, lanes.lost.Load())
	lanes.losing.Store(false)

	// The worker goes in the middle of a lane, and another takes over.
	r.Answer("/moves", harness.Response{Status: 500}, harness.Response{Status: 500}, harness.Response{Status: 500}, harness.Response{})
	outbox.Subscribe("moves", r.URL("/moves"), notice.Minutely)
	outbox.Enqueue("moves", 1, 3)
	r.Await(t, "/moves", 2, time.Minute)
	w.Stop()
	outbox.Enqueue("healthy", 2, 1)
	w = deliveryWorker(t, c, outbox, lanes)
	await(t, outbox, "the others go on", func() bool { return outbox.Count(notice.Sent) == 87 })
	require.Len(t, r.Requests("/moves"), 6, "three failed, three arrived, none twice")

	// Lanes are over when they are empty; a lane that parks and empties again and again is never left behind.
	r.Answer("/flaps", flapping(12)...)
	outbox.Subscribe("flaps", r.URL("/flaps"), notice.Minutely)
	for range 6 {
		outbox.Enqueue("flaps", 1, 1)
		n := len(outbox.Deliveries())
		await(t, outbox, "flapping", func() bool { return outbox.Deliveries()[n-1].State == notice.Sent })
	}
	require.Len(t, r.Requests("/flaps"), 12)
	require.Eventually(t, func() bool {
		d, err := c.DescribeWorkflowExecution(ctx, workflows.LaneID(notice.Lane{Subscription: "flaps", TicketID: 1}), "")
		return err == nil && d.WorkflowExecutionInfo.Status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}, 20*time.Second, 20*time.Millisecond)
	replay(t, c, namespace, workflows.LaneID(notice.Lane{Subscription: "dead", TicketID: 1}))
}

// A lane's workflow that was started long before its next try, because its receiver asked for that, and has not begun, begins at once where its lane is
// retrying anew: unlike a signal, signalling with a start ends the delay of a start.
func TestALaneThatHasNotBegunHearsThatItIsRetryingAnew(t *testing.T) {
	t.Parallel()
	c, _, namespace := temporalServer(t)
	outbox, lanes, lane := outboxtest.New(), workflows.Lanes{Client: c, Namespace: namespace}, notice.Lane{Subscription: "s", TicketID: 1}
	w := deliveryWorker(t, c, outbox, lanes)
	t.Cleanup(w.Stop)
	r := harness.NewReceiver(t)
	outbox.Subscribe(lane.Subscription, r.URL("/mended"), notice.Standard)
	outbox.Enqueue(lane.Subscription, lane.TicketID, 1)
	outbox.SetRetrying(lane, time.Now(), time.Now().Add(24*time.Hour))
	require.NoError(t, lanes.Start(t.Context(), lane, 24*time.Hour))
	outbox.SetRetrying(lane, time.Now(), time.Now())
	require.NoError(t, lanes.Start(t.Context(), lane, 5*time.Second))
	await(t, outbox, "told", func() bool { return outbox.Count(notice.Sent) == 1 })
}

// flapping answers every other request badly.
func flapping(n int) []harness.Response {
	var out []harness.Response
	for range n / 2 {
		out = append(out, harness.Response{Status: 500}, harness.Response{})
	}
	return out
}

// replay runs a workflow's history again, against the code as it is.
func replay(t *testing.T, c client.Client, namespace, id string) {
	t.Helper()
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{})
	require.NoError(t, err)
	replayer.RegisterWorkflowWithOptions(workflows.Lane, workflow.RegisterOptions{})
	require.NoError(t, replayer.ReplayWorkflowExecution(t.Context(), c.WorkflowService(), nil, namespace, workflow.Execution{ID: id}))
}
