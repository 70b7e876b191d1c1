package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/console"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/ticket"
)

func TestSignInAndOut(t *testing.T) {
	h := newSite(t)
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "Disk full"})
	b := h.browser(t)
	path := "/ticket/" + k.ticket.Number + "?x=a%20b"

	asked := b.get(path)
	require.Equal(t, http.StatusSeeOther, asked.Status)
	require.Equal(t, "/login?return="+url.QueryEscape(path), asked.Header.Get("Location"))
	require.Zero(t, h.records.Reads.Load(), "nothing is looked up for strangers")

	in := b.signIn("shop", "shop-secret", path)
	require.Equal(t, http.StatusSeeOther, in.Status)
	require.Equal(t, path, in.Header.Get("Location"))
	require.Contains(t, h.log.String(), "console.signed_in")
	require.NotContains(t, h.log.String(), "shop-secret")

	page := b.get(path)
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, words(page.class("me")[0]), "Wang 小明 of app shop")

	require.Equal(t, http.StatusForbidden, b.post("/logout", url.Values{"csrf": {"guessed"}}).Status)
	require.Equal(t, http.StatusOK, b.get(path).Status, "a foreign form signs nobody out")
	out := b.post("/logout", page.form("/logout"))
	require.Equal(t, http.StatusSeeOther, out.Status)
	require.Equal(t, "/login", out.Header.Get("Location"))
	require.Empty(t, b.cookies)
	require.Equal(t, http.StatusSeeOther, b.get(path).Status)
	require.Equal(t, http.StatusSeeOther, b.post("/logout", nil).Status, "signing out twice is no problem")
}

func TestWhoeverIsWrongHearsTheSame(t *testing.T) {
	h := newSite(t)
	var seen []string
	for _, c := range [][2]string{{"shop", "wrong-secret"}, {"unknown", "shop-secret"}, {"gone", "gone-secret"}, {"shop", "other-secret"}} {
		b := h.browser(t)
		p := b.signIn(c[0], c[1], "/tickets")
		require.Equal(t, http.StatusUnauthorized, p.Status)
		require.NotContains(t, p.Body, c[1], "the secret is never sent back")
		seen = append(seen, words(p.one("main")))
		require.Equal(t, http.StatusSeeOther, b.get("/tickets").Status)
	}
	for _, text := range seen {
		require.Equal(t, seen[0], text)
	}
	require.Contains(t, seen[0], "The app code or the secret is not right.")
}

func TestSignInNeedsAllOfTheForm(t *testing.T) {
	h := newSite(t)
	b := h.browser(t)
	form := b.get("/login").form("/login")
	for name, value := range map[string]string{"code": "", "secret": strings.Repeat("s", 256), "operator": "  ", "operator ": "a\x00b"} {
		bad := url.Values{"csrf": form["csrf"], "code": {"shop"}, "secret": {"shop-secret"}, "operator": {"me"}}
		bad.Set(strings.TrimSpace(name), value)
		require.Equal(t, http.StatusBadRequest, b.post("/login", bad).Status, name)
	}
	require.Equal(t, http.StatusBadRequest, b.post("/login", url.Values{"csrf": form["csrf"], "code": {strings.Repeat("x", 20<<10)}}).Status)

	h.apps.err = ticket.Refuse(ticket.Unavailable, "the database is down")
	require.Equal(t, http.StatusServiceUnavailable, b.signIn("shop", "shop-secret", "/").Status)
	h.apps.err = nil
	p := b.signIn("nobody", "nobody-secret", "/")
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, words(p.one("main")), "This app may not read tickets.")
}

func TestForeignFormsSignNobodyIn(t *testing.T) {
	h := newSite(t)
	mine, theirs := h.browser(t), h.browser(t)
	stolen := theirs.get("/login").form("/login").Get("csrf")
	mine.get("/login")
	for _, csrf := range []string{"", "x", stolen} {
		p := mine.post("/login", url.Values{"csrf": {csrf}, "code": {"shop"}, "secret": {"shop-secret"}, "operator": {"me"}, "return": {"/tickets"}})
		require.Equal(t, http.StatusForbidden, p.Status)
		require.Equal(t, http.StatusSeeOther, mine.get("/tickets").Status)
	}
	none := h.browser(t)
	p := none.post("/login", url.Values{"csrf": {""}, "code": {"shop"}, "secret": {"shop-secret"}, "operator": {"me"}})
	require.Equal(t, http.StatusForbidden, p.Status)
	again := p.form("/login")
	again.Set("secret", "shop-secret")
	require.Equal(t, http.StatusSeeOther, none.post("/login", again).Status, "the form that comes back works")
	before := mine.get("/login").form("/login").Get("csrf")
	require.Equal(t, http.StatusSeeOther, mine.signIn("shop", "shop-secret", "/").Status)
	require.NotEqual(t, before, mine.get("/tickets").form("/logout").Get("csrf"), "signing in begins a new session")
}

