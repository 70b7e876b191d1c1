package signin

import (
	"strings"
	"sync"
	"time"

	"signalbox/ratelimit"
)

// How many attempts to sign in may fail within a window, and in the one after it at most as many more.
const (
	attemptsWindow  = 5 * time.Minute
	attemptsPair    = 10     // of one address for one app
	attemptsAddress = 50     // of one address in all
	attemptsKept    = 10_000 // counters of one window
)

// throttle counts failed attempts in this process. There is no limit for an app alone; it would let anybody keep its operators out.
type throttle struct {
	now    func() time.Time
	mu     sync.Mutex
	failed *ratelimit.Windows
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, failed: ratelimit.NewWindows(attemptsWindow, attemptsKept)}
}

// attempt is a try to sign in that was let through.
type attempt struct{ pair, address string }

// take counts an attempt before it is made, so that many at once do not slip through. False: too many have failed.
func (t *throttle) take(address, code string) (attempt, bool) {
	a := attempt{address: ratelimit.Network(address)}
	a.pair = a.address + " " + strings.Clone(code)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.failed.Count(a.pair, now) >= attemptsPair || t.failed.Count(a.address, now) >= attemptsAddress {
		return a, false
	}
	t.failed.Add(a.pair, now)
	t.failed.Add(a.address, now)
	return a, true
}

// forgive takes back an attempt that succeeded.
func (t *throttle) forgive(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed.Remove(a.pair)
	t.failed.Remove(a.address)
}
