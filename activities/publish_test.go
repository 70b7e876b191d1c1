package activities_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/notice"
)

// hub is another system that takes events as seed 003 has it, and answers as the seed shows.
type hub struct {
	bodies  []string
	headers []http.Header
	answers []string // files in testdata, the last of them for ever
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.bodies, h.headers = append(h.bodies, r.Method+" "+r.URL.Path+" "+string(body)), append(h.headers, r.Header)
	answer, _ := os.ReadFile("testdata/publish/" + h.answers[0])
	if len(h.answers) > 1 {
		h.answers = h.answers[1:]
	}
	_, _ = w.Write(answer)
}

// What we send is what the seed asks a caller to send, to the byte but for the blanks, and what counts is what the seed says: the code.
func TestAnEventIsPassedOnAsSeed003HasIt(t *testing.T) {
	h := &hub{answers: []string{"unavailable.json", "done.json"}}
	server := httptest.NewServer(h)
	defer server.Close()
	body, ok := notice.RenderPublished(notice.FormatPublish, notice.Published{RequestID: "x", Source: "a", Topic: "gs", Type: "cert", Status: "1", Key: "a.gs.cert.1",
		Changes: []string{"id1", "id2"}})
	require.True(t, ok)
	first, second := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	w := notice.Work{
		Delivery: notice.Delivery{ID: "msg_1", Body: body},
		Subscription: notice.Subscription{URL: server.URL + "/api/publish", Format: notice.FormatPublish, Profile: notice.Publish, Secret: second,
			Older: []string{first}},
	}
	sender := activities.NewSender(activities.SenderOptions{Reach: loopback, Now: time.Now})
	profile := notice.BuiltIn().For(w.Subscription)
	for i, want := range []notice.DeliveryState{notice.Retrying, notice.Sent} {
		answer, err := sender.Send(context.Background(), w)
		require.NoError(t, err)
		a := profile.Grade(answer.Attempt)
		require.Equal(t, http.StatusOK, a.Status)
		require.Equal(t, want, profile.DecideRetry(notice.Try{Made: i, Attempt: a}).Then, a.Error)
	}
	seed, err := os.ReadFile("testdata/publish/event.json")
	require.NoError(t, err)
	require.JSONEq(t, string(seed), h.bodies[0][len("POST /api/publish "):])
	require.Equal(t, `POST /api/publish {"event_source":"a","event_topic":"gs","event_type":"cert","event_status":"1","event_key":"a.gs.cert.1","changes":["id1","id2"]}`, h.bodies[0])
	require.Equal(t, h.bodies[0], h.bodies[1])
	require.Equal(t, "application/json", h.headers[0].Get("Content-Type"))
	for _, secret := range []string{first, second} {
		hook, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		require.NoError(t, hook.Verify(body, h.headers[1]), "both secrets sign while one replaces the other")
	}
}
