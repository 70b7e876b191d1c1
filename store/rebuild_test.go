package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/notice"
	"signalbox/store/storetest"
	"signalbox/store/vault"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// records are the tables that no rebuild makes anew, with the reason.
var records = map[string]string{
	"events": "the timeline itself", "alerts": "the timeline itself", "doubts": "no event tells it", "ratings": "no event tells it", "views": "no event tells it",
	"operations": "no event tells it", "unopened": "ids without a ticket", "counters": "what was drawn", "words": "of the version before the one before", "untallied": "how far a filling is",
	"unlooked": "how far a filling is", "unended": "how far a filling is", "rebuilds": "how far a rebuild is", "upkeep": "who is at it", "change_feed": "where places begin", "installation": "itself",
	"subscriptions": "what somebody asked for", "deliveries": "what is owed and was sent", "attempts": "what was tried", "lanes": "what is owed", "stream": "what is owed", "stream_lanes": "what is owed",
	"redeliveries": "what somebody asked for", "apps": "callers", "app_secrets": "callers", "budgets": "callers", "buckets": "callers", "signatures": "callers", "data_keys": "keys",
	"services": "documents", "service_versions": "documents", "service_nodes": "documents", "service_catalogs": "documents", "service_imports": "documents", "calendars": "documents",
	"calendar_versions": "documents", "directories": "the directory", "directory_persons": "the directory", "directory_groups": "the directory", "directory_members": "the directory",
	"directory_absences": "the directory", "directory_changes": "the directory", "directory_passwords": "the directory", "goose_db_version": "the schema",
}

// keptColumns are those of the read model that are no fold of anything.
var keptColumns = []string{"tickets.id", "tickets.chain", "tallied.id", "tally_entries.id"}

// derivedTables are the tables of the read model that are made of timelines and of deliveries.
var derivedTables = []string{"tickets", "ticket_tags", "ticket_nodes", "relations", "messages", "waiting", "people", "stuck", "unposted", "postings", "tallies", "tallied", "tally_entries"}

// sharedTables are those of them whose rows are of many tickets.
var sharedTables = []string{"postings", "tallies", "tallied", "tally_entries"}

// derivedColumns gives the columns of the read model with the types that the database has for them, but for those that say whose a row is.
func (b *bench) derivedColumns() (list [][3]string) {
	b.t.Helper()
	for _, table := range derivedTables {
		rows, err := b.raw().Query(`SELECT * FROM ` + table + ` LIMIT 0`)
		require.NoError(b.t, err)
		types, err := rows.ColumnTypes()
		require.NoError(b.t, err)
		require.NoError(b.t, rows.Close())
		for _, c := range types {
			if c.Name() != "ticket_id" && !slices.Contains(keptColumns, table+"."+c.Name()) {
				list = append(list, [3]string{table, c.Name(), strings.ToLower(c.DatabaseTypeName())})
			}
		}
	}
	return list
}

// spoil gives what makes a column wrong in every row.
func (b *bench) spoil(column [3]string) string {
	name := column[1]
	value := map[string]string{"text": name + ` || 'x'`, "bigint": name + ` + 100000`, "int8": name + ` + 100000`, "integer": name + ` + 7`, "int4": name + ` + 7`, "boolean": `NOT ` + name, "bool": `NOT ` + name,
		"timestamptz": `'2001-01-01 00:00:00.000000+00:00'`, "bytea": `CAST(` + name + ` || x'78' AS blob)`}[column[2]]
	if strings.HasPrefix(b.dsn, "postgres") && column[2] == "bytea" {
		value = name + ` || '\x78'::bytea`
	}
	switch name {
	case "members":
		value = `'00'`
	case "counts":
		value = `replace(counts, '"n":1', '"n":3')`
	}
	require.NotEmpty(b.t, value, "how is %v spoiled?", column)
	return fmt.Sprintf(`UPDATE %s SET %s = %s`, column[0], name, value)
}

