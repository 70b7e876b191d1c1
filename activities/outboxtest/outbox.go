// Package outboxtest says what is expected of an activities.Outbox, in a suite that every one passes, and has one in memory, for tests of what
// works with one.
package outboxtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"signalbox/activities"
	"signalbox/notice"
	"signalbox/ticket"
)

// ErrDown is what a broken outbox answers.
var ErrDown error = ticket.Refuse(ticket.Unavailable, "outboxtest: the database is down")

// Outbox keeps everything in memory. Its partition is always 0.
type Outbox struct {
	Now func() time.Time // at which deliveries come to be; default: they do not say

	mu            sync.Mutex
	subscriptions map[string]notice.Subscription
	deliveries    []*notice.Delivery // in the order in which they came to be
	attempts      []notice.Attempt
	alerts        []notice.Alert
	retrying      map[notice.Lane]bool
	spoilt        map[string]string
	down          bool
	redeliveries  []string
	notified      []chan struct{}
	changed       chan struct{} // closed at every change
}

var _ activities.Outbox = (*Outbox)(nil)

// New gives an empty outbox.
func New() *Outbox {
	return &Outbox{subscriptions: map[string]notice.Subscription{}, retrying: map[notice.Lane]bool{}, spoilt: map[string]string{},
		changed: make(chan struct{})}
}

// Subscribe adds an address under that id.
func (o *Outbox) Subscribe(id, url, profile string) {
	a := notice.AddressOf(url)
	o.change(func() {
		o.subscriptions[id] = notice.Subscription{ID: id, Tenant: "a", URL: a.URL, Host: a.Host, Profile: profile, Format: notice.FormatIssue, State: notice.Active}
	})
}

// Give makes a subscription another tenant's than a.
func (o *Outbox) Give(subscription, tenant string) {
	o.change(func() {
		s := o.subscriptions[subscription]
		s.Tenant = tenant
		o.subscriptions[subscription] = s
	})
}

// Alerts are what results were told of, as they were written down.
func (o *Outbox) Alerts() []notice.Alert {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.alerts)
}

// Enqueue adds deliveries to a lane, and notifies the drain. Their ids are the lane's name and a running number. Those of a dropped
// address are held, and a deleted one gets none.
func (o *Outbox) Enqueue(subscription string, ticket int64, n int) {
	o.EnqueueAfter(subscription, ticket, n, 0)
}

// EnqueueAfter does so because of what came so many hops.
func (o *Outbox) EnqueueAfter(subscription string, ticket int64, n, hops int) {
	o.change(func() {
		lane, sub := notice.Lane{Subscription: subscription, TicketID: ticket}, o.subscriptions[subscription]
		state := notice.Pending
		switch {
		case sub.State == notice.Deleted:
			return
		case sub.State == notice.Dropped:
			state = notice.Held
		case o.retrying[lane]:
			state = notice.Retrying
		}
		var now time.Time
		if o.Now != nil {
			now = o.Now()
		}
		for range n {
			seq := int64(1)
			for _, d := range o.deliveries {
				if d.Lane == lane {
					seq++
				}
			}
			id := fmt.Sprintf("%s:%d", lane, seq)
			o.deliveries = append(o.deliveries, &notice.Delivery{ID: id, Tenant: sub.Tenant, Lane: lane, Seq: seq, Type: "relations",
				Body: []byte(`{"id":"` + id + `"}`), Hops: hops, State: state, CreatedAt: now})
		}
		for _, signal := range o.notified {
			select {
			case signal <- struct{}{}:
			default:
			}
		}
	})
}

// Redeliver begins a redelivery under that id. It is never over.
func (o *Outbox) Redeliver(id string) {
	o.change(func() { o.redeliveries = append(o.redeliveries, id) })
}

// Delete deletes a subscription: what is queued for it is cancelled.
func (o *Outbox) Delete(subscription string) {
	o.change(func() { o.end(subscription, notice.Deleted, notice.Cancelled) })
}

// Spoil makes a subscription one to which nothing can be sent, for that reason.
func (o *Outbox) Spoil(subscription, reason string) {
	o.change(func() { o.spoilt[subscription] = reason })
}

