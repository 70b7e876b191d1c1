package console_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/console"
	"signalbox/desk"
	"signalbox/ticket"
)

// names gives the titles of the tickets that a page of the list has, in their order.
func (a answer) names() []string {
	a.t.Helper()
	require.Equal(a.t, http.StatusOK, a.Status, a.Body)
	out := []string{}
	for _, n := range a.class("name") {
		out = append(out, words(n))
	}
	return out
}

func TestListFiltersAndPages(t *testing.T) {
	h, inc, buy, _ := sampled(t)
	h.records.do(t, buy, ticket.Command{Action: ticket.Terminate, Operator: "boss"})
	b := h.visitor(t, "shop")
	rows := func(query string) []string { return b.get("/tickets?" + query).names() }
	first := rows("")
	require.Len(t, first, 50)
	require.Equal(t, "Disk 59", first[0], "newest first")
	require.Equal(t, []string{buy.ticket.Title}, rows("status=CLOSED"))
	require.Equal(t, rows("status=CLOSED"), rows("phase=terminated&status=&q=&assignee="))
	require.Equal(t, []string{inc.ticket.Title}, rows("phase=acknowledged&status=OPEN&q=payment"))
	require.Empty(t, rows("q=nothing+like+it"))

	p := b.get("/tickets?status=OPEN&phase=triggered&q=Disk")
	require.Contains(t, words(p.one("rows")), "60 tickets", "of all pages")
	next := attr(p.all(func(n *html.Node) bool { return attr(n, "rel") == "next" })[0], "href")
	require.Regexp(t, `^/tickets\?cursor=[^&]+&phase=triggered&q=Disk&status=OPEN$`, next)
	second := b.get(next)
	require.Len(t, second.names(), 10)
	require.Contains(t, words(second.one("rows")), "60 tickets")
	require.Equal(t, "/tickets?phase=triggered&q=Disk&status=OPEN", attr(second.class("pager")[0].FirstChild, "href"))
	require.Equal(t, "Disk", attr(second.one("q"), "value"))
	for _, query := range []string{"status=open", "phase=x", "cursor=x", "q=" + strings.Repeat("x", 256), "q=%00", "q=%zz", "q=%ff", "sort=x", "sla=x", "overdue=2", "created=x", "ended_from=yesterday",
		"due_to=2026-02-30", "relation_type=order", "created_from=2026-11-24T00:00:00Z"} {
		bad := b.get("/tickets?" + query)
		require.Equal(t, http.StatusBadRequest, bad.Status, query)
		name, _, _ := strings.Cut(query, "=")
		require.True(t, strings.Contains(query, "%zz") || name == "relation_type" || strings.Contains(words(bad.one("problem")), name), "%s names its field: %s", query, words(bad.one("problem")))
	}
}

