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
		sub.TicketID = 0
		sub, err = o.add(ctx, q, sub)
		return err
	})
	return sub, err
}

// Subscriptions lists a tenant's lasting subscriptions that are not deleted, newest first; state, if not empty, chooses among them. cursor is
// empty or next of the page before; anything else is Invalid, field "cursor". limit is 1 to ticket.MaxPage; 0 is ticket.DefaultPage.
func (o *Outbox) Subscriptions(ctx context.Context, tenant string, state notice.SubscriptionState, cursor string, limit int) (items []notice.Subscription, next string, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		items, next, err = o.lasting(ctx, q, tenant, notice.LastingFilter{State: state}, cursor, limit)
		return err
	})
	return items, next, err
}

// lasting reads a page of a tenant's lasting subscriptions.
func (o *Outbox) lasting(ctx context.Context, q *db.Tx, tenant string, f notice.LastingFilter, cursor string, limit int) (items []notice.Subscription, next string, err error) {
	var w db.Where
	own := ofTenant(tenant)
	w.And(own.where, own.args...)
	w.AndIf(f.State != "", `state = ?`, string(f.State))
	w.AndIf(f.Address != "", `LOWER(url) LIKE ? ESCAPE '!'`, "%"+likeAsIs.Replace(strings.ToLower(db.CleanText(f.Address)))+"%")
	if err := w.After(cursor, `created_at, id`, func(c db.Cursor) []any { return []any{db.At(c.At), c.ID} }); err != nil {
		return nil, "", err
	}
	var rows []subscriptionRow
	rows, next, err = db.ReadPage(ctx, q, limit, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE `+w.String()+` ORDER BY created_at DESC, id DESC LIMIT ?`, w.Args(),
		func(r subscriptionRow) db.Cursor { return db.Cursor{At: r.CreatedAt.Time, N: 1, ID: r.ID} })
	if err != nil {
		return nil, "", db.Wrap("list subscriptions", err)
	}
	items, err = db.Convert(rows, subscriptionRow.subscription)
	return items, next, err
}

// likeAsIs has LIKE take a text as it is, where it is told that the escape is an exclamation mark.
var likeAsIs = strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`)

// Lasting lists a tenant's lasting subscriptions like Subscriptions, with what of each did not arrive.
func (o *Outbox) Lasting(ctx context.Context, tenant string, f notice.LastingFilter, cursor string, limit int) (items []notice.LastingRecord, next string, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var subs []notice.Subscription
		if subs, next, err = o.lasting(ctx, q, tenant, f, cursor, limit); err != nil || len(subs) == 0 {
			return err
		}
		ids, index := make([]string, len(subs)), map[string]int{}
		for i, sub := range subs {
			ids[i], index[sub.ID] = sub.ID, i
			items = append(items, notice.LastingRecord{Subscription: sub})
		}
		var rows []struct {
			ID      string `db:"id"`
			Waiting int    `db:"waiting"`
			Held    int    `db:"held"`
			Failed  int    `db:"failed"`
		}
		counted := func(condition string) string {
			return fmt.Sprintf(`(SELECT COUNT(*) FROM (SELECT 1 FROM deliveries d WHERE d.subscription_id = s.id AND d.%s LIMIT %d) x)`, condition, notice.CountedTo)
		}
		err := q.AllIn(ctx, &rows, `SELECT s.id, `+counted(`state IN ('pending', 'parked')`)+` AS waiting, `+counted(`state = 'held'`)+` AS held, `+counted(`state = 'failed'`)+` AS failed
			FROM subscriptions s WHERE s.id IN (?)`, ids)
		for _, r := range rows {
			at := &items[index[r.ID]]
			at.Waiting, at.Held, at.Failed = r.Waiting, r.Held, r.Failed
		}
		return db.Wrap("count deliveries", err)
	})
	return items, next, err
}

// Amend changes a lasting subscription to what change makes of it: address, profile, order, time-out, filter and state, and headers and TLS, which change is not shown, where it
// gives any (empty: none from now on). Other members stay as they are, and
// what is on its way goes to the new address. NotFound as with Registration.
//
// Paused: nothing is sent, and whatever comes and what was on its way is held, as it is for one that is dropped. Active again, all that is
// held is sent, in order; where that is much, what comes meanwhile is held behind it: see transition.go. What waits and is not chosen by a new filter is cancelled;
// whether what comes waits for what is before it, that is so for what comes.
func (o *Outbox) Amend(ctx context.Context, tenant, id string, change func(notice.Subscription) (notice.Subscription, error)) (sub notice.Subscription, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		was, err := o.find(ctx, q, ofTenant(tenant), id, db.Exclusive)
		if err != nil {
			return err
		}
		if sub, err = change(was); err != nil {
			return err
		}
		a := notice.AddressOf(sub.URL)
		sub.URL, sub.Host = a.URL, a.Host
		if sub.State != was.State {
			sub.Reason, sub.EndedAt, sub.FailingSince = "", nil, nil
		}
		filter, form, selector, err := filterColumns(sub)
		if err != nil {
			return err
		}
		if err := o.changeReach(ctx, q, sub); err != nil {
			return err
		}
		_, err = q.Exec(ctx, `UPDATE subscriptions SET url = ?, host = ?, profile = ?, unordered = ?, timeout = ?, state = ?, reason = ?, ended_at = ?, failing_since = ?, filter = ?, shape = ?, selector = ? WHERE id = ?`,
			sub.URL, sub.Host, sub.Profile, sub.Unordered, int(sub.Timeout/time.Second), string(sub.State), sub.Reason, db.AtOrNil(sub.EndedAt), db.AtOrNil(sub.FailingSince), filter, form, selector, id)
		if err != nil {
			return db.Wrap("change a subscription", err)
		}
		if !sub.Filter.Covers(was.Filter) {
			if err := o.beginSifting(ctx, q, id); err != nil {
				return err
			}
		}
		if sub.State == was.State {
			return nil
		}
		return o.beginTransition(ctx, q, id)
	})
	return sub, err
}

// maxAlike bounds how many others Alike names.
const maxAlike = 10

// Alike gives the IDs of the other lasting subscriptions of its tenant by which its address would be told of the same events as by this one, oldest first, and of no
// more than 10. They are active, paused or dropped.
func (o *Outbox) Alike(ctx context.Context, sub notice.Subscription) (ids []string, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		list, err := o.list(ctx, q, ofTenant(sub.Tenant), ` AND url = ? AND id <> ? ORDER BY created_at, id`, sub.URL, sub.ID)
		for _, other := range list {
			if len(ids) < maxAlike && other.Filter.Overlaps(sub.Filter) {
				ids = append(ids, other.ID)
			}
		}
		return err
	})
	return ids, err
}

// Try publishes an event to one lasting subscription alone, whatever its filter, and gives the delivery's ID. NotFound as with Registration;
// Conflict: it is not active.
func (o *Outbox) Try(ctx context.Context, tenant, app, id string, p notice.Published) (delivery string, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		sub, err := o.find(ctx, q, ofTenant(tenant), id, db.Unlocked)
		if err != nil {
			return err
		}
		where, err := o.publish(ctx, q, tenant, app, p, []follower{{ID: id, Format: string(sub.Format), Unordered: sub.Unordered}})
		if err != nil {
			return err
		}
		// It may have been paused or dropped until a moment ago; what was published is then taken back.
		if sub, err = o.find(ctx, q, ofTenant(tenant), id, db.Unlocked); err != nil {
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
