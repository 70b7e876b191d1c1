// Package signin has people sign in to the pages by an OpenID provider, the example of a certified library, as a browser does.
package signin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
	_ "modernc.org/sqlite"

	"signalbox/cmd/internal/setup"
	"signalbox/people"
	"signalbox/workflows"
)

// members is the provider's own store, with a client that may send people back after signing out.
type members struct {
	*storage.Storage
	after string
}

type client struct {
	op.Client
	after string
}

func (c client) PostLogoutRedirectURIs() []string { return []string{c.after} }

func (m members) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := m.Storage.GetClientByClientID(ctx, id)
	return client{c, m.after}, err
}

// house is the pages and a provider, each on a port of its own.
type house struct {
	*setup.Container
	pages, issuer string
}

func open(t *testing.T) house {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := house{pages: "http://" + listener.Addr().String()}
	provider := httptest.NewUnstartedServer(nil)
	h.issuer = "http://" + provider.Listener.Addr().String()
	storage.RegisterClients(storage.WebClient("signalbox", "a client's secret", h.pages+"/login/oidc/back"))
	quiet := slog.New(slog.DiscardHandler)
	provider.Config.Handler = exampleop.SetupServer(h.issuer, members{storage.NewStorage(storage.NewUserStore(h.issuer)), h.pages + "/login"}, quiet, false)
	provider.Start()
	t.Cleanup(provider.Close)

	base := setup.Base{DatabaseURL: "sqlite:" + t.TempDir() + "/x.db", MasterKey: make([]byte, 32), Partitions: 1, Outside: setup.Outside{PublicURL: setup.PublicURL(h.pages), TimeZone: setup.Zone{Location: time.UTC}},
		Temporal: workflows.Connection{Address: "127.0.0.1:1", Namespace: "default"}}
	require.NoError(t, base.Migrate(t.Context(), quiet))
	h.Container, err = base.Open(t.Context(), quiet)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	settings := setup.APISettings{Admins: setup.Admins{AdminGroup: "signalbox-admins"}, OIDC: setup.OIDC{OIDCIssuer: h.issuer, OIDCClientID: "signalbox", OIDCClientSecret: "a client's secret",
		OIDCScopes: []string{"openid", "profile", "email"}, OIDCClaimID: "preferred_username", OIDCClaimName: "name", OIDCClaimGroups: "groups", OIDCTenant: "acme", OIDCLabel: "Sign in with Acme"}}
	require.NoError(t, settings.OIDC.Check())
	server, err := h.API(settings, setup.Metrics("api"), quiet)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, server.Shutdown(context.WithoutCancel(t.Context())))
		<-ended
	})
	return h
}

// browser follows what it is sent, and remembers where it was.
type browser struct {
	*http.Client
	t     *testing.T
	trail []string
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := &browser{t: t}
	b.Client = &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		b.trail = append(b.trail, r.URL.String())
		return nil
	}}
	return b
}

type shown struct {
	status int
	at     *url.URL
	header http.Header
	body   string
}

func (b *browser) open(address string) shown {
	b.t.Helper()
	response, err := b.Get(address)
	return b.read(response, err)
}

func (b *browser) send(address string, form url.Values) shown {
	b.t.Helper()
	response, err := b.PostForm(address, form)
	return b.read(response, err)
}

func (b *browser) read(response *http.Response, err error) shown {
	b.t.Helper()
	require.NoError(b.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return shown{response.StatusCode, response.Request.URL, response.Header, string(body)}
}

// signIn goes from the page that is wanted over the provider's form.
func (b *browser) signIn(h house, user, path string) shown {
	b.t.Helper()
	asked := b.open(h.pages + path)
	link := regexp.MustCompile(`href="(/login/oidc\?[^"]+)"`).FindStringSubmatch(asked.body)
	require.NotNil(b.t, link, asked.body)
	there := b.open(h.pages + link[1])
	require.Equal(b.t, h.issuer, there.at.Scheme+"://"+there.at.Host)
	return b.send(h.issuer+"/login/username", url.Values{"id": {there.at.Query().Get("authRequestID")}, "username": {user}, "password": {"verysecure"}})
}

func TestPeopleSignInByARealProvider(t *testing.T) {
	h := open(t)
	b := newBrowser(t)
	page := b.signIn(h, "test-user2", "/tickets?q=disk")
	require.Equal(t, http.StatusOK, page.status, page.body)
	require.Equal(t, "/tickets?q=disk", page.at.RequestURI(), "the page that was wanted")
	require.Contains(t, page.body, "Test User2", "whom the directory does not know is called what the provider says")

	back := b.trail[len(b.trail)-2]
	require.True(t, strings.HasPrefix(back, h.pages+"/login/oidc/back?code="), back)
	require.Equal(t, http.StatusForbidden, b.open(back).status, "once")
	require.Equal(t, http.StatusForbidden, newBrowser(t).open(back).status, "nor elsewhere")

	// A code that somebody else was given, brought to whoever began a sign-in of their own.
	thief, victim := newBrowser(t), newBrowser(t)
	thief.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if thief.trail = append(thief.trail, r.URL.String()); r.URL.Path == "/login/oidc/back" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	thief.signIn(h, "test-user2", "/tickets")
	stolen, err := url.Parse(thief.trail[len(thief.trail)-1])
	require.NoError(t, err)
	begun := victim.open(h.pages + "/login/oidc")
	require.Equal(t, h.issuer, begun.at.Scheme+"://"+begun.at.Host)
	require.Equal(t, http.StatusForbidden, victim.open(stolen.String()).status, "another state")
	require.Equal(t, http.StatusOK, thief.open(stolen.String()).status, "it was good, for whom it was meant")

	// Who is deactivated is out, and does not come in again.
	_, err = h.Store.ChangePerson(t.Context(), "acme", "hr", people.Key{ID: "test-user2"}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
		had.Person = people.Person{ID: "test-user2", Name: "Of the directory"}
		return had, nil
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.open(h.pages+"/tickets").at.Path == "/login" }, time.Minute, 100*time.Millisecond)
	refused := b.signIn(h, "test-user2", "/tickets")
	require.Equal(t, http.StatusUnauthorized, refused.status)
	_, err = h.Store.ChangePerson(t.Context(), "acme", "hr", people.Key{ID: "test-user2"}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
		had.Active = true
		return had, nil
	})
	require.NoError(t, err)
	page = b.signIn(h, "test-user2", "/tickets")
	require.Contains(t, page.body, "Of the directory")

	// Out here, and out there.
	guard := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page.body)
	out := b.send(h.pages+"/logout", url.Values{"csrf": {guard[1]}})
	require.Equal(t, http.StatusOK, out.status)
	there := strings.TrimPrefix(out.header.Get("Refresh"), "0; url=")
	require.True(t, strings.HasPrefix(there, h.issuer+"/end_session?"), there)
	require.Contains(t, there, "id_token_hint=")
	last := b.open(there)
	require.Equal(t, fmt.Sprint(h.pages, "/login"), last.at.String(), last.body)
	require.Equal(t, "/login", b.open(h.pages+"/tickets").at.Path)
}
