package console_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/console"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// audited is a site that writes down what was refused.
func audited(t testing.TB) (h *site) {
	t.Helper()
	h = newSite(t, func(c *console.Config) { c.Refusals = api.NewRefusals(later{&h}) })
	return h
}

// refusals gives what was written down as refused, as paths with codes.
func (h *site) refusals(t testing.TB) (out []string) {
	t.Helper()
	entries, _, err := h.records.Audit(t.Context(), "north", desk.EntryFilter{Outcome: desk.Refused})
	require.NoError(t, err)
	for _, e := range entries {
		out = append(out, e.Path+" "+string(e.Code))
	}
	return out
}

// What moving a ticket to another version would do is shown first, with every reason why it cannot be; nodes can be told where to go.
func TestATicketIsMovedToAnotherVersion(t *testing.T) {
	h := audited(t)
	b := h.admin(t)
	const first = "key: errand\nname: Errand\nnodes:\n- {id: fetch, name: Fetch, type: task, processors: {persons: [ann]}, next: done}\n- {id: done, name: Done, type: end}\n"
	b.told(b.publish("/editor/service", first))
	h.opened(t, "errand", "An errand")
	found, err := h.records.Tickets(t.Context(), "north", ticket.Filter{Limit: 1})
	require.NoError(t, err)
	k := &kept{found.Items[0]}
	move := at(k) + "/migrate"
	require.Equal(t, http.StatusForbidden, h.as(t, "shop", "ann").get(move).Status)
	require.NotContains(t, h.as(t, "shop", "ann").get(at(k)).Body, move)
	require.Contains(t, b.get(at(k)).Body, `href="`+move+`"`)
	require.Contains(t, words(b.get(move).one("would")), "the ticket runs through version 1 already")

	b.told(b.publish("/services/errand/edit", strings.ReplaceAll(first, "fetch", "bring")))
	p := b.get(move)
	sound(t, move, p)
	require.Contains(t, words(p.class("crumb")[0]), "An errand triggered")
	require.Contains(t, words(p.one("would")), `What moving it to version 2 would do It cannot be moved: fetch : it is open, but there is no node "fetch"`)
	zh := h.as(t, "boss", "boss")
	zh.cookies["signalbox-look"] = "lang:zh"
	require.Contains(t, words(zh.get(move).one("would")), "该节点正在处理，但没有可以继续的节点 “fetch”")
	form := p.filled(move)
	require.Equal(t, "2", form.Get("to"))
	require.Equal(t, "", form.Get("goes.fetch"))
	p = b.post(move, form)
	require.Equal(t, http.StatusConflict, p.Status)
	require.Equal(t, 1, h.read(t, k).Version)

	form.Set("goes.fetch", "bring")
	form.Set("comment", "It was renamed")
	form.Set("look", "1")
	refusals := h.refusals(t)
	p = b.post(move, form)
	require.Equal(t, http.StatusOK, p.Status)
	sound(t, move, p)
	require.Contains(t, words(p.one("would")), "It can be moved Nothing is moved yet. State triggered Stands at Fetch Asked ann")
	require.Equal(t, 1, h.read(t, k).Version)
	nowhere := maps.Clone(form)
	nowhere.Set("to", "7")
	require.Equal(t, http.StatusBadRequest, b.post(move, nowhere).Status, "what cannot be looked at is no refusal either")
	form = p.filled(move)
	require.Equal(t, []string{"bring", "It was renamed", ""}, []string{form.Get("goes.fetch"), form.Get("comment"), form.Get("look")}, "what was chosen is still there")
	require.Equal(t, "The ticket runs through version 2 now.", b.told(b.post(move, form)))
	require.Equal(t, 2, h.read(t, k).Version)
	require.Equal(t, []string{"ann"}, k.ticket.WaitingFor())
	require.Equal(t, refusals, h.refusals(t), "looking is no refusal")
	require.Equal(t, http.StatusSeeOther, b.post(move, form).Status, "a second click is the same")
	require.Contains(t, b.get(at(k)).section("timeline"), "It was renamed")

	p = b.get(move + "?to=7")
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, words(p.class("problem-of")[0]), `the service "errand" has no version 7`)
	sound(t, move, p)
	require.Equal(t, http.StatusBadRequest, b.get(move+"?to=x").Status)
}

