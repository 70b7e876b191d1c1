package console_test

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/console"
	"signalbox/console/people"
	"signalbox/desk"
	directory "signalbox/people"
	"signalbox/ticket"
)

// asking counts how often what people are called is asked for.
type asking struct {
	people.Directory
	asked int
}

func (a *asking) PersonNames(ctx context.Context, tenant string, ids []string) (map[string]string, error) {
	a.asked++
	return a.Directory.PersonNames(ctx, tenant, ids)
}

// called puts somebody into the directory of the tenant.
func (h *site) called(t testing.TB, p directory.Person) {
	t.Helper()
	_, err := h.records.ChangePerson(t.Context(), p.Language, "boss", directory.Key{ID: p.ID}, func(had directory.PersonRecord, _ bool) (directory.PersonRecord, error) {
		p.Active, p.Language = true, ""
		had.Person = p
		return had, nil
	})
	require.NoError(t, err)
}

const leading = `
key: lead
name: Lead
fields:
  - {key: deputy, name: Deputy, type: MEMBER}
  - {key: crew, name: Crew, type: MEMBERS}
nodes:
  - {id: boss, name: Boss, type: approval, rule: all, processors: {manager_of: opener}, add: {anyone: true}, next: board}
  - {id: board, name: Board, type: approval, rule: all, finish: decided, processors: {persons: [ann, bob], groups: [crew]}, reject: {then: choose}, retract: true, add: {anyone: true}, next: pay}
  - {id: pay, name: Pay, type: task, action: submit, processors: {persons: [eve]}, next: over}
  - {id: over, name: Over, type: end}
`

