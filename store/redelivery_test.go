package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/ticket"
)

// owing opens a ticket whose address owes so many deliveries, and gives them.
func (b *bench) owing(n int) (*story, notice.Subscription, []notice.Work) {
	b.t.Helper()
	s, sub := b.subscribed()
	for i := range n {
		b.project(s, s.relate("manifest", fmt.Sprint(i))...)
	}
	return s, sub, b.pending()
}

func (b *bench) again(s *story, sub notice.Subscription, sel notice.Selection) notice.Redelivery {
	b.t.Helper()
	r, err := b.BeginRedelivery(b.t.Context(), ownerOf(s.ticket), sub.ID, sel, false)
	require.NoError(b.t, err)
	require.NotEmpty(b.t, r.ID)
	return r
}

func (b *bench) goOn(r notice.Redelivery, limit, atOnce int) notice.Redelivery {
	b.t.Helper()
	b.clock.pass(time.Second)
	out, err := b.RedeliverSome(b.t.Context(), r.ID, limit, atOnce)
	require.NoError(b.t, err)
	return out
}

func idsOf(works []notice.Work) (ids []string) {
	for _, w := range works {
		ids = append(ids, w.Delivery.ID)
	}
	return ids
}

func TestManyAreDeliveredAgainUnderTheirIDs(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(7)
		for i, w := range works {
			then := notice.Failed
			if i == 3 {
				then = notice.Sent
			}
			b.record(b.tried(w, then))
		}
		b.clock.pass(time.Minute)
		dry, err := b.BeginRedelivery(t.Context(), ownerOf(s.ticket), sub.ID, notice.Selection{State: notice.Failed}, true)
		require.NoError(t, err)
		require.Equal(t, []any{"", 6}, []any{dry.ID, dry.Total})
		open, err := b.outbox.Redeliveries(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, open, "it was only counted")

		r := b.again(s, sub, notice.Selection{State: notice.Failed})
		open, err = b.outbox.Redeliveries(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, []string{r.ID}, open)
		require.Equal(t, 6, r.Total)
		require.Empty(t, b.pending(), "nothing has been done yet")
		r = b.goOn(r, 4, 100)
		require.Equal(t, []any{notice.Redelivering, 4}, []any{r.State, r.Done})
		ids := idsOf(works)
		again := b.pending()
		require.Equal(t, []string{ids[0], ids[1], ids[2], ids[4]}, idsOf(again), "oldest first, under their ids")
		require.Equal(t, works[0].Delivery.Body, again[0].Delivery.Body)
		require.Zero(t, again[0].Delivery.Tries)
		b.record(b.tried(again[0], notice.Failed)) // failing again, it is not put back again
		r = b.goOn(r, 4, 3)
		require.Equal(t, 4, r.Done, "as many wait as may")
		r = b.goOn(r, 4, 5)
		require.Equal(t, []any{notice.Redelivering, 6}, []any{r.State, r.Done}, "as many as there was room for")
		r = b.goOn(r, 4, 100)
		require.Equal(t, []any{notice.Redelivered, 6}, []any{r.State, r.Done})
		require.Len(t, b.pending(), 5)
	})
}

func TestARedeliveryIsOfATime(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(6)
		for _, w := range works {
			b.record(b.tried(w, notice.Sent))
		}
		from, to := s.events[2].At, s.events[4].At
		r := b.goOn(b.again(s, sub, notice.Selection{From: &from, To: &to}), 10, 100)
		require.Equal(t, []any{notice.Redelivered, 2, 2}, []any{r.State, r.Total, r.Done})
		require.Equal(t, idsOf(works[1:3]), idsOf(b.pending()))
		told, err := b.RedeliveryOf(t.Context(), "a", sub.ID, r.ID)
		require.NoError(t, err)
		require.Equal(t, r, told)
		require.NotNil(t, told.EndedAt)
		_, err = b.RedeliveryOf(t.Context(), "b", sub.ID, r.ID)
		require.True(t, ticket.Is(err, ticket.NotFound))
		_, err = b.BeginRedelivery(t.Context(), notice.Owner{Tenant: "b", TicketID: s.ticket.ID}, sub.ID, notice.Selection{State: notice.Sent}, true)
		require.True(t, ticket.Is(err, ticket.NotFound))
		_, err = b.BeginRedelivery(t.Context(), ownerOf(s.ticket), sub.ID, notice.Selection{}, true)
		require.True(t, ticket.Is(err, ticket.Invalid))
	})
}

