package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"signalbox/api/apitest"
	"signalbox/internal/housetest"
	"signalbox/notice"
	"signalbox/ticket"
)

// shell runs the program as somebody at a terminal does, in this process.
type shell struct {
	*testing.T
	env   map[string]string
	stdin string
}

func at(t *testing.T, house *housetest.House, secret string) shell {
	return shell{T: t, env: map[string]string{"SIGNALBOX_URL": house.URL, "SIGNALBOX_SECRET": secret, "SIGNALBOX_OPERATOR": "ann"}}
}

func (s shell) ctx(ctx context.Context, args ...string) (code int, out, errs string) {
	s.Helper()
	var o, e bytes.Buffer
	for _, name := range []string{"SIGNALBOX_URL", "SIGNALBOX_SECRET", "SIGNALBOX_OPERATOR", "SIGNALBOX_PROFILE", "SIGNALBOX_PROFILE_FILE"} {
		s.Setenv(name, s.env[name])
	}
	if s.env["HOME"] != "" {
		s.Setenv("HOME", s.env["HOME"])
		s.Setenv("XDG_CONFIG_HOME", "")
	}
	code = run(ctx, args, strings.NewReader(s.stdin), &o, &e)
	return code, o.String(), e.String()
}

func (s shell) run(args ...string) (code int, out, errs string) {
	s.Helper()
	return s.ctx(s.Context(), args...)
}

// ok runs what has to succeed.
func (s shell) ok(args ...string) string {
	s.Helper()
	code, out, errs := s.run(args...)
	require.Zero(s, code, "%s: %s%s", args, out, errs)
	return strings.TrimSpace(out)
}

// into runs it with -o json.
func (s shell) into(v any, args ...string) {
	s.Helper()
	require.NoError(s, json.Unmarshal([]byte(s.ok(append(args, "-o", "json")...)), v))
}

// fails runs what has to fail, and gives what it said.
func (s shell) fails(code int, args ...string) string {
	s.Helper()
	got, out, errs := s.run(args...)
	require.Equal(s, code, got, "%s: %s%s", args, out, errs)
	return errs
}

func TestATicketFromOpeningToItsEnd(t *testing.T) {
	s := at(t, housetest.New(t), apitest.Writer)
	number := s.ok("open", "--title", "Container held", "--origin", "customs", "--tag", "urgent,night", "--relation", "manifest=a,b", "--description", "why")
	require.Regexp(t, `^IM\d{24}$`, number)
	var shown struct {
		Title, Opener, Description string
		Tag                        []string
		Relations                  []struct {
			Type    string
			Content []string
		}
	}
	s.into(&shown, "show", number)
	require.Equal(t, "Container held", shown.Title)
	require.Equal(t, "ann", shown.Opener)
	require.Equal(t, []string{"urgent", "night"}, shown.Tag)
	require.Equal(t, []string{"a", "b"}, shown.Relations[0].Content)

	require.Contains(t, s.ok("list", "--status", "OPEN", "--tag", "urgent"), number)
	require.NotContains(t, s.ok("list", "--status", "CLOSED"), number)
	require.NotContains(t, s.ok("list", "--created-before", "1h"), number)
	require.Contains(t, s.ok("list", "--created-after", "1h"), number)
	require.Contains(t, s.ok("show", number), "accept")

	require.Contains(t, s.ok("act", number, "accept"), "accept by ann")
	require.Contains(t, s.fails(exitConflict, "act", number, "accept"), "409")
	require.Contains(t, s.fails(exitUsage, "act", number, "commit-solution"), "mtm_type", "what is missing is named")
	s.ok("act", number, "commit-solution", "--mtm-type", "inc_type_p_config_issues", "--cause", "a typo", "--solution", "corrected")
	s.ok("act", number, "confirm", "--pass", "--comment", "it works", "--as", "bob")
	var lines []struct{ ID, Status string }
	s.into(&lines, "list", "--status", "CLOSED")
	require.Equal(t, number, lines[0].ID)
	timeline := s.ok("show", number, "--timeline")
	for _, word := range []string{"opened", "accepted", "confirmed", "bob"} {
		require.Contains(t, timeline, word)
	}
	require.Equal(t, 4, strings.Count(timeline, "\n"))

	watched := s.ok("watch", number, "--until-closed", "--every", "100ms")
	require.Equal(t, 3, strings.Count(watched, "\n"), "each entry once, and then it ends")
}

