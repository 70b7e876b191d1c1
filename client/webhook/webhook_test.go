package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/client"
	"signalbox/client/issue"
	"signalbox/client/webhook"
	"signalbox/docs/verify"
	"signalbox/notice"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// sent is a request as our sender makes it.
func sent(t testing.TB, key, id, body string) *http.Request {
	t.Helper()
	headers, err := notice.Sign(key, id, at, []byte(body))
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/told", strings.NewReader(body))
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	return r
}

// TestOnlyOursIsLetThrough, and the same is believed as by the receivers of the documentation.
func TestOnlyOursIsLetThrough(t *testing.T) {
	const body = `{"id":"IM1","type":"status","details":{"from":"OPEN","to":"CLOSED"}}`
	for name, c := range map[string]struct {
		change func(r *http.Request)
		now    time.Time
		status int
	}{
		"as it came": {func(*http.Request) {}, at.Add(time.Second), 200},
		"while a secret is changed": {func(r *http.Request) {
			r.Header.Set("webhook-signature", "v1,AAAA v2,x "+r.Header.Get("webhook-signature"))
		}, at, 200},
		"at the edge":        {func(*http.Request) {}, at.Add(webhook.Tolerance), 200},
		"played back later":  {func(*http.Request) {}, at.Add(webhook.Tolerance + time.Second), 401},
		"from the future":    {func(*http.Request) {}, at.Add(-webhook.Tolerance - time.Second), 401},
		"changed on the way": {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, at, 401},
		"under another id":   {func(r *http.Request) { r.Header.Set("webhook-id", "msg_2") }, at, 401},
		"with another time":  {func(r *http.Request) { r.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()+1)) }, at, 401},
		"signed by another":  {func(r *http.Request) { *r = *sent(t, other, "msg_1", body) }, at, 401},
		"signed by nobody":   {func(r *http.Request) { r.Header.Del("webhook-signature") }, at, 401},
		"without a time":     {func(r *http.Request) { r.Header.Del("webhook-timestamp") }, at, 401},
	} {
		t.Run(name, func(t *testing.T) {
			receiver, err := webhook.New("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", secret)
			require.NoError(t, err)
			receiver.Now = func() time.Time { return c.now }
			let := false
			refused := 0
			receiver.Refused = func(*http.Request, error) { refused++ }
			r := sent(t, secret, "msg_1", body)
			r.Header.Set("webhook-attempt", "3")
			c.change(r)
			raw, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			r.Body = io.NopCloser(strings.NewReader(string(raw)))
			require.Equal(t, c.status == 200, verify.Verify(secret, r.Header, raw, c.now) == nil)
			w := httptest.NewRecorder()
			receiver.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				let = true
				d, ok := webhook.Of(r.Context())
				require.True(t, ok)
				require.Equal(t, webhook.Delivery{ID: "msg_1", At: at, Attempt: 3}, d)
				var n webhook.Notification
				require.NoError(t, json.NewDecoder(r.Body).Decode(&n), "the body can be read by who is behind")
				require.Equal(t, "CLOSED", n.Details.To)
			})).ServeHTTP(w, r)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.status == 200, let)
			require.Equal(t, c.status != 200, refused == 1)
		})
	}
}

func TestWhatIsNoDelivery(t *testing.T) {
	receiver, err := webhook.New(secret)
	require.NoError(t, err)
	receiver.MaxBody = 10
	handler := receiver.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was let through") }))
	for status, r := range map[int]*http.Request{
		405: httptest.NewRequest(http.MethodGet, "/told", nil),
		413: sent(t, secret, "msg_1", "12345678901"),
		400: httptest.NewRequest(http.MethodPost, "/told", io.MultiReader(strings.NewReader("1"), broken{})),
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, status, w.Code)
	}
	_, ok := webhook.Of(t.Context())
	require.False(t, ok)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestSecretsThatAreNone(t *testing.T) {
	_, err := webhook.New()
	require.Error(t, err)
	for _, text := range []string{"", "whsec_", "whsec_short", "whsec_AAAA", "not base64 at all"} {
		_, err := webhook.New(secret, text)
		require.Error(t, err, text)
		if text != "" && text != "whsec_" {
			require.NotContains(t, err.Error(), text)
		}
	}
	parsed, err := webhook.ParseSecret(secret)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", parsed, parsed, parsed, parsed), "MfKQ")
	require.NotContains(t, fmt.Sprintf("%v", parsed), "49") // nor its bytes
	require.ErrorIs(t, webhook.Verify(sent(t, secret, "a", "b").Header, []byte("b"), at, webhook.Secret{}), webhook.ErrNotOurs, "the zero value is no secret")
}

// TestLoopsEnd: what a receiver's handler calls by the client carries on how far the request has come.
func TestLoopsEnd(t *testing.T) {
	var got []string
	house := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Values("CDN-Loop")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true,"message":"","result":"IM1"}`)
	}))
	defer house.Close()
	box, err := client.New(house.URL, client.Options{})
	require.NoError(t, err)
	receiver, err := webhook.New(secret)
	require.NoError(t, err)
	receiver.Now = func() time.Time { return at }
	r := sent(t, secret, "msg_1", `{}`)
	r.Header.Set("CDN-Loop", "signalbox-x; hops=3")
	receiver.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := box.Open(r.Context(), issue.Opening{})
		require.NoError(t, err)
	})).ServeHTTP(httptest.NewRecorder(), r)
	require.Equal(t, []string{"signalbox-x; hops=3"}, got)
}
