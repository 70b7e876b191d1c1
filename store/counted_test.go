package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/storetest"
)

// TestHowOftenTheDatabaseIsAskedForDeliveries: reading what is next and writing down what arrived costs a number of round trips that does not depend on how many
// deliveries there are.
func TestHowOftenTheDatabaseIsAskedForDeliveries(t *testing.T) {
	t.Parallel()
	const (
		listing = 1   // the list
		saving  = 1 + // what is stored already
			1 + // addresses that have failed
			1 + // lock
			1 + // tries
			1 // deliveries, and commit
	)
	dsn, work := storetest.Counted(t, storetest.Postgres(t))
	b := open(t, dsn)
	quiet, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey, Connections: 1, Now: b.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, quiet.Close()) })
	s := b.opened("a", draft("x"))
	for i := range 40 {
		_, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: fmt.Sprint("https://example.com/", i)})
		require.NoError(t, err)
	}
	for i := range 5 {
		b.project(s, s.relate("manifest", fmt.Sprint(i))...)
	}
	part, busy := notice.Partition(s.ticket.ID, 16), []notice.Lane{{Subscription: "x", TicketID: 1}}
	pending, err := quiet.Outbox.Pending(t.Context(), part, busy, 2, "other.example") // once, so that what is always the same is prepared
	require.NoError(t, err)
	require.NoError(t, quiet.Outbox.SaveResults(t.Context(), []notice.Result{b.tried(pending[0], notice.Sent), b.tried(pending[1], notice.Sent)}))
	for _, n := range []int{2, 10, 38} {
		before := work.Trips.Load()
		pending, err := quiet.Outbox.Pending(t.Context(), part, busy, n, "other.example")
		require.NoError(t, err)
		require.Len(t, pending, n)
		require.EqualValues(t, listing, work.Trips.Load()-before, "a page of %d", n)
		var results []notice.Result
		for _, w := range pending {
			results = append(results, b.tried(w, notice.Sent))
		}
		before = work.Trips.Load()
		require.NoError(t, quiet.Outbox.SaveResults(t.Context(), results))
		require.EqualValues(t, saving, work.Trips.Load()-before, "%d that arrived", n)
	}
}
