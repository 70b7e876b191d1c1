package activities

import (
	"context"
	"fmt"
	"slices"

	"signalbox/notice"
)

// Reconciled counts the workflows that had to be started.
type Reconciled struct {
	Partitions int `json:"partitions"`
	Lanes      int `json:"lanes"`
	// Redeliveries of many at once.
	Redeliveries int `json:"redeliveries,omitempty"`
	// Digests that were made.
	Digests int `json:"digests,omitempty"`
}

// reconcileBatch is how many lanes, and how many redeliveries, are listed at once.
const reconcileBatch = 200

// NameReconcile is what Temporal knows Reconcile as: recorded histories name it so, and workers of earlier builds do.
const NameReconcile = "Tend"

// Reconcile makes sure that every partition, every redelivery and every retrying lane has its workflow, and makes the digests that are due. It may be repeated.
func (d *Deliveries) Reconcile(ctx context.Context) (Reconciled, error) {
	var sum Reconciled
	// More partitions than the setting says may have work, after the setting was lowered.
	partitions, err := d.Outbox.Partitions(ctx)
	if err != nil {
		return sum, fmt.Errorf("list partitions: %w", err)
	}
	for p := range d.Partitions {
		partitions = append(partitions, p)
	}
	slices.Sort(partitions)
	if sum.Partitions, err = d.Lanes.EnsurePartitions(ctx, slices.Compact(partitions)); err != nil {
		return sum, fmt.Errorf("start partitions: %w", err)
	}
	redeliveries, err := d.Outbox.Redeliveries(ctx, reconcileBatch)
	if err != nil {
		return sum, fmt.Errorf("list redeliveries: %w", err)
	}
	if sum.Redeliveries, err = d.Lanes.EnsureRedeliveries(ctx, redeliveries); err != nil {
		return sum, fmt.Errorf("start redeliveries: %w", err)
	}
	var after notice.Lane
	for {
		lanes, err := d.Outbox.Retrying(ctx, after, reconcileBatch)
		if err != nil {
			return sum, fmt.Errorf("list retrying lanes: %w", err)
		}
		if len(lanes) == 0 {
			break
		}
		started, err := d.Lanes.Ensure(ctx, lanes)
		sum.Lanes += started
		if err != nil {
			return sum, fmt.Errorf("start lanes: %w", err)
		}
		after = lanes[len(lanes)-1]
	}
	if sum.Digests, err = d.Outbox.GatherDigests(ctx, reconcileBatch); err != nil {
		return sum, fmt.Errorf("make digests: %w", err)
	}
	return sum, nil
}
