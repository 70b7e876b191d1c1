package setup

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/api/openapi"
	"signalbox/desk"
)

// get is a GET of the house API as its document has it.
type get struct {
	path  string // of something that there is
	query []*openapi3.Parameter
	list  bool // its result has items
}

func (g get) takes(name string) bool {
	return slices.ContainsFunc(g.query, func(q *openapi3.Parameter) bool { return q.Name == name })
}

// gets are all GETs of the house API, for an exhibit.
func (p product) gets(x exhibit) (all []get) {
	p.Helper()
	for _, d := range openapi.Documents() {
		if !slices.Contains([]string{"issue", "service", "calendar", "subscription", "audit", "directory"}, d.Name) {
			continue
		}
		doc, err := openapi3.NewLoader().LoadFromData(d.YAML)
		require.NoError(p, err, d.Name)
		for path, item := range doc.Paths.Map() {
			if item.Get == nil {
				continue
			}
			g := get{path: x.path(p.T, strings.NewReplacer("{", ":", "}", "").Replace(path))}
			if media := item.Get.Responses.Value("200").Value.Content["application/json"]; media != nil {
				for _, s := range flat(media.Schema, nil) {
					result := s.Properties["result"]
					g.list = g.list || result != nil && result.Value.Properties["items"] != nil
				}
			}
			for _, q := range item.Get.Parameters {
				if q.Value.In == "query" {
					g.query = append(g.query, q.Value)
				}
			}
			all = append(all, g)
		}
	}
	return all
}

// house is the product, with something of everything.
func house(t *testing.T) (product, exhibit, string) {
	t.Helper()
	p := newProduct(t, api.Config{})
	secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "north", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	x := p.exhibit(secret)
	x.redelivery = p.redelivery("/api/issue/"+x.number+"/notification/"+x.address, secret)
	return p, x, secret
}

// TestNoTypoInAQueryIsPassedOver: every GET of the house API refuses by name what it does not know in its query, and knows all that its document
// says.
func TestNoTypoInAQueryIsPassedOver(t *testing.T) {
	t.Parallel()
	p, x, secret := house(t)
	gets, known := p.gets(x), 0
	require.Greater(t, len(gets), 20)
	for _, g := range gets {
		ask := func(name, value string) answer {
			return p.call("GET", g.path+"?"+url.Values{name: {value}}.Encode(), secret, nil)
		}
		a := ask("no_such_word", "1")
		require.Equal(t, http.StatusBadRequest, a.status, "%s took a parameter that nobody knows: %s", g.path, a.body)
		require.Contains(t, a.body, "no_such_word: is no parameter here", g.path)
		for _, q := range g.query {
			known++
			require.NotContains(t, ask(q.Name, "").body, "is no parameter here", "%s does not know %s", g.path, q.Name)
			if typo := q.Name + "z"; len(q.Name) > 1 {
				a := ask(typo, "x")
				require.Equal(t, http.StatusBadRequest, a.status, "%s took %s: %s", g.path, typo, a.body)
				require.Contains(t, a.body, fmt.Sprintf("%s: is no parameter here; did you mean %s?", typo, q.Name), g.path)
			}
		}
	}
	require.Greater(t, known, 25)
}

// TestEveryListGoesOnByItsCursor: every list has pages, gives next_cursor and takes it as cursor.
func TestEveryListGoesOnByItsCursor(t *testing.T) {
	t.Parallel()
	p, x, secret := house(t)
	for i := range 3 {
		p.must(p.call("POST", "/api/issue/"+x.number+"/conversation", secret, object{"author": "ann", "content": fmt.Sprint(i)}))
		p.must(p.call("PUT", "/api/issue/"+x.number+"/relations/manifest", secret, object{"content": []string{fmt.Sprint(i)}}))
		p.must(p.call("POST", "/api/subscription", secret, object{"url": "https://hooks.example.com/", "topic": fmt.Sprint(i)}))
		p.must(p.call("POST", "/api/issue/"+x.number+"/notification", secret, object{"url": fmt.Sprint("https://hooks.example.com/", i)}))
		p.must(p.call("PUT", fmt.Sprintf("/api/issue/%s/follower/%d", x.number, i), secret, nil))
		p.must(p.call("POST", "/api/subscription/"+x.subscription+"/test", secret, nil))
		p.must(p.call("PUT", fmt.Sprint("/api/person/", i), secret, object{}))
		p.must(p.call("PUT", fmt.Sprint("/api/group/", i), secret, object{}))
		p.must(p.call("POST", "/api/absence", secret, object{"person": x.person, "from": fmt.Sprint("2026-12-0", i+1)}))
		p.must(p.call("POST", "/api/calendar", secret, fmt.Sprintf(northernCalendar, fmt.Sprint("calendar_", i))))
		again := func(path string) {
			a := p.must(p.call("GET", path, secret, nil))
			var document object
			require.NoError(t, json.Unmarshal([]byte(a.body), &document))
			document["name"] = fmt.Sprint("version ", i)
			delete(document, "version")
			p.must(p.call("POST", path[:strings.LastIndex(path, "/")], secret, document))
		}
		again(x.path(t, "/api/service/:key"))
		again(x.path(t, "/api/calendar/:key"))
	}
	type page struct {
		Result struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		} `json:"result"`
	}
	lists := 0
	for _, g := range p.gets(x) {
		require.Equal(t, g.list, g.takes("limit"), "%s has no pages", g.path)
		if !g.list {
			require.False(t, g.takes("cursor") || g.takes("after"), "%s has pages of no size", g.path)
			continue
		}
		lists++
		require.True(t, g.takes("cursor"), "%s has pages", g.path)
		read := func(name, cursor string, limit int) (list page) {
			t.Helper()
			a := p.must(p.call("GET", fmt.Sprintf("%s?limit=%d&%s=%s", g.path, limit, name, url.QueryEscape(cursor)), secret, nil))
			require.NoError(t, json.Unmarshal([]byte(a.body), &list), a.body)
			return list
		}
		whole := read("cursor", "", 200)
		if next := whole.Result.Next; next != "" { // what is followed always tells where to go on
			require.Empty(t, read("cursor", next, 200).Result.Items, g.path)
		}
		require.Greater(t, len(whole.Result.Items), 2, "%s has too little for pages", g.path)
		for _, name := range []string{"cursor", "after"} { // the older word
			if !g.takes(name) {
				continue
			}
			var all []json.RawMessage
			for cursor := ""; ; {
				list := read(name, cursor, 1)
				require.LessOrEqual(t, len(list.Result.Items), 1)
				all = append(all, list.Result.Items...)
				require.LessOrEqual(t, len(all), len(whole.Result.Items), "%s goes on for ever by %s", g.path, name)
				if cursor = list.Result.Next; cursor == "" || len(list.Result.Items) == 0 {
					break
				}
			}
			require.Equal(t, whole.Result.Items, all, "%s, page by page", g.path)
		}
		if g.takes("after") {
			a := p.call("GET", g.path+"?cursor=1&after=2", secret, nil)
			require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", g.path, a.body)
			require.Contains(t, a.body, "after: is another name of cursor")
		}
	}
	require.Greater(t, lists, 6)
}
