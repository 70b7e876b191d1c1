package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// pictures, set to a folder, has the pictures of the documentation taken into it.
const pictures = "SIGNALBOX_PICTURES"

// maxPicture is how large one may be, in octets.
const maxPicture = 150 << 10

// shot keeps what is seen in the window as a picture of the documentation.
func (v *tab) shot(name string) {
	v.t.Helper()
	if v.look.dark {
		name += "-dark"
	}
	var raw []byte
	v.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		raw, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatWebp).WithQuality(82).Do(ctx)
		return err
	}))
	require.NoError(v.t, os.WriteFile(filepath.Join(os.Getenv(pictures), name+".webp"), raw, 0o644))
}

const purchaseShown = `key: purchase
name: Purchase
description: Something is bought, once two of the board have agreed.
sla: [{name: answered, until: end, target: 8h, warn: 50 %}]
fields:
  - {key: what, name: What is bought, type: STRING, required: true}
  - {key: amount, name: Amount in euros, type: INT, required: true}
  - {key: why, name: What for, type: TEXT}
nodes:
  - {id: lead, name: Team lead, type: approval, rule: any, processors: {persons: [chen, bob]}, reject: {then: back, to: redo}, next: much}
  - {id: much, name: Over a thousand, type: branch, cases: [{name: much, when: fields.amount > 1000, next: board}], default: order}
  - {id: board, name: Board, type: approval, rule: n-of-m, n: 2, processors: {persons: [ann, bob, chen]}, deadline: [{after: 4h, do: remind}], next: order}
  - {id: order, name: Order it, type: task, processors: {persons: [ann]}, next: done}
  - {id: redo, name: Mend the request, type: task, processors: {opener: true}, next: lead}
  - {id: done, name: Over, type: end}
`

// TestPicturesOfTheDocumentation takes the pictures that docs/pages.md shows, where somebody wants them anew.
func TestPicturesOfTheDocumentation(t *testing.T) {
	if os.Getenv(pictures) == "" {
		t.Skip("the pictures are taken by make screenshots")
	}
	d := startDev(t)
	c := d.caller()
	c.publish(t, purchaseShown)
	c.publish(t, strings.Replace(leaveOnPages("leave"), "persons: [bob]", "persons: [bob, chen]", 1))
	open := func(service, opener, title string, fields map[string]any) string {
		return result[string](t, c.must(t, "POST", "/api/issue", map[string]any{"origin": "pages", "title": title, "service": service, "opener": opener, "fields": fields}))
	}
	var shown string
	for i, one := range []struct {
		title  string
		amount int
	}{{"Second monitor for the front desk", 280}, {"Three database servers", 18400}, {"Licences for the design team", 960}, {"Standing desks", 2150}, {"Headsets for support", 640}} {
		shown = open("purchase", []string{"ann", "dora"}[i%2], one.title, map[string]any{"what": one.title, "amount": one.amount, "why": "Agreed in the quarterly review."})
		if one.amount > 1000 {
			c.act(t, shown, "chen", "approve", "lead", map[string]any{"comment": "Within the budget"})
		}
	}
	open("leave", "ann", "Leave in the first week of January", map[string]any{"days": 5})
	quick := open("leave", "dora", "A day off on Friday", map[string]any{"days": 1})
	c.act(t, quick, "chen", "approve", "bob", nil)
	for _, title := range []string{"Payments time out in the evening", "Certificate of the shop expires", "Backup of the wiki failed"} {
		c.must(t, "POST", "/api/issue", map[string]any{"origin": "monitoring", "title": title, "tags": []string{"production"}})
	}
	servers := open("purchase", "ann", "Replacement for two switches", map[string]any{"what": "Two switches of 48 ports", "amount": 3200, "why": "The old ones drop packets since Tuesday."})
	c.act(t, servers, "chen", "approve", "lead", map[string]any{"comment": "Please order before the holidays"})
	c.act(t, servers, "chen", "approve", "board", map[string]any{"comment": "Yes"})
	for _, dark := range []bool{false, true} {
		l := look{1280, 800, dark, "en"}
		bob, admin := newTab(t, d.api, l), newTab(t, d.api, l)
		bob.asPerson("bob")
		bob.open("/")
		bob.shot("inbox")
		bob.open("/ticket/" + servers)
		bob.shot("ticket")
		admin.asPerson("admin")
		admin.open("/overview")
		admin.the("image", admin.say("overview.plot"))
		admin.shot("overview")
		admin.open("/services/purchase/edit")
		admin.shot("editor")
	}
}

// Every picture is shown, and none is large.
func TestPicturesAreShownAndSmall(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "pages.md"))
	require.NoError(t, err)
	files, err := os.ReadDir(filepath.Join(root, "docs", "screenshots"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(maxPicture), f.Name())
		require.Contains(t, string(text), fmt.Sprintf("screenshots/%s", f.Name()))
	}
}
