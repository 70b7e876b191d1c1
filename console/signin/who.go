package signin

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

var errOver = ticket.Refuse(ticket.Unauthorized, "the session is over")

// Who tells who has signed in, as things are now or were a moment ago. It is asked on every request.
func (r *Room) Who(ctx context.Context, s page.Session) (page.Who, error) {
	if s.App == desk.PagesApp {
		return r.person(ctx, s)
	}
	app, err := r.Apps.App(ctx, s.App)
	if err != nil {
		return page.Who{}, err
	}
	if !mayRead(app) {
		return page.Who{}, ticket.Refuse(ticket.Unauthorized, "this app may not read tickets")
	}
	return page.Who{App: app, Person: s.Person, Name: s.Person}, nil
}

// person is somebody who acts as themselves: still active, and with the password that they signed in with.
func (r *Room) person(ctx context.Context, s page.Session) (page.Who, error) {
	if r.People == nil || s.Tenant == "" || s.Provider && (r.Provider == nil || s.Tenant != r.Tenant) {
		return page.Who{}, errOver
	}
	account, err := r.accounts.get(s.Tenant, s.Person, func() (people.Account, error) { return r.People.Account(ctx, s.Tenant, s.Person) })
	switch {
	case err != nil:
		return page.Who{}, err
	case account.Known && !account.Active, !s.Provider && (account.PasswordAt.IsZero() || account.PasswordAt.UnixMicro() != s.PasswordAt):
		return page.Who{}, errOver
	}
	return page.Who{
		App: desk.Pages(s.Tenant, s.Admin || r.isAdmin(account.Groups)), Person: account.ID, Name: cmp.Or(account.Name, s.Name, account.ID), Own: true,
		Groups: account.Groups, Password: !s.Provider, MustChange: !s.Provider && account.MustChange,
	}, nil
}

// Forget has a person be looked for anew at the next request, instead of some seconds later.
func (r *Room) Forget(tenant, person string) { r.accounts.forget(tenant, person) }

func (r *Room) isAdmin(groups []string) bool {
	return r.AdminGroup != "" && slices.Contains(groups, r.AdminGroup)
}

const (
	// accountsFor is how long what is known of an account is not asked for again: how long somebody who is deactivated goes on at most.
	accountsFor = 2 * time.Second
	// accountsKept bounds how many are known.
	accountsKept = 10_000
)

// accounts remembers for a moment who people are.
type accounts struct {
	now   func() time.Time
	mu    sync.Mutex
	known map[[2]string]knownAccount
}

type knownAccount struct {
	people.Account
	until time.Time
}

func newAccounts(now func() time.Time) *accounts {
	return &accounts{now: now, known: map[[2]string]knownAccount{}}
}

func (a *accounts) get(tenant, person string, find func() (people.Account, error)) (people.Account, error) {
	key, now := [2]string{tenant, person}, a.now()
	a.mu.Lock()
	had, ok := a.known[key]
	a.mu.Unlock()
	if ok && now.Before(had.until) {
		return had.Account, nil
	}
	account, err := find()
	if err != nil {
		return account, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= accountsKept {
		clear(a.known)
	}
	a.known[key] = knownAccount{account, now.Add(accountsFor)}
	return account, nil
}

// forget has the person be looked for anew.
func (a *accounts) forget(tenant, person string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, [2]string{tenant, person})
}
