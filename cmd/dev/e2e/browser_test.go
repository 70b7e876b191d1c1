package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// screenshots, set to a folder, has every page that is looked at kept there as a picture.
const screenshots = "SIGNALBOX_SCREENSHOTS"

// judges is what pages are looked at with: the browser's program, and the accessibility rules that they are judged by.
var judges struct {
	sync.Mutex
	program string
	rules   string // axe-core
	why     string // there are none
}

// judged finds Chromium and has the rules installed, once. Where it, or npm, is missing the test is skipped, and fails where CI is set.
func judged(t testing.TB) (program, rules string) {
	t.Helper()
	judges.Lock()
	defer judges.Unlock()
	if judges.rules == "" && judges.why == "" {
		judges.program, judges.rules, judges.why = findJudges(t)
	}
	if judges.why != "" {
		workshop{t: t}.missing("%s", judges.why)
	}
	return judges.program, judges.rules
}

func findJudges(t testing.TB) (program, rules, why string) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		return "", "", "no Chromium"
	}
	dir := t.TempDir()
	text, err := os.ReadFile("pages/package.json")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), text, 0o600))
	if out, err := (workshop{t, dir}).run("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"); err != nil {
		return "", "", fmt.Sprintf("what package.json names cannot be installed: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	require.NoError(t, err)
	return program, string(raw), ""
}

// look is how somebody looks at pages.
type look struct {
	width, height int64
	dark          bool
	language      string // as the browser asks for it
}

var (
	desk1280  = look{1280, 900, false, "en"}
	phone390  = look{390, 844, true, "zh-CN"}
	nightDesk = look{1280, 900, true, "zh-CN"}
	dayPhone  = look{390, 844, false, "en"}
	// looks are every pair of width, colours and language at least once.
	looks = []look{desk1280, phone390, nightDesk, dayPhone}
)

func (l look) String() string {
	return fmt.Sprintf("%d-%s-%s", l.width, map[bool]string{false: "light", true: "dark"}[l.dark], l.language[:2])
}

// tab is a browser of its own, with its cookies.
type tab struct {
	t     testing.TB
	ctx   context.Context
	base  string
	rules string
	look  look

	mu     sync.Mutex
	faults []string // what the console told
}

// tabPatience is how long one step of a visitor may take on a busy machine.
const tabPatience = time.Minute

func newTab(t testing.TB, base string, l look) *tab {
	t.Helper()
	program, rules := judged(t)
	profile, err := os.MkdirTemp("", "browser-*") // not the test's own folder: what is left of Chromium may write into it for a moment after its end
	require.NoError(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(profile))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocated, endProcess := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		end()
		endProcess()
		_ = os.RemoveAll(profile)
	})
	require.NoError(t, chromedp.Run(ctx), "%s does not start", program)
	v := &tab{t: t, ctx: ctx, base: base, rules: rules, look: l}
	chromedp.ListenTarget(ctx, v.hear)
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	v.do(chromedp.EmulateViewport(l.width, l.height),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		network.SetExtraHTTPHeaders(network.Headers{"Accept-Language": l.language}))
	return v
}

// hear notes what the console tells that is wrong.
func (v *tab) hear(event any) {
	var fault string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			var args []string
			for _, a := range e.Args {
				args = append(args, string(a.Value)+a.Description)
			}
			fault = string(e.Type) + ": " + strings.Join(args, " ")
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.LevelError || e.Entry.Level == cdplog.LevelWarning {
			fault = string(e.Entry.Level) + ": " + e.Entry.Text + " " + e.Entry.URL
		}
	}
	if fault != "" {
		v.mu.Lock()
		v.faults = append(v.faults, fault)
		v.mu.Unlock()
	}
}

// heard gives what the console has told since it was asked last.
func (v *tab) heard() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.faults
	v.faults = nil
	return out
}

func (v *tab) do(actions ...chromedp.Action) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, tabPatience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var at, text string
		again, cancel := context.WithTimeout(v.ctx, 5*time.Second)
		defer cancel()
		_ = chromedp.Run(again, chromedp.Location(&at), chromedp.Evaluate(`document.body ? document.body.innerText : ''`, &text))
		v.picture("failed")
		require.NoError(v.t, err, "at %s:\n%s", at, text)
	}
}

