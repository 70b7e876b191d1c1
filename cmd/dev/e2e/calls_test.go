package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

const ringing = `
key: ringing
name: Ringing
nodes:
  - {id: ring, name: Ring, type: call, call: {url: RING, retry: {attempts: 100, interval: 1s, coefficient: 1}}, processors: {persons: [ops]}, next: over}
  - {id: over, name: Over, type: end}
`

// A receiver that never takes a request is left alone once nobody waits for it: while the ticket is suspended, and after its end. In between the
// attempts go on, under the same key, also when the node has been given another name.
func TestRequestsStopWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	for _, path := range []string{"/ring", "/bell", "/clock"} {
		r.Answer(path, harness.Response{Status: 503})
	}
	renamed := strings.NewReplacer("id: ring", "id: bell", "RING", r.URL("/bell")).Replace(ringing)
	clock := strings.NewReplacer("ringing", "clock", "RING", r.URL("/clock"), "attempts: 100", "attempts: 4").Replace(ringing)
	c.publish(t, strings.Replace(ringing, "RING", r.URL("/ring"), 1))
	c.publish(t, renamed)
	c.publish(t, clock)

	// quiet sees that nothing comes at a path while another ticket, opened now, makes four attempts a second apart.
	rounds := 0
	quiet := func(path string) {
		t.Helper()
		c.openService(t, "clock", nil)
		r.Await(t, "/clock", 4*rounds+1, time.Minute) // what was under way has arrived
		had := len(r.Requests(path))
		rounds++
		r.Await(t, "/clock", 4*rounds, time.Minute)
		require.Len(t, r.Requests(path), had)
	}
	number := result[string](t, c.must(t, "POST", "/api/issue", map[string]any{"origin": "e2e", "title": t.Name(), "service": "ringing"}))
	version := c.issue(t, number).ServiceVersion
	require.Equal(t, 2, version)
	r.Await(t, "/bell", 2, time.Minute)
	c.act(t, number, "boss", "suspend", "", nil)
	quiet("/bell")
	c.act(t, number, "boss", "unsuspend", "", nil)
	r.Await(t, "/bell", len(r.Requests("/bell"))+1, time.Minute)

	c.must(t, "POST", fmt.Sprintf("/api/issue/%s/migrate", number), map[string]any{"version": 1, "operator": "boss", "nodes": map[string]string{"bell": "ring"}})
	rang := r.Await(t, "/ring", 1, time.Minute)
	key := rang[0].Header.Get("Idempotency-Key")
	require.True(t, strings.HasPrefix(key, number+":bell:1:1:"), key)
	for _, request := range append(r.Requests("/bell"), r.Requests("/ring")...) {
		require.Equal(t, key, request.Header.Get("Idempotency-Key"))
	}
	c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "CLOSED", "operator": "boss", "reason": "enough"})
	quiet("/ring")
	quiet("/bell")
}
