package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"signalbox/api/openapi"
	"signalbox/cmd/dev/e2e/harness"
)

// asPerson signs in as one of the development system's persons.
func (v *tab) asPerson(id string) {
	v.t.Helper()
	v.open("/login")
	require.EqualValues(v.t, 200, v.signsIn(id, demoPassword), "%s is not signed in", id)
}

// TestPagesAreSound looks at every page as people do: wide and narrow, light and dark, in both languages.
func TestPagesAreSound(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	number := d.caller().open(t)
	d.caller().publish(t, leaveOnPages("sound_leave"))
	paths := []string{"/", "/tickets", "/tickets?view=open", "/tickets?stuck=any", "/tickets/new", "/tickets/new?service=sound_leave", "/ticket/" + number, "/ticket/" + number + "/timeline", "/ticket/" + number + "/migrate", "/settings",
		"/settings/password", "/mailbox", "/services", "/services/sound_leave", "/services/sound_leave/edit", "/services/sound_leave/simulate", "/editor/service", "/people", "/people/ann", "/people/ann/password", "/directory/import", "/groups", "/groups/support", "/absences", "/calendars",
		"/editor/calendar", "/subscriptions", "/subscriptions/new", "/deliveries", "/overview", "/overview?days=90&service=sound_leave", "/apps", "/apps/new", "/audit",
		"/docs", "/docs?q=callback", "/docs/issue/openIssue", "/docs/issue/listIssues", "/docs/itsm/postApiCCompapiV2ItsmCreateTicket", "/docs/issue/postWebhookChanged"}
	for _, book := range openapi.Books() {
		paths = append(paths, "/docs/"+book.Name)
	}
	for _, l := range looks {
		t.Run(l.String(), func(t *testing.T) {
			v := newTab(t, d.api, l)
			v.open("/login")
			v.sound("/login")
			v.asPerson("admin")
			for _, path := range paths {
				v.open(path)
				v.sound(path)
			}
			require.EqualValues(t, 404, v.load(chromedp.Navigate(d.api+"/ticket/none")))
			v.heard() // browsers tell of every 404
			v.sound("problem")
		})
	}
}

// leaveOnPages is a process in which bob approves what somebody asked for by a form.
func leaveOnPages(key string) string {
	return fmt.Sprintf(`
key: %s
name: Leave
fields:
  - {key: days, name: How many days, type: INT, required: true}
nodes:
  - {id: bob, name: Approval, type: approval, rule: any, processors: {persons: [bob]}, next: done}
  - {id: done, name: Over, type: end}
`, key)
}