// Break makes every call fail, or work again.
func (o *Outbox) Break(down bool) { o.change(func() { o.down = down }) }

// SetRetrying makes a lane retrying whose first try failed at that moment; with zero times, whose first try is still to come.
func (o *Outbox) SetRetrying(lane notice.Lane, at time.Time, next time.Time) {
	o.change(func() {
		first := true
		for _, d := range o.deliveries {
			if d.Lane != lane || d.State.Over() {
				continue
			}
			d.State = notice.Retrying
			if first && !at.IsZero() {
				d.Tries, d.FirstTry, d.NextTry, first = 1, &at, &next, false
			}
		}
		o.retrying[lane] = true
	})
}

func (o *Outbox) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
	close(o.changed)
	o.changed = make(chan struct{})
}

// Deliveries gives copies of all deliveries.
func (o *Outbox) Deliveries() []notice.Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []notice.Delivery
	for _, d := range o.deliveries {
		out = append(out, *d)
	}
	return out
}

// Attempts gives all attempts written down.
func (o *Outbox) Attempts() []notice.Attempt {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.attempts)
}

// Count counts the deliveries in a state.
func (o *Outbox) Count(state notice.DeliveryState) int {
	n := 0
	for _, d := range o.Deliveries() {
		if d.State == state {
			n++
		}
	}
	return n
}

// Subscription gives a subscription.
func (o *Outbox) Subscription(id string) notice.Subscription {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.subscriptions[id]
}

// IsRetrying reports whether a lane is retrying.
func (o *Outbox) IsRetrying(lane notice.Lane) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.retrying[lane]
}

