package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// TestKilledWhileDelivering kills the whole system while a receiver keeps it waiting.
func TestKilledWhileDelivering(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	number := c.open(t)
	nid := c.register(t, number, r.URL("/"+number))
	r.Answer("/"+number, harness.Response{Hang: true}, harness.Response{})
	c.must(t, "POST", handlePath, incidentCall(t, "accept.json", number))
	c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "hello"})
	hung := r.Await(t, "/"+number, 1, time.Minute)[0]
	// These wait behind it.
	c.must(t, "PUT", "/api/issue/"+number+"/relations/manifest", map[string]any{"content": []string{"one"}})
	c.must(t, "POST", handlePath, incidentCall(t, "commit.json", number))
	c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "CLOSED", "operator": "li"})
	d.process.Kill()
	require.Len(t, r.Requests(""), 1)

	d.start(t)
	began := time.Now()
	r.Await(t, "/"+number, 4, time.Minute)
	t.Logf("gone on with %s after the start", time.Since(began).Round(time.Millisecond))
	bodies, doubles := checkArrivals(t, c, r, number, nid)
	require.Equal(t, []int{3, 0}, []int{bodies, doubles})
	got := r.Requests("")
	require.Len(t, got, 4, "one that was broken off, and three complete ones")
	require.Equal(t, hung.Header.Get("webhook-id"), got[1].Header.Get("webhook-id"))
	require.Equal(t, hung.Body, got[1].Body)
	for i, kind := range []string{`"conversation","details":{}`, `"relations","details":{}`, `"status","details":{"from":"OPEN","to":"CLOSED"}`} {
		require.Equal(t, `{"id":"`+number+`","type":`+kind+`}`, string(got[i+1].Body))
	}
	// The ticket goes on.
	c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "OPEN", "operator": "li"})
	r.Await(t, "/"+number, 5, time.Minute)
}

// TestKilledWhileWorking kills the whole system twice while callers are at it.
func TestKilledWhileWorking(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	l := startLoad(t, harness.NewReceiver(t), 8, d.caller())
	for range 2 {
		l.awaitMore(150, 2*time.Minute)
		d.process.Kill()
		d.start(t)
	}
	l.awaitMore(50, 2*time.Minute)
	l.stop()
	l.check()
}
