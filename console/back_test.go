package console_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

// from has the browser say where what it sends comes from.
func (b *browser) from(site, origin string) {
	for name, value := range map[string]string{"Sec-Fetch-Site": site, "Origin": origin} {
		if b.headers[name] = value; value == "" {
			delete(b.headers, name)
		}
	}
}

const ours = "http://example.com" // the host of requests in tests

// TestWhatWasTypedComesBack: whatever keeps a form from being looked at, whoever sent it from a page of ours has what they typed in the answer, however long, and can send it from there once nothing
// keeps it back any more. Nothing is done before.
func TestWhatWasTypedComesBack(t *testing.T) {
	h := newSite(t)
	h.called(t, people.Person{ID: "wang", Name: "Wang Fang", Language: "north"})
	k := h.asked(t, ticket.Draft{Title: "Disk full"})
	path, text := "/ticket/"+k.ticket.Number, "Long was I writing this.\n"+strings.Repeat("长", 5_000)+"<b>"
	filled := func(b *browser) url.Values {
		t.Helper()
		form := b.get(path).form(path + "/say")
		form.Set("content", text)
		return form
	}
	given := func(p answer, status int) url.Values {
		t.Helper()
		require.Equal(t, status, p.Status, p.Body)
		sound(t, path, p)
		require.Contains(t, words(p.one("problem")), "Long was I writing this. 长")
		require.NotContains(t, words(p.one("problem")), "form_key")
		require.Empty(t, h.read(t, k).Messages, "nothing is done")
		return p.form(path + "/say")
	}
	sent := func(b *browser, form url.Values) {
		t.Helper()
		require.Equal(t, text, strings.ReplaceAll(form.Get("content"), "\r\n", "\n"))
		require.Equal(t, http.StatusSeeOther, b.post(path+"/say", form).Status)
		require.Equal(t, http.StatusSeeOther, b.post(path+"/say", form).Status)
		require.Len(t, h.read(t, k).Messages, 1, "once, however often it is sent")
		k = h.asked(t, ticket.Draft{Title: "Another"})
		path = "/ticket/" + k.ticket.Number
	}

	// They have signed in anew in another tab.
	b := h.as(t, "shop", "li")
	form := filled(b)
	b.from("same-origin", ours)
	again := b.get("/login").form("/login")
	again.Set("code", "shop")
	again.Set("secret", "shop-secret")
	again.Set("operator", "wang")
	require.Equal(t, http.StatusSeeOther, b.post("/login", again).Status)
	p := b.post(path+"/say", form)
	back := given(p, http.StatusForbidden)
	require.Contains(t, words(p.one("problem")), "would be sent as Wang Fang now")
	sent(b, back)

	// The browser has lost its cookies: they sign in beside the page, and send it from there.
	b = h.as(t, "shop", "li")
	form = filled(b)
	clear(b.cookies)
	b.from("", ours)
	back = given(b.post(path+"/say", form), http.StatusUnauthorized)
	require.NotContains(t, b.cookies, "signalbox-held", "whose it is is not known, so the browser keeps nothing of it")
	in := h.as(t, "shop", "li")
	b.cookies = in.cookies
	sent(b, given(b.post(path+"/say", back), http.StatusForbidden))

	// Their session is over, and it is too long for a cookie.
	b = h.as(t, "shop", "li")
	form = filled(b)
	h.now = h.now.Add(13 * 3600e9)
	p = b.post(path+"/say", form)
	back = given(p, http.StatusUnauthorized)
	require.Contains(t, p.Body, `href="/login?over=1&amp;return=`)
	in = h.as(t, "shop", "li")
	b.cookies = in.cookies
	b.from("same-origin", "")
	sent(b, given(b.post(path+"/say", back), http.StatusForbidden))

	// Who they are cannot be told just now.
	b = h.as(t, "shop", "li")
	form = filled(b)
	h.apps.err = errors.New("gone")
	back = given(b.post(path+"/say", form), http.StatusServiceUnavailable)
	h.apps.err = nil
	sent(b, back)

	// They may not do it any more: they have it, and no button.
	b = h.as(t, "shop", "li")
	form = filled(b)
	h.apps.set(desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read}})
	p = b.post(path+"/say", form)
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, words(p.one("problem")), "Long was I writing this. 长")
	require.NotContains(t, p.forms(), path+"/say")
}

// TestNothingOfOthersComesBack: what another site sends in somebody's name is refused, and is nowhere on the page, nor in the browser, from where one click would send it.
func TestNothingOfOthersComesBack(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Title: "Disk full"})
	path := "/ticket/" + k.ticket.Number
	for _, c := range [][2]string{{"cross-site", "https://evil.example.net"}, {"same-site", "http://evil.example.com"}, {"", "http://evil.example.com"}, {"", "https://example.com"}, {"", "http://example.com:8080"},
		{"", "null"}, {"", ""}, {"same-origin", "http://evil.example.com"}, {"cross-site", ours}, {"none", ""}, {"", "http://example.com.evil.net"}} {
		for _, guard := range []string{"", "x", h.as(t, "shop", "evil").get(path).form("/logout").Get("csrf")} {
			forged := url.Values{"csrf": {guard}, "form_key": {"k"}, "action": {"say"}, "content": {"Give it to evil"}}
			in, out := h.as(t, "shop", "li"), h.browser(t)
			for _, b := range []*browser{in, out} {
				b.from(c[0], c[1])
				p := b.post(path+"/say", forged)
				require.Contains(t, []int{http.StatusForbidden, http.StatusSeeOther}, p.Status)
				require.NotContains(t, p.Body, "Give it to evil", "%q", c)
				require.NotContains(t, b.cookies, "signalbox-held")
				require.Equal(t, "DENY", p.Header.Get("X-Frame-Options"))
				require.Contains(t, p.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			}
		}
	}
	// Nor do secrets, wherever they come from.
	b := h.as(t, "shop", "li")
	b.from("same-origin", ours)
	for _, name := range []string{"new", "password", "teams.secret", "teams.webhook"} {
		require.NotContains(t, b.post(path+"/say", url.Values{"csrf": {"x"}, "content": {"Said"}, name: {"hunter2"}}).Body, "hunter2", name)
	}
	require.NotContains(t, b.post("/login", url.Values{"csrf": {"x"}, "code": {"shop"}, "secret": {"hunter2"}}).Body, "hunter2")
	require.Empty(t, h.read(t, k).Messages)
}

// TestAPartOfAPageStays: whoever is typing when their session ends stays on the page, and is told to sign in beside it.
func TestAPartOfAPageStays(t *testing.T) {
	h := newSite(t)
	b := h.browser(t)
	b.headers["HX-Request"] = "true"
	b.from("same-origin", ours) // of a page of ours, a whole form would come back
	for current, back := range map[string]string{"https://signalbox.example.com/ticket/IM1?x=1": "/ticket/IM1?x=1", "https://evil.example.com//evil": "/", "::": "/"} {
		b.headers["HX-Current-URL"] = current
		for _, p := range []answer{b.get("/ticket/IM1/timeline?before=3"), b.post("/editor/service/draft", url.Values{"source": {"key: typed"}})} {
			require.Equal(t, http.StatusUnauthorized, p.Status)
			require.Empty(t, p.Header.Get("HX-Redirect"))
			notice := answer{root: p.one("problem"), t: t}
			require.Equal(t, "/login?return="+url.QueryEscape(back), attr(notice.tags("a")[0], "href"))
			require.Equal(t, "_blank", attr(notice.tags("a")[0], "target"))
			require.Contains(t, words(notice.root), "still on this page")
			require.NotContains(t, p.Body, "key: typed")
		}
	}
}
