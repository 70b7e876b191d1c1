package activities_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"signalbox/activities"
	"signalbox/notice"
)

func TestAHostThatAnswersNobodyIsLeftAlone(t *testing.T) {
	b := newBench(t, 10*time.Second)
	registry := prometheus.NewRegistry()
	b.Hosts = &activities.Hosts{}
	b.Meter = activities.NewMeter(registry, b.Hosts, nil)
	b.Hosts.Changed = func(_ string, open bool) {
		if open {
			b.Meter.Opened()
		}
	}
	failing := newReceiver(t, func(string) int { return 500 })
	healthy := newReceiver(t, ok)
	for i := range 40 {
		b.outbox.Subscribe(fmt.Sprint("f", i), failing.URL, notice.Minutely)
		if i%2 == 1 {
			b.outbox.Give(fmt.Sprint("f", i), "b")
		}
		b.outbox.Enqueue(fmt.Sprint("f", i), 1, 2)
		b.outbox.Subscribe(fmt.Sprint("s", i), healthy.URL, notice.Minutely)
		b.outbox.Enqueue(fmt.Sprint("s", i), 1, 1)
	}
	began := time.Now()
	b.drain()
	b.await("settled", func() bool { return b.outbox.Count(notice.Pending) == 0 })
	b.finish()
	require.Equal(t, 40, b.outbox.Count(notice.Sent))
	require.Equal(t, 80, b.outbox.Count(notice.Retrying))
	tries := len(failing.all())
	require.GreaterOrEqual(t, tries, 10)
	require.LessOrEqual(t, tries, 10+7, "those that were on their way when it opened, and no more")
	putOff := 0
	for _, d := range b.outbox.Deliveries() {
		if d.State != notice.Retrying || d.Seq != 1 {
			continue
		}
		require.NotNil(t, d.FirstTry, "its round has begun")
		if d.Tries == 0 {
			putOff++
			require.WithinRange(t, *d.NextTry, began.Add(activities.BreakerPause-time.Second), d.FirstTry.Add(30*time.Second), "no later than its profile lets it wait")
		}
	}
	require.Equal(t, 40-tries, putOff)
	require.Len(t, b.lanes.started, 40)
	require.Len(t, b.Hosts.Open(), 1)
	var told []string
	for _, a := range b.outbox.Alerts() {
		require.Equal(t, notice.BreakerOpened, a.Kind)
		require.Equal(t, notice.AddressOf(failing.URL).Host, a.Host)
		told = append(told, a.Tenant)
	}
	require.ElementsMatch(t, []string{"a", "b"}, told, "each tenant once")
	require.Equal(t, map[string]float64{"sent": 40, "parked": float64(tries), "put_off": float64(putOff), "failed": 0}, counted(t, registry, "signalbox_deliveries_total"))
	require.Equal(t, map[string]float64{"ok": 40, "status": float64(tries)}, counted(t, registry, "signalbox_delivery_attempts_total"))
	require.EqualValues(t, 1, counted(t, registry, "signalbox_breakers_open")[""])
	require.EqualValues(t, 1, counted(t, registry, "signalbox_breakers_opened_total")[""])
}

// counted gives a metric's values by their only label.
func counted(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			label := ""
			if len(m.GetLabel()) > 0 {
				label = m.GetLabel()[0].GetValue()
			}
			out[label] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

func TestHoweverManyReceiversHangTheOthersGoOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, time.Minute)
	b.Concurrency = 8
	release := make(chan struct{})
	for i := range 12 { // one try at each would take all places there are, and more
		hanging := newReceiver(t, func(string) int { <-release; return 200 })
		b.outbox.Subscribe(fmt.Sprint("h", i), hanging.URL, notice.Minutely)
		b.outbox.Enqueue(fmt.Sprint("h", i), 1, 1)
	}
	healthy := newReceiver(t, ok)
	b.outbox.Subscribe("s", healthy.URL, notice.Minutely)
	b.outbox.Enqueue("s", 1, 20)
	b.drain()
	b.await("the healthy one is told everything", func() bool { return b.outbox.Count(notice.Sent) == 20 })
	close(release)
	b.await("and so are the others", func() bool { return b.outbox.Count(notice.Sent) == 32 })
	b.finish()
}

