package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/desk"
)

// compareTimeout bounds one comparison with all its attempts: the next does not begin before it is over.
const compareTimeout = 10 * time.Minute

// Compare compares some open tickets with their workflows. Each run of the schedule goes on behind the one before it.
func Compare(ctx workflow.Context) (desk.Looked, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: compareTimeout,
		HeartbeatTimeout:    activities.CompareHeartbeat,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1}, // the next run is the retry that matters
	})
	var before, out desk.Looked
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &before); err != nil {
			return out, err
		}
	}
	var c *activities.Comparer
	err := workflow.ExecuteActivity(ctx, c.Compare, activities.CompareInput{After: before.After}).Get(ctx, &out)
	return out, err // where it failed, the next run goes on where this one did
}

// EnsureCompare makes sure that Compare runs that often, and has one run now; see EnsureSweep.
func EnsureCompare(ctx context.Context, c client.Client, every time.Duration) error {
	return ensureSchedule(ctx, c, CompareID, every, &client.ScheduleWorkflowAction{ID: CompareID, Workflow: Compare, TaskQueue: QueueDeliveries,
		WorkflowExecutionTimeout: compareTimeout})
}
