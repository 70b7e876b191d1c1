package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// policy lets a page load only what comes from here; no inline script or style has a chance.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Visit is one request, its deadline, and who makes it.
type Visit struct {
	*fiber.Ctx
	Until     context.Context // ends when the page's time is up
	Who       Who             // empty: nobody has signed in
	Form      Form            // what was sent, where something was
	site      *Site
	session   Session
	look      look
	said      *Note // what is told once, on the page that is shown next
	trail     *desk.Trail
	refusal   *ticket.Error // why what a form asks for was not done
	proven    bool          // the form that was sent has the secret of a session that is over
	handsBack bool          // the form that was sent goes back to whoever sent it, since nobody has seen it
	again     bool          // and may be sent again
	tries     bool          // it asks for nothing that would change something
	named     *named        // by the page that is being made
	several   *desk.Entry   // what is written down of each of several things that it asks for; nil: it asks for one
}

// Session is the session of the visit; empty where there is none that is valid.
func (v *Visit) Session() Session { return v.session }

// Site is the pages.
func (v *Visit) Site() *Site { return v.site }

// Address is where the request comes from.
func (v *Visit) Address() string { return v.site.address(v.Ctx) }

// page is around every handler: headers, a deadline, and a page for whatever goes wrong.
func (s *Site) page(h Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.UserContext(), s.Timeout)
		defer cancel()
		began := s.Now()
		ctx, trail := desk.WithTrail(ctx)
		v := &Visit{Ctx: c, Until: ctx, site: s, trail: trail, named: newNamed()}
		v.headers()
		v.session = s.Session(c)
		v.look = v.looks()
		if err := caught(h, v); err != nil {
			v.Refused(err)
			if err := v.fail(err); err != nil {
				return err
			}
		}
		v.settleHeld()
		v.audit(began)
		api.Compress(c) // what is secret in a page is masked
		return nil
	}
}

// caught runs a handler and makes an error of a panic: the page after it is ours to make.
func caught(h Handler, v *Visit) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(v)
}

func (v *Visit) headers() {
	for name, value := range map[string]string{
		fiber.HeaderContentSecurityPolicy:     policy,
		fiber.HeaderXFrameOptions:             "DENY",
		fiber.HeaderXContentTypeOptions:       "nosniff",
		fiber.HeaderReferrerPolicy:            "same-origin",
		fiber.HeaderCacheControl:              "no-store",
		fiber.HeaderCrossOriginResourcePolicy: "same-origin",
		"Cross-Origin-Opener-Policy":          "same-origin",
	} {
		v.Set(name, value)
	}
	if v.RequestID() == "" {
		v.Set(fiber.HeaderXRequestID, uuid.NewString())
	}
}

// RequestID is the id that the front desk gave the request, or one made here.
func (v *Visit) RequestID() string { return v.GetRespHeader(fiber.HeaderXRequestID) }

// frame is what the layout and the page know.
type frame struct {
	Title     string
	Who       Who
	SignedIn  bool
	RequestID string
	Language  string
	Theme     string // light or dark; empty: as the browser has it
	Zone      string
	Here      string // path of the page
	Menu      []menuItem
	Said      *Note
	Page      any
	Main      template.HTML
}

// menuItem is an entry of the bar as it is shown.
type menuItem struct {
	Path, Label string
	Count       int
	Current     bool
}

// Render answers with a page. It is made whole before anything of it is sent. name is the template's: "tickets/list". title is what the page is called,
// in the visitor's language.
func (v *Visit) Render(status int, name, title string, page any) error {
	f := frame{Title: title, RequestID: v.RequestID(), Language: v.look.Language, Theme: v.look.Theme, Zone: v.look.zone().String(), Here: v.Path(), Said: v.said, Page: page}
	if v.Who.App.Code != "" {
		f.Who, f.SignedIn, f.Menu = v.Who, true, v.menuItems()
	}
	if v.Kept(noteCookie, &f.Said) {
		v.Forget(noteCookie)
	}
	set := rendering.take(v)
	defer rendering.give(set)
	var main, out bytes.Buffer
	if err := set.all.ExecuteTemplate(&main, name, f); err != nil {
		return fmt.Errorf("make the page %s: %w", name, err)
	}
	f.Main = template.HTML(main.String()) //nolint:gosec // made by a template just now
	if err := set.all.ExecuteTemplate(&out, "layout", f); err != nil {
		return fmt.Errorf("make the page %s: %w", name, err)
	}
	whole := v.name(out.Bytes())
	v.Status(status)
	v.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return v.Send(whole)
}

// Part answers with a part of a page, which a script of ours asks for and puts into one that is there.
func (v *Visit) Part(name string, part any) error {
	set := rendering.take(v)
	defer rendering.give(set)
	var out bytes.Buffer
	if err := set.all.ExecuteTemplate(&out, name, part); err != nil {
		return fmt.Errorf("make the part %s: %w", name, err)
	}
	v.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return v.Send(out.Bytes())
}