// readModel shows what the read model holds. Words and counts are what they come to, wherever they are kept for now; what nothing is left of is nothing.
func (b *bench) readModel() map[string][]string {
	b.t.Helper()
	out := map[string][]string{}
	for _, table := range derivedTables {
		if slices.Contains([]string{"unposted", "postings", "tallies", "tallied", "tally_entries"}, table) {
			continue
		}
		out[table] = b.lines(`SELECT * FROM ` + table)
	}
	out["counts"] = b.talliedLines()
	words := map[string]bool{}
	for _, line := range b.lines(`SELECT tenant, ticket_id, terms FROM unposted`) {
		parts := strings.Split(line, "|")
		for _, term := range strings.Fields(parts[2]) {
			words[parts[0]+"|"+term+"|"+parts[1]] = true
		}
	}
	const digits = "0123456789abcdefghijklmnopqrstuv"
	for _, line := range b.lines(`SELECT tenant, term, block, members FROM postings`) {
		parts := strings.Split(line, "|")
		var block int
		_, err := fmt.Sscan(parts[2], &block)
		require.NoError(b.t, err)
		for i := 0; i+1 < len(parts[3]); i += 2 {
			words[fmt.Sprintf("%s|%s|%d", parts[0], parts[1], block*512+strings.IndexByte(digits, parts[3][i])*32+strings.IndexByte(digits, parts[3][i+1]))] = true
		}
	}
	out["words"] = slices.Sorted(maps.Keys(words))
	return out
}

// talliedLines are what is counted, added up or not.
func (b *bench) talliedLines() (list []string) {
	b.t.Helper()
	sums := map[string]int{}
	for _, line := range b.lines(`SELECT n, tenant, day, service, what, detail FROM tallies UNION ALL SELECT n, tenant, day, service, what, detail FROM tallied`) {
		number, what, _ := strings.Cut(line, "|")
		n, err := strconv.Atoi(number)
		require.NoError(b.t, err)
		sums[what] += n
	}
	for _, line := range b.lines(`SELECT tenant, counts FROM tally_entries`) {
		tenant, text, _ := strings.Cut(line, "|")
		var entries []struct {
			Day, Of, What, At string
			N                 int
		}
		_ = json.Unmarshal([]byte(text), &entries) // what somebody spoiled counts nothing
		for _, e := range entries {
			sums[strings.Join([]string{tenant, e.Day, e.Of, e.What, e.At}, "|")] += e.N
		}
	}
	for what, n := range sums {
		if n != 0 {
			list = append(list, fmt.Sprint(what, "|", n))
		}
	}
	slices.Sort(list)
	return list
}

// lines are the rows of a query as text, sorted.
func (b *bench) lines(query string) (list []string) {
	b.t.Helper()
	rows, err := sqlx.NewDb(b.raw(), "").Queryx(query)
	require.NoError(b.t, err)
	defer rows.Close()
	for rows.Next() {
		cells, err := rows.SliceScan()
		require.NoError(b.t, err)
		texts := make([]string, len(cells))
		for i, cell := range cells {
			switch c := cell.(type) {
			case []byte:
				texts[i] = string(c)
			case time.Time:
				texts[i] = c.UTC().Format(time.RFC3339Nano)
			default:
				texts[i] = fmt.Sprint(c)
			}
		}
		list = append(list, strings.Join(texts, "|"))
	}
	require.NoError(b.t, rows.Err())
	slices.Sort(list)
	return list
}

// rebuilder makes the read model of a bench anew, and has workflows of stories.
func (b *bench) rebuilder(stories ...*story) (*desk.Rebuilder, *desktest.Engine) {
	b.t.Helper()
	engine := &desktest.Engine{Project: b.ledger.Project}
	for _, s := range stories {
		require.NoError(b.t, engine.Begin(b.t.Context(), ticket.Ticket{}, s.events))
	}
	d := desk.New(b.ledger, engine, desk.Options{Log: slog.New(slog.DiscardHandler), Now: b.clock.Now})
	return &desk.Rebuilder{Reconciler: &desk.Reconciler{Desk: d, Books: b.ledger, Workflows: engine}, Model: b.ReadModel()}, engine
}

