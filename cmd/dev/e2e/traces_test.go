package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

const tracedService = `
key: traced
name: Traced
nodes:
  - {id: pay, name: Pay, type: call, call: {method: POST, url: 'PAY', body: '{"secret":"BODYMARKER"}'}, next: ask}
  - {id: ask, name: Ask, type: approval, processors: {persons: [ada]}, deadline: [{after: 2s, do: remind}], next: over}
  - {id: over, name: Over, type: end}
`

// traced makes a request that has to succeed as part of a trace.
func (c *caller) traced(t testing.TB, traceparent, method, path string, body any) answer {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), method, c.base+path, bytes.NewReader(raw))
	require.NoError(t, err)
	request.Header.Set("Authorization", c.key)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("traceparent", traceparent)
	request.Header.Set("tracestate", "theirs=1")
	response, err := c.http.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, string(text))
	return answer{response.StatusCode, response.Header, string(text)}
}

// logged gives the lines of a log that belong to a trace, by what they say.
func logged(t testing.TB, logs, trace string) map[string][]map[string]any {
	t.Helper()
	out := map[string][]map[string]any{}
	for text := range strings.Lines(logs) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && line["trace_id"] == trace {
			out[fmt.Sprint(line["msg"])] = append(out[fmt.Sprint(line["msg"])], line)
		}
	}
	return out
}

