package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"strings"

	"github.com/jmoiron/sqlx"
)

// openSQLite gives a pool for a file, of which common and more are pragmas and the like. Its connections keep their statements prepared, as those to PostgreSQL do: to read a
// statement takes SQLite longer than most take to run.
func openSQLite(file string, common url.Values, more string) (*sqlx.DB, error) {
	name := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + common.Encode() + more
	registered, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("this program is built without SQLite: %w", err)
	}
	defer registered.Close() // it has connected to nothing
	return sqlx.NewDb(sql.OpenDB(sqliteConnector{registered.Driver(), name}), "sqlite"), nil
}

type sqliteConnector struct {
	driver driver.Driver
	name   string
}

// Driver implements driver.Connector.
func (c sqliteConnector) Driver() driver.Driver { return c.driver }

// Connect implements driver.Connector.
func (c sqliteConnector) Connect(context.Context) (driver.Conn, error) {
	inner, err := c.driver.Open(c.name)
	if err != nil {
		return nil, err
	}
	return &sqliteConn{contextConn: inner.(contextConn), prepared: map[string]*sqliteStatement{}}, nil
}

// contextConn is all that database/sql asks of a connection, and SQLite's have.
type contextConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteConn is a connection that keeps its statements. Nobody uses it from several goroutines at once.
type sqliteConn struct {
	contextConn
	prepared map[string]*sqliteStatement
}

type sqliteStatement struct {
	driver.Stmt
	busy bool // its rows are being read
}

// statement gives a statement prepared, or nil: it is not kept, or its rows are being read.
func (c *sqliteConn) statement(ctx context.Context, query string) (*sqliteStatement, error) {
	if s := c.prepared[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if ctx.Value(onceKey{}) != nil || strings.Contains(query, ";") { // of several in one text the driver prepares the first
		return nil, nil
	}
	if len(c.prepared) >= maxPrepared {
		c.forget()
	}
	inner, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &sqliteStatement{Stmt: inner}
	c.prepared[query] = s
	return s, nil
}

// forget closes all statements whose rows nobody reads.
func (c *sqliteConn) forget() {
	for query, s := range c.prepared {
		if !s.busy {
			_ = s.Close()
			delete(c.prepared, query)
		}
	}
}

// ExecContext implements driver.ExecerContext.
func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.contextConn.ExecContext(ctx, query, args)
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.contextConn.QueryContext(ctx, query, args)
	}
	found, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &sqliteRows{found, s}, nil
}

// Close implements driver.Conn. What is still prepared would keep the file open.
func (c *sqliteConn) Close() error {
	for _, s := range c.prepared {
		_ = s.Close()
	}
	return c.contextConn.Close()
}

// sqliteRows are the rows of a statement that is kept.
type sqliteRows struct {
	driver.Rows
	of *sqliteStatement
}

// Close implements driver.Rows; the statement may be run again.
func (r *sqliteRows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
