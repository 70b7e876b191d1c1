package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"signalbox/store/postgrestest"
)

// migration is a file of package migrations.
type migration struct {
	name        string
	number      int
	transaction bool
	up          []string // its statements
}

// readMigrations gives all, in order.
func readMigrations(t *testing.T) (all []migration) {
	t.Helper()
	files, err := filepath.Glob("../migrations/*.sql")
	require.NoError(t, err)
	slices.Sort(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, parseMigration(t, filepath.Base(file), string(text)))
	}
	require.NotEmpty(t, all)
	return all
}

func parseMigration(t *testing.T, name, text string) migration {
	t.Helper()
	number, err := strconv.Atoi(name[:5])
	require.NoError(t, err, name)
	up, _, _ := strings.Cut(text, "-- +goose Down")
	m := migration{name: name, number: number, transaction: !strings.Contains(up, "-- +goose NO TRANSACTION")}
	require.NotContains(t, up, "StatementBegin", "%s: statements are told apart by their semicolons here", name)
	for statement := range strings.SplitSeq(regexp.MustCompile(`--[^\n]*`).ReplaceAllString(up, ""), ";") {
		if statement = strings.Join(strings.Fields(statement), " "); statement != "" {
			m.up = append(m.up, statement)
		}
	}
	return m
}

// schemaBefore is the number of the last migration that the version before this one has, which cmd/dev/e2e/testdata/previous says beside its commit.
func schemaBefore(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("../cmd/dev/e2e/testdata/previous")
	require.NoError(t, err)
	fields := strings.Fields(string(text))
	require.Len(t, fields, 2, "a commit and the number of its last migration")
	n, err := strconv.Atoi(fields[1])
	require.NoError(t, err)
	return n
}

// Those since the version before run while it is at work. What would keep it waiting shows in the text already; TestMigrationsLetTheVersionBeforeWork sees what does not.
func TestMigrationsAreWrittenToBeRunBesideTheVersionBefore(t *testing.T) {
	before := schemaBefore(t)
	for _, m := range readMigrations(t) {
		if m.number > before {
			require.Empty(t, m.blocking(), m.name)
		}
	}
	for text, want := range map[string]string{
		`CREATE INDEX a ON old (b)`:                                                "CONCURRENTLY",
		`CREATE UNIQUE INDEX a ON old (b)`:                                         "CONCURRENTLY",
		`CREATE TABLE fresh (a text); CREATE INDEX a ON fresh (a)`:                 "",
		`CREATE INDEX CONCURRENTLY a ON old (b)`:                                   "NO TRANSACTION",
		"-- +goose NO TRANSACTION\nCREATE INDEX CONCURRENTLY a ON old (b)":         "IF EXISTS",
		"-- +goose NO TRANSACTION\nCREATE TABLE a (b text)":                        "half",
		`ALTER TABLE old ADD COLUMN a text`:                                        "",
		`ALTER TABLE old ADD COLUMN a text NOT NULL DEFAULT ''`:                    "",
		`ALTER TABLE old ADD COLUMN a bigint NOT NULL DEFAULT -1`:                  "",
		`ALTER TABLE old ADD COLUMN a timestamptz DEFAULT clock_timestamp()`:       "constant",
		`ALTER TABLE old ADD COLUMN a text NOT NULL`:                               "DEFAULT",
		`ALTER TABLE old ADD COLUMN a bigint REFERENCES other (id)`:                "REFERENCES",
		`ALTER TABLE old ADD COLUMN a text UNIQUE`:                                 "UNIQUE",
		`ALTER TABLE old ADD CONSTRAINT a CHECK (b > 0)`:                           "only adds columns",
		`ALTER TABLE old DROP COLUMN a`:                                            "only adds columns",
		`ALTER TABLE old RENAME COLUMN a TO b`:                                     "only adds columns",
		`DROP TABLE old`:                                                           "removes",
		`UPDATE old SET a = b`:                                                     "all of old",
		`UPDATE old SET a = b WHERE c = 1`:                                         "",
		`DELETE FROM old`:                                                          "all of old",
		`INSERT INTO fresh SELECT a FROM old`:                                      "batches",
		`CREATE TABLE fresh (a bigint); INSERT INTO fresh SELECT MAX(id) FROM old`: "",
		"CREATE TABLE fresh (a bigint); INSERT INTO fresh (a) VALUES (1)":          "",
		"-- +goose NO TRANSACTION\nDROP INDEX CONCURRENTLY IF EXISTS a; CREATE INDEX CONCURRENTLY a ON old (b)": "",
	} {
		found := parseMigration(t, "00099_case.sql", text).blocking()
		if want == "" {
			require.Empty(t, found, text)
		} else {
			require.Contains(t, strings.Join(found, "\n"), want, text)
		}
	}
}

