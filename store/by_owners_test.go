package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store/verify"
	"signalbox/ticket"
)

func TestTheNextOfALaneIsTriedNow(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(3)
		_, err := b.TryNow(t.Context(), ownerOf(s.ticket), sub.ID, works[0].Delivery.ID)
		require.True(t, ticket.Is(err, ticket.Conflict), "its first try is still to come")
		lane := works[0].Delivery.Lane
		b.record(b.tried(works[0], notice.Retrying))
		b.clock.pass(time.Second)
		now := b.clock.Now()
		gave, err := b.TryNow(t.Context(), ownerOf(s.ticket), sub.ID, works[0].Delivery.ID)
		require.NoError(t, err)
		require.Equal(t, lane, gave)
		next, more, err := b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.True(t, more)
		require.Equal(t, []any{works[0].Delivery.ID, 1, now.UTC()}, []any{next.Delivery.ID, next.Delivery.Tries, next.DueAt().UTC()})

		_, err = b.TryNow(t.Context(), ownerOf(s.ticket), sub.ID, works[1].Delivery.ID)
		require.ErrorContains(t, err, works[0].Delivery.ID, "it waits behind that one")
		require.True(t, ticket.Is(err, ticket.Conflict))
		for _, of := range []notice.Owner{{Tenant: "b", TicketID: s.ticket.ID}, {Tenant: "a"}} {
			_, err = b.TryNow(t.Context(), of, sub.ID, works[0].Delivery.ID)
			require.True(t, ticket.Is(err, ticket.NotFound))
		}
		_, err = b.TryNow(t.Context(), ownerOf(s.ticket), sub.ID, "no such")
		require.True(t, ticket.Is(err, ticket.NotFound))
		b.record(b.tried(next, notice.Sent))
		_, err = b.TryNow(t.Context(), ownerOf(s.ticket), sub.ID, works[0].Delivery.ID)
		require.True(t, ticket.Is(err, ticket.Conflict), "it is over")

		r := b.tried(works[1], notice.Failed)
		r.Drop = "gone"
		b.record(r)
		_, err = b.TryNow(t.Context(), ownerOf(s.ticket), sub.ID, works[2].Delivery.ID)
		require.ErrorContains(t, err, "dropped")
	})
}

func TestACancelledDeliveryFreesItsLane(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		s, sub, works := b.owing(3)
		all := b.follow(notice.Filter{Topic: notice.TopicDelivery})
		b.record(b.tried(works[0], notice.Retrying))
		before := len(b.timeline(s, 100))
		_, sound := b.verify(verify.Options{})
		lane, waits, err := b.Cancel(t.Context(), ownerOf(s.ticket), sub.ID, works[0].Delivery.ID, "desk-7")
		require.NoError(t, err)
		require.Equal(t, []any{works[0].Delivery.Lane, true}, []any{lane, waits})
		require.Equal(t, []notice.DeliveryState{notice.Cancelled, notice.Retrying, notice.Retrying}, states(b.deliveries(sub)))
		next, _, err := b.outbox.Next(t.Context(), lane)
		require.NoError(t, err)
		require.Equal(t, works[1].Delivery.ID, next.Delivery.ID, "the one behind it")

		entries := b.timeline(s, 100)
		require.Len(t, entries, before+1)
		told := entries[before].Alert
		require.Equal(t, []any{notice.DeliveryCancelled, works[0].Delivery.ID, sub.ID, "cancelled by desk-7"}, []any{told.Kind, told.Delivery, told.Subscription, told.Reason})
		heard := b.alertsTo(all)
		require.Len(t, heard, 1)
		require.Equal(t, []string{"delivery_cancelled", "cancelled", "ticket." + s.ticket.Number}, []string{heard[0].Type, heard[0].Status, heard[0].Key})
		_, faults := b.verify(verify.Options{})
		require.Equal(t, sound, faults, "the timeline is chained")

		// A try that was under way is listed, and changes nothing.
		b.record(b.tried(works[0], notice.Retrying))
		require.Equal(t, notice.Cancelled, b.deliveries(sub)[0].State)
		_, _, err = b.Cancel(t.Context(), ownerOf(s.ticket), sub.ID, works[0].Delivery.ID, "desk-7")
		require.True(t, ticket.Is(err, ticket.Conflict))
		_, _, err = b.Cancel(t.Context(), notice.Owner{Tenant: "b", TicketID: s.ticket.ID}, sub.ID, works[1].Delivery.ID, "x")
		require.True(t, ticket.Is(err, ticket.NotFound))
		require.Len(t, b.timeline(s, 100), before+1)

		// What is held can be cancelled as well, and what was cancelled be asked for again.
		r := b.tried(works[1], notice.Failed)
		r.Drop = "gone"
		b.record(r)
		_, waits, err = b.Cancel(t.Context(), ownerOf(s.ticket), sub.ID, works[2].Delivery.ID, "desk-7")
		require.NoError(t, err)
		require.False(t, waits)
		_, err = b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook})
		require.NoError(t, err)
		require.NoError(t, b.Redeliver(t.Context(), ownerOf(s.ticket), sub.ID, works[2].Delivery.ID))
	})
}

// A first try that is under way as its delivery is cancelled says nothing of what is behind it, whether it fails or is put off.
func TestWhatIsBehindACancelledDeliveryIsTriedAtOnce(t *testing.T) {
	for how, putOff := range map[string]bool{"failed": false, "put off": true} {
		t.Run(how, func(t *testing.T) {
			both(t, func(t *testing.T, b *bench) {
				s, sub, works := b.owing(2)
				begun, err := b.outbox.Begin(t.Context(), works[0].Delivery.ID, b.clock.Now())
				require.NoError(t, err)
				require.True(t, begun)
				_, waits, err := b.Cancel(t.Context(), ownerOf(s.ticket), sub.ID, works[0].Delivery.ID, "desk-7")
				require.NoError(t, err)
				require.False(t, waits)
				r := b.tried(works[0], notice.Retrying)
				r.PutOff = putOff
				b.record(r)
				require.Equal(t, []notice.DeliveryState{notice.Cancelled, notice.Pending}, states(b.deliveries(sub)))
				require.Empty(t, b.retryingLanes())
				require.Equal(t, works[1].Delivery.ID, b.pending()[0].Delivery.ID)
			})
		})
	}
}

// Of a lasting subscription, where the lane is the stream's and there is no ticket to tell.
func TestADeliveryOfTheStreamIsCancelled(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		sub, all := b.follow(notice.Filter{Topic: "t"}), b.follow(notice.Filter{Topic: notice.TopicDelivery})
		b.publish(notice.Published{Source: "s", Topic: "t", Type: "y", Status: "u", Key: "k", Changes: []string{"1"}})
		w := b.of(sub, b.pending())[0]
		lane, waits, err := b.Cancel(t.Context(), notice.Owner{Tenant: "a"}, sub.ID, w.Delivery.ID, "desk-7")
		require.NoError(t, err)
		require.Equal(t, []any{w.Delivery.Lane, false}, []any{lane, waits}, "its first try was still to come, and is not made")
		require.Empty(t, b.of(sub, b.pending()))
		require.Equal(t, "subscription."+sub.ID, b.alertsTo(all)[0].Key)
		// That the news of it is cancelled is no news.
		_, _, err = b.Cancel(t.Context(), notice.Owner{Tenant: "a"}, all.ID, b.of(all, b.pending())[0].Delivery.ID, "desk-7")
		require.NoError(t, err)
		require.Len(t, b.alertsTo(all), 1)
	})
}
