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

// tenantColumns are those of a lasting subscription, but for its secrets.
const tenantColumns = subscriptionColumns + `, filter`

func (r subscriptionRow) withFilter() (notice.Subscription, error) {
	sub := r.subscription()
	if err := json.Unmarshal([]byte(r.Filter), &sub.Filter); err != nil {
		return sub, fmt.Errorf("read the filter of subscription %s: %w", r.ID, err)
	}
	return sub, nil
}

var errNoTenantSubscription = ticket.Refuse(ticket.NotFound, "there is no such subscription")

// Subscribe adds a lasting subscription to its tenant and gives it back, active, under its new ID and with its secret, which is made where
// none was given. TooMany: the tenant has as many as it may have.
func (o *Outbox) Subscribe(ctx context.Context, sub notice.Subscription) (notice.Subscription, error) {
	err := o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var n int
		err := q.Get(ctx, &n, `SELECT COUNT(*) FROM subscriptions WHERE tenant = ? AND ticket_id = 0 AND state <> 'deleted'`, sub.Tenant)
		switch {
		case err != nil:
			return db.Wrap("count subscriptions", err)
		case n >= notice.MaxSubscriptions:
			return ticket.Refuse(ticket.TooMany, fmt.Sprintf("a tenant has at most %d lasting subscriptions; delete those that are not needed", notice.MaxSubscriptions))
		}
		sub.ID, sub.TicketID, sub.State, sub.CreatedAt = uuid.NewString(), 0, notice.Active, db.At(q.Now()).Time
		if sub.Secret == "" {
			sub.Secret = vault.NewSigningSecret()
		}
		filter, err := json.Marshal(sub.Filter)
		if err != nil {
			return fmt.Errorf("write a filter: %w", err)
		}
		form, selector := selectorOf(sub.Filter)
		return q.Insert(ctx, `subscriptions (id, tenant, ticket_id, url, format, profile, secret, state, reason, created_at, filter, shape, selector)`, [][]any{{
			sub.ID, sub.Tenant, sub.TicketID, sub.URL, string(sub.Format), sub.Profile, o.vault.Encrypt(sub.Secret, sub.ID), string(sub.State), "",
			db.At(sub.CreatedAt), string(filter), int(form), selector}})
	})
	return sub, err
}

// Subscriptions lists a tenant's lasting subscriptions that are not deleted, newest first; state, if not empty, chooses among them. cursor is
// empty or next of the page before; anything else is Invalid, field "cursor". limit is 1 to ticket.MaxPage; 0 is ticket.DefaultPage.
func (o *Outbox) Subscriptions(ctx context.Context, tenant string, state notice.SubscriptionState, cursor string, limit int) (items []notice.Subscription, next string, err error) {
	var w db.Where
	w.And(`tenant = ? AND ticket_id = 0 AND state <> 'deleted'`, tenant)
	w.AndIf(state != "", `state = ?`, string(state))
	if err := w.After(cursor, `created_at, id`, func(c db.Cursor) []any { return []any{db.At(c.At), c.ID} }); err != nil {
		return nil, "", err
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var rows []subscriptionRow
		rows, next, err = db.ReadPage(ctx, q, limit, `SELECT `+tenantColumns+` FROM subscriptions WHERE `+w.String()+` ORDER BY created_at DESC, id DESC LIMIT ?`, w.Args(),
			func(r subscriptionRow) db.Cursor { return db.Cursor{At: r.CreatedAt.Time, N: 1, ID: r.ID} })
		if err != nil {
			return db.Wrap("list subscriptions", err)
		}
		items, err = db.Convert(rows, subscriptionRow.withFilter)
		return err
	})
	return items, next, err
}

// Subscription is one of them, with counts of those of its deliveries that did not arrive: pending, retrying, held and failed. NotFound when
// the tenant has no such lasting subscription or it was deleted.
func (o *Outbox) Subscription(ctx context.Context, tenant, id string) (r notice.Registration, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		if r.Subscription, err = o.tenantSubscription(ctx, q, tenant, id, db.Unlocked); err != nil {
			return err
		}
		var counts []countRow
		// What arrived is not counted: there is no end to it.
		err := q.All(ctx, &counts, `SELECT subscription_id, state, COUNT(*) AS n FROM deliveries WHERE subscription_id = ? AND state IN ('pending', 'parked') GROUP BY subscription_id, state
			UNION ALL SELECT subscription_id, state, COUNT(*) AS n FROM deliveries WHERE subscription_id = ? AND state IN ('held', 'failed') GROUP BY subscription_id, state`, id, id)
		r.Counts = map[notice.DeliveryState]int{}
		for _, c := range counts {
			r.Counts[notice.DeliveryState(c.State)] = c.N
		}
		return db.Wrap("count deliveries", err)
	})
	return r, err
}

