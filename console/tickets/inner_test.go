package tickets

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

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
	css, err := os.ReadFile("../assets/console.css")
	require.NoError(t, err)
	coloured := regexp.MustCompile(`\.event:is\(([^)]*)\)`).FindAllSubmatch(css, -1)
	require.NotEmpty(t, coloured)
	for _, line := range coloured {
		for name := range strings.SplitSeq(string(line[1]), ",") {
			word := strings.TrimPrefix(strings.TrimSpace(name), ".is-")
			if !ticket.Type(word).Known() && !slices.Contains(notice.AlertKinds, notice.AlertKind(word)) {
				t.Errorf("../assets/console.css colours %q, which is neither an event nor an alert", word)
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
