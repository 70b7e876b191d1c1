// Package outboxtest has an outbox in memory, for tests of what works with one.
package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/activities"
	"signalbox/notice"
)

// ErrDown is what a broken outbox answers.
var ErrDown = errors.New("outboxtest: the database is down")

// Outbox keeps everything in memory. Its partition is always 0.
type Outbox struct {
	mu            sync.Mutex
	subscriptions map[string]notice.Subscription
	deliveries    []*notice.Delivery // in the order in which they came to be
	attempts      []notice.Attempt
	alerts        []notice.Alert
	retrying      map[notice.Lane]bool
	spoilt        map[string]string
	down          bool
	wake          chan struct{}
	changed       chan struct{} // closed at every change
}

var _ activities.Outbox = (*Outbox)(nil)

// New gives an empty outbox.
func New() *Outbox {
	return &Outbox{subscriptions: map[string]notice.Subscription{}, retrying: map[notice.Lane]bool{}, spoilt: map[string]string{}, wake: make(chan struct{}, 1),
		changed: make(chan struct{})}
}

// Subscribe adds an address under that id.
func (o *Outbox) Subscribe(id, url, profile string) {
	o.change(func() {
		o.subscriptions[id] = notice.Subscription{ID: id, Tenant: "a", URL: url, Profile: profile, Format: notice.FormatIssue, State: notice.Active}
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

// Owe adds deliveries to a lane, and wakes the drain. Their ids are the lane's name and a running number.
func (o *Outbox) Owe(subscription string, ticket int64, n int) {
	o.change(func() {
		lane := notice.Lane{Subscription: subscription, TicketID: ticket}
		for range n {
			seq := int64(1)
			for _, d := range o.deliveries {
				if d.Lane == lane {
					seq++
				}
			}
			id := fmt.Sprintf("%s:%d", lane, seq)
			d := &notice.Delivery{ID: id, Tenant: o.subscriptions[subscription].Tenant, Lane: lane, Seq: seq, Type: "relations", Body: []byte(`{"id":"` + id + `"}`), State: notice.Pending}
			if o.retrying[lane] {
				d.State = notice.Retrying
			}
			o.deliveries = append(o.deliveries, d)
		}
	})
	select {
	case o.wake <- struct{}{}:
	default:
	}
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

// Park parks a lane whose first try failed at that moment; with zero times, whose first try is still to come.
func (o *Outbox) Park(lane notice.Lane, at time.Time, next time.Time) {
	o.change(func() {
		first := true
		for _, d := range o.deliveries {
			if d.Lane != lane {
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
func (o *Outbox) Pending(_ context.Context, _ int, busy []notice.Lane, limit int, origins ...string) ([]activities.Work, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return nil, ErrDown
	}
	var out []activities.Work
	for _, d := range o.deliveries {
		w := o.work(d)
		aside := slices.ContainsFunc(origins, func(origin string) bool { return strings.HasPrefix(w.Subscription.URL+"/", origin+"/") })
		if d.State == notice.Pending && !aside && !slices.Contains(busy, d.Lane) && len(out) < limit {
			out = append(out, w)
		}
	}
	return out, nil
}

func (o *Outbox) work(d *notice.Delivery) activities.Work {
	return activities.Work{Delivery: *d, Subscription: o.subscriptions[d.Lane.Subscription], Unsendable: o.spoilt[d.Lane.Subscription]}
}

// SaveResults implements activities.Outbox.
func (o *Outbox) SaveResults(_ context.Context, results []activities.Result) error {
	var err error
	o.change(func() {
		if o.down {
			err = ErrDown
			return
		}
		for _, r := range results {
			if !r.PutOff {
				o.attempts = append(o.attempts, r.Attempt)
			}
			o.alerts = append(o.alerts, r.Alerts()...)
			i := slices.IndexFunc(o.deliveries, func(d *notice.Delivery) bool { return d.ID == r.Work.Delivery.ID })
			o.settle(o.deliveries[i], r)
		}
	})
	return err
}

func (o *Outbox) settle(d *notice.Delivery, r activities.Result) {
	if d.State.Over() {
		return
	}
	d.State, d.NextTry = r.Then, r.NextTry
	if !r.PutOff {
		d.Tries++
	}
	if d.FirstTry == nil {
		d.FirstTry = &r.Attempt.StartedAt
	}
	if r.Then == notice.Retrying {
		o.retrying[d.Lane] = true
		for _, other := range o.deliveries {
			if other.Lane == d.Lane && other.State == notice.Pending {
				other.State = notice.Retrying
			}
		}
	}
	if r.Drop != "" {
		o.end(d.Lane.Subscription, notice.Dropped, notice.Held)
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
func (o *Outbox) Next(_ context.Context, lane notice.Lane) (activities.Work, bool, error) {
	var out activities.Work
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
func (o *Outbox) Partitions(context.Context) ([]int, error) { return []int{0}, nil }

// Redeliveries implements activities.Outbox.
func (o *Outbox) Redeliveries(context.Context, int) ([]string, error) { return []string{"r-1"}, nil }

// Wake implements activities.Outbox.
func (o *Outbox) Wake(context.Context, int) <-chan struct{} { return o.wake }
