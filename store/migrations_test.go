package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/migrations"
	"signalbox/store/postgrestest"
)

// One text has to run on both databases, forwards and back, and leave nothing behind.
func TestUpDownAndUpAgain(t *testing.T) {
	t.Parallel()
	for dialect, tables := range map[migrations.Dialect]string{
		migrations.SQLite:     `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version'`,
		migrations.PostgreSQL: `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version'`,
	} {
		t.Run(string(dialect), func(t *testing.T) {
			driver, dsn := "sqlite", filepath.Join(t.TempDir(), "x.db")
			if dialect == migrations.PostgreSQL {
				driver, dsn = "pgx", postgrestest.Start(t)
			}
			db, err := sql.Open(driver, dsn)
			require.NoError(t, err)
			defer db.Close()
			count := func() (n int) {
				require.NoError(t, db.QueryRow(tables).Scan(&n))
				return n
			}
			_, err = migrations.Version(t.Context(), db)
			require.Error(t, err, "there is no schema yet")
			for range 2 {
				require.Zero(t, count())
				n, err := migrations.Up(t.Context(), db, dialect)
				require.NoError(t, err)
				require.Positive(t, n)
				n, err = migrations.Up(t.Context(), db, dialect)
				require.NoError(t, err)
				require.Zero(t, n)
				version, err := migrations.Version(t.Context(), db)
				require.NoError(t, err)
				require.Equal(t, migrations.Latest, version)
				require.Greater(t, count(), 10)
				require.NoError(t, migrations.Down(t.Context(), db, dialect))
			}
		})
	}
	_, err := migrations.Up(t.Context(), nil, "mysql")
	require.ErrorContains(t, err, "mysql")
}

// The way back of a migration is taken alone when a version is rolled back; that all of them together leave nothing behind does not show that
// each undoes what it did.
func TestEveryMigrationHasItsWayBack(t *testing.T) {
	made := regexp.MustCompile(`(?i)\b(CREATE TABLE|ADD COLUMN)\s+(?:IF NOT EXISTS\s+)?(\w+)`)
	files, err := filepath.Glob("../migrations/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		up, down, found := strings.Cut(string(text), "-- +goose Down")
		require.True(t, found, "%s has no way back", file)
		for _, what := range made.FindAllStringSubmatch(up, -1) {
			require.Regexp(t, `(?i)\bDROP (TABLE|COLUMN)\s+(IF EXISTS )?`+what[2]+`\b`, down, "%s does not undo %s", file, what[0])
		}
	}
}

// A table that somebody reads for long is not waited for: behind a migration that waits, everybody else would. It is tried again, and done once they have ended.
func TestMigrationsLetOthersPassWhileTheyWait(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Start(t)
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	_, err = migrations.Up(t.Context(), db, migrations.PostgreSQL)
	require.NoError(t, err)
	// As before 00068: a table that refers to tickets is made anew, which locks those against writers.
	exec := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			_, err := db.Exec(s)
			require.NoError(t, err, s)
		}
	}
	exec(`DROP TABLE ticket_nodes`, `DROP TABLE upkeep`, `ALTER TABLE service_versions DROP COLUMN source`, `ALTER TABLE calendar_versions DROP COLUMN source`,
		`DELETE FROM goose_db_version WHERE version_id >= 68`)
	busy, err := db.Begin()
	require.NoError(t, err)
	defer busy.Rollback()
	_, err = busy.Exec(`LOCK TABLE tickets IN ROW EXCLUSIVE MODE`) // as who writes has it, until they commit
	require.NoError(t, err)

	waits, done := make(chan int64, 100), make(chan error, 1)
	go func() {
		_, err := migrations.Up(context.WithoutCancel(t.Context()), db, migrations.PostgreSQL, func(version int64) { waits <- version })
		done <- err
	}()
	blocked := func() (n int) {
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
		return n
	}
	require.Eventually(t, func() bool { return blocked() > 0 }, time.Minute, 5*time.Millisecond, "the migration waits for who writes")
	passing, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = db.ExecContext(passing, `UPDATE tickets SET updated_at = updated_at`) // which waits behind it
	require.NoError(t, err, "another writer gets its turn while the first is still at it")
	require.EqualValues(t, 68, <-waits)
	require.NoError(t, busy.Commit())
	require.NoError(t, <-done)
	version, err := migrations.Version(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, migrations.Latest, version)
	exec(`SELECT 1 FROM ticket_nodes`)
}
