package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/console"
	"signalbox/console/mailbox"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

const temporal = "https://temporal.example.com/ui/"

// sampled is a site with tickets of every kind in it, and links to wherever there can be links to.
func sampled(t testing.TB) (h *site, inc, buy, evil *kept) {
	h = newSite(t, func(c *console.Config) {
		c.TemporalUI, c.Namespace = temporal, "a b"
		c.TicketWorkflow = func(number string, generation int) string { return fmt.Sprintf("ticket:%s/%d", number, generation) }
		c.LaneWorkflow = func(l notice.Lane) string { return "lane:" + l.String() }
		c.Mailbox = func() []mailbox.Mail {
			return []mailbox.Mail{{At: began, To: "ada@example.com", Subject: "An earlier one", Text: "text"}, {At: began, To: "bob@example.com", Subject: "<b>A later one</b>", Text: "You are asked\r\nhttps://x"}}
		}
	})
	inc, buy, evil = incident(t, h.records), purchase(t, h.records), hostile(t, h.records)
	told(t, h.records)
	for i := range 60 {
		h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "monitoring", Title: fmt.Sprintf("Disk %02d", i)})
	}
	return h, inc, buy, evil
}

func at(k *kept) string { return "/ticket/" + k.ticket.Number }

// address is the page of the first address that is told of a ticket.
func (h *site) address(t testing.TB, k *kept) string {
	t.Helper()
	registered, _, err := h.records.Registered(t.Context(), k.ticket.ID, "", ticket.MaxPage)
	require.NoError(t, err)
	return at(k) + "/deliveries/" + registered[0].ID
}

// Every page that can be reached by links is there, and keeps to what a page of ours must be.
func TestEveryLinkLeadsToASoundPage(t *testing.T) {
	h, _, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	seen, queue := map[string]bool{}, []string{"/", "/tickets", "/login"}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if path, _, _ = strings.Cut(path, "#"); seen[path] {
			continue
		}
		seen[path] = true
		p := b.get(path)
		if to := p.Header.Get("Location"); to != "" {
			queue = append(queue, to)
			continue
		}
		if strings.HasPrefix(path, "/openapi/") {
			continue // the API serves them
		}
		if strings.Contains(path, "/live?") || strings.Contains(path, "seen=") {
			require.Equal(t, http.StatusNoContent, p.Status, "%s: nothing has changed", path)
			continue
		}
		require.Equal(t, http.StatusOK, p.Status, path)
		require.Equal(t, "nosniff", p.Header.Get("X-Content-Type-Options"), path)
		require.Regexp(t, "frame-ancestors '(none|self)'", p.Header.Get("Content-Security-Policy"), path)
		if strings.HasPrefix(path, "/console/assets/") {
			require.Equal(t, "public, max-age=31536000, immutable", p.Header.Get("Cache-Control"))
			continue
		}
		if strings.HasSuffix(path, "/diagram.svg") {
			require.Equal(t, "no-cache", p.Header.Get("Cache-Control"), path)
			continue
		}
		require.Equal(t, "no-store", p.Header.Get("Cache-Control"), path)
		if !strings.Contains(p.Header.Get("Content-Type"), "text/html") {
			continue
		}
		queue = append(queue, sound(t, path, p)...)
	}
	for _, part := range []string{"cursor=", "/timeline?before=", "/timeline", "/conversation", "/relations?", "/deliveries/", "/mailbox", "/diagram.svg", "/docs/itsm/", "console.css", "htmx.min.js"} {
		require.True(t, func() bool {
			for path := range seen {
				if strings.Contains(path, part) {
					return true
				}
			}
			return false
		}(), "no link led to %s", part)
	}
}

