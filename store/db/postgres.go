package db

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

const (
	// grace is how long a server has, after a call's time is up, to answer the request to cancel before its connection is cut.
	grace = 500 * time.Millisecond
	// maxPrepared bounds the statements that one connection keeps prepared, those that were used last. The store has fewer fixed ones.
	maxPrepared = 500
	// connectTimeout bounds reaching the server and logging in, unless the address says otherwise.
	connectTimeout = 5 * time.Second
	// lifetime is how long a connection is used: what moved meanwhile, by its name or behind a balancer, is found after it.
	lifetime = 15 * time.Minute
	// idleTime is how long one is kept that nobody uses. A neighbour who needs more may have its place then.
	idleTime = 30 * time.Second
	// patience is how long a call waits for a connection that the server has none left for: one of our own may become free.
	patience = time.Second
	// rollbackTimeout bounds rolling back; a connection that cannot is given up, which does the same.
	rollbackTimeout = time.Second
)

// standing is what all connections to one address have in common. Once one of them finds a server that cannot be written to, none is used again that was
// made before: the next may lead to the server that took its place.
type standing struct{ era atomic.Int64 }

// eraKey is what the era in which a connection was made is kept under with it.
const eraKey = "signalbox era"

// made gives the era in which a connection was made.
func made(c *pgconn.PgConn) int64 { era, _ := c.CustomData()[eraKey].(int64); return era }

// postgresConfig reads an address, postgres://…, which may name several servers and say which of them will do (target_session_attrs).
func postgresConfig(dsn string, common *standing) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the address of the database: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if _, said := config.RuntimeParams["jit"]; !said {
		// PostgreSQL compiles what it takes for expensive, such as a recursive look-up in tables that it has no statistics of: a quarter of a second for what takes one millisecond.
		config.RuntimeParams["jit"] = "off"
	}
	// Each statement has to see what was committed while it waited for a lock, such as who has registered: whatever the database or the role has for others.
	config.RuntimeParams["default_transaction_isolation"] = "read committed"
	config.StatementCacheCapacity = maxPrepared
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: grace}
	}
	config.OnPgError = func(c *pgconn.PgConn, fault *pgconn.PgError) (use bool) {
		if fault.Code == "25006" { // read only: it leads to a standby, or to one that was a primary
			common.era.CompareAndSwap(made(c), made(c)+1)
		}
		return usable(fault)
	}
	return config, nil
}

// usable reports whether a connection over which this came is used again.
func usable(fault *pgconn.PgError) bool {
	switch fault.Code {
	case "25006", // read only
		"0A000", "26000", // statements that a migration changed what they are about, or that a standby does not do
		"25P03": // idle for too long in a transaction
		return false
	}
	// The server is going down, or ends the connection.
	return fault.SeverityUnlocalized != "FATAL" && !strings.HasPrefix(fault.Code, "57P") && !strings.HasPrefix(fault.Code, "08")
}

// openPostgres gives a pool of so many connections that keep their statements prepared, honour deadlines, and are given up where another server may be the
// right one by now.
func openPostgres(dsn string, most int, common *standing) (*sql.DB, error) {
	config, err := postgresConfig(dsn, common)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector{stdlib.GetConnector(*config), common})
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(most) // one that is closed takes its prepared statements with it
	pool.SetConnMaxLifetime(lifetime)
	pool.SetConnMaxIdleTime(idleTime)
	return pool, nil
}

type connector struct {
	driver.Connector
	common *standing
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	era := c.common.era.Load()
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, unreached{err}
	}
	made := &conn{inner.(*stdlib.Conn), c.common}
	made.Conn.Conn().PgConn().CustomData()[eraKey] = era
	return made, nil
}

// conn is a connection of the pool.
type conn struct {
	*stdlib.Conn
	common *standing
}

// IsValid implements driver.Validator; the pool asks when it is given the connection back. One that is still in a transaction is given up.
func (c *conn) IsValid() bool {
	inner := c.Conn.Conn().PgConn()
	return !inner.IsClosed() && inner.TxStatus() == 'I' && made(inner) == c.common.era.Load()
}

// ResetSession implements driver.SessionResetter; the pool asks before it gives the connection to somebody.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return c.Conn.ResetSession(ctx)
}

