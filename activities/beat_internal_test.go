package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
)

// An activity hears of its cancellation only with a sign of life.
func TestAnAttemptGivesSignsOfLife(t *testing.T) {
	t.Parallel()
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	heard := make(chan struct{}, 10)
	env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) {
		select {
		case heard <- struct{}{}:
		default:
		}
	})
	attempt := func(ctx context.Context) error {
		defer beat(ctx, time.Millisecond)()
		<-heard
		return nil
	}
	env.RegisterActivity(attempt)
	_, err := env.ExecuteActivity(attempt)
	require.NoError(t, err)
	beat(t.Context(), time.Nanosecond)() // outside of Temporal there is nobody to tell
}
