package setup

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/openapi"
	"signalbox/desk"
)

// marker is in everything that the tenant north says. Nobody else may ever read it.
const marker = "NORTHERN"

// exhibit is something of everything that a tenant can have.
type exhibit struct {
	number, uuid, message, address, delivery string // a ticket that runs through the built-in process, and what belongs to it
	subscription, owed                       string // a lasting subscription and a delivery to it
	service                                  string // a published process
	staged                                   string // the number of a ticket that runs through it
	request                                  string // with an approval that waits for "ann"
	serviceID                                int64
	node                                     int64  // the integer id of that approval
	token                                    string // of a callback
	redelivery                               string
	imported                                 string // the integer id of a service that was imported
	person, group, absence                   string // of the directory
	calendar                                 string // a published calendar
	user, users                              string // what SCIM names the person and the group by
}

// names are all that the exhibit can be asked for by.
func (x exhibit) names() []string {
	all := []string{x.number, x.uuid, x.message, x.address, x.delivery, x.subscription, x.owed, x.service, x.staged, x.request, x.redelivery, x.token, x.person, x.group, x.absence, x.calendar, x.user, x.users}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

const northernService = `{"key":%q,"name":"NORTHERN service","description":"NORTHERN description","service_type":"request",
	"fields":[{"key":"title","name":"NORTHERN title","type":"STRING","required":true}],
	"nodes":[{"id":"ok","name":"NORTHERN node","type":"approval","processors":{"persons":["ann"]},"deliver":{"anyone":true},"next":"do"},
		{"id":"do","name":"NORTHERN task","type":"task","processors":{"persons":["ann"]},"next":"over"},{"id":"over","name":"Over","type":"end"}]}`

const northernCalendar = `{"key":%q,"name":"NORTHERN calendar","description":"NORTHERN node","zone":"Europe/Berlin","day":"8h","week":{"monday":["09:00-18:00"],"tuesday":["09:00-17:00"],
	"wednesday":["09:00-17:00"],"thursday":["09:00-17:00"],"friday":["09:00-12:00","13:00-15:00"],"saturday":["10:00-11:00"],"sunday":["10:00-10:30"]},
	"holidays":[{"date":"2026-12-25","name":"NORTHERN holiday"}],"working_days":[{"date":"2026-12-24","hours":["09:00-12:00"],"name":"NORTHERN eve"}]}`

// exhibit makes one, through the front door.
func (p product) exhibit(secret string) exhibit {
	p.Helper()
	done := p.must
	id := regexp.MustCompile(`"result":"([^"]+)"|"id":"([^"]+)"`)
	made := func(a answer) string {
		p.Helper()
		found := id.FindStringSubmatch(done(a).body)
		require.NotNil(p, found, a.body)
		return found[1] + found[2]
	}
	x := exhibit{service: "northern_service"}
	x.number = made(p.call("POST", "/api/issue", secret, map[string]any{"origin": marker, "title": marker, "description": marker, "tag": []string{marker},
		"relations": []any{map[string]any{"type": "manifest", "content": []string{marker}}}, "assignee": marker}))
	x.uuid = done(p.call("GET", "/api/issue/"+x.number, secret, nil)).word("uuid")
	one := "/api/issue/" + x.number
	x.address = made(p.call("POST", one+"/notification", secret, map[string]any{"url": "https://hooks.example.com/" + marker}))
	x.message = made(p.call("POST", one+"/conversation", secret, map[string]any{"author": marker, "content": marker}))
	done(p.call("POST", "/api/service", secret, fmt.Sprintf(northernService, x.service)))
	x.calendar = "northern_calendar"
	done(p.call("POST", "/api/calendar", secret, fmt.Sprintf(northernCalendar, x.calendar)))
	open := map[string]any{"origin": marker, "title": marker, "service": x.service, "opener": marker, "fields": map[string]any{"title": marker}}
	x.staged = made(p.call("POST", "/api/issue", secret, open))
	x.request = made(p.call("POST", "/api/issue", secret, open))
	if p.serves("POST", "/api/subscription") {
		x.subscription = made(p.call("POST", "/api/subscription", secret, map[string]any{"url": "https://hooks.example.com/" + marker, "topic": marker}))
		done(p.call("POST", "/api/publish", secret, map[string]any{"event_source": marker, "event_topic": marker, "event_type": "a", "event_status": "b",
			"changes": []string{marker}}))
	}
	if p.serves("PUT", "/api/person/:id") {
		x.person, x.group = "northern.person", "northern.group"
		done(p.call("PUT", "/api/person/"+x.person, secret, map[string]any{"name": marker, "email": marker + "@example.com"}))
		done(p.call("PUT", "/api/group/"+x.group, secret, map[string]any{"name": marker, "members": []any{map[string]any{"person": x.person}}}))
		x.absence = made(p.call("POST", "/api/absence", secret, map[string]any{"person": x.person, "from": "2026-01-01"}))
	}
	if p.serves("GET", "/scim/v2/Users/:id") {
		require.NoError(p, p.raw.QueryRow(`SELECT uid FROM directory_persons WHERE id = ?`, x.person).Scan(&x.user))
		require.NoError(p, p.raw.QueryRow(`SELECT uid FROM directory_groups WHERE id = ?`, x.group).Scan(&x.users))
	}
	// Nothing is sent in this test, so what is owed is ended by hand: only then can it be sent again.
	_, err := p.raw.Exec(`UPDATE deliveries SET state = 'failed', ended_at = created_at, listed = TRUE`)
	require.NoError(p, err)
	require.NoError(p, p.raw.QueryRow(`SELECT id FROM deliveries WHERE subscription_id = ? ORDER BY seq LIMIT 1`, x.address).Scan(&x.delivery))
	if x.subscription != "" {
		require.NoError(p, p.raw.QueryRow(`SELECT id FROM deliveries WHERE subscription_id = ? ORDER BY seq LIMIT 1`, x.subscription).Scan(&x.owed))
	}
	require.NoError(p, p.raw.QueryRow(`SELECT number FROM services WHERE key = ?`, x.service).Scan(&x.serviceID))
	require.NoError(p, p.raw.QueryRow(`SELECT number FROM service_nodes WHERE key = ? AND node = 'ok'`, x.service).Scan(&x.node))
	return x
}

func (p product) serves(method, path string) bool {
	for _, r := range p.server.App().GetRoutes(true) {
		if r.Method == method && r.Path == path {
			return true
		}
	}
	return false
}

// parameter gives what a route's parameter stands for.
func (x exhibit) parameter(path, name string) string {
	switch {
	case name == "rid":
		return x.redelivery
	case strings.HasPrefix(path, "/api/subscription/") && name == "id":
		return x.subscription
	case (strings.HasPrefix(path, "/api/subscription/") || strings.HasPrefix(path, "/api/delivery/")) && name == "did":
		return x.owed
	case strings.HasPrefix(path, "/api/person/"):
		return x.person
	case strings.HasPrefix(path, "/api/group/"):
		return x.group
	case strings.HasPrefix(path, "/api/absence/"):
		return x.absence
	case strings.HasPrefix(path, "/api/calendar/") && name == "key":
		return x.calendar
	case strings.HasPrefix(path, "/scim/v2/Users/"):
		return x.user
	case strings.HasPrefix(path, "/scim/v2/Groups/"):
		return x.users
	case path == "/scim/v2/ResourceTypes/:id":
		return "User"
	case path == "/scim/v2/Schemas/:id":
		return "urn:ietf:params:scim:schemas:core:2.0:User"
	case path == "/api/issue/:id/migrate":
		return x.staged
	case path == "/ticket/:number/deliveries/:subscription" && name == "subscription":
		return x.address
	case strings.HasPrefix(path, "/subscriptions/"):
		return x.subscription
	case strings.HasPrefix(path, "/deliveries/"):
		return x.owed
	case strings.HasPrefix(path, "/people/"):
		return x.person
	case strings.HasPrefix(path, "/groups/"):
		return x.group
	case strings.HasPrefix(path, "/calendars/") && name == "key":
		return x.calendar
	case strings.HasPrefix(path, "/apps/"):
		return "north"
	}
	return map[string]string{
		"id": x.number, "cid": x.message, "nid": x.address, "did": x.delivery, "type": "manifest", "key": x.service, "version": "1",
		"person": x.person, "incident_num": x.uuid, "ticket_id": x.uuid, "exceptionId": x.number, "ticket_type": "incident", "number": x.number,
	}[name]
}

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

var pathParameter = regexp.MustCompile(`:([A-Za-z_]+)`)

// unknown lists what calls need and nothing here stands for: parameters of their paths, and what their documents ask for in body or query. It
// asks nobody, so that whoever adds calls is told of all of it at once.
func (p product) unknown() (all []string) {
	p.Helper()
	operations := map[string]*openapi3.Operation{}
	for _, d := range openapi.Documents() {
		doc, err := openapi3.NewLoader().LoadFromData(d.YAML)
		require.NoError(p, err, d.Name)
		for path, item := range doc.Paths.Map() {
			for method, operation := range item.Operations() {
				operations[method+" "+path] = operation
			}
		}
	}
	const some = "x"
	x := exhibit{number: some, uuid: some, message: some, address: some, delivery: some, subscription: some, owed: some, service: some, staged: some,
		request: some, token: some, redelivery: some, serviceID: 1, node: 1, person: some, group: some, absence: some, calendar: some, user: some, users: some}
	for _, f := range p.server.Families() {
		for _, r := range f.Routes {
			for _, name := range pathParameter.FindAllStringSubmatch(r.Path, -1) {
				if x.parameter(r.Path, name[1]) == "" {
					all = append(all, fmt.Sprintf("%s %s: what :%s stands for (exhibit.parameter)", r.Method, r.Path, name[1]))
				}
			}
			operation := operations[r.Method+" "+pathParameter.ReplaceAllString(r.Path, "{$1}")]
			if operation == nil {
				all = append(all, fmt.Sprintf("%s %s: a document (api/openapi)", r.Method, r.Path))
				continue
			}
			asks := operation.RequestBody != nil && operation.RequestBody.Value.Required ||
				slices.ContainsFunc(operation.Parameters, func(q *openapi3.ParameterRef) bool { return q.Value.In == "query" && q.Value.Required })
			if asks && bodyOf(x, r.Method, r.Path) == nil {
				all = append(all, fmt.Sprintf("%s %s: what it is sent (bodies, or itsmBodies)", r.Method, r.Path))
			}
		}
	}
	return all
}

func (x exhibit) path(t *testing.T, path string) string {
	return pathParameter.ReplaceAllStringFunc(path, func(name string) string {
		value := x.parameter(path, name[1:])
		require.NotEmpty(t, value, "%s: what does %s stand for?", path, name)
		return value
	})
}

type object = map[string]any

// uuids gives a request with the UUIDs of tickets in the place of their numbers; the path as it is and nil where it names none.
func (x exhibit) uuids(p product, path string, body any) (string, any) {
	p.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(p, err)
		text = string(raw)
	}
	pairs := []string{}
	for _, number := range []string{x.number, x.staged, x.request} {
		var uuid string
		require.NoError(p, p.raw.QueryRow(`SELECT uuid FROM tickets WHERE number = ?`, number).Scan(&uuid))
		pairs = append(pairs, number, uuid)
	}
	spell := strings.NewReplacer(pairs...)
	if spelled := spell.Replace(text); spelled != text {
		return spell.Replace(path), spelled
	}
	if spelled := spell.Replace(path); spelled != path {
		return spelled, body
	}
	return path, nil
}