func TestWhatIsHeldGoesToTheAddressOnceItIsRegisteredAgain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(4)
		last := b.tried(works[0], notice.Failed)
		last.Drop = "failed"
		b.record(last)
		require.Equal(t, []notice.DeliveryState{notice.Failed, notice.Held, notice.Held, notice.Held}, states(b.deliveries(sub)))
		_, err := b.BeginRedelivery(t.Context(), ownerOf(s.ticket), sub.ID, notice.Selection{State: notice.Held}, false)
		require.True(t, ticket.Is(err, ticket.Conflict), "nobody is there to be told")

		again, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		b.project(s, s.relate("manifest", "after")...)
		r := b.again(s, sub, notice.Selection{State: notice.Held})
		r = b.goOn(r, 10, 100)
		require.Equal(t, []any{notice.Redelivered, 3}, []any{r.State, r.Done})
		pending := b.pending()
		require.Equal(t, idsOf(works[1:]), idsOf(pending)[:3], "before what came later, under their ids")
		require.Len(t, pending, 4)
		for _, w := range pending {
			require.Equal(t, again.ID, w.Subscription.ID)
		}
	})
}

func TestWhatTheAddressIsSentAlreadyIsPassedOver(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(4)
		last := b.tried(works[0], notice.Failed)
		last.Drop = "failed"
		b.record(last)
		again, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		_, err = b.raw().ExecContext(t.Context(), `INSERT INTO deliveries (id, tenant, subscription_id, ticket_id, part, at, seq, type, body, state, tries, created_at, ended_at)
			SELECT id || 'x', tenant, '`+again.ID+`', ticket_id, part, at, seq, type, body, 'sent', 1, created_at, created_at FROM deliveries WHERE seq < 5`)
		require.NoError(t, err)
		r := b.again(s, sub, notice.Selection{State: notice.Held})
		for range 4 {
			r = b.goOn(r, 1, 100)
		}
		require.Equal(t, []any{notice.Redelivered, 3, 1}, []any{r.State, r.Total, r.Done})
		require.Equal(t, idsOf(works[3:]), idsOf(b.pending()))
		require.True(t, ticket.Is(b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, works[1].Delivery.ID), ticket.Conflict), "so it is when one is asked for alone")
	})
}

func TestARedeliveryStopsWithItsAddress(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(4)
		for _, w := range works {
			b.record(b.tried(w, notice.Failed))
		}
		r := b.goOn(b.again(s, sub, notice.Selection{State: notice.Failed}), 2, 100)
		require.Equal(t, 2, r.Done)
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))
		r = b.goOn(r, 2, 100)
		require.Equal(t, []any{notice.Stopped, 2}, []any{r.State, r.Done})
		require.Equal(t, r, b.goOn(r, 2, 100), "and stays so")
		require.Empty(t, b.pending())
		gone, err := b.RedeliverSome(t.Context(), "nothing", 2, 2)
		require.NoError(t, err)
		require.Equal(t, notice.Stopped, gone.State)
	})
}

func TestIntoARetryingLaneTheyGoRetrying(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(3)
		b.record(b.tried(works[0], notice.Failed))
		b.record(b.tried(works[1], notice.Retrying))
		r := b.goOn(b.again(s, sub, notice.Selection{State: notice.Failed}), 10, 100)
		require.Equal(t, 1, r.Done)
		require.Empty(t, b.pending())
		next, more, err := b.outbox.Next(t.Context(), notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID})
		require.NoError(t, err)
		require.True(t, more)
		require.Equal(t, works[0].Delivery.ID, next.Delivery.ID)
	})
}

