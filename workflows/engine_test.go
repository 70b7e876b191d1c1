package workflows

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"signalbox/desk"
)

// TestAnUpdateThatTheServerGaveUpIsSentAgain: the server's own time was up, and the caller's was not.
func TestAnUpdateThatTheServerGaveUpIsSentAgain(t *testing.T) {
	gaveUp := client.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, fromUpdate(ctx, gaveUp), desk.ErrMoving)
	cancel()
	require.NotErrorIs(t, fromUpdate(ctx, gaveUp), desk.ErrMoving, "the caller's time is up")
}
