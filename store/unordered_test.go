package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

// unordered follows everything, in no order.
func (b *bench) unordered() notice.Subscription {
	b.t.Helper()
	sub, err := b.Subscribe(b.t.Context(), notice.Subscription{Tenant: "a", URL: hook, Format: notice.FormatEvent, Profile: notice.Standard, Unordered: true})
	require.NoError(b.t, err)
	return sub
}

func (b *bench) retryingLanes() []notice.Lane {
	b.t.Helper()
	var all []notice.Lane
	for after := (notice.Lane{}); ; { // in pieces
		lanes, err := b.outbox.Retrying(b.t.Context(), after, 2)
		require.NoError(b.t, err)
		if len(lanes) == 0 {
			return all
		}
		all = append(all, lanes...)
		after = lanes[len(lanes)-1]
	}
}

// Of a subscription that asks for no order nothing waits for anything: neither for a first try, nor while one is tried again.
func TestWithoutOrderNoneKeepsOthersWaiting(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub, ordered := b.unordered(), b.follow(notice.Filter{})
		for range 4 {
			b.publish(seed())
		}
		part := notice.Partition(b.deliveries(sub)[0].Lane.TicketID, 16)
		listed := func(busy ...notice.Lane) []notice.Work {
			works, err := b.outbox.Pending(t.Context(), part, busy, 100)
			require.NoError(t, err)
			return works
		}
		works := b.of(sub, listed())
		require.Len(t, works, 4, "each is a lane by itself")
		require.Len(t, b.of(ordered, listed()), 1)
		require.Len(t, b.of(sub, listed(works[0].Delivery.Lane, works[1].Delivery.Lane)), 2)
		b.record(b.tried(works[1], notice.Retrying), b.tried(works[2], notice.Sent))
		putOff := notice.Result{Work: works[3], Then: notice.Retrying, PutOff: true, NextTry: new(time.Time), Attempt: notice.Attempt{StartedAt: b.clock.Now()}}
		*putOff.NextTry = b.clock.Now().Add(time.Minute)
		b.record(putOff)
		require.Equal(t, []notice.DeliveryState{notice.Pending, notice.Retrying, notice.Sent, notice.Retrying}, states(b.deliveries(sub)))
		b.publish(seed())
		require.Len(t, b.of(sub, listed()), 2, "what comes begins afresh")

		lanes := b.retryingLanes()
		require.ElementsMatch(t, []notice.Lane{works[1].Delivery.Lane, works[3].Delivery.Lane}, lanes)
		require.Equal(t, works[1].Delivery.ID, works[1].Delivery.Lane.Delivery)
		w, more, err := b.outbox.Next(t.Context(), works[1].Delivery.Lane)
		require.NoError(t, err)
		require.True(t, more)
		require.Equal(t, works[1].Delivery.ID, w.Delivery.ID)
		require.Equal(t, 1, w.Delivery.Tries)
		b.record(b.tried(w, notice.Sent))
		_, more, err = b.outbox.Next(t.Context(), works[1].Delivery.Lane)
		require.NoError(t, err)
		require.False(t, more)
		require.Equal(t, []notice.Lane{works[3].Delivery.Lane}, b.retryingLanes())

		// With order, one that fails takes those behind it along.
		b.record(b.tried(b.of(ordered, listed())[0], notice.Retrying))
		require.Empty(t, b.of(ordered, listed()))
		require.Len(t, b.of(sub, listed()), 2)
		require.Len(t, b.retryingLanes(), 2)
		lane, err := b.TryNow(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, works[3].Delivery.ID)
		require.NoError(t, err)
		require.Equal(t, works[3].Delivery.Lane, lane)
		_, waits, err := b.Cancel(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, works[3].Delivery.ID, "demo")
		require.NoError(t, err)
		require.True(t, waits)
	})
}

