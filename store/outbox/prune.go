package outbox

import (
	"context"
	"strings"
	"time"

	"signalbox/store/db"
)

// PruneDeliveries deletes up to limit deliveries, with their attempts, that have been over since before that time: arrived, failed, held or
// cancelled. Redeliveries that ended before then go too, as many at most, and that tickets are stuck for deliveries which have all begun anew, or are gone. What waits to be sent stays, however old.
func (o *Outbox) PruneDeliveries(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var ids []string
		// Whoever has one of them delivered again holds its row; it is over no longer then, and not for us to wait for.
		over := `SELECT id FROM deliveries WHERE ended_at < ? AND ended_at IS NOT NULL AND state NOT IN ('pending', 'parked') ORDER BY ended_at LIMIT ?`
		if err := q.All(ctx, &ids, q.Locking(over, db.SkipLocked), db.At(before), limit); err != nil {
			return db.Wrap("list old deliveries", err)
		}
		if _, err := q.Exec(ctx, `DELETE FROM redeliveries WHERE id IN (SELECT id FROM redeliveries WHERE ended_at < ? AND ended_at IS NOT NULL ORDER BY ended_at LIMIT ?)`,
			db.At(before), limit); err != nil {
			return db.Wrap("delete old redeliveries", err)
		}
		var relieved []int64
		if err := q.All(ctx, &relieved, strings.ReplaceAll(`SELECT x.ticket_id FROM stuck x WHERE x.cause = 'undelivered' AND NOT (`+db.Undelivered+`) LIMIT ?`, "$.", "x."), limit); err != nil {
			return db.Wrap("look for tickets that are stuck no more", err)
		}
		if len(relieved) > 0 {
			if _, err := q.ExecIn(ctx, `DELETE FROM stuck WHERE cause = 'undelivered' AND ticket_id IN (?)`, relieved); err != nil {
				return db.Wrap("take back that tickets are stuck", err)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		counted, err := countedOf(ctx, q, ids)
		if err != nil {
			return err
		}
		if err := o.uncount(ctx, q, counted); err != nil {
			return err
		}
		if _, err := q.ExecIn(ctx, `DELETE FROM attempts WHERE delivery_id IN (?)`, ids); err != nil {
			return db.Wrap("delete old attempts", err)
		}
		pruned, err = q.ExecIn(ctx, `DELETE FROM deliveries WHERE id IN (?)`, ids)
		return db.Wrap("delete old deliveries", err)
	})
	return pruned, err
}

// over is the condition for subscriptions that nothing is sent to, nor kept for, ever again. It is spelled like the index subscriptions_over.
const over = `ended_at IS NOT NULL AND (state = 'deleted' OR state = 'dropped' AND successor <> '')`

// PruneSubscriptions deletes up to limit subscriptions that were deleted before that time, or dropped and registered again, and have no deliveries any more.
// Of those that are deleted it wipes the secrets where a version that kept them has left some.
func (o *Outbox) PruneSubscriptions(ctx context.Context, before time.Time, limit int) (pruned int64, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// Whoever holds one of them is left to it: waiting would have to keep to the order of locks.
		sealed := q.Locking(`SELECT id FROM subscriptions WHERE `+over+` AND state = 'deleted' AND (secret <> '' OR headers <> '') LIMIT ?`, db.SkipLocked)
		if _, err := q.Exec(ctx, `UPDATE subscriptions SET `+noSecrets+` WHERE id IN (`+sealed+`)`, limit); err != nil {
			return db.Wrap("wipe the secrets of subscriptions", err)
		}
		var ids []string
		idle := `SELECT id FROM subscriptions WHERE ended_at < ? AND ` + over + ` AND turning = '' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.subscription_id = subscriptions.id)
			AND NOT EXISTS (SELECT 1 FROM redeliveries r WHERE r.subscription_id = subscriptions.id) ORDER BY ended_at LIMIT ?`
		if err := q.All(ctx, &ids, q.Locking(idle, db.SkipLocked), db.At(before), limit); err != nil || len(ids) == 0 {
			return db.Wrap("list old subscriptions", err)
		}
		pruned, err = q.ExecIn(ctx, `DELETE FROM subscriptions WHERE id IN (?)`, ids)
		return db.Wrap("delete old subscriptions", err)
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
