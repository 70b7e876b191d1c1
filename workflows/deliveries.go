package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
)

// DeliveriesInput names a partition.
type DeliveriesInput struct {
	Partition int `json:"partition"`
}

// shiftsPerRun is how many drains one run sees through; it keeps histories short and rolls over a few times a day.
const shiftsPerRun = 20

// Deliveries keeps a drain of one partition running somewhere, for ever. What is healthy is delivered inside the drain and leaves nothing in
// history.
func Deliveries(ctx workflow.Context, in DeliveriesInput) error {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("First tries of partition %d. Lanes that failed have workflows of their own.", in.Partition))
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 24 * time.Hour, // far more than a drain lasts; a lost worker is noticed by its missing heartbeats
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		WaitForCancellation: true, // a drain that is called off still writes down what is finished
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1},
		Summary:             fmt.Sprintf("partition %d", in.Partition),
	})
	var d *activities.Deliveries
	for range shiftsPerRun {
		if err := workflow.ExecuteActivity(ctx, d.Drain, activities.DrainInput{Partition: in.Partition}).Get(ctx, nil); err != nil {
			return err
		}
	}
	return workflow.NewContinueAsNewError(ctx, Deliveries, in)
}
