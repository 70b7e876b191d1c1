package outbox

import (
	"context"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Register gives the active subscription of that address on the ticket, however it was spelled, or makes one with a secret of its own. What is held
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
		dropped, err := o.atAddress(ctx, q, ofTicket(t.ID), sub.URL, sub.Format, notice.Dropped)
		if err != nil {
			return err
		}
		for _, old := range dropped {
			if _, err := q.Exec(ctx, `UPDATE subscriptions SET successor = ? WHERE id = ? AND successor = ''`, sub.ID, old.ID); err != nil {
				return db.Wrap("succeed a subscription", err)
			}
		}
		return nil
	})
	return sub, err
}

// SubscribeTicket gives the ticket's active subscription of that address and format, or adds one with a secret of its own; without secret and
// headers either way. The ticket's row is held.
func (o *Outbox) SubscribeTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, want notice.Subscription) (notice.Subscription, error) {
	list, err := o.atAddress(ctx, q, ofTicket(t.ID), notice.AddressOf(want.URL).URL, want.Format, notice.Active)
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