func (v *Visit) menuItems() (out []menuItem) {
	for _, e := range v.site.menu {
		if !v.Who.May(e.Right) {
			continue
		}
		item := menuItem{Path: e.Path, Label: v.T(e.Label), Current: e.Path == v.Path() || e.Path != "/" && strings.HasPrefix(v.Path(), e.Path+"/")}
		if e.Count != nil {
			if n, err := e.Count(v); err == nil {
				item.Count = n
			}
		}
		out = append(out, item)
	}
	return out
}

// To leads to another page of ours.
func (v *Visit) To(path string) error { return v.Redirect(path, http.StatusSeeOther) }

// Problem is what the error page says.
type Problem struct {
	Status  int
	Heading string
	Text    string
}

var (
	// ErrNoPage says that there is nothing at an address.
	ErrNoPage = ticket.Refuse(ticket.NotFound, "there is no such page")
	// ErrExpired says that a form did not come from a page of the session.
	ErrExpired = ticket.Refuse(ticket.Forbidden, "This form is too old. Go back, reload the page and try once more.")
	errRight   = ticket.Refuse(ticket.Forbidden, "You may not do this.")
)

// fail answers with a page that says what went wrong, as far as it concerns the visitor. What is a fault of ours goes to the log alone.
func (v *Visit) fail(err error) error {
	p := v.problem(err)
	if p.Status >= 500 {
		v.site.Log.ErrorContext(v.Until, "console.failed", "request_id", v.RequestID(), "path", v.Path(), "error", err.Error())
	}
	if p.Status == http.StatusServiceUnavailable {
		v.Set(fiber.HeaderRetryAfter, "2")
	}
	if v.handsBack {
		b := v.goesBack(p, v.again)
		if errors.Is(err, ErrExpired) {
			name := v.Who.Name
			if !v.Who.Own {
				name = v.called(v.Who.Person)
			}
			b.Heading, b.Text = v.T("held.title"), v.T("held.another", "Name", name)
		}
		if b.Path != "" {
			return v.giveBack(b)
		}
	}
	return v.Render(p.Status, "problem", p.Heading, p)
}

func (v *Visit) problem(err error) Problem {
	refusal := ticket.AsError(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), ticket.Is(err, ticket.Unavailable), ticket.Is(err, ticket.Busy):
		return Problem{http.StatusServiceUnavailable, v.T("problem.away"), v.T("problem.away.text")}
	case refusal == nil:
	case refusal.Code == ticket.NotFound:
		return Problem{http.StatusNotFound, v.T("problem.nothing"), v.T("problem.nothing.text")}
	case refusal.Code == ticket.Forbidden:
		return Problem{http.StatusForbidden, v.T("problem.forbidden"), v.Explain(refusal)}
	case refusal.Code == ticket.Conflict:
		return Problem{http.StatusConflict, v.T("problem.conflict"), v.Explain(refusal)}
	case refusal.Code == ticket.TooMany:
		return Problem{http.StatusTooManyRequests, v.T("problem.too_many"), v.Explain(refusal)}
	case refusal.Code == ticket.Invalid:
		return Problem{http.StatusBadRequest, v.T("problem.invalid"), v.Explain(refusal)}
	}
	return Problem{http.StatusInternalServerError, v.T("problem.fault"), v.T("problem.fault.text")}
}

// Param gives a parameter of the path, unescaped once. What is no proper text names nothing.
func (v *Visit) Param(name string) (string, error) {
	value, err := url.PathUnescape(v.Params(name))
	if err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return "", ErrNoPage
	}
	return value, nil
}

// Asked gives the query string; one that is not properly escaped is Invalid.
func (v *Visit) Asked() (url.Values, error) {
	values, err := url.ParseQuery(string(v.Request().URI().QueryString()))
	if err != nil {
		return nil, ticket.Refuse(ticket.Invalid, "The address is not properly escaped.")
	}
	return values, nil
}

// Ask gives a parameter of the query string. One of more than max characters, or no proper text, is Invalid.
func (v *Visit) Ask(name string, max int) (string, error) {
	values, err := v.Asked()
	if err != nil {
		return "", err
	}
	value := values.Get(name)
	var f ticket.Faults
	f.Name(name, value, 0, max)
	return value, f.Err()
}

// AskNumber gives a parameter of the query string that is a whole number from 1 up, or otherwise when there is none.
func (v *Visit) AskNumber(name string, otherwise int64) (int64, error) {
	raw, err := v.Ask(name, 20)
	if err != nil || raw == "" {
		return otherwise, err
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 1 {
		return 0, ticket.RefuseField(ticket.Invalid, name, "must be a whole number from 1 up")
	}
	return n, nil
}

// Address puts a path and a query together.
func Address(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