func TestOldDeliveriesArePrunedAndOthersStay(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(8)
		for i, then := range []notice.DeliveryState{notice.Sent, notice.Failed, notice.Sent, notice.Retrying} {
			b.record(b.tried(works[i], then))
		}
		r := b.goOn(b.again(s, sub, notice.Selection{State: notice.Failed}), 10, 100)
		require.Equal(t, notice.Redelivered, r.State)
		limit := b.clock.Now().Add(time.Second)
		b.clock.pass(time.Hour)
		next, _, err := b.outbox.Next(t.Context(), notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID})
		require.NoError(t, err)
		b.record(b.tried(next, notice.Sent)) // over, but not for long

		n, err := b.PruneDeliveries(t.Context(), limit, 1)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "a little at a time")
		n, err = b.PruneDeliveries(t.Context(), limit, 100)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		left := b.deliveries(sub)
		require.Len(t, left, 6)
		require.Equal(t, notice.Sent, left[0].State)
		require.Len(t, left[0].Attempts, 2)
		for _, r := range left[1:] {
			require.Equal(t, notice.Retrying, r.State, "what waits stays, however old")
		}
		require.Equal(t, 3, b.count(`SELECT COUNT(*) FROM attempts`))
		_, err = b.RedeliveryOf(t.Context(), "a", sub.ID, r.ID)
		require.True(t, ticket.Is(err, ticket.NotFound), "it went too")

		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))
		b.clock.pass(time.Hour)
		n, err = b.PruneDeliveries(t.Context(), b.clock.Now(), 100)
		require.NoError(t, err)
		require.EqualValues(t, 6, n, "cancelled is over")
		require.Zero(t, b.count(`SELECT COUNT(*) FROM deliveries`)+b.count(`SELECT COUNT(*) FROM attempts`))
	})
}

func TestATryIsKeptWhole(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, sub, works := b.owing(1)
		r := b.tried(works[0], notice.Retrying)
		due := b.clock.Now().Truncate(time.Microsecond)
		next := due.Add(time.Minute)
		r.Attempt.ScheduledAt, r.Attempt.NextTry = &due, &next
		r.Attempt.Sent, r.Attempt.Header = map[string]string{"Webhook-Id": "msg_1"}, map[string]string{"Server": "nginx"}
		b.record(r)
		record, err := b.Delivery(t.Context(), sub.ID, works[0].Delivery.ID)
		require.NoError(t, err)
		require.Equal(t, b.deliveries(sub)[0], record)
		a := record.Attempts[0]
		require.Equal(t, []any{due, next}, []any{*a.ScheduledAt, *a.NextTry})
		require.Equal(t, []map[string]string{r.Attempt.Sent, r.Attempt.Header}, []map[string]string{a.Sent, a.Header})
		_, err = b.Delivery(t.Context(), "other", works[0].Delivery.ID)
		require.True(t, ticket.Is(err, ticket.NotFound))
	})
}

// A try that was under way as its address was dropped says nothing of the round that began at what the address was registered as again.
func TestATryOfBeforeDoesNotStopWhatGoesToANewRegistration(t *testing.T) {
	for how, then := range map[string]notice.DeliveryState{"failed": notice.Retrying, "put off": notice.Retrying, "given up": notice.Failed} {
		t.Run(how, func(t *testing.T) {
			both(t, func(t *testing.T, b *bench) {
				s, sub, works := b.owing(2)
				last := b.tried(works[1], notice.Failed)
				last.Drop = "gone"
				b.record(last)
				again, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
				require.NoError(t, err)
				require.NoError(t, b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, works[0].Delivery.ID))
				r := b.tried(works[0], then)
				r.PutOff = how == "put off"
				b.record(r)
				require.Equal(t, []notice.DeliveryState{notice.Pending}, states(b.deliveries(again)))
				b.consistent()
				require.Empty(t, b.retryingLanes())
			})
		})
	}
}

func TestATryThatIsPutOffHasItsLaneRetryAndCountsAsNone(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(2)
		began, next := b.clock.Now().Truncate(time.Microsecond), b.clock.Now().Add(30*time.Second).Truncate(time.Microsecond)
		off := notice.Result{Work: works[0], Then: notice.Retrying, PutOff: true, NextTry: &next, Attempt: notice.Attempt{StartedAt: began}}
		b.record(off)
		b.record(off)
		require.Empty(t, b.pending())
		list := b.deliveries(sub)
		require.Equal(t, []notice.DeliveryState{notice.Retrying, notice.Retrying}, states(list))
		require.Empty(t, list[0].Attempts)
		require.Zero(t, list[0].Tries)
		require.Equal(t, []time.Time{began, next}, []time.Time{*list[0].FirstTry, *list[0].NextTry}, "the round has begun")
		b.clock.pass(time.Minute)
		off.Attempt.StartedAt = b.clock.Now()
		b.record(off)
		require.Equal(t, began, *b.deliveries(sub)[0].FirstTry, "once")
		w, _, err := b.outbox.Next(t.Context(), notice.Lane{Subscription: sub.ID, TicketID: s.ticket.ID})
		require.NoError(t, err)
		require.Nil(t, w.Subscription.FailingSince, "nothing is known of the address")
		require.NoError(t, b.Unsubscribe(t.Context(), ownerOf(s.ticket), sub.ID))
		b.record(off)
		require.Equal(t, notice.Cancelled, b.deliveries(sub)[0].State)
		pending, retrying, err := b.outbox.Backlog(t.Context())
		require.NoError(t, err)
		require.Equal(t, []int{0, 0}, []int{pending, retrying})
	})
}

