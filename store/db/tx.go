package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/sethvargo/go-retry"

	"signalbox/migrations"
)

// Tx is what statements run on: a transaction, or a pool for single reads.
type Tx struct {
	*DB
	on interface {
		sqlx.ExtContext
		Rebind(query string) string
	}
	pending map[int]bool // partitions in which deliveries became pending
	marks   map[any]bool
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
		if repeatable(err) {
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

func (d *DB) transact(ctx context.Context, f func(ctx context.Context, q *Tx) error) error {
	var tx *sqlx.Tx
	err := patiently(ctx, func() (err error) { tx, err = d.writes.BeginTxx(ctx, nil); return err })
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	q := &Tx{DB: d, on: tx, pending: map[int]bool{}, marks: map[any]bool{}}
	if err := f(context.WithValue(ctx, txKey{d}, q), q); err != nil {
		return err
	}
	if err := q.sendNotifications(ctx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if !q.onPostgreSQL() {
		for part := range q.pending {
			d.notifier.wake(part)
		}
	}
	return nil
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

// Reader is for single reads, each of which sees the last commit.
func (d *DB) Reader() *Tx { return &Tx{DB: d, on: patient{d.reads}} }

// Get reads one row; sql.ErrNoRows when there is none.
func (q *Tx) Get(ctx context.Context, to any, query string, args ...any) error {
	return sqlx.GetContext(ctx, q.on, to, q.on.Rebind(query), args...)
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
	return sqlx.SelectContext(ctx, q.on, to, q.on.Rebind(query), args...)
}

// AllIn is all for a query with lists among its arguments.
func (q *Tx) AllIn(ctx context.Context, to any, query string, args ...any) error {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return err
	}
	return q.All(Once(ctx), to, query, args...)
}

// Exec runs a statement and gives the number of rows it touched.
func (q *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := q.on.ExecContext(ctx, q.on.Rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// ExecIn is exec for a statement with lists among its arguments.
func (q *Tx) ExecIn(ctx context.Context, query string, args ...any) (int64, error) {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return 0, err
	}
	return q.Exec(Once(ctx), query, args...)
}

// MaxParameters keeps one statement well below what either database takes (SQLite: 32,766).
const MaxParameters = 10_000

// Expr is a value that the database works out, with a ? for each of its arguments.
type Expr struct {
	SQL  string
	Args []any
}

// tupleOf gives a row as a statement has it, and its arguments.
func tupleOf(row []any) (text string, args []any) {
	marks := make([]string, len(row))
	for i, value := range row {
		if e, ok := value.(Expr); ok {
			marks[i], args = e.SQL, append(args, e.Args...)
		} else {
			marks[i], args = "?", append(args, value)
		}
	}
	return "(" + strings.Join(marks, ", ") + ")", args
}

// Insert adds rows with as few statements as possible; into names the table and its columns. A value may be an Expr, with the same text in
// every row.
func (q *Tx) Insert(ctx context.Context, into string, rows [][]any) error {
	return insert(ctx, into, rows, func(ctx context.Context, statement string, args []any) error {
		_, err := q.Exec(ctx, statement, args...)
		return err
	})
}

// InsertReturning is Insert that goes on with rest after the rows, and gives the texts that this returns.
func (q *Tx) InsertReturning(ctx context.Context, into string, rows [][]any, rest string) (list []string, err error) {
	err = insert(ctx, into, rows, func(ctx context.Context, statement string, args []any) error {
		var some []string
		err := q.All(ctx, &some, statement+" "+rest, args...)
		list = append(list, some...)
		return err
	})
	return list, err
}

func insert(ctx context.Context, into string, rows [][]any, run func(ctx context.Context, statement string, args []any) error) error {
	for len(rows) > 0 {
		tuple, args := tupleOf(rows[0])
		n := min(len(rows), MaxParameters/len(args))
		for _, row := range rows[1:n] {
			_, more := tupleOf(row)
			args = append(args, more...)
		}
		statement := "INSERT INTO " + into + " VALUES " + strings.Repeat(tuple+", ", n-1) + tuple
		use := ctx
		if n > 1 {
			use = Once(ctx)
		}
		if err := run(use, statement, args); err != nil {
			return fmt.Errorf("insert into %s: %w", into, err)
		}
		rows = rows[n:]
	}
	return nil
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
	rows, err := q.on.QueryxContext(ctx, q.on.Rebind(query), args...)
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
