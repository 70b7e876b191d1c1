package setup

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
)

// Rules of what belongs to no family.
const (
	anyone   = "anyone"   // the same for everybody, and tells of no tenant
	operator = "operator" // who has signed in on the pages, as a person or with an app that may read; the tenant's tickets alone
	admins   = "admin who has signed in"
)

// beside are the rules of all that is served beside the families, by the longest prefix that ends in "*" or the path itself.
var beside = map[string]string{
	"GET /healthz":           anyone,
	"GET /readyz":            anyone,
	"GET /metrics":           anyone,
	"GET /docs*":             anyone,
	"GET /openapi/*":         anyone,
	"GET /":                  operator, // the inbox
	"GET /login":             anyone,
	"GET /login/oidc*":       anyone, // the way to the identity provider and back
	"GET /login/*":           operator,
	"GET /logout/*":          operator,
	"POST /login":            anyone, // the sign-in, throttled and guarded by its form
	"POST /logout":           anyone, // ends what the form's session is
	"GET /settings":          anyone, // the visitor's own
	"GET /settings/*":        operator,
	"GET /settings/password": anyone, // asks strangers in
	"POST /settings*":        anyone,
	"GET /console/assets/*":  anyone,
	"GET /directory*":        operator,
	"POST /directory*":       operator,
	"GET /editor*":           operator,
	"POST /editor*":          operator,
	"POST /":                 operator,
	"GET /tickets*":          operator,
	"POST /tickets*":         operator,
	"POST /ticket/*":         operator,
	"GET /ticket/*":          operator,
	"GET /services*":         operator,
	"POST /services*":        operator,
	"GET /calendars*":        operator,
	"POST /calendars*":       operator,
	"GET /people*":           operator,
	"POST /people*":          operator,
	"GET /groups*":           operator,
	"POST /groups*":          operator,
	"GET /absences*":         operator,
	"POST /absences*":        operator,
	"GET /views*":            operator,
	"POST /views*":           operator,
	"GET /subscriptions*":    operator,
	"POST /subscriptions*":   operator,
	"GET /deliveries*":       operator,
	"POST /deliveries*":      operator,
	"GET /overview*":         operator,
	"POST /login/held":       operator,
	"GET /apps*":             admins,
	"POST /apps*":            admins,
	"GET /audit*":            admins,
}

func ruleBeside(route string) (rule string, ok bool) {
	if rule, ok = beside[route]; ok {
		return rule, true
	}
	longest := -1
	for pattern, r := range beside {
		prefix, tree := strings.CutSuffix(pattern, "*")
		if tree && strings.HasPrefix(route, prefix) && len(prefix) > longest {
			longest, rule, ok = len(prefix), r, true
		}
	}
	return rule, ok
}

// table lists what the server answers to: method, path, and who may.
func table(t *testing.T, server *api.Server) (lines []string) {
	t.Helper()
	rules := map[string]string{}
	for _, f := range server.Families() {
		for _, r := range f.Routes {
			name := r.Method + " " + r.Path
			require.NotContains(t, rules, name, "two families serve it")
			rules[name] = string(r.Scope)
		}
	}
	for _, r := range server.App().GetRoutes(true) {
		name := r.Method + " " + r.Path
		rule, known := rules[name]
		if r.Method == "HEAD" {
			continue // whoever may GET it; where there is a call for it, below
		}
		if !known {
			rule, known = ruleBeside(name)
		}
		require.True(t, known, "%s is served, and nothing says who may call it", name)
		if line := fmt.Sprintf("%-6s %-75s %s", r.Method, r.Path, rule); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
		delete(rules, name)
	}
	require.Empty(t, rules, "a family declares what the server does not serve")
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[7:]+a, b[7:]+b) })
	return lines
}

const routesFile = "testdata/routes.txt"

// TestWhoMayCallWhat holds every route of the whole product against one table. With SIGNALBOX_WRITE set it writes the table instead; whoever
// reads the change sees what is open to whom.
func TestWhoMayCallWhat(t *testing.T) {
	got := strings.Join(table(t, newProduct(t, api.Config{}).server), "\n") + "\n"
	if os.Getenv("SIGNALBOX_WRITE") != "" {
		require.NoError(t, os.WriteFile(routesFile, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(routesFile)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "make golden writes it anew")
}

// TestTheScopesAreAsked calls every route of every family with each kind of app, and with none. Who may not is refused before anything is
// looked at; whoever may is told something else.
func TestTheScopesAreAsked(t *testing.T) {
	p := newProduct(t, api.Config{FailedLogins: -1})
	secrets := p.apps()
	for _, f := range p.server.Families() {
		for _, r := range f.Routes {
			for _, app := range []string{"", "nonsense", "off", "read", "write", "admin"} {
				a := p.call(r.Method, strings.NewReplacer(":", "x").Replace(r.Path), secrets[app], nil)
				may := app == "admin" || app == string(r.Scope) || app == "write" && r.Scope == "read"
				switch {
				case app == "" || app == "nonsense" || app == "off":
					require.True(t, a.unauthorized(), "%s %s as %q: %d %s", r.Method, r.Path, app, a.status, a.body)
				case !may:
					require.True(t, a.forbidden(), "%s %s as %q: %d %s", r.Method, r.Path, app, a.status, a.body)
				default:
					require.False(t, a.unauthorized() || a.forbidden(), "%s %s as %q: %d %s", r.Method, r.Path, app, a.status, a.body)
				}
			}
		}
	}
}
