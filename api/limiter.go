package api

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/ratelimit"
	"signalbox/ticket"
)

// Headers that tell a caller how many requests are left to it.
const (
	HeaderRateLimit     = "X-RateLimit-Limit"     // a minute
	HeaderRateRemaining = "X-RateLimit-Remaining" // at once
	HeaderRateReset     = "X-RateLimit-Reset"     // Unix seconds: when nothing of it is used up any more
)

// Shared is what all processes that serve the families know together.
type Shared interface {
	// TakeRequests takes up to n requests from an app's bucket, after giving back those that were taken before and not used. It tells how
	// many were to be had, and the bucket as it is then; of b it takes rate and burst alone.
	TakeRequests(ctx context.Context, app string, b ratelimit.Bucket, n, unused int) (taken int, after ratelimit.Bucket, err error)
	// UseSignature reports whether a signature may be used, and counts the use if so: the first time that its digest is seen before it
	// expires, again with the key that it was first used with (no key, empty, is never the same key), again where every use before was
	// given back, and again whenever repeats are taken.
	UseSignature(ctx context.Context, digest, key string, expires time.Time, repeats bool) (ok bool, err error)
	// ReturnSignature gives one use back: the request that it was for was refused.
	ReturnSignature(ctx context.Context, digest string) error
}

// leaseFor is how long a process may keep requests that it took and nobody has made yet.
const leaseFor = time.Second

// batch is how many requests are taken at a time: up to three seconds' worth, so that an app at its full rate costs a round trip to the
// database every few seconds, but never more than a tenth of what can be had at once, so that a process keeps little from the others.
func batch(b ratelimit.Bucket) int { return max(1, min(b.Rate/20, b.Burst/10)) }

// limiter lets each app make so many requests. What it lets through has been taken from the shared bucket before, so all processes together
// never let through more than the bucket holds; what a process has taken and not used for leaseFor is missing to others at most until then.
type limiter struct {
	shared Shared
	now    func() time.Time

	mu   sync.Mutex
	apps map[string]*allowance
}

// allowance is what this process knows of one app's bucket.
type allowance struct {
	turn   chan struct{}    // whoever is in it holds the rest; a channel, because waiting for a slow database must end with the request
	bucket ratelimit.Bucket // as it was when last asked
	unused int
	until  time.Time // the unused are given back after it
	pause  time.Time // before it there is little to be had
}

func newLimiter(shared Shared, now func() time.Time) *limiter {
	return &limiter{shared: shared, now: now, apps: map[string]*allowance{}}
}

func (l *limiter) allowance(app string) *allowance {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.apps[app]
	if a == nil {
		a = &allowance{turn: make(chan struct{}, 1)}
		l.apps[app] = a
	}
	return a
}

// take counts one request of an app, and tells whether it may be made and what is left.
func (l *limiter) take(ctx context.Context, app string, rate, burst int) (ok bool, after ratelimit.Bucket, left int, err error) {
	a := l.allowance(app)
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return false, after, 0, ctx.Err()
	}
	defer func() { <-a.turn }()

	now := l.now()
	if a.bucket.Rate != rate || a.bucket.Burst != burst {
		a.bucket, a.unused = ratelimit.Bucket{Rate: rate, Burst: burst}, 0
	}
	fresh := now.Before(a.until)
	switch {
	case fresh && a.unused > 0:
		a.unused--
		return true, a.bucket, a.bucket.Left(now) + a.unused, nil
	case a.unused == 0 && (a.bucket.Left(now) == 0 || now.Before(a.pause)):
		return false, a.bucket, 0, nil // who asks on and on costs nothing more
	}
	want := batch(a.bucket)
	taken, bucket, err := l.shared.TakeRequests(ctx, app, a.bucket, want, a.unused)
	if err != nil {
		return false, a.bucket, 0, fmt.Errorf("count a request: %w", err)
	}
	now = l.now() // the trip took its time
	a.bucket, a.unused, a.until = bucket, max(0, taken-1), now.Add(leaseFor)
	if taken < want {
		// What is refilled meanwhile is had all the same, with the next batch.
		a.pause = now.Add(min(leaseFor/2, time.Duration(want)*time.Minute/time.Duration(rate)))
	}
	return taken > 0, a.bucket, a.bucket.Left(now) + a.unused, nil
}

// limit counts a request of an app that has a limit, and refuses it when there are too many.
func (s *Server) limit(c *fiber.Ctx, app desk.App) error {
	rate, burst := app.Rate, app.Burst
	if rate == 0 {
		rate, burst = s.config.AppRate, 0
	}
	if rate <= 0 {
		return nil
	}
	if burst == 0 {
		burst = rate
	}
	ok, bucket, left, err := s.limiter.take(c.UserContext(), app.Code, rate, burst)
	if err != nil {
		return unavailable{err}
	}
	c.Set(HeaderRateLimit, strconv.Itoa(rate))
	c.Set(HeaderRateRemaining, strconv.Itoa(left))
	now := s.limiter.now()
	full := now.Add(max(0, bucket.FullAt.Sub(now)))
	c.Set(HeaderRateReset, strconv.FormatInt(full.Add(time.Second-1).Unix(), 10))
	if ok {
		return nil
	}
	return Later(ticket.Refuse(ticket.TooMany, fmt.Sprintf("at most %d requests a minute are taken from the app", rate)), bucket.Wait(now))
}
