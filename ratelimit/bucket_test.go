package ratelimit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/ratelimit"
)

func TestABucketIsEmptiedAtOnceAndRefilledSteadily(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := ratelimit.Bucket{Rate: 60, Burst: 5}
	require.Equal(t, 5, b.Left(now))
	require.Equal(t, 3, b.Take(3, now))
	require.Equal(t, 2, b.Take(9, now), "as many as are left")
	require.Zero(t, b.Take(1, now))
	require.Equal(t, time.Second, b.Wait(now))
	require.Zero(t, b.Take(1, now.Add(time.Second-1)))
	require.Equal(t, 1, b.Take(9, now.Add(time.Second)))
	b.Put(1, now.Add(time.Second))
	require.Equal(t, 1, b.Left(now.Add(time.Second)))
	require.Equal(t, 5, b.Left(now.Add(time.Hour)), "never more than the burst")
	b.Put(100, now)
	require.Equal(t, 5, b.Left(now))
	require.Zero(t, b.Wait(now))

	b.FullAt = now.Add(time.Hour) // a clock that ran ahead
	require.Zero(t, b.Left(now))
	require.Equal(t, time.Second, b.Wait(now), "it shuts nobody out for longer than an empty bucket")
}

// However it is taken from, in any time of length d no more than the burst and what is refilled in d can be had.
func TestABucketNeverGivesMoreThanItHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := ratelimit.Bucket{Rate: rapid.IntRange(1, 100_000).Draw(t, "rate"), Burst: rapid.IntRange(1, 1_000).Draw(t, "burst")}
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		type had struct {
			at time.Time
			n  int
		}
		var all []had
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "pass")))
			n := b.Take(rapid.IntRange(0, 1_500).Draw(t, "take"), now)
			if back := rapid.IntRange(0, n).Draw(t, "back"); back > 0 {
				b.Put(back, now)
				n -= back
			}
			all = append(all, had{now, n})
			sum := 0
			for i := len(all) - 1; i >= 0; i-- {
				sum += all[i].n
				refilled := float64(now.Sub(all[i].at)) / float64(time.Minute/time.Duration(b.Rate))
				if float64(sum) > float64(b.Burst)+refilled+1e-6 {
					t.Fatalf("%d were had in %v", sum, now.Sub(all[i].at))
				}
			}
		}
	})
}
