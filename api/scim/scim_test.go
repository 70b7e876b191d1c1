package scim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/apitest"
	"signalbox/api/scim"
	"signalbox/people"
)

type bench struct {
	*testing.T
	back   *apitest.Backend
	server *api.Server
}

func setup(t *testing.T) bench {
	t.Helper()
	back := apitest.NewBackend(t, nil)
	handler := &scim.Handler{Desk: back, People: back}
	return bench{t, back, api.New(api.Config{}, apitest.NewApps(), nil, slog.New(slog.DiscardHandler), handler.Family())}
}

type object = map[string]any

// ask sends a request as an identity provider does and requires a status.
func (b bench) ask(method, path, body string, status int, headers ...string) (out object) {
	b.Helper()
	r := httptest.NewRequest(method, "/scim/v2"+path, bytes.NewBufferString(body))
	r.Header.Set("Authorization", "Bearer "+apitest.Boss)
	r.Header.Set("Content-Type", "application/scim+json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := b.server.App().Test(r, -1)
	require.NoError(b, err)
	raw, err := io.ReadAll(a.Body)
	require.NoError(b, err)
	require.Equal(b, status, a.StatusCode, "%s %s: %s", method, path, raw)
	if status == 204 {
		require.Empty(b, raw)
		return nil
	}
	require.Equal(b, "application/scim+json", a.Header.Get("Content-Type"))
	require.NoError(b, json.Unmarshal(raw, &out), "%s", raw)
	if meta, _ := out["meta"].(object); meta != nil && meta["version"] != nil {
		require.Equal(b, meta["version"], a.Header.Get("ETag"))
	}
	return out
}

func (b bench) user(body string) (id string) {
	b.Helper()
	return b.ask("POST", "/Users", body, 201)["id"].(string)
}

func (b bench) person(id string) people.PersonRecord {
	b.Helper()
	rec, err := b.back.Person(b.Context(), "north", people.Key{ID: id})
	require.NoError(b, err)
	return rec
}

func (b bench) count(path, filter string) int {
	b.Helper()
	out := b.ask("GET", path+"?filter="+url.QueryEscape(filter), "", 200)
	return int(out["totalResults"].(float64))
}

// barbara is the user of RFC 7644, section 3.3, with what an enterprise adds (RFC 7643, section 8.3).
const barbara = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"bjensen","externalId":"bjensen-ext",
	"name":{"formatted":"Ms. Barbara J Jensen III","familyName":"Jensen","givenName":"Barbara"},"title":"Tour Guide","preferredLanguage":"en-US","timezone":"America/Los_Angeles","active":true,
	"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984"}}`

func TestAUserIsAPerson(t *testing.T) {
	b := setup(t)
	id := b.user(barbara)
	p := b.person("bjensen")
	require.Equal(t, people.Person{ID: "bjensen", Name: "Ms. Barbara J Jensen III", Email: "bjensen@example.com", Language: "en-US", TimeZone: "America/Los_Angeles", Active: true}, p.Person)
	require.Equal(t, id, p.UID)
	read := b.ask("GET", "/Users/"+id, "", 200)
	require.Equal(t, "Tour Guide", read["title"], "what a person has no member for comes back")
	require.Equal(t, "bjensen-ext", read["externalId"])
	require.Len(t, read["emails"], 2)
	require.Equal(t, "uniqueness", b.ask("POST", "/Users", barbara, 409)["scimType"])
	require.Equal(t, "invalidValue", b.ask("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x","timezone":"Mars"}`, 400)["scimType"])
	require.Equal(t, "404", b.ask("GET", "/Users/nobody", "", 404)["status"])
	for filter, n := range map[string]int{`userName eq "BJENSEN"`: 1, `externalId eq "bjensen-ext"`: 1, `emails.value eq "bjensen@example.com"`: 1, `userName eq "bjensen" and active eq true`: 1,
		`userName eq "x"`: 0, `id eq "` + id + `"`: 1} {
		require.Equal(t, n, b.count("/Users", filter), filter)
	}
	require.Equal(t, "invalidFilter", b.ask("GET", "/Users?filter="+url.QueryEscape(`userName co "b"`), "", 400)["scimType"])
	b.ask("PUT", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"barbara","displayName":"Barbara"}`, 412, "If-Match", `W/"99"`)
	b.ask("PUT", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"barbara","displayName":"Barbara"}`, 200)
	require.Equal(t, id, b.person("barbara").UID, "a user who is called otherwise is the same")
	b.ask("DELETE", "/Users/"+id, "", 204)
	b.ask("GET", "/Users/"+id, "", 404)
}