func TestExitCodes(t *testing.T) {
	house := housetest.New(t)
	s := at(t, house, apitest.Writer)
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	number := s.ok("open", "--title", "t")
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "title", []string{"open"}},
		{exitUsage, "title", []string{"open", "--title", ""}},
		{exitUsage, "unknown", []string{"opne"}},
		{exitUsage, "--nope", []string{"list", "--nope"}},
		{exitUsage, "table or json", []string{"list", "-o", "xml"}},
		{exitUsage, "--created-after", []string{"list", "--created-after", "yesterday"}},
		{exitUsage, "--limit", []string{"list", "-n", "0"}},
		{exitUsage, "status", []string{"list", "--status", "MAYBE"}},
		{exitUsage, "--field", []string{"open", "--title", "t", "--field", "days"}},
		{exitUsage, "--field", []string{"open", "--title", "t", "--field", "days:=three"}},
		{exitUsage, "state", []string{"deliveries", "list", "--state", "lost"}},
		{exitUsage, "issue: there is no such issue", []string{"deliveries", "list", "--issue", "IM000000000000000000000000"}},
		{exitUsage, "--from", []string{"deliveries", "list", "--from", "yesterday"}},
		{exitUsage, "to: must be after from", []string{"deliveries", "list", "--from", "1h", "--to", "2h"}},
		{exitUsage, "--address", []string{"deliveries", "redeliver", "--issue", number, "--state", "failed"}},
		{exitUsage, "--subscription", []string{"deliveries", "redeliver", "x", "--subscription", "x"}},
		{exitNotFound, "404", []string{"deliveries", "show", "x"}},
		{exitNotFound, "404", []string{"deliveries", "redeliver", "x"}},
		{exitUsage, "--state", []string{"deliveries", "redeliver", "--subscription", "x"}},
		{exitUsage, "no such file", []string{"services", "check", "/does/not/exist"}},
		{exitUsage, "--secret-to", []string{"subscriptions", "rotate", "x"}},
		{exitForbidden, "401", []string{"list", "--secret", "nobody"}},
		{exitForbidden, "403", []string{"open", "--title", "t", "--secret", apitest.Reader}},
		{exitNotFound, "404", []string{"show", "IM000000000000000000000000"}},
		{exitConflict, "idempotency", []string{"open", "--title", "other", "--idempotency-key", "k1"}},
		{exitUnavailable, "no answer", []string{"list", "--url", away.URL, "--timeout", "1s"}},
		{exitUnavailable, "--idempotency-key k2", []string{"open", "--title", "t", "--url", away.URL, "--timeout", "1s", "--idempotency-key", "k2"}},
	} {
		if c.code == exitConflict {
			s.ok("open", "--title", "t", "--idempotency-key", "k1")
			require.Equal(t, s.ok("open", "--title", "t", "--idempotency-key", "k1"), s.ok("open", "--title", "t", "--idempotency-key", "k1"))
		}
		errs := s.fails(c.code, c.args...)
		require.Contains(t, errs, c.says, "%s", c.args)
		require.NotContains(t, errs, apitest.Writer)
	}
	house.Err = ticket.Refuse(ticket.Unavailable, "the database is away")
	require.Contains(t, s.fails(exitUnavailable, "show", number, "--timeout", "100ms"), "503")
}

// until gives a context that ends once a house has been asked for something with the words in its path for the nth time: what was answered before has been dealt with by then.
func until(t *testing.T, s shell, path string, nth int64) (context.Context, shell) {
	t.Helper()
	target, err := url.Parse(s.env["SIGNALBOX_URL"])
	require.NoError(t, err)
	through := httputil.NewSingleHostReverseProxy(target)
	through.ErrorLog = log.New(io.Discard, "", 0) // of callers who have gone away
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, path) && n.Add(1) == nth {
			cancel()
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { cancel(); front.Close() })
	s.env = maps.Clone(s.env)
	s.env["SIGNALBOX_URL"] = front.URL
	return ctx, s
}