func TestReturnStaysHere(t *testing.T) {
	h := newSite(t)
	for back, want := range map[string]string{
		"/tickets?q=a&status=OPEN":     "/tickets?q=a&status=OPEN",
		"/ticket/IM1#timeline":         "/ticket/IM1",
		"/tickets?q=%0d%0aSet-Cookie:": "/tickets?q=%0d%0aSet-Cookie:",
		"":                             "/", "/": "/", "/login": "/", "/login/": "/", "/logout": "/",
		"//evil.example.com":            "/",
		"///evil.example.com":           "/",
		`/\evil.example.com`:            "/",
		"/\t/evil.example.com":          "/",
		"https://evil.example.com/":     "/",
		"javascript:alert(1)":           "/",
		"evil.example.com":              "/",
		"/%zz":                          "/",
		"/" + strings.Repeat("a", 3000): "/",
	} {
		b := h.browser(t)
		in := b.signIn("shop", "shop-secret", back)
		require.Equal(t, http.StatusSeeOther, in.Status, back)
		require.Equal(t, want, in.Header.Get("Location"), back)
		// The form can be changed after it was made.
		form := b.get("/login").form("/login")
		form.Set("code", "shop")
		form.Set("secret", "shop-secret")
		form.Set("operator", "me")
		form.Set("return", back)
		require.Equal(t, want, b.post("/login", form).Header.Get("Location"), back)
	}
}

func TestCookie(t *testing.T) {
	h := newSite(t)
	b := h.browser(t)
	c := b.signIn("shop", "shop-secret", "/").Cookies[0]
	require.Equal(t, "signalbox", c.Name)
	require.True(t, c.HttpOnly)
	require.False(t, c.Secure)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, "/", c.Path)
	require.Equal(t, 36*60*60, c.MaxAge, "a day longer than it is worth anything, so that a form that comes late is known")
	require.NotContains(t, c.Value, "shop")

	b.headers["X-Forwarded-Proto"] = "https"
	secure := b.signIn("shop", "shop-secret", "/").Cookies[0]
	require.Equal(t, "__Host-signalbox", secure.Name)
	require.True(t, secure.Secure)
	require.Empty(t, secure.Domain)

	always := newSite(t, func(c *console.Config) { c.Secure = true }).browser(t).signIn("shop", "shop-secret", "/").Cookies[0]
	require.Equal(t, "__Host-signalbox", always.Name)
	require.True(t, always.Secure)
}

func TestSessionsAreOurs(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	good := b.cookies["signalbox"]
	require.Equal(t, http.StatusOK, b.get("/tickets").Status)

	for i := range good {
		changed := []byte(good)
		if changed[i]++; changed[i] > 'z' || changed[i] == '{' {
			changed[i] = 'A'
		}
		if i == len(good)-1 { // the last character may hold bits that mean nothing
			changed = changed[:i]
		}
		b.cookies = map[string]string{"signalbox": string(changed)}
		p := b.get("/tickets")
		require.Equal(t, http.StatusSeeOther, p.Status, "character %d", i)
		require.Contains(t, p.Header.Get("Location"), "over=1")
	}
	other := newSite(t, func(c *console.Config) { c.Key = []byte(strings.Repeat("k", 32)) })
	b.cookies = other.visitor(t, "shop").cookies
	require.Equal(t, http.StatusSeeOther, b.get("/tickets").Status, "sealed with another key")

	b.cookies = map[string]string{"signalbox": good}
	h.now = h.now.Add(12*time.Hour - time.Second)
	require.Equal(t, http.StatusOK, b.get("/tickets").Status)
	h.now = h.now.Add(time.Second)
	require.Equal(t, http.StatusSeeOther, b.get("/tickets").Status, "twelve hours are over")
}

func TestAppsAreLookedAtEachTime(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	h.apps.err = ticket.Refuse(ticket.Unavailable, "the database is down")
	down := b.get("/tickets")
	require.Equal(t, http.StatusServiceUnavailable, down.Status)
	require.NotEmpty(t, down.Header.Get("Retry-After"))
	require.NotContains(t, down.Body, "database")
	h.apps.err = nil
	require.Equal(t, http.StatusOK, b.get("/tickets").Status, "a fault that passes signs nobody out")

	h.apps.set(desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read}, Disabled: true})
	out := b.get("/tickets")
	require.Equal(t, http.StatusSeeOther, out.Status)
	require.Contains(t, out.Header.Get("Location"), "over=1")
	require.NotContains(t, b.cookies, "signalbox", "the session is taken away")
	require.Contains(t, words(b.get(out.Header.Get("Location")).one("main")), "Your session is over.")

	h.apps.set(desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read}})
	b = h.visitor(t, "shop")
	h.apps.set(desk.App{Code: "shop", Tenant: "north"})
	require.Equal(t, http.StatusSeeOther, b.get("/tickets").Status, "the app may not read any more")
}

