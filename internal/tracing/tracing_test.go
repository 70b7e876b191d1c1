package tracing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"signalbox/internal/tracing"
)

const (
	caller  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unasked = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// recorded is a tracer, and what it was told.
func recorded(t *testing.T, outside bool, o ...sdktrace.TracerProviderOption) (*tracing.Tracer, *tracetest.SpanRecorder) {
	told := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(append(o, sdktrace.WithSpanProcessor(told))...)
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return tracing.New(provider, outside), told
}

func headers(lines ...string) func(string) []string {
	return func(name string) (out []string) {
		for _, line := range lines {
			if n, value, _ := strings.Cut(line, ": "); n == name {
				out = append(out, value)
			}
		}
		return out
	}
}

// sent is what a receiver is told.
func sent(tracer *tracing.Tracer, ctx context.Context) map[string]string {
	out := map[string]string{}
	tracer.Send(ctx, func(name, value string) { out[name] = value })
	return out
}

// everything does whatever is done for a request, by a tracer that may be none.
func everything(ctx context.Context, tracer *tracing.Tracer, header func(string) []string, set func(name, value string)) {
	ctx, request := tracer.Receive(ctx, "GET", header)
	ctx, step := tracing.Start(ctx, "desk claim")
	ctx, call := tracing.StartCall(ctx, "POST")
	_, later := tracer.Follow(ctx, tracing.Carry(ctx), "drain", tracing.Queued)
	tracer.Send(ctx, set)
	for _, span := range []tracing.Span{request, step, call, later} {
		span.Name("GET /")
		span.Text(tracing.Tenant, "acme")
		span.Number(tracing.Status, 500)
		span.Fail("internal")
		if span.In(ctx) != ctx {
			panic("there is no span to be in")
		}
		span.End()
	}
}

// TestOffCostsNothing counts what is allocated where nothing is traced.
func TestOffCostsNothing(t *testing.T) {
	header, set := headers("traceparent: "+caller), func(string, string) { panic("nobody is told") }
	for name, ctx := range map[string]context.Context{
		"in no trace":        t.Context(),
		"sampled out before": trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})),
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() { everything(ctx, nil, header, set) }), name)
	}
}

// TestWhatIsSampledOutLeavesNothing has the sampler, or the caller, say no.
func TestWhatIsSampledOutLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		sampler sdktrace.Sampler
		header  string
	}{
		"by us":         {sdktrace.NeverSample(), caller},
		"by the caller": {sdktrace.ParentBased(sdktrace.AlwaysSample()), unasked},
	} {
		tracer, told := recorded(t, true, sdktrace.WithSampler(c.sampler))
		ctx, span := tracer.Receive(t.Context(), "GET", headers("traceparent: "+c.header))
		require.False(t, span.Recording(), name)
		require.Empty(t, tracing.Carry(ctx), name)
		require.Empty(t, sent(tracer, ctx), name)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			ctx, span := tracing.Start(ctx, "desk claim")
			span.Text(tracing.Tenant, tracing.Carry(ctx))
			span.End()
		}), name)
		require.Empty(t, told.Started(), name)
	}
}

