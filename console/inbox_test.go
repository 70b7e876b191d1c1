package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// me is who signs in in these tests.
const me = "Wang 小明"

const leave = `
key: leave
name: Leave
sla: [{name: answered, until: end, target: 4h, warn: 50 %}]
nodes:
  - {id: vote, name: Line manager, type: approval, rule: all, processors: {persons: ["Wang 小明", ann]}, next: over}
  - {id: over, name: Over, type: end}
`

const errand = `
key: errand
name: Errand
nodes:
  - {id: take, name: Take it, type: task, action: accept, distribute: claim, processors: {persons: ["Wang 小明", ann]}, next: over}
  - {id: over, name: Over, type: end}
`

func definition(t testing.TB, text string) *flow.Definition {
	t.Helper()
	def, faults := flow.Parse([]byte(text))
	require.Empty(t, faults)
	return &def
}

// askedFor opens a ticket of a process.
func (h *site) askedFor(t testing.TB, text, title string, change ...func(*ticket.Draft)) *kept {
	t.Helper()
	def := definition(t, text)
	d := ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Service: def.Key, Definition: def, Origin: "x", Title: title, Opener: "joe"}
	for _, f := range change {
		f(&d)
	}
	return h.opens(t, d)
}

// opens opens a ticket at the desk, so that it can be acted on.
func (h *site) opens(t testing.TB, d ticket.Draft) *kept {
	t.Helper()
	var id ticket.Identity
	_, err := h.records.Open(t.Context(), desk.Request{App: h.apps.all["shop"], Channel: d.Channel}, desk.Opening{Series: ticket.SeriesIM, Draft: d,
		Answer: func(i ticket.Identity) desk.Answer { id = i; return desk.Answer{Status: 200, Body: []byte(`{}`)} }})
	require.NoError(t, err)
	k := &kept{}
	h.again(t, k, id.Number)
	return k
}

// again reads a ticket.
func (h *site) again(t testing.TB, k *kept, number string) {
	t.Helper()
	var err error
	k.ticket, err = h.records.Store.Ticket(t.Context(), "north", number)
	require.NoError(t, err)
}

// titles gives the titles of the tickets in the section under a heading, in their order.
func (a answer) titles(heading string) (out []string) {
	a.t.Helper()
	in := answer{root: a.one(heading).Parent, t: a.t}
	for _, n := range in.class("name") {
		out = append(out, words(n))
	}
	return out
}

// row gives what the form beside a ticket would send, without an action.
func (a answer) row(number string) url.Values {
	a.t.Helper()
	for _, tr := range a.tags("tr") {
		if !strings.Contains(words(tr), number) {
			continue
		}
		out := url.Values{}
		for n := range tr.Descendants() {
			if n.Data == "input" && attr(n, "type") == "hidden" {
				out.Set(attr(n, "name"), attr(n, "value"))
			}
		}
		return out
	}
	require.Fail(a.t, "there is no row of "+number, a.Body)
	return nil
}

// ticks gives how the boxes of tickets name them, in their order on the page.
func (a answer) ticks() (out []string) {
	for _, n := range a.all(func(n *html.Node) bool { return attr(n, "type") == "checkbox" && attr(n, "name") == "at" }) {
		out = append(out, attr(n, "value"))
	}
	return out
}

