package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/store"
	"signalbox/store/db"
	"signalbox/store/storetest"
	"signalbox/store/tickets"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// entry names an event of a ticket.
func entry(id int64, seq int64) string { return fmt.Sprintf("%d/%d", id, seq) }

func entries(items []ticket.FeedEntry) (list []string) {
	for _, e := range items {
		list = append(list, entry(e.Ticket.ID, e.Event.Seq))
	}
	return list
}

// settled waits until every transaction that was begun before has ended, those of other tests in the same cluster too: the feed ends before them.
func (b *bench) settled() {
	b.t.Helper()
	if !strings.HasPrefix(b.dsn, "postgres") {
		return
	}
	var number string
	require.NoError(b.t, b.raw().QueryRow(`SELECT pg_current_xact_id()::text`).Scan(&number))
	require.Eventually(b.t, func() bool {
		var ended bool
		require.NoError(b.t, b.raw().QueryRow(`SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > $1`, number).Scan(&ended))
		return ended
	}, time.Minute, 5*time.Millisecond)
}

// changes reads a feed from a cursor to its end, all that is written included, and gives where it ended.
func (b *bench) changes(tenant, cursor string) (list []string, next string) {
	b.t.Helper()
	b.settled()
	return b.changesNow(tenant, cursor)
}

// changesNow does so with what can be read by now.
func (b *bench) changesNow(tenant, cursor string) (list []string, next string) {
	b.t.Helper()
	for {
		page, err := b.Changes(b.t.Context(), tenant, cursor, 7)
		require.NoError(b.t, err)
		list, cursor = append(list, entries(page.Items)...), page.Next
		if !page.More {
			return list, cursor
		}
	}
}

// meanwhile runs f in a transaction that stays open until the function it gives is called.
func (b *bench) meanwhile(f func(ctx context.Context)) (commit func()) {
	done, release := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- b.InTransaction(background(), func(ctx context.Context, _ func(vault.Purpose) (vault.DataKey, error)) error {
			f(ctx)
			close(done)
			<-release
			return nil
		})
	}()
	<-done
	return func() {
		close(release)
		require.NoError(b.t, <-ended)
	}
}

// Several read and write at once, in two processes: who follows from any moment sees every event once, in one order that is everybody's, and
// the events of each ticket in theirs.
func TestWhoeverFollowsMissesNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		const writers, each = 8, 12
		second, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, second.Close()) })
		stores := []*store.Store{b.Store, second}

		var stories []*story
		for i := range writers * each {
			s := b.begin([]string{"a", "a", "b"}[i%3], draft("x"))
			s.relate("r", "1")
			s.do(ticket.Command{Action: ticket.Accept})
			stories = append(stories, s)
		}
		var writing, following sync.WaitGroup
		var written atomic.Bool
		const followers = 4
		failed := make(chan error, writers+followers)
		// Who has read all that there is looks again once something was written: in a loop it would take the processors from those that write.
		var turns []chan struct{}
		for range followers {
			turns = append(turns, make(chan struct{}, 1))
		}
		look := func() {
			for _, turn := range turns {
				select {
				case turn <- struct{}{}:
				default: // it is to look anyway
				}
			}
		}
		for w := range writers {
			writing.Go(func() {
				s := stores[w%2]
				for i := range each {
					mine, other := stories[w*each+i], stories[(w*each+i+each/2)%len(stories)] // which another writer tells of as well
					err := s.Ledger().Project(background(), mine.ticket.Identity, mine.events[:1])
					look()
					if err == nil { // a transaction that is about two tickets, and has its number before it waits for the second
						err = s.InTransaction(background(), func(ctx context.Context, _ func(vault.Purpose) (vault.DataKey, error)) error {
							if err := s.Ledger().Project(ctx, mine.ticket.Identity, mine.events[:1+rand.N(len(mine.events))]); err != nil {
								return err
							}
							return s.Ledger().Project(ctx, other.ticket.Identity, other.events[:1])
						})
						look()
					}
					if err == nil {
						err = s.Ledger().Project(background(), mine.ticket.Identity, mine.events)
						look()
					}
					if err != nil {
						failed <- err
						return
					}
				}
			})
		}
		begun := 0
		follow := func(s *store.Store, tenant string, limit int) (seen *[]string) {
			seen = &[]string{}
			turn := turns[begun]
			begun++
			following.Go(func() {
				cursor := ""
				for more := true; ; {
					if !more {
						<-turn
					}
					last := written.Load()
					page, err := s.Changes(background(), tenant, cursor, limit)
					if err != nil {
						failed <- err
						return
					}
					*seen, cursor, more = append(*seen, entries(page.Items)...), page.Next, page.More
					if last && !more {
						return
					}
				}
			})
			return seen
		}
		seen := map[string][]*[]string{
			"a": {follow(b.Store, "a", 1), follow(second, "a", 200), follow(second, "a", 20)},
			"b": {follow(b.Store, "b", 3)},
		}
		writing.Wait()
		b.settled()
		written.Store(true)
		look()
		following.Wait()
		close(failed)
		for err := range failed {
			require.NoError(t, err)
		}
		for tenant, lists := range seen {
			whole, _ := b.changes(tenant, ticket.FeedEarliest)
			var all []string
			for _, s := range stories {
				if s.ticket.Tenant == tenant {
					place := -1
					for _, e := range s.events {
						all = append(all, entry(s.ticket.ID, e.Seq))
						at := slices.Index(whole, all[len(all)-1])
						require.Greater(t, at, place, "event %d of ticket %d", e.Seq, s.ticket.ID)
						place = at
					}
				}
			}
			require.Len(t, whole, len(all))
			for _, one := range lists {
				require.Equal(t, whole, *one)
			}
		}
	})
}

