package notice_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/notice"
)

func TestWhatLetsSomebodyInIsNotKeptOfAnAnswer(t *testing.T) {
	h := http.Header{}
	for _, name := range []string{"Set-Cookie", "Authorization", "X-Auth-Token", "X-Api-Key", "X-Client-Secret", "Www-Authenticate", "X-Session-Id", "X-Csrf-Token",
		"Authentication-Info", "X-Signature", "Proxy-Authorization"} {
		h.Set(name, "s3cret")
	}
	h.Set("Content-Type", "text/plain")
	h.Add("Via", "a")
	h.Add("Via", "b\x00\xff")
	h.Set("X-Long", strings.Repeat("好", 1000))
	kept := notice.AnswerHeaders(h)
	require.Len(t, kept, len(h))
	for name, value := range kept {
		require.NotContains(t, value, "s3cret", name)
	}
	require.Equal(t, notice.Redacted, kept["Set-Cookie"])
	require.Equal(t, "text/plain", kept["Content-Type"])
	require.Equal(t, "a, b\uFFFD", kept["Via"])
	require.Less(t, len(kept["X-Long"]), 1100)
	require.Nil(t, notice.AnswerHeaders(nil))
}

func TestOurHeadersAreKeptAsSentAndThoseOfOwnersAreNot(t *testing.T) {
	h := http.Header{}
	h.Set("webhook-signature", "v1,abc")
	h.Set("webhook-id", "msg_1")
	h.Set("X-Tenant", "t-1")
	h.Set("Authorization", "Bearer s3cret")
	require.Equal(t, map[string]string{"Webhook-Signature": "v1,abc", "Webhook-Id": "msg_1", "X-Tenant": notice.Redacted, "Authorization": notice.Redacted},
		notice.SentHeaders(h, map[string]string{"x-tenant": "t-1", "authorization": "Bearer s3cret"}))
}

func TestTooManyHeadersAreNotKept(t *testing.T) {
	h := http.Header{}
	for i := range 1000 {
		h.Set("X-"+strings.Repeat("a", i+1), "v")
	}
	require.Len(t, notice.AnswerHeaders(h), 64)
}
