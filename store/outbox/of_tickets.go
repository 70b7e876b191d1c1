package outbox

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

type subscriptionRow struct {
	vault.Signing
	ID           string        `db:"id"`
	Tenant       string        `db:"tenant"`
	TicketID     int64         `db:"ticket_id"`
	URL          string        `db:"url"`
	Format       string        `db:"format"`
	Profile      string        `db:"profile"`
	Headers      string        `db:"headers"`
	Filter       string        `db:"filter"`
	State        string        `db:"state"`
	Reason       string        `db:"reason"`
	CreatedAt    db.Timestamp  `db:"created_at"`
	EndedAt      *db.Timestamp `db:"ended_at"`
	FailingSince *db.Timestamp `db:"failing_since"`
}

// subscriptionColumns are all but the secrets, the headers, which may hold one, and the filter, which only lasting ones have.
const subscriptionColumns = `id, tenant, ticket_id, url, format, profile, state, reason, created_at, ended_at, failing_since`

func (r subscriptionRow) subscription() notice.Subscription {
	return notice.Subscription{
		ID: r.ID, Tenant: r.Tenant, TicketID: r.TicketID, URL: r.URL, Format: notice.Format(r.Format), Profile: r.Profile,
		State: notice.SubscriptionState(r.State), Reason: r.Reason, CreatedAt: r.CreatedAt.Time, EndedAt: r.EndedAt.Pointer(),
		FailingSince: r.FailingSince.Pointer(),
	}
}

var (
	errNoSubscription = ticket.Refuse(ticket.NotFound, "there is no such notification")
	errNoDelivery     = ticket.Refuse(ticket.NotFound, "it has no such delivery")
	errToldAlready    = ticket.Refuse(ticket.Conflict, "the address was told of the same under its new registration")
	errDropped        = ticket.Refuse(ticket.Conflict, "the address was dropped; it has to be registered again")
)

// Register gives the active subscription of that address on the ticket, or makes one with a secret of its own. What the address was owed
// while it was dropped stays held under the subscription that was dropped, until somebody has it delivered again.
func (o *Outbox) Register(ctx context.Context, t ticket.Ticket, url string) (sub notice.Subscription, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// Held until the end, so that one address is not registered twice at the same moment.
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
		// What was dropped under that address holds what it has, and is owed nothing further.
		_, err = q.Exec(ctx, `UPDATE subscriptions SET successor = ? WHERE ticket_id = ? AND url = ? AND format = ? AND state = 'dropped' AND successor = ''`,
			sub.ID, t.ID, sub.URL, string(sub.Format))
		return db.Wrap("succeed a subscription", err)
	})
	return sub, err
}

// SubscribeTicket does what Register promises, for a ticket whose row is held.
func (o *Outbox) SubscribeTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, want notice.Subscription) (notice.Subscription, error) {
	var row subscriptionRow
	found, err := q.Find(ctx, &row, `SELECT `+subscriptionColumns+` FROM subscriptions
		WHERE ticket_id = ? AND url = ? AND format = ? AND state = 'active' ORDER BY created_at, id LIMIT 1`, t.ID, want.URL, string(want.Format))
	if err != nil || found {
		return row.subscription(), db.Wrap("look for a subscription", err)
	}
	row = subscriptionRow{ID: uuid.NewString(), Tenant: t.Tenant, TicketID: t.ID, URL: want.URL, Format: string(want.Format), Profile: want.Profile,
		State: string(notice.Active), CreatedAt: db.At(q.Now())}
	if len(want.Headers) > 0 {
		headers, err := json.Marshal(want.Headers)
		if err != nil {
			return notice.Subscription{}, fmt.Errorf("write headers: %w", err)
		}
		row.Headers = o.vault.Encrypt(string(headers), vault.HeadersOwner(row.ID))
	}
	secret := vault.NewSigningSecret()
	err = q.Insert(ctx, `subscriptions (id, tenant, ticket_id, url, format, profile, secret, headers, state, reason, created_at)`, [][]any{{
		row.ID, row.Tenant, row.TicketID, row.URL, row.Format, row.Profile, o.vault.Encrypt(secret, row.ID), row.Headers, row.State, "", row.CreatedAt}})
	return row.subscription(), err
}

type countRow struct {
	Subscription string `db:"subscription_id"`
	State        string `db:"state"`
	N            int    `db:"n"`
}

// Registered lists the subscriptions of a ticket that are active or dropped, oldest first, with counts of their deliveries by state.
func (o *Outbox) Registered(ctx context.Context, ticketID int64) ([]notice.Registration, error) {
	return o.registrations(ctx, `ticket_id = ?`, ticketID)
}