const patchOf = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":`

// TestPatchesOfIdentityProviders: what Okta and Entra ID document that they send.
func TestPatchesOfIdentityProviders(t *testing.T) {
	b := setup(t)
	boss := b.user(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"boss"}`)
	id := b.user(barbara)
	patch := func(operations string) object {
		t.Helper()
		return b.ask("PATCH", "/Users/"+id, patchOf+operations+`}`, 200)
	}
	patch(`[{"op":"replace","value":{"active":false}}]`) // Okta
	require.False(t, b.person("bjensen").Active)
	patch(`[{"op":"Replace","path":"active","value":"True"}]`) // Entra ID
	require.True(t, b.person("bjensen").Active)
	patch(`[{"op":"Add","path":"emails[type eq \"work\"].value","value":"new@example.com"},{"op":"Replace","path":"displayName","value":"Babs"},{"op":"Replace","path":"name.familyName","value":"Smith"},
		{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"` + boss + `"}]`)
	p := b.person("bjensen")
	require.Equal(t, "Babs", p.Name)
	require.Equal(t, "new@example.com", p.Email)
	require.Equal(t, "boss", p.Manager)
	out := patch(`[{"op":"Replace","path":"userName","value":"babs"},{"op":"Remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"}]`)
	require.Equal(t, "babs", out["userName"])
	require.Empty(t, b.person("babs").Manager)
	require.Equal(t, "Smith", out["name"].(object)["familyName"])
}

func TestAGroupOfUsers(t *testing.T) {
	b := setup(t)
	boss := b.user(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"boss"}`)
	babs := b.user(barbara)
	g := b.ask("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Tour Guides","externalId":"g1","members":[{"value":"`+babs+`"}]}`, 201)
	id := g["id"].(string)
	members := func() []people.Member {
		t.Helper()
		rec, err := b.back.Group(t.Context(), "north", people.Key{ID: "Tour Guides"})
		require.NoError(t, err)
		return rec.Members
	}
	require.Equal(t, []people.Member{{Person: "bjensen"}}, members())
	patch := func(operations string, status int) object {
		t.Helper()
		return b.ask("PATCH", "/Groups/"+id, patchOf+operations+`}`, status)
	}
	patch(`[{"op":"Add","path":"members","value":[{"value":"`+boss+`"}]}]`, 200)
	require.Equal(t, []people.Member{{Person: "bjensen"}, {Person: "boss"}}, members())
	patch(`[{"op":"remove","path":"members[value eq \"`+babs+`\"]"}]`, 200)
	require.Equal(t, []people.Member{{Person: "boss"}}, members())
	patch(`[{"op":"replace","path":"members","value":[{"value":"`+babs+`"}]}]`, 200)
	require.Equal(t, []people.Member{{Person: "bjensen"}}, members())
	out := patch(`[{"op":"replace","value":{"id":"`+id+`","displayName":"Guides"}}]`, 200) // Okta
	require.Equal(t, "Guides", out["displayName"])
	require.Equal(t, "invalidValue", patch(`[{"op":"add","path":"members","value":[{"value":"nobody"}]}]`, 400)["scimType"])
	require.Equal(t, 1, b.count("/Groups", `displayName eq "guides"`))
	require.Equal(t, 1, b.count("/Groups", `id eq "`+id+`" and members eq "`+babs+`"`))
	require.Equal(t, 0, b.count("/Groups", `id eq "`+id+`" and members eq "`+boss+`"`))
	require.NotContains(t, b.ask("GET", "/Groups/"+id+"?excludedAttributes=members", "", 200), "members")
	patch(`[{"op":"remove","path":"members"}]`, 200)
	require.Empty(t, members())
	b.ask("DELETE", "/Groups/"+id, "", 204)
}

// TestARefusalNamesWhatIsWrong: the attribute, also in an extension, or the operation of a PATCH.
func TestARefusalNamesWhatIsWrong(t *testing.T) {
	b := setup(t)
	user := b.user(barbara)
	group := b.ask("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g"}`, 201)["id"].(string)
	const ofUser, ofGroup = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]`
	for _, c := range []struct{ method, path, body, named string }{
		{"POST", "/Users", `{"userName":"x"}`, "schemas"},
		{"POST", "/Users", ofGroup + `,"userName":"x"}`, "schemas"},
		{"POST", "/Users", ofUser + `}`, "userName"},
		{"POST", "/Users", ofUser + `,"userName":""}`, "userName"},
		{"PUT", "/Users/" + user, ofUser + `,"userName":7}`, "userName"},
		{"POST", "/Users", ofUser + `,"userName":"x","displayName":[]}`, "displayName"},
		{"POST", "/Users", ofUser + `,"userName":"x","externalId":7}`, "externalId"},
		{"POST", "/Users", ofUser + `,"userName":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":[]}}`,
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"},
		{"POST", "/Groups", ofGroup + `}`, "displayName"},
		{"PUT", "/Groups/" + group, ofGroup + `,"displayName":" "}`, "displayName"},
		{"PATCH", "/Groups/" + group, patchOf + `[{"op":"replace","path":"displayName","value":""}]}`, "displayName"},
		{"PATCH", "/Groups/" + group, patchOf + `[{"op":"remove","path":"displayName"}]}`, "displayName"},
		{"PATCH", "/Users/" + user, `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`, "schemas"},
		{"PATCH", "/Users/" + user, patchOf + `[]}`, "Operations"},
		{"PATCH", "/Users/" + user, patchOf + `[{"op":"replace","path":"title","value":"x"},{"op":"replace","path":"nosuch","value":"x"}]}`, "Operations[1]"},
		{"PATCH", "/Users/no%20body%3F", patchOf + `[{"op":"replace","path":"nosuch","value":"x"}]}`, "Operations[0]"},
	} {
		said := b.ask(c.method, c.path, c.body, 400)
		require.Regexp(t, "^"+regexp.QuoteMeta(c.named)+":", said["detail"], "%s %s %s", c.method, c.path, c.body)
		require.NotEmpty(t, said["scimType"])
	}
	rec, err := b.back.Group(t.Context(), "north", people.Key{UID: group})
	require.NoError(t, err)
	require.Equal(t, "g", rec.Name)
	require.Equal(t, "bjensen", b.ask("GET", "/Users/"+user, "", 200)["userName"])
}

func TestPagesAndDiscovery(t *testing.T) {
	b := setup(t)
	for _, name := range []string{"a", "b", "c"} {
		b.user(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `"}`)
	}
	page := b.ask("GET", "/Users?startIndex=2&count=1", "", 200)
	require.EqualValues(t, 3, page["totalResults"])
	require.EqualValues(t, 2, page["startIndex"])
	require.Len(t, page["Resources"], 1)
	require.Equal(t, "b", page["Resources"].([]any)[0].(object)["userName"])
	require.Empty(t, b.ask("GET", "/Users?count=0", "", 200)["Resources"])
	require.Equal(t, true, b.ask("GET", "/ServiceProviderConfig", "", 200)["patch"].(object)["supported"])
	require.EqualValues(t, 2, b.ask("GET", "/ResourceTypes", "", 200)["totalResults"])
	b.ask("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "", 200)
}