// Each filter finds what it says and nothing else, alone and in the address of the form.
func TestEachFilterOfTheList(t *testing.T) {
	h := newSite(t)
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	at := func(text string) time.Time {
		day, err := time.ParseInLocation("2006-01-02 15:04", text, shanghai)
		require.NoError(t, err)
		return day
	}
	h.now = at("2026-11-26 12:00") // a Thursday
	open := func(when, title string, change func(*ticket.Draft)) *kept {
		h.records.now = at(when)
		d := ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: title}
		if change != nil {
			change(&d)
		}
		return h.records.open(t, "north", d)
	}
	open("2026-11-22 23:30", "Sunday", func(d *ticket.Draft) { d.Origin, d.Opener = "mail", "ann" })
	open("2026-11-23 00:00", "Monday", func(d *ticket.Draft) { d.Assignee, d.Followers = "bob", []string{"joe"} })
	open("2026-11-26 08:00", "Today", func(d *ticket.Draft) { d.Tags = []string{"net"} })
	open("2026-11-26 09:00", "Order", func(d *ticket.Draft) {
		d.Relations = []ticket.Relation{{Type: "order", Content: []string{"SO-1"}}}
	})
	open("2026-11-26 09:01", "Invoice", func(d *ticket.Draft) {
		d.Relations = []ticket.Relation{{Type: "invoice", Content: []string{"SO-1"}}}
	})
	open("2026-11-26 07:00", "Late", func(d *ticket.Draft) { def := definition(t, leave); d.Service, d.Definition = def.Key, def })
	open("2026-11-26 11:00", "In time", func(d *ticket.Draft) { def := definition(t, leave); d.Service, d.Definition = def.Key, def })
	old := open("2026-11-20 08:00", "Ended last week", nil)
	h.records.now = at("2026-11-21 08:00")
	h.records.do(t, old, ticket.Command{Action: ticket.Close, Operator: "me"})
	done := open("2026-11-20 09:00", "Ended this week", nil)
	h.records.now = at("2026-11-24 08:00")
	h.records.do(t, done, ticket.Command{Action: ticket.Close, Operator: "me"})

	b := h.visitor(t, "shop")
	b.cookies["signalbox-look"] = "zone:Asia/Shanghai"
	for query, want := range map[string][]string{
		"origin=mail":                          {"Sunday"},
		"opener=ann":                           {"Sunday"},
		"assignee=bob":                         {"Monday"},
		"follower=joe":                         {"Monday"},
		"tag=net":                              {"Today"},
		"related=SO-1":                         {"Invoice", "Order"},
		"related=SO-1&relation_type=order":     {"Order"},
		"service=leave":                        {"In time", "Late"},
		"waiting_for=ann":                      {"In time", "Late"},
		"overdue=1":                            {"Late"},
		"created=today&status=OPEN":            {"In time", "Invoice", "Order", "Today", "Late"},
		"created=week&assignee=bob":            {"Monday"},
		"created=week&origin=mail":             {},
		"created_to=2026-11-22&status=OPEN":    {"Sunday"},
		"created_from=2026-11-23&assignee=bob": {"Monday"},
		"created_from=2026-11-22&created_to=2026-11-23&sort=updated": {"Sunday", "Monday"},
		"status=CLOSED&ended=week":                                   {"Ended this week"},
		"status=CLOSED&ended_to=2026-11-21":                          {"Ended last week"},
		"status=CLOSED&ended_from=2026-11-21&ended_to=2026-11-24":    {"Ended this week", "Ended last week"},
		"updated_to=2026-11-21":                                      {"Ended last week"},
		"due_to=2026-11-26&sort=due":                                 {"Late", "In time"},
		"due_from=2026-11-27":                                        {},
		"sort=due&service=leave":                                     {"Late", "In time"},
		"sort=updated&status=CLOSED":                                 {"Ended last week", "Ended this week"},
		"sort=-updated&status=CLOSED":                                {"Ended this week", "Ended last week"},
		"unassigned=1&origin=mail":                                   {"Sunday"},
		"unassigned=1&assignee=bob":                                  {},
	} {
		p := b.get("/tickets?" + query)
		require.ElementsMatch(t, want, p.names(), query)
		if strings.Contains(query, "sort") {
			require.Equal(t, want, p.names(), query)
		}
		require.Contains(t, words(p.one("rows")), fmt.Sprintf("%d ticket", len(want)), "%s: the total", query)
		// The form has what was asked for, so that the next thing that is asked for is asked for as well.
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		for name := range values {
			field := p.one(name)
			value := attr(field, "value")
			if field.Data == "select" {
				for o := range field.Descendants() {
					if o.Data == "option" && hasAttr(o, "selected") {
						value = attr(o, "value")
					}
				}
			}
			require.Equal(t, values.Get(name), value, query)
			require.True(t, attr(field, "type") != "checkbox" || hasAttr(field, "checked"), query)
		}
	}
	require.Equal(t, []string{"Monday", "Sunday"}, b.get("/tickets?created_from=2026-11-22&created_to=2026-11-23").names())
	b.cookies["signalbox-look"] = "zone:UTC"
	require.Equal(t, []string{"Monday", "Sunday"}, b.get("/tickets?created_from=2026-11-22&created_to=2026-11-22").names(), "days are those of whoever looks")

	// What everybody has, and where it is.
	p := b.get("/tickets?overdue=1&sort=due")
	require.Equal(t, "Overdue", words(p.all(func(n *html.Node) bool { return hasAttr(n, "aria-current") && attr(n.Parent, "id") == "views" })[0]))
	for _, n := range p.all(func(n *html.Node) bool { return attr(n.Parent, "id") == "views" }) {
		view := b.get(attr(n, "href"))
		require.Equal(t, http.StatusOK, view.Status)
		require.Equal(t, words(n), words(view.all(func(n *html.Node) bool { return hasAttr(n, "aria-current") && attr(n.Parent, "id") == "views" })[0]))
	}
}

