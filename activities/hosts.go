package activities

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"signalbox/notice"
)

// Hosts shares out the tries that this process may have under way to each host, and keeps away from hosts that answer nobody. The zero value
// is ready; one is meant to be shared by all that deliver. Now must be set when the clock is not the machine's.
type Hosts struct {
	Limit int // tries to one host under way at the same time; default 32
	Now   func() time.Time
	// Changed, if set, is told when a host's breaker opens or closes. It must not call back.
	Changed func(host string, open bool)

	mu    sync.Mutex
	known map[string]*target
	swept time.Time
}

const (
	defaultPerHost = 32
	// A host begins with this many tries at once, gets one more with each that it answers and loses half with each that it does not: so
	// hosts that hang take few of our connections, however many they are.
	firstShare = 8
	leastShare = 2

	// The breaker of a host opens when, of at least breakerTries in the last breakerWindow, breakerPercent or more failed.
	breakerTries   = 10
	breakerPercent = 70
	breakerWindow  = 5 * time.Minute
	breakerSlots   = 10
	// BreakerPause is how long an open breaker lets nobody through; then one try shows whether the host is back.
	BreakerPause = 30 * time.Second

	// forgetAfter is how long a host is remembered after its last try.
	forgetAfter = 2 * breakerWindow
)

// target is a host.
type target struct {
	inFlight int
	share    int
	waiting  map[*waiter]bool
	used     time.Time
	breaker
}

// Admission says whether a try may be made now.
type admission int

const (
	admitted admission = iota
	full               // the host has its share; the waiter is told when there is room
	open               // its breaker is open
)

// permit lets one try be made. It must be released.
type permit struct {
	hosts *Hosts
	host  string
	probe bool
}

// waiter is told of hosts that have room again.
type waiter struct {
	C     chan struct{}
	mu    sync.Mutex
	hosts map[string]bool
}

func newWaiter() *waiter { return &waiter{C: make(chan struct{}, 1), hosts: map[string]bool{}} }

func (w *waiter) notify(host string) {
	w.mu.Lock()
	w.hosts[host] = true
	w.mu.Unlock()
	select {
	case w.C <- struct{}{}:
	default:
	}
}

// take gives the hosts that there was room for since the last time.
func (w *waiter) take() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	freed := w.hosts
	w.hosts = map[string]bool{}
	return freed
}

// admit asks for a permit to make a try at a host. must: there is no more time to wait, and a permit is given whatever the host does. w is told when
// the host has capacity again; it may be nil. Without a permit, a says why not, and until when to ask again where the breaker is open.
func (h *Hosts) admit(host string, must bool, w *waiter) (p *permit, a admission, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	t := h.target(host, now)
	probe := false
	if t.isOpen() {
		switch until = t.opened.Add(BreakerPause); {
		case must:
		case now.Before(until):
			return nil, open, until
		case t.probing:
			return nil, open, now.Add(BreakerPause)
		default:
			probe = true
		}
	}
	if t.inFlight >= t.share && !must && !probe {
		if w != nil {
			t.waiting[w] = true
		}
		return nil, full, time.Time{}
	}
	t.inFlight++
	t.probing = t.probing || probe
	return &permit{hosts: h, host: host, probe: probe}, admitted, time.Time{}
}

func (h *Hosts) target(host string, now time.Time) *target {
	if h.known == nil {
		h.known = map[string]*target{}
	}
	if now.Sub(h.swept) > breakerWindow {
		maps.DeleteFunc(h.known, func(_ string, t *target) bool {
			return t.inFlight == 0 && len(t.waiting) == 0 && !t.isOpen() && now.Sub(t.used) > forgetAfter
		})
		h.swept = now
	}
	t, known := h.known[host]
	if !known {
		t = &target{share: min(firstShare, h.limit()), waiting: map[*waiter]bool{}}
		h.known[host] = t
	}
	t.used = now
	return t
}

// verdict is what a try says of its host.
type verdict int

