package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/desk"
)

// compareTimeout bounds one comparison with all its attempts: the next does not begin before it is over.
const compareTimeout = 10 * time.Minute

// Compare compares some open tickets with their workflows. Each run of the schedule goes on behind the one before it.
func Compare(ctx workflow.Context) (desk.Looked, error) {
	var c *activities.Comparer
	return scheduledRun(ctx, compareTimeout, activities.CompareHeartbeat, c.Compare, func(before desk.Looked) any { return activities.CompareInput{After: before.After} })
}

// EnsureCompare makes sure that Compare runs that often, and has one run now; see EnsureSweep.
func EnsureCompare(ctx context.Context, c client.Client, every time.Duration) error {
	return ensureSchedule(ctx, c, CompareID, every, &client.ScheduleWorkflowAction{ID: CompareID, Workflow: Compare, TaskQueue: QueueDeliveries,
		WorkflowExecutionTimeout: compareTimeout})
}
