package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// causes are why a ticket is stuck, as it is told, and whether it is listed for each of these and for no other.
func (b *bench) causes(s *story) (list []ticket.Cause) {
	b.t.Helper()
	told, err := b.Stuck(b.t.Context(), []ticket.Ticket{b.read(s)})
	require.NoError(b.t, err)
	for _, one := range told[s.ticket.ID] {
		list = append(list, one.Cause)
	}
	for _, cause := range ticket.Causes {
		page, err := b.Tickets(b.t.Context(), s.ticket.Tenant, ticket.Filter{Stuck: []ticket.Cause{cause}, Sort: ticket.SortStuck, Limit: 200})
		require.NoError(b.t, err)
		listed := false
		for _, t := range page.Items {
			listed = listed || t.ID == s.ticket.ID
		}
		told := false
		for _, one := range list {
			told = told || one == cause
		}
		require.Equal(b.t, told, listed, cause)
	}
	return list
}

// failing opens a ticket whose call has failed.
func (b *bench) failing(tenant string) *story {
	d := draft("it calls")
	d.Service, d.Definition = promising(1)
	s := b.opened(tenant, d)
	call := s.ticket.Calls(s.at)[0]
	b.act(s, ticket.Command{Action: ticket.Answer, Called: &flow.Called{Key: call.Key, Node: call.Node, Round: call.Round, Try: call.Try, Status: 503}})
	return s
}

// A ticket is listed as stuck once it cannot go on, for what it cannot, and no longer once it can.
func TestWhoIsStuckIsListed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		well := b.opened("a", draft("x"))
		sub, err := b.Register(t.Context(), well.ticket, notice.Subscription{URL: hook, Profile: "once"})
		require.NoError(t, err)
		require.Empty(t, b.causes(well))

		s := b.failing("a")
		require.Equal(t, []ticket.Cause{flow.CauseFailed}, b.causes(s))
		require.NoError(t, b.ledger.Doubt(t.Context(), s.ticket.Identity, "for a reason"))
		require.ElementsMatch(t, []ticket.Cause{flow.CauseFailed, ticket.CauseInDoubt}, b.causes(s))
		page, err := b.Tickets(t.Context(), "a", ticket.Filter{Stuck: ticket.Causes})
		require.NoError(t, err)
		require.Len(t, page.Items, 1, "once, whatever it is stuck for")
		require.NoError(t, b.Resolve(t.Context(), s.ticket.Identity, nil))
		require.Equal(t, []ticket.Cause{flow.CauseFailed}, b.causes(s))

		b.project(well, well.relate("manifest", "1")...)
		b.clock.pass(time.Minute)
		work := b.pending()[0]
		failed := b.tried(work, notice.Failed)
		b.record(failed)
		require.Equal(t, []ticket.Cause{ticket.CauseUndelivered}, b.causes(well))
		counts, err := b.CountStuck(t.Context())
		require.NoError(t, err)
		require.Len(t, counts, 2)
		require.Equal(t, 1, counts[0].N)
		require.NoError(t, b.Redeliver(t.Context(), ownerOf(well.ticket), sub.ID, work.Delivery.ID))
		require.Empty(t, b.causes(well), "it is on its way again")
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM stuck WHERE cause = 'undelivered'`))
		_, err = b.PruneDeliveries(t.Context(), epoch, 10)
		require.NoError(t, err)
		require.Zero(t, b.count(`SELECT COUNT(*) FROM stuck WHERE cause = 'undelivered'`))

		b.act(s, ticket.Command{Action: ticket.Retry})
		require.Empty(t, b.causes(s))
		require.Zero(t, b.count(`SELECT COUNT(*) FROM stuck`))
		_, faults := b.verify(verify.Options{Tenant: "a"})
		require.Empty(t, faults)
	})
}

// What a version before this one left is written down by migrate, which may be ended and begun again.
func TestTicketsOfEarlierVersionsAreLookedAt(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		var list []*story
		for range 3 {
			list = append(list, b.failing("a"))
			b.opened("a", draft("x"))
		}
		require.NoError(t, b.ledger.Doubt(t.Context(), list[2].ticket.Identity, "for a reason"))
		_, err := b.raw().Exec(`DELETE FROM stuck`)
		require.NoError(t, err)
		_, faults := b.verify(verify.Options{Ticket: list[0].ticket.Number})
		require.Len(t, faults, 1)
		require.Contains(t, fmt.Sprint(faults), "listed as stuck")
		b.act(list[1], ticket.Command{Action: ticket.Say, Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}})
		require.Equal(t, []ticket.Cause{flow.CauseFailed}, b.causes(list[1]), "whoever projects puts it right")

		require.NoError(t, b.LookForStuck(t.Context()))
		require.Equal(t, 1, b.count(`SELECT COUNT(*) FROM stuck`), "it was looked at before: there was nothing when it was migrated")
		_, err = b.raw().Exec(`UPDATE unlooked SET up_to = 1000`)
		require.NoError(t, err)
		require.NoError(t, b.LookForStuck(t.Context()))
		require.NoError(t, b.LookForStuck(t.Context()))
		require.Equal(t, 4, b.count(`SELECT COUNT(*) FROM stuck`))
		require.ErrorIs(t, b.ledger.Project(t.Context(), list[2].ticket.Identity, list[2].relate("manifest", "1")), desk.ErrInDoubt)
		for _, s := range list[:2] {
			_, faults = b.verify(verify.Options{Ticket: s.ticket.Number})
			require.Empty(t, faults)
		}
	})
}
