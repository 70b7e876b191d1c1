package e2e

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"signalbox/activities"
	"signalbox/activities/outboxtest"
	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
	"signalbox/internal/aead"
	"signalbox/internal/tracing"
	tracinginterceptor "signalbox/internal/tracing/interceptor"
	"signalbox/notice"
	"signalbox/ticket"
	"signalbox/workflows"
)

// headers gives those of a history that a trace could be in: of its start, its updates and its activities, in their order.
func headers(history *historypb.History) (all []map[string]*commonpb.Payload) {
	for _, event := range history.Events {
		switch {
		case event.GetWorkflowExecutionStartedEventAttributes() != nil:
			all = append(all, event.GetWorkflowExecutionStartedEventAttributes().GetHeader().GetFields())
		case event.GetWorkflowExecutionUpdateAcceptedEventAttributes() != nil:
			all = append(all, event.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest().GetInput().GetHeader().GetFields())
		case event.GetActivityTaskScheduledEventAttributes() != nil:
			all = append(all, event.GetActivityTaskScheduledEventAttributes().GetHeader().GetFields())
		}
	}
	return all
}

// TestHistoriesHoldOfTracesWhatIsTraced opens tickets, updates and signals them: without a tracer, with one while nothing is traced, and with all of it traced.
func TestHistoriesHoldOfTracesWhatIsTraced(t *testing.T) {
	t.Parallel()
	plain, address, namespace := temporalServer(t)
	told := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(told))
	tracer := tracing.New(provider, true)
	codec := &workflows.Codec{Encrypt: true, Keys: func(context.Context) ([]aead.Key, error) {
		return []aead.Key{{ID: "one", Key: []byte("0123456789abcdef0123456789abcdef")}}, nil
	}}
	dial := func(tracer *tracing.Tracer) client.Client {
		c, err := workflows.Connection{Address: address, Namespace: namespace, Tracer: tracer}.Dial(slog.New(slog.DiscardHandler), codec)
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}
	// Who works and who asks need not be of one mind: the worker always traces here.
	working := dial(tracer)
	engine := &workflows.Engine{Client: working, Namespace: namespace, Codec: codec}
	note := &notebook{}
	startTicketWorker(t, working, desk.New(note, engine, desk.Options{}))

	story := func(c client.Client, ctx context.Context, signal bool) *historypb.History {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		engine := &workflows.Engine{Client: c, Namespace: namespace, Codec: codec}
		events := openingEvents(t)
		id := events[0].After.Opening.Identity
		require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))
		_, err := engine.Update(ctx, id, 0, desk.Seen{}, speak())
		require.NoError(t, err)
		if signal {
			require.NoError(t, c.SignalWorkflow(ctx, workflows.TicketID(id.Number, 0), "", string(ticket.Accept), workflows.AcceptSignal{Operator: "li"}))
			harness.Until(t, "the signal is projected", time.Minute, func() error {
				note.mu.Lock()
				defer note.mu.Unlock()
				if note.ticket.Seq < 3 {
					return context.DeadlineExceeded
				}
				return nil
			})
		}
		history := histories(t, plain, id.Number)[id.Number]
		require.NoError(t, replaysWith(t, history, worker.WorkflowReplayerOptions{DataConverter: codec.DataConverter()}), "by a worker that does not trace")
		return history
	}
	ctx, span := tracer.Receive(t.Context(), "POST", func(string) []string { return nil })
	for name, history := range map[string]*historypb.History{
		"no tracer":      story(dial(nil), ctx, false),
		"nothing traced": story(working, t.Context(), false),
	} {
		for _, fields := range headers(history) {
			require.Empty(t, fields, name)
		}
		require.Len(t, headers(history), 2, name)
	}

	history := story(working, ctx, true)
	span.End()
	all := headers(history)
	require.Len(t, all, 3, "start, update, and the projection of the signal")
	var texts []string
	for _, fields := range all {
		require.Len(t, fields, 1)
		p := fields["signalbox-trace"]
		require.Equal(t, "binary/encrypted", string(p.GetMetadata()["encoding"]), "what Temporal keeps of us goes through the codec")
		var text string
		require.NoError(t, codec.DataConverter().FromPayload(p, &text))
		texts = append(texts, text)
	}
	require.Empty(t, texts[2], "nobody asked for it in a trace")
	trace := span.In(t.Context())
	want, _, _ := tracing.IDs(tracing.Carry(trace))
	for _, text := range texts[:2] {
		got, _, ok := tracing.IDs(text)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	harness.Until(t, "the spans of the worker", time.Minute, func() error {
		var names []string
		for _, s := range told.Ended() {
			names = append(names, s.Name())
		}
		for _, name := range []string{"StartWorkflow:Ticket", "UpdateWorkflow:say", "RunWorkflow:Ticket", "HandleUpdate:handle", "RunActivity:Project"} {
			if !slices.Contains(names, name) {
				return context.DeadlineExceeded
			}
		}
		return nil
	})
	// What was traced is replayed by one that traces too, without being told of again.
	n := len(told.Ended())
	require.NoError(t, replaysWith(t, history, worker.WorkflowReplayerOptions{DataConverter: codec.DataConverter(),
		Interceptors: []interceptor.WorkerInterceptor{tracinginterceptor.New(tracer, codec.DataConverter(), workflows.TypeTicket)}}))
	require.Len(t, told.Ended(), n)
}

