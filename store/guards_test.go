package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/ratelimit"
	"signalbox/store"
	"signalbox/ticket"
)

// elsewhere is another process on the same database.
func (b *bench) elsewhere() *store.Store {
	s, err := store.Open(b.t.Context(), b.dsn, store.Options{MasterKey: masterKey, Now: b.clock.Now})
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, s.Close()) })
	return s
}

func TestABucketIsSharedByProcesses(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		stores := []*store.Store{b.Store, b.elsewhere()}
		bucket := ratelimit.Bucket{Rate: 600, Burst: 25}
		take := func() (sum int) {
			var granted atomic.Int64
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					n, _, err := stores[i%2].TakeRequests(t.Context(), "one", bucket, 3, 0)
					if err != nil {
						t.Error(err)
					}
					granted.Add(int64(n))
				})
			}
			all.Wait()
			return int(granted.Load())
		}
		require.Equal(t, 25, take(), "the first use too, when there is no row yet")
		require.Zero(t, take())
		b.clock.pass(time.Second)
		require.Equal(t, 10, take())
		n, after, err := b.TakeRequests(t.Context(), "one", bucket, 3, 2)
		require.NoError(t, err)
		require.Equal(t, 2, n, "what is given back can be had again")
		require.Zero(t, after.Left(b.clock.Now()))
		n, after, err = b.TakeRequests(t.Context(), "two", bucket, 3, 0)
		require.NoError(t, err)
		require.Equal(t, 3, n, "another app has its own")
		require.Equal(t, 22, after.Left(b.clock.Now()))
		b.clock.pass(-time.Hour) // a clock that ran ahead has taken from it
		_, _, err = b.TakeRequests(t.Context(), "one", bucket, 1, 0)
		require.NoError(t, err)
		b.clock.pass(3 * time.Second)
		require.Equal(t, 25, take())
	})
}

func TestASignatureIsUsedOnce(t *testing.T) {
	both(t, func(t *testing.T, b *bench) { apitest.Signatures(t, b.clock.Now, b.Store, b.elsewhere()) })
}

// A process of the version before writes no uses, and takes every signature that it finds for used.
func TestSignaturesOfTheVersionBeforeAreUsed(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		_, err := b.raw().Exec(`INSERT INTO signatures (digest, key, expires) VALUES ('old', '', '2100-01-01 00:00:00')`)
		require.NoError(t, err)
		ok, err := b.UseSignature(t.Context(), "old", "", b.clock.Now().Add(time.Minute), false)
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestSignaturesAreForgottenOnceTheyHaveExpired(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for i := range 40 {
			_, err := b.UseSignature(t.Context(), fmt.Sprint(i), "", b.clock.Now().Add(time.Minute), false)
			require.NoError(t, err)
		}
		require.Equal(t, 40, b.count(`SELECT count(*) FROM signatures`), "none before its time")
		b.clock.pass(time.Minute + time.Microsecond)
		for i := range 32 {
			_, err := b.UseSignature(t.Context(), fmt.Sprint("new", i), "", b.clock.Now().Add(time.Minute), false)
			require.NoError(t, err)
		}
		require.Equal(t, 0, b.count(`SELECT count(*) FROM signatures WHERE digest NOT LIKE 'new%'`))
		require.Equal(t, 32, b.count(`SELECT count(*) FROM signatures`))
	})
}

func TestTheRateOfAnApp(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		one := demo("one")
		one.Rate, one.Burst = 600, 20
		secret, err := b.CreateApp(t.Context(), one)
		require.NoError(t, err)
		got, err := b.BySecret(t.Context(), secret)
		require.NoError(t, err)
		require.Equal(t, one, got)
		got, _, err = b.Secrets(t.Context(), "one")
		require.NoError(t, err)
		require.Equal(t, one, got)

		require.NoError(t, b.SetAppRate(t.Context(), "one", 60, 0))
		got, err = b.BySecret(t.Context(), secret)
		require.NoError(t, err)
		require.Equal(t, []int{60, 0}, []int{got.Rate, got.Burst}, "what was known of it is forgotten at once")
		list, err := b.ListApps(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 60, list[0].Rate)

		require.True(t, ticket.Is(b.SetAppRate(t.Context(), "nobody", 1, 0), ticket.NotFound))
		for _, wrong := range [][2]int{{-1, 0}, {1_000_001, 0}, {10, 11}, {10, -1}, {0, 1}} {
			require.True(t, ticket.Is(b.SetAppRate(t.Context(), "one", wrong[0], wrong[1]), ticket.Invalid), "%v", wrong)
		}
	})
}

func TestAnOperationKeepsWhereItCameFrom(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		op := desk.Operation{ID: b.id(), Kind: desk.KindTransact, State: desk.Running, CreatedAt: epoch, Lease: epoch,
			Request: desk.Request{App: demo("one"), Method: "POST", Path: "/x", Address: "2001:db8::1", RequestID: "r"}}
		_, fresh, err := b.ledger.Claim(t.Context(), op, func(*desk.Operation) error { return nil })
		require.NoError(t, err)
		require.True(t, fresh)
		ops, err := b.ledger.Expired(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, "2001:db8::1", ops[0].Request.Address)
		require.Equal(t, 1, b.count(`SELECT count(*) FROM operations WHERE address = '2001:db8::1' AND request_id = 'r' AND app = 'one'`))
	})
}
