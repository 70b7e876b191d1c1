package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/people"
)

// fill sends the form that goes to an address from a page, with some of its fields filled in; an empty value unticks a box.
func (b *browser) fill(from, action string, fields ...string) answer {
	b.t.Helper()
	p := b.get(from)
	require.Equal(b.t, http.StatusOK, p.Status, p.Body)
	form := p.whole(action)
	for i := 0; i+1 < len(fields); i += 2 {
		if form.Del(fields[i]); fields[i+1] != "" {
			form.Set(fields[i], fields[i+1])
		}
	}
	return b.post(action, form)
}

// whole gives what the form that goes to an address would send as it is, boxes, choices and texts of several lines included.
func (a answer) whole(action string) url.Values {
	a.t.Helper()
	for _, form := range a.tags("form") {
		if attr(form, "action") != action || attr(form, "method") != "post" {
			continue
		}
		out := url.Values{}
		for n := range form.Descendants() {
			has := func(name string) bool {
				for _, at := range n.Attr {
					if at.Key == name {
						return true
					}
				}
				return false
			}
			switch {
			case n.Data == "input" && (attr(n, "type") != "checkbox" || has("checked")):
				out.Add(attr(n, "name"), attr(n, "value"))
			case n.Data == "option" && has("selected"):
				out.Add(attr(n.Parent, "name"), attr(n, "value"))
			case n.Data == "textarea" && n.FirstChild != nil:
				out.Add(attr(n, "name"), strings.TrimPrefix(n.FirstChild.Data, "\n"))
			}
		}
		return out
	}
	require.Fail(a.t, "there is no form to "+action, a.Body)
	return nil
}

// told gives what the page says that a form leads to.
func (b *browser) told(a answer) string {
	b.t.Helper()
	require.Equal(b.t, http.StatusSeeOther, a.Status, a.Body)
	return words(b.get(a.Header.Get("Location")).one("notice"))
}

// somebody adds a person over the form.
func (b *browser) somebody(id, name string, more ...string) {
	b.t.Helper()
	b.told(b.fill("/directory/person", "/directory/person", append([]string{"id", id, "name", name}, more...)...))
}

func TestPersonsAreKeptOnThePages(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	require.Contains(t, words(b.get("/people").one("results")), "Nobody is in the directory yet.")
	b.somebody("li.lei", "李雷", "email", "li@example.com", "letters.minutes", "30", "letters.when", "digest")
	b.somebody("a/b c", "Ann", "manager", "li.lei", "slack.address", "U1", "slack.webhook", "https://hooks.slack.com/services/T/B/secret")
	require.Contains(t, words(b.get("/people?q=ann").one("results")), "Ann a/b c — 李雷 active")
	require.NotContains(t, words(b.get("/people?q=ann").one("results")), "李雷 li.lei")
	require.NotContains(t, words(b.get("/people?active=false").one("results")), "Ann")

	const ann = "/people/a%2Fb%20c"
	p := b.get(ann)
	require.Equal(t, http.StatusOK, p.Status, p.Body)
	require.Contains(t, p.section("person"), "Ann")
	require.NotContains(t, p.Body, "services/T/B/secret")
	require.Contains(t, p.section("person"), "[redacted]")

	// What was shown and not written over stays; what is wrong is told beside the field, and what was typed is there.
	require.Contains(t, b.told(b.fill(ann+"/edit", ann+"/edit", "name", "Ann Lee", "active", "")), "The person is kept.")
	rec, err := h.records.Person(t.Context(), "north", people.Key{ID: "a/b c"})
	require.NoError(t, err)
	require.False(t, rec.Active)
	require.Equal(t, "Ann Lee", rec.Name)
	require.Len(t, rec.Chats, 1)
	for field, value := range map[string]string{"email": "nothing", "manager": "nobody", "time_zone": "Nowhere/Land", "letters.minutes": "soon"} {
		bad := b.fill(ann+"/edit", ann+"/edit", field, value, "name", "typed")
		require.Equal(t, http.StatusBadRequest, bad.Status, field)
		require.NotEmpty(t, words(bad.one(field+"-wrong")), field)
		require.Equal(t, value, attr(bad.one(field), "value"))
		require.Equal(t, "typed", attr(bad.one("name"), "value"))
		sound(t, field, bad)
	}
	bad := b.fill(ann+"/edit", ann+"/edit", "slack.webhook", "ftp://x")
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, bad.Body, "chats[0].webhook")
	bad = b.fill("/directory/person", "/directory/person", "id", "li.lei", "name", "Another")
	require.Contains(t, words(bad.one("id-wrong")), "There is somebody of this id already.")
	require.Equal(t, http.StatusBadRequest, b.fill("/directory/person", "/directory/person", "name", "Nobody").Status)

	// Of two who write at once the second is told.
	form := b.get(ann + "/edit").whole(ann + "/edit")
	b.told(b.fill(ann+"/edit", ann+"/edit", "name", "Ann the second"))
	form.Set("name", "Ann the third")
	late := b.post(ann+"/edit", form)
	require.Equal(t, http.StatusConflict, late.Status)
	require.Contains(t, late.Body, "Somebody changed this person while you were writing.")
	b.told(b.post(ann+"/edit", late.whole(ann+"/edit")))
	require.Contains(t, b.get(ann).section("person"), "Ann the third")

	require.Contains(t, b.told(b.fill(ann, ann+"/remove")), "Yes, remove")
	require.Contains(t, b.told(b.fill(ann, ann+"/remove", "sure", "1")), "Ann the third is removed.")
	require.Equal(t, http.StatusNotFound, b.get(ann).Status)
}

