package desk_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// trueStore is a desk over a store of its own and an engine in memory.
func trueStore(t *testing.T) (*desk.Desk, *store.Store, *desktest.Engine) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), storetest.SQLite(t), store.Options{MasterKey: []byte(storetest.MasterKey), Log: quiet})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	engine := &desktest.Engine{Project: s.Ledger().Project}
	return desk.New(s.Ledger(), engine, desk.Options{Log: quiet}), s, engine
}

// TestOneTicketForWhatIsOneCaseOutside: however many callers open a ticket for the same case at once, and whatever each of them says, there is one
// ticket, and all hear its number.
func TestOneTicketForWhatIsOneCaseOutside(t *testing.T) {
	d, s, engine := trueStore(t)
	open := func(app, path, once, title, key string) (string, error) {
		r := desk.Request{App: desk.App{Code: app, Tenant: "north"}, Channel: ticket.ChannelException, Method: "POST", Path: path, Key: key, Fingerprint: title}
		for {
			reply, err := d.Open(t.Context(), r, desk.Opening{
				Series: ticket.SeriesIM, Draft: ticket.Draft{Channel: ticket.ChannelException, App: app, Origin: "jira", Title: title}, Once: once,
				Answer: func(id ticket.Identity) desk.Answer {
					return desk.Answer{Status: 200, Body: fmt.Appendf(nil, `%q`, id.Number)}
				},
			})
			if !ticket.Is(err, ticket.Busy) { // the first is still at it
				return string(reply.Body), err
			}
			time.Sleep(time.Millisecond)
		}
	}
	const callers = 20
	heard := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			number, err := open("shop", fmt.Sprint("/cases?n=", i), "RECON-1", fmt.Sprint("case as seen by ", i), fmt.Sprint("key-", i))
			if err != nil {
				number = err.Error()
			}
			heard[i] = number
		})
	}
	all.Wait()
	require.Len(t, engine.Numbers(), 1)
	for _, number := range heard {
		require.Equal(t, fmt.Sprintf("%q", engine.Numbers()[0]), number)
	}

	// It is found after the claim has been forgotten, too.
	pruned, err := s.PruneOperations(t.Context(), time.Now().Add(time.Hour), 1_000)
	require.NoError(t, err)
	require.NotZero(t, pruned)
	number, err := open("shop", "/cases", "RECON-1", "", "")
	require.NoError(t, err, "what is opened already needs no draft")
	require.Equal(t, heard[0], number)

	// Another case, app or call is another ticket.
	for n, other := range [][]string{{"shop", "/cases", "RECON-2"}, {"eye", "/cases", "RECON-1"}, {"shop", "/other", "RECON-1"}} {
		_, err := open(other[0], other[1], other[2], "another", "")
		require.NoError(t, err)
		require.Len(t, engine.Numbers(), n+2)
	}
	_, err = open("shop", "/cases", "RECON-3", "", "")
	require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
	require.Len(t, engine.Numbers(), 4)
}

// TestACaseThatTheDatabaseForgotHasNoSecondTicket has a database that was put back: it knows neither the ticket of a case nor who asked for it. Temporal does.
func TestACaseThatTheDatabaseForgotHasNoSecondTicket(t *testing.T) {
	d, _, engine := trueStore(t)
	open := func(d *desk.Desk, gate desk.Gate) (desk.Reply, error) {
		r := desk.Request{App: desk.App{Code: "shop", Tenant: "north"}, Channel: ticket.ChannelException, Method: "POST", Path: "/cases"}
		return d.Open(t.Context(), r, desk.Opening{
			Series: ticket.SeriesIM, Draft: ticket.Draft{Channel: ticket.ChannelException, App: "shop", Origin: "jira", Title: "y"}, Once: "RECON-1", Gate: gate,
			Answer: func(id ticket.Identity) desk.Answer {
				return desk.Answer{Status: 200, Body: fmt.Appendf(nil, `%q`, id.Number)}
			},
		})
	}
	first, err := open(d, nil)
	require.NoError(t, err)
	quiet := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), storetest.SQLite(t), store.Options{MasterKey: []byte(storetest.MasterKey), Log: quiet})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	engine.Project = s.Ledger().Project
	d = desk.New(s.Ledger(), engine, desk.Options{Log: quiet})
	asked := 0
	for range 2 {
		again, err := open(d, func(context.Context) error { asked++; return nil })
		require.NoError(t, err)
		require.Equal(t, desk.Reply{Answer: first.Answer, Replayed: true}, again)
	}
	require.Zero(t, asked, "nothing was opened that a budget would have to let through")
	require.Len(t, engine.Numbers(), 1)
	kept, err := s.Ledger().Ticket(t.Context(), "north", engine.Numbers()[0])
	require.NoError(t, err, "it is there again")
	require.EqualValues(t, 1, kept.Seq)
}