// sound checks a page and gives the links to other pages of ours.
func sound(t *testing.T, path string, p answer) (links []string) {
	t.Helper()
	policy := p.Header.Get("Content-Security-Policy")
	require.True(t, strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';"), policy)
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, "DENY", p.Header.Get("X-Frame-Options"))
	require.Equal(t, "same-origin", p.Header.Get("Referrer-Policy"))
	require.Len(t, p.tags("h1"), 1, path)
	require.NotEmpty(t, words(p.tags("title")[0]))
	ids, level := map[string]bool{}, 1
	for _, n := range p.all(func(*html.Node) bool { return true }) {
		if n.Data == "script" {
			require.NotEmpty(t, attr(n, "src"), "%s: an inline script", path)
			require.Nil(t, n.FirstChild)
		}
		require.NotEqual(t, "style", n.Data, path)
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			next := int(n.Data[1] - '0')
			require.LessOrEqual(t, next, level+1, "%s: a heading skips a level: %s", path, words(n))
			level = next
		}
		for _, a := range n.Attr {
			require.NotEqual(t, "style", a.Key, path)
			require.False(t, strings.HasPrefix(a.Key, "on"), "%s: %s", path, a.Key)
			switch a.Key {
			case "id":
				require.False(t, ids[a.Val], "%s: the id %s is there twice", path, a.Val)
				ids[a.Val] = true
			case "href", "src", "action", "hx-get":
				switch {
				case strings.HasPrefix(a.Val, temporal), strings.HasPrefix(a.Val, "data:image/svg+xml;base64,"):
				case strings.HasPrefix(a.Val, "#"):
				case strings.HasPrefix(path, "/docs/") && attr(n, "rel") == "noreferrer": // what the documents refer to
				default:
					require.Regexp(t, `^/([a-z]|$)`, a.Val, "%s: %s leads away", path, a.Key)
					if n.Data != "form" || attr(n, "method") != "post" {
						links = append(links, a.Val)
					}
				}
			}
		}
	}
	for _, n := range p.all(func(n *html.Node) bool { return strings.HasPrefix(attr(n, "href"), "#") }) {
		require.True(t, ids[attr(n, "href")[1:]], "%s: there is no %s", path, attr(n, "href"))
	}
	for _, n := range p.all(func(n *html.Node) bool {
		return (n.Data == "input" && attr(n, "type") != "hidden") || n.Data == "select"
	}) {
		labels := p.all(func(l *html.Node) bool { return l.Data == "label" && attr(l, "for") == attr(n, "id") })
		require.Len(t, labels, 1, "%s: %s has no label", path, attr(n, "name"))
	}
	for _, n := range p.tags("time") {
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`, attr(n, "datetime"))
		require.Regexp(t, ` UTC$`, attr(n, "title"))
	}
	return links
}

// TestTheMailboxShowsWhatWouldBeMailed, the newest first, to whoever has signed in; where there is none it is no page.
func TestTheMailboxShowsWhatWouldBeMailed(t *testing.T) {
	h, _, _, _ := sampled(t)
	p := h.visitor(t, "shop").get("/mailbox")
	require.Equal(t, http.StatusOK, p.Status)
	later, earlier := strings.Index(p.Body, "&lt;b&gt;A later one&lt;/b&gt;"), strings.Index(p.Body, "An earlier one")
	require.Positive(t, later)
	require.Less(t, later, earlier)
	require.Contains(t, p.Body, "bob@example.com")
	plain := newSite(t)
	require.Equal(t, http.StatusNotFound, plain.visitor(t, "shop").get("/mailbox").Status)
	require.NotContains(t, plain.visitor(t, "shop").get("/tickets").Body, "/mailbox")
}

func TestHostileTextsAreOnlyShown(t *testing.T) {
	h, _, _, evil := sampled(t)
	b := h.visitor(t, "shop")
	for _, path := range []string{"/tickets?phase=suspended", at(evil), at(evil) + "/timeline", at(evil) + "/conversation", h.address(t, evil), at(evil) + "/relations?type=.."} {
		p := b.get(path)
		require.Equal(t, http.StatusOK, p.Status, path)
		sound(t, path, p)
		require.Len(t, p.tags("script"), 2, path)
		require.NotContains(t, p.Body, "\u202e", path)
		require.NotContains(t, p.Body, "\u2067", path)
		require.NotContains(t, p.Body, "\x1b", path)
		require.Contains(t, words(p.root), `"><script>alert('x')</script><img src=x onerror=alert(1)>`, path)
	}
	p := b.get(at(evil))
	require.Contains(t, words(p.tags("title")[0]), "invoice[U+202E]gpj.exe")
	require.Contains(t, p.section("later"), "javascript:alert(1) [U+2067]right[U+2069]")
	require.Contains(t, p.section("description"), "␛[31m")
	require.Empty(t, p.all(func(n *html.Node) bool { return strings.HasPrefix(strings.TrimSpace(attr(n, "href")), "javascript") }))
	require.NotContains(t, p.Body, "whsec_")
	require.Contains(t, b.get("/tickets?q="+url.QueryEscape(`"><script>`)).Body, "&#34;&gt;&lt;script&gt;")
}

