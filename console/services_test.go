package console_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"signalbox/desk"
	"signalbox/ticket"
)

// leaving is a process with a form, a vote, a branch and a request.
func leaving(t testing.TB) string {
	t.Helper()
	source, err := os.ReadFile("../examples/leave_request.yaml")
	require.NoError(t, err)
	return string(source)
}

// admin gives a browser of somebody who may do everything in the tenant.
func (h *site) admin(t testing.TB) *browser {
	t.Helper()
	h.apps.set(desk.App{Code: "boss", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write, desk.Directory, desk.Admin}})
	return h.visitor(t, "boss")
}

// publish publishes a definition by the editor.
func (b *browser) publish(path, source string, change ...string) answer {
	b.t.Helper()
	form := b.get(path).form(path)
	form.Set("source", source)
	form.Set("do", "publish")
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return b.post(path, form)
}

// source gives what stands in the editor.
func (a answer) source() string {
	a.t.Helper()
	return strings.TrimPrefix(a.one("source").FirstChild.Data, "\n")
}

func TestAServiceIsWrittenPublishedAndShown(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	p := b.get("/services")
	require.Equal(t, http.StatusOK, p.Status)
	require.Contains(t, words(p.one("results")), "built in")
	require.NotContains(t, words(p.one("results")), "Leave request")

	done := b.publish("/editor/service", leaving(t))
	require.Equal(t, http.StatusSeeOther, done.Status, done.Body)
	require.Equal(t, "/services/leave_request", done.Header.Get("Location"))
	p = b.get("/services/leave_request")
	require.Contains(t, words(p.one("notice")), "Version 1 is published.")
	require.Contains(t, p.section("form"), "Working days days whole number yes")
	require.Contains(t, p.section("nodes"), "HR approval hr approval so many must approve helen , hugo , hana book")
	require.Contains(t, p.section("nodes"), "How long? length branch — more than ten days: hr , else: book")
	require.Contains(t, p.section("versions"), "boss")
	require.Contains(t, words(b.get("/services").one("results")), "Leave request leave_request request 1 enabled")
	require.Contains(t, words(b.get("/services?q=LEAVE").one("results")), "Leave request")
	require.Contains(t, words(b.get("/services?q=nothing+like+it").one("results")), "No service matches.")

	picture := b.get("/services/leave_request/v/1/diagram.svg")
	require.Equal(t, "image/svg+xml; charset=utf-8", picture.Header.Get("Content-Type"))
	require.Contains(t, picture.Header.Get("Content-Security-Policy"), "sandbox")

	// It is edited from what there is, and the versions differ by what was changed.
	p = b.get("/services/leave_request/edit")
	require.NotContains(t, p.source(), "number:")
	done = b.publish("/services/leave_request/edit", strings.Replace(p.source(), "hugo", "hector", 1))
	require.Equal(t, http.StatusSeeOther, done.Status, done.Body)
	p = b.get("/services/leave_request/v/2?from=1")
	change := p.section("change")
	require.Contains(t, change, "− processors: {persons: [helen, hugo, hana]}", "the lines are those that somebody wrote")
	require.Contains(t, change, "+ processors: {persons: [helen, hector, hana]}")
	require.NotContains(t, change, "revise", "what is far from a change is left out")
	require.Contains(t, words(b.get("/services/leave_request/v/1").one("nodes").Parent), "hugo")
	require.Equal(t, http.StatusNotFound, b.get("/services/leave_request/v/3").Status)
	require.Equal(t, http.StatusNotFound, b.get("/services/leave_request/v/2?from=7").Status)
	done = b.publish("/services/leave_request/edit", b.get("/services/leave_request/edit").source())
	require.Contains(t, words(b.get(done.Header.Get("Location")).one("notice")), "Nothing is changed")
}

