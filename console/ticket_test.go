package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/api"
	"signalbox/console"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// as gives a browser in which somebody has signed in through an app.
func (h *site) as(t testing.TB, code, person string) *browser {
	t.Helper()
	b := h.browser(t)
	form := b.get("/login").form("/login")
	form.Set("code", code)
	form.Set("secret", code+"-secret")
	form.Set("operator", person)
	require.Equal(t, http.StatusSeeOther, b.post("/login", form).Status)
	return b
}

// asked opens a ticket at the desk, so that something can be done about it.
func (h *site) asked(t testing.TB, d ticket.Draft) *kept {
	t.Helper()
	d.Channel, d.App = ticket.ChannelIssue, "shop"
	if d.Origin == "" {
		d.Origin = "monitoring"
	}
	if d.Title == "" {
		d.Title = "A ticket"
	}
	app, err := h.apps.App(t.Context(), "shop")
	require.NoError(t, err)
	reply, err := h.records.Open(t.Context(), desk.Request{App: app, Channel: ticket.ChannelIssue, Method: http.MethodPost, Path: "/"}, desk.Opening{Series: ticket.SeriesIM, Draft: d,
		Answer: func(id ticket.Identity) desk.Answer {
			raw, _ := json.Marshal(id.Number)
			return desk.Answer{Status: http.StatusOK, Body: raw}
		}})
	require.NoError(t, err)
	var number string
	require.NoError(t, json.Unmarshal(reply.Body, &number))
	k := &kept{ticket.Ticket{Identity: ticket.Identity{Number: number, Tenant: "north"}}}
	h.read(t, k)
	return k
}

// read reads a ticket as it is now.
func (h *site) read(t testing.TB, k *kept) ticket.Ticket {
	t.Helper()
	var err error
	k.ticket, err = h.records.Store.Ticket(t.Context(), k.ticket.Tenant, k.ticket.Number)
	require.NoError(t, err)
	return k.ticket
}

// defined reads a definition.
func defined(t testing.TB, source string) *flow.Definition {
	t.Helper()
	def, faults := flow.Parse([]byte(source))
	require.Empty(t, faults)
	return &def
}

// act gives what the form for an action would send as it is, found by the action and, where there are several, the name of the node.
func (a answer) act(action string) url.Values {
	a.t.Helper()
	for _, form := range a.tags("form") {
		if found := sent(form); found.Get("action") == action && strings.HasSuffix(attr(form, "action"), "/act") {
			return found
		}
	}
	require.Fail(a.t, "there is no form for "+action, a.section("now"))
	return nil
}

// sent is what a form would send as it is.
func sent(form *html.Node) url.Values {
	out := url.Values{}
	for n := range form.Descendants() {
		switch n.Data {
		case "input":
			if attr(n, "type") != "checkbox" || has(n, "checked") {
				out.Add(attr(n, "name"), attr(n, "value"))
			}
		case "textarea":
			out.Set(attr(n, "name"), words(n))
		case "select":
			for o := range n.Descendants() {
				if o.Data == "option" && (has(o, "selected") || !out.Has(attr(n, "name"))) {
					out.Set(attr(n, "name"), attr(o, "value"))
				}
			}
		}
	}
	return out
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// actions are those that the page has forms for, and those that it shows as not possible, with the reason.
func (a answer) actions() (can []string, cannot map[string]string) {
	for _, n := range a.class("action") {
		form := (answer{root: n, t: a.t}).tags("form")[0]
		if strings.HasSuffix(attr(form, "action"), "/act") {
			can = append(can, sent(form).Get("action"))
		}
	}
	cannot = map[string]string{}
	for _, list := range a.class("bars") {
		for n := range list.ChildNodes() {
			button := (answer{root: n, t: a.t}).tags("button")[0]
			require.True(a.t, has(button, "disabled"))
			cannot[words(button)] = strings.TrimPrefix(words(n), words(button)+" ")
		}
	}
	return can, cannot
}

const votes = `
key: purchase
name: Purchase
nodes:
  - {id: ask, name: Apply, type: task, action: submit, processors: {opener: true}, next: vote, fields: [{key: amount, name: Amount, type: INT, required: true}]}
  - {id: vote, name: Board, type: approval, rule: all, finish: decided, processors: {persons: [ann, bob]}, reject: {then: choose}, retract: true, add: {anyone: true}, next: pay}
  - {id: pay, name: Pay, type: task, action: submit, processors: {persons: [eve]}, next: over}
  - {id: over, name: Over, type: end}
`

// Who is asked finds the form for it, does it, and whoever comes later hears who has decided.
func TestPeopleActOnATicket(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Service: "purchase", Definition: defined(t, votes), Opener: "joe"})
	joe, ann, bob := h.as(t, "shop", "joe"), h.as(t, "shop", "ann"), h.as(t, "shop", "bob")

	can, cannot := ann.get(at(k)).actions()
	require.NotContains(t, can, "submit")
	require.Contains(t, cannot["Submit"], `"Apply" asks joe`)

	p := joe.get(at(k))
	sound(t, at(k), p)
	require.Contains(t, p.section("now"), "Apply task waits for you Asked joe Since")
	form := p.act("submit")
	form.Set("f.amount", "much")
	p = joe.post(at(k)+"/act", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Equal(t, "much", p.act("submit").Get("f.amount"), "what was typed is still there")
	problem := p.class("problem-of")
	require.Len(t, problem, 1)
	require.Contains(t, words(problem[0].Parent), "Amount required")
	require.Contains(t, words(problem[0]), "must be a whole number")
	form = p.act("submit")
	form.Set("f.amount", "12")
	form.Set("comment", "For the office")
	p = joe.post(at(k)+"/act", form)
	require.Equal(t, http.StatusSeeOther, p.Status)
	require.Equal(t, at(k), p.Header.Get("Location"))
	require.Contains(t, words(joe.get(at(k)).one("notice")), "Done: Submit")
	require.Equal(t, json.Number("12"), h.read(t, k).Fields["amount"])
	seq := k.ticket.Seq
	require.Equal(t, http.StatusSeeOther, joe.post(at(k)+"/act", form).Status, "a second click is the same")
	require.Equal(t, seq, h.read(t, k).Seq)

	page := bob.get(at(k))
	late := page.act("approve")
	p = ann.get(at(k))
	can, cannot = p.actions()
	require.Equal(t, []string{"approve", "reject", "add", "suspend", "terminate", "close"}, can)
	require.Contains(t, cannot["Withdraw"], "only the opener")
	form = p.act("reject")
	require.Equal(t, "", form.Get("to"))
	form.Set("comment", "Too much")
	p = ann.post(at(k)+"/act", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, words(p.class("problem-of")[0]), "is required: back to which of ask?")
	form = p.act("reject")
	require.Equal(t, "Too much", form.Get("comment"))
	form.Set("to", "ask")
	require.Equal(t, http.StatusSeeOther, ann.post(at(k)+"/act", form).Status)

	late.Set("comment", "It is fine")
	p = bob.post(at(k)+"/act", late)
	require.Equal(t, http.StatusConflict, p.Status)
	now := p.section("now")
	require.Contains(t, now, `"Board" is already rejected by ann`, "who comes later hears who has decided")
	require.Contains(t, now, "It is fine", "and does not lose what they wrote")
	require.Contains(t, now, "Apply task, round 2 Asked joe")
}

