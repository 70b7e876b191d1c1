package activities

import (
	"context"
	"fmt"
	"slices"

	"signalbox/notice"
)

// Tended counts the workflows that had to be started.
type Tended struct {
	Partitions int `json:"partitions"`
	Lanes      int `json:"lanes"`
	// Redeliveries of many at once.
	Redeliveries int `json:"redeliveries,omitempty"`
}

// tendAtOnce is how many lanes are looked at together.
const tendAtOnce = 200

// Tend makes sure that every partition, every redelivery and every retrying lane has its workflow. It may be repeated.
func (d *Deliveries) Tend(ctx context.Context) (Tended, error) {
	var sum Tended
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
	redeliveries, err := d.Outbox.Redeliveries(ctx, tendAtOnce)
	if err != nil {
		return sum, fmt.Errorf("list redeliveries: %w", err)
	}
	if sum.Redeliveries, err = d.Lanes.EnsureRedeliveries(ctx, redeliveries); err != nil {
		return sum, fmt.Errorf("start redeliveries: %w", err)
	}
	var after notice.Lane
	for {
		lanes, err := d.Outbox.Retrying(ctx, after, tendAtOnce)
		if err != nil {
			return sum, fmt.Errorf("list retrying lanes: %w", err)
		}
		if len(lanes) == 0 {
			return sum, nil
		}
		started, err := d.Lanes.Ensure(ctx, lanes)
		sum.Lanes += started
		if err != nil {
			return sum, fmt.Errorf("start lanes: %w", err)
		}
		after = lanes[len(lanes)-1]
	}
}
