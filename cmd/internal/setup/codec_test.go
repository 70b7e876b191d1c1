package setup

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"signalbox/api"
	"signalbox/desk"
)

// encryptedBody is the body that the Temporal web UI sends to have a payload decrypted that tells a text.
func (p product) encryptedBody(text string) string {
	p.Helper()
	encrypted, err := p.container.Engine.Codec.Encode([]*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text)}})
	require.NoError(p, err)
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: encrypted})
	require.NoError(p, err)
	require.NotContains(p, string(body), text)
	return string(body)
}

// told is the text of the payload in an answer.
func (p product) told(body string) string {
	p.Helper()
	var out commonpb.Payloads
	require.NoError(p, protojson.Unmarshal([]byte(body), &out), body)
	require.Len(p, out.Payloads, 1)
	return string(out.Payloads[0].Data)
}

// browse makes a request as a browser does.
func (p product) browse(method, path, origin, cookie, body string, headers ...string) *http.Response {
	p.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{"Origin": origin, "Cookie": cookie} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := p.server.App().Test(r, 10_000)
	require.NoError(p, err)
	p.Cleanup(func() { response.Body.Close() })
	return response
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	var body bytes.Buffer
	_, err := body.ReadFrom(r.Body)
	require.NoError(t, err)
	return body.String()
}

// TestWhoMayDecrypt: what Temporal holds is of every tenant, so it is opened for the apps that the setting names, and for nobody else.
func TestWhoMayDecrypt(t *testing.T) {
	p := newProduct(t, api.Config{FailedLogins: -1})
	secrets := map[string]string{}
	for code, scope := range map[string]desk.Scope{"north": desk.Admin, "south": desk.Admin, "admin": desk.Write} {
		var err error
		secrets[code], err = p.container.Store.CreateApp(t.Context(), desk.App{Code: code, Tenant: code, Scopes: []desk.Scope{scope}})
		require.NoError(t, err)
	}
	body := p.encryptedBody("marker")
	for _, headers := range [][]string{{"Authorization", "Access_Key " + secrets["north"]}, {"Authorization", "Bearer " + secrets["north"]}, {"X-Auth-Token", secrets["north"]}} {
		r := p.browse("POST", "/codec/decode", "", "", body, append(headers, "X-Namespace", "default")...)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, "marker", p.told(text(t, r)))
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	}
	for _, code := range []string{"south", "admin"} { // not named; named, without the scope
		r := p.browse("POST", "/codec/decode", "", "", body, "Authorization", "Bearer "+secrets[code])
		require.Equal(t, http.StatusForbidden, r.StatusCode, code)
	}
	require.Equal(t, http.StatusUnauthorized, p.browse("POST", "/codec/decode", "", "", body).StatusCode)

	// The cookie counts, with pages of the web UI and ours.
	cookie, foreign := p.signIn("north", secrets["north"]), p.signIn("south", secrets["south"])
	for origin, want := range map[string]int{temporalUI: 200, "http://example.com": 200, "https://evil.example.com": 403, "null": 403, "": 403} {
		r := p.browse("POST", "/codec/decode", origin, cookie, body)
		require.Equal(t, want, r.StatusCode, origin)
		if want == 200 {
			require.Equal(t, "marker", p.told(text(t, r)))
		}
	}
	require.Equal(t, http.StatusForbidden, p.browse("POST", "/codec/decode", temporalUI, foreign, body).StatusCode)
	require.Equal(t, http.StatusUnauthorized, p.browse("POST", "/codec/decode", temporalUI, strings.Replace(cookie, "signalbox=", "signalbox=x", 1), body).StatusCode)
	require.NoError(t, p.container.Store.SetAppDisabled(t.Context(), "north", true))
	require.Equal(t, http.StatusUnauthorized, p.browse("POST", "/codec/decode", temporalUI, cookie, body).StatusCode)
	require.NoError(t, p.container.Store.SetAppDisabled(t.Context(), "north", false))

	// Back and forth; what is no payload is said to be none.
	plain, err := json.Marshal(payloads(exhibit{}))
	require.NoError(t, err)
	encoded := text(t, p.browse("POST", "/codec/encode", temporalUI, cookie, string(plain)))
	require.Equal(t, `"`+marker+`"`, p.told(text(t, p.browse("POST", "/codec/decode", temporalUI, cookie, encoded))))
	for _, bad := range []string{"", "{", `{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="},"data":"AAAA"}]}`} {
		require.Equal(t, http.StatusBadRequest, p.browse("POST", "/codec/decode", temporalUI, cookie, bad).StatusCode, bad)
	}
	var kept int
	require.NoError(t, p.raw.QueryRow(`SELECT count(*) FROM operations WHERE state <> 'refused' OR content <> '' OR body <> ''`).Scan(&kept))
	require.Zero(t, kept, "nothing of it is kept, but for who was refused")
}

// TestTheWebUIMayAsk: a browser asks beforehand whether a page of another origin may send cookies.
func TestTheWebUIMayAsk(t *testing.T) {
	p := newProduct(t, api.Config{CORSOrigins: api.Origins{"https://tickets.example.com"}})
	for origin, want := range map[string]string{temporalUI: temporalUI, "https://tickets.example.com": "", "https://evil.example.com": ""} {
		r := p.browse("OPTIONS", "/codec/decode", origin, "", "", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-namespace")
		require.Equal(t, want, r.Header.Get("Access-Control-Allow-Origin"), origin)
		if want != "" {
			require.Equal(t, "true", r.Header.Get("Access-Control-Allow-Credentials"))
			require.Contains(t, r.Header.Get("Access-Control-Allow-Headers"), "X-Namespace")
		}
	}
	r := p.browse("OPTIONS", "/api/issue", temporalUI, "", "", "Access-Control-Request-Method", "POST")
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"), "the families are none of its business")
	r = p.browse("OPTIONS", "/api/issue", "https://tickets.example.com", "", "", "Access-Control-Request-Method", "POST")
	require.Empty(t, r.Header.Get("Access-Control-Allow-Credentials"), "cookies never count for the families")
}
