package outbox

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

var errOneByOne = ticket.Refuse(ticket.Conflict, "what people are told is delivered again one by one")

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

// states are those of the deliveries that the redelivery is about.
func (r redeliveryRow) states() []notice.DeliveryState {
	return notice.Selection{State: notice.DeliveryState(r.Wanted)}.States()
}

// selected gives the condition for deliveries d that a redelivery is about.
func (r redeliveryRow) selected() (where string, args []any) {
	where, args = `d.subscription_id = ? AND d.state IN (?) AND d.ended_at <= ?`, []any{r.Subscription, texts(r.states()), r.CreatedAt}
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

// BeginRedelivery has those deliveries of a subscription delivered again that the selection names, each under its own ID; the work itself is
// RedeliverSome's. dry: they are only counted, and the ID is empty.
//
// What is held for an address that was dropped goes to what the same address was registered as again, on the same ticket and in the same format.
// A ticket's callback, which nobody can register, is made active again instead; see target. NotFound as with Registration;
// Conflict: it is not active, and neither is another of its address.
func (o *Outbox) BeginRedelivery(ctx context.Context, of notice.Owner, subscription string, sel notice.Selection, dry bool) (out notice.Redelivery, err error) {
	if err := sel.Check(); err != nil {
		return out, err
	}
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if !dry && of.TicketID != 0 {
			if err := q.LockLaneOwner(ctx, of.TicketID); err != nil {
				return err
			}
		}
		target, err := o.target(ctx, q, ownerOf(of), subscription, dry)
		if err != nil {
			return err
		}
		if sub, err := o.find(ctx, q, ownerOf(of), subscription, db.Unlocked); err != nil || sub.Format.Letter() {
			return cmp.Or(err, error(errOneByOne))
		}
		row := redeliveryRow{ID: uuid.NewString(), Tenant: of.Tenant, Subscription: subscription, Target: target, Wanted: string(sel.State), From: db.AtOrNil(sel.From),
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

// RedeliveryOf gives a redelivery and how far it is. NotFound: the subscription has none under that ID.
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
		rest, err := o.transitions(ctx, q, limit)
		ids = append(ids, rest...)
		return err
	})
	return ids, err
}

// RedeliverSome goes on with a redelivery: see activities.Reader. One that is over is given as it is; one that is unknown as Stopped.
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
	free, err := o.capacity(ctx, q, row.Target, atOnce)
	if err != nil {
		return err
	}
	if limit = min(limit, free); limit <= 0 {
		return nil
	}
	where, args := row.selected()
	var batch []deliveryRow
	if err := q.AllIn(ctx, &batch, `SELECT d.id, d.ticket_id, d.part, d.at, d.seq FROM deliveries d WHERE `+where+` ORDER BY d.at, d.seq, d.id LIMIT ?`,
		append(args, limit)...); err != nil {
		return db.Wrap("list deliveries", err)
	}
	var lanes []int64
	for _, d := range batch {
		lanes = append(lanes, d.TicketID)
	}
	if err := q.LockLaneOwners(ctx, lanes); err != nil {
		return err
	}
	active, err := q.FindSubscription(ctx, new(int), db.Shared, `1`, `id = ? AND state = 'active'`, row.Target)
	if err != nil {
		return err
	}
	if active {
		n, err := o.startRounds(ctx, q, row.Target, batch, row.states()...)
		if err != nil {
			return err
		}
		row.Done += n
	} else {
		row.State = string(notice.Stopped)
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

// Backlog counts what waits to be delivered: deliveries whose first try is still to come, and retrying lanes.
func (o *Outbox) Backlog(ctx context.Context) (pending, retrying int, err error) {
	p, r, err := o.BacklogByAge(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	return p[0], r[0], nil
}

// BacklogByAge counts likewise, by how long it has waited: pending deliveries since what they tell of happened, lanes since they are retrying. ages rise; the first number is of
// what has waited no longer than the first of them, the last of what has waited longer than all.
func (o *Outbox) BacklogByAge(ctx context.Context, ages []time.Duration) (pending, retrying []int, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		now := q.Now()
		count := func(what, since, from string) ([]int, error) {
			var rows []struct {
				Class int `db:"class"`
				N     int `db:"n"`
			}
			class, args := "0", []any(nil)
			if len(ages) > 0 {
				class = "CASE"
				for i, age := range ages {
					class += fmt.Sprintf(" WHEN %s >= ? THEN %d", since, i)
					args = append(args, db.At(now.Add(-age)))
				}
				class += fmt.Sprintf(" ELSE %d END", len(ages))
			}
			err := q.All(ctx, &rows, `SELECT class, COUNT(*) AS n FROM (SELECT `+class+` AS class FROM `+from+`) x GROUP BY class`, args...)
			out := make([]int, len(ages)+1)
			for _, r := range rows {
				out[r.Class] = r.N
			}
			return out, db.Wrap("count "+what, err)
		}
		if pending, err = count("pending deliveries", "at", `deliveries WHERE state = 'pending'`); err == nil {
			retrying, err = count("retrying lanes", "parked_at", "lanes")
		}
		return err
	})
	return pending, retrying, err
}
