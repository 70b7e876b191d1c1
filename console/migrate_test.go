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