// furnished are tickets of every kind, open and ended, with everything beside them that the read model keeps; the last is in doubt.
func furnished(b *bench) []*story {
	stories := gallery(b, 15)
	for range 6 { // of which that have ended as many are spoiled at once as of the others
		d := draft("over")
		d.Tags, d.Relations = []string{"vip"}, []ticket.Relation{{Type: "manifest", Content: []string{"N0", "all"}}}
		d.Opener, d.Followers = "li", []string{"qian"}
		over := b.opened("a", d)
		b.act(over, ticket.Command{Action: ticket.Close})
		stories = append(stories, over)
	}
	own := b.opened("a", draft("of its own"))
	_, err := b.Register(b.t.Context(), own.ticket, notice.Subscription{URL: hook, Profile: "once"})
	require.NoError(b.t, err)
	b.project(own, own.relate("manifest", "1", "2")...)
	for _, work := range b.pending() {
		if work.Delivery.Lane.TicketID == own.ticket.ID {
			b.record(b.tried(work, notice.Failed))
		}
	}
	b.project(own, slices.Concat(own.relate("manifest"), own.relate("order", "z", "a", "z"))...)
	b.act(own, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}})
	b.act(own, ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "n", Author: "li", Content: "z"}})
	b.act(own, ticket.Command{Action: ticket.Revise, Message: &ticket.Message{ID: "m", Author: "li", Content: "y"}})
	require.NoError(b.t, b.Post(b.t.Context()))
	require.NoError(b.t, b.Tally(b.t.Context()))
	// Some are of a process of a version before, which adds them so.
	b.tamper(`INSERT INTO tallied (id, tenant, day, service, what, detail, n) SELECT day || service, tenant, day, service, what, detail, n FROM tallies WHERE tenant = 'a' AND what = 'opened'`,
		`DELETE FROM tallies WHERE tenant = 'a' AND what = 'opened'`)

	v1, err := b.PublishService(b.t.Context(), "a", "demo", parsed(b.t, leave))
	require.NoError(b.t, err)
	d := draft("a week")
	d.Service, d.Definition, d.Opener = "leave", &v1, "li"
	asks := b.opened("a", d)
	b.project(asks, slices.Concat(asks.do(ticket.Command{Action: ticket.Submit, Operator: "li"}), asks.relate("manifest", "1"))...)
	doubted := b.failing("d")
	require.NoError(b.t, b.ledger.Doubt(b.t.Context(), doubted.ticket.Identity, "for a reason"))
	return append(stories, own, asks, doubted)
}

// spoiling is something by which the read model of one ticket becomes wrong.
type spoiling struct {
	what      string
	ticket    int64
	statement string
}

// spoilings spoil each column of the tables that have rows of tickets, take their rows away and add others that no timeline tells of: each with an open ticket and with one that has ended, if
// there are such with rows in that table. Those of which least is spoiled are taken.
func (b *bench) spoilings(stories []*story) (list []spoiling) {
	b.t.Helper()
	taken := map[int64]int{}
	spoil := func(what, statement, whose string) {
		candidates := b.lines(whose)
		for _, ended := range []bool{false, true} {
			best := int64(0)
			for _, s := range stories {
				id := s.ticket.ID
				if s.ticket.Ended() == ended && slices.Contains(candidates, fmt.Sprint(id)) && (best == 0 || taken[id] < taken[best]) {
					best = id
				}
			}
			if best != 0 {
				taken[best]++
				list = append(list, spoiling{what, best, strings.NewReplacer("$ticket", fmt.Sprint(best), "$tenant", b.lines(fmt.Sprintf(`SELECT tenant FROM tickets WHERE id = %d`, best))[0]).Replace(statement)})
			}
		}
		require.Equal(b.t, what, list[len(list)-1].what, "no ticket has anything to spoil")
	}
	for _, column := range b.derivedColumns() {
		table, id := column[0], "ticket_id"
		if table == "tickets" {
			id = "id"
		}
		if !slices.Contains(sharedTables, table) {
			there := ` WHERE ` + column[1] + ` IS NOT NULL`
			spoil(table+"."+column[1], b.spoil(column)+there+` AND `+id+` = $ticket`, `SELECT DISTINCT `+id+` FROM `+table+there)
		}
	}
	for _, table := range derivedTables[1:] {
		if !slices.Contains(sharedTables, table) {
			spoil("no "+table, `DELETE FROM `+table+` WHERE ticket_id = $ticket`, `SELECT DISTINCT ticket_id FROM `+table)
		}
	}
	for _, added := range [][2]string{
		{"a tag", `INSERT INTO ticket_tags (tenant, tag, ticket_id) VALUES ('$tenant', 'z', $ticket)`},
		{"a node", `INSERT INTO ticket_nodes (tenant, service, node, ticket_id) VALUES ('$tenant', 'z', 'z', $ticket)`},
		{"somebody to wait for", `INSERT INTO waiting (tenant, person, ticket_id) VALUES ('$tenant', 'somebody', $ticket)`},
		{"an approver", `INSERT INTO people (tenant, person, part, ticket_id, seq) VALUES ('$tenant', 'somebody', 'approver', $ticket, 1)`},
		{"a message", `INSERT INTO messages (ticket_id, id, seq, author, content, created_at, updated_at) SELECT id, 'z', 1, 'li', 'x', created_at, created_at FROM tickets WHERE id = $ticket`},
		{"a relation", `INSERT INTO relations (ticket_id, type, place, content, tenant) VALUES ($ticket, 'z', 0, 'x', '$tenant')`},
		{"a failure", `INSERT INTO stuck (ticket_id, cause, tenant, since) SELECT id, 'failed', tenant, created_at FROM tickets WHERE id = $ticket`},
		{"a doubt", `INSERT INTO stuck (ticket_id, cause, tenant, since) SELECT id, 'in_doubt', tenant, created_at FROM tickets WHERE id = $ticket`},
	} {
		spoil(added[0], added[1], `SELECT id FROM tickets WHERE id NOT IN (SELECT ticket_id FROM stuck)`)
	}
	return list
}

