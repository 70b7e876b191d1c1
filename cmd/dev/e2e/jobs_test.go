package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// hall is where people do their work, all of one look: who has signed in stays so.
type hall struct {
	t    testing.TB
	d    *dev
	r    *harness.Receiver
	look look
	tabs map[string]*tab
	key  string // what services and titles of this hall begin with
}

// as gives the tab of somebody who has signed in as themselves.
func (h *hall) as(person string) *tab {
	h.t.Helper()
	v := h.tabs[person]
	if v == nil {
		v = newTab(h.t, h.d.api, h.look)
		v.asPerson(person)
		h.tabs[person] = v
	}
	v.t = h.t
	return v
}

// demoPassword is everybody's in a development system.
const demoPassword = "signalbox-demo"

// signsIn fills in the form for signing in as a person, and gives the status of what comes of it.
func (v *tab) signsIn(person, password string) int64 {
	v.t.Helper()
	if person != "" {
		v.write(v.say("signin.person"), person)
	}
	v.write(v.say("signin.password"), password)
	return v.comes("button", v.say("signin.do"))
}

// service publishes a process, %s being its key, and gives that.
func (h *hall) service(name, nodes string) string {
	h.t.Helper()
	key := h.key + "_" + name
	h.d.caller().publish(h.t, fmt.Sprintf("key: %s\nname: %s\n%s", key, strings.ToUpper(name[:1])+name[1:]+" "+h.look.String(), nodes))
	return key
}

// asks has somebody open a ticket by the form of a service, and gives its number.
func (h *hall) asks(person, service, title string, fields map[string]string) string {
	h.t.Helper()
	v := h.as(person)
	v.open("/tickets/new?service=" + service)
	v.write(v.say("new.called"), title)
	for name, value := range fields {
		v.write(name, value)
	}
	v.goes("button", v.say("new.do"))
	number, _, _ := strings.Cut(strings.TrimPrefix(v.path(), "/ticket/"), "?")
	v.reads(v.say("new.opened", "Number", number))
	return number
}

// comesTo waits until a ticket is in a phase.
func (h *hall) comesTo(number, phase string) {
	h.t.Helper()
	harness.Until(h.t, number+" is "+phase, tabPatience, func() error {
		if now := h.d.caller().issue(h.t, number).Phase; now != phase {
			return fmt.Errorf("it is %s", now)
		}
		return nil
	})
}

// jobs are what people come to the pages for, each with the looks that it is done in.
var jobs = []struct {
	name  string
	do    func(*hall)
	looks []look
}{
	{"sign in and out", (*hall).signInAndOut, []look{desk1280, phone390}},
	{"ask, approve and reject", (*hall).askApproveAndReject, looks},
	{"what is stuck", (*hall).whatIsStuck, []look{desk1280, phone390}},
	{"who is not told", (*hall).whoIsNotTold, []look{nightDesk, dayPhone}},
	{"find by what is related", (*hall).findByWhatIsRelated, []look{desk1280, phone390}},
	{"deliver again", (*hall).deliverAgain, []look{nightDesk, dayPhone}},
	{"keep a process", (*hall).keepAProcess, []look{desk1280, phone390}},
	{"keep subscriptions, apps and people", (*hall).keepSubscriptionsAppsAndPeople, []look{nightDesk, dayPhone}},
	{"look at the week", (*hall).lookAtTheWeek, []look{desk1280, phone390}},
	{"go to Temporal", (*hall).goToTemporal, []look{nightDesk, dayPhone}},
	{"by the keyboard alone", (*hall).byTheKeyboardAlone, []look{desk1280, phone390}},
	{"follow", (*hall).follow, []look{nightDesk, dayPhone}},
	{"name somebody, move and rate", (*hall).nameMoveAndRate, looks},
}

