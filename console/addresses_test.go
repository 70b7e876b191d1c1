package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/console/page"
)

// Whoever the directory takes has a page under their id, whatever is in it, and a group likewise.
func TestEveryIdHasItsPage(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	for _, id := range []string{"ann lee", "a/b", "/", "a//b", "a%b", "%2F", "a?b", "a#b", "a;b", "a&b", "a+b", "+", "a:b", "*", "李 雷", "...", "a.", ".a", "a\\b", "edit", "x/edit", `"`, "'", "<b>", "a@b.example", "(x)", "a (b)", "[x]", "{x}", "a，b", strings.Repeat("界", 255)} {
		name := string([]rune(id)[:min(len([]rune(id)), 200)])
		p := b.fill("/directory/person", "/directory/person", "id", id, "name", "Name of "+name)
		require.Equal(t, http.StatusSeeOther, p.Status, id)
		to := p.Header.Get("Location")
		p = b.get(to)
		require.Equal(t, http.StatusOK, p.Status, "%s at %s", id, to)
		require.Contains(t, words(p.tags("h1")[0]), "Name of "+strings.Join(strings.Fields(name), " "), to)
		for _, n := range p.tags("a") { // and what leads on from there
			if href := attr(n, "href"); strings.HasPrefix(href, to+"/") {
				require.Equal(t, http.StatusOK, b.get(href).Status, href)
			}
		}
		require.Equal(t, http.StatusSeeOther, b.fill(to+"/edit", to+"/edit", "name", "Other").Status, id)
		//		require.Contains(t, b.get("/people?q="+url.QueryEscape(id)).Body, `href="`+to+`"`, id)

		p = b.fill("/directory/group", "/directory/group", "id", id, "name", "Group "+name)
		require.Equal(t, http.StatusSeeOther, p.Status, id)
		to = p.Header.Get("Location")
		require.Equal(t, http.StatusOK, b.get(to).Status, id)
		require.Contains(t, b.told(b.fill(to, to+"/members", "persons", page.Listed(id))), "Taken in: 1, taken out: 0.", id)
		out := strings.NewReplacer("&", "&amp;", `"`, "&#34;", "'", "&#39;", "<", "&lt;", ">", "&gt;", "+", "&#43;").Replace("person:" + id)
		require.Contains(t, b.get(to).Body, `value="`+out+`"`, "%s is a member", id)
		require.Contains(t, b.told(b.fill(to, to+"/members", "out", "person:"+id)), "taken out: 1.", id)
	}
	for _, id := range []string{".", ".."} { // browsers leave these out of an address
		for _, path := range []string{"/directory/person", "/directory/group"} {
			p := b.fill(path, path, "id", id, "name", "Nobody")
			require.Equal(t, http.StatusBadRequest, p.Status, id)
			require.Contains(t, words(p.class("problem-of")[0]), "cannot stand in an address")
		}
	}
}

// Persons of any id are found and named in every field that takes several, and groups of any id as members of others; of the fields of a process's form, which read ids by rules of
// their own, those are left out whom they cannot name.
func TestPersonsOfAnyIdAreNamed(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	persons := []string{"ann lee", "a，b", "b%c", "c?d", "d#e", "e&f", `"f"`, `g"h`, "h+i", "i:j", "j(k)", "[k]", "(l)", "李 雷", strings.Repeat("界", 255)}
	groups := []string{"cn=ops, ou=it", "ops，it", `"ops"`, "ops (it)", "ops:it"}
	var listed, in []string
	for _, id := range persons {
		h.keeps(t, id, true)
		listed = append(listed, page.Listed(id))
	}
	b.told(b.fill("/directory/group", "/directory/group", "id", "all"))
	for _, id := range groups {
		b.told(b.fill("/directory/group", "/directory/group", "id", id))
		in = append(in, page.Listed(id))
	}
	require.Contains(t, b.told(b.fill("/groups/all", "/groups/all/members", "persons", strings.Join(listed, ", "), "groups", strings.Join(in, "，"))), fmt.Sprintf("Taken in: %d,", len(persons)+len(groups)))

	find := func(query, typed string) (ids []string) {
		b.headers["HX-Trigger-Name"] = "targets"
		defer delete(b.headers, "HX-Trigger-Name")
		for _, o := range b.get("/directory/search?" + query + url.Values{"targets": {typed}}.Encode()).tags("option") {
			ids = append(ids, attr(o, "value"))
		}
		return ids
	}
	for i, id := range persons {
		require.Contains(t, find("", id), id)
		require.Contains(t, find("several=1&", "x, "+listed[i]), "x, "+listed[i])
		nameable := !strings.ContainsAny(id, "(，")
		require.Equal(t, nameable, slices.Contains(find("form=1&", id), id), id)
		if nameable {
			require.Contains(t, find("form=1&several=1&", "x, "+id), "x, "+id)
		}
	}

	b.told(b.publish("/editor/service", choosing))
	p := b.get("/tickets/new?service=choosing")
	form := p.form("/tickets/new")
	for field, value := range map[string]string{"title": "Whom?", "at.vote": strings.Join(listed, ","), "f.boss": "李 雷", "f.team": "[k],d#e", "assignee": "j(k)"} {
		form.Set(field, value)
	}
	p = b.post("/tickets/new", form)
	require.Equal(t, http.StatusSeeOther, p.Status, "nobody of them is unknown")
	k := &kept{}
	k.ticket.Tenant, k.ticket.Number = "north", strings.TrimPrefix(p.Header.Get("Location"), "/ticket/")
	require.Equal(t, persons, h.read(t, k).Named["vote"])
	form = b.get(at(k)).act("assign")
	form.Set("targets", page.Listed("a，b"))
	require.Equal(t, http.StatusSeeOther, b.post(at(k)+"/act", form).Status)
	require.Equal(t, []string{"a，b"}, h.read(t, k).WaitingFor())
	require.Equal(t, http.StatusOK, b.get(at(k)).Status)
}
