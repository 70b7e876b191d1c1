// Package signin is where people say who they are.
package signin

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/ticket"
)

const (
	maxCode   = 64
	maxSecret = 255
)

// Apps finds the apps that operators sign in with. Not finding an enabled one is an Unauthorized refusal; any other error means that it
// cannot be told.
type Apps interface {
	// ByCode finds an app by its code and checks the secret.
	ByCode(ctx context.Context, code, secret string) (desk.App, error)
	// App finds an app by its code alone. It is asked on every request of somebody who has signed in, and what it says may be some seconds old.
	App(ctx context.Context, code string) (desk.App, error)
}

// Room is the area.
type Room struct {
	Apps     Apps
	throttle *throttle
}

// New makes the area.
func New(apps Apps, now func() time.Time) *Room { return &Room{Apps: apps, throttle: newThrottle(now)} }

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{Routes: []page.Route{
		{Method: http.MethodGet, Path: page.SignInPath, Right: page.Anyone, Do: r.ask},
		{Method: http.MethodPost, Path: page.SignInPath, Right: page.Anyone, Do: r.signIn},
		{Method: http.MethodPost, Path: "/logout", Right: page.Anyone, Do: r.signOut},
	}}
}

// Who tells who has signed in, as things are now. It is asked on every request.
func (r *Room) Who(ctx context.Context, s page.Session) (page.Who, error) {
	app, err := r.Apps.App(ctx, s.App)
	if err != nil {
		return page.Who{}, err
	}
	if !mayRead(app) {
		return page.Who{}, ticket.Refuse(ticket.Unauthorized, "this app may not read tickets")
	}
	return page.Who{App: app, Person: s.Person, Name: s.Person}, nil
}

func mayRead(app desk.App) bool { return !app.Disabled && app.Tenant != "" && app.May(desk.Read) }

// formView is the form, with what was typed before.
type formView struct {
	Return   string // path to go to afterwards
	Code     string
	Operator string
	Over     bool   // they have been signed in before
	Problem  string // why it did not work
}

// ask shows the form.
func (r *Room) ask(v *page.Visit) error {
	back, err := v.Ask("return", ticket.MaxURL)
	if err != nil {
		back = page.Home
	}
	over, err := v.Ask("over", 1)
	if err != nil {
		over = ""
	}
	return form(v, http.StatusOK, formView{Return: page.LocalPath(back), Over: over != ""})
}

// form shows the form of the session, which begins with it if need be.
func form(v *page.Visit, status int, f formView) error {
	if v.Session().CSRF == "" {
		if err := v.Begin(page.Session{}); err != nil {
			return err
		}
	}
	return v.Render(status, "signin/signin", v.T("signin.title"), f)
}

// signIn begins a session for an app's code and secret and a name. An unknown code and a wrong secret are told in the same words.
func (r *Room) signIn(v *page.Visit) error {
	f := formView{Return: page.LocalPath(v.Form.Get("return")), Code: v.Form.Get("code"), Operator: v.Form.Text("operator")}
	if v.Form.Expired() {
		f.Problem = v.T("signin.expired")
		return form(v, http.StatusForbidden, f)
	}
	var faults ticket.Faults
	faults.Name("code", f.Code, 1, maxCode)
	faults.Name("secret", v.Form.Get("secret"), 1, maxSecret)
	faults.Name("operator", f.Operator, 1, ticket.MaxName)
	if faults.Err() != nil {
		f.Problem = v.T("signin.incomplete")
		f.Code, f.Operator = api.Shortened(f.Code, maxCode), api.Shortened(f.Operator, ticket.MaxName)
		return form(v, http.StatusBadRequest, f)
	}
	log := v.Site().Log
	attempt, let := r.throttle.take(v.Address(), f.Code)
	if !let {
		log.WarnContext(v.Until, "console.throttled", "request_id", v.RequestID(), "app", f.Code, "remote", v.Address())
		v.Set("Retry-After", strconv.Itoa(int(attemptsWindow/time.Second)))
		f.Problem = v.T("signin.throttled")
		return form(v, http.StatusTooManyRequests, f)
	}
	app, err := r.Apps.ByCode(v.Until, f.Code, v.Form.Get("secret"))
	switch {
	case err != nil && !ticket.Is(err, ticket.Unauthorized) && !ticket.Is(err, ticket.NotFound):
		r.throttle.forgive(attempt)
		return page.Unavailable(err)
	case err != nil || app.Disabled || app.Tenant == "":
		log.WarnContext(v.Until, "console.refused", "request_id", v.RequestID(), "app", f.Code, "remote", v.Address())
		f.Problem = v.T("signin.wrong")
		return form(v, http.StatusUnauthorized, f)
	}
	r.throttle.forgive(attempt)
	if !mayRead(app) {
		f.Problem = v.T("signin.not_reading")
		return form(v, http.StatusForbidden, f)
	}
	if err := v.Begin(page.Session{App: app.Code, Person: f.Operator}); err != nil {
		return err
	}
	log.InfoContext(v.Until, "console.signed_in", "request_id", v.RequestID(), "tenant", app.Tenant, "app", app.Code, "operator", f.Operator, "remote", v.Address())
	return v.To(f.Return)
}

// signOut ends the session.
func (r *Room) signOut(v *page.Visit) error {
	s := v.Session()
	if !s.SignedIn() {
		return v.To(page.SignInPath)
	}
	v.Site().Log.InfoContext(v.Until, "console.signed_out", "request_id", v.RequestID(), "app", s.App, "operator", s.Person)
	v.End()
	return v.To(page.SignInPath)
}
