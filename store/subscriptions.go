package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/ticket"
)

type subscriptionRow struct {
	signing
	ID           string  `db:"id"`
	Tenant       string  `db:"tenant"`
	TicketID     int64   `db:"ticket_id"`
	URL          string  `db:"url"`
	Format       string  `db:"format"`
	Profile      string  `db:"profile"`
	Headers      string  `db:"headers"`
	Filter       string  `db:"filter"`
	State        string  `db:"state"`
	Reason       string  `db:"reason"`
	CreatedAt    moment  `db:"created_at"`
	EndedAt      *moment `db:"ended_at"`
	FailingSince *moment `db:"failing_since"`
}

// subscriptionColumns are all but the secrets, the headers, which may hold one, and the filter, which only lasting ones have.
const subscriptionColumns = `id, tenant, ticket_id, url, format, profile, state, reason, created_at, ended_at, failing_since`

func (r subscriptionRow) subscription() notice.Subscription {
	return notice.Subscription{
		ID: r.ID, Tenant: r.Tenant, TicketID: r.TicketID, URL: r.URL, Format: notice.Format(r.Format), Profile: r.Profile,
		State: notice.SubscriptionState(r.State), Reason: r.Reason, CreatedAt: r.CreatedAt.Time, EndedAt: r.EndedAt.pointer(),
		FailingSince: r.FailingSince.pointer(),
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
func (s *Store) Register(ctx context.Context, t ticket.Ticket, url string) (sub notice.Subscription, err error) {
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		// Held until the end, so that one address is not registered twice at the same moment.
		stored, _, known, err := q.lockTicket(ctx, t.ID)
		switch {
		case err != nil:
			return err
		case !known:
			return ticket.Refuse(ticket.NotFound, "there is no such ticket")
		}
		sub, err = q.subscribe(ctx, stored, notice.Subscription{URL: url, Format: notice.FormatIssue, Profile: notice.Minutely})
		if err != nil {
			return err
		}
		// What was dropped under that address holds what it has, and is owed nothing further.
		_, err = q.exec(ctx, `UPDATE subscriptions SET successor = ? WHERE ticket_id = ? AND url = ? AND format = ? AND state = 'dropped' AND successor = ''`,
			sub.ID, t.ID, sub.URL, string(sub.Format))
		return wrap("succeed a subscription", err)
	})
	return sub, err
}

// subscribe does what Register promises, for a ticket whose row is held.
func (q *session) subscribe(ctx context.Context, t ticket.Ticket, want notice.Subscription) (notice.Subscription, error) {
	var row subscriptionRow
	found, err := q.find(ctx, &row, `SELECT `+subscriptionColumns+` FROM subscriptions
		WHERE ticket_id = ? AND url = ? AND format = ? AND state = 'active' ORDER BY created_at, id LIMIT 1`, t.ID, want.URL, string(want.Format))
	if err != nil || found {
		return row.subscription(), wrap("look for a subscription", err)
	}
	row = subscriptionRow{ID: uuid.NewString(), Tenant: t.Tenant, TicketID: t.ID, URL: want.URL, Format: string(want.Format), Profile: want.Profile,
		State: string(notice.Active), CreatedAt: at(q.now())}
	if len(want.Headers) > 0 {
		headers, err := json.Marshal(want.Headers)
		if err != nil {
			return notice.Subscription{}, fmt.Errorf("write headers: %w", err)
		}
		row.Headers = q.seals.seal(string(headers), headersOf(row.ID))
	}
	secret := newSigningSecret()
	err = q.insert(ctx, `subscriptions (id, tenant, ticket_id, url, format, profile, secret, headers, state, reason, created_at)`, [][]any{{
		row.ID, row.Tenant, row.TicketID, row.URL, row.Format, row.Profile, q.seals.seal(secret, row.ID), row.Headers, row.State, "", row.CreatedAt}})
	return row.subscription(), err
}

// sealOpening seals the headers that an opening wants sent along, which may hold a credential, before anybody writes the opening down: it is
// kept with its operation, in the ticket's events and in Temporal.
func (q *session) sealOpening(ctx context.Context, events []ticket.Event) error {
	for i := range events {
		o := events[i].After.Opening
		if o == nil || o.Callback == nil || len(o.Callback.Headers) == 0 {
			continue
		}
		headers, err := json.Marshal(o.Callback.Headers)
		if err != nil {
			return fmt.Errorf("write headers: %w", err)
		}
		sealed, err := q.keep(ctx, string(headers), openingOf(o.Identity))
		if err != nil {
			return fmt.Errorf("seal headers: %w", err)
		}
		opening, callback := *o, *o.Callback
		callback.Headers, callback.Sealed = nil, sealed
		opening.Callback, events[i].After.Opening = &callback, &opening
	}
	return nil
}

// openHeaders gives what sealOpening sealed, or what an opening from before it has in plain.
func (q *session) openHeaders(ctx context.Context, id ticket.Identity, c ticket.Callback) (headers map[string]string, err error) {
	if c.Sealed == "" {
		return c.Headers, nil
	}
	text, err := q.kept(ctx, c.Sealed, openingOf(id))
	if err == nil {
		err = json.Unmarshal([]byte(text), &headers)
	}
	return headers, wrap("open the headers of a callback", err)
}

// openingOf is the owner of what is sealed in a ticket's opening.
func openingOf(id ticket.Identity) string { return "opening:" + id.Number }

// headersOf is the owner of a subscription's sealed headers.
func headersOf(subscription string) string { return subscription + ":headers" }