// unreached is what came up while a connection was made: nothing was asked yet.
type unreached struct{ error }

// Unwrap gives the cause.
func (u unreached) Unwrap() error { return u.error }

type onceKey struct{}

// Once marks a context for statements whose text varies, so that they are not kept prepared.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// conversation is a transaction on a connection to PostgreSQL. What needs no answer of its own is sent with what comes next, so that a transaction
// takes as many round trips as it reads, and one more.
type conversation struct {
	*sqlx.Conn
	waiting    *pgx.Batch
	behind     []question // what is asked after the next statement, in the same round trip
	begun      bool       // by a BEGIN, because something was read; what is sent all at once is a transaction anyway
	committing bool       // it cannot be told any more whether it happened
}

func (d *DB) converse(ctx context.Context) (*conversation, error) {
	var conn *sqlx.Conn
	err := patiently(ctx, func() (err error) { conn, err = d.writes.Connx(ctx); return err })
	if err != nil {
		return nil, err
	}
	return &conversation{Conn: conn, waiting: &pgx.Batch{}}, nil
}

// question is a query whose answer is read into something.
type question struct {
	query string
	args  []any
	read  func(r rows) error
}

// later has a statement sent with the next one.
func (c *conversation) later(query string, args []any) { c.waiting.Queue(query, args...) }

// send sends what waits, and the last of it with it, in one round trip, and has the last answer read; then those to what is asked behind it.
func (c *conversation) send(ctx context.Context, read func(answers pgx.BatchResults) error) error {
	batch, behind := c.waiting, c.behind
	c.waiting, c.behind = &pgx.Batch{}, nil
	if !c.begun && !c.committing {
		c.begun = true
		var begin pgx.Batch
		begin.Queue("BEGIN")
		batch.QueuedQueries = slices.Insert(batch.QueuedQueries, 0, begin.QueuedQueries...)
	}
	before := batch.Len() - 1
	for _, b := range behind {
		batch.Queue(b.query, b.args...)
	}
	return c.Raw(func(at any) (err error) {
		answers := at.(*conn).Conn.Conn().SendBatch(ctx, batch)
		defer func() { err = cmp.Or(err, answers.Close()) }()
		for range before {
			if _, err := answers.Exec(); err != nil {
				return err
			}
		}
		if err = read(answers); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		for _, b := range behind {
			if err := readRows(answers, b.read); err != nil {
				return err
			}
		}
		return err
	})
}

// readRows gives the rows of the next answer to f.
func readRows(answers pgx.BatchResults, f func(r rows) error) error {
	found, err := answers.Query()
	if err != nil {
		return err
	}
	defer found.Close()
	return f(rows{found})
}

// flush sends what waits.
func (c *conversation) flush(ctx context.Context) error {
	if c.waiting.Len() == 0 {
		return nil
	}
	return c.send(ctx, func(answers pgx.BatchResults) error {
		_, err := answers.Exec()
		return err
	})
}

