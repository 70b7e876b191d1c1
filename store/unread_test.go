package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// logging gives a store on the bench's database whose log is kept.
func (b *bench) logging() (*store.Store, *bytes.Buffer) {
	b.t.Helper()
	var log bytes.Buffer
	s, err := store.Open(b.t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, s.Close()) })
	return s, &log
}

// without is what a story comes to where one of its events cannot be read.
func without(s *story, seq int64) (list []ticket.Tally) {
	var t ticket.Ticket
	for _, e := range s.events {
		if e.Seq == seq {
			continue
		}
		after := ticket.Evolve(t, e)
		list = append(list, ticket.Happened(t, after, e, time.UTC)...)
		t = after
	}
	return append(list, ticket.Moved(ticket.Ticket{}, s.ticket, time.UTC)...)
}

// An event that cannot be read, and a row that cannot, are named and passed over: whatever goes through all tickets goes on to the others.
func TestWhatCannotBeReadKeepsNothingElseFromBeingDone(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		stories := gallery(b, 15)
		var bad *story
		for _, s := range stories {
			if s.ticket.Tenant == "a" && s.ticket.Service == "incident" && len(s.events) > 2 && !s.ticket.Ended() {
				bad = s
				break
			}
		}
		require.NotNil(t, bad)
		unread := bad.events[1].Seq
		check := func(when string) {
			t.Helper()
			var counts []ticket.Tally
			for _, s := range stories {
				switch {
				case s == bad:
					counts = append(counts, without(s, unread)...)
				case s.ticket.Tenant == "a":
					counts = append(counts, without(s, 0)...)
				}
			}
			first, last := midnight(epoch), midnight(b.clock.Now())
			want, err := ticket.OverviewOf(counts, first, last, last)
			require.NoError(t, err)
			got, err := b.Overview(t.Context(), "a", "", first, last)
			require.NoError(t, err)
			require.Equal(t, want, got, when)
		}
		b.tamper(fmt.Sprintf(`UPDATE events SET content = '{"seq": ' WHERE ticket_id = %d AND seq = %d`, bad.ticket.ID, unread))

		// As migrate finds it where a version before counted nothing, said of nobody that they are stuck, and posted no words.
		b.tamper(`DELETE FROM tally_entries`, `DELETE FROM ticket_nodes`, `UPDATE untallied SET up_to = 1000`)
		s, log := b.logging()
		_, err := s.Migrate(t.Context())
		require.ErrorAs(t, err, new(store.Left))
		require.EqualError(t, err, "1 rows cannot be read and were passed over; all else was done, and the log names them (unread)")
		require.Contains(t, log.String(), fmt.Sprintf("msg=event.unread ticket=%s tenant=a seq=%d", bad.ticket.Number, unread))
		check("counted by migrate")
		_, err = s.Migrate(t.Context())
		require.NoError(t, err, "there is nothing left to count")

		r, _ := b.rebuilder(stories...)
		for _, dry := range []bool{true, false} {
			b.tamper(`UPDATE tallies SET n = n + 3 WHERE tenant = 'a'`)
			var found []desk.RebuildFinding
			sum, err := r.Rebuild(t.Context(), desk.RebuildOptions{DryRun: dry}, func(f desk.RebuildFinding) { found = append(found, f) })
			require.NoError(t, err)
			require.Equal(t, 1, sum.Unread)
			require.NotZero(t, sum.Counts)
			last := found[len(found)-1]
			require.Equal(t, bad.ticket.Number, last.Number)
			require.Equal(t, desk.RebuildFinding{Identity: last.Identity, Unread: []int64{unread}}, last)
		}
		check("counted by a rebuild")

		// A row that cannot be read, among those that are looked at for who is stuck, and whose words are posted.
		stuck, words := b.lines(`SELECT * FROM stuck`), b.readModel()["words"]
		var other *story
		for _, s := range stories {
			if s != bad && s.ticket.Tenant == "a" && !s.ticket.Ended() && s.ticket.Service == "incident" {
				other = s
			}
		}
		require.NotNil(t, other)
		require.NotEmpty(t, stuck)
		b.tamper(`DELETE FROM stuck`, `UPDATE unlooked SET up_to = 1000`, fmt.Sprintf(`UPDATE tickets SET state = 'x' WHERE id = %d`, other.ticket.ID))
		if b.count(`SELECT COUNT(*) FROM unposted`) > 0 {
			b.tamper(`DELETE FROM unposted`)
		}
		if b.count(`SELECT COUNT(*) FROM postings`) > 0 {
			b.tamper(`DELETE FROM postings`)
		}
		b.tamper(`UPDATE tickets SET posted = false`)
		log.Reset()
		_, err = s.Migrate(t.Context())
		require.EqualError(t, err, "2 rows cannot be read and were passed over; all else was done, and the log names them (unread)")
		for _, what := range []string{"stuck", "words"} {
			require.Contains(t, log.String(), fmt.Sprintf("msg=ticket.unread ticket=%s tenant=a left_out_of=%s", other.ticket.Number, what))
		}
		require.Equal(t, stuck, b.lines(`SELECT * FROM stuck`))
		mine := fmt.Sprintf("|%d", other.ticket.ID)
		var want []string
		for _, line := range words {
			if !strings.HasSuffix(line, mine) {
				want = append(want, line)
			}
		}
		require.Less(t, len(want), len(words))
		require.Equal(t, want, b.readModel()["words"])
	})
}

