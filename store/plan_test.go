package store_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/store/storetest"
	"signalbox/store/tickets"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// crowdSize is how many rows each large table gets.
const crowdSize = 10_000

// crowded is a bench on a database in which crowd was; it is filled once in the process.
func crowded(t *testing.T) *bench { return open(t, crowds.Copy(t)) }

// crowdedToLookAt is crowded for those who change nothing.
func crowdedToLookAt(t *testing.T) *bench { return open(t, crowds.Shared(t)) }

var crowds = postgrestest.Template{Fill: func(dsn string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, storetest.Options())
	if err != nil {
		return err
	}
	if _, err := s.Migrate(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return errors.Join(crowd(db, crowdSize), db.Close(), s.Close())
}}

// crowd fills the tables, with so many rows in each that is large, as a house in its second year would have them: many tickets, most of them of one service and closed, in two
// tenants; names that are rare and names that are everywhere.
func crowd(db *sql.DB, size int) error {
	ticketState, err := json.Marshal(ticket.Ticket{Title: strings.Repeat("x", 300)})
	if err != nil {
		return err
	}
	n, at := fmt.Sprintf("generate_series(1, %d) i", size), "timestamptz '2026-01-01' + i * interval '1 minute'"
	statements := []string{
		`ALTER TABLE tickets ALTER COLUMN folded SET DEFAULT true`,
		`ALTER TABLE tickets ALTER COLUMN posted SET DEFAULT true`,
		`INSERT INTO tickets SELECT i, CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, 'IM' || i, 'uuid-' || i, i % 20 = 0,
			CASE i % 20 WHEN 0 THEN 'triggered' WHEN 1 THEN 'revoked' ELSE 'completed' END, 'origin' || i % 50, 'incident', 'person' || i % 200, ` + at + `, ` + at +
			` + interval '1 hour', 5, '` + string(ticketState) + `', CASE WHEN i % 20 <> 0 THEN ` + at + ` + interval '1 hour' END FROM ` + n,
		`UPDATE tickets SET sla = CASE WHEN id % 200 = 0 THEN 'warned' ELSE 'breached' END, due_at = CASE WHEN id % 20 = 0 THEN updated_at END WHERE id % 100 = 0`,
		`INSERT INTO ticket_tags SELECT CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, tag, i FROM ` + n + `, LATERAL (VALUES ('all'), ('tag' || i % 300)) v (tag)`,
		`INSERT INTO relations SELECT i, 'manifest', place, 'N' || i % 500 + place, CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END FROM ` + n + `, generate_series(0, 2) place`,
		`INSERT INTO waiting SELECT CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, 'person' || i % 200, i FROM ` + n,
		`INSERT INTO postings SELECT CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, convert_to(term, 'UTF8'), i / 512,
			string_agg(substr(digits, i % 512 / 32 + 1, 1) || substr(digits, i % 32 + 1, 1), '') FROM ` + n + `, (SELECT '0123456789abcdefghijklmnopqrstuv') d (digits), LATERAL (VALUES ('im' || i), ('gate'), ('word' || i % 700), ('海关')) v (term) GROUP BY 1, 2, 3`,
		`INSERT INTO messages SELECT i, 'm', 2, 'li', 'text', ` + at + `, ` + at + ` FROM ` + n,
		`INSERT INTO events SELECT i, seq, ` + at + `, 'accepted', 'li', 'op-' || i || '-' || seq, '{}', '', CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, 1 + i / 100 FROM ` + n + `, generate_series(1, 5) seq`,
		`INSERT INTO operations SELECT 'op-' || i, CASE WHEN i % 2 = 0 THEN 'scope-' || i END, 'f', 'handle', CASE WHEN i % 1000 = 0 THEN 'running' ELSE 'done' END, 'a', 'demo', 'issue',
			'POST', '/', 'r', 'IM' || i, '{}', 200, '{}', '', ` + at + `, ` + at + `, ` + at + ` FROM ` + n,
		`UPDATE operations SET request_scope = 'request-' || id WHERE scope IS NOT NULL`,
		`INSERT INTO subscriptions SELECT 'sub-' || i, CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, i, 'https://example.com', 'issue', 'minutely', '', CASE WHEN i % 3 = 0 THEN 'dropped' ELSE 'active' END,
			'', ` + at + `, NULL, NULL FROM ` + n,
		`INSERT INTO deliveries SELECT 'msg_' || i || '-' || seq, 'a', 'sub-' || i, i, i % 16, ` + at + `, seq, 'relations', '{}',
			CASE WHEN i % 100 = 0 THEN 'pending' WHEN i % 100 = 1 THEN 'parked' ELSE 'sent' END, 1, NULL, NULL, ` + at + `, CASE WHEN i % 100 > 1 THEN ` + at + ` END FROM ` + n + `, generate_series(2, 4) seq`,
		`UPDATE deliveries SET state = CASE WHEN seq = 4 AND ticket_id % 20 = 3 THEN 'failed' ELSE state END, counted = CASE WHEN seq = 2 THEN 'one.example.com' ELSE 'two.example.com' END WHERE state = 'sent'`,
		`INSERT INTO lanes (ticket_id, subscription_id, parked_at) SELECT i, 'sub-' || i, ` + at + ` FROM ` + n,
		`INSERT INTO attempts SELECT 'msg_' || i || '-' || 2, 1, ` + at + `, ` + at + `, 200, '', '', '', true FROM ` + n,
		`INSERT INTO alerts SELECT 'alert-' || i || '-' || n, 'a', i, 5, n, ` + at + `, 'delivery_failed', 'sub-' || i, 'msg_' || i || '-2', 'example.com', 'timeout' FROM ` + n + `, generate_series(1, 2) n`,
		`INSERT INTO redeliveries SELECT 'r-' || i, 'a', 'sub-' || i, 'sub-' || i, 'failed', NULL, NULL, 'done', 1, 1, NULL, 0, '', ` + at + `, ` + at + ` FROM ` + n,
		`INSERT INTO apps SELECT 'app' || i, 'a', '["read"]', false, now(), now() FROM ` + n,
		`INSERT INTO app_secrets SELECT 'hash' || i, 'app' || i, '', now(), NULL FROM ` + n,
		`INSERT INTO people SELECT CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, 'person' || i % 500, part, i, 1 FROM ` + n + `, LATERAL (VALUES ('opener'), ('actor'), ('approver')) v (part)`,
		`INSERT INTO people SELECT CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, 'robot', 'opener', i, 1 FROM ` + n,
		`INSERT INTO people SELECT 'b', 'archivist', 'opener', i, 1 FROM ` + n + ` WHERE i % 4 = 0 AND i % 20 <> 0`, // all that has ended, and nothing of what others have open
		`UPDATE people SET ended = true WHERE ticket_id % 20 <> 0 AND part = 'opener'`,
		`INSERT INTO directory_persons SELECT 'a', 'person' || i, 'uid' || i, 'person' || i, '', '', 'person' || i || '@example.com', '', '', true, '', '[]', '', convert_to('person' || i, 'UTF8'), '', '', i,
			now(), now() FROM ` + n,
		`INSERT INTO stuck SELECT i, 'failed', CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, ` + at + ` FROM ` + n + ` WHERE i % 5 = 0`,
		`INSERT INTO ticket_nodes SELECT CASE WHEN i % 4 = 0 THEN 'b' ELSE 'a' END, 'incident', CASE WHEN i % 40 = 0 THEN 'handle' ELSE 'accept' END, i FROM ` + n + ` WHERE i % 20 = 0`,
		`INSERT INTO tallies SELECT tenant, to_char(date '2026-01-01' + day, 'YYYY-MM-DD'), 'incident', what, detail, 7 FROM generate_series(0, 400) day,
			LATERAL (VALUES ('a', 'opened', ''), ('a', 'closed', ''), ('b', 'opened', ''), ('a', 'accepted', '3'), ('a', 'accepted', '7')) v (tenant, what, detail)`,
		`INSERT INTO tallies SELECT 'a', to_char(date '2026-01-01' + day, 'YYYY-MM-DD'), '', what, 'host' || host, 7 FROM generate_series(0, 400) day, generate_series(1, 5) host,
			LATERAL (VALUES ('arrived'), ('failed')) v (what)`,
		`INSERT INTO tallies SELECT 'a', '', 'incident', 'node', node, 500 FROM (VALUES ('accept'), ('handle')) v (node)`,
		`UPDATE unlooked SET up_to = 0`, `UPDATE untallied SET up_to = 0`, `UPDATE unended SET up_to = 0`,
		`INSERT INTO ratings SELECT i, 5, 'x', '', now() FROM ` + n,
		`INSERT INTO unopened SELECT -i, false, ` + at + `, '' FROM ` + n,
		`INSERT INTO counters SELECT 'REQ' || i, i FROM ` + n,
		`UPDATE counters SET value = ` + fmt.Sprint(size) + `, seal = '' WHERE name = 'tickets'`,
		`INSERT INTO stream SELECT 'event' || i, 'a', 'demo', 'r', 'a', 'b', 'c', 'd', 'key' || i, '[]', ` + at + ` FROM ` + n,
		`INSERT INTO stream_lanes SELECT -i, 1, ` + at + ` FROM ` + n,
		`INSERT INTO subscriptions (id, tenant, ticket_id, url, format, profile, secret, state, reason, created_at, shape, selector) SELECT 'lasting-' || i, CASE WHEN i % 50 = 0 THEN 'a' ELSE 'b' END, 0,
			'https://example.com', 'event', 'standard', '', CASE WHEN i % 3 = 0 THEN 'dropped' ELSE 'active' END, '', ` + at + `, 1 + i % 7, 'selector' || i FROM ` + n,
		`UPDATE subscriptions SET host = CASE WHEN length(id) % 7 = 0 THEN 'two.example.com' ELSE 'one.example.com' END`,
	}
	return fill(db, statements...)
}