// TestNobodyIsShownByAnId walks over every page that links lead to, of a tenant that knows everybody by name, and finds nobody shown by an id.
func TestNobodyIsShownByAnId(t *testing.T) {
	names := &asking{}
	h := newSite(t, func(c *console.Config) { names.Directory = c.Directory; c.Directory = names })
	h.apps.set(desk.App{Code: "root", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write, desk.Directory, desk.Admin}})
	ids := []string{"ann", "bob", "eve", "joe", "mia", "kit", "rex", "li.lei", "han.meimei", "wang.xiaoming", "zhou.yu", "lu.su", "sun.quan", "zhao.yun", "guan.yu", "zhang.fei", "zhuge.liang", "cao.cao"}
	for i, id := range ids {
		p := directory.Person{ID: id, Language: "north", Name: "Somebody " + string(rune('A'+i)), Email: "somebody@example.com"}
		if id == "joe" || id == "kit" {
			p.Manager = "ann"
		}
		if id == "ann" {
			p.Chats = []directory.Chat{{Network: "slack", Address: "U1", Webhook: "https://hooks.slack.com/services/T/B/secret"}}
		}
		h.called(t, p)
	}
	_, err := h.records.ChangeGroup(t.Context(), "north", "boss", directory.Key{ID: "crew"}, directory.Membership{All: true}, func(had directory.GroupRecord, _ bool) (directory.GroupRecord, error) {
		had.ID, had.Members = "crew", []directory.Member{{Person: "mia"}, {Person: "kit"}}
		return had, nil
	})
	require.NoError(t, err)
	_, err = h.records.AddAbsence(t.Context(), "north", "boss", directory.Absence{Person: "kit", From: began, Deputy: "mia"})
	require.NoError(t, err)
	h.records.opened = 1_000 // beside those that the desk opens
	incident(t, h.records)
	purchase(t, h.records)
	told(t, h.records)
	root, joe, ann, mia := h.as(t, "root", "rex"), h.as(t, "shop", "joe"), h.as(t, "shop", "ann"), h.as(t, "shop", "mia")
	form := root.get("/editor/service").filled("/editor/service")
	form.Set("source", leading)
	form.Set("do", "publish")
	require.Equal(t, http.StatusSeeOther, root.post("/editor/service", form).Status)
	form = joe.get("/tickets/new?service=lead").form("/tickets/new")
	for name, value := range map[string]string{"title": "A leave", "assignee": "mia", "f.deputy": "mia", "f.crew": "mia, kit"} {
		form.Set(name, value)
	}
	p := joe.post("/tickets/new", form)
	require.Equal(t, http.StatusSeeOther, p.Status, p.Body)
	path := p.Header.Get("Location")
	act := func(b *browser, action string, more ...string) {
		t.Helper()
		form := b.get(path).act(action)
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		p := b.post(path+"/act", form)
		require.Equal(t, http.StatusSeeOther, p.Status, "%s: %s", action, p.Body)
	}
	act(ann, "add", "targets", "bob")
	act(ann, "remove", "targets", "bob")
	act(ann, "add", "targets", "eve")
	act(ann, "approve")
	act(root, "approve", "on_behalf", "eve", "comment", "For somebody")
	act(mia, "reject", "to", "boss", "comment", "No")
	act(ann, "approve")
	form = ann.get(path).form(path + "/say")
	form.Set("content", "Ask @bob, please. And @mia。")
	require.Equal(t, http.StatusSeeOther, ann.post(path+"/say", form).Status)
	require.Equal(t, http.StatusSeeOther, mia.post(path+"/follow", mia.get(path).form(path+"/follow")).Status)
	require.Equal(t, http.StatusNotFound, root.post("/ticket/none/follow", root.get(path).form(path+"/follow")).Status)
	h.askedFor(t, votes, "Another one", func(d *ticket.Draft) { d.Opener, d.Followers = "joe", []string{"ann"} })

	hint := "A line for each person, such as ann: bob."
	known := regexp.MustCompile(`(^|[^\p{L}\p{N}._/-])(` + strings.ReplaceAll(strings.Join(ids, "|"), ".", `\.`) + `)($|[^\p{L}\p{N}_/-])`)
	seen, found, missed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, b := range []*browser{root, ann, joe} {
		clear(seen)
		for queue := []string{"/", "/tickets", "/audit", "/absences", "/groups"}; len(queue) > 0; {
			path, _, _ := strings.Cut(queue[0], "#")
			if queue = queue[1:]; seen[path] || strings.HasPrefix(path, "/openapi/") || strings.HasPrefix(path, "/docs") || strings.HasPrefix(path, "/console/assets") || strings.Contains(path, "/live?") || strings.HasPrefix(path, "/directory/search") {
				continue
			}
			seen[path] = true
			before := names.asked
			p := b.get(path)
			require.LessOrEqual(t, names.asked-before, 1, "%s asks for names once", path)
			if p.Header.Get("Location") != "" || !strings.Contains(p.Header.Get("Content-Type"), "text/html") || p.Status != http.StatusOK {
				continue
			}
			for n := range p.root.Descendants() {
				shown := n.Data
				if n.Type == html.ElementNode {
					shown = attr(n, "aria-label") + "\n" + attr(n, "alt") + "\n" + attr(n, "placeholder") + "\n" + attr(n, "data-label")
				} else if n.Type != html.TextNode || inCode(n) {
					continue
				}
				if text := strings.TrimSpace(shown); known.MatchString(text) && !missed[text] && text != hint {
					missed[text] = true
					t.Errorf("%s shows %q", path, text)
				}
			}
			for _, n := range p.tags("bdi") {
				if id := attr(n, "title"); id != "" {
					found[id] = true
				}
			}
			queue = append(queue, sound(t, path, p)...)
		}
	}
	for _, id := range ids {
		require.True(t, found[id], "%s is nowhere", id)
	}
	require.Greater(t, len(seen), 40)

	picture := joe.get(path + "/diagram.svg")
	require.Contains(t, picture.Body, ">Somebody ", "so does the picture say")
	require.False(t, known.MatchString(picture.Body), picture.Body)

	h.called(t, directory.Person{ID: "ann", Language: "north", Name: "Another name"})
	require.Contains(t, joe.get(path).Body, `<bdi title="ann">Another name</bdi>`, "at the next page")
	require.NotContains(t, joe.get(path).Body, "Somebody A<")

	south := h.as(t, "other", "ann")
	require.NotContains(t, south.get("/").Body, "Another name", "names are those of the tenant")
	require.NoError(t, h.records.RemovePerson(t.Context(), "north", "boss", directory.Key{ID: "ann"}, func(directory.PersonRecord) error { return nil }))
	require.Contains(t, joe.get(path).Body, `<bdi>ann</bdi>`)
}

// inCode reports whether a text is code, or what somebody typed.
func inCode(n *html.Node) bool {
	for a := range n.Ancestors() {
		if slices.Contains([]string{"code", "pre", "textarea", "script", "style", "data"}, a.Data) {
			return true
		}
	}
	return false
}
