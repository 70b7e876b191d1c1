package worker

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	sdkworker "go.temporal.io/sdk/worker"
)

// A task whose slot was marked as used has a stack that is not copied for what the SDK needs; one whose slot is that of the SDK has it copied on the way.
func TestATaskBeginsWithRoomOnItsStack(t *testing.T) {
	roomy, err := slots()
	require.NoError(t, err)
	plain, err := sdkworker.NewFixedSizeTuner(sdkworker.FixedSizeTunerOptions{})
	require.NoError(t, err)
	require.Equal(t, plain.GetWorkflowTaskSlotSupplier().MaxSlots(), roomy.GetWorkflowTaskSlotSupplier().MaxSlots())
	require.Positive(t, roomy.GetWorkflowTaskSlotSupplier().MaxSlots())
	moved := func(s sdkworker.SlotSupplier) bool {
		moved := make(chan bool)
		go func() {
			s.MarkSlotUsed(nil)
			var here byte
			before := uintptr(unsafe.Pointer(&here))
			deep(6)
			moved <- before != uintptr(unsafe.Pointer(&here))
		}()
		return <-moved
	}
	for range 20 {
		require.True(t, moved(plain.GetWorkflowTaskSlotSupplier()))
		require.False(t, moved(roomy.GetWorkflowTaskSlotSupplier()))
	}
}

// deep takes 8 KB of the stack so many times.
//
//go:noinline
func deep(times int) (sum byte) {
	var frame [8 << 10]byte
	frame[times] = 1
	if times > 1 {
		sum = deep(times - 1)
	}
	for _, b := range frame {
		sum += b
	}
	return sum
}