func TestAbsencesAreSaidAndEnded(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.somebody("li.lei", "李雷", "time_zone", "Asia/Shanghai")
	b.somebody("han", "韩梅梅")
	const li = "/people/li.lei"
	today := h.now.Format("2006-01-02")
	require.Contains(t, b.told(b.fill(li, li+"/absences", "from", today, "to", today, "deputy", "han", "services", "leave, 采购")), "The absence is kept.")
	found, _, err := h.records.Absences(t.Context(), "north", people.AbsenceFilter{Person: "li.lei"}, "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"leave", "采购"}, found[0].Services)
	require.Equal(t, 24.0, found[0].To.Sub(found[0].From).Hours(), "the last day is a whole one")
	require.Equal(t, 16, found[0].From.UTC().Hour(), "of the person's time zone")
	tomorrow := h.now.AddDate(0, 0, 1).Format("2006-01-02")
	require.Contains(t, b.get(li).section("absences"), today+" "+tomorrow+" 韩梅梅 leave , 采购 away", "what was said in days is told in days")
	require.Contains(t, words(b.get("/absences?deputy=han").one("results")), "李雷 "+today+" "+tomorrow)
	require.Contains(t, words(b.get("/absences?deputy=han").one("results")), "李雷")
	require.Contains(t, words(b.get("/absences?at=2020-01-01").one("results")), "Nobody is absent so.")

	for field, value := range map[string]string{"to": "2020-01-01", "deputy": "nobody", "from": "soon"} {
		bad := b.fill(li, li+"/absences", "from", today, field, value)
		require.Equal(t, http.StatusBadRequest, bad.Status, field)
		require.NotEmpty(t, words(bad.one(field+"-wrong")), field)
		require.Equal(t, value, attr(bad.one(field), "value"))
	}
	end := li + "/absences/" + found[0].ID + "/end"
	require.Equal(t, "/people/han", b.post("/people/han/absences/"+found[0].ID+"/end", b.get(li).whole(end)).Header.Get("Location"))
	require.Contains(t, b.get(li).section("absences"), "away", "it is not another's to end")
	require.Contains(t, b.told(b.fill(li, end)), "The absence is ended.")
	require.Contains(t, b.get(li).section("absences"), "over")
}

func TestGroupsAreKeptOnThePages(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.somebody("li.lei", "李雷")
	b.somebody("han", "")
	require.Contains(t, words(b.get("/groups").one("results")), "There are no groups yet.")
	require.Contains(t, b.told(b.fill("/directory/group", "/directory/group", "id", "ops", "name", "Operations")), "The group is kept.")
	b.told(b.fill("/directory/group", "/directory/group", "id", "all"))
	require.Contains(t, b.fill("/directory/group", "/directory/group", "id", "ops").Body, "There is a group of this id already.")
	require.Contains(t, b.told(b.fill("/groups/ops", "/groups/ops/members", "persons", "li.lei，han")), "Taken in: 2, taken out: 0.")
	require.Contains(t, b.told(b.fill("/groups/all", "/groups/all/members", "groups", "ops")), "Taken in: 1")
	require.Contains(t, b.get("/groups/all").section("members"), "ops group")
	require.Contains(t, b.get("/people/han").section("person"), "Operations")
	require.Contains(t, b.told(b.fill("/groups/ops", "/groups/ops/members", "out", "person:han")), "taken out: 1.")
	require.NotContains(t, b.get("/groups/ops").section("members"), "han ")

	bad := b.fill("/groups/ops", "/groups/ops/members", "groups", "all")
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, bad.section("group"), "cycle")
	require.Equal(t, "all", attr(bad.one("groups"), "value"))
	require.Equal(t, http.StatusBadRequest, b.fill("/groups/ops", "/groups/ops/members", "persons", "nobody").Status)
	require.Equal(t, http.StatusBadRequest, b.fill("/groups/ops", "/groups/ops/members").Status)
	b.told(b.fill("/groups/ops", "/groups/ops", "name", "Run"))
	require.Contains(t, b.get("/groups/ops").section("group"), "Run")
	b.told(b.fill("/groups/ops", "/groups/ops/remove"))
	require.Equal(t, http.StatusOK, b.get("/groups/ops").Status, "nothing is removed without the box")
	b.told(b.fill("/groups/ops", "/groups/ops/remove", "sure", "1"))
	require.Equal(t, http.StatusNotFound, b.get("/groups/ops").Status)
}

