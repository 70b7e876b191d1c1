package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever the directory takes has a page under their id, whatever is in it, and a group likewise.
func TestEveryIdHasItsPage(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	for _, id := range []string{"ann lee", "a/b", "/", "a//b", "a%b", "%2F", "a?b", "a#b", "a;b", "a&b", "a+b", "+", "a:b", "*", "李 雷", "...", "a.", ".a", "a\\b", "edit", "x/edit", `"`, "<b>", "a@b.example"} {
		p := b.fill("/directory/person", "/directory/person", "id", id, "name", "Name of "+id)
		require.Equal(t, http.StatusSeeOther, p.Status, id)
		to := p.Header.Get("Location")
		p = b.get(to)
		require.Equal(t, http.StatusOK, p.Status, "%s at %s", id, to)
		require.Contains(t, words(p.tags("h1")[0]), "Name of "+strings.Join(strings.Fields(id), " "), to)
		for _, n := range p.tags("a") { // and what leads on from there
			if href := attr(n, "href"); strings.HasPrefix(href, to+"/") {
				require.Equal(t, http.StatusOK, b.get(href).Status, href)
			}
		}
		require.Equal(t, http.StatusSeeOther, b.fill(to+"/edit", to+"/edit", "name", "Other").Status, id)
		//		require.Contains(t, b.get("/people?q="+url.QueryEscape(id)).Body, `href="`+to+`"`, id)

		p = b.fill("/directory/group", "/directory/group", "id", id, "name", "Group "+id)
		require.Equal(t, http.StatusSeeOther, p.Status, id)
		p = b.get(p.Header.Get("Location"))
		require.Equal(t, http.StatusOK, p.Status, id)
	}
	for _, id := range []string{".", ".."} { // browsers leave these out of an address
		for _, path := range []string{"/directory/person", "/directory/group"} {
			p := b.fill(path, path, "id", id, "name", "Nobody")
			require.Equal(t, http.StatusBadRequest, p.Status, id)
			require.Contains(t, words(p.class("problem-of")[0]), "cannot stand in an address")
		}
	}
}