func TestAnAppSeesItsTenantAlone(t *testing.T) {
	h, inc, _, _ := sampled(t)
	b := h.visitor(t, "other")
	require.Contains(t, words(b.get("/tickets").one("results")), "There are no tickets yet.")
	theirs := h.visitor(t, "shop")
	address := strings.TrimPrefix(h.address(t, inc), at(inc))
	for _, under := range []string{"", "/", "/timeline", "/conversation", "/relations?type=order", address, "/diagram.svg"} {
		p := b.get(at(inc) + under)
		require.Equal(t, http.StatusNotFound, p.Status, under)
		require.NotContains(t, p.Body, inc.ticket.Title)
		require.Equal(t, words(theirs.get("/ticket/none"+under).one("main")), words(p.one("main")), "as if it were not there: %s", under)
	}
	require.Equal(t, http.StatusNotFound, b.get("/ticket/"+inc.ticket.UUID).Status)
	mine := h.records.open(t, "south", ticket.Draft{Channel: ticket.ChannelIssue, App: "other", Origin: "x", Title: "Ours"})
	require.Equal(t, http.StatusOK, b.get(at(mine)).Status)
	require.Equal(t, http.StatusNotFound, b.get(at(mine)+address).Status, "an address of another's ticket")
}

func TestTicketPage(t *testing.T) {
	h, inc, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	p := b.get(at(inc))
	for _, other := range []string{at(inc) + "/", "/ticket/" + inc.ticket.UUID} {
		require.Equal(t, words(p.one("main")), words(b.get(other).one("main")))
	}
	top, about := words(p.class("ticket")[0]), p.section("about")
	for _, part := range []string{inc.ticket.Number, "acknowledged", "Open in Temporal", "支付网关超时", "Incident", "Opener wang.xiaoming", "Assignee li.lei"} {
		require.Contains(t, top, part)
	}
	for _, part := range []string{"Service Incident version 1", "Origin monitoring.east-2", "Opener wang.xiaoming through app shop", "Opened 2026-11-24 09:15:04", "Followers lu.su , zhou.yu",
		"Taken up again 2 times", "Reason No, it was not", "区域-华东", inc.ticket.UUID} {
		require.Contains(t, about, part)
	}
	require.Equal(t, temporal+"namespaces/a%20b/workflows/ticket:"+inc.ticket.Number+"%2F2", attr(p.class("outside")[0], "href"))

	require.Regexp(t, `^Process Full size Solve current task, round 3 Asked li.lei , anybody Since 2026-11-24`, p.section("process"))
	require.Regexp(t, `Began 2026-\d\d-\d\d \d\d:\d\d:\d\d Recovered 2026-`, p.section("solution"))
	require.Contains(t, p.section("solution"), "Cause 连接池上限 200，晚高峰需要 640。 Solution 连接池提升到 800，并在网关侧加入熔断。 passed 恢复正常，确认关闭。")
	require.Regexp(t, `^Further fields affected_orders 18342 contact \{ "name": "李雷", "phone": "\+86 21 0000 0000" \} empty empty is_service_interrupt Yes region cn-east-2 影响范围 华东二区全部商户$`,
		p.section("later"))
	require.Contains(t, p.section("outside"), "JIRA PAY-4711 Says acknowledged Due 2026-11-26 09:15:04 As of")
	require.Contains(t, p.section("description"), "1308 characters")
	require.Empty(t, p.all(func(n *html.Node) bool { return attr(n, "id") == "conversation" }), "messages are in the timeline alone")

	relations := p.section("relations")
	require.Regexp(t, `^Relations order 240 items SO-2026-000001 .* SO-2026-000008 100 more SO-2026-000009 .* SO-2026-000108 All 240 items runbook 1 item https`, relations)
	require.NotContains(t, relations, "SO-2026-000109")
	all := b.get(at(inc) + "/relations?type=order")
	require.Len(t, all.tags("li"), 240)
	require.Equal(t, http.StatusNotFound, b.get(at(inc)+"/relations?type=none").Status)
	require.Equal(t, http.StatusNotFound, b.get(at(inc)+"/relations?type=order&page=2").Status)
	require.Equal(t, http.StatusBadRequest, b.get(at(inc)+"/relations?type=order&page=0").Status)

	said := b.get(at(inc) + "/conversation").section("conversation")
	require.Contains(t, said, "Han Meimei 2026-11-24 09:18:07 edited 2026-11-24 09:19:08 The pool was saturated at 18:02")
	require.Equal(t, http.StatusNotFound, b.get(at(inc)+"/conversation?page=2").Status)
}

