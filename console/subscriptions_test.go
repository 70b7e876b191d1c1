package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// follow has a tenant's stream followed by an address.
func (r *records) follow(t testing.TB, tenant, url string, f notice.Filter) notice.Subscription {
	t.Helper()
	r.now = r.now.Add(time.Millisecond)
	sub, err := r.Subscribe(t.Context(), notice.Subscription{Tenant: tenant, URL: url, Format: notice.FormatEvent, Profile: notice.Standard, Filter: f})
	require.NoError(t, err)
	return sub
}

// does sends a form of a page as it is, with some fields changed, and gives the page that it leads to.
func (b *browser) does(page, action string, change url.Values) answer {
	b.t.Helper()
	form := b.get(page).filled(action)
	for name, values := range change {
		form[name] = values
	}
	return b.post(action, form)
}

// led gives the page that a form has led to.
func (b *browser) led(p answer) answer {
	b.t.Helper()
	require.Equal(b.t, http.StatusSeeOther, p.Status, p.Body)
	return b.get(p.Header.Get("Location"))
}

func (r *records) registration(t testing.TB, tenant, id string) notice.Registration {
	t.Helper()
	reg, err := r.Registration(t.Context(), notice.Owner{Tenant: tenant}, id)
	require.NoError(t, err)
	return reg
}

func (r *records) audited(t testing.TB, tenant string) (paths []string) {
	t.Helper()
	entries, _, err := r.Audit(t.Context(), tenant, desk.EntryFilter{})
	require.NoError(t, err)
	for _, e := range entries {
		paths = append(paths, e.Method+" "+e.Path+" by "+e.Operator)
	}
	return paths
}

