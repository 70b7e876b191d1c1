package outbox

import (
	"context"
	"slices"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

var (
	errNoDelivery  = ticket.Refuse(ticket.NotFound, "it has no such delivery")
	errSentAlready = ticket.Refuse(ticket.Conflict, "the address was told of the same under its new registration")
	errNotTold     = ticket.Refuse(ticket.Conflict, "the address was dropped; the directory has to be given another")
	errNotOver     = ticket.Refuse(ticket.Conflict, "the delivery is still being tried")
)

// Redeliver starts a new round of tries of a delivery, under the same ID. What a ticket's address that was dropped has not been sent goes to what
// it was registered as again; a callback is made active again, see target. NotFound: the owner has no such subscription, or that no such delivery;
// Conflict: it is still being tried, nothing is sent to the subscription now, or the address was told of the same under its new registration.
func (o *Outbox) Redeliver(ctx context.Context, of notice.Owner, subscription, delivery string) error {
	own := ownerOf(of)
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, err := o.find(ctx, q, own, subscription, db.Unlocked); err != nil {
			return err
		}
		row, err := o.findDelivery(ctx, q, subscription, delivery)
		if err != nil {
			return err
		}
		if err := q.LockLaneOwner(ctx, row.TicketID); err != nil {
			return err
		}
		target, err := o.target(ctx, q, own, subscription, false)
		if err != nil {
			return err
		}
		// Until the lane was held another may have begun a round of it.
		if row, err = o.findDelivery(ctx, q, subscription, delivery); err != nil {
			return err
		}
		if !notice.DeliveryState(row.State).Over() {
			return errNotOver
		}
		n, err := o.startRounds(ctx, q, target, []deliveryRow{row}, notice.DeliveryState(row.State))
		if err == nil && n == 0 {
			return errSentAlready
		}
		return err
	})
}

// target gives the ID of the subscription that a subscription's deliveries can be sent to now, and holds it. That is itself while it is active. For a
// ticket's that was dropped it is what the same address was registered as again, in the same format; Conflict: it was not. Of a tenant's that
// is not active: Conflict.
//
// A ticket's callback that was dropped is made active again, unless it is a dry run. Seed 000 has notifications wait until they are registered
// again, and that is how their owner says that the address is back; a callback is part of its ticket's opening, and its owner says so by asking for
// what it was not sent. A ticket's row is held, and its subscriptions with it.
func (o *Outbox) target(ctx context.Context, q *db.Tx, own owner, id string, dry bool) (string, error) {
	how := db.Shared
	if own.ticket != 0 {
		how = db.Unlocked
	}
	sub, err := o.find(ctx, q, own, id, how)
	switch {
	case err != nil:
		return "", err
	case own.ticket != 0 && sub.Format.Letter(): // no ticket's row protects it
		if sub, err = o.find(ctx, q, own, id, db.Shared); err != nil || sub.State == notice.Active {
			return id, err
		}
		return "", errNotTold
	case sub.State == notice.Active, dry && sub.Format == notice.FormatITSM:
		return id, nil
	case own.ticket == 0:
		return "", notActive(sub.State)
	case sub.Format == notice.FormatITSM:
		_, err := q.Exec(ctx, `UPDATE subscriptions SET state = 'active', reason = '', ended_at = NULL, failing_since = NULL WHERE id = ? AND state = 'dropped'`, id)
		return id, db.Wrap("make a callback active again", err)
	}
	list, err := o.atAddress(ctx, q, ticket.Ticket{Identity: ticket.Identity{ID: own.ticket, Tenant: sub.Tenant}}, sub, notice.Active)
	switch {
	case err != nil:
		return "", err
	case len(list) == 0:
		return "", errDropped
	}
	return list[0].ID, nil
}

// startRounds starts a new round of tries of deliveries that are over, and says of how many: each keeps its ID, becomes part of the trace of who asks for it if that is in one, goes to target, and waits for its
// first try, or in a retrying lane until that comes to it. Left out is what is in none of the states from any more, and an event that the target was
// sent itself, having been registered before the other was dropped. Held are the rows that the lanes belong to, or exclusively the target's, so that
// no lane begins or ends retrying meanwhile.
func (o *Outbox) startRounds(ctx context.Context, q *db.Tx, target string, batch []deliveryRow, from ...notice.DeliveryState) (int, error) {
	if len(batch) == 0 {
		return 0, nil
	}
	ids := make([]string, len(batch))
	for i, d := range batch {
		ids[i] = d.ID
		q.NotifyPending(d.Part)
	}
	if err := q.LockDeliveries(ctx, ids); err != nil {
		return 0, err
	}
	counted, err := countedOf(ctx, q, ids)
	if err != nil {
		return 0, err
	}
	n, err := q.ExecIn(ctx, `UPDATE deliveries SET subscription_id = ?, trace = COALESCE(?, trace), tries = 0, first_try = NULL, next_try = ?, ended_at = NULL, reason = '', counted = '', state = CASE
		WHEN NOT alone AND EXISTS (SELECT 1 FROM lanes l WHERE l.subscription_id = ? AND l.ticket_id = deliveries.ticket_id) THEN 'parked' ELSE 'pending' END
		WHERE id IN (?) AND state IN (?) AND (subscription_id = ? OR NOT EXISTS (
		SELECT 1 FROM deliveries o WHERE o.subscription_id = ? AND o.ticket_id = deliveries.ticket_id AND o.seq = deliveries.seq))`,
		target, traceOf(ctx), db.At(q.Now()), target, ids, texts(from), target, target)
	if err != nil {
		return 0, db.Wrap("start new rounds", err)
	}
	return int(n), o.uncountBegun(ctx, q, counted)
}

// uncountBegun takes those out of the counts that were in them, and have begun anew.
func (o *Outbox) uncountBegun(ctx context.Context, q *db.Tx, counted []countedRow) error {
	if len(counted) == 0 {
		return nil
	}
	ids := make([]string, len(counted))
	for i, r := range counted {
		ids[i] = r.ID
	}
	still, err := countedOf(ctx, q, ids)
	if err != nil {
		return err
	}
	return o.uncount(ctx, q, slices.DeleteFunc(counted, func(r countedRow) bool {
		return slices.ContainsFunc(still, func(s countedRow) bool { return s.ID == r.ID })
	}))
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}