// Await waits until the condition holds, looking again after every change. It reports false when ctx ended first.
func (o *Outbox) Await(ctx context.Context, condition func() bool) bool {
	for {
		o.mu.Lock()
		changed := o.changed
		o.mu.Unlock()
		if condition() {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Pending implements activities.Outbox.
func (o *Outbox) Pending(_ context.Context, partition int, busy []notice.Lane, limit int, hosts ...string) ([]notice.Work, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return nil, ErrDown
	}
	var out []notice.Work
	if partition != 0 {
		return nil, nil
	}
	seen := map[notice.Lane]bool{}
	for _, d := range o.deliveries {
		if d.State != notice.Pending || seen[d.Lane] {
			continue
		}
		seen[d.Lane] = true
		w := o.work(d)
		if !slices.Contains(hosts, w.Subscription.Host) && !slices.Contains(busy, d.Lane) && len(out) < limit {
			out = append(out, w)
		}
	}
	return out, nil
}

func (o *Outbox) work(d *notice.Delivery) notice.Work {
	return notice.Work{Delivery: *d, Subscription: o.subscriptions[d.Lane.Subscription], Unsendable: o.spoilt[d.Lane.Subscription]}
}

// Begin implements activities.Outbox.
func (o *Outbox) Begin(_ context.Context, delivery string, at time.Time) (begun bool, err error) {
	o.change(func() {
		if o.down {
			err = ErrDown
			return
		}
		for _, d := range o.deliveries {
			if d.ID == delivery && d.State == notice.Pending {
				d.FirstTry, begun = &at, true
			}
		}
	})
	return begun, err
}

// SaveResults implements activities.Outbox.
func (o *Outbox) SaveResults(_ context.Context, results []notice.Result) error {
	var err error
	o.change(func() {
		if o.down {
			err = ErrDown
			return
		}
		for _, r := range results {
			o.save(r)
		}
	})
	return err
}

// save writes one try down, unless it was before or its delivery is not there.
func (o *Outbox) save(r notice.Result) {
	a := r.Attempt
	i := slices.IndexFunc(o.deliveries, func(d *notice.Delivery) bool { return d.ID == r.Work.Delivery.ID })
	if i < 0 {
		return
	}
	d := o.deliveries[i]
	sub := o.subscriptions[d.Lane.Subscription]
	did := map[notice.AlertKind]bool{notice.BreakerOpened: true, notice.AddressDropped: r.Drop != "" && sub.State == notice.Active}
	if !r.PutOff {
		a.N = 1
		for _, earlier := range o.attempts {
			if earlier.DeliveryID != d.ID {
				continue
			}
			if a.N++; earlier.StartedAt.Equal(a.StartedAt) {
				return
			}
		}
		o.attempts = append(o.attempts, a)
		switch {
		case a.Class.Ours(): // it says nothing of the address
		case a.Succeeded:
			sub.FailingSince = nil
		case sub.FailingSince == nil:
			sub.FailingSince = &a.StartedAt
		}
		o.subscriptions[sub.ID] = sub
	}
	// What was cancelled or held meanwhile stays so, unless it did arrive before its address was dropped.
	if !d.State.Over() || d.State == notice.Held && r.Then == notice.Sent {
		did[notice.DeliveryFailed] = true
		o.move(d, r)
	}
	if did[notice.AddressDropped] {
		sub.Reason, sub.EndedAt = r.Drop, &a.FinishedAt
		o.subscriptions[sub.ID] = sub
		o.end(sub.ID, notice.Dropped, notice.Held)
	}
	for _, alert := range r.Alerts() {
		if did[alert.Kind] {
			o.alerts = append(o.alerts, alert)
		}
	}
}

func (o *Outbox) move(d *notice.Delivery, r notice.Result) {
	d.State, d.NextTry = r.Then, r.NextTry
	if !r.PutOff {
		d.Tries++
	}
	if d.FirstTry == nil {
		d.FirstTry = &r.Attempt.StartedAt
	}
	if r.Then.Over() {
		d.EndedAt = &r.Attempt.FinishedAt
		return
	}
	o.retrying[d.Lane] = true
	for _, other := range o.deliveries {
		if other.Lane == d.Lane && other.State == notice.Pending {
			other.State = notice.Retrying
		}
	}
}

func (o *Outbox) end(subscription string, state notice.SubscriptionState, then notice.DeliveryState) {
	s := o.subscriptions[subscription]
	s.State = state
	o.subscriptions[subscription] = s
	for _, d := range o.deliveries {
		if d.Lane.Subscription == subscription && !d.State.Over() {
			d.State = then
		}
	}
}

// Next implements activities.Outbox.
func (o *Outbox) Next(_ context.Context, lane notice.Lane) (notice.Work, bool, error) {
	var out notice.Work
	found, down := false, false
	o.change(func() {
		if down = o.down; down {
			return
		}
		for _, d := range o.deliveries {
			if d.Lane == lane && d.State == notice.Retrying {
				out, found = o.work(d), true
				return
			}
		}
		delete(o.retrying, lane)
	})
	if down {
		return out, false, ErrDown
	}
	return out, found, nil
}

// Retrying implements activities.Outbox.
func (o *Outbox) Retrying(_ context.Context, after notice.Lane, limit int) ([]notice.Lane, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []notice.Lane
	for lane := range o.retrying {
		if lane.String() > after.String() || after == (notice.Lane{}) {
			out = append(out, lane)
		}
	}
	slices.SortFunc(out, func(a, b notice.Lane) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	return out[:min(limit, len(out))], nil
}

// Partitions implements activities.Outbox.
func (o *Outbox) Partitions(context.Context) ([]int, error) {
	if o.Count(notice.Pending) == 0 {
		return nil, nil
	}
	return []int{0}, nil
}

// Redeliveries implements activities.Outbox.
func (o *Outbox) Redeliveries(_ context.Context, limit int) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.redeliveries[:min(limit, len(o.redeliveries))]), nil
}

// GatherDigests implements activities.Outbox. Nothing here waits for a digest.
func (o *Outbox) GatherDigests(context.Context, int) (int, error) { return 0, nil }

// Notifications implements activities.Outbox.
func (o *Outbox) Notifications(_ context.Context, partition int) <-chan struct{} {
	signal := make(chan struct{}, 1)
	if partition == 0 {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.notified = append(o.notified, signal)
	}
	return signal
}