type countRow struct {
	Subscription string `db:"subscription_id"`
	State        string `db:"state"`
	N            int    `db:"n"`
}

// Registered lists the subscriptions of a ticket that are active or dropped, oldest first, with counts of their deliveries by state.
func (s *Store) Registered(ctx context.Context, ticketID int64) ([]notice.Registration, error) {
	return s.registrations(ctx, `ticket_id = ?`, ticketID)
}

// Registration is one of Registered; NotFound when the ticket has no such subscription or it was deleted.
func (s *Store) Registration(ctx context.Context, ticketID int64, subscription string) (notice.Registration, error) {
	list, err := s.registrations(ctx, `ticket_id = ? AND id = ?`, ticketID, subscription)
	switch {
	case err != nil:
		return notice.Registration{}, err
	case len(list) == 0:
		return notice.Registration{}, errNoSubscription
	}
	return list[0], nil
}

func (s *Store) registrations(ctx context.Context, where string, args ...any) (list []notice.Registration, err error) {
	err = s.read(ctx, func(q *session) error {
		var rows []subscriptionRow
		err := q.all(ctx, &rows, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE `+where+` AND state <> 'deleted' ORDER BY created_at, id`, args...)
		if err != nil || len(rows) == 0 {
			return wrap("list subscriptions", err)
		}
		ids, place := make([]string, len(rows)), map[string]int{}
		for i, row := range rows {
			ids[i], place[row.ID] = row.ID, i
			list = append(list, notice.Registration{Subscription: row.subscription(), Counts: map[notice.DeliveryState]int{}})
		}
		var counts []countRow
		err = q.any(ctx, &counts, `SELECT subscription_id, state, COUNT(*) AS n FROM deliveries WHERE subscription_id IN (?) GROUP BY subscription_id, state`, ids)
		for _, c := range counts {
			list[place[c.Subscription]].Counts[notice.DeliveryState(c.State)] = c.N
		}
		return wrap("count deliveries", err)
	})
	return list, err
}

// Unregister deletes a ticket's subscription: nothing more is sent, what is queued or held is cancelled. NotFound as with Registration.
func (s *Store) Unregister(ctx context.Context, ticketID int64, subscription string) error {
	return s.write(ctx, func(ctx context.Context, q *session) error {
		if err := q.lockOwner(ctx, ticketID); err != nil {
			return err
		}
		n, err := q.exec(ctx, `UPDATE subscriptions SET state = 'deleted', ended_at = ? WHERE id = ? AND ticket_id = ? AND state <> 'deleted'`,
			at(q.now()), subscription, ticketID)
		switch {
		case err != nil:
			return wrap("delete a subscription", err)
		case n == 0:
			return errNoSubscription
		}
		return q.turn(ctx, subscription)
	})
}

// Redeliver starts a new round of tries under the same ID. What is owed to an address that was dropped goes to what it was registered as again; a
// callback is taken up again, see takeUp. NotFound: the ticket has no such subscription, or that no such delivery; Conflict: it is still being
// tried, the address is dropped, or was told of the same under its new registration.
func (s *Store) Redeliver(ctx context.Context, ticketID int64, subscription, delivery string) error {
	return s.write(ctx, func(ctx context.Context, q *session) error {
		// With it held, the ticket's subscriptions stay what they are.
		if err := q.lockOwner(ctx, ticketID); err != nil {
			return err
		}
		if err := q.takeUp(ctx, ticketID, subscription); err != nil {
			return err
		}
		var row subscriptionRow
		found, err := q.find(ctx, &row, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE id = ? AND ticket_id = ? AND state <> 'deleted'`, subscription, ticketID)
		switch {
		case err != nil:
			return wrap("look for a subscription", err)
		case !found:
			return errNoSubscription
		}
		target, inactive := subscription, error(nil)
		if row.State != string(notice.Active) {
			if target, err = q.registeredAgain(ctx, row); err != nil && !ticket.Is(err, ticket.Conflict) {
				return err
			}
			inactive = err
		}
		return q.newRound(ctx, subscription, delivery, target, inactive)
	})
}

// newRound has a subscription's delivery tried anew, to the target, unless it is refused because there is nobody to send it to. What its lane
// belongs to and the target are held.
func (q *session) newRound(ctx context.Context, subscription, delivery, target string, inactive error) error {
	var row deliveryRow
	found, err := q.find(ctx, &row, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.id = ? AND d.subscription_id = ?`, delivery, subscription)
	switch {
	case err != nil:
		return wrap("look for a delivery", err)
	case !found:
		return errNoDelivery
	case inactive != nil:
		return inactive
	case !notice.DeliveryState(row.State).Over():
		return ticket.Refuse(ticket.Conflict, "the delivery is still being tried")
	}
	retrying, err := q.retrying(ctx, row.TicketID)
	if err != nil {
		return err
	}
	next := notice.Pending
	if retrying[target] {
		next = notice.Retrying
	} else {
		q.wake(row.Part)
	}
	n, err := q.exec(ctx, `UPDATE deliveries SET subscription_id = ?, state = ?, tries = 0, first_try = NULL, next_try = ?, ended_at = NULL WHERE id = ? AND (subscription_id = ?
		OR NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.subscription_id = ? AND o.ticket_id = deliveries.ticket_id AND o.seq = deliveries.seq))`,
		target, string(next), at(q.now()), row.ID, target, target)
	if err == nil && n == 0 {
		return errToldAlready
	}
	return wrap("start a new round", err)
}