// load does something that leads to a new page, and waits for it. It gives the page's status.
func (v *tab) load(actions ...chromedp.Action) int64 {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, tabPatience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	require.NoError(v.t, err)
	if response == nil {
		return 0
	}
	return response.Status
}

// open goes to a page by its path; it must be there.
func (v *tab) open(path string) {
	v.t.Helper()
	require.EqualValues(v.t, 200, v.load(chromedp.Navigate(v.base+path)), path)
}

// press clicks what a selector finds and waits for the page it leads to.
func (v *tab) press(selector string) int64 {
	v.t.Helper()
	v.do(chromedp.WaitReady(selector, chromedp.ByQuery))
	return v.load(chromedp.ActionFunc(func(ctx context.Context) error {
		return chromedp.Evaluate(fmt.Sprintf(`(() => { const e = document.querySelector(%s); e.closest('details') && (e.closest('details').open = true); e.scrollIntoView({block: 'center'}); e.click(); })()`,
			quoted(selector)), nil).Do(ctx)
	}))
}

// click clicks what a selector finds, which leads to no other page.
func (v *tab) click(selector string) {
	v.t.Helper()
	v.do(chromedp.WaitReady(selector, chromedp.ByQuery), chromedp.Evaluate(`document.querySelector(`+quoted(selector)+`).click()`, nil))
}

// fill types a text into a field, in place of what is there; into a choice, it chooses.
func (v *tab) fill(selector, text string) {
	v.t.Helper()
	v.do(chromedp.WaitReady(selector, chromedp.ByQuery), chromedp.Evaluate(fmt.Sprintf(
		`(() => { const e = document.querySelector(%s); e.value = %s; e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true})); })()`,
		quoted(selector), quoted(text)), nil))
}

// text gives what a selector's first element shows.
func (v *tab) text(selector string) (out string) {
	v.t.Helper()
	v.do(chromedp.WaitReady(selector, chromedp.ByQuery), chromedp.Evaluate(`document.querySelector(`+quoted(selector)+`).innerText`, &out))
	return out
}

// has reports whether there is such an element.
func (v *tab) has(selector string) (is bool) {
	v.t.Helper()
	v.do(chromedp.Evaluate(`document.querySelector(`+quoted(selector)+`) !== null`, &is))
	return is
}

// path is where the visitor is.
func (v *tab) path() string {
	v.t.Helper()
	var at string
	v.do(chromedp.Location(&at))
	u, err := url.Parse(at)
	require.NoError(v.t, err)
	return u.RequestURI()
}

// shows waits until the page shows a text.
func (v *tab) shows(selector, text string) {
	v.t.Helper()
	harness.Until(v.t, text+" in "+selector, tabPatience, func() error {
		if !v.has(selector) {
			return fmt.Errorf("there is no %s", selector)
		}
		if now := v.text(selector); !strings.Contains(now, text) {
			return fmt.Errorf("it shows %q", now)
		}
		return nil
	})
}

func quoted(s string) string {
	raw, _ := json.Marshal(s) // a text always marshals
	return string(raw)
}

// maxPage is how large a page may be without what it loads, in octets.
const maxPage = 100 << 10

// sound judges the page that is open: the accessibility rules, nothing wider than the window, its size, that it came compressed, and what the console told.
func (v *tab) sound(name string) {
	v.t.Helper()
	v.picture(name)
	var seen struct {
		Wide, Inner, Size, Sent int64
		Widest                  string
	}
	v.do(chromedp.Evaluate(`(() => {
		const n = performance.getEntriesByType('navigation')[0];
		const inner = window.innerWidth;
		const wide = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > inner + 1 && !e.closest('[tabindex]:not(main), pre, .unseen'));
		return {Wide: document.documentElement.scrollWidth, Inner: inner, Size: n.decodedBodySize, Sent: n.encodedBodySize, Widest: wide.length ? wide[0].outerHTML.slice(0, 200) : ''};
	})()`, &seen))
	if seen.Wide > seen.Inner {
		v.t.Errorf("%s (%s) is %d wide in a window of %d: %s", name, v.look, seen.Wide, seen.Inner, seen.Widest)
	}
	if seen.Size > maxPage {
		v.t.Errorf("%s (%s) has %d octets", name, v.look, seen.Size)
	}
	if seen.Size > 4<<10 && seen.Sent >= seen.Size {
		v.t.Errorf("%s (%s) came with %d octets of %d: not compressed", name, v.look, seen.Sent, seen.Size)
	}
	v.accessible(name)
	v.speaks(name)
	for _, fault := range v.heard() {
		v.t.Errorf("%s (%s): the console says %s", name, v.look, fault)
	}
}

