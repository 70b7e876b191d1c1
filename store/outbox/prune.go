package outbox

import (
	"context"
	"time"

	"signalbox/store/db"
)

// PruneDeliveries deletes up to limit deliveries, with their attempts, that have been over since before that time: arrived, failed, held or
// cancelled. Redeliveries that ended before then go too. What waits to be sent stays, however old.
func (o *Outbox) PruneDeliveries(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var ids []string
		// Whoever has one of them delivered again holds its row; it is over no longer then, and not for us to wait for.
		over := `SELECT id FROM deliveries WHERE ended_at < ? AND ended_at IS NOT NULL AND state NOT IN ('pending', 'parked') ORDER BY ended_at LIMIT ?`
		if err := q.All(ctx, &ids, q.Locking(over, db.SkipLocked), db.At(before), limit); err != nil {
			return db.Wrap("list old deliveries", err)
		}
		if _, err := q.Exec(ctx, `DELETE FROM redeliveries WHERE ended_at < ? AND ended_at IS NOT NULL`, db.At(before)); err != nil {
			return db.Wrap("delete old redeliveries", err)
		}
		if len(ids) == 0 {
			return nil
		}
		if _, err := q.ExecIn(ctx, `DELETE FROM attempts WHERE delivery_id IN (?)`, ids); err != nil {
			return db.Wrap("delete old attempts", err)
		}
		pruned, err = q.ExecIn(ctx, `DELETE FROM deliveries WHERE id IN (?)`, ids)
		return db.Wrap("delete old deliveries", err)
	})
	return pruned, err
}

// PruneStream deletes up to limit events that were published before that time, and forgets as many lanes of the stream that were last used before
// then and have no deliveries any more.
func (o *Outbox) PruneStream(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		pruned, err = q.Exec(ctx, `DELETE FROM stream WHERE id IN (SELECT id FROM stream WHERE at < ? ORDER BY at LIMIT ?)`, db.At(before), limit)
		if err != nil {
			return db.Wrap("delete old events", err)
		}
		// Whoever publishes into one of them holds its row, and makes it one that was used just now.
		idle := q.Locking(`SELECT id FROM stream_lanes WHERE at < ? AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.ticket_id = stream_lanes.id AND d.ticket_id < 0)
			ORDER BY at LIMIT ?`, db.SkipLocked)
		_, err = q.Exec(ctx, `DELETE FROM stream_lanes WHERE id IN (`+idle+`)`, db.At(before), limit)
		return db.Wrap("forget old lanes", err)
	})
	return pruned, err
}
