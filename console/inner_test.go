package console

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

func called(id string) string { return id }

func TestEveryEventAlertAndLogEntryIsNamed(t *testing.T) {
	for _, kind := range ticket.Types {
		if title := eventOf(ticket.Event{Type: kind}, called).Title; title == "" || title == string(kind) {
			t.Errorf("the pages have no title for the event %q", kind)
		}
	}
	for _, kind := range notice.AlertKinds {
		if title := entryOf(notice.Entry{Alert: &notice.Alert{Kind: kind}}, called).Title; title == "" || title == string(kind) {
			t.Errorf("the pages have no title for the alert %q", kind)
		}
	}
	for _, kind := range flow.Kinds {
		if steps[kind] == "" {
			t.Errorf("the pages have no words for the happening %q", kind)
		}
	}
	require.Equal(t, "Call given up", eventOf(ticket.Event{Type: ticket.Called, ProcessLog: []flow.LogEntry{{Kind: flow.CallFailed}}}, called).Title)
	require.Equal(t, "invented", eventOf(ticket.Event{Type: "invented"}, called).Title, "a newer build's event is shown under its own word")
	require.Equal(t, "backdoor", eventOf(ticket.Event{Channel: "backdoor"}, called).Channel)
	steps := stepsOf(ticket.Event{ProcessLog: []flow.LogEntry{{Kind: "invented", Node: "n"}}}, called)
	require.Equal(t, []stepView{{Node: "n", Text: "invented"}}, steps)
}

// What is coloured by its type is an entry that there is; the others are plain.
func TestStylesNameEntries(t *testing.T) {
	css, err := os.ReadFile("assets/console.css")
	require.NoError(t, err)
	coloured := regexp.MustCompile(`\.event:is\(([^)]*)\)`).FindAllSubmatch(css, -1)
	require.NotEmpty(t, coloured)
	for _, line := range coloured {
		for name := range strings.SplitSeq(string(line[1]), ",") {
			word := strings.TrimPrefix(strings.TrimSpace(name), ".is-")
			if !ticket.Type(word).Known() && !slices.Contains(notice.AlertKinds, notice.AlertKind(word)) {
				t.Errorf("assets/console.css colours %q, which is neither an event nor an alert", word)
			}
		}
	}
}

// A member of a change that the pages have no form for is shown as it stands.
func TestNothingOfAnEventIsHidden(t *testing.T) {
	all := shownMembers
	t.Cleanup(func() { shownMembers = all })
	shownMembers = slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == "verdict" || name == "message" })
	v := eventOf(ticket.Event{Before: ticket.Change{Message: &ticket.Message{ID: "m"}}, After: ticket.Change{Verdict: &ticket.Verdict{Passed: true}}}, called)
	require.Len(t, v.Moves, 2)
	require.Equal(t, "message", v.Moves[0].Label)
	require.Contains(t, v.Moves[0].From, `"id": "m"`)
	require.Empty(t, v.Moves[0].To)
	require.Contains(t, v.Moves[1].To, `"virtual_confirm_result": true`)
}

func TestText(t *testing.T) {
	require.Equal(t, "a\nb\t中文 é 🚂", text("a\nb\t中文 é 🚂"))
	require.Equal(t, "[U+202A][U+202E][U+2066][U+2069]", text("\u202a\u202e\u2066\u2069"))
	require.Equal(t, "␀␛␡\uFFFD\uFFFD", text("\x00\x1b\x7f\u0085\xff"))
	require.Equal(t, "short", fold("short").Whole)
	require.Empty(t, fold("short").Start)
	long := fold(strings.Repeat("字", 901))
	require.Equal(t, 240, len([]rune(long.Start)))
	require.Equal(t, 901, long.Size)
	require.Equal(t, "first", fold("first\n"+strings.Repeat("x\n", 20)).Start)
	require.Equal(t, "0 ms", took(-time.Second))
	require.Equal(t, "1m30.1s", took(90*time.Second+140*time.Millisecond))
	require.Equal(t, "\uFFFDab", opening([]byte("\xff\xfeab")))
}

func TestThrottleKeepsLittle(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h := newThrottle(func() time.Time { return now })
	for i := range 100_000 {
		h.take(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), "shop")
	}
	require.LessOrEqual(t, h.failed.Len(), 2*(attemptsKept+1))

	h = newThrottle(func() time.Time { return now })
	let := 0
	for i := range 200 {
		if _, ok := h.take("192.0.2.1", fmt.Sprintf("app-%d", i)); ok {
			let++
		}
	}
	require.Equal(t, attemptsAddress, let, "an address that tries many apps")
	h = newThrottle(func() time.Time { return now })
	let = 0
	for i := range 200 {
		if _, ok := h.take(fmt.Sprintf("2001:db8::%x", i), "shop"); ok {
			let++
		}
	}
	require.Equal(t, attemptsPair, let, "one customer's network is one address")
	_, ok := h.take("2001:db8:0:1::1", "shop")
	require.True(t, ok)
}

// TestEarlierCookiesAreReadOn reads a cookie of an earlier version: nobody is signed out by an upgrade.
func TestEarlierCookiesAreReadOn(t *testing.T) {
	c, err := newCookies([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	const earlier = "9bWDZmZIhsxvMuJGvHUjlKqhZw5ZULmom9Tes7cEVeK3os84db-E8jy-ei8r4sFhIEMA-vjFeDrxpej0OTS7-__eJulqQFOSj4nYz59E8vamG686FS4Brg"
	want := session{App: "demo", Operator: "ann", CSRF: "form", Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	got, ok := c.read(earlier, want.Expires.Add(-time.Second))
	require.True(t, ok)
	require.Equal(t, want, got)
	_, ok = c.read(earlier, want.Expires)
	require.False(t, ok)
}