// What somebody has written stays as it was written, comments and order included; of what came without a text, one is drawn.
func TestTheEditorGivesBackWhatWasWritten(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	source := "# Who is away, as HR has it.\n" + strings.Replace(leaving(t), "name: Leave request\n", "", 1) + "name: Leave request # to the last\n"
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", strings.ReplaceAll(source, "\n", "\r\n")).Status)
	p := b.get("/services/leave_request/edit")
	require.Equal(t, source, p.source())
	require.Contains(t, b.get("/services/leave_request").Body, "# to the last")
	require.Equal(t, source, b.get("/editor/service?from=leave_request").source(), "a copy begins as it")
	another := strings.Replace(source, "as HR has it", "as HR wants it", 1)
	require.Equal(t, http.StatusSeeOther, b.publish("/services/leave_request/edit", another).Status)
	require.Contains(t, words(b.get("/services/leave_request").one("notice")), "Nothing is changed in what it does")
	require.Equal(t, another, b.get("/services/leave_request/edit").source(), "a comment is kept, and makes no version")

	record, err := h.records.ServiceRecord(t.Context(), "north", "leave_request")
	require.NoError(t, err)
	record.Name = "Drawn"
	_, err = h.records.PublishService(t.Context(), "north", "boss", record.Definition)
	require.NoError(t, err)
	p = b.get("/services/leave_request/edit")
	require.True(t, strings.HasPrefix(p.source(), "key: leave_request\n"), p.source())
	require.NotContains(t, p.source(), "#")
	require.Equal(t, another, b.get("/services/leave_request/edit?version=1").source())
	change := b.get("/services/leave_request/v/2?from=1").section("change")
	require.Contains(t, change, "− name: Leave request + name: Drawn", "both are drawn, so that what was written is no difference")
	require.NotContains(t, change, "#")
}

// The editor says what is wrong and where, keeps what was typed, and draws what can be drawn.
func TestFaultsStandAtTheirLines(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	faulty := strings.Replace(leaving(t), "when: fields.days >", "when: fields.dais >", 1)
	p := b.publish("/editor/service", strings.ReplaceAll(faulty, "\n", "\r\n"))
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Equal(t, faulty, p.source(), "what was typed is there still")
	require.NotContains(t, p.Body, "\r")
	require.Contains(t, words(p.one("found")), "1 fault")
	links := p.all(func(n *html.Node) bool { return attr(n, "data-line") != "" })
	require.Len(t, links, 1)
	require.Equal(t, "- {name: more than ten days, when: fields.dais > 10, next: hr}", strings.TrimSpace(strings.Split(faulty, "\n")[atoi(attr(links[0], "data-line"))-1]))
	require.NotEmpty(t, p.one("found").FirstChild)
	require.Equal(t, http.StatusNotFound, b.get("/services/leave_request").Status)

	// The part that follows the text is asked for by itself, by whoever may read.
	form := p.form("/editor/service")
	form.Set("source", leaving(t))
	part := b.post("/editor/service/draft", form)
	require.Equal(t, http.StatusOK, part.Status)
	require.Contains(t, words(part.one("found")), "Nothing is wrong")
	require.Contains(t, part.Body, `src="data:image/svg&#43;xml;base64,`)
	require.Empty(t, part.all(func(n *html.Node) bool { return n.Data == "textarea" }))
	for _, source := range []string{"", "nodes: {", "- a", "key: [", "nodes: [{id: a}, {id: a}]", "nodes: [{}]", strings.Repeat("x", 600<<10), "nodes: [{id: a, type: branch, cases: [{next: a}], next: a, default: b}]"} {
		form.Set("source", source)
		part = b.post("/editor/service/draft", form)
		require.Equal(t, http.StatusOK, part.Status, source)
		require.Contains(t, words(part.one("found")), "fault", source)
	}
	form.Set("do", "check")
	require.Equal(t, http.StatusOK, b.post("/editor/service", form).Status)
}