func TestCtrlCEndsIt(t *testing.T) {
	s := at(t, housetest.New(t), apitest.Writer)
	number := s.ok("open", "--title", "t")
	ctx, fronted := until(t, s, "/changes", 2)
	code, out, errs := fronted.ctx(ctx, "watch", "--from", "earliest", "--every", "100ms")
	require.Equal(t, exitInterrupted, code)
	require.Equal(t, "signalbox: interrupted\n", errs)
	require.Equal(t, 1, strings.Count(out, number))
	ctx, fronted = until(t, s, "/timeline", 3)
	code, out, errs = fronted.ctx(ctx, "watch", number, "--every", "100ms")
	require.Equal(t, exitInterrupted, code)
	require.Equal(t, "signalbox: interrupted\n", errs)
	require.Equal(t, 1, strings.Count(out, "opened"), "looked at twice, told once")
}

func TestTheFeedGoesOnWhereItWas(t *testing.T) {
	s := at(t, housetest.New(t), apitest.Writer)
	file := filepath.Join(t.TempDir(), "cursor")
	watch := func(more ...string) (numbers []string) {
		ctx, fronted := until(t, s, "/changes", 3)
		_, out, _ := fronted.ctx(ctx, append([]string{"watch", "--cursor-file", file, "--every", "100ms", "-o", "json"}, more...)...)
		for line := range strings.Lines(out) {
			var change struct{ Issue struct{ ID string } }
			require.NoError(t, json.Unmarshal([]byte(line), &change))
			numbers = append(numbers, change.Issue.ID)
		}
		return numbers
	}
	one, two := s.ok("open", "--title", "1"), s.ok("open", "--title", "2")
	require.Equal(t, []string{one, two}, watch("--from", "earliest"))
	require.Empty(t, watch(), "nothing twice")
	three := s.ok("open", "--title", "3")
	require.Equal(t, []string{three}, watch())
	require.Contains(t, s.fails(exitUsage, "watch", "--cursor-file", file, "--from", "latest"), "--from")
}

const leave = "key: leave\nname: Leave\nfields:\n- {key: days, type: INT, required: true}\nnodes:\n- {id: lead, name: Lead, type: approval, processors: {persons: [wang]}, next: over}\n- {id: over, name: Over, type: end}\n"

func TestServicesAreCheckedPlayedAndPublished(t *testing.T) {
	house := housetest.New(t)
	s := at(t, house, apitest.Boss)
	dir := t.TempDir()
	good, bad, script := filepath.Join(dir, "leave.yaml"), filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "script.yaml")
	require.NoError(t, os.WriteFile(good, []byte(leave), 0o600))
	require.NoError(t, os.WriteFile(bad, []byte(strings.Replace(leave, "next: over", "next: ovre", 1)), 0o600))
	require.NoError(t, os.WriteFile(script, []byte("answers:\n- {node: lead, after: 90m, action: approve, actor: wang, comment: fine}\n"), 0o600))

	require.Equal(t, "it can be published", s.ok("services", "check", good))
	require.Regexp(t, regexp.QuoteMeta(bad)+`:6:\d+: nodes\[0\]\.next: there is no node "ovre"`, s.fails(exitFailed, "services", "check", bad))
	require.Contains(t, s.fails(exitUsage, "services", "publish", bad), "nodes[0].next")
	require.Contains(t, s.ok("services", "simulate", good, "--field", "days:=3", "--opener", "li", "--script", script), "ends")
	require.Contains(t, s.fails(exitUsage, "services", "simulate", bad), "nodes[0].next")
	require.Equal(t, "leave is published as version 1", s.ok("services", "publish", good))
	require.Regexp(t, `leave +\d+ +1 +Leave +enabled`, s.ok("services", "list"))
	require.Contains(t, s.ok("services", "versions", "leave"), "boss")
	require.NoError(t, os.WriteFile(good, []byte(s.ok("services", "show", "leave")), 0o600))
	require.Equal(t, "leave is published as version 1", s.ok("services", "publish", good), "what is shown can be published again")
	var shown struct{ Key string }
	s.into(&shown, "services", "show", "leave", "--version", "1")
	require.Equal(t, "leave", shown.Key)
	require.Contains(t, s.fails(exitUsage, "open", "--title", "t", "--service", "leave"), "days")
	number := s.ok("open", "--title", "t", "--service", "leave", "--field", "days:=3")
	require.Contains(t, s.ok("list"), "wang")
	require.Contains(t, s.ok("__complete", "act", number, ""), "approve")
	require.Contains(t, s.ok("__complete", "show", ""), number)
	require.Contains(t, s.ok("__complete", "services", "show", ""), "leave\tLeave")
}

