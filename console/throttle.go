package console

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How many attempts to sign in may fail within a window, and in the one after it at most as many more.
const (
	attemptsWindow  = 5 * time.Minute
	attemptsPair    = 10     // of one address for one app
	attemptsAddress = 50     // of one address in all
	attemptsKept    = 10_000 // counters of one window; a flood of addresses makes windows shorter, never the memory larger
)

// throttle counts failed attempts in this process: in the running window and in the one before it. There is no limit for an app alone;
// it would let anybody keep its operators out.
type throttle struct {
	now func() time.Time

	mu           sync.Mutex
	began        time.Time
	count, older map[string]int
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, count: map[string]int{}, older: map[string]int{}}
}

// attempt is a try to sign in that was let through.
type attempt struct{ pair, address string }

// take counts an attempt before it is made, so that many at once do not slip through. False: too many have failed.
func (t *throttle) take(address, code string) (attempt, bool) {
	a := attempt{address: network(address)}
	a.pair = a.address + " " + strings.Clone(code)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn()
	if t.count[a.pair]+t.older[a.pair] >= attemptsPair || t.count[a.address]+t.older[a.address] >= attemptsAddress {
		return a, false
	}
	t.count[a.pair]++
	t.count[a.address]++
	return a, true
}

// forgive takes back an attempt that succeeded.
func (t *throttle) forgive(a attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range []string{a.pair, a.address} {
		for _, counts := range []map[string]int{t.count, t.older} {
			if counts[key] > 0 {
				counts[key]--
				break
			}
		}
	}
}

// turn begins a new window when the running one is over or full.
func (t *throttle) turn() {
	now := t.now()
	age := now.Sub(t.began)
	switch {
	case age >= 2*attemptsWindow:
		t.older, t.count, t.began = map[string]int{}, map[string]int{}, now
	case age >= attemptsWindow, len(t.count) >= attemptsKept:
		t.older, t.count, t.began = t.count, map[string]int{}, now
	}
}

// network is what counts as one address: in IPv6 the /64 that every customer has to himself.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return strings.Clone(address)
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64)
	return prefix.String()
}
