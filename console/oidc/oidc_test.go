package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/stretchr/testify/require"

	"signalbox/ticket"
)

// provider is an OpenID provider that does what a case has it do. One that behaves is what the end-to-end tests run.
type provider struct {
	t        testing.TB
	server   *httptest.Server
	key      *ecdsa.PrivateKey
	asked    atomic.Int64 // about itself
	down     atomic.Bool
	keeps    map[string]url.Values // what a code was given for
	claims   func(claims)          // changes what a token says
	token    func(claims claims) string
	info     func() map[string]any
	document func(map[string]any)
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p := &provider{t: t, key: key, keeps: map[string]url.Values{}}
	p.token = p.signed
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if p.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		at := p.server.URL
		document := map[string]any{"issuer": at, "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token", "jwks_uri": at + "/keys", "userinfo_endpoint": at + "/info",
			"end_session_endpoint": at + "/bye?x=1", "id_token_signing_alg_values_supported": []string{"none", "HS256", "ES256"}}
		if p.document != nil {
			p.document(document)
		}
		p.says(w, document)
	})
	keys := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: coreos.ES256}}}
	mux.Handle("GET /keys", keys)
	mux.HandleFunc("POST /token", p.exchange)
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, r *http.Request) {
		if p.info == nil || r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		p.says(w, p.info())
	})
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	keys.SetIssuer(p.server.URL)
	return p
}

