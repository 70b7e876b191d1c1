package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
)

const (
	// pruneTimeout bounds one run with all its attempts: the next does not begin before it is over.
	pruneTimeout = 50 * time.Minute
	// pruneTry bounds each of its pruneTries attempts; the first pause between two is pruneBackoff, the next one twice that.
	pruneTry     = 15 * time.Minute
	pruneTries   = 3
	pruneBackoff = 10 * time.Second
)

// Prune deletes what was kept long enough. What there is no time for waits for the schedule's next run.
func Prune(ctx workflow.Context) (activities.Pruned, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: pruneTry,
		HeartbeatTimeout:    activities.PruneHeartbeat,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: pruneBackoff, MaximumAttempts: pruneTries},
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