func TestEmptyTicketSaysSo(t *testing.T) {
	h := newSite(t)
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "y"})
	b := h.visitor(t, "shop")
	p := b.get(at(k))
	require.Empty(t, p.class("outside"), "no Temporal UI is known")
	require.Contains(t, p.section("process"), "Asked anybody Since")
	require.Contains(t, p.section("told"), "Nobody asked to be told of this ticket alone.")
	h.records.do(t, k, ticket.Command{Action: ticket.Close, Operator: "me"})
	require.Contains(t, b.get(at(k)).section("process"), "Nobody is asked: the ticket is over.")
}

func TestVotesAndThePicture(t *testing.T) {
	h, _, buy, _ := sampled(t)
	b := h.visitor(t, "shop")
	p := b.get(at(buy))
	process := p.section("process")
	for _, part := range []string{
		"部门会签 current approval, round 2 Asked zhao.yun , guan.yu , zhang.fei , 刘备 Still to act zhao.yun , 刘备 Since",
		"guan.yu approved 报价合理，同意。", "zhang.fei voted by cao.cao approved 代张飞表决", "1 earlier node 提出申请 done task, round 2", "Not entered: 金额是否超限 , 总经理审批 , 结束",
	} {
		require.Contains(t, process, part)
	}
	picture := answer{root: p.class("picture")[0], t: t}
	require.Equal(t, at(buy)+"/diagram.svg", attr(picture.tags("a")[0], "href"))
	require.Equal(t, at(buy)+"/diagram.svg", attr(picture.tags("img")[0], "src"))
	x, err := strconv.Atoi(attr(picture.root, "data-x"))
	require.NoError(t, err)
	require.True(t, x > 0 && x < 100, "where the ticket stands")
	require.NotContains(t, p.Body, "<svg", "never part of the page itself")

	svg := b.get(at(buy) + "/diagram.svg")
	require.Equal(t, "image/svg+xml; charset=utf-8", svg.Header.Get("Content-Type"))
	require.Equal(t, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox", svg.Header.Get("Content-Security-Policy"))
	require.Contains(t, svg.Body, "Stands at 部门会签.")
	b.headers["If-None-Match"] = svg.Header.Get("ETag")
	require.Equal(t, http.StatusNotModified, b.get(at(buy)+"/diagram.svg").Status, "a browser keeps it until something moves")
}

// Whoever has taken over from several is shown with their voices.
func TestVoicesAreShown(t *testing.T) {
	h := newSite(t)
	def, faults := flow.Parse([]byte("key: vote\nname: Vote\nnodes:\n" +
		"- {id: v, name: Board, type: approval, rule: all, processors: {persons: [ann, bob, joe]}, next: over}\n- {id: over, name: Over, type: end}\n"))
	require.Empty(t, faults)
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Service: "vote", Definition: &def, Origin: "x", Title: "y", Opener: "me"})
	h.records.do(t, k, ticket.Command{Action: ticket.Approve, Operator: "ann"})
	h.records.do(t, k, ticket.Command{Action: ticket.Reassign, Operator: "root", Admin: true, Targets: []string{"boss"}})
	b := h.visitor(t, "shop")
	require.Contains(t, b.get(at(k)).section("process"), "Asked ann , boss Still to act boss More than one voice boss (2) Since")
	h.records.do(t, k, ticket.Command{Action: ticket.Approve, Operator: "boss"})
	require.Contains(t, b.get(at(k)).section("process"), "boss approved 2 voices")
}

