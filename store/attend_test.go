package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// TestTicketsOfWhoIsAbsentAreFound: those that ask somebody who is absent now, who is not active, or to whom something has happened.
func TestTicketsOfWhoIsAbsentAreFound(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		asking := func(tenant string, who ...string) *story {
			d := draft("asks")
			d.Service, d.Definition = "asking", &flow.Definition{Key: "asking", Name: "Asking", Nodes: []flow.Node{
				{ID: "v", Name: "Vote", Type: flow.Approval, Processors: &flow.Processors{Persons: who}, Next: "over"}, {ID: "over", Name: "Over", Type: flow.End}}}
			return b.opened(tenant, d)
		}
		b.persons("ann", "bob", "deb")
		both, one, other, elsewhere := asking("a", "ann", "bob"), asking("a", "ann"), asking("a", "zoe"), asking("b", "ann")
		now := b.clock.Now().Add(time.Hour)
		found := func(after int64, since time.Time, limit int) (ids []int64) {
			t.Helper()
			list, err := b.ToAttend(t.Context(), after, now, since, limit)
			require.NoError(t, err)
			for _, id := range list {
				ids = append(ids, id.ID)
			}
			return ids
		}
		require.Empty(t, found(0, now, 10))
		rec, err := b.AddAbsence(t.Context(), "a", "demo", people.Absence{Person: "ann", Deputy: "deb", From: now.Add(-time.Minute), To: now.Add(time.Minute)})
		require.NoError(t, err)
		require.Equal(t, []int64{both.ticket.ID, one.ticket.ID}, found(0, now, 10))
		require.Equal(t, []int64{both.ticket.ID}, found(0, now, 1))
		require.Equal(t, []int64{one.ticket.ID}, found(both.ticket.ID, now, 10))
		_, err = b.EndAbsence(t.Context(), "a", "demo", rec.ID, now.Add(-time.Hour), nil)
		require.NoError(t, err)
		require.Empty(t, found(0, now, 10))
		require.Equal(t, []int64{both.ticket.ID, one.ticket.ID}, found(0, now.Add(-48*time.Hour), 10), "she is back")
		_, err = b.keep(people.Person{ID: "bob"})
		require.NoError(t, err)
		require.Equal(t, []int64{both.ticket.ID}, found(0, now, 10))
		b.act(both, ticket.Command{Action: ticket.Close})
		require.Empty(t, found(0, now, 10))
		require.NotEqual(t, other.ticket.ID, elsewhere.ticket.ID)
	})
}
