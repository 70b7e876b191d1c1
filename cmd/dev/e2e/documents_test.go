package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
)

// documents are run, every sh block of them, on a system with the demo in it. Those in Chinese have the same blocks (TestBothLanguagesSayTheSame).
var documents = []string{"README.md", "docs/first-ticket.md", "docs/integrate-issue.md", "docs/integrate-incident.md", "docs/integrate-itsm.md", "docs/integrate-publish.md",
	"docs/integrate-exception.md"}

// translations are the documents that there are in Chinese as well, and where.
var translations = map[string]string{
	"README.md":                   "README.zh.md",
	"docs/webhooks.md":            "docs/zh/webhooks.md",
	"docs/integrate-issue.md":     "docs/zh/integrate-issue.md",
	"docs/integrate-incident.md":  "docs/zh/integrate-incident.md",
	"docs/integrate-itsm.md":      "docs/zh/integrate-itsm.md",
	"docs/integrate-publish.md":   "docs/zh/integrate-publish.md",
	"docs/integrate-exception.md": "docs/zh/integrate-exception.md",
}

// part is what a document has for the test: a fenced block, or what somebody does on a page.
type part struct {
	line  int
	info  string // of a fence: sh, json, text…; "page": somebody does something there
	text  string
	close bool // nothing but blank lines stands between the part before and this one
}

var pageStep = regexp.MustCompile(`^<!-- page: (.*) -->$`)

// parts takes a document apart.
func parts(t testing.TB, path string) (found []part) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	fenced, next := false, true
	for i, line := range strings.Split(string(raw), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		step := pageStep.FindStringSubmatch(line)
		switch {
		case fence && fenced:
			fenced, next = false, true
		case fence:
			fenced = true
			found = append(found, part{line: i + 1, info: info, close: next})
		case fenced:
			found[len(found)-1].text += line + "\n"
		case step != nil:
			found = append(found, part{line: i + 1, info: "page", text: step[1]})
			next = false
		case strings.TrimSpace(line) != "":
			next = false
		}
	}
	require.False(t, fenced, "%s: a fence is not closed", path)
	return found
}

// shell runs blocks one after the other, as somebody does who copies them into a terminal.
type shell struct {
	t       testing.TB
	in      io.Writer
	out     *bufio.Reader
	faults  *bytes.Buffer
	from    *strings.Replacer // from the addresses of the documents to the system's
	back    *strings.Replacer
	command *exec.Cmd
}

const ended = "-- the block is over --"

// newShell starts one in the repository's folder. The first command that fails ends it.
func newShell(t testing.TB, d *dev) *shell {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "jq", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("the documents need %s", tool)
		}
	}
	var pairs, reversed []string
	for there, here := range map[string]string{"127.0.0.1:8080": d.api, "127.0.0.1:8233": d.ui, "127.0.0.1:8234": d.receiver} {
		here = strings.TrimPrefix(here, "http://")
		pairs, reversed = append(pairs, there, here), append(reversed, here, there)
	}
	s := &shell{t: t, from: strings.NewReplacer(pairs...), back: strings.NewReplacer(reversed...), faults: &bytes.Buffer{}, command: exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail")}
	s.command.Dir, s.command.Stderr = root, s.faults
	in, err := s.command.StdinPipe()
	require.NoError(t, err)
	out, err := s.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.command.Start())
	s.in, s.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		_ = in.Close()
		_ = s.command.Wait() // how it ended was seen by the block that ended it
	})
	return s
}

// run gives what a block wrote.
func (s *shell) run(text string) string {
	s.t.Helper()
	_, err := fmt.Fprintf(s.in, "%s\necho; echo '%s'\n", s.from.Replace(text), ended)
	require.NoError(s.t, err)
	var wrote strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if strings.TrimSuffix(line, "\n") == ended {
			return s.back.Replace(strings.TrimSuffix(strings.TrimSuffix(wrote.String(), "\n"), "\n"))
		}
		wrote.WriteString(line)
		if err != nil {
			_ = s.command.Wait()
			s.t.Fatalf("the block failed:\n%s\nIt wrote:\n%s%s", text, wrote.String(), s.faults)
		}
	}
}

