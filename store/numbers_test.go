package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/store"
	"signalbox/ticket"
)

// Several API processes share the daily counter (itsm.md 5.9): no number is given twice, and who asks later gets a higher one, whichever process
// they ask.
func TestNumbersAreOnesOwnAcrossProcesses(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		processes := []store.Ledger{b.ledger}
		for range 2 {
			s, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			processes = append(processes, s.Ledger())
		}
		next := func(i int) func() string {
			op, prepare := b.opening("")
			op.Series = ticket.SeriesREQ
			return func() string {
				claimed, fresh, err := processes[i%len(processes)].Claim(background(), op, prepare)
				if err != nil || !fresh {
					t.Errorf("%v %v", fresh, err)
				}
				return claimed.Ticket.Number
			}
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		given := map[string]bool{}
		for i := range 60 {
			claim := next(i)
			wg.Go(func() {
				number := claim()
				mu.Lock()
				defer mu.Unlock()
				given[number] = true
			})
		}
		wg.Wait()
		require.Len(t, given, 60, "all at once: each its own")
		for i := range 9 {
			require.Equal(t, fmt.Sprintf("REQ20260102%06d", 61+i), next(i)(), "one after the other: each higher")
		}
		b.clock.pass(24 * time.Hour)
		require.Equal(t, []string{"REQ20260103000001", "REQ20260103000002"}, []string{next(0)(), next(1)()}, "a new day begins for all of them")
	})
}