func TestSecretsAreShownOnRequestAlone(t *testing.T) {
	house := housetest.New(t)
	s := at(t, house, apitest.Writer)
	const address = "https://hooks.example.com/told"
	for _, o := range []string{"table", "json"} {
		out := s.ok("subscriptions", "add", address, "--source", "a", "-o", o)
		require.NotContains(t, out, "whsec_")
	}
	file := filepath.Join(t.TempDir(), "secret")
	var added struct{ ID string }
	s.into(&added, "subscriptions", "add", address, "--source", "b", "--secret-to", file)
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Regexp(t, `^whsec_\S+\n$`, string(kept))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Contains(t, s.fails(exitUsage, "subscriptions", "rotate", added.ID, "--secret-to", file), "exists", "no file is overwritten")
	require.Regexp(t, `^whsec_`, s.ok("subscriptions", "rotate", added.ID, "--show-secret"))
	gone := filepath.Join(t.TempDir(), "secret")
	require.Contains(t, s.fails(exitNotFound, "subscriptions", "rotate", "0f8fad5b-d9cb-469f-a165-70867728950e", "--secret-to", gone), "404")
	require.NoFileExists(t, gone)

	require.Contains(t, s.ok("subscriptions", "pause", added.ID), "paused")
	require.Contains(t, s.ok("subscriptions", "list", "--state", "paused"), added.ID)
	require.Contains(t, s.fails(exitConflict, "subscriptions", "test", added.ID), "409")
	s.ok("subscriptions", "resume", added.ID)
	require.Contains(t, s.ok("subscriptions", "test", added.ID), "on its way")
	require.Contains(t, s.ok("subscriptions", "show", added.ID), "1 pending")
	require.Contains(t, s.fails(exitUsage, "subscriptions", "delete", added.ID), "--yes")
	s.ok("subscriptions", "delete", added.ID, "--yes")
	s.fails(exitNotFound, "subscriptions", "show", added.ID)
}

func TestDeliveriesAreMadeAgain(t *testing.T) {
	house := housetest.New(t)
	s := at(t, house, apitest.Writer)
	var added struct{ ID string }
	s.into(&added, "subscriptions", "add", "https://hooks.example.com/told", "--type", "status")
	for range 3 {
		s.ok("open", "--title", "t")
	}
	works := house.Waiting(added.ID)
	require.Len(t, works, 3)
	for _, w := range works {
		house.Tried(w, notice.Failed)
	}
	which := []string{"--subscription", added.ID}
	out := s.ok("deliveries", "list", "--state", "failed")
	require.Equal(t, 3, strings.Count(out, "failed"))
	require.Equal(t, 3, strings.Count(out, "hooks.example.com"))
	require.Equal(t, 3, strings.Count(s.ok(append([]string{"deliveries", "list", "--state", "failed,held", "--host", "HOOKS.example.com"}, which...)...), "failed"))
	for _, none := range [][]string{{"--state", "sent"}, {"--host", "example.com"}, {"--to", "1h"}, {"--subscription", "x"}} {
		require.Equal(t, 0, strings.Count(s.ok(append([]string{"deliveries", "list"}, none...)...), "\n"), "%s", none)
	}
	number := s.ok("open", "--title", "t", "--callback", "https://hooks.example.com/ticket")
	s.ok("act", number, "accept")
	s.ok("act", number, "commit-solution", "--mtm-type", "inc_type_p_config_issues", "--cause", "a typo", "--solution", "corrected")
	s.ok("act", number, "confirm", "--pass", "--comment", "it works", "--as", "bob")
	require.Equal(t, 0, strings.Count(s.ok("deliveries", "list", "--issue", number, "--host", "example.com"), "\n"))
	require.Equal(t, 3, strings.Count(s.ok("deliveries", "list", "--issue", number), number), "the ticket's own address, and the subscription")
	id := works[0].Delivery.ID
	shown := s.ok("deliveries", "show", id)
	require.Contains(t, shown, "failed")
	require.Contains(t, shown, "https://hooks.example.com/told")
	require.Contains(t, shown, added.ID)
	require.Contains(t, s.ok("deliveries", "redeliver", id), "on its way")
	var told []struct{ ID, Notification string }
	s.into(&told, "deliveries", "list", "--issue", number)
	for _, d := range told {
		if d.Notification != "" {
			require.Contains(t, s.fails(exitConflict, "deliveries", "redeliver", d.ID), "still being tried", "it is asked for where its address is")
			require.Contains(t, s.ok("deliveries", "show", d.ID), d.Notification)
		}
	}

	require.Contains(t, s.ok(append([]string{"deliveries", "redeliver", "--state", "failed", "--dry-run"}, which...)...), "2 deliveries")
	said := s.fails(exitUsage, append([]string{"deliveries", "redeliver", "--state", "failed"}, which...)...)
	require.Contains(t, said, "2 deliveries are to be made again", "how many there are is said before anybody is asked")
	require.Contains(t, said, "--yes")
	// Nobody has begun with the work yet; who goes away leaves it to go on.
	ctx, fronted := until(t, s, "/redeliver/", 2)
	code, _, errs := fronted.ctx(ctx, append([]string{"deliveries", "redeliver", "--state", "failed", "--yes"}, which...)...)
	require.Equal(t, exitInterrupted, code)
	require.Contains(t, errs, "goes on by itself")
	require.Contains(t, errs, "0 of 2\n")
	// The work goes on beside it, a little at a time.
	var all sync.WaitGroup
	work := func(redelivery string) {
		all.Go(func() {
			for {
				r, err := house.RedeliverSome(context.Background(), redelivery, 1, 1_000)
				if err != nil || r.State != notice.Redelivering {
					return
				}
			}
		})
	}
	house.Began.Store(&work)
	code, out, errs = s.run(append([]string{"deliveries", "redeliver", "--state", "failed", "--yes", "-o", "json"}, which...)...)
	require.Zero(t, code, errs)
	all.Wait()
	var r redelivery
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, redelivery{ID: r.ID, State: "done", Total: 2, Done: 2}, r)
	require.Contains(t, errs, "2 of 2\n")
	require.Equal(t, 5, strings.Count(s.ok(append([]string{"deliveries", "list", "--state", "pending"}, which...)...), "pending"))
}

