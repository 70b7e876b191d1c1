package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/outbox"
	"signalbox/store/storetest"
)

// A tenant with many subscriptions, of which few are for an event, pays for those few.
func TestFollowersAreFoundByTheIndex(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	db := b.raw()
	_, err := db.Exec(`INSERT INTO subscriptions (id, tenant, ticket_id, url, format, profile, secret, state, reason, created_at, shape, selector)
		SELECT 'x' || i, CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, 0, 'https://example.com', 'event', 'standard', '', CASE WHEN i % 10 = 0 THEN 'dropped' ELSE 'active' END, '', now(), i % 30, 'selector' || i
		FROM generate_series(1, 5000) i`)
	require.NoError(t, err)
	_, err = db.Exec(`ANALYZE subscriptions`)
	require.NoError(t, err)
	for query, args := range map[string][]any{outbox.ShapesQuery: {"a", "a"}, outbox.FollowersQuery: {"a", []string{"selector1", "selector2", "selector3", "no such"}}} {
		query, args, err := sqlx.In(query, args...)
		require.NoError(t, err)
		rows, err := db.Query("EXPLAIN "+sqlx.Rebind(sqlx.DOLLAR, query), args...)
		require.NoError(t, err)
		var plan []string
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(&line))
			plan = append(plan, line)
		}
		require.NoError(t, rows.Close())
		text := strings.Join(plan, "\n")
		require.NotContains(t, text, "Seq Scan", text)
		require.Regexp(t, "Index.*(subscriptions_shape|subscriptions_selector)", text)
	}
}

// Whoever follows a ticket is found by the ticket, however much people follow.
func TestWhoFollowsATicketIsFoundByTheIndex(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	db := b.raw()
	for _, fill := range []string{
		`INSERT INTO tickets (id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, sla, seq, state, chain, folded, posted)
			SELECT i, 'a', 'IM' || i, 'u' || i, true, 'triggered', '', '', '', now(), now(), '', 1, '{}', '', true, true FROM generate_series(0, 5000) i`,
		`INSERT INTO people (tenant, person, part, ticket_id, seq) SELECT 'a', 'p' || i % 5000, 'follower', i / 10, 1 FROM generate_series(1, 50000) i`,
		`ANALYZE`,
	} {
		_, err := db.Exec(fill)
		require.NoError(t, err)
	}
	rows, err := db.Query("EXPLAIN "+sqlx.Rebind(sqlx.DOLLAR, outbox.AudienceQuery), "a", "a", "a", 77, 77)
	require.NoError(t, err)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan = append(plan, line)
	}
	text := strings.Join(plan, "\n")
	require.NotContains(t, text, "Seq Scan on people", text)
	require.Contains(t, text, "people_ticket", text)
}

// Publishing to 3 subscriptions of 1,000 reads as many rows and entries of indexes as publishing to 3 of 3, as PostgreSQL itself counts them.
func TestSubscriptionsThatDoNotMatchCostNothing(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	for _, tenant := range []string{"few", "many"} {
		for range 3 {
			b.followAs(tenant, notice.FormatEvent, notice.Filter{Source: "a", Key: "a.gs.*"})
		}
	}
	other := b.followAs("many", notice.FormatEvent, notice.Filter{Source: "a", Key: "b.000.*"})
	db := b.raw()
	// More of its shape, each for a key of its own: a selector is a digest.
	_, err := db.Exec(`INSERT INTO subscriptions SELECT (jsonb_populate_record(s, jsonb_build_object('id', 'other-' || i, 'selector', left(md5(i::text), 24)))).*
		FROM subscriptions s, generate_series(1, 996) i WHERE id = $1`, other.ID)
	require.NoError(t, err)
	require.Equal(t, 998, b.count(`SELECT COUNT(DISTINCT selector) FROM subscriptions WHERE tenant = 'many'`))
	_, err = db.Exec(`ANALYZE subscriptions`)
	require.NoError(t, err)
	require.NoError(t, b.Close())
	db.SetMaxOpenConns(1)
	read := func() float64 { return readOfSubscriptions(t, db) }
	const events = 20 // PostgreSQL may go over to one plan for all after five
	publishing := func(tenant string) float64 {
		before := read()
		s, err := store.Open(t.Context(), b.dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Now: b.clock.Now, Connections: 1})
		require.NoError(t, err)
		for range events {
			require.NoError(t, s.Publish(t.Context(), tenant, "demo", seed()))
		}
		require.NoError(t, s.Close())
		counted(t, db)
		return read() - before
	}
	few, many := publishing("few"), publishing("many")
	t.Logf("%d events: %.0f read for 3 of 3, %.0f for 3 of 1,000", events, few, many)
	require.Positive(t, few)
	require.LessOrEqual(t, many, 1.3*few)
	require.Equal(t, 3, b.count(`SELECT COUNT(DISTINCT subscription_id) FROM deliveries WHERE tenant = 'many'`))
}

