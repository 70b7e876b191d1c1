package desk_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
)

// opens opens a ticket of a series through a process, and gives its identity.
func opens(t *testing.T, w *world, series ticket.Series, key string) (id ticket.Identity) {
	t.Helper()
	r := request{key: key, fingerprint: key}
	_, err := w.healthy().Open(t.Context(), r.envelope(), desk.Opening{Series: series,
		Draft:  ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case"},
		Answer: func(given ticket.Identity) desk.Answer { id = given; return r.answer(given.Number) }})
	require.NoError(t, err)
	return id
}

// The database was put back: numbers that tickets have which it does not know of are not drawn again.
func TestNumbersAreNotDrawnAgain(t *testing.T) {
	for _, noticed := range []bool{true, false} {
		t.Run(fmt.Sprintf("noticed=%t", noticed), func(t *testing.T) {
			w := newWorld()
			opens(t, w, ticket.SeriesREQ, "first")
			kept := w.database.copy()
			given := map[string]bool{}
			ids := map[int64]bool{}
			for i := range 3 {
				id := opens(t, w, ticket.SeriesREQ, fmt.Sprint("lost-", i))
				given[id.Number], ids[id.ID] = true, true
			}
			w.database, w.restored = kept, noticed
			for i := range 3 {
				id := opens(t, w, ticket.SeriesREQ, fmt.Sprint("later-", i))
				require.False(t, given[id.Number], id.Number)
				given[id.Number] = true
				if noticed {
					require.False(t, ids[id.ID], "%d", id.ID)
					ids[id.ID] = true
				}
				require.Equal(t, id, w.rows[id.Number].Identity)
			}
			require.Len(t, w.engine.Numbers(), 7)
		})
	}
}

// An opening whose claimant died meets the number of another ticket when it is taken up again.
func TestAnOpeningThatIsTakenUpAgainTakesTheNextNumber(t *testing.T) {
	w := newWorld()
	kept := w.database.copy()
	taken := opens(t, w, ticket.SeriesIM, "lost")
	w.database = kept
	r := request{key: "open", fingerprint: "f"}
	p := w.at("begin", fault{before: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), r) })
	require.True(t, died)
	w.advance(beyondLease)
	_, err := w.healthy().Settle(t.Context(), 10)
	require.NoError(t, err)
	number := read(w.must(t, r), struct{ Number string }{}).Number
	require.NotEqual(t, taken.Number, number)
	require.True(t, w.must(t, r).Replayed)
	require.Equal(t, number, read(w.must(t, r), struct{ Number string }{}).Number)
}