func TestASecretThatCannotBeReadHidesNobody(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, _, works := b.owing(1)
		_, sub := b.subscribed()
		// What was sealed for another row opens no more than what was sealed with a key that is lost.
		_, err := b.raw().Exec(fmt.Sprintf(`UPDATE subscriptions SET secret = (SELECT secret FROM subscriptions WHERE id = '%s') WHERE id = '%s'`, sub.ID, works[0].Subscription.ID))
		require.NoError(t, err)
		other := b.under(masterKey)
		pending, err := other.Outbox.Pending(t.Context(), works[0].Delivery.Partition, nil, 10)
		require.NoError(t, err)
		require.Len(t, pending, 1)
		require.Contains(t, pending[0].Unsendable, "cannot be read")
		require.Empty(t, pending[0].Subscription.Secret)
		require.NotEmpty(t, sub.ID)
		failed := b.tried(pending[0], notice.Failed)
		failed.Attempt.Class, failed.Attempt.Error = notice.ErrorUnsendable, pending[0].Unsendable
		b.record(failed)
		record, err := b.Delivery(t.Context(), works[0].Subscription.ID, works[0].Delivery.ID)
		require.NoError(t, err)
		require.Equal(t, notice.Failed, record.State)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM subscriptions WHERE failing_since IS NOT NULL`), "it is not the receiver's fault")
	})
}

func TestAHostWithVeryManyLanesHidesNobody(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s := b.opened("a", draft("x"))
		for _, url := range []string{"http://a.example/1", "http://a.example", "http://a.example:8080/1", "http://a.example.com/1", "https://a.example/1"} {
			_, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: url})
			require.NoError(t, err)
		}
		b.project(s, s.relate("manifest", "1")...)
		part := notice.Partition(s.ticket.ID, 16)
		works, err := b.outbox.Pending(t.Context(), part, []notice.Lane{{Subscription: "x", TicketID: 1}}, 10, "a.example", "b.example")
		require.NoError(t, err)
		var urls []string
		for _, w := range works {
			urls = append(urls, w.Subscription.URL)
		}
		require.ElementsMatch(t, []string{"http://a.example:8080/1", "http://a.example.com/1"}, urls, "one host by either scheme, as for its share of tries")
	})
}

// Redeliveries that were asked for at once are watched as one.
func TestRedeliveriesAreWatchedTogether(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(3)
		for _, w := range works {
			b.record(b.tried(w, notice.Failed))
		}
		other, sub2, works2 := b.owing(2)
		for _, w := range works2 {
			b.record(b.tried(w, notice.Failed))
		}
		_, err := b.Together(t.Context(), "a", "x")
		require.True(t, ticket.Is(err, ticket.NotFound))
		begun := b.clock.Now()
		one, two := b.again(s, sub, notice.Selection{State: notice.Failed}), b.again(other, sub2, notice.Selection{State: notice.Failed})
		require.NoError(t, b.WatchTogether(t.Context(), "x", []string{one.ID, two.ID}))
		got, err := b.Together(t.Context(), "a", "x")
		require.NoError(t, err)
		require.Equal(t, notice.Together{N: 2, Running: 2, Total: one.Total + two.Total, CreatedAt: begun}, got)
		b.goOn(one, 100, 100)
		got, err = b.Together(t.Context(), "a", "x")
		require.NoError(t, err)
		require.Equal(t, []int{2, 1, 0, one.Total}, []int{got.N, got.Running, got.Stopped, got.Done})
		for _, c := range [][2]string{{"b", "x"}, {"a", ""}, {"a", "y"}, {"a", "\x00"}} {
			_, err = b.Together(t.Context(), c[0], c[1])
			require.True(t, ticket.Is(err, ticket.NotFound), "%q", c)
		}
	})
}