// bodies are what calls need to be done for the one whom the exhibit belongs to. Those of the itsm family are in itsmBodies.
var bodies = map[string]func(x exhibit) any{
	"POST /api/issue":             func(exhibit) any { return object{"origin": "a", "title": "b"} },
	"PUT /api/issue/:id/status":   func(exhibit) any { return object{"status": "CLOSED", "operator": "ann"} },
	"POST /api/issue/:id/handle":  func(exhibit) any { return object{"action": "accept", "operator": "ann"} },
	"POST /api/issue/:id/migrate": func(exhibit) any { return object{"version": 2, "operator": "ann"} },
	"PUT /api/issue/:id/relations/:type": func(exhibit) any {
		return object{"content": []string{"x"}}
	},
	"POST /api/issue/:id/conversation":     func(exhibit) any { return object{"author": "ann", "content": "x"} },
	"PUT /api/issue/:id/conversation/:cid": func(exhibit) any { return object{"author": marker, "content": "x"} },
	"POST /api/issue/:id/notification":     func(exhibit) any { return object{"url": "https://hooks.example.com/x"} },
	"POST /api/service": func(exhibit) any {
		return strings.ReplaceAll(fmt.Sprintf(northernService, "neutral"), marker, "neutral")
	},
	"POST /api/calendar": func(exhibit) any {
		return strings.ReplaceAll(fmt.Sprintf(northernCalendar, "neutral"), marker, "neutral")
	},
	"POST /api/calendar/check": func(exhibit) any {
		return strings.ReplaceAll(fmt.Sprintf(northernCalendar, "neutral"), marker, "neutral")
	},
	"PUT /api/calendar/:key": func(exhibit) any { return object{"enabled": false} },
	"POST /api/calendar/:key/import": func(exhibit) any {
		return object{"ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261226\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
			"from": 2026, "until": 2026}
	},
	"PUT /api/service/:key": func(exhibit) any { return object{"enabled": false} },
	"POST /api/service/check": func(exhibit) any {
		return strings.ReplaceAll(fmt.Sprintf(northernService, "neutral"), marker, "neutral")
	},
	"POST /api/service/simulate": func(x exhibit) any { return object{"service": x.service, "fields": object{"title": "x"}} },
	"POST /v1/external/incident/handle": func(x exhibit) any {
		return object{"incident_num": x.number, "operator": "ann", "operate_key": "acceptedIncident1"}
	},
	"POST /v1/external/incident/create": func(exhibit) any {
		return object{"region": []string{"r"}, "enterprise_project": []string{"p"}, "current_cloud_service": []string{"s"}, "incident_level": "level_30",
			"is_service_interrupt": false, "incident_type": "inc_type_p_change_issues", "incident_title": "x", "incident_source": "incident_source_manual",
			"creator": "ann", "incident_assignee": []string{"ann"}}
	},
	"POST /v1/external/:ticket_type/list-histories": func(x exhibit) any { return histories(x) },
	"POST /v1/:ticket_type/list-histories":          func(x exhibit) any { return histories(x) },
	"POST /v1/exceptions/:exceptionId/callback": func(exhibit) any {
		return object{"status": "ASSIGNED", "externalSystem": "JIRA", "externalIssueId": "J-1", "assignee": "ann",
			"updatedAt": time.Now().UTC().Format(time.RFC3339)}
	},
	"POST /codec/decode": payloads,
	"POST /codec/encode": payloads,
	"POST /api/publish": func(exhibit) any {
		return object{"event_source": "a", "event_topic": "b", "event_type": "c", "event_status": "d", "changes": []string{"e"}}
	},
	"POST /api/issue/:id/notification/:nid/redeliver": func(exhibit) any { return object{"state": "failed"} },
	"POST /api/subscription/:id/redeliver":            func(exhibit) any { return object{"state": "failed"} },
	"POST /api/subscription":                          func(exhibit) any { return object{"url": "https://hooks.example.com/x"} },
	"PUT /api/subscription/:id":                       func(exhibit) any { return object{"url": "https://hooks.example.com/y"} },
	"POST /api/person":                                func(exhibit) any { return object{"persons": []object{{"id": "neutral", "name": "x"}}} },
	"PUT /api/person/:id":                             func(exhibit) any { return object{"name": "x"} },
	"PATCH /api/person/:id":                           func(exhibit) any { return object{"active": false} },
	"PUT /api/group/:id":                              func(exhibit) any { return object{"name": "x"} },
	"POST /api/group/:id/members":                     func(x exhibit) any { return object{"remove": []object{{"person": x.person}}} },
	"POST /api/absence":                               func(x exhibit) any { return object{"person": x.person, "from": "2026-12-01"} },
	"POST /api/absence/:id/end":                       func(exhibit) any { return object{} },
	"POST /scim/v2/Users":                             scimUser,
	"PUT /scim/v2/Users/:id":                          scimUser,
	"PATCH /scim/v2/Users/:id":                        scimPatch,
	"POST /scim/v2/Groups":                            scimGroup,
	"PUT /scim/v2/Groups/:id":                         scimGroup,
	"PATCH /scim/v2/Groups/:id":                       scimPatch,
}

