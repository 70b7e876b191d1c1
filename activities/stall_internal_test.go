package activities

import (
	"context"
	"log/slog"
	"net"
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
	t.Parallel()
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

// A mail too, whatever the library that hands it in does.
func TestAMailThatGoesOnBeyondItsEndIsGivenUp(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	defer close(stop)
	s := NewSender(SenderOptions{Timeout: 50 * time.Millisecond, Now: time.Now, Mail: MailServer{Host: "box", Port: 25, TLS: NoTLS, From: "box@example.com"}})
	s.mail.connect = func(context.Context, string, string) (net.Conn, error) { <-stop; return nil, net.ErrClosed }
	w := notice.Work{Delivery: notice.Delivery{ID: "d", Body: notice.Letter{Items: []notice.Item{{Number: "IM1"}}}.Body()}, Subscription: notice.Subscription{Format: notice.FormatMail},
		Contact: notice.Contact{Address: "ada@example.com"}}
	answer, err := s.Send(t.Context(), w)
	require.NoError(t, err)
	require.True(t, answer.Stalled)
	require.Equal(t, notice.ErrorTimeout, answer.Attempt.Class, answer.Attempt.Error)
	require.False(t, answer.Attempt.FinishedAt.IsZero())
}

func TestSupervised(t *testing.T) {
	t.Parallel()
	require.Greater(t, stallPatience, 2*outboxLimit, "nothing that a drain waits for in one piece is taken for a stall")
	out, err := supervise(time.Minute, func(func()) int { return 7 })
	require.NoError(t, err)
	require.Equal(t, 7, out)
	stop := make(chan struct{})
	_, err = supervise(20*time.Millisecond, func(func()) int { <-stop; return 0 })
	require.ErrorIs(t, err, errStalled)
	close(stop)
	_, err = supervise(2*time.Second, func(alive func()) int {
		for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) { // work
			alive()
		}
		return 0
	})
	require.NoError(t, err, "who shows signs of life has time")
	defer func() { require.Contains(t, recover(), "a bug") }()
	_, _ = supervise(time.Minute, func(func()) int { panic("a bug") })
}
