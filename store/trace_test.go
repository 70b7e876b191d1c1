package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"signalbox/internal/tracing"
	"signalbox/notice"
	"signalbox/ticket"
)

// TestADeliveryKnowsTheTraceItIsMadeBecauseOf until somebody else asks for it again.
func TestADeliveryKnowsTheTraceItIsMadeBecauseOf(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		told := tracetest.NewSpanRecorder()
		tracer := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(told)), true)
		within := func(trace string) (context.Context, tracing.Span) {
			return tracer.Receive(t.Context(), "GET", func(name string) []string {
				return map[string][]string{"traceparent": {"00-" + strings.Repeat(trace, 32) + "-b7ad6b7169203331-01"}, "tracestate": {"a=1,b=2"}}[name]
			})
		}
		s, sub := b.subscribed()
		other, err := b.Register(t.Context(), s.ticket, notice.Subscription{URL: hook + "/other"})
		require.NoError(t, err)
		b.project(s, s.relate("manifest", "A")...)
		ctx, span := within("1")
		require.NoError(t, b.ledger.Project(ctx, s.ticket.Identity, s.relate("manifest", "B")))
		require.NoError(t, b.ledger.Project(t.Context(), s.ticket.Identity, s.do(ticket.Command{Action: ticket.Accept, Operator: "li"})))
		span.End()
		project := told.Ended()[0]
		require.Equal(t, "project", project.Name())
		want := "00-" + strings.Repeat("1", 32) + "-" + project.SpanContext().SpanID().String() + "-01 a=1,b=2"

		traces := func() (list []string) {
			for _, d := range append(b.deliveries(sub), b.deliveries(other)...) {
				list = append(list, d.Trace)
			}
			return list
		}
		n := len(traces())
		require.GreaterOrEqual(t, n, 4)
		require.Equal(t, 2, strings.Count(strings.Join(traces(), "|"), want), "%v", traces())
		require.Equal(t, n-2, b.count(`SELECT count(*) FROM deliveries WHERE trace IS NULL`))

		// Who is not traced and asks again takes no delivery out of its trace; who is takes it along.
		var traced notice.Work
		for found := false; !found; {
			for _, w := range b.pending() {
				b.record(b.tried(w, notice.Failed))
				if w.Subscription.ID == sub.ID && w.Delivery.Trace != "" {
					require.Equal(t, want, w.Delivery.Trace)
					traced, found = w, true
				}
			}
		}
		again := func(ctx context.Context) string {
			require.NoError(t, b.Redeliver(ctx, ownerOf(s.ticket), sub.ID, traced.Delivery.ID))
			record, err := b.Delivery(t.Context(), sub.ID, traced.Delivery.ID)
			require.NoError(t, err)
			for _, w := range b.pending() {
				b.record(b.tried(w, notice.Failed))
			}
			return record.Trace
		}
		require.Equal(t, want, again(t.Context()))
		ctx, span = within("2")
		require.True(t, strings.HasPrefix(again(ctx), "00-"+strings.Repeat("2", 32)+"-"))
		span.End()
	})
}
