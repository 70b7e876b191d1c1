package flow

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// scenario is one process and one story of it, in the words of player.
type scenario struct{ name, source, script string }

func scenarios() []scenario {
	return slices.Concat(taskScenarios, voteScenarios, timeScenarios, pathScenarios, callScenarios)
}

// TestScenarios plays every story, and then sees to it that every word of the schema had its part: a word added to the vocabulary fails
// here until a story exercises it.
func TestScenarios(t *testing.T) {
	used := map[string]bool{}
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			pl := play(t, s.source)
			pl.lines(s.script)
			for word := range pl.used {
				used[word] = true
			}
		})
	}
	if t.Failed() {
		return
	}
	for _, enum := range sortedKeys(Vocabulary) {
		for _, word := range Vocabulary[enum] {
			require.True(t, used[enum+"="+word], "no story exercises the %s %q", enum, word)
		}
	}
}