// rounds has each of them in a round in which nothing else of its ticket is spoiled, so that it is noticed by itself or not at all.
func rounds(all []spoiling) (list [][]spoiling) {
	for _, s := range all {
		at := slices.IndexFunc(list, func(round []spoiling) bool {
			return !slices.ContainsFunc(round, func(other spoiling) bool { return other.ticket == s.ticket })
		})
		if at < 0 {
			list, at = append(list, nil), len(list)
		}
		list[at] = append(list[at], s)
	}
	return list
}

// Every column and every table of the read model that somebody spoils comes to what it was, whether tickets are open or ended; and what is right is not written.
func TestTheReadModelIsMadeAnew(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	both(t, func(t *testing.T, b *bench) {
		stories := furnished(b)
		r, _ := b.rebuilder(stories...)
		want := b.readModel()
		for what, lines := range want {
			require.NotEmpty(t, lines, what)
		}
		for _, table := range derivedTables {
			require.NotZero(t, b.count(`SELECT COUNT(*) FROM `+table), "there is nothing to spoil in %s", table)
		}
		list := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
		if strings.HasPrefix(b.dsn, "postgres") {
			list = `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`
		}
		for _, table := range b.lines(list) {
			_, known := records[table]
			require.NotEqual(t, known, slices.Contains(derivedTables, table), "is %s made anew, or a record?", table)
		}
		restore := b.snapshot()
		// rebuilt spoils and rebuilds, a dry run before and once more if it is to, and gives the ids of the tickets that were made anew.
		rebuilt := func(t *testing.T, spoiled, thrice bool, statements ...string) (remade []int64) {
			t.Helper()
			restore()
			b := *b
			b.t = t
			if len(statements) > 0 {
				b.tamper(statements...)
			}
			require.Equal(t, spoiled, !assert.ObjectsAreEqual(want, b.readModel()), "it is not what it was")
			var dry desk.RebuildSum
			var err error
			if thrice {
				dry, err = r.Rebuild(t.Context(), desk.RebuildOptions{DryRun: true}, func(desk.RebuildFinding) {})
				require.NoError(t, err)
			}
			var unknown []string
			sum, err := r.Rebuild(t.Context(), desk.RebuildOptions{}, func(f desk.RebuildFinding) {
				for _, why := range f.Unknown {
					unknown = append(unknown, f.Number+": "+why)
				}
				if len(f.Wrong) > 0 {
					remade = append(remade, f.ID)
				}
			})
			require.NoError(t, err)
			for table, lines := range b.readModel() {
				require.Equal(t, want[table], lines)
			}
			require.Equal(t, []string{stories[len(stories)-1].ticket.Number + ": it is in doubt, and migrate reconcile sees to it: for a reason"}, unknown)
			require.Equal(t, len(stories), sum.Tickets)
			require.Equal(t, spoiled, sum.Remade+sum.Counts+sum.Words > 0, sum)
			require.InDelta(t, sum.Tickets-1, sum.Remade+sum.Same, 1, "the one in doubt may be made anew too: %+v", sum)
			for _, tenant := range []string{"a", "b"} {
				_, faults := b.verify(verify.Options{Tenant: tenant})
				require.Empty(t, faults)
			}
			if !thrice {
				return remade
			}
			require.Equal(t, dry.Remade, sum.Remade, "it was told beforehand")
			sum, err = r.Rebuild(t.Context(), desk.RebuildOptions{}, func(desk.RebuildFinding) {})
			require.NoError(t, err)
			require.Equal(t, desk.RebuildSum{Tickets: len(stories), Same: len(stories) - 1, Unknown: 1}, sum, "once is enough")
			return remade
		}
		t.Run("nothing", func(t *testing.T) { rebuilt(t, false, true) })
		for i, round := range rounds(b.spoilings(stories[:len(stories)-1])) {
			t.Run(fmt.Sprint("of tickets, each by itself, ", i), func(t *testing.T) {
				var ids []int64
				var statements []string
				for _, s := range round {
					t.Logf("ticket %d: %s", s.ticket, s.what)
					ids, statements = append(ids, s.ticket), append(statements, s.statement)
				}
				require.ElementsMatch(t, ids, rebuilt(t, true, i == 0, statements...), "these and no others are made anew")
			})
		}
		var all []string
		shared := map[string][]string{}
		for _, column := range b.derivedColumns() {
			all = append(all, b.spoil(column))
			switch column[0] {
			case "postings":
				t.Run(column[0]+"."+column[1], func(t *testing.T) { rebuilt(t, true, false, b.spoil(column)) })
			case "tallies", "tallied", "tally_entries":
				shared[column[0]] = append(shared[column[0]], b.spoil(column))
			}
		}
		// Of counts each column in a row of its own, as far as there are rows.
		var counts [][]string
		for table, statements := range shared {
			key := "id"
			if table == "tallies" {
				key = "day, service, what, detail, tenant"
			}
			for i, some := range slices.Collect(slices.Chunk(statements, b.count(`SELECT COUNT(*) FROM kept_`+table))) {
				if i == len(counts) {
					counts = append(counts, nil)
				}
				for row, statement := range some {
					counts[i] = append(counts[i], fmt.Sprintf(`%s WHERE (%s) IN (SELECT %s FROM kept_%s ORDER BY %s LIMIT 1 OFFSET %d)`, statement, key, key, table, key, row))
				}
			}
		}
		for i, some := range counts {
			t.Run(fmt.Sprint("counts, ", i), func(t *testing.T) { rebuilt(t, true, false, some...) })
		}
		t.Run("counts that cannot be read", func(t *testing.T) { rebuilt(t, true, false, `UPDATE tally_entries SET counts = 'x'`) })
		t.Run("all columns", func(t *testing.T) { rebuilt(t, true, true, all...) })
		var rows []string
		for _, table := range derivedTables[1:] {
			rows = append(rows, `DELETE FROM `+table)
			if slices.Contains(sharedTables, table) {
				t.Run("no "+table, func(t *testing.T) { rebuilt(t, true, false, `DELETE FROM `+table) })
			}
		}
		t.Run("nothing but rows", func(t *testing.T) { rebuilt(t, true, true, rows...) })
		t.Run("words and counts that nothing tells of", func(t *testing.T) {
			rebuilt(t, true, false, `UPDATE postings SET members = members || 'fv' WHERE tenant = 'a'`, `UPDATE postings SET members = members || '02' WHERE tenant = 'b'`,
				`INSERT INTO tally_entries (id, tenant, counts) VALUES ('z', 'y', '[{"what":"phase","at":"triggered","n":3}]')`,
				`INSERT INTO tallies (tenant, day, service, what, detail, n) VALUES ('z', '', '', 'phase', 'triggered', 3)`)
		})
	})
}