// A form that was made for a round says so, so that it does nothing in the next.
func TestAFormIsOfItsRound(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Service: "purchase", Definition: defined(t, votes), Opener: "joe"})
	joe, ann, bob := h.as(t, "shop", "joe"), h.as(t, "shop", "ann"), h.as(t, "shop", "bob")
	do := func(b *browser, action string, fill ...string) {
		t.Helper()
		form := b.get(at(k)).act(action)
		for i := 0; i < len(fill); i += 2 {
			form.Set(fill[i], fill[i+1])
		}
		p := b.post(at(k)+"/act", form)
		require.Equal(t, http.StatusSeeOther, p.Status, p.Body)
	}
	do(joe, "submit", "f.amount", "12")
	old := bob.get(at(k)).act("approve")
	do(ann, "reject", "to", "ask")
	do(joe, "submit", "f.amount", "10")
	p := bob.post(at(k)+"/act", old)
	require.Equal(t, http.StatusConflict, p.Status)
	require.Contains(t, p.section("now"), "rejected by ann in round 1")
	do(ann, "approve")
	_, cannot := ann.get(at(k)).actions()
	require.Contains(t, cannot["Approve"], "ann has voted already")
	do(ann, "retract")
	do(ann, "add", "targets", "carl, dora", "place", "after")
	do(ann, "approve")
	require.ElementsMatch(t, []string{"bob", "carl"}, h.read(t, k).WaitingFor())
}

