package db

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// driven is a connection that counts.
type driven struct {
	contextConn
	open, prepared, direct int
	closed                 bool
}

func (d *driven) PrepareContext(context.Context, string) (driver.Stmt, error) {
	d.open++
	d.prepared++
	return drivenStatement{d}, nil
}

func (d *driven) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	d.direct++
	return driver.ResultNoRows, nil
}

func (d *driven) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	d.direct++
	return drivenRows{}, nil
}

func (d *driven) Close() error {
	d.closed = true
	return nil
}

type drivenStatement struct{ of *driven }

func (s drivenStatement) Close() error {
	s.of.open--
	return nil
}

func (drivenStatement) NumInput() int                              { return -1 }
func (drivenStatement) Exec([]driver.Value) (driver.Result, error) { panic("it has a context") }
func (drivenStatement) Query([]driver.Value) (driver.Rows, error)  { panic("it has a context") }
func (drivenStatement) ExecContext(context.Context, []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, nil
}

func (drivenStatement) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	return drivenRows{}, nil
}

type drivenRows struct{ driver.Rows }

func (drivenRows) Close() error { return nil }

// TestSQLiteKeepsItsStatements: each is prepared once, but for those that say that they vary, and those of which one text has several.
func TestSQLiteKeepsItsStatements(t *testing.T) {
	ctx, inner := t.Context(), &driven{}
	c := &sqliteConn{contextConn: inner, prepared: map[string]*sqliteStatement{}}
	exec := func(ctx context.Context, query string) {
		t.Helper()
		_, err := c.ExecContext(ctx, query, nil)
		require.NoError(t, err)
	}
	for range 3 {
		exec(ctx, "UPDATE x")
	}
	require.Equal(t, []int{1, 0}, []int{inner.prepared, inner.direct})
	exec(Once(ctx), "UPDATE y")
	exec(ctx, "UPDATE y; UPDATE z")
	require.Equal(t, []int{1, 2}, []int{inner.prepared, inner.direct})

	// Rows of it are being read: it is not run again under their hands.
	rows, err := c.QueryContext(ctx, "SELECT 1", nil)
	require.NoError(t, err)
	_, err = c.QueryContext(ctx, "SELECT 1", nil)
	require.NoError(t, err)
	require.Equal(t, []int{2, 3}, []int{inner.prepared, inner.direct})
	for i := range 2 * maxPrepared {
		exec(ctx, fmt.Sprint("UPDATE ", i))
	}
	require.LessOrEqual(t, inner.open, maxPrepared)
	require.NotNil(t, c.prepared["SELECT 1"], "what is being read stays")
	require.NoError(t, rows.Close())
	before := inner.direct
	_, err = c.QueryContext(ctx, "SELECT 1", nil)
	require.NoError(t, err)
	require.Equal(t, before, inner.direct)

	require.NoError(t, c.Close())
	require.Zero(t, inner.open)
	require.True(t, inner.closed)
}
