package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"signalbox/notice"
)

// outcome is a result on its way into the database.
type outcome struct {
	notice.Result
	alarms []*alarm
	did    map[notice.AlertKind]bool // what this very result brought about
}

// alarm is an alert on its way into its ticket's timeline and the stream.
type alarm struct {
	notice.Alert
	event     notice.Published
	followers []follower
	lane      int64 // of the stream
	where     place // in the lane, where somebody follows
}

// outcomesOf gives results with what they may have to be told of.
func outcomesOf(results []notice.Result) []*outcome {
	list := make([]*outcome, len(results))
	for i, result := range results {
		r := &outcome{Result: result, did: map[notice.AlertKind]bool{notice.BreakerOpened: result.BreakerOpened}}
		for _, a := range result.Alerts() {
			begun := at(result.Attempt.StartedAt).Format(time.RFC3339Nano)
			a.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(a.Delivery+"/"+begun+"/"+string(a.Kind))).String()
			a.Reason = tidy(a.Reason)
			r.alarms = append(r.alarms, &alarm{Alert: a})
		}
		list[i] = r
	}
	return list
}

// placeAlarms gives alerts their place after the last event of their ticket, which is held, and finds out who follows them in the stream. The
// subscription that an alert is about is not told of itself: what is sent there does not arrive.
func (q *session) placeAlarms(ctx context.Context, outcomes []*outcome, heads []headRow) error {
	told := map[string][]*alarm{} // by tenant
	for _, r := range outcomes {
		for _, a := range r.alarms {
			var head headRow
			if i := slices.IndexFunc(heads, func(h headRow) bool { return h.ID == a.TicketID }); i >= 0 {
				head = heads[i]
			}
			a.Place.Seq = head.Seq
			a.event = notice.OfAlert(a.Alert, head.Number)
			a.lane = notice.StreamLane(a.Tenant, a.event.Key)
			if !a.Quiet {
				told[a.Tenant] = append(told[a.Tenant], a)
			}
		}
	}
	for tenant, alarms := range told {
		events := make([]notice.Published, len(alarms))
		for i, a := range alarms {
			events[i] = a.event
		}
		followers, err := q.followers(ctx, tenant, events)
		if err != nil {
			return err
		}
		for i, a := range alarms {
			a.followers = slices.DeleteFunc(followers[i], func(f follower) bool { return f.ID == a.Subscription })
		}
	}
	return nil
}

// holdLanes locks lanes of the stream by id: those given, and those that alerts enter.
func (q *session) holdLanes(ctx context.Context, outcomes []*outcome, lanes []int64) error {
	entering := map[int64][]*alarm{}
	for _, r := range outcomes {
		for _, a := range r.alarms {
			if len(a.followers) > 0 {
				entering[a.lane] = append(entering[a.lane], a)
				lanes = append(lanes, a.lane)
			}
		}
	}
	for _, id := range distinct(lanes) {
		if len(entering[id]) == 0 {
			if err := q.lockOwner(ctx, id); err != nil {
				return err
			}
		}
		for _, a := range entering[id] {
			var err error
			if a.where, err = q.enterLane(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// raise tells of what did happen, in the timelines of tickets and in the stream.
func (q *session) raise(ctx context.Context, outcomes []*outcome) error {
	for _, r := range outcomes {
		for _, a := range r.alarms {
			if !r.did[a.Kind] {
				continue // it was held, cancelled or dropped before
			}
			if err := q.alert(ctx, a); err != nil {
				return fmt.Errorf("raise %s of %s: %w", a.Kind, a.Delivery, err)
			}
		}
	}
	return nil
}

// alert writes an alert into its ticket's timeline, if there is a ticket, and tells the stream. The ticket's row, the lane and the followers are
// held.
func (q *session) alert(ctx context.Context, a *alarm) error {
	if a.TicketID > 0 {
		if added, err := q.insertAlert(ctx, &a.Alert); err != nil || !added {
			return err
		}
	}
	if a.Quiet {
		return nil
	}
	id, err := uuid.Parse(a.ID)
	if err != nil {
		return fmt.Errorf("read an id: %w", err)
	}
	// What is about no ticket is known by its event alone to have been told.
	if added, err := q.keepEvent(ctx, id, a.Tenant, notice.OurSource, a.event); err != nil || !added {
		return err
	}
	followers := slices.DeleteFunc(a.followers, func(f follower) bool { return f.State == "" })
	if len(followers) == 0 {
		return nil
	}
	owed := map[string][]deliveryRow{}
	if err := owing(owed, a.event, a.where, followers); err != nil {
		return err
	}
	for _, rows := range owed {
		for i := range rows {
			rows[i].Alert = true
		}
	}
	return q.deliver(ctx, a.Tenant, a.lane, followers, owed)
}

// insertAlert is the one place that writes alerts. It gives the alert its place after those that follow the same event; the ticket's row is
// held. False: it is there already.
func (q *session) insertAlert(ctx context.Context, a *notice.Alert) (bool, error) {
	err := q.get(ctx, &a.Place.N, `SELECT COALESCE(MAX(n), 0) + 1 FROM alerts WHERE ticket_id = ? AND seq = ?`, a.TicketID, a.Place.Seq)
	if err != nil {
		return false, wrap("place an alert", err)
	}
	r := alertRow{ID: a.ID, Tenant: a.Tenant, Ticket: a.TicketID, Seq: a.Place.Seq, N: a.Place.N, At: at(a.At), Kind: string(a.Kind),
		Subscription: a.Subscription, Delivery: a.Delivery, Host: tidy(a.Host), Reason: a.Reason}
	tip, err := q.chainAlert(ctx, &r)
	if err != nil {
		return false, err
	}
	n, err := q.exec(ctx, `INSERT INTO alerts (`+alertColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		r.ID, r.Tenant, r.Ticket, r.Seq, r.N, r.At, r.Kind, r.Subscription, r.Delivery, r.Host, r.Reason, r.Hash)
	if err == nil && n > 0 {
		_, err = q.exec(ctx, `UPDATE tickets SET chain = ? WHERE id = ?`, tip, r.Ticket)
	}
	return n > 0, wrap("insert an alert", err)
}