// TestOneTraceThroughEveryProcess follows what a caller traces from its request to those who are told of it, and what nobody asked for apart from it.
func TestOneTraceThroughEveryProcess(t *testing.T) {
	t.Parallel()
	const (
		trace, opener, actor = "0af7651916cd43dd8448eb211c80319c", "1111111111111111", "2222222222222222"
		untraced             = "deadbeefdeadbeefdeadbeefdeadbeef"
		title                = "TITLEMARKER"
		reminded             = 2 * time.Second // after the ticket has come to the step, by its service
	)
	collector := harness.NewCollector(t)
	dsn := postgrestest.Start(t)
	// What is sent is sent at the end of each process.
	p := startProduction(t, dsn, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL(), "OTEL_BSP_SCHEDULE_DELAY=3600000")
	tickets, deliveries := p.startWorker(t, "tickets"), p.startWorker(t, "deliveries")
	c := p.caller()
	r := harness.NewReceiver(t)
	r.Answer("/robot", harness.Response{Body: `{"errcode":0,"errmsg":"ok"}`})
	c.must(t, "PUT", "/api/person/ada", map[string]any{"name": "Ada", "chats": []any{map[string]any{"network": "wecom", "address": "ada.l", "webhook": r.URL("/robot?key=KEYMARKER")}}})
	c.publish(t, strings.Replace(tracedService, "PAY", r.URL("/pay?key=KEYMARKER"), 1))
	opening := map[string]any{"origin": "e2e", "title": title, "service": "traced"}
	database, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer database.Close()
	story := func(traceparent func(parent string) string) string {
		answers := make(chan struct{})
		r.Answer("/pay", harness.Response{Until: answers})
		number := result[string](t, c.traced(t, traceparent(opener), "POST", "/api/issue", opening))
		// The reminder is due before the answer that it comes after is projected, and is nobody's all the same.
		row, err := database.Begin()
		require.NoError(t, err)
		_, err = row.Exec(`SELECT 1 FROM tickets WHERE number = $1 FOR UPDATE`, number)
		require.NoError(t, err)
		close(answers)
		harness.Until(t, "the projection waits", time.Minute, func() error {
			var waiting int
			if err := database.QueryRow(`SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&waiting); err != nil || waiting == 0 {
				return fmt.Errorf("%d wait, %v", waiting, err)
			}
			return nil
		})
		<-time.After(reminded)
		require.NoError(t, row.Rollback())
		harness.Until(t, "the reminder", time.Minute, func() error {
			if events := c.timeline(t, number); !slices.ContainsFunc(events, func(e entry) bool { return e.Type == "elapsed" }) {
				return fmt.Errorf("%v", events)
			}
			return nil
		})
		c.register(t, number, r.URL("/told/"+number))
		c.traced(t, traceparent(actor), "POST", "/api/issue/"+number+"/handle", handled("ada", "approve", "ask", map[string]any{"reason": "BODYMARKER"}))
		r.Await(t, "/told/"+number, 1, time.Minute)
		return number
	}
	number := story(func(parent string) string { return "00-" + trace + "-" + parent + "-01" })
	r.Await(t, "/robot", 2, time.Minute)
	quiet := story(func(parent string) string { return "00-" + untraced + "-" + parent + "-00" })
	harness.Until(t, "everything is written down", time.Minute, func() error {
		if n := strings.Count(deliveries.Logs(), `"delivery.attempted"`); n < 6 { // two letters and one delivery each
			return fmt.Errorf("%d tries", n)
		}
		return nil
	})
	for _, process := range []*harness.Process{p.apis, tickets, deliveries} {
		require.Zero(t, process.Terminate(time.Minute))
	}

	// One tree: parents by name, and of the same names in the order of time.
	spans := collector.Spans(trace)
	slices.SortFunc(spans, func(a, b harness.Span) int { return int(int64(a.Start) - int64(b.Start)) })
	children := map[string][]harness.Span{}
	for _, s := range spans {
		children[s.Parent] = append(children[s.Parent], s)
		require.Equal(t, "theirs=1", s.State, s.Name)
		require.False(t, s.Failed, "%+v", s)
	}
	var drawn []string
	var draw func(parent, indent string)
	draw = func(parent, indent string) {
		for _, s := range children[parent] {
			drawn = append(drawn, indent+strings.TrimPrefix(s.Service, "signalbox-")+" "+s.Kind+" "+s.Name)
			draw(s.ID, indent+"  ")
		}
	}
	draw(opener, "")
	draw(actor, "")
	require.Equal(t, strings.TrimSpace(`
api server POST /api/issue
  api internal desk claim
  api internal desk perform
    api client StartWorkflow:Ticket
      worker server RunWorkflow:Ticket
      worker server RunActivity:CallService
        worker client POST
      worker server RunActivity:Project
        worker internal project
          worker consumer drain
            worker client POST
  api internal desk finish
    api internal project
api server POST /api/issue/:id/handle
  api internal desk claim
  api internal desk perform
    api client UpdateWorkflow:approve
      worker server HandleUpdate:handle
  api internal desk finish
    api internal project
      worker consumer drain
        worker client POST`), strings.Join(drawn, "\n"))
	require.Len(t, spans, len(drawn), "no span of the trace hangs in the air")

	// Receivers can go on with it, but those whom letters go to.
	last := func(s string) string { parts := strings.Split(s, "-"); return parts[len(parts)-2] }
	posts := map[string]harness.Span{}
	for _, s := range spans {
		if s.Name == "POST" && s.Kind == "client" {
			posts[s.ID] = s
		}
	}
	for _, path := range []string{"/pay", "/told/" + number} {
		h := r.Requests(path)[0].Header
		require.True(t, strings.HasPrefix(h.Get("traceparent"), "00-"+trace+"-"), "%s: %v", path, h)
		require.Contains(t, posts, last(h.Get("traceparent")), path)
		require.Equal(t, "theirs=1", h.Get("tracestate"))
		require.Equal(t, "200", posts[last(h.Get("traceparent"))].Attributes["http.response.status_code"])
	}
	for _, request := range append(r.Requests("/robot"), r.Requests("/told/"+quiet)...) {
		require.Empty(t, request.Header.Get("traceparent"))
	}

	// What it says, and what it does not.
	opened := children[opener][0]
	for name, value := range map[string]string{"http.request.method": "POST", "http.route": "/api/issue", "url.path": "/api/issue", "http.response.status_code": "200",
		"signalbox.tenant": "default", "signalbox.app": "admin", "signalbox.channel": "issue"} {
		require.Equal(t, value, opened.Attributes[name], name)
	}
	for _, s := range collector.Spans("") {
		require.NotContains(t, s.Name, "/readyz")
		require.Empty(t, s.Description)
		for name, value := range s.Attributes {
			for _, secret := range []string{title, "BODYMARKER", "KEYMARKER", bootstrapSecret, "whsec_"} {
				require.NotContains(t, value, secret, "%s of %s", name, s.Name)
			}
		}
	}

	// What nobody asked for is in traces of its own: the timer of either ticket.
	alone := 0
	for _, s := range collector.Spans("") {
		if s.Parent == "" && s.Service == "signalbox-worker" {
			require.Equal(t, "RunActivity:Project", s.Name)
			require.NotEqual(t, trace, s.Trace)
			alone++
		}
	}
	require.Equal(t, 2, alone)

	// The logs say which trace they belong to.
	at := func(p *harness.Process, what string) map[string]any {
		t.Helper()
		lines := logged(t, p.Logs(), trace)[what]
		require.NotEmpty(t, lines, what)
		require.Len(t, lines[0]["span_id"], 16)
		return lines[0]
	}
	require.Equal(t, opened.ID, at(p.apis, "http.request")["span_id"])
	require.Equal(t, number, at(deliveries, "service.called")["ticket"])
	at(deliveries, "delivery.attempted")

	// What was sampled out has left nothing anywhere, and what is traced is in headers alone. The header of the timer is no trace's.
	require.Empty(t, collector.Spans(untraced))
	for _, process := range []*harness.Process{p.apis, tickets, deliveries} {
		require.Empty(t, logged(t, process.Logs(), untraced))
	}
	temporal := dialTemporal(t, p.temporal.address, p.namespace)
	filled := func(number string) (n int) {
		for _, fields := range headers(histories(t, temporal, number)[number]) {
			n += len(fields)
		}
		return n
	}
	require.Equal(t, 5, filled(number), "start, call, the projections of its answer and of the timer, update")
	require.Equal(t, 1, filled(quiet), "the projection of its timer, which begins a trace")
	var with, without, others int
	require.NoError(t, database.QueryRow(`SELECT count(*) FILTER (WHERE trace LIKE '00-`+trace+`-%-01 theirs=1'), count(*) FILTER (WHERE trace IS NULL),
		count(*) FILTER (WHERE trace IS NOT NULL AND trace NOT LIKE '%`+trace+`%') FROM deliveries`).Scan(&with, &without, &others))
	require.Equal(t, []int{2, 2, 2}, []int{with, without, others}, "each ticket has a letter, a delivery, and a letter of its timer")
}

// TestADeadCollectorDelaysNothing has nobody listen where traces are sent, and somebody who takes connections and never says a word.
func TestADeadCollectorDelaysNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })
	for name, endpoint := range map[string]string{"hangs": silent.Addr().String(), "is not there": fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))} {
		for _, protocol := range []string{"grpc", "http/protobuf"} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				t.Parallel()
				p := startProduction(t, postgrestest.Start(t), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol,
					"OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_BSP_MAX_QUEUE_SIZE=8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8")
				c := p.caller()
				for range 30 { // some two hundred spans
					c.open(t)
				}
				require.Zero(t, p.apis.Terminate(time.Minute))
				require.Contains(t, p.apis.Logs(), `"traces.on"`)
				require.Regexp(t, `"traces\.(failed|unsent)"`, p.apis.Logs())
			})
		}
	}
}
