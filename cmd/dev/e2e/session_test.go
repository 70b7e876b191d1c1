package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// TestAPageSaysOnceThatTheSessionIsOver has pages that keep themselves up to date go on asking once nobody is signed in any more: they say so once, and take it back as somebody is.
func TestAPageSaysOnceThatTheSessionIsOver(t *testing.T) {
	t.Parallel()
	judged(t)
	d := sharedDev(t)
	number := d.caller().open(t)
	v := newTab(t, d.api, desk1280)
	v.asPerson("ann")
	var session string
	v.do(chromedp.ActionFunc(func(ctx context.Context) error {
		cookies, err := network.GetCookies().Do(ctx)
		for _, c := range cookies {
			if c.Name == "signalbox" {
				session = c.Value
			}
		}
		return err
	}))
	require.NotEmpty(t, session)
	for _, path := range []string{"/ticket/" + number, "/tickets"} {
		v.open(path)
		v.do(network.SetCookie("signalbox", "over").WithURL(d.api), chromedp.Evaluate(`{
			const notice = document.getElementById('notice');
			window.said = [];
			window.answers = [];
			new MutationObserver(() => { if (notice.innerText.trim()) said.push(notice.innerText.trim()); }).observe(notice, {childList: true, subtree: true, characterData: true});
			document.addEventListener('htmx:afterRequest', (e) => answers.push(e.detail.xhr.status));
			for (const e of document.querySelectorAll('[hx-trigger^="every"]')) {
				e.setAttribute('hx-trigger', 'every 100ms'); // the same, in less time
				htmx.process(e);
			}
		}`, nil))
		answered := func(what string, is func(answers []int) bool) {
			harness.Until(t, what, tabPatience, func() error {
				var answers []int
				if v.do(chromedp.Evaluate(`answers`, &answers)); !is(answers) {
					return fmt.Errorf("%s was answered %v", path, answers)
				}
				return nil
			})
		}
		answered("the page has asked on", func(answers []int) bool {
			n := 0
			for _, status := range answers {
				if status == 401 {
					n++
				}
			}
			return n > 5
		})
		var said []string
		v.do(chromedp.Evaluate(`said`, &said))
		require.Len(t, said, 1, path)
		require.Contains(t, said[0], v.say("held.out"), path)
		require.Equal(t, path, v.path(), "it stays open")
		v.do(network.SetCookie("signalbox", session).WithURL(d.api))
		answered("the page is let in again", func(answers []int) bool { return answers[len(answers)-1] < 300 })
		require.NotContains(t, v.text("#notice"), v.say("held.out"), path)
	}
}