// A ticket moves between the look at it and the moment at which it is written.
func TestATicketThatMovesIsNeverSetBack(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		b.act(s, ticket.Command{Action: ticket.Accept})
		b.tamper(`UPDATE tickets SET phase = 'completed', open = false`, `DELETE FROM people`)
		other := b.under(masterKey)
		said := s.do(ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "wang", Content: "meanwhile"}})
		var wait sync.WaitGroup
		var found []desk.Remade
		require.NoError(t, b.InTransaction(t.Context(), func(ctx context.Context, _ func(vault.Purpose) (vault.DataKey, error)) error {
			if err := b.ledger.Project(ctx, s.ticket.Identity, said); err != nil {
				return err
			}
			wait.Go(func() {
				assert.NoError(t, other.Remake(context.WithoutCancel(ctx), []int64{s.ticket.ID}, false, func(r desk.Remade) error {
					found = append(found, r)
					return nil
				}))
			})
			if strings.HasPrefix(b.dsn, "postgres") {
				require.Eventually(t, func() bool {
					return b.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
				}, time.Minute, 5*time.Millisecond, "it has looked at the ticket and waits for its row")
			}
			return nil
		}))
		wait.Wait()
		require.Len(t, found, 1)
		require.NotEmpty(t, found[0].Wrong)
		require.Equal(t, s.ticket.Seq, found[0].Seq)
		require.Equal(t, s.ticket, b.read(s), "it is where it moved")
		_, faults := b.verify(verify.Options{Tenant: "a"})
		require.Empty(t, faults)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM messages`))
	})
}

// mortal is a read model whose process is killed once it has kept its place so many times: it does nothing more.
type mortal struct {
	desk.ReadModel
	left   int
	kill   context.CancelFunc
	remade []int64
}

var errKilled = errors.New("killed")

func (m *mortal) KeepRebuildPoint(ctx context.Context, tenant string, p *desk.RebuildPoint) error {
	if m.left == 0 {
		return errKilled
	}
	if m.left--; m.left == 0 {
		m.kill()
	}
	return m.ReadModel.KeepRebuildPoint(context.WithoutCancel(ctx), tenant, p)
}

func (m *mortal) Remake(ctx context.Context, ids []int64, dry bool, see func(desk.Remade) error) error {
	if !dry {
		m.remade = append(m.remade, ids...)
	}
	return m.ReadModel.Remake(ctx, ids, dry, see)
}

// Wherever it is killed, it goes on there; or from the start, if that is asked for.
func TestARebuildGoesOnWhereItWasKilled(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var stories []*story
		const n = 230
		for i := range n {
			stories = append(stories, b.opened([]string{"a", "b"}[i%2], draft("x")))
		}
		want := b.readModel()
		b.tamper(`UPDATE tickets SET origin = 'z', phase = 'completed'`, `DELETE FROM unposted`, `INSERT INTO tallies (tenant, day, service, what, detail, n) VALUES ('b', '', '', 'phase', 'triggered', 3)`)
		r, _ := b.rebuilder(stories...)
		model := r.Model
		var sum desk.RebuildSum
		var seen []int64
		killed := 0
		for ; ; killed++ {
			require.Less(t, killed, 20)
			ctx, kill := context.WithCancel(t.Context())
			m := &mortal{ReadModel: model, left: 2, kill: kill}
			r.Model = m
			var since *desk.RebuildPoint
			var err error
			sum, err = r.Rebuild(ctx, desk.RebuildOptions{Begin: func(c desk.RebuildCount) { since = c.Since }}, func(desk.RebuildFinding) {})
			kill()
			require.Equal(t, killed > 0, since != nil)
			if since != nil && since.Step == "tickets" {
				require.Equal(t, since.After+1, m.remade[0], "it goes on there")
			}
			seen = append(seen, m.remade...)
			if err == nil {
				break
			}
		}
		require.Greater(t, killed, 2)
		require.Equal(t, n, sum.Tickets, "each is counted once")
		require.Equal(t, n, sum.Remade)
		require.Equal(t, 1, sum.Counts)
		require.LessOrEqual(t, len(seen), 2*n)
		require.Equal(t, want, b.readModel())
		require.Zero(t, b.count(`SELECT COUNT(*) FROM rebuilds`))

		ctx, kill := context.WithCancel(t.Context())
		r.Model = &mortal{ReadModel: model, left: 1, kill: kill}
		_, err := r.Rebuild(ctx, desk.RebuildOptions{Tenant: "a"}, func(desk.RebuildFinding) {})
		require.Error(t, err)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM rebuilds WHERE tenant = 'a'`))
		r.Model = model
		sum, err = r.Rebuild(t.Context(), desk.RebuildOptions{Tenant: "a", FromStart: true, Begin: func(c desk.RebuildCount) {
			require.Nil(t, c.Since)
			require.Equal(t, n/2, c.Open)
			require.NotZero(t, c.About)
		}}, func(desk.RebuildFinding) {})
		require.NoError(t, err)
		require.Equal(t, desk.RebuildSum{Tickets: n / 2, Same: n / 2}, sum)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM rebuilds`))
	})
}

// What a timeline lacks comes from the workflow; what neither tells is named, ticket by ticket, and left as it is.
func TestARebuildNamesWhatCannotBeKnown(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var stories []*story
		for range 6 {
			stories = append(stories, b.opened("a", draft("x")))
		}
		changed, behind, lost, ended, doubted, well := stories[0], stories[1], stories[2], stories[3], stories[4], stories[5]
		b.act(ended, ticket.Command{Action: ticket.Close})
		behind.do(ticket.Command{Action: ticket.Accept}) // which nobody has written down
		orphan := b.begin("a", draft("no row"))
		b.clock.pass(time.Minute)
		busy := b.opened("a", draft("busy"))
		busy.do(ticket.Command{Action: ticket.Accept}) // whose caller is writing it down
		stories = append(stories, busy)
		r, engine := b.rebuilder(append(stories, orphan)...)
		engine.Forget(lost.ticket.Number, 0)
		engine.Forget(ended.ticket.Number, 0) // as Temporal does with what has been over for long
		require.NoError(t, b.ledger.Doubt(t.Context(), doubted.ticket.Identity, "for a reason"))
		b.tamper(`UPDATE events SET actor = 'somebody' WHERE ticket_id = 1`, `UPDATE tickets SET origin = 'z' WHERE id IN (1, 4)`)

		found := map[string]desk.RebuildFinding{}
		sum, err := r.Rebuild(t.Context(), desk.RebuildOptions{}, func(f desk.RebuildFinding) { found[f.Number] = f })
		require.NoError(t, err)
		require.Equal(t, desk.RebuildSum{Tickets: 8, Same: 2, Remade: 1, BroughtUp: 1, Events: 2, TakenIn: 1, Unknown: 3}, sum)
		require.Contains(t, found[changed.ticket.Number].Unknown[0], "event 1 is not what was written there")
		require.Empty(t, found[changed.ticket.Number].Wrong)
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM tickets WHERE id = 1 AND origin = 'z'`), "nobody knows what is right")
		require.Equal(t, []string{"its workflow is missing; migrate reconcile sees to it"}, found[lost.ticket.Number].Unknown)
		require.Contains(t, found[doubted.ticket.Number].Unknown[0], "it is in doubt")
		require.EqualValues(t, 1, found[behind.ticket.Number].Events)
		require.Equal(t, behind.ticket, b.read(behind))
		require.True(t, found[orphan.ticket.Number].TakenIn)
		require.Equal(t, orphan.ticket, b.read(orphan))
		require.Contains(t, found[ended.ticket.Number].Wrong[0], "origin")
		require.NotContains(t, found, well.ticket.Number)

		clear(found)
		sum, err = r.Rebuild(t.Context(), desk.RebuildOptions{Tickets: []string{well.ticket.Number, changed.ticket.Number, "IM1"}}, func(f desk.RebuildFinding) { found[f.Number] = f })
		require.NoError(t, err)
		require.Equal(t, desk.RebuildSum{Tickets: 3, Same: 1, Unknown: 2}, sum)
		require.Equal(t, []string{"neither store has it"}, found["IM1"].Unknown)
		engine.Down = true
		_, err = r.Rebuild(t.Context(), desk.RebuildOptions{}, func(desk.RebuildFinding) {})
		require.Error(t, err, "nobody answers for workflows")
	})
}

