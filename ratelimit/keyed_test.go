package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/ratelimit"
)

func TestFloodsOfKeysTakeNoMemory(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const most = 100
	buckets, windows := ratelimit.NewKeyed(most), ratelimit.NewWindows(time.Minute, most)
	b := ratelimit.Bucket{Rate: 60, Burst: 2}
	for i := range 10 * most {
		key := fmt.Sprint(i)
		buckets.Owe(key, b, now)
		windows.Add(key, now)
		require.LessOrEqual(t, buckets.Len(), most)
		require.LessOrEqual(t, windows.Len(), 2*most)
	}
	require.Zero(t, buckets.Due("another", b, now), "who was never seen is asked to wait for nobody")
}

func TestWhatIsOwedHasToBeRefilledFirst(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	k, b := ratelimit.NewKeyed(10), ratelimit.Bucket{Rate: 60, Burst: 2}
	for range 5 {
		k.Owe("a", b, now)
	}
	require.Equal(t, 4*time.Second, k.Due("a", b, now))
	require.Zero(t, k.Due("b", b, now))
	require.Zero(t, k.Due("a", b, now.Add(4*time.Second)))
	taken, after := k.Take("b", b, 5, 0, now)
	require.Equal(t, 2, taken)
	require.Equal(t, now.Add(2*time.Second), after.FullAt)
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "203.0.113.9:80": "203.0.113.9", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8::1": "2001:db8::/64", "[2001:db8:0:0:ffff::1]:443": "2001:db8::/64", "nonsense": "nonsense",
	} {
		require.Equal(t, want, ratelimit.Network(address), address)
	}
}
