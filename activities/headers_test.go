package activities_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

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

func TestWhatCountsIsUpToTheFormat(t *testing.T) {
	for _, name := range []string{notice.Once, notice.Minutely, notice.Standard} {
		p := notice.BuiltIn().For(notice.Subscription{Format: notice.FormatITSM, Profile: name})
		require.Equal(t, notice.SuccessITSM, p.Success)
		require.Equal(t, notice.BuiltIn()[name].Waits, p.Waits)
	}
	require.Equal(t, notice.SuccessOK, notice.BuiltIn().For(notice.Subscription{Format: notice.FormatIssue, Profile: notice.Minutely}).Success)
}
