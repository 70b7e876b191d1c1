package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/ticket"
)

// leads follows every number of an overview to its list, which has as many tickets or deliveries, and tells how many there were.
func leads(t *testing.T, b *browser, p answer) (led int) {
	t.Helper()
	seen := map[string]bool{}
	for _, a := range p.tags("a") {
		path, n := attr(a, "href"), ""
		if strings.HasPrefix(path, "/deliveries?") {
			led++
			require.Contains(t, words(b.get(path).one("results")), map[bool]string{true: words(a) + " delivery ", false: words(a) + " deliveries"}[words(a) == "1"], path)
		}
		if !strings.HasPrefix(path, "/tickets?") {
			continue
		}
		led++
		if n = strings.Trim(strings.Fields(words(a))[0], "("); seen[path] {
			continue
		}
		seen[path] = true
		require.Contains(t, words(b.get(path).one("rows")), map[bool]string{true: n + " ticket ", false: n + " tickets"}[n == "1"], "%s: %s", words(a), path)
	}
	return led
}

// explained holds that every number of an overview leads somewhere, or says beside it why it does not. Percentages are of numbers that do.
func explained(t *testing.T, p answer) {
	t.Helper()
	seen := 0
	for _, n := range p.all(func(n *html.Node) bool {
		return n.Data == "td" || n.Data == "dd" || n.Data == "li" && attr(n.Parent, "class") == "figures"
	}) {
		text := words(n)
		if !regexp.MustCompile(`(^|\()[1-9]\d*\+?( |$)`).MatchString(text) || strings.HasSuffix(text, " %") {
			continue
		}
		seen++
		require.True(t, strings.Contains(text, "No list finds") || len((answer{root: n, t: t}).tags("a")) > 0, text)
	}
	require.Greater(t, seen, 15)
}

// Every number of the overview is that of the list that it leads to.
func TestTheOverviewLeadsToItsLists(t *testing.T) {
	h := newSite(t)
	day := func(back int) { h.records.now = h.now.AddDate(0, 0, -back) }
	open := func(back int, title string, draft ticket.Draft) *kept {
		day(back)
		draft.Channel, draft.App, draft.Origin, draft.Title = ticket.ChannelIssue, "shop", "x", title
		return h.records.open(t, "north", draft)
	}
	def := definition(t, leave)
	h.service(t, leave)
	again := open(11, "Again", ticket.Draft{})
	h.records.do(t, again, ticket.Command{Action: ticket.Close, Operator: me})
	day(3)
	h.records.do(t, again, ticket.Command{Action: ticket.Reopen, Operator: me})
	one := open(3, "One", ticket.Draft{})
	open(3, "Two", ticket.Draft{Service: def.Key, Definition: def})
	other := definition(t, strings.Replace(leave, "key: leave", "key: other", 1))
	open(3, "Late as well", ticket.Draft{Service: other.Key, Definition: other})
	open(0, "Three", ticket.Draft{})
	open(40, "Old", ticket.Draft{})
	done := open(2, "Done", ticket.Draft{Service: def.Key, Definition: def, Opener: "joe"})
	h.records.do(t, done, ticket.Command{Action: ticket.Approve, Operator: "ann"})
	h.records.do(t, done, ticket.Command{Action: ticket.Approve, Operator: me})
	day(1)
	h.records.do(t, one, ticket.Command{Action: ticket.Accept, Operator: "bob"})
	day(0)
	b := h.visitor(t, "shop")
	p := b.get("/overview")
	require.Equal(t, http.StatusOK, p.Status, p.Body)
	sound(t, "/overview", p)
	require.Len(t, p.all(func(n *html.Node) bool { return hasAttr(n, "data-day") }), 7)
	require.Greater(t, leads(t, b, p), 20)
	explained(t, p)
	for _, name := range []string{"Reopened", "SLA kept"} {
		cell := p.all(func(n *html.Node) bool { return attr(n, "data-label") == name && words(n) == "1" })
		require.Len(t, cell, 1, name)
	}
	figures := words(p.class("figures")[0])
	require.Contains(t, figures, "6 Open 5 Opened 1 Closed 2 Overdue 0 Stuck")
	require.Contains(t, p.section("phases"), "triggered 5 acknowledged 1")
	require.Contains(t, p.section("by-service"), "Incident 4 Leave 1 other 1", "by their names, as far as they are known")
	require.Contains(t, p.section("speed"), "Time to accept Half of them within 3 d 95 of 100 within 3 d (1 ticket)")
	require.Contains(t, p.section("speed"), "100 % 1 kept , 0 missed")

	require.Len(t, p.all(func(n *html.Node) bool { return attr(n, "class") == "table" && hasAttr(n, "open") }), 1, "a week is short")

	p = b.get("/overview?days=90&service=leave")
	require.Len(t, p.all(func(n *html.Node) bool { return attr(n, "class") == "table" && !hasAttr(n, "open") }), 1, "and three months would hide what comes behind them")
	require.Len(t, p.all(func(n *html.Node) bool { return hasAttr(n, "data-day") }), 90)
	require.Contains(t, words(p.class("figures")[0]), "1 Open 2 Opened 1 Closed")
	require.Contains(t, p.Body, "service=leave&amp;status=OPEN")
	require.Greater(t, leads(t, b, p), 15, "of one service as well")
	require.Less(t, len(p.Body), 100_000)
	for _, query := range []string{"days=8", "days=x", "service=%00"} {
		require.Equal(t, http.StatusBadRequest, b.get("/overview?"+query).Status, query)
	}
	south := h.visitor(t, "other").get("/overview")
	require.Contains(t, words(south.class("figures")[0]), "0 Open 0 Opened 0 Closed")
	b.headers["Accept-Language"] = "zh"
	require.Contains(t, b.get("/overview").section("speed"), "受理用时 一半在 3 天以内")
}

