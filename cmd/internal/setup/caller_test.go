package setup

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// word gives a member of a JSON answer as text.
func (a answer) word(name string) string {
	var v map[string]json.RawMessage
	_ = json.Unmarshal([]byte(a.body), &v)
	return strings.Trim(string(v[name]), `"`)
}

// refused reports whether the call was not done. The itsm family says so at HTTP 200.
func (a answer) refused() bool { return a.status >= 400 || a.word("result") == "false" }

// Codes of the itsm family at HTTP 200 for credentials and scopes.
const (
	itsmUnauthorized = "1306000"
	itsmForbidden    = "1306403"
)

func (a answer) unauthorized() bool {
	return a.status == http.StatusUnauthorized || a.status == http.StatusOK && a.word("code") == itsmUnauthorized
}

func (a answer) forbidden() bool {
	return a.status == http.StatusForbidden || a.status == http.StatusOK && a.word("code") == itsmForbidden
}

// call sends a request: JSON in the body, or as a query where the method takes no body.
func (p product) call(method, path, secret string, body any, headers ...string) answer {
	p.Helper()
	var raw string
	switch b := body.(type) {
	case nil:
	case string:
		raw = b
	default:
		text, err := json.Marshal(b)
		require.NoError(p, err)
		raw = string(text)
	}
	if method == http.MethodGet && raw != "" {
		var members map[string]any
		require.NoError(p, json.Unmarshal([]byte(raw), &members))
		query := url.Values{}
		for name, value := range members {
			text, err := json.Marshal(value)
			require.NoError(p, err)
			query.Set(name, strings.Trim(string(text), `"`))
		}
		mark := "?"
		if strings.Contains(path, mark) {
			mark = "&"
		}
		path, raw = path+mark+query.Encode(), ""
	}
	r := httptest.NewRequest(method, path, strings.NewReader(raw))
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	if raw != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := p.server.App().Test(r, -1)
	require.NoError(p, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p, err)
	return answer{response.StatusCode, response.Header, string(text)}
}

// apps makes an app of each kind in one tenant, and gives their secrets.
func (p product) apps() map[string]string {
	secrets := map[string]string{"nonsense": "no such secret"}
	for code, scope := range map[string]desk.Scope{"read": desk.Read, "write": desk.Write, "admin": desk.Admin, "off": desk.Admin} {
		secret, err := p.container.Store.CreateApp(p.Context(), desk.App{Code: code, Tenant: "south", Scopes: []desk.Scope{scope}})
		require.NoError(p, err)
		secrets[code] = secret
	}
	require.NoError(p, p.container.Store.SetAppDisabled(p.Context(), "off", true))
	return secrets
}
