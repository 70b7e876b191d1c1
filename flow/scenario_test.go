package flow

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// scenario is one process and one story of it, in the words of player.
type scenario struct{ name, source, script string }

func scenarios() []scenario {
	return slices.Concat(taskScenarios, voteScenarios, timeScenarios, workingScenarios, pathScenarios, callScenarios, memberScenarios, peopleScenarios, outsideScenarios, standingScenarios)
}

// labels are members that nothing in a process follows from: they name things for people, or are given by the publisher.
var labels = []string{"definition.key", "definition.name", "definition.number", "definition.version", "definition.description", "definition.service_type",
	"definition.calendars", "node.id", "node.number", "field.name", "choice.name"}

// TestScenarios plays every story, and then sees to it that every word and every member of the schema has a story that shows what it does:
// one whose process, with that word or member taken out or changed, no longer comes to the same. What is added to the schema fails here
// until a story exercises it.
func TestScenarios(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) { play(t, s.source).lines(s.script) })
	}
	if t.Failed() {
		return
	}
	want, shown := schema(), map[string]bool{}
	for _, s := range scenarios() {
		def := process(t, s.source).Definition()
		original := trace(def, s.script)
		wanted := func(word string) bool { return want[word] && !shown[word] }
		mutants(def, wanted, func(m mutant) {
			shown[m.shows] = trace(m.def, s.script) != original
		})
	}
	require.Empty(t, missing(want, shown), "no story shows what these do")
}

// The check itself: a word that changes nothing in any story is named.
func TestScenariosNameWhatIsMissing(t *testing.T) {
	source := "\n- {id: t, name: T, type: task, processors: {anyone: true}, terminable: true, next: done}" + end
	script := "start => t[anyone]\nsubmit => completed approved"
	def := process(t, source).Definition()
	shown := map[string]bool{}
	original := trace(def, script)
	mutants(def, func(word string) bool { return word != "" && !shown[word] }, func(m mutant) {
		shown[m.shows] = trace(m.def, script) != original
	})
	require.True(t, shown["node.processors"])
	require.True(t, shown["type=task"])
	require.False(t, shown["rule=all"])
	require.Subset(t, missing(schema(), shown), []string{"node.veto", "rule=all", "request.success", "tries.attempts"})
}

// missing lists what is wanted and not shown, in order.
func missing(want, shown map[string]bool) (out []string) {
	for _, word := range sortedKeys(want) {
		if !shown[word] {
			out = append(out, word)
		}
	}
	return out
}

// trace is everything that a story comes to, line by line, whatever its lines expect. It ends where the script no longer fits the process.
func trace(def Definition, script string) (out string) {
	p, err := Compile(def)
	if err != nil {
		panic(err) // mutants compile
	}
	defer func() {
		if stop := recover(); stop == stopped {
			out += "stopped"
		} else if stop != nil {
			panic(stop)
		}
	}()
	pl := player{t: stopping{}, p: p, env: newEnv()}
	for _, line := range inputs(script) {
		got := pl.do(line)
		waiting := p.Waiting(pl.pos)
		for i := range waiting {
			waiting[i].Fields = nil // what a form is shown as, and not what it does
		}
		raw, err := json.Marshal([]any{line, got, pl.last, waiting, Due(pl.pos), p.Calls(pl.pos, pl.env), pl.env.Fields, pl.env.Assignee, pl.status, pl.ended})
		if err != nil {
			panic(err)
		}
		out += string(raw) + "\n"
	}
	return out
}

// stopping ends a story at the first line that cannot be played.
type stopping struct{}

const stopped = "the script does not fit"

func (stopping) Errorf(string, ...any) {}
func (stopping) FailNow()              { panic(stopped) }
