package setup

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ratelimit"
	"signalbox/ticket"
)

// TestWhatIsDoneIsWrittenDown: an action that was done, and one that was refused for whatever reason, is in the audit: which app asked, from
// where, in which request, on whose behalf, through which channel, and what it was told.
func TestWhatIsDoneIsWrittenDown(t *testing.T) {
	p := newProduct(t, api.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}})
	secrets := map[string]string{}
	for code, a := range map[string]desk.App{
		"shop": {Tenant: "north", Scopes: []desk.Scope{desk.Write}}, "eye": {Tenant: "north", Scopes: []desk.Scope{desk.Read}},
		"boss": {Tenant: "north", Scopes: []desk.Scope{desk.Admin}}, "busy": {Tenant: "north", Scopes: []desk.Scope{desk.Write}, Rate: 1, Burst: 1},
		"south": {Tenant: "south", Scopes: []desk.Scope{desk.Admin}},
	} {
		a.Code = code
		secret, err := p.container.Store.CreateApp(t.Context(), a)
		require.NoError(t, err)
		secrets[code] = secret
	}
	const from = "203.0.113.9"
	ask := func(app, id, method, path string, body any, headers ...string) answer {
		return p.call(method, path, secrets[app], body, append(headers, "X-Request-Id", id, "X-Forwarded-For", from)...)
	}
	number := p.must(ask("shop", "r-open", "POST", "/api/issue", object{"origin": "a", "title": "b", "opener": "li"})).word("result")
	accept := object{"action": "accept", "operator": "ann"}
	handle := "/api/issue/" + number + "/handle"
	p.must(ask("shop", "r-accept", "POST", handle, accept, "Idempotency-Key", "k"))
	p.must(ask("shop", "r-replay", "POST", handle, accept, "Idempotency-Key", "k"))
	ask("shop", "r-rules", "POST", handle, accept)
	ask("shop", "r-reused", "POST", handle, object{"action": "accept", "operator": "bob"}, "Idempotency-Key", "k")
	ask("shop", "r-input", "POST", handle, object{"action": "dance", "operator": "ann"})
	ask("shop", "r-none", "POST", "/api/issue/IM1/handle", accept)
	ask("eye", "r-scope", "POST", handle, accept)
	ask("eye", "r-read", "GET", "/api/issue/IM1", nil)
	ask("busy", "r-first", "POST", "/api/issue", object{"origin": "a", "title": "b"})
	ask("busy", "r-often", "POST", "/api/issue", object{"origin": "a", "title": "b"})
	ask("shop", "r-itsm", "POST", "/openapi/ticket/operate_ticket/", object{"sn": number, "action_type": "DANCE", "bk_username": "wang"})
	ask("shop", "r-incident", "POST", "/v1/external/incident/handle", object{"incident_num": number, "operator": "zhao", "operate_key": "acceptIncident"})
	ask("shop", "r-exception", "POST", "/v1/exceptions/"+number+"/callback", object{})
	ask("shop", "r-publish", "POST", "/api/publish", object{})
	ask("boss", "r-codec", "POST", "/codec/decode", payloads(exhibit{}))
	ask("boss", "r-service", "POST", "/api/service", object{"key": "x", "name": "x", "nodes": []object{}})
	ask("boss", "r-scim", "POST", "/scim/v2/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}})
	p.must(ask("boss", "r-person", "PUT", "/api/person/ann", object{"name": "Ann"}))
	ask("shop", "r-person-scope", "PUT", "/api/person/ann", object{"name": "Ann"})
	ask("boss", "r-person-input", "PUT", "/api/person/ann", object{"email": "ann"})
	ask("boss", "r-group", "PUT", "/api/group/finance", object{"members": []object{{"person": "nobody"}}})
	ask("shop", "r-absence", "POST", "/api/absence", object{"person": "ann", "from": "2026-12-21", "operator": "bob"})
	ask("nobody", "r-unknown", "POST", handle, accept)

	got := map[string][]string{}
	for _, e := range p.audited(secrets["boss"], "limit=200") {
		if strings.HasPrefix(fmt.Sprint(e["request_id"]), "r-") {
			got[fmt.Sprint(e["request_id"])] = []string{fmt.Sprint(e["outcome"]), fmt.Sprint(e["app"]), fmt.Sprint(e["operator"]), fmt.Sprint(e["door"]), fmt.Sprint(e["status"]),
				fmt.Sprint(e["code"]), fmt.Sprint(e["number"])}
			require.Equal(t, from, e["address"])
			require.NotEmpty(t, e["method"])
			require.NotEmpty(t, e["path"])
			require.Equal(t, e["outcome"] == "refused", e["why"] != "", e)
		}
	}
	opened := got["r-first"][6]
	require.Equal(t, map[string][]string{
		"r-open":      {"done", "shop", "li", "issue", "200", "", number},
		"r-accept":    {"done", "shop", "ann", "issue", "200", "", number},
		"r-rules":     {"refused", "shop", "ann", "issue", "409", "conflict", number},
		"r-reused":    {"refused", "shop", "bob", "issue", "422", "reused", number},
		"r-input":     {"refused", "shop", "ann", "issue", "400", "invalid", number},
		"r-none":      {"refused", "shop", "ann", "issue", "404", "not_found", "IM1"},
		"r-scope":     {"refused", "eye", "ann", "issue", "403", "forbidden", number},
		"r-first":     {"done", "busy", "", "issue", "200", "", opened},
		"r-often":     {"refused", "busy", "", "issue", "429", "too_many", ""},
		"r-itsm":      {"refused", "shop", "wang", "itsm", "200", "invalid", number},
		"r-incident":  {"refused", "shop", "zhao", "incident", "400", "invalid", number},
		"r-exception": {"refused", "shop", "", "exception", "400", "invalid", number},
		"r-publish":   {"refused", "shop", "", "publish", "400", "invalid", ""},
		"r-codec":     {"refused", "boss", "", "codec", "403", "forbidden", ""},
		"r-service":   {"refused", "boss", "", "issue", "400", "invalid", ""},
		"r-scim":      {"refused", "boss", "", "scim", "400", "invalid", ""},

		"r-person":       {"done", "boss", "", "issue", "200", "", ""},
		"r-person-scope": {"refused", "shop", "", "issue", "403", "forbidden", ""},
		"r-person-input": {"refused", "boss", "", "issue", "400", "invalid", ""},
		"r-group":        {"refused", "boss", "", "issue", "400", "invalid", ""},
		"r-absence":      {"refused", "shop", "bob", "issue", "403", "forbidden", ""},
	}, got, "a replay did nothing, reading is no action, and who is unknown is in the log")
	for _, c := range ticket.CalledChannels() {
		said := slices.ContainsFunc(slices.Collect(maps.Values(got)), func(entry []string) bool { return entry[0] == "refused" && entry[3] == string(c) })
		require.True(t, said, "no refusal by the channel %s is shown here", c)
	}
	require.Empty(t, p.audited(secrets["south"], "number="+number))
	require.Len(t, p.audited(secrets["boss"], "number="+number+"&operator=ann&outcome=refused"), 3)

	var events int
	require.NoError(t, p.raw.QueryRow(`SELECT count(*) FROM events e JOIN operations o ON o.id = e.operation WHERE o.request_id IN ('r-open', 'r-accept')`).Scan(&events))
	require.GreaterOrEqual(t, events, 2, "every event says which operation caused it")
}

// audited lists the audit as an app sees it.
func (p product) audited(secret, query string) (entries []map[string]any) {
	p.Helper()
	a := p.must(p.call("GET", "/api/audit?"+query, secret, nil))
	var page struct {
		Result struct{ Items []map[string]any }
	}
	require.NoError(p, json.Unmarshal([]byte(a.body), &page))
	return page.Result.Items
}

// TestLimitsAreShared: what the processes know together is in the database.
func TestLimitsAreShared(t *testing.T) {
	p := newProduct(t, api.Config{AppRate: 3})
	secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Write}})
	require.NoError(t, err)
	a := p.must(p.call("GET", "/api/issue", secret, nil))
	require.Equal(t, "3", a.header.Get("X-RateLimit-Limit"))
	taken, after, err := p.container.Store.TakeRequests(t.Context(), "shop", ratelimit.Bucket{Rate: 3, Burst: 3}, 10, 0)
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
	secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	x := p.exhibit(secret)
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
