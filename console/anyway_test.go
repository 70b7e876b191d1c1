package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/people"
	"signalbox/ticket"
)

// suggested are the ids that a page suggests to the field of that name.
func (a answer) suggested(field string) (ids []string) {
	a.t.Helper()
	for _, in := range a.tags("input") {
		if attr(in, "name") != field || attr(in, "list") == "" {
			continue
		}
		for n := range a.one(attr(in, "list")).Descendants() {
			if n.Data == "option" {
				ids = append(ids, attr(n, "value"))
			}
		}
		return ids
	}
	return nil
}

// beside are the words of the fields of that name: what each is, and what was wrong with it.
func (a answer) beside(field string) (out string) {
	a.t.Helper()
	for _, in := range a.tags("input") {
		if attr(in, "name") == field && attr(in, "type") != "hidden" {
			out += words(in.Parent) + "\n"
		}
	}
	return out
}

// keeps puts somebody into the directory of the tenant.
func (h *site) keeps(t testing.TB, id string, active bool) {
	t.Helper()
	_, err := h.records.ChangePerson(t.Context(), "north", "boss", people.Key{ID: id}, func(had people.PersonRecord, _ bool) (people.PersonRecord, error) {
		had.ID, had.Name, had.Active = id, strings.ToUpper(id), active
		return had, nil
	})
	require.NoError(t, err)
}

// Whoever hands over to somebody who is not in the directory, or disabled there, is told so before, and does it by sending the form again; another name is looked at again.
func TestWhoIsNotInTheDirectoryIsHandedOverToOnPurpose(t *testing.T) {
	h := newSite(t)
	h.apps.set(desk.App{Code: "root", Tenant: "north", Scopes: []desk.Scope{desk.Admin}})
	k := h.asked(t, ticket.Draft{Service: "v", Definition: defined(t, votes), Opener: "joe"})
	root := h.as(t, "root", "root")
	send := func(form url.Values, to string) answer {
		t.Helper()
		form.Set("targets", to)
		return root.post(at(k)+"/act", form)
	}
	require.Empty(t, root.get(at(k)).suggested("targets"))
	require.Equal(t, http.StatusSeeOther, send(root.get(at(k)).act("reassign"), "nobody").Status, "there is no directory")
	require.Equal(t, []string{"nobody"}, h.read(t, k).WaitingFor())

	h.keeps(t, "amy", true)
	h.keeps(t, "gone", false)
	p := root.get(at(k))
	require.Equal(t, []string{"amy"}, p.suggested("targets"), "who is disabled is not suggested")
	sound(t, at(k), p)
	p = send(p.act("reassign"), "amy, xu, gone")
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, p.beside("targets"), "Nobody of the id xu is in the directory. gone is disabled in the directory. Send it again to do it all the same.")
	require.Equal(t, "amy, xu, gone", p.act("reassign").Get("targets"))
	require.Equal(t, []string{"nobody"}, h.read(t, k).WaitingFor())
	p = send(p.act("reassign"), "amy, xu, li")
	require.Equal(t, http.StatusBadRequest, p.Status, "of li nobody was warned")
	require.NotContains(t, p.beside("targets"), "xu")
	require.Equal(t, http.StatusSeeOther, send(p.act("reassign"), "amy, xu, li").Status)
	require.ElementsMatch(t, []string{"amy", "xu", "li"}, h.read(t, k).WaitingFor())
	require.Equal(t, http.StatusSeeOther, send(root.get(at(k)).act("reassign"), "amy").Status)

	root.cookies["signalbox-look"] = "lang:zh"
	require.Contains(t, send(root.get(at(k)).act("reassign"), "xu").beside("targets"), "通讯录中没有 ID 为 xu 的人员。若仍要如此，请再次提交。")
}

// So does whoever opens a ticket for such an assignee.
func TestWhoIsNotInTheDirectoryIsAssignedToOnPurpose(t *testing.T) {
	h := newSite(t)
	joe := h.as(t, "shop", "joe")
	h.keeps(t, "amy", true)
	p := joe.get("/tickets/new?service=incident")
	require.Equal(t, []string{"amy"}, p.suggested("assignee"))
	form := p.form("/tickets/new")
	form.Set("title", "A gate")
	form.Set("assignee", "xu")
	p = joe.post("/tickets/new", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, p.beside("assignee"), "Nobody of the id xu is in the directory.")
	form = p.filled("/tickets/new")
	require.Equal(t, "A gate", form.Get("title"))
	require.Equal(t, http.StatusSeeOther, joe.post("/tickets/new", form).Status)
	form = joe.get("/tickets/new?service=incident").form("/tickets/new")
	form.Set("title", "A gate")
	form.Set("assignee", "amy")
	require.Equal(t, http.StatusSeeOther, joe.post("/tickets/new", form).Status)
}

// At most twenty are suggested.
func TestSomeOfTheDirectoryAreSuggested(t *testing.T) {
	h := newSite(t)
	for i := range 25 {
		h.keeps(t, "p"+string(rune('a'+i)), true)
	}
	require.Len(t, h.as(t, "shop", "joe").get("/tickets/new?service=incident").suggested("assignee"), 20)
}