// unspoken are words that are the same in Chinese: names of products, formats and protocols, and keys that people write as they stand.
var unspoken = strings.Fields(`Signalbox Temporal CSV YAML JSON HTTP HTTPS URL API SLA TLS UTC English webhook Slack Teams OpenID UUID Webhook POST Authorization Bearer issue itsm ITSM event publish name email manager language active true false`)

// speaks holds a page in Chinese against words of another language, but for what others have written or called so: what stands in elements for texts of others, in fields, or is a
// language of its own. The documents of the API are in English.
func (v *tab) speaks(name string) {
	v.t.Helper()
	if !strings.HasPrefix(v.look.language, "zh") || strings.HasPrefix(v.path(), "/docs") {
		return
	}
	var said []string
	v.do(chromedp.Evaluate(fmt.Sprintf(`(() => {
		const known = new Set(%s), found = [], others = 'bdi, code, pre, textarea, time, script, style, svg, datalist, [dir=auto], [lang=en], [translate=no]';
		const hear = (text, from) => {
			const words = ((text || '').replace(/“[^”]*”/g, '').match(/[^\s，。、；：（）“”…!！?？,;()\[\]"]+/g) || []).map((w) => w.replace(/[.:]+$/, '')).filter((w) => /^[A-Za-z][A-Za-z'’]{2,}$/.test(w) && !known.has(w));
			if (words.length > 2 || words.length > 0 && !/\p{Script=Han}/u.test(text)) found.push(words.join(' ') + ' in "' + text.trim().slice(0, 80) + '" of ' + from); // a word or two among others are an example
		};
		const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n; (n = walker.nextNode());) if (!n.parentElement.closest(others)) hear(n.data, n.parentElement.tagName);
		for (const e of document.querySelectorAll('body *')) for (const a of ['title', 'aria-label', 'placeholder', 'alt']) if (!e.closest('[lang=en], [translate=no], bdi')) hear(e.getAttribute(a), a);
		return [...new Set(found)];
	})()`, mustJSON(unspoken)), &said))
	for _, words := range said {
		v.t.Errorf("%s (%s) says %s", name, v.look, words)
	}
}

func mustJSON(of any) string {
	raw, err := json.Marshal(of)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// accessible holds the page against axe-core's rules, of which none that is serious may be broken.
func (v *tab) accessible(name string) {
	v.t.Helper()
	var found []struct {
		ID     string `json:"id"`
		Impact string `json:"impact"`
		Help   string `json:"help"`
		Nodes  []struct {
			HTML    string `json:"html"`
			Failure string `json:"failureSummary"`
		} `json:"nodes"`
	}
	v.do(chromedp.Evaluate(v.rules+`;0`, nil),
		chromedp.Evaluate(`axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)`, &found,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	for _, f := range found {
		if f.Impact != "serious" && f.Impact != "critical" {
			continue
		}
		var out bytes.Buffer
		for i, n := range f.Nodes {
			if i == 3 {
				fmt.Fprintf(&out, "\n  and %d more", len(f.Nodes)-i)
				break
			}
			fmt.Fprintf(&out, "\n  %.300s\n    %.300s", n.HTML, n.Failure)
		}
		v.t.Errorf("%s (%s) breaks %s (%s): %s%s", name, v.look, f.ID, f.Impact, f.Help, out.String())
	}
}

// picture keeps what is seen, where somebody wants it.
func (v *tab) picture(name string) {
	dir := os.Getenv(screenshots)
	if dir == "" {
		return
	}
	var raw []byte
	ctx, cancel := context.WithTimeout(v.ctx, tabPatience)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&raw, 100)); err != nil {
		v.t.Logf("no picture of %s: %v", name, err)
		return
	}
	file := filepath.Join(dir, strings.NewReplacer("/", "_", "?", "_", "=", "_", "&", "_").Replace(strings.Trim(name, "/"))+"-"+v.look.String()+".png")
	require.NoError(v.t, os.WriteFile(file, raw, 0o600))
}