// What became of deliveries is told by day and by host, and what is owed by age; each number leads to its list.
func TestTheOverviewTellsOfDeliveries(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	p := b.get("/overview")
	require.Contains(t, p.section("deliveries"), "Nothing was delivered in these days.")
	require.Contains(t, p.section("backlog"), "Nothing waits.")
	k, _, _ := troubled(t, h)
	h.records.do(t, k, ticket.Command{Action: ticket.Relate, Operator: "bot", Relation: &ticket.Relation{Type: "host", Content: []string{"db-2"}}})
	h.records.now = h.records.now.Add(3 * time.Hour)
	h.now = h.records.now
	p = b.get("/overview")
	sound(t, "/overview", p)
	require.Contains(t, p.section("hosts"), "partner.example.com 0 1 0 %")
	require.Contains(t, p.section("hosts"), "stream.example.com")
	require.Contains(t, p.section("backlog"), "1 h to 24 h ago 2")
	require.Greater(t, leads(t, b, p), 10)
	require.Len(t, p.all(func(n *html.Node) bool { return hasAttr(n, "data-told") }), 7)
	for _, n := range p.all(func(n *html.Node) bool { return attr(n, "data-failed") != "" && attr(n, "data-failed") != "0" }) {
		require.Equal(t, began.Format(ticket.DayLayout), attr(n, "data-told"))
	}
	require.Contains(t, b.get("/overview?service=leave").section("hosts"), "partner.example.com 0 1 0 %", "they are of no service")
	require.Contains(t, h.visitor(t, "other").get("/overview").section("deliveries"), "Nothing was delivered in these days.")
	b.headers["Accept-Language"] = "zh"
	require.Contains(t, b.get("/overview").section("backlog"), "1 小时至 24 小时前 2")
}

// Days are those of the installation, also in the lists of whoever has others.
func TestDaysOfTheOverviewAreThoseOfTheInstallation(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now.Truncate(24*time.Hour).Add(20*time.Hour).AddDate(0, 0, -1) // the next day in Shanghai
	h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "Late in the day"})
	b := h.visitor(t, "shop")
	b.cookies["signalbox-look"] = "zone:Asia/Shanghai"
	p := b.get("/overview")
	require.Contains(t, words(p.one("main")), "Days are those of UTC.")
	for _, row := range p.all(func(n *html.Node) bool { return attr(n, "data-opened") == "1" }) {
		path := attr((answer{root: row, t: t}).tags("a")[0], "href")
		require.Contains(t, path, "zone=UTC")
		require.Equal(t, []string{"Late in the day"}, b.get(path).names())
	}
	require.Equal(t, http.StatusBadRequest, b.get("/tickets?zone=Nowhere").Status)
}

// What plots the figures comes from here, and takes them from the table that everybody sees.
func TestThePlotIsDrawnFromTheTable(t *testing.T) {
	h := newSite(t)
	b := h.visitor(t, "shop")
	p := b.get("/overview")
	var scripts []string
	for _, n := range p.tags("script") {
		scripts = append(scripts, attr(n, "src"))
	}
	require.Len(t, scripts, 4)
	for _, path := range scripts {
		require.Equal(t, http.StatusOK, b.get(path).Status)
	}
	table := p.one("days-table")
	require.NotEmpty(t, (answer{root: table, t: t}).all(func(n *html.Node) bool { return hasAttr(n, "data-series") }))
	require.False(t, hasAttr(table, "hidden"))
	require.True(t, hasAttr(p.class("plot")[0], "hidden"), "nothing is shown where there is no script")
}