const choosing = `
key: choosing
name: Choosing
fields:
  - {key: boss, name: Boss, type: MEMBER}
  - {key: team, name: Team, type: MEMBERS}
nodes:
  - {id: hand, name: Hand out, type: task, action: submit, assigners: {persons: [joe]}, processors: {anyone: true}, distribute: assign, next: vote}
  - {id: vote, name: Board, type: approval, rule: all, finish: everyone, processors: {caller: true}, add: {anyone: true}, next: look, fields: [{key: deputy, name: Deputy, type: MEMBER}]}
  - {id: look, name: Look, type: task, action: submit, processors: {persons: [joe]}, next: over}
  - {id: over, name: Over, type: end}
`

// Every field that takes persons asks back for those who are not in the directory: in forms of processes, of whoever is asked by name, assigned to or added. All that is doubtful is told at
// once, each beside its field, and asking back is no refusal.
func TestEveryFieldOfPersonsAsksBack(t *testing.T) {
	h := audited(t)
	b := h.admin(t)
	b.told(b.publish("/editor/service", choosing))
	h.keeps(t, "amy", true)
	h.keeps(t, "bob", true)
	joe := h.as(t, "shop", "joe")
	const draft = "/tickets/new?service=choosing"
	p := joe.get(draft)
	for _, field := range []string{"f.boss", "f.team", "at.vote", "assignee"} {
		require.Equal(t, []string{"amy", "bob"}, p.suggested(field), field)
	}
	form := p.form("/tickets/new")
	for field, value := range map[string]string{"title": "Whom?", "f.boss": "xu(Xu, Li)", "f.team": "amy,li，bob", "at.vote": "ann, bob", "assignee": "zoe"} {
		form.Set(field, value)
	}
	p = joe.post("/tickets/new", form)
	require.Equal(t, http.StatusBadRequest, p.Status)
	for field, id := range map[string]string{"f.boss": "xu", "f.team": "li", "at.vote": "ann", "assignee": "zoe"} {
		require.Contains(t, p.beside(field), "Nobody of the id "+id+" is in the directory. Send it again to do it all the same.", field)
	}
	sound(t, draft, p)
	p = joe.post("/tickets/new", p.filled("/tickets/new"))
	require.Equal(t, http.StatusSeeOther, p.Status, p.Body)
	k := &kept{}
	k.ticket.Tenant, k.ticket.Number = "north", strings.TrimPrefix(p.Header.Get("Location"), "/ticket/")

	act := func(who *browser, action string, fill ...string) {
		t.Helper()
		form := who.get(at(k)).act(action)
		for i := 0; i < len(fill); i += 2 {
			form.Set(fill[i], fill[i+1])
		}
		p := who.post(at(k)+"/act", form)
		require.Equal(t, http.StatusBadRequest, p.Status, action)
		require.Contains(t, p.beside(fill[0]), "Nobody of the id nobody is in the directory.", action)
		sound(t, at(k), p)
		require.Equal(t, http.StatusSeeOther, who.post(at(k)+"/act", p.act(action)).Status, action)
	}
	act(joe, "assign", "targets", "nobody")
	nobody := h.as(t, "shop", "nobody")
	require.Equal(t, http.StatusSeeOther, nobody.post(at(k)+"/act", nobody.get(at(k)).act("submit")).Status)
	bob := h.as(t, "shop", "bob")
	act(bob, "add", "targets", "amy, nobody")
	act(bob, "approve", "f.deputy", "nobody")
	require.Empty(t, h.refusals(t))
}

// As somebody types, the directory is searched by the beginning of an id or a name; where several are listed, with the last of them.
func TestTheDirectoryIsSearchedAsSomebodyTypes(t *testing.T) {
	h := newSite(t)
	for i := range 25 {
		h.keeps(t, fmt.Sprintf("p%02d", i), true)
	}
	h.keeps(t, "zed", true)
	h.keeps(t, "zoe", false)
	joe := h.as(t, "shop", "joe")
	in := joe.get("/tickets/new?service=incident").one("new-2")
	require.Equal(t, []string{"assignee", "/directory/search", "#persons"}, []string{attr(in, "name"), attr(in, "hx-get"), attr(in, "hx-target")})
	find := func(query, typed string) (ids []string) {
		t.Helper()
		joe.headers["HX-Trigger-Name"] = "targets"
		p := joe.get("/directory/search?" + query + url.Values{"targets": {typed}}.Encode())
		require.Equal(t, http.StatusOK, p.Status)
		require.NotContains(t, p.Body, "<html")
		for _, o := range p.tags("option") {
			ids = append(ids, attr(o, "value"))
		}
		return ids
	}
	require.Len(t, find("", ""), 20)
	require.Equal(t, []string{"zed"}, find("", "z"), "who is disabled is not suggested")
	require.Equal(t, []string{"p07"}, find("", " P07 "))
	require.Empty(t, find("", "p01, p02"), "there is one person")
	require.Equal(t, []string{"p01, p02"}, find("several=1&", "p01, p02"))
	require.Equal(t, []string{"p01,p02， zed"}, find("several=1&", "p01,p02，ZE"))
	require.Len(t, find("several=1&", "p01,"), 20)
	require.Empty(t, find("", strings.Repeat("p", 3000)))
	require.Equal(t, http.StatusForbidden, h.as(t, "eye", "joe").get("/directory/search").Status)
	require.Equal(t, http.StatusSeeOther, h.browser(t).get("/directory/search").Status)
}
