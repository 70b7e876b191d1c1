package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

const hook = "https://example.com/hook"

// subscribed opens a ticket that an address is registered on.
func (b *bench) subscribed() (*story, notice.Subscription) {
	s := b.opened("a", draft("x"))
	sub, err := b.Register(b.t.Context(), s.ticket, notice.Subscription{URL: hook})
	require.NoError(b.t, err)
	return s, sub
}

// tried is a try at a delivery at the clock's time.
func (b *bench) tried(w notice.Work, then notice.DeliveryState) notice.Result {
	start := b.clock.Now()
	b.clock.pass(time.Millisecond)
	r := notice.Result{Work: w, Then: then, Attempt: notice.Attempt{DeliveryID: w.Delivery.ID, StartedAt: start, FinishedAt: b.clock.Now(), Status: 200,
		Answer: []byte("ok"), Succeeded: then == notice.Sent}}
	if then != notice.Sent {
		r.Attempt.Status, r.Attempt.Class, r.Attempt.Error, r.Attempt.Answer = 0, notice.ErrorTimeout, "no \x00 answer", nil
	}
	if then == notice.Retrying {
		next := b.clock.Now().Add(time.Minute)
		r.NextTry = &next
	}
	return r
}

func (b *bench) record(results ...notice.Result) {
	b.t.Helper()
	require.NoError(b.t, b.outbox.SaveResults(b.t.Context(), results))
}

// deliveries are those of a subscription, oldest first.
func (b *bench) deliveries(sub notice.Subscription) []notice.DeliveryRecord {
	b.t.Helper()
	list, next, err := b.Deliveries(b.t.Context(), notice.Owner{}, sub.ID, "", 200)
	require.NoError(b.t, err)
	require.Empty(b.t, next)
	slices.Reverse(list)
	return list
}

func states(records []notice.DeliveryRecord) (list []notice.DeliveryState) {
	for _, r := range records {
		list = append(list, r.State)
	}
	return list
}

func (b *bench) counts(s *story, sub notice.Subscription) map[notice.DeliveryState]int {
	b.t.Helper()
	r, err := b.Registration(b.t.Context(), ownerOf(s.ticket), sub.ID)
	require.NoError(b.t, err)
	return r.Counts
}

