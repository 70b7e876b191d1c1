package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// boss gives a browser that an admin of the tenant north has signed in with.
func (h *site) boss(t testing.TB) *browser {
	t.Helper()
	h.apps.set(desk.App{Code: "boss", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	return h.visitor(t, "boss")
}

func (r *records) appRecord(t testing.TB, tenant, code string) desk.AppRecord {
	t.Helper()
	app, err := r.AppRecord(t.Context(), tenant, code)
	require.NoError(t, err)
	return app
}

// An admin makes an app, limits it, gives it another secret, disables and enables it; what was done is in the audit, and no secret is.
func TestAppsAreLookedAfterOnThePages(t *testing.T) {
	h := newSite(t)
	b := h.boss(t)
	p := b.get("/apps")
	sound(t, "/apps", p)
	require.Contains(t, words(p.root), "There is no app yet.")
	sound(t, "/apps/new", b.get("/apps/new"))
	form := b.get("/apps/new").filled("/apps")
	require.Equal(t, []string{"read", "write"}, form["scopes"])
	form.Set("code", "billing")
	form.Set("rate", "120")
	form["scopes"] = []string{"read"}
	made := b.post("/apps", form)
	require.Equal(t, http.StatusOK, made.Status, made.Body)
	secret := words(made.one("the-secret"))
	require.Equal(t, secret, words(b.post("/apps", form).one("the-secret")), "the same form again makes no other app")
	app, err := h.records.ByCode(t.Context(), "billing", secret)
	require.NoError(t, err)
	require.Equal(t, desk.App{Code: "billing", Tenant: "north", Scopes: []desk.Scope{desk.Read}, Rate: 120}, app)

	p = b.get("/apps")
	require.Contains(t, words(p.root), "billing read 120 a minute enabled")
	require.NotContains(t, words(p.root), "not yet", "it was used a moment ago")
	const path = "/apps/billing"
	sound(t, path, b.get(path))

	p = b.led(b.does(path, path+"/limit", url.Values{"rate": {"60"}, "burst": {"10"}}))
	require.Contains(t, words(p.root), "60 a minute 10 at once")
	bad := b.does(path, path+"/limit", url.Values{"rate": {"5"}, "burst": {"10"}})
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.one("burst-wrong")), "must be from 0 to the rate")
	require.Equal(t, "10", attr(bad.one("burst"), "value"))
	require.Equal(t, http.StatusBadRequest, b.does(path, path+"/limit", url.Values{"rate": {"many"}}).Status)
	require.Equal(t, 60, h.records.appRecord(t, "north", "billing").Rate)

	form = b.get(path).filled(path + "/rotate")
	require.Equal(t, "86400", form.Get("overlap"))
	rotated := words(b.post(path+"/rotate", form).one("the-secret"))
	require.Equal(t, rotated, words(b.post(path+"/rotate", form).one("the-secret")))
	require.Len(t, h.records.appRecord(t, "north", "billing").Secrets, 2)
	h.records.now = h.records.now.Add(24 * time.Hour)
	require.Len(t, h.records.appRecord(t, "north", "billing").Secrets, 1)
	require.Equal(t, http.StatusBadRequest, b.does(path, path+"/rotate", url.Values{"overlap": {"1"}}).Status)

	b.led(b.does(path, path+"/disable", nil))
	_, err = h.records.BySecret(t.Context(), rotated)
	require.True(t, ticket.Is(err, ticket.Unauthorized))
	require.Contains(t, words(b.get("/apps").root), "disabled")
	p = b.led(b.does(path, path+"/enable", nil))
	require.Contains(t, words(p.one("notice")), "The app is enabled.")
	require.False(t, h.records.appRecord(t, "north", "billing").Disabled)

	entries, _, err := h.records.Audit(t.Context(), "north", desk.EntryFilter{App: "boss"})
	require.NoError(t, err)
	var did []string
	for _, e := range entries {
		did = append(did, e.Path)
		require.Equal(t, []any{"Wang 小明", desk.Done}, []any{e.Operator, e.Outcome})
	}
	require.ElementsMatch(t, []string{path + "/enable", path + "/disable", path + "/rotate", path + "/limit", "/apps"}, did)
	for _, told := range []string{secret, rotated} {
		for _, page := range []string{"/apps", path, "/audit", "/audit.csv"} {
			require.NotContains(t, b.get(page).Body, told)
		}
	}
}

