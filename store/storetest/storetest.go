//go:build linux || darwin

// Package storetest gives tests databases that hold the schema and the data keys already: each is a copy of one that was migrated
// once in the process, which takes a sixth of the time.
package storetest

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"signalbox/store"
	"signalbox/store/postgrestest"
)

// MasterKey is what the data keys of the databases are encrypted with.
const MasterKey = "0123456789abcdef0123456789abcdef"

// Options are store.Options with the master key.
func Options() store.Options { return store.Options{MasterKey: []byte(MasterKey)} }

// SQLite returns the address of a migrated SQLite database in a file of its own, whose name needs escaping.
func SQLite(t testing.TB) (dsn string) {
	t.Helper()
	content, err := migrated()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "a b%?.db")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return "sqlite:" + file
}

// Postgres returns the address of a migrated PostgreSQL database. What postgrestest.Start says of machines without one holds here too.
func Postgres(t testing.TB) (dsn string) {
	t.Helper()
	return template.Copy(t)
}

var template = postgrestest.Template{Fill: migrate}

// Raw is a connection to a database by its address, for looking at what a store does not show. It is closed when the test ends.
func Raw(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()
	}
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// migrated is a migrated SQLite file.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "signalbox-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "template.db")
	if err := migrate("sqlite:" + file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// migrate leaves no connection open, so that SQLite has put all into the one file.
func migrate(dsn string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, Options())
	if err != nil {
		return err
	}
	_, err = s.Migrate(ctx)
	if closing := s.Close(); err == nil {
		err = closing
	}
	return err
}