// The time of a ticket is that of its request, and its row appears later. Who asks for what was created after the last he saw misses one; who
// follows the feed does not.
func TestATimeIsNoCursor(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first := b.begin("a", draft("x"))
		b.clock.pass(time.Second)
		second := b.begin("a", draft("x"))
		b.project(second, second.events...)

		page, err := b.Tickets(t.Context(), "a", ticket.Filter{})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		seen, cursor := b.changes("a", "")
		require.Equal(t, []string{entry(second.ticket.ID, 1)}, seen)

		b.project(first, first.events...)
		page, err = b.Tickets(t.Context(), "a", ticket.Filter{CreatedAfter: page.Items[0].CreatedAt})
		require.NoError(t, err)
		require.Empty(t, page.Items, "polling by time finds it now, and the documents need not warn of it")
		seen, _ = b.changes("a", cursor)
		require.Equal(t, []string{entry(first.ticket.ID, 1)}, seen)
	})
}

// What a transaction that is still open has written can come first: nothing behind it is shown before it has ended, however it ends.
func TestNothingComesBeforeWhatWasRead(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	early, late, other := b.begin("a", draft("x")), b.begin("a", draft("x")), b.begin("b", draft("x"))
	commit := b.meanwhile(func(ctx context.Context) {
		require.NoError(t, b.ledger.Project(ctx, early.ticket.Identity, early.events))
	})
	b.project(late, late.events...)
	b.project(other, other.events...)
	seen, cursor := b.changesNow("a", "")
	require.Empty(t, seen)
	require.Equal(t, ticket.FeedEarliest, cursor)
	_, latest := b.changesNow("a", ticket.FeedLatest)
	require.Equal(t, ticket.FeedEarliest, latest, "what comes must come behind it")
	commit()
	seen, cursor = b.changes("a", cursor)
	require.Equal(t, []string{entry(early.ticket.ID, 1), entry(late.ticket.ID, 1)}, seen)
	_, latest = b.changes("a", ticket.FeedLatest)
	require.Equal(t, cursor, latest)
	seen, again := b.changes("a", cursor)
	require.Empty(t, seen)
	require.Equal(t, cursor, again, "an empty page says where to go on")
}

// A transaction may have its number before it waits for a ticket that one with a higher number writes to.
func TestEventsOfATicketKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	s, other := b.opened("a", draft("x")), b.begin("a", draft("x"))
	accepted := s.do(ticket.Command{Action: ticket.Accept})
	related := s.relate("r", "1")
	_, cursor := b.changes("a", "")
	numbered, proceed := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- b.InTransaction(background(), func(ctx context.Context, _ func(vault.Purpose) (vault.DataKey, error)) error {
			if err := b.ledger.Project(ctx, other.ticket.Identity, other.events); err != nil {
				return err
			}
			close(numbered)
			<-proceed
			return b.ledger.Project(ctx, s.ticket.Identity, related)
		})
	}()
	<-numbered
	b.project(s, accepted...)
	close(proceed)
	require.NoError(t, <-ended)
	seen, _ := b.changes("a", cursor)
	require.Equal(t, []string{entry(other.ticket.ID, 1), entry(s.ticket.ID, 2), entry(s.ticket.ID, 3)}, seen)
}

func TestAnEntryHasTheEventAndTheTicket(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		b.act(s, ticket.Command{Action: ticket.Accept, Operator: "li"})
		b.settled()
		page, err := b.Changes(t.Context(), "a", "", 0)
		require.NoError(t, err)
		require.False(t, page.More)
		require.Len(t, page.Items, 2)
		for i, e := range page.Items {
			require.Equal(t, s.events[i].Type, e.Event.Type)
			require.Equal(t, s.events[i].At, e.Event.At)
			require.Equal(t, s.ticket, e.Ticket, "as it is now")
		}
		for i := range ticket.DefaultPage + 5 {
			b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: fmt.Sprint("m", i), Author: "li", Content: "x"}})
		}
		b.settled()
		page, err = b.Changes(t.Context(), "a", "", 0)
		require.NoError(t, err)
		require.Len(t, page.Items, ticket.DefaultPage)
		require.True(t, page.More)
		page, err = b.Changes(t.Context(), "nobody", "", 100_000)
		require.NoError(t, err)
		require.Equal(t, ticket.FeedPage{Next: ticket.FeedEarliest}, page)
	})
}

