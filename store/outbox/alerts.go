package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/ticket"
)

// outcome is a result on its way into the database.
type outcome struct {
	notice.Result
	alerts []*pendingAlert
	did    map[notice.AlertKind]bool // what this very result brought about
}

// pendingAlert is an alert on its way into its ticket's timeline and the stream.
type pendingAlert struct {
	notice.Alert
	event     notice.Published
	followers []follower
	lane      int64           // of the stream
	where     db.LanePosition // in the lane, where somebody follows
}

// outcomesOf gives results with the alerts that each may raise. An alert's ID follows from its delivery, its try and its kind, so that a result that is
// saved twice raises it once.
func outcomesOf(results []notice.Result) []*outcome {
	list := make([]*outcome, len(results))
	for i, result := range results {
		r := &outcome{Result: result, did: map[notice.AlertKind]bool{notice.BreakerOpened: result.BreakerOpened}}
		for _, a := range result.Alerts() {
			begun := db.At(result.Attempt.StartedAt).Format(time.RFC3339Nano)
			a.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(a.Delivery+"/"+begun+"/"+string(a.Kind))).String()
			a.Reason = db.CleanText(a.Reason)
			r.alerts = append(r.alerts, &pendingAlert{Alert: a})
		}
		list[i] = r
	}
	return list
}

// told is the outcome of no try, of which there is one alert.
func told(w notice.Work, a notice.Alert) []*outcome {
	a.ID, a.Reason = uuid.NewString(), db.CleanText(a.Reason)
	return []*outcome{{Result: notice.Result{Work: w}, alerts: []*pendingAlert{{Alert: a}}, did: map[notice.AlertKind]bool{a.Kind: true}}}
}

// positionAlerts gives alerts their position after the last event of their ticket, which is locked, and finds who follows them in the stream. The
// subscription that an alert is about is left out: what is sent there does not arrive.
func (o *Outbox) positionAlerts(ctx context.Context, q *db.Tx, outcomes []*outcome, heads []db.TicketHead) error {
	published := map[string][]*pendingAlert{} // by tenant
	for _, r := range outcomes {
		for _, a := range r.alerts {
			var head db.TicketHead
			if i := slices.IndexFunc(heads, func(h db.TicketHead) bool { return h.ID == a.TicketID }); i >= 0 {
				head = heads[i]
			}
			a.Position.Seq = head.Seq
			a.event = notice.OfAlert(a.Alert, head.Number)
			a.lane = StreamLane(a.Tenant, a.event.Key)
			if !a.Quiet {
				published[a.Tenant] = append(published[a.Tenant], a)
			}
		}
	}
	for tenant, alerts := range published {
		events := make([]notice.Published, len(alerts))
		for i, a := range alerts {
			events[i] = a.event
		}
		followers, err := o.followers(ctx, q, tenant, events)
		if err != nil {
			return err
		}
		for i, a := range alerts {
			a.followers = slices.DeleteFunc(followers[i], func(f follower) bool { return f.ID == a.Subscription })
		}
	}
	return nil
}