// Where branches run at once, a page says what each of them waits for, and then what the join does.
func TestAJoinSaysWhoHasArrived(t *testing.T) {
	h := newSite(t)
	def, faults := flow.Parse([]byte(`
key: both
name: Both
nodes:
  - {id: p, name: Split, type: parallel, branches: [{name: law, next: law}, {name: money, next: money}, {name: none, next: met}], join: met}
  - {id: law, name: Law, type: task, processors: {persons: [lisa]}, next: met}
  - {id: money, name: Money, type: task, processors: {persons: [max]}, next: met}
  - {id: met, name: Met, type: join, next: over}
  - {id: over, name: Over, type: end}
`))
	require.Empty(t, faults)
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Service: "both", Definition: &def, Origin: "x", Title: "y"})
	b := h.visitor(t, "shop")
	stands := func(parts ...string) {
		t.Helper()
		process, at := b.get(at(k)).section("process"), 0
		for _, part := range parts {
			i := strings.Index(process[at:], part)
			require.GreaterOrEqual(t, i, 0, "%s, after %s", part, process[:at])
			at += i + len(part)
		}
	}
	stands("Law current task Asked lisa", "Money current task Asked max", "Met current join, waiting Waits for law , money Arrived none Since")
	h.records.do(t, k, ticket.Command{Action: ticket.Submit, Operator: "lisa"})
	stands("Money current task Asked max", "Met current join, waiting Waits for money Arrived none , law Since")
}

func TestNotificationsShowEveryTry(t *testing.T) {
	h := newSite(t, func(c *console.Config) {
		c.TemporalUI, c.LaneWorkflow = temporal, func(l notice.Lane) string { return "lane:" + l.String() }
	})
	k, good := told(t, h.records)
	b := h.visitor(t, "shop")
	section := b.get(at(k)).section("told")
	for _, part := range []string{
		"Notifications 4 addresses Send everything again that did not arrive https://shop.example.com/hooks/signalbox active as the issue API has it, tried every minute for ten minutes, since 2026-11-24 09:15:04 12 sent sent relations of event #13, 1 try",
		"All its deliveries", "Open its retries in Temporal 2 retrying 1 given up",
		"Next try 2026-11-24 10:45:04",
		"1 2026-11-24 09:16:04 1.24 s 503 wrong status the receiver answered 503 Service Unavailable Answer <html><body><h1>503</h1><script>alert(1)</script></body></html>",
		"2 2026-11-24 09:17:04 10s no answer too slow no answer within 10 s", "3 2026-11-24 09:18:04 310 ms no answer TLS the certificate has expired",
		"… 2048 of 4000 bytes",
		"dropped as the issue API has it, tried every minute for ten minutes, since 2026-11-24 09:24:13 until 2026-11-24 10:50:04 still failing ten minutes after the first try Register it again 1 given up 2 held",
		"not allowed 10.0.0.9 is a private address", "https://quiet.example.com/ active", "Nothing has been sent to it yet.",
		`Body {"id":"` + k.ticket.Number + `","type":"relations","details":`,
	} {
		require.Contains(t, section, part)
	}
	require.NotContains(t, section, "event #2,", "older ones are on the page of the address")
	all := at(k) + "/deliveries/" + good
	require.Contains(t, b.get(all).section("deliveries"), "of event #2, 1 try")
	require.Equal(t, http.StatusNotFound, b.get(at(k)+"/deliveries/none").Status)
	require.Equal(t, http.StatusBadRequest, b.get(all+"?cursor=x").Status)

	for i := range 12 {
		h.records.register(t, k, fmt.Sprintf("https://many.example.com/%d", i))
	}
	for i := range 60 {
		h.records.do(t, k, ticket.Command{Action: ticket.Say, Operator: "bot", Message: &ticket.Message{ID: fmt.Sprintf("n%d", i), Author: "bot", Content: "Still slow"}})
	}
	p := b.get(at(k))
	require.Len(t, p.class("address"), 16)
	require.Contains(t, words(p.class("address")[15]), "All its deliveries")
	require.Empty(t, (answer{root: p.class("address")[15], t: t}).class("delivery"), "beyond the tenth only named")
	first := b.get(all)
	require.Len(t, first.class("delivery"), 25)
	require.Contains(t, words(first.class("more")[0]), "Older deliveries")
	second := b.get(attr(first.class("more")[0].FirstChild, "href"))
	require.Len(t, second.class("delivery"), 25)
}

