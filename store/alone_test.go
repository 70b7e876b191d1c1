package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// away ends the session in which a PostgreSQL server knows that somebody works alone, as where its connection is lost; on SQLite it has them stand still for too long.
func (b *bench) away() {
	b.t.Helper()
	if !strings.HasPrefix(b.dsn, "postgres") {
		b.clock.pass(31 * time.Second)
		return
	}
	require.Equal(b.t, 1, b.count(`SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`))
	require.Eventually(b.t, func() bool {
		return b.count(`SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 0
	}, time.Minute, 5*time.Millisecond)
}

// Whatever rewrites the read model, or counts, is done by one at a time: who comes second is told who is at it, and since when, and changes nothing.
func TestOneRewritesTheReadModelAtATime(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		other := &bench{Store: b.under(masterKey), t: t, clock: b.clock, dsn: b.dsn, beside: b.beside}
		other.ledger = other.Store.Ledger()
		r, _ := other.rebuilder(s)
		b.tamper(`UPDATE tally_entries SET counts = replace(counts, '"n":1', '"n":5')`, `UPDATE tickets SET origin = 'z'`)
		want := b.readModel()
		none := func(desk.RebuildFinding) {}
		var held *store.Held
		require.NoError(t, b.ledger.Alone(t.Context(), "migrate reconcile", func(ctx context.Context) error {
			began := b.clock.Now()
			b.clock.pass(time.Second)
			for what, do := range map[string]func() error{
				"rebuild":       func() error { _, err := r.Rebuild(t.Context(), desk.RebuildOptions{}, none); return err },
				"of one tenant": func() error { _, err := r.Rebuild(t.Context(), desk.RebuildOptions{Tenant: "a"}, none); return err },
				"of one ticket": func() error {
					_, err := r.Rebuild(t.Context(), desk.RebuildOptions{Tickets: []string{s.ticket.Number}}, none)
					return err
				},
				"reconcile": func() error {
					_, err := r.Reconcile(t.Context(), desk.ReconcileOptions{}, func(desk.Finding) {})
					return err
				},
				"revive": func() error {
					_, err := r.Reconcile(t.Context(), desk.ReconcileOptions{Lost: true}, func(desk.Finding) {})
					return err
				},
				"of this itself": func() error {
					return b.ledger.Alone(t.Context(), "x", func(context.Context) error { return errors.New("it was run") })
				},
			} {
				held = nil
				require.ErrorAs(t, do(), &held, what)
				require.Equal(t, "migrate reconcile", held.What)
				require.WithinDuration(t, began, held.Since, 0)
				require.Contains(t, held.Error(), "migrate reconcile has been at work since 2026-")
				require.Regexp(t, `\(\S+, process \d+`, held.Error())
			}
			require.Equal(t, want, b.readModel())
			_, err := r.Rebuild(t.Context(), desk.RebuildOptions{DryRun: true}, none)
			require.NoError(t, err, "who changes nothing may look")
			_, err = r.Rebuild(t.Context(), desk.RebuildOptions{CountOnly: true}, none)
			require.NoError(t, err)
			return b.ledger.Alone(ctx, "x", func(context.Context) error { return nil }) // within it
		}))
		// Counting what versions before did not count, likewise; where there is nothing to count, migrate needs nobody to be away.
		require.NoError(t, other.ledger.Alone(t.Context(), "migrate rebuild", func(context.Context) error {
			_, err := b.Migrate(t.Context())
			require.NoError(t, err)
			b.tamper(`UPDATE untallied SET up_to = 1000`)
			_, err = b.Migrate(t.Context())
			require.ErrorAs(t, err, &held)
			require.Equal(t, "migrate rebuild", held.What)
			require.Equal(t, 1000, b.count(`SELECT up_to FROM untallied`))
			b.tamper(`UPDATE untallied SET up_to = 0`)
			return nil
		}))
		sum, err := r.Rebuild(t.Context(), desk.RebuildOptions{}, none)
		require.NoError(t, err, "nobody is at it any more")
		require.NotZero(t, sum.Counts)
		got, err := b.Overview(t.Context(), "a", "", midnight(epoch), midnight(epoch))
		require.NoError(t, err)
		require.Equal(t, overviewOf([]*story{s}, "a", "", midnight(epoch), midnight(epoch)), got)
		require.ErrorIs(t, b.ledger.Alone(t.Context(), "x", func(context.Context) error { return errOnce }), errOnce)
	})
}

var errOnce = errors.New("once")

// Who was taken for gone and is not, has nothing kept that they still write: the one who took over worked on what was there then.
func TestWhoIsTakenForGoneWritesNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		require.NoError(t, b.Tally(t.Context()))
		b.tamper(`UPDATE tallies SET n = 5 WHERE what = 'opened'`)
		other := b.under(masterKey)
		err := b.ledger.Alone(t.Context(), "migrate rebuild", func(ctx context.Context) error {
			b.away()
			require.NoError(t, other.Ledger().Alone(t.Context(), "migrate rebuild", func(ctx context.Context) error {
				found, err := other.Recount(ctx, "a", false)
				require.Equal(t, 1, found.Wrong)
				return err
			}))
			b.tamper(`UPDATE tallies SET n = 7 WHERE what = 'opened'`) // or there would be nothing to write
			_, err := b.Recount(ctx, "a", false)
			require.ErrorContains(t, err, "no longer sure that nobody else is at work")
			require.Error(t, b.ReadModel().KeepRebuildPoint(context.WithoutCancel(ctx), "", &desk.RebuildPoint{}))
			return err
		})
		require.ErrorContains(t, err, "no longer sure that nobody else is at work")
		require.Equal(t, 7, b.count(`SELECT n FROM tallies WHERE what = 'opened'`))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM rebuilds`))
		require.NoError(t, b.ledger.Project(t.Context(), s.ticket.Identity, s.do(ticket.Command{Action: ticket.Close})), "all others write")
	})
}

// Whoever works alone hears of it when their session is lost, and stops.
func TestWhoLosesTheirSessionStops(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	err := b.ledger.Alone(t.Context(), "migrate rebuild", func(ctx context.Context) error {
		b.away()
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorContains(t, err, "no longer sure that nobody else is at work")
	require.ErrorIs(t, err, context.Canceled)
}