// Events of before there was a feed come in when the database is migrated, those that a process of such a version still writes when the
// feed is read. Nothing of it comes before what was read.
func TestWhatAVersionWithoutAFeedWroteComesIn(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		unplace := func(condition string) {
			_, err := b.raw().Exec(`UPDATE events SET tenant = '', place = 0 WHERE ` + condition)
			require.NoError(t, err)
		}
		var all []string
		for i := range 205 { // more than are placed at once
			s := b.opened([]string{"a", "b"}[i%2], draft("x"))
			if s.ticket.Tenant == "a" {
				b.act(s, ticket.Command{Action: ticket.Accept})
				all = append(all, entry(s.ticket.ID, 1), entry(s.ticket.ID, 2))
			}
		}
		unplace(`TRUE`)
		_, err := b.Migrate(t.Context())
		require.NoError(t, err)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM events WHERE tenant = ''`))
		seen, cursor := b.changes("a", "")
		require.Equal(t, all, seen)

		old, fresh := b.opened("a", draft("x")), b.opened("a", draft("x"))
		unplace(fmt.Sprint(`ticket_id = `, old.ticket.ID))
		seen, cursor = b.changes("a", cursor) // which places it, and may end before that
		rest, _ := b.changes("a", cursor)
		require.Equal(t, []string{entry(fresh.ticket.ID, 1), entry(old.ticket.ID, 1)}, append(seen, rest...))
	})
}

func TestAFeedsCursorThatIsNone(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		_, cursor := b.changes("a", "")
		b.opened("b", draft("x"))
		for _, bad := range []string{"x", "1", "1.1", "0.0.0", "-1.1.1", cursor + ".1", cursor + "0x", "+" + cursor, " " + cursor, "99999999999999999999.1.1", "LATEST", strings.Repeat("1", 500)} {
			_, err := b.Changes(t.Context(), "a", bad, 1)
			refusal := ticket.AsError(err)
			require.NotNil(t, refusal, bad)
			require.Equal(t, []any{ticket.Invalid, "cursor"}, []any{refusal.Code, refusal.Field}, bad)
		}
		// What was read is not there: the database was restored to an earlier state, and its places may be others' now.
		_, err := b.raw().Exec(fmt.Sprint(`UPDATE events SET place = place + 1 WHERE ticket_id = `, s.ticket.ID))
		require.NoError(t, err)
		for tenant, lost := range map[string]string{"a": cursor, "b": cursor, "c": "9223372036854775807.1.1"} {
			_, err = b.Changes(t.Context(), tenant, lost, 1)
			refusal := ticket.AsError(err)
			require.NotNil(t, refusal, tenant)
			require.Equal(t, []any{ticket.Gone, "cursor"}, []any{refusal.Code, refusal.Field}, tenant)
			require.Contains(t, refusal.Message, ticket.FeedLatest, "it says how to begin again")
		}
	})
}

// Transaction numbers begin anew where a dump is loaded into another cluster. Until the database was migrated there nothing is done; then places go on
// behind those that there are, and cursors hold.
func TestADumpThatIsLoadedIntoAnotherCluster(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	before := b.opened("a", draft("x"))
	_, err := b.raw().Exec(`UPDATE events SET place = place + 1000000000`) // so far that cluster had come
	require.NoError(t, err)
	_, err = b.raw().Exec(`UPDATE change_feed SET base = 0, cluster = 'another'`)
	require.NoError(t, err)
	require.True(t, ticket.Is(b.Ping(t.Context()), ticket.Unavailable))
	for range 2 {
		_, err = b.Migrate(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.Ping(t.Context()))
	}
	require.Equal(t, 1<<48, b.count(`SELECT base FROM change_feed`), "once")
	seen, cursor := b.changes("a", "")
	require.Equal(t, []string{entry(before.ticket.ID, 1)}, seen)
	b.act(before, ticket.Command{Action: ticket.Accept})
	after := b.opened("a", draft("x"))
	seen, _ = b.changes("a", cursor)
	require.Equal(t, []string{entry(before.ticket.ID, 2), entry(after.ticket.ID, 1)}, seen)
}

func TestTheFeedIsReadByItsIndex(t *testing.T) {
	t.Parallel()
	b := crowdedToLookAt(t)
	d, err := db.Open(t.Context(), b.dsn, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	for name, after := range map[string][]any{"from the beginning": {0, 0, 0}, "in the middle": {50, 4000, 1}, "at the end": {101, 10_000, 5}} {
		var plan []string
		require.NoError(t, d.Reader().All(db.Once(t.Context()), &plan, "EXPLAIN "+tickets.ChangesQuery(d.Reader()), append(append([]any{"a"}, after...), ticket.DefaultPage+1)...))
		text := strings.Join(plan, "\n")
		require.Contains(t, text, "events_changes", name)
		require.NotContains(t, text, "Seq Scan on events", name)
		require.NotContains(t, text, "Seq Scan on tickets", name)
		require.NotContains(t, text, "Sort", "%s\n%s", name, text)
	}
}
