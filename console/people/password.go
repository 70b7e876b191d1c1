package people

import (
	"context"
	"net/http"

	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

// Passwords are what persons sign in with.
type Passwords interface {
	// HashPassword checks a password that a person is to have and gives what is kept of it, which takes its time; Invalid.
	HashPassword(ctx context.Context, person, password string) (people.PasswordHash, error)
	// SetPassword gives a person a password; mustChange has them choose another one first. It joins the transaction that ctx carries. NotFound.
	SetPassword(ctx context.Context, tenant, app string, k people.Key, hash people.PasswordHash, mustChange bool) error
}

// passwordView is the form by which an admin gives somebody a password.
type passwordView struct {
	Path, Back, Label string
	Min               int
	MustChange        bool
	Fault             page.Fault
}

// password shows it. Whoever signs in with a password changes their own elsewhere, where they show that they know it.
func (r *Room) password(v *page.Visit, p people.PersonRecord) error {
	return r.passwordForm(v, http.StatusOK, p, passwordView{MustChange: true})
}

func (r *Room) passwordForm(v *page.Visit, status int, p people.PersonRecord, w passwordView) error {
	if r.Passwords == nil {
		return page.ErrNoPage
	}
	if v.Who.Own && v.Who.Person == p.ID && v.Who.Password {
		return v.To(page.PasswordPath)
	}
	w.Path, w.Back, w.Label, w.Min = pathOf(p.ID)+"/password", pathOf(p.ID), p.Label(), people.MinPassword
	return v.Render(status, "people/password", v.T("people.password.title", "Name", p.Label()), w)
}

// setPassword gives a person a password. Whoever has signed in as them has to sign in again.
func (r *Room) setPassword(v *page.Visit, p people.PersonRecord) error {
	w := passwordView{MustChange: v.Form.On("must_change")}
	if r.Passwords == nil || v.Who.Own && v.Who.Person == p.ID && v.Who.Password {
		return r.passwordForm(v, http.StatusOK, p, w)
	}
	wanted := v.Form.Get("new")
	if wanted != v.Form.Get("again") {
		w.Fault = page.Fault{Field: "again", Text: v.T("signin.password_two")}
		return r.passwordForm(v, http.StatusBadRequest, p, w)
	}
	hash, err := r.Passwords.HashPassword(v.Until, p.ID, wanted)
	if refusal := ticket.AsError(err); refusal != nil && refusal.Code == ticket.Invalid {
		w.Fault = page.Fault{Field: "new", Text: v.Reason(refusal.Message)}
		return r.passwordForm(v, http.StatusBadRequest, p, w)
	}
	if err != nil {
		return err
	}
	_, err = r.Desk.Transact(v.Until, v.SecretRequest(), func(ctx context.Context) (desk.Answer, error) {
		return desk.Answer{Status: http.StatusOK, Body: []byte("null")}, r.Passwords.SetPassword(ctx, v.Who.App.Tenant, v.Who.By(), people.Key{ID: p.ID}, hash, w.MustChange)
	})
	if err != nil {
		return err
	}
	r.Forget(v.Who.App.Tenant, p.ID)
	return v.Done(pathOf(p.ID), v.T("people.password.done", "Name", p.Label()))
}
