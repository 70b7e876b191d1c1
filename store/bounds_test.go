package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

func (b *bench) register(s *story, url string) notice.Subscription {
	b.t.Helper()
	sub, err := b.Register(b.t.Context(), s.ticket, notice.Subscription{URL: url})
	require.NoError(b.t, err)
	return sub
}

// drop has an address of the ticket dropped.
func (b *bench) drop(s *story, sub notice.Subscription) {
	b.t.Helper()
	b.project(s, s.relate("manifest", b.id())...)
	for _, w := range b.of(sub, b.pending()) {
		r := b.tried(w, notice.Failed)
		r.Drop = "failed 11 times"
		b.record(r)
	}
}

func TestATicketHasOnlySoManyNotifications(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		var subs []notice.Subscription
		for i := range notice.MaxNotifications {
			subs = append(subs, b.register(s, fmt.Sprint(hook, "/", i)))
		}
		full := func() {
			t.Helper()
			_, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook + "/more"})
			require.True(t, ticket.Is(err, ticket.TooMany), "%v", err)
			require.ErrorContains(t, err, "at most 100 notifications")
			require.ErrorContains(t, err, "this one has 100")
			require.Equal(t, notice.MaxNotifications, b.count(`SELECT COUNT(*) FROM subscriptions WHERE state = 'active'`))
		}
		full()
		require.Equal(t, subs[7].ID, b.register(s, subs[7].URL).ID, "one that it has is one that it has")
		b.project(s, s.relate("manifest", "1")...)
		require.Equal(t, notice.MaxNotifications, b.count(`SELECT COUNT(*) FROM deliveries`))

		b.drop(s, subs[3])
		_, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook + "/more"})
		require.True(t, ticket.Is(err, ticket.TooMany), "for one that was dropped what happens is still kept")
		require.NotEqual(t, subs[3].ID, b.register(s, subs[3].URL).ID, "and it can be registered again")
		full()
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), subs[5].ID))
		b.register(s, hook+"/more")
		b.register(b.opened("a", draft("y")), hook+"/more")
	})
}

func TestNotificationsAreListedInPages(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		var want []string
		for i := range 7 {
			if want = append(want, b.register(s, fmt.Sprint(hook, "/", i)).ID); i%3 == 0 {
				b.clock.pass(time.Second) // some are as old as others
			}
		}
		cursor, got, pages := "", []string(nil), 0
		for {
			list, next, err := b.Registered(t.Context(), s.ticket.ID, cursor, 2)
			require.NoError(t, err)
			for _, r := range list {
				got = append(got, r.ID)
			}
			if pages++; pages == 2 { // what is taken out or comes meanwhile moves nothing
				require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), got[0]))
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		require.Equal(t, 4, pages)
		require.ElementsMatch(t, want, got, "each once")
		for i := range 6 {
			r, err := b.Registration(t.Context(), ownerOf(s.ticket), got[i+1])
			require.NoError(t, err)
			require.False(t, i > 0 && r.CreatedAt.Before(epoch), "oldest first")
		}
		for _, wrong := range []string{"x", "MTIz"} {
			_, _, err := b.Registered(t.Context(), s.ticket.ID, wrong, 2)
			refusal := ticket.AsError(err)
			require.NotNil(t, refusal)
			require.Equal(t, "cursor", refusal.Field)
		}
	})
}

