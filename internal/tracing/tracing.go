// Package tracing is how the house says what it does for a request: spans of OpenTelemetry, and the W3C trace context by which those of several processes are one
// trace.
//
// Only who takes something in begins a span by a Tracer: a request, an activity, a delivery. Whatever is done for it begins spans within the one that its context
// carries (Start), and knows of no tracer. Where nothing is traced, or a trace was sampled out, there is no such span, and then nothing here allocates, writes or
// sends anything.
package tracing

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the name of the instrumentation that all spans are told of.
const Scope = "signalbox"

// Attributes of spans: those of OpenTelemetry's semantic conventions 1.40 where they have one, and ours.
const (
	Method     = "http.request.method"
	Route      = "http.route"
	Status     = "http.response.status_code"
	Resend     = "http.request.resend_count"
	Path       = "url.path"
	Scheme     = "url.scheme"
	Server     = "server.address"
	ServerPort = "server.port"
	Client     = "client.address"
	ErrorType  = "error.type"

	RequestID    = "signalbox.request_id"
	Channel      = "signalbox.channel"
	Tenant       = "signalbox.tenant"
	App          = "signalbox.app"
	Refused      = "signalbox.refused" // the code of a refusal, which is no fault of ours
	Operation    = "signalbox.operation"
	Ticket       = "signalbox.ticket"
	TicketID     = "signalbox.ticket_id"
	Events       = "signalbox.events" // how many
	Node         = "signalbox.node"
	Round        = "signalbox.round"
	Delivery     = "signalbox.delivery"
	Subscription = "signalbox.subscription"
	Kind         = "signalbox.kind" // of an event, as its subscribers know it
	Try          = "signalbox.try"
	Then         = "signalbox.then" // what follows from a try

	Workflow = "temporalWorkflowID" // as Temporal's own instrumentation has it
	Run      = "temporalRunID"
	UpdateID = "temporalUpdateID"
)

// Span is one thing that is being done, and who is told of it. The zero value is nobody: its methods do nothing.
type Span struct{ span trace.Span }

// Recording reports whether anybody is told.
func (s Span) Recording() bool { return s.span != nil }

// Text adds an attribute, unless it is empty. Nothing that people write, and nothing secret, is one.
func (s Span) Text(name, value string) {
	if s.span != nil && value != "" {
		s.span.SetAttributes(attribute.String(name, value))
	}
}

// Number adds an attribute.
func (s Span) Number(name string, value int64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int64(name, value))
	}
}

// Name gives the span another name.
func (s Span) Name(name string) {
	if s.span != nil {
		s.span.SetName(name)
	}
}

// Fail says that it went wrong, by a word of which there are few. The text of an error is for the log, which may be told more than those who see traces.
func (s Span) Fail(kind string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(ErrorType, kind))
		s.span.SetStatus(codes.Error, "")
	}
}

// End says that it is over.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// In gives ctx as it is within the span.
func (s Span) In(ctx context.Context) context.Context {
	if s.span == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

// Start begins a span within the one that ctx carries. Where that carries none, the span is nobody, and ctx stays as it is.
func Start(ctx context.Context, name string) (context.Context, Span) {
	return start(ctx, name, trace.SpanKindInternal)
}

// StartCall is Start for what is asked of somebody else.
func StartCall(ctx context.Context, name string) (context.Context, Span) {
	return start(ctx, name, trace.SpanKindClient)
}

func start(ctx context.Context, name string, kind trace.SpanKind) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	return begin(ctx, ctx, parent.TracerProvider().Tracer(Scope), name, kind)
}

// begin begins a span after what a context carries, and gives the other one where there is to be none: that of a trace that was sampled out carries nothing on.
func begin(after, otherwise context.Context, t trace.Tracer, name string, kind trace.SpanKind) (context.Context, Span) {
	within, span := t.Start(after, name, trace.WithSpanKind(kind))
	if !span.IsRecording() {
		return otherwise, Span{}
	}
	return within, Span{span}
}

// Tracer begins spans for what comes in. A nil one begins none.
type Tracer struct {
	tracer  trace.Tracer
	outside bool
}

// New makes a tracer. outside says whether callers are believed which trace a request is part of, and receivers told.
func New(provider trace.TracerProvider, outside bool) *Tracer {
	return &Tracer{tracer: provider.Tracer(Scope), outside: outside}
}

// w3c reads and writes https://www.w3.org/TR/trace-context.
var w3c propagation.TraceContext

// The two headers of a trace context.
const (
	ParentHeader = "traceparent"
	StateHeader  = "tracestate"
)

// Receive begins the span of a request, in the trace that its headers say it is part of. What they say and is not well formed is passed over, as the
// standard wants it.
func (t *Tracer) Receive(ctx context.Context, name string, header func(name string) []string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	after := ctx
	if parents := header(ParentHeader); t.outside && len(parents) == 1 {
		after = w3c.Extract(ctx, propagation.MapCarrier{ParentHeader: parents[0], StateHeader: strings.Join(header(StateHeader), ",")})
	}
	return begin(after, ctx, t.tracer, name, trace.SpanKindServer)
}

// Root begins a trace, for what nobody asked for.
func (t *Tracer) Root(ctx context.Context, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	return begin(trace.ContextWithSpanContext(ctx, trace.SpanContext{}), ctx, t.tracer, name, trace.SpanKindServer)
}

// How what is followed was passed on: Called has somebody wait for what comes of it, Queued does not.
const (
	Called = trace.SpanKindServer
	Queued = trace.SpanKindConsumer
)

// Follow begins a span after the one that Carry gave the text of, here or in another process. Where there is no text there is no span.
func (t *Tracer) Follow(ctx context.Context, carried, name string, kind trace.SpanKind) (context.Context, Span) {
	if t == nil || carried == "" {
		return ctx, Span{}
	}
	parent, state, _ := strings.Cut(carried, " ")
	after := w3c.Extract(trace.ContextWithSpanContext(ctx, trace.SpanContext{}), propagation.MapCarrier{ParentHeader: parent, StateHeader: state})
	if !trace.SpanContextFromContext(after).IsSampled() {
		return ctx, Span{}
	}
	return begin(after, ctx, t.tracer, name, kind)
}

// Send gives the headers by which a receiver is told of the trace that ctx is in; none where there is none.
func (t *Tracer) Send(ctx context.Context, set func(name, value string)) {
	if t == nil || !t.outside || !trace.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	for name, value := range inject(ctx) {
		set(name, value)
	}
}

// Carry gives a text by which whoever goes on with something later is told of the span that ctx carries; empty where there is none. It has at most 568 characters,
// and 55 where callers send no tracestate.
func Carry(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	headers := inject(ctx)
	return strings.TrimSpace(headers[ParentHeader] + " " + headers[StateHeader])
}

func inject(ctx context.Context) propagation.MapCarrier {
	headers := propagation.MapCarrier{}
	w3c.Inject(ctx, headers)
	return headers
}

// IDs gives the trace and the span of a text of Carry; false: it is none.
func IDs(carried string) (traceID, spanID string, ok bool) {
	parent, _, _ := strings.Cut(carried, " ")
	in := trace.SpanContextFromContext(w3c.Extract(context.Background(), propagation.MapCarrier{ParentHeader: parent}))
	return in.TraceID().String(), in.SpanID().String(), in.IsValid()
}
