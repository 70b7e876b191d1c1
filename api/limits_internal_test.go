package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/ratelimit"
	"signalbox/ticket"
)

// hand is a clock that is moved by hand.
type hand struct {
	mu sync.Mutex
	at time.Time
}

func newHand() *hand { return &hand{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (h *hand) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hand) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// guess fails to log in n times and tells how often the credential was looked at.
func guess(a *logins, n int, t login) (looked int) {
	for range n {
		if a.check(t) == nil {
			looked++
			a.fail(t)
		}
	}
	return looked
}

func TestGuessingFromOneAddressIsOfNoUse(t *testing.T) {
	clock := newHand()
	a := newLogins(60, clock.now)
	from := func(address string) login { return login{address: address, credential: [32]byte{1}} }
	require.Equal(t, 60, guess(a, 100, from("203.0.113.1")))
	var refusal later
	require.ErrorAs(t, a.check(from("203.0.113.1")), &refusal)
	require.Equal(t, ticket.TooMany, refusal.refusal.Code)
	require.Equal(t, time.Second, refusal.wait)
	clock.pass(3 * time.Second)
	require.Equal(t, 3, guess(a, 100, from("203.0.113.1")), "one more a second")
	require.Equal(t, 60, guess(a, 100, from("203.0.113.2")), "another address has its own")
	require.Equal(t, 60, guess(a, 100, from("2001:db8::1")))
	require.Zero(t, guess(a, 100, from("2001:db8::2")), "a customer has a whole /64 in IPv6")
	require.Equal(t, 60, guess(a, 100, from("2001:db8:0:1::2")))
}

func TestGuessingManyAtOnceIsOfNoUse(t *testing.T) {
	clock := newHand()
	a := newLogins(60, clock.now)
	from := login{address: "203.0.113.1", credential: [32]byte{1}}
	const atOnce = 1_000
	for range atOnce {
		require.NoError(t, a.check(from), "none has failed yet")
	}
	for range atOnce {
		a.fail(from)
	}
	looked := 0
	for range atOnce / 60 * 60 {
		clock.pass(time.Second)
		looked += guess(a, 100, from)
	}
	require.LessOrEqual(t, atOnce+looked, 60+atOnce/60*60, "60 a minute in the end")
	clock.pass(time.Minute)
	require.Equal(t, 60, guess(a, 100, from), "and it is forgotten once it is paid for")
}

func TestGuessingOneCodeFromManyAddressesIsOfNoUse(t *testing.T) {
	clock := newHand()
	a := newLogins(60, clock.now)
	looked := 0
	for i := range 50 {
		looked += guess(a, 60, login{address: fmt.Sprintf("203.0.113.%d", i), code: "shop", credential: [32]byte{byte(i)}})
	}
	require.Equal(t, 600, looked)
	require.NoError(t, a.check(login{address: "198.51.100.1", code: "other"}))
	require.Error(t, a.check(login{address: "198.51.100.1", code: "shop"}))
}

func TestWhoLoggedInLatelyIsNotLockedOutByOthers(t *testing.T) {
	clock := newHand()
	a := newLogins(60, clock.now)
	shop := login{address: "203.0.113.1", code: "shop", credential: [32]byte{9}}
	a.succeed(shop)
	require.Equal(t, 60, guess(a, 100, login{address: "203.0.113.1", credential: [32]byte{1}}))
	require.NoError(t, a.check(shop))
	clock.pass(workedFor + time.Second)
	guess(a, 100, login{address: "203.0.113.1", credential: [32]byte{1}})
	require.Error(t, a.check(shop))
}

func TestFloodsOfAddressesTakeNoMemory(t *testing.T) {
	clock := newHand()
	a := newLogins(60, clock.now)
	for i := range 3 * keptLogins {
		a.fail(login{address: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)})
		a.succeed(login{credential: [32]byte{byte(i), byte(i >> 8), byte(i >> 16)}})
		require.LessOrEqual(t, max(a.failed.Len(), a.worked.Len()), keptLogins)
	}
}

func TestNoLimitOfAttempts(t *testing.T) {
	a := newLogins(-1, time.Now)
	require.NoError(t, a.check(login{address: "203.0.113.1"}))
}

// counted is what the processes share, and how often they asked it.
type counted struct {
	Shared
	mu    sync.Mutex
	trips int
	err   error
}

