package postgrestest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

// Start returns the address of a fresh, empty database, which is dropped when the test ends. All tests of a process share one
// cluster; a test that stops its server makes one of its own with NewCluster.
//
// Where there is no PostgreSQL the test is skipped, except that it fails when the environment variable CI is set.
func Start(t testing.TB) string {
	t.Helper()
	c, err := shared()
	Require(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dsn, err := c.CreateDatabase(ctx)
	if err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.DropDatabase(ctx, dsn); err != nil {
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

var shared = sync.OnceValues(NewCluster)

// patience is for whatever PostgreSQL does by itself: start, recover, stop, copy a template.
const patience = time.Minute