func TestFaultsTellNothing(t *testing.T) {
	h, inc, _, _ := sampled(t)
	b := h.visitor(t, "shop")
	b.headers["X-Request-Id"] = "req-4711"
	h.records.Err = errors.New("pq: password authentication failed for user signalbox")
	for _, path := range []string{"/tickets", at(inc), at(inc) + "/timeline"} {
		p := b.get(path)
		require.Equal(t, http.StatusInternalServerError, p.Status)
		sound(t, path, p)
		require.NotContains(t, p.Body, "pq:")
		require.Contains(t, words(p.one("problem")), "tell those who run Signalbox this request’s id: req-4711")
	}
	require.Contains(t, h.log.String(), "console.failed")
	require.Contains(t, h.log.String(), "req-4711")
	require.Contains(t, h.log.String(), "password authentication failed")

	h.records.Err = fmt.Errorf("read a ticket: %w", context.DeadlineExceeded)
	p := b.get(at(inc))
	require.Equal(t, http.StatusServiceUnavailable, p.Status)
	require.Equal(t, "2", p.Header.Get("Retry-After"))

	h.records.Err = nil
	for _, path := range []string{"/tickets/x", "/ticket/", "/ticket/none", at(inc) + "/nothing", at(inc) + "/timeline/x", "/ticket/%ff", "/ticket/%00",
		at(inc) + "/timeline?before=1", at(inc) + "/timeline?before=999"} {
		p := b.get(path)
		require.Equal(t, http.StatusNotFound, p.Status, path)
		require.Contains(t, words(p.one("problem")), "Not found", path)
	}
}

func TestAPanicIsAPage(t *testing.T) {
	h := newSite(t, func(c *console.Config) {
		c.TemporalUI, c.TicketWorkflow = temporal, func(string, int) string { panic("layout went wrong") }
	})
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "y"})
	p := h.visitor(t, "shop").get(at(k))
	require.Equal(t, http.StatusInternalServerError, p.Status)
	require.NotContains(t, p.Body, "layout went wrong")
	require.Contains(t, h.log.String(), "layout went wrong")
}

func TestConfigIsChecked(t *testing.T) {
	back := newRecords(t)
	good := console.Config{Apps: newApps(), Desk: back, Reader: back, Services: back, Directory: back, Calendars: back, Subscriptions: back, Callers: back, Audit: back, Deliveries: back, Key: make([]byte, 32), Now: newSite(t).clock}
	_, err := console.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*console.Config){
		"Apps": func(c *console.Config) { c.Apps = nil }, "Reader": func(c *console.Config) { c.Reader = nil }, "Desk": func(c *console.Config) { c.Desk = nil }, "Services": func(c *console.Config) { c.Services = nil },
		"Directory": func(c *console.Config) { c.Directory = nil }, "Calendars": func(c *console.Config) { c.Calendars = nil }, "Now": func(c *console.Config) { c.Now = nil },
		"Subscriptions": func(c *console.Config) { c.Subscriptions = nil }, "Callers": func(c *console.Config) { c.Callers = nil }, "Audit": func(c *console.Config) { c.Audit = nil },
		"Deliveries": func(c *console.Config) { c.Deliveries = nil },
		"32 bytes":   func(c *console.Config) { c.Key = make([]byte, 31) }, "Temporal UI": func(c *console.Config) { c.TemporalUI = "javascript:alert(1)" },
	} {
		bad := good
		change(&bad)
		_, err := console.New(bad)
		require.ErrorContains(t, err, name)
	}
}
