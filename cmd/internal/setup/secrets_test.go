package setup

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
)

// TestSecretsAreToldOnce: whatever tells a secret tells it to whoever asked, again only to the same request repeated, and nothing else ever does:
// no call that reads, no page of the console, no row of the database.
func TestSecretsAreToldOnce(t *testing.T) {
	p := newProduct(t, api.Config{})
	app, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	x := p.exhibit(app)
	secrets := map[string]string{"the app": app}
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=_-]{20,}`)
	tell := func(method, path string, body any) {
		t.Helper()
		a := p.must(p.call(method, path, app, body, api.HeaderKey, "once"))
		told := secret.FindString(a.body)
		require.NotEmpty(t, told, a.body)
		again := p.must(p.call(method, path, app, body, api.HeaderKey, "once"))
		require.Equal(t, a.body, again.body, "the same request repeated is the same answer")
		require.Equal(t, "true", again.header.Get(api.HeaderReplayed))
		secrets[method+" "+path] = told
	}
	tell("POST", "/api/subscription", object{"url": "https://hooks.example.com/x"})
	tell("POST", "/api/subscription/"+x.subscription+"/rotate", nil)
	tell("POST", "/api/issue/"+x.number+"/notification/"+x.address+"/rotate", nil)
	tell("POST", "/api/service/"+x.service+"/rotate", nil)
	chosen := "whsec_" + strings.Repeat("MTIz", 11)
	p.must(p.call("POST", "/api/subscription", app, object{"url": "https://hooks.example.com/y", "secret": chosen}, api.HeaderKey, "chosen"))
	secrets["chosen by the caller"] = chosen

	for table, rows := range p.rows() {
		for _, row := range rows {
			for of, secret := range secrets {
				require.NotContains(t, row, secret, "%s: the secret of %s", table, of)
			}
		}
	}
	asked := 0
	for _, f := range p.server.Families() {
		for _, r := range f.Routes {
			if r.Method != "GET" || r.Scope != desk.Read || strings.Contains(r.Path, ":rid") {
				continue
			}
			a := p.call(r.Method, x.path(t, r.Path), app, bodyOf(x, r.Method, r.Path))
			for of, secret := range secrets {
				require.NotContains(t, a.body, secret, "%s tells the secret of %s", r.Path, of)
			}
			asked++
		}
	}
	require.Greater(t, asked, 30)
}
