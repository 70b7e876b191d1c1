package outbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

type redeliveryRow struct {
	ID           string        `db:"id"`
	Tenant       string        `db:"tenant"`
	Subscription string        `db:"subscription_id"`
	Target       string        `db:"target_id"`
	Wanted       string        `db:"wanted"`
	From         *db.Timestamp `db:"from_at"`
	To           *db.Timestamp `db:"to_at"`
	State        string        `db:"state"`
	Total        int           `db:"total"`
	Done         int           `db:"done"`
	At           *db.Timestamp `db:"at"` // position of the last one; nil before the first
	Seq          int64         `db:"seq"`
	Delivery     string        `db:"delivery_id"`
	CreatedAt    db.Timestamp  `db:"created_at"`
	EndedAt      *db.Timestamp `db:"ended_at"`
}

const redeliveryColumns = `id, tenant, subscription_id, target_id, wanted, from_at, to_at, state, total, done, at, seq, delivery_id, created_at, ended_at`

func (r redeliveryRow) redelivery() notice.Redelivery {
	return notice.Redelivery{ID: r.ID, Tenant: r.Tenant, Subscription: r.Subscription, State: notice.RedeliveryState(r.State), Total: r.Total, Done: r.Done,
		CreatedAt: r.CreatedAt.Time, EndedAt: r.EndedAt.Pointer()}
}

// selected gives the condition for deliveries d that a redelivery is about.
func (r redeliveryRow) selected() (where string, args []any) {
	s := notice.Selection{State: notice.DeliveryState(r.Wanted)}
	where, args = `d.subscription_id = ? AND d.state IN (?) AND d.ended_at <= ?`, []any{r.Subscription, texts(s.States()), r.CreatedAt}
	if r.From != nil {
		where, args = where+` AND d.at >= ?`, append(args, *r.From)
	}
	if r.To != nil {
		where, args = where+` AND d.at < ?`, append(args, *r.To)
	}
	if r.At != nil {
		where, args = where+` AND (d.at, d.seq, d.id) > (?, ?, ?)`, append(args, *r.At, r.Seq, r.Delivery)
	}
	return where, args
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// BeginRedelivery has those deliveries of a subscription delivered again that the selection names, each under its own ID; the work itself is
// RedeliverSome's. ticketID is zero for a lasting subscription. dry: they are only counted, and the ID is empty.
//
// What is owed to an address that was dropped goes to what the same address was registered as again, on the same ticket and in the same format.
// A ticket's callback, which nobody can register, is taken up again instead; see takeUp. NotFound: the tenant has no such subscription there;
// Conflict: it is not active, and neither is another of its address.
func (o *Outbox) BeginRedelivery(ctx context.Context, tenant string, ticketID int64, subscription string, sel notice.Selection, dry bool) (out notice.Redelivery, err error) {
	if err := sel.Check(); err != nil {
		return out, err
	}
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if !dry && ticketID > 0 {
			if err := q.LockLaneOwner(ctx, ticketID); err != nil {
				return err
			}
		}
		target, err := o.targetOf(ctx, q, tenant, ticketID, subscription)
		if err != nil {
			return err
		}
		if !dry {
			if err := o.reactivateCallback(ctx, q, ticketID, target); err != nil {
				return err
			}
		}
		row := redeliveryRow{ID: uuid.NewString(), Tenant: tenant, Subscription: subscription, Target: target, Wanted: string(sel.State), From: db.AtOrNil(sel.From),
			To: db.AtOrNil(sel.To), State: string(notice.Redelivering), CreatedAt: db.At(q.Now())}
		where, args := row.selected()
		var totals []int
		if err := q.AllIn(ctx, &totals, `SELECT COUNT(*) FROM deliveries d WHERE `+where, args...); err != nil {
			return db.Wrap("count deliveries", err)
		}
		row.Total = totals[0]
		if dry {
			row.ID = ""
		} else if err := q.Insert(ctx, `redeliveries (`+redeliveryColumns+`)`, [][]any{{row.ID, row.Tenant, row.Subscription, row.Target, row.Wanted, row.From,
			row.To, row.State, row.Total, 0, nil, 0, "", row.CreatedAt, nil}}); err != nil {
			return err
		}
		out = row.redelivery()
		return nil
	})
	return out, err
}

