package console_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

var began = time.Date(2026, 11, 24, 9, 15, 4, 123456000, time.UTC)

// records is the true store, on SQLite, filled with what the rule book decides.
type records struct {
	*apitest.Backend
	now    time.Time
	opened int64 // how many tickets
}

// kept is a ticket as it is in the store.
type kept struct{ ticket ticket.Ticket }

func newRecords(t testing.TB) *records {
	r := &records{Backend: apitest.NewBackend(t, nil), now: began}
	r.Now = func() time.Time { return r.now }
	return r
}

// open opens a ticket.
func (r *records) open(t testing.TB, tenant string, d ticket.Draft) *kept {
	t.Helper()
	r.opened++
	n := r.opened
	id := ticket.Identity{ID: n, Number: ticket.SeriesIM.Number(r.now, n), UUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Tenant: tenant}
	events, err := ticket.Open(d, id, "op", r.now)
	require.NoError(t, err)
	k := &kept{ticket.Ticket{Identity: id}}
	r.project(t, k, events...)
	return k
}

// do lets something happen to a ticket, a minute and a bit later.
func (r *records) do(t testing.TB, k *kept, c ticket.Command) {
	t.Helper()
	r.now = r.now.Add(61*time.Second + 7*time.Millisecond)
	if c.App == "" {
		c.App = "shop"
	}
	if c.Channel == "" {
		c.Channel = ticket.ChannelIssue
	}
	now := k.ticket
	if now.Ended() {
		now.Generation++ // as the desk has it: what is still allowed begins the next generation
	}
	events, err := ticket.Decide(now, c, r.now)
	require.NoError(t, err)
	require.NotEmpty(t, events, c.Action)
	r.project(t, k, events...)
}

// project writes down what happened to a ticket.
func (r *records) project(t testing.TB, k *kept, events ...ticket.Event) {
	t.Helper()
	require.NoError(t, r.Ledger().Project(t.Context(), k.ticket.Identity, events))
	var err error
	k.ticket, err = r.Store.Ticket(t.Context(), k.ticket.Tenant, k.ticket.Number)
	require.NoError(t, err)
}

// register adds an address that is told of a ticket, and gives its ID.
func (r *records) register(t testing.TB, k *kept, url string) string {
	t.Helper()
	r.now = r.now.Add(time.Millisecond) // addresses are listed in the order in which they were added
	sub, err := r.Register(t.Context(), k.ticket, notice.Subscription{URL: url})
	require.NoError(t, err)
	return sub.ID
}

// try is a try at a delivery, so many minutes after everything began.
func try(minutes, status int, class notice.ErrorClass, text, answer string, took time.Duration) notice.Attempt {
	start := began.Add(time.Duration(minutes) * time.Minute)
	return notice.Attempt{StartedAt: start, FinishedAt: start.Add(took), Status: status, Class: class, Error: text, Answer: []byte(answer)}
}

// apps are apps by code; an app's secret is its code with "-secret" behind it.
type apps struct {
	mu  sync.Mutex
	all map[string]desk.App
	err error
}

func newApps() *apps {
	return &apps{all: map[string]desk.App{
		"shop":   {Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write}},
		"eye":    {Code: "eye", Tenant: "north", Scopes: []desk.Scope{desk.Read}},
		"other":  {Code: "other", Tenant: "south", Scopes: []desk.Scope{desk.Read}},
		"nobody": {Code: "nobody", Tenant: "north"},
		"gone":   {Code: "gone", Tenant: "north", Scopes: []desk.Scope{desk.Read}, Disabled: true},
	}}
}

var errUnknown = ticket.Refuse(ticket.Unauthorized, "the credential is not valid")

func (a *apps) ByCode(ctx context.Context, code, secret string) (desk.App, error) {
	app, err := a.App(ctx, code)
	if err == nil && secret != code+"-secret" {
		return desk.App{}, errUnknown
	}
	return app, err
}

func (a *apps) App(_ context.Context, code string) (desk.App, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	app, ok := a.all[code]
	switch {
	case a.err != nil:
		return desk.App{}, a.err
	case !ok || app.Disabled:
		return desk.App{}, errUnknown
	}
	return app, nil
}

func (a *apps) set(app desk.App) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[app.Code] = app
}
