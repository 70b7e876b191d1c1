package tickets

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"signalbox/console/locales"
	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

func called(id string) string { return id }

func keyed(key string) flow.Field { return flow.Field{Key: key} }

// words is a language in which everything is called by its key, but for what is in it.
type words map[string]bool

func (w words) Reason(sentence string) string { return sentence }

func (w words) Why(sentence string) string { return sentence }

func (w words) T(key string, _ ...any) string { return key }

func (w words) Word(kind string, word any) string {
	if key := kind + "." + fmt.Sprint(word); w[key] {
		return key
	}
	return fmt.Sprint(word)
}

// keys gives the keys of a language.
func keys(t *testing.T, lang string) words {
	out := words{}
	files, err := locales.Files.ReadDir(lang)
	require.NoError(t, err)
	var add func(prefix string, table map[string]any)
	add = func(prefix string, table map[string]any) {
		for key, value := range table {
			if more, ok := value.(map[string]any); ok {
				add(prefix+key+".", more)
			} else {
				out[prefix+key] = true
			}
		}
	}
	for _, f := range files {
		var table map[string]any
		_, err := toml.DecodeFS(locales.Files, lang+"/"+f.Name(), &table)
		require.NoError(t, err)
		add("", table)
	}
	return out
}

func TestEverythingOfATicketIsNamedInEveryLanguage(t *testing.T) {
	for _, lang := range page.Languages {
		has := keys(t, lang)
		named := func(kind string, word any) {
			t.Helper()
			require.True(t, has[kind+"."+fmt.Sprint(word)], "locales/%s calls the %s %q nothing", lang, kind, word)
		}
		for _, kind := range ticket.Types {
			named("event", kind)
		}
		for _, kind := range notice.AlertKinds {
			named("alert", kind)
		}
		for _, kind := range flow.Kinds {
			named("step", kind)
		}
		for _, c := range ticket.Channels() {
			named("channel", c)
		}
		for _, action := range append(slices.Clone(ticket.HandleActions), ticket.Close, ticket.Reopen) {
			named("action", action)
		}
		for _, kind := range flow.Vocabulary["type"] {
			named("node_kind", kind)
		}
		for _, state := range []flow.State{flow.Active, flow.Claiming, flow.Assigning, flow.Calling, flow.Failed, flow.Waiting} {
			named("node_state", state)
		}
		for _, state := range []string{nodeCurrent, nodeFailed, nodeDone, nodeSkipped, nodeCancelled, "passed", "rejected"} {
			named("node_is", state)
		}
		for _, state := range deliveryStates {
			named("delivery_is", state)
		}
		for _, place := range flow.Places {
			named("place", place)
		}
		for _, show := range shows[1:] {
			named("show", show)
		}
		require.Equal(t, "event.called.call_failed", titleOf(has, ticket.Event{Type: ticket.Called, ProcessLog: []flow.LogEntry{{Kind: flow.CallFailed}}}))
		require.Equal(t, "event.elapsed.reminded", titleOf(has, ticket.Event{Type: ticket.Elapsed, ProcessLog: []flow.LogEntry{{Kind: flow.Reminded}}}))
		require.Equal(t, "event.called", titleOf(has, ticket.Event{Type: ticket.Called, ProcessLog: []flow.LogEntry{{Kind: flow.CallDone}}}))
	}
	require.Equal(t, "invented", eventOf(words{}, ticket.Event{Type: "invented"}, called, keyed).Title, "a newer build's event is shown under its own word")
	require.Equal(t, "backdoor", eventOf(words{}, ticket.Event{Channel: "backdoor"}, called, keyed).Channel)
	steps := stepsOf(words{}, ticket.Event{ProcessLog: []flow.LogEntry{{Kind: "invented", Node: "n"}}}, called)
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
	v := eventOf(words{}, ticket.Event{Before: ticket.Change{Message: &ticket.Message{ID: "m"}}, After: ticket.Change{Verdict: &ticket.Verdict{Passed: true}}}, called, keyed)
	require.Len(t, v.Moves, 2)
	require.Equal(t, "message", v.Moves[0].Label)
	require.Contains(t, v.Moves[0].From, `"id": "m"`)
	require.Empty(t, v.Moves[0].To)
	require.Contains(t, v.Moves[1].To, `"virtual_confirm_result": true`)
}
