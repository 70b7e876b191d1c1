package setup

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"signalbox/internal/tracing"
)

// Traces sends what is traced in this process to a collector, by OTLP. All about it is said by the variables that OpenTelemetry has for everybody
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables), most of which its SDK reads itself.
type Traces struct {
	tracer   *tracing.Tracer
	provider *sdktrace.TracerProvider
	log      *slog.Logger
}

// flushTraces bounds how long the end of a process waits for a collector to take the last spans.
const flushTraces = 3 * time.Second

// StartTraces begins to send where a collector is named, and gives the log whose lines say which trace they belong to. What is wrong with a variable is told in the
// log, and keeps no process from starting.
func StartTraces(process string, log *slog.Logger) (*slog.Logger, *Traces) {
	if !wanted(log) {
		return log, &Traces{}
	}
	ctx := context.Background()
	// Nothing is connected to yet.
	exporter, err := exporterOf(ctx, log)
	if err != nil {
		log.Warn("traces.off", "error", err)
		return log, &Traces{}
	}
	log = slog.New(tracing.Log(log.Handler()))
	slog.SetDefault(log)
	complain := &complaints{log: log}
	otel.SetErrorHandler(complain)
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(attribute.String("service.name", "signalbox-"+process),
		attribute.String("service.namespace", "signalbox"), attribute.String("service.instance.id", uuid.NewString())), resource.WithFromEnv())
	if err != nil {
		log.Warn("traces.resource", "error", err)
	}
	t := &Traces{log: log, provider: sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))}
	t.tracer = tracing.New(t.provider, outside(log))
	log.Info("traces.on", "endpoint", endpoint(), "protocol", protocol(log))
	return log, t
}

// Tracer is what begins spans; nil: nothing is traced.
func (t *Traces) Tracer() *tracing.Tracer { return t.tracer }

// Stop sends the last spans, if there is somebody who takes them in time.
func (t *Traces) Stop() {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTraces)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("traces.unsent", "error", err)
	}
}

// variable gives a variable of OpenTelemetry; one that is empty is as good as none.
func variable(names ...string) string {
	for _, name := range names {
		if value := strings.TrimSpace(os.Getenv(name)); value != "" {
			return value
		}
	}
	return ""
}

// list reads a variable that is a list, and tells of what in it is not known here.
func list(log *slog.Logger, name string, known ...string) (found []string) {
	for value := range strings.SplitSeq(variable(name), ",") {
		switch value = strings.ToLower(strings.TrimSpace(value)); {
		case slices.Contains(known, value):
			found = append(found, value)
		case value != "":
			log.Warn("traces.ignored", "variable", name, "value", value, "known", known)
		}
	}
	return found
}

// endpoint is the address of the collector.
func endpoint() string {
	return variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
}

// wanted reports whether traces are to be sent: to a collector that is named, or to the usual one where it is said that they are.
func wanted(log *slog.Logger) bool {
	if strings.EqualFold(variable("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if variable("OTEL_TRACES_EXPORTER") == "" {
		return endpoint() != ""
	}
	return slices.Contains(list(log, "OTEL_TRACES_EXPORTER", "otlp", "none"), "otlp")
}

// outside reports whether callers are asked for the trace that their request is part of, and receivers told.
func outside(log *slog.Logger) bool {
	return variable("OTEL_PROPAGATORS") == "" || slices.Contains(list(log, "OTEL_PROPAGATORS", "tracecontext", "none"), "tracecontext")
}

const overHTTP, overGRPC = "http/protobuf", "grpc"

// protocol is how the collector is spoken to.
func protocol(log *slog.Logger) string {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if found := list(log, name, overHTTP, overGRPC); len(found) > 0 {
			return found[0]
		}
	}
	return overHTTP
}

func exporterOf(ctx context.Context, log *slog.Logger) (*otlptrace.Exporter, error) {
	if protocol(log) == overGRPC {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

// complaints is told what goes wrong with sending, and tells it once a minute: a collector that is away is away for each batch.
type complaints struct {
	log  *slog.Logger
	mu   sync.Mutex
	said time.Time
	more int
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.said) < time.Minute {
		c.more++
		return
	}
	c.log.Warn("traces.failed", "error", err, "more", c.more)
	c.said, c.more = now, 0
}