// readOfSubscriptions is how many rows of subscriptions and entries of their indexes were read so far.
func readOfSubscriptions(t *testing.T, db *sql.DB) (n float64) {
	_, err := db.Exec(`SELECT pg_stat_force_next_flush()`)
	require.NoError(t, err)
	require.NoError(t, db.QueryRow(`SELECT (SELECT seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'subscriptions')
		+ (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'subscriptions')`).Scan(&n))
	return n
}

// Who subscribes pays for those of the same address, and not for the tenant's others.
func TestOthersOfAnAddressAreFoundByTheIndex(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	sub := b.follow(notice.Filter{})
	other := b.follow(notice.Filter{Source: "a"})
	_, err := b.raw().Exec(`INSERT INTO subscriptions (id, tenant, ticket_id, url, format, profile, secret, state, reason, created_at)
		SELECT 'x' || i, 'a', 0, 'https://example.com/' || i, 'event', 'standard', '', 'active', '', now() FROM generate_series(1, 5000) i`)
	require.NoError(t, err)
	_, err = b.raw().Exec(`ANALYZE subscriptions`)
	require.NoError(t, err)
	require.NoError(t, b.Close())
	b.raw().SetMaxOpenConns(1)
	before := readOfSubscriptions(t, b.raw())
	s, err := store.Open(t.Context(), b.dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Now: b.clock.Now, Connections: 1})
	require.NoError(t, err)
	ids, err := s.Alike(t.Context(), sub)
	require.NoError(t, err)
	require.Equal(t, []string{other.ID}, ids)
	require.NoError(t, s.Close())
	counted(t, b.raw())
	n := readOfSubscriptions(t, b.raw()) - before
	require.Positive(t, n)
	require.Less(t, n, 20.0)
}

// exerciseStream does everything with lasting subscriptions once.
func exerciseStream(t *testing.T, b *bench) {
	sub := b.follow(notice.Filter{Source: "a", Key: fmt.Sprint(b.n, "*")})
	p := seed()
	p.Key = fmt.Sprint(b.n)
	b.publish(p)
	_, _, err := b.Subscriptions(t.Context(), "a", "", "", 10)
	require.NoError(t, err)
	_, _, err = b.Subscriptions(t.Context(), "a", notice.Paused, "", 10)
	require.NoError(t, err)
	_, err = b.Registration(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
	require.NoError(t, err)
	b.amend(sub, notice.Paused)
	b.amend(sub, notice.Active)
	_, err = b.Rotate(t.Context(), notice.Owner{Tenant: "a"}, sub.ID)
	require.NoError(t, err)
	id, err := b.Try(t.Context(), "a", "demo", sub.ID, notice.OfTest(sub.ID, "r"))
	require.NoError(t, err)
	require.Error(t, b.Redeliver(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, id), "it is being tried")
	d := b.deliveries(sub)[0]
	b.record(b.tried(notice.Work{Delivery: d.Delivery, Subscription: sub}, notice.Retrying))
	next, more, err := b.outbox.Next(t.Context(), d.Lane)
	require.NoError(t, err)
	require.True(t, more)
	b.record(b.tried(next, notice.Sent))
	_, _, err = b.outbox.Next(t.Context(), d.Lane)
	require.NoError(t, err)
	_, err = b.RedeliverSome(t.Context(), "turn:"+sub.ID, 10, 10)
	require.NoError(t, err)
	require.NoError(t, b.Unsubscribe(t.Context(), notice.Owner{Tenant: "a"}, sub.ID))
	_, err = b.PruneStream(t.Context(), epoch.Add(-time.Hour), 10)
	require.NoError(t, err)
}