// Of two who write at once the second is told, keeps the text, and can publish after having looked.
func TestTwoEditorsDoNotOverwriteEachOtherUnseen(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	const path = "/services/leave_request/edit"
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", leaving(t)).Status)
	early := b.get(path)
	require.Equal(t, http.StatusSeeOther, b.publish(path, strings.Replace(early.source(), "hugo", "hector", 1)).Status)

	form := early.form(path)
	mine := strings.Replace(early.source(), "hana", "hilda", 1)
	form.Set("source", mine)
	form.Set("do", "publish")
	p := b.post(path, form)
	require.Equal(t, http.StatusConflict, p.Status, p.Body)
	require.Equal(t, mine, p.source())
	require.Contains(t, p.Body, `href="/services/leave_request?from=1"`)
	require.Contains(t, b.get("/services/leave_request?from=1").section("change"), "hector")
	require.NotContains(t, b.get("/services/leave_request").section("nodes"), "hilda")

	form = p.form(path)
	form.Set("source", mine)
	form.Set("do", "publish")
	require.Equal(t, http.StatusSeeOther, b.post(path, form).Status)
	again := b.post(path, form)
	require.Equal(t, http.StatusSeeOther, again.Status, "sent twice it is one thing")
	p = b.get("/services/leave_request")
	require.Contains(t, p.section("nodes"), "hilda")
	require.Empty(t, p.all(func(n *html.Node) bool { return attr(n, "href") == "/services/leave_request/v/4" }))

	// A new service does not become the next version of one that is there, and a service keeps its key.
	p = b.publish("/editor/service", strings.Replace(leaving(t), "hana", "heidi", 1))
	require.Equal(t, http.StatusConflict, p.Status)
	require.Contains(t, p.Body, "There is one with the key leave_request already.")
	p = b.publish(path, strings.Replace(leaving(t), "key: leave_request", "key: other", 1))
	require.Equal(t, http.StatusBadRequest, p.Status)
	require.Contains(t, words(p.one("found")), "The key is leave_request")
	require.Equal(t, http.StatusConflict, b.publish("/editor/service", strings.Replace(leaving(t), "key: leave_request", "key: incident", 1)).Status, "a built-in one")
}

// A service's page tells how many open tickets stand at each node, also of those that this version does not have, and leads to them.
func TestAServiceTellsWhereItsTicketsStand(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", "key: leave\nname: Leave\nnodes:\n  - {id: vote, name: Line manager, type: approval, processors: {persons: [ann]}, next: over}\n  - {id: over, name: Over, type: end}\n").Status)
	for _, text := range []string{leave, leave, strings.ReplaceAll(leave, "id: vote", "id: ask"), strings.ReplaceAll(leave, "key: leave", "key: other")} {
		h.askedFor(t, text, "Away")
	}
	over := h.askedFor(t, leave, "Away and back")
	for _, who := range []string{me, "ann"} {
		h.records.do(t, over, ticket.Command{Action: ticket.Approve, Operator: who})
	}
	p := b.get("/services/leave")
	sound(t, "/services/leave", p)
	nodes := p.section("nodes")
	require.Contains(t, nodes, "Line manager vote approval ann over 2 at Line manager")
	require.Contains(t, nodes, "Over over end — — 0")
	require.Contains(t, nodes, "Tickets of other versions stand at nodes that this one does not have: ask 1 at ask")
	require.Len(t, b.get("/tickets?node=vote&service=leave").names(), 2)
	require.Contains(t, p.Body, `href="/tickets?node=vote&amp;service=leave"`)
	require.Contains(t, p.Body, `href="/tickets?node=ask&amp;service=leave"`)
	require.Empty(t, b.get("/tickets?node=over&service=leave").names())
	bad := b.get("/tickets?node=vote")
	require.Equal(t, http.StatusBadRequest, bad.Status)
	require.Contains(t, words(bad.root), "is required beside a node")
}

func TestServicesAreEnabledAndDisabled(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", leaving(t)).Status)
	const path = "/services/leave_request/enable"
	for _, c := range []struct{ now, says string }{{"disabled", "opens no more tickets"}, {"enabled", "opens tickets"}} {
		done := b.post(path, b.get("/services/leave_request").form(path))
		require.Equal(t, http.StatusSeeOther, done.Status, done.Body)
		p := b.get(done.Header.Get("Location"))
		require.Contains(t, words(p.one("notice")), c.says)
		require.Contains(t, p.section("service"), c.now)
	}
}

// Who may only read sees services and no way to change them; other tenants see nothing of them.
func TestServicesAreForTheirTenantAndChangedByAdmins(t *testing.T) {
	h := newSite(t)
	require.Equal(t, http.StatusSeeOther, h.admin(t).publish("/editor/service", leaving(t)).Status)
	reader, stranger := h.visitor(t, "shop"), h.visitor(t, "other")
	p := reader.get("/services/leave_request")
	require.Equal(t, http.StatusOK, p.Status)
	require.NotContains(t, p.Body, "/edit")
	for _, path := range []string{"/editor/service", "/services/leave_request/edit"} {
		require.Equal(t, http.StatusForbidden, reader.get(path).Status, path)
	}
	form := url.Values{"csrf": {attr(p.all(func(n *html.Node) bool { return attr(n, "name") == "csrf" })[0], "value")}, "key": {"k"}, "source": {leaving(t)}, "do": {"publish"}}
	for _, path := range []string{"/editor/service", "/services/leave_request/edit", "/services/leave_request/enable"} {
		require.Equal(t, http.StatusForbidden, reader.post(path, form).Status, path)
	}
	for _, path := range []string{"/services/leave_request", "/services/leave_request/v/1", "/services/leave_request/v/1/diagram.svg"} {
		require.Equal(t, http.StatusNotFound, stranger.get(path).Status, path)
	}
	require.NotContains(t, stranger.get("/services").Body, "leave_request")
}

