package console_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/api"
	"signalbox/console"
)

// site is the pages on the front desk's own server, as they are mounted in earnest.
type site struct {
	app     *fiber.App
	records *records
	apps    *apps
	now     time.Time
	log     bytes.Buffer
}

func newSite(t testing.TB, change ...func(*console.Config)) *site {
	t.Helper()
	h := &site{records: newRecords(t), apps: newApps(), now: began.Add(24 * time.Hour)}
	config := console.Config{
		Apps: h.apps, Desk: h.records, Reader: h.records, Services: h.records, Directory: h.records, Calendars: h.records, Subscriptions: h.records, Deliveries: h.records, Callers: h.records,
		Audit: h.records, Key: bytes.Repeat([]byte{7}, 32), Now: func() time.Time { return h.now },
		Log:     slog.New(slog.NewTextHandler(&h.log, nil)),
		Address: func(c *fiber.Ctx) string { return c.Get("X-Test-Address", "192.0.2.1") },
	}
	for _, f := range change {
		f(&config)
	}
	c, err := console.New(config)
	require.NoError(t, err)
	proxies := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}
	h.app = api.New(api.Config{TrustedProxies: proxies}, nil, nil, slog.New(slog.DiscardHandler)).App()
	c.Mount(h.app)
	return h
}

// browser keeps cookies as a browser does, and follows nothing by itself.
type browser struct {
	t       testing.TB
	app     *fiber.App
	cookies map[string]string
	headers map[string]string
}

func (h *site) browser(t testing.TB) *browser {
	return &browser{t: t, app: h.app, cookies: map[string]string{}, headers: map[string]string{}}
}

// visitor gives a browser that has signed in.
func (h *site) visitor(t testing.TB, code string) *browser {
	t.Helper()
	b := h.browser(t)
	p := b.signIn(code, code+"-secret", "/tickets")
	require.Equal(t, http.StatusSeeOther, p.Status, p.Body)
	return b
}

type answer struct {
	Status  int
	Header  http.Header
	Cookies []*http.Cookie
	Body    string
	t       testing.TB
	root    *html.Node
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.send(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *browser) post(path string, form url.Values) answer {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

func (b *browser) send(r *http.Request) answer {
	b.t.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name, value := range b.headers {
		r.Header.Set(name, value)
	}
	response, err := b.app.Test(r, -1)
	require.NoError(b.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	for _, c := range response.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(began) {
			delete(b.cookies, c.Name)
		}
	}
	a := answer{Status: response.StatusCode, Header: response.Header, Cookies: response.Cookies(), Body: string(body), t: b.t}
	a.root, err = html.Parse(bytes.NewReader(body))
	require.NoError(b.t, err)
	return a
}

// signIn opens the form and sends it.
func (b *browser) signIn(code, secret, back string) answer {
	b.t.Helper()
	form := b.get("/login?return=" + url.QueryEscape(back)).form("/login")
	form.Set("code", code)
	form.Set("secret", secret)
	form.Set("operator", "Wang 小明")
	return b.post("/login", form)
}

// all gives the elements that a test of them is true of.
func (a answer) all(is func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	for n := range a.root.Descendants() {
		if n.Type == html.ElementNode && is(n) {
			out = append(out, n)
		}
	}
	return out
}

func (a answer) tags(tag string) []*html.Node {
	return a.all(func(n *html.Node) bool { return n.Data == tag })
}

func (a answer) class(class string) []*html.Node {
	return a.all(func(n *html.Node) bool { return strings.Contains(" "+attr(n, "class")+" ", " "+class+" ") })
}

// one gives the element with an id.
func (a answer) one(id string) *html.Node {
	a.t.Helper()
	found := a.all(func(n *html.Node) bool { return attr(n, "id") == id })
	require.Len(a.t, found, 1, "%s in %s", id, a.Body)
	return found[0]
}

// section gives the words of the card under a heading.
func (a answer) section(heading string) string {
	a.t.Helper()
	return words(a.one(heading).Parent)
}

// form gives what the form that goes to an address would send as it is.
func (a answer) form(action string) url.Values {
	a.t.Helper()
	out := url.Values{}
	for _, form := range a.tags("form") {
		if attr(form, "action") != action {
			continue
		}
		for n := range form.Descendants() {
			if n.Data == "input" {
				out.Set(attr(n, "name"), attr(n, "value"))
			}
		}
		return out
	}
	require.Fail(a.t, "there is no form to "+action, a.Body)
	return nil
}

// filled gives what the form that goes to an address would send: as form does, but of selects and text areas too, and of boxes only where they are ticked.
func (a answer) filled(action string) url.Values {
	a.t.Helper()
	out := url.Values{}
	for _, form := range a.tags("form") {
		if attr(form, "action") != action || attr(form, "method") != "post" {
			continue
		}
		for n := range form.Descendants() {
			name := attr(n, "name")
			switch {
			case name == "":
			case n.Data == "input" && attr(n, "type") == "checkbox":
				if hasAttr(n, "checked") {
					out.Add(name, attr(n, "value"))
				}
			case n.Data == "input":
				out.Add(name, attr(n, "value"))
			case n.Data == "textarea":
				out.Add(name, raw(n))
			case n.Data == "select":
				var options []*html.Node
				for o := range n.Descendants() {
					if o.Data == "option" {
						options = append(options, o)
					}
				}
				chosen := options[0]
				for _, o := range options {
					if hasAttr(o, "selected") {
						chosen = o
					}
				}
				if hasAttr(chosen, "value") {
					out.Add(name, attr(chosen, "value"))
				} else {
					out.Add(name, words(chosen))
				}
			}
		}
		return out
	}
	require.Fail(a.t, "there is no form to "+action, a.Body)
	return nil
}

// forms gives the addresses that a page's forms are sent to.
func (a answer) forms() (actions []string) {
	for _, form := range a.tags("form") {
		if attr(form, "method") == "post" {
			actions = append(actions, attr(form, "action"))
		}
	}
	return actions
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// raw gives the text of an element as it stands.
func raw(n *html.Node) (out string) {
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out += d.Data
		}
	}
	return out
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words gives the text of an element, with single blanks.
func words(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func (h *site) clock() time.Time { return h.now }
