package activities_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/sdk/testsuite"

	"signalbox/activities"
	"signalbox/activities/outboxtest"
	"signalbox/internal/tracing"
	"signalbox/notice"
)

const carried = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// traced is an outbox whose deliveries to some subscriptions are made because of what is traced.
type traced struct {
	*outboxtest.Outbox
	subscriptions []string
}

func (o traced) mark(w notice.Work) notice.Work {
	if slices.Contains(o.subscriptions, w.Subscription.ID) {
		w.Delivery.Trace = carried
	}
	return w
}

func (o traced) Pending(ctx context.Context, partition int, busy []notice.Lane, limit int, hosts ...string) ([]notice.Work, error) {
	works, err := o.Outbox.Pending(ctx, partition, busy, limit, hosts...)
	for i := range works {
		works[i] = o.mark(works[i])
	}
	return works, err
}

func (o traced) Next(ctx context.Context, lane notice.Lane) (notice.Work, bool, error) {
	w, found, err := o.Outbox.Next(ctx, lane)
	return o.mark(w), found, err
}

// heard keeps the headers that receivers get, by path.
type heard struct {
	mu sync.Mutex
	by map[string][]http.Header
}

func (h *heard) note(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[string][]http.Header{}
	}
	h.by[r.URL.Path] = append(h.by[r.URL.Path], r.Header.Clone())
}

// spans gives those that were ended, by kind and name, in order of their ends.
func spans(told *tracetest.SpanRecorder) (names []string, by map[string]sdktrace.ReadOnlySpan) {
	by = map[string]sdktrace.ReadOnlySpan{}
	for _, s := range told.Ended() {
		name := s.SpanKind().String() + " " + s.Name()
		names, by[name] = append(names, name), s
	}
	return names, by
}

func attributes(s sdktrace.ReadOnlySpan) map[string]string {
	out := map[string]string{}
	for _, a := range s.Attributes() {
		out[string(a.Key)] = a.Value.Emit()
	}
	return out
}

// TestATryIsPartOfTheTraceItIsMadeBecauseOf makes first tries, of which one is to be traced, and then one that fails and the next.
func TestATryIsPartOfTheTraceItIsMadeBecauseOf(t *testing.T) {
	t.Parallel()
	told := tracetest.NewSpanRecorder()
	tracer := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(told)), true)
	var out bytes.Buffer
	var h heard
	r := newReceiver(t, func(id string) int {
		if strings.HasPrefix(id, "fails") {
			return 500
		}
		return 200
	})
	r.Config.Handler = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { h.note(q); next.ServeHTTP(w, q) })
	}(r.Config.Handler)
	b := newBench(t, time.Minute)
	b.Outbox, b.Tracer = traced{b.outbox, []string{"known", "fails"}}, tracer
	b.Log = slog.New(tracing.Log(slog.NewJSONHandler(&out, nil)))
	b.Sender = newSender(func(o *activities.SenderOptions) { o.Tracer = tracer })
	for _, id := range []string{"known", "plain", "fails"} {
		b.outbox.Subscribe(id, r.URL+"/"+id+"?key=secret", notice.Minutely)
		b.outbox.Enqueue(id, 1, 1)
	}
	b.drain()
	b.await("all are tried", func() bool {
		return b.outbox.Count(notice.Sent) == 2 && b.outbox.IsRetrying(notice.Lane{Subscription: "fails", TicketID: 1})
	})
	b.finish()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.Deliveries)
	_, err := env.ExecuteActivity(b.Deliver, activities.DeliverInput{Lane: notice.Lane{Subscription: "fails", TicketID: 1}, Delivery: "fails:1:1"})
	require.ErrorContains(t, err, activities.TypeFailedTry)

	names, by := spans(told)
	slices.Sort(names)
	require.Equal(t, []string{"client POST", "client POST", "client POST", "consumer drain", "consumer drain", "consumer retry"}, names)
	for _, s := range told.Ended() {
		require.Equal(t, "0af7651916cd43dd8448eb211c80319c", s.SpanContext().TraceID().String())
		for name, value := range attributes(s) {
			require.NotContains(t, value, "secret", name)
		}
	}
	require.Equal(t, "b7ad6b7169203331", by["consumer retry"].Parent().SpanID().String())
	again := attributes(by["consumer retry"])
	require.Equal(t, []string{"fails:1:1", "fails", "2", "parked"}, []string{again["signalbox.delivery"], again["signalbox.subscription"], again["signalbox.try"], again["signalbox.then"]})
	post := by["client POST"]
	require.Equal(t, by["consumer retry"].SpanContext().SpanID(), post.Parent().SpanID())
	sent := attributes(post)
	require.Equal(t, []string{"500", "500", "1", "127.0.0.1", "POST"}, []string{sent["http.response.status_code"], sent["error.type"], sent["http.request.resend_count"], sent["server.address"],
		sent["http.request.method"]})
	require.Equal(t, "Error", post.Status().Code.String())

	require.Empty(t, h.by["/plain"][0].Get("traceparent"))
	require.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-"+post.SpanContext().SpanID().String()+"-01", h.by["/fails"][1].Get("traceparent"))
	attempts := b.outbox.Attempts()
	require.Equal(t, h.by["/fails"][1].Get("traceparent"), attempts[len(attempts)-1].Sent["Traceparent"], "the log of deliveries tells which trace it was")

	lines := map[string]int{}
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		if m["msg"] == "delivery.attempted" {
			lines[m["subscription"].(string)]++
			require.Equal(t, m["subscription"] != "plain", m["trace_id"] == "0af7651916cd43dd8448eb211c80319c", line)
		}
	}
	require.Equal(t, map[string]int{"known": 1, "plain": 1, "fails": 2}, lines)
}
