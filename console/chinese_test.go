package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/notice"
	"signalbox/people"
	"signalbox/ticket"
)

// product are the words that are the same in Chinese: names of products, formats and protocols, and keys that people write as they stand.
var product = []string{"Signalbox", "Temporal", "CSV", "YAML", "JSON", "HTTP", "HTTPS", "URL", "API", "SLA", "TLS", "UTC", "English", "webhook", "Slack", "Teams", "OpenID", "issue", "itsm", "ITSM", "event", "publish", "name", "email",
	"manager", "language", "active", "true", "false", "UUID", "Webhook", "POST", "Authorization", "Bearer"}

var (
	tokens = regexp.MustCompile(`[^\s，。、；：（）“”…!！?？,;()\[\]"]+`)
	quoted = regexp.MustCompile(`“[^”]*”`)
	plain  = regexp.MustCompile(`^[A-Za-z][A-Za-z'’]{2,}[.:]?$`)
	han    = regexp.MustCompile(`\p{Han}`)
)

// english lists the English words that a page says, but for what is data: that stands in elements for texts of others (bdi, code, pre, what has dir=auto), in fields, and in times.
func english(a answer, allowed ...string) (out []string) {
	data := func(n *html.Node) bool {
		return slices.Contains([]string{"bdi", "code", "pre", "textarea", "time", "script", "style", "svg", "title", "datalist"}, n.Data) || attr(n, "dir") == "auto" || attr(n, "lang") == "en" || attr(n, "translate") == "no"
	}
	say := func(text string, from *html.Node) {
		var words []string
		for _, w := range tokens.FindAllString(quoted.ReplaceAllString(text, ""), -1) {
			if w = strings.TrimRight(w, ".:"); plain.MatchString(w) && !slices.Contains(product, w) && !slices.Contains(allowed, w) {
				words = append(words, w)
			}
		}
		if len(words) > 2 || len(words) > 0 && !han.MatchString(text) { // a word or two among others are an example
			out = append(out, fmt.Sprint(words, " in <", from.Data, " ", attr(from, "class"), attr(from, "id"), "> ", strings.TrimSpace(text)))
		}
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			if data(n) {
				return
			}
			for _, name := range []string{"title", "aria-label", "placeholder", "alt"} {
				say(attr(n, name), n)
			}
		}
		if n.Type == html.TextNode && n.Parent != nil {
			say(n.Data, n.Parent)
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(a.root)
	slices.Sort(out)
	return slices.Compact(out)
}

// Whoever reads Chinese reads nothing else on any page, but for what others have written or called so.
func TestPagesSayNothingInEnglishToWhoReadsChinese(t *testing.T) {
	h, inc, buy, _ := sampled(t)
	b := h.admin(t)
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", leaving(t)).Status)
	b.somebody("li.lei", "李雷", "email", "li@example.com", "slack.webhook", "https://hooks.slack.com/services/T/B/x")
	_, err := h.records.AddAbsence(t.Context(), "north", "boss", people.Absence{Person: "li.lei", From: h.now})
	require.NoError(t, err)
	b.told(b.fill("/directory/group", "/directory/group", "id", "ops"))
	sub := h.records.follow(t, "north", "https://hooks.example.com/", notice.Filter{})
	b.cookies["signalbox-look"] = "lang:zh|zone:Asia/Shanghai"
	paths := []string{"/", "/tickets", "/tickets?stuck=any&sort=stuck", "/tickets/new", "/tickets/new?service=leave_request", at(inc), at(buy), at(inc) + "/timeline", at(inc) + "/relations",
		at(inc) + "/conversation", "/settings", "/mailbox", "/services", "/services/leave_request", "/services/leave_request/edit", "/services/leave_request/simulate", "/services/leave_request/migrate", "/editor/service",
		"/people", "/people/li.lei", "/people/li.lei/edit", "/directory/import", "/directory/person", "/groups", "/groups/ops", "/absences", "/calendars", "/editor/calendar", "/subscriptions", "/subscriptions/" + sub.ID,
		"/subscriptions/new", "/deliveries", "/deliveries?state=all", "/overview", "/overview?days=90", "/apps", "/apps/new", "/audit", "/ticket/none", "/tickets?created_from=x"}
	for _, path := range paths {
		for _, fault := range english(b.get(path)) {
			t.Errorf("%s: %s", path, fault)
		}
	}
}

// What is built in is called in Chinese wherever pages name it, in pictures and files too; what a tenant calls the same keeps its name.
func TestWhatIsBuiltInIsCalledInChinese(t *testing.T) {
	other, inc, _, _ := sampled(t)
	h := newSite(t)
	now := h.asked(t, ticket.Draft{Opener: "boss", Assignee: "boss", Title: "事"})
	h.admin(t)
	b := h.as(t, "boss", "boss")
	own := strings.NewReplacer("name: Leave request", "name: Incident", "name: Manager", "name: Accept").Replace(leaving(t))
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", own).Status)
	past := other.admin(t)
	b.cookies["signalbox-look"], past.cookies["signalbox-look"] = "lang:zh", "lang:zh"
	english := regexp.MustCompile(`\b(Incident|Fast approval|Accept|Solve|Confirm|Approval|Approvers|Done|What is to be approved)\b`)
	source := regexp.MustCompile(`(?s)<pre.*?</pre>`)
	for path, says := range map[string]string{at(inc): "确认", at(inc) + "/timeline": "处理"} {
		body := past.get(path).Body
		require.Contains(t, body, says, path)
		require.Empty(t, english.FindAllString(body, -1), path)
	}
	for path, says := range map[string]string{"/": "事件单", "/tickets": "事件单", "/tickets.csv": "事件单", at(now): "受理", at(now) + "/diagram.svg": "受理",
		"/services/incident": "有人受理并解决", "/services/incident/v/1/diagram.svg": "受理", "/services/incident/simulate": "事件单", "/services/incident/migrate": "事件单",
		"/services/fast_approval": "审批内容", "/tickets/new?service=fast_approval": "审批人", "/overview": "事件单"} {
		body := source.ReplaceAllString(b.get(path).Body, "")
		require.Contains(t, body, says, path)
		if path != "/overview" {
			require.Empty(t, english.FindAllString(body, -1), path)
		}
	}
	for _, path := range []string{"/services", "/tickets/new"} {
		page := b.get(path).Body
		require.Contains(t, page, "快速审批")
		require.Contains(t, page, "Incident", "which is the tenant's own")
	}
	require.Contains(t, b.get("/services/leave_request").Body, "Accept")
	require.Contains(t, b.get("/services?q=事件单").Body, "/services/incident", "it is found by what it is called")
	require.Contains(t, b.get("/services?q=fast+approval").Body, "/services/fast_approval", "and by what the API calls it")
}
