package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/desk"
)

// Swept is what one sweep found to do.
type Swept struct {
	Settled    desk.Settled          `json:"settled"`
	Reconciled activities.Reconciled `json:"tended"`
}

const (
	// sweepTimeout bounds one sweep with all its attempts: the next does not begin before it is over.
	sweepTimeout = 5 * time.Minute
	// sweepTry bounds each of its sweepTries attempts at an activity.
	sweepTry   = 2 * time.Minute
	sweepTries = 2
)

// Sweep makes good what crashes left behind: it settles expired operations, and makes sure that partitions and retrying lanes have their
// workflows. Neither waits for the other.
func Sweep(ctx workflow.Context) (Swept, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: sweepTry,
		// The next sweep is the retry that matters.
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: sweepTries},
	})
	var a *activities.Activities
	settle := workflow.ExecuteActivity(ctx, a.Settle)
	reconcile := workflow.ExecuteActivity(ctx, activities.NameReconcile)
	var out Swept
	err := errors.Join(settle.Get(ctx, &out.Settled), reconcile.Get(ctx, &out.Reconciled))
	return out, err
}

// EnsureSweep makes sure that a sweep runs that often, and has one run now. It may be repeated, by several processes at once. A schedule
// that an operator has paused stays paused.
func EnsureSweep(ctx context.Context, c client.Client, every time.Duration) error {
	return ensureSchedule(ctx, c, SweepID, every, &client.ScheduleWorkflowAction{ID: SweepID, Workflow: Sweep, TaskQueue: QueueDeliveries,
		WorkflowExecutionTimeout: sweepTimeout})
}

// ensureSchedule makes or brings up to date a schedule whose runs never overlap, and has one run now.
func ensureSchedule(ctx context.Context, c client.Client, id string, every time.Duration, action *client.ScheduleWorkflowAction) error {
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
	policies := client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: time.Minute}
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec, Action: action, Overlap: policies.Overlap, CatchupWindow: policies.CatchupWindow, TriggerImmediately: true,
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("create the schedule %s: %w", id, err)
	}
	schedule := c.ScheduleClient().GetHandle(ctx, id)
	err = schedule.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		in.Description.Schedule.Spec, in.Description.Schedule.Action, in.Description.Schedule.Policy = &spec, action, &policies
		return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
	}})
	if err != nil {
		return fmt.Errorf("update the schedule %s: %w", id, err)
	}
	if err := schedule.Trigger(ctx, client.ScheduleTriggerOptions{}); err != nil {
		return fmt.Errorf("have %s run: %w", id, err)
	}
	return nil
}

// scheduledRun does once what a schedule repeats, and gives what came of it; input makes the activity's input of what came of the last run that did not fail,
// so that each goes on behind the one before.
func scheduledRun[T any](ctx workflow.Context, timeout, heartbeat time.Duration, activity any, input func(before T) any) (out T, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: timeout,
		HeartbeatTimeout:    heartbeat,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1}, // the next run is the retry that matters
	})
	var before T
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &before); err != nil {
			return out, err
		}
	}
	err = workflow.ExecuteActivity(ctx, activity, input(before)).Get(ctx, &out)
	return out, err
}