// An admin does what nobody else can, and votes in somebody's name.
func TestAdminsActForOthers(t *testing.T) {
	h := newSite(t)
	h.apps.set(desk.App{Code: "root", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	k := h.asked(t, ticket.Draft{Service: "v", Definition: defined(t, strings.Replace(strings.Replace(votes, "{opener: true}", "{fields: [boss]}", 1), "nodes:", "fields: [{key: boss, name: Boss, type: MEMBER}]\nnodes:", 1)), Opener: "joe"})
	root := h.as(t, "root", "root")
	shown := h.as(t, "shop", "ann").get(at(k))
	require.Contains(t, shown.section("now"), "Nobody is asked here. An admin has to reassign it to somebody.")
	_, cannot := shown.actions()
	require.Equal(t, "only an admin can reassign", cannot["Reassign"])
	form := root.get(at(k)).act("reassign")
	form.Set("targets", "joe")
	require.Equal(t, http.StatusSeeOther, root.post(at(k)+"/act", form).Status)
	joe := h.as(t, "shop", "joe")
	form = joe.get(at(k)).act("submit")
	form.Set("f.amount", "1")
	require.Equal(t, http.StatusSeeOther, joe.post(at(k)+"/act", form).Status)
	form = root.get(at(k)).act("approve")
	form.Set("on_behalf", "bob")
	require.Equal(t, http.StatusSeeOther, root.post(at(k)+"/act", form).Status)
	require.Equal(t, []string{"ann"}, h.read(t, k).WaitingFor())
	state, _ := k.ticket.Position.Find("vote")
	require.Equal(t, "root", state.Votes[0].By)
}

// Incidents: solutions and verdicts have their fields; an ended ticket can be reopened, and nothing else.
func TestAnIncidentIsDealtWith(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Opener: "joe"})
	ann := h.as(t, "shop", "ann")
	do := func(status int, action string, fill ...string) answer {
		t.Helper()
		form := ann.get(at(k)).act(action)
		for i := 0; i < len(fill); i += 2 {
			form.Set(fill[i], fill[i+1])
		}
		p := ann.post(at(k)+"/act", form)
		require.Equal(t, status, p.Status, p.Body)
		return p
	}
	do(303, "accept")
	require.Equal(t, "ann", h.read(t, k).Assignee)
	p := do(400, "commit-solution", "mtm_type", "network", "cause", "A cable", "start_time", "2026-11-24T18:00")
	require.Equal(t, "2026-11-24T18:00", p.act("commit-solution").Get("start_time"))
	require.Contains(t, words(p.class("problem-of")[0].Parent), "Service interrupted required")
	ann.cookies["signalbox-look"] = "zone:Asia/Shanghai"
	do(303, "commit-solution", "mtm_type", "network", "cause", "A cable\r\nbroke", "solution", "Another cable", "is_service_interrupt", "true", "start_time", "2026-11-24T18:00")
	s := h.read(t, k).Solution
	require.Equal(t, "A cable\nbroke", s.Cause)
	require.Equal(t, time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).UnixMilli(), *s.StartedAt, "in the zone of the visitor")
	do(400, "confirm", "virtual_confirm_result", "true")
	do(303, "confirm", "virtual_confirm_result", "false", "virtual_confirm_comment", "Still slow")
	do(303, "suspend", "comment", "Waiting")
	p = ann.get(at(k))
	require.Contains(t, p.section("now"), "The ticket is suspended")
	can, cannot := p.actions()
	require.Equal(t, []string{"unsuspend", "terminate", "close"}, can)
	require.Equal(t, "the ticket is suspended", cannot["Hand in a solution"])
	do(303, "unsuspend")
	do(303, "close", "comment", "Enough")
	p = ann.get(at(k))
	can, cannot = p.actions()
	require.Equal(t, []string{"reopen"}, can)
	require.Empty(t, cannot)
	require.Contains(t, p.section("now"), "The ticket is completed. Nobody is asked.")
	do(303, "reopen")
	require.Equal(t, ticket.Triggered, h.read(t, k).Status)
}

// Who may only look has no forms, nobody acts on another tenant's ticket, and what is no action of ours is none.
func TestWhoMayNotActCannot(t *testing.T) {
	h := newSite(t)
	h.apps.set(desk.App{Code: "eyes", Tenant: "north", Scopes: []desk.Scope{desk.Read}})
	h.apps.set(desk.App{Code: "south", Tenant: "south", Scopes: []desk.Scope{desk.Admin}})
	k := h.asked(t, ticket.Draft{Opener: "joe"})
	eyes, south, ann := h.as(t, "eyes", "ann"), h.as(t, "south", "ann"), h.as(t, "shop", "ann")
	p := eyes.get(at(k))
	require.Empty(t, p.class("action"))
	require.Contains(t, p.section("now"), "You may look at this ticket, and not act on it.")
	form := ann.get(at(k)).act("accept")
	mine := func(b *browser) url.Values {
		out := url.Values{}
		for name, values := range form {
			out[name] = values
		}
		out.Set("csrf", b.get("/tickets").form("/logout").Get("csrf"))
		return out
	}
	require.Equal(t, http.StatusForbidden, eyes.post(at(k)+"/act", mine(eyes)).Status)
	require.Equal(t, http.StatusNotFound, south.post(at(k)+"/act", mine(south)).Status)
	require.Equal(t, http.StatusForbidden, eyes.post(at(k)+"/act", form).Status, "a form of another session")
	form.Set("action", "migrate")
	require.Equal(t, http.StatusBadRequest, ann.post(at(k)+"/act", form).Status)
	require.Equal(t, int64(1), h.read(t, k).Seq)
}

const leaveForm = `
key: leave
name: Leave
description: Days off
fields:
  - {key: kind, name: Kind of leave, type: SELECT, required: true, choice: [{key: a, name: Annual}, {key: s, name: Sick}], default: s}
  - {key: days, name: How many days, type: INT, required: true}
  - {key: from, name: From, type: DATETIME}
  - {key: extras, name: Extras, type: CHECKBOX, choice: [{key: l, name: Laptop}, {key: p, name: Phone}]}
  - {key: paid, name: Paid, type: BOOL}
  - {key: who, name: Stands in, type: MEMBERS}
nodes:
  - {id: boss, name: Boss, type: approval, processors: {caller: true}, next: over}
  - {id: over, name: Over, type: end}
`

// service publishes a definition for north.
func (h *site) service(t testing.TB, source string) {
	t.Helper()
	_, err := h.records.PublishService(t.Context(), "north", "shop", *defined(t, source))
	require.NoError(t, err)
}

