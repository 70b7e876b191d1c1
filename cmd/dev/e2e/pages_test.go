package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// asApp signs in with the development system's own app.
func (v *tab) asApp(operator string) {
	v.t.Helper()
	v.open("/login")
	v.fill("#code", "demo")
	v.fill("#secret", "demo-secret")
	v.fill("#operator", operator)
	require.EqualValues(v.t, 200, v.press(".as-app button"))
}

// asPerson signs in as one of the development system's persons.
func (v *tab) asPerson(id string) {
	v.t.Helper()
	v.open("/login")
	v.fill("#person", id)
	v.fill("#password", "signalbox-demo")
	require.EqualValues(v.t, 200, v.press("form:has(#person) button"))
	require.True(v.t, v.has(".who"), "%s is not signed in", id)
}

// TestPagesAreSound looks at every page as people do: wide and narrow, light and dark, in both languages.
func TestPagesAreSound(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	number := d.caller().open(t)
	d.caller().publish(t, leaveOnPages("sound_leave"))
	paths := []string{"/", "/tickets", "/tickets?view=open", "/tickets?stuck=any", "/tickets/new", "/tickets/new?service=sound_leave", "/ticket/" + number, "/ticket/" + number + "/timeline", "/settings",
		"/settings/password", "/mailbox", "/services", "/services/sound_leave", "/services/sound_leave/edit", "/services/new", "/people", "/people/ann", "/groups", "/groups/support", "/absences", "/calendars",
		"/calendars/new", "/subscriptions", "/subscriptions/new", "/deliveries", "/apps", "/apps/new", "/audit"}
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

// TestPeopleWorkOnThePages does what people do, each as themselves: ask, find what waits, approve, reject with a comment, and look for it.
func TestPeopleWorkOnThePages(t *testing.T) {
	t.Parallel()
	d := sharedDev(t)
	for i, l := range []look{desk1280, phone390} {
		t.Run(l.String(), func(t *testing.T) {
			key := fmt.Sprintf("pages_leave_%d", i)
			d.caller().publish(t, leaveOnPages(key))
			ann, bob := newTab(t, d.api, l), newTab(t, d.api, l)
			ann.asPerson("ann")
			bob.asPerson("bob")
			asks := func(title string) string {
				ann.open("/tickets/new?service=" + key)
				ann.fill(`[name="title"]`, title)
				ann.fill(`[name="f.days"]`, "3")
				require.EqualValues(t, 200, ann.press(`form[action="/tickets/new"] button`))
				require.Contains(t, ann.path(), "/ticket/")
				number, _, _ := strings.Cut(strings.TrimPrefix(ann.path(), "/ticket/"), "?")
				return number
			}
			waits := func(number string) string {
				return fmt.Sprintf(`form:has(button[value="approve"]) input[value*="%s"]`, number)
			}

			yes := asks("Leave granted " + l.String())
			bob.open("/")
			require.True(t, bob.has(waits(yes)), "it waits for bob")
			bob.sound("/ with what waits")
			require.EqualValues(t, 200, bob.press(fmt.Sprintf(`form:has(input[value*="%s"]) button[value="approve"]`, yes)))
			require.False(t, bob.has(waits(yes)), "it waits no more")
			require.Equal(t, "completed", d.caller().issue(t, yes).Phase)

			no := asks("Leave refused " + l.String())
			bob.open("/ticket/" + no)
			bob.sound("/ticket with what can be done")
			bob.fill(`form:has(button.do-reject) textarea`, "Not now")
			require.EqualValues(t, 200, bob.press("button.do-reject"))
			require.Equal(t, "completed", d.caller().issue(t, no).Phase, "the process goes on after a no, as it says")
			ann.open("/ticket/" + no)
			require.Contains(t, ann.text("main"), "Not now")
			ann.open("/tickets?q=refused")
			require.Contains(t, ann.text("#results"), no)
			require.Empty(t, bob.heard())
		})
	}
}