// fill runs statements that write many rows. Indexes are made when the rows are there, which takes a third of the time; those of constraints stay.
func fill(db *sql.DB, statements ...string) error {
	db.SetMaxOpenConns(1) // a setting is one connection's
	var drop, create string
	if err := db.QueryRow(`SELECT string_agg('DROP INDEX ' || indexname, ';'), string_agg(indexdef, ';') FROM pg_indexes
		WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)`).Scan(&drop, &create); err != nil {
		return err
	}
	for _, statement := range slices.Concat([]string{drop, `SET session_replication_role = replica`}, // what refers to what is right, and takes long to be looked at row by row
		statements, []string{`SET session_replication_role = origin`, create, `ANALYZE`}) {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// filters are every filter of a list by itself, and some together.
func filters() map[string]ticket.Filter {
	yes, no := true, false
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	return map[string]ticket.Filter{
		"none": {}, "open": {Open: &yes}, "closed": {Open: &no}, "phase": {Phases: []string{"triggered"}}, "common phase": {Phases: []string{"completed"}},
		"phases": {Phases: []string{"triggered", "revoked", "suspended"}}, "no such phase": {Phases: []string{"resolved"}}, "origin": {Origin: "origin7"},
		"tag": {Tag: "tag7"}, "common tag": {Tag: "all"}, "no such tag": {Tag: "nothing"}, "service": {Service: "incident"}, "assignee": {Assignee: "person7"},
		"waiting for": {WaitingFor: "person7"}, "relation": {RelationType: "manifest", RelationItem: "N7"},
		"created after": {CreatedAfter: day}, "created before": {CreatedBefore: day}, "created between": {CreatedAfter: day, CreatedBefore: day.Add(time.Hour)},
		"updated after": {UpdatedAfter: day}, "updated before": {UpdatedBefore: day}, "updated lately": {UpdatedAfter: day.Add(9 * 24 * time.Hour)},
		"unassigned": {Unassigned: true}, "opener": {Opener: "person7"}, "follower": {Follower: "person7"}, "related": {RelationItem: "N7"}, "overdue": {Overdue: day},
		"ended after": {EndedAfter: day.Add(30 * time.Hour)}, "ended before": {EndedBefore: day}, "stuck": {Stuck: ticket.Causes}, "stuck for something": {Stuck: []ticket.Cause{"failed"}}, "stuck first": {Sort: ticket.SortStuck}, "updated first": {Sort: ticket.SortUpdated}, "updated last": {Sort: ticket.SortUpdatedLatest},
		"open, updated first": {Sort: ticket.SortUpdated, Open: &yes}, "due first": {Sort: ticket.SortDue}, "open, due first": {Sort: ticket.SortDue, Open: &yes},
		"overdue, due first": {Sort: ticket.SortDue, Overdue: day}, "a word, due first": {Sort: ticket.SortDue, Terms: "gate"},
		"breached": {SLA: []string{"breached"}}, "open and breached": {Open: &yes, SLA: []string{"breached"}}, "open, of an opener": {Open: &yes, Opener: "robot"}, "sla": {SLA: ticket.SLAStates}, "due before": {DueBefore: day}, "due after": {DueAfter: day},
		"word": {Terms: "word7"}, "words": {Terms: "gate word7 im123"}, "common word": {Terms: "海关"}, "prefix": {Terms: "im12"}, "common prefix": {Terms: "gat"},
		"many words":  {Terms: "gate 海关 word7 im700 a b c d e f g"},
		"a long text": {Terms: strings.Repeat("海关", 60)}, "a very long text": {Terms: "海关" + someHan(253)}, "many characters": {Terms: "海 关 " + strings.Join(strings.Split(someHan(100), ""), " ")},
		"reopened": {ReopenedAfter: day, ReopenedBefore: day.Add(24 * time.Hour)}, "kept": {SLA: []string{ticket.SLAKept}, EndedAfter: day, EndedBefore: day.Add(24 * time.Hour)},
		"node":        {Service: "incident", Node: "accept"},
		"everything":  {Open: &yes, Phases: []string{"triggered"}, Origin: "origin0", Tag: "all", Service: "incident", Assignee: "person0", WaitingFor: "person0", RelationType: "manifest", RelationItem: "N20", CreatedAfter: day, Terms: "gate"},
		"tag at page": {Tag: "all", Cursor: "eyJhIjoiMjAyNi0wMS0wNVQwMDowMDowMFoiLCJuIjo1MDAwfQ"},
	}
}

func someHan(n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteRune(rune('一' + i*7))
	}
	return text.String()
}

func TestListsAreAnsweredByIndexes(t *testing.T) {
	t.Parallel()
	b := crowdedToLookAt(t)
	db := b.raw()
	tried := map[string]bool{"Limit": true}
	for name, f := range filters() {
		for member, value := range reflect.ValueOf(f).Fields() {
			tried[member.Name] = tried[member.Name] || !value.IsZero()
		}
		queries, err := tickets.ListQueries("a", f)
		require.NoError(t, err)
		for _, query := range queries {
			plan := planOf(t, db, query.SQL, append(query.Args, ticket.DefaultPage+1)...)
			require.NotContains(t, plan, "Seq Scan", "%s\n%s", name, plan)
			require.Contains(t, plan, cmp.Or(map[string]string{"open and breached": "tickets_open_sla", "open, of an opener": "people_open"}[name], "Index"), "%s\n%s", name, plan)
			if strings.HasSuffix(name, " first") || strings.HasSuffix(name, " last") {
				rows, _, _ := strings.Cut(plan, "SubPlan") // which sorts a few rows of one ticket
				require.NotContains(t, rows, "Sort", "%s\n%s", name, plan)
			}
		}
		_, err = b.Tickets(t.Context(), "a", f)
		require.NoError(t, err)
		_, err = b.Count(t.Context(), "a", f, ticket.MaxTotal)
		require.NoError(t, err)
	}
	for member := range reflect.TypeFor[ticket.Filter]().Fields() {
		require.True(t, tried[member.Name], "no plan is looked at of the filter %s", member.Name)
	}
}

// planOf is how PostgreSQL would answer a query.
func planOf(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN "+sqlx.Rebind(sqlx.DOLLAR, query), args...)
	require.NoError(t, err, query)
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan = append(plan, line)
	}
	require.NoError(t, rows.Err())
	return strings.Join(plan, "\n")
}

