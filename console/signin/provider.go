package signin

import (
	"net/http"
	"time"

	"signalbox/console/oidc"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/ticket"
)

const (
	// pendingCookie keeps a sign-in until the provider sends the visitor back, which has to be within pendingFor.
	pendingCookie = "oidc"
	pendingFor    = 10 * time.Minute
	// tokenCookie keeps the ID token for signing out, where browsers keep as much (RFC 6265, section 6.1: 4096 octets, which it is larger than encrypted).
	tokenCookie = "token"
	maxToken    = 2_800
)

// pending is a sign-in that the provider is asked for.
type pending struct {
	oidc.Pending
	Return  string    `json:"r"`
	Expires time.Time `json:"e"`
}

// toProvider sends the visitor to the identity provider.
func (r *Room) toProvider(v *page.Visit) error {
	if r.Provider == nil {
		return page.ErrNoPage
	}
	back := r.returning(v)
	address, keep, err := r.Provider.Begin(v.Until)
	if err != nil {
		return r.notSignedIn(v, back, err)
	}
	if err := v.Keep(pendingCookie, pending{keep, back, r.Now().Add(pendingFor)}, pendingFor); err != nil {
		return err
	}
	return v.To(address)
}

// fromProvider begins a session for whoever the identity provider vouches for.
func (r *Room) fromProvider(v *page.Visit) error {
	if r.Provider == nil {
		return page.ErrNoPage
	}
	query, err := v.Asked()
	if err != nil {
		return err
	}
	var kept pending
	if !v.Kept(pendingCookie, &kept) || !r.Now().Before(kept.Expires) {
		kept = pending{Return: page.Home}
	}
	v.Forget(pendingCookie)
	who, err := r.Provider.Finish(v.Until, kept.Pending, query)
	if err != nil {
		return r.notSignedIn(v, page.LocalPath(kept.Return), err)
	}
	account, err := r.People.Account(v.Until, r.Tenant, who.ID)
	switch {
	case err != nil:
		return page.Unavailable(err)
	case account.Known && !account.Active:
		return r.notSignedIn(v, page.LocalPath(kept.Return), errNotActive)
	}
	if len(who.Token) <= maxToken {
		if err := v.KeepAt(page.SignOutPath, tokenCookie, who.Token, page.SessionFor); err != nil {
			return err
		}
	}
	return r.begin(v, formView{Return: page.LocalPath(kept.Return)},
		page.Session{App: desk.PagesApp, Tenant: r.Tenant, Person: account.ID, Name: who.Name, Provider: true, Admin: r.isAdmin(who.Groups)}, r.Tenant)
}

var errNotActive = ticket.Refuse(ticket.Unauthorized, "the person is not active")

// notSignedIn shows the forms again, and why the provider's way did not work. The causes are for the log.
func (r *Room) notSignedIn(v *page.Visit, back string, err error) error {
	v.Site().Log.WarnContext(v.Until, "console.refused", "request_id", v.RequestID(), "who", "of the identity provider", "remote", v.Address(), "error", err)
	f, status := formView{Return: back}, http.StatusUnauthorized
	switch {
	case ticket.Is(err, ticket.Unavailable):
		f.Problem, status = v.T("signin.provider_away"), http.StatusServiceUnavailable
		v.Set("Retry-After", "2")
	case ticket.Is(err, ticket.Forbidden):
		f.Problem, status = v.T("signin.provider_expired"), http.StatusForbidden
	case ticket.Is(err, ticket.Unauthorized):
		f.Problem = v.T("signin.provider_no")
	default:
		return err
	}
	return r.form(v, status, f)
}
