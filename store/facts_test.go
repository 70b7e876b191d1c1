package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
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