// The list is sorted by what it shows: each time has a column, and the head of the one that it is sorted by says so.
func TestTheListSaysWhatItIsSortedBy(t *testing.T) {
	h, _, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	for sort, want := range map[string]string{"": "Opened", "due": "SLA due", "updated": "Updated", "-updated": "Updated"} {
		p := b.get("/tickets?sort=" + sort)
		heads := p.all(func(n *html.Node) bool { return hasAttr(n, "aria-sort") })
		require.Len(t, heads, 1, sort)
		require.Contains(t, words(heads[0]), want)
		require.Equal(t, map[bool]string{true: "ascending", false: "descending"}[sort == "due" || sort == "updated"], attr(heads[0], "aria-sort"))
	}
	require.Contains(t, b.get("/tickets?status=OPEN").Body, `href="/tickets?sort=due&amp;status=OPEN"`, "heads lead to the same list in another order")
}

// Whatever field of the filter changes, the list is asked for: not the first of its selects alone. And what comes by itself is nothing that anybody types into.
func TestTheListComesByItself(t *testing.T) {
	h, _, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	p := b.get("/tickets?status=OPEN")
	form := p.class("filter")[0]
	require.Contains(t, strings.Split(attr(form, "hx-trigger"), ", "), "change", "changes come up to the form from all of its fields")
	for _, field := range p.all(func(n *html.Node) bool { return n.Data == "select" || n.Data == "input" && attr(n, "type") != "hidden" }) {
		in := false
		for up := field; up != nil; up = up.Parent {
			in = in || up == form || attr(up, "class") == "keep"
		}
		require.True(t, in, attr(field, "name"))
	}
	live := p.one("rows")
	require.Empty(t, (answer{root: live, t: t}).all(func(n *html.Node) bool {
		return n.Data == "input" || n.Data == "select" || n.Data == "textarea" || n.Data == "details"
	}))
	path := attr(live, "hx-get")
	same := b.get(path)
	require.Equal(t, http.StatusNoContent, same.Status)
	require.Empty(t, same.Body)
	h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "Just now"})
	other := b.get(path)
	require.Equal(t, "Just now", other.names()[0])
	require.NotEqual(t, path, attr(other.one("rows"), "hx-get"))

	b.headers["HX-Request"] = "true"
	require.Equal(t, "/tickets?q=Disk", b.get("/tickets?q=Disk&status=&phase=&assignee=").Header.Get("HX-Push-Url"), "an address to keep")
	require.Empty(t, b.get(path).Header.Get("HX-Push-Url"))
}

