package api

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/ticket"
)

// attempts counts log-ins that failed, by address and by the app's code where the credential names one, in this process. Where too many
// have, credentials are no longer looked at, so that guessing on is of no use. One that worked lately is looked at all the same: neither a
// neighbour behind the same address nor a stranger who knows an app's code can lock it out.
type attempts struct {
	rate int // a minute; below 0: none are counted
	now  func() time.Time

	mu     sync.Mutex
	failed map[string]time.Time // until when what failed with an address or a code counts against it
	worked map[[sha256.Size]byte]time.Time
}

const (
	// keptAttempts bounds each of the two maps. A flood of addresses makes us forget some too early, and never takes more memory.
	keptAttempts = 10_000
	// workedFor is how long a credential counts as one that worked lately.
	workedFor = time.Hour
	// perCode is how many times as many may fail with one code as from one address. A stranger needs as many addresses before those who
	// log in with the code for the first time are kept out.
	perCode = 10
)

func newAttempts(rate int, now func() time.Time) *attempts {
	return &attempts{rate: rate, now: now, failed: map[string]time.Time{}, worked: map[[sha256.Size]byte]time.Time{}}
}

// attempt is one try to log in.
type attempt struct {
	address, code string
	credential    [sha256.Size]byte // digest of what the caller is known by
	earlier       [sha256.Size]byte // likewise, of less, before it was looked at
}

// against gives what a failure counts against, and how many a minute may count there.
func (a *attempts) against(t attempt) map[string]int {
	all := map[string]int{"address " + network(t.address): a.rate}
	if t.code != "" {
		all["code "+t.code] = perCode * a.rate
	}
	return all
}

// check refuses an attempt where too many have failed: a minute's worth counts at once, and each is forgotten in its turn, rate a minute.
func (a *attempts) check(t attempt) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if a.rate < 0 || now.Before(a.worked[t.credential]) {
		return nil
	}
	for name, rate := range a.against(t) {
		until, known := a.failed[name]
		if wait := until.Sub(now) - (time.Minute - each(rate)); known && wait > 0 {
			return Later(ticket.Refuse(ticket.TooMany, "too many log-ins have failed; the credential was not looked at"), wait)
		}
	}
	return nil
}

// each is how long one failure counts, at so many a minute.
func each(rate int) time.Duration { return time.Minute / time.Duration(rate) }

// fail counts an attempt that failed. Many made at once are all looked at before the first has failed; every one of them counts afterwards,
// so that it is no way to guess more often.
func (a *attempts) fail(t attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for name, rate := range a.against(t) {
		until, known := a.failed[name]
		if !known {
			makeRoom(a.failed, func(until time.Time) bool { return !now.Before(until) })
		}
		if until.Before(now) {
			until = now
		}
		a.failed[name] = until.Add(each(rate))
	}
}

// work notes an attempt that succeeded.
func (a *attempts) work(t attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for _, credential := range [][sha256.Size]byte{t.credential, t.earlier} {
		if credential == ([sha256.Size]byte{}) {
			continue
		}
		until, known := a.worked[credential]
		if !known {
			makeRoom(a.worked, func(until time.Time) bool { return !now.Before(until) })
		}
		if until.Sub(now) < workedFor/2 {
			a.worked[credential] = now.Add(workedFor)
		}
	}
}

// makeRoom keeps a map small: what is over goes first, and if that is not enough, any tenth of it.
func makeRoom[K comparable, V any](m map[K]V, over func(V) bool) {
	if len(m) < keptAttempts {
		return
	}
	for key, value := range m {
		if over(value) {
			delete(m, key)
		}
	}
	for key := range m {
		if len(m) <= keptAttempts-keptAttempts/10 {
			return
		}
		delete(m, key)
	}
}

// Claim notes as which app a request wants to log in, before its credential is checked. Its error is the answer: too many have failed.
// A family's own Authenticator calls it whenever the credential names a code. secret is what the caller shows with it. Where that cannot be told
// before it was looked at, as with a signature, it is called without one first, and again with the secret that was found to fit, or with whatever
// did not: then a guess that fits is answered like any other.
func Claim(c *fiber.Ctx, code, secret string) error {
	visitOf(c).claimed = code
	if secret == "" {
		return claim(c, code, fmt.Sprintf("code %q at %q", code, network(visitOf(c).address)))
	}
	return claim(c, code, fmt.Sprintf("code %q secret %q", code, secret))
}

func claim(c *fiber.Ctx, code, credential string) error {
	v := visitOf(c)
	if v.attempts == nil || v.attempts.rate < 0 {
		return nil
	}
	v.attempt = attempt{v.address, code, sha256.Sum256([]byte(credential)), v.attempt.credential}
	return v.attempts.check(v.attempt)
}

// judge counts what became of an attempt to log in.
func (s *Server) judge(c *fiber.Ctx, err error) error {
	v := visitOf(c)
	switch {
	case s.attempts.rate < 0:
	case ticket.Is(err, ticket.Unauthorized):
		v.attempt.address = v.address // a credential of a kind that claims nothing counts too
		s.attempts.fail(v.attempt)
	case err == nil && v.attempt.address != "":
		s.attempts.work(v.attempt)
	}
	return err
}
