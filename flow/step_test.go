package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// nothing checks that an input does nothing and is not refused.
func (pl *player) nothing(in Input) {
	out, err := sound(pl.t, pl.p, pl.pos, pl.env, in)
	require.NoError(pl.t, err)
	require.Empty(pl.t, out)
}

func TestATimerThatIsEarlyLateOrDoubledDoesNothing(t *testing.T) {
	pl := play(t, `
- {id: c, name: C, type: task, action: confirm, processors: {persons: [ann]}, deadline: [{after: 1h, do: remind}, {after: 2h, do: reject}], reject: {then: back, to: w}, next: done}
- {id: w, name: W, type: wait, for: 3h, next: c}`+end)
	pl.lines(`start => c[ann]`)
	first := Due(pl.pos)[0]
	require.Equal(t, Timer{Node: "c", Round: 1, Stage: 0, Kind: TimerDeadline, At: pl.env.Now.Add(time.Hour)}, first)
	pl.nothing(Fired{Node: "c", Round: 1, Stage: 0}) // early
	pl.nothing(Fired{Node: "w", Round: 1, Stage: 0}) // never entered
	pl.nothing(Fired{Node: "x", Round: 1, Stage: 0}) // no such node

	pl.lines(`due => c[ann]`)
	pl.nothing(Fired{Node: "c", Round: 1, Stage: 0}) // doubled
	pl.env.Now = pl.env.Now.Add(2 * time.Hour)
	pl.nothing(Fired{Node: "c", Round: 1, Stage: 0}) // the next stage is due, but this is not it
	pl.nothing(Fired{Node: "c", Round: 2, Stage: 1}) // nor is this round
	pl.lines(`suspend => c[ann]`)
	pl.nothing(Fired{Node: "c", Round: 1, Stage: 1})
	require.Empty(t, Due(pl.pos))
	pl.lines(`
		resume => c[ann]
		late   => w:waiting`)
	pl.nothing(Fired{Node: "c", Round: 1, Stage: 1}) // the node has been left
	pl.lines(`due => c[ann]`)
	pl.nothing(Fired{Node: "w", Round: 1, Stage: 0})
	require.Equal(t, 2, Due(pl.pos)[0].Round)
	require.Equal(t, "c deadline 1", Due(pl.pos)[0].String())
}

func TestTimersComeEarliestFirst(t *testing.T) {
	pl := play(t, `
- {id: p, name: P, type: parallel, branches: [{name: a, next: a}, {name: b, next: b}, {name: c, next: c}], join: j}
- {id: c, name: C, type: wait, for: 2h, next: j}
- {id: b, name: B, type: wait, for: 2h, next: j}
- {id: a, name: A, type: wait, for: 3h, next: j}
- {id: j, name: J, type: join, next: done}`+end)
	pl.step(Start{})
	var order []string
	for _, timer := range Due(pl.pos) {
		order = append(order, timer.String())
	}
	require.Equal(t, []string{"b wait", "c wait", "a wait"}, order)
}

func TestAnAnswerThatIsLateOrDoubledDoesNothing(t *testing.T) {
	pl := play(t, `
- {id: c, name: C, type: call, call: {url: 'https://h/x'}, processors: {persons: [ops]}, next: t}
- {id: t, name: T, type: task, action: confirm, processors: {anyone: true}, reject: {then: back, to: c}, next: done}`+end)
	pl.lines(`start => c:calling`)
	first := pl.p.Calls(pl.pos, pl.env)[0]
	ok := Called{Node: "c", Round: first.Round, Try: first.Try, Status: 204}
	pl.lines(`
		called 500   => c:failed[ops]
		retry by ops => c:calling`)
	pl.nothing(ok)                                               // to the first try
	pl.nothing(Called{Node: "x", Round: 1, Try: 1, Status: 200}) // to nobody
	ok.Try = 2
	pl.lines(`called ok => t[anyone]`)
	pl.nothing(ok)
	pl.lines(`confirm no => c:calling`)
	pl.nothing(Called{Node: "c", Round: 1, Try: 1, Status: 200})
	require.Equal(t, 2, pl.p.Calls(pl.pos, pl.env)[0].Round)
}

func TestAnAnswerToASuspendedTicketIsKeptUntilItIsResumed(t *testing.T) {
	for status, then := range map[int]string{200: "t[anyone]", 500: "c:failed[ops]"} {
		pl := play(t, `
- {id: c, name: C, type: call, call: {url: 'https://h/x', answer: {got: body.x}}, fields: [{key: got, type: STRING}], processors: {persons: [ops]}, next: t}
- {id: t, name: T, type: task, processors: {anyone: true}, next: done}`+end)
		pl.lines(`start => c:calling
			suspend => c:calling`)
		answer := Called{Node: "c", Round: 1, Try: 1, Status: status, Body: `{"x":"y"}`}
		require.Equal(t, "c:calling", pl.step(answer))
		pl.nothing(answer)
		require.Empty(t, pl.p.Calls(pl.pos, pl.env))
		if status == 200 {
			require.Equal(t, "y", pl.env.Fields["got"])
		}
		pl.lines(`resume => ` + then)
	}
}

func TestApproveResultCountsEveryApprovalThatWasEntered(t *testing.T) {
	yes, no := true, false
	approval := func(result *bool) NodeState { return NodeState{Node: "a", Type: Approval, Result: result} }
	require.True(t, ApproveResult(Position{}))
	require.True(t, ApproveResult(Position{Nodes: []NodeState{{Node: "t", Type: Task, Result: &no}}}))
	require.True(t, ApproveResult(Position{Nodes: []NodeState{approval(&yes), approval(&yes)}}))
	require.False(t, ApproveResult(Position{Nodes: []NodeState{approval(&yes), approval(&no)}}))
	require.False(t, ApproveResult(Position{Nodes: []NodeState{approval(&yes), approval(nil)}}), "undecided is not passed")
	before := approval(&no)
	before.Earlier = true
	require.True(t, ApproveResult(Position{Nodes: []NodeState{approval(&yes), before}}), "of the way before a reopening")
}

func TestAStepRefusesAPositionOfAnotherProcess(t *testing.T) {
	pl := play(t, `- {id: t, name: T, type: task, processors: {anyone: true}, next: done}`+end)
	pl.step(Start{})
	other := process(t, `- {id: u, name: U, type: task, processors: {anyone: true}, next: done}`+end)
	_, err := other.Step(pl.pos, pl.env, Act{Action: Submit})
	require.ErrorContains(t, err, "does not belong to this process")
	// Nor does it take one in which a join waits for what its parallel does not have.
	forked := play(t, `
- {id: p, name: P, type: parallel, branches: [{name: l, next: t}, {name: r, next: j}], join: j}
- {id: t, name: T, type: task, processors: {anyone: true}, next: j}
- {id: j, name: J, type: join, next: done}`+end)
	forked.step(Start{})
	join, _ := forked.pos.Find("j")
	require.Equal(t, []string{"r"}, join.Met)
	join.Met = []string{"r", "x"}
	_, err = forked.p.Step(Apply(forked.pos, []NodeState{join}), forked.env, Act{Action: Submit})
	require.ErrorContains(t, err, "waits for branches that it does not have")
	// But it can always be put away.
	out, err := other.Step(pl.pos, pl.env, Stop{})
	require.NoError(t, err)
	require.False(t, Apply(pl.pos, out.States).Running())
	_, err = other.Step(pl.pos, pl.env, nil)
	require.ErrorContains(t, err, "no input")
}
