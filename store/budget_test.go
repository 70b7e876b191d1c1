package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/exception"
	"signalbox/store"
)

var _ exception.Budget = (*store.Store)(nil)

func TestABudgetHoldsForItsWindow(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		take := func(tenant, name string) (int, time.Time, bool) {
			remaining, reset, ok, err := b.Take(t.Context(), tenant, name, 3, time.Minute)
			require.NoError(t, err)
			return remaining, reset, ok
		}
		began := b.clock.Now()
		for left := range 5 {
			remaining, reset, ok := take("a", "callback:系统")
			require.Equal(t, max(2-left, 0), remaining)
			require.Equal(t, left < 3, ok)
			require.Equal(t, began.Add(time.Minute).UTC(), reset, "the window begins with the first use")
			b.clock.pass(10 * time.Second)
		}
		_, _, ok := take("a", "callback:other")
		require.True(t, ok)
		_, _, ok = take("b", "callback:系统")
		require.True(t, ok, "another tenant has its own")

		b.clock.pass(10*time.Second - time.Microsecond)
		_, _, ok = take("a", "callback:系统")
		require.False(t, ok)
		b.clock.pass(time.Microsecond)
		remaining, reset, ok := take("a", "callback:系统")
		require.True(t, ok)
		require.Equal(t, 2, remaining)
		require.Equal(t, began.Add(2*time.Minute).UTC(), reset)

		b.clock.pass(-10 * time.Hour) // the clock that began the window was wrong
		_, reset, ok = take("a", "callback:系统")
		require.True(t, ok)
		require.Equal(t, b.clock.Now().Add(time.Minute).UTC(), reset)
	})
}

func TestABudgetHoldsAcrossProcesses(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		second, err := store.Open(t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
		require.NoError(t, err)
		defer second.Close()
		var granted atomic.Int64
		var all sync.WaitGroup
		for i := range 40 {
			s := []*store.Store{b.Store, second}[i%2]
			all.Go(func() {
				_, _, ok, err := s.Take(t.Context(), "a", "x", 25, time.Minute)
				if err == nil && ok {
					granted.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 25, granted.Load())
	})
}

func TestBudgetsThatNobodyUsesAreForgotten(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for i := range 25 {
			_, _, _, err := b.Take(t.Context(), "a", fmt.Sprint(i), 1, time.Minute)
			require.NoError(t, err)
		}
		require.Equal(t, 25, b.count(`SELECT count(*) FROM budgets`))
		b.clock.pass(2 * time.Hour)
		for _, want := range []int{6, 1} { // twenty at a time, and the new one
			_, _, _, err := b.Take(t.Context(), "b", "new", 1, time.Minute)
			require.NoError(t, err)
			require.Equal(t, want, b.count(`SELECT count(*) FROM budgets`))
			b.clock.pass(time.Minute)
		}
	})
}