func (p *provider) says(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

// authorize is what a visitor does who signs in: it gives the query of the address that they are sent back to.
func (p *provider) authorize(address string) url.Values {
	p.t.Helper()
	u, err := url.Parse(address)
	require.NoError(p.t, err)
	asked := u.Query()
	require.Equal(p.t, "code", asked.Get("response_type"))
	require.Equal(p.t, "S256", asked.Get("code_challenge_method"))
	code := fmt.Sprint("code", len(p.keeps))
	p.keeps[code] = asked
	return url.Values{"code": {code}, "state": {asked.Get("state")}}
}

func (p *provider) exchange(w http.ResponseWriter, r *http.Request) {
	asked, ok := p.keeps[r.FormValue("code")]
	delete(p.keeps, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("redirect_uri") != r.FormValue("redirect_uri") || id != "box" || secret != "shh" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	said := claims{"iss": p.server.URL, "aud": "box", "sub": "s1", "nonce": asked.Get("nonce"), "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"preferred_username": "ann", "name": "Ann Lee", "groups": []string{"team", "signalbox-admins"}}
	if p.claims != nil {
		p.claims(said)
	}
	p.says(w, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": p.token(said)})
}

func (p *provider) signed(said claims) string {
	raw, err := json.Marshal(said)
	require.NoError(p.t, err)
	return oidctest.SignIDToken(p.key, "k", coreos.ES256, string(raw))
}

func (p *provider) party(change ...func(*Config)) *Provider {
	c := Config{Issuer: p.server.URL, ClientID: "box", ClientSecret: "shh", Scopes: []string{"openid", "profile"}, Redirect: "https://box.example.com/login/oidc/back", Now: time.Now,
		ClaimID: "preferred_username", ClaimName: "name", ClaimGroups: "groups"}
	for _, f := range change {
		f(&c)
	}
	require.NoError(p.t, c.Check())
	return New(c)
}

// signIn goes all the way.
func (p *provider) signIn(party *Provider) (Identity, error) {
	address, keep, err := party.Begin(p.t.Context())
	require.NoError(p.t, err)
	return party.Finish(p.t.Context(), keep, p.authorize(address))
}

func TestSomebodySignsIn(t *testing.T) {
	p := newProvider(t)
	party := p.party()
	require.Zero(t, p.asked.Load(), "nothing is asked before somebody needs it")
	for range 3 {
		who, err := p.signIn(party)
		require.NoError(t, err)
		require.NotEmpty(t, who.Token)
		who.Token = ""
		require.Equal(t, Identity{ID: "ann", Name: "Ann Lee", Groups: []string{"team", "signalbox-admins"}}, who)
	}
	require.EqualValues(t, 1, p.asked.Load())
	first, keep, err := party.Begin(t.Context())
	require.NoError(t, err)
	again, other, err := party.Begin(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first, again)
	require.NotEqual(t, keep.State, other.State)
	require.NotEqual(t, keep.Nonce, other.Nonce)
	require.NotContains(t, first, keep.Verifier, "only its digest is shown")
}

func TestAttacksOnTheSignIn(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	unsigned := func(header string, said claims) string {
		raw, err := json.Marshal(said)
		require.NoError(t, err)
		encode := base64.RawURLEncoding.EncodeToString
		return encode([]byte(header)) + "." + encode(raw) + "."
	}
	set := func(name string, value any) func(*provider) {
		return func(p *provider) { p.claims = func(said claims) { said[name] = value } }
	}
	for name, c := range map[string]struct {
		provider func(*provider)
		kept     func(*Pending)
		back     func(*provider, url.Values)
		code     ticket.Code
		why      string
	}{
		"another state":          {back: func(_ *provider, q url.Values) { q.Set("state", "x") }, code: ticket.Forbidden, why: "state"},
		"no state":               {back: func(_ *provider, q url.Values) { q.Del("state") }, code: ticket.Forbidden, why: "state"},
		"nothing kept":           {kept: func(k *Pending) { *k = Pending{} }, back: func(_ *provider, q url.Values) { q.Del("state") }, code: ticket.Forbidden, why: "state"},
		"another's code":         {kept: func(k *Pending) { k.Verifier = strings.Repeat("x", 43) }, code: ticket.Forbidden, why: "invalid_grant"},
		"a code that was used":   {back: func(p *provider, q url.Values) { delete(p.keeps, q.Get("code")) }, code: ticket.Forbidden, why: "invalid_grant"},
		"no code":                {back: func(_ *provider, q url.Values) { q.Del("code") }, code: ticket.Forbidden, why: "invalid_grant"},
		"another provider":       {back: func(_ *provider, q url.Values) { q.Set("iss", "https://evil.example.com") }, code: ticket.Forbidden, why: "evil"},
		"said no":                {back: func(_ *provider, q url.Values) { q.Set("error", "access_denied") }, code: ticket.Unauthorized, why: "access_denied"},
		"said no, another state": {back: func(_ *provider, q url.Values) { q.Set("error", "access_denied"); q.Set("state", "x") }, code: ticket.Forbidden, why: "state"},
		"another nonce":          {provider: set("nonce", "x"), code: ticket.Unauthorized, why: "nonce"},
		"no nonce":               {provider: func(p *provider) { p.claims = func(said claims) { delete(said, "nonce") } }, code: ticket.Unauthorized, why: "nonce"},
		"another audience":       {provider: set("aud", "shop"), code: ticket.Unauthorized, why: "audience"},
		"for several, of nobody": {provider: set("aud", []string{"box", "shop"}), code: ticket.Unauthorized, why: "is for"},
		"of another party":       {provider: set("azp", "shop"), code: ticket.Unauthorized, why: "is for shop"},
		"another issuer":         {provider: set("iss", "https://evil.example.com"), code: ticket.Unauthorized, why: "different provider"},
		"expired":                {provider: set("exp", time.Now().Add(-time.Minute).Unix()), code: ticket.Unauthorized, why: "expired"},
		"another access token":   {provider: set("at_hash", "x"), code: ticket.Unauthorized, why: "access token hash"},
		"no token":               {provider: func(p *provider) { p.token = func(claims) string { return "" } }, code: ticket.Unauthorized, why: "malformed"},
		"alg none":               {provider: func(p *provider) { p.token = func(c claims) string { return unsigned(`{"alg":"none"}`, c) } }, code: ticket.Unauthorized, why: "none"},
		"alg HS256": {provider: func(p *provider) {
			p.token = func(c claims) string {
				return oidctest.SignIDToken([]byte(strings.Repeat("k", 32)), "k", "HS256", mustJSON(t, c))
			}
		}, code: ticket.Unauthorized, why: "HS256"},
		"another key": {provider: func(p *provider) {
			p.token = func(c claims) string { return oidctest.SignIDToken(other, "k", coreos.ES256, mustJSON(t, c)) }
		}, code: ticket.Unauthorized, why: "verify"},
		"nobody":                {provider: func(p *provider) { p.claims = func(c claims) { delete(c, "preferred_username") } }, code: ticket.Unavailable, why: "403"},
		"an id that is none":    {provider: set("preferred_username", "ann,bob"), code: ticket.Unauthorized, why: "comma"},
		"an id that is no text": {provider: set("preferred_username", 7), code: ticket.Unauthorized, why: "required"},
		"what somebody else says": {provider: func(p *provider) {
			p.claims = func(c claims) { delete(c, "preferred_username") }
			p.info = func() map[string]any { return map[string]any{"sub": "s2", "preferred_username": "boss"} }
		}, code: ticket.Unauthorized, why: "somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			if c.provider != nil {
				c.provider(p)
			}
			party := p.party()
			address, keep, err := party.Begin(t.Context())
			require.NoError(t, err)
			back := p.authorize(address)
			if c.kept != nil {
				c.kept(&keep)
			}
			if c.back != nil {
				c.back(p, back)
			}
			who, err := party.Finish(t.Context(), keep, back)
			require.True(t, ticket.Is(err, c.code), "%v", err)
			require.ErrorContains(t, err, c.why)
			require.Zero(t, who)
			require.NotContains(t, ticket.AsError(err).Message, c.why, "the cause is for the log")
		})
	}
	t.Run("twice", func(t *testing.T) {
		p := newProvider(t)
		party := p.party()
		address, keep, err := party.Begin(t.Context())
		require.NoError(t, err)
		back := p.authorize(address)
		_, err = party.Finish(t.Context(), keep, back)
		require.NoError(t, err)
		_, err = party.Finish(t.Context(), keep, back)
		require.True(t, ticket.Is(err, ticket.Forbidden), "%v", err)
	})
}

func mustJSON(t *testing.T, v any) string {
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

func TestWhoSomebodyIsIsReadFromTheClaims(t *testing.T) {
	p := newProvider(t)
	p.claims = func(c claims) {
		delete(c, "groups")
		delete(c, "name")
		c["email"], c["email_verified"], c["realm"] = "ann@example.com", true, map[string]any{"roles": "one"}
		c["https://example.com/id"] = "A 1"
	}
	p.info = func() map[string]any {
		return map[string]any{"sub": "s1", "name": "Ann", "preferred_username": "boss", "groups": []any{"x", 1, "y"}}
	}
	for _, c := range []struct {
		id, groups string
		want       Identity
	}{
		{"preferred_username", "groups", Identity{ID: "ann", Name: "Ann", Groups: []string{"x", "y"}}}, // the token goes before
		{"email", "realm.roles", Identity{ID: "ann@example.com", Name: "Ann", Groups: []string{"one"}}},
		{"https://example.com/id", "", Identity{ID: "A 1", Name: "Ann"}},
		{"sub", "realm.none", Identity{ID: "s1", Name: "Ann"}},
	} {
		who, err := p.signIn(p.party(func(config *Config) { config.ClaimID, config.ClaimGroups = c.id, c.groups }))
		require.NoError(t, err)
		who.Token = ""
		require.Equal(t, c.want, who)
	}
	unverified := p.party(func(config *Config) { config.ClaimID = "email" })
	p.claims = func(c claims) { c["email"], c["email_verified"] = "boss@example.com", false }
	_, err := p.signIn(unverified)
	require.ErrorContains(t, err, "not verified")
	p.claims, p.info = func(c claims) { c["name"] = "a\x00b"; delete(c, "groups") }, nil
	who, err := p.signIn(p.party())
	require.NoError(t, err, "that nothing more is said keeps nobody out")
	require.Empty(t, who.Name, "what is no name is not shown")
}

func TestAProviderThatIsAwayIsAskedAgain(t *testing.T) {
	p := newProvider(t)
	p.claims = func(c claims) { c["exp"] = time.Now().Add(2 * asksAgain).Unix() }
	p.down.Store(true)
	now := time.Now()
	party := p.party(func(c *Config) { c.Now = func() time.Time { return now } })
	away := func() {
		t.Helper()
		_, _, err := party.Begin(t.Context())
		require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
		require.ErrorContains(t, err, "502")
	}
	away()
	away()
	require.EqualValues(t, 1, p.asked.Load(), "it is left alone for a moment")
	require.Empty(t, party.SignOut(t.Context(), "", "/"))
	now = now.Add(leaveAlone)
	away()
	require.EqualValues(t, 2, p.asked.Load())
	p.down.Store(false)
	now = now.Add(leaveAlone)
	_, err := p.signIn(party)
	require.NoError(t, err)
	p.down.Store(true)
	now = now.Add(asksAgain)
	_, err = p.signIn(party)
	require.NoError(t, err, "it is who it was")
	require.EqualValues(t, 4, p.asked.Load())
}

// Whoever has no time left does not wait for a provider that hangs, and everybody else asks once.
func TestNobodyWaitsLongerThanTheyHaveTime(t *testing.T) {
	asked, hang := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-hang }))
	defer server.Close()
	defer close(hang)
	party := New(Config{Issuer: server.URL, Now: time.Now})
	ctx, end := context.WithCancel(t.Context())
	go func() { <-asked; end() }()
	_, _, err := party.Begin(ctx)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	_, _, err = party.Begin(ctx)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
}