// forgetful is a read model whose process is killed as it is about to move the counters on, once.
type forgetful struct {
	desk.ReadModel
	killed bool
}

func (f *forgetful) Advance(ctx context.Context, drawn desk.Drawn) error {
	if !f.killed {
		f.killed = true
		return errKilled
	}
	return f.ReadModel.Advance(ctx, drawn)
}

// The id and the number of a ticket that was taken in are not given again: also where only that ticket was asked for, and where the run that took it in was killed right after it.
func TestWhatWasTakenInIsNotDrawnAgain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var stories []*story
		for range 3 {
			stories = append(stories, b.opened("a", draft("x")))
		}
		first, second := b.begin("a", draft("no row")), b.begin("a", draft("nor this"))
		b.clock.pass(time.Minute)
		r, _ := b.rebuilder(append(stories, first, second)...)
		drawn := func() int { return b.count(`SELECT COALESCE(MAX(value), 0) FROM counters WHERE name = 'tickets'`) }
		require.Less(t, drawn(), int(first.ticket.ID))
		sum, err := r.Rebuild(t.Context(), desk.RebuildOptions{Tickets: []string{first.ticket.Number}}, func(desk.RebuildFinding) {})
		require.NoError(t, err)
		require.Equal(t, 1, sum.TakenIn)
		require.EqualValues(t, first.ticket.ID, drawn())

		model := r.Model
		r.Model = &forgetful{ReadModel: model}
		sum, err = r.Rebuild(t.Context(), desk.RebuildOptions{}, func(desk.RebuildFinding) {})
		require.ErrorIs(t, err, errKilled)
		require.Equal(t, 1, sum.TakenIn)
		require.EqualValues(t, first.ticket.ID, drawn())
		_, err = r.Rebuild(t.Context(), desk.RebuildOptions{}, func(desk.RebuildFinding) {})
		require.NoError(t, err)
		require.EqualValues(t, second.ticket.ID, drawn())
		require.Zero(t, b.count(`SELECT COUNT(*) FROM unopened WHERE ticket_id IN (SELECT id FROM tickets)`), "they are not said to have no ticket")
	})
}