func TestADeliveryThatCannotBeSignedFailsWithAReason(t *testing.T) {
	b := newBench(t, 10*time.Second)
	r := newReceiver(t, ok)
	b.outbox.Subscribe("lost", r.URL, notice.Minutely)
	b.outbox.Subscribe("s", r.URL, notice.Minutely)
	b.outbox.Spoil("lost", "its secret is lost")
	b.outbox.Enqueue("lost", 1, 2)
	b.outbox.Enqueue("s", 1, 1)
	b.drain()
	b.await("settled", func() bool { return b.outbox.Count(notice.Pending) == 0 })
	b.finish()
	require.Equal(t, 2, b.outbox.Count(notice.Failed))
	require.Equal(t, 1, b.outbox.Count(notice.Sent))
	require.Equal(t, []string{"s:1:1"}, r.all())
	require.Equal(t, notice.Active, b.outbox.Subscription("lost").State, "it is not the receiver's fault")
	failed := 0
	for _, a := range b.outbox.Attempts() {
		if !a.Succeeded {
			failed++
			require.Equal(t, notice.ErrorUnsendable, a.Class)
			require.Equal(t, "its secret is lost", a.Error)
			require.Zero(t, a.Status)
		}
	}
	require.Equal(t, 2, failed)
	// A secret that is none is the same.
	w := work(r.URL)
	w.Subscription.Secret = "whsec_!"
	a := send(t, newSender(), w)
	require.Equal(t, notice.ErrorUnsendable, a.Class)
	require.NotContains(t, a.Error, "!")
}

func TestALaneWaitsForAnOpenHostNoLongerThanItsProfileLetsIt(t *testing.T) {
	for _, late := range []time.Duration{0, time.Millisecond, 2 * time.Second} { // as calls come through Temporal
		t.Run(late.String(), func(t *testing.T) { waitForAnOpenHost(t, late) })
	}
}

func waitForAnOpenHost(t *testing.T, late time.Duration) {
	b := newBench(t, 10*time.Second)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b.Now = func() time.Time { return now }
	b.Sender = newSender(func(o *activities.SenderOptions) { o.Now = b.Now })
	b.Deliveries.Jitter = func() float64 { return -1 }
	b.Hosts = &activities.Hosts{Now: b.Now}
	r := newReceiver(t, func(string) int { return 500 })
	b.outbox.Subscribe("once", r.URL, notice.Once)
	for i := range 10 { // each fails, and with the last the breaker opens
		b.outbox.Enqueue("once", int64(i), 1)
		lane := notice.Lane{Subscription: "once", TicketID: int64(i)}
		b.outbox.SetRetrying(lane, time.Time{}, time.Time{})
		_, err := b.Deliver(t.Context(), activities.DeliverInput{Lane: lane, Delivery: fmt.Sprintf("once:%d:1", i)})
		require.NoError(t, err)
	}
	require.Len(t, b.Hosts.Open(), 1)

	b.outbox.Subscribe("m", r.URL, notice.Minutely)
	b.outbox.Enqueue("m", 1, 1)
	lane := notice.Lane{Subscription: "m", TicketID: 1}
	b.outbox.SetRetrying(lane, time.Time{}, time.Time{})
	first, made := now, []time.Duration(nil)
	for { // as Temporal calls it: again after the delay that it asks for
		out, err := b.Deliver(t.Context(), activities.DeliverInput{Lane: lane, Delivery: "m:1:1"})
		if n := len(r.all()) - 10; n > len(made) {
			made = append(made, now.Sub(first))
		}
		if err == nil {
			require.Equal(t, notice.Failed, out.State)
			require.NotEmpty(t, out.Dropped)
			break
		}
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.Positive(t, app.NextRetryDelay())
		now = now.Add(app.NextRetryDelay() + late)
		require.LessOrEqual(t, now.Sub(first), 10*time.Minute+late, "nothing extends the ten minutes")
	}
	require.Len(t, made, 11)
	require.InDelta(t, 30*time.Second, made[0], float64(late), "the host was not touched while its breaker was open, for as long as there was time")
	for i, at := range made {
		require.WithinRange(t, first.Add(at), first.Add(time.Duration(i)*time.Minute), first.Add(time.Duration(i)*time.Minute+30*time.Second+2*late), "try %d", i+1)
	}
	require.Equal(t, 10*time.Minute+late, made[10], "the last is when it always was")
	require.Equal(t, first, *b.outbox.Deliveries()[10].FirstTry)
}
