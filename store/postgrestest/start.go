//go:build linux || darwin

// Package postgrestest gives tests a real PostgreSQL: a throw-away cluster for each test process, made from the machine's own
// binaries, with a fresh database for each test. Tests call Start or Copy; those that stop the server make a Cluster of their own.
package postgrestest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"
	"testing"
)

// Start returns the address of a fresh, empty database, which is dropped when the test ends. All tests of a process share one
// cluster; a test that stops its server makes one of its own with NewCluster.
//
// Where there is no PostgreSQL the test is skipped, except that it fails when the environment variable CI is set.
func Start(t testing.TB) string { return database(t, "template0") }

// Template is a database that is filled once in a process, for tests that need what it holds and would take long to make it anew.
// The zero value is not ready for use: Fill must be set.
type Template struct {
	// Fill fills the empty database at dsn, and leaves no connection to it open.
	Fill func(dsn string) error

	once sync.Once
	name string
	err  error

	sharing sync.Once
	common  string // the address of the copy that Shared gives
	failed  error  // to make it
}

// Copy is Start for a database that holds already what the template does.
func (f *Template) Copy(t testing.TB) string {
	t.Helper()
	f.make(t)
	return database(t, f.name)
}

// Shared is Copy for tests that change nothing, which all have one copy. It goes with the cluster.
func (f *Template) Shared(t testing.TB) string {
	t.Helper()
	f.make(t)
	f.sharing.Do(func() {
		var c *Cluster
		if c, f.failed = shared(); f.failed == nil {
			f.common, f.failed = c.copy(context.Background(), f.name)
		}
	})
	Require(t, f.failed)
	return f.common
}

// make fills the template, once.
func (f *Template) make(t testing.TB) {
	t.Helper()
	f.once.Do(func() {
		var c *Cluster
		if c, f.err = shared(); f.err != nil {
			return
		}
		var dsn string
		if dsn, f.err = c.CreateDatabase(context.Background()); f.err == nil {
			f.name, f.err = nameOf(dsn), f.Fill(dsn)
		}
	})
	Require(t, f.err)
}

func database(t testing.TB, template string) string {
	t.Helper()
	c, err := shared()
	Require(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dsn, err := c.copy(ctx, template)
	if err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.drop(ctx, dsn); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return dsn
}

// Require ends the test unless err, as NewCluster returned it, is nil: with a skip where there is no PostgreSQL and CI is not
// set, otherwise with a failure.
func Require(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrNoPostgreSQL) && os.Getenv("CI") == "" && os.Getenv(BinVariable) == "":
		t.Skipf("*** NOT TESTED ON POSTGRESQL: %v ***", err)
	default:
		t.Fatalf("start PostgreSQL: %v", err)
	}
}

// shared is never stopped, so that its connections may be kept.
var shared = sync.OnceValues(func() (*Cluster, error) {
	c, err := NewCluster()
	if err == nil {
		if c.admin, err = sql.Open("pgx", c.dsn("postgres")); err == nil {
			c.admin.SetMaxIdleConns(16) // as many tests as run at once: a connection costs about as much as a database
		}
	}
	return c, err
})