// The list as a file: all of its pages, in its order, with nothing in it that a spreadsheet would work out.
func TestTheListIsTakenAlong(t *testing.T) {
	h, inc, _, _ := sampled(t)
	for _, title := range []string{`=HYPERLINK("http://evil")`, "+1", "-1", "@SUM(A1)", "＝1", `plain, "quoted"`} {
		h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "file", Title: title})
	}
	b := h.visitor(t, "shop")
	read := func(query string) [][]string {
		p := b.get("/tickets.csv?" + query)
		require.Equal(t, http.StatusOK, p.Status)
		require.Equal(t, "text/csv; charset=utf-8", p.Header.Get("Content-Type"))
		require.Equal(t, `attachment; filename="tickets-2026-11-25.csv"`, p.Header.Get("Content-Disposition"))
		rest, marked := strings.CutPrefix(p.Body, "\uFEFF")
		require.True(t, marked, "spreadsheets take it for UTF-8")
		lines, err := csv.NewReader(strings.NewReader(rest)).ReadAll()
		require.NoError(t, err)
		return lines
	}
	lines := read("origin=file&sort=updated")
	require.Equal(t, []string{"Number", "Title", "Status", "Phase"}, lines[0][:4])
	var titles []string
	for _, l := range lines[1:] {
		require.Len(t, l, len(lines[0]))
		titles = append(titles, l[1])
	}
	require.Equal(t, []string{`'=HYPERLINK("http://evil")`, "'+1", "'-1", "'@SUM(A1)", "'＝1", `plain, "quoted"`}, titles)
	require.Len(t, read("q=Disk"), 61, "of all pages")
	one := read("q=payment")
	require.Equal(t, []string{inc.ticket.Number, inc.ticket.Title, "OPEN", "acknowledged"}, one[1][:4])
	require.Contains(t, one[1], "2026-11-24T09:15:04Z")
	b.headers["Accept-Language"] = "zh"
	b.cookies["signalbox-look"] = "zone:Asia/Shanghai"
	one = read("q=payment")
	require.Equal(t, []string{"编号", "标题", "状态", "阶段"}, one[0][:4])
	require.Equal(t, "处理中", one[1][3])
	require.Contains(t, one[1], "2026-11-24T17:15:04+08:00")
	require.Equal(t, http.StatusBadRequest, b.get("/tickets.csv?status=x").Status)
	require.Len(t, h.visitor(t, "other").get("/tickets.csv").Body, len("\uFEFF"+strings.Join(lines[0], ",")+"\r\n"), "of another tenant nothing")
}

// endless is a read model with a list that never ends.
type endless struct {
	*records
	one ticket.Ticket
}

func (e endless) Tickets(_ context.Context, _ string, f ticket.Filter) (out ticket.Page, err error) {
	for range f.Limit {
		out.Items = append(out.Items, e.one)
	}
	out.Next = "x"
	return out, nil
}

// A file has an end, which says that there is more.
func TestALongListIsCutWithAWord(t *testing.T) {
	var reader endless
	h := newSite(t, func(c *console.Config) { reader.records = c.Reader.(*records); c.Reader = &reader })
	reader.one = h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "One of many"}).ticket
	p := h.visitor(t, "shop").get("/tickets.csv")
	require.Equal(t, http.StatusOK, p.Status)
	lines := strings.Split(strings.TrimSuffix(p.Body, "\r\n"), "\r\n")
	require.Len(t, lines, 1+10_000+1)
	require.Contains(t, lines[10_000], "One of many")
	require.Equal(t, `"Only the first 10000 tickets are in this file. Add filters to have the others."`, `"`+strings.Trim(lines[10_001], `"`)+`"`)
}

// links gives the labels of the views and where they lead, in their order.
func (a answer) views() (labels []string, path map[string]string) {
	path = map[string]string{}
	for _, n := range a.all(func(n *html.Node) bool { return attr(n.Parent, "id") == "views" }) {
		labels = append(labels, words(n))
		path[words(n)] = attr(n, "href")
	}
	return labels, path
}