func TestTheInboxHasWhatConcernsSomebody(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	h.askedFor(t, leave, "No hurry")
	h.records.now = h.now.Add(-5 * time.Hour)
	h.askedFor(t, leave, "Too late")
	h.records.now = h.now
	h.askedFor(t, strings.Replace(leave, "rule: all,", "rule: all, deadline: [{after: 30m, do: remind}],", 1), "Soon")
	h.askedFor(t, errand, "An errand")
	h.askedFor(t, strings.ReplaceAll(leave, `"Wang 小明", ann`, "ann"), "Not mine")
	h.opens(t, ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "My own", Opener: me})
	h.opens(t, ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "Watched", Opener: "joe", Followers: []string{me}})
	over := h.opens(t, ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Origin: "x", Title: "My old one", Opener: me})
	h.records.do(t, over, ticket.Command{Action: ticket.Close, Operator: me})
	rests := h.askedFor(t, leave, "At rest")
	h.records.do(t, rests, ticket.Command{Action: ticket.Suspend, Operator: "joe"})

	b := h.visitor(t, "shop")
	p := b.get("/")
	require.Equal(t, http.StatusOK, p.Status, p.Body)
	sound(t, "/", p)
	require.Equal(t, []string{"Too late", "Soon", "No hurry"}, p.titles("waiting"), "what is overdue first, and nothing that rests")
	require.Equal(t, []string{"An errand"}, p.titles("free"))
	require.Equal(t, []string{"My own"}, p.titles("opened"))
	require.Equal(t, []string{"Watched"}, p.titles("followed"))
	require.Contains(t, p.section("waiting"), "Leave , Line manager joe")
	require.Regexp(t, `Too late.*overdue, 1 h ago.*Soon.*due in 30 min.*No hurry.*due in 4 h`, p.section("waiting"))
	require.Contains(t, words(p.class("bar")[0]), "Inbox 4", "as many wait")
	require.Contains(t, words(b.get("/tickets").class("bar")[0]), "Inbox 4", "on every page")

	b.headers["Accept-Language"] = "zh"
	p = b.get("/")
	require.Regexp(t, `Too late.*已超期.*No hurry.*4 小时后到期`, p.section("waiting"))
	require.Contains(t, p.section("free"), "认领")

	other := h.visitor(t, "other").get("/")
	require.Contains(t, words(other.one("main")), "Nothing waits for you.")
	require.NotContains(t, other.Body, "Too late")
}

func TestSomebodyActsInTheRow(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	yes, no, errands := h.askedFor(t, leave, "Yes"), h.askedFor(t, leave, "No"), h.askedFor(t, errand, "An errand")
	b := h.visitor(t, "shop")
	p := b.get("/")

	form := p.row(yes.ticket.Number)
	form.Set("action", "approve")
	sent := b.post("/", form)
	require.Equal(t, http.StatusSeeOther, sent.Status, sent.Body)
	notice := b.get(sent.Header.Get("Location")).one("notice")
	require.Contains(t, words(notice), "Done: "+yes.ticket.Number+" "+yes.ticket.Title)
	require.Equal(t, "/ticket/"+yes.ticket.Number, attr((answer{root: notice, t: t}).tags("a")[0], "href"))
	h.again(t, yes, yes.ticket.Number)
	votes := yes.ticket.Position.Nodes[0].Votes
	require.Len(t, votes, 1)
	require.Equal(t, me, votes[0].Who)
	seq := yes.ticket.Seq
	require.Equal(t, http.StatusSeeOther, b.post("/", form).Status, "a form that comes twice")
	h.again(t, yes, yes.ticket.Number)
	require.Equal(t, seq, yes.ticket.Seq, "does one thing")

	form = p.row(no.ticket.Number)
	form.Set("action", "reject")
	bad := b.post("/", form)
	require.Equal(t, http.StatusBadRequest, bad.Status)
	sound(t, "/", bad)
	require.Contains(t, words(bad.class("problem-of")[0]), "Say why you reject it.")
	require.Equal(t, "true", attr(bad.all(func(n *html.Node) bool { return n.Data == "textarea" && attr(n, "id") != "note" })[0], "aria-invalid"), "beside the field, which is open")
	form = bad.row(no.ticket.Number)
	form.Set("action", "reject")
	form.Set("note", "Not in June <b>")
	require.Equal(t, http.StatusSeeOther, b.post("/", form).Status)
	h.again(t, no, no.ticket.Number)
	require.Equal(t, "Not in June <b>", no.ticket.Position.Nodes[0].Votes[0].Comment)

	form = p.row(errands.ticket.Number)
	form.Set("action", "claim")
	require.Equal(t, http.StatusSeeOther, b.post("/", form).Status)
	p = b.get("/")
	require.Equal(t, []string{"An errand"}, p.titles("waiting"), "what was claimed waits for one alone")
	form = p.row(errands.ticket.Number)
	form.Set("action", "accept")
	require.Equal(t, http.StatusSeeOther, b.post("/", form).Status)
	h.again(t, errands, errands.ticket.Number)
	require.Equal(t, ticket.Completed, errands.ticket.Status)
	require.Contains(t, words(b.get("/").one("main")), "Nothing waits for you.")
}

