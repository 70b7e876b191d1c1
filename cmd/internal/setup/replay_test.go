package setup

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
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
	methods, changing, refusable := map[string]int{}, 0, 0
	for n, r := range whole.keyed() {
		p := newProduct(t, config) // with little in it, because all of it is compared
		secret, err := p.container.Store.CreateApp(t.Context(), desk.App{Code: "north", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
		require.NoError(t, err)
		route := r.Method + " " + r.Path
		x := p.exhibit(secret, n)
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
		if r.Method != http.MethodGet && body != nil && route != "POST /api/service/check" {
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
		for _, headers := range [][]string{{api.HeaderXKey, key}, {api.HeaderKey, key}, {api.HeaderXKey, key, api.HeaderKey, "another"}} {
			a := ask(body, headers...)
			require.Equal(t, "true", a.header.Get(api.HeaderReplayed), "%s %v: %d %s", route, headers, a.status, a.body)
			require.Equal(t, first.status, a.status, route)
			require.Equal(t, first.body, a.body, route)
			require.Equal(t, first.header.Get("Content-Type"), a.header.Get("Content-Type"), route)
		}
		if r.Method != http.MethodGet { // where another query is another address, and no body says otherwise
			a := ask(raw(t, body)+" ", api.HeaderXKey, key)
			require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s with another body: %s", route, a.body)
			require.Equal(t, "false", a.header.Get(api.HeaderReplayed), route)
		}
		unchanged("the same key")
	}
	t.Logf("%v, of which %d changed something and %d were refused first", methods, changing, refusable)
	require.Greater(t, methods[http.MethodPost], 50)
	require.Greater(t, methods[http.MethodPut], 3)
	require.Greater(t, methods[http.MethodDelete], 1)
}