// TestALaneThatIsWokenIsNobodys has somebody who traces ask for a delivery of a lane that waits: what the lane does after that, for years perhaps, is not part of their trace.
func TestALaneThatIsWokenIsNobodys(t *testing.T) {
	t.Parallel()
	_, address, namespace := temporalServer(t)
	told := tracetest.NewSpanRecorder()
	tracer := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(told)), true)
	c, err := workflows.Connection{Address: address, Namespace: namespace, Tracer: tracer}.Dial(slog.New(slog.DiscardHandler), &workflows.Codec{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	outbox, lane := outboxtest.New(), notice.Lane{Subscription: "s", TicketID: 1}
	outbox.Subscribe(lane.Subscription, "http://127.0.0.1:1/", notice.Minutely) // where nobody is
	outbox.Enqueue(lane.Subscription, lane.TicketID, 1)
	outbox.SetRetrying(lane, time.Time{}, time.Time{})
	w := worker.New(c, workflows.QueueDeliveries, worker.Options{})
	w.RegisterWorkflow(workflows.Lane)
	w.RegisterActivity(&activities.Deliveries{Outbox: outbox, Now: time.Now, Log: slog.New(slog.DiscardHandler), Tracer: tracer, Sender: activities.NewSender(activities.SenderOptions{Tracer: tracer})})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	lanes := workflows.Lanes{Client: c, Namespace: namespace}
	require.NoError(t, lanes.Start(t.Context(), lane, time.Hour)) // it waits for its next try
	ctx, span := tracer.Receive(t.Context(), "POST", func(string) []string { return nil })
	require.NoError(t, lanes.Hasten(ctx, lane))
	span.End()
	var history *historypb.History
	harness.Until(t, "the lane has looked and tried", time.Minute, func() error {
		history = &historypb.History{}
		tried := 0
		for events := c.GetWorkflowHistory(t.Context(), workflows.LaneID(lane), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			event, err := events.Next()
			if err != nil {
				return err
			}
			if history.Events = append(history.Events, event); event.GetActivityTaskScheduledEventAttributes() != nil {
				tried++
			}
		}
		if tried < 2 {
			return context.DeadlineExceeded
		}
		return nil
	})
	updated := 0
	for _, event := range history.Events {
		if event.GetWorkflowExecutionUpdateAcceptedEventAttributes() != nil {
			updated++
			require.Len(t, headers(&historypb.History{Events: []*historypb.HistoryEvent{event}})[0], 1, "who woke it is traced")
		} else if scheduled := event.GetActivityTaskScheduledEventAttributes(); scheduled != nil {
			require.Empty(t, scheduled.GetHeader().GetFields(), scheduled.GetActivityType().GetName())
		}
	}
	require.Equal(t, 1, updated)
	harness.Until(t, "the span of waking it", time.Minute, func() error {
		for _, s := range told.Ended() {
			if s.Name() == "HandleUpdate:wake" && s.SpanContext().TraceID() == trace.SpanContextFromContext(ctx).TraceID() {
				return nil
			}
		}
		return context.DeadlineExceeded
	})
}