// A ticket is opened by the form of its service: by its labels, with defaults, refusals beside the fields, once however often it is sent.
func TestATicketIsOpenedByTheFormOfItsService(t *testing.T) {
	h := newSite(t)
	h.service(t, leaveForm)
	joe := h.as(t, "shop", "joe")
	p := joe.get("/tickets/new")
	sound(t, "/tickets/new", p)
	require.Contains(t, words(p.one("main")), "Leave")
	require.Equal(t, http.StatusNotFound, joe.get("/tickets/new?service=none").Status)
	p = joe.get("/tickets/new?service=leave")
	sound(t, "/tickets/new?service=leave", p)
	require.Contains(t, words(p.one("main")), "Leave Another service Days off Title required Kind of leave required – Annual Sick How many days required From")
	form := p.opening()
	require.Equal(t, "s", form.Get("f.kind"), "the default")
	form.Set("title", "")
	form.Set("f.days", "ten")
	p = joe.post("/tickets/new", form)
	require.Len(t, p.class("problem-of"), 2, "each stands beside its field")
	require.Contains(t, words(p.class("problem-of")[0].Parent), "Title required")
	require.Contains(t, words(p.class("problem-of")[1].Parent), "How many days required")
	require.NotContains(t, words(p.one("main")), "fields.", "and needs no name")
	form = p.opening()
	form.Set("title", "Two weeks")
	form["f.extras"] = []string{"l", "p"}
	form.Set("f.from", "2026-12-01T09:00")
	form.Set("f.who", "ann， bob")
	form.Set("f.paid", "true")
	form.Set("at.boss", "eve")
	form.Set("tag", "a, b")
	p = joe.post("/tickets/new", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, words(p.class("problem-of")[0].Parent), "How many days required")
	again := p.opening()
	require.Equal(t, []string{"l", "p"}, again["f.extras"], "what was typed is still there")
	require.Equal(t, "Two weeks", again.Get("title"))
	require.Equal(t, "2026-12-01T09:00", again.Get("f.from"))
	again.Set("f.days", "10")
	p = joe.post("/tickets/new", again)
	require.Equal(t, http.StatusSeeOther, p.Status, p.Body)
	to := p.Header.Get("Location")
	require.Equal(t, to, joe.post("/tickets/new", again).Header.Get("Location"), "a second click opens nothing")
	k := &kept{ticket.Ticket{Identity: ticket.Identity{Number: strings.TrimPrefix(to, "/ticket/"), Tenant: "north"}}}
	got := h.read(t, k)
	require.Equal(t, []string{"eve"}, got.WaitingFor())
	require.Equal(t, "joe", got.Opener)
	require.Equal(t, ticket.Channel("pages"), got.Channel)
	require.Equal(t, []string{"a", "b"}, got.Tags)
	require.Equal(t, flow.Values{"kind": "s", "days": json.Number("10"), "from": "2026-12-01T09:00:00Z", "extras": "l,p", "paid": true, "who": "ann,bob"}, got.Fields)
	p = joe.get(to)
	sound(t, to, p)
	require.Contains(t, words(p.one("notice")), k.ticket.Number+" is open.")
	require.Equal(t, "Form Kind of leave Sick How many days 10 From 2026-12-01 09:00:00 Extras Laptop, Phone Paid Yes Stands in ann , bob", p.section("fields"),
		"in the order of the form, by the names of fields and choices")
	require.Less(t, strings.Index(p.Body, `id="now"`), strings.Index(p.Body, `id="fields"`))
	require.Less(t, strings.Index(p.Body, `id="fields"`), strings.Index(p.Body, `id="process"`))
	form = joe.get("/tickets/new?service=fast_approval").opening()
	require.False(t, form.Has("title"), "the form says what it is called")
	form.Set("f.title", "Coffee")
	form.Set("f.APPROVER", "eve")
	p = joe.post("/tickets/new", form)
	require.Equal(t, http.StatusSeeOther, p.Status, p.Body)
	require.Contains(t, joe.get(p.Header.Get("Location")).Body, "<bdi>Coffee</bdi></h1>")
}

// opening is what the form that opens a ticket would send as it is.
func (a answer) opening() url.Values {
	for _, form := range a.tags("form") {
		if attr(form, "action") == "/tickets/new" {
			return sent(form)
		}
	}
	require.Fail(a.t, "there is no form", a.Body)
	return nil
}

// of gives what a form that goes to an address would send as it is.
func (a answer) of(action string) url.Values {
	a.t.Helper()
	for _, form := range a.tags("form") {
		if attr(form, "action") == action {
			return sent(form)
		}
	}
	require.Fail(a.t, "there is no form to "+action)
	return nil
}

