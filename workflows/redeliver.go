package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/notice"
)

// RedeliverInput names a redelivery.
type RedeliverInput struct {
	Redelivery string `json:"redelivery"`
}

// QueryProgress asks a redelivery how far it is; it gives notice.Redelivery.
const QueryProgress = "progress"

const (
	// redeliverPause is between two pieces of a redelivery, so that it never takes a receiver, or a worker, for itself.
	redeliverPause = time.Second
	// redeliverPerRun keeps a run's history short.
	redeliverPerRun = 300
)

// Redeliver puts back many deliveries of one subscription, a piece at a time, until all that were asked for are. How far it came is in its
// row, so nothing is put back twice however often a piece is repeated. They are then delivered like any other.
func Redeliver(ctx workflow.Context, in RedeliverInput) (notice.Redelivery, error) {
	var now notice.Redelivery
	if err := workflow.SetQueryHandler(ctx, QueryProgress, func() (notice.Redelivery, error) { return now, nil }); err != nil {
		return now, err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
	})
	var k *activities.Retention
	for range redeliverPerRun {
		if err := workflow.ExecuteActivity(ctx, k.RedeliverSome, in.Redelivery).Get(ctx, &now); err != nil {
			return now, err
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d of %d deliveries put back", now.Done, now.Total))
		if now.State != notice.Redelivering {
			return now, nil
		}
		if err := workflow.Sleep(ctx, redeliverPause); err != nil {
			return now, err
		}
	}
	return now, workflow.NewContinueAsNewError(ctx, Redeliver, in)
}
