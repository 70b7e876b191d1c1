package setup

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// keyed are the calls that take an idempotency key: by their method, and those that change something whatever their method.
func (p product) keyed() (all []api.Route) {
	for _, f := range p.server.Families() {
		if f.Channel == ticket.ChannelCodec { // it changes nothing, and nothing of what it decrypts may be kept
			continue
		}
		for _, r := range f.Routes {
			if r.Method != http.MethodGet || r.Scope != desk.Read && !r.Reads {
				all = append(all, r)
			}
		}
	}
	return all
}

// durable are the rows of all tables that do not only count what callers do, but for those that say what was refused.
func (p product) durable() map[string][]string {
	rows := p.rows()
	for _, table := range counting {
		delete(rows, table)
	}
	rows["operations"] = slices.DeleteFunc(rows["operations"], func(row string) bool { return strings.Contains(row, "|state=refused|") })
	return rows
}

// without is rows but for those of one table.
func without(rows map[string][]string, table string) map[string][]string {
	rest := maps.Clone(rows)
	delete(rest, table)
	return rest
}

// raw is a body as it is sent.
func raw(t *testing.T, body any) string {
	t.Helper()
	if text, ok := body.(string); ok {
		return text
	}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return string(text)
}

// spelled are other spellings of a route's path: with and without the last slash, with a query that says nothing, with what need not be escaped
// escaped, and the other paths of the same call.
func (p product) spelled(r api.Route, path string) []string {
	slashed := strings.TrimSuffix(path, "/")
	if slashed == path {
		slashed += "/"
	}
	all := []string{slashed, path + "?", slashed + "?&"}
	if i := strings.LastIndex(path, "/IM"); i >= 0 {
		all = append(all, path[:i]+"/%49M"+path[i+3:])
	}
	for _, f := range p.server.Families() {
		for _, other := range f.Routes {
			if r.Operation != "" && other.Operation == r.Operation && other.Method == r.Method && other.Path != r.Path {
				all = append(all, other.Path)
			}
		}
	}
	return all
}

// respelled is a body with its members in another order, in other escapes and with blanks; empty where it is no object.
func respelled(t *testing.T, body any) string {
	t.Helper()
	var members map[string]json.RawMessage
	if body == nil || json.Unmarshal([]byte(raw(t, body)), &members) != nil {
		return ""
	}
	var out []string
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(members))) {
		out = append(out, fmt.Sprintf(`"\u%04x%s" :  %s`, name[0], name[1:], members[name]))
	}
	return "\n{ " + strings.Join(out, ",\n\t") + " }\n"
}

