package outbox

import (
	"context"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Register gives the active subscription of that address on the ticket, or makes one with a secret of its own. What is held
// for the address from when it was dropped stays with the subscription that was dropped, until somebody has it delivered again.
func (o *Outbox) Register(ctx context.Context, t ticket.Ticket, url string) (sub notice.Subscription, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// Locked until the end, so that one address is not registered twice at the same moment.
		stored, _, known, err := q.LockTicket(ctx, t.ID)
		switch {
		case err != nil:
			return err
		case !known:
			return ticket.Refuse(ticket.NotFound, "there is no such ticket")
		}
		sub, err = o.SubscribeTicket(ctx, q, stored, notice.Subscription{URL: url, Format: notice.FormatIssue, Profile: notice.Minutely})
		if err != nil {
			return err
		}
		// One that was dropped under that address keeps what is held for it, and gets no deliveries from now on.
		_, err = q.Exec(ctx, `UPDATE subscriptions SET successor = ? WHERE ticket_id = ? AND url = ? AND format = ? AND state = 'dropped' AND successor = ''`,
			sub.ID, t.ID, sub.URL, string(sub.Format))
		return db.Wrap("succeed a subscription", err)
	})
	return sub, err
}

// SubscribeTicket gives the ticket's active subscription of that address and format, or adds one with a secret of its own; without secret and
// headers either way. The ticket's row is held.
func (o *Outbox) SubscribeTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, want notice.Subscription) (notice.Subscription, error) {
	list, err := o.list(ctx, q, ofTicket(t.ID), ` AND url = ? AND format = ? AND state = 'active' ORDER BY created_at, id LIMIT 1`, want.URL, string(want.Format))
	if err != nil {
		return notice.Subscription{}, err
	}
	if len(list) > 0 {
		return list[0], nil
	}
	want.Tenant, want.TicketID = t.Tenant, t.ID
	sub, err := o.add(ctx, q, want)
	sub.Secret, sub.Headers = "", nil
	return sub, err
}

// Registered lists the subscriptions of a ticket that are active or dropped, oldest first, with counts of their deliveries by state.
func (o *Outbox) Registered(ctx context.Context, ticketID int64) (list []notice.Registration, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		own := ofTicket(ticketID)
		subs, err := o.list(ctx, q, own, ` ORDER BY created_at, id`)
		if err == nil {
			list, err = o.withCounts(ctx, q, own, subs)
		}
		return err
	})
	return list, err
}
