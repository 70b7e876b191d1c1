package api_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/desk"
	"signalbox/internal/tracing"
	"signalbox/ticket"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestRequestsAreTraced(t *testing.T) {
	told := tracetest.NewSpanRecorder()
	tracer := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(told)), true)
	carried := ""
	s := setup(t, api.Config{}, api.Route{Method: "GET", Path: "/issue/:id/fault", Scope: desk.Read, Handler: func(*fiber.Ctx) error { return errors.New("disk on fire") }},
		api.Route{Method: "GET", Path: "/issue/:id/panic", Scope: desk.Read, Handler: func(*fiber.Ctx) error { panic("out of paper") }},
		api.Route{Method: "GET", Path: "/issue/:id/no", Scope: desk.Read, Handler: func(*fiber.Ctx) error { return ticket.Refuse(ticket.Conflict, "no") }},
		api.Route{Method: "POST", Path: "/issue/carry", Scope: desk.Write, Handler: func(c *fiber.Ctx) error {
			carried = tracing.Carry(api.Context(c))
			return ok(c)
		}})
	s.server.Measure(prometheus.NewRegistry())
	s.server.Trace(tracer, "/assets/")
	s.server.App().Get("/assets/style.css", ok)
	s.server.App().Get("/ticket/:id", ok)
	var last sdktrace.ReadOnlySpan
	// one makes a request and gives the attributes of its span.
	one := func(method, path string, headers ...string) map[string]string {
		t.Helper()
		before := len(told.Ended())
		s.Do(method, path, nil, headers...)
		spans := told.Ended()
		require.Len(t, spans, before+1, path)
		last = spans[before]
		out := map[string]string{}
		for _, a := range last.Attributes() {
			out[string(a.Key)] = a.Value.Emit()
		}
		return out
	}
	a := one("GET", "/issue/IM1?q=secret", "traceparent", traceparent, "X-Request-Id", "r-1")
	require.Equal(t, "GET /issue/:id", last.Name())
	require.Equal(t, "b7ad6b7169203331", last.Parent().SpanID().String())
	require.Equal(t, map[string]string{"http.request.method": "GET", "http.route": "/issue/:id", "url.path": "/issue/IM1", "url.scheme": "http", "client.address": a["client.address"],
		"http.response.status_code": "200", "signalbox.request_id": "r-1", "signalbox.channel": "issue", "signalbox.tenant": "north", "signalbox.app": "writer"}, a)
	require.NotEmpty(t, a["client.address"])

	for path, want := range map[string]struct{ status, failed, refused, name string }{
		"/issue/IM1/no":    {"409", "", "conflict", "GET /issue/:id/no"},
		"/issue/IM1/fault": {"500", "internal", "", "GET /issue/:id/fault"},
		"/issue/IM1/panic": {"500", "internal", "", "GET /issue/:id/panic"},
		"/nowhere/IM1":     {"404", "", "no_route", "GET"},
		"/ticket/IM1":      {"200", "", "", "GET /ticket/:id"},
	} {
		a := one("GET", path)
		require.Equal(t, want, struct{ status, failed, refused, name string }{a["http.response.status_code"], a["error.type"], a["signalbox.refused"], last.Name()}, path)
		require.Equal(t, want.failed != "", last.Status().Code.String() == "Error", path)
		require.Empty(t, last.Events(), "no message of an error is told")
		require.False(t, slices.ContainsFunc(last.Attributes(), func(a attribute.KeyValue) bool { return strings.Contains(a.Value.Emit(), "fire") }))
	}
	// The line in the log belongs to the trace, and so does what a handler asks others for.
	one("POST", "/issue/carry", "traceparent", traceparent)
	require.Equal(t, fmt.Sprintf("00-0af7651916cd43dd8448eb211c80319c-%s-01", last.SpanContext().SpanID()), carried)

	before := len(told.Ended())
	for _, path := range []string{"/healthz", "/readyz?for=reads", "/metrics", "/assets/style.css"} {
		require.Equal(t, 200, s.Do("GET", path, nil).Status, path)
	}
	require.Len(t, told.Ended(), before, "balancers ask all the time")
}

// TestPagesOfOthersMaySayWhichTraceTheyArePartOf has a browser ask first.
func TestPagesOfOthersMaySayWhichTraceTheyArePartOf(t *testing.T) {
	s := setup(t, api.Config{CORSOrigins: []string{"https://desk.example.com"}})
	a := s.As(apitest.Writer).Do("OPTIONS", "/issue", nil, "Origin", "https://desk.example.com", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "traceparent")
	require.Contains(t, a.Header.Get("Access-Control-Allow-Headers"), "traceparent,tracestate")
}