func TestWhatIsWrongWithAnAppIsToldBesideItsField(t *testing.T) {
	h := newSite(t)
	b := h.boss(t)
	_, err := h.records.CreateApp(t.Context(), desk.App{Code: "taken", Tenant: "south", Scopes: []desk.Scope{desk.Read}})
	require.NoError(t, err)
	for _, c := range []struct {
		code   string
		scopes []string
		rate   string
		field  string
	}{{"a b", []string{"read"}, "", "code"}, {"", []string{"read"}, "", "code"}, {"taken", []string{"read"}, "", "code"}, {"x", []string{"read"}, "x", "rate"}, {"x", []string{"read"}, "-1", "rate"}} {
		p := b.does("/apps/new", "/apps", url.Values{"code": {c.code}, "scopes": c.scopes, "rate": {c.rate}})
		require.Equal(t, http.StatusBadRequest, p.Status, "%+v", c)
		require.NotEmpty(t, words(p.one(c.field+"-wrong")))
		require.Equal(t, c.code, attr(p.one("code"), "value"))
		require.Equal(t, []string{"read"}, p.filled("/apps")["scopes"])
		sound(t, "/apps", p)
	}
	for _, scopes := range [][]string{nil, {"root"}} {
		p := b.does("/apps/new", "/apps", url.Values{"code": {"x"}, "scopes": scopes})
		require.Equal(t, http.StatusBadRequest, p.Status)
		require.Contains(t, words(p.root), "scope")
	}
	list, err := h.records.AppRecords(t.Context(), "north")
	require.NoError(t, err)
	require.Empty(t, list)
}

