package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
)

// pruneTimeout bounds one run: the next does not begin before it is over.
const pruneTimeout = 50 * time.Minute

// Prune deletes what was kept long enough. What there is no time for waits for the schedule's next run.
func Prune(ctx workflow.Context) (activities.Pruned, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 15 * time.Minute,
		HeartbeatTimeout:    activities.PruneHeartbeat,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 10 * time.Second, MaximumAttempts: 3},
	})
	var k *activities.Retention
	var out activities.Pruned
	err := workflow.ExecuteActivity(ctx, k.Prune).Get(ctx, &out)
	return out, err
}

// EnsurePrune makes sure that Prune runs that often, and has one run now; see EnsureSweep.
func EnsurePrune(ctx context.Context, c client.Client, every time.Duration) error {
	return ensureSchedule(ctx, c, PruneID, every, &client.ScheduleWorkflowAction{ID: PruneID, Workflow: Prune, TaskQueue: QueueDeliveries,
		WorkflowExecutionTimeout: pruneTimeout})
}
