package signin

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThrottleKeepsLittle(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h := newThrottle(func() time.Time { return now })
	for i := range 100_000 {
		h.take(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "shop")
	}
	require.LessOrEqual(t, h.failed.Len(), 2*(attemptsKept+1))

	h = newThrottle(func() time.Time { return now })
	let := 0
	for i := range 200 {
		if _, ok := h.take("192.0.2.1", fmt.Sprintf("app-%d", i)); ok {
			let++
		}
	}
	require.Equal(t, attemptsAddress, let, "an address that tries many apps")
	h = newThrottle(func() time.Time { return now })
	let = 0
	for i := range 200 {
		if _, ok := h.take(fmt.Sprintf("2001:db8::%x", i), "shop"); ok {
			let++
		}
	}
	require.Equal(t, attemptsPair, let, "one customer's network is one address")
	_, ok := h.take("2001:db8:0:1::1", "shop")
	require.True(t, ok)
}
