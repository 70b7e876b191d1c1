package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/sethvargo/go-retry"

	"signalbox/internal/watch"
	"signalbox/migrations"
	"signalbox/ticket"
)

// errReadOnly means that the server answers and takes no changes: it is a standby, or is set so.
var errReadOnly = fmt.Errorf("the server is read only, as a standby is: %w", watch.ErrTold)

// startWatch watches PostgreSQL over a connection of its own: that all others are in use is no outage, and a full server has to have kept this one.
func (d *DB) startWatch() error {
	pool, err := openPostgres(d.dsn, 1, d.common)
	if err != nil {
		return err
	}
	pool.SetConnMaxIdleTime(0) // it is never idle for long
	d.watching = pool
	d.watch = watch.Start(watch.Options{Name: "database", Log: d.Log, Probe: func(ctx context.Context) error { return checkWritable(ctx, pool, d.common) }})
	return nil
}

// checkWritable asks the server whether it takes changes, without making one.
func checkWritable(ctx context.Context, on sqlQuerier, common *standing) error {
	era := common.era.Load()
	var readOnly bool
	if err := on.QueryRowContext(ctx, `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean`).Scan(&readOnly); err != nil {
		return err
	}
	if readOnly {
		common.era.CompareAndSwap(era, era+1) // the next connections may lead to another
		return errReadOnly
	}
	return nil
}

type sqlQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Writable reports whether the database takes changes. Unavailable: it does not, or does not answer.
func (d *DB) Writable(ctx context.Context) error {
	if away := d.watch.Away(); away != nil {
		return TranslateError(away)
	}
	if d.dialect != migrations.PostgreSQL {
		return nil
	}
	return TranslateError(checkWritable(ctx, d.writes, d.common))
}

// Away tells since when the database is known not to answer, or to take no changes, and why; nil: it is not, or nobody watches it.
func (d *DB) Away() *watch.Away { return d.watch.Away() }

// allowRead refuses a call while the database is known not to answer. What is read only may be read.
func (d *DB) allowRead() error {
	if away := d.watch.Away(); away != nil && errors.Is(away, errReadOnly) {
		return nil
	}
	return d.watch.Allow()
}

// saw tells the watch what a call met.
func (d *DB) saw(err error) {
	switch {
	case d.watch == nil:
	case err == nil, ticket.AsError(err) != nil, !unanswered(err):
		d.watch.Answered()
	default:
		d.watch.Failed()
	}
}

// unanswered reports whether an error leaves open whether the database answers.
func unanswered(err error) bool {
	state := postgresState(err)
	return isTransient(err) && (state == "" || state == "25006" || state[:2] == "57" || state[:2] == "08")
}

// full reports whether the server had no connection left for us. It was asked nothing, so the same may be asked again.
func full(err error) bool { return postgresState(err) == "53300" }

// patiently asks again for a while where the server has no connection left: one of our own may become free meanwhile, and those who wait in a line
// get further than those who are all sent away.
func patiently(ctx context.Context, ask func() error) error {
	began := time.Now()
	return retry.Do(ctx, retry.WithCappedDuration(100*time.Millisecond, retry.NewExponential(10*time.Millisecond)), func(context.Context) error {
		err := ask()
		if full(err) && time.Since(began) < patience {
			return retry.RetryableError(err)
		}
		return err
	})
}

// patient is a pool that asks patiently.
type patient struct{ *sqlx.DB }

// QueryxContext implements sqlx.QueryerContext.
func (p patient) QueryxContext(ctx context.Context, query string, args ...any) (rows *sqlx.Rows, err error) {
	err = patiently(ctx, func() error { rows, err = p.DB.QueryxContext(ctx, query, args...); return err })
	return rows, err
}

// QueryRowxContext implements sqlx.QueryerContext.
func (p patient) QueryRowxContext(ctx context.Context, query string, args ...any) (row *sqlx.Row) {
	_ = patiently(ctx, func() error { row = p.DB.QueryRowxContext(ctx, query, args...); return row.Err() })
	if row == nil { // time was up before
		row = p.DB.QueryRowxContext(ctx, query, args...)
	}
	return row
}

// ExecContext implements sqlx.ExecerContext.
func (p patient) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	err = patiently(ctx, func() error { result, err = p.DB.ExecContext(ctx, query, args...); return err })
	return result, err
}