func TestAnotherIssuerThanWasNamedIsNone(t *testing.T) {
	p := newProvider(t)
	p.document = func(d map[string]any) { d["issuer"] = "https://evil.example.com" }
	_, _, err := p.party().Begin(t.Context())
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.ErrorContains(t, err, "evil")
}

func TestTheProviderIsSignedOutOf(t *testing.T) {
	p := newProvider(t)
	u, err := url.Parse(p.party().SignOut(t.Context(), "token", "https://box.example.com/login"))
	require.NoError(t, err)
	require.Equal(t, url.Values{"x": {"1"}, "client_id": {"box"}, "id_token_hint": {"token"}, "post_logout_redirect_uri": {"https://box.example.com/login"}}, u.Query())
	require.Equal(t, "/bye", u.Path)
	for _, none := range []string{"", "javascript:alert(1)", "::"} {
		p.document = func(d map[string]any) { d["end_session_endpoint"] = none }
		require.Empty(t, p.party().SignOut(t.Context(), "", "/"), none)
	}
}

func TestConfigsThatCannotWork(t *testing.T) {
	good := Config{Issuer: "https://idp.example.com/realm", ClientID: "box", Scopes: []string{"openid"}, ClaimID: "sub"}
	require.NoError(t, good.Check())
	for why, change := range map[string]func(*Config){
		"is no URL":     func(c *Config) { c.Issuer = "idp" },
		"must be https": func(c *Config) { c.Issuer = "http://idp.example.com" },
		"openid":        func(c *Config) { c.Scopes = []string{"profile"} },
		"client id":     func(c *Config) { c.ClientID = "" },
		"claim":         func(c *Config) { c.ClaimID = "" },
	} {
		bad := good
		bad.Scopes = slices.Clone(good.Scopes)
		change(&bad)
		require.ErrorContains(t, bad.Check(), why)
	}
}
