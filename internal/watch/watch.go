// Package watch knows whether something that a process depends on answers, so that callers hear at once what would otherwise cost each of them their
// whole time, and so that the log has one line when it goes away and one when it is back.
//
// It asks by itself, once a second: what is away is found to be back without a caller having to try it out.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Every is how often it is asked.
	Every = time.Second
	// Within is how long it has for an answer. It is away when it has answered nobody in that time.
	Within = 4 * time.Second
)

// Options say what is watched.
type Options struct {
	Name  string                          // in the log and in errors
	Probe func(ctx context.Context) error // asks it something that needs all of it, and cheaply; nil: it answers
	Log   *slog.Logger
}

// ErrTold is part of a probe's error that was what it answered, and not that it did not: that others are answered does not speak against it.
var ErrTold = errors.New("it says so itself")

// Watch watches one thing. A nil Watch watches nothing, and lets everything through.
type Watch struct {
	Options
	answered atomic.Int64 // when it last answered anybody, in nanoseconds since 1970
	state    atomic.Pointer[Away]
	refused  atomic.Int64
	before   int64 // of these, those before it went away
	hurry    chan struct{}

	stop    context.CancelFunc
	running sync.WaitGroup
}

// Away is the error of whoever is not let through. It means that nothing was asked, and so nothing has happened.
type Away struct {
	Name  string
	Since time.Time
	Cause error // what it met that asked last before it was away
}

// Error gives the text for the log.
func (a *Away) Error() string {
	return fmt.Sprintf("%s is away since %s: %v", a.Name, a.Since.UTC().Format(time.RFC3339), a.Cause)
}

// Unwrap gives the cause.
func (a *Away) Unwrap() error { return a.Cause }

// Refused reports whether an error means that somebody was not let through.
func Refused(err error) bool { return errors.As(err, new(*Away)) }

// Start begins to watch, until Stop.
func Start(o Options) *Watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{Options: o, hurry: make(chan struct{}, 1), stop: stop}
	w.running.Go(func() { w.run(ctx) })
	return w
}

// Stop ends it.
func (w *Watch) Stop() {
	if w == nil {
		return
	}
	w.stop()
	w.running.Wait()
}

// Allow gives nil where it answers, as far as is known, and else an *Away, and counts who is not let through.
func (w *Watch) Allow() error {
	away := w.Away()
	if away == nil {
		return nil
	}
	w.refused.Add(1)
	return away
}

// Away tells since when it is away, and why; nil: it is not.
func (w *Watch) Away() *Away {
	if w == nil {
		return nil
	}
	return w.state.Load()
}

// Refusals counts who was not let through since the start.
func (w *Watch) Refusals() int64 {
	if w == nil {
		return 0
	}
	return w.refused.Load()
}

// Answered notes that it answered somebody, who is let through and what their answer was.
func (w *Watch) Answered() {
	if w != nil {
		w.answered.Store(time.Now().UnixNano())
	}
}

// Failed notes that it did not answer somebody: it is asked now and not only in its turn.
func (w *Watch) Failed() {
	if w == nil {
		return
	}
	select {
	case w.hurry <- struct{}{}:
	default:
	}
}

func (w *Watch) run(ctx context.Context) {
	failures := 0
	for {
		began := time.Now()
		asked, cancel := context.WithTimeout(ctx, Within)
		err := w.Probe(asked)
		late := asked.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			w.back()
		case w.answered.Load() > began.UnixNano() && !errors.Is(err, ErrTold):
			failures = 0 // it is the probe that was slow
		default:
			// A connection that broke says little: the next may be taken. Who did not answer in all that time does not answer.
			if failures++; failures > 1 || late {
				w.gone(err)
			}
		}
		pause := Every/2 + rand.N(Every) // so that not all processes ask at once
		if failures == 1 && w.Away() == nil {
			pause = Every / 20
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-w.hurry:
			timer.Stop()
			// Those who fail do so together: once they have been heard, the rest of them says nothing new.
			select {
			case <-ctx.Done():
				return
			case <-time.After(Every / 20):
			}
		case <-timer.C:
		}
	}
}

func (w *Watch) gone(cause error) {
	if w.state.Load() != nil {
		return
	}
	w.before = w.refused.Load()
	w.state.Store(&Away{Name: w.Name, Since: time.Now(), Cause: cause})
	w.Log.Error("away", "what", w.Name, "cause", cause)
}

func (w *Watch) back() {
	away := w.state.Swap(nil)
	if away != nil {
		w.Log.Warn("back", "what", w.Name, "after", time.Since(away.Since).Round(time.Millisecond), "refused", w.refused.Load()-w.before)
	}
}
