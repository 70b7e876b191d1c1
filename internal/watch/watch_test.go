package watch_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/internal/logtest"
	"signalbox/internal/watch"
)

var errBroken = errors.New("connection reset")

// watched is something that fails as it is told.
type watched struct {
	fails, hangs atomic.Bool
	says         atomic.Bool // that it cannot
	asked        atomic.Int32
}

func (w *watched) probe(ctx context.Context) error {
	w.asked.Add(1)
	if w.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if w.says.Load() {
		return watch.ErrTold
	}
	if w.fails.Load() {
		return errBroken
	}
	return nil
}

func start(t *testing.T) (*watch.Watch, *watched, *logtest.Buffer) {
	var out logtest.Buffer
	s := &watched{}
	w := watch.Start(watch.Options{Name: "database", Probe: s.probe, Log: slog.New(slog.NewTextHandler(&out, nil))})
	t.Cleanup(w.Stop)
	return w, s, &out
}

func TestWhatGoesAwayAndComesBackIsTwoLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, out := start(t)
		time.Sleep(time.Minute)
		require.NoError(t, w.Allow())
		require.Empty(t, out.String())

		s.fails.Store(true)
		w.Failed()
		time.Sleep(watch.Every / 2)
		for range 7 {
			err := w.Allow()
			require.True(t, watch.Refused(err))
			require.ErrorIs(t, err, errBroken)
		}
		time.Sleep(time.Hour)
		require.Equal(t, 1, strings.Count(out.String(), "\n"), out.String())
		require.Contains(t, out.String(), `level=ERROR msg=away what=database cause="connection reset"`)

		s.fails.Store(false)
		time.Sleep(2 * watch.Every)
		require.NoError(t, w.Allow())
		require.Equal(t, 2, strings.Count(out.String(), "\n"), out.String())
		require.Contains(t, out.String(), `msg=back what=database after=1h0m`)
		require.Contains(t, out.String(), ` refused=7`)
	})
}

func TestOneFailureIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, out := start(t)
		for range 10 {
			asked := s.asked.Load()
			s.fails.Store(true)
			for s.asked.Load() == asked {
				time.Sleep(time.Millisecond)
			}
			s.fails.Store(false)
			time.Sleep(10 * watch.Every)
			require.NoError(t, w.Allow())
		}
		require.Empty(t, out.String())
	})
}

func TestWhatAnswersOthersIsNotAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, out := start(t)
		s.hangs.Store(true)
		for range 100 {
			time.Sleep(watch.Every)
			w.Answered()
			require.NoError(t, w.Allow())
		}
		require.Empty(t, out.String())
		time.Sleep(3 * watch.Within)
		require.ErrorIs(t, w.Allow(), context.DeadlineExceeded)
		s.hangs.Store(false)
		time.Sleep(2 * watch.Within)

		s.says.Store(true)
		for range 10 {
			time.Sleep(watch.Every / 5)
			w.Answered()
		}
		require.ErrorIs(t, w.Allow(), watch.ErrTold, "it says itself that it cannot")
	})
}

// TestManyWhoFailAskOnce has a thousand callers fail: it is not asked a thousand times.
func TestManyWhoFailAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, _ := start(t)
		time.Sleep(10 * watch.Every)
		before := s.asked.Load()
		for range 1000 {
			w.Failed()
			time.Sleep(time.Millisecond)
		}
		require.Less(t, s.asked.Load()-before, int32(30))
	})
}

func TestNothingIsWatched(t *testing.T) {
	var w *watch.Watch
	w.Answered()
	w.Failed()
	w.Stop()
	require.NoError(t, w.Allow())
	require.Nil(t, w.Away())
}
