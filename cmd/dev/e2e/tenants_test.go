package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/exception"
	"signalbox/api/incident"
	"signalbox/api/issue"
	"signalbox/cmd/dev/e2e/harness"
)

// TestAnotherTenantsTicketDoesNotExist makes every call of three families with another tenant's key. Each must be answered exactly as for a
// ticket that nobody has, and change nothing.
func TestAnotherTenantsTicketDoesNotExist(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	mine, other := d.caller(), newCaller(d.api, "other-secret")
	r := harness.NewReceiver(t)

	number := result[string](t, mine.must(t, "POST", "/api/issue", sample(t, "issue/testdata/open.json")))
	one := "/api/issue/" + number
	nid := mine.register(t, number, r.URL("/"+number))
	cid := result[struct{ ID string }](t, mine.must(t, "POST", one+"/conversation", map[string]any{"author": "li", "content": "hello"})).ID
	checkArrivals(t, mine, r, number, nid)
	did := mine.deliveries(t, number, nid)[0].ID
	uuid := between(t, mine.must(t, "GET", one, nil).body, `"uuid":"`, `"`)
	nobody := number[:len(number)-1] + "9"
	const nobodyUUID = "8f1e9a52-6c1f-4f0b-9d5e-51b0c5a7d0e4"

	// Bodies that would be taken, for the calls that have one. NUMBER is the ticket's.
	bodies := map[string]string{
		"PUT /api/issue/:id/status":                                       `{"status":"CLOSED","operator":"li"}`,
		"POST /api/issue/:id/handle":                                      `{"action":"accept","operator":"li"}`,
		"POST /api/issue/:id/migrate":                                     `{"service":"incident","version":1,"operator":"li"}`,
		"PUT /api/issue/:id/relations/:type":                              `{"content":["stolen"]}`,
		"PUT /api/issue/:id/follower/:person":                             `{"operator":"li"}`,
		"POST /api/issue/:id/conversation":                                `{"author":"li","content":"hello"}`,
		"PUT /api/issue/:id/conversation/:cid":                            `{"author":"li","content":"changed"}`,
		"POST /api/issue/:id/notification":                                `{"url":"` + r.URL("/stolen") + `"}`,
		"POST /api/issue/:id/notification/:nid/redeliver":                 `{"state":"sent"}`,
		"POST /api/issue/:id/notification/:nid/rotate":                    `{}`,
		"POST /api/issue/:id/notification/:nid/deliveries/:did/redeliver": `{}`,
		"POST /api/issue/:id/notification/:nid/deliveries/:did/retry":     `{}`,
		"POST /api/issue/:id/notification/:nid/deliveries/:did/cancel":    `{}`,
		"POST /v1/external/incident/handle":                               `{"incident_num":"NUMBER","operator":"li","operate_key":"acceptedIncident1"}`,
		"POST /v1/external/:type/list-histories":                          `{"string_filters":[{"field":"ticket_id","operator":"in","values":["NUMBER"]}]}`,
		"POST /v1/:type/list-histories":                                   `{"string_filters":[{"field":"ticket_id","operator":"in","values":["NUMBER"]}]}`,
		"POST /v1/exceptions/:id/callback":                                `{"externalSystem":"JIRA","externalIssueId":"1","status":"ASSIGNED","assignee":"li","updatedAt":"2026-01-02T03:04:05Z"}`,
	}
	// Calls that name no ticket, with what they are about instead.
	without := map[string]bool{"POST /api/issue": true, "GET /api/issue": true, "GET /api/issue/changes": true, "POST /v1/external/incident/create": true,
		"GET /v1/incident-tickets": true}

	made := 0
	for _, family := range []api.Family{(&issue.Handler{}).Family(), (&incident.Handler{}).Family(), (&exception.Handler{}).Family()} {
		for _, route := range family.Routes {
			call := route.Method + " " + strings.NewReplacer(":incident_num", ":id", ":ticket_id", ":id", ":exceptionId", ":id", ":ticket_type", ":type").Replace(route.Path)
			if without[call] {
				continue
			}
			made++
			body, has := bodies[call]
			require.Equal(t, route.Method == http.MethodPost || route.Method == http.MethodPut, has, "%s needs a body here", call)
			ask := func(c *caller, number string) answer {
				kind := "manifest"
				if strings.Contains(call, "list-histories") {
					kind = "incident"
				}
				path := strings.NewReplacer(":id", number, ":type", kind, ":cid", cid, ":nid", nid, ":did", did, ":rid", nobodyUUID, ":person", "li").Replace(strings.SplitN(call, " ", 2)[1])
				var raw any
				if has {
					raw = []byte(strings.ReplaceAll(body, "NUMBER", number))
				}
				a, err := c.send(t.Context(), route.Method, path, "", raw)
				require.NoError(t, err)
				return a
			}
			if route.Method == http.MethodGet && !strings.HasSuffix(call, ":rid") || strings.HasSuffix(call, "/list-histories") {
				require.Equal(t, 200, ask(mine, number).status, "%s: its owner reads it", call)
			}
			for _, key := range []struct{ theirs, nobodys string }{{number, nobody}, {uuid, nobodyUUID}} {
				got, want := ask(other, key.theirs), ask(other, key.nobodys)
				require.Equal(t, want.status, got.status, "%s: %s", call, got)
				require.Equal(t, strings.ReplaceAll(want.body, key.nobodys, key.theirs), got.body, call)
				require.NotContains(t, got.body, "异常标题")
				switch {
				case strings.HasPrefix(call, "POST "+handlePath):
					require.Equal(t, 400, got.status, "%s: %s", call, got)
					require.Contains(t, got.body, `"error_code":"GOM.00007404"`)
				case strings.Contains(call, "/exceptions/"):
					require.Equal(t, 404, got.status)
				case strings.Contains(call, "/v1/"):
					require.Equal(t, 400, got.status, "%s: %s", call, got)
					require.Contains(t, got.body, `"error_code":"COC.00067003"`)
				default:
					require.Equal(t, 404, got.status)
					require.Contains(t, got.body, `"success":false`)
				}
			}
		}
	}
	require.GreaterOrEqual(t, made, 24)

	// Nothing was touched, and lists keep to themselves.
	var types []string
	for _, e := range mine.timeline(t, number) {
		types = append(types, e.Type)
	}
	require.Equal(t, []string{"opened", "said"}, types)
	require.Len(t, items[struct{ ID string }](t, mine.must(t, "GET", one+"/notification", nil)), 1)
	require.Empty(t, items[struct{ ID string }](t, other.must(t, "GET", "/api/issue?q="+number, nil)))
	require.Empty(t, items[struct{ ID string }](t, other.must(t, "GET", "/api/issue", nil)))
	require.Len(t, r.Requests(""), 1)

	// The other tenant's own ticket is its own in the same way.
	theirs := other.open(t)
	a, err := mine.send(t.Context(), "GET", "/api/issue/"+theirs, "", nil)
	require.NoError(t, err)
	require.Equal(t, 404, a.status)
	require.Len(t, items[struct{ ID string }](t, mine.must(t, "GET", "/api/issue", nil)), 1)
}

// between gives the text between two others.
func between(t testing.TB, text, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, before)
	require.True(t, ok, text)
	found, _, ok := strings.Cut(rest, after)
	require.True(t, ok, text)
	return found
}