// Texts of others stay texts.
func TestAServiceOutToGetUs(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	const script = `</textarea><script>alert(1)</script>`
	source := fmt.Sprintf("key: evil\nname: %q\ndescription: %q\nfields: [{key: a, name: %q, type: SELECT, choice: [{key: x, name: %q}]}]\nnodes:\n- {id: a, name: %q, type: task, processors: {persons: [%q]}, next: b}\n- {id: b, name: b, type: end}\n",
		script, script, script, script, script, "<script>")
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", source).Status)
	require.Equal(t, http.StatusSeeOther, b.publish("/services/evil/edit", strings.Replace(source, "name: b,", "name: '<script>',", 1)).Status)
	for _, path := range []string{"/services", "/services/evil", "/services/evil/edit", "/editor/service?from=evil", "/services/evil?from=1"} {
		p := b.get(path)
		require.Equal(t, http.StatusOK, p.Status, path)
		require.NotContains(t, p.Body, "<script>", path)
		require.Less(t, len(p.Body), 100<<10)
		sound(t, path, p)
	}
}

func atoi(s string) (n int) {
	_, _ = fmt.Sscan(s, &n)
	return n
}

// opened opens a ticket of a service by the desk, as callers do.
func (h *site) opened(t testing.TB, service, title string) {
	t.Helper()
	record, err := h.records.ServiceRecord(t.Context(), "north", service)
	require.NoError(t, err)
	app := desk.App{Code: "shop", Tenant: "north", Scopes: []desk.Scope{desk.Read, desk.Write}}
	_, err = h.records.Desk.Open(t.Context(), desk.Request{App: app, Channel: ticket.ChannelIssue, Method: http.MethodPost, Path: "/", Key: title}, desk.Opening{Series: ticket.SeriesIM,
		Draft:  ticket.Draft{Origin: "test", Title: title, Opener: "ann", Service: service, Definition: &record.Definition},
		Answer: func(ticket.Identity) desk.Answer { return desk.Answer{Status: http.StatusOK, Body: []byte(`{}`)} }})
	require.NoError(t, err)
}

// What a migration would do is shown first; then all that can be moved is, in parts, each once.
func TestOpenTicketsAreMovedToAnotherVersion(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	const first = "key: errand\nname: Errand\nnodes:\n- {id: fetch, name: Fetch, type: task, processors: {persons: [ann]}, next: done}\n- {id: done, name: Done, type: end}\n"
	b.told(b.publish("/editor/service", first))
	for i := range 13 {
		h.opened(t, "errand", fmt.Sprintf("errand %d", i))
	}
	const path = "/services/errand/migrate"
	require.Contains(t, b.get(path).section("migrate"), "All open tickets here run through version 1 already.")
	b.told(b.publish("/services/errand/edit", strings.ReplaceAll(first, "fetch", "bring")))
	require.Contains(t, b.get(path).section("migrate"), "Of 13 open tickets on this page, 0 can be moved to version 2")
	require.Contains(t, b.get(path).section("tickets"), `fetch : it is open, but there is no node "fetch"`)
	b.told(b.publish("/services/errand/edit", strings.ReplaceAll(first, "Fetch", "Fetch it")))
	p := b.get(path + "?to=3")
	require.Contains(t, p.section("migrate"), "Of 13 open tickets on this page, 13 can be moved to version 3. Nothing is moved yet.")
	sound(t, path, p)

	form := p.whole(path)
	p = b.post(path, form)
	require.Equal(t, http.StatusOK, p.Status, p.Body)
	require.Contains(t, words(p.one("progress")), "10 looked at, 10 at version 3, 0 not possible")
	again := b.post(path, form)
	require.Contains(t, words(again.one("progress")), "10 looked at, 10 at version 3", "sent twice it is one thing")
	sound(t, path, p)
	require.Contains(t, b.told(b.post(path, p.whole(path))), "Open tickets at version 3 now: 13; not possible: 0.")
	open := true
	page, err := h.records.Tickets(t.Context(), "north", ticket.Filter{Open: &open, Service: "errand", Limit: 50})
	require.NoError(t, err)
	for _, found := range page.Items {
		require.Equal(t, 3, found.Version)
		require.EqualValues(t, 2, found.Seq, "opened, and moved once")
	}
	require.Contains(t, b.get(path+"?to=3").section("migrate"), "already")
	require.Equal(t, http.StatusForbidden, h.visitor(t, "shop").get(path).Status)
	require.Equal(t, http.StatusNotFound, b.get(path+"?to=9").Status)
}