// tenantSubscription reads a lasting subscription and locks its row.
func (o *Outbox) tenantSubscription(ctx context.Context, q *db.Tx, tenant, id string, how db.Lock) (notice.Subscription, error) {
	var row subscriptionRow
	found, err := q.FindSubscription(ctx, &row, how, tenantColumns, `id = ? AND tenant = ? AND ticket_id = 0 AND state <> 'deleted'`, id, tenant)
	switch {
	case err != nil:
		return notice.Subscription{}, err
	case !found:
		return notice.Subscription{}, errNoTenantSubscription
	}
	return row.withFilter()
}

// Amend changes a lasting subscription to what change makes of it: address, profile, filter and state. Other members stay as they are, and
// what is on its way goes to the new address. NotFound as with Subscription.
//
// Paused: nothing is sent, and whatever comes and what was on its way is held, as it is for one that is dropped. Active again, all that is
// held is sent, in order; where that is much, what comes meanwhile is held behind it. see transition.go.
func (o *Outbox) Amend(ctx context.Context, tenant, id string, change func(notice.Subscription) (notice.Subscription, error)) (sub notice.Subscription, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		was, err := o.tenantSubscription(ctx, q, tenant, id, db.Exclusive)
		if err != nil {
			return err
		}
		if sub, err = change(was); err != nil {
			return err
		}
		if sub.State != was.State {
			sub.Reason, sub.EndedAt, sub.FailingSince = "", nil, nil
		}
		filter, err := json.Marshal(sub.Filter)
		if err != nil {
			return fmt.Errorf("write a filter: %w", err)
		}
		form, selector := selectorOf(sub.Filter)
		_, err = q.Exec(ctx, `UPDATE subscriptions SET url = ?, profile = ?, state = ?, reason = ?, ended_at = ?, failing_since = ?, filter = ?, shape = ?, selector = ? WHERE id = ?`,
			sub.URL, sub.Profile, string(sub.State), sub.Reason, db.AtOrNil(sub.EndedAt), db.AtOrNil(sub.FailingSince), string(filter), int(form), selector, id)
		switch {
		case err != nil:
			return db.Wrap("change a subscription", err)
		case sub.State == was.State:
			return nil
		}
		return o.beginTransition(ctx, q, id)
	})
	return sub, err
}

// Unsubscribe deletes a lasting subscription: nothing more is sent, what is queued or held is cancelled. NotFound as with Subscription.
func (o *Outbox) Unsubscribe(ctx context.Context, tenant, id string) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE subscriptions SET state = 'deleted', ended_at = ? WHERE id = ? AND tenant = ? AND ticket_id = 0 AND state <> 'deleted'`,
			db.At(q.Now()), id, tenant)
		switch {
		case err != nil:
			return db.Wrap("delete a subscription", err)
		case n == 0:
			return errNoTenantSubscription
		}
		return o.beginTransition(ctx, q, id)
	})
}

// Try publishes an event to one lasting subscription alone, whatever its filter, and gives the delivery's ID. NotFound as with Subscription;
// Conflict: it is not active.
func (o *Outbox) Try(ctx context.Context, tenant, app, id string, p notice.Published) (delivery string, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		sub, err := o.tenantSubscription(ctx, q, tenant, id, db.Unlocked)
		if err != nil {
			return err
		}
		where, err := o.publish(ctx, q, tenant, app, p, []follower{{ID: id, Format: string(sub.Format)}})
		if err != nil {
			return err
		}
		// It may have been paused or dropped until a moment ago; what was published is then taken back.
		if sub, err = o.tenantSubscription(ctx, q, tenant, id, db.Unlocked); err != nil {
			return err
		}
		if err := notActive(sub.State); err != nil {
			return err
		}
		err = q.Get(ctx, &delivery, `SELECT id FROM deliveries WHERE subscription_id = ? AND ticket_id = ? AND seq = ?`, id, StreamLane(tenant, p.Key), where.Seq)
		return db.Wrap("find the delivery", err)
	})
	return delivery, err
}

// notActive is the refusal of what only an active subscription can be asked for; nil for those.
func notActive(state notice.SubscriptionState) error {
	if state == notice.Active {
		return nil
	}
	return ticket.Refuse(ticket.Conflict, "the subscription is "+string(state)+"; it has to be resumed first")
}

// Resend starts a new round of tries of one of a lasting subscription's deliveries, under the same ID. NotFound: there is no such
// subscription, or it has no such delivery; Conflict: it is still being tried, or the subscription is not active.
func (o *Outbox) Resend(ctx context.Context, tenant, subscription, delivery string) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, err := o.tenantSubscription(ctx, q, tenant, subscription, db.Unlocked); err != nil {
			return err
		}
		var lane int64
		found, err := q.Find(ctx, &lane, `SELECT ticket_id FROM deliveries WHERE id = ? AND subscription_id = ?`, delivery, subscription)
		switch {
		case err != nil:
			return db.Wrap("look for a delivery", err)
		case !found:
			return errNoDelivery
		}
		if err := q.LockLaneOwner(ctx, lane); err != nil {
			return err
		}
		sub, err := o.tenantSubscription(ctx, q, tenant, subscription, db.Shared)
		if err != nil {
			return err
		}
		return o.startRound(ctx, q, subscription, delivery, subscription, notActive(sub.State))
	})
}
