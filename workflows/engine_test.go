package workflows

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"signalbox/desk"
	"signalbox/ticket"
)

// TestAnUpdateThatTheServerGaveUpIsSentAgain: the server's own time was up, and the caller's was not.
func TestAnUpdateThatTheServerGaveUpIsSentAgain(t *testing.T) {
	gaveUp := client.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, fromUpdate(ctx, gaveUp), desk.ErrMoving)
	cancel()
	require.NotErrorIs(t, fromUpdate(ctx, gaveUp), desk.ErrMoving, "the caller's time is up")
}

// pollsUpdates is a Temporal whose updates are polled with one answer.
type pollsUpdates struct {
	client.Client
	client.WorkflowUpdateHandle
	err error
}

func (p pollsUpdates) GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions) client.WorkflowUpdateHandle {
	return p
}

func (p pollsUpdates) Get(context.Context, any) error { return p.err }

// The server ends a poll when the time it was given is up, which can be heard before the poller's own clock says so.
func TestWhatIsNotKnownWhenTheServerSaysThatTimeIsUp(t *testing.T) {
	away := serviceerror.NewUnavailable("away")
	for _, said := range []struct {
		err  error
		out  desk.Outcome
		want error
	}{
		{serviceerror.NewCanceled("stream terminated by RST_STREAM"), desk.Outcome{}, nil},
		{serviceerror.NewDeadlineExceeded("late"), desk.Outcome{}, nil},
		{serviceerror.NewNotFound("no such update"), desk.Outcome{Known: true}, nil},
		{away, desk.Outcome{}, away},
	} {
		said.err = client.NewWorkflowUpdateServiceTimeoutOrCanceledError(said.err) // the SDK has it around each
		out, err := (&Engine{Client: pollsUpdates{err: said.err}}).Outcome(t.Context(), ticket.Identity{}, 0, "x")
		require.Equal(t, said.out, out)
		require.ErrorIs(t, err, said.want)
	}
}
