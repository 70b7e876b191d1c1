package outbox

import (
	"context"
	"encoding/json"
	"slices"

	"signalbox/notice"
	"signalbox/store/db"
)

// A subscription that is given another filter is not sent what waits and the filter does not choose: it is cancelled, as when somebody skips it, and what was behind it
// goes on. Up to 2 * transitionBatch deliveries are looked at in the transaction that changes the filter, the rest a batch at a time like the rest of a transition;
// until all have been, nothing is sent. The column sifting has the last that was.

// siftingStart comes before every delivery's ID.
const siftingStart = "-"

// notAsked is the reason of what is cancelled so.
const notAsked = "the subscription asks for it no longer"

// beginSifting holds what waits for a subscription against its filter. Its row is locked.
func (o *Outbox) beginSifting(ctx context.Context, q *db.Tx, id string) error {
	if _, err := q.Exec(ctx, `UPDATE subscriptions SET sifting = ? WHERE id = ?`, siftingStart, id); err != nil {
		return db.Wrap("hold what waits against the filter", err)
	}
	for range 2 {
		if n, err := o.advanceTransition(ctx, q, id, 0); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// sift looks at the next batch of what waits for a subscription, whose row is locked, and says how many that were; 0: nothing is left.
func (o *Outbox) sift(ctx context.Context, q *db.Tx, id, after, filter string) (int, error) {
	var f notice.Filter
	if err := json.Unmarshal([]byte(filter), &f); err != nil {
		return 0, db.Wrap("read a filter", err)
	}
	var batch []deliveryRow
	const one = `SELECT id, ticket_id, body, alone, state FROM deliveries WHERE subscription_id = ? AND id > ? AND `
	err := q.All(ctx, &batch, one+`state IN ('pending', 'parked') UNION ALL `+one+`state = 'held' ORDER BY id LIMIT ?`, id, after, id, after, transitionBatch)
	if err != nil {
		return 0, db.Wrap("list what waits", err)
	}
	after = ""
	if len(batch) == transitionBatch {
		after = batch[len(batch)-1].ID
	}
	var out []string
	var lanes []int64
	for _, d := range batch {
		// What cannot be read is sent as before.
		p, err := notice.ReadPublished([]byte(d.Body))
		if err != nil || p.IsTest() || f.Matches(p) {
			continue
		}
		out = append(out, d.ID)
		if d.State == string(notice.Retrying) && !d.Alone {
			lanes = append(lanes, d.TicketID)
		}
	}
	if len(out) > 0 {
		if err := q.LockDeliveries(ctx, out); err != nil {
			return 0, err
		}
		// What was held has ended already, and is kept no longer for being cancelled.
		_, err := q.ExecIn(ctx, `UPDATE deliveries SET ended_at = CASE WHEN state = 'held' THEN ended_at ELSE ? END, state = 'cancelled', reason = ?, next_try = NULL
			WHERE id IN (?) AND state IN ('pending', 'parked', 'held')`, db.At(q.Now()), notAsked, out)
		if err != nil {
			return 0, db.Wrap("cancel what is not asked for", err)
		}
	}
	for ticket := range slices.Values(db.Distinct(lanes)) {
		if err := o.resumeLane(ctx, q, id, ticket); err != nil {
			return 0, err
		}
	}
	_, err = q.Exec(ctx, `UPDATE subscriptions SET sifting = ? WHERE id = ?`, after, id)
	return len(batch), db.Wrap("hold what waits against the filter", err)
}

// resumeLane ends the retrying of a lane whose next delivery was cancelled: what is behind it would wait until that was to be tried again. One that was itself tried
// or put off goes on as it was. The row of the subscription is locked, so nothing is inserted into the lane meanwhile, and it does not begin or end retrying.
func (o *Outbox) resumeLane(ctx context.Context, q *db.Tx, subscription string, ticket int64) error {
	var tried int
	found, err := q.Find(ctx, &tried, `SELECT 1 FROM deliveries WHERE subscription_id = ? AND ticket_id = ? AND state = 'parked' AND state IN ('pending', 'parked') AND NOT alone
		AND first_try IS NOT NULL LIMIT 1`, subscription, ticket)
	if err != nil || found {
		return db.Wrap("look into the lane", err)
	}
	var behind []deliveryRow
	err = q.All(ctx, &behind, `SELECT id, part FROM deliveries WHERE subscription_id = ? AND ticket_id = ? AND state = 'parked' AND state IN ('pending', 'parked') AND NOT alone`, subscription, ticket)
	if err != nil {
		return db.Wrap("look into the lane", err)
	}
	if len(behind) > 0 {
		ids := make([]string, len(behind))
		for i, d := range behind {
			ids[i] = d.ID
		}
		if err := q.LockDeliveries(ctx, ids); err != nil {
			return err
		}
		if _, err := q.ExecIn(ctx, `UPDATE deliveries SET state = 'pending' WHERE id IN (?) AND state = 'parked'`, ids); err != nil {
			return db.Wrap("end the lane's retrying", err)
		}
		q.NotifyPending(behind[0].Part)
	}
	_, err = q.Exec(ctx, `DELETE FROM lanes WHERE ticket_id = ? AND subscription_id = ?`, ticket, subscription)
	return db.Wrap("end the lane's retrying", err)
}
