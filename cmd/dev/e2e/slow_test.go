package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// slowTests tells whether tests that take minutes of real time were asked for; see "make slow-test".
func slowTests() bool { return os.Getenv("SIGNALBOX_SLOW_TESTS") != "" }

// Seed 000: a callback that fails is tried every minute; after ten minutes the address gets nothing more until it is registered again.
func TestSlowTenMinutesOfRetries(t *testing.T) {
	if !slowTests() {
		t.Skip("takes ten minutes; make slow-test runs it")
	}
	t.Parallel()
	const apart, tolerance, tries = time.Minute, time.Second, 11
	d := startDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	r.Answer("/dead", harness.Response{Status: 500})
	number := c.open(t)
	nid := c.register(t, number, r.URL("/dead"))
	say := func() {
		c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "hello"})
	}
	say()
	say() // waits behind the first

	got := r.Await(t, "/dead", tries, tries*apart)
	for i, request := range got {
		after := request.At.Sub(got[0].At)
		t.Logf("try %2d after %8.3f s", i+1, after.Seconds())
		require.InDelta(t, time.Duration(i)*apart, after, float64(tolerance), "try %d", i+1)
		require.Equal(t, got[0].Header.Get("webhook-id"), request.Header.Get("webhook-id"))
		require.Equal(t, got[0].Body, request.Body)
	}

	type address struct{ ID, URL, State, Reason string }
	list := func() map[string]address {
		out := map[string]address{}
		for _, a := range items[address](t, c.must(t, "GET", "/api/issue/"+number+"/notification", nil)) {
			out[a.ID] = a
		}
		return out
	}
	harness.Until(t, "the address is dropped", time.Minute, func() error {
		if list()[nid].State != "dropped" {
			return os.ErrNotExist
		}
		return nil
	})
	t.Logf("dropped: %s", list()[nid].Reason)
	owed := c.deliveries(t, number, nid)
	require.Len(t, owed, 2)
	require.Equal(t, []string{"failed", "held"}, []string{owed[0].State, owed[1].State})
	require.Len(t, owed[0].Attempts, tries)
	say() // is held

	// Registered again it is a new notification, and what happens from now on arrives.
	r.Answer("/dead", harness.Response{})
	again := c.register(t, number, r.URL("/dead"))
	require.NotEqual(t, nid, again)
	say()
	got = r.Await(t, "/dead", tries+1, time.Minute)
	harness.Until(t, "it is told", time.Minute, func() error {
		if owed := c.deliveries(t, number, again); len(owed) != 1 || owed[0].State != "sent" {
			return os.ErrNotExist
		}
		return nil
	})
	require.NotEqual(t, got[0].Header.Get("webhook-id"), got[tries].Header.Get("webhook-id"))

	// One more minute in which nothing of the old address comes.
	time.Sleep(apart + tolerance)
	require.Len(t, r.Requests("/dead"), tries+1)
	require.Equal(t, "dropped", list()[nid].State)
	require.Equal(t, "held", c.deliveries(t, number, nid)[1].State)
}