// Whatever the store does, it reads no large table from end to end: counted by PostgreSQL itself, prepared statements and their plans included.
func TestNothingReadsAWholeTable(t *testing.T) {
	t.Parallel()
	b := crowded(t)
	db := b.raw()
	db.SetMaxOpenConns(1)
	require.NoError(t, b.Close()) // what its connections counted is there once they have ended
	before := scans(t, db)

	s, err := store.Open(t.Context(), b.dsn+"&application_name=observed", store.Options{MasterKey: masterKey, Now: b.clock.Now, Connections: 1,
		Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	use := *b
	use.Store, use.ledger, use.outbox, use.n = s, s.Ledger(), s.Outbox, crowdSize
	for range 12 { // PostgreSQL plans a prepared statement anew for the first five times and may go over to one plan for all then
		exercise(t, &use)
	}
	require.NoError(t, s.Close())

	counted(t, db)
	after := scans(t, db)
	require.NotEmpty(t, after)
	for table, n := range after {
		require.Equal(t, before[table], n, "%s was read from end to end", table)
	}
}

// counted waits for the end of the connections that are observed: what they counted is there then.
func counted(t *testing.T, db *sql.DB) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'observed' AND datname = current_database()`).Scan(&n))
		return n == 0
	}, time.Minute, 10*time.Millisecond)
}

// scans gives how often each table was read from end to end, but for those that never have many rows. db is to have a single connection: what
// it did itself is counted first, while PostgreSQL may take its time with what other connections did just now.
func scans(t *testing.T, db *sql.DB) map[string]int {
	_, err := db.Exec(`SELECT pg_stat_force_next_flush()`)
	require.NoError(t, err)
	rows, err := db.Query(`SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname NOT IN ('goose_db_version', 'budgets', 'data_keys', 'change_feed', 'doubts', 'unposted', 'unlooked', 'tallied', 'tally_entries', 'untallied', 'unended')`)
	require.NoError(t, err)
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var table string
		var n int
		require.NoError(t, rows.Scan(&table, &n))
		out[table] = n
	}
	require.NoError(t, rows.Err())
	return out
}

// exercise does everything once.
func exercise(t *testing.T, b *bench) {
	for _, f := range filters() {
		_, err := b.Tickets(t.Context(), "a", f)
		require.NoError(t, err)
	}
	_, err := b.Overview(t.Context(), "a", "", epoch.AddDate(0, 0, -6), epoch)
	require.NoError(t, err)
	_, err = b.OpenAtNodes(t.Context(), "a", "incident")
	require.NoError(t, err)
	_, err = b.OwedByAge(t.Context(), "a")
	require.NoError(t, err)
	for _, key := range []string{"IM77", "10000000-0000-4000-8000-000000000001"} {
		_, _ = b.Ticket(t.Context(), "a", key)
		_, _ = b.Record(t.Context(), "a", key)
	}
	op, prepare := b.opening(fmt.Sprint("key", b.n))
	op.Series = ticket.SeriesREQ
	claimed, fresh, err := b.ledger.Claim(t.Context(), op, prepare)
	require.NoError(t, err)
	require.True(t, fresh)
	_, _, err = b.ledger.Claim(t.Context(), op, prepare)
	require.True(t, ticket.Is(err, ticket.Busy))
	require.NoError(t, b.ledger.Expire(t.Context(), claimed.ID, claimed.Lease))
	_, err = b.ledger.Lease(t.Context(), claimed.ID, b.clock.Now().Add(time.Minute))
	require.NoError(t, err)
	require.NoError(t, b.ledger.Close(t.Context(), claimed.ID, desk.Void, ""))
	_, _, err = b.ledger.Claim(t.Context(), op, prepare)
	require.NoError(t, err)
	require.NoError(t, b.ledger.Finish(t.Context(), claimed, claimed.Opening))
	_, err = b.ledger.Expired(t.Context(), 10)
	require.NoError(t, err)
	_, err = b.ledger.Happened(t.Context(), claimed.ID)
	require.NoError(t, err)
	_, err = b.PruneOperations(t.Context(), epoch.Add(-23*time.Hour), 10)
	require.NoError(t, err)
	_, err = b.PruneAudit(t.Context(), epoch.Add(-23*time.Hour), 10)
	require.NoError(t, err)
	require.NoError(t, b.Refused(t.Context(), desk.Entry{At: b.clock.Now(), Tenant: "a", App: "demo", Operator: "li", Number: "IM77", Code: ticket.Conflict}))
	for _, f := range []desk.EntryFilter{{}, {App: "demo"}, {Operator: "li"}, {Number: "IM77"}, {Outcome: desk.Refused}, {Outcome: desk.Running}, {From: epoch}} {
		_, _, err = b.Audit(t.Context(), "a", f)
		require.NoError(t, err)
	}
	_, err = b.Verify(t.Context(), verify.Options{Ticket: "IM77"}, func(verify.Fault) {})
	require.True(t, err == nil || ticket.Is(err, ticket.NotFound), err)

	s := &story{t: t, ticket: ticket.Fold(ticket.Ticket{}, claimed.Opening), events: claimed.Opening, at: b.clock.Now()}
	_, _, err = b.ledger.Transact(t.Context(), b.operation(fmt.Sprint("record", b.n)), func(ctx context.Context) (desk.Answer, error) {
		_, err := b.Register(ctx, s.ticket, notice.Subscription{URL: hook})
		return desk.Answer{}, err
	})
	require.NoError(t, err)
	registered, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
	require.NoError(t, err)
	sub := registered[0].Subscription
	b.act(s, ticket.Command{Action: ticket.Accept})
	b.project(s, s.relate("manifest", "1")...)
	b.project(s, s.relate("manifest", "2")...)
	b.act(s, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}})
	b.act(s, ticket.Command{Action: ticket.Revise, Message: &ticket.Message{ID: "m", Author: "li", Content: "y"}})
	_, err = b.Relations(t.Context(), s.ticket)
	require.NoError(t, err)
	_, err = b.Messages(t.Context(), s.ticket.ID, 1, 10)
	require.NoError(t, err)
	_, err = b.Message(t.Context(), s.ticket.ID, "m")
	require.NoError(t, err)
	for _, place := range []notice.Position{{}, {Seq: 1}, {Seq: 5, N: 1}} {
		for _, ticketID := range []int64{s.ticket.ID, 7} {
			_, err = b.Entries(t.Context(), ticketID, place, 10)
			require.NoError(t, err)
			_, err = b.EntriesBefore(t.Context(), ticketID, place, 10)
			require.NoError(t, err)
		}
	}
	_, err = b.Timeline(t.Context(), s.ticket.ID, 1, 10)
	require.NoError(t, err)
	for _, cursor := range []string{ticket.FeedEarliest, ticket.FeedLatest} {
		page, err := b.Changes(t.Context(), "a", cursor, 10)
		require.NoError(t, err)
		_, err = b.Changes(t.Context(), "a", page.Next, 10)
		require.NoError(t, err)
	}

	_, err = b.outbox.Partitions(t.Context())
	require.NoError(t, err)
	part, lane := notice.Partition(s.ticket.ID, 16), notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID}
	var mine []notice.Work
	_, err = b.outbox.Pending(t.Context(), part, []notice.Lane{{Subscription: "x", TicketID: 1}}, 10)
	require.NoError(t, err)
	for _, r := range b.deliveries(sub) {
		mine = append(mine, notice.Work{Delivery: r.Delivery, Subscription: sub})
	}
	b.record(b.tried(mine[0], notice.Sent), b.tried(mine[1], notice.Retrying))
	_, err = b.outbox.Retrying(t.Context(), notice.Lane{}, 10)
	require.NoError(t, err)
	next, more, err := b.outbox.Next(t.Context(), lane)
	require.NoError(t, err)
	require.True(t, more)
	last := b.tried(next, notice.Failed)
	last.Drop = "dropped"
	b.record(last)
	_, _, err = b.outbox.Next(t.Context(), lane)
	require.NoError(t, err)
	require.True(t, ticket.Is(b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, next.Delivery.ID), ticket.Conflict))
	again, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: registered[0].URL})
	require.NoError(t, err)
	_, err = b.Rotate(t.Context(), ownerOf(s.ticket), again.ID)
	require.NoError(t, err)
	_, _, err = b.CallSecrets(t.Context(), s.ticket.Identity, "")
	require.True(t, ticket.Is(err, ticket.NotFound), "a built-in service has none")
	_, err = b.Delivery(t.Context(), sub.ID, mine[0].Delivery.ID)
	require.NoError(t, err)
	b.clock.pass(time.Second)
	from := s.events[0].At
	for _, selection := range []notice.Selection{{State: notice.Failed}, {State: notice.Held, From: &from}, {From: &from}} {
		r, err := b.BeginRedelivery(t.Context(), ownerOf(s.ticket), sub.ID, selection, false)
		require.NoError(t, err)
		for range 2 {
			_, err = b.RedeliverSome(t.Context(), r.ID, 1, 500)
			require.NoError(t, err)
		}
		_, err = b.RedeliveryOf(t.Context(), "a", sub.ID, r.ID)
		require.NoError(t, err)
	}
	_, err = b.outbox.Redeliveries(t.Context(), 10)
	require.NoError(t, err)
	_, err = b.PruneDeliveries(t.Context(), b.clock.Now().Add(-time.Hour), 10)
	require.NoError(t, err)
	_, err = b.PruneSubscriptions(t.Context(), b.clock.Now().Add(-time.Hour), 10)
	require.NoError(t, err)
	require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), again.ID))
	require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))

	exerciseStream(t, b)

	code := fmt.Sprint("one", b.n)
	secret, err := b.CreateApp(t.Context(), demo(code))
	require.NoError(t, err)
	_, err = b.BySecret(t.Context(), secret)
	require.NoError(t, err)
	_, _, err = b.Secrets(t.Context(), code)
	require.NoError(t, err)
	_, err = b.RotateSecret(t.Context(), code, 0)
	require.NoError(t, err)
	require.NoError(t, b.SetAppDisabled(t.Context(), code, true))
	require.NoError(t, b.EnsureApp(t.Context(), code+"x", "secret-"+code, "a", []desk.Scope{desk.Read}))
}