// What happened is told in the words of the version of the service in which it did, wherever in the timeline one begins to read.
func TestATimelineSpeaksOfTheVersionInForce(t *testing.T) {
	h := newSite(t)
	parse := func(version int, source string) *flow.Definition {
		def, faults := flow.Parse([]byte(source))
		require.Empty(t, faults)
		def.Version = version
		return &def
	}
	first := parse(1, "key: errand\nname: Errand\nnodes:\n- {id: fetch, name: Fetch the parcel, type: task, fields: [{key: weight, name: Weight in kg, type: STRING}], processors: {persons: [ann]}, next: give}\n"+
		"- {id: give, name: Hand it over, type: task, processors: {persons: [bob]}, next: done}\n- {id: done, name: Done, type: end}\n")
	second := parse(2, "key: errand\nname: Errand\nnodes:\n- {id: carry, name: Carry, type: task, processors: {persons: [ann]}, next: deliver}\n"+
		"- {id: deliver, name: Deliver, type: task, fields: [{key: floor, name: On which floor, type: STRING}], processors: {persons: [bob]}, next: done}\n- {id: done, name: Done, type: end}\n")
	third := parse(3, "key: errand\nname: Errand\nnodes:\n- {id: carry, name: Carry upstairs, type: task, processors: {persons: [ann]}, next: drop}\n"+
		"- {id: drop, name: Drop, type: task, processors: {persons: [bob]}, next: done}\n- {id: done, name: Done, type: end}\n")
	k := h.records.open(t, "north", ticket.Draft{Channel: ticket.ChannelIssue, App: "shop", Service: "errand", Definition: first, Origin: "test", Title: "An errand", Opener: "carl", Named: map[string][]string{"give": {"bob"}}})
	move := func(to *flow.Definition, nodes map[string]string) {
		h.records.do(t, k, ticket.Command{Action: ticket.Migrate, Operator: "boss", Admin: true, Migration: &ticket.Migration{Definition: to, Nodes: nodes}})
	}
	h.records.do(t, k, ticket.Command{Action: ticket.Submit, Operator: "ann", Node: "fetch", Fields: flow.Values{"weight": "12"}})         // 2
	move(second, map[string]string{"fetch": "carry", "give": "deliver"})                                                                   // 3
	h.records.do(t, k, ticket.Command{Action: ticket.Reassign, Operator: "boss", Admin: true, Node: "deliver", Targets: []string{"dora"}}) // 4
	move(third, map[string]string{"deliver": "drop"})                                                                                      // 5
	h.records.do(t, k, ticket.Command{Action: ticket.Submit, Operator: "dora", Node: "drop"})                                              // 6
	want := map[string][]string{
		"1": {"Fetch the parcel entered → ann", "Hand it over bob"},
		"2": {"Fetch the parcel done", "Hand it over entered → bob", "Weight in kg 12"},
		"4": {"Deliver"},
		"6": {"Drop done"},
	}
	b := h.visitor(t, "shop")
	for _, from := range []string{"", "/timeline?before=7", "/timeline?before=6", "/timeline?before=5", "/timeline?before=4", "/timeline?before=3", "/timeline?show=decisions"} {
		for _, e := range b.get(at(k) + from).class("event") {
			seq, text := strings.TrimPrefix(attr(e, "id"), "event-"), words(e)
			for _, part := range want[seq] {
				require.Contains(t, text, part, "entry %s, read from %q", seq, from)
			}
			if seq < "3" {
				require.NotContains(t, text, "fetch", "entry %s, read from %q", seq, from)
			}
		}
	}
}