// Apps and audit are for admins alone, and each tenant's are its own.
func TestWhoMayLookAfterApps(t *testing.T) {
	h := newSite(t)
	b := h.boss(t)
	for _, code := range []string{"boss", "mine"} {
		_, err := h.records.CreateApp(t.Context(), desk.App{Code: code, Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
		require.NoError(t, err)
	}
	_, err := h.records.CreateApp(t.Context(), desk.App{Code: "theirs", Tenant: "south", Scopes: []desk.Scope{desk.Read}})
	require.NoError(t, err)
	require.NotContains(t, b.get("/apps").Body, "theirs")
	require.Equal(t, http.StatusNotFound, b.get("/apps/theirs").Status)
	guard := b.get("/settings").filled("/settings")
	for _, what := range []string{"limit", "rotate", "disable", "enable"} {
		require.Equal(t, http.StatusNotFound, b.post("/apps/theirs/"+what, guard).Status, what)
	}
	app := h.records.appRecord(t, "south", "theirs")
	require.False(t, app.Disabled)
	require.Len(t, app.Secrets, 1)

	// Nobody shuts themselves out.
	require.NotContains(t, b.get("/apps/boss").forms(), "/apps/boss/disable")
	p := b.led(b.post("/apps/boss/disable", guard))
	require.Contains(t, words(p.one("notice")), "somebody else has to disable it")
	require.False(t, h.records.appRecord(t, "north", "boss").Disabled)

	writer := h.visitor(t, "shop")
	require.NotContains(t, writer.get("/tickets").Body, `href="/apps"`)
	guard = writer.get("/settings").filled("/settings")
	for _, page := range []string{"/apps", "/apps/new", "/apps/mine", "/audit", "/audit.csv"} {
		require.Equal(t, http.StatusForbidden, writer.get(page).Status, page)
	}
	for _, action := range []string{"/apps", "/apps/mine/limit", "/apps/mine/rotate", "/apps/mine/disable", "/apps/mine/enable"} {
		require.Equal(t, http.StatusForbidden, writer.post(action, guard).Status, action)
	}
}

// What was asked for is listed by who, what and when, and given as a file.
func TestTheAuditIsRead(t *testing.T) {
	h := newSite(t)
	h.apps.set(desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write}})
	sub := h.records.follow(t, "north", "https://hooks.example.com/", notice.Filter{})
	path := "/subscriptions/" + sub.ID
	writer := h.visitor(t, "shop")
	writer.led(writer.does(path, path+"/pause", nil))
	h.records.now = h.records.now.Add(time.Hour)
	require.NoError(t, h.records.Refused(t.Context(), desk.Entry{Tenant: "north", App: "other", Operator: `=HYPERLINK("x")<b>`, Path: "/api/issue", Method: "POST", Channel: ticket.ChannelIssue,
		Number: "IM1", Code: ticket.Forbidden, Status: 403, Why: "no, <script>", At: h.records.now}))
	require.NoError(t, h.records.Refused(t.Context(), desk.Entry{Tenant: "south", App: "theirs", Path: "/secret", Method: "POST", At: h.records.now}))
	b := h.boss(t)
	p := b.get("/audit")
	sound(t, "/audit", p)
	results := words(p.one("results"))
	require.Contains(t, results, "POST "+path+"/pause")
	require.Contains(t, results, "Wang 小明 through shop")
	require.Contains(t, results, "refused no, <script>")
	require.Contains(t, p.Body, `href="/ticket/IM1"`)
	require.NotContains(t, p.Body, "/secret")
	rows := func(query string) int {
		return len(b.get("/audit?" + query).tags("tr"))
	}
	at := func(d time.Duration) string { return url.QueryEscape(h.records.now.Add(d).Format(time.RFC3339)) }
	for query, n := range map[string]int{"app=shop": 2, "app=shop&operator=": 2, "operator=" + url.QueryEscape("Wang 小明"): 2, "number=IM1": 2, "outcome=refused": 2, "outcome=done": 2, "outcome=void": 0,
		"from=" + at(-time.Minute): 2, "to=" + at(-time.Minute): 2, "from=" + at(-2*time.Hour): 3, "from=" + h.records.now.Format("2006-01-02T15:04"): 2} {
		require.Equal(t, n, rows(query), query)
	}
	require.Equal(t, 0, rows("from="+h.records.now.Add(time.Hour).Format("2006-01-02T15:04")))
	b.cookies["signalbox-look"] = "zone:Asia/Shanghai"
	require.Equal(t, 3, rows("from="+h.records.now.Add(time.Hour).Format("2006-01-02T15:04")), "the form's times are those of the visitor's zone")
	require.Equal(t, 2, rows("from="+h.records.now.Add(8*time.Hour).Format("2006-01-02T15:04")))
	for _, query := range []string{"from=soon", "outcome=x", "app=%00", "cursor=x", "what=x"} {
		require.Equal(t, http.StatusBadRequest, b.get("/audit?"+query).Status, query)
		require.Equal(t, http.StatusBadRequest, b.get("/audit.csv?"+query).Status, query)
	}
	file := b.get("/audit.csv?outcome=refused")
	require.Equal(t, "text/csv; charset=utf-8", file.Header.Get("Content-Type"))
	require.Contains(t, file.Header.Get("Content-Disposition"), "audit.csv")
	lines := strings.Split(strings.TrimSpace(file.Body), "\r\n")
	require.Len(t, lines, 2)
	require.True(t, strings.HasPrefix(lines[0], "\ufeffid,at,ended_at,app,operator"))
	require.Contains(t, lines[1], `,other,"'=HYPERLINK(""x"")<b>",`)
	require.NotContains(t, file.Body, "/secret")

	require.NoError(t, h.records.Refused(t.Context(), desk.Entry{Tenant: "north", App: "one", Path: "/x", Method: "POST", At: h.records.now, Channel: ticket.ChannelIssue, Why: "the form was not taken as it was filled in"}))
	b.headers["Accept-Language"] = "zh"
	told := words(b.get("/audit?app=one").one("main"))
	require.Contains(t, told, "issue 接口")
	require.Contains(t, told, "表单填写有误，未被接受")
	require.Contains(t, b.get("/audit?app=one").Body, "星期", "and the exact time under the pointer")
	delete(b.headers, "Accept-Language")
	for i := range 60 {
		require.NoError(t, h.records.Refused(t.Context(), desk.Entry{Tenant: "north", App: "many", Path: "/x", Method: "POST", At: h.records.now.Add(time.Duration(i) * time.Second)}))
	}
	p = b.get("/audit?app=many")
	require.Len(t, p.tags("tr"), 51)
	next := attr(p.all(func(n *html.Node) bool { return attr(n, "rel") == "next" })[0], "href")
	require.Len(t, b.get(next).tags("tr"), 11)
	require.Len(t, strings.Split(strings.TrimSpace(b.get("/audit.csv?app=many").Body), "\r\n"), 61, "a file has all pages")
	b.headers["Accept-Language"] = "zh"
	require.Contains(t, words(b.get("/audit").root), "已拒绝")
}
