package setup

import (
	"cmp"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
)

// onPages names, for each operation of the API that people want, the page that does it for a person. An operation is its method and path, or the name that several paths share.
// What has no page is listed in docs/pages.md, with the reason.
var onPages = map[string]string{
	"POST /api/issue":                                                 "POST /tickets/new",
	"GET /api/issue":                                                  "GET /tickets",
	"GET /api/issue/:id":                                              "GET /ticket/:number",
	"GET /api/issue/:id/timeline":                                     "GET /ticket/:number/timeline",
	"GET /api/issue/:id/diagram.svg":                                  "GET /ticket/:number/diagram.svg",
	"POST /api/issue/:id/handle":                                      "POST /ticket/:number/act",
	"PUT /api/issue/:id/status":                                       "POST /ticket/:number/act",
	"POST /api/issue/:id/migrate":                                     "POST /ticket/:number/migrate",
	"GET /api/issue/:id/conversation":                                 "GET /ticket/:number/conversation",
	"GET /api/issue/:id/conversation/:cid":                            "GET /ticket/:number/conversation",
	"POST /api/issue/:id/conversation":                                "POST /ticket/:number/say",
	"PUT /api/issue/:id/conversation/:cid":                            "POST /ticket/:number/say",
	"GET /api/issue/:id/relations/:type":                              "GET /ticket/:number/relations",
	"PUT /api/issue/:id/relations/:type":                              "POST /ticket/:number/relate",
	"GET /api/issue/:id/follower":                                     "GET /ticket/:number",
	"PUT /api/issue/:id/follower/:person":                             "POST /ticket/:number/follow",
	"DELETE /api/issue/:id/follower/:person":                          "POST /ticket/:number/follow",
	"GET /api/issue/:id/notification":                                 "GET /ticket/:number",
	"POST /api/issue/:id/notification":                                "POST /ticket/:number/register",
	"DELETE /api/issue/:id/notification/:nid":                         "POST /ticket/:number/deliveries/:subscription/stop",
	"POST /api/issue/:id/notification/:nid/rotate":                    "POST /ticket/:number/deliveries/:subscription/rotate",
	"POST /api/issue/:id/notification/:nid/redeliver":                 "POST /ticket/:number/deliveries/:subscription/redeliver",
	"GET /api/issue/:id/notification/:nid/redeliver/:rid":             "GET /deliveries/again/:name",
	"GET /api/issue/:id/notification/:nid/deliveries":                 "GET /ticket/:number/deliveries/:subscription",
	"GET /api/issue/:id/notification/:nid/deliveries/:did":            "GET /deliveries/:id",
	"POST /api/issue/:id/notification/:nid/deliveries/:did/redeliver": "POST /deliveries/:id/again",
	"POST /api/issue/:id/notification/:nid/deliveries/:did/retry":     "POST /deliveries/:id/try",
	"POST /api/issue/:id/notification/:nid/deliveries/:did/cancel":    "POST /deliveries/:id/cancel",

	"GET /api/delivery":                                    "GET /deliveries",
	"GET /api/delivery/:did":                               "GET /deliveries/:id",
	"GET /api/subscription":                                "GET /subscriptions",
	"POST /api/subscription":                               "POST /subscriptions",
	"GET /api/subscription/:id":                            "GET /subscriptions/:id",
	"PUT /api/subscription/:id":                            "POST /subscriptions/:id",
	"DELETE /api/subscription/:id":                         "POST /subscriptions/:id/delete",
	"POST /api/subscription/:id/pause":                     "POST /subscriptions/:id/pause",
	"POST /api/subscription/:id/resume":                    "POST /subscriptions/:id/resume",
	"POST /api/subscription/:id/rotate":                    "POST /subscriptions/:id/rotate",
	"POST /api/subscription/:id/test":                      "POST /subscriptions/:id/test",
	"POST /api/subscription/:id/redeliver":                 "POST /deliveries/again",
	"GET /api/subscription/:id/redeliver/:rid":             "GET /deliveries/again/:name",
	"GET /api/subscription/:id/deliveries":                 "GET /deliveries",
	"GET /api/subscription/:id/deliveries/:did":            "GET /deliveries/:id",
	"POST /api/subscription/:id/deliveries/:did/redeliver": "POST /deliveries/:id/again",
	"POST /api/subscription/:id/deliveries/:did/retry":     "POST /deliveries/:id/try",
	"POST /api/subscription/:id/deliveries/:did/cancel":    "POST /deliveries/:id/cancel",
	"GET /api/audit":                                       "GET /audit",
	"GET /api/service":                                     "GET /services",
	"POST /api/service":                                    "POST /editor/service",
	"GET /api/service/:key":                                "GET /services/:key",
	"PUT /api/service/:key":                                "POST /services/:key/enable",
	"POST /api/service/:key/rotate":                        "POST /services/:key/rotate",
	"GET /api/service/:key/versions":                       "GET /services/:key",
	"GET /api/service/:key/versions/:version":              "GET /services/:key/v/:version",
	"GET /api/service/:key/diagram.svg":                    "GET /services/:key/v/:version/diagram.svg",
	"GET /api/service/:key/versions/:version/diagram.svg":  "GET /services/:key/v/:version/diagram.svg",
	"POST /api/service/check":                              "POST /editor/service/draft",
	"POST /api/service/simulate":                           "POST /services/:key/simulate",
	"GET /api/calendar":                                    "GET /calendars",
	"POST /api/calendar":                                   "POST /editor/calendar",
	"GET /api/calendar/:key":                               "GET /calendars/:key",
	"PUT /api/calendar/:key":                               "POST /calendars/:key/enable",
	"POST /api/calendar/:key/import":                       "POST /calendars/:key/import",
	"GET /api/calendar/:key/versions":                      "GET /calendars/:key",
	"GET /api/calendar/:key/versions/:version":             "GET /calendars/:key/v/:version",
	"POST /api/calendar/check":                             "POST /editor/calendar/draft",
	"GET /api/person":                                      "GET /people",
	"POST /api/person":                                     "POST /directory/import",
	"GET /api/person/:id":                                  "GET /people/:id",
	"PUT /api/person/:id":                                  "POST /people/:id/edit",
	"PATCH /api/person/:id":                                "POST /people/:id/edit",
	"DELETE /api/person/:id":                               "POST /people/:id/remove",
	"GET /api/group":                                       "GET /groups",
	"GET /api/group/:id":                                   "GET /groups/:id",
	"PUT /api/group/:id":                                   "POST /groups/:id",
	"DELETE /api/group/:id":                                "POST /groups/:id/remove",
	"POST /api/group/:id/members":                          "POST /groups/:id/members",
	"GET /api/absence":                                     "GET /absences",
	"POST /api/absence":                                    "POST /people/:id/absences",
	"POST /api/absence/:id/end":                            "POST /people/:id/absences/:absence/end",

	"POST /v1/external/incident/create":       "POST /tickets/new",
	"POST /v1/external/incident/handle":       "POST /ticket/:number/act",
	"GET /v1/external/incident/:incident_num": "GET /ticket/:number",
	"GET /v1/external/issues/:ticket_id":      "GET /ticket/:number",
	"GET /v1/incident-tickets":                "GET /tickets",
	"/v1/:ticket_type/list-histories":         "GET /ticket/:number/timeline",
	"/itsm/create_ticket":                     "POST /tickets/new",
	"/itsm/get_tickets":                       "GET /tickets",
	"/itsm/get_tickets_by_user":               "GET /",
	"/itsm/get_ticket_info":                   "GET /ticket/:number",
	"/itsm/get_ticket_status":                 "GET /ticket/:number",
	"/itsm/get_ticket_logs":                   "GET /ticket/:number/timeline",
	"/itsm/get_approver":                      "GET /ticket/:number",
	"/itsm/get_approve_node_result":           "GET /ticket/:number",
	"/itsm/operate_ticket":                    "POST /ticket/:number/act",
	"/itsm/operate_node":                      "POST /ticket/:number/act",
	"/itsm/approve":                           "POST /ticket/:number/act",
	"/itsm/comment_ticket":                    "POST /ticket/:number/rate",
	"/itsm/callback_failed_ticket":            "GET /deliveries",
	"/itsm/get_services":                      "GET /services",
	"/itsm/get_service_detail":                "GET /services/:key",
	"/itsm/get_workflow_detail":               "GET /services/:key/v/:version",
	"/itsm/import_service":                    "POST /editor/service",
	"/itsm/update_service":                    "POST /services/:key/edit",
}