func (c *counted) TakeRequests(ctx context.Context, app string, b ratelimit.Bucket, n, unused int) (int, ratelimit.Bucket, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trips++; c.err != nil {
		return 0, b, c.err
	}
	return c.Shared.TakeRequests(ctx, app, b, n, unused)
}

func TestProcessesTogetherLetNoMoreThroughThanTheLimit(t *testing.T) {
	clock := newHand()
	shared := &counted{Shared: newMemory(clock.now)}
	processes := []*limiter{newLimiter(shared, clock.now), newLimiter(shared, clock.now), newLimiter(shared, clock.now)}
	const rate, burst = 600, 300
	let, asked := 0, 0
	ask := func(i int) {
		ok, _, left, err := processes[i].take(t.Context(), "shop", rate, burst)
		require.NoError(t, err)
		require.GreaterOrEqual(t, left, 0)
		asked++
		if ok {
			let++
		}
	}
	for i := range 900 {
		ask(i % 3)
	}
	require.LessOrEqual(t, let, burst)
	require.GreaterOrEqual(t, let, burst-3*batch(ratelimit.Bucket{Rate: rate, Burst: burst}), "what a process keeps is little")
	require.LessOrEqual(t, shared.trips, 30, "a round trip for every request would be %d", asked)

	before := let
	for range 600 { // a minute of three times as many as may be
		clock.pass(100 * time.Millisecond)
		ask(0)
		ask(1)
		ask(2)
	}
	require.LessOrEqual(t, let-before, rate+1)
	require.Greater(t, let-before, rate-3*batch(ratelimit.Bucket{Rate: rate, Burst: burst}))
	require.LessOrEqual(t, shared.trips, 30+3*2*61)
}

// What a process took and did not use is not lost: an app that asks for little now and then always has nearly all of its burst.
func TestWhatIsNotUsedIsGivenBack(t *testing.T) {
	clock := newHand()
	l := newLimiter(newMemory(clock.now), clock.now)
	for range 200 {
		clock.pass(leaseFor + 100*time.Millisecond)
		ok, bucket, left, err := l.take(t.Context(), "shop", 600, 600)
		require.NoError(t, err)
		require.True(t, ok)
		require.Greater(t, left, 600-batch(bucket))
	}
}

func TestALimitedAppAtRestHasItsBurst(t *testing.T) {
	clock := newHand()
	l := newLimiter(newMemory(clock.now), clock.now)
	ok, bucket, left, err := l.take(t.Context(), "shop", 60, 5)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 4, left)
	require.Equal(t, clock.now().Add(time.Second), bucket.FullAt)
	for range 4 {
		ok, _, left, _ = l.take(t.Context(), "shop", 60, 5)
		require.True(t, ok)
	}
	require.Zero(t, left)
	ok, bucket, _, _ = l.take(t.Context(), "shop", 60, 5)
	require.False(t, ok)
	require.Equal(t, time.Second, bucket.Wait(clock.now()))
	ok, _, _, _ = l.take(t.Context(), "shop", 60, 50)
	require.True(t, ok, "a new limit counts at once")
	ok, _, _, _ = l.take(t.Context(), "other", 60, 5)
	require.True(t, ok)
}

func TestADatabaseThatDoesNotAnswerHoldsNobodyForLonger(t *testing.T) {
	clock := newHand()
	l := newLimiter(&counted{Shared: newMemory(clock.now), err: errors.New("down")}, clock.now)
	ok, _, _, err := l.take(t.Context(), "shop", 60, 5)
	require.False(t, ok)
	require.ErrorContains(t, err, "down")
	l.allowance("shop").turn <- struct{}{} // somebody is waiting for it
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, _, _, err = l.take(ctx, "shop", 60, 5)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestSignaturesInMemoryAreForgottenInTime(t *testing.T) {
	clock := newHand()
	m := newMemory(clock.now)
	for i := range 999 {
		ok, err := m.UseSignature(t.Context(), fmt.Sprint(i), "k", clock.now().Add(time.Minute), false)
		require.NoError(t, err)
		require.True(t, ok)
	}
	use := func(digest, key string) bool {
		ok, err := m.UseSignature(t.Context(), digest, key, clock.now().Add(time.Minute), false)
		require.NoError(t, err)
		return ok
	}
	require.True(t, use("1", "k"))
	require.False(t, use("1", "other"))
	require.False(t, use("1", ""))
	clock.pass(time.Minute)
	require.True(t, use("new", ""))
	require.Len(t, m.signatures, 1)
	require.False(t, use("new", ""))
}
