package console

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/internal/aead"
)

// sessionFor is how long somebody stays signed in, whatever they do.
const sessionFor = 12 * time.Hour

// session is what the cookie holds. It lives in the browser alone: signing out removes it there, and a copy of it works until it expires
// or its app is disabled.
type session struct {
	App      string    `json:"a,omitempty"` // code; empty: nobody has signed in, and the session only guards the form to do so
	Operator string    `json:"o,omitempty"`
	CSRF     string    `json:"c"` // what a form must bring along
	Expires  time.Time `json:"e"`
}

// cookies encrypts sessions as the values of cookies, under a key that serves nothing else, and knows them again.
type cookies struct {
	keys *aead.Keyring
}

func newCookies(master []byte) (*cookies, error) {
	if len(master) < 32 {
		return nil, errors.New("the key must have at least 32 bytes")
	}
	key, err := hkdf.Key(sha256.New, master, nil, "signalbox console session 1", aead.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the sessions: %w", err)
	}
	keys, err := aead.NewKeyring(aead.Key{Key: key})
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return &cookies{keys}, nil
}

// write encrypts a session.
func (k *cookies) write(in session) (string, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("write a session: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(k.keys.Seal(raw, nil)), nil
}

// read decrypts what write gave; false when it is none of ours or has expired.
func (k *cookies) read(text string, now time.Time) (out session, ok bool) {
	encrypted, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return session{}, false
	}
	raw, err := k.keys.Open("", encrypted, nil)
	if err != nil || json.Unmarshal(raw, &out) != nil || !now.Before(out.Expires) {
		return session{}, false
	}
	return out, true
}

// session finds the session of a request; empty when there is none that is valid.
func (k *cookies) session(q *request) session {
	out, _ := k.read(q.Cookies(q.cookie()), q.console.Now())
	return out
}

// SignedIn tells who a request's cookie says has signed in: the app's code, which may be disabled by now, and a name. For channels beside the pages.
func (s *Console) SignedIn(c *fiber.Ctx) (app, operator string, ok bool) {
	in := s.cookies.session(&request{Ctx: c, console: s})
	return in.App, in.Operator, in.App != ""
}

// secure reports whether the visitor's browser speaks https with us.
func (q *request) secure() bool { return q.console.Secure || q.Protocol() == "https" }

// cookie is the name of the session's cookie. The prefix of the secure one keeps other hosts of the same domain from planting it (RFC 6265bis).
func (q *request) cookie() string {
	if q.secure() {
		return "__Host-signalbox"
	}
	return "signalbox"
}

// begin gives the browser a new session.
func (q *request) begin(app, operator string) error {
	q.session = session{App: app, Operator: operator, CSRF: token(), Expires: q.console.Now().Add(sessionFor)}
	value, err := q.console.cookies.write(q.session)
	if err != nil {
		return err
	}
	q.setCookie(value, int(sessionFor/time.Second))
	return nil
}

// end takes the session away from the browser.
func (q *request) end() {
	q.session = session{}
	q.setCookie("", -1)
}

// setCookie sets the cookie for so many seconds; below 0 it takes it away. Lax rather than Strict: a link to a ticket that somebody follows
// from a message must find them signed in, and following a link changes nothing.
func (q *request) setCookie(value string, seconds int) {
	c := &fiber.Cookie{Name: q.cookie(), Value: value, Path: "/", MaxAge: seconds, Secure: q.secure(), HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode}
	if seconds < 0 {
		c.Expires = time.Unix(1, 0) // Fiber leaves a negative age out
	}
	q.Cookie(c)
}

// ours reports whether a form that was sent came from a page of this session.
func (q *request) ours(csrf string) bool {
	return q.session.CSRF != "" && subtle.ConstantTimeCompare([]byte(csrf), []byte(q.session.CSRF)) == 1
}

func token() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process rather than giving weak bytes
	return base64.RawURLEncoding.EncodeToString(raw)
}