// withoutPage gives the calls of the table in docs/pages.md that lists what has no page: as it spells them, a method before a path or none, "…" for whatever comes before or after.
func withoutPage(t *testing.T) (patterns []string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/pages.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| call | why |\n|---|---|\n")
	require.True(t, found, "docs/pages.md has no table of what has no page")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		require.Len(t, cells, 4, row)
		require.NotEmpty(t, strings.TrimSpace(cells[2]), "docs/pages.md gives no reason: %s", row)
		calls := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1)
		require.NotEmpty(t, calls, "docs/pages.md names no call: %s", row)
		for _, call := range calls {
			patterns = append(patterns, call[1])
		}
	}
	return patterns
}

// means reports whether a call of that table is one of the API.
func means(pattern string, r api.Route) bool {
	parameter := regexp.MustCompile(`:\w+|\{\w+\}`)
	called, spelled := parameter.ReplaceAllString(r.Path, "*"), parameter.ReplaceAllString(pattern, "*")
	if method, path, some := strings.Cut(spelled, " "); some {
		if method != r.Method {
			return false
		}
		spelled = path
	}
	behind, any := strings.CutPrefix(spelled, "…")
	if any {
		return strings.HasSuffix(called, behind)
	}
	before, any := strings.CutSuffix(spelled, "…")
	return called == before || any && strings.HasPrefix(called, before)
}

