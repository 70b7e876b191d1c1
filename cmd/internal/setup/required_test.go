package setup

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/openapi"
	"signalbox/desk"
	"signalbox/ticket"
)

// member is one that a request has to have: the way to it through objects (names) and lists (places), and its schemas.
type member struct {
	at      []any
	schemas []*openapi3.Schema
}

// name is how a caller would spell it: its last name, where it is an item of a list with the place.
func (m member) name() string {
	name := ""
	for _, step := range m.at {
		switch step := step.(type) {
		case string:
			name = step
		case int:
			name += fmt.Sprintf("[%d]", step)
		}
	}
	return name
}

// names are those by which a refusal may name it: its own, or that of a required member in it.
func (m member) names(all []member) (names []string) {
	for _, other := range all {
		if len(other.at) >= len(m.at) && slices.Equal(other.at[:len(m.at)], m.at) {
			names = append(names, other.name())
		}
	}
	return names
}

// kinds are the JSON kinds that the member may be of.
func (m member) kinds() map[string]bool {
	all := map[string]bool{}
	for _, s := range m.schemas {
		for _, kind := range s.Type.Slice() {
			all[kind] = true
		}
		for _, word := range s.Enum {
			switch word.(type) {
			case string:
				all["string"] = true
			case bool:
				all["boolean"] = true
			}
		}
	}
	if all["integer"] {
		all["number"] = true
	}
	return all
}

// flat gives a schema with all that are together with it for the value: allOf, the oneOf whose constants agree, and then where if agrees.
func flat(ref *openapi3.SchemaRef, value any) (all []*openapi3.Schema) {
	if ref == nil || ref.Value == nil {
		return nil
	}
	s := ref.Value
	all = append(all, s)
	for _, part := range s.AllOf {
		all = append(all, flat(part, value)...)
	}
	for _, one := range append(slices.Clone(s.OneOf), s.AnyOf...) {
		if agrees(one.Value, value) {
			all = append(all, flat(one, value)...)
		}
	}
	if s.If != nil && s.Then != nil && agrees(s.If.Value, value) {
		all = append(all, flat(s.Then, value)...)
	}
	return all
}

// agrees reports whether a value has all constants of a schema's properties.
func agrees(s *openapi3.Schema, value any) bool {
	members, _ := value.(object)
	for name, property := range s.Properties {
		if property.Value.Const != nil && members[name] != property.Value.Const {
			return false
		}
	}
	return true
}

// saidRequired finds what the itsm family's document requires in words, because it may stand in the query or in the body. The bodies here hand a
// node over, and name nobody by the credentials.
var saidRequired = regexp.MustCompile(`^Required(\.| to DELIVER| unless)`)

// needed lists the members of a body that its document requires, as far as the value has them or has what they are in.
func needed(schemas []*openapi3.Schema, value any, at ...any) (all []member) {
	inside := func(step any, property *openapi3.SchemaRef, value any) {
		way := append(slices.Clone(at), step)
		all = append(all, needed(flat(property, value), value, way...)...)
	}
	members, _ := value.(object)
	names := map[string]bool{}
	properties := map[string][]*openapi3.Schema{}
	for _, s := range schemas {
		for _, name := range s.Required {
			names[name] = true
		}
		for name, property := range s.Properties {
			properties[name] = append(properties[name], flat(property, members[name])...)
			names[name] = names[name] || saidRequired.MatchString(property.Value.Description) // as the itsm family's document says it
			if members[name] != nil {
				inside(name, property, members[name])
			}
		}
		if list, is := value.([]any); is && len(list) > 0 && s.Items != nil {
			inside(0, s.Items, list[0])
		}
	}
	for name, is := range names {
		if is {
			all = append(all, member{append(slices.Clone(at), name), properties[name]})
		}
	}
	return all
}

// with gives a copy of a body in which a member is what change makes of it; false: it is left out.
func with(body any, at []any, value any, there bool) any {
	if len(at) == 0 {
		return value
	}
	switch in := body.(type) {
	case object:
		out := object{}
		for name, v := range in {
			out[name] = v
		}
		name := at[0].(string)
		if len(at) == 1 && !there {
			delete(out, name)
			return out
		}
		out[name] = with(out[name], at[1:], value, there)
		return out
	case []any:
		out := slices.Clone(in)
		out[at[0].(int)] = with(out[at[0].(int)], at[1:], value, there)
		return out
	}
	return body
}

// richer are bodies that have required members which the plain ones lack.
func richer(x exhibit, route string) []any {
	if strings.HasSuffix(route, "/create_ticket/") {
		return []any{object{"creator": "ann", "service_id": x.serviceID, "fields": []any{object{"key": "title", "value": "x"}}}}
	}
	switch route {
	case "POST /api/issue":
		return []any{object{"origin": "a", "title": "b", "relations": []any{object{"type": "a", "content": []any{"b"}}}}}
	case "POST /api/issue/:id/handle":
		return []any{
			object{"action": "commit-solution", "operator": "ann", "parameter": object{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "a", "solution": "b"}},
			object{"action": "confirm", "operator": "ann", "parameter": object{"virtual_confirm_result": true, "virtual_confirm_comment": "a"}},
		}
	case "POST /v1/external/incident/handle":
		return []any{
			object{"incident_num": x.number, "operator": "ann", "operate_key": "commitSolution1", "parameter": object{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "a", "solution": "b"}},
			object{"incident_num": x.number, "operator": "ann", "operate_key": "confirm", "parameter": object{"virtual_confirm_result": true, "virtual_confirm_comment": "a"}},
		}
	}
	return nil
}

