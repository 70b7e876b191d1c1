package store

import (
	"context"
	"strings"

	"signalbox/notice"
)

// What a subscription's turn does to what it is owed: paused or dropped, what was under way is held; resumed, what is held is sent; deleted, both
// are cancelled. Of a few deliveries all are turned in the same transaction. Where there are more, as after weeks, the rest follows a piece at a
// time, since whoever tells the subscription of anything waits for its row meanwhile: turning says what is left. No one can tell the difference:
// nothing of a subscription that is ending is sent, and as long as it is releasing, whatever comes is held behind what is older.
const (
	ending    = "ending"
	releasing = "releasing"
)

// turnAtOnce is how many deliveries are turned in one transaction.
const turnAtOnce = 500

// turnPieces bounds how many transactions one call for the rest makes.
const turnPieces = 4

// turnPrefix begins the names of such rests among those of redeliveries.
const turnPrefix = "turn:"

// turn begins what follows from a subscription's new state. Its row is held.
func (q *session) turn(ctx context.Context, id string) error {
	_, err := q.exec(ctx, `UPDATE subscriptions SET turning = CASE WHEN state = 'active' AND turning <> 'ending' THEN 'releasing' ELSE 'ending' END WHERE id = ?`, id)
	if err != nil {
		return wrap("turn a subscription", err)
	}
	_, err = q.turnSome(ctx, id, 2*turnAtOnce)
	return err
}

// turnSome turns a piece of what is left, and says of how many deliveries it was. Those that are released do not become more than atOnce that
// wait, nor go on while as many lanes of the subscription fail. It holds the row of the subscription, so nothing is born into its lanes
// meanwhile, and none of them is retrying or unparked.
func (q *session) turnSome(ctx context.Context, id string, atOnce int) (n int, err error) {
	var row struct{ State, Turning string }
	found, err := q.findSubscription(ctx, &row, exclusive, `state, turning`, `id = ?`, id)
	if err != nil || !found || row.Turning == "" {
		return 0, err
	}
	next := ""
	if row.Turning == ending {
		as := notice.Held
		if row.State == string(notice.Deleted) {
			as = notice.Cancelled
		}
		if n, err = q.end(ctx, id, as); err != nil || n == turnAtOnce {
			return n, err
		}
		if row.State == string(notice.Active) {
			next = releasing // resumed before it had ended
		}
	} else {
		room, err := q.room(ctx, id, atOnce)
		if err != nil {
			return 0, err
		}
		limit := min(room, turnAtOnce)
		if limit <= 0 {
			return 0, nil
		}
		if n, err = q.release(ctx, id, limit); err != nil || n == limit {
			return n, err
		}
	}
	_, err = q.exec(ctx, `UPDATE subscriptions SET turning = ? WHERE id = ?`, next, id)
	return n, wrap("turn a subscription", err)
}

// room is how many deliveries of a subscription may be put back, so that neither more than atOnce wait for their first try nor more lanes fail.
// What waits behind a failed one takes none: a single lane that does not recover must not keep the others.
func (q *session) room(ctx context.Context, subscription string, atOnce int) (int, error) {
	var taken int
	err := q.get(ctx, &taken, `SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE subscription_id = ? AND state = 'pending' AND state IN ('pending', 'parked') LIMIT ?) w) +
		(SELECT COUNT(*) FROM (SELECT 1 FROM lanes WHERE subscription_id = ? LIMIT ?) l)`, subscription, atOnce, subscription, atOnce)
	return atOnce - taken, wrap("count what waits", err)
}

