package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
	"github.com/sethvargo/go-retry"

	"signalbox/migrations"
)

// Tx is what statements run on: a transaction, or a pool for single reads.
type Tx struct {
	*DB
	on interface {
		sqlx.QueryerContext
		sqlx.ExecerContext
	}
	talk    *conversation // a transaction on PostgreSQL; nil: anything else
	pending map[int]bool  // partitions in which deliveries became pending
	marks   map[any]bool
	after   []func() // what is done once it has been committed
}

// Committed has f done once the transaction has been committed, as far as that is known: with the connection lost in between, it may not be done. It must be
// quick and cannot fail.
func (q *Tx) Committed(f func()) { q.after = append(q.after, f) }

func (q *Tx) committed() {
	for _, f := range q.after {
		f()
	}
}

type txKey struct{ *DB }

// Carried gives the transaction that ctx carries for this store.
func (d *DB) Carried(ctx context.Context) *Tx {
	q, _ := ctx.Value(txKey{d}).(*Tx)
	return q
}

// maxTries bounds how often a transaction is begun that the database rolls back for the sake of others.
const maxTries = 5

// Write runs f in the transaction that ctx carries, or in one of its own that commits when f succeeds. f may then be run again when the
// database asks for a repetition, so it must have no effects outside; the context it gets carries the transaction.
func (d *DB) Write(ctx context.Context, f func(ctx context.Context, q *Tx) error) error {
	if q := d.Carried(ctx); q != nil {
		return TranslateError(f(ctx, q))
	}
	if err := d.watch.Allow(); err != nil {
		return TranslateError(err)
	}
	err := retry.Do(ctx, conflictBackoff(), func(ctx context.Context) error {
		err := d.transact(ctx, f)
		if repeatable(err) || errors.Is(err, errLost) {
			return retry.RetryableError(err)
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		// The transaction was ended under f's hands, and what it met then says little.
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	d.saw(err)
	return TranslateError(err)
}

// conflictBackoff waits a while that is random, so that those who ran into each other do not meet again, and may be longer after each try.
func conflictBackoff() retry.Backoff {
	var longest time.Duration
	return retry.WithMaxRetries(maxTries-1, retry.BackoffFunc(func() (time.Duration, bool) {
		longest += 20 * time.Millisecond
		return rand.N(longest), false
	}))
}

// Relying gives a condition that always holds: where another one does not, there is no answer, and the transaction fails with it. So whoever is nearly sure of something need not ask for it first.
// That other one is looked at for the rows that all else before it in the statement holds of. It is for PostgreSQL.
func Relying(condition string) string { return `1 / CASE WHEN ` + condition + ` THEN 1 ELSE 0 END = 1` }

// Outright runs f in a transaction of its own, as Write does, which f expects to need one round trip: it relies on what it has not looked for (Relying), and adds what it takes not to be there.
// done: it has happened. Otherwise it has not, or that cannot be told, and the same is to be done by Write, by looking; so too where a transaction is carried already, and on SQLite,
// where no trip is saved.
func (d *DB) Outright(ctx context.Context, f func(ctx context.Context, q *Tx) error) (done bool) {
	if d.dialect != migrations.PostgreSQL || d.Carried(ctx) != nil || d.watch.Allow() != nil {
		return false
	}
	err := d.transactOnPostgres(ctx, f)
	d.saw(err)
	return err == nil
}

// errLost tells that the connection broke while a transaction could not have happened yet.
var errLost = errors.New("the connection was lost")

func (d *DB) transact(ctx context.Context, f func(ctx context.Context, q *Tx) error) error {
	if d.dialect == migrations.PostgreSQL {
		return d.transactOnPostgres(ctx, f)
	}
	tx, err := d.writes.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	q := &Tx{DB: d, on: tx, pending: map[int]bool{}, marks: map[any]bool{}}
	if err := q.run(ctx, f); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for part := range q.pending {
		d.notifier.wake(part)
	}
	q.committed()
	return nil
}

// run runs f in the transaction.
func (q *Tx) run(ctx context.Context, f func(ctx context.Context, q *Tx) error) error {
	if err := q.checkAlone(ctx); err != nil {
		return err
	}
	return f(context.WithValue(ctx, txKey{q.DB}, q), q)
}

func (d *DB) transactOnPostgres(ctx context.Context, f func(ctx context.Context, q *Tx) error) error {
	c, err := d.converse(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer c.end(ctx)
	q := &Tx{DB: d, on: c.Conn, talk: c, pending: map[int]bool{}, marks: map[any]bool{}}
	if err = q.run(ctx, f); err == nil {
		q.sendNotifications()
		if err = Wrap("commit", c.commit(ctx)); err == nil {
			q.committed()
		}
	}
	if err != nil && c.lost() {
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// Read runs f in the transaction that ctx carries, or without one.
func (d *DB) Read(ctx context.Context, f func(q *Tx) error) error {
	if q := d.Carried(ctx); q != nil {
		return TranslateError(f(q))
	}
	if err := d.allowRead(); err != nil {
		return TranslateError(err)
	}
	err := f(d.Reader())
	d.saw(err)
	return TranslateError(err)
}

// Snapshot runs f with reads that all see one moment, however long that takes and whatever is written meanwhile. It holds no row, so nobody waits for it; but what others delete
// keeps its place until it is over.
func (d *DB) Snapshot(ctx context.Context, f func(q *Tx) error) error {
	if err := d.allowRead(); err != nil {
		return TranslateError(err)
	}
	var how *sql.TxOptions // SQLite's readers see one moment anyway
	if d.dialect == migrations.PostgreSQL {
		how = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := d.reads.BeginTxx(ctx, how)
	if err == nil {
		defer tx.Rollback()
		err = f(&Tx{DB: d, on: tx})
	}
	d.saw(err)
	return TranslateError(err)
}

// Reader is for single reads, each of which sees the last commit.
func (d *DB) Reader() *Tx { return &Tx{DB: d, on: patient{d.reads}} }

// as gives a statement as its database takes it, and whether it goes into a conversation: what is not kept prepared cannot.
func (q *Tx) as(ctx context.Context, query string, args []any) (string, []any, bool, error) {
	if !q.onPostgreSQL() {
		return query, args, false, nil
	}
	if ctx.Value(onceKey{}) == nil {
		return numbered(query), args, q.talk != nil, nil
	}
	query = sqlx.Rebind(sqlx.DOLLAR, query)
	if q.talk != nil {
		if err := q.talk.flush(ctx); err != nil {
			return "", nil, false, err
		}
	}
	return query, append([]any{pgx.QueryExecModeDescribeExec}, args...), false, nil
}

// Each joins a table, for each row of what stands before, by the index that on uses, whatever the planner thinks of how many rows that are. on may name what
// stands before, and the table by its alias.
func (q *Tx) Each(table, alias, on string) string {
	if q.onPostgreSQL() {
		return `CROSS JOIN LATERAL (SELECT * FROM ` + table + ` ` + alias + ` WHERE ` + on + ` OFFSET 0) ` + alias // which keeps it from being made a join
	}
	return `JOIN ` + table + ` ` + alias + ` ON ` + on
}

// Statement runs f, which makes one statement that changes something: it needs no transaction around it.
func (d *DB) Statement(ctx context.Context, f func(q *Tx) error) error {
	if err := d.watch.Allow(); err != nil {
		return TranslateError(err)
	}
	err := f(&Tx{DB: d, on: patient{d.writes}})
	d.saw(err)
	return TranslateError(err)
}

// Get reads one row; sql.ErrNoRows when there is none.
func (q *Tx) Get(ctx context.Context, to any, query string, args ...any) error {
	query, args, talking, err := q.as(ctx, query, args)
	switch {
	case err != nil:
		return err
	case talking:
		return q.talk.rows(ctx, query, args, func(r rows) error { return r.one(to) })
	}
	return sqlx.GetContext(ctx, q.on, to, query, args...)
}

// Find is get that reports whether there is a row.
func (q *Tx) Find(ctx context.Context, to any, query string, args ...any) (bool, error) {
	err := q.Get(ctx, to, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// All reads rows into a slice.
func (q *Tx) All(ctx context.Context, to any, query string, args ...any) error {
	query, args, talking, err := q.as(ctx, query, args)
	switch {
	case err != nil:
		return err
	case talking:
		return q.talk.rows(ctx, query, args, func(r rows) error { return r.all(to) })
	}
	return sqlx.SelectContext(ctx, q.on, to, query, args...)
}

// AllNext has rows read into a slice after the next statement, in the same round trip: they are there once that one is answered. It is for a transaction of
// Write, whose next statement is a lock. SQLite, where whoever writes is alone and no trip is saved, is asked at once.
func (q *Tx) AllNext(ctx context.Context, to any, query string, args ...any) error {
	if q.talk == nil {
		return q.All(ctx, to, query, args...)
	}
	q.talk.behind = append(q.talk.behind, question{numbered(query), args, func(r rows) error { return r.all(to) }})
	return nil
}

// AllInNext is AllNext for a query with lists among its arguments, each as "IN (?)".
func (q *Tx) AllInNext(ctx context.Context, to any, query string, args ...any) error {
	query, args, err := q.in(query, args)
	if err != nil {
		return err
	}
	return q.AllNext(ctx, to, query, args...)
}

// in gives a statement in which lists among the arguments stand as "IN (?)" as its database takes it.
func (q *Tx) in(query string, args []any) (string, []any, error) {
	if q.onPostgreSQL() {
		return arrays(query, args), args, nil
	}
	return sqlx.In(query, args...)
}

// AllIn is all for a query with lists among its arguments, each as "IN (?)".
func (q *Tx) AllIn(ctx context.Context, to any, query string, args ...any) error {
	query, args, err := q.in(query, args)
	if err != nil {
		return err
	}
	return q.All(ctx, to, query, args...)
}

// Exec runs a statement and gives the number of rows it touched.
func (q *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	query, args, talking, err := q.as(ctx, query, args)
	switch {
	case err != nil:
		return 0, err
	case talking:
		return q.talk.exec(ctx, query, args)
	}
	result, err := q.on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// ExecIn is exec for a statement with lists among its arguments, each as "IN (?)".
func (q *Tx) ExecIn(ctx context.Context, query string, args ...any) (int64, error) {
	query, args, err := q.in(query, args)
	if err != nil {
		return 0, err
	}
	return q.Exec(ctx, query, args...)
}

// Later runs a statement of which nothing needs to be known but that it succeeds. In a transaction on PostgreSQL it is sent together with what comes
// next, which is then what fails where it does: with the next statement that is read or counted, or with the commit.
func (q *Tx) Later(ctx context.Context, query string, args ...any) error {
	if q.talk != nil {
		q.talk.later(numbered(query), args)
		return nil
	}
	_, err := q.Exec(ctx, query, args...)
	return err
}

// LaterIn is Later for a statement with lists among its arguments, each as "IN (?)".
func (q *Tx) LaterIn(ctx context.Context, query string, args ...any) error {
	query, args, err := q.in(query, args)
	if err != nil {
		return err
	}
	return q.Later(ctx, query, args...)
}

// NotifyPending tells every process, when the transaction commits, that deliveries became pending in the partition.
func (q *Tx) NotifyPending(partition int) { q.pending[partition] = true }

// Mark remembers something of this transaction, for as long as it lasts.
func (q *Tx) Mark(what any) { q.marks[what] = true }

// Marked tells whether something was remembered of this transaction.
func (q *Tx) Marked(what any) bool { return q.marks[what] }

func (q *Tx) onPostgreSQL() bool { return q.dialect == migrations.PostgreSQL }

// Texts reads rows of texts.
func (q *Tx) Texts(ctx context.Context, query string, args ...any) (list [][]string, err error) {
	query, args, _, err = q.as(Once(ctx), query, args)
	if err != nil {
		return nil, err
	}
	rows, err := q.on.QueryxContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}
