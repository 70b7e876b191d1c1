package activities

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

// clocked are hosts on a clock that is moved by hand.
func clocked(limit int) (*Hosts, func(time.Duration)) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := &Hosts{Limit: limit, Now: func() time.Time { return now }}
	return h, func(d time.Duration) { now = now.Add(d) }
}

// try makes one try, unless it is not let through.
func (h *Hosts) try(host string, v verdict) admission {
	p, a, _ := h.admit(host, false, nil)
	if a == admitted {
		p.release(v)
	}
	return a
}

func TestABreakerOpensAtSeventyPercentOfAtLeastTen(t *testing.T) {
	for _, c := range []struct {
		good, bad int
		open      bool
	}{{0, 9, false}, {0, 10, true}, {3, 7, true}, {4, 6, false}, {30, 69, false}, {30, 70, true}} {
		h, _ := clocked(0)
		for range c.good {
			require.Equal(t, admitted, h.try("a", answered))
		}
		for range c.bad {
			require.Equal(t, admitted, h.try("a", dead))
		}
		require.Equal(t, c.open, len(h.Open()) == 1, "%d good, %d bad", c.good, c.bad)
		require.Equal(t, admitted, h.try("b", dead), "hosts are apart")
	}
}

func TestOneProbeShowsWhetherAHostIsBack(t *testing.T) {
	h, pass := clocked(0)
	var changes []bool
	h.Changed = func(_ string, open bool) { changes = append(changes, open) }
	for range 10 {
		h.try("a", dead)
	}
	_, a, until := h.admit("a", false, nil)
	require.Equal(t, open, a)
	require.Equal(t, h.Now().Add(BreakerPause), until)
	pass(BreakerPause - time.Second)
	require.Equal(t, open, h.try("a", answered))
	pass(time.Second)
	probe, a, _ := h.admit("a", false, nil)
	require.Equal(t, admitted, a)
	require.Equal(t, open, h.try("a", answered), "one, and no more")
	probe.release(dead)
	require.Equal(t, open, h.try("a", answered), "and it waits as long again")
	pass(BreakerPause)
	probe, _, _ = h.admit("a", false, nil)
	probe.release(nothing) // broken off by us
	probe, a, _ = h.admit("a", false, nil)
	require.Equal(t, admitted, a, "nothing was learnt: the next is the probe")
	probe.release(answered)
	require.Empty(t, h.Open())
	for range 9 {
		require.Equal(t, admitted, h.try("a", dead), "what was before is forgotten")
	}
	require.Equal(t, []bool{true, false}, changes)
}

func TestEachOpeningAlertsEachTenantOnce(t *testing.T) {
	h, pass := clocked(0)
	require.False(t, h.firstAlertForTenant("a", "x"), "nobody knows it")
	for range 9 {
		h.try("a", dead)
	}
	require.False(t, h.firstAlertForTenant("a", "x"), "it is not open yet")
	h.try("a", dead)
	require.True(t, h.firstAlertForTenant("a", "x"))
	require.False(t, h.firstAlertForTenant("a", "x"))
	require.True(t, h.firstAlertForTenant("a", "y"))
	pass(BreakerPause)
	require.Equal(t, admitted, h.try("a", dead), "the probe")
	require.False(t, h.firstAlertForTenant("a", "x"), "still the same opening")
	pass(BreakerPause)
	require.Equal(t, admitted, h.try("a", answered))
	require.False(t, h.firstAlertForTenant("a", "x"), "it is closed")
	for range 10 {
		h.try("a", dead)
	}
	require.True(t, h.firstAlertForTenant("a", "x"), "another opening")
}

func TestWhatMustBeTriedIsTriedWhateverTheBreakerSays(t *testing.T) {
	h, _ := clocked(1)
	for range 10 {
		h.try("a", dead)
	}
	first, a, _ := h.admit("a", true, nil)
	require.Equal(t, admitted, a)
	second, a, _ := h.admit("a", true, nil)
	require.Equal(t, admitted, a, "beyond its share too")
	second.release(dead)
	require.Len(t, h.Open(), 1)
	first.release(answered)
	require.Empty(t, h.Open(), "an answer is an answer, whoever asked")
}

// Receivers and operators are told these numbers: see docs/webhooks.md.
func TestTheNumbersAreThoseThatWereTold(t *testing.T) {
	require.Equal(t, 5*time.Minute, breakerWindow)
	require.Equal(t, 30*time.Second, BreakerPause)
	require.Equal(t, 8, firstShare)
	require.Equal(t, time.Second, slowAfter)
	require.Equal(t, 32, (&Hosts{}).limit())
	sender := NewSender(SenderOptions{})
	require.Equal(t, 10*time.Second, sender.timeout)
	require.Equal(t, 16<<10, notice.MaxAnswer)
}

