// Package signin is where people say who they are: by a password, by an identity provider, or, for set-up, as an app with its secret. It tells on every request who has
// signed in, as things are then.
package signin

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signalbox/api"
	"signalbox/console/oidc"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

const (
	maxCode   = 64
	maxSecret = 255
	maxTenant = 64
)

// Apps finds the apps that operators sign in with. Not finding an enabled one is an Unauthorized refusal; any other error means that it
// cannot be told.
type Apps interface {
	// ByCode finds an app by its code and checks the secret.
	ByCode(ctx context.Context, code, secret string) (desk.App, error)
	// App finds an app by its code alone. It is asked on every request of somebody who has signed in, and what it says may be some seconds old.
	App(ctx context.Context, code string) (desk.App, error)
}

// People knows the persons who sign in.
type People interface {
	// CheckPassword finds the active person whose password that is; Unauthorized.
	CheckPassword(ctx context.Context, tenant, id, password string) (people.Account, error)
	// Account tells who a person is at present; one who is not known is no error.
	Account(ctx context.Context, tenant, id string) (people.Account, error)
	// PasswordTenants tells which tenant has persons with passwords, and whether there are several; empty: none has.
	PasswordTenants(ctx context.Context) (one string, several bool, err error)
	// HashPassword checks a password that a person is to have and gives what is kept of it, which takes its time; Invalid.
	HashPassword(ctx context.Context, person, password string) (people.PasswordHash, error)
	// SetPassword gives a person a password. It joins the transaction that ctx carries. NotFound.
	SetPassword(ctx context.Context, tenant, app string, k people.Key, hash people.PasswordHash, mustChange bool) error
}

// Provider is an identity provider; *oidc.Provider is one.
type Provider interface {
	Begin(ctx context.Context) (address string, keep oidc.Pending, err error)
	Finish(ctx context.Context, kept oidc.Pending, query url.Values) (oidc.Identity, error)
	SignOut(ctx context.Context, token, back string) string
}

// Config is what the area stands on. Apps and Now are needed. Without People nobody signs in as a person.
type Config struct {
	Apps       Apps
	People     People
	Desk       api.Desk // needed with People
	Now        func() time.Time
	AdminGroup string // whose members are admins

	Provider  Provider // nil: there is none
	Tenant    string   // of those who come from it
	Label     string   // of its button
	PublicURL string   // where the pages are found, for the way back from signing out there
}

// Room is the area.
type Room struct {
	Config
	throttle *throttle
	accounts *accounts
}

// New makes the area.
func New(c Config) *Room {
	return &Room{Config: c, throttle: newThrottle(c.Now), accounts: newAccounts(c.Now)}
}

// The paths of the area besides page.SignInPath.
const (
	providerPath = page.SignInPath + "/oidc"
	// BackPath is where the identity provider sends people back to.
	BackPath     = providerPath + "/back"
	passwordPath = page.PasswordPath
)

// Area gives its routes.
func (r *Room) Area() page.Area {
	return page.Area{Routes: []page.Route{
		{Method: http.MethodGet, Path: page.SignInPath, Right: page.Anyone, Do: r.ask},
		{Method: http.MethodPost, Path: page.SignInPath, Right: page.Anyone, Do: r.signIn},
		{Method: http.MethodGet, Path: page.HeldPath, Right: page.Read, Do: r.held},
		{Method: http.MethodPost, Path: page.HeldPath, Right: page.Read, Do: r.leave},
		{Method: http.MethodGet, Path: providerPath, Right: page.Anyone, Do: r.toProvider},
		{Method: http.MethodGet, Path: BackPath, Right: page.Anyone, Do: r.fromProvider},
		{Method: http.MethodPost, Path: page.SignOutPath, Right: page.Anyone, Do: r.signOut},
		{Method: http.MethodGet, Path: passwordPath, Right: page.Anyone, Do: r.askPassword},
		{Method: http.MethodPost, Path: passwordPath, Right: page.Anyone, Do: r.changePassword},
	}}
}

func mayRead(app desk.App) bool {
	return !app.Disabled && app.Tenant != "" && app.Code != desk.PagesApp && app.May(desk.Read)
}

// typed is what somebody typed who is asked again; secrets are never sent back. It is kept in the browser while they are signed in, and after their session is over.
type typed struct {
	Tenant   string `json:"t,omitempty"`
	Person   string `json:"p,omitempty"`
	Code     string `json:"a,omitempty"`
	Operator string `json:"o,omitempty"`
}

