package db

import (
	"context"
	"fmt"

	"signalbox/migrations"
	"signalbox/ticket"
)

// The change feed orders the events of a tenant so that nothing is ever added behind what somebody has read. On SQLite writers come one after the
// other, and a place is the next number. On PostgreSQL a place is the number of the transaction that wrote the event, and what is read ends before
// the oldest transaction that still runs: whatever comes later has a higher number. Nobody waits for anybody.
//
// Transaction numbers are a cluster's. A dump that is loaded into another cluster meets numbers that are lower than those it holds, so places there begin at a
// higher base: see adoptCluster.

// baseStep is how far the base rises with each cluster: more transactions than one ever counts.
const baseStep = 1 << 48

// FeedPlace gives the place for events of a tenant that this transaction writes. It is never before that of the ticket's event with the number after,
// although the number of this transaction may be lower: it can have been given one before it waited for the ticket's row.
func (q *Tx) FeedPlace(tenant string, ticketID, after int64) Expr {
	if !q.onPostgreSQL() {
		return Expr{`(SELECT COALESCE(MAX(place), 0) + 1 FROM events WHERE tenant = ? AND tenant <> '')`, []any{tenant}}
	}
	return Expr{`GREATEST((SELECT base FROM change_feed) + pg_current_xact_id()::text::bigint,
		(SELECT place FROM events WHERE ticket_id = ? AND seq = ?))`, []any{ticketID, after}}
}

// FeedSettled is the condition that nothing can come before a place of events any more.
func (q *Tx) FeedSettled() string {
	if !q.onPostgreSQL() {
		return `place > 0`
	}
	// Both are as of the snapshot of the statement.
	return `place < (SELECT base FROM change_feed) + pg_snapshot_xmin(pg_current_snapshot())::text::bigint`
}

// readCluster identifies the PostgreSQL cluster; empty: it is SQLite, or we may not know.
func (d *DB) readCluster(ctx context.Context) (id string, err error) {
	if d.dialect != migrations.PostgreSQL {
		return "", nil
	}
	err = d.reads.GetContext(ctx, &id, `SELECT system_identifier::text FROM pg_control_system()`)
	if postgresState(err) == "42501" { // insufficient privilege
		d.Log.WarnContext(ctx, "store.cluster", "error", err)
		return "", nil
	}
	return id, Wrap("identify the cluster", err)
}

// adoptCluster makes sure that places given in this cluster come after all that were given in another.
func (d *DB) adoptCluster(ctx context.Context) error {
	id, err := d.readCluster(ctx)
	if err != nil || id == "" {
		return err
	}
	return d.Write(ctx, func(ctx context.Context, q *Tx) error {
		_, err := q.Exec(ctx, `UPDATE change_feed SET base = base + CASE WHEN cluster = '' THEN 0 ELSE CAST(? AS bigint) END, cluster = ? WHERE cluster <> ?`,
			int64(baseStep), id, id)
		return Wrap("adopt the cluster", err)
	})
}

// checkCluster refuses to work, as Unavailable, where places would be given that others come after.
func (d *DB) checkCluster(ctx context.Context) error {
	id, err := d.readCluster(ctx)
	if err != nil || id == "" {
		return err
	}
	var known string
	if err := d.reads.GetContext(ctx, &known, `SELECT cluster FROM change_feed`); err != nil {
		return fmt.Errorf("read the change feed's cluster: %w", err)
	}
	if known != "" && known != id {
		return ticket.Refuse(ticket.Unavailable, "the database came here from another PostgreSQL cluster: migrate it")
	}
	return nil
}
