package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"signalbox/migrations"
)

// session is what statements run on: a transaction, or a pool for single reads.
type session struct {
	*Store
	on interface {
		sqlx.ExtContext
		Rebind(query string) string
	}
	wakes map[int]bool // partitions in which deliveries became pending
	marks map[any]bool
}

type sessionKey struct{ *Store }

// carried gives the transaction that ctx carries for this store.
func (s *Store) carried(ctx context.Context) *session {
	q, _ := ctx.Value(sessionKey{s}).(*session)
	return q
}

// maxTries bounds how often a transaction is begun that the database rolls back for the sake of others.
const maxTries = 5

// write runs f in the transaction that ctx carries, or in one of its own that commits when f succeeds. f may then be run again when the
// database asks for a repetition, so it must have no effects outside; the context it gets carries the transaction.
func (s *Store) write(ctx context.Context, f func(ctx context.Context, q *session) error) error {
	if q := s.carried(ctx); q != nil {
		return told(f(ctx, q))
	}
	for try := 1; ; try++ {
		err := s.transact(ctx, f)
		if err != nil && ctx.Err() != nil {
			// The transaction was ended under f's hands, and what it met then says little.
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		if err == nil || try == maxTries || !repeatable(err) {
			return told(err)
		}
		select {
		case <-ctx.Done():
			return told(err)
		case <-time.After(rand.N(time.Duration(try) * 20 * time.Millisecond)):
		}
	}
}

func (s *Store) transact(ctx context.Context, f func(ctx context.Context, q *session) error) error {
	tx, err := s.writes.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	q := &session{Store: s, on: tx, wakes: map[int]bool{}, marks: map[any]bool{}}
	if err := f(context.WithValue(ctx, sessionKey{s}, q), q); err != nil {
		return err
	}
	if err := q.notify(ctx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if !q.onPostgreSQL() {
		for part := range q.wakes {
			s.hub.wake(part)
		}
	}
	return nil
}

// read runs f in the transaction that ctx carries, or without one.
func (s *Store) read(ctx context.Context, f func(q *session) error) error {
	q := s.carried(ctx)
	if q == nil {
		q = s.reader()
	}
	return told(f(q))
}

// reader is for single reads, each of which sees the last commit.
func (s *Store) reader() *session { return &session{Store: s, on: s.reads} }

// get reads one row; sql.ErrNoRows when there is none.
func (q *session) get(ctx context.Context, to any, query string, args ...any) error {
	return sqlx.GetContext(ctx, q.on, to, q.on.Rebind(query), args...)
}

// find is get that reports whether there is a row.
func (q *session) find(ctx context.Context, to any, query string, args ...any) (bool, error) {
	err := q.get(ctx, to, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// all reads rows into a slice.
func (q *session) all(ctx context.Context, to any, query string, args ...any) error {
	return sqlx.SelectContext(ctx, q.on, to, q.on.Rebind(query), args...)
}

// any is all for a query with lists among its arguments.
func (q *session) any(ctx context.Context, to any, query string, args ...any) error {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return err
	}
	return q.all(once(ctx), to, query, args...)
}

// exec runs a statement and gives the number of rows it touched.
func (q *session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := q.on.ExecContext(ctx, q.on.Rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// many is exec for a statement with lists among its arguments.
func (q *session) many(ctx context.Context, query string, args ...any) (int64, error) {
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return 0, err
	}
	return q.exec(once(ctx), query, args...)
}

// maxParameters keeps one statement well below what either database takes (SQLite: 32,766).
const maxParameters = 10_000

// insert adds rows with as few statements as possible; into names the table and its columns.
func (q *session) insert(ctx context.Context, into string, rows [][]any) error {
	for len(rows) > 0 {
		width := len(rows[0])
		n := min(len(rows), maxParameters/width)
		args := make([]any, 0, n*width)
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		tuple := "(" + strings.Repeat("?, ", width-1) + "?)"
		statement := "INSERT INTO " + into + " VALUES " + strings.Repeat(tuple+", ", n-1) + tuple
		use := ctx
		if n > 1 {
			use = once(ctx)
		}
		if _, err := q.exec(use, statement, args...); err != nil {
			return fmt.Errorf("insert into %s: %w", into, err)
		}
		rows = rows[n:]
	}
	return nil
}

// wake tells every process, when the transaction commits, that deliveries became pending in the partition.
func (q *session) wake(partition int) { q.wakes[partition] = true }

// mark remembers something of this transaction, for as long as it lasts.
func (q *session) mark(what any) { q.marks[what] = true }

// marked tells whether something was remembered of this transaction.
func (q *session) marked(what any) bool { return q.marks[what] }

func (q *session) onPostgreSQL() bool { return q.dialect == migrations.PostgreSQL }

// texts reads rows of texts.
func (q *session) texts(ctx context.Context, query string, args ...any) (list [][]string, err error) {
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
