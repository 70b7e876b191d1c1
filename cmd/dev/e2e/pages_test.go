package e2e

import (
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
	paths := []string{"/tickets", "/tickets?status=OPEN", "/ticket/" + number, "/ticket/" + number + "/timeline", "/settings", "/settings/password", "/mailbox"}
	for _, l := range looks {
		t.Run(l.String(), func(t *testing.T) {
			v := newTab(t, d.api, l)
			v.open("/login")
			v.sound("/login")
			v.asPerson("ann")
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
