package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

func TestReconcileTellsTicketByTicket(t *testing.T) {
	options := storetest.Options()
	options.Log = slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), storetest.SQLite(t), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	engine := &desktest.Engine{Project: s.Ledger().Project}
	on := func(e *desktest.Engine) *desk.Reconciler {
		return &desk.Reconciler{Desk: desk.New(s.Ledger(), e, desk.Options{Log: options.Log}), Books: s.Ledger(), Workflows: e}
	}
	r := on(engine)
	app := desk.Request{App: desk.App{Code: "a", Tenant: "north", Scopes: []desk.Scope{desk.Write}}, Channel: ticket.ChannelIssue, Method: "POST", Path: "/"}
	opens := func() (number string) {
		t.Helper()
		_, err := r.Desk.Open(t.Context(), app, desk.Opening{Series: ticket.SeriesIM, Draft: ticket.Draft{Channel: ticket.ChannelIssue, App: "a", Origin: "o", Title: "t"},
			Answer: func(id ticket.Identity) desk.Answer { number = id.Number; return desk.Answer{Status: 200} }})
		require.NoError(t, err)
		return number
	}
	acts := func(r *desk.Reconciler, number string, c ticket.Command) error {
		_, err := r.Desk.Handle(t.Context(), app, desk.Handling{Ticket: number, Command: c, Answer: desk.Answer{Status: 200}})
		return err
	}
	accept := ticket.Command{Action: ticket.Accept, Operator: "li"}
	reconciled := func(e *desktest.Engine, dry bool) (string, error) {
		var out bytes.Buffer
		err := reconcile(t.Context(), on(e), desk.ReconcileOptions{DryRun: dry}, &out, newProgress(&out))
		return out.String(), err
	}

	lost, well := opens(), opens()
	older := engine.Copy()
	require.NoError(t, acts(r, lost, accept))
	missing := opens()
	older.Signal(lost, 0, ticket.Command{Action: ticket.CommitSolution, Operator: "zhao", Channel: ticket.ChannelSignal, App: "signal"})
	require.ErrorIs(t, acts(on(older), lost, ticket.Command{Action: ticket.Close, Operator: "li"}), desk.ErrInDoubt)

	out, err := reconciled(older, true)
	require.NoError(t, err, out)
	require.True(t, strings.HasPrefix(out, "tickets: 0 of about 3, after 0\n"), out)
	require.Contains(t, out, "\nworkflows: 0 of about 2, after 0\n")
	require.Contains(t, out, "\n"+lost+": would be begun again: its workflow has another event 2 than the database\n  dropped: event 2, refused by zhao (signal) at ")
	require.Contains(t, out, "\n"+missing+": would be begun again: its workflow is missing\n")
	require.NotContains(t, out, well)
	require.True(t, strings.HasSuffix(out, "3 tickets compared, 0 brought up, 0 taken in, 2 begun again, 0 stopped, 0 left; nothing was changed\n"), out)

	out, err = reconciled(older, false)
	require.NoError(t, err, out)
	require.Contains(t, out, "\n"+lost+": begun again: ")
	out, err = reconciled(older, false)
	require.NoError(t, err, out)
	require.True(t, strings.HasSuffix(out, "3 tickets compared, 0 brought up, 0 taken in, 0 begun again, 0 stopped, 0 left\n"), out)
	for _, number := range []string{lost, missing} {
		require.NoError(t, acts(on(older), number, ticket.Command{Action: ticket.Close, Operator: "li"}))
	}

	older.Down = true
	_, err = reconciled(older, false)
	require.ErrorContains(t, err, "it can be run again, or with -after 0", "nobody answers for workflows")
}

func TestProgressIsABarOnATerminalAndLinesElsewhere(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out, terminal: true}
	p.tell("tickets", 0, 10, 0)
	p.tell("tickets", 5, 10, 7)
	p.clear()
	require.Contains(t, out.String(), "\r\x1b[Ktickets ["+strings.Repeat("#", 20)+strings.Repeat(".", 20)+"] 5 of about 10")
	require.True(t, strings.HasSuffix(out.String(), "\r\x1b[K"))
	require.NotContains(t, out.String(), "\n")

	out.Reset()
	p = newProgress(&out)
	for n := range 1000 {
		p.tell("tickets", n, 1000, int64(n))
	}
	require.Less(t, strings.Count(out.String(), "\n"), 5, "now and then")
	p.every = 0
	p.tell("tickets", 1000, 1000, 1234)
	require.True(t, strings.HasSuffix(out.String(), "tickets: 1000 of about 1000, after 1234\n"), fmt.Sprint(time.Now(), out.String()))
}
