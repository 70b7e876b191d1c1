package setup

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// unshown are members that are taken and not shown as they were said, and why.
var unshown = map[string]string{
	"POST /prod/v2/itsm/create_ticket/ [service_id]":         "fast_approval has a process of its own",
	"POST /prod/v2/itsm/ticket_approval_result/ [sn]":        "names the tickets that are asked for; unknown ones are left out of the answer",
	"POST /prod/v2/itsm/operate_node/ [fields 0 key]":        "a form is handed in with TRANSITION; clients send one with every action",
	"POST /api/calendar [version]":                           "is given here: a calendar that was read can be published again as it is",
	"POST /api/calendar/:key/import [ics]":                   "its holidays are kept",
	"POST /api/calendar/:key/import [from]":                  "says which of them",
	"POST /api/calendar/:key/import [until]":                 "likewise",
	"POST /api/service [number]":                             "is given here: a definition that was read can be published again as it is",
	"POST /api/service [version]":                            "likewise",
	"POST /api/service [nodes 0 number]":                     "likewise",
	"POST /api/issue/:id/notification/:nid/redeliver [from]": "chooses deliveries; the answer says how many",
	"POST /api/issue/:id/notification/:nid/redeliver [to]":   "likewise",
	"POST /api/subscription/:id/redeliver [from]":            "likewise",
	"POST /api/person [persons 0 email]":                     "is refused in the answer, which tells of each person by itself",
	"POST /api/person [persons 0 language]":                  "likewise",
	"POST /api/person [persons 0 time_zone]":                 "likewise",
	"POST /api/person [persons 0 manager]":                   "likewise",
	"POST /api/person [persons 0 chats 0 address]":           "likewise",
	"POST /api/person [persons 0 chats 0 secret]":            "likewise",
	"POST /api/person [persons 0 letters minutes]":           "likewise",
	"POST /api/person [persons 0 letters by]":                "likewise",
	"POST /api/group/:id/members [remove 0 person]":          "takes somebody out; whoever is no member is passed over",
	"POST /api/absence [operator]":                           "is who acts, which the audit tells",
	"POST /api/absence/:id/end [operator]":                   "likewise",
	"POST /api/subscription/:id/redeliver [to]":              "likewise",
}

// possible lists the members that a body may have by its document, with the ways to them; of a list the first item.
func possible(schemas []*openapi3.Schema, value any, at ...any) (all []member) {
	members, _ := value.(object)
	properties := map[string][]*openapi3.Schema{}
	for _, s := range schemas {
		for name, property := range s.Properties {
			properties[name] = append(properties[name], flat(property, members[name])...)
		}
	}
	for name, inside := range properties {
		way := append(slices.Clone(at), name)
		if deeper := possible(inside, members[name], way...); len(deeper) > 0 {
			all = append(all, deeper...)
			continue
		}
		var items []member
		for _, s := range inside {
			if s.Items != nil {
				items = append(items, possible(flat(s.Items, nil), nil, append(slices.Clone(way), 0)...)...)
			}
		}
		if all = append(all, items...); len(items) == 0 {
			all = append(all, member{way, inside})
		}
	}
	return all
}

// marked is a value of the member that is found again wherever it is shown, and the text to look for; nil: it is a word that the contract lists, or
// yes or no, and decides what happens.
func (m member) marked(n int) (value any, text string) {
	kinds := m.kinds()
	chosen := slices.ContainsFunc(m.schemas, func(s *openapi3.Schema) bool { return len(s.Enum) > 0 || s.Const != nil })
	mark := fmt.Sprint("kept", n)
	name := m.name()
	switch {
	case chosen || kinds["boolean"]:
		return nil, ""
	case slices.ContainsFunc(m.schemas, func(s *openapi3.Schema) bool { return s.Format == "date-time" }):
		text := fmt.Sprintf("2025-01-02T%02d:%02d:00Z", n/60%24, n%60)
		return text, text
	case strings.HasSuffix(name, "url"):
		return "https://hooks.example.com/" + mark, mark
	case kinds["array"]:
		return []any{mark}, mark
	case kinds["integer"]:
		return 1_700_000_000_000 + n, fmt.Sprint(1_700_000_000_000 + n)
	case kinds["string"]:
		return mark, mark
	}
	return nil, ""
}

// put sets a member, making the objects and lists on the way to it.
func put(body any, at []any, value any) any {
	if len(at) == 0 {
		return value
	}
	switch step := at[0].(type) {
	case string:
		out := object{}
		if in, is := body.(object); is {
			for name, v := range in {
				out[name] = v
			}
		}
		out[step] = put(out[step], at[1:], value)
		return out
	default:
		out, _ := body.([]any)
		if out = slices.Clone(out); len(out) == 0 {
			out = []any{nil}
		}
		out[0] = put(out[0], at[1:], value)
		return out
	}
}

