package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/lib/pq"
)

// lib/pq asks the server twice for each statement with parameters that is not prepared, prepares none by itself, and waits for ever for a
// server that has stopped answering without closing its connection. The types here wrap its connections to mend that.

const (
	// grace is how long a server has, after a call's time is up, to answer the request to cancel before its connection is cut.
	grace = 500 * time.Millisecond
	// maxPrepared bounds the statements that one connection keeps prepared. The store has fewer fixed ones.
	maxPrepared = 200
	// connectTimeout bounds reaching the server and logging in, unless the address says otherwise.
	connectTimeout = 5 * time.Second
)

// openPostgres gives a pool of connections that keep their statements prepared and honour deadlines.
func openPostgres(dsn string) (*sql.DB, error) {
	config, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the address of the database: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	inner, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, fmt.Errorf("read the address of the database: %w", err)
	}
	inner.Dialer(dialer{})
	return sql.OpenDB(connector{inner}), nil
}

// dialer hands the socket of a new connection to the connector that asked for it.
type dialer struct{}

type dialledKey struct{}

// dialled is the socket of a connection that is being made.
type dialled struct {
	mu     sync.Mutex
	socket net.Conn
	over   bool
}

func (d *dialled) put(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.socket = c
	if d.over {
		_ = c.SetDeadline(time.Now())
	}
}

// cut ends the making of the connection.
func (d *dialled) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.socket != nil {
		_ = d.socket.SetDeadline(time.Now())
	}
}

// Dial implements pq.Dialer.
func (d dialer) Dial(network, address string) (net.Conn, error) { return net.Dial(network, address) }

// DialTimeout implements pq.Dialer.
func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout(network, address, timeout)
}

// DialContext implements pq.DialerContext, which lib/pq prefers.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if d, ok := ctx.Value(dialledKey{}).(*dialled); ok && err == nil {
		d.put(c)
	}
	return c, err
}

type connector struct{ *pq.Connector }

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	var d dialled
	stop := context.AfterFunc(ctx, d.cut) // logging in, lib/pq heeds its own timeout alone
	inner, err := c.Connector.Connect(context.WithValue(ctx, dialledKey{}, &d))
	if !stop() && err == nil {
		err = errors.Join(ctx.Err(), inner.Close())
	}
	if err != nil {
		return nil, err
	}
	full, ok := inner.(postgresConn)
	if !ok || d.socket == nil {
		return nil, errors.Join(errors.New("this version of lib/pq is not the one expected"), inner.Close())
	}
	return &conn{postgresConn: full, socket: d.socket, prepared: map[string]driver.Stmt{}}, nil
}

// postgresConn is what a connection of lib/pq can do.
type postgresConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.QueryerContext
	driver.ExecerContext
	driver.Pinger
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	postgresConn
	socket   net.Conn
	prepared map[string]driver.Stmt
}

// watch cuts the connection a moment after ctx is over, until the function it gives is called.
func (c *conn) watch(ctx context.Context) (done func()) {
	stop := context.AfterFunc(ctx, func() { _ = c.socket.SetDeadline(time.Now().Add(grace)) })
	return func() { stop() }
}

type onceKey struct{}

// Once marks a context for statements whose text varies, so that they are not kept prepared.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// statement gives the prepared statement for a text; nil: it is to be run as it is.
func (c *conn) statement(ctx context.Context, text string, args []driver.NamedValue) (driver.Stmt, error) {
	if s, ok := c.prepared[text]; ok {
		return s, nil
	}
	if len(args) == 0 || len(c.prepared) >= maxPrepared || ctx.Value(onceKey{}) != nil {
		return nil, nil
	}
	s, err := c.PrepareContext(ctx, text)
	if err == nil {
		c.prepared[text] = s
	}
	return s, err
}

// stale forgets all statements when the server no longer takes them: a migration changed what they are about.
func (c *conn) stale(err error) error {
	if state := postgresState(err); state == "0A000" || state == "26000" {
		for text, s := range c.prepared {
			_ = s.Close()
			delete(c.prepared, text)
		}
	}
	return err
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	defer c.watch(ctx)()
	s, err := c.statement(ctx, text, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.postgresConn.QueryContext(ctx, text, args)
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, args)
	return rows, c.stale(err)
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	defer c.watch(ctx)()
	s, err := c.statement(ctx, text, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.postgresConn.ExecContext(ctx, text, args)
	}
	result, err := s.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, c.stale(err)
}

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error {
	defer c.watch(ctx)()
	return c.postgresConn.Ping(ctx)
}

// BeginTx implements driver.ConnBeginTx. Committing and rolling back take no context, so the transaction's own watches over them.
func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	done := c.watch(ctx)
	inner, err := c.postgresConn.BeginTx(ctx, o)
	if err != nil {
		done()
		return nil, err
	}
	return transaction{inner, done}, nil
}

type transaction struct {
	driver.Tx
	done func()
}

// Commit implements driver.Tx.
func (t transaction) Commit() error {
	defer t.done()
	return t.Tx.Commit()
}

// Rollback implements driver.Tx.
func (t transaction) Rollback() error {
	defer t.done()
	return t.Tx.Rollback()
}
