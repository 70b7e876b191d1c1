package apitest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api"
)

// Signatures holds what api.Shared promises about the signatures of requests. processes are several processes' ways to the same; now is the
// clock that they go by.
func Signatures(t *testing.T, now func() time.Time, processes ...api.Shared) {
	t.Helper()
	n := 0
	at := func() api.Shared { n++; return processes[n%len(processes)] }
	use := func(digest, key string, repeats bool) bool {
		t.Helper()
		ok, err := at().UseSignature(t.Context(), digest, key, now().Add(time.Minute), repeats)
		require.NoError(t, err)
		return ok
	}
	giveBack := func(digest string) {
		t.Helper()
		require.NoError(t, at().ReturnSignature(t.Context(), digest))
	}
	together := func(digest string) int64 {
		var taken atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if ok, err := processes[i%len(processes)].UseSignature(t.Context(), digest, "", now().Add(time.Minute), false); err == nil && ok {
					taken.Add(1)
				}
			})
		}
		all.Wait()
		return taken.Load()
	}

	require.EqualValues(t, 1, together("a"))
	require.False(t, use("a", "", false))
	require.False(t, use("a", "k", false), "a key that it did not come with is the replayer's own")
	require.True(t, use("b", "k", false))
	require.True(t, use("b", "k", false), "with the same key the stored answer is all there is to be had")
	require.False(t, use("b", "other", false))
	require.False(t, use("b", "", false))

	require.True(t, use("a", "", true), "where repeats are taken")
	require.False(t, use("a", "", false), "and they say nothing about later")
	giveBack("a")
	require.False(t, use("a", "", false), "one of two was refused")
	giveBack("a")
	require.EqualValues(t, 1, together("a"), "both were refused: the next is the first again")

	giveBack("b")
	giveBack("b")
	require.True(t, use("b", "other", false), "whose key counts from now on")
	require.False(t, use("b", "k", false))
	require.True(t, use("b", "other", false))
	giveBack("never seen")
	require.True(t, use("never seen", "", false))
	for range 3 {
		giveBack("never seen") // more often than it was used
	}
	require.EqualValues(t, 1, together("never seen"), "is no credit: "+fmt.Sprint(n))
}