// targetOf is where a subscription's deliveries can be sent now.
func (o *Outbox) targetOf(ctx context.Context, q *db.Tx, tenant string, ticketID int64, subscription string) (string, error) {
	var row subscriptionRow
	found, err := q.Find(ctx, &row, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE id = ? AND tenant = ? AND ticket_id = ? AND state <> 'deleted'`,
		subscription, tenant, ticketID)
	switch {
	case err != nil:
		return "", db.Wrap("look for a subscription", err)
	case !found && ticketID == 0:
		return "", errNoTenantSubscription
	case !found:
		return "", errNoSubscription
	case row.State == string(notice.Active), row.Format == string(notice.FormatITSM):
		return row.ID, nil
	case ticketID == 0:
		return "", notActive(notice.SubscriptionState(row.State))
	}
	return o.successor(ctx, q, row)
}

// successor gives what the address of a dropped subscription is registered as now; errDropped: it is not.
func (o *Outbox) successor(ctx context.Context, q *db.Tx, row subscriptionRow) (id string, err error) {
	found, err := q.Find(ctx, &id, `SELECT id FROM subscriptions WHERE ticket_id = ? AND url = ? AND format = ? AND state = 'active' ORDER BY created_at, id LIMIT 1`,
		row.TicketID, row.URL, row.Format)
	if err == nil && !found {
		err = errDropped
	}
	return id, db.Wrap("look for the address", err)
}

// reactivateCallback makes a ticket's callback that was dropped active again. Seed 000 has notifications wait until they are registered again, and that is how
// their owner says that the address is back; a callback is part of its ticket's opening, and its owner says so by asking for what it is owed. The
// ticket's row is held.
func (o *Outbox) reactivateCallback(ctx context.Context, q *db.Tx, ticketID int64, callback string) error {
	_, err := q.Exec(ctx, `UPDATE subscriptions SET state = 'active', reason = '', ended_at = NULL, failing_since = NULL
		WHERE id = ? AND ticket_id = ? AND state = 'dropped' AND format = ?`, callback, ticketID, string(notice.FormatITSM))
	return db.Wrap("take up a callback", err)
}

// RedeliveryOf tells how far a redelivery is. NotFound: the subscription has none under that ID.
func (o *Outbox) RedeliveryOf(ctx context.Context, tenant, subscription, id string) (out notice.Redelivery, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var row redeliveryRow
		found, err := q.Find(ctx, &row, `SELECT `+redeliveryColumns+` FROM redeliveries WHERE id = ? AND tenant = ? AND subscription_id = ?`, id, tenant, subscription)
		switch {
		case err != nil:
			return db.Wrap("look for a redelivery", err)
		case !found:
			return ticket.Refuse(ticket.NotFound, "there is no such redelivery")
		}
		out = row.redelivery()
		return nil
	})
	return out, err
}

// Redeliveries lists redeliveries that are not over, oldest first, and after them what is left of subscriptions that were paused, resumed or
// deleted: see transition.go. limit is of each.
func (o *Outbox) Redeliveries(ctx context.Context, limit int) (ids []string, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		if err := q.All(ctx, &ids, `SELECT id FROM redeliveries WHERE state = 'running' ORDER BY created_at LIMIT ?`, limit); err != nil {
			return db.Wrap("list redeliveries", err)
		}
		turns, err := o.transitions(ctx, q, limit)
		ids = append(ids, turns...)
		return err
	})
	return ids, err
}

// overDelivery is a delivery that is to be put back.
type overDelivery struct {
	ID       string       `db:"id"`
	TicketID int64        `db:"ticket_id"`
	Part     int          `db:"part"`
	At       db.Timestamp `db:"at"`
	Seq      int64        `db:"seq"`
}

// RedeliverSome goes on with a redelivery: see activities.Reader. One that is over, or gone, is told as it is.
func (o *Outbox) RedeliverSome(ctx context.Context, id string, limit, atOnce int) (out notice.Redelivery, err error) {
	if strings.HasPrefix(id, transitionPrefix) {
		return o.advanceTransitions(ctx, id, 2*atOnce)
	}
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var row redeliveryRow
		found, err := q.Find(ctx, &row, q.Locking(`SELECT `+redeliveryColumns+` FROM redeliveries WHERE id = ?`, db.Exclusive), id)
		if err != nil {
			return db.Wrap("lock a redelivery", err)
		}
		if !found {
			row = redeliveryRow{ID: id, State: string(notice.Stopped)}
		}
		if found && row.State == string(notice.Redelivering) {
			if err := o.redeliver(ctx, q, &row, limit, atOnce); err != nil {
				return err
			}
		}
		out = row.redelivery()
		return nil
	})
	return out, err
}

func (o *Outbox) redeliver(ctx context.Context, q *db.Tx, row *redeliveryRow, limit, atOnce int) error {
	room, err := o.capacity(ctx, q, row.Target, atOnce)
	if err != nil {
		return err
	}
	if limit = min(limit, room); limit <= 0 {
		return nil
	}
	where, args := row.selected()
	var batch []overDelivery
	if err := q.AllIn(ctx, &batch, `SELECT d.id, d.ticket_id, d.part, d.at, d.seq FROM deliveries d WHERE `+where+` ORDER BY d.at, d.seq, d.id LIMIT ?`,
		append(args, limit)...); err != nil {
		return db.Wrap("list deliveries", err)
	}
	if err := o.startRounds(ctx, q, row, batch); err != nil {
		return err
	}
	if len(batch) > 0 {
		last := batch[len(batch)-1]
		row.At, row.Seq, row.Delivery = &last.At, last.Seq, last.ID
	}
	if row.State == string(notice.Redelivering) && len(batch) < limit {
		row.State = string(notice.Redelivered)
	}
	if row.State != string(notice.Redelivering) {
		now := db.At(q.Now())
		row.EndedAt = &now
	}
	_, err = q.Exec(ctx, `UPDATE redeliveries SET state = ?, done = ?, at = ?, seq = ?, delivery_id = ?, ended_at = ? WHERE id = ?`,
		row.State, row.Done, row.At, row.Seq, row.Delivery, row.EndedAt, row.ID)
	return db.Wrap("move the redelivery on", err)
}

// startRounds begins a new round of tries of each, unless its target is told nothing any more.
func (o *Outbox) startRounds(ctx context.Context, q *db.Tx, row *redeliveryRow, batch []overDelivery) error {
	lanes := map[int64][]string{}
	for _, d := range batch {
		lanes[d.TicketID] = append(lanes[d.TicketID], d.ID)
	}
	if err := q.LockLaneOwners(ctx, slices.Collect(maps.Keys(lanes))); err != nil {
		return err
	}
	active, err := q.FindSubscription(ctx, new(int), db.Shared, `1`, `id = ? AND state = 'active'`, row.Target)
	switch {
	case err != nil:
		return err
	case !active:
		row.State = string(notice.Stopped)
		return nil
	case len(batch) == 0:
		return nil
	}
	var rows []laneRow
	if err := q.AllIn(ctx, &rows, `SELECT ticket_id, subscription_id FROM lanes WHERE subscription_id = ? AND ticket_id IN (?)`, row.Target,
		slices.Collect(maps.Keys(lanes))); err != nil {
		return db.Wrap("list retrying lanes", err)
	}
	retrying := map[int64]bool{}
	for _, r := range rows {
		retrying[r.TicketID] = true
	}
	ids := map[notice.DeliveryState][]string{}
	for _, d := range batch {
		state := notice.Pending
		if retrying[d.TicketID] {
			state = notice.Retrying
		} else {
			q.NotifyPending(d.Part)
		}
		ids[state] = append(ids[state], d.ID)
	}
	for state, ids := range ids {
		if err := q.LockDeliveries(ctx, ids); err != nil {
			return err
		}
		// The target may have been told of the event itself already, having been registered before the other was dropped.
		n, err := q.ExecIn(ctx, `UPDATE deliveries SET subscription_id = ?, state = ?, tries = 0, first_try = NULL, next_try = ?, ended_at = NULL
			WHERE id IN (?) AND state NOT IN ('pending', 'parked', 'cancelled') AND (subscription_id = ? OR NOT EXISTS (
			SELECT 1 FROM deliveries o WHERE o.subscription_id = ? AND o.ticket_id = deliveries.ticket_id AND o.seq = deliveries.seq))`,
			row.Target, string(state), db.At(q.Now()), ids, row.Target, row.Target)
		if err != nil {
			return fmt.Errorf("begin new rounds: %w", err)
		}
		row.Done += int(n)
	}
	return nil
}

// Backlog counts what waits to be delivered: deliveries whose first try is still to come, and retrying lanes.
func (o *Outbox) Backlog(ctx context.Context) (pending, retrying int, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		if err := q.Get(ctx, &pending, `SELECT COUNT(*) FROM deliveries WHERE state = 'pending'`); err != nil {
			return db.Wrap("count pending deliveries", err)
		}
		return db.Wrap("count retrying lanes", q.Get(ctx, &retrying, `SELECT COUNT(*) FROM lanes`))
	})
	return pending, retrying, err
}
