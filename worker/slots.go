package worker

import (
	"fmt"

	sdkworker "go.temporal.io/sdk/worker"
)

// roomy are the slots that workers have anyway, but that a task begins with a stack on which it has room. Each has a goroutine of its own, and the SDK (1.50) walks through each message for what it
// may hold on frames of 8 KB, six of them one in the other. A stack that is made larger on the way is copied with all that is on it, four times until then: a fifth of what a ticket worker did.
type roomy struct{ sdkworker.WorkerTuner }

// slots gives as many as the SDK does by itself.
func slots() (sdkworker.WorkerTuner, error) {
	fixed, err := sdkworker.NewFixedSizeTuner(sdkworker.FixedSizeTunerOptions{})
	if err != nil {
		return nil, fmt.Errorf("make the slots of a worker: %w", err)
	}
	return roomy{fixed}, nil
}

// GetWorkflowTaskSlotSupplier implements sdkworker.WorkerTuner.
func (r roomy) GetWorkflowTaskSlotSupplier() sdkworker.SlotSupplier {
	return growing{r.WorkerTuner.GetWorkflowTaskSlotSupplier()}
}

type growing struct{ sdkworker.SlotSupplier }

// MarkSlotUsed implements sdkworker.SlotSupplier. The SDK calls it on the goroutine of a task, first of all.
func (g growing) MarkSlotUsed(info sdkworker.SlotMarkUsedInfo) {
	grow(false)
	g.SlotSupplier.MarkSlotUsed(info)
}

// room is what the SDK needs for a task.
const room = 56 << 10

// grow makes the stack of a goroutine as large as it needs to be. What its frame has room for is not touched, which would cost more than the rest: touch is false.
//
//go:noinline
func grow(touch bool) (sum byte) {
	if touch {
		var frame [room]byte
		fill(&frame)
		for _, b := range frame {
			sum += b
		}
	}
	return sum
}

//go:noinline
func fill(frame *[room]byte) {
	for i := range frame {
		frame[i] = byte(i)
	}
}