func TestListsAreKeptAsViews(t *testing.T) {
	h, _, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	common, _ := b.get("/tickets").views()
	require.Equal(t, []string{"All", "Open", "Stuck", "Overdue", "Unassigned", "Closed this week"}, common)
	keep := func(b *browser, query string, form url.Values) answer {
		p := b.get("/tickets?" + query)
		sent := p.form("/tickets/views")
		sent.Del("shared")
		for name, value := range form {
			sent[name] = value
		}
		return b.post("/tickets/views", sent)
	}
	sent := keep(b, "q=Disk&status=OPEN&phase=", url.Values{"name": {" Disks <b> "}})
	require.Equal(t, http.StatusSeeOther, sent.Status, sent.Body)
	require.Equal(t, "/tickets?q=Disk&status=OPEN", sent.Header.Get("Location"))
	p := b.get(sent.Header.Get("Location"))
	sound(t, "view", p)
	require.Contains(t, words(p.one("notice")), "The view Disks <b> is kept.")
	labels, path := p.views()
	require.Equal(t, append(common, "Disks <b>"), labels)
	require.Equal(t, "/tickets?q=Disk&status=OPEN", path["Disks <b>"])
	require.Equal(t, http.StatusSeeOther, keep(b, "tag=net", url.Values{"name": {"Net"}, "shared": {"1"}}).Status)

	for name, says := range map[string]string{"Disks <b>": "There is a view of that name already.", "": "Needs a name", strings.Repeat("x", 101): "Needs a name", "a\x00": "Needs a name"} {
		bad := keep(b, "sort=due&tag=other", url.Values{"name": {name}})
		require.Equal(t, http.StatusBadRequest, bad.Status, name)
		require.Contains(t, words(bad.one("keep-name-problem")), says)
		require.Equal(t, strings.TrimSpace(name), strings.ReplaceAll(attr(bad.one("keep-name"), "value"), "\uFFFD", "\x00"), "what was typed is still there")
		require.Equal(t, "/tickets?sort=due&tag=other", "/tickets?"+bad.form("/tickets/views").Get("query"))
	}
	require.Equal(t, http.StatusBadRequest, keep(b, "q=x", url.Values{"name": {"x"}, "query": {"status=nonsense"}}).Status)

	// Somebody else of the tenant has what is everybody's, and another tenant nothing.
	other := h.browser(t)
	form := other.get("/login").form("/login")
	for name, value := range map[string]string{"code": "shop", "secret": "shop-secret", "operator": "ann"} {
		form.Set(name, value)
	}
	require.Equal(t, http.StatusSeeOther, other.post("/login", form).Status)
	labels, _ = other.get("/tickets").views()
	require.Equal(t, append(common, "Net (everybody’s)"), labels)
	labels, _ = h.visitor(t, "other").get("/tickets").views()
	require.Equal(t, common, labels)

	change := func(b *browser, at, do, name string) answer {
		p := b.get(at)
		for _, f := range p.tags("form") {
			if action := attr(f, "action"); strings.HasPrefix(action, "/tickets/views/") {
				sent := p.form(action)
				sent.Set("do", do)
				sent.Set("name", name)
				return b.post(action, sent)
			}
		}
		require.Fail(t, "no form", p.Body)
		return answer{}
	}
	bad := change(b, "/tickets?tag=net", "rename", "")
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.one("view-name-problem")), "Needs a name")
	require.Equal(t, http.StatusSeeOther, change(other, "/tickets?tag=net", "rename", "Network").Status)
	labels, path = b.get("/tickets").views()
	require.Equal(t, append(common, "Disks <b>", "Network (everybody’s)"), labels)
	require.Equal(t, "/tickets?tag=net", path["Network (everybody’s)"])
	// What is somebody's own nobody else changes.
	mine := attr(b.get("/tickets?q=Disk&status=OPEN").all(func(n *html.Node) bool { return strings.HasPrefix(attr(n, "action"), "/tickets/views/") })[0], "action")
	theirs := other.get("/tickets?tag=net").form("/logout")
	theirs.Set("do", "delete")
	require.Equal(t, http.StatusNotFound, other.post(mine, theirs).Status)
	require.Equal(t, http.StatusSeeOther, change(b, "/tickets?q=Disk&status=OPEN", "delete", "").Status)
	require.Equal(t, http.StatusSeeOther, change(b, "/tickets?tag=net", "delete", "").Status)
	labels, _ = other.get("/tickets").views()
	require.Equal(t, common, labels)
	h.apps.set(desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read}})
	require.Empty(t, b.get("/tickets?tag=net").class("keep"), "whoever may only read keeps nothing")
}

