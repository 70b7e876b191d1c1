package db

import (
	"context"
)

// TicketCounter is the counter that integer ids are drawn from.
const TicketCounter = "tickets"

// Epoch is the expression that names the life of the server: on PostgreSQL it is another one after every start, after a fail-over, and where the tables were
// made anew, as by restoring a dump. What was put back to an earlier state is therefore never in the life it was in before.
func (q *Tx) Epoch() string {
	if !q.onPostgreSQL() {
		return `'sqlite'`
	}
	return `pg_postmaster_start_time()::text || ' ' || 'counters'::regclass::oid::text`
}

// AdvanceNumber moves a counter on, so that its next value is behind this one.
func (q *Tx) AdvanceNumber(ctx context.Context, counter string, to int64) error {
	_, err := q.Exec(ctx, `INSERT INTO counters (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = CASE WHEN excluded.value > counters.value THEN excluded.value ELSE counters.value END`, counter, to)
	return Wrap("move a counter on", err)
}

// DrawNumber gives a counter's next value. A number is used once even when its transaction is rolled back and the number drawn again, because
// nobody saw it the first time.
func (q *Tx) DrawNumber(ctx context.Context, counter string) (value int64, err error) {
	err = q.Get(ctx, &value, `INSERT INTO counters (name, value) VALUES (?, 1)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value`, counter)
	return value, Wrap("draw a number", err)
}