// TestOneTrace follows a trace from a caller through two processes to a receiver.
func TestOneTrace(t *testing.T) {
	tracer, told := recorded(t, true)
	ctx, request := tracer.Receive(t.Context(), "POST", headers("traceparent: "+caller, "tracestate: a=1", "tracestate: b=2"))
	step, claim := tracing.Start(ctx, "desk claim")
	carried := tracing.Carry(step)
	claim.End()
	request.Fail("internal")
	request.End()

	elsewhere, later := recorded(t, true)
	ctx, drain := elsewhere.Follow(t.Context(), carried, "drain", tracing.Queued)
	ctx, post := tracing.StartCall(ctx, "POST")
	out := sent(elsewhere, ctx)
	post.End()
	drain.End()

	spans := append(told.Ended(), later.Ended()...)
	names := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range spans {
		require.Equal(t, "0af7651916cd43dd8448eb211c80319c", s.SpanContext().TraceID().String(), s.Name())
		names[s.SpanKind().String()+" "+s.Name()] = s
	}
	require.Len(t, spans, 4)
	parent := func(name string) string { return names[name].Parent().SpanID().String() }
	id := func(name string) string { return names[name].SpanContext().SpanID().String() }
	require.Equal(t, "b7ad6b7169203331", parent("server POST"))
	require.Equal(t, id("server POST"), parent("internal desk claim"))
	require.Equal(t, id("internal desk claim"), parent("consumer drain"))
	require.Equal(t, id("consumer drain"), parent("client POST"))
	require.Equal(t, map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-" + id("client POST") + "-01", "tracestate": "a=1,b=2"}, out)
	require.Equal(t, "Error", names["server POST"].Status().Code.String())
	require.Empty(t, names["server POST"].Status().Description)
}

// TestWhatCallersSayIsReadStrictly has every request begin a trace whose headers are not those of one.
func TestWhatCallersSayIsReadStrictly(t *testing.T) {
	for name, header := range map[string]func(string) []string{
		"none":          headers(),
		"another":       headers("Traceparent: " + caller),
		"two":           headers("traceparent: "+caller, "traceparent: "+caller),
		"too short":     headers("traceparent: " + caller[:50]),
		"zeros":         headers("traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01"),
		"no version":    headers("traceparent: ff" + caller[2:]),
		"in capitals":   headers("traceparent: " + strings.ToUpper(caller)),
		"without trace": headers("tracestate: a=1"),
	} {
		tracer, told := recorded(t, true)
		_, span := tracer.Receive(t.Context(), "GET", header)
		span.End()
		require.Len(t, told.Ended(), 1, name)
		require.False(t, told.Ended()[0].Parent().IsValid(), name)
	}
	// A state that is not well formed does not make the trace another one.
	tracer, told := recorded(t, true)
	ctx, span := tracer.Receive(t.Context(), "GET", headers("traceparent: "+caller, "tracestate: =,="))
	span.End()
	require.True(t, told.Ended()[0].Parent().IsValid())
	require.NotContains(t, sent(tracer, ctx), "tracestate")
}

// TestNobodyOutsideIsBelievedOrToldUnlessWanted is for OTEL_PROPAGATORS without tracecontext.
func TestNobodyOutsideIsBelievedOrToldUnlessWanted(t *testing.T) {
	tracer, told := recorded(t, false)
	ctx, span := tracer.Receive(t.Context(), "GET", headers("traceparent: "+caller))
	require.Empty(t, sent(tracer, ctx))
	require.NotEmpty(t, tracing.Carry(ctx), "within the house it is one trace all the same")
	span.End()
	require.False(t, told.Ended()[0].Parent().IsValid())
}

// TestWhatNobodyAskedForIsATraceOfItsOwn begins one within another.
func TestWhatNobodyAskedForIsATraceOfItsOwn(t *testing.T) {
	tracer, told := recorded(t, true)
	ctx, outer := tracer.Root(t.Context(), "outer")
	_, inner := tracer.Root(ctx, "inner")
	inner.End()
	outer.End()
	require.False(t, told.Ended()[0].Parent().IsValid())
	require.NotEqual(t, told.Ended()[0].SpanContext().TraceID(), told.Ended()[1].SpanContext().TraceID())
	for _, carried := range []string{"", unasked, "x"} {
		_, span := tracer.Follow(ctx, carried, "drain", tracing.Queued)
		require.False(t, span.Recording(), carried)
	}
}

func TestLinesCarryTheTrace(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(tracing.Log(slog.NewJSONHandler(&out, nil))).With("process", "api")
	tracer, _ := recorded(t, true)
	ctx, span := tracer.Receive(t.Context(), "GET", headers("traceparent: "+caller))
	line := func() (m map[string]any) {
		require.NoError(t, json.Unmarshal(out.Bytes(), &m))
		out.Reset()
		return m
	}
	log.InfoContext(ctx, "said", "error", errors.New("a"))
	m := line()
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", m["trace_id"])
	require.Len(t, m["span_id"], 16)
	require.Equal(t, []any{"api", "a"}, []any{m["process"], m["error"]})
	span.End()
	log.InfoContext(ctx, "said after the end")
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", line()["trace_id"])
	log.InfoContext(t.Context(), "said in no trace")
	require.NotContains(t, line(), "trace_id")
	unsampled, _ := tracer.Receive(t.Context(), "GET", headers("traceparent: "+unasked))
	log.InfoContext(unsampled, "sampled out")
	require.NotContains(t, line(), "trace_id")
}
