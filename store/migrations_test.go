package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	made := regexp.MustCompile(`(?i)\b(CREATE TABLE|ADD COLUMN)\s+(\w+)`)
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