// TestJobsAreDoneOnThePages has people do what they come for, wide and narrow, in light and dark colours, in both languages, by nothing but what they see on the pages and hear of
// them: each control is found by its role and its name.
func TestJobsAreDoneOnThePages(t *testing.T) {
	t.Parallel()
	judged(t)
	d := startDev(t, "SIGNALBOX_PROFILE_INTERVALS=minutely:100ms")
	for i, l := range looks {
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			h := hall{d: d, r: harness.NewReceiver(t), look: l, tabs: map[string]*tab{}, key: fmt.Sprintf("jobs%d", i)}
			for _, job := range jobs {
				for _, at := range job.looks {
					if at != l {
						continue
					}
					// Not by t.Run: a browser ends with the test that it was begun in.
					began := time.Now()
					h.t = t
					job.do(&h)
					t.Logf("%s: %s", job.name, time.Since(began).Round(100*time.Millisecond))
					for person, v := range h.tabs {
						require.Empty(t, v.heard(), "what the console told %s", person)
					}
				}
			}
		})
	}
}

// A wrong password is told, and what else was typed stays; who has signed out is out; and whose session is over comes back to where they were.
func (h *hall) signInAndOut() {
	v := newTab(h.t, h.d.api, h.look)
	v.open("/tickets?view=open")
	v.reads(v.say("signin.title"))
	require.EqualValues(h.t, 401, v.signsIn("ann", "not hers"))
	v.reads(v.say("signin.wrong_person"))
	require.Equal(h.t, "ann", v.holds(v.say("signin.person")), "what was typed stays")
	require.Empty(h.t, v.holds(v.say("signin.password")))
	v.heard() // browsers tell of every 401
	v.sound("login after a wrong password")
	require.EqualValues(h.t, 200, v.signsIn("", demoPassword))
	require.Equal(h.t, "/tickets?view=open", v.path(), "where they wanted to go")

	v.do(network.SetCookie("signalbox", "over").WithURL(h.d.api)) // what is left of an old one
	v.open("/people")
	v.reads(v.say("signin.over"))
	require.Equal(h.t, "ann", v.holds(v.say("signin.person")), "who it was is not typed again")
	require.EqualValues(h.t, 200, v.signsIn("", demoPassword))
	require.Equal(h.t, "/people/ann", v.path(), "their page")

	v.goes("button", v.say("frame.sign_out"))
	require.True(h.t, strings.HasPrefix(v.path(), "/login"), v.path())
	v.open("/tickets")
	require.True(h.t, strings.HasPrefix(v.path(), "/login"), v.path())
	require.Empty(h.t, v.heard())
}

const leaveOf = `
fields:
  - {key: days, name: How many days, type: INT, required: true}
nodes:
  - {id: bob, name: Approval, type: approval, rule: any, processors: {persons: [bob]}, next: done}
  - {id: done, name: Over, type: end}
`

// Ann asks by the form of a service, Bob finds it among what waits for him, approves one in its row, and rejects another with a comment, which Ann finds and reads.
func (h *hall) askApproveAndReject() {
	key := h.service("leave", leaveOf)
	ann, bob := h.as("ann"), h.as("bob")
	granted, refused := "Leave granted "+h.look.String(), "Leave refused "+h.look.String()
	yes := h.asks("ann", key, granted, map[string]string{"How many days": "3"})
	no := h.asks("ann", key, refused, map[string]string{"How many days": "30"})

	bob.goes("link", "Signalbox")
	bob.sound("inbox with what waits")
	bob.goes("button", bob.say("do.approve"), bob.part("row", granted))
	bob.reads(bob.say("inbox.done_one", "Number", yes))
	require.Equal(h.t, "completed", h.d.caller().issue(h.t, yes).Phase)

	row := bob.part("row", refused)
	bob.tap("DisclosureTriangle", bob.say("inbox.reject_open"), row)
	require.EqualValues(h.t, 400, bob.comes("button", bob.say("do.reject"), row), "a reason is asked for")
	bob.reads(bob.say("inbox.say_why"))
	bob.heard() // browsers tell of every 400
	row = bob.part("row", refused)
	bob.write(bob.say("inbox.why"), "Thirty is too many", row)
	bob.goes("button", bob.say("do.reject"), row)
	bob.reads(bob.say("inbox.done_one", "Number", no))

	ann.goes("link", ann.say("menu.tickets"), ann.the("navigation", ann.say("frame.menu")))
	ann.write(ann.say("list.words"), refused)
	harness.Until(h.t, "the list is of what was written", tabPatience, func() error {
		if at := ann.path(); !strings.Contains(at, "q=Leave") {
			return fmt.Errorf("it is %s", at)
		}
		return nil
	})
	ann.followsWhatIsPressed(refused)
	ann.reads("Thirty is too many", ann.say("phase.completed"))
	ann.sound("ticket that is over")
}

