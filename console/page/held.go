package page

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	heldCookie = "held"
	heldFor    = time.Hour
	// maxHeld is how large what is kept of a form may be that came after its session, in octets of JSON: browsers keep some 4,000 in a cookie (RFC 6265, section 6.1), encrypted and in
	// base 64.
	maxHeld = 2_800
)

// Held is a form that came when the session was over in which it was filled in. The browser keeps it, encrypted, until whoever sent it has signed in again.
type Held struct {
	App    string     `json:"a"`
	Tenant string     `json:"t,omitempty"`
	Person string     `json:"o"`
	Path   string     `json:"p"` // where it was sent
	Back   string     `json:"b"` // the page that it came from
	Fields url.Values `json:"f"`
}

// hold has the browser keep the form that was sent, where it came from a page of a session that is over and is not too large for that.
func (v *Visit) hold(back string) (held bool, err error) {
	var was Session
	form, ok := v.sent()
	if !ok || !v.Kept("", &was) || !was.ours(form.Get(fieldGuard)) {
		return false, nil
	}
	v.proven = true
	form.Del(fieldGuard)
	h := Held{App: was.App, Tenant: was.Tenant, Person: was.Person, Path: v.OriginalURL(), Back: back, Fields: form}
	if kept, err := json.Marshal(h); err != nil || len(kept) > maxHeld {
		return false, err
	}
	return true, v.Keep(heldCookie, h, heldFor)
}

// sent reads the form that was sent; false where there is none that is ever sent back.
func (v *Visit) sent() (url.Values, bool) {
	raw := v.BodyRaw()
	if v.Method() != http.MethodPost || len(raw) > MaxForm || v.Path() == SignOutPath || v.Path() == PasswordPath {
		return nil, false
	}
	form, err := url.ParseQuery(string(raw))
	return form, err == nil && !hasSecret(form)
}

// A form that is refused before anybody has seen it (its session is over or another one, there is no cookie, who sent it has no right, or cannot be told just now) goes back to whoever sent it, with all
// that was typed, in the answer itself: nothing of it is kept here or in the browser, so that it may be as large as forms are, and nobody finds it there who comes later. What is held by a cookie is
// what a session that is over has proven to be its own.
//
// What could be done with that, and why it cannot:
//   - Another site sends a form in somebody's name, and lets them confirm it (CSRF with a click). Only what comes from a page of this host goes back with a button: by the secret of a session, or as the browser says
//     in Sec-Fetch-Site or Origin, which no page can set. Of anything else nothing goes back at all. A page of another host of the same site counts as another site, although its forms bring the cookie along.
//   - Another site shows the page with the button in a frame, under something else (clickjacking). No page of ours is shown in a frame: frame-ancestors and X-Frame-Options stand on every answer, refusals included.
//   - Somebody is signed in as another one without noticing, and sends what they wrote under that name (login CSRF). The sign-in has a secret of its own; and the page says whose name the form would be sent under now.
//   - Secrets are shown on a page, or lie in it: forms that have any do not go back.
type back struct {
	Problem
	Do, DoText string // address of what has to be done before, which opens beside the page; empty: nothing has
	Path       string // where it was sent; empty: there is none
	Fields     url.Values
	Typed      []Typed
	Sends      bool // it can be sent again from here
}

// goesBack gives the form that was sent, where it may go back to whoever sent it.
func (v *Visit) goesBack(p Problem, sends bool) (b back) {
	b.Problem = p
	form, ok := v.sent()
	if !ok || v.Get("HX-Request") != "" || !(v.proven || v.session.ours(form.Get(fieldGuard)) || v.fromHere()) { // what a part of a page has sent is on the page still
		return b
	}
	form.Del(fieldGuard)
	b.Path, b.Fields, b.Typed, b.Sends = v.OriginalURL(), form, TypedIn(form), sends
	return b
}

func (v *Visit) giveBack(b back) error { return v.Render(b.Status, "back", b.Heading, b) }

// fromHere reports whether a form came from a page of this host, as the browser says (W3C Fetch Metadata; RFC 6454, section 7): of two answers the stricter.
func (v *Visit) fromHere() bool {
	site, origin := v.Get("Sec-Fetch-Site"), v.Get(fiber.HeaderOrigin)
	if site != "" && site != "same-origin" {
		return false
	}
	if origin == "" {
		return site != ""
	}
	scheme := "http"
	if v.secure() {
		scheme = "https"
	}
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == scheme && u.Host != "" && strings.EqualFold(u.Host, v.Hostname())
}

// Typed is something that somebody has typed or chosen in a form.
type Typed struct{ Name, Text string }

// unseen are the fields of forms that nobody fills in.
var unseen = []string{fieldGuard, fieldKey, "action", "node", "round", "back", "as_admin", "anyway", "at", "based", "cursor", "delivery", "message", "of", "on", "row", "seen", "subscription", "steps", "there", "version",
	"do"}

// TypedIn gives what somebody has typed or chosen in a form, by the names of its fields.
func TypedIn(form url.Values) (out []Typed) {
	for _, name := range sorted(form) {
		for _, text := range form[name] {
			if text != "" && !slices.Contains(unseen, name) {
				out = append(out, Typed{name, text})
			}
		}
	}
	return out
}

// hasSecret reports whether a form has a field for a password, or for the secret or the address of somebody's webhook.
func hasSecret(form url.Values) bool {
	for name := range form {
		last := name[strings.LastIndexByte(name, '.')+1:]
		if slices.Contains([]string{"new", "again", "old", "password", "secret", "webhook"}, last) {
			return true
		}
	}
	return false
}

// Holds reports whether the browser keeps a form that somebody sent when their session was over.
func (v *Visit) Holds(s Session) bool {
	var h Held
	return v.Kept(heldCookie, &h) && h.App == s.App && h.Tenant == s.Tenant && h.Person == s.Person
}

// HeldForm gives that form, until it was sent or is dropped.
func (v *Visit) HeldForm() (h Held, ok bool) {
	if v.Holds(v.session) {
		ok = v.Kept(heldCookie, &h)
	}
	return h, ok
}

// DropHeld has the browser forget it.
func (v *Visit) DropHeld() {
	if v.Cookies(v.cookie(heldCookie)) != "" {
		v.Forget(heldCookie)
	}
}

// settleHeld has it forgotten once it was sent by whoever has signed in again, and somebody has seen to it.
func (v *Visit) settleHeld() {
	if key := v.Form.Key(); key != "" && v.Who.App.Code != "" && v.Response().StatusCode() < http.StatusInternalServerError {
		if h, ok := v.HeldForm(); ok && h.Fields.Get(fieldKey) == key {
			v.DropHeld()
		}
	}
}

// referer is the page that a form came from, as a path of ours.
func (v *Visit) referer() string {
	u, err := url.Parse(v.Get(fiber.HeaderReferer))
	if err != nil {
		return Home
	}
	return LocalPath(u.RequestURI())
}