// end holds or cancels up to turnAtOnce of what is under way, and what is held too where it cancels. It unparks all lanes: should the subscription
// be taken up again, it begins anew.
func (q *session) end(ctx context.Context, subscription string, as notice.DeliveryState) (int, error) {
	if _, err := q.exec(ctx, `DELETE FROM lanes WHERE subscription_id = ?`, subscription); err != nil {
		return 0, wrap("unpark lanes", err)
	}
	var ids []string
	query, args := `SELECT id FROM deliveries WHERE subscription_id = ? AND state IN ('pending', 'parked')`, []any{subscription}
	if as == notice.Cancelled {
		query, args = query+` UNION ALL SELECT id FROM deliveries WHERE subscription_id = ? AND state = 'held'`, append(args, subscription)
	}
	if err := q.all(ctx, &ids, query+` LIMIT ?`, append(args, turnAtOnce)...); err != nil || len(ids) == 0 {
		return 0, wrap("list deliveries", err)
	}
	if err := q.lockDeliveries(ctx, ids); err != nil {
		return 0, err
	}
	// What is held has ended already, and is kept no longer for being cancelled.
	_, err := q.many(ctx, `UPDATE deliveries SET ended_at = CASE WHEN state = 'held' THEN ended_at ELSE ? END, state = ?, next_try = NULL
		WHERE id IN (?) AND state IN ('pending', 'parked', 'held')`, at(q.now()), string(as), ids)
	return len(ids), wrap("end deliveries", err)
}

// release has up to limit of what is held tried anew, the oldest first and so in the order of its lanes.
func (q *session) release(ctx context.Context, subscription string, limit int) (int, error) {
	var batch []again
	if err := q.all(ctx, &batch, `SELECT id, ticket_id, part, at, seq FROM deliveries WHERE subscription_id = ? AND state = 'held' ORDER BY at, seq, id LIMIT ?`,
		subscription, limit); err != nil || len(batch) == 0 {
		return 0, wrap("list what is held", err)
	}
	ids := make([]string, len(batch))
	for i, d := range batch {
		ids[i] = d.ID
		q.wake(d.Part)
	}
	if err := q.lockDeliveries(ctx, ids); err != nil {
		return 0, err
	}
	_, err := q.many(ctx, `UPDATE deliveries SET tries = 0, first_try = NULL, next_try = ?, ended_at = NULL, state = CASE
		WHEN EXISTS (SELECT 1 FROM lanes l WHERE l.subscription_id = deliveries.subscription_id AND l.ticket_id = deliveries.ticket_id) THEN 'parked'
		ELSE 'pending' END WHERE id IN (?) AND state = 'held'`, at(q.now()), ids)
	return len(batch), wrap("release deliveries", err)
}

// turns lists the rests that are left, as redeliveries.
func (q *session) turns(ctx context.Context, limit int) (ids []string, err error) {
	err = q.all(ctx, &ids, `SELECT id FROM subscriptions WHERE turning <> '' ORDER BY id LIMIT ?`, limit)
	for i := range ids {
		ids[i] = turnPrefix + ids[i]
	}
	return ids, wrap("list what is left to turn", err)
}

// turnMore goes on with a rest, and tells of it as of a redelivery: Done is what was turned, of what had been left before.
func (s *Store) turnMore(ctx context.Context, id string, atOnce int) (notice.Redelivery, error) {
	out := notice.Redelivery{ID: id, Subscription: strings.TrimPrefix(id, turnPrefix), State: notice.Stopped}
	for range turnPieces {
		var n int
		err := s.write(ctx, func(ctx context.Context, q *session) (err error) {
			n, err = q.turnSome(ctx, out.Subscription, atOnce)
			return err
		})
		if err != nil {
			return out, err
		}
		out.Done += n
		if n == 0 {
			break
		}
	}
	err := s.read(ctx, func(q *session) error {
		var turning string
		found, err := q.find(ctx, &turning, `SELECT turning FROM subscriptions WHERE id = ?`, out.Subscription)
		if err != nil || !found {
			return wrap("look for a subscription", err)
		}
		left := `SELECT COUNT(*) FROM deliveries WHERE subscription_id = ? AND state = 'held'`
		switch turning {
		case "":
			out.Total, out.State = out.Done, notice.Redelivered
			return nil
		case ending:
			left = `SELECT COUNT(*) FROM deliveries WHERE subscription_id = ? AND state IN ('pending', 'parked')`
		}
		out.State = notice.Redelivering
		if err := q.get(ctx, &out.Total, left, out.Subscription); err != nil {
			return wrap("count what is left", err)
		}
		out.Total += out.Done
		return nil
	})
	return out, err
}