var (
	creates   = regexp.MustCompile(`(?i)^CREATE TABLE (?:IF NOT EXISTS )?(\w+)`)
	indexes   = regexp.MustCompile(`(?i)^CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?(?:IF NOT EXISTS )?(\w+) ON (\w+)`)
	dropIndex = regexp.MustCompile(`(?i)^DROP INDEX CONCURRENTLY IF EXISTS (\w+)`)
	alters    = regexp.MustCompile(`(?i)^ALTER TABLE (\w+) (.*)$`)
	adds      = regexp.MustCompile(`(?i)^ADD COLUMN (?:IF NOT EXISTS )?\w+ (.*)$`)
	constant  = regexp.MustCompile(`(?i)\bDEFAULT (?:'[^']*'|-?[\d.]+|true|false|NULL)(?:\s|$)`)
	changes   = regexp.MustCompile(`(?i)^(?:UPDATE|DELETE FROM) (\w+)`)
	copies    = regexp.MustCompile(`(?i)^INSERT INTO .*\bSELECT\b.*\bFROM (\w+)`)
	aggregate = regexp.MustCompile(`(?i)\bSELECT (?:COALESCE\()?(?:MAX|MIN)\(`)
)

// small are tables that have few rows however large the house is, or whose rows are there for a moment.
var small = []string{"tallies", "tallied", "tally_entries", "untallied", "unlooked", "unended", "apps", "counters"}

// blocking tells which statements of it would keep a process of the version before from reading or writing, or break it.
func (m migration) blocking() (found []string) {
	fresh, dropped := map[string]bool{}, map[string]bool{}
	for _, statement := range m.up {
		say := func(what string) { found = append(found, statement+": "+what) }
		concurrent := strings.Contains(statement, " CONCURRENTLY ")
		switch {
		case concurrent && m.transaction:
			say("needs -- +goose NO TRANSACTION")
		case !concurrent && !m.transaction:
			say("goes into a file of its own: one without a transaction may be done by half, and is run again")
		}
		if f := creates.FindStringSubmatch(statement); f != nil {
			fresh[f[1]] = true
		} else if f := dropIndex.FindStringSubmatch(statement); f != nil {
			dropped[f[1]] = true
		} else if f := indexes.FindStringSubmatch(statement); f != nil {
			switch {
			case fresh[f[3]] || slices.Contains(small, f[3]):
			case !concurrent:
				say("writers of " + f[3] + " wait for it: CREATE INDEX CONCURRENTLY, in a file without a transaction")
			case !dropped[f[2]]:
				say("what was broken off leaves an index that is not valid: DROP INDEX CONCURRENTLY IF EXISTS " + f[2] + " first")
			}
		} else if f := alters.FindStringSubmatch(statement); f != nil && !fresh[f[1]] {
			column := adds.FindStringSubmatch(f[2])
			switch {
			case column == nil:
				say("a migration only adds columns; what the version before needs is removed or tightened by a later one")
			case regexp.MustCompile(`(?i)\bDEFAULT\b`).MatchString(column[1]) && !constant.MatchString(column[1]):
				say("a default that is no constant writes all rows")
			case regexp.MustCompile(`(?i)\bNOT NULL\b`).MatchString(column[1]) && !constant.MatchString(column[1]):
				say("the version before does not give it: NOT NULL needs a DEFAULT")
			}
			if column != nil {
				if rule := regexp.MustCompile(`(?i)\b(REFERENCES|UNIQUE|CHECK|PRIMARY KEY|GENERATED)\b`).FindString(column[1]); rule != "" {
					say(rule + " has all rows looked at, or written, with the table locked")
				}
			}
		} else if f := changes.FindStringSubmatch(statement); f != nil {
			if !fresh[f[1]] && !slices.Contains(small, f[1]) && !strings.Contains(statement, " WHERE ") {
				say("all of " + f[1] + " in one statement: in batches, by migrate")
			}
		} else if f := copies.FindStringSubmatch(statement); f != nil {
			if !fresh[f[1]] && !slices.Contains(small, f[1]) && !aggregate.MatchString(statement) {
				say("as many rows as " + f[1] + " has in one statement: in batches, by migrate")
			}
		} else if strings.HasPrefix(statement, "DROP ") && !dropIndex.MatchString(statement) {
			say("removes what the version before may need")
		}
	}
	return found
}