// A subscription is added, changed, paused, resumed, tried out, given another secret and deleted on the pages, and what was done is in the audit.
func TestASubscriptionIsKeptOnThePages(t *testing.T) {
	h := newSite(t)
	h.apps.set(desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write}})
	b := h.visitor(t, "shop")
	require.Contains(t, words(b.get("/subscriptions").root), "Nobody subscribes yet.")
	require.Contains(t, b.get("/subscriptions").Body, `<a href="/subscriptions" aria-current="page">Subscriptions</a>`)

	form := b.get("/subscriptions/new").filled("/subscriptions")
	for name, value := range map[string]string{"url": "https://hooks.example.com/box", "topic": "ticket", "key": "ticket.IM*", "timeout": "20", "headers": "Authorization: Bearer s3cret\nX-Team: a: b\n"} {
		form.Set(name, value)
	}
	made := b.post("/subscriptions", form)
	require.Equal(t, http.StatusOK, made.Status, made.Body)
	secret := words(made.one("the-secret"))
	require.True(t, strings.HasPrefix(secret, "whsec_"), secret)
	require.Equal(t, secret, words(b.post("/subscriptions", form).one("the-secret")), "the same form again is the same subscription")
	list, _, err := h.records.Lasting(t.Context(), "north", notice.LastingFilter{}, "", 0)
	require.NoError(t, err)
	require.Len(t, list, 1)
	id := list[0].ID
	path := "/subscriptions/" + id
	require.Equal(t, notice.Filter{Topic: "ticket", Key: "ticket.IM*"}, list[0].Filter)
	require.Equal(t, []any{20 * time.Second, true, false, notice.Standard}, []any{list[0].Timeout, list[0].HasHeaders, list[0].Unordered, list[0].Profile})

	p := b.get("/subscriptions")
	require.Contains(t, words(p.one("results")), "topic ticket")
	require.Contains(t, p.Body, `href="`+path+`"`)
	p = b.get(path)
	sound(t, path, p)
	require.Contains(t, words(p.root), "Nothing has been sent to it yet.")
	require.NotContains(t, p.Body, "s3cret", "headers are shown to nobody")
	require.NotContains(t, p.Body, secret)

	// Changed, with the headers as they are.
	edit := b.get(path + "/edit")
	sound(t, path+"/edit", edit)
	require.NotContains(t, edit.Body, "s3cret")
	p = b.led(b.does(path+"/edit", path, url.Values{"url": {"https://hooks.example.com/other"}, "key": {""}, "ordered": nil, "profile": {"once"}}))
	require.Contains(t, words(p.one("notice")), "The subscription is changed.")
	r := h.records.registration(t, "north", id)
	require.Equal(t, []any{"https://hooks.example.com/other", notice.Filter{Topic: "ticket"}, true, notice.Once, true}, []any{r.URL, r.Filter, r.Unordered, r.Profile, r.HasHeaders})
	refused := b.does(path+"/edit", path, url.Values{"url": {"https://elsewhere.example.com/"}})
	require.Equal(t, http.StatusBadRequest, refused.Status)
	require.Contains(t, words(refused.one("headers-wrong")), "were given for https://hooks.example.com")
	require.Equal(t, "https://elsewhere.example.com/", attr(refused.one("url"), "value"), "what was typed is there still")
	b.led(b.does(path+"/edit", path, url.Values{"url": {"https://elsewhere.example.com/"}, "no_headers": {"yes"}}))
	require.False(t, h.records.registration(t, "north", id).HasHeaders)

	// Tried out, and how that went.
	p = b.led(b.does(path, path+"/test", nil))
	require.Contains(t, words(p.one("notice")), "A test is on its way: msg_")
	require.Contains(t, words(p.one("went").Parent), "1 pending")
	h.records.Tried(h.records.Waiting(id)[0], notice.Failed, try(1, 503, notice.ErrorStatus, "the receiver answered 503", "down", time.Second))
	b.does(path, path+"/test", nil)
	h.records.Tried(h.records.Waiting(id)[0], notice.Sent, try(2, 204, "", "", "", 30*time.Millisecond))
	went := words(b.get(path).one("went").Parent)
	require.Contains(t, went, "50 % of 2 tries succeeded (1) 1 of its last 2 deliveries arrived")
	require.Contains(t, went, "1 failed")
	require.Contains(t, went, "503 wrong status the receiver answered 503")
	require.Contains(t, words(b.get("/subscriptions").one("results")), "active 0 0 1")

	// Paused and resumed.
	p = b.led(b.does(path, path+"/pause", nil))
	require.Contains(t, words(p.one("notice")), "paused")
	require.Equal(t, notice.Paused, h.records.registration(t, "north", id).State)
	require.NotContains(t, p.forms(), path+"/test", "nothing is sent to it now")
	require.Contains(t, words(b.get("/subscriptions?state=paused&address=ELSEWHERE").one("results")), "paused")
	require.Contains(t, words(b.get("/subscriptions?state=active").one("results")), "No subscription matches.")
	b.led(b.does(path, path+"/resume", nil))
	require.Equal(t, notice.Active, h.records.registration(t, "north", id).State)

	// Another secret, told once, to whoever sends the form twice too.
	form = b.get(path).filled(path + "/rotate")
	rotated := words(b.post(path+"/rotate", form).one("the-secret"))
	require.NotEqual(t, secret, rotated)
	require.Equal(t, rotated, words(b.post(path+"/rotate", form).one("the-secret")))
	require.NotContains(t, b.get(path).Body, rotated)

	// Deleted, which a double click cannot undo.
	form = b.get(path).filled(path + "/delete")
	for range 2 {
		require.Contains(t, words(b.led(b.post(path+"/delete", form)).one("notice")), "The subscription is deleted.")
	}
	require.Equal(t, http.StatusNotFound, b.get(path).Status)
	audited := strings.Join(h.records.audited(t, "north"), "\n")
	for _, what := range []string{"", path, path + "/test", path + "/pause", path + "/resume", path + "/rotate", path + "/delete"} {
		if what == "" {
			what = "/subscriptions"
		}
		require.Contains(t, audited, "POST "+what+" by Wang 小明")
	}
}

// What is wrong is told beside its field, and what was typed stays.
func TestWhatIsWrongWithASubscriptionIsToldBesideItsField(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	const hostile = `"><script>alert(1)</script>`
	for field, value := range map[string]string{"url": "http://127.0.0.1/", "timeout": "soon", "headers": "nonsense", "key": strings.Repeat("k", 256), "ca": "no pem", "private": "no pem"} {
		p := b.does("/subscriptions/new", "/subscriptions", url.Values{"url": {"https://a.example.com/"}, "topic": {hostile}, field: {value}})
		require.Equal(t, http.StatusBadRequest, p.Status, field)
		at := map[string]string{"private": "certificate"}[field]
		if at == "" {
			at = field
		}
		require.NotEmpty(t, words(p.one(at+"-wrong")), field)
		require.NotContains(t, words(p.one(at+"-wrong")), field+": ", "beside the field, its name says nothing")
		require.Equal(t, "true", attr(p.one(at), "aria-invalid"))
		require.Equal(t, hostile, attr(p.one("topic"), "value"))
		sound(t, "/subscriptions", p)
		if field == "headers" || field == "ca" || field == "private" {
			require.Equal(t, value, strings.TrimSpace(raw(p.one(field))))
		} else {
			require.Equal(t, value, attr(p.one(field), "value"))
		}
	}
	list, _, err := h.records.Lasting(t.Context(), "north", notice.LastingFilter{}, "", 0)
	require.NoError(t, err)
	require.Empty(t, list)
	for _, query := range []string{"state=x", "cursor=x", "address=%00", "address=" + strings.Repeat("a", 256)} {
		require.Equal(t, http.StatusBadRequest, b.get("/subscriptions?"+query).Status, query)
	}
}

