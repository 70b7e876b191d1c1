package outbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Register gives the active subscription of the address of want on the ticket, however it was spelled, or makes one with a secret of its own. Its time-out, headers
// and TLS are those of want, where that has any; those of one that is there stay otherwise. What is held
// for the address from when it was dropped stays with the subscription that was dropped, until somebody has it delivered again. TooMany: the ticket has as
// many as it may have.
func (o *Outbox) Register(ctx context.Context, t ticket.Ticket, want notice.Subscription) (sub notice.Subscription, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// Locked until the end, so that one address is not registered twice at the same moment.
		locked, known, err := q.LockTicket(ctx, t.ID)
		switch {
		case err != nil:
			return err
		case !known:
			return ticket.Refuse(ticket.NotFound, "there is no such ticket")
		}
		stored := locked.Ticket
		want.Format, want.Profile = notice.FormatIssue, notice.Minutely
		there, err := o.atAddress(ctx, q, stored, want, notice.Active)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return o.reachAnew(ctx, q, there[0], want, &sub)
		}
		if sub, err = o.SubscribeTicket(ctx, q, stored, want); err != nil {
			return err
		}
		// One that was dropped under that address keeps what is held for it, and gets no deliveries from now on.
		dropped, err := o.atAddress(ctx, q, stored, want, notice.Dropped)
		if err != nil {
			return err
		}
		for _, old := range dropped {
			if _, err := q.Exec(ctx, `UPDATE subscriptions SET successor = ? WHERE id = ? AND successor = ''`, sub.ID, old.ID); err != nil {
				return db.Wrap("succeed a subscription", err)
			}
		}
		return o.roomForTicket(ctx, q, stored)
	})
	return sub, err
}

// reachAnew gives one that is there the time-out, headers and TLS of want, where that has any. The ticket's row is held.
func (o *Outbox) reachAnew(ctx context.Context, q *db.Tx, there, want notice.Subscription, sub *notice.Subscription) error {
	*sub = there
	if want.Timeout == 0 && want.Headers == nil && want.TLS == nil {
		return nil
	}
	if _, err := o.find(ctx, q, ofTicket(there.TicketID), there.ID, db.Exclusive); err != nil {
		return err
	}
	if want.Timeout > 0 {
		sub.Timeout = want.Timeout
		if _, err := q.Exec(ctx, `UPDATE subscriptions SET timeout = ? WHERE id = ?`, int(want.Timeout/time.Second), there.ID); err != nil {
			return db.Wrap("change the time-out of a subscription", err)
		}
	}
	want.ID = there.ID
	return o.changeReach(ctx, q, want)
}

// SubscribeTicket gives the ticket's active subscription of that address and format, or adds one with a secret of its own; without secret and
// headers either way. The ticket's row is held.
func (o *Outbox) SubscribeTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, want notice.Subscription) (notice.Subscription, error) {
	list, err := o.atAddress(ctx, q, t, want, notice.Active)
	if err != nil {
		return notice.Subscription{}, err
	}
	if len(list) > 0 {
		return list[0], nil
	}
	want.Tenant, want.TicketID = t.Tenant, t.ID
	sub, err := o.add(ctx, q, want)
	sub.Secret, sub.Headers, sub.TLS = "", nil, nil
	return sub, err
}

// roomForTicket refuses a subscription that was just added beyond notice.MaxNotifications. It counts those that what happens to the ticket is kept for; one that
// was registered again counts once.
func (o *Outbox) roomForTicket(ctx context.Context, q *db.Tx, t ticket.Ticket) error {
	var n int
	if err := q.Get(ctx, &n, `SELECT COUNT(*) FROM subscriptions WHERE tenant = ? AND ticket_id = ? AND `+db.Owed, t.Tenant, t.ID); err != nil {
		return db.Wrap("count subscriptions", err)
	}
	if n > notice.MaxNotifications {
		return ticket.Refuse(ticket.TooMany, fmt.Sprintf("a ticket has at most %d notifications, and this one has %d; delete those that are not needed", notice.MaxNotifications, n-1))
	}
	return nil
}

// Registered lists the subscriptions of a ticket that are active or dropped, and the ways of people who were told of it, oldest first, with counts of their deliveries by state. cursor is empty or next of
// the page before; anything else is Invalid, field "cursor". limit is 1 to ticket.MaxPage; 0 is ticket.DefaultPage.
func (o *Outbox) Registered(ctx context.Context, ticketID int64, cursor string, limit int) (list []notice.Registration, next string, err error) {
	own := ofTicket(ticketID)
	// Each by its own index, as far as a page goes.
	var queries []string
	var args []any
	for _, of := range []struct {
		where string
		args  []any
	}{{own.where, own.args}, {`id IN (SELECT d.subscription_id FROM deliveries d WHERE d.letter AND d.ticket_id = ?) AND state <> 'deleted'`, []any{ticketID}}} {
		var w db.Where
		w.And(of.where, of.args...)
		if err := w.AfterAscending(cursor, `created_at, id`, func(c db.Cursor) []any { return []any{db.At(c.At), c.ID} }); err != nil {
			return nil, "", err
		}
		queries = append(queries, `SELECT * FROM (SELECT `+subscriptionColumns+` FROM subscriptions WHERE `+w.String()+` ORDER BY created_at, id LIMIT ?) s`)
		args = append(args, w.Args(db.PageSize(limit)+1)...)
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var rows []subscriptionRow
		rows, next, err = db.ReadPage(ctx, q, limit, strings.Join(queries, ` UNION ALL `)+` ORDER BY created_at, id LIMIT ?`, args,
			func(r subscriptionRow) db.Cursor { return db.Cursor{At: r.CreatedAt.Time, N: 1, ID: r.ID} })
		if err != nil {
			return db.Wrap("list subscriptions", err)
		}
		subs, err := db.Convert(rows, subscriptionRow.subscription)
		if err == nil {
			list, err = o.withCounts(ctx, q, own, subs)
		}
		return err
	})
	return list, next, err
}