// Somebody who was named as follower, whose row was lost, and who follows since: they are there once, as they were named. So are those of whom two rows say the same.
func TestFollowersAreMadeAnewOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := draft("x")
		d.Followers = []string{"qian", "sun"}
		s := b.opened("a", d)
		require.NoError(t, b.Follow(t.Context(), s.ticket, "zhao", true))
		want := b.readModel()
		b.tamper(`DELETE FROM people WHERE person = 'qian'`)
		require.NoError(t, b.Follow(t.Context(), s.ticket, "qian", true))
		b.tamper(`INSERT INTO people (tenant, person, part, ticket_id, seq) VALUES ('z', 'zhao', 'follower', 1, 0)`)
		r, _ := b.rebuilder(s)
		sum, err := r.Rebuild(t.Context(), desk.RebuildOptions{}, func(f desk.RebuildFinding) { require.Empty(t, f.Unknown) })
		require.NoError(t, err)
		require.Equal(t, desk.RebuildSum{Tickets: 1, Remade: 1}, sum)
		require.Equal(t, want, b.readModel())
	})
}

// Who follows a ticket, and that its workflow does not go on, is told by no event: it stays where all else is made anew.
func TestWhatNoEventTellsIsKept(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		d := draft("x")
		d.Followers = []string{"qian", "sun"}
		s := b.opened("a", d)
		require.NoError(t, b.Follow(t.Context(), s.ticket, "zhao", true))
		require.NoError(t, b.Follow(t.Context(), s.ticket, "sun", false))
		require.NoError(t, b.Ail(t.Context(), s.ticket.Identity, ticket.CauseFailing))
		want := b.readModel()
		b.tamper(`DELETE FROM people WHERE part = 'actor' OR person = 'qian'`, `UPDATE people SET tenant = 'z'`, `UPDATE stuck SET tenant = 'z'`)
		r, _ := b.rebuilder(s)
		sum, err := r.Rebuild(t.Context(), desk.RebuildOptions{}, func(f desk.RebuildFinding) { require.Empty(t, f.Unknown) })
		require.NoError(t, err)
		require.Equal(t, desk.RebuildSum{Tickets: 1, Remade: 1}, sum)
		require.Equal(t, want, b.readModel())
		_, faults := b.verify(verify.Options{Tenant: "a"})
		require.Empty(t, faults)
	})
}