// One that is resumed while a try of a lane may still be under way waits for that, without order too.
func TestWithoutOrderATryIsNotMadeBesideAnother(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.unordered()
		b.publish(seed())
		b.record(b.tried(b.pending()[0], notice.Retrying)) // its lane's workflow begins the next
		b.clock.pass(time.Second)
		b.amend(sub, notice.Paused)
		b.clock.pass(notice.TryLimit / 2)
		b.amend(sub, notice.Active)
		require.Equal(t, []notice.DeliveryState{notice.Held}, states(b.deliveries(sub)))
		b.clock.pass(notice.TryLimit)
		for _, id := range b.rest() {
			b.goOnWith(id)
		}
		require.Equal(t, []notice.DeliveryState{notice.Pending}, states(b.deliveries(sub)), "its round begins anew")
		require.Empty(t, b.retryingLanes())
	})
}

func (b *bench) narrow(sub notice.Subscription, f notice.Filter) {
	b.t.Helper()
	_, err := b.Amend(b.t.Context(), "a", sub.ID, func(s notice.Subscription) (notice.Subscription, error) {
		s.Filter = f
		return s, nil
	})
	require.NoError(b.t, err)
}

// What waits is held against a new filter.
func TestANarrowedFilterHoldsForWhatWaits(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub, other := b.follow(notice.Filter{}), b.follow(notice.Filter{})
		publish := func(key, status string) {
			p := seed()
			p.Key, p.Status = key, status
			b.clock.pass(time.Second)
			b.publish(p)
		}
		for _, status := range []string{"1", "2", "1", "2"} {
			publish("failing", status)
		}
		publish("fresh", "1")
		publish("fresh", "2")
		var first notice.Work
		for _, w := range b.of(sub, b.pending()) {
			if w.Delivery.Lane == b.deliveries(sub)[0].Lane {
				first = w
				break
			}
		}
		b.record(b.tried(first, notice.Retrying))
		_, err := b.Try(t.Context(), "a", "demo", sub.ID, notice.OfTest(sub.ID, "r"))
		require.NoError(t, err)
		b.narrow(sub, notice.Filter{Source: seed().Source}) // which chooses all of it
		require.NotContains(t, states(b.deliveries(sub)), notice.Cancelled)

		b.narrow(sub, notice.Filter{Status: "2"})
		require.Equal(t, []notice.DeliveryState{notice.Cancelled, notice.Pending, notice.Cancelled, notice.Pending, notice.Cancelled, notice.Pending, notice.Pending}, states(b.deliveries(sub)),
			"what is behind one that was tried goes on, and a test is sent whatever the filter")
		require.Empty(t, b.retryingLanes())
		for _, d := range b.deliveries(sub) {
			require.Equal(t, d.State == notice.Cancelled, d.Reason == "the subscription asks for it no longer")
			require.Equal(t, d.State == notice.Cancelled, d.EndedAt != nil)
		}
		require.NotContains(t, states(b.deliveries(other)), notice.Cancelled)
		require.Empty(t, b.rest())
		got := map[notice.Lane][]string{}
		b.send(got)
		require.NoError(t, b.Redeliver(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, first.Delivery.ID))
		require.Equal(t, notice.Pending, b.deliveries(sub)[0].State)
		require.Empty(t, b.deliveries(sub)[0].Reason)
		b.send(got)

		// What is held is sifted too, and what was tried itself goes on being tried.
		b.narrow(sub, notice.Filter{})
		publish("held", "2")
		publish("held", "3")
		lane := b.of(sub, b.pending())[0]
		b.record(b.tried(lane, notice.Retrying))
		publish("other", "3")
		b.narrow(sub, notice.Filter{Source: seed().Source, Status: "2"})
		list := b.deliveries(sub)[7:]
		require.Equal(t, []notice.DeliveryState{notice.Retrying, notice.Cancelled}, states(list)[:2])
		b.amend(sub, notice.Paused)
		b.narrow(sub, notice.Filter{Status: "9"})
		require.Equal(t, notice.Cancelled, b.deliveries(sub)[7].State)
	})
}

