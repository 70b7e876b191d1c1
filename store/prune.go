package store

import (
	"context"
	"time"
)

// PruneDeliveries deletes up to limit deliveries, with their attempts, that have been over since before that time: arrived, failed, held or
// cancelled. Redeliveries that ended before then go too. What waits to be sent stays, however old.
func (s *Store) PruneDeliveries(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		var ids []string
		// Whoever has one of them delivered again holds its row; it is over no longer then, and not for us to wait for.
		over := `SELECT id FROM deliveries WHERE ended_at < ? AND ended_at IS NOT NULL AND state NOT IN ('pending', 'parked') ORDER BY ended_at LIMIT ?`
		if err := q.all(ctx, &ids, q.locking(over, available), at(before), limit); err != nil {
			return wrap("list old deliveries", err)
		}
		if _, err := q.exec(ctx, `DELETE FROM redeliveries WHERE ended_at < ? AND ended_at IS NOT NULL`, at(before)); err != nil {
			return wrap("delete old redeliveries", err)
		}
		if len(ids) == 0 {
			return nil
		}
		if _, err := q.many(ctx, `DELETE FROM attempts WHERE delivery_id IN (?)`, ids); err != nil {
			return wrap("delete old attempts", err)
		}
		pruned, err = q.many(ctx, `DELETE FROM deliveries WHERE id IN (?)`, ids)
		return wrap("delete old deliveries", err)
	})
	return pruned, err
}

// PruneStream deletes up to limit events that were published before that time, and forgets as many lanes of the stream that were last used before
// then and have no deliveries any more.
func (s *Store) PruneStream(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		pruned, err = q.exec(ctx, `DELETE FROM stream WHERE id IN (SELECT id FROM stream WHERE at < ? ORDER BY at LIMIT ?)`, at(before), limit)
		if err != nil {
			return wrap("delete old events", err)
		}
		// Whoever publishes into one of them holds its row, and makes it one that was used just now.
		idle := q.locking(`SELECT id FROM stream_lanes WHERE at < ? AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.ticket_id = stream_lanes.id AND d.ticket_id < 0)
			ORDER BY at LIMIT ?`, available)
		_, err = q.exec(ctx, `DELETE FROM stream_lanes WHERE id IN (`+idle+`)`, at(before), limit)
		return wrap("forget old lanes", err)
	})
	return pruned, err
}