// The directory is for those who keep it, and each tenant has its own.
func TestTheDirectoryIsForThoseWhoKeepIt(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.somebody("li.lei", "李雷")
	b.told(b.fill("/directory/group", "/directory/group", "id", "ops"))
	form := b.get("/people/li.lei").whole("/people/li.lei/letters")
	reader := h.visitor(t, "shop")
	mine := reader.get("/settings").whole("/settings")
	require.Contains(t, words(reader.get("/people").root), "You have signed in with the rights of an app")
	for _, path := range []string{"/people/li.lei", "/people/li.lei/edit", "/directory/person", "/directory/group", "/groups", "/groups/ops", "/absences"} {
		require.Equal(t, http.StatusForbidden, reader.get(path).Status, path)
	}
	form.Set("csrf", mine.Get("csrf"))
	for _, path := range []string{"/people/li.lei/letters", "/people/li.lei/absences", "/people/li.lei/edit", "/people/li.lei/remove", "/directory/person", "/directory/group", "/groups/ops", "/groups/ops/members", "/groups/ops/remove"} {
		require.Equal(t, http.StatusForbidden, reader.post(path, form).Status, path)
	}
	south := h.apps.all["boss"]
	south.Code, south.Tenant = "south-boss", "south"
	h.apps.set(south)
	other := h.visitor(t, "south-boss")
	for _, path := range []string{"/people/li.lei", "/people/li.lei/edit", "/groups/ops"} {
		require.Equal(t, http.StatusNotFound, other.get(path).Status, path)
	}
	require.NotContains(t, other.get("/people").Body, "li.lei")
}

func TestTheDirectoryOutToGetUs(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	const script = `"><script>alert(1)</script>`
	b.somebody(script, script)
	b.told(b.fill("/directory/group", "/directory/group", "id", "g"+script, "name", script))
	member := "/groups/" + url.PathEscape("g"+script)
	b.told(b.fill(member, member+"/members", "persons", script))
	for _, path := range []string{"/people", "/groups", "/people/" + url.PathEscape(script), "/people/" + url.PathEscape(script) + "/edit", member, "/absences?person=" + url.QueryEscape(script)} {
		p := b.get(path)
		require.Equal(t, http.StatusOK, p.Status, path)
		require.NotContains(t, p.Body, "<script>alert", path)
		sound(t, path, p)
	}
}

// Lists come in pages, and those of members too.
func TestPersonsComeInPages(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	var persons []people.Person
	ids := ""
	for i := range 120 {
		persons = append(persons, people.Person{ID: fmt.Sprintf("p%03d", i), Active: true})
		ids += persons[i].ID + ","
	}
	_, errs, err := h.records.ImportPersons(t.Context(), "north", "boss", persons)
	require.NoError(t, err)
	require.NoError(t, errs[0])
	b.told(b.fill("/directory/group", "/directory/group", "id", "g"))
	b.told(b.fill("/groups/g", "/groups/g/members", "persons", ids))
	for _, path := range []string{"/people", "/groups/g"} {
		var seen int
		for next := path; next != ""; {
			p := b.get(next)
			require.Less(t, len(p.Body), 100<<10)
			seen += len(p.all(func(n *html.Node) bool { return n.Data == "a" && strings.HasPrefix(attr(n, "href"), "/people/p") }))
			next = ""
			for _, a := range p.all(func(n *html.Node) bool { return attr(n, "rel") == "next" }) {
				next = attr(a, "href")
			}
		}
		require.Equal(t, 120, seen, path)
	}
}

