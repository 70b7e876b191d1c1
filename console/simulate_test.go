package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/ticket"
)

// player plays a process through on its page.
type player struct {
	b    *browser
	path string
	page answer
}

// do presses a button, with something typed into the form.
func (p *player) do(button string, typed ...string) answer {
	p.b.t.Helper()
	form := p.page.whole(p.path + "#played")
	form.Set("do", button)
	for i := 0; i+1 < len(typed); i += 2 {
		form.Set(typed[i], typed[i+1])
	}
	p.page = p.b.post(p.path, form)
	sound(p.b.t.(*testing.T), p.path, p.page)
	return p.page
}

// done presses a button that does something.
func (p *player) done(button string, typed ...string) {
	p.b.t.Helper()
	page := p.do(button, typed...)
	require.Equal(p.b.t, http.StatusOK, page.Status, page.Body)
	require.Empty(p.b.t, page.all(func(n *html.Node) bool { return strings.Contains(attr(n, "class"), "problem-of") }), page.Body)
}

// place gives where the form has what can be done at a node: n0.
func (p *player) place(node string) string {
	p.b.t.Helper()
	found := p.page.all(func(n *html.Node) bool {
		return strings.HasSuffix(attr(n, "name"), ".node") && attr(n, "value") == node
	})
	require.Len(p.b.t, found, 1, "%s is not asked: %s", node, words(p.page.one("played").Parent))
	return strings.TrimSuffix(attr(found[0], "name"), ".node")
}

func (p *player) at(node, action string, typed ...string) answer {
	p.b.t.Helper()
	place := p.place(node)
	for i := 0; i < len(typed); i += 2 {
		typed[i] = place + "." + typed[i]
	}
	return p.do(place+"."+action, typed...)
}

func (h *site) player(t *testing.T, code, path string) *player {
	t.Helper()
	p := &player{b: h.visitor(t, code), path: path}
	p.page = p.b.get(path)
	require.Equal(t, http.StatusOK, p.page.Status, p.page.Body)
	sound(t, path, p.page)
	return p
}

// A process is played through step by step: who says what, what time does, and what other systems answer.
func TestAProcessIsPlayedThrough(t *testing.T) {
	h := newSite(t)
	require.Equal(t, http.StatusSeeOther, h.admin(t).publish("/editor/service", leaving(t)).Status)
	require.Contains(t, h.visitor(t, "shop").get("/services/leave_request").Body, `href="/services/leave_request/simulate"`)
	p := h.player(t, "shop", "/services/leave_request/simulate")
	require.Empty(t, p.page.class("picture"), "nothing is opened yet")

	// What the form lacks is said beside its field, and what was typed stays.
	page := p.do("open", "opener", "ann", "f.title", "Summer", "f.manager", "mia", "f.from", "2027-07-01", "f.days", "many")
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.section("setting"), "must be a whole number")
	p.done("open", "f.days", "12", "f.from", "2027-07-01", "f.manager", "mia", "start", "2026-12-07T09:00:00")
	require.Contains(t, p.page.section("played"), "Manager's approval")
	require.Contains(t, p.page.section("played"), "It is now 2026-12-07 09:00:00")
	require.Contains(t, p.page.Body, "data:image/svg&#43;xml;base64,")
	require.Contains(t, p.page.section("story"), "Opened")
	require.Equal(t, "mia", p.page.whole(p.path+"#played").Get(p.place("manager")+".who"))

	// Time passes: by itself to what comes next, and by a span; the manager is reminded, and then another is asked.
	require.Contains(t, p.page.section("played"), "2026-12-09 09:00:00")
	p.done("next")
	require.Contains(t, p.page.section("played"), "It is now 2026-12-09 09:00:00")
	require.Contains(t, p.page.section("story"), "eminded")
	require.Contains(t, p.do("pass", "span", "soon").section("played"), "must be a length of time")
	p.done("pass", "span", "3d")
	require.Contains(t, p.page.section("played"), "hr-desk")
	p.done("undo")
	require.NotContains(t, p.page.section("played"), "hr-desk")

	// A refusal is told in the rules' words where it was met, and nothing has happened.
	page = p.at("manager", "approve", "who", "otto")
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.section(p.place("manager")), "asks mia")
	require.Contains(t, page.section("played"), "Steps so far 1")
	require.Equal(t, http.StatusOK, p.at("manager", "approve", "who", "mia", "comment", "Enjoy it").Status)
	require.Contains(t, p.page.section("story"), "Enjoy it")
	require.Contains(t, p.page.section("played"), "HR approval")
	for _, who := range []string{"hugo", "hana"} {
		require.Equal(t, http.StatusOK, p.at("hr", "approve", "who", who).Status, p.page.Body)
	}

	// The request waits until somebody says what it comes to: each attempt by itself.
	require.Contains(t, p.page.section("c0"), "Book the days attempt 1 of")
	require.Contains(t, p.page.section("c0"), "ann")
	require.Contains(t, p.do("c0.answer", "c0.status", "seven").section("c0"), "must be a number from 100 to 599")
	p.done("c0.answer", "c0.status", "503")
	require.Empty(t, p.page.all(func(n *html.Node) bool { return attr(n, "id") == "c0" }), "it is not tried again at once")
	p.done("next")
	require.Contains(t, p.page.section("c0"), "attempt 2 of")
	p.done("c0.answer", "c0.status", "201")
	require.Contains(t, p.page.section("played"), "completed")
	require.Contains(t, p.page.section("played"), "The ticket is over.")
	require.Contains(t, p.page.section("sent"), "event")
	require.Empty(t, p.page.all(func(n *html.Node) bool { return attr(n, "id") == "whole" }))
	p.done("undo")
	require.Contains(t, p.page.section("c0"), "attempt 2 of")

	// What was filled in can be changed under what was done.
	p.done("open", "f.days", "3")
	require.NotContains(t, p.page.section("played"), "HR approval")
	found, err := h.records.Tickets(t.Context(), "north", ticket.Filter{Limit: 5})
	require.NoError(t, err)
	require.Empty(t, found.Items, "nothing is kept")
}

