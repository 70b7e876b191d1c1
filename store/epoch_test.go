package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// TestAServerThatWasPutBackDrawsNothingAgain: whatever it was put back to, and whether or not it has known any ticket.
func TestAServerThatWasPutBackDrawsNothingAgain(t *testing.T) {
	t.Parallel()
	cluster, err := postgrestest.NewCluster()
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	l := s.Ledger()

	claim := func() (ticket.Identity, error) {
		now := time.Now().UTC().Truncate(time.Microsecond)
		op := desk.Operation{ID: uuid.NewString(), Request: desk.Request{App: desk.App{Code: "a", Tenant: "a"}, Method: "POST", Path: "/"}, Kind: desk.KindOpen,
			State: desk.Running, Series: ticket.SeriesREQ, Ticket: ticket.Identity{UUID: uuid.NewString(), Tenant: "a"}, CreatedAt: now, Lease: now.Add(time.Minute)}
		claimed, _, err := l.Claim(t.Context(), op, func(op *desk.Operation) (err error) {
			draft, err := ticket.Draft{Channel: ticket.ChannelIssue, App: "a", Origin: "o", Title: "t"}.Check()
			if err == nil {
				op.Opening, err = draft.Open(op.Ticket, op.ID, op.CreatedAt)
			}
			return err
		})
		if err == nil {
			err = l.Finish(t.Context(), claimed, claimed.Opening)
		}
		return claimed.Ticket, err
	}
	opened := func() ticket.Identity {
		t.Helper()
		id, err := claim()
		require.NoError(t, err)
		return id
	}
	_, err = cluster.Backup()
	require.NoError(t, err)
	_, err = claim()
	require.ErrorIs(t, err, desk.ErrCounters, "it may have given what it knows nothing of")
	require.NoError(t, l.Advance(t.Context(), desk.Drawn{}))
	opened()
	restore, err := cluster.Backup()
	require.NoError(t, err)
	_, err = claim()
	require.ErrorIs(t, err, desk.ErrCounters, "it is not the server that it was")
	at, err := l.LastOpened(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
	require.NoError(t, l.Advance(t.Context(), desk.Drawn{ID: 1}))
	var drawn desk.Drawn
	lost := map[ticket.Identity]bool{}
	for range 3 {
		id := opened()
		drawn.Add(id)
		lost[id] = true
	}
	require.NoError(t, restore())
	_, err = claim()
	require.ErrorIs(t, err, desk.ErrCounters)
	require.NoError(t, l.Advance(t.Context(), drawn))
	require.NoError(t, l.Advance(t.Context(), drawn))
	next := opened()
	require.EqualValues(t, 5, next.ID)
	for id := range lost {
		require.NotEqual(t, id.Number, next.Number)
	}
	opened()
	sum, err := s.Verify(t.Context(), verify.Options{}, func(f verify.Fault) { t.Error(f) })
	require.NoError(t, err)
	require.EqualValues(t, 3, sum.Tickets)
	require.EqualValues(t, 3, sum.Void, "those that were lost are accounted for")
}