func TestADeliveryIsSentInOrder(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		require.Empty(t, sub.Secret, "nobody asked for it")
		b.project(s, s.relate("manifest", "A")...)
		b.act(s, ticket.Command{Action: ticket.Accept})
		b.act(s, ticket.Command{Action: ticket.Close})
		pending := b.pending()
		require.Equal(t, []string{"relations", "status"}, kinds(pending))
		for _, w := range pending {
			require.True(t, strings.HasPrefix(w.Delivery.ID, "msg_"))
			require.True(t, strings.HasPrefix(w.Subscription.Secret, "whsec_"))
			require.Equal(t, notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID}, w.Delivery.Lane)
			require.Equal(t, notice.Partition(s.ticket.ID, 16), w.Delivery.Partition)
			require.Equal(t, hook, w.Subscription.URL)
			require.Equal(t, notice.Minutely, w.Subscription.Profile)
			_, err := notice.Sign(w.Subscription.Secret, w.Delivery.ID, epoch, w.Delivery.Body)
			require.NoError(t, err)
		}
		require.Equal(t, `{"id":"`+s.ticket.Number+`","type":"status","details":{"from":"OPEN","to":"CLOSED"}}`, string(pending[1].Delivery.Body))
		require.Equal(t, s.events[3].Seq, pending[1].Delivery.Seq)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE secret LIKE '%whsec%'`), "secrets are sealed")

		first := b.tried(pending[0], notice.Sent)
		b.record(first)
		b.record(first) // a lost answer: recorded again
		require.Equal(t, []string{"status"}, kinds(b.pending()))
		b.record(b.tried(pending[1], notice.Sent))
		require.Empty(t, b.pending())
		records := b.deliveries(sub)
		require.Equal(t, []notice.DeliveryState{notice.Sent, notice.Sent}, states(records))
		require.Len(t, records[0].Attempts, 1)
		want := first.Attempt
		want.N, want.StartedAt, want.FinishedAt = 1, want.StartedAt.Truncate(time.Microsecond), want.FinishedAt.Truncate(time.Microsecond)
		require.Equal(t, want, records[0].Attempts[0])
		require.Equal(t, want.FinishedAt, *records[0].EndedAt)
		require.Equal(t, want.StartedAt, *records[0].FirstTry)
		require.Equal(t, 1, records[0].Tries)
		require.Equal(t, map[notice.DeliveryState]int{notice.Sent: 2}, b.counts(s, sub))
	})
}

func TestPendingPassesBusyLanesBy(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		other, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook + "/2"})
		require.NoError(t, err)
		for i := range 5 {
			b.project(s, s.relate("manifest", fmt.Sprint(i))...)
		}
		part := notice.Partition(s.ticket.ID, 16)
		busy := []notice.Lane{{Subscription: "nobody", TicketID: 7}, {Subscription: sub.ID, TicketID: s.ticket.ID}}
		works := b.lanes(part, busy, 3)
		require.Len(t, works, 5)
		for i, w := range works {
			require.Equal(t, other.ID, w.Subscription.ID)
			require.EqualValues(t, i+2, w.Delivery.Seq)
		}
		works, err = b.outbox.Pending(t.Context(), part+1, nil, 3)
		require.NoError(t, err)
		require.Empty(t, works)
		parts, err := b.outbox.Partitions(t.Context())
		require.NoError(t, err)
		require.Equal(t, []int{part}, parts)
	})
}

func TestARetryingLaneGoesOnByItself(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		lane := notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID}
		for i := range 3 {
			b.project(s, s.relate("manifest", fmt.Sprint(i))...)
		}
		pending := b.pending()
		failed := b.tried(pending[0], notice.Retrying)
		b.record(failed)
		require.Empty(t, b.pending())
		retrying, err := b.outbox.Retrying(t.Context(), notice.Lane{}, 10)
		require.NoError(t, err)
		require.Equal(t, []notice.Lane{lane}, retrying)
		retrying, err = b.outbox.Retrying(t.Context(), lane, 10)
		require.NoError(t, err)
		require.Empty(t, retrying)

		b.project(s, s.relate("manifest", "born parked")...)
		require.Empty(t, b.pending())
		require.Equal(t, map[notice.DeliveryState]int{notice.Retrying: 4}, b.counts(s, sub))
		for i := range 4 {
			w, more, err := b.outbox.Next(t.Context(), lane)
			require.NoError(t, err)
			require.True(t, more)
			require.EqualValues(t, i+2, w.Delivery.Seq)
			require.NotEmpty(t, w.Subscription.Secret)
			require.NotNil(t, w.Subscription.FailingSince)
			require.Equal(t, failed.Attempt.StartedAt.Truncate(time.Microsecond), *w.Subscription.FailingSince)
			if i == 0 {
				require.Equal(t, 1, w.Delivery.Tries)
				require.Equal(t, failed.NextTry.Truncate(time.Microsecond), *w.Delivery.NextTry)
				require.Equal(t, failed.Attempt.StartedAt.Truncate(time.Microsecond), *w.Delivery.FirstTry)
				b.record(b.tried(w, notice.Retrying))
				again, _, err := b.outbox.Next(t.Context(), lane)
				require.NoError(t, err)
				require.Equal(t, w.Delivery.ID, again.Delivery.ID)
				require.Equal(t, 2, again.Delivery.Tries)
			}
			then := notice.Sent
			if i < 3 {
				then = notice.Failed // by a profile that lists
			}
			b.record(b.tried(w, then))
		}
		_, more, err := b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.False(t, more)
		retrying, err = b.outbox.Retrying(t.Context(), notice.Lane{}, 10)
		require.NoError(t, err)
		require.Empty(t, retrying)
		b.project(s, s.relate("manifest", "after")...)
		w := b.pending()
		require.Len(t, w, 1)
		require.Nil(t, w[0].Subscription.FailingSince, "the last one arrived")
		_, more, err = b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.False(t, more)
		require.Len(t, b.pending(), 1, "a lane that is not retrying has nothing for its workflow")
	})
}

func TestADroppedAddressHoldsTheRest(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		lane := notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID}
		for i := range 3 {
			b.project(s, s.relate("manifest", fmt.Sprint(i))...)
		}
		b.record(b.tried(b.pending()[0], notice.Retrying))
		w, _, err := b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		last := b.tried(w, notice.Failed)
		last.Drop = "failed 11 times"
		b.record(last)
		_, more, err := b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.False(t, more)
		require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Held, notice.Held}, states(b.deliveries(sub)))
		b.project(s, s.relate("manifest", "later")...)
		require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Held, notice.Held, notice.Held}, states(b.deliveries(sub)), "what comes is kept")
		require.Equal(t, map[notice.DeliveryState]int{notice.Failed: 1, notice.Held: 3}, b.counts(s, sub))
		require.Empty(t, b.pending(), "and not sent")
		registered, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Len(t, registered, 1)
		require.Equal(t, notice.Dropped, registered[0].State)
		require.Equal(t, "failed 11 times", registered[0].Reason)
		require.Equal(t, last.Attempt.FinishedAt.Truncate(time.Microsecond), *registered[0].EndedAt)
		err = b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, w.Delivery.ID)
		require.True(t, ticket.Is(err, ticket.Conflict))

		again, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		require.NotEqual(t, sub.ID, again.ID)
		b.project(s, s.relate("manifest", "again")...)
		require.Len(t, b.pending(), 1, "nothing of what is held is sent unasked")
		require.Len(t, b.deliveries(sub), 4, "the new one is told, and the old one holds nothing further")

		// One that did arrive before the address was dropped is not waiting any more.
		held := b.deliveries(sub)[1]
		b.record(b.tried(notice.Work{Delivery: held.Delivery, Subscription: sub}, notice.Sent))
		require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Sent, notice.Held, notice.Held}, states(b.deliveries(sub)))
		b.record(b.tried(notice.Work{Delivery: b.deliveries(sub)[2].Delivery, Subscription: sub}, notice.Retrying))
		require.Equal(t, notice.Held, b.deliveries(sub)[2].State)
		retrying, err := b.outbox.Retrying(t.Context(), notice.Lane{}, 10)
		require.NoError(t, err)
		require.Empty(t, retrying)
	})
}

// What an address was owed while it was dropped is delivered in order, under the ids that it had, once somebody asks for it.
func TestWhatCameWhileAnAddressWasDroppedIsReleasedInOrder(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		drop := func(sub notice.Subscription) {
			t.Helper()
			b.project(s, s.relate("manifest", b.id())...)
			works := b.of(sub, b.pending())
			require.Len(t, works, 1)
			r := b.tried(works[0], notice.Failed)
			r.Drop = "failed 11 times"
			b.record(r)
		}
		drop(sub)
		for i := range 3 {
			b.project(s, s.relate("manifest", fmt.Sprint(i))...)
			b.clock.pass(time.Second)
		}
		second, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		drop(second)
		b.project(s, s.relate("manifest", "second")...)
		require.Equal(t, map[notice.DeliveryState]int{notice.Failed: 1, notice.Held: 3}, b.counts(s, sub), "owed to its successor alone, though that was dropped too")
		require.Equal(t, map[notice.DeliveryState]int{notice.Failed: 1, notice.Held: 1}, b.counts(s, second))

		third, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		b.clock.pass(time.Second)
		var want []string
		for _, old := range []notice.Subscription{sub, second} {
			for _, d := range b.deliveries(old) {
				if d.State == notice.Held {
					want = append(want, d.ID)
				}
			}
			r := b.goOn(b.again(s, old, notice.Selection{State: notice.Held}), 10, 100)
			require.Equal(t, notice.Redelivered, r.State)
		}
		require.Len(t, want, 4)
		failed := b.deliveries(sub)[0].ID
		require.NoError(t, b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, failed), "one alone goes the same way")
		want = append([]string{failed}, want...)
		var got []string
		for _, w := range b.pending() {
			require.Equal(t, third.ID, w.Subscription.ID)
			got = append(got, w.Delivery.ID)
		}
		require.Equal(t, want, got)
	})
}

// A receiver that never comes back does not fill the database: what is held goes when it is old, like all that is over.
func TestWhatIsHeldForADroppedAddressIsPruned(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		all := b.follow(notice.Filter{})
		b.project(s, s.relate("manifest", "1")...)
		for _, w := range b.pending() {
			r := b.tried(w, notice.Failed)
			r.Drop = "gone"
			b.record(r)
		}
		b.project(s, s.relate("manifest", "2")...)
		held := func(sub notice.Subscription) (n int) {
			for _, d := range b.deliveries(sub) {
				if d.State == notice.Held {
					n++
				}
			}
			return n
		}
		require.Equal(t, 1, held(sub))
		require.GreaterOrEqual(t, held(all), 1)
		b.clock.pass(time.Hour)
		_, err := b.PruneDeliveries(t.Context(), b.clock.Now().Add(-time.Minute), 100)
		require.NoError(t, err)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM deliveries`))
		require.NotEmpty(t, b.timeline(s, 10), "alerts stay as long as their ticket")
		require.Positive(t, b.count(`SELECT COUNT(*) FROM alerts`))
	})
}

