package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Everything has its end by deadlines of its own. That it has is not taken for granted: what is past its end is given up, and told of.
const (
	// StallGrace is how much later than its end a request is given up.
	StallGrace = 2 * time.Second
	// stallPatience is how long a drain may show no sign of life: longer than anything that it waits for in one piece (outboxLimit).
	stallPatience = time.Minute
)

// errStalled is the error of what was given up.
var errStalled = errors.New("it was not over in its time, and was given up")

// supervise runs f, and gives up on it with errStalled when it has shown no sign of life for longer than patience. Then f is left to itself: nobody waits for
// it any more, and what it returns is lost.
func supervise[T any](patience time.Duration, f func(alive func()) T) (out T, err error) {
	began := time.Now()
	var last atomic.Int64
	type end struct {
		out   T
		panic any
	}
	done := make(chan end, 1)
	go func() {
		var e end
		defer func() {
			if e.panic = recover(); e.panic != nil {
				e.panic = fmt.Sprintf("%v\n%s", e.panic, debug.Stack())
			}
			done <- e
		}()
		e.out = f(func() { last.Store(int64(time.Since(began))) })
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e := <-done:
			if e.panic != nil {
				panic(e.panic) // where Temporal takes it for a failed attempt
			}
			return e.out, nil
		case <-timer.C:
			left := patience - (time.Since(began) - time.Duration(last.Load()))
			if left <= 0 {
				return out, errStalled
			}
			timer.Reset(left)
		}
	}
}

// stalled says in log and metrics that something was given up: a drain, a lane, or the request of a try or a call.
func (d *Deliveries) stalled(ctx context.Context, what string, details ...any) {
	d.Meter.stalled(what)
	d.log().ErrorContext(ctx, "delivery.stalled", append([]any{"what", what}, details...)...)
}
