package api

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/ratelimit"
	"signalbox/ticket"
)

// logins counts log-ins that failed, by address and by the app's code where the credential names one, in this process. Where too many
// have, credentials are no longer looked at, so that guessing on is of no use. One that worked lately is looked at all the same: neither a
// neighbour behind the same address nor a stranger who knows an app's code can lock it out.
type logins struct {
	rate   int // a minute; below 0: none are counted
	now    func() time.Time
	failed *ratelimit.Keyed

	mu     sync.Mutex
	worked ratelimit.Expiring[[sha256.Size]byte]
}

const (
	// keptLogins bounds what is remembered of those that failed and of those that worked. A flood of addresses makes us forget some too early,
	// and never takes more memory.
	keptLogins = 10_000
	// workedFor is how long a credential counts as one that worked lately.
	workedFor = time.Hour
	// perCode is how many times as many may fail with one code as from one address. A stranger needs as many addresses before those who
	// log in with the code for the first time are kept out.
	perCode = 10
)

func newLogins(rate int, now func() time.Time) *logins {
	return &logins{rate: rate, now: now, failed: ratelimit.NewKeyed(keptLogins), worked: ratelimit.NewExpiring[[sha256.Size]byte](keptLogins)}
}

// login is one try to log in.
type login struct {
	address, code string
	credential    [sha256.Size]byte // digest of what the caller is known by
	earlier       [sha256.Size]byte // digest of what was known before a signature was looked at; zero where it was no signature
}

// buckets gives those that a failure is taken from: a minute's worth at once, and each is forgotten in its turn, rate a minute.
func (l *logins) buckets(t login) map[string]ratelimit.Bucket {
	all := map[string]ratelimit.Bucket{"address " + ratelimit.Network(t.address): {Rate: l.rate, Burst: l.rate}}
	if t.code != "" {
		all["code "+t.code] = ratelimit.Bucket{Rate: perCode * l.rate, Burst: perCode * l.rate}
	}
	return all
}

// check refuses a try where too many have failed.
func (l *logins) check(t login) error {
	now := l.now()
	l.mu.Lock()
	exempt := now.Before(l.worked.Until(t.credential))
	l.mu.Unlock()
	if l.rate < 0 || exempt {
		return nil
	}
	for key, bucket := range l.buckets(t) {
		if wait := l.failed.Due(key, bucket, now); wait > 0 {
			return Later(ticket.Refuse(ticket.TooMany, "too many log-ins have failed; the credential was not looked at"), wait)
		}
	}
	return nil
}

// fail counts a try that failed. Many made at once are all looked at before the first has failed; every one of them counts afterwards,
// so that it is no way to guess more often.
func (l *logins) fail(t login) {
	for key, bucket := range l.buckets(t) {
		l.failed.Owe(key, bucket, l.now())
	}
}

// succeed notes a try that succeeded.
func (l *logins) succeed(t login) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, credential := range [][sha256.Size]byte{t.credential, t.earlier} {
		if credential != ([sha256.Size]byte{}) && l.worked.Until(credential).Sub(now) < workedFor/2 {
			l.worked.Set(credential, now.Add(workedFor), now)
		}
	}
}

// LogIn notes as which app a request wants to log in, before its credential is checked. Its error is the answer: too many have failed.
// A family's own Authenticator calls it whenever the credential names a code. secret is what the caller shows with it. Where that cannot be told
// before it was looked at, as with a signature, it is called without one first, and again with the secret that was found to fit, or with whatever
// did not: then a guess that fits is answered like any other.
func LogIn(c *fiber.Ctx, code, secret string) error {
	requestOf(c).claimed = code
	if secret == "" {
		return tryLogIn(c, code, fmt.Sprintf("code %q at %q", code, ratelimit.Network(requestOf(c).address)))
	}
	return tryLogIn(c, code, fmt.Sprintf("code %q secret %q", code, secret))
}

func tryLogIn(c *fiber.Ctx, code, credential string) error {
	rc := requestOf(c)
	if rc.logins == nil || rc.logins.rate < 0 {
		return nil
	}
	rc.login = login{rc.address, code, sha256.Sum256([]byte(credential)), rc.login.credential}
	return rc.logins.check(rc.login)
}

// countLogIn counts what became of a try to log in, and gives its error back.
func (s *Server) countLogIn(c *fiber.Ctx, err error) error {
	rc := requestOf(c)
	switch {
	case s.logins.rate < 0:
	case ticket.Is(err, ticket.Unauthorized):
		rc.login.address = rc.address // a credential of a kind that claims nothing counts too
		s.logins.fail(rc.login)
	case err == nil && rc.login.address != "":
		s.logins.succeed(rc.login)
	}
	return err
}