const (
	typedCookie = "typed"
	typedFor    = 30 * 24 * time.Hour
)

// formView is the page, with what was typed before.
type formView struct {
	typed
	Return   string // path to go to afterwards
	Over     bool   // they have been signed in before
	Problem  string // why it did not work
	AsApp    bool   // the form for apps is open
	Persons  bool   // there are persons with passwords
	Several  bool   // of several tenants
	Provider string // what its button says; empty: there is none
}

// ask shows the forms.
func (r *Room) ask(v *page.Visit) error {
	f := formView{Return: r.returning(v)}
	over, err := v.Ask("over", 1)
	f.Over = err == nil && over != ""
	v.Kept(typedCookie, &f.typed)
	f.AsApp = f.Code != ""
	return r.form(v, http.StatusOK, f)
}

// returning is where the visitor wants to go afterwards.
func (r *Room) returning(v *page.Visit) string {
	back, err := v.Ask("return", ticket.MaxURL)
	if err != nil {
		return page.Home
	}
	return page.LocalPath(back)
}

// form shows the forms of the session, which begins with them if need be.
func (r *Room) form(v *page.Visit, status int, f formView) error {
	if v.Session().CSRF == "" {
		if err := v.Begin(page.Session{}); err != nil {
			return err
		}
	}
	if r.Provider != nil {
		f.Provider = cmp.Or(r.Label, v.T("signin.provider"))
	}
	if r.People != nil {
		one, several, err := r.People.PasswordTenants(v.Until)
		if f.Persons, f.Several = one != "" || err != nil, several || err != nil; err != nil {
			v.Site().Log.WarnContext(v.Until, "console.passwords", "request_id", v.RequestID(), "error", err)
		}
	}
	f.AsApp = f.AsApp || !f.Persons && r.Provider == nil
	return v.Render(status, "signin/signin", v.T("signin.title"), f)
}

// signIn begins a session for whoever shows a password or a secret.
func (r *Room) signIn(v *page.Visit) error {
	f := formView{Return: page.LocalPath(v.Form.Get("return")), AsApp: v.Form.Has("code"),
		typed: typed{Tenant: v.Form.Text("tenant"), Person: v.Form.Text("person"), Code: v.Form.Get("code"), Operator: v.Form.Text("operator")}}
	if v.Form.Expired() {
		f.Problem = v.T("signin.expired")
		return r.form(v, http.StatusForbidden, f)
	}
	if f.AsApp {
		return r.asApp(v, f)
	}
	return r.asPerson(v, f)
}

// asApp signs in with an app's code and secret and a name. An unknown code and a wrong secret are told in the same words.
func (r *Room) asApp(v *page.Visit, f formView) error {
	var faults ticket.Faults
	faults.Name("code", f.Code, 1, maxCode)
	faults.Name("secret", v.Form.Get("secret"), 1, maxSecret)
	faults.Name("operator", f.Operator, 1, ticket.MaxName)
	if faults.Err() != nil {
		f.Problem = v.T("signin.incomplete")
		f.Code, f.Operator = api.Shortened(f.Code, maxCode), api.Shortened(f.Operator, ticket.MaxName)
		return r.form(v, http.StatusBadRequest, f)
	}
	var app desk.App
	if done, err := r.tried(v, f, "app "+f.Code, v.T("signin.wrong"), func() (err error) {
		if app, err = r.Apps.ByCode(v.Until, f.Code, v.Form.Get("secret")); err == nil && (app.Disabled || app.Tenant == "") {
			err = ticket.Refuse(ticket.Unauthorized, "the app is disabled")
		}
		return err
	}); done {
		return err
	}
	if !mayRead(app) {
		f.Problem = v.T("signin.not_reading")
		return r.form(v, http.StatusForbidden, f)
	}
	return r.begin(v, f, page.Session{App: app.Code, Person: f.Operator}, app.Tenant)
}

