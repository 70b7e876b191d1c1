package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// growthVariable asks for other sizes: two numbers of tickets with a comma between. Each has five events, three deliveries, a try and an operation. What comes of it is then told,
// and nothing is held to it.
const growthVariable = "SIGNALBOX_GROWTH"

// gaveUpOften comes last: it adds deliveries, which the others are not to meet.
const gaveUpOften = "a try that is the last, to an address that failed often"

// hot is what a busy house does all the time, or again and again.
var hot = []struct {
	what string
	do   func(t *testing.T, b *bench)
}{
	{"open: claim", func(t *testing.T, b *bench) { b.claimed() }},
	{"open: claim and finish", func(t *testing.T, b *bench) {
		op := b.claimed()
		require.NoError(t, b.ledger.Finish(t.Context(), op, op.Opening))
	}},
	{"what is next of a partition", func(t *testing.T, b *bench) {
		works, err := b.outbox.Pending(t.Context(), 4, nil, 1)
		require.NoError(t, err)
		require.NotEmpty(t, works)
	}},
	{"a list", func(t *testing.T, b *bench) { b.listed(ticket.Filter{}) }},
	{"a list by words", func(t *testing.T, b *bench) { b.listed(ticket.Filter{Terms: "gate 海关"}) }},
	{"a list by assignee and phase", func(t *testing.T, b *bench) {
		b.listed(ticket.Filter{Assignee: "person7", Phases: []string{"completed"}})
	}},
	{"a list of what is open of somebody who opened all that ended", func(t *testing.T, b *bench) {
		yes := true // of others, much is open too
		page, err := b.Tickets(t.Context(), "b", ticket.Filter{Opener: "archivist", Open: &yes, Limit: 10})
		require.NoError(t, err)
		require.Empty(t, page.Items)
	}},
	{"how many are stuck", func(t *testing.T, b *bench) {
		f := ticket.Filter{Stuck: ticket.Causes}
		total, err := b.Count(t.Context(), "a", f, f.Most())
		require.NoError(t, err)
		require.GreaterOrEqual(t, total.N, 100)
	}},
	{"what failed at a host", func(t *testing.T, b *bench) {
		page, err := b.TenantDeliveries(t.Context(), "a", notice.DeliveryFilter{Host: "two.example.com", States: []notice.DeliveryState{notice.Failed}, Limit: 5})
		require.NoError(t, err)
		require.Len(t, page.Items, 5)
	}},
	{"changes", func(t *testing.T, b *bench) {
		page, err := b.Changes(t.Context(), "a", ticket.FeedEarliest, 20)
		require.NoError(t, err)
		require.Len(t, page.Items, 20)
	}},
	{"the audit of an app", func(t *testing.T, b *bench) {
		entries, _, err := b.Audit(t.Context(), "a", desk.EntryFilter{App: "demo"})
		require.NoError(t, err)
		require.NotEmpty(t, entries)
	}},
	{"prune 50 operations", pruning(func(b *bench) (int64, error) { return b.PruneOperations(b.t.Context(), aeons, 50) })},
	{"prune 50 of the audit", pruning(func(b *bench) (int64, error) { return b.PruneAudit(b.t.Context(), aeons, 50) })},
	{"prune 50 deliveries", pruning(func(b *bench) (int64, error) { return b.PruneDeliveries(b.t.Context(), aeons, 50) })},
	{gaveUpOften, func(t *testing.T, b *bench) {
		// It has been failing since a moment ago; all that was given up before was so in earlier outages.
		d := notice.Delivery{ID: "dead-1", Tenant: "a", Lane: notice.Lane{Subscription: "dead", TicketID: 1}}
		b.record(b.tried(notice.Work{Delivery: d, Subscription: notice.Subscription{ID: "dead", Tenant: "a"}}, notice.Failed))
	}},
}

// aeons is later than anything that was kept.
var aeons = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func pruning(prune func(b *bench) (int64, error)) func(t *testing.T, b *bench) {
	return func(t *testing.T, b *bench) {
		n, err := prune(b)
		require.NoError(t, err)
		require.EqualValues(t, 50, n)
	}
}

func (b *bench) claimed() desk.Operation {
	op, prepare := b.opening("")
	claimed, fresh, err := b.ledger.Claim(b.t.Context(), op, prepare)
	require.NoError(b.t, err)
	require.True(b.t, fresh)
	return claimed
}

func (b *bench) listed(f ticket.Filter) {
	page, err := b.Tickets(b.t.Context(), "a", f)
	require.NoError(b.t, err)
	require.NotEmpty(b.t, page.Items)
}

// cost is what doing something once comes to.
type cost struct {
	blocks float64 // of tables and indexes that PostgreSQL looked into
	took   time.Duration
}

