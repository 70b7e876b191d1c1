package console_test

import (
	"encoding/json"
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
		form := sent((answer{root: n, t: a.t}).tags("form")[0])
		can = append(can, form.Get("action"))
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