func TestPeopleAreLookedUp(t *testing.T) {
	house := housetest.New(t)
	s := at(t, house, apitest.Boss)
	for _, c := range [][2]string{{"/api/person/ann", `{"name":"王 Ann","email":"ann@example.com"}`}, {"/api/group/finance", `{"name":"Finance","members":[{"person":"ann"}]}`}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, house.URL+c[0], strings.NewReader(c[1]))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+apitest.Boss)
		a, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, a.Body.Close())
		require.Equal(t, 200, a.StatusCode)
	}
	require.Contains(t, s.ok("persons", "list", "--search", "ann"), "王 Ann")
	require.Contains(t, s.ok("persons", "show", "ann"), "ann@example.com")
	require.Contains(t, s.ok("groups", "list", "--person", "ann"), "Finance")
	require.Contains(t, s.ok("groups", "show", "finance"), "ann")
	s.fails(exitNotFound, "persons", "show", "nobody")
}

func TestProfiles(t *testing.T) {
	house := housetest.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "profiles.toml")
	write := func(text string, mode os.FileMode) {
		require.NoError(t, os.RemoveAll(file))
		require.NoError(t, os.WriteFile(file, []byte(text), mode))
		require.NoError(t, os.Chmod(file, mode))
	}
	s := shell{T: t, env: map[string]string{"SIGNALBOX_PROFILE_FILE": file}}
	content := fmt.Sprintf("default = \"one\"\n[profiles.one]\nurl = %q\nsecret = %q\noperator = \"li\"\n[profiles.two]\nurl = %q\nsecret = %q\n", house.URL, apitest.Writer, house.URL, apitest.Reader)
	write(content, 0o600)
	number := s.ok("open", "--title", "t")
	s.ok("act", number, "accept")
	require.Contains(t, s.ok("show", number), "li")
	s.ok("list", "--profile", "two")
	s.fails(exitForbidden, "open", "--title", "t", "--profile", "two")
	s.fails(exitForbidden, "list", "--profile", "two", "--secret", "nobody")
	require.Contains(t, s.fails(exitUsage, "list", "--profile", "three"), "three")
	require.Contains(t, s.fails(exitUsage, "list", "--url", "https://elsewhere.example"), "secret", "a secret is for the address that it stands beside")

	write(content, 0o640)
	errs := s.fails(exitUsage, "list")
	require.Contains(t, errs, "chmod 600")
	require.NotContains(t, errs, apitest.Writer)
	write("default = \"one\"\n[profiles.one]\nsecret = \"hidden\nurl=1", 0o600)
	errs = s.fails(exitUsage, "list")
	require.Contains(t, errs, file)
	require.NotContains(t, errs, "hidden")
	write("[profiles.one]\nurll = \"x\"\n", 0o600)
	require.Contains(t, s.fails(exitUsage, "list"), "urll")
	require.NoError(t, os.Remove(file))
	require.Contains(t, s.fails(exitUsage, "list"), "no such file")
	s.env = map[string]string{"HOME": dir}
	require.Contains(t, s.fails(exitUsage, "list"), "--url", "without a file it is said what is missing")

	s.stdin = apitest.Writer + "\n"
	s.ok("list", "--url", house.URL, "--secret-file", "-")
}

