package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"signalbox/cmd/dev/e2e/harness"
)

// congregation is the provider's own store, with a client that may send people back after signing out.
type congregation struct {
	*storage.Storage
	after string
}

type outgoing struct {
	op.Client
	after string
}

func (c outgoing) PostLogoutRedirectURIs() []string { return []string{c.after} }

func (m congregation) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := m.Storage.GetClientByClientID(ctx, id)
	return outgoing{c, m.after}, err
}

// People sign in by an OpenID provider in a browser, come to the page that they wanted, and are signed out here and there.
func TestPeopleSignInByAProvider(t *testing.T) {
	t.Parallel()
	judged(t)
	port := harness.FreePort(t)
	d := &dev{dir: t.TempDir(), api: fmt.Sprintf("http://127.0.0.1:%d", port)}
	provider := httptest.NewUnstartedServer(nil)
	issuer := "http://" + provider.Listener.Addr().String()
	storage.RegisterClients(storage.WebClient("signalbox", "a client's secret", d.api+"/login/oidc/back"))
	provider.Config.Handler = exampleop.SetupServer(issuer, congregation{storage.NewStorage(storage.NewUserStore(issuer)), d.api + "/login"}, slog.New(slog.DiscardHandler), false)
	provider.Start()
	t.Cleanup(provider.Close)
	d.env = []string{fmt.Sprintf("SIGNALBOX_HTTP_ADDRESS=127.0.0.1:%d", port), "SIGNALBOX_UI_PORT=0", fmt.Sprintf("SIGNALBOX_TEMPORAL_PORT=%d", harness.FreePort(t)), "SIGNALBOX_PUBLIC_URL=" + d.api,
		"SIGNALBOX_OIDC_ISSUER=" + issuer, "SIGNALBOX_OIDC_CLIENT_ID=signalbox", "SIGNALBOX_OIDC_CLIENT_SECRET=a client's secret", "SIGNALBOX_OIDC_TENANT=demo", "SIGNALBOX_OIDC_LABEL=Sign in with Acme"}
	d.start(t)
	for _, l := range []look{desk1280, phone390} {
		v := newTab(t, d.api, l)
		v.open("/tickets?view=open")
		v.sound("login with a provider")
		v.goes("link", "Sign in with Acme")
		v.write("Username:", "test-user2")
		v.write("Password:", "verysecure")
		v.goes("button", "Login")
		v.heard() // what the provider's pages told the console is theirs
		require.Equal(t, "/tickets?view=open", v.path(), "where they wanted to go")
		v.reads("Test User2")
		v.tap("button", v.say("frame.sign_out"))
		harness.Until(t, "they are signed out there too, and back", tabPatience, func() error {
			if at := v.path(); at != "/login" {
				return fmt.Errorf("they are at %s", at)
			}
			return nil
		})
		v.reads(v.say("signin.title"))
		v.open("/tickets")
		v.reads(v.say("signin.title"))
	}
}