func TestGuessingIsSlow(t *testing.T) {
	h := newSite(t)
	try := func(address, code, secret string) int {
		b := h.browser(t)
		b.headers["X-Test-Address"] = address
		return b.signIn(code, secret, "/").Status
	}
	for range 10 {
		require.Equal(t, http.StatusUnauthorized, try("192.0.2.1", "shop", "wrong-secret"))
	}
	b := h.browser(t)
	p := b.signIn("shop", "shop-secret", "/")
	require.Equal(t, http.StatusTooManyRequests, p.Status, "even the right secret does not help now")
	require.Equal(t, "300", p.Header.Get("Retry-After"))
	require.Contains(t, h.log.String(), "console.throttled")
	require.Equal(t, http.StatusSeeOther, try("192.0.2.1", "other", "other-secret"), "another app is not kept out")
	require.Equal(t, http.StatusSeeOther, try("192.0.2.2", "shop", "shop-secret"), "another address is not kept out")

	h.now = h.now.Add(5 * time.Minute)
	require.Equal(t, http.StatusTooManyRequests, try("192.0.2.1", "shop", "shop-secret"), "the window before counts as well")
	h.now = h.now.Add(5 * time.Minute)
	require.Equal(t, http.StatusSeeOther, try("192.0.2.1", "shop", "shop-secret"))
	for range 30 {
		require.Equal(t, http.StatusSeeOther, try("192.0.2.1", "shop", "shop-secret"), "what succeeds is not counted")
	}
}

// What somebody sends when their session is over is not lost: it is shown once they have signed in again as the same, and sent when they say so.
func TestAFormThatCameTooLateIsKept(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Title: "Disk full"})
	path := "/ticket/" + k.ticket.Number
	again := func(b *browser, person string) answer {
		t.Helper()
		form := b.get("/login").form("/login")
		form.Set("code", "shop")
		form.Set("secret", "shop-secret")
		form.Set("operator", person)
		return b.post("/login", form)
	}
	late := func(change func(url.Values)) *browser {
		t.Helper()
		b := h.as(t, "shop", "li")
		form := b.get(path).form(path + "/say")
		form.Set("content", "Long was I writing this")
		change(form)
		h.now = h.now.Add(page.SessionFor + time.Minute)
		p := b.post(path+"/say", form)
		require.Equal(t, http.StatusSeeOther, p.Status)
		require.Contains(t, p.Header.Get("Location"), "/login?over=")
		return b
	}
	b := late(func(url.Values) {})
	require.Equal(t, "/login/held", again(b, "li").Header.Get("Location"))
	p := b.get("/login/held")
	require.Contains(t, p.Body, "Long was I writing this")
	sound(t, "held", p)
	require.Contains(t, b.get("/login/held").Body, "Long was I writing this", "to look at it does not use it up")
	require.Empty(t, h.read(t, k).Messages, "nothing is done by itself")
	form := p.form(path + "/say")
	require.Equal(t, http.StatusSeeOther, b.post(path+"/say", form).Status)
	require.Len(t, h.read(t, k).Messages, 1)
	require.Equal(t, http.StatusSeeOther, b.post(path+"/say", form).Status)
	require.Len(t, h.read(t, k).Messages, 1, "it is one thing, however often it is sent")
	require.NotContains(t, b.get("/login/held").Body, "Long was I writing this", "once")

	require.NotEqual(t, "/login/held", again(late(func(url.Values) {}), "wang").Header.Get("Location"), "it is li's")
	require.NotEqual(t, "/login/held", again(late(func(f url.Values) { f.Set("csrf", "none of ours") }), "li").Header.Get("Location"), "from a page of somebody else")
	chinese := late(func(f url.Values) { f.Set("content", strings.Repeat("长", 700)); f.Set("days", "3") })
	require.Equal(t, "/login/held", again(chinese, "li").Header.Get("Location"), "it counts as it is kept, not as it was sent")
	p = chinese.get("/login/held")
	require.Contains(t, p.section("held"), "days 3", "whatever was filled in is shown")
	require.NotContains(t, p.section("held"), "form_key")
	require.Less(t, len(chinese.cookies["signalbox-held"]), 4000, "browsers keep no more")
	require.Equal(t, "/", chinese.post("/login/held", p.form("/login/held")).Header.Get("Location"))
	require.NotContains(t, chinese.get("/login/held").Body, "长长", "they have left it")
	for _, secret := range []string{"new", "teams.webhook", "teams.secret"} {
		require.NotEqual(t, "/login/held", again(late(func(f url.Values) { f.Set(secret, "x") }), "li").Header.Get("Location"), "%s is never sent back", secret)
	}
	require.Len(t, h.read(t, k).Messages, 1)
}
