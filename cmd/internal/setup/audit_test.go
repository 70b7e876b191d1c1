package setup

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
)

// TestWhatIsDoneIsWrittenDown: an action that was done, and one that the rules refused, are rows that say which app asked, from where, in which
// request, on whose behalf, and why it was refused. What is refused before that is in the log; package api shows it.
func TestWhatIsDoneIsWrittenDown(t *testing.T) {
	p := newProduct(t, api.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}})
	secret, err := p.house.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Write}})
	require.NoError(t, err)
	number := p.must(p.call("POST", "/api/issue", secret, object{"origin": "a", "title": "b"}, "X-Request-Id", "r-open", "X-Forwarded-For", "203.0.113.9")).word("result")
	accept := object{"action": "accept", "operator": "ann"}
	p.must(p.call("POST", "/api/issue/"+number+"/handle", secret, accept, "X-Request-Id", "r-accept", "X-Forwarded-For", "203.0.113.9"))
	require.True(t, p.call("POST", "/api/issue/"+number+"/handle", secret, accept, "X-Request-Id", "r-again", "X-Forwarded-For", "2001:db8::1").refused())
	for id, want := range map[string][]string{
		"r-open": {"done", "203.0.113.9", ""}, "r-accept": {"done", "203.0.113.9", "ann"}, "r-again": {"refused", "2001:db8::1", "ann"},
	} {
		var app, state, address, content, why string
		require.NoError(t, p.raw.QueryRow(`SELECT app, state, address, content, why FROM operations WHERE request_id = ?`, id).Scan(&app, &state, &address, &content, &why), id)
		require.Equal(t, []string{"shop", want[0], want[1]}, []string{app, state, address}, id)
		require.True(t, want[2] == "" || strings.Contains(content, `"operator":"`+want[2]+`"`), content)
		require.Equal(t, state == "refused", why != "", id)
	}
	var events int
	require.NoError(t, p.raw.QueryRow(`SELECT count(*) FROM events e JOIN operations o ON o.id = e.operation WHERE o.request_id IN ('r-open', 'r-accept')`).Scan(&events))
	require.GreaterOrEqual(t, events, 2, "every event says which operation caused it")
}

// TestLimitsAreShared: what the processes know together is in the database.
func TestLimitsAreShared(t *testing.T) {
	p := newProduct(t, api.Config{AppRate: 3})
	secret, err := p.house.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Write}})
	require.NoError(t, err)
	a := p.must(p.call("GET", "/api/issue", secret, nil))
	require.Equal(t, "3", a.header.Get("X-RateLimit-Limit"))
	taken, after, err := p.house.Store.TakeRequests(t.Context(), "shop", desk.Bucket{Rate: 3, Burst: 3}, 10, 0)
	require.NoError(t, err)
	require.Equal(t, 2, taken)
	require.Positive(t, after.FullAt.Unix())
	require.Equal(t, 429, p.call("GET", "/api/issue", secret, nil).status)
	require.Equal(t, 429, p.call("POST", "/v1/external/incident/handle", secret, object{}).status, "in every family")
	require.Equal(t, "1306429", p.call("GET", "/api/c/compapi/v2/itsm/get_tickets_by_user/", secret, nil).word("code"))
}

// TestNoSecretThatIsToldLiesInPlain: every call that tells a signing secret tells it again to a repetition, and nothing in the database shows it.
func TestNoSecretThatIsToldLiesInPlain(t *testing.T) {
	p := newProduct(t, api.Config{})
	secret, err := p.house.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	x := p.exhibit(secret, 0)
	told := regexp.MustCompile(`"secret":"(whsec_[^"]+)"`)
	var secrets []string
	for path, body := range map[string]any{
		"/api/subscription": object{"url": "https://hooks.example.com/x"}, "/api/subscription/" + x.subscription + "/rotate": nil,
		"/api/issue/" + x.number + "/notification/" + x.address + "/rotate": nil, "/api/service/" + x.service + "/rotate": nil,
	} {
		first := p.must(p.call("POST", path, secret, body, "Idempotency-Key", "k"))
		require.Regexp(t, told, first.body, path)
		secrets = append(secrets, told.FindStringSubmatch(first.body)[1])
		again := p.must(p.call("POST", path, secret, body, "Idempotency-Key", "k"))
		require.Equal(t, first.body, again.body, path)
		require.Equal(t, "true", again.header.Get(api.HeaderReplayed), path)
	}
	for table, rows := range p.rows() {
		for _, row := range rows {
			require.NotContains(t, row, "whsec_", table)
			for _, s := range secrets {
				require.NotContains(t, row, strings.TrimPrefix(s, "whsec_"), table)
			}
		}
	}
}
