package outbox

import (
	"context"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

var (
	errUntried      = ticket.Refuse(ticket.Conflict, "its first try is made as soon as there is room for it")
	errGathering    = ticket.Refuse(ticket.Conflict, "it waits for the digest that it is a part of")
	errOverAlready  = ticket.Refuse(ticket.Conflict, "the delivery is over; it can be redelivered")
	errEndedAlready = ticket.Refuse(ticket.Conflict, "the delivery is over; there is nothing to cancel")
)

// TryNow has a delivery that waits for its next try tried at once, as its round's next try, and gives its lane, whose workflow does not know of it yet.
// NotFound: the owner has no such subscription, or that no such delivery; Conflict: nothing is sent to the subscription now, the delivery is over or its
// first try is still to come, or it waits behind another.
func (o *Outbox) TryNow(ctx context.Context, of notice.Owner, subscription, delivery string) (lane notice.Lane, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		own := ownerOf(of)
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
		sub, err := o.find(ctx, q, own, subscription, db.Shared)
		switch {
		case err != nil:
			return err
		case own.ticket != 0 && sub.State != notice.Active:
			return errDropped
		}
		if err := notActive(sub.State); err != nil {
			return err
		}
		if err := q.LockDeliveries(ctx, []string{delivery}); err != nil {
			return err
		}
		if row, err = o.findDelivery(ctx, q, subscription, delivery); err != nil {
			return err
		}
		switch state := notice.DeliveryState(row.State); {
		case state == notice.Pending:
			return errUntried
		case state == notice.Gathering:
			return errGathering
		case state.Over():
			return errOverAlready
		}
		lane = row.lane()
		next, found, err := o.nextOf(ctx, q, lane)
		switch {
		case err != nil:
			return err
		case !found || next.Delivery.ID != delivery:
			return ticket.Refuse(ticket.Conflict, "it waits behind another delivery, "+next.Delivery.ID)
		}
		if next.Delivery.FirstTry == nil { // it is due, and only has to be looked at
			return nil
		}
		_, err = q.Exec(ctx, `UPDATE deliveries SET next_try = ? WHERE id = ? AND state = 'parked'`, db.At(q.Now()), delivery)
		return db.Wrap("plan the next try", err)
	})
	return lane, err
}

// Cancel has a delivery that waits, or is held, not tried any more, so that what is behind it goes on. The ticket's timeline and the stream are told,
// with by, who asked for it. A try that is under way stays what it is, and is listed. waits tells that its lane is retrying, and that its workflow does not know
// of it yet. NotFound as with TryNow; Conflict: it is over.
func (o *Outbox) Cancel(ctx context.Context, of notice.Owner, subscription, delivery, by string) (lane notice.Lane, waits bool, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		sub, err := o.find(ctx, q, ownerOf(of), subscription, db.Unlocked)
		if err != nil {
			return err
		}
		row, err := o.findDelivery(ctx, q, subscription, delivery)
		if err != nil {
			return err
		}
		lane = row.lane()
		w := notice.Work{Delivery: row.delivery(), Subscription: sub}
		outcomes := told(w, w.Cancelled(by, q.Now()))
		if err := o.lockAddresses(ctx, q, outcomes); err != nil {
			return err
		}
		if err := q.LockDeliveries(ctx, []string{delivery}); err != nil {
			return err
		}
		if row, err = o.findDelivery(ctx, q, subscription, delivery); err != nil {
			return err
		}
		state := notice.DeliveryState(row.State)
		if state.Over() && state != notice.Held {
			return errEndedAlready
		}
		waits = state == notice.Retrying
		if _, err := q.Exec(ctx, `UPDATE deliveries SET state = 'cancelled', ended_at = ?, next_try = NULL WHERE id = ?`, db.At(q.Now()), delivery); err != nil {
			return db.Wrap("cancel a delivery", err)
		}
		return o.writeAlerts(ctx, q, outcomes)
	})
	return lane, waits, err
}
