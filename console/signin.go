package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

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
	return func(v *visit) error {
		if v.session.App == "" {
			return v.askIn(v.session.CSRF == "" && v.Cookies(v.cookie()) != "")
		}
		app, err := s.Apps.App(v.ctx, v.session.App)
		switch {
		case ticket.Is(err, ticket.Unauthorized), ticket.Is(err, ticket.NotFound), err == nil && !mayRead(app):
			v.end()
			return v.askIn(true)
		case err != nil:
			return cannotTell(err)
		}
		v.app = app
		return h(v)
	}
}

func mayRead(app desk.App) bool { return !app.Disabled && app.Tenant != "" && app.May(desk.Read) }

// cannotTell makes a page of a fault behind us that may pass.
func cannotTell(err error) error {
	return unavailable{err}
}

type unavailable struct{ cause error }

func (u unavailable) Error() string { return "find an app: " + u.cause.Error() }

func (u unavailable) Unwrap() []error {
	return []error{ticket.Refuse(ticket.Unavailable, "it cannot be told who this is"), u.cause}
}

// askIn leads to the sign-in page, and from there back to where the visitor wanted to go. Somebody who was exchanging a part of a page comes
// back to that page. over: they have been signed in before.
func (v *visit) askIn(over bool) error {
	back := v.OriginalURL()
	part := v.Get("HX-Request") != ""
	if part {
		back = home
		if u, err := url.Parse(v.Get("HX-Current-URL")); err == nil {
			back = u.RequestURI()
		}
	}
	query := url.Values{"return": {localPath(back)}}
	if over {
		query.Set("over", "1")
	}
	to := "/login?" + query.Encode()
	if part {
		v.Set("HX-Redirect", to)
		v.Status(http.StatusUnauthorized)
		return nil
	}
	return v.redirect(to)
}

// signInPage is what the sign-in page shows. The secret is never sent back.
type signInPage struct {
	Return, Code, Operator string
	Over                   bool
	Problem                string
}

// askIn shows the form.
func (s *Console) askIn(v *visit) error {
	back, err := v.query("return", ticket.MaxURL)
	if err != nil {
		back = home
	}
	over, _ := v.query("over", 1)
	return v.form(http.StatusOK, signInPage{Return: localPath(back), Over: over != ""})
}

// form shows the form of the session, which begins with it if need be.
func (v *visit) form(status int, p signInPage) error {
	if v.session.CSRF == "" {
		if err := v.begin("", ""); err != nil {
			return err
		}
	}
	return v.render(status, "signin", "Sign in", p)
}

// signIn begins a session for an app's code and secret and a name. An unknown code and a wrong secret are told in the same words.
func (s *Console) signIn(v *visit) error {
	form, err := v.posted()
	if err != nil {
		return err
	}
	p := signInPage{Return: localPath(form.Get("return")), Code: form.Get("code"), Operator: strings.TrimSpace(form.Get("operator"))}
	if !v.ours(form.Get("csrf")) {
		p.Problem = "This form was too old, or cookies are switched off. Please try again."
		return v.form(http.StatusForbidden, p)
	}
	var f ticket.Faults
	f.Name("code", p.Code, 1, maxCode)
	f.Name("secret", form.Get("secret"), 1, maxSecret)
	f.Name("operator", p.Operator, 1, ticket.MaxName)
	if f.Err() != nil {
		p.Problem = "App code, secret and name are all needed, and none of them may be too long."
		p.Code, p.Operator = short(p.Code, maxCode), short(p.Operator, ticket.MaxName)
		return v.form(http.StatusBadRequest, p)
	}
	attempt, let := s.throttle.take(s.address(v.Ctx), p.Code)
	if !let {
		s.Log.WarnContext(v.ctx, "console.throttled", "request_id", v.requestID(), "app", p.Code, "remote", s.address(v.Ctx))
		v.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(attemptsWindow/time.Second)))
		p.Problem = "Too many attempts have failed. Please wait some minutes."
		return v.form(http.StatusTooManyRequests, p)
	}
	app, err := s.Apps.ByCode(v.ctx, p.Code, form.Get("secret"))
	switch {
	case err != nil && !ticket.Is(err, ticket.Unauthorized) && !ticket.Is(err, ticket.NotFound):
		s.throttle.forgive(attempt)
		return cannotTell(err)
	case err != nil || app.Disabled || app.Tenant == "":
		s.Log.WarnContext(v.ctx, "console.refused", "request_id", v.requestID(), "app", p.Code, "remote", s.address(v.Ctx))
		p.Problem = "The app code or the secret is not right."
		return v.form(http.StatusUnauthorized, p)
	}
	s.throttle.forgive(attempt)
	if !mayRead(app) {
		p.Problem = "This app may not read tickets."
		return v.form(http.StatusForbidden, p)
	}
	if err := v.begin(app.Code, p.Operator); err != nil {
		return err
	}
	s.Log.InfoContext(v.ctx, "console.signed_in", "request_id", v.requestID(), "tenant", app.Tenant, "app", app.Code, "operator", p.Operator,
		"remote", s.address(v.Ctx))
	return v.redirect(p.Return)
}

// signOut ends the session.
func (s *Console) signOut(v *visit) error {
	form, err := v.posted()
	if err != nil {
		return err
	}
	if v.session.App == "" {
		return v.redirect("/login")
	}
	if !v.ours(form.Get("csrf")) {
		return errExpired
	}
	s.Log.InfoContext(v.ctx, "console.signed_out", "request_id", v.requestID(), "app", v.session.App, "operator", v.session.Operator)
	v.end()
	return v.redirect("/login")
}

// posted reads a form.
func (v *visit) posted() (url.Values, error) {
	raw := v.BodyRaw()
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

func short(s string, max int) string {
	if r := []rune(s); len(r) > max {
		return string(r[:max])
	}
	return s
}