// Messages stand once, in the timeline, among the rest or alone; who is mentioned stands out, and whoever wrote one can change it.
func TestMessagesAreSaidAndChanged(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Opener: "joe"})
	ann, bob := h.as(t, "shop", "ann"), h.as(t, "shop", "bob")
	form := ann.get(at(k)).of(at(k) + "/say")
	p := ann.post(at(k)+"/say", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, words(p.class("problem-of")[0]), "required")
	form = p.of(at(k) + "/say")
	form.Set("content", "Ask @bob,\r\nplease")
	require.Equal(t, http.StatusSeeOther, ann.post(at(k)+"/say", form).Status)
	require.Equal(t, http.StatusSeeOther, ann.post(at(k)+"/say", form).Status)
	p = ann.get(at(k))
	require.Equal(t, 1, strings.Count(words(p.root), "Ask @bob , please"), "once, and once only")
	require.Equal(t, "@bob", words(p.class("mention")[0]))
	edit := ""
	for _, a := range p.tags("a") {
		if words(a) == "Edit your message" {
			edit = attr(a, "href")
		}
	}
	require.NotEmpty(t, edit)
	require.NotContains(t, bob.get(at(k)).Body, "Edit your message")
	require.Equal(t, http.StatusForbidden, bob.get(edit).Status)
	p = ann.get(edit)
	sound(t, edit, p)
	form = p.of(at(k) + "/say")
	require.Contains(t, form.Get("content"), "Ask @bob,")
	form.Set("content", "Ask @joe")
	theirs := url.Values{"message": form["message"], "content": {"Mine now"}, "form_key": {"x"}, "csrf": {bob.get(at(k)).of(at(k) + "/say").Get("csrf")}}
	require.Equal(t, http.StatusForbidden, bob.post(at(k)+"/say", theirs).Status)
	require.Equal(t, http.StatusSeeOther, ann.post(at(k)+"/say", form).Status)
	p = ann.get(at(k) + "/timeline?show=messages")
	sound(t, edit, p)
	require.Len(t, p.class("event"), 2)
	require.Contains(t, p.section("timeline"), "2 entries, newest first Conversation Message edited")
	require.Contains(t, p.section("timeline"), "Earlier text Ask @bob , please")
	p = ann.get(at(k) + "/timeline?show=decisions")
	require.Len(t, p.class("event"), 1)
	require.Empty(t, ann.get(at(k)+"/timeline?show=deliveries").class("event"))
	require.Equal(t, http.StatusBadRequest, ann.get(at(k)+"/timeline?show=x").Status)
	for i := range 40 {
		h.now = h.now.Add(time.Minute)
		h.records.now = h.now
		form = ann.get(at(k)).of(at(k) + "/say")
		form.Set("content", strings.Repeat("x", i+1))
		require.Equal(t, http.StatusSeeOther, ann.post(at(k)+"/say", form).Status)
	}
	p = ann.get(at(k) + "/timeline?show=messages")
	require.Len(t, p.class("event"), 30)
	p = ann.get(attr(p.class("more")[0].FirstChild, "href"))
	require.Len(t, p.class("event"), 12, "the rest, each once")
	require.Empty(t, p.class("more"))
	require.Contains(t, ann.get(at(k)).section("timeline"), "the newest 30 of 43")
}

// What a ticket is tied to is added to or replaced.
func TestRelationsAreChanged(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Opener: "joe"})
	ann := h.as(t, "shop", "ann")
	do := func(status int, kind, content, mode string) answer {
		form := ann.get(at(k)).of(at(k) + "/relate")
		form.Set("type", kind)
		form.Set("content", content)
		form.Set("mode", mode)
		p := ann.post(at(k)+"/relate", form)
		require.Equal(t, status, p.Status, p.Body)
		return p
	}
	do(303, "host", "db-1\r\n\r\n db-2 ", "add")
	do(303, "host", "db-3", "add")
	require.Regexp(t, "^Relations host 3 items db-1 db-2 db-3 ", ann.get(at(k)).section("relations"))
	do(303, "host", "db-4", "set")
	require.Regexp(t, "^Relations host 1 item db-4 ", ann.get(at(k)).section("relations"))
	p := do(400, "no word", "x", "set")
	require.Equal(t, "no word", p.of(at(k)+"/relate").Get("type"))
	require.NotEmpty(t, p.class("problem-of"))
}

// An address that was dropped is registered again, and what was given up sent again.
func TestAddressesAreToldAgain(t *testing.T) {
	h := newSite(t)
	k, _ := told(t, h.records)
	ann := h.as(t, "shop", "ann")
	p := ann.get(at(k))
	sound(t, at(k), p)
	registered, _, err := h.records.Registered(t.Context(), k.ticket.ID, "", ticket.MaxPage)
	require.NoError(t, err)
	var failed string
	for _, r := range registered {
		if r.State == notice.Dropped {
			continue
		}
		list, _, err := h.records.Deliveries(t.Context(), notice.Owner{Tenant: "north", TicketID: k.ticket.ID}, r.ID, "", ticket.MaxPage)
		require.NoError(t, err)
		for _, d := range list {
			if d.State == notice.Failed {
				failed = at(k) + "/deliveries/" + r.ID + "/redeliver"
				form := url.Values{"delivery": {d.ID}, "form_key": {"again"}, "csrf": {p.of(at(k) + "/say").Get("csrf")}}
				require.Equal(t, http.StatusSeeOther, ann.post(failed, form).Status)
				require.Equal(t, http.StatusSeeOther, ann.post(failed, form).Status, "a second click is the same")
				now, err := h.records.Delivery(t.Context(), r.ID, d.ID)
				require.NoError(t, err)
				require.NotEqual(t, notice.Failed, now.State)
				form.Set("form_key", "once more")
				refused := ann.post(failed, form)
				require.Equal(t, http.StatusConflict, refused.Status)
				require.Contains(t, refused.section("now"), "This was not done:")
			}
		}
	}
	require.NotEmpty(t, failed)
	form := p.of(at(k) + "/register")
	require.Equal(t, "http://10.0.0.9/hook", form.Get("url"), "the dropped one")
	form.Set("url", "ftp://x")
	require.Equal(t, http.StatusBadRequest, ann.post(at(k)+"/register", form).Status)
	form = ann.get(at(k)).of(at(k) + "/register")
	form.Set("url", "https://new.example.com/hook")
	require.Equal(t, http.StatusSeeOther, ann.post(at(k)+"/register", form).Status)
	require.Contains(t, ann.get(at(k)).section("told"), "https://new.example.com/hook active")
}