func TestSeveralAreActedOnAtOnce(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	var all []*kept
	for i := range 4 {
		all = append(all, h.askedFor(t, leave, fmt.Sprintf("Leave %d", i)))
	}
	b := h.visitor(t, "shop")
	p := b.get("/")
	// Somebody else ends one of them meanwhile.
	h.records.do(t, all[2], ticket.Command{Action: ticket.Terminate, Operator: "boss"})
	form := p.form("/")
	form.Set("action", "approve")
	form["at"] = p.ticks()
	require.Len(t, form["at"], 4)
	sent := b.post("/", form)
	require.Equal(t, http.StatusOK, sent.Status)
	sound(t, "/", sent)
	require.Equal(t, "3 of 4 done "+all[2].ticket.Number+` : the ticket is terminated: "Line manager" is already cancelled`, sent.section("outcome"))
	for i, k := range all {
		h.again(t, k, k.ticket.Number)
		require.Len(t, k.ticket.Position.Nodes[0].Votes, map[bool]int{true: 0, false: 1}[i == 2], i)
	}
	twice := b.post("/", form)
	require.Contains(t, twice.section("outcome"), "3 of 4 done", "what was done is done once, and told again")

	form.Del("at")
	bad := b.post("/", form)
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.one("main")), "Nothing waits for you.")

	h.records.now = h.now.Add(-5 * time.Hour)
	h.askedFor(t, leave, "Overdue")
	h.records.now = h.now
	for i := range 59 {
		all = append(all, h.askedFor(t, leave, fmt.Sprintf("More %d", i)))
	}
	p = b.get("/")
	require.Equal(t, "Overdue", p.titles("waiting")[0], "the soonest due of all, not of the newest")
	require.Contains(t, words(p.one("main")), "60 tickets wait for you")
	require.Less(t, len(p.Body), 100_000)
	form = p.form("/")
	form["at"] = p.ticks()
	form.Set("action", "reject")
	form.Set("note", "")
	bad = b.post("/", form)
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.one("note-problem")), "Say why")
	require.Len(t, bad.all(func(n *html.Node) bool { return attr(n, "type") == "checkbox" && hasAttr(n, "checked") }), 40, "what was ticked still is")
	next := attr(p.all(func(n *html.Node) bool { return attr(n, "rel") == "next" })[0], "href")
	second := b.get(next)
	require.Len(t, second.ticks(), 20)
	form["at"] = append(p.ticks(), second.ticks()...)
	form.Set("note", "No")
	bad = b.post("/", form)
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.class("problem-of")[0]), "At most 50 at once.")
	form["at"] = p.ticks()
	require.Equal(t, http.StatusSeeOther, b.post("/", form).Status)
	require.Equal(t, second.ticks(), b.get("/").ticks())
}

