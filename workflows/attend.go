package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
)

// attendTimeout bounds one round with all its attempts: the next does not begin before it is over.
const attendTimeout = 10 * time.Minute

// Attend tells some tickets who is absent and who has left. Each run of the schedule goes on behind the one before it.
func Attend(ctx workflow.Context) (activities.Attended, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attendTimeout,
		HeartbeatTimeout:    activities.AttendHeartbeat,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1}, // the next run is the retry that matters
	})
	var before, out activities.Attended
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &before); err != nil {
			return out, err
		}
	}
	var a *activities.Attendant
	err := workflow.ExecuteActivity(ctx, a.Attend, before).Get(ctx, &out)
	return out, err // where it failed, the next run goes on where this one did
}

// EnsureAttend makes sure that Attend runs that often, and has one run now; see EnsureSweep.
func EnsureAttend(ctx context.Context, c client.Client, every time.Duration) error {
	return ensureSchedule(ctx, c, AttendID, every, &client.ScheduleWorkflowAction{ID: AttendID, Workflow: Attend, TaskQueue: QueueDeliveries,
		WorkflowExecutionTimeout: attendTimeout})
}
