package activities

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
)

// deafTransport never comes back, whatever a request's context says.
type deafTransport struct{ stop chan struct{} }

func (d deafTransport) RoundTrip(*http.Request) (*http.Response, error) {
	<-d.stop
	return nil, http.ErrServerClosed
}

// That every wait has its end is made sure of below. Should one not, nobody waits for it.
func TestARequestThatGoesOnBeyondItsEndIsGivenUp(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	s := NewSender(SenderOptions{Timeout: 50 * time.Millisecond, Now: time.Now})
	s.clients.kept = &http.Client{Transport: deafTransport{stop}}
	registry := prometheus.NewRegistry()
	meter := NewMeter(registry, nil, nil)
	d := &Deliveries{Sender: s, Meter: meter, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	w := notice.Work{Delivery: notice.Delivery{ID: "d"}, Subscription: notice.Subscription{URL: "http://example.com/"}}
	p, a, _ := d.hosts().admit(host(w), false, nil)
	require.Equal(t, admitted, a)
	answer, _ := d.attempt(t.Context(), w, p, time.Now())
	require.Equal(t, notice.ErrorTimeout, answer.Attempt.Class)
	require.Equal(t, "the time was over", answer.Attempt.Error)
	require.Zero(t, d.hosts().target(host(w), time.Now()).inFlight, "its slot is free")
	families, err := registry.Gather()
	require.NoError(t, err)
	counted := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "signalbox_delivery_stalls_total" {
				counted[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	require.Equal(t, map[string]float64{stalledDrain: 0, stalledLane: 0, stalledTry: 1, stalledCall: 0}, counted)

	_, err = s.call(t.Context(), CallInput{Call: flow.PendingCall{Method: "POST", URL: "http://example.com/", Timeout: 50 * time.Millisecond}}, nil)
	require.ErrorIs(t, err, errStalled)
}
