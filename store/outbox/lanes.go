package outbox

import (
	"context"
	"math"

	"signalbox/notice"
	"signalbox/store/db"
)

// Next gives the delivery that a retrying lane goes on with. When there is none left it ends the lane's retrying in the same transaction and
// reports false. While the subscription is sifted it reports false as well, and the lane goes on retrying: Retrying lists it.
func (o *Outbox) Next(ctx context.Context, lane notice.Lane) (w notice.Work, more bool, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		w, more, err = o.nextOf(ctx, q, lane)
		return err
	})
	if err != nil || more || lane.Delivery != "" {
		return w, more, err
	}
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// With the ticket's row locked nothing is inserted into the lane between looking and deleting.
		if err := q.LockLaneOwner(ctx, lane.TicketID); err != nil {
			return err
		}
		// Nor is what is held released into it, or what waits sifted, with the subscription's row locked.
		var sifting string
		if _, err := q.FindSubscription(ctx, &sifting, db.Shared, `sifting`, `id = ?`, lane.Subscription); err != nil {
			return err
		}
		w, more, err = o.nextOf(ctx, q, lane)
		// What is retrying goes on once all that waits was sifted, by its lane. What a transition ends is held first, and begins anew.
		if err != nil || more || sifting != "" {
			return err
		}
		_, err = q.Exec(ctx, `DELETE FROM lanes WHERE ticket_id = ? AND subscription_id = ?`, lane.TicketID, lane.Subscription)
		return db.Wrap("end the lane's retrying", err)
	})
	return w, more, err
}

func (o *Outbox) nextOf(ctx context.Context, q *db.Tx, lane notice.Lane) (notice.Work, bool, error) {
	var row workRow
	which, args := `NOT d.alone`, []any{lane.Subscription, lane.TicketID}
	if lane.Delivery != "" {
		which, args = `d.alone AND d.id = ?`, append(args, lane.Delivery)
	}
	found, err := q.Find(ctx, &row, `SELECT `+workColumns+` FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
		WHERE d.subscription_id = ? AND d.ticket_id = ? AND d.state = 'parked' AND d.state IN ('pending', 'parked') AND `+which+` AND `+db.Sending+` ORDER BY d.at, d.seq LIMIT 1`, args...)
	if err != nil || !found {
		return notice.Work{}, false, db.Wrap("look into the lane", err)
	}
	persons, err := o.addressees(ctx, q, []workRow{row})
	return o.work(ctx, q, row, persons), err == nil, err
}

// Retrying lists retrying lanes in a stable order, after the given one (zero: from the start).
func (o *Outbox) Retrying(ctx context.Context, after notice.Lane, limit int) (lanes []notice.Lane, err error) {
	if after == (notice.Lane{}) {
		after.TicketID = math.MinInt64 // lanes of the stream are below zero
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var rows []deliveryRow
		err := q.All(ctx, &rows, `SELECT ticket_id, subscription_id, id, alone FROM (SELECT ticket_id, subscription_id, '' AS id, FALSE AS alone FROM lanes
			WHERE (ticket_id, subscription_id) > (?, ?) ORDER BY ticket_id, subscription_id LIMIT ?) l
			UNION ALL SELECT ticket_id, subscription_id, id, alone FROM (SELECT ticket_id, subscription_id, id, alone FROM deliveries WHERE alone AND state = 'parked'
			AND (ticket_id, subscription_id, id) > (?, ?, ?) ORDER BY ticket_id, subscription_id, id LIMIT ?) d
			ORDER BY ticket_id, subscription_id, id LIMIT ?`, after.TicketID, after.Subscription, limit, after.TicketID, after.Subscription, after.Delivery, limit, limit)
		for _, row := range rows {
			lanes = append(lanes, row.lane())
		}
		return db.Wrap("list retrying lanes", err)
	})
	return lanes, err
}

// Partitions lists the partitions that have pending deliveries, those of an earlier number of partitions included.
func (o *Outbox) Partitions(ctx context.Context) (parts []int, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		// One step through the index for each partition, however much is pending in it.
		err := q.All(ctx, &parts, `WITH RECURSIVE p (part) AS (
			SELECT MIN(part) FROM deliveries WHERE state = 'pending'
			UNION ALL
			SELECT (SELECT MIN(d.part) FROM deliveries d WHERE d.state = 'pending' AND d.part > p.part) FROM p WHERE p.part IS NOT NULL
		) SELECT part FROM p WHERE part IS NOT NULL ORDER BY part`)
		return db.Wrap("list partitions", err)
	})
	return parts, err
}
