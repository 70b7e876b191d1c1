package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"signalbox/desk"
	"signalbox/ticket"
)

// policy lets a page load only what comes from here; no inline script or style has a chance.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// request is one request, its deadline, and who makes it.
type request struct {
	*fiber.Ctx
	ctx     context.Context // ends when the page's time is up
	console *Console
	session session  // empty: nobody has signed in
	app     desk.App // of the session, as it is now
}

type handler func(*request) error

// page is around every handler: headers, a deadline, and a page for whatever goes wrong.
func (s *Console) page(h handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.UserContext(), s.Timeout)
		defer cancel()
		q := &request{Ctx: c, ctx: ctx, console: s}
		q.headers()
		q.session = s.cookies.session(q)
		if err := guarded(h, q); err != nil {
			return q.fail(err)
		}
		return nil
	}
}

// guarded runs a handler and makes an error of a panic: the page after it is ours to make.
func guarded(h handler, q *request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(q)
}

func (q *request) headers() {
	for name, value := range map[string]string{
		fiber.HeaderContentSecurityPolicy:     policy,
		fiber.HeaderXFrameOptions:             "DENY",
		fiber.HeaderXContentTypeOptions:       "nosniff",
		fiber.HeaderReferrerPolicy:            "same-origin",
		fiber.HeaderCacheControl:              "no-store",
		fiber.HeaderCrossOriginResourcePolicy: "same-origin",
		"Cross-Origin-Opener-Policy":          "same-origin",
	} {
		q.Set(name, value)
	}
	if q.requestID() == "" {
		q.Set(fiber.HeaderXRequestID, uuid.NewString())
	}
}

// requestID is the id that the front desk gave the request, or one made here.
func (q *request) requestID() string { return q.GetRespHeader(fiber.HeaderXRequestID) }

// frame is what the layout knows of a page.
type frame struct {
	Title     string
	Operator  string // empty: nobody has signed in
	App       desk.App
	CSRF      string
	RequestID string
	Mailbox   bool // there is one
	Page      any
}

// render answers with a page. It is made whole before anything of it is sent.
func (q *request) render(status int, name, title string, page any) error {
	f := frame{Title: title, CSRF: q.session.CSRF, RequestID: q.requestID(), Mailbox: q.console.Mailbox != nil, Page: page}
	if q.app.Code != "" {
		f.Operator, f.App = q.session.Operator, q.app
	}
	var out bytes.Buffer
	if err := pages[name].ExecuteTemplate(&out, "layout", f); err != nil {
		return fmt.Errorf("make the page %s: %w", name, err)
	}
	q.Status(status)
	q.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return q.Send(out.Bytes())
}

// redirect leads to another page of ours.
func (q *request) redirect(to string) error { return q.Redirect(to, http.StatusSeeOther) }

// problem is what the error page says.
type problem struct {
	Status  int
	Heading string
	Text    string
}

var (
	errNoPage  = ticket.Refuse(ticket.NotFound, "there is no such page")
	errExpired = ticket.Refuse(ticket.Forbidden, "This form is too old. Go back, reload the page and try once more.")
)

// fail answers with a page that says what went wrong, as far as it concerns the visitor. What is a fault of ours goes to the log alone.
func (q *request) fail(err error) error {
	p := problemOf(err)
	if p.Status >= 500 {
		q.console.Log.ErrorContext(q.ctx, "console.failed", "request_id", q.requestID(), "path", q.Path(), "error", err.Error())
	}
	if p.Status == http.StatusServiceUnavailable {
		q.Set(fiber.HeaderRetryAfter, "2")
	}
	return q.render(p.Status, "problem", p.Heading, p)
}

func problemOf(err error) problem {
	refusal := ticket.AsError(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), ticket.Is(err, ticket.Unavailable):
		return problem{http.StatusServiceUnavailable, "Not available now", "The records do not answer. Try again in a moment."}
	case refusal == nil:
	case refusal.Code == ticket.NotFound:
		return problem{http.StatusNotFound, "Not found", "There is no such page, or no such ticket among those that this app can see."}
	case refusal.Code == ticket.Invalid:
		return problem{http.StatusBadRequest, "That cannot be shown", refusal.Error()}
	case refusal.Code == ticket.Forbidden:
		return problem{http.StatusForbidden, "Not allowed", refusal.Message}
	}
	return problem{http.StatusInternalServerError, "Something went wrong", "It is not your fault, and it has been written down."}
}

// param gives a parameter of the path, unescaped once. What is no proper text names nothing.
func (q *request) param(name string) (string, error) {
	value, err := url.PathUnescape(q.Params(name))
	if err != nil || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return "", errNoPage
	}
	return value, nil
}

// query gives a parameter of the query string. One that is over-long, or no proper text, is Invalid.
func (q *request) query(name string, max int) (string, error) {
	values, err := url.ParseQuery(string(q.Request().URI().QueryString()))
	if err != nil {
		return "", ticket.Refuse(ticket.Invalid, "The address is not properly escaped.")
	}
	value := values.Get(name)
	var f ticket.Faults
	f.Name(name, value, 0, max)
	return value, f.Err()
}

// number gives a parameter of the query string that is a whole number from 1 up, or otherwise when there is none.
func (q *request) number(name string, otherwise int64) (int64, error) {
	raw, err := q.query(name, 20)
	if err != nil || raw == "" {
		return otherwise, err
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 1 {
		return 0, ticket.RefuseField(ticket.Invalid, name, "must be a whole number from 1 up")
	}
	return n, nil
}