// A page asks for what is new and is told so where there is nothing; what it is given leaves the forms alone.
func TestAPageIsKeptUpToDate(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Opener: "joe"})
	ann, bob := h.as(t, "shop", "ann"), h.as(t, "shop", "bob")
	p := ann.get(at(k))
	poll := attr(p.one("live"), "hx-get")
	require.Equal(t, http.StatusNoContent, ann.get(poll).Status)
	require.Equal(t, http.StatusSeeOther, bob.post(at(k)+"/act", bob.get(at(k)).act("accept")).Status)
	part := ann.get(poll)
	require.Equal(t, http.StatusOK, part.Status)
	for _, id := range []string{"live", "state", "facts", "changed", "stands", "entries"} {
		require.Empty(t, (answer{root: p.one(id), t: t}).tags("form"), "%s: a form would be emptied while somebody types", id)
		part.one(id)
	}
	require.Equal(t, at(k)+"/live?seq=2", attr(part.one("live"), "hx-get"))
	require.Contains(t, words(part.one("changed")), "Something has happened since this page was made")
	require.Contains(t, words(part.one("entries")), "Accepted by bob")
	require.Contains(t, words(part.one("state")), "acknowledged")
	require.Empty(t, part.class("action"))
	require.Equal(t, http.StatusNotFound, h.as(t, "other", "ann").get(poll).Status)
}

// A lasting subscription follows every ticket: what went wrong with it is told where deliveries are, and contradicts nobody.
func TestLastingSubscriptionsAreNoMatterOfATicket(t *testing.T) {
	h := newSite(t)
	sub, err := h.records.Subscribe(t.Context(), notice.Subscription{Tenant: "north", URL: "https://lasting.example.com/", Format: notice.FormatEvent, Profile: notice.Standard})
	require.NoError(t, err)
	k := h.asked(t, ticket.Draft{Opener: "joe"})
	h.records.Tried(h.records.Waiting(sub.ID)[0], notice.Failed, try(1, 503, notice.ErrorStatus, "it answered 503", "", time.Second))
	ann := h.as(t, "shop", "ann")
	p := ann.get(at(k))
	require.Contains(t, p.section("timeline"), "1 entry, newest first")
	require.NotContains(t, p.section("timeline"), "Delivery given up")
	require.Contains(t, p.section("told"), "Nobody asked to be told of this ticket alone.")
	p = ann.get(at(k) + "/timeline?show=deliveries")
	require.Contains(t, p.section("timeline"), "Delivery given up Signalbox itself 2026-11-24 09:16:05 Host lasting.example.com Lasting subscription "+sub.ID)
}

// A page speaks the language of whoever looks, and its times are those of their zone.
func TestATicketIsShownInChinese(t *testing.T) {
	h, inc, buy, _ := sampled(t)
	b := h.visitor(t, "shop")
	b.cookies["signalbox-look"] = "lang:zh|zone:Asia/Shanghai"
	for _, k := range []*kept{inc, buy} {
		p := b.get(at(k))
		text := words(p.one("main"))
		for _, english := range []string{"Asked", "Since", "Timeline", "Notifications", "Accepted", " task", "newest", "Approve", "Comment", " by ", "round", "Open in"} {
			require.NotContains(t, text, english, "%s", text[max(0, strings.Index(text, english)-60):])
		}
	}
	p := b.get(at(inc))
	require.Contains(t, p.section("now"), "当前")
	require.Contains(t, words(p.one("facts")), "创建时间 2026-11-24 17:15:04")
	require.Contains(t, p.section("timeline"), "受理")
	require.Contains(t, words(b.get("/tickets/new").one("main")), "新建工单")
}

// Somebody follows a ticket from its page, and it is in their inbox until they follow it no more.
func TestATicketIsFollowed(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Title: "Worth a look", Followers: []string{"zhou"}})
	path := "/ticket/" + k.ticket.Number
	b, eye := h.as(t, "shop", "li"), h.as(t, "eye", "li")
	p := eye.get(path)
	require.Contains(t, words(p.one("facts")), "Followers zhou")
	require.NotContains(t, p.Body, path+"/follow")
	require.Equal(t, http.StatusForbidden, eye.post(path+"/follow", url.Values{"csrf": p.form("/logout")["csrf"], "form_key": {"a-key"}, "on": {"1"}}).Status, "an app that may only look says for nobody that they follow")
	p = b.get(path)
	require.Equal(t, http.StatusSeeOther, b.post(path+"/follow", p.form(path+"/follow")).Status)
	p = b.get(path)
	require.Contains(t, words(p.one("facts")), "Followers li , zhou")
	require.Contains(t, b.get("/").Body, "Worth a look")
	require.Equal(t, http.StatusSeeOther, b.post(path+"/follow", p.form(path+"/follow")).Status)
	require.NotContains(t, words(b.get(path).one("facts")), "li ,")
	require.NotContains(t, b.get("/").Body, "Worth a look")
	for i := range ticket.MaxFollowing - 1 {
		require.NoError(t, h.records.Follow(t.Context(), h.read(t, k), fmt.Sprint("p", i), true))
	}
	require.Contains(t, b.post(path+"/follow", b.get(path).form(path+"/follow")).Body, "the ticket is followed by 200 people already, and by no more")
}