var (
	locks      = regexp.MustCompile(`(?i)^(?:ALTER TABLE|LOCK TABLE|DROP TABLE|TRUNCATE) (?:ONLY |IF EXISTS )?(\w+)`)
	references = regexp.MustCompile(`(?i)\bREFERENCES (\w+)`)
)

// locked gives the tables that grow which its transaction locks against writers or more, in their order.
func (m migration) locked() (tables []string) {
	fresh := map[string]bool{}
	lock := func(table string) {
		if slices.Contains(grows, table) && !fresh[table] && !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	for _, statement := range m.up {
		for _, f := range references.FindAllStringSubmatch(statement, -1) {
			lock(f[1])
		}
		if f := creates.FindStringSubmatch(statement); f != nil {
			fresh[f[1]] = true
		} else if f := locks.FindStringSubmatch(statement); f != nil {
			lock(f[1])
		} else if f := indexes.FindStringSubmatch(statement); f != nil && f[1] == "" {
			lock(f[3])
		}
	}
	return tables
}

// lockSeveral are migrations of before any version was released, which nobody runs any more while somebody is at work.
var lockSeveral = []string{"00004_itsm.sql", "00005_stream.sql", "00007_delivery_log.sql", "00008_stream_age.sql", "00010_alerts.sql", "00011_audit.sql", "00015_turning.sql", "00017_loops.sql",
	"00024_unordered.sql", "00041_told.sql", "00051_pages.sql"}

// Who locks two tables, each of them against everybody, meets those who have the second and want the first. So a migration locks one, and who needs two is two migrations.
func TestAMigrationLocksOneLargeTable(t *testing.T) {
	several := map[string][]string{}
	for _, m := range readMigrations(t) {
		if tables := m.locked(); m.transaction && len(tables) > 1 && !slices.Contains(lockSeveral, m.name) {
			several[m.name] = tables
		}
	}
	require.Empty(t, several, "each of these is to be two migrations")
	for text, want := range map[string][]string{
		`ALTER TABLE tickets ADD COLUMN a text; ALTER TABLE deliveries ADD COLUMN a text`:                                 {"tickets", "deliveries"},
		`CREATE TABLE fresh (a bigint REFERENCES tickets (id)); ALTER TABLE deliveries ADD COLUMN a text`:                 {"tickets", "deliveries"},
		`CREATE TABLE fresh (a bigint REFERENCES tickets (id)); CREATE INDEX a ON fresh (a); ALTER TABLE apps ADD b text`: {"tickets"},
		`CREATE INDEX a ON events (b); CREATE INDEX b ON events (a); UPDATE tickets SET a = 1 WHERE id = 1`:               {"events"},
	} {
		require.Equal(t, want, parseMigration(t, "00099_case.sql", text).locked(), text)
	}
}

// grows are the tables that grow with what a house does, and so may have a million rows.
var grows = []string{"tickets", "events", "messages", "relations", "deliveries", "attempts", "lanes", "operations", "subscriptions", "people", "waiting", "ticket_tags", "postings", "alerts", "stream"}

// house is a database at the schema of the version before, with rows in every table.
type house struct {
	t       *testing.T
	dsn     string
	db      *sql.DB
	conn    *pgx.Conn // for migrations
	columns map[string][]column
	rows    map[string]int
}

type column struct{ name, kind string }

// value is one of a column in the row i.
func (c column) value(i string) string {
	switch c.kind {
	case "boolean":
		return "false"
	case "timestamp with time zone":
		return "timestamptz '2026-01-01' + (" + i + " % 1000000) * interval '1 second'"
	case "bigint", "integer", "smallint":
		return i
	case "bytea":
		return "convert_to('v' || " + i + ", 'UTF8')"
	case "jsonb", "json":
		return "'{}'"
	}
	if c.name == "state" {
		return "(ARRAY['sent', 'failed', 'pending', 'parked'])[1 + " + i + " % 4]"
	}
	return "'v' || " + i
}

// oldHouse makes one with so many rows in each table that grows, and some in the others.
func oldHouse(t *testing.T, dsn string, rows int) *house {
	t.Helper()
	h := &house{t: t, dsn: dsn, columns: map[string][]column{}, rows: map[string]int{}}
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	h.db = db
	h.conn, err = pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { h.conn.Close(context.Background()) })
	exec := func(statement string) {
		t.Helper()
		_, err := h.conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	before := schemaBefore(t)
	for _, m := range readMigrations(t) {
		if m.number <= before {
			for _, statement := range m.up {
				exec(statement)
			}
		}
	}
	found, err := db.Query(`SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position`)
	require.NoError(t, err)
	for found.Next() {
		var table string
		var c column
		require.NoError(t, found.Scan(&table, &c.name, &c.kind))
		h.columns[table] = append(h.columns[table], c)
	}
	require.NoError(t, found.Err())
	for _, table := range grows {
		require.Contains(t, h.columns, table)
	}
	// Indexes are made when the rows are there, as crowd does. Those of constraints stay.
	var drop, create string
	require.NoError(t, db.QueryRow(`SELECT string_agg('DROP INDEX ' || indexname, ';'), string_agg(indexdef, ';') FROM pg_indexes
		WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)`).Scan(&drop, &create))
	exec(drop)
	exec(`SET session_replication_role = replica`)   // what refers to what is of no interest here
	exec(`SET max_parallel_maintenance_workers = 0`) // what others do is not counted as this connection's
	for table := range h.columns {
		exec(`DELETE FROM ` + table)
		n := min(rows, 2_000)
		if slices.Contains(grows, table) {
			n = rows
		}
		if slices.Contains(small, table) {
			n = 10
		}
		h.rows[table] = n
		exec(h.insert(table, fmt.Sprintf("FROM generate_series(1, %d) i", n), "i"))
	}
	exec(`SET session_replication_role = origin`)
	exec(create)
	exec(`ANALYZE`)
	return h
}

// insert is a statement of the version before: it names the columns that it knows.
func (h *house) insert(table, from, i string) string {
	var names, values []string
	for _, c := range h.columns[table] {
		names, values = append(names, c.name), append(values, c.value(i))
	}
	return `INSERT INTO ` + table + ` (` + strings.Join(names, ", ") + `) SELECT ` + strings.Join(values, ", ") + ` ` + from
}

// work is a writer and a reader of the version before, at work in every table. Rows need not refer to any that there are.
func (h *house) work(ctx context.Context, from int, done func()) error {
	conn, err := pgx.Connect(ctx, h.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica`); err != nil {
		return err
	}
	for n := from; ctx.Err() == nil; n++ {
		for table, columns := range h.columns {
			i := fmt.Sprint(n)
			names := make([]string, len(columns))
			for at, c := range columns {
				names[at] = c.name
			}
			first := columns[0]
			for _, statement := range []string{h.insert(table, "", i), `SELECT ` + strings.Join(names, ", ") + ` FROM ` + table + ` LIMIT 1`,
				`DELETE FROM ` + table + ` WHERE ctid = (SELECT ctid FROM ` + table + ` WHERE ` + first.name + ` = ` + first.value(i) + ` LIMIT 1)`} {
				if _, err := conn.Exec(context.WithoutCancel(ctx), statement); err != nil {
					return fmt.Errorf("the version before cannot do this any more: %s: %w", statement, err)
				}
			}
		}
		done()
	}
	return nil
}

// seen is what a transaction has done to a table so far.
type seen struct {
	file, wrote, read int64
	lock              string // one that writers wait for
}

func (h *house) look(tx pgx.Tx) map[string]seen {
	h.t.Helper()
	rows, err := tx.Query(h.t.Context(), `SELECT c.relname, COALESCE(pg_relation_filenode(c.oid)::bigint, 0), COALESCE(n_tup_ins + n_tup_upd + n_tup_del, 0), COALESCE(seq_tup_read + COALESCE(idx_tup_fetch, 0), 0),
		COALESCE((SELECT MIN(mode) FROM pg_locks l WHERE l.relation = c.oid AND pid = pg_backend_pid() AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')), '')
		FROM pg_class c LEFT JOIN pg_stat_xact_user_tables s ON s.relid = c.oid WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`)
	require.NoError(h.t, err)
	out := map[string]seen{}
	for rows.Next() {
		var table string
		var s seen
		require.NoError(h.t, rows.Scan(&table, &s.file, &s.wrote, &s.read, &s.lock))
		out[table] = s
	}
	require.NoError(h.t, rows.Err())
	return out
}

// migrate runs the statements of a migration and tells which would keep the version before waiting.
func (h *house) migrate(m migration, keep bool) (found []string) {
	t, ctx := h.t, h.t.Context()
	t.Helper()
	if !m.transaction {
		for _, statement := range m.up {
			_, err := h.conn.Exec(ctx, statement)
			require.NoError(t, err, statement)
		}
		var broken int
		require.NoError(t, h.db.QueryRow(`SELECT COUNT(*) FROM pg_index WHERE NOT indisvalid`).Scan(&broken))
		require.Zero(t, broken, m.name)
		return nil
	}
	tx, err := h.conn.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	before := h.look(tx)
	for _, statement := range m.up {
		_, err := tx.Exec(ctx, statement)
		require.NoError(t, err, "%s: %s", m.name, statement)
		after := h.look(tx)
		say := func(table, what string) {
			found = append(found, fmt.Sprintf("%s: %s: %s %s", m.name, statement, table, what))
		}
		var worked, locked []string
		for table, rows := range h.rows {
			was, is := before[table], after[table]
			if slices.Contains(small, table) {
				continue
			}
			if is.file != was.file {
				say(table, "is written anew")
			}
			if n := is.wrote - was.wrote; n > int64(rows)/10 {
				say(table, fmt.Sprintf("has %d rows changed by one statement", n))
			}
			if is.read-was.read > int64(rows)/10 || is.wrote-was.wrote > int64(rows)/10 {
				worked = append(worked, table)
			}
			if is.lock != "" {
				locked = append(locked, table)
			}
		}
		if len(worked) > 0 && len(locked) > 0 {
			say(strings.Join(locked, ", "), "is locked while "+strings.Join(worked, ", ")+" is read or written")
		}
		before = after
	}
	var held []string
	for table, s := range before {
		if s.lock != "" && slices.Contains(grows, table) {
			held = append(held, table)
		}
	}
	if len(held) > 1 {
		found = append(found, fmt.Sprintf("%s: %s are locked in one transaction, and who has one of them may want another", m.name, strings.Join(held, ", ")))
	}
	if keep {
		require.NoError(t, tx.Commit(ctx))
	}
	return found
}

// TestMigrationsLetTheVersionBeforeWork runs each migration since the version before on a database that has rows in every table, while a writer and a reader do what that version does. A table that
// has many rows is neither written anew nor changed by one statement, nor locked while one is read; and the version before can read and write all that it knows.
func TestMigrationsLetTheVersionBeforeWork(t *testing.T) {
	t.Parallel()
	rollOut(t, postgrestest.Start(t), 2_000)
}

func TestSlowMigrationsAtAMillionRows(t *testing.T) {
	if os.Getenv("SIGNALBOX_SLOW_TESTS") == "" {
		t.Skip("takes minutes; make slow-test runs it")
	}
	t.Parallel()
	cluster, err := postgrestest.NewDurableCluster() // in memory it would not have room
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(context.Background())
	require.NoError(t, err)
	rollOut(t, dsn, 1_000_000)
}

func rollOut(t *testing.T, dsn string, rows int) {
	h := oldHouse(t, dsn, rows)

	// What would be at fault is seen.
	for text, want := range map[string]string{
		`CREATE INDEX bad ON events (type)`:                                                       "events is locked while events is read",
		`ALTER TABLE deliveries ADD COLUMN bad timestamptz DEFAULT clock_timestamp()`:             "deliveries is written anew",
		`UPDATE tickets SET updated_at = now()`:                                                   "tickets has",
		`ALTER TABLE messages ADD CONSTRAINT bad CHECK (author <> '')`:                            "messages is locked while messages is read",
		`CREATE TABLE bad (a bigint); LOCK TABLE tickets; INSERT INTO bad SELECT id FROM tickets`: "tickets is locked while tickets is read",
		`ALTER TABLE tickets ADD COLUMN bad text; ALTER TABLE events ADD COLUMN bad text`:         "are locked in one transaction",
		`ALTER TABLE tickets ADD COLUMN good text NOT NULL DEFAULT ''`:                            "",
	} {
		found := strings.Join(h.migrate(parseMigration(t, "00099_case.sql", text), false), "\n")
		require.Contains(t, found, want, text)
		require.Equal(t, want == "", found == "", "%s: %s", text, found)
	}

	ctx, stop := context.WithCancel(t.Context())
	rounds := make(chan struct{})
	var working sync.WaitGroup
	var broken error
	working.Go(func() {
		defer close(rounds)
		broken = h.work(ctx, 10_000_000, func() {
			select {
			case rounds <- struct{}{}:
			default: // nobody waits for it
			}
		})
	})
	defer func() { stop(); working.Wait() }()
	// worked waits until the version before has been everywhere, from a moment after now on.
	worked := func(name string) {
		t.Helper()
		for range 2 {
			if _, more := <-rounds; !more {
				require.NoError(t, broken, name)
			}
		}
	}
	worked("before any")
	run, before := 0, schemaBefore(t)
	for _, m := range readMigrations(t) {
		if m.number > before {
			require.Empty(t, h.migrate(m, true), m.name)
			worked(m.name)
			run++
		}
	}
	stop()
	for range rounds { // it may be about to tell
	}
	require.NoError(t, broken)
	t.Logf("%d migrations since %05d, on %d rows in each table that grows", run, before, rows)
}