// Registration is one of Registered; NotFound when the ticket has no such subscription or it was deleted.
func (o *Outbox) Registration(ctx context.Context, ticketID int64, subscription string) (notice.Registration, error) {
	list, err := o.registrations(ctx, `ticket_id = ? AND id = ?`, ticketID, subscription)
	switch {
	case err != nil:
		return notice.Registration{}, err
	case len(list) == 0:
		return notice.Registration{}, errNoSubscription
	}
	return list[0], nil
}

func (o *Outbox) registrations(ctx context.Context, where string, args ...any) (list []notice.Registration, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var rows []subscriptionRow
		err := q.All(ctx, &rows, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE `+where+` AND state <> 'deleted' ORDER BY created_at, id`, args...)
		if err != nil || len(rows) == 0 {
			return db.Wrap("list subscriptions", err)
		}
		ids, place := make([]string, len(rows)), map[string]int{}
		for i, row := range rows {
			ids[i], place[row.ID] = row.ID, i
			list = append(list, notice.Registration{Subscription: row.subscription(), Counts: map[notice.DeliveryState]int{}})
		}
		var counts []countRow
		err = q.AllIn(ctx, &counts, `SELECT subscription_id, state, COUNT(*) AS n FROM deliveries WHERE subscription_id IN (?) GROUP BY subscription_id, state`, ids)
		for _, c := range counts {
			list[place[c.Subscription]].Counts[notice.DeliveryState(c.State)] = c.N
		}
		return db.Wrap("count deliveries", err)
	})
	return list, err
}

// Unregister deletes a ticket's subscription: nothing more is sent, what is queued or held is cancelled. NotFound as with Registration.
func (o *Outbox) Unregister(ctx context.Context, ticketID int64, subscription string) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if err := q.LockLaneOwner(ctx, ticketID); err != nil {
			return err
		}
		n, err := q.Exec(ctx, `UPDATE subscriptions SET state = 'deleted', ended_at = ? WHERE id = ? AND ticket_id = ? AND state <> 'deleted'`,
			db.At(q.Now()), subscription, ticketID)
		switch {
		case err != nil:
			return db.Wrap("delete a subscription", err)
		case n == 0:
			return errNoSubscription
		}
		return o.beginTransition(ctx, q, subscription)
	})
}

// Redeliver starts a new round of tries under the same ID. What is owed to an address that was dropped goes to what it was registered as again; a
// callback is taken up again, see takeUp. NotFound: the ticket has no such subscription, or that no such delivery; Conflict: it is still being
// tried, the address is dropped, or was told of the same under its new registration.
func (o *Outbox) Redeliver(ctx context.Context, ticketID int64, subscription, delivery string) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// With it held, the ticket's subscriptions stay what they are.
		if err := q.LockLaneOwner(ctx, ticketID); err != nil {
			return err
		}
		if err := o.reactivateCallback(ctx, q, ticketID, subscription); err != nil {
			return err
		}
		var row subscriptionRow
		found, err := q.Find(ctx, &row, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE id = ? AND ticket_id = ? AND state <> 'deleted'`, subscription, ticketID)
		switch {
		case err != nil:
			return db.Wrap("look for a subscription", err)
		case !found:
			return errNoSubscription
		}
		target, inactive := subscription, error(nil)
		if row.State != string(notice.Active) {
			if target, err = o.successor(ctx, q, row); err != nil && !ticket.Is(err, ticket.Conflict) {
				return err
			}
			inactive = err
		}
		return o.startRound(ctx, q, subscription, delivery, target, inactive)
	})
}

// startRound has a subscription's delivery tried anew, to the target, unless it is refused because there is nobody to send it to. What its lane
// belongs to and the target are held.
func (o *Outbox) startRound(ctx context.Context, q *db.Tx, subscription, delivery, target string, inactive error) error {
	var row deliveryRow
	found, err := q.Find(ctx, &row, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.id = ? AND d.subscription_id = ?`, delivery, subscription)
	switch {
	case err != nil:
		return db.Wrap("look for a delivery", err)
	case !found:
		return errNoDelivery
	case inactive != nil:
		return inactive
	case !notice.DeliveryState(row.State).Over():
		return ticket.Refuse(ticket.Conflict, "the delivery is still being tried")
	}
	retrying, err := o.retrying(ctx, q, row.TicketID)
	if err != nil {
		return err
	}
	next := notice.Pending
	if retrying[target] {
		next = notice.Retrying
	} else {
		q.NotifyPending(row.Part)
	}
	n, err := q.Exec(ctx, `UPDATE deliveries SET subscription_id = ?, state = ?, tries = 0, first_try = NULL, next_try = ?, ended_at = NULL WHERE id = ? AND (subscription_id = ?
		OR NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.subscription_id = ? AND o.ticket_id = deliveries.ticket_id AND o.seq = deliveries.seq))`,
		target, string(next), db.At(q.Now()), row.ID, target, target)
	if err == nil && n == 0 {
		return errToldAlready
	}
	return db.Wrap("start a new round", err)
}
