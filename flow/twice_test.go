package flow

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const levels = `
- {id: one, name: Lead, type: approval, processors: {persons: [ann, bob]}, reject: {then: back, to: one}, next: two}
- {id: two, name: Board, type: approval, processors: {persons: [ann, joe]}, next: work}
- {id: work, name: Work, type: task, processors: {persons: [ann]}, next: more}
- {id: more, name: More, type: task, processors: {persons: [ann]}, next: done}` + end

// A click that came twice was meant once: it neither approves the next level nor counts in the next round of a loop.
func TestASecondClickIsNoSecondStep(t *testing.T) {
	pl := play(t, levels)
	pl.env.Rules = RulesNow
	pl.lines(`
	start                 => one[ann bob]
	approve by ann        => two[ann joe]
	approve by ann        => refused conflict node: "Board" was come to by the same approve of ann; name it as the node
	approve by joe        => work[ann]
	submit by ann         => more[ann]
	submit by ann         => refused conflict "More" was come to by the same submit of ann
	submit @more by ann   => completed approved`)

	pl = play(t, levels)
	pl.env.Rules = RulesNow
	pl.lines(`
	start                 => one[ann bob]
	approve by ann        => two[ann joe]
	approve @two by ann   => work[ann]`)

	pl = play(t, levels)
	pl.env.Rules = RulesNow
	pl.lines(`
	start                 => one[ann bob]
	reject by ann         => one[ann bob]
	reject by ann         => refused conflict "Lead" was come to by the same reject of ann
	reject @one #1 by ann => refused conflict round: "Lead" is already rejected by ann in round 1, and the ticket has come to it again: it is in round 2
	reject @one #2 by ann => one[ann bob]
	reject @one #2 by bob => refused conflict already rejected by ann in round 2
	approve @one #1 by bob => refused conflict round: round 1 of "Lead" is over: it is in round 3
	approve @one #4 by bob => refused conflict round: "Lead" has not come to round 4: it is in round 3
	approve #3 by bob     => refused invalid round: is a round of a node
	approve by ann        => two[ann joe]
	approve @one #3 by bob => refused conflict node: "Lead" is already approved by ann`)
}

// What a ticket of the first rules took it takes still.
func TestASecondClickCountsByTheFirstRules(t *testing.T) {
	pl := play(t, levels)
	pl.env.Rules = RulesFirst
	pl.lines(`
	start          => one[ann bob]
	reject by ann  => one[ann bob]
	approve by ann => two[ann joe]
	approve by ann => work[ann]
	submit by ann  => more[ann]
	submit by ann  => completed approved`)
}

// Whatever the process, and whatever was done before: what a person has just done without naming a node, they do not do a second time by doing it
// again, unless they had to do it twice at the same node anyway.
func TestNothingIsDoneByASecondClick(t *testing.T) {
	twice := 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.env.Rules = RulesNow
		require.True(t, w.do(Start{}))
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			w.something(t)
		}
		for _, at := range w.p.Waiting(w.pos) {
			for _, action := range at.Actions {
				for _, who := range at.Pending {
					click := Act{Action: action, Actor: who, Pass: true, Comment: "c", Targets: []string{"zoe"}}
					out, err := w.p.Step(w.pos, w.env, click)
					if err != nil {
						continue
					}
					twice++
					again, err := w.p.Step(Apply(w.pos, out.States), w.env, click)
					if err != nil {
						continue
					}
					for _, s := range again.States {
						before, _ := Apply(w.pos, out.States).Find(s.Node)
						was, _ := w.pos.Find(s.Node)
						require.False(t, before.State.Open() && !s.State.Open() && before.Round > was.Round && before.Entered.Equal(w.env.Now),
							"the second click of %s (%s) closed %s, which the first had opened", who, action, s.Node)
					}
				}
			}
		}
	})
	require.Positive(t, twice)
}