func scimUser(exhibit) any {
	return object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "neutral"}
}

func scimGroup(exhibit) any {
	return object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "neutral"}
}

func scimPatch(exhibit) any {
	return object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{{"op": "replace", "path": "displayName", "value": "x"}}}
}

// payloads are what the Temporal web UI sends.
func payloads(exhibit) any {
	plain := base64.StdEncoding.EncodeToString([]byte("json/plain"))
	return object{"payloads": []object{{"metadata": object{"encoding": plain}, "data": base64.StdEncoding.EncodeToString([]byte(`"` + marker + `"`))}}}
}

func bodyOf(x exhibit, method, path string) any {
	if body, ok := bodies[method+" "+path]; ok {
		return body(x)
	}
	if body, ok := itsmBodies[itsmOperation(path)]; ok {
		return body(x)
	}
	return nil
}

// rows are all rows of the database, table by table, each as text.
func (p product) rows() map[string][]string {
	p.Helper()
	tables := p.tables()
	tx, err := p.raw.Begin()
	require.NoError(p, err)
	fresh := written(p.T, tx, "unread") // it is the transaction's first statement, so that nobody writes until it is over
	for _, table := range tables {
		if !slices.Contains(fresh, table.name) {
			continue
		}
		var all []string
		rows, err := tx.Stmt(table.all).Query()
		require.NoError(p, err)
		columns, err := rows.Columns()
		require.NoError(p, err)
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(p, rows.Scan(into...))
			var text strings.Builder
			for i, value := range values {
				if columns[i] == "used_at" {
					continue // says only that the app was here
				}
				if raw, ok := value.([]byte); ok {
					value = string(raw)
				}
				fmt.Fprintf(&text, "%s=%v|", columns[i], value)
			}
			all = append(all, text.String())
		}
		require.NoError(p, rows.Close())
		p.seen.rows[table.name] = all
	}
	require.NoError(p, tx.Commit())
	out := map[string][]string{}
	for table, rows := range p.seen.rows {
		if len(rows) > 0 {
			out[table] = slices.Clone(rows)
		}
	}
	return out
}