// asPerson signs in with a person's password. Somebody who is not known and a wrong password are told in the same words.
func (r *Room) asPerson(v *page.Visit, f formView) error {
	if r.People == nil {
		return page.ErrNoPage
	}
	tenant := f.Tenant
	if tenant == "" { // it was not asked for where there is one alone
		one, several, err := r.People.PasswordTenants(v.Until)
		if err != nil {
			return page.Unavailable(err)
		}
		if !several {
			tenant = one
		}
	}
	var faults ticket.Faults
	faults.Name("tenant", tenant, 0, maxTenant)
	faults.Name("person", f.Person, 1, people.MaxName)
	if password := v.Form.Get("password"); faults.Err() != nil || password == "" || len(password) > 4*people.MaxPassword {
		f.Problem = v.T("signin.incomplete_person")
		f.Tenant, f.Person = api.Shortened(f.Tenant, maxTenant), api.Shortened(f.Person, people.MaxName)
		return r.form(v, http.StatusBadRequest, f)
	}
	var account people.Account
	if done, err := r.tried(v, f, "person "+tenant+"/"+people.Folded(f.Person), v.T("signin.wrong_person"), func() (err error) {
		account, err = r.People.CheckPassword(v.Until, tenant, f.Person, v.Form.Get("password"))
		return err
	}); done {
		return err
	}
	return r.begin(v, f, page.Session{App: desk.PagesApp, Tenant: tenant, Person: account.ID, PasswordAt: account.PasswordAt.UnixMicro()}, tenant)
}

// tried does what tells whether somebody is who they say, as often as guessing is let. done: it has answered, with why not.
func (r *Room) tried(v *page.Visit, f formView, who, wrong string, try func() error) (done bool, err error) {
	log := v.Site().Log
	attempt, let := r.throttle.take(v.Address(), who)
	if !let {
		log.WarnContext(v.Until, "console.throttled", "request_id", v.RequestID(), "who", who, "remote", v.Address())
		v.Set("Retry-After", strconv.Itoa(int(attemptsWindow/time.Second)))
		f.Problem = v.T("signin.throttled")
		return true, r.form(v, http.StatusTooManyRequests, f)
	}
	switch err := try(); {
	case ticket.Is(err, ticket.Unauthorized), ticket.Is(err, ticket.NotFound):
		log.WarnContext(v.Until, "console.refused", "request_id", v.RequestID(), "who", who, "remote", v.Address())
		f.Problem = wrong
		return true, r.form(v, http.StatusUnauthorized, f)
	case err != nil:
		r.throttle.forgive(attempt)
		return true, page.Unavailable(err)
	}
	r.throttle.forgive(attempt)
	return false, nil
}

// begin begins a session and leads to where the visitor wanted to go.
func (r *Room) begin(v *page.Visit, f formView, s page.Session, tenant string) error {
	r.accounts.forget(s.Tenant, s.Person)
	if err := v.Begin(s); err != nil {
		return err
	}
	if err := v.Keep(typedCookie, f.typed, typedFor); err != nil {
		return err
	}
	v.Site().Log.InfoContext(v.Until, "console.signed_in", "request_id", v.RequestID(), "tenant", tenant, "app", s.App, "operator", s.Person, "provider", s.Provider, "remote", v.Address())
	if v.Holds(s) {
		return v.To(page.HeldPath)
	}
	return v.To(f.Return)
}

type heldView struct {
	page.Held
	There bool
	Typed []page.Typed
}

// held shows the form that somebody sent when their session was over, which sends it when they say so.
func (r *Room) held(v *page.Visit) error {
	h, ok := v.HeldForm()
	return v.Render(http.StatusOK, "signin/held", v.T("held.title"), heldView{Held: h, There: ok, Typed: page.TypedIn(h.Fields)})
}

// leave drops that form.
func (r *Room) leave(v *page.Visit) error {
	h, _ := v.HeldForm()
	v.DropHeld()
	return v.To(page.LocalPath(h.Back))
}

// signOut ends the session, and that of the identity provider where it has a place for it.
func (r *Room) signOut(v *page.Visit) error {
	s := v.Session()
	if !s.SignedIn() {
		return v.To(page.SignInPath)
	}
	v.Site().Log.InfoContext(v.Until, "console.signed_out", "request_id", v.RequestID(), "app", s.App, "operator", s.Person)
	var token string
	v.KeptAt(tokenCookie, &token)
	v.End()
	v.Forget(typedCookie)
	if !s.Provider || r.Provider == nil {
		return v.To(page.SignInPath)
	}
	v.ForgetAt(page.SignOutPath, tokenCookie)
	address := r.Provider.SignOut(v.Until, token, r.PublicURL+page.SignInPath)
	if address == "" {
		return v.To(page.SignInPath)
	}
	// Not a redirect: browsers hold what a form leads to against form-action, which is this host alone.
	v.Set("Refresh", "0; url="+address)
	return v.Render(http.StatusOK, "signin/out", v.T("signin.out"), address)
}
