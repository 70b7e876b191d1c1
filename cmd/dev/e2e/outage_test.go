package e2e

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// requestTimeout is what the API is told; a little more is for writing down what is known of a request whose time is up.
const (
	requestTimeout = 3 * time.Second
	answerWithin   = requestTimeout + 20*time.Second // what hangs is never answered; a busy machine answers late
)

// TestOutages takes PostgreSQL away from a system at work, then Temporal.
func TestOutages(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	p := startProductionOn(t, newTemporal(t), "outages", dsn, "SIGNALBOX_REQUEST_TIMEOUT="+requestTimeout.String())
	p.startWorker(t, "tickets")
	p.startWorker(t, "deliveries")
	c := p.caller()
	number := c.open(t)
	c.must(t, "POST", handlePath, incidentCall(t, "accept.json", number))
	l := startLoad(t, harness.NewReceiver(t), 8, c)
	l.awaitMore(80, 60*time.Second)

	// What callers try while something is away, and whether it can be done without Temporal.
	one := "/api/issue/" + number
	calls := []struct {
		method, path string
		body         any
		databaseOnly bool
	}{
		{"POST", "/api/issue", sample(t, "issue/testdata/open.json"), false},
		{"PUT", one + "/relations/manifest", map[string]any{"content": []string{uuid.NewString()}}, false},
		{"POST", one + "/conversation", map[string]any{"author": "li", "content": uuid.NewString()}, false},
		{"POST", handlePath, incidentCall(t, "commit.json", number), false},
		{"POST", one + "/notification", map[string]any{"url": "http://127.0.0.1:9/"}, true},
		{"GET", one, nil, true},
		{"GET", one + "/timeline", nil, true},
		{"GET", "/v1/external/incident/" + number, nil, true},
	}
	type pending struct {
		call int
		key  string
	}
	var left []pending // requests whose outcome their callers do not know
	try := func(call int, works bool) {
		t.Helper()
		q, key, began := calls[call], "", time.Now()
		if q.method != "GET" {
			key = uuid.NewString()
		}
		a, err := c.send(t.Context(), q.method, q.path, key, q.body)
		require.NoError(t, err)
		require.Less(t, time.Since(began), answerWithin)
		if works {
			require.Equal(t, 200, a.status, "%s %s: %s", q.method, q.path, a)
			return
		}
		requireUnavailable(t, q.path, a)
		t.Logf("%s %s: 503 after %s", q.method, q.path, time.Since(began).Round(time.Millisecond))
		if key != "" {
			left = append(left, pending{call, key})
		}
	}
	ready := func(want int) {
		t.Helper()
		for path, want := range map[string]int{"/healthz": 200, "/readyz": want} {
			response, err := http.Get(p.api + path)
			require.NoError(t, err)
			_ = response.Body.Close()
			require.Equal(t, want, response.StatusCode, path)
		}
	}

	ready(200)
	cluster.Stop()
	for call := range calls {
		try(call, false)
	}
	ready(503)
	require.NoError(t, cluster.Start())
	l.awaitMore(80, 60*time.Second)
	ready(200)

	p.temporal.Kill()
	for call, q := range calls {
		try(call, q.databaseOnly)
	}
	ready(503)
	p.temporal.start(t)
	l.awaitMore(80, 60*time.Second)
	harness.UntilOK(t, p.api+"/readyz", time.Minute)

	// Nobody was told a falsehood, and a repeated key settles what was left open.
	for _, q := range left {
		what := calls[q.call]
		a, tries, err := c.persist(t.Context(), what.method, what.path, q.key, what.body)
		require.NoError(t, err)
		// The second commit is out of turn: it did not happen, and nobody was told that it had.
		require.True(t, a.status == 200 || what.path == handlePath && a.status == 400, "%s %s after %d tries: %s", what.method, what.path, tries, a)
		again, err := c.send(t.Context(), what.method, what.path, q.key, what.body)
		require.NoError(t, err)
		require.Equal(t, a.status, again.status)
		require.Equal(t, a.body, again.body)
		require.Equal(t, a.status == 200, again.replayed())
	}
	said := 0
	for _, e := range c.timeline(t, number) {
		if e.Type == "said" {
			said++
		}
	}
	require.Equal(t, 2, said, "one during each outage, once")
	l.stop()
	l.check()
}

// requireUnavailable holds an answer against what every family promises when the engine or the database does not answer.
func requireUnavailable(t *testing.T, path string, a answer) {
	t.Helper()
	require.Equal(t, 503, a.status, a)
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.NotEqual(t, "true", a.header.Get("X-Idempotency-Replayed"))
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &members))
	if path[:4] == "/v1/" {
		require.Equal(t, "GOM.00007503", members["error_code"])
		require.Equal(t, "049", members["provider_code"])
		require.NotEmpty(t, members["error_msg"])
		return
	}
	require.Equal(t, false, members["success"])
	require.NotEmpty(t, members["message"])
	require.NotContains(t, members, "result")
}