// spelledByCallers are calls that make what their path names where the caller has none: a stranger makes its own, beside north's. What the last ones name is
// everybody's.
var spelledByCallers = []string{"PUT /api/person/:id", "PUT /api/group/:id", "GET /scim/v2/ResourceTypes/:id", "GET /scim/v2/Schemas/:id"}

// counting are tables that belong to no tenant, or only count what callers do.
var counting = []string{"counters", "budgets", "buckets", "signatures"}

// saidOperator is whom a refused request named as its operator.
var saidOperator = regexp.MustCompile(`\|operator=[^|]*`)

// untouched requires that nothing that was there has changed, and that nothing came that tells of north, but for what the stranger wrote down
// of its own request.
func (p product) untouched(before map[string][]string, x exhibit, route string) {
	p.Helper()
	after := p.rows()
	for table, rows := range before {
		if slices.Contains(counting, table) {
			continue
		}
		had := map[string]int{}
		for _, row := range after[table] {
			had[row]++
		}
		for _, row := range rows {
			require.Positive(p, had[row], "%s: %s was changed: %s", route, table, row)
			had[row]--
		}
		for row, n := range had {
			if n == 0 {
				continue
			}
			if strings.Contains(row, "|state=refused|") {
				row = saidOperator.ReplaceAllString(row, "") // the stranger named north's own
			}
			require.NotContains(p, row, marker, "%s: %s", route, table)
			require.NotContains(p, row, "tenant=north", "%s: %s", route, table)
			if table != "operations" { // which keep the path that was asked for
				for _, name := range x.names() {
					require.NotContains(p, row, name, "%s: %s", route, table)
				}
			}
		}
	}
}