func TestADeletedAddressHoldsNothing(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		b.project(s, s.relate("manifest", "1")...)
		r := b.tried(b.pending()[0], notice.Failed)
		r.Drop = "gone"
		b.record(r)
		b.project(s, s.relate("manifest", "2")...)
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))
		b.project(s, s.relate("manifest", "3")...)
		require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Cancelled}, states(b.deliveries(sub)))
	})
}

func TestADeletedSubscriptionIsSentNothingMore(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		b.project(s, s.relate("manifest", "1")...)
		b.project(s, s.relate("manifest", "2")...)
		flying := b.pending()[0]
		other := b.opened("a", draft("y"))
		require.True(t, ticket.Is(b.Unsubscribe(t.Context(), ownerOf(other.ticket), sub.ID), ticket.NotFound))
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))
		require.Empty(t, b.pending())
		require.True(t, ticket.Is(b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID), ticket.NotFound))
		_, err := b.Registration(t.Context(), ownerOf(s.ticket), sub.ID)
		require.True(t, ticket.Is(err, ticket.NotFound))
		require.True(t, ticket.Is(b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, flying.Delivery.ID), ticket.NotFound))
		registered, _, err := b.Registered(t.Context(), s.ticket.ID, "", 0)
		require.NoError(t, err)
		require.Empty(t, registered)
		b.project(s, s.relate("manifest", "3")...)

		failed := b.tried(flying, notice.Failed)
		failed.Drop = "failed"
		b.record(b.tried(flying, notice.Sent), b.tried(flying, notice.Retrying), failed)
		records := b.deliveries(sub)
		require.Equal(t, []notice.DeliveryState{notice.Cancelled, notice.Cancelled}, states(records))
		require.Len(t, records[0].Attempts, 3, "the tries were made all the same")
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM subscriptions WHERE state = 'deleted'`))
		retrying, err := b.outbox.Retrying(t.Context(), notice.Lane{}, 10)
		require.NoError(t, err)
		require.Empty(t, retrying)
	})
}

func TestRedelivering(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		lane := notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID}
		b.project(s, s.relate("manifest", "1")...)
		w := b.pending()[0]
		redeliver := func() error { return b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, w.Delivery.ID) }
		require.True(t, ticket.Is(redeliver(), ticket.Conflict), "it has not been tried")
		require.True(t, ticket.Is(b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, "msg_x"), ticket.NotFound))
		require.True(t, ticket.Is(b.Redeliver(t.Context(), notice.Owner{Tenant: s.ticket.Tenant, TicketID: s.ticket.ID + 1}, sub.ID, w.Delivery.ID), ticket.NotFound))
		b.record(b.tried(w, notice.Sent))
		require.NoError(t, redeliver())
		again := b.pending()
		require.Len(t, again, 1)
		require.Equal(t, w.Delivery.ID, again[0].Delivery.ID)
		require.Equal(t, w.Delivery.Body, again[0].Delivery.Body)
		require.Zero(t, again[0].Delivery.Tries)
		require.Nil(t, again[0].Delivery.FirstTry)
		require.Nil(t, again[0].Delivery.EndedAt)
		b.record(b.tried(again[0], notice.Sent))

		// Into a retrying lane it goes retrying, and in its place: the order is that of the events.
		b.project(s, s.relate("manifest", "2")...)
		b.record(b.tried(b.pending()[0], notice.Retrying))
		require.NoError(t, redeliver())
		require.Empty(t, b.pending())
		next, more, err := b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.True(t, more)
		require.Equal(t, w.Delivery.ID, next.Delivery.ID)
		b.record(b.tried(next, notice.Failed))
		records := b.deliveries(sub)
		require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Retrying}, states(records))
		require.Equal(t, []int{1, 2, 3}, []int{records[0].Attempts[0].N, records[0].Attempts[1].N, records[0].Attempts[2].N}, "over all rounds")
		require.Equal(t, 1, records[0].Tries, "of this round")
		require.Equal(t, "no  answer", records[0].Attempts[2].Error)
	})
}

func TestDeliveriesArePaged(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		for i := range 25 {
			b.project(s, s.relate("manifest", fmt.Sprint(i))...)
		}
		var seqs []int64
		for cursor := ""; ; {
			list, next, err := b.Deliveries(t.Context(), notice.Owner{}, sub.ID, cursor, 10)
			require.NoError(t, err)
			for _, r := range list {
				seqs = append(seqs, r.Seq)
			}
			if cursor = next; next == "" {
				break
			}
			b.project(s, s.relate("manifest", "more", next)...)
		}
		require.Len(t, seqs, 25)
		for i, seq := range seqs {
			require.EqualValues(t, 26-i, seq, "newest first")
		}
	})
}

func TestRegisteringTheSameAddressAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		ids := make(chan string, 20)
		for range cap(ids) {
			go func() {
				sub, err := b.Register(background(), s.ticket, notice.Subscription{URL: hook})
				if err != nil {
					t.Error(err)
				}
				ids <- sub.ID
			}()
		}
		first := <-ids
		for range cap(ids) - 1 {
			require.Equal(t, first, <-ids)
		}
		other := b.opened("a", draft("y"))
		sub, err := b.Register(t.Context(), other.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		require.NotEqual(t, first, sub.ID)
		_, err = b.Register(t.Context(), ticket.Ticket{Identity: ticket.Identity{ID: 999}}, notice.Subscription{URL: hook})
		require.True(t, ticket.Is(err, ticket.NotFound))
	})
}

// While a lane is retrying and unparked over and over and events keep coming, nothing is ever pending in a retrying lane, and nothing is lost.
func TestRetryingAndProjectingAtOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub := b.subscribed()
		lane := notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID}
		const events = 40
		for i := range events {
			s.relate("manifest", fmt.Sprint(i))
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, e := range s.events[1:] {
				if err := b.ledger.Project(background(), s.ticket.Identity, []ticket.Event{e}); err != nil {
					t.Error(err)
				}
			}
		})
		wrong := errors.New("pending in a retrying lane")
		var seqs []int64
		drain := func() error {
			works, err := b.outbox.Pending(background(), notice.Partition(s.ticket.ID, 16), nil, 1)
			if err != nil || len(works) == 0 {
				return err
			}
			if err := b.outbox.SaveResults(background(), []notice.Result{b.tried(works[0], notice.Retrying)}); err != nil {
				return err
			}
			for {
				if b.count(`SELECT COUNT(*) FROM deliveries d JOIN lanes l ON l.ticket_id = d.ticket_id WHERE d.state = 'pending'`) > 0 {
					return wrong
				}
				w, more, err := b.outbox.Next(background(), lane)
				if err != nil || !more {
					return err
				}
				if err := b.outbox.SaveResults(background(), []notice.Result{b.tried(w, notice.Sent)}); err != nil {
					return err
				}
				seqs = append(seqs, w.Delivery.Seq)
			}
		}
		for len(seqs) < events && !t.Failed() {
			require.NoError(t, drain())
		}
		wg.Wait()
		require.Len(t, seqs, events)
		require.True(t, slices.IsSorted(seqs))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM lanes`))
	})
}