// exec runs a statement and gives the number of rows it touched.
func (c *conversation) exec(ctx context.Context, query string, args []any) (n int64, err error) {
	c.later(query, args)
	err = c.send(ctx, func(answers pgx.BatchResults) error {
		tag, err := answers.Exec()
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// rows gives what is to be read of a query to f.
func (c *conversation) rows(ctx context.Context, query string, args []any, f func(r rows) error) error {
	c.later(query, args)
	return c.send(ctx, func(answers pgx.BatchResults) error { return readRows(answers, f) })
}

// rows are those of pgx as sqlx takes them.
type rows struct{ pgx.Rows }

// Columns gives their names.
func (r rows) Columns() ([]string, error) {
	names := make([]string, len(r.FieldDescriptions()))
	for i, f := range r.FieldDescriptions() {
		names[i] = f.Name
	}
	return names, nil
}

// Close ends reading.
func (r rows) Close() error {
	r.Rows.Close()
	return nil
}

// all reads every row into a slice, as sqlx.Select does: what is no struct, or can scan itself, from the one column there is.
func (r rows) all(to any) error {
	list := reflect.ValueOf(to).Elem()
	item := list.Type().Elem()
	if item.Kind() == reflect.Struct && !reflect.PointerTo(item).Implements(scanner) && item != instant {
		return sqlx.StructScan(r, to)
	}
	list.SetLen(0)
	for r.Next() {
		one := reflect.New(item)
		if err := r.Scan(one.Interface()); err != nil {
			return err
		}
		list.Set(reflect.Append(list, one.Elem()))
	}
	return r.Err()
}

// one reads one row, as sqlx.Get does; sql.ErrNoRows.
func (r rows) one(to any) error {
	list := reflect.New(reflect.SliceOf(reflect.TypeOf(to).Elem()))
	if err := r.all(list.Interface()); err != nil {
		return err
	}
	if list.Elem().Len() == 0 {
		return sql.ErrNoRows
	}
	reflect.ValueOf(to).Elem().Set(list.Elem().Index(0))
	return nil
}

var (
	scanner = reflect.TypeFor[sql.Scanner]()
	instant = reflect.TypeFor[time.Time]()
)

// commit sends what waits and commits, in one round trip. Where that is all there is, it is a transaction without being called one: PostgreSQL commits at the end of what it is sent at
// once, or nothing of it (PostgreSQL, "Pipelining").
func (c *conversation) commit(ctx context.Context) error {
	c.committing = true
	switch {
	case c.begun:
		c.waiting.Queue("COMMIT")
	case c.waiting.Len() == 0:
		return nil
	}
	return c.send(ctx, func(answers pgx.BatchResults) error {
		tag, err := answers.Exec()
		if err == nil && c.begun && tag.String() != "COMMIT" { // which is how it answers for a transaction that had failed
			err = fmt.Errorf("the server answered %s", tag)
		}
		return err
	})
}

// end rolls back what was not committed, and gives the connection back to its pool, which gives up one that is still in a transaction.
func (c *conversation) end(ctx context.Context) {
	_ = c.Raw(func(at any) error {
		inner := at.(*conn).Conn.Conn()
		if !inner.IsClosed() && inner.PgConn().TxStatus() != 'I' {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
			defer cancel()
			_, err := inner.Exec(ctx, "ROLLBACK")
			return err
		}
		return nil
	})
	_ = c.Close()
}

// lost reports whether the connection broke before anybody asked for the transaction to be committed, so that it surely did not happen.
func (c *conversation) lost() (lost bool) {
	_ = c.Raw(func(at any) error {
		lost = at.(*conn).Conn.Conn().IsClosed()
		return nil
	})
	return lost && !c.committing
}

// texts are statements as PostgreSQL takes them, by how they are written here.
var texts struct {
	sync.RWMutex
	numbered map[string]string
}

// maxTexts bounds them. The store has fewer fixed ones.
const maxTexts = 4 * maxPrepared

// numbered gives a statement that is kept prepared as PostgreSQL takes it: the same text each time, which is not made anew.
func numbered(query string) string {
	texts.RLock()
	out, known := texts.numbered[query]
	texts.RUnlock()
	if known {
		return out
	}
	out = sqlx.Rebind(sqlx.DOLLAR, query)
	texts.Lock()
	defer texts.Unlock()
	if texts.numbered == nil {
		texts.numbered = map[string]string{}
	}
	if len(texts.numbered) < maxTexts {
		texts.numbered[query] = out
	}
	return out
}

// arrays rewrites a query whose lists stand as "IN (?)" so that each is one array: its text is the same however many there are in them.
func arrays(query string, args []any) string {
	var out strings.Builder
	for _, arg := range args {
		at := strings.IndexByte(query, '?')
		if at < 0 {
			break
		}
		if isList(arg) {
			head := strings.TrimSuffix(query[:at], "IN (")
			if negated := strings.TrimSuffix(head, "NOT "); negated != head {
				out.WriteString(negated + "<> ALL (?")
			} else {
				out.WriteString(head + "= ANY (?")
			}
		} else {
			out.WriteString(query[:at+1])
		}
		query = query[at+1:]
	}
	return out.String() + query
}

func isList(arg any) bool {
	if _, bytes := arg.([]byte); bytes {
		return false
	}
	t := reflect.TypeOf(arg)
	return t != nil && t.Kind() == reflect.Slice
}
