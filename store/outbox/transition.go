package outbox

import (
	"context"
	"strings"

	"signalbox/notice"
	"signalbox/store/db"
)

// The deliveries of a subscription follow its state; that they do is its transition. When it is paused or dropped, those that are pending or retrying
// become held; when it is resumed, those that are held become pending; when it is deleted, all of these become cancelled. Up to 2 * transitionBatch of
// them change in the transaction that changes the state. The rest, as there is after weeks, follows a batch at a time, since whoever publishes to the
// subscription waits for its row meanwhile; the column turning says what is left to do. Nobody can see the difference: nothing of a subscription
// that is ending is sent, and while it is releasing, what is new is held behind what is older.
const (
	ending    = "ending"    // pending and retrying deliveries are still to be held or cancelled
	releasing = "releasing" // held deliveries are still to be tried
)

// transitionBatch is how many deliveries change in one batch.
const transitionBatch = 500

// transitionBatches is how many batches, each a transaction, one call for the rest makes at most.
const transitionBatches = 4

// transitionPrefix begins the IDs of unfinished transitions among those of redeliveries; the subscription's ID follows.
const transitionPrefix = "turn:"

// beginTransition begins the transition to the state that a subscription has now. Its row is locked.
func (o *Outbox) beginTransition(ctx context.Context, q *db.Tx, id string) error {
	_, err := q.Exec(ctx, `UPDATE subscriptions SET turning = CASE WHEN state = 'active' AND turning <> 'ending' THEN 'releasing' ELSE 'ending' END WHERE id = ?`, id)
	if err != nil {
		return db.Wrap("move a transition on", err)
	}
	_, err = o.advanceTransition(ctx, q, id, 2*transitionBatch)
	return err
}

// advanceTransition does a batch of what is left of a subscription's transition, and says of how many deliveries; 0: nothing is left, or there is no capacity
// now. Held deliveries are released as long as fewer than atOnce of the subscription wait for their first try or are in lanes that fail. It locks the row
// of the subscription, so nothing is inserted into its lanes meanwhile, and none begins or ends retrying.
func (o *Outbox) advanceTransition(ctx context.Context, q *db.Tx, id string, atOnce int) (n int, err error) {
	var row struct {
		State, Turning, Sifting, Filter string
		Timeout                         int
	}
	found, err := q.FindSubscription(ctx, &row, db.Exclusive, `state, turning, sifting, filter, timeout`, `id = ?`, id)
	switch {
	case err != nil, !found:
		return 0, err
	case row.Sifting != "" && row.State != string(notice.Deleted):
		return o.sift(ctx, q, id, row.Sifting, row.Filter)
	case row.Turning == "":
		return 0, nil
	}
	next := ""
	if row.Turning == ending {
		as := notice.Held
		if row.State == string(notice.Deleted) {
			as = notice.Cancelled
		}
		if n, err = o.stopDeliveries(ctx, q, id, as); err != nil || n == transitionBatch {
			return n, err
		}
		if row.State == string(notice.Active) {
			next = releasing // resumed before it had ended
		}
	} else {
		if busy, err := o.endStaleLanes(ctx, q, subscriptionRow{ID: id, Timeout: row.Timeout}); err != nil || busy {
			return 0, err
		}
		free, err := o.capacity(ctx, q, id, atOnce)
		if err != nil {
			return 0, err
		}
		limit := min(free, transitionBatch)
		if limit <= 0 {
			return 0, nil
		}
		if n, err = o.releaseHeld(ctx, q, id, limit); err != nil || n == limit {
			return n, err
		}
	}
	_, err = q.Exec(ctx, `UPDATE subscriptions SET turning = ? WHERE id = ?`, next, id)
	return n, db.Wrap("move a transition on", err)
}

// capacity is how many deliveries of a subscription may be put back, so that neither more than atOnce wait for their first try nor more lanes fail.
// What waits behind a failed one takes none: a single lane that does not recover must not keep the others.
func (o *Outbox) capacity(ctx context.Context, q *db.Tx, subscription string, atOnce int) (int, error) {
	var taken int
	err := q.Get(ctx, &taken, `SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE subscription_id = ? AND state = 'parked' AND state IN ('pending', 'parked') AND alone LIMIT ?) a) +
		(SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE subscription_id = ? AND state = 'pending' AND state IN ('pending', 'parked') LIMIT ?) w) +
		(SELECT COUNT(*) FROM (SELECT 1 FROM lanes WHERE subscription_id = ? LIMIT ?) l)`, subscription, atOnce, subscription, atOnce, subscription, atOnce)
	return atOnce - taken, db.Wrap("count what waits", err)
}

// endStaleLanes ends the retrying of those lanes of a subscription in which nothing is tried any more: should it be resumed, they begin anew. It reports
// busy, and changes nothing, while a try that a lane's workflow had begun when they were held may still be under way: what is released is tried at
// once, and would be tried twice at the same time.
func (o *Outbox) endStaleLanes(ctx context.Context, q *db.Tx, subscription subscriptionRow) (busy bool, err error) {
	const stale = `l.subscription_id = ? AND NOT EXISTS (SELECT 1 FROM deliveries w WHERE w.subscription_id = l.subscription_id AND w.ticket_id = l.ticket_id
		AND w.state IN ('pending', 'parked') AND NOT w.alone)`
	var one int
	since := db.At(q.Now().Add(-notice.Subscription{Timeout: subscription.timeout()}.TryLimit()))
	// One that is alone and has never been tried is under way in no lane.
	busy, err = q.Find(ctx, &one, `SELECT 1 FROM deliveries WHERE subscription_id = ? AND state = 'held' AND alone AND first_try IS NOT NULL AND ended_at > ? LIMIT 1`, subscription.ID, since)
	if err != nil || busy {
		return busy, db.Wrap("look for tries under way", err)
	}
	// What came later was held from the beginning, and never tried.
	busy, err = q.Find(ctx, &one, `SELECT 1 FROM lanes l JOIN deliveries d ON d.subscription_id = l.subscription_id AND d.ticket_id = l.ticket_id
		WHERE `+stale+` AND d.state = 'held' AND d.created_at < d.ended_at AND d.ended_at > ? LIMIT 1`, subscription.ID, since)
	if err != nil || busy {
		return busy, db.Wrap("look for tries under way", err)
	}
	_, err = q.Exec(ctx, `DELETE FROM lanes WHERE (ticket_id, subscription_id) IN (SELECT l.ticket_id, l.subscription_id FROM lanes l WHERE `+stale+`)`, subscription.ID)
	return false, db.Wrap("end the retrying of lanes", err)
}

