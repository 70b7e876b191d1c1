package setup

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBeingToldToEndIsNoError(t *testing.T) {
	broken := errors.New("the database is away")
	ctx, cancel := context.WithCancel(t.Context())
	run := func(err error) error {
		return UntilEnded(func(context.Context) error { return err })(ctx)
	}
	require.ErrorIs(t, run(broken), broken, "nobody has told it to end")
	cancel()
	require.NoError(t, run(broken))
	require.NoError(t, run(nil))
	require.ErrorIs(t, run(errCutOff), errCutOff)
}

// TestRequestsThatAreCutOffAreAnError serves a request that does not end.
func TestRequestsThatAreCutOffAreAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := UntilEnded(func(ctx context.Context) error {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return Serve(ctx, stubborn{&http.Server{}}, listener, 0, func(string) { cancel() })
	})(ctx)
	require.ErrorIs(t, err, errCutOff)
}

// stubborn is a server whose requests never end, and whose time is over at once.
type stubborn struct{ *http.Server }

func (s stubborn) Drain() {}

func (s stubborn) Shutdown(context.Context) error {
	ctx, cancel := context.WithDeadline(context.Background(), time.Time{})
	defer cancel()
	return errors.Join(s.Server.Shutdown(ctx), ctx.Err())
}

// A process that serves holds little, and is not collected for every few megabytes that its requests allocate.
func TestAProcessThatServesIsCollectedSeldom(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	var held [][]byte
	require.NoError(t, UntilEnded(func(context.Context) error {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range (heapFloor - 1<<20) / (64 << 10) {
			held = append(held[:0], make([]byte, 64<<10))
		}
		runtime.ReadMemStats(&after)
		require.Equal(t, before.NumGC, after.NumGC)
		return nil
	})(t.Context()))
}