// Where very much waits, all of it is looked at, a little at a time, and nothing is sent before it was.
func TestMuchThatWaitsIsSiftedALittleAtATime(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		const n = 2600
		b.heap(sub, notice.Pending, n, 7)
		_, err := b.raw().Exec(fmt.Sprintf(`UPDATE deliveries SET body = '{"event_source":"s","event_status":"' || CASE WHEN seq %% 2 = 0 THEN 'yes' ELSE 'no' END || '"}' WHERE subscription_id = '%s'`, sub.ID))
		require.NoError(t, err)
		wanted := b.count(`SELECT COUNT(*) FROM deliveries WHERE body LIKE '%yes%'`)
		b.narrow(sub, notice.Filter{Status: "yes"})
		require.Empty(t, b.sendable(), "before the rest was looked at")
		require.Equal(t, []string{"turn:" + sub.ID}, b.rest())
		require.Less(t, b.bulk(sub, notice.Cancelled), n-wanted)
		for range 10 {
			if b.goOnWith("turn:"+sub.ID).State == notice.Redelivered {
				break
			}
		}
		require.Empty(t, b.rest())
		require.Equal(t, n-wanted, b.bulk(sub, notice.Cancelled))
		require.Equal(t, wanted, b.bulk(sub, notice.Pending))
		works := b.sendable()
		require.Len(t, works, wanted)
		require.False(t, slices.ContainsFunc(works, func(w notice.Work) bool {
			return string(w.Delivery.Body) != `{"event_source":"s","event_status":"yes"}`
		}))

		b.narrow(sub, notice.Filter{Status: "no"})
		require.NoError(t, b.Unsubscribe(t.Context(), notice.Owner{Tenant: "a"}, sub.ID))
		for range 10 {
			for _, id := range b.rest() {
				b.goOnWith(id)
			}
		}
		require.Empty(t, b.rest(), "one that is deleted meanwhile is done with")
		require.Zero(t, b.bulk(sub, notice.Pending))
	})
}

// A try that comes due while the rest is looked at finds nothing that is sent, and its lane is gone on with afterwards.
func TestARetryingLaneOutlastsASifting(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub := b.follow(notice.Filter{})
		const n = 2600
		b.heap(sub, notice.Pending, n, 7)
		_, err := b.raw().Exec(fmt.Sprintf(`UPDATE deliveries SET body = '{"event_source":"s","event_status":"' || CASE WHEN ticket_id = -7 THEN 'no' ELSE 'yes' END || '"}' WHERE subscription_id = '%s'`, sub.ID))
		require.NoError(t, err)
		works := b.sendable()
		first := func(ticket int64) notice.Work {
			return works[slices.IndexFunc(works, func(w notice.Work) bool { return w.Delivery.Lane.TicketID == ticket })]
		}
		lane, done := first(-1).Delivery.Lane, first(-7).Delivery.Lane
		b.record(b.tried(first(-1), notice.Retrying), b.tried(first(-7), notice.Retrying))
		behind := b.bulk(sub, notice.Retrying)
		b.narrow(sub, notice.Filter{Status: "yes"})
		require.Len(t, b.rest(), 1)
		look := func() {
			for _, l := range []notice.Lane{lane, done} {
				_, more, err := b.outbox.Next(t.Context(), l)
				require.NoError(t, err)
				require.False(t, more, "before the rest was looked at")
			}
		}
		look()
		b.consistent()
		for range 5 {
			b.goOnWith("turn:" + sub.ID)
			b.consistent()
		}
		require.Empty(t, b.rest())
		require.Equal(t, []notice.Lane{lane}, b.retryingLanes(), "as the sweep finds it")
		require.Equal(t, behind/2, b.bulk(sub, notice.Retrying))
		for range b.bulk(sub, notice.Retrying) {
			w, more, err := b.outbox.Next(t.Context(), lane)
			require.NoError(t, err)
			require.True(t, more)
			b.record(b.tried(w, notice.Sent))
		}
		look()
		require.Empty(t, b.retryingLanes(), "nothing is left of it")
	})
}
