package e2e

import (
	"errors"
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

const holding = `
key: holding
name: Holding
fields: [{key: way, type: STRING}]
nodes:
  - {id: split, name: Split, type: parallel, branches: [{name: a, next: hold}, {name: b, next: ask}], join: meet}
  - {id: hold, name: Hold, type: call, call: {url: 'HOST/${fields.way}', timeout: 5m, retry: {attempts: 1}}, next: meet}
  - {id: ask, name: Ask, type: approval, processors: {persons: [ann]}, reject: {then: back, to: talk}, next: meet}
  - {id: meet, name: Meet, type: join, next: over}
  - {id: talk, name: Talk, type: task, processors: {persons: [ann]}, next: over}
  - {id: over, name: Over, type: end}
`

// A request that a receiver sits on is broken off long before its own five minutes when the ticket leaves its node, ends, is suspended or moved to
// another version. After the last two it is sent again, although its node grants one attempt, under the same key.
func TestRequestsUnderWayAreBrokenOff(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	c := d.caller()
	r := harness.NewReceiver(t)
	goesOn := make(chan struct{})
	answers := map[string][]harness.Response{
		"left": {{Hang: true}}, "ended": {{Hang: true}}, "suspended": {{Hang: true}, {Body: "{}"}}, "moved": {{Hang: true}, {Body: "{}"}}, "answered": {{Until: goesOn}},
	}
	source := strings.Replace(holding, "HOST", r.URL(""), 1)
	c.publish(t, source)
	numbers := map[string]string{}
	for way, script := range answers {
		r.Answer("/"+way, script...)
		numbers[way] = c.openService(t, "holding", map[string]any{"way": way})
		r.Await(t, "/"+way, 1, time.Minute)
	}
	require.Equal(t, 2, c.publish(t, strings.NewReplacer("id: hold", "id: keep", "next: hold", "next: keep").Replace(source)))
	act := map[string]func(number string){
		"left": func(number string) { c.act(t, number, "ann", "reject", "ask", map[string]any{"comment": "no"}) },
		"ended": func(number string) {
			c.must(t, "PUT", "/api/issue/"+number+"/status", map[string]any{"status": "CLOSED", "operator": "boss", "reason": "enough"})
		},
		"suspended": func(number string) { c.act(t, number, "boss", "suspend", "", nil) },
		"moved": func(number string) {
			c.must(t, "POST", "/api/issue/"+number+"/migrate", map[string]any{"version": 2, "operator": "boss", "nodes": map[string]string{"hold": "keep"}})
		},
		"answered": func(number string) { c.act(t, number, "boss", "suspend", "", nil) },
	}
	for way, number := range numbers {
		act[way](number)
	}
	close(goesOn) // before its attempt hears that it is to be broken off, unless the machine is very busy

	for _, way := range []string{"left", "ended", "suspended", "moved"} {
		harness.Until(t, "the request for "+way+" is broken off", 2*time.Minute, func() error {
			if r.Requests("/" + way)[0].Left.IsZero() {
				return errors.New("not yet")
			}
			return nil
		})
	}
	for _, way := range []string{"suspended", "answered"} {
		c.act(t, numbers[way], "boss", "unsuspend", "", nil)
	}
	for _, way := range []string{"suspended", "moved", "answered"} {
		harness.Until(t, "the request for "+way+" is answered", time.Minute, func() error {
			for _, node := range c.issue(t, numbers[way]).CurrentNodes {
				if node.Type == "call" {
					return errors.New(node.State)
				}
			}
			return nil
		})
		requests := r.Requests("/" + way)
		if way == "answered" && requests[0].Left.IsZero() {
			require.Len(t, requests, 1, "its answer was kept")
			continue
		}
		require.Len(t, requests, 2, way)
		require.Equal(t, requests[0].Header.Get("Idempotency-Key"), requests[1].Header.Get("Idempotency-Key"))
	}
	for _, way := range []string{"left", "ended"} {
		require.Len(t, r.Requests("/"+way), 1, way)
	}
}