// What a form is refused is in the audit as what calls of the API are refused is, whether or not an operation was begun for it.
func TestWhatAFormIsRefusedIsInTheAudit(t *testing.T) {
	var h *site
	h = newSite(t, func(c *console.Config) { c.Refusals = api.NewRefusals(later{&h}) })
	k := h.asked(t, ticket.Draft{})
	path := "/ticket/" + k.ticket.Number
	shop, eye := h.as(t, "shop", "li"), h.as(t, "eye", "wang")
	old := shop.get(path).form(path + "/say")
	send := func(b *browser, to string, change url.Values) int {
		t.Helper()
		form := url.Values{"csrf": b.get(path).form("/logout")["csrf"], "form_key": {"k" + to + change.Encode()}}
		for name, values := range change {
			form[name] = values
		}
		return b.post(to, form).Status
	}
	require.Equal(t, http.StatusBadRequest, send(shop, path+"/act", url.Values{"action": {"dance"}}), "before there is an operation")
	require.Equal(t, http.StatusConflict, send(shop, path+"/act", url.Values{"action": {"confirm"}, "virtual_confirm_result": {"true"}, "virtual_confirm_comment": {"x"}}), "by the rules")
	require.Equal(t, http.StatusForbidden, send(eye, path+"/act", url.Values{"action": {"accept"}}), "without the right")
	require.Equal(t, http.StatusNotFound, send(shop, "/ticket/IM999/act", url.Values{"action": {"accept"}}), "no such ticket")
	require.Equal(t, http.StatusBadRequest, send(shop, "/", url.Values{"action": {"approve"}}), "nothing was chosen")
	old.Set("csrf", "none of ours")
	require.Equal(t, http.StatusForbidden, shop.post(path+"/say", old).Status, "not from a page of theirs")
	require.Equal(t, http.StatusOK, shop.get("/ticket/"+k.ticket.Number).Status)

	entries, _, err := h.records.Audit(t.Context(), "north", desk.EntryFilter{Outcome: desk.Refused})
	require.NoError(t, err)
	var got []string
	for _, e := range entries {
		require.Equal(t, ticket.ChannelPages, e.Channel)
		require.NotEmpty(t, e.RequestID)
		require.NotEmpty(t, e.Why, e)
		got = append(got, fmt.Sprint(e.App, " ", e.Operator, " ", e.Path, " ", e.Number, " ", e.Status, " ", e.Code))
	}
	require.ElementsMatch(t, []string{
		"shop li " + path + "/act " + k.ticket.Number + " 400 invalid", "shop li " + path + "/act " + k.ticket.Number + " 409 conflict", "eye wang " + path + "/act " + k.ticket.Number + " 403 forbidden",
		"shop li /ticket/IM999/act IM999 404 not_found", "shop li /  400 invalid", "shop li " + path + "/say " + k.ticket.Number + " 403 forbidden",
	}, got)
}

// What is only tried out is refused to nobody: what is wrong with it stands on the page alone. Once it is to be kept, it is refused.
func TestWhatIsOnlyTriedIsNotInTheAudit(t *testing.T) {
	var h *site
	h = newSite(t, func(c *console.Config) { c.Refusals = api.NewRefusals(later{&h}) })
	b := h.admin(t)
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", leaving(t)).Status)
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/calendar", office).Status)
	csrf := b.get("/").form("/logout")["csrf"]
	send := func(to string, fields ...string) {
		t.Helper()
		form := url.Values{"csrf": csrf, "form_key": {uuid.NewString()}}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		require.Equal(t, http.StatusBadRequest, b.post(to, form).Status, to)
	}
	refused := func() (paths []string) {
		entries, _, err := h.records.Audit(t.Context(), "north", desk.EntryFilter{Outcome: desk.Refused})
		require.NoError(t, err)
		for _, e := range entries {
			paths = append(paths, e.Path)
		}
		return paths
	}
	send("/services/leave_request/simulate", "do", "open", "opener", "ann", "f.days", "many")
	send("/editor/service", "source", "key: x", "do", "simulate")
	send("/editor/service/simulate", "source", "key: x")
	send("/directory/import", "do", "try", "csv", "id\nx\nx")
	send("/calendars/office/import", "do", "try", "ics", "none")
	require.Empty(t, refused())
	send("/directory/import", "do", "keep", "csv", "id\nx\nx")
	send("/editor/service", "source", "key: x", "do", "publish")
	require.ElementsMatch(t, []string{"/directory/import", "/editor/service"}, refused())
}

