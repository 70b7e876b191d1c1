package activities_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/notice"
)

func TestHeadersOfASubscriptionAreSentAlong(t *testing.T) {
	got := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer server.Close()
	w := work(server.URL)
	w.Subscription.Headers = map[string]string{"Authorization": "Bearer x", "content-type": "application/json; charset=utf-8", "Webhook-Id": "forged", "User-Agent": "theirs"}
	require.Equal(t, 200, send(t, newSender(), w).Status)
	h := <-got
	require.Equal(t, []string{"Bearer x", "application/json; charset=utf-8", "theirs"}, []string{h.Get("Authorization"), h.Get("Content-Type"), h.Get("User-Agent")})
	require.Equal(t, []string{w.Delivery.ID}, h["Webhook-Id"], "what signs a delivery is ours alone")
}

// The first try of a round is told from those after it, whatever its owner's headers say.
func TestATrySaysWhichItIsAndWhenTheFirstWas(t *testing.T) {
	got := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer server.Close()
	w := work(server.URL)
	w.Subscription.Headers = map[string]string{"Webhook-Attempt": "forged", "webhook-first-attempt": "forged"}
	a := send(t, newSender(), w)
	h, now := <-got, strconv.FormatInt(a.StartedAt.Unix(), 10)
	require.Equal(t, [][]string{{"1"}, {now}, {now}}, [][]string{h["Webhook-Attempt"], h["Webhook-First-Attempt"], h["Webhook-Timestamp"]})

	first := time.Date(2026, 3, 2, 9, 0, 0, 999, time.UTC)
	w.Delivery.Tries, w.Delivery.FirstTry, w.Subscription.Headers = 3, &first, nil
	a = send(t, newSender(), w)
	h = <-got
	require.Equal(t, [][]string{{"4"}, {"1772442000"}}, [][]string{h["Webhook-Attempt"], h["Webhook-First-Attempt"]})
	require.Equal(t, []string{"4", "1772442000"}, []string{a.Sent["Webhook-Attempt"], a.Sent["Webhook-First-Attempt"]})
}

func TestAnAddressMayHaveATimeoutOfItsOwn(t *testing.T) {
	answered := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-answered:
		}
	}))
	defer server.Close()
	w := work(server.URL)
	w.Subscription.Timeout = 50 * time.Millisecond
	require.Equal(t, notice.ErrorTimeout, send(t, newSender(), w).Class, "sooner than everybody's")
	close(answered)
	w.Subscription.Timeout = time.Minute
	impatient := newSender(func(o *activities.SenderOptions) { o.Timeout = time.Nanosecond })
	require.Equal(t, 200, send(t, impatient, w).Status, "later than everybody's")
}

func TestWhatCountsIsUpToTheFormat(t *testing.T) {
	for _, name := range []string{notice.Once, notice.Minutely, notice.Standard} {
		p := notice.BuiltIn().For(notice.Subscription{Format: notice.FormatITSM, Profile: name})
		require.Equal(t, notice.SuccessITSM, p.Success)
		require.Equal(t, notice.BuiltIn()[name].Waits, p.Waits)
	}
	require.Equal(t, notice.SuccessOK, notice.BuiltIn().For(notice.Subscription{Format: notice.FormatIssue, Profile: notice.Minutely}).Success)
}