func TestTablesFitTheTerminal(t *testing.T) {
	table := table{head: []string{"NUMBER", "TITLE", "WHO"}, rows: [][]string{
		{"IM1", "集装箱被海关扣留，等待补充报关单", "zhang.san"}, {"IM2", "short", "李四"}, {"IM3", "\x1b[31mred\x1b[0m\tand\nmore", "x"},
	}}
	var wide bytes.Buffer
	require.NoError(t, table.write(&wide, 0))
	require.Contains(t, wide.String(), "集装箱被海关扣留，等待补充报关单  zhang.san\n", "whoever pipes gets all of it")
	require.NotContains(t, wide.String(), "\x1b", "what callers wrote does not command a terminal")
	lines := strings.Split(wide.String(), "\n")
	column := cells.StringWidth(lines[0][:strings.Index(lines[0], "WHO")])
	require.Equal(t, column, cells.StringWidth(lines[1][:strings.Index(lines[1], "zhang")]), "a character of two cells counts as two")
	require.Equal(t, column, cells.StringWidth(lines[2][:strings.Index(lines[2], "李四")]))
	for _, width := range []int{20, 30, 40} {
		var narrow bytes.Buffer
		require.NoError(t, table.write(&narrow, width))
		for line := range strings.Lines(narrow.String()) {
			require.LessOrEqual(t, cells.StringWidth(strings.TrimRight(line, "\n")), max(width, 3*least+2*len(gap)), line)
		}
		require.Contains(t, narrow.String(), "…")
	}
}

// TestEveryCommandHasHelp with an example that begins like it, and no example has a flag that is none.
func TestEveryCommandHasHelp(t *testing.T) {
	c := &cli{env: func(string) string { return "" }}
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		if command.Name() == "help" || strings.HasPrefix(command.Name(), "__") {
			return
		}
		require.NotEmpty(t, command.Short, command.CommandPath())
		require.NotEmpty(t, command.Example, command.CommandPath())
		require.Contains(t, command.Example, "signalbox", command.CommandPath())
		for line := range strings.Lines(command.Example) {
			line, _, _ = strings.Cut(line, " | ")
			_, line, found := strings.Cut(line, "signalbox ")
			if !found {
				continue
			}
			words := strings.Fields(strings.NewReplacer(`"`, "", "'", "").Replace(strings.Split(strings.Split(strings.Split(line, " > ")[0], " && ")[0], " # ")[0]))
			target, _, err := command.Root().Find(words)
			require.NoError(t, err, line)
			for _, word := range words {
				if flag, ok := strings.CutPrefix(strings.Split(word, "=")[0], "--"); ok {
					require.True(t, target.Flags().Lookup(flag) != nil || target.InheritedFlags().Lookup(flag) != nil, "%s: --%s", line, flag)
				}
			}
		}
		for _, under := range command.Commands() {
			walk(under)
		}
	}
	walk(c.root())
	s := shell{T: t}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		require.Contains(t, s.ok("completion", shell), "signalbox")
	}
	s.fails(exitUsage, "completion", "tcsh")
	for _, word := range []string{"version", "help"} {
		require.Equal(t, s.ok("--"+word), s.ok("-"+word), "as the other programs take it")
	}
	require.Contains(t, s.ok("help"), "Exit codes")
}
