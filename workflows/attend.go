package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
)

// attendTimeout bounds one round with all its attempts: the next does not begin before it is over.
const attendTimeout = 10 * time.Minute

// Attend tells some tickets who is absent and who has left. Each run of the schedule goes on behind the one before it.
func Attend(ctx workflow.Context) (activities.Attended, error) {
	var a *activities.Attendant
	return scheduledRun(ctx, attendTimeout, activities.AttendHeartbeat, a.Attend, func(before activities.Attended) any { return before })
}

// EnsureAttend makes sure that Attend runs that often, and has one run now; see EnsureSweep.
func EnsureAttend(ctx context.Context, c client.Client, every time.Duration) error {
	return ensureSchedule(ctx, c, AttendID, every, &client.ScheduleWorkflowAction{ID: AttendID, Workflow: Attend, TaskQueue: QueueDeliveries,
		WorkflowExecutionTimeout: attendTimeout})
}
