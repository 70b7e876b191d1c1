package workflows

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"

	"signalbox/internal/aead"
)

// FuzzCodec: whatever the codec server is sent, it answers or refuses.
func FuzzCodec(f *testing.F) {
	codec := &Codec{Encrypt: true, Keys: func(context.Context) ([]aead.Key, error) {
		return []aead.Key{{ID: "k1", Key: make([]byte, 32)}}, nil
	}}
	handler := converter.NewPayloadCodecHTTPHandler(codec)
	send := func(t testing.TB, path, body string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		require.Less(t, answer.Code, 500, "%s %q", path, body)
		return answer
	}
	const plain = `{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"InRleHQi"}]}`
	f.Add("/decode", send(f, "/encode", plain).Body.String())
	for _, seed := range []string{plain, `{}`, `{"payloads":[null]}`, `[]`, "",
		`{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA==","encryption-key-id":"azE="},"data":"AAAA"}]}`,
		`{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA==","encryption-key-id":"eA=="},"data":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`} {
		f.Add("/encode", seed)
		f.Add("/decode", seed)
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		if path != "/encode" {
			path = "/decode"
		}
		send(t, path, body)
	})
}