// runDocument runs what a document says, and compares what comes with what it says. A block of json or text right behind one of sh is what that writes: … stands for anything,
// in json a member "…" for more members.
func runDocument(t testing.TB, d *dev, path string) {
	t.Helper()
	s := newShell(t, d)
	wrote, ran := "", 0
	for _, p := range parts(t, path) {
		where := fmt.Sprintf("%s:%d", path, p.line)
		switch {
		case p.info == "sh":
			t.Log(where)
			wrote = s.run(p.text)
			ran++
		case p.info == "page":
			s.onThePage(d, where, p.text)
		case p.close && ran > 0 && p.info == "json":
			var want, got any
			require.NoError(t, json.Unmarshal([]byte(p.text), &want), where)
			require.NoError(t, json.Unmarshal([]byte(wrote), &got), "%s: got %s", where, wrote)
			if fault := differs("", want, got); fault != "" {
				t.Fatalf("%s: %s\ngot %s", where, fault, wrote)
			}
		case p.close && ran > 0 && p.info == "text":
			if !like(strings.TrimSpace(p.text), strings.TrimSpace(wrote)) {
				t.Fatalf("%s: got\n%s", where, wrote)
			}
		}
	}
	require.Positive(t, ran, path)
}

// more is the member that stands for others.
const more = "…"

// differs says where a value is not what was wanted; empty: nowhere.
func differs(at string, want, got any) string {
	if want == more {
		return ""
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: an object was wanted, and it is %v", at, got)
		}
		_, open := w[more]
		for name, value := range w {
			if name == more {
				continue
			}
			is, there := g[name]
			if !there {
				return fmt.Sprintf("%s.%s: is not there", at, name)
			}
			if fault := differs(at+"."+name, value, is); fault != "" {
				return fault
			}
		}
		for name := range g {
			if _, there := w[name]; !there && !open {
				return fmt.Sprintf("%s.%s: nothing was said of it", at, name)
			}
		}
	case []any:
		g, ok := got.([]any)
		open := len(w) > 0 && w[len(w)-1] == more
		if open {
			w = w[:len(w)-1]
		}
		if !ok || len(g) < len(w) || len(g) > len(w) && !open {
			return fmt.Sprintf("%s: %d were wanted, and it is %v", at, len(w), got)
		}
		for i, value := range w {
			if fault := differs(fmt.Sprintf("%s[%d]", at, i), value, g[i]); fault != "" {
				return fault
			}
		}
	case string:
		if g, ok := got.(string); !ok || !like(w, g) {
			return fmt.Sprintf("%s: %q was wanted, and it is %v", at, w, got)
		}
	default:
		if want != got {
			return fmt.Sprintf("%s: %v was wanted, and it is %v", at, want, got)
		}
	}
	return ""
}

