package page

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

// SessionFor is how long somebody stays signed in, whatever they do.
const SessionFor = 12 * time.Hour

// keptAfter is how much longer the cookie stays, which is worth nothing then but to tell that there was a session, and that a form came from a page of it.
const keptAfter = 24 * time.Hour

// Session is what the cookie holds. It lives in the browser alone: signing out removes it there, and a copy of it works until it expires
// or whoever it names may not sign in any more.
type Session struct {
	App     string    `json:"a,omitempty"` // code of the app that they act through; empty: nobody has signed in, and the session only guards the forms of strangers
	Person  string    `json:"o,omitempty"` // whom they act as
	CSRF    string    `json:"c"`           // what forms must bring along, masked
	Expires time.Time `json:"e"`

	// Of persons who act as themselves, by desk.PagesApp.
	Tenant     string `json:"t,omitempty"`
	PasswordAt int64  `json:"p,omitempty"` // when the password was set that they signed in with, in microseconds of Unix time
	Provider   bool   `json:"i,omitempty"` // the identity provider says who they are
	Name       string `json:"n,omitempty"` // and what they are called
	Admin      bool   `json:"d,omitempty"` // and that they are an admin
}

// SignedIn reports whether somebody has signed in.
func (s Session) SignedIn() bool { return s.App != "" }

// cookies encrypts what browsers keep for us, under a key that serves nothing else, and knows it again.
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

// write encrypts what a cookie for a purpose is to hold. What was written for one purpose cannot be read as another; that of sessions is empty.
func (k *cookies) write(purpose string, in any) (string, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("write a cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(k.keys.Seal(raw, []byte(purpose))), nil
}

// read decrypts what write gave; false when it is none of ours.
func (k *cookies) read(purpose, text string, out any) bool {
	encrypted, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	raw, err := k.keys.Open("", encrypted, []byte(purpose))
	return err == nil && json.Unmarshal(raw, out) == nil
}

// session decrypts a session; false when it is none of ours or has expired.
func (k *cookies) session(text string, now time.Time) (out Session, ok bool) {
	if !k.read("", text, &out) || !now.Before(out.Expires) {
		return Session{}, false
	}
	return out, true
}

// Session tells who a request's cookie says has signed in; somebody who may not any more can be among them. For doors beside the pages.
func (s *Site) Session(c *fiber.Ctx) Session {
	v := &Visit{Ctx: c, site: s}
	out, _ := s.cookies.session(v.Cookies(v.cookie("")), s.Now())
	return out
}

// secure reports whether the visitor's browser speaks https with us.
func (v *Visit) secure() bool { return v.site.Secure || v.Protocol() == "https" }

// cookie is the name of a cookie of ours; that of the session has no more name than the product. The prefix of secure ones keeps other hosts of the same
// domain from planting them (RFC 6265bis).
func (v *Visit) cookie(name string) string {
	if name != "" {
		name = "-" + name
	}
	if v.secure() {
		return "__Host-signalbox" + name
	}
	return "signalbox" + name
}

// Begin gives the browser a new session for whoever is named; it is given a new secret for its forms and its time.
func (v *Visit) Begin(s Session) error {
	s.CSRF, s.Expires = random(), v.site.Now().Add(SessionFor)
	v.session = s
	return v.Keep("", s, SessionFor+keptAfter)
}

// End takes the session away from the browser.
func (v *Visit) End() {
	v.session = Session{}
	v.setCookie("", "", -1)
}

// Keep has the browser keep something for a while, encrypted, that Kept gives back.
func (v *Visit) Keep(name string, in any, during time.Duration) error {
	value, err := v.site.cookies.write(name, in)
	if err != nil {
		return err
	}
	v.setCookie(name, value, int(during/time.Second))
	return nil
}

// Kept reads what the browser was given to keep; false when there is nothing of ours.
func (v *Visit) Kept(name string, out any) bool {
	return v.site.cookies.read(name, v.Cookies(v.cookie(name)), out)
}

// Forget has the browser forget it.
func (v *Visit) Forget(name string) { v.setCookie(name, "", -1) }

// KeepAt is Keep for what only the calls of one path of ours need; it is not sent with others.
func (v *Visit) KeepAt(path, name string, in any, during time.Duration) error {
	value, err := v.site.cookies.write(name, in)
	if err != nil {
		return err
	}
	v.setCookieAt(path, name, value, int(during/time.Second))
	return nil
}

// ForgetAt has the browser forget what KeepAt kept.
func (v *Visit) ForgetAt(path, name string) { v.setCookieAt(path, name, "", -1) }

// KeptAt reads what KeepAt kept.
func (v *Visit) KeptAt(name string, out any) bool {
	return v.site.cookies.read(name, v.Cookies(v.cookieAt(name)), out)
}

// cookieAt is the name of a cookie that is for one path: "__Host-" would be for all.
func (v *Visit) cookieAt(name string) string {
	if v.secure() {
		return "__Secure-signalbox-" + name
	}
	return "signalbox-" + name
}

func (v *Visit) setCookieAt(path, name, value string, seconds int) {
	v.put(fiber.Cookie{Name: v.cookieAt(name), Value: value, Path: path, MaxAge: seconds})
}

// setCookie sets a cookie for so many seconds; below 0 it takes it away. Lax rather than Strict: a link to a ticket that somebody follows
// from a message must find them signed in, and following a link changes nothing.
func (v *Visit) setCookie(name, value string, seconds int) {
	v.put(fiber.Cookie{Name: v.cookie(name), Value: value, Path: "/", MaxAge: seconds})
}

func (v *Visit) put(c fiber.Cookie) {
	c.Secure, c.HTTPOnly, c.SameSite = v.secure(), true, fiber.CookieSameSiteLaxMode
	if c.MaxAge < 0 {
		c.Expires = time.Unix(1, 0) // Fiber leaves a negative age out
	}
	v.Cookie(&c)
}

// guard is the secret of the session's forms as one page has it: under a mask that is another each time, so that compressed pages tell nothing of it
// (BREACH).
func (s Session) guard() string {
	mask := make([]byte, len(s.CSRF))
	_, _ = rand.Read(mask) // never fails: crypto/rand ends the process rather than giving weak bytes
	return base64.RawURLEncoding.EncodeToString(append(mask, masked(mask, s.CSRF)...))
}

// ours reports whether a form that was sent came from a page of this session.
func (s Session) ours(guard string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(guard)
	n := len(s.CSRF)
	return err == nil && n > 0 && len(raw) == 2*n && subtle.ConstantTimeCompare(masked(raw[:n], string(raw[n:])), []byte(s.CSRF)) == 1
}

func masked(mask []byte, text string) []byte {
	out := make([]byte, len(text))
	subtle.XORBytes(out, mask, []byte(text))
	return out
}

func random() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // as above
	return base64.RawURLEncoding.EncodeToString(raw)
}