func TestFailuresOfLongAgoDoNotCount(t *testing.T) {
	h, pass := clocked(0)
	for range 9 {
		h.try("a", dead)
	}
	pass(breakerWindow + time.Second)
	h.try("a", dead)
	require.Empty(t, h.Open())
	for i := range 40 { // a failure every minute, as minutely makes them
		pass(time.Minute)
		h.try("a", dead)
		require.Empty(t, h.Open(), "%d", i)
	}
}

func TestAHostsShareFollowsWhatItAnswers(t *testing.T) {
	h, _ := clocked(20)
	hold := func() (passes []*permit) {
		for {
			p, a, _ := h.admit("a", false, nil)
			if a != admitted {
				require.Equal(t, full, a)
				return passes
			}
			passes = append(passes, p)
		}
	}
	passes := hold()
	require.Len(t, passes, firstShare)
	for _, p := range passes {
		p.release(answered)
	}
	passes = hold()
	require.Len(t, passes, 2*firstShare)
	for _, p := range passes {
		p.release(answered)
	}
	passes = hold()
	require.Len(t, passes, 20, "never more than the limit")
	for _, p := range passes[:9] {
		p.release(dead)
	}
	for _, p := range passes[9:] {
		p.release(nothing)
	}
	require.Len(t, hold(), leastShare)
}

func TestWhoeverWaitsForAHostIsToldOfRoom(t *testing.T) {
	h, _ := clocked(1)
	first, _, _ := h.admit("a", false, nil)
	w, other := newWaiter(), newWaiter()
	for _, w := range []*waiter{w, other} {
		_, a, _ := h.admit("a", false, w)
		require.Equal(t, full, a)
	}
	h.forget(other)
	require.Empty(t, w.C)
	first.release(answered)
	<-w.C
	require.Equal(t, map[string]bool{"a": true}, w.take())
	require.Empty(t, w.take())
	require.Empty(t, other.C)
}

func TestTheLimitHoldsAcrossAllPartitionsOfAProcess(t *testing.T) {
	h := &Hosts{Limit: 5}
	var flying, most atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			w := newWaiter()
			for made := 0; made < 200; {
				p, a, _ := h.admit("a", false, w)
				if a == full {
					<-w.C
					continue
				}
				n := flying.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				made++
				flying.Add(-1)
				p.release(answered)
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, most.Load(), int32(5))
}

func TestHostsThatAreNotUsedAreForgotten(t *testing.T) {
	h, pass := clocked(0)
	h.try("a", dead)
	pass(forgetAfter + time.Second)
	h.try("b", dead)
	require.NotContains(t, h.known, "a")
}

func TestOnlyWhatAHostDoesCountsAgainstIt(t *testing.T) {
	for v, attempts := range map[verdict][]notice.Attempt{
		answered: {{Status: 200}, {Status: 404, Class: notice.ErrorStatus}, {Status: 410, Class: notice.ErrorStatus}, {Status: 302, Class: notice.ErrorStatus},
			{Status: 200, Class: notice.ErrorBadBody}},
		dead: {{Class: notice.ErrorDNS}, {Class: notice.ErrorConnect}, {Class: notice.ErrorTLS}, {Class: notice.ErrorTimeout}, {Status: 200, Class: notice.ErrorTimeout},
			{Status: 500, Class: notice.ErrorStatus}, {Status: 503, Class: notice.ErrorStatus}, {Status: 429, Class: notice.ErrorStatus}},
		nothing: {{Class: notice.ErrorBlocked}, {Class: notice.ErrorUnsendable}},
	} {
		for _, a := range attempts {
			require.Equal(t, v, verdictOf("", a), "%+v", a)
		}
	}
}

// TestAMailThatIsRefusedSaysNothingOfItsServer: the next may be taken. One that refuses us, or does not answer, takes none.
func TestAMailThatIsRefusedSaysNothingOfItsServer(t *testing.T) {
	require.Equal(t, answered, verdictOf(notice.FormatMail, notice.Attempt{Status: 550, Class: notice.ErrorStatus}))
	require.Equal(t, dead, verdictOf(notice.FormatMail, notice.Attempt{Status: 535, Class: notice.ErrorConnect}))
	require.Equal(t, dead, verdictOf(notice.FormatMail, notice.Attempt{Class: notice.ErrorTimeout}))
	require.Equal(t, dead, verdictOf(notice.FormatSlack, notice.Attempt{Status: 550, Class: notice.ErrorStatus}))
}
