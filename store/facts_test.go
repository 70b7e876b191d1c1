package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// TestFacts has operations claimed and left, and deliveries that wait.
func TestFacts(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		is := func(want store.Facts) {
			t.Helper()
			got, err := b.Facts(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		is(store.Facts{})
		s, _ := b.subscribed()
		is(store.Facts{})
		s.at = b.clock.Now()
		b.project(s, s.relate("manifest", "1")...)
		b.clock.pass(time.Minute)
		s.at = b.clock.Now()
		b.project(s, s.relate("manifest", "2")...)
		known, err := b.Facts(t.Context())
		require.NoError(t, err)
		oldest := known.OldestPending
		require.InDelta(t, time.Minute, oldest, float64(5*time.Second), "of the first, whenever the story had it happen")

		first, second := b.operation("k"), b.operation("l")
		first.Ticket, second.Ticket = s.ticket.Identity, s.ticket.Identity
		for _, op := range []desk.Operation{first, second} {
			_, fresh, err := b.ledger.Claim(t.Context(), op, nothing)
			require.NoError(t, err)
			require.True(t, fresh)
		}
		is(store.Facts{Open: 2, OldestPending: oldest})
		require.NoError(t, b.ledger.Expire(t.Context(), first.ID, first.Lease))
		is(store.Facts{Open: 2, Expired: 1, OldestPending: oldest})
		b.clock.pass(5 * time.Minute)
		is(store.Facts{Open: 2, Expired: 2, Stuck: 1, OldestPending: oldest + 5*time.Minute})
		for _, op := range []desk.Operation{first, second} {
			require.NoError(t, b.ledger.Close(t.Context(), op.ID, desk.Void, "did not happen"))
		}
		is(store.Facts{OldestPending: oldest + 5*time.Minute})
	})
}

// TestTheBacklogByAge has deliveries wait, and a lane fail, while time passes.
func TestTheBacklogByAge(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		ages := []time.Duration{time.Minute, time.Hour}
		is := func(wantPending, wantRetrying []int) {
			t.Helper()
			pending, retrying, err := b.outbox.BacklogByAge(t.Context(), ages)
			require.NoError(t, err)
			require.Equal(t, [][]int{wantPending, wantRetrying}, [][]int{pending, retrying})
			all, lanes, err := b.outbox.Backlog(t.Context())
			require.NoError(t, err)
			require.Equal(t, []int{pending[0] + pending[1] + pending[2], retrying[0] + retrying[1] + retrying[2]}, []int{all, lanes})
		}
		is([]int{0, 0, 0}, []int{0, 0, 0})
		s, _, works := b.owing(1)
		failed := b.tried(works[0], notice.Retrying)
		b.record(failed)
		is([]int{0, 0, 0}, []int{1, 0, 0})
		other, _ := b.subscribed()
		other.at = b.clock.Now()
		b.project(other, other.relate("manifest", "1")...)
		is([]int{1, 0, 0}, []int{1, 0, 0})
		b.clock.pass(10 * time.Minute)
		other.at = b.clock.Now()
		b.project(other, other.relate("manifest", "2")...)
		is([]int{1, 1, 0}, []int{0, 1, 0})
		b.clock.pass(2 * time.Hour)
		is([]int{0, 0, 2}, []int{0, 0, 1})
		require.NotEmpty(t, s.ticket.ID)
	})
}

// TestTicketsAreCountedByPhase counts those that are open, and how often tickets came into each phase: not where that comes to nothing.
func TestTicketsAreCountedByPhase(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		registry := prometheus.NewRegistry()
		b.Store.Measure(registry)
		is := func(open map[string]int, came map[string]float64) {
			t.Helper()
			got, err := b.CountOpen(t.Context())
			require.NoError(t, err)
			require.Equal(t, open, got)
			families, err := registry.Gather()
			require.NoError(t, err)
			found := map[string]float64{}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					if f.GetName() == "signalbox_tickets_total" {
						found[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
					}
				}
			}
			for _, phase := range ticket.Phases {
				require.Contains(t, found, phase, "it is there before it is counted")
				require.Equal(t, came[phase], found[phase], phase)
			}
		}
		is(map[string]int{}, nil)
		one, two := b.opened("a", draft("one")), b.opened("b", draft("two"))
		is(map[string]int{"triggered": 2}, map[string]float64{"triggered": 2})
		b.act(one, ticket.Command{Action: ticket.Accept, Operator: "li"})
		b.act(two, ticket.Command{Action: ticket.Suspend})
		is(map[string]int{"acknowledged": 1, "suspended": 1}, map[string]float64{"triggered": 2, "acknowledged": 1, "suspended": 1})
		events := two.do(ticket.Command{Action: ticket.Unsuspend})
		away := errors.New("it comes to nothing")
		require.ErrorIs(t, b.InTransaction(t.Context(), func(ctx context.Context, _ func(vault.Purpose) (vault.DataKey, error)) error {
			require.NoError(t, b.ledger.Project(ctx, two.ticket.Identity, events))
			return away
		}), away)
		for range 2 {
			b.project(two, events...)
		}
		b.act(one, ticket.Command{Action: ticket.Terminate, Operator: "li"})
		is(map[string]int{"triggered": 1}, map[string]float64{"triggered": 3, "acknowledged": 1, "suspended": 1, "terminated": 1})
	})
}
