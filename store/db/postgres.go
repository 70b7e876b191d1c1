package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
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
	// lifetime is how long a connection is used: what moved meanwhile, by its name or behind a balancer, is found after it.
	lifetime = 15 * time.Minute
	// idleTime is how long one is kept that nobody uses. A neighbour who needs more may have its place then.
	idleTime = 30 * time.Second
	// patience is how long a call waits for a connection that the server has none left for: one of our own may become free.
	patience = time.Second
)

// standing is what all connections to one address have in common. Once one of them finds a server that cannot be written to, none is used again that was
// made before: the next may lead to the server that took its place.
type standing struct{ era atomic.Int64 }

// openPostgres gives a pool of so many connections that keep their statements prepared, honour deadlines, and are given up where another server may be the
// right one by now.
func openPostgres(dsn string, most int, common *standing) (*sql.DB, error) {
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
	pool := sql.OpenDB(connector{inner, common})
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(most) // one that is closed takes its prepared statements with it
	pool.SetConnMaxLifetime(lifetime)
	pool.SetConnMaxIdleTime(idleTime)
	return pool, nil
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

type connector struct {
	*pq.Connector
	common *standing
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	era := c.common.era.Load()
	var d dialled
	stop := context.AfterFunc(ctx, d.cut) // logging in, lib/pq heeds its own timeout alone
	inner, err := c.Connector.Connect(context.WithValue(ctx, dialledKey{}, &d))
	if !stop() && err == nil {
		err = errors.Join(ctx.Err(), inner.Close())
	}
	if err != nil {
		return nil, unreached{err}
	}
	full, ok := inner.(postgresConn)
	if !ok || d.socket == nil {
		return nil, errors.Join(errors.New("this version of lib/pq is not the one expected"), inner.Close())
	}
	return &conn{postgresConn: full, socket: d.socket, prepared: map[string]driver.Stmt{}, common: c.common, era: era}, nil
}

// unreached is what came up while a connection was made: nothing was asked yet.
type unreached struct{ error }

// Unwrap gives the cause.
func (u unreached) Unwrap() error { return u.error }

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
	common   *standing
	era      int64
	unfit    bool // it is not to be used again
}

// note looks at what a statement met, and decides whether the connection is used again.
func (c *conn) note(err error) error {
	switch state := postgresState(err); {
	case state == "25006": // read only: it leads to a standby, or to one that was a primary
		c.outdate()
	case state == "0A000", state == "26000": // statements that a migration changed what they are about, or that a standby does not do
		c.unfit = true
	case strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "08"), state == "25P03": // the server is going down, or ends the connection
		c.unfit = true
	}
	return err
}

// outdate gives up the connection and all others that were made when it was, or before.
func (c *conn) outdate() {
	c.unfit = true
	c.common.era.CompareAndSwap(c.era, c.era+1)
}

// usable tells whether the connection may be used again.
func (c *conn) usable() bool { return !c.unfit && c.era == c.common.era.Load() }

// ResetSession implements driver.SessionResetter; the pool asks before it gives the connection to somebody.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.usable() {
		return driver.ErrBadConn
	}
	return c.postgresConn.ResetSession(ctx)
}

// IsValid implements driver.Validator; the pool asks when it is given the connection back.
func (c *conn) IsValid() bool { return c.usable() && c.postgresConn.IsValid() }

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

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	defer c.watch(ctx)()
	s, err := c.statement(ctx, text, args)
	if err != nil {
		return nil, c.note(err)
	}
	if s == nil {
		rows, err := c.postgresConn.QueryContext(ctx, text, args)
		return rows, c.note(err)
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, args)
	return rows, c.note(err)
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	defer c.watch(ctx)()
	s, err := c.statement(ctx, text, args)
	if err != nil {
		return nil, c.note(err)
	}
	if s == nil {
		result, err := c.postgresConn.ExecContext(ctx, text, args)
		return result, c.note(err)
	}
	result, err := s.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, c.note(err)
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
		if postgresState(err) == "0A000" { // "cannot set transaction read-write mode during recovery"
			c.outdate()
		}
		return nil, c.note(err)
	}
	return transaction{inner, c, done}, nil
}

type transaction struct {
	driver.Tx
	on   *conn
	done func()
}

// Commit implements driver.Tx.
func (t transaction) Commit() error {
	defer t.done()
	return t.on.note(t.Tx.Commit())
}

// Rollback implements driver.Tx.
func (t transaction) Rollback() error {
	defer t.done()
	return t.Tx.Rollback()
}
