package setup

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/store/storetest"
)

// TestWhatARequestAllocates: how often a request allocates, from its handler down to the driver of PostgreSQL and the engine in memory, the tickets that it decodes and encodes among it. Whoever
// decodes a ticket once more, or encodes one, adds some hundred; whoever takes away lowers the bound.
func TestWhatARequestAllocates(t *testing.T) { // by itself: what others allocate would count
	const times = 20
	p := productOn(t, api.Config{AppRate: -1}, storetest.Postgres(t), &desktest.Engine{})
	secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "demo", Tenant: "a", Scopes: []desk.Scope{desk.Read, desk.Write}})
	require.NoError(t, err)
	handler, n := p.server.App().Handler(), 0
	call := func(method, path, body string) []byte {
		var request fasthttp.Request
		request.Header.SetMethod(method)
		request.SetRequestURI(path)
		request.Header.Set("Authorization", "Access_Key "+secret)
		request.Header.SetContentType("application/json")
		if n++; method != "GET" {
			request.Header.Set(api.HeaderKey, fmt.Sprint("k", n))
		}
		request.SetBodyString(body)
		var c fasthttp.RequestCtx
		c.Init(&request, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
		handler(&c)
		if c.Response.StatusCode() != fasthttp.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, c.Response.StatusCode(), c.Response.Body())
		}
		return c.Response.Body()
	}
	var numbers []string
	open := func() {
		var answer struct{ Result string }
		require.NoError(t, json.Unmarshal(call("POST", "/api/issue", `{"title": "Gate blocked", "origin": "customs", "relations": [{"type": "order", "content": ["1"]}]}`), &answer))
		numbers = append(numbers, answer.Result)
	}
	next := 0
	act := func(body string) func() {
		return func() {
			call("POST", "/api/issue/"+numbers[next%len(numbers)]+"/handle", body)
			next++
		}
	}
	accept := act(`{"action": "accept", "operator": "li"}`)
	commit := act(`{"action": "commit-solution", "operator": "li", "parameter": {"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "c", "solution": "s"}}`)
	read := func() { call("GET", "/api/issue/"+numbers[0], "") }
	for _, c := range []struct {
		what string
		do   func()
		most float64
	}{{"open", open, 885}, {"accept", accept, 900}, {"commit a solution", commit, 890}, {"read", read, 242}} {
		least := math.Inf(1) // of some rounds: connections prepare what is new to them, and something may be at work beside
		for range 3 {
			least = min(least, testing.AllocsPerRun(times, c.do))
		}
		t.Logf("%s: %.0f", c.what, least)
		assert.LessOrEqual(t, least, c.most, c.what)
		assert.Greater(t, least, 0.9*c.most, "%s: it has become less; so lower the bound", c.what)
	}
}