// Whoever may only read sees what waits and cannot act; and what is asked of nobody there, of a ticket of another tenant, or in a form of our making is refused.
func TestWhatTheInboxRefuses(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	mine, theirs := h.askedFor(t, leave, "Mine"), h.askedFor(t, strings.ReplaceAll(leave, `"Wang 小明", ann`, "ann"), "Theirs")
	h.apps.set(desk.App{Code: "reader", Tenant: "north", Scopes: []desk.Scope{desk.Read}})
	h.apps.set(desk.App{Code: "south", Tenant: "south", Scopes: []desk.Scope{desk.Write}})
	form := h.visitor(t, "shop").get("/").row(mine.ticket.Number)
	for _, c := range []struct {
		app, at, action string
		status          int
		says            string
	}{
		{"reader", form.Get("at"), "approve", http.StatusForbidden, "You may not do this."},
		{"south", form.Get("at"), "approve", http.StatusConflict, mine.ticket.Number},
		{"shop", "ticket=" + theirs.ticket.Number + "&node=vote&round=1", "approve", http.StatusConflict, theirs.ticket.Number},
		{"shop", "ticket=" + mine.ticket.Number + "&node=vote&round=7", "approve", http.StatusConflict, "round"},
		{"shop", "ticket=" + mine.ticket.Number + "&node=none&round=1", "approve", http.StatusConflict, "no node"},
		{"shop", form.Get("at"), "terminate", http.StatusBadRequest, "terminate"},
		{"shop", "nonsense", "approve", http.StatusBadRequest, "at"},
		{"shop", "%zz", "approve", http.StatusBadRequest, "at"},
	} {
		b := h.visitor(t, c.app)
		guard := b.get("/tickets").form("/logout").Get("csrf")
		p := b.post("/", url.Values{"csrf": {guard}, "key": {"k"}, "row": {"1"}, "at": {c.at}, "action": {c.action}, "note": {"n"}})
		require.Equal(t, c.status, p.Status, "%v: %s", c, p.Body)
		require.Contains(t, words(p.one("main")), c.says)
	}
	b := h.visitor(t, "reader")
	p := b.get("/")
	require.Equal(t, []string{"Mine"}, p.titles("waiting"))
	require.Empty(t, p.all(func(n *html.Node) bool { return attr(n, "name") == "action" }))
	require.Equal(t, http.StatusForbidden, h.visitor(t, "shop").post("/", form).Status, "another session's form")
	for _, k := range []*kept{mine, theirs} {
		h.again(t, k, k.ticket.Number)
		require.Empty(t, k.ticket.Position.Nodes[0].Votes)
	}
}

// What needs more than a comment is done on the ticket's page: a form that must be filled in, and a rejection that leads where somebody chooses.
func TestWhatNeedsMoreIsNotOfferedInTheRow(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	h.askedFor(t, `
key: hard
name: Hard
nodes:
  - {id: vote, name: Vote, type: approval, rule: any, processors: {persons: ["Wang 小明"]}, fields: [{key: amount, type: INT, required: true}], next: over}
  - {id: over, name: Over, type: end}
`, "Hard one")
	p := h.visitor(t, "shop").get("/")
	var offered []string
	for _, n := range (answer{root: p.one("waiting").Parent, t: t}).all(func(n *html.Node) bool { return attr(n, "name") == "action" }) {
		offered = append(offered, attr(n, "value"))
	}
	require.Equal(t, []string{"reject"}, offered, "who says no need not fill in the form")
	require.Contains(t, p.section("waiting"), "Open")
}

// What is due says by what: by what was promised of the ticket, or at the step where it waits.
func TestTheInboxSaysByWhatSomethingIsDue(t *testing.T) {
	h := newSite(t)
	h.records.now = h.now
	b := h.visitor(t, "shop")
	h.askedFor(t, leave, "Promised")
	h.askedFor(t, strings.Replace(leave, "rule: all,", "rule: all, deadline: [{after: 1h, do: remind}],", 1), "At the step")
	waiting := words(b.get("/").one("waiting").Parent)
	at := func(hours int) string { return h.now.Add(time.Duration(hours) * time.Hour).Format(time.DateTime) }
	require.Contains(t, waiting, "due in 4 h SLA "+at(4))
	require.Contains(t, waiting, "due in 1 h this step "+at(1))
	require.Contains(t, words(b.get("/tickets").one("rows")), "SLA due")
}