// Rows that cannot be read, however many, keep no other ticket from being compared with its workflow, by the schedule or by hand.
func TestRowsThatCannotBeReadKeepNoOthersFromBeingCompared(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var stories []*story
		for range 12 {
			stories = append(stories, b.opened("a", draft("x")))
		}
		b.tamper(`UPDATE tickets SET state = 'x'`)
		behind, again := b.opened("a", draft("y")), b.opened("a", draft("z"))
		behind.do(ticket.Command{Action: ticket.Accept}) // which nobody has written down
		again.do(ticket.Command{Action: ticket.Accept})
		b.clock.pass(time.Hour)
		r, engine := b.rebuilder(append(stories, behind, again)...)
		engine.Now = b.clock.Now
		sum, err := r.Look(t.Context(), desk.LookOptions{Limit: 13, Since: 24 * time.Hour, Pages: 1, Wait: func(context.Context) error { return nil }})
		require.NoError(t, err)
		require.Equal(t, 12, sum.Failed)
		require.Equal(t, 1, sum.Drift)
		require.Equal(t, behind.ticket.ID, sum.After, "it goes on behind them")
		require.Equal(t, behind.ticket, b.read(behind))

		left := map[string]string{}
		done, err := r.Reconcile(t.Context(), desk.ReconcileOptions{}, func(f desk.Finding) {
			if f.Verdict == desk.Left {
				left[f.Number] = f.Why
			}
		})
		require.NoError(t, err)
		require.Equal(t, 1, done.Verdicts[desk.BroughtUp])
		require.Len(t, left, 12)
		require.Contains(t, left[stories[0].ticket.Number], "its row cannot be read, and migrate rebuild makes it anew")
		require.Equal(t, again.ticket, b.read(again))

		rebuilt, err := r.Rebuild(t.Context(), desk.RebuildOptions{}, func(desk.RebuildFinding) {})
		require.NoError(t, err)
		require.Equal(t, 12, rebuilt.Remade)
		require.Zero(t, rebuilt.Unknown)
	})
}

// What is damaged among the secrets is named and passed over, too.
func TestADamagedSecretKeepsNoOtherFromBeingSealedAnew(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		b.fill()
		b.tamper(`UPDATE subscriptions SET older = '[' WHERE id = (SELECT MIN(id) FROM subscriptions WHERE older NOT IN ('', '[]'))`)
		before, err := b.SealedUnder(t.Context())
		require.NoError(t, err)
		total, damaged := 0, 0
		for _, c := range before {
			if total += c.N; c.Key == vault.Unreadable {
				damaged += c.N
			}
		}
		require.Equal(t, 1, damaged)
		done, err := b.under(newKey, masterKey).Reseal(t.Context())
		require.NoError(t, err)
		require.Equal(t, [2]int{total - 1, 1}, sum(done))
		after, err := b.under(newKey).SealedUnder(t.Context())
		require.NoError(t, err)
		for _, c := range after {
			require.True(t, c.InForce || c.Key == vault.Unreadable && c.N == 1, "%v", c)
		}
	})
}

// Whoever looks at tickets of versions before holds their rows in the one order: who waits for the lowest of them holds none of the others.
func TestEarlierTicketsAreLockedInOneOrder(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]struct {
		before string
		do     func(b *bench) error
	}{
		"keeping what ended": {`UPDATE unended SET up_to = 1000`, func(b *bench) error { return b.MarkEnded(context.WithoutCancel(b.t.Context())) }},
		"counting":           {`UPDATE untallied SET up_to = 1000`, func(b *bench) error { return b.Tally(context.WithoutCancel(b.t.Context())) }},
		"looking for stuck":  {`UPDATE unlooked SET up_to = 1000`, func(b *bench) error { return b.LookForStuck(context.WithoutCancel(b.t.Context())) }},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := open(t, storetest.Postgres(t))
			first, last := b.opened("a", draft("x")), b.opened("a", draft("y"))
			if b.tamper(do.before); strings.Contains(do.before, "unended") {
				b.act(first, ticket.Command{Action: ticket.Close})
				b.act(last, ticket.Command{Action: ticket.Close})
			}
			tx, err := b.raw().Begin()
			require.NoError(t, err)
			defer tx.Rollback()
			_, err = tx.Exec(`SELECT 1 FROM tickets WHERE id = $1 FOR UPDATE`, first.ticket.ID)
			require.NoError(t, err)
			var wait sync.WaitGroup
			wait.Go(func() { assert.NoError(t, do.do(b)) })
			require.Eventually(t, func() bool {
				return b.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
			}, time.Minute, 5*time.Millisecond)
			_, err = tx.Exec(`SELECT 1 FROM tickets WHERE id = $1 FOR UPDATE NOWAIT`, last.ticket.ID)
			assert.NoError(t, err, "it holds a later one already")
			require.NoError(t, tx.Rollback())
			wait.Wait()
		})
	}
}