// What cannot go on says why, since when, and what helps.
func TestWhatIsStuckIsAList(t *testing.T) {
	h := newSite(t)
	h.records.now = began
	nobody := h.askedFor(t, `
key: alone
name: Alone
nodes:
  - {id: vote, name: Boss, type: approval, rule: any, processors: {fields: [boss]}, next: over}
  - {id: over, name: Over, type: end}
fields: [{key: boss, type: MEMBER}]
`, "Nobody there")
	few := h.askedFor(t, `
key: few
name: Few
nodes:
  - {id: vote, name: Board, type: approval, rule: n-of-m, n: 3, processors: {persons: [ann, bob], opener: true}, next: over}
  - {id: over, name: Over, type: end}
`, "Too few", func(d *ticket.Draft) { d.Opener = "ann" })
	h.askedFor(t, leave, "Well")
	doubtful := h.askedFor(t, leave, "Doubtful")
	require.NoError(t, h.records.Ledger().Doubt(t.Context(), doubtful.ticket.Identity, "event 7 is another"))
	_ = nobody
	b := h.visitor(t, "shop")
	p := b.get("/tickets?sort=stuck&stuck=any")
	sound(t, "stuck", p)
	require.ElementsMatch(t, []string{"Nobody there", "Too few", "Doubtful"}, p.names())
	rows := words(p.one("rows"))
	require.Regexp(t, `Boss : Nobody is asked since 24 h ago Ask somebody: reassign it`, rows)
	require.Regexp(t, `Board : Too few can vote \(3 must approve, and 2 can vote\) since`, rows)
	require.Regexp(t, `contradict each other: event 7 is another since .* Takes no changes until an operator runs migrate reconcile -ticket `+doubtful.ticket.Number, rows)
	require.Contains(t, p.Body, `href="/ticket/`+few.ticket.Number+`#now"`)
	require.Equal(t, []string{"Too few"}, b.get("/tickets?stuck=too_few").names())
	require.Contains(t, words(b.get("/tickets").one("rows")), "Too few can vote", "every list says so")
	b.headers["Accept-Language"] = "zh"
	require.Contains(t, words(b.get("/tickets?stuck=too_few").one("rows")), "可投票的人太少")
}

// A filter that cannot be used is shown as it was asked for, with what is wrong beside its field.
func TestAFilterThatCannotBeUsedComesBack(t *testing.T) {
	h, _, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	for query, field := range map[string]string{"created_from=yesterday": "created_from", "status=x": "status", "sla=fine": "sla", "overdue=2": "overdue", "relation_type=order": "related",
		"node=a": "service", "reopened_to=2026-13-01": "reopened_to", "ended=ever": "ended", "origin=" + strings.Repeat("x", 300): "origin"} {
		p := b.get("/tickets?tag=net&" + query)
		require.Equal(t, http.StatusBadRequest, p.Status, query)
		require.Equal(t, "net", attr(p.one("tag"), "value"), "what else was asked for is kept")
		name, value, _ := strings.Cut(query, "=")
		if in := p.one(name); in.Data == "input" && attr(in, "type") != "checkbox" {
			require.Equal(t, value, attr(in, "value"))
		}
		require.NotEmpty(t, words(p.one(field+"-wrong")), query)
		require.True(t, field == "overdue" || attr(p.one(field), "aria-invalid") == "true", query)
		require.Equal(t, "alert", attr(p.one("problem"), "role"))
		require.Empty(t, p.all(func(n *html.Node) bool { return attr(n, "id") == "rows" }), "nothing is listed")
	}
	b.headers["Accept-Language"] = "zh"
	require.Regexp(t, `\p{Han}`, words(b.get("/tickets?status=x").one("status-wrong")))
}