// TestProcessesAreWrittenAndTriedOut writes a process of more lines than the editor shows, whose numbers follow them, mends a fault at its line, and plays it through.
func TestProcessesAreWrittenAndTriedOut(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	var source strings.Builder
	source.WriteString("key: long_way\nname: A long way\nnodes:\n")
	for i := range 40 {
		fmt.Fprintf(&source, "  - {id: n%d, name: Approval %d, type: approval,\n     processors: {persons: [bob]}, next: n%d}\n", i, i, i+1)
	}
	source.WriteString("  - {id: n40, name: Over, type: end}\n")
	for _, l := range []look{desk1280, phone390} {
		t.Run(l.String(), func(t *testing.T) {
			v := newTab(t, d.api, l)
			v.asPerson("admin")
			v.open("/editor/service")
			v.fill("#source", strings.Replace(source.String(), "next: n7}", "next: nowhere}", 1))
			var marked string
			harness.Until(t, "the fault to be marked", tabPatience, func() error {
				v.do(chromedp.Evaluate(`(document.querySelector('.gutter b') || {}).textContent || ''`, &marked))
				if marked != "17" {
					return fmt.Errorf("line %q is", marked)
				}
				return nil
			})
			v.sound("/editor with a fault")
			v.fill("#source", source.String())
			harness.Until(t, "nothing to be wrong", tabPatience, func() error {
				if !v.has("#found .good") {
					return fmt.Errorf("%s", v.text("#found"))
				}
				return nil
			})
			var seen struct{ Gutter, Area, Lines, Down, GutterDown float64 }
			harness.Until(t, "the numbers to follow", tabPatience, func() error {
				v.do(chromedp.Evaluate(`(() => {
					const g = document.querySelector('.gutter'), a = document.querySelector('#source');
					a.scrollTop = a.scrollHeight;
					return {Gutter: g.clientHeight, Area: a.clientHeight, Lines: g.textContent.trim().split('\n').length, Down: a.scrollTop, GutterDown: g.scrollTop};
				})()`, &seen))
				if seen.Down == 0 || seen.Down != seen.GutterDown {
					return fmt.Errorf("%+v", seen)
				}
				return nil
			})
			require.GreaterOrEqual(t, seen.Gutter, seen.Area, "numbers stand beside all lines that are shown")
			require.EqualValues(t, 85, seen.Lines)
			v.sound("/editor with 85 lines")

			require.EqualValues(t, 200, v.press(`button[value="simulate"]`))
			v.fill(`[name="opener"]`, "ann")
			require.EqualValues(t, 200, v.press(`button[value="open"]`))
			require.EqualValues(t, 200, v.press(`button[value="n0.approve"]`))
			require.Contains(t, v.text("#main"), "Approval 1")
			require.True(t, v.has(`button[value="undo"]`))
			v.sound("/simulate")
			require.EqualValues(t, 200, v.press(`button[value="edit"]`))
			var back string
			v.do(chromedp.Evaluate(`document.querySelector('#source').value`, &back))
			require.Equal(t, source.String(), back)
			require.Empty(t, v.heard())
		})
	}
}

// TestCallsAreTriedAtTheDocs: somebody finds a call by words, types the bare secret of an app once and has it answered; another document, and a call with a body, need it no more,
// until it is forgotten.
func TestCallsAreTriedAtTheDocs(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	for _, l := range []look{desk1280, phone390} {
		t.Run(l.String(), func(t *testing.T) {
			v := newTab(t, d.api, l)
			v.open("/docs")
			v.fill("#q", "open an issue")
			require.EqualValues(t, 200, v.press("form[role=search] button"))
			require.EqualValues(t, 200, v.press(`.card .entries a[href="/docs/issue/openIssue"]`))
			v.fill("#key", " demo-secret ")
			v.fill("#body", `{"origin": "docs", "title": "tried at the docs"}`)
			v.click("#try [data-acts] button")
			v.shows("#outcome", "200")
			number := regexp.MustCompile(`"result": ?"(IM\w+)"`).FindStringSubmatch(v.text("#shown"))
			require.Len(t, number, 2, v.text("#shown"))
			require.Contains(t, d.caller().must(t, "GET", "/api/issue/"+number[1], nil).body, "tried at the docs")
			v.sound("/docs with an answer")

			v.open("/docs/incident/readIncident")
			v.click("#try [data-acts] button")
			v.shows("#outcome", "incident_num") // it says what is missing, and asks nobody
			v.fill(`[data-name="incident_num"]`, number[1])
			v.click("#try [data-acts] button")
			v.shows("#outcome", "200")
			require.Contains(t, v.text("#shown"), number[1])

			v.open("/docs/issue/handleIssue")
			v.fill("#example", "example-0")
			v.fill(`[data-name="id"]`, number[1])
			v.click("#try [data-acts] button")
			v.shows("#outcome", "200")
			require.Equal(t, "acknowledged", d.caller().issue(t, number[1]).Phase)
			require.Empty(t, v.heard())

			v.click("[data-key] button")
			v.open("/docs/issue/readIssue")
			v.fill(`[data-name="id"]`, number[1])
			v.click("#try [data-acts] button")
			v.shows("#outcome", "401")
			v.heard() // browsers tell of every 401
		})
	}
}