// TestEveryCallIsReplayed makes every call of every family that takes an idempotency key, and repeats it: the answer comes again to the
// letter, and nothing happens. Routes that are added are called too.
func TestEveryCallIsReplayed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	config := api.Config{ExceptionsPerMinute: 1_000_000}
	whole := newProduct(t, config)
	require.Empty(t, whole.unknown(), "calls need what is not known here")
	secret, err := whole.container.Store.CreateApp(t.Context(), desk.App{Code: "north", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	require.NoError(t, err)
	exhibited := whole.exhibit(secret)
	fresh := whole.copies()
	methods, changing, refusable := map[string]int{}, 0, 0
	for n, r := range whole.keyed() {
		p, x := fresh(t), exhibited // with little in it, because all of it is compared
		route := r.Method + " " + r.Path
		prepare := preparations[route]
		if prepare == nil {
			prepare = preparations[itsmOperation(r.Path)]
		}
		if prepare != nil {
			prepare(p, &x, secret)
		}
		path, body := x.path(t, r.Path), bodyOf(x, r.Method, r.Path)
		key := fmt.Sprintf("Key:%d_-", n)
		ask := func(body any, headers ...string) answer { return p.call(r.Method, path, secret, body, headers...) }
		before := p.durable()
		unchanged := func(after string) {
			t.Helper()
			require.Equal(t, before, p.durable(), "%s changed something after %s", route, after)
		}

		for _, bad := range []string{"", "two words", "ключ", fmt.Sprintf("%0129d", 0)} {
			a := ask(body, api.HeaderXKey, bad, api.HeaderKey, key)
			require.Equal(t, http.StatusBadRequest, a.status, "%s took the key %q: %s", route, bad, a.body)
		}
		// Where no body is needed there is nothing that could be wrong with it, and a check is glad of what is.
		if r.Method != http.MethodGet && body != nil && route != "POST /api/service/check" && route != "POST /api/calendar/check" {
			refusable++
			for range 2 {
				a := ask(`{"`, api.HeaderXKey, key)
				require.True(t, a.refused() && a.header.Get(api.HeaderReplayed) == "false", "%s: half a body: %d %s %v", route, a.status, a.body, a.header)
			}
		}
		unchanged("bad keys and half a body")

		first := ask(body, api.HeaderXKey, key)
		require.False(t, first.refused(), "%s after it was refused under the same key: %d %s", route, first.status, first.body)
		require.Equal(t, "false", first.header.Get(api.HeaderReplayed), route)
		methods[r.Method]++
		done := p.durable()
		if reflect.DeepEqual(without(before, "operations"), without(done, "operations")) {
			require.Equal(t, desk.Read, r.Scope, "%s changed nothing, so that nothing was shown", route)
		} else {
			require.NotEqual(t, desk.Read, r.Scope, "%s changed something", route)
			changing++
		}

		before = done
		replayed := func(a answer, how ...any) {
			t.Helper()
			require.Equal(t, "true", a.header.Get(api.HeaderReplayed), "%s %v: %d %s", route, how, a.status, a.body)
			require.Equal(t, first.status, a.status, route)
			require.Equal(t, first.body, a.body, route)
			require.Equal(t, first.header.Get("Content-Type"), a.header.Get("Content-Type"), route)
		}
		for _, headers := range [][]string{{api.HeaderXKey, key}, {api.HeaderKey, key}, {api.HeaderXKey, key, api.HeaderKey, key}} {
			replayed(ask(body, headers...), headers)
		}
		a := ask(body, api.HeaderXKey, key, api.HeaderKey, "another")
		require.Equal(t, http.StatusBadRequest, a.status, "%s with two keys: %s", route, a.body)

		// However it is spelled, it is the same request.
		at := func(path string, body any) answer { return p.call(r.Method, path, secret, body, api.HeaderXKey, key) }
		for _, spelled := range p.spelled(r, path) {
			replayed(at(spelled, body), spelled)
		}
		if other := respelled(t, body); other != "" {
			replayed(at(path, other), other)
		}
		if r.Method == http.MethodGet { // the query of which the caller here sorts
			var pairs []string
			for name, value := range body.(object) {
				text := raw(t, value)
				pairs = append(pairs, name+"="+url.QueryEscape(strings.Trim(text, `"`)))
			}
			slices.Sort(pairs)
			slices.Reverse(pairs)
			replayed(at(path+"?"+strings.Join(pairs, "&&"), nil), pairs)
		}
		credentials := strings.Contains(r.Path, "/itsm/") || strings.HasPrefix(r.Path, "/openapi/") || r.Path == "/api/publish"
		if inside, is := body.(object); is && credentials {
			more := maps.Clone(inside)
			more["bk_token"] = "another"
			replayed(at(path+"?bk_app_secret="+secret+"&bk_app_code=north", more), "with credentials")
		}

		// Other content is another request, wherever it stands.
		others := map[string]answer{"another query": at(path+"?zz=1", body)}
		if inside, is := body.(object); is || body == nil {
			more := maps.Clone(inside)
			if more == nil {
				more = object{}
			}
			more["zz"] = 1
			others["another body"] = at(path, more)
		} else {
			others["another body"] = at(path, strings.Replace(raw(t, body), "neutral node", "another node", 1))
		}
		for how, a := range others {
			require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s with %s: %s", route, how, a.body)
			require.Equal(t, "false", a.header.Get(api.HeaderReplayed), route)
		}
		unchanged("the same key")
	}
	t.Logf("%v, of which %d changed something and %d were refused first", methods, changing, refusable)
	require.Greater(t, methods[http.MethodPost], 50)
	require.Greater(t, methods[http.MethodPut], 3)
	require.Greater(t, methods[http.MethodDelete], 1)
}
