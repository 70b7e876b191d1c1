package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const oldShape = `
- {id: p, name: P, type: parallel, branches: [{name: l, next: v}, {name: r, next: t}], join: j}
- {id: v, name: V, type: approval, rule: all, processors: {persons: [ann, bob]}, deadline: [{after: 1h, do: remind}], next: j}
- {id: t, name: T, type: task, processors: {persons: [joe]}, next: j}
- {id: j, name: J, type: join, next: done}
` + end

func TestATicketIsMovedToANewVersion(t *testing.T) {
	pl := play(t, oldShape)
	pl.lines(`
		start          => j:waiting() v[ann bob] t[joe]
		approve by ann => j:waiting() v[bob] t[joe]
		submit by joe  => j:waiting(r) v[bob]`)
	target := process(t, `
- {id: q, name: Q, type: parallel, branches: [{name: l, next: vote}, {name: r, next: t}], join: k}
- {id: vote, name: Vote, type: approval, rule: all, processors: {persons: [sue]}, deadline: [{after: 4h, do: remind}, {after: 5h, do: approve}], next: k}
- {id: t, name: T, type: task, processors: {persons: [joe]}, next: k}
- {id: k, name: K, type: join, next: last}
- {id: last, name: Last, type: task, processors: {persons: [sue]}, deadline: [{after: 1h, do: remind}], next: done}`+end)
	moved, reasons := Migrate(pl.p, target, pl.pos, map[string]string{"v": "vote", "j": "k"}, RulesNow, RulesNow, pl.env.Now)
	require.Empty(t, reasons)
	pl.p, pl.pos = target, moved
	pl.lines(`
		due            => k:waiting(r) vote[bob]
		says           => reminded(vote >bob)
		due            => last[sue]`)
	require.Equal(t, time.Hour, Due(pl.pos)[0].At.Sub(pl.env.Now))
	pl.lines(`submit by sue => completed approved`)
}

func TestATicketThatDoesNotFitIsNotMoved(t *testing.T) {
	pl := play(t, oldShape)
	pl.lines(`
		start         => j:waiting() v[ann bob] t[joe]
		submit by joe => j:waiting(r) v[ann bob]`)
	for source, want := range map[string][]Reason{
		`- {id: w, name: W, type: task, processors: {anyone: true}, next: done}` + end: {
			{"j", `it is open, but there is no node "j" to go on with`},
			{"v", `it is open, but there is no node "v" to go on with`}},
		`- {id: v, name: V, type: task, processors: {anyone: true}, next: j}
- {id: j, name: J, type: approval, processors: {anyone: true}, next: done}` + end: {
			{"j", `it is open and a join, but "j" is an approval`},
			{"v", `it is open and an approval, but "v" is a task`}},
		`- {id: p, name: P, type: parallel, branches: [{name: l, next: v}, {name: x, next: t}], join: j}
- {id: v, name: V, type: approval, processors: {anyone: true}, next: j}
- {id: t, name: T, type: task, processors: {anyone: true}, next: j}
- {id: j, name: J, type: join, next: done}` + end: {
			{"j", `the branch "r" has arrived, but "p" has no such branch`}},
		`- {id: v, name: V, type: approval, processors: {anyone: true}, next: p}
- {id: p, name: P, type: parallel, branches: [{name: l, next: u}, {name: r, next: t}], join: j}
- {id: u, name: U, type: task, processors: {anyone: true}, next: j}
- {id: t, name: T, type: task, processors: {anyone: true}, next: j}
- {id: j, name: J, type: join, next: done}` + end: {
			{"", `the branches that are running do not fit: two tokens are outside of all parallels`}},
	} {
		moved, reasons := Migrate(pl.p, process(t, source), pl.pos, nil, RulesNow, RulesNow, pl.env.Now)
		require.Equal(t, want, reasons)
		require.Empty(t, moved)
	}
	_, reasons := Migrate(pl.p, pl.p, pl.pos, map[string]string{"x": "v", "v": "y"}, RulesNow, RulesNow, pl.env.Now)
	require.Equal(t, []Reason{{"v", `its target "y" is no node of version 0`}, {"x", "there is no such node in version 0"}}, reasons)
	_, reasons = Migrate(pl.p, pl.p, pl.pos, map[string]string{"t": "v"}, RulesNow, RulesNow, pl.env.Now)
	require.Equal(t, []Reason{{"t", `another node goes to "v" already`}}, reasons)
}

func TestNumbersStayTheSameForEver(t *testing.T) {
	last := int64(FirstNumber - 1)
	next := func() int64 { last++; return last }
	def := func(ids ...string) Definition {
		d := Definition{Key: "k", Number: 7}
		for _, id := range ids {
			d.Nodes = append(d.Nodes, Node{ID: id, Number: 5})
		}
		return d
	}
	one := AssignNumbers(def("a", "b"), nil, next)
	require.Equal(t, []int64{1000, 1001, 1002}, []int64{one.Number, one.Nodes[0].Number, one.Nodes[1].Number})
	two := AssignNumbers(def("b", "c"), []Definition{one}, next)
	require.Equal(t, []int64{1000, 1002, 1003}, []int64{two.Number, two.Nodes[0].Number, two.Nodes[1].Number})
	three := AssignNumbers(def("a", "c"), []Definition{one, two}, next)
	require.Equal(t, []int64{1000, 1001, 1003}, []int64{three.Number, three.Nodes[0].Number, three.Nodes[1].Number}, "a was away in version two")
}
