package signin

import (
	"context"
	"net/http"

	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

// passwordView is the page on which somebody changes their own password.
type passwordView struct {
	MustChange bool
	Person     string // for the browser, which keeps passwords by it
	Min        int
	Problem    string
	Of         string // the field that the problem is of
}

// askPassword shows the form.
func (r *Room) askPassword(v *page.Visit) error { return r.passwordForm(v, http.StatusOK, "", "") }

func (r *Room) passwordForm(v *page.Visit, status int, of, problem string) error {
	if v.Who.App.Code == "" {
		return v.To(page.SignInPath)
	}
	if !v.Who.Password {
		return page.ErrNoPage
	}
	return v.Render(status, "signin/password", v.T("signin.password_title"),
		passwordView{MustChange: v.Who.MustChange, Person: v.Who.Person, Min: people.MinPassword, Problem: problem, Of: of})
}

// changePassword gives whoever has signed in with a password another one, where they show that they know it.
func (r *Room) changePassword(v *page.Visit) error {
	if v.Form.Expired() || v.Who.App.Code == "" || !v.Who.Password {
		return r.askPassword(v)
	}
	tenant, person, old, wanted := v.Who.App.Tenant, v.Who.Person, v.Form.Get("old"), v.Form.Get("new")
	if wanted != v.Form.Get("again") {
		return r.passwordForm(v, http.StatusBadRequest, "again", v.T("signin.password_two"))
	}
	if old == wanted {
		return r.passwordForm(v, http.StatusBadRequest, "new", v.T("signin.password_same"))
	}
	attempt, let := r.throttle.take(v.Address(), "person "+tenant+"/"+people.Folded(person))
	if !let {
		return r.passwordForm(v, http.StatusTooManyRequests, "old", v.T("signin.throttled"))
	}
	switch _, err := r.People.CheckPassword(v.Until, tenant, person, old); {
	case ticket.Is(err, ticket.Unauthorized):
		v.Site().Log.WarnContext(v.Until, "console.refused", "request_id", v.RequestID(), "who", "person "+tenant+"/"+person, "remote", v.Address())
		return r.passwordForm(v, http.StatusBadRequest, "old", v.T("signin.password_wrong"))
	case err != nil:
		r.throttle.forgive(attempt)
		return page.Unavailable(err)
	}
	r.throttle.forgive(attempt)
	hash, err := r.People.HashPassword(v.Until, person, wanted)
	if ticket.Is(err, ticket.Invalid) {
		return r.passwordForm(v, http.StatusBadRequest, "new", v.Reason(ticket.AsError(err).Message))
	}
	if err != nil {
		return err
	}
	_, err = r.Desk.Transact(v.Until, v.SecretRequest(), func(ctx context.Context) (desk.Answer, error) {
		return desk.Answer{Status: http.StatusOK, Body: []byte("null")}, r.People.SetPassword(ctx, tenant, desk.PagesApp, people.Key{ID: person}, hash, false)
	})
	if err != nil {
		return err
	}
	r.accounts.forget(tenant, person)
	account, err := r.People.Account(v.Until, tenant, person)
	if err != nil {
		return err
	}
	s := v.Session() // all other sessions of theirs are over
	s.PasswordAt = account.PasswordAt.UnixMicro()
	if err := v.Begin(s); err != nil {
		return err
	}
	return v.Done(page.Home, v.T("signin.password_done"))
}