// TestNoTenantReachesAnother calls every route of every family for something of the tenant north, first with a key of the tenant south that
// may do everything there, then with north's own. South finds nothing, reads nothing of north's and changes nothing; north is served, which
// shows that the request was a right one. Routes that are added are called too; what they need is said in exhibit.parameter, bodies and
// preparations, and all that is missing is named before the first request.
func TestNoTenantReachesAnother(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	config := api.Config{ExceptionsPerMinute: 1_000_000}
	whole := newProduct(t, config)
	require.Empty(t, whole.unknown(), "calls need what is not known here")
	secrets := map[string]string{}
	for _, tenant := range []string{"north", "south"} {
		secret, err := whole.container.Store.CreateApp(t.Context(), desk.App{Code: tenant, Tenant: tenant, Scopes: []desk.Scope{desk.Admin}})
		require.NoError(t, err)
		secrets[tenant] = secret
	}
	exhibited := whole.exhibit(secrets["north"])
	fresh := whole.copies()
	n, revealing, named := 0, 0, 0
	for _, f := range whole.server.Families() {
		for _, r := range f.Routes {
			n++
			p, x := fresh(t), exhibited // with little in it, because all of it is compared
			prepare := preparations[r.Method+" "+r.Path]
			if prepare == nil {
				prepare = preparations[itsmOperation(r.Path)]
			}
			if prepare != nil {
				prepare(p, &x, secrets["north"])
			}
			route := r.Method + " " + r.Path
			path, body := x.path(t, r.Path), bodyOf(x, r.Method, r.Path)

			before := p.rows()
			a := p.call(r.Method, path, secrets["south"], body)
			require.NotEqual(t, http.StatusInternalServerError, a.status, "%s: %s", route, a.body)
			require.NotContains(t, a.body, marker, route)
			stranger := x
			if spelled := slices.Contains(spelledByCallers, route); spelled {
				require.False(t, a.refused(), "%s: %d %s", route, a.status, a.body)
				stranger.person, stranger.group = "", ""
			} else if strings.Contains(r.Path, ":") {
				require.True(t, a.refused(), "%s found something for a stranger: %d %s", route, a.status, a.body)
			}
			if !a.refused() {
				for _, name := range stranger.names() {
					require.NotContains(t, a.body, name, route)
				}
			}
			if byUUID, other := x.uuids(p, path, body); byUUID != path || other != nil {
				a := p.call(r.Method, byUUID, secrets["south"], other)
				require.True(t, a.refused() || !strings.Contains(a.body, marker) && !strings.Contains(r.Path, ":"), "%s by UUID: %d %s", route, a.status, a.body)
				if r.Scope == desk.Read {
					own := p.call(r.Method, byUUID, secrets["north"], other)
					require.False(t, own.refused(), "%s does not find by UUID: %d %s", route, own.status, own.body)
				}
				named++
			}
			p.untouched(before, stranger, route)

			own := p.call(r.Method, path, secrets["north"], body)
			require.False(t, own.refused(), "%s is not served to the owner, so nothing was shown: %d %s\nbody: %v", route, own.status, own.body, body)
			if asked := fmt.Sprint(path, body); slices.ContainsFunc(x.names(), func(name string) bool { return strings.Contains(asked, name) }) {
				require.NotEqual(t, requestID.ReplaceAllString(own.body, ""), requestID.ReplaceAllString(a.body, ""),
					"%s tells a stranger what it tells the owner of something", route)
			}
			if strings.Contains(own.body, marker) {
				revealing++
			}
		}
	}
	t.Logf("%d routes; %d of them tell the owner what a stranger must not read", n, revealing)
	require.Greater(t, revealing, 10)
	require.Greater(t, named, 50, "by their UUIDs as well")
}