// Any word may be the key of a service, those of other pages included.
func TestNoKeyIsTakenByAPage(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	for _, key := range []string{"new", "draft", "service"} {
		require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", strings.Replace(leaving(t), "key: leave_request", "key: "+key, 1)).Status, key)
		require.Contains(t, b.get("/services/"+key).section("service"), "Leave request", key)
		require.Equal(t, http.StatusOK, b.get("/services/"+key+"/edit").Status, key)
		require.Equal(t, http.StatusSeeOther, b.publish("/editor/calendar", strings.Replace(office, "key: office", "key: "+key, 1)).Status, key)
		require.Contains(t, b.get("/calendars/"+key).section("calendar"), "办公时间", key)
	}
}

// Who reads Chinese reads what is wrong, with its line, and what the picture says, in Chinese.
func TestTheEditorSpeaksChinese(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	b.headers["Accept-Language"] = "zh-CN"
	form := b.get("/editor/service").form("/editor/service")
	for source, want := range map[string]string{
		strings.Replace(leaving(t), "when: fields.days >", "when: fields.dais >", 1): "没有字段 dais（第 8 个字符）",
		"key: k\nname: K\ndescription: one: two\nnodes: []\n":                        "此处不能出现“键: 值”；含冒号的文本请加引号",
		strings.Replace(leaving(t), "next: length", "next: nowhere", 1):              `没有节点 “nowhere”`,
	} {
		form.Set("source", source)
		found := b.post("/editor/service/draft", form).one("found")
		require.Contains(t, words(found), want)
		require.Regexp(t, `第 \d+ 行`, words(found))
		require.NotRegexp(t, `there is no|unknown field|mapping values`, words(found))
	}
	form.Set("source", leaving(t))
	page := b.post("/editor/service/draft", form)
	_, inline, _ := strings.Cut(attr(page.tags("img")[len(page.tags("img"))-1], "src"), "base64,")
	picture, err := base64.StdEncoding.DecodeString(inline)
	require.NoError(t, err)
	for _, word := range []string{">否则<", ">驳回<", "helen, hugo, hana（2）", ">提单人<"} {
		require.Contains(t, string(picture), word)
	}
	require.NotRegexp(t, `otherwise|rejected</|opener<|completed`, string(picture))
	b.publish("/editor/service", leaving(t))
	alone := b.get("/services/leave_request/v/1/diagram.svg")
	require.Contains(t, alone.Body, ">否则<")
	require.NotContains(t, h.visitor(t, "shop").get("/services/leave_request/v/1/diagram.svg").Body, "否则")
}

// The requests of a service's processes get another secret, which an admin is shown once.
func TestRequestsOfAServiceGetAnotherSecret(t *testing.T) {
	h := newSite(t)
	b := h.admin(t)
	require.Equal(t, http.StatusSeeOther, b.publish("/editor/service", `
key: asks
name: Asks
nodes:
  - {id: call, name: Call, type: call, call: {method: POST, url: "https://example.com/"}, next: over}
  - {id: over, name: Over, type: end}
`).Status)
	shown := b.post("/services/asks/rotate", b.get("/services/asks").form("/services/asks/rotate"))
	require.Equal(t, http.StatusOK, shown.Status, shown.Body)
	require.Regexp(t, `^whsec_`, words(shown.one("the-secret")))
	require.NotContains(t, h.visitor(t, "shop").get("/services/asks").Body, "/rotate")
}