// shown is all that callers are shown of everything there is.
func (p product) shown(secret string) string {
	p.Helper()
	var all strings.Builder
	show := func(method, path string, body any) {
		a := p.call(method, path, secret, body)
		all.WriteString(a.body)
		all.WriteByte('\n')
	}
	column := func(query string) (names []string) {
		rows, err := p.raw.Query(query)
		require.NoError(p, err)
		defer rows.Close()
		for rows.Next() {
			var name string
			require.NoError(p, rows.Scan(&name))
			names = append(names, name)
		}
		require.NoError(p, rows.Err())
		return names
	}
	for _, number := range column(`SELECT number FROM tickets`) {
		for _, part := range []string{"", "/timeline?limit=200", "/conversation", "/notification"} {
			show("GET", "/api/issue/"+number+part, nil)
		}
		show("GET", "/v1/external/incident/"+number, nil)
		show("POST", "/v1/external/incident/list-histories", histories(exhibit{number: number}))
		for _, operation := range []string{"get_ticket_info", "get_ticket_logs"} {
			show("GET", "/prod/v2/itsm/"+operation+"/?show_type=complex&sn="+number, nil)
		}
	}
	for _, id := range column(`SELECT id FROM subscriptions WHERE ticket_id = 0`) {
		show("GET", "/api/subscription/"+id, nil)
		show("GET", "/api/subscription/"+id+"/deliveries?limit=200", nil)
	}
	for _, id := range column(`SELECT id FROM directory_persons`) {
		show("GET", "/api/person/"+id, nil)
	}
	for _, id := range column(`SELECT id FROM directory_groups`) {
		show("GET", "/api/group/"+id, nil)
	}
	show("GET", "/api/absence?limit=200", nil)
	for _, key := range column(`SELECT key FROM services`) {
		show("GET", "/api/service/"+key, nil)
	}
	for _, key := range column(`SELECT key FROM calendars`) {
		show("GET", "/api/calendar/"+key, nil)
	}
	for _, number := range column(`SELECT number FROM services`) {
		show("GET", "/prod/v2/itsm/get_service_detail/?service_id="+number, nil)
	}
	show("GET", "/prod/v2/itsm/get_service_catalogs/", nil)
	return strings.ToLower(all.String()) // names of systems are kept in capitals
}

// TestNothingAcceptedIsLost says something unique in every member that the documents name for calls that change something: what is answered as done
// is found in what callers are shown, or stands in unshown with the reason.
func TestNothingAcceptedIsLost(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	whole := newProduct(t, api.Config{ExceptionsPerMinute: 1_000_000})
	secret, err := whole.container.Store.CreateApp(t.Context(), desk.App{Code: "north", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	exhibited := whole.exhibit(secret)
	fresh := whole.copies()
	operations := documented(t)
	n, shown, refused, used := 0, 0, 0, map[string]bool{}
	for _, f := range whole.server.Families() {
		for _, r := range f.Routes {
			if r.Method == http.MethodGet || r.Scope == desk.Read || f.Channel == ticket.ChannelCodec || f.Channel == ticket.ChannelITSM && !strings.HasPrefix(r.Path, "/prod/") {
				continue
			}
			route := r.Method + " " + r.Path
			operation := operations[r.Method+" "+pathParameter.ReplaceAllString(r.Path, "{$1}")]
			require.NotNil(t, operation, route)
			if operation.RequestBody == nil {
				continue
			}
			for i, body := range append([]any{bodyOf(exhibited, r.Method, r.Path)}, richer(exhibited, route)...) {
				plain := decoded(t, body)
				for _, m := range possible(flat(operation.RequestBody.Value.Content["application/json"].Schema, plain), plain) {
					value, text := m.marked(n)
					if n++; value == nil {
						continue
					}
					p, x := fresh(t), exhibited
					prepare := preparations[route]
					if prepare == nil {
						prepare = preparations[itsmOperation(r.Path)]
					}
					if prepare != nil {
						prepare(p, &x, secret)
					}
					if route == "POST /api/publish" {
						p.must(p.call("POST", "/api/subscription", secret, object{"url": "https://hooks.example.com/all"}))
					}
					for _, step := range []object{
						{"action": "accept", "operator": "ann"},
						{"action": "commit-solution", "operator": "ann", "parameter": object{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "a", "solution": "b"}},
					}[:min(2, i)] {
						if strings.HasSuffix(r.Path, "/handle") {
							p.must(p.call("POST", "/api/issue/"+x.number+"/handle", secret, step))
						}
					}
					place := fmt.Sprint(route, " ", m.at)
					why, listed := unshown[place]
					used[place] = listed
					a := p.call(r.Method, x.path(t, r.Path), secret, put(plain, m.at, value))
					if a.refused() && !listed {
						refused++ // so it was not accepted
						continue
					}
					switch kept := strings.Contains(p.shown(secret), strings.ToLower(text)); {
					case !kept && !listed:
						t.Errorf("%s: %d %.200s", place, a.status, a.body)
					case kept && listed:
						t.Errorf("%s is shown, and listed as what is not: %s", place, why)
					case kept:
						shown++
					}
				}
			}
		}
	}
	for place := range unshown {
		require.True(t, used[place], "there is no such member: %s", place)
	}
	t.Logf("%d members: %d are shown, %d are refused where they say what is unknown", n, shown, refused)
	require.Greater(t, shown, 90)
}
