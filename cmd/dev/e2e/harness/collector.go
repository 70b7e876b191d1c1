package harness

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one that a Collector was sent.
type Span struct {
	Service, Name, Kind string // of what process, and client, consumer, internal or server
	Trace, ID, Parent   string // in hexadecimal; Parent is empty of one that begins a trace
	State               string // tracestate
	Failed              bool
	Attributes          map[string]string
	Description         string
	Start, End          uint64 // nanoseconds since 1970
}

// Collector is a receiver of traces over OTLP/HTTP on loopback, which keeps them all.
type Collector struct {
	server *httptest.Server

	mu    sync.Mutex
	spans []Span
}

// NewCollector starts a collector that closes when the test ends.
func NewCollector(t testing.TB) *Collector {
	c := &Collector{}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("a collector was sent what is no OTLP: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.server.Close)
	return c
}

// URL is what OTEL_EXPORTER_OTLP_ENDPOINT is to be set to.
func (c *Collector) URL() string { return c.server.URL }

// Spans gives what came so far of one trace; of an empty one, everything.
func (c *Collector) Spans(trace string) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s Span) bool { return trace != "" && s.Trace != trace })
}

func (c *Collector) take(r *http.Request) error {
	if r.URL.Path != "/v1/traces" {
		return fmt.Errorf("it came to %s", r.URL.Path)
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var sent collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &sent); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range sent.ResourceSpans {
		service := texts(of.GetResource().GetAttributes())["service.name"]
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, Span{Service: service, Name: s.Name, Kind: kinds[s.Kind], Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId),
					Parent: hex.EncodeToString(s.ParentSpanId), State: s.TraceState, Failed: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
					Attributes: texts(s.Attributes), Description: s.GetStatus().GetMessage(), Start: s.StartTimeUnixNano, End: s.EndTimeUnixNano})
			}
		}
	}
	return nil
}

var kinds = map[tracepb.Span_SpanKind]string{tracepb.Span_SPAN_KIND_CLIENT: "client", tracepb.Span_SPAN_KIND_CONSUMER: "consumer", tracepb.Span_SPAN_KIND_INTERNAL: "internal",
	tracepb.Span_SPAN_KIND_PRODUCER: "producer", tracepb.Span_SPAN_KIND_SERVER: "server"}

// texts gives attributes as texts.
func texts(attributes []*commonpb.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range attributes {
		if n, ok := a.Value.GetValue().(*commonpb.AnyValue_IntValue); ok {
			out[a.Key] = fmt.Sprint(n.IntValue)
		} else {
			out[a.Key] = a.Value.GetStringValue()
		}
	}
	return out
}