const (
	nothing  verdict = iota // the try was broken off by us, or never left this process
	answered                // the host lives, whatever it thinks of the delivery
	dead
)

// verdictOf tells a host that is in no state to answer from one that refuses a delivery: one address that is gone says nothing of its
// neighbours on the same host.
func verdictOf(f notice.Format, a notice.Attempt) verdict {
	switch {
	case a.Class == notice.ErrorBlocked, a.Class.Ours():
		return nothing
	case a.Status == http.StatusLoopDetected, f == notice.FormatMail && a.Class == notice.ErrorStatus: // a mail is refused, and the next may be taken
		return answered
	case a.Status == 0, a.Class == notice.ErrorTimeout, a.Status >= 500, a.Status == 429:
		return dead
	}
	return answered
}

// release gives the permit back, with what the try said of the host.
func (p *permit) release(v verdict) {
	h := p.hosts
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	t := h.target(p.host, now)
	t.inFlight--
	switch v {
	case answered:
		t.share = min(t.share+1, h.limit())
	case dead:
		t.share = max(t.share/2, min(leastShare, h.limit()))
	}
	before := t.isOpen()
	t.note(now, v, p.probe)
	if after := t.isOpen(); after != before && h.Changed != nil {
		h.Changed(p.host, after)
	}
	// All who wait are told: whether there is room for more than one, each finds out.
	if t.inFlight < t.share && len(t.waiting) > 0 {
		for w := range t.waiting {
			w.notify(p.host)
		}
		clear(t.waiting)
	}
}

// firstAlertForTenant reports whether a host's breaker is open and nobody has asked for the tenant since it opened: each tenant is told once of each
// opening, by each process.
func (h *Hosts) firstAlertForTenant(host, tenant string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, known := h.known[host]
	if !known || !t.isOpen() || t.alerted[tenant] {
		return false
	}
	t.alerted[tenant] = true
	return true
}

// forget takes a waiter out.
func (h *Hosts) forget(w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.known {
		delete(t.waiting, w)
	}
}

// Open lists the hosts whose breaker is open, sorted.
func (h *Hosts) Open() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for host, t := range h.known {
		if t.isOpen() {
			out = append(out, host)
		}
	}
	slices.Sort(out)
	return out
}

// UnderWay is how many tries are under way, to all hosts together.
func (h *Hosts) UnderWay() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.known {
		n += t.inFlight
	}
	return n
}

func (h *Hosts) limit() int { return cmp.Or(h.Limit, defaultPerHost) }

func (h *Hosts) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

// breaker counts what tries say of a host, and says when to leave it alone.
type breaker struct {
	slots   [breakerSlots]struct{ good, bad int }
	slot    int64           // the newest, counted since 1970
	opened  time.Time       // zero: closed
	alerted map[string]bool // tenants, of this opening
	probing bool
}

func (b *breaker) isOpen() bool { return !b.opened.IsZero() }

func (b *breaker) note(now time.Time, v verdict, probe bool) {
	if probe {
		b.probing = false
	}
	switch {
	case v == nothing:
		return
	case b.isOpen() && v == answered: // whoever asked
		*b = breaker{}
		return
	case b.isOpen():
		if probe {
			b.opened = now
		}
		return
	}
	b.roll(now)
	if s := &b.slots[b.slot%breakerSlots]; v == dead {
		s.bad++
	} else {
		s.good++
	}
	good, bad := 0, 0
	for _, s := range b.slots {
		good, bad = good+s.good, bad+s.bad
	}
	if good+bad >= breakerTries && bad*100 >= (good+bad)*breakerPercent {
		*b = breaker{opened: now, alerted: map[string]bool{}}
	}
}

// roll forgets what lies longer ago than the window.
func (b *breaker) roll(now time.Time) {
	slot := now.UnixNano() / int64(breakerWindow/breakerSlots)
	for i := max(b.slot+1, slot-breakerSlots+1); i <= slot; i++ {
		b.slots[i%breakerSlots] = struct{ good, bad int }{}
	}
	b.slot = max(b.slot, slot)
}