func TestManyResultsAtOnceFromManyWorkers(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var stories []*story
		for range 8 {
			s, _ := b.subscribed()
			for i := range 4 {
				b.project(s, s.relate("manifest", fmt.Sprint(i))...)
			}
			stories = append(stories, s)
		}
		var results []notice.Result
		for i, w := range b.pending() {
			r := b.tried(w, []notice.DeliveryState{notice.Sent, notice.Retrying, notice.Failed}[i%3])
			if i%11 == 10 {
				r.Then, r.Drop = notice.Failed, "dropped"
			}
			results = append(results, r)
		}
		require.Len(t, results, 32)
		// Every worker records everything, in its own order, as if all of them had lost track of each other.
		var wg sync.WaitGroup
		for i := range 6 {
			mine := slices.Clone(results)
			if i%2 == 0 {
				slices.Reverse(mine)
			}
			wg.Go(func() {
				for batch := range slices.Chunk(mine, 5+i) {
					if err := b.outbox.SaveResults(background(), batch); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.Equal(t, 32, b.count(`SELECT COUNT(*) FROM attempts`))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM attempts WHERE n <> 1`))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM deliveries d JOIN lanes l ON l.ticket_id = d.ticket_id AND l.subscription_id = d.subscription_id WHERE d.state = 'pending'`))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id WHERE s.state <> 'active' AND d.state IN ('pending', 'parked')`))
	})
}

func TestWaking(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, _ := b.subscribed()
		part := notice.Partition(s.ticket.ID, 16)
		mine, other := b.outbox.Notifications(t.Context(), part), b.outbox.Notifications(t.Context(), part+1)
		second := b.outbox.Notifications(t.Context(), part)
		quiet := func(c <-chan struct{}) {
			t.Helper()
			select {
			case <-c:
				t.Error("woken for nothing")
			default:
			}
		}
		hear := func(c <-chan struct{}) {
			t.Helper()
			select {
			case <-c:
			case <-time.After(time.Minute):
				t.Fatal("not woken")
			}
		}
		if strings.HasPrefix(b.dsn, "postgres") {
			hear(mine) // listening has begun
			hear(other)
			hear(second)
		}
		b.act(s, ticket.Command{Action: ticket.Accept}) // owes nothing
		b.project(s, s.relate("manifest", "1")...)
		hear(mine)
		hear(second)
		quiet(other)
		quiet(mine)

		// A signal that nobody fetched is not doubled, and one in a transaction that is given up is not sent.
		b.project(s, s.relate("manifest", "2")...)
		b.project(s, s.relate("manifest", "3")...)
		hear(mine)
		require.Len(t, b.pending(), 3)
		b.record(b.tried(b.pending()[0], notice.Sent))
		w := b.deliveries(b.pending()[0].Subscription)[0]
		require.NoError(t, b.Redeliver(t.Context(), ownerOf(s.ticket), w.Lane.Subscription, w.ID))
		hear(mine)
	})
}

// ownerOf is a ticket as the owner of its subscriptions.
func ownerOf(t ticket.Ticket) notice.Owner { return notice.Owner{Tenant: t.Tenant, TicketID: t.ID} }

// A database that was put back to an earlier state owes what it forgot under the ids it had given: receivers tell by them what they have.
func TestWhatIsOwedAgainHasTheIDItHad(t *testing.T) {
	t.Parallel()
	dsn := storetest.SQLite(t)
	b := open(t, dsn)
	s := b.opened("a", draft("x"))
	sub, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: "https://example.com/"})
	require.NoError(t, err)
	earlier := filepath.Join(t.TempDir(), "earlier.db")
	_, err = b.raw().ExecContext(t.Context(), `VACUUM INTO ?`, earlier)
	require.NoError(t, err)

	put := open(t, "sqlite:"+earlier)
	put.clock.pass(time.Hour)
	events := append(s.relate("manifest", "1"), s.relate("manifest", "2")...)
	b.project(s, events...)
	put.project(s, events...)
	had, again := b.deliveries(sub), put.deliveries(sub)
	require.Len(t, had, 2)
	for i, d := range had {
		require.Equal(t, d.ID, again[i].ID)
	}
	require.NotEqual(t, had[0].ID, had[1].ID)
}