// TestWhatTheAPIDoesForAPersonAPageDoes holds every operation of the API against the pages: it is in onPages, with a page that is served, or docs/pages.md says why it has none.
func TestWhatTheAPIDoesForAPersonAPageDoes(t *testing.T) {
	server := newProduct(t, api.Config{}).server
	operations := map[string][]api.Route{}
	families, shared := map[string]bool{}, map[string]bool{} // what the API serves, which is no page; operations of several paths
	for _, f := range server.Families() {
		for _, r := range f.Routes {
			shared[r.Operation] = true
		}
	}
	for _, f := range server.Families() {
		for _, r := range f.Routes {
			name := cmp.Or(r.Operation, r.Path)
			if !shared[name] {
				name = r.Method + " " + name
			}
			operations[name] = append(operations[name], r)
			families[r.Method+" "+r.Path] = true
		}
	}
	pages := map[string]bool{}
	for _, r := range server.App().GetRoutes(true) {
		if name := r.Method + " " + r.Path; !families[name] {
			if rule, _ := ruleBeside(name); rule == operator || rule == admins {
				pages[name] = true
			}
		}
	}
	unlisted := withoutPage(t)
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		page, does := onPages[name]
		listed := slices.ContainsFunc(unlisted, func(pattern string) bool {
			return slices.ContainsFunc(operations[name], func(r api.Route) bool { return means(pattern, r) })
		})
		changes := slices.ContainsFunc(operations[name], func(r api.Route) bool { return r.Method != "GET" && r.Scope != desk.Read && !r.Reads })
		switch {
		case does && listed:
			t.Errorf("%s: docs/pages.md lists it among what has no page, and onPages says that %s does it", name, page)
		case listed:
		case !does:
			t.Errorf("%s: no page does it for a person; name one in onPages, or say in docs/pages.md why there is none", name)
		case !pages[page]:
			t.Errorf("%s: onPages says that %s does it for a person, and there is no such page", name, page)
		case changes && !strings.HasPrefix(page, "POST "):
			t.Errorf("%s changes something, and %s, which is to do it for a person, does not", name, page)
		}
	}
	for name := range onPages {
		if operations[name] == nil {
			t.Errorf("onPages names %s, which the API has not", name)
		}
	}
	for _, pattern := range unlisted {
		if !slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(operations))...), func(r api.Route) bool { return means(pattern, r) }) {
			t.Errorf("docs/pages.md lists %s among what has no page, and the API has nothing like that", pattern)
		}
	}
}