// What is deleted is gone: its secrets at once, and its row when its deliveries are kept no longer.
func TestDeletedSubscriptionsAreDeleted(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		deleted, dropped, kept := b.register(s, hook+"/1"), b.register(s, hook+"/2"), b.register(s, hook+"/3")
		all := b.follow(notice.Filter{})
		b.drop(s, dropped)
		b.drop(s, kept)
		again := b.register(s, dropped.URL)
		b.clock.pass(time.Hour)
		gone := b.clock.Now()
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), deleted.ID))
		require.NoError(t, b.Unsubscribe(t.Context(), notice.Owner{Tenant: "a"}, all.ID))
		secret := fmt.Sprintf(`SELECT COUNT(*) FROM subscriptions WHERE id IN ('%s', '%s') AND (secret <> '' OR headers <> '' OR older <> '[]')`, deleted.ID, all.ID)
		require.Zero(t, b.count(secret), "its secrets go at once")
		there := func(sub notice.Subscription) int {
			return b.count(`SELECT COUNT(*) FROM subscriptions WHERE id = '` + sub.ID + `'`)
		}
		prune := func(before time.Time) {
			t.Helper()
			_, err := b.PruneDeliveries(t.Context(), before, 100)
			require.NoError(t, err)
			_, err = b.PruneSubscriptions(t.Context(), before, 100)
			require.NoError(t, err)
		}
		// The version before leaves its secrets to us.
		_, err := b.raw().Exec(`UPDATE subscriptions SET secret = 'x', headers = 'y', older = '["z"]' WHERE id = '` + deleted.ID + `'`)
		require.NoError(t, err)
		_, err = b.PruneSubscriptions(t.Context(), b.clock.Now().Add(time.Hour), 100)
		require.NoError(t, err)
		require.Zero(t, b.count(secret))
		require.Equal(t, []int{1, 1, 1, 1}, []int{there(deleted), there(dropped), there(kept), there(all)}, "it has deliveries that are kept")

		prune(gone)
		require.Equal(t, []int{1, 0, 1, 1}, []int{there(deleted), there(dropped), there(kept), there(all)}, "it was dropped before, and registered again since")
		b.clock.pass(time.Minute)
		prune(b.clock.Now())
		require.Equal(t, []int{0, 0, 1, 0}, []int{there(deleted), there(dropped), there(kept), there(all)}, "one that waits to be registered again stays")
		require.Equal(t, 1, there(again))
		prune(b.clock.Now())
		registered, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, registered, 2)
	})
}

// However often addresses of a ticket were registered and deleted, what happens to it reads and writes no more for that, as PostgreSQL itself counts.
func TestNotificationsOfThePastCostNothing(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	few, many := b.opened("a", draft("x")), b.opened("a", draft("y"))
	for _, s := range []*story{few, many} {
		for i := range 3 {
			b.register(s, fmt.Sprint(hook, "/", i))
		}
	}
	db := b.raw()
	_, err := db.Exec(fmt.Sprintf(`INSERT INTO subscriptions (id, tenant, ticket_id, url, host, format, profile, secret, state, reason, created_at, ended_at, successor)
		SELECT 'past-' || i, 'a', %d, 'https://example.com/' || i, 'example.com', 'issue', 'minutely', '', CASE WHEN i %% 2 = 0 THEN 'deleted' ELSE 'dropped' END, '', now(), now(),
		CASE WHEN i %% 2 = 0 THEN '' ELSE 'another' END FROM generate_series(1, 5000) i`, many.ticket.ID))
	require.NoError(t, err)
	_, err = db.Exec(`ANALYZE`)
	require.NoError(t, err)
	require.NoError(t, b.Close())
	db.SetMaxOpenConns(1)
	read := func() (n float64) {
		_, err := db.Exec(`SELECT pg_stat_force_next_flush()`)
		require.NoError(t, err)
		require.NoError(t, db.QueryRow(`SELECT (SELECT seq_tup_read + COALESCE(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'subscriptions')
			+ (SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'deliveries')
			+ (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'subscriptions')`).Scan(&n))
		return n
	}
	working := func(s *story) float64 {
		before := read()
		st, err := store.Open(t.Context(), b.dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Now: b.clock.Now, Connections: 1})
		require.NoError(t, err)
		for i := range 10 {
			require.NoError(t, st.Ledger().Project(t.Context(), s.ticket.Identity, s.relate("manifest", fmt.Sprint(i))))
			_, err := st.Register(t.Context(), s.ticket, notice.Subscription{URL: hook + "/1"})
			require.NoError(t, err)
			_, _, err = st.Registered(t.Context(), s.ticket.ID, "", 3)
			require.NoError(t, err)
		}
		require.NoError(t, st.Close())
		counted(t, db)
		return read() - before
	}
	a, c := working(few), working(many)
	t.Logf("%.0f rows without a past, %.0f with one", a, c)
	require.Positive(t, a)
	require.LessOrEqual(t, c, 1.5*a)
}