// Persons are taken along as a file and taken in from one: what it would do is shown first, what is wrong stands at its line, and all of it is kept or nothing.
func TestPersonsAreTakenInAndAlong(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.somebody("bob", "Bob")
	b.somebody("zoe", "=cmd()", "email", "zoe@example.com")
	const path = "/directory/import"
	p := b.get(path)
	sound(t, path, p)
	send := func(do, csv string) answer {
		form := p.whole(path)
		form.Set("csv", csv)
		form.Set("do", do)
		return b.post(path, form)
	}
	for csv, says := range map[string]string{
		"": "is required", "name\nAnn": "Line 1: the column id is missing", "id,shoe\nann,7": "Line 1: there is no such column, or it is there twice: shoe",
		"id,name\nann,Ann,7": "Line 2: there are 3 cells in place of 2", "id,email\nann,ann@example.com\nben,nowhere": "Line 3: email: is not an e-mail address",
		"id,active\nann,perhaps": "Line 2: active: must be true or false", "id\nann\nANN": "Line 3: ANN stands in line 2 already", "id,manager\nann,nobody": "Line 2: manager: nobody knows nobody",
		"id,name\nann,\"Ann\n": "a quotation mark is not closed", "id\n" + strings.Repeat("x\n", 501): "must have at most 500", "id\n" + strings.Repeat("x", 256<<10): "must have at most 262144 bytes",
		"id,name\n,Ann": "Line 2: id: is required",
	} {
		for _, do := range []string{"try", "keep"} {
			refused := send(do, csv)
			require.Equal(t, http.StatusBadRequest, refused.Status, csv)
			require.Contains(t, refused.section("given"), says)
		}
	}
	// Whoever stands further below may be the manager of somebody above, and what the file does not name stays.
	const csv = "\ufeffid;manager;name\r\nann;amy;Ann\r\namy;bob;Amy\r\nbob;;Bob\r\nzoe;bob;'=cmd()\r\n"
	tried := send("try", csv)
	require.Equal(t, http.StatusOK, tried.Status, tried.Body)
	sound(t, path, tried)
	require.Contains(t, tried.section("would"), "2 new, 1 changed, 1 as they are. Nothing is kept yet.")
	require.Contains(t, tried.section("would"), "zoe manager: bob")
	require.Equal(t, http.StatusNotFound, b.get("/people/ann").Status)
	form := tried.whole(path)
	form.Set("do", "keep")
	require.Contains(t, b.told(b.post(path, form)), "4 persons are kept.")
	require.Equal(t, http.StatusSeeOther, b.post(path, form).Status, "sent twice it is one thing")
	require.Contains(t, words(b.get("/people/ann").one("person").Parent), "Manager Amy")
	require.Contains(t, words(b.get("/people/zoe").one("person").Parent), "zoe@example.com")

	file := b.get("/directory/persons.csv")
	require.Equal(t, "text/csv; charset=utf-8", file.Header.Get("Content-Type"))
	require.Contains(t, file.Header.Get("Content-Disposition"), "people.csv")
	require.Equal(t, "\ufeffid,name,email,manager,language,time_zone,active\r\namy,Amy,,bob,,,true\r\nann,Ann,,amy,,,true\r\nbob,Bob,,,,,true\r\nzoe,'=cmd(),zoe@example.com,bob,,,true\r\n", file.Body)
	require.Contains(t, send("try", file.Body).section("would"), "0 new, 0 changed, 4 as they are")
	require.NotContains(t, b.get("/directory/persons.csv?q=am").Body, "zoe")
	require.Contains(t, b.get("/people?q=am").Body, `href="/directory/persons.csv?q=am"`)
	// A whole file is read and kept by a few statements a person, whatever it says; who are above each other are refused as they are one by one.
	whole := "id,manager\n"
	for i := range 500 {
		whole += fmt.Sprintf("p%03d,p%03d\n", i, min(i+1, 499)) // each below the next one
	}
	whole = strings.Replace(whole, "p499,p499", "p499,bob", 1)
	require.Contains(t, b.told(send("keep", whole)), "500 persons are kept.")
	require.Contains(t, words(b.get("/people/p007").one("person").Parent), "p008")
	reader := h.visitor(t, "shop")
	for _, path := range []string{path, "/directory/persons.csv"} {
		require.Equal(t, http.StatusForbidden, reader.get(path).Status, path)
	}
}
