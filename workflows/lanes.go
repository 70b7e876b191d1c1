package workflows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"signalbox/activities"
	"signalbox/notice"
)

// Lanes is the client half of the workflows around deliveries: activities.Lanes over a Temporal client.
type Lanes struct {
	Client    client.Client
	Namespace string
}

var _ activities.Lanes = Lanes{}

// startsAtOnce bounds how many workflows are started together.
const startsAtOnce = 8

// Start signals the lane's workflow and starts it where there is none; see activities.Lanes. The server does not let a workflow return
// over a signal that it has not seen, so none is lost to one that is just finishing.
//
// A workflow that is begun here does nothing before its lane's next try is due: where very many lanes fail at once, their workflows take nothing
// from the deliveries that succeed beside them. One that has not begun when its lane is retrying anew does so at once, however far away the try was that it waits
// for: unlike a signal alone, signalling with a start ends the delay (the API's own words, and server 1.32's).
func (l Lanes) Start(ctx context.Context, lane notice.Lane, wait time.Duration) error {
	begin := options(LaneID(lane))
	if wait -= startAhead; wait > startAhead {
		begin.StartDelay = wait
	}
	_, err := l.Client.SignalWithStartWorkflow(ctx, LaneID(lane), SignalRetrying, nil, begin, Lane, LaneInput{Lane: lane})
	return err
}

// Hasten has the workflow of a lane that is retrying look at once what is next there, also where it waits for a try or has not begun yet. A try that is under
// way goes on.
func (l Lanes) Hasten(ctx context.Context, lane notice.Lane) error {
	err := l.Client.SignalWorkflow(ctx, LaneID(lane), "", SignalRetrying, nil)
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return l.Start(ctx, lane, 0)
	}
	if err != nil {
		return err
	}
	// Unlike an update, a signal alone does not end the delay of a workflow that has not begun: see decision 11.
	ctx, cancel := context.WithTimeout(ctx, wakeWithin)
	defer cancel()
	_, err = l.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: LaneID(lane), UpdateName: UpdateWake, WaitForStage: client.WorkflowUpdateStageAccepted})
	if errors.As(err, &none) {
		return nil // it has come to its end since, and not without having seen the signal
	}
	return err
}

// wakeWithin bounds waiting for a worker to take up a lane's workflow. Which does so later, if there is none now.
const wakeWithin = 3 * time.Second

// startAhead is how long before its lane's next try is due a workflow has its first task, so that it is ready then.
const startAhead = time.Second

// Ensure starts what does not run; see activities.Lanes. It asks the server's list, so that thousands of lanes that do run cost little.
// The list may be a moment behind: a lane started twice is one lane, and one that has just ended is found by the next sweep.
func (l Lanes) Ensure(ctx context.Context, lanes []notice.Lane) (int, error) {
	return ensure(ctx, l, lanes, LaneID, func(lane notice.Lane) start { return start{Lane, LaneInput{Lane: lane}} })
}

// EnsurePartitions does the same for partitions; see activities.Lanes.
func (l Lanes) EnsurePartitions(ctx context.Context, partitions []int) (int, error) {
	return ensure(ctx, l, partitions, DeliveriesID, func(partition int) start { return start{Deliveries, DeliveriesInput{Partition: partition}} })
}

// EnsureRedeliveries does the same for redeliveries; see activities.Lanes.
func (l Lanes) EnsureRedeliveries(ctx context.Context, redeliveries []string) (int, error) {
	return ensure(ctx, l, redeliveries, RedeliverID, redelivery)
}

// StartRedelivery has a redelivery begun, if it is not under way.
func (l Lanes) StartRedelivery(ctx context.Context, id string) error {
	return l.run(ctx, RedeliverID(id), redelivery(id))
}

// start is a workflow and its input.
type start struct{ workflow, input any }

func redelivery(id string) start { return start{Redeliver, RedeliverInput{Redelivery: id}} }

func (l Lanes) run(ctx context.Context, id string, s start) error {
	_, err := l.Client.ExecuteWorkflow(ctx, options(id), s.workflow, s.input)
	return err
}

// ensure starts the workflows of those on the list that have none running, by its ID, and gives how many those are.
func ensure[T any](ctx context.Context, l Lanes, list []T, idOf func(T) string, startOf func(T) start) (int, error) {
	if len(list) == 0 {
		return 0, nil
	}
	starts, ids := map[string]start{}, make([]string, len(list))
	for i, item := range list {
		id := idOf(item)
		starts[id], ids[i] = startOf(item), "'"+strings.ReplaceAll(id, "'", "''")+"'"
	}
	query := fmt.Sprintf("ExecutionStatus = 'Running' AND WorkflowId IN (%s)", strings.Join(ids, ","))
	var token []byte
	for {
		page, err := l.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: l.Namespace, Query: query,
			PageSize: int32(len(starts)), NextPageToken: token})
		if err != nil {
			return 0, fmt.Errorf("list running workflows: %w", err)
		}
		for _, running := range page.GetExecutions() {
			delete(starts, running.GetExecution().GetWorkflowId())
		}
		if token = page.GetNextPageToken(); len(token) == 0 {
			break
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(startsAtOnce)
	for id, s := range starts {
		group.Go(func() error { return l.run(ctx, id, s) })
	}
	return len(starts), group.Wait()
}

// options are those of every workflow around deliveries. One that runs already is left as it is.
func options(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                QueueDeliveries,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
}