// TestNoTenantSeesAnothersPages does the same with the pages.
func TestNoTenantSeesAnothersPages(t *testing.T) {
	p := newProduct(t, api.Config{})
	north, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "north", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	x := p.exhibit(north)
	cookies := map[string]string{}
	for _, tenant := range []string{"north", "south"} {
		secret := north
		if tenant == "south" {
			secret, err = p.container.Store.CreateApp(t.Context(), desk.App{Code: "south", Tenant: "south", Scopes: []desk.Scope{desk.Admin}})
			require.NoError(t, err)
		}
		cookies[tenant] = p.signIn(tenant, secret)
	}
	n := 0
	for _, r := range p.server.App().GetRoutes(true) {
		rule, _ := ruleBeside(r.Method + " " + r.Path)
		if rule != operator && rule != admins || r.Method != http.MethodGet || r.Path == "/deliveries/again/:name" { // which is there once somebody has sent all of a filter again
			continue
		}
		n++
		path := x.path(t, strings.ReplaceAll(r.Path, "*", x.number)) + map[string]string{
			"/ticket/:number/relations": "?type=manifest", "/ticket/:number/say": "?message=" + x.message, "/ticket/:number/live": "?seq=1000000",
		}[r.Path]
		before := p.rows()
		for tenant, cookie := range cookies {
			a := p.call(r.Method, path, "", nil, "Cookie", cookie)
			if tenant == "south" {
				require.NotContains(t, a.body, marker, r.Path)
				require.True(t, a.status == http.StatusNotFound || !strings.Contains(r.Path, ":"), "%s: %d", r.Path, a.status)
			} else if r.Path == "/ticket/:number/say" {
				require.Equal(t, http.StatusForbidden, a.status, "who signs in here did not write the message")
			} else if !strings.Contains(r.Path, "*") {
				require.Equal(t, http.StatusOK, a.status, "%s: %s", r.Path, a.body)
			}
		}
		a := p.call(r.Method, path, "", nil)
		require.Equal(t, http.StatusSeeOther, a.status, "%s is only for those who have signed in", r.Path)
		require.NotContains(t, a.body, marker)
		require.Equal(t, before, p.rows(), "pages change nothing")
	}
	require.Greater(t, n, 5)
}

// signIn signs an operator in and gives the cookie of the session.
func (p product) signIn(code, secret string) string {
	p.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(p, err)
	here, err := url.Parse("http://example.com/")
	require.NoError(p, err)
	keep := func(a answer) string {
		jar.SetCookies(here, (&http.Response{Header: a.header}).Cookies())
		var all []string
		for _, c := range jar.Cookies(here) {
			all = append(all, c.Name+"="+c.Value)
		}
		return strings.Join(all, "; ")
	}
	page := p.call("GET", "/login", "", nil)
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page.body)
	require.NotNil(p, csrf, page.body)
	form := url.Values{"csrf": {csrf[1]}, "code": {code}, "secret": {secret}, "operator": {"ann"}}
	a := p.call("POST", "/login", "", form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Cookie", keep(page))
	require.Equal(p, http.StatusSeeOther, a.status, a.body)
	return keep(a)
}