// followsWhatIsPressed goes to a ticket of the list by its link, while the list changes under the pointer: what has been found is not asked for again by leaving the field it was written
// in, and what comes while the pointer is down waits.
func (v *tab) followsWhatIsPressed(title string) {
	v.t.Helper()
	var asked int
	v.do(chromedp.Evaluate(`(() => {
		let asked = 0;
		document.addEventListener('htmx:beforeSend', (e) => { if (e.detail.elt.matches('.filter')) asked++; });
		document.activeElement.blur();
		return asked;
	})()`, &asked))
	require.Zero(v.t, asked, "leaving the field asks for what is shown")
	x, y, err := v.reach(v.the("link", title, v.part("row", title)))
	require.NoError(v.t, err)
	mouse := func(of input.MouseType) chromedp.Action {
		return input.DispatchMouseEvent(of, x, y).WithButton(input.Left).WithClickCount(1)
	}
	var status int
	v.do(mouse(input.MousePressed), chromedp.Evaluate(`new Promise((done) => {
		document.addEventListener('htmx:afterRequest', (e) => done(e.detail.xhr.status), {once: true});
		const sort = document.querySelector('#sort');
		sort.selectedIndex = 1;
		sort.dispatchEvent(new Event('change', {bubbles: true}));
	})`, &status, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	require.Equal(v.t, 200, status)
	require.EqualValues(v.t, 200, v.load(mouse(input.MouseReleased)))
}

const stuckCall = `
nodes:
  - {id: book, name: Book a room, type: call, call: {url: 'HOST', retry: {attempts: 1}, answer: {room: body.room}}, fields: [{key: room, name: Room, type: STRING}], processors: {persons: [admin]}, next: done}
  - {id: done, name: Over, type: end}
`

const stuckNobody = `
nodes:
  - {id: eyes, name: Second pair of eyes, type: approval, four_eyes: true, if_nobody: wait, processors: {persons: [ann]}, next: done}
  - {id: done, name: Over, type: end}
`

// What cannot go on is a list that says why, and is brought on from there: a request that failed is tried again, or skipped with what its answer would have said; what nobody is
// asked for is reassigned.
func (h *hall) whatIsStuck() {
	path := "/room" + h.key
	h.r.Answer(path, harness.Response{Status: 503, Body: "closed"})
	call := h.service("rooms", strings.Replace(stuckCall, "HOST", h.r.URL(path), 1))
	eyes := h.service("eyes", stuckNobody)
	again, skipped, nobody := "Room again "+h.look.String(), "Room skipped "+h.look.String(), "Nobody for it "+h.look.String()
	first, second, third := h.asks("ann", call, again, nil), h.asks("ann", call, skipped, nil), h.asks("ann", eyes, nobody, nil)
	h.r.Await(h.t, path, 2, time.Minute)
	c := h.d.caller()
	harness.Until(h.t, "both have failed", time.Minute, func() error {
		for _, number := range []string{first, second} {
			if nodes := c.issue(h.t, number).CurrentNodes; len(nodes) != 1 || nodes[0].State != "failed" {
				return fmt.Errorf("%+v", nodes)
			}
		}
		return nil
	})

	admin := h.as("admin")
	admin.open("/tickets")
	admin.goes("link", admin.say("view.stuck"))
	admin.reads(admin.say("cause.failed"), admin.say("cause.nobody"))
	admin.sound("what is stuck")
	h.r.Answer(path, harness.Response{Body: `{"room":"R2"}`})
	admin.goes("button", admin.say("action.retry")+" "+first, admin.part("row", again))
	admin.reads(admin.say("act.done", "Action", admin.say("action.retry")))
	require.Contains(h.t, admin.path(), "/tickets?", "back at the list")
	h.comesTo(first, "completed")

	admin.write(admin.say("list.whom", "Number", third), "bob", admin.part("row", nobody))
	admin.goes("button", admin.say("action.reassign")+" "+third, admin.part("row", nobody))
	require.Equal(h.t, []string{"bob"}, c.issue(h.t, third).CurrentNodes[0].Pending)

	admin.goes("link", admin.say("fix.failed"), admin.part("row", skipped))
	admin.reads(admin.say("problem_of.call_next"))
	admin.sound("ticket that is stuck")
	admin.tap("DisclosureTriangle", admin.say("action.skip"))
	admin.write("Room", "R9")
	admin.goes("button", admin.say("action.skip"))
	admin.reads(admin.say("act.done", "Action", admin.say("action.skip")), "R9")
	h.comesTo(second, "completed")
}

// An address that was given up on is seen on the ticket's page, registered again, and told once more what it missed.
func (h *hall) whoIsNotTold() {
	path := "/told" + h.key
	h.r.Answer(path, harness.Response{Status: 500})
	title := "Somebody is not told " + h.look.String()
	number := h.asks("bob", h.service("tell", leaveOf), title, map[string]string{"How many days": "1"})
	bob := h.as("bob")
	bob.tap("DisclosureTriangle", bob.say("told.register"))
	bob.write(bob.say("told.url"), h.r.URL(path))
	bob.goes("button", bob.say("told.register"))
	bob.reads(bob.say("told.registered"))
	bob.write(bob.say("say.message"), "Hear this")
	bob.goes("button", bob.say("say.do"))
	h.r.Await(h.t, path, 11, time.Minute)
	admin := h.as("admin")
	harness.Until(h.t, "it is known to be stuck", time.Minute, func() error {
		admin.open("/tickets?stuck=undelivered")
		if list, err := admin.things(nil, "link"); err != nil || !strings.Contains(fmt.Sprint(list), title) {
			return fmt.Errorf("it is not there: %v", err)
		}
		return nil
	})
	admin.goes("link", admin.say("fix.undelivered"), admin.part("row", title))
	require.Contains(h.t, admin.path(), number)
	admin.sound("ticket with an address that was dropped")
	h.r.Answer(path, harness.Response{})
	admin.open("/tickets?stuck=undelivered")
	admin.goes("button", admin.say("fix.resend")+" "+number, admin.part("row", title))
	admin.reads(admin.say("told.resent", "Number", number, "Count", 1))
	require.Contains(h.t, admin.path(), "/tickets?", "back at the list")
	h.r.Await(h.t, path, 12, time.Minute)
}

// A ticket is found by what it is tied to, of whatever type.
func (h *hall) findByWhatIsRelated() {
	title, item := "About an order "+h.look.String(), "SO-"+h.key
	h.asks("ann", h.service("order", leaveOf), title, map[string]string{"How many days": "2"})
	ann := h.as("ann")
	ann.tap("DisclosureTriangle", ann.say("relate.do"))
	ann.write(ann.say("relate.type"), "order")
	ann.write(ann.say("relate.items"), item)
	ann.goes("button", ann.say("relate.do"))
	ann.reads(ann.say("relate.done"))

	ann.open("/tickets")
	ann.tap("DisclosureTriangle", ann.say("list.more"))
	ann.write(ann.say("list.related"), item)
	ann.keys(kb.Tab) // who goes on has changed it
	ann.reads(ann.say("list.total", "Count", 1))
	ann.goes("link", title, ann.part("row", title))
	ann.reads(item)
}

// What did not arrive is found over the whole tenant by its address, and is sent again: one, some that were chosen, and all, with their number first.
func (h *hall) deliverAgain() {
	path, topic := "/lost"+h.key, "lost"+h.key
	h.r.Answer(path, harness.Response{Status: 500})
	c := h.d.caller()
	c.must(h.t, "POST", "/api/subscription", map[string]any{"url": h.r.URL(path), "topic": topic, "profile": "once"})
	const lost = 6
	for i := range lost {
		c.must(h.t, "POST", "/api/publish", map[string]any{"event_source": "e2e", "event_topic": topic, "event_type": fmt.Sprintf("lost%d", i), "event_status": "x", "event_key": fmt.Sprintf("k%d", i), "changes": []string{"x"}})
	}
	h.r.Await(h.t, path, lost, time.Minute)
	admin := h.as("admin")
	admin.goes("link", admin.say("menu.deliveries"), admin.the("navigation", admin.say("frame.menu")))
	admin.write(admin.say("delivery.address"), h.r.URL(path))
	admin.keys(kb.Tab) // who goes on has changed it
	harness.Until(h.t, "the list is of that address", tabPatience, func() error {
		if at := admin.path(); !strings.Contains(at, url.QueryEscape(h.r.URL(path))) {
			return fmt.Errorf("it is %s", at)
		}
		return nil
	})
	admin.reads(admin.say("delivery.count", "Count", lost))
	list := admin.path()
	admin.sound("deliveries that failed")
	h.r.Answer(path, harness.Response{})

	admin.goes("link", "lost0")
	admin.reads(admin.say("delivery.last_try"), "500")
	admin.sound("delivery that failed")
	admin.goes("button", admin.say("delivery.again"))
	admin.reads(admin.say("delivery.again_now"))
	h.r.Await(h.t, path, lost+1, time.Minute)

	admin.open(list)
	for _, kind := range []string{"lost1", "lost2"} {
		boxes, err := admin.things([]thing{admin.part("row", kind)}, "checkbox")
		require.NoError(h.t, err)
		require.Len(h.t, boxes, 1)
		admin.point(boxes[0])
	}
	admin.goes("button", admin.say("delivery.again_selected"))
	admin.reads(admin.say("delivery.selected_now", "Count", 2))
	h.r.Await(h.t, path, lost+3, time.Minute)

	harness.Until(h.t, "three are left", time.Minute, func() error {
		admin.open(list)
		if now := admin.text("main"); !strings.Contains(now, admin.say("delivery.count", "Count", 3)) {
			return fmt.Errorf("%.300s", now)
		}
		return nil
	})
	admin.goes("link", admin.say("delivery.again_all")+"…")
	admin.sound("how many are delivered again")
	admin.goes("button", admin.say("delivery.again_these", "Count", 3))
	h.r.Await(h.t, path, 2*lost, time.Minute)
	admin.reads(admin.say("delivery.all_put_back"))
}

// A process is written with its faults at their lines, published, changed, and open tickets are moved to the new version.
func (h *hall) keepAProcess() {
	key := h.key + "_kept"
	source := func(name, who string) string {
		return fmt.Sprintf("key: %s\nname: %s\nnodes:\n  - {id: ok, name: Is it well, type: approval, processors: {persons: [%s]}, next: done}\n  - {id: done, name: Over, type: end}\n", key, name, who)
	}
	admin := h.as("admin")
	admin.goes("link", admin.say("menu.services"), admin.the("navigation", admin.say("frame.menu")))
	admin.goes("link", admin.say("services.new"))
	admin.write(admin.say("services.definition"), strings.Replace(source("First", "bob"), "next: done", "next: nowhere", 1))
	admin.comes("button", admin.say("versions.check"))
	admin.reads(admin.say("editor.faults", "Count", 1))
	admin.reads(fmt.Sprintf("%s", strings.Split(admin.say("editor.line", "Line", 4, "Column", 1), "4")[0]+"4"))
	admin.heard() // browsers tell of every 400
	admin.sound("process with a fault")
	admin.write(admin.say("services.definition"), source("First "+h.look.String(), "bob"))
	admin.comes("button", admin.say("versions.check"))
	admin.reads(admin.say("editor.sound"))
	admin.goes("button", admin.say("versions.publish"))
	admin.reads(admin.say("versions.done", "Version", 1))

	number := h.d.caller().openService(h.t, key, nil)
	admin.goes("link", admin.say("versions.edit"))
	admin.write(admin.say("services.definition"), source("Second "+h.look.String(), "bob, ann"))
	admin.goes("button", admin.say("versions.publish"))
	admin.reads(admin.say("versions.done", "Version", 2))
	admin.goes("link", admin.say("services.migrate_link"))
	admin.reads(admin.say("services.migrate.possible", "Count", 1, "Possible", 1, "Version", 2))
	admin.sound("what would be moved")
	admin.goes("button", admin.say("services.migrate.do", "Version", 2))
	admin.reads(admin.say("services.migrate.done", "There", 1, "Not", 0, "Version", 2))
	require.Equal(h.t, 2, h.d.caller().issue(h.t, number).ServiceVersion)
}

// Whoever keeps them adds, tries, pauses and removes a subscription, adds an app and turns it off, and adds a person.
func (h *hall) keepSubscriptionsAppsAndPeople() {
	path := "/kept" + h.key
	admin := h.as("admin")
	menu := func(entry string) {
		admin.goes("link", admin.say(entry), admin.the("navigation", admin.say("frame.menu")))
	}
	menu("menu.subscriptions")
	admin.goes("link", admin.say("subscription.new"))
	admin.write(admin.say("subscription.address"), h.r.URL(path))
	admin.write(admin.say("subscription.topic"), "topic-"+h.key)
	admin.goes("button", admin.say("subscription.add"))
	admin.reads(admin.say("subscription.secret_once"))
	admin.goes("link", admin.say("subscription.to_it"))
	admin.goes("button", admin.say("subscription.test"))
	h.r.Await(h.t, path, 1, time.Minute)
	admin.goes("button", admin.say("subscription.pause"))
	admin.reads(admin.say("subscription.paused"))
	admin.goes("button", admin.say("subscription.resume"))
	admin.reads(admin.say("subscription.resumed"))
	admin.sound("subscription")
	admin.tap("DisclosureTriangle", admin.say("subscription.delete"))
	admin.goes("button", admin.say("subscription.delete"))
	admin.reads(admin.say("subscription.deleted"))

	menu("menu.apps")
	admin.goes("link", admin.say("app.new"))
	admin.write(admin.say("app.code"), "billing-"+h.key)
	admin.tap("checkbox", admin.say("app_scope.read")+" "+admin.say("app_scope_text.read"))
	admin.goes("button", admin.say("app.add"))
	admin.reads(admin.say("app.secret_once"))
	admin.goes("link", admin.say("app.to_it"))
	admin.goes("button", admin.say("app.disable"))
	admin.reads(admin.say("app.disabled_now"))
	admin.goes("button", admin.say("app.enable"))
	admin.reads(admin.say("app.enabled_now"))

	menu("menu.people")
	admin.goes("link", admin.say("people.new"))
	admin.write(admin.say("people.ident"), "dora-"+h.key)
	admin.write(admin.say("people.name"), "Dora "+h.look.String())
	admin.write(admin.say("people.manager"), "chen")
	admin.goes("button", admin.say("people.save"))
	admin.reads(admin.say("people.done.kept"), "Dora "+h.look.String())
}

// The overview has a plot of the week, and each of its numbers leads to the list behind it.
func (h *hall) lookAtTheWeek() {
	key := h.service("week", leaveOf)
	title := "In this week " + h.look.String()
	h.asks("ann", key, title, map[string]string{"How many days": "2"})
	ann := h.as("ann")
	ann.goes("link", ann.say("menu.overview"), ann.the("navigation", ann.say("frame.menu")))
	ann.the("image", ann.say("overview.plot"))
	ann.write(ann.say("overview.service"), key)
	ann.goes("button", ann.say("overview.show"))
	ann.the("image", ann.say("overview.plot"))
	ann.sound("overview of a service")
	ann.goes("link", "1 "+ann.say("overview.open"))
	ann.reads(ann.say("list.total", "Count", 1), title)
}

// From a ticket one comes to its workflow in Temporal's own pages.
func (h *hall) goToTemporal() {
	number := h.asks("ann", h.service("engine", leaveOf), "In Temporal "+h.look.String(), map[string]string{"How many days": "2"})
	ann := h.as("ann")
	ann.goes("link", ann.say("ticket.temporal"))
	require.Contains(h.t, ann.path(), url.PathEscape("ticket:"+number))
	ann.reads("ticket:" + number)
	ann.open("/")
	ann.heard() // what those pages told the console is theirs
}

// Nothing takes more than a keyboard, and what was asked for leaves it where the reader was.
func (h *hall) byTheKeyboardAlone() {
	title := "By keyboard " + h.look.String()
	number := h.asks("ann", h.service("keys", leaveOf), title, map[string]string{"How many days": "2"})
	bob := h.as("bob")
	bob.open("/")
	require.Equal(h.t, bob.say("frame.skip"), bob.tabTo("link", bob.say("frame.skip")).name, "what is first leads past the bar")
	bob.tabTo("link", title)
	bob.tabTo("button", bob.say("do.approve"))
	require.EqualValues(h.t, 200, bob.load(chromedp.KeyEvent(kb.Enter)))
	bob.reads(bob.say("inbox.done_one", "Number", number))
	require.Equal(h.t, "completed", h.d.caller().issue(h.t, number).Phase)

	long := h.asks("ann", h.key+"_keys", "Much was said "+h.look.String(), map[string]string{"How many days": "2"})
	for i := range 40 {
		h.d.caller().must(h.t, "POST", "/api/issue/"+long+"/conversation", map[string]any{"author": "li", "content": fmt.Sprintf("Word %d", i)})
	}
	bob.open("/ticket/" + long + "/timeline")
	bob.tabTo("link", bob.say("ticket.earlier"))
	bob.keys(kb.Enter)
	bob.reads("Word 0") // the oldest, which was not there before
	harness.Until(h.t, "the focus is on what came", tabPatience, func() error {
		if at := bob.focused(); at.role != "listitem" && at.role != "link" {
			return fmt.Errorf("it is on %s %q", at.role, at.name)
		}
		return nil
	})
}

// Who follows a ticket has it in their inbox, until they follow it no more.
func (h *hall) follow() {
	title := "Worth following " + h.look.String()
	number := h.asks("ann", h.service("watch", leaveOf), title, map[string]string{"How many days": "2"})
	chen := h.as("chen")
	chen.open("/ticket/" + number)
	chen.goes("button", chen.say("follow.do"))
	chen.reads(chen.say("follow.on"))
	chen.open("/")
	chen.goes("link", title, chen.the("region", chen.say("inbox.followed")))
	chen.goes("button", chen.say("follow.stop"))
	chen.reads(chen.say("follow.off"))
	chen.open("/")
	chen.none("link", title)
}

// Whoever names a person is suggested those of the directory that begin as they type, and is asked back for one that is not in it; an admin looks at what moving a ticket to another version
// would do, and moves it; and who opened it rates it once it is over.
func (h *hall) nameMoveAndRate() {
	key := h.service("errand", leaveOf)
	admin := h.as("admin")
	title := "An errand " + h.look.String()
	admin.open("/tickets/new?service=" + key)
	admin.write(admin.say("new.called"), title)
	admin.write("How many days", "2")
	admin.write(admin.say("ticket.assignee"), "CHE")
	harness.Until(h.t, "chen to be suggested alone", tabPatience, func() error {
		var ids []string
		admin.do(chromedp.Evaluate(`[...document.querySelectorAll('#persons option')].map((o) => o.value)`, &ids))
		if !slices.Equal(ids, []string{"chen"}) {
			return fmt.Errorf("%q are", ids)
		}
		return nil
	})
	admin.write(admin.say("ticket.assignee"), "chenx")
	require.EqualValues(h.t, 400, admin.comes("button", admin.say("new.do")))
	admin.reads(admin.say("form.nobody", "Who", "chenx"), admin.say("form.anyway"))
	admin.heard() // browsers tell of every 400
	admin.sound("form that asks back")
	admin.goes("button", admin.say("new.do"))
	number, _, _ := strings.Cut(strings.TrimPrefix(admin.path(), "/ticket/"), "?")

	h.service("errand", strings.Replace(leaveOf, "id: bob, name: Approval", "id: lead, name: The lead", 1))
	admin.open("/ticket/" + number)
	admin.goes("link", admin.say("migrate.link"))
	admin.reads(admin.say("migrate.cannot"))
	admin.sound("ticket that cannot be moved")
	admin.choose(admin.say("migrate.goes", "Node", "Approval"), "The lead")
	admin.goes("button", admin.say("migrate.look"))
	admin.reads(admin.say("migrate.nothing_yet"))
	admin.sound("ticket that can be moved")
	admin.goes("button", admin.say("migrate.do", "Version", 2))
	admin.reads(admin.say("migrate.done", "Version", 2))

	bob := h.as("bob")
	bob.open("/ticket/" + number)
	bob.goes("button", bob.say("action.approve"))
	h.comesTo(number, "completed")
	bob.none("combobox", bob.say("rating.stars")+" "+bob.say("form.required"))
	admin.open("/ticket/" + number)
	admin.sound("ticket to be rated")
	admin.choose(admin.say("rating.stars")+" "+admin.say("form.required"), admin.say("rating.given", "Count", 5))
	admin.goes("button", admin.say("rating.do"))
	admin.reads(admin.say("rating.done"), admin.say("rating.of", "Stars", 5, "Most", 6))
	admin.sound("ticket that was rated")
}