// Counts are made right while others count: what is added meanwhile is counted once.
func TestCountsAreMadeAnewBesideOthers(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	s := b.opened("a", draft("x"))
	tx, err := b.raw().BeginTx(t.Context(), &sql.TxOptions{})
	require.NoError(t, err)
	defer tx.Rollback()
	_, err = tx.Exec(`LOCK TABLE tallies IN ACCESS EXCLUSIVE MODE`) // the look at the tickets is over when the counts are read
	require.NoError(t, err)
	b.tamper(`UPDATE tally_entries SET counts = replace(counts, '"n":1', '"n":5')`)
	rows := b.count(`SELECT COUNT(*) FROM tally_entries, json_array_elements(counts::json)`)
	var found desk.Recounted
	var wait sync.WaitGroup
	wait.Go(func() {
		var err error
		found, err = b.Recount(context.WithoutCancel(t.Context()), "a", false)
		assert.NoError(t, err)
	})
	require.Eventually(t, func() bool {
		return b.count(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	}, time.Minute, 5*time.Millisecond)
	b.act(s, ticket.Command{Action: ticket.Close})
	more := b.opened("a", draft("y"))
	require.NoError(t, tx.Commit())
	wait.Wait()
	require.Equal(t, desk.Recounted{Wrong: rows}, found)
	got, err := b.Overview(t.Context(), "a", "", midnight(epoch), midnight(epoch))
	require.NoError(t, err)
	require.Equal(t, overviewOf([]*story{s, more}, "a", "", midnight(epoch), midnight(epoch)), got)
}
