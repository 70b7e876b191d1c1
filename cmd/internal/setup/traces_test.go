package setup

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"signalbox/internal/tracing"
)

// environment has no variable of OpenTelemetry but these, until the test ends.
func environment(t *testing.T, variables ...string) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // which has it put back
			require.NoError(t, os.Unsetenv(name))
		}
	}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	log := slog.Default()
	t.Cleanup(func() {
		slog.SetDefault(log)
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	})
}

// begun gives what a process begins with, and what its log says.
func begun(t *testing.T) (*slog.Logger, *Traces, *bytes.Buffer) {
	var out bytes.Buffer
	log, traces := StartTraces("api", slog.New(slog.NewJSONHandler(&out, nil)))
	t.Cleanup(traces.Stop)
	return log, traces, &out
}

func TestTracesAreSentWhereTheStandardVariablesSaySo(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"
	for name, c := range map[string]struct {
		variables []string
		on        bool
		warned    string
	}{
		"nothing is set":              {nil, false, ""},
		"a collector":                 {[]string{endpoint}, true, ""},
		"a collector of traces":       {[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:1/v1/traces"}, true, ""},
		"the usual collector":         {[]string{"OTEL_TRACES_EXPORTER=otlp"}, true, ""},
		"an empty address":            {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT= "}, false, ""},
		"none":                        {[]string{endpoint, "OTEL_TRACES_EXPORTER=none"}, false, ""},
		"no exporter that is known":   {[]string{endpoint, "OTEL_TRACES_EXPORTER=zipkin"}, false, "OTEL_TRACES_EXPORTER"},
		"one that is known among two": {[]string{endpoint, "OTEL_TRACES_EXPORTER=zipkin, OTLP"}, true, "OTEL_TRACES_EXPORTER"},
		"turned off":                  {[]string{endpoint, "OTEL_SDK_DISABLED=TRUE"}, false, ""},
		"not turned off":              {[]string{endpoint, "OTEL_SDK_DISABLED=false"}, true, ""},
		"gRPC":                        {[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, true, ""},
		"a protocol that is not known": {[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=http/json"}, true,
			"OTEL_EXPORTER_OTLP_PROTOCOL"},
		"a sampler that is not known": {[]string{endpoint, "OTEL_TRACES_SAMPLER=sometimes"}, true, "sometimes"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, c.variables...)
			var out bytes.Buffer
			before := slog.New(slog.NewJSONHandler(&out, nil))
			log, traces := StartTraces("api", before)
			defer traces.Stop()
			require.Equal(t, c.on, traces.Tracer() != nil)
			require.Equal(t, c.on, log != before, "without traces the log is as it was")
			if c.warned == "" {
				require.NotContains(t, out.String(), "WARN")
			} else {
				require.Contains(t, out.String(), "WARN")
				require.Contains(t, out.String(), c.warned)
			}
		})
	}
}

// collector takes traces by both protocols.
type collector struct {
	collectorpb.UnimplementedTraceServiceServer
	mu   sync.Mutex
	sent []*collectorpb.ExportTraceServiceRequest
}

func (c *collector) Export(_ context.Context, in *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, in)
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var in collectorpb.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, &in) != nil {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	_, _ = c.Export(r.Context(), &in)
}

// TestWhatIsLeftIsSentAtTheEnd by either protocol, with who sends it.
func TestWhatIsLeftIsSentAtTheEnd(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf", ""} {
		t.Run(protocol, func(t *testing.T) {
			c := &collector{}
			var endpoint string
			if protocol == "grpc" {
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				server := grpc.NewServer()
				collectorpb.RegisterTraceServiceServer(server, c)
				t.Cleanup(server.Stop)
				go func() { _ = server.Serve(listener) }()
				endpoint = "http://" + listener.Addr().String()
			} else {
				server := httptest.NewServer(c)
				t.Cleanup(server.Close)
				endpoint = server.URL
			}
			environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_BSP_SCHEDULE_DELAY=3600000",
				"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test", "OTEL_SERVICE_NAME=ours")
			log, traces, out := begun(t)
			ctx, span := traces.Tracer().Receive(t.Context(), "GET", func(string) []string { return nil })
			log.InfoContext(ctx, "said")
			slog.InfoContext(ctx, "said by the way")
			span.End()
			traces.Stop()
			require.Len(t, c.sent, 1)
			of := c.sent[0].ResourceSpans[0]
			require.Equal(t, "GET", of.ScopeSpans[0].Spans[0].Name)
			who := map[string]string{}
			for _, a := range of.Resource.Attributes {
				who[a.Key] = a.Value.GetStringValue()
			}
			require.Equal(t, []string{"ours", "signalbox", "test"}, []string{who["service.name"], who["service.namespace"], who["deployment.environment.name"]})
			require.NotEmpty(t, who["service.instance.id"])
			trace, _, _ := tracing.IDs(tracing.Carry(ctx))
			require.Equal(t, 2, strings.Count(out.String(), `"trace_id":"`+trace+`"`))
			require.NotContains(t, out.String(), "WARN")
		})
	}
}

// TestSpansWaitForNobody has far more of them end than are kept, while their collector hangs for as long as the test lasts.
func TestSpansWaitForNobody(t *testing.T) {
	logs := map[string]*bytes.Buffer{}
	var stopping sync.WaitGroup // each takes the time that there is for what was not sent
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer silent.Close()
		environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+silent.Addr().String(), "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_EXPORTER_OTLP_TIMEOUT=3600000",
			"OTEL_BSP_EXPORT_TIMEOUT=3600000", "OTEL_BSP_MAX_QUEUE_SIZE=16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8", "OTEL_BSP_SCHEDULE_DELAY=1")
		_, traces, out := begun(t)
		for range 10_000 {
			_, span := traces.Tracer().Root(t.Context(), "x")
			span.End()
		}
		stopping.Go(traces.Stop) // which does not hang either
		logs[protocol] = out
	}
	stopping.Wait()
	for protocol, out := range logs {
		require.Contains(t, out.String(), `"traces.unsent"`, protocol)
	}
}

// TestACollectorThatIsAwayIsToldOfOnceAMinute counts the lines.
func TestACollectorThatIsAwayIsToldOfOnceAMinute(t *testing.T) {
	var out bytes.Buffer
	c := &complaints{log: slog.New(slog.NewJSONHandler(&out, nil))}
	for range 100 {
		c.Handle(io.ErrUnexpectedEOF)
	}
	require.Equal(t, 1, strings.Count(out.String(), "traces.failed"))
	c.said = c.said.Add(-2e11)
	c.Handle(io.ErrUnexpectedEOF)
	require.Contains(t, out.String(), `"more":99`)
}