// lockStreamLanes locks lanes of the stream by id: those given, and those that alerts enter.
func (o *Outbox) lockStreamLanes(ctx context.Context, q *db.Tx, outcomes []*outcome, lanes []int64) error {
	entering := map[int64][]*pendingAlert{}
	for _, r := range outcomes {
		for _, a := range r.alerts {
			if len(a.followers) > 0 {
				entering[a.lane] = append(entering[a.lane], a)
				lanes = append(lanes, a.lane)
			}
		}
	}
	for _, id := range db.Distinct(lanes) {
		if len(entering[id]) == 0 {
			if err := q.LockLaneOwner(ctx, id); err != nil {
				return err
			}
		}
		for _, a := range entering[id] {
			var err error
			if a.where, err = q.EnterLane(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAlerts inserts the alerts of what did happen into the timelines of tickets, and publishes them in the stream.
func (o *Outbox) writeAlerts(ctx context.Context, q *db.Tx, outcomes []*outcome) error {
	for _, r := range outcomes {
		for _, a := range r.alerts {
			if !r.did[a.Kind] {
				continue // it was held, cancelled or dropped before
			}
			if err := o.writeAlert(ctx, q, a); err != nil {
				return fmt.Errorf("raise %s of %s: %w", a.Kind, a.Delivery, err)
			}
		}
	}
	return nil
}

// writeAlert inserts an alert into its ticket's timeline, if there is a ticket, and publishes it in the stream unless it is quiet. The ticket's row, the
// lane and the followers are locked.
func (o *Outbox) writeAlert(ctx context.Context, q *db.Tx, a *pendingAlert) error {
	known := a.TicketID <= 0
	if !known {
		var err error
		if known, err = o.isKnown(ctx, q, &a.Alert); err != nil {
			return err
		}
	}
	if !known {
		if added, err := o.insertAlert(ctx, q, &a.Alert); err != nil || !added {
			return err
		}
		if err := o.markUndelivered(ctx, q, a.Alert); err != nil {
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
	// An alert about no ticket, or that its timeline is not told of, is in the stream alone: whether it is there already, its event says.
	if added, err := o.insertPublished(ctx, q, id, a.Tenant, notice.OurSource, a.event); err != nil || !added {
		return err
	}
	followers := slices.DeleteFunc(a.followers, func(f follower) bool { return f.State == "" })
	if len(followers) == 0 {
		return nil
	}
	pending := map[string][]deliveryRow{}
	if err := addPublished(pending, a.event, a.where, followers); err != nil {
		return err
	}
	for _, rows := range pending {
		for i := range rows {
			rows[i].Alert = true
		}
	}
	return o.insertDeliveries(ctx, q, a.Tenant, a.lane, followers, pending)
}

// markUndelivered writes down that an address of a ticket's own is owed something that was given up. Whether it still is, readers look: see store/tickets/stuck.go.
func (o *Outbox) markUndelivered(ctx context.Context, q *db.Tx, a notice.Alert) error {
	if a.Kind != notice.DeliveryFailed && a.Kind != notice.AddressDropped || a.Once {
		return nil
	}
	err := q.Later(ctx, `INSERT INTO stuck (ticket_id, cause, tenant, since) SELECT s.ticket_id, ?, s.tenant, ? FROM subscriptions s WHERE s.id = ? AND s.ticket_id = ? ON CONFLICT DO NOTHING`,
		string(ticket.CauseUndelivered), db.At(a.At), a.Subscription, a.TicketID)
	return db.Wrap("mark a ticket as stuck", err)
}

// RaiseAlert writes an alert that is about a ticket and no delivery into its timeline, and into the stream. The ticket's row is locked, and nothing behind it.
func (o *Outbox) RaiseAlert(ctx context.Context, q *db.Tx, a notice.Alert) error {
	outcomes := told(notice.Work{Delivery: notice.Delivery{Lane: notice.Lane{TicketID: a.TicketID}}}, a)
	if err := o.lockAddresses(ctx, q, outcomes); err != nil {
		return err
	}
	return o.writeAlerts(ctx, q, outcomes)
}

// isKnown reports whether a timeline has been told already that the address of an alert takes nothing: another delivery was given up, sooner, since it last took one.
func (o *Outbox) isKnown(ctx context.Context, q *db.Tx, a *notice.Alert) (bool, error) {
	if !a.Once {
		return false, nil
	}
	var one int
	known, err := q.Find(ctx, &one, `SELECT 1 FROM deliveries d WHERE d.subscription_id = ? AND d.state = 'failed' AND d.ticket_id > 0
		AND d.ended_at >= (SELECT s.failing_since FROM subscriptions s WHERE s.id = ?) AND (d.ended_at, d.id) < (?, ?) ORDER BY d.ended_at, d.id LIMIT 1`,
		a.Subscription, a.Subscription, db.At(a.At), a.Delivery)
	return known, db.Wrap("look for an earlier alert", err)
}

// insertAlert inserts an alert after those that follow the same event of its ticket, chained to the ticket's timeline. Nothing else inserts alerts. The
// ticket's row is locked. False: it is there already.
func (o *Outbox) insertAlert(ctx context.Context, q *db.Tx, a *notice.Alert) (bool, error) {
	err := q.Get(ctx, &a.Position.N, `SELECT COALESCE(MAX(n), 0) + 1 FROM alerts WHERE ticket_id = ? AND seq = ?`, a.TicketID, a.Position.Seq)
	if err != nil {
		return false, db.Wrap("place an alert", err)
	}
	r := chain.AlertRow{ID: a.ID, Tenant: a.Tenant, Ticket: a.TicketID, Seq: a.Position.Seq, N: a.Position.N, At: db.At(a.At), Kind: string(a.Kind),
		Subscription: a.Subscription, Delivery: a.Delivery, Host: db.CleanText(a.Host), Reason: a.Reason}
	tip, err := o.chain.ChainAlert(ctx, q, &r)
	if err != nil {
		return false, err
	}
	n, err := q.Exec(ctx, `INSERT INTO alerts (`+chain.AlertColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		r.ID, r.Tenant, r.Ticket, r.Seq, r.N, r.At, r.Kind, r.Subscription, r.Delivery, r.Host, r.Reason, r.Hash)
	if err == nil && n > 0 {
		_, err = q.Exec(ctx, `UPDATE tickets SET chain = ? WHERE id = ?`, tip, r.Ticket)
	}
	return n > 0, db.Wrap("insert an alert", err)
}