// stopDeliveries makes up to transitionBatch deliveries that are pending or retrying held or cancelled, where cancelled those that are held too, and says
// how many. The lanes of what is held are remembered until their workflows have seen that there is nothing left, or until endStaleLanes.
func (o *Outbox) stopDeliveries(ctx context.Context, q *db.Tx, subscription string, as notice.DeliveryState) (int, error) {
	if as == notice.Cancelled {
		if _, err := q.Exec(ctx, `DELETE FROM lanes WHERE subscription_id = ?`, subscription); err != nil {
			return 0, db.Wrap("end the retrying of lanes", err)
		}
	}
	var ids []string
	query, args := `SELECT id FROM deliveries WHERE subscription_id = ? AND state IN ('pending', 'parked')`, []any{subscription}
	if as == notice.Cancelled {
		query, args = query+` UNION ALL SELECT id FROM deliveries WHERE subscription_id = ? AND state = 'held'`, append(args, subscription)
	}
	if err := q.All(ctx, &ids, query+` LIMIT ?`, append(args, transitionBatch)...); err != nil || len(ids) == 0 {
		return 0, db.Wrap("list deliveries", err)
	}
	if err := q.LockDeliveries(ctx, ids); err != nil {
		return 0, err
	}
	// What is held has ended already, and is kept no longer for being cancelled.
	_, err := q.ExecIn(ctx, `UPDATE deliveries SET ended_at = CASE WHEN state = 'held' THEN ended_at ELSE ? END, state = ?, next_try = NULL
		WHERE id IN (?) AND state IN ('pending', 'parked', 'held')`, db.At(q.Now()), string(as), ids)
	return len(ids), db.Wrap("end deliveries", err)
}

// releaseHeld has up to limit of what is held tried anew, the oldest first and so in the order of its lanes.
func (o *Outbox) releaseHeld(ctx context.Context, q *db.Tx, subscription string, limit int) (int, error) {
	var batch []deliveryRow
	if err := q.All(ctx, &batch, `SELECT id, ticket_id, part FROM deliveries WHERE subscription_id = ? AND state = 'held' ORDER BY at, seq, id LIMIT ?`,
		subscription, limit); err != nil {
		return 0, db.Wrap("list what is held", err)
	}
	_, err := o.startRounds(ctx, q, subscription, batch, notice.Held)
	return len(batch), err
}

// transitions lists the transitions that are not finished, by their IDs as redeliveries.
func (o *Outbox) transitions(ctx context.Context, q *db.Tx, limit int) (ids []string, err error) {
	err = q.All(ctx, &ids, `SELECT id FROM subscriptions WHERE turning <> '' UNION SELECT id FROM subscriptions WHERE sifting <> '' ORDER BY id LIMIT ?`, limit)
	for i := range ids {
		ids[i] = transitionPrefix + ids[i]
	}
	return ids, db.Wrap("list transitions", err)
}

// advanceTransitions goes on with an unfinished transition, and reports it as a redelivery: Done is how many deliveries changed in this call, Total how many
// were left before it.
func (o *Outbox) advanceTransitions(ctx context.Context, id string, atOnce int) (notice.Redelivery, error) {
	out := notice.Redelivery{ID: id, Subscription: strings.TrimPrefix(id, transitionPrefix), State: notice.Stopped}
	for range transitionBatches {
		var n int
		err := o.db.Write(ctx, func(ctx context.Context, q *db.Tx) (err error) {
			n, err = o.advanceTransition(ctx, q, out.Subscription, atOnce)
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
	err := o.db.Read(ctx, func(q *db.Tx) error {
		var turning string
		found, err := q.Find(ctx, &turning, `SELECT CASE WHEN sifting <> '' THEN 'sifting' ELSE turning END FROM subscriptions WHERE id = ?`, out.Subscription)
		if err != nil || !found {
			return db.Wrap("look for a subscription", err)
		}
		left := `SELECT COUNT(*) FROM deliveries WHERE subscription_id = ? AND state = 'held'`
		switch turning {
		case "":
			out.Total, out.State = out.Done, notice.Redelivered
			return nil
		case "sifting":
			left = `SELECT COUNT(*) FROM deliveries WHERE subscription_id = ? AND state IN ('pending', 'parked', 'held')`
		case ending:
			left = `SELECT COUNT(*) FROM deliveries WHERE subscription_id = ? AND state IN ('pending', 'parked')`
		}
		out.State = notice.Redelivering
		if err := q.Get(ctx, &out.Total, left, out.Subscription); err != nil {
			return db.Wrap("count what is left", err)
		}
		out.Total += out.Done
		return nil
	})
	return out, err
}