// Votes by order and rejections lead where the process says, and a ticket as a whole can be suspended and given up.
func TestARejectionAndAWithdrawalArePlayed(t *testing.T) {
	h := newSite(t)
	require.Equal(t, http.StatusSeeOther, h.admin(t).publish("/editor/service", leaving(t)).Status)
	p := h.player(t, "shop", "/services/leave_request/simulate")
	p.done("open", "opener", "ann", "f.title", "Summer", "f.days", "3", "f.from", "2027-07-01", "f.manager", "mia")
	require.Equal(t, http.StatusOK, p.at("manager", "reject", "who", "mia", "comment", "Not in July").Status)
	require.Equal(t, http.StatusBadRequest, p.at("revise", "submit", "who", "ann", "f.days", "x", "f.from", "2027-08-01").Status)
	require.Contains(t, p.page.section(p.place("revise")), "must be a whole number")
	require.Equal(t, http.StatusOK, p.at("revise", "submit", "who", "ann", "f.days", "4", "f.from", "2027-08-01").Status)
	require.Contains(t, p.page.section(p.place("manager")), "round 2")
	require.Equal(t, http.StatusOK, p.do("whole.suspend", "whole.who", "ann").Status)
	require.Contains(t, p.page.section("played"), "The ticket is suspended")
	require.Equal(t, http.StatusBadRequest, p.at("manager", "approve", "who", "mia").Status)
	p.done("whole.unsuspend", "whole.who", "ann")
	p.done("whole.withdraw", "whole.who", "ann", "whole.comment", "Another year")
	require.Contains(t, p.page.section("played"), "The ticket is over.")
}

// What is written in the editor is played through before it is published, and the text comes back to it.
func TestADraftIsPlayedThrough(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	const draft = "key: errand\nname: Errand\nnodes:\n- {id: fetch, name: Fetch, type: task, processors: {groups: [crew]}, next: done}\n- {id: done, name: Done, type: end}\n"
	form := b.get("/editor/service").form("/editor/service")
	form.Set("source", "nodes: {")
	form.Set("do", "simulate")
	page := b.post("/editor/service", form)
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.Body, "It cannot be tried out while something is wrong with it.")
	form.Set("source", draft)
	p := &player{b: b, path: "/editor/service/simulate", page: b.post("/editor/service", form)}
	require.Equal(t, http.StatusOK, p.page.Status)
	p.done("open", "opener", "ann", "group.crew", "carl, cora")
	require.Equal(t, http.StatusOK, p.at("fetch", "submit", "who", "cora").Status)
	require.Contains(t, p.page.section("played"), "completed")
	back := p.do("edit")
	require.Equal(t, draft, back.source())
	require.Contains(t, back.forms(), "/editor/service")
	require.Equal(t, http.StatusNotFound, b.get("/services/errand").Status)
}

// What a browser carries is bounded, and what is none of ours is refused.
func TestWhatIsCarriedAlongIsBounded(t *testing.T) {
	h := newSite(t)
	require.Equal(t, http.StatusSeeOther, h.admin(t).publish("/editor/service", leaving(t)).Status)
	p := h.player(t, "shop", "/services/leave_request/simulate")
	p.done("open", "opener", "ann", "f.title", "Summer", "f.days", "3", "f.from", "2027-07-01", "f.manager", "mia")
	var steps []string
	for i := range 200 {
		steps = append(steps, fmt.Sprintf(`{"at":%d}`, i))
	}
	full := "[" + strings.Join(steps, ",") + "]"
	for steps, wrong := range map[string]string{
		"[" + full[1:len(full)-1] + `,{"at":500}]`: "must have at most 200 items",
		`[{"at":5},{"at":4}]`:                      "is none of ours",
		`[{"at":-1}]`:                              "is none of ours",
		`[{"at":99999999999}]`:                     "is none of ours",
		`{`:                                        "is none of ours",
		strings.Repeat(" ", 256<<10) + `[]`:        "must have at most 262144 bytes",
		`[{"at":1,"act":{"action":"approve","after":"x","node":"manager"}}]`: "must be a length of time",
	} {
		page := p.b.post(p.path, with(p.page.whole(p.path+"#played"), "steps", steps, "do", "open"))
		require.Equal(t, http.StatusBadRequest, page.Status, steps)
		require.Contains(t, page.section("setting"), wrong)
	}
	page := p.b.post(p.path, with(p.page.whole(p.path+"#played"), "steps", full, "do", "pass", "span", "1d"))
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.section("played"), "must have at most 200 items")
	page = p.b.post(p.path, with(p.page.whole(p.path+"#played"), "do", "n7.approve"))
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.section("played"), "this is not possible any more")
	require.Equal(t, http.StatusNotFound, p.b.post(p.path, with(p.page.whole(p.path+"#played"), "version", "9")).Status)
	stranger := h.visitor(t, "other")
	require.Equal(t, http.StatusNotFound, stranger.get(p.path).Status)
}

func with(form url.Values, change ...string) url.Values {
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}
