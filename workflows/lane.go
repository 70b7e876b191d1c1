package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/notice"
)

// LaneInput names a lane.
type LaneInput struct {
	Lane notice.Lane `json:"lane"`
}

// SignalRetrying tells a lane's workflow that its lane was retrying. It matters when the workflow is about to return, having found the lane
// empty a moment earlier, and when it waits for a try that is not to come any more: the lane stopped retrying behind its back, because its
// subscription was paused or dropped, and taken up again since.
const SignalRetrying = "parked" // its first name, which running workflows know it by

// UpdateWake does nothing but end the delay of a lane's workflow that has not begun.
const UpdateWake = "wake"

const (
	// deliveriesPerRun keeps a run of a lane well below the server's limits.
	deliveriesPerRun = 200
	// TryTimeout bounds one try with writing it down, where its address has no time-out of its own. A worker that is lost in the middle is noticed after it.
	TryTimeout = notice.TryLimit
	// attemptsPerDelivery is more than a round ever takes, put-offs and outages included: it is the outbox that knows when one is over, and what an attempt
	// that was lost leaves to the next is known to attempts at the same activity alone.
	attemptsPerDelivery = 10_000
	// internalErrorBackoff is how long a lane waits at least after an attempt that was lost. The outbox knows whether a try counts.
	internalErrorBackoff = 10 * time.Second
)

// Lane goes on with a retrying lane, one delivery after the other in order, until nothing is left or its address is dropped. Each delivery is
// one activity under its profile's retry policy. How many tries were made is known by the outbox alone, so that a try counts once even when
// a worker is lost.
func Lane(ctx workflow.Context, in LaneInput) error { return runLane(ctx, in, Pages{}) }

func runLane(ctx workflow.Context, in LaneInput, pages Pages) error {
	if err := workflow.SetUpdateHandler(ctx, UpdateWake, func(workflow.Context) error { return nil }); err != nil {
		return err
	}
	r := &laneRun{lane: in.Lane, pages: pages, retrying: workflow.GetSignalChannel(ctx, SignalRetrying)}
	for n := 0; ; n++ {
		r.drainSignals()
		next, err := r.next(ctx)
		switch {
		case err != nil:
			return err
		case !next.Found && r.retrying.Len() > 0:
			continue // it was retrying again after we had looked
		case !next.Found:
			return nil
		case n >= deliveriesPerRun || workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			return workflow.NewContinueAsNewError(ctx, Lane, in)
		}
		due, err := r.wait(ctx, next)
		if err == nil && due {
			err = r.deliver(ctx, next)
		}
		if err != nil {
			return err
		}
	}
}

type laneRun struct {
	lane     notice.Lane
	pages    Pages
	retrying workflow.ReceiveChannel
}

// drainSignals takes all signals that have come: the look into the outbox that follows is later than they are.
func (r *laneRun) drainSignals() {
	for r.retrying.ReceiveAsync(nil) {
	}
}

func (r *laneRun) next(ctx workflow.Context) (activities.NextDelivery, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		Summary:             "what is next?",
	})
	var d *activities.Deliveries
	var next activities.NextDelivery
	err := workflow.ExecuteActivity(ctx, d.Next, r.lane).Get(ctx, &next)
	return next, err
}

// wait waits until the delivery is due; false: it may not be the next any more.
func (r *laneRun) wait(ctx workflow.Context, next activities.NextDelivery) (due bool, err error) {
	page, to := link("Open the delivery on the pages", r.pages.Delivery, next.Delivery), sending(next)
	what := fmt.Sprintf("%s, try %d of %d", to, next.Made+1, next.Tries)
	// Temporal makes the tries from here on, and none of them wakes this workflow: it says what stays true meanwhile.
	from := page + fmt.Sprintf("%s, from try %d of %d on: the pending activity has what was wrong with the last, and when the next is", to, next.Made+1, next.Tries)
	if next.NextTry == nil || !next.NextTry.After(workflow.Now(ctx)) {
		workflow.SetCurrentDetails(ctx, from)
		return true, nil
	}
	defer workflow.SetCurrentDetails(ctx, from)
	workflow.SetCurrentDetails(ctx, page+what+" at "+moment(*next.NextTry))
	waiting, cancel := workflow.WithCancel(ctx)
	timer := workflow.NewTimerWithOptions(waiting, next.NextTry.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: what})
	err = r.unlessSignalled(ctx, cancel, timer, nil)
	return err == nil, ctx.Err()
}

// sending is what is sent where, for Temporal to show. Publishers choose the words for what happens.
func sending(next activities.NextDelivery) string {
	return quoted(next.Kind + " to " + next.Host)
}

// unlessSignalled waits for a future, or cancels it by cancel when SignalRetrying comes. What is under way then is still awaited, so that a lane
// never has two tries at a time.
func (r *laneRun) unlessSignalled(ctx workflow.Context, cancel workflow.CancelFunc, f workflow.Future, to any) error {
	workflow.NewSelector(ctx).AddFuture(f, func(workflow.Future) {}).AddReceive(r.retrying, func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(ctx, nil)
		cancel()
	}).Select(ctx)
	return f.Get(ctx, to)
}

// deliver fails only when the workflow is cancelled. Whatever else goes wrong, the outbox knows where the delivery stands.
func (r *laneRun) deliver(ctx workflow.Context, next activities.NextDelivery) error {
	// It says itself when it wants to be called again, unless it was lost.
	wait := max(next.Wait, internalErrorBackoff)
	options := workflow.ActivityOptions{
		StartToCloseTimeout: cmp.Or(next.Limit, TryTimeout),
		WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: wait, MaximumInterval: wait, BackoffCoefficient: 1, MaximumAttempts: attemptsPerDelivery,
		},
		Summary: sending(next),
	}
	var d *activities.Deliveries
	var out activities.Delivered
	trying, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, options))
	err := r.unlessSignalled(ctx, cancel, workflow.ExecuteActivity(trying, d.Deliver, activities.DeliverInput{Lane: r.lane, Delivery: next.Delivery}), &out)
	var app *temporal.ApplicationError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case temporal.IsCanceledError(err):
		return nil // called off: the lane was retrying anew
	case errors.As(err, &app) && (app.Type() == activities.TypeFailedTry || app.Type() == activities.TypePutOff):
		return nil // tries are left: some of the policy's attempts came to nothing with us, or were put off
	}
	workflow.GetLogger(ctx).Warn("lane.try_failed", "delivery", next.Delivery, "error", err)
	return workflow.Sleep(ctx, internalErrorBackoff)
}
