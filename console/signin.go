package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

const (
	maxCode   = 64
	maxSecret = 255
	maxForm   = 16 << 10 // bytes
)

// signedIn lets those through who have signed in with an app that may still read; all others are asked to sign in.
func (s *Console) signedIn(h handler) handler {
	return func(q *request) error {
		if q.session.App == "" {
			return q.askIn(q.session.CSRF == "" && q.Cookies(q.cookie()) != "")
		}
		app, err := s.Apps.App(q.ctx, q.session.App)
		switch {
		case ticket.Is(err, ticket.Unauthorized), ticket.Is(err, ticket.NotFound), err == nil && !mayRead(app):
			q.end()
			return q.askIn(true)
		case err != nil:
			return unavailable{err}
		}
		q.app = app
		return h(q)
	}
}

func mayRead(app desk.App) bool { return !app.Disabled && app.Tenant != "" && app.May(desk.Read) }

// unavailable is a fault behind us that may pass: an Unavailable refusal, so that the page says so.
type unavailable struct{ cause error }

func (u unavailable) Error() string { return "find an app: " + u.cause.Error() }

func (u unavailable) Unwrap() []error {
	return []error{ticket.Refuse(ticket.Unavailable, "it cannot be told who this is"), u.cause}
}

// askIn leads to the sign-in page, and from there back to where the visitor wanted to go. Somebody who was exchanging a part of a page comes
// back to that page. over: they have been signed in before.
func (q *request) askIn(over bool) error {
	back := q.OriginalURL()
	part := q.Get("HX-Request") != ""
	if part {
		back = home
		if u, err := url.Parse(q.Get("HX-Current-URL")); err == nil {
			back = u.RequestURI()
		}
	}
	query := url.Values{"return": {localPath(back)}}
	if over {
		query.Set("over", "1")
	}
	to := "/login?" + query.Encode()
	if part {
		q.Set("HX-Redirect", to)
		q.Status(http.StatusUnauthorized)
		return nil
	}
	return q.redirect(to)
}

// signInPage is what the sign-in page shows. The secret is never sent back.
type signInPage struct {
	Return, Code, Operator string
	Over                   bool
	Problem                string
}

// askIn shows the form.
func (s *Console) askIn(q *request) error {
	back, err := q.query("return", ticket.MaxURL)
	if err != nil {
		back = home
	}
	over, _ := q.query("over", 1)
	return q.form(http.StatusOK, signInPage{Return: localPath(back), Over: over != ""})
}

// form shows the form of the session, which begins with it if need be.
func (q *request) form(status int, p signInPage) error {
	if q.session.CSRF == "" {
		if err := q.begin("", ""); err != nil {
			return err
		}
	}
	return q.render(status, "signin", "Sign in", p)
}

// signIn begins a session for an app's code and secret and a name. An unknown code and a wrong secret are told in the same words.
func (s *Console) signIn(q *request) error {
	form, err := q.posted()
	if err != nil {
		return err
	}
	p := signInPage{Return: localPath(form.Get("return")), Code: form.Get("code"), Operator: strings.TrimSpace(form.Get("operator"))}
	if !q.ours(form.Get("csrf")) {
		p.Problem = "This form was too old, or cookies are switched off. Please try again."
		return q.form(http.StatusForbidden, p)
	}
	var f ticket.Faults
	f.Name("code", p.Code, 1, maxCode)
	f.Name("secret", form.Get("secret"), 1, maxSecret)
	f.Name("operator", p.Operator, 1, ticket.MaxName)
	if f.Err() != nil {
		p.Problem = "App code, secret and name are all needed, and none of them may be too long."
		p.Code, p.Operator = api.Shortened(p.Code, maxCode), api.Shortened(p.Operator, ticket.MaxName)
		return q.form(http.StatusBadRequest, p)
	}
	attempt, let := s.throttle.take(s.address(q.Ctx), p.Code)
	if !let {
		s.Log.WarnContext(q.ctx, "console.throttled", "request_id", q.requestID(), "app", p.Code, "remote", s.address(q.Ctx))
		q.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(attemptsWindow/time.Second)))
		p.Problem = "Too many attempts have failed. Please wait some minutes."
		return q.form(http.StatusTooManyRequests, p)
	}
	app, err := s.Apps.ByCode(q.ctx, p.Code, form.Get("secret"))
	switch {
	case err != nil && !ticket.Is(err, ticket.Unauthorized) && !ticket.Is(err, ticket.NotFound):
		s.throttle.forgive(attempt)
		return unavailable{err}
	case err != nil || app.Disabled || app.Tenant == "":
		s.Log.WarnContext(q.ctx, "console.refused", "request_id", q.requestID(), "app", p.Code, "remote", s.address(q.Ctx))
		p.Problem = "The app code or the secret is not right."
		return q.form(http.StatusUnauthorized, p)
	}
	s.throttle.forgive(attempt)
	if !mayRead(app) {
		p.Problem = "This app may not read tickets."
		return q.form(http.StatusForbidden, p)
	}
	if err := q.begin(app.Code, p.Operator); err != nil {
		return err
	}
	s.Log.InfoContext(q.ctx, "console.signed_in", "request_id", q.requestID(), "tenant", app.Tenant, "app", app.Code, "operator", p.Operator,
		"remote", s.address(q.Ctx))
	return q.redirect(p.Return)
}

// signOut ends the session.
func (s *Console) signOut(q *request) error {
	form, err := q.posted()
	if err != nil {
		return err
	}
	if q.session.App == "" {
		return q.redirect("/login")
	}
	if !q.ours(form.Get("csrf")) {
		return errExpired
	}
	s.Log.InfoContext(q.ctx, "console.signed_out", "request_id", q.requestID(), "app", q.session.App, "operator", q.session.Operator)
	q.end()
	return q.redirect("/login")
}

// posted reads a form.
func (q *request) posted() (url.Values, error) {
	raw := q.BodyRaw()
	if len(raw) > maxForm {
		return nil, ticket.Refuse(ticket.Invalid, "The form is too large.")
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, ticket.Refuse(ticket.Invalid, "The form cannot be read.")
	}
	return form, nil
}

func (s *Console) address(c *fiber.Ctx) string {
	if s.Address != nil {
		return s.Address(c)
	}
	return c.IP()
}

// localPath gives a path on this host as it was asked for, or home. Browsers take "//host" and "/\host" for other hosts, and pass over tabs
// and line ends (WHATWG URL, basic URL parser), which url.Parse refuses.
func localPath(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > ticket.MaxURL || !strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") ||
		strings.ContainsRune(raw, '\\') || u.Host != "" || u.Scheme != "" {
		return home
	}
	if path := strings.TrimRight(u.Path, "/"); path == "/login" || path == "/logout" || path == "" {
		return home
	}
	return u.RequestURI()
}