// Whoever may only read sees subscriptions and changes none; another tenant's are not there.
func TestWhoMayKeepSubscriptions(t *testing.T) {
	h := newSite(t)
	h.apps.set(desk.App{Code: "reader", Tenant: "north", Scopes: []desk.Scope{desk.Read}})
	sub := h.records.follow(t, "north", "https://hooks.example.com/", notice.Filter{})
	path := "/subscriptions/" + sub.ID
	owner, reader, stranger := h.visitor(t, "shop"), h.visitor(t, "reader"), h.visitor(t, "other")
	p := reader.get(path)
	require.Equal(t, http.StatusOK, p.Status)
	require.Equal(t, []string{"/logout"}, p.forms())
	require.Equal(t, http.StatusForbidden, reader.get("/subscriptions/new").Status)
	guard := reader.get("/settings").filled("/settings")
	for _, action := range []string{"/subscriptions", path, path + "/pause", path + "/resume", path + "/test", path + "/rotate", path + "/delete"} {
		require.Equal(t, http.StatusForbidden, reader.post(action, guard).Status, action)
	}
	h.apps.set(desk.App{Code: "other", Tenant: "south", Scopes: []desk.Scope{desk.Write}})
	require.Equal(t, http.StatusNotFound, stranger.get(path).Status)
	require.Equal(t, http.StatusNotFound, stranger.get(path+"/edit").Status)
	require.NotContains(t, stranger.get("/subscriptions").Body, sub.ID)
	guard = stranger.get("/settings").filled("/settings")
	for _, action := range []string{path, path + "/pause", path + "/test", path + "/rotate", path + "/delete"} {
		require.Equal(t, http.StatusNotFound, stranger.post(action, guard).Status, action)
	}
	require.Equal(t, notice.Active, h.records.registration(t, "north", sub.ID).State)
	require.Equal(t, http.StatusForbidden, owner.post(path+"/pause", url.Values{"csrf": {"guessed"}}).Status)
	for _, odd := range []string{"/subscriptions/%00", "/subscriptions/nothing", "/subscriptions/a%2Fb", path + "/nothing"} {
		require.Equal(t, http.StatusNotFound, owner.get(odd).Status, odd)
	}
}

// What is dropped says why, and can be resumed; what an address says cannot break the page.
func TestADroppedSubscriptionSaysWhy(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	sub := h.records.follow(t, "north", "https://hooks.example.com/", notice.Filter{Key: `<b>"'`})
	second := h.records.follow(t, "north", "https://hooks.example.com/", notice.Filter{Topic: "x"})
	path := "/subscriptions/" + sub.ID
	b.led(b.does(path, path+"/test", nil))
	h.records.GiveUp(sub.ID, "the receiver answered <script>410</script>")
	p := b.get(path)
	sound(t, path, p)
	require.Contains(t, words(p.root), "the receiver answered <script>410</script>")
	require.Contains(t, words(p.root), "The address was given up.")
	p = b.led(b.does("/subscriptions/"+second.ID+"/edit", "/subscriptions/"+second.ID, url.Values{"topic": {""}}))
	require.Contains(t, words(p.one("notice")), "told of the same events by other subscriptions too: "+sub.ID)
	b.headers["Accept-Language"] = "zh"
	require.Contains(t, words(b.get(path).root), "系统已放弃这个地址")
	b.led(b.does(path, path+"/resume", nil))
	require.Equal(t, notice.Active, h.records.registration(t, "north", sub.ID).State)
	p = b.does("/subscriptions/new", "/subscriptions", url.Values{"url": {"https://hooks.example.com/"}})
	require.Contains(t, words(p.root), "该地址还通过其他订阅收到同样的事件： "+sub.ID)
	h.records.Err = ticket.Refuse(ticket.Unavailable, "down")
	require.Contains(t, words(b.led(b.does(path, path+"/pause", nil)).one("notice")), "down")
	h.records.Err = nil
}