// wrong are values that no required member may have, by what is wrong with them.
func (m member) wrong() map[string]any {
	kinds := m.kinds()
	all := map[string]any{"null": nil}
	if len(kinds) == 0 {
		return all // it may be anything
	}
	if !kinds["object"] && !kinds["array"] || kinds["string"] {
		all["empty"], all["blank"] = "", "  "
	}
	for kind, value := range map[string]any{"string": "no such thing", "number": 7.5, "boolean": true, "array": []any{object{}}, "object": object{"a": 1}} {
		if !kinds[kind] && !(kind == "string" && kinds["number"]) && !(kind == "boolean" && kinds["string"]) {
			all["a "+kind] = value
		}
	}
	for _, s := range m.schemas {
		if kinds["array"] && s.MinItems > 0 {
			all["an empty list"] = []any{}
		}
	}
	return all
}

// TestWhatIsRequiredIsRequired leaves out, empties and misspells every required member of every call of every family, as the documents have them: the
// call is refused, the member named, and nothing has changed. In the itsm family it is 3900005 whatever the member's type.
func TestWhatIsRequiredIsRequired(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	whole := newProduct(t, api.Config{ExceptionsPerMinute: 1_000_000})
	secret, err := whole.container.Store.CreateApp(t.Context(), desk.App{Code: "north", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	x := whole.exhibit(secret)
	fresh := whole.copies()
	operations := documented(t)
	calls, tried := 0, map[ticket.Channel]int{}
	for _, f := range whole.server.Families() {
		if f.Channel == ticket.ChannelCodec { // it is Temporal's
			continue
		}
		for _, r := range f.Routes {
			route := r.Method + " " + r.Path
			itsm := itsmOperation(r.Path) != ""
			operation := operations[r.Method+" "+pathParameter.ReplaceAllString(r.Path, "{$1}")]
			require.NotNil(t, operation, route)
			for _, body := range append([]any{bodyOf(x, r.Method, r.Path)}, richer(x, route)...) {
				if body == nil {
					continue
				}
				plain := decoded(t, body)
				var members []member
				if operation.RequestBody != nil {
					media := operation.RequestBody.Value.Content["application/json"]
					require.NotNil(t, media, route)
					members = needed(flat(media.Schema, plain), plain)
				}
				for _, q := range operation.Parameters {
					if q.Value.In == "query" && (q.Value.Required || saidRequired.MatchString(q.Value.Description)) {
						members = append(members, member{[]any{q.Value.Name}, flat(q.Value.Schema, nil)})
					}
				}
				if inside, is := plain.(object); is && inside["fast_approval"] != nil {
					members = slices.DeleteFunc(members, func(m member) bool { return m.name() == "service_id" })
				}
				if len(members) == 0 {
					continue
				}
				p := fresh(t)
				calls++
				before := p.durable()
				for _, m := range members {
					cases := m.wrong()
					bad := map[string]any{"left out": with(plain, m.at, nil, false)}
					for what, value := range cases {
						if r.Method == http.MethodGet && what != "empty" && what != "blank" { // all else is text in a query
							continue
						}
						bad[what] = with(plain, m.at, value, true)
					}
					for what, body := range bad {
						a := p.call(r.Method, x.path(t, r.Path), secret, body)
						tried[f.Channel]++
						if !a.refused() || a.status >= 500 || !slices.ContainsFunc(m.names(members), func(name string) bool { return strings.Contains(a.body, name) }) {
							t.Errorf("%s: %v %s: %d %s", route, m.at, what, a.status, a.body)
						} else if itsm && !strings.Contains(a.body, "3900005") {
							t.Errorf("%s: %v %s is no fault of a parameter: %s", route, m.at, what, a.body)
						}
					}
				}
				require.Equal(t, before, p.durable(), "%s changed something", route)
			}
		}
	}
	t.Logf("%d calls, tried by family: %v", calls, tried)
	require.Greater(t, calls, 80)
}

// documented are all operations of the documents: "GET /api/issue/{id}".
func documented(t *testing.T) map[string]*openapi3.Operation {
	t.Helper()
	all := map[string]*openapi3.Operation{}
	for _, d := range openapi.Documents() {
		doc, err := openapi3.NewLoader().LoadFromData(d.YAML)
		require.NoError(t, err, d.Name)
		for path, item := range doc.Paths.Map() {
			for method, operation := range item.Operations() {
				all[method+" "+path] = operation
			}
		}
	}
	return all
}

// decoded gives a body as plain JSON.
func decoded(t *testing.T, body any) (plain any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(raw(t, body)), &plain))
	return plain
}