// costs does each of the hot things some times on a database with so many tickets.
func costs(t *testing.T, dsn string, size int) map[string]cost {
	const times = 5
	db := storetest.Raw(t, dsn)
	db.SetMaxOpenConns(1)
	blocks := func() (n float64) {
		_, err := db.Exec(`SELECT pg_stat_force_next_flush()`)
		require.NoError(t, err)
		require.NoError(t, db.QueryRow(`SELECT SUM(heap_blks_hit + heap_blks_read + COALESCE(idx_blks_hit + idx_blks_read, 0)) FROM pg_statio_user_tables`).Scan(&n))
		return n
	}
	out := map[string]cost{}
	b := &bench{clock: &clock{now: time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)}, dsn: dsn, t: t, n: size}
	for _, h := range hot {
		if h.what == gaveUpOften {
			gaveUp(t, dsn, size)
		}
		before := blocks()
		s, err := store.Open(t.Context(), dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Now: b.clock.Now, Connections: 1, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		b.Store, b.ledger, b.outbox = s, s.Ledger(), s.Outbox
		var took []time.Duration
		for range times {
			began := time.Now()
			h.do(t, b)
			took = append(took, time.Since(began))
		}
		require.NoError(t, s.Close())
		counted(t, db)
		out[h.what] = cost{(blocks() - before) / times, slices.Min(took)}
	}
	return out
}

// TestWhatGrowsCostsNoMore: what is done all the time looks into as many blocks of tables and indexes where there is ten times as much of all that is kept, but for a level
// of an index here and there.
func TestWhatGrowsCostsNoMore(t *testing.T) {
	t.Parallel()
	sizes, told := []int{crowdSize / 10, crowdSize}, os.Getenv(growthVariable)
	databases := map[int]string{crowdSize: crowds.Copy(t)}
	if told != "" {
		sizes = nil
		for text := range strings.SplitSeq(told, ",") {
			n, err := strconv.Atoi(text)
			require.NoError(t, err, growthVariable)
			sizes = append(sizes, n)
		}
	}
	var results []map[string]cost
	for _, size := range sizes {
		if databases[size] == "" {
			databases[size] = peopled(t, size)
		}
		results = append(results, costs(t, databases[size], size))
	}
	for _, h := range hot {
		few, many := results[0][h.what], results[1][h.what]
		t.Logf("%-30s %8.0f blocks %8.1f ms, and %8.0f blocks %8.1f ms", h.what, few.blocks, few.took.Seconds()*1000, many.blocks, many.took.Seconds()*1000)
		if told == "" {
			require.Less(t, many.blocks, 1.5*few.blocks+30, h.what)
		}
	}
}

// gaveUp adds a subscription to which so many deliveries failed, and others came to nothing since its address fails again: in lanes of the stream, and one that is tried still.
func gaveUp(t *testing.T, dsn string, size int) {
	t.Helper()
	db := storetest.Raw(t, dsn)
	for _, statement := range []string{
		`INSERT INTO subscriptions (id, tenant, ticket_id, url, host, format, profile, secret, state, reason, created_at, failing_since, shape, selector)
			VALUES ('dead', 'a', 0, 'https://example.com', 'example.com', 'event', 'standard', '', 'active', '', '2026-01-01', '2080-01-01', 1, 'nothing')`,
		`INSERT INTO deliveries (id, tenant, subscription_id, ticket_id, part, at, seq, type, body, state, tries, created_at, ended_at, counted) SELECT 'dead-' || i, 'a', 'dead', CASE WHEN i % 2 = 0 THEN -i ELSE i END, 0,
			'2026-01-01', 9, 'x', '{}', CASE WHEN i = 1 THEN 'pending' ELSE 'failed' END, 1, '2026-01-01', CASE WHEN i > 1 THEN CASE WHEN i % 2 = 0 THEN timestamptz '2081-01-01' ELSE timestamptz '2026-02-01' END END,
			CASE WHEN i > 1 THEN 'example.com' ELSE '' END FROM generate_series(1, ` + strconv.Itoa(size) + `) i`,
		`ANALYZE deliveries`,
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
}

// peopled is a database with so many tickets in it.
func peopled(t *testing.T, size int) (dsn string) {
	t.Helper()
	dsn = storetest.Postgres(t)
	if size > crowdSize { // in memory it would not have room
		cluster, err := postgrestest.NewDurableCluster()
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, cluster.Close()) })
		dsn, err = cluster.CreateDatabase(context.Background())
		require.NoError(t, err)
		s, err := store.Open(t.Context(), dsn, storetest.Options())
		require.NoError(t, err)
		_, err = s.Migrate(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	began := time.Now()
	require.NoError(t, crowd(db, size))
	fmt.Fprintf(os.Stderr, "%d tickets made in %s\n", size, time.Since(began).Round(time.Second))
	return dsn
}