// like compares a text with one in which … stands for anything.
func like(want, got string) bool {
	var pattern strings.Builder
	for i, piece := range strings.Split(want, more) {
		if i > 0 {
			pattern.WriteString("(?s:.*)")
		}
		pattern.WriteString(regexp.QuoteMeta(piece))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(got)
}

// onThePage does what a document says that somebody does: "chen approves $NUMBER". It is done by the page's own form.
func (s *shell) onThePage(d *dev, where, step string) {
	s.t.Helper()
	words := strings.Fields(step)
	require.Len(s.t, words, 3, "%s: %s", where, step)
	who, action, number := words[0], strings.TrimSuffix(words[1], "s"), strings.TrimSpace(s.run("printf %s \""+words[2]+"\""))
	require.NotEmpty(s.t, number, where)
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	browser := &http.Client{Jar: jar}
	page := browse(s.t, browser, d.api+"/login", nil)
	browse(s.t, browser, d.api+"/login", url.Values{"csrf": {guardOf(s.t, page)}, "person": {who}, "password": {"signalbox-demo"}, "return": {"/"}})

	path := "/ticket/" + number
	page = browse(s.t, browser, d.api+path, nil)
	form := formWith(s.t, page, `class="do-`+action+`"`)
	fields := url.Values{}
	for _, input := range hidden.FindAllStringSubmatch(form, -1) {
		fields.Add(input[1], input[2])
	}
	target := formAction.FindStringSubmatch(form)
	require.NotNil(s.t, target, "%s: no form of %s", where, action)
	page = browse(s.t, browser, d.api+target[1], fields)
	require.NotContains(s.t, page, `class="do-`+action+`"`, "%s: it can be done still", where)
}

var (
	guardInput = regexp.MustCompile(`name="csrf" value="([^"]+)"`)
	hidden     = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	formAction = regexp.MustCompile(`<form [^>]*action="([^"]+)"`)
)

func guardOf(t testing.TB, page string) string {
	t.Helper()
	found := guardInput.FindStringSubmatch(page)
	require.NotNil(t, found)
	return found[1]
}

// formWith is the text of the form in which something stands.
func formWith(t testing.TB, page, what string) string {
	t.Helper()
	before, after, found := strings.Cut(page, what)
	require.True(t, found, "no form with %s on the page", what)
	begin := strings.LastIndex(before, "<form ")
	require.GreaterOrEqual(t, begin, 0)
	rest, _, _ := strings.Cut(after, "</form>")
	return before[begin:] + what + rest
}

// browse gets a page, or sends a form, and gives the page that comes of it.
func browse(t testing.TB, browser *http.Client, address string, form url.Values) string {
	t.Helper()
	get := func() (*http.Response, error) { return browser.Get(address) }
	if form != nil {
		get = func() (*http.Response, error) { return browser.PostForm(address, form) }
	}
	response, err := get()
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", address, page)
	return string(page)
}

// TestDocuments runs what README and guides say, to the letter, on the system that "make demo" starts.
func TestDocuments(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	for _, path := range documents {
		t.Run(path, func(t *testing.T) { runDocument(t, d, path) })
	}
}

// startDemo starts what "make demo" starts, and waits until it says that it is ready.
func startDemo(t testing.TB) *dev {
	t.Helper()
	d := startDev(t, "SIGNALBOX_DEMO=true")
	d.said(t, "Ctrl-C ends it.", 1)
	return d
}

// said waits until it has said something so many times since it was started.
func (d *dev) said(t testing.TB, what string, times int) {
	t.Helper()
	harness.Until(t, "it has said "+what, time.Minute, func() error {
		if logs := d.process.Logs(); strings.Count(logs, what) < times {
			return fmt.Errorf("it says %q", logs)
		}
		return nil
	})
}

var heading = regexp.MustCompile(`(?m)^#+ `)

// TestBothLanguagesSayTheSame compares what can be compared: fenced blocks, what is done on pages, and the levels of headings; and each says where the other is.
func TestBothLanguagesSayTheSame(t *testing.T) {
	for english, chinese := range translations {
		t.Run(chinese, func(t *testing.T) {
			strip := func(path string) (out []part) {
				for _, p := range parts(t, path) {
					p.line = 0
					if p.info == "" || p.info == "text" && strings.HasPrefix(p.text, "#") {
						continue
					}
					out = append(out, p)
				}
				return out
			}
			require.Equal(t, strip(english), strip(chinese))
			texts := map[string]string{}
			for _, pair := range [][2]string{{english, chinese}, {chinese, english}} {
				raw, err := os.ReadFile(filepath.Join(root, pair[0]))
				require.NoError(t, err)
				texts[pair[0]] = string(raw)
				other, err := filepath.Rel(filepath.Dir(pair[0]), pair[1])
				require.NoError(t, err)
				require.Contains(t, string(raw), "("+other+")", "%s has no link to %s", pair[0], pair[1])
			}
			require.Equal(t, levels(texts[english]), levels(texts[chinese]), "headings")
		})
	}
	var there []string
	for _, pattern := range []string{"*.zh.md", "docs/zh/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, path := range found {
			relative, err := filepath.Rel(root, path)
			require.NoError(t, err)
			there = append(there, relative)
		}
	}
	for _, path := range there {
		require.Contains(t, slices.Collect(maps.Values(translations)), path)
	}
}

// levels are those of the headings of a document, outside of fences.
func levels(text string) (out []string) {
	for i, piece := range strings.Split(text, "\n```") {
		if i%2 == 0 {
			for _, found := range heading.FindAllString(piece, -1) {
				out = append(out, strings.TrimSpace(found))
			}
		}
	}
	return out
}