// What addresses of a ticket missed is sent again from the list of those that are stuck: one that was dropped is registered again before.
func TestWhatDidNotArriveIsSentAgain(t *testing.T) {
	var begun []string
	h := newSite(t, func(c *console.Config) { c.Begin = func(_ context.Context, id string) { begun = append(begun, id) } })
	k, _ := told(t, h.records)
	ann, eye := h.as(t, "shop", "ann"), h.as(t, "eye", "eve")
	const list = "/tickets?stuck=undelivered"
	p := ann.get(list)
	sound(t, list, p)
	require.Equal(t, []string{"Told of"}, p.names())
	form := p.form(at(k) + "/resend")
	require.NotContains(t, eye.get(list).Body, "/resend")
	require.NotContains(t, eye.get(at(k)).Body, "/resend")
	none := url.Values{"csrf": eye.get(list).form("/logout")["csrf"], "form_key": {"x"}}
	require.Equal(t, http.StatusForbidden, eye.post(at(k)+"/resend", none).Status)

	done := ann.post(at(k)+"/resend", form)
	require.Equal(t, list, done.Header.Get("Location"))
	require.Contains(t, words(ann.led(done).one("notice")), k.ticket.Number+": 4 deliveries are sent again.")
	require.Len(t, begun, 3, "of two addresses: what was given up and what is held")
	require.Equal(t, http.StatusSeeOther, ann.post(at(k)+"/resend", form).Status)
	all, err := h.records.Redeliveries(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, all, 3, "a second click is the same")
	for _, id := range all {
		_, err := h.records.RedeliverSome(t.Context(), id, 100, 100)
		require.NoError(t, err)
	}
	require.Empty(t, ann.get(list).names(), "nothing is held or given up any more")
	require.Contains(t, ann.get(at(k)).section("told"), "http://10.0.0.9/hook active")
	require.NotContains(t, ann.get(at(k)).Body, "/resend")
	form.Set("form_key", "another")
	form.Del("back")
	nothing := ann.post(at(k)+"/resend", form)
	require.Equal(t, at(k)+"#told", nothing.Header.Get("Location"))
	require.Contains(t, words(ann.get(at(k)).one("notice")), "there is nothing any more that did not arrive")
}

// An address of a ticket is given another secret, which is shown once, and told nothing any more.
func TestAnAddressIsKeptOnThePageOfItsTicket(t *testing.T) {
	h := newSite(t)
	k, good := told(t, h.records)
	ann, eye := h.as(t, "shop", "ann"), h.as(t, "eye", "eve")
	one := at(k) + "/deliveries/" + good
	p := ann.get(at(k))
	shown := ann.post(one+"/rotate", p.form(one+"/rotate"))
	require.Equal(t, http.StatusOK, shown.Status)
	sound(t, one+"/rotate", shown)
	require.Regexp(t, `^whsec_`, words(shown.one("the-secret")))
	require.Contains(t, shown.section("secret"), "https://shop.example.com/hooks/signalbox")
	stop := p.form(one + "/stop")
	require.NotContains(t, eye.get(at(k)).Body, one+"/stop")
	require.Equal(t, at(k)+"#told", ann.post(one+"/stop", stop).Header.Get("Location"))
	require.Contains(t, words(ann.get(at(k)).one("notice")), "told nothing of this ticket any more")
	require.NotContains(t, ann.get(at(k)).section("told"), "https://shop.example.com/hooks/signalbox")
	require.Equal(t, http.StatusSeeOther, ann.post(one+"/stop", stop).Status, "a second click is the same")
}

// later is where the refusals of a site go that is yet to be made.
type later struct{ site **site }

func (h later) Refused(ctx context.Context, e desk.Entry) error {
	return (*h.site).records.Refused(ctx, e)
}

const several = `
key: several
name: Several
fields: [{key: amount, name: Amount, type: INT, required: true}, {key: when, name: When, type: DATE}, {key: why, name: Why, type: STRING, required: true}]
nodes:
  - {id: ask, name: Apply, type: task, action: submit, processors: {opener: true}, terminable: true, next: over, fields: [{key: count, name: Count, type: INT, required: true}, {key: sure, name: Sure, type: BOOL, required: true}, {key: note, name: Note, type: STRING}]}
  - {id: over, name: Over, type: end}
`

// All that is wrong with a form is told at once, each beside its field.
func TestEveryFieldAtFaultIsTold(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.told(b.publish("/editor/service", several))
	joe := h.as(t, "shop", "joe")
	form := joe.get("/tickets/new?service=several").filled("/tickets/new")
	form.Set("title", "One")
	form.Set("f.amount", "much")
	form.Set("f.when", "soon")
	p := joe.post("/tickets/new", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Len(t, p.class("problem-of"), 3)
	for field, why := range map[string]string{"f.amount": "must be a whole number", "f.when": "must be a time such as", "f.why": "is required"} {
		require.Contains(t, p.beside(field), why)
	}
	sound(t, "/tickets/new", p)

	k := h.asked(t, ticket.Draft{Service: "several", Definition: defined(t, several), Opener: "joe", Form: flow.Values{"amount": 1, "why": "x"}})
	form = joe.get(at(k)).act("submit")
	form.Set("f.count", "many")
	p = joe.post(at(k)+"/act", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Len(t, p.class("problem-of"), 2)
	require.Contains(t, p.beside("f.count"), "must be a whole number")
	require.Contains(t, p.section("now"), "Sure required – Yes No is required")
}

// What comes to the same stands once: who may end the whole ticket is not offered to end it from the node where they are asked as well.
func TestTerminateStandsOnce(t *testing.T) {
	h := newSite(t)
	k := h.asked(t, ticket.Draft{Service: "several", Definition: defined(t, several), Opener: "joe", Form: flow.Values{"amount": 1, "why": "x"}})
	count := func(b *browser) (can, cannot int) {
		t.Helper()
		p := b.get(at(k))
		for _, n := range p.tags("button") {
			switch {
			case words(n) == "Terminate" && has(n, "disabled"):
				cannot++
			case words(n) == "Terminate":
				can++
			}
		}
		return can, cannot
	}
	joe := h.as(t, "shop", "joe")
	can, cannot := count(joe)
	require.Equal(t, []int{1, 0}, []int{can, cannot})
}
