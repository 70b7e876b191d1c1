package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// world is a ticket in a process at random, on which random things happen.
type world struct {
	t     *rapid.T
	p     *Process
	pos   Position
	env   Env
	calls []PendingCall // every request that was ever pending
	fired []Timer       // every timer that ever ran
	steps int

	left  map[clockOf]time.Duration // of what every clock that runs waits for, as of then
	then  time.Time
	stood bool           // the ticket was suspended then
	tried map[string]int // how often each promise was held against something; it may be nil
}

// clockOf is one timer of a node.
type clockOf struct {
	node         string
	round, stage int
}

func newWorld(t *rapid.T) *world { return newWorldOf(t, grow(t)) }

func newWorldOf(t *rapid.T, def Definition) *world {
	faults := Check(def)
	require.Empty(t, faults, "a definition without faults: %s", faults.Error())
	p, err := Compile(def)
	require.NoError(t, err)
	w := &world{t: t, p: p, env: Env{Rules: RulesNow, Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Opener: "olga",
		Fields: map[string]any{"n": float64(rapid.IntRange(0, 9).Draw(t, "n")), "when": "2026-03-02 11:00:00"}}}
	if rapid.Bool().Draw(t, "members") {
		w.env.Fields["m"] = "ann,joe"
	}
	if rapid.Bool().Draw(t, "named") {
		w.env.Named = map[string][]string{}
		for _, n := range def.Nodes {
			w.env.Named[n.ID] = []string{"joe", "bob"}
		}
	}
	return w
}

// do makes a step, holds it against what is true of every step, and keeps it. It tells whether it was taken.
func (w *world) do(in Input) bool {
	w.steps++
	out, err := informed(w.t, w.p, w.pos, w.env, in, w.look)
	if err != nil {
		return false
	}
	w.pos = Apply(w.pos, out.States)
	maps.Copy(w.env.Fields, out.Fields)
	if out.Assignee != nil {
		w.env.Assignee = *out.Assignee
	}
	require.Equal(w.t, out.Ending != nil, ended(in, out), "an ending that nobody told of")
	w.calls = append(w.calls, w.p.Calls(w.pos, w.env)...)
	w.fired = append(w.fired, Due(w.pos)...)
	w.moves()
	w.judged()
	w.clocks()
	for _, h := range out.ProcessLog {
		w.held(h.Kind)
	}
	return true
}

func (w *world) held(promise string) {
	if w.tried != nil {
		w.tried[promise]++
	}
}

// judged sees to it that every approval that is open was judged by those who are asked now, whatever changed who that is, and that nobody is asked who may not vote.
func (w *world) judged() {
	r := &run{p: w.p, pos: w.pos, env: w.env}
	for _, s := range w.pos.Nodes {
		if s.Type != Approval || !s.State.Open() || s.seeking() || s.Paused != nil {
			continue
		}
		n := w.p.nodes[s.Node]
		over, _ := n.verdict(s, afterChange)
		require.False(w.t, over, "its votes have decided, and it is open: %+v", s)
		w.held("judged")
		if len(s.Votes) > 0 {
			w.held("judged with votes")
		}
		if len(s.Turns) > 0 {
			w.held("in turn")
		}
		if bars := r.bars(n); bars != nil {
			w.held("barred")
			for _, who := range s.silent(s.Roster) {
				require.Empty(w.t, bars(who), "%+v", s)
			}
		}
	}
}

// clocks sees to it that of every timer as much time is left as there was before, less what has passed of it: never more, and never less than none.
func (w *world) clocks() {
	left, suspended := map[clockOf]time.Duration{}, w.pos.Paused()
	for _, s := range w.pos.Nodes {
		n := w.p.nodes[s.Node]
		if s.State == Calling && s.seeking() {
			w.held("seeking")
		}
		if !s.State.Open() || s.Due == nil || n.Until != "" {
			continue
		}
		at, after := w.env.Now, n.after(s)
		if s.Paused != nil {
			at = *s.Paused
		}
		was, now := clockOf{s.Node, s.Round, s.Stage}, s.Due.Sub(at)
		if after.by != nil {
			now = after.by.Between(at, *s.Due)
		}
		left[was] = max(0, now)
		before, known := w.left[was]
		if !known {
			require.LessOrEqual(w.t, left[was], after.d, "more is left than there is: %+v", s)
			continue
		}
		passed := time.Duration(0)
		switch {
		case w.stood:
		case after.by != nil:
			passed = after.by.Between(w.then, w.env.Now)
			w.held("working time")
		default:
			passed = w.env.Now.Sub(w.then)
		}
		require.Equal(w.t, max(0, before-passed), left[was], "%s after %s: %+v", after.by, w.env.Now.Sub(w.then), s)
	}
	w.left, w.then, w.stood = left, w.env.Now, suspended
}

// answer is what a called system says, to whatever it is asked: sometimes nobody, and sometimes nonsense.
func (w *world) answer() string {
	who := []string{`["ann","joe"]`, `"olga, bob"`, `[]`, `{}`, `["ann","gus","olga"]`}[w.steps%5]
	return fmt.Sprintf(`{"n":%d,"who":%s}`, w.steps%10, who)
}

// look says that some groups have members, and some people a manager.
func (w *world) look(need *Need) Facts {
	found := Facts{Groups: map[string]Group{}, Managers: map[string]string{}}
	for i, id := range need.Groups {
		found.Groups[id] = []Group{{Members: []string{"ann", "joe", "gus"}}, {}, {Unknown: true}}[(w.steps+i)%3]
	}
	for i, of := range need.Managers {
		found.Managers[of] = []string{"boss", "ann", ""}[(w.steps+i)%3]
	}
	return found
}

func ended(in Input, out Outcome) bool {
	for _, h := range out.ProcessLog {
		if h.Kind == Finished {
			return true
		}
	}
	return false
}

// moves sees to it that a running ticket waits for something that can come: a person, a timer, a call, or an admin who is told.
func (w *world) moves() {
	if !w.pos.Running() || w.pos.Paused() {
		return
	}
	if len(Due(w.pos)) > 0 || len(w.p.Calls(w.pos, w.env)) > 0 {
		return
	}
	for _, a := range w.p.Waiting(w.pos) {
		if a.Problem != "" || len(a.Actions) > 0 && (a.Anyone || len(a.Pending) > 0) {
			return
		}
	}
	w.t.Fatalf("nothing can go on: %+v", w.p.Waiting(w.pos))
}

// evenly draws one of n, each as likely as the others; rapid itself likes small numbers best. It shrinks to the first.
func evenly(t *rapid.T, label string, n int) int {
	return int(uint32(rapid.Uint16().Draw(t, label))*2_654_435_761>>8) % n
}

// something lets anything happen: mostly what can, sometimes nonsense.
func (w *world) something(t *rapid.T) {
	who := rapid.SampledFrom(append([]string{"", "eve"}, people...)).Draw(t, "who")
	switch 22 - evenly(t, "what", 23) { // it shrinks to what is sensible
	case 11:
		w.do(anyPresence(t, w.env.Now, w.pos.Asks(), append([]string{"deb", "dan", "olga"}, people...)))
	case 12:
		if asked := w.pos.Asks(); len(asked) > 0 {
			w.do(Presence{Left: []Succession{{From: rapid.SampledFrom(asked).Draw(t, "from"), To: rapid.SampledFrom(append([]string{"", "deb"}, people...)).Draw(t, "to")}}})
		}
	case 10:
		w.migrate()
	case 0:
		w.do(Suspend{})
	case 1, 2:
		w.do(Resume{})
	case 3:
		if rapid.IntRange(0, 9).Draw(t, "stop") == 0 {
			w.do(Stop{})
			require.False(t, w.pos.Running())
		}
		w.do(Start{})
	case 4, 5:
		w.env.Now = w.env.Now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "minutes")) * time.Minute)
		if due := Due(w.pos); len(due) > 0 {
			w.do(Fired{Node: due[0].Node, Round: due[0].Round, Stage: due[0].Stage})
		}
	case 6: // late, early, or twice
		if len(w.fired) > 0 {
			f := rapid.SampledFrom(w.fired).Draw(t, "timer")
			w.do(f.Fired())
		}
	case 7, 8:
		if len(w.calls) > 0 {
			o := rapid.SampledFrom(w.calls).Draw(t, "call")
			w.do(Called{Node: o.Node, Round: o.Round, Try: o.Try, Status: rapid.SampledFrom([]int{0, 200, 500}).Draw(t, "status"), Body: w.answer()})
		}
	case 9: // nonsense
		node := rapid.SampledFrom(append([]string{"", "nowhere"}, sortedKeys(w.p.nodes)...)).Draw(t, "node")
		w.do(Act{Action: rapid.SampledFrom(append(Actions, "dance", "")).Draw(t, "action"), Node: node, Actor: who,
			Admin: rapid.Bool().Draw(t, "admin"), Pass: rapid.Bool().Draw(t, "pass"), Comment: "c", Targets: []string{"sue", ""}[:rapid.IntRange(0, 2).Draw(t, "targets")],
			Place: rapid.SampledFrom(append(Places, "", "odd")).Draw(t, "place"), To: node, Fields: map[string]any{"n": who}, OnBehalf: rapid.SampledFrom([]string{"", "", "ann"}).Draw(t, "for")})
	default:
		w.sensible(t)
	}
}

// migrate moves the ticket to a version in which every node has another id, and holds what it finds there against where it was. Timers and
// calls of before are not forgotten: from now on they come too late.
func (w *world) migrate() {
	nodes, def := map[string]string{}, w.p.def
	for _, n := range def.Nodes {
		nodes[n.ID] = n.ID + "v"
	}
	def.Version++
	def.Nodes = slices.Clone(def.Nodes)
	for i := range def.Nodes {
		n := &def.Nodes[i]
		n.ID, n.Next, n.Default, n.Join = nodes[n.ID], nodes[n.Next], nodes[n.Default], nodes[n.Join]
		n.Not = slices.Clone(n.Not)
		for j := range n.Not {
			n.Not[j] = nodes[n.Not[j]]
		}
		n.Cases, n.Branches = slices.Clone(n.Cases), slices.Clone(n.Branches)
		for j := range n.Cases {
			n.Cases[j].Next = nodes[n.Cases[j].Next]
		}
		for j := range n.Branches {
			n.Branches[j].Next = nodes[n.Branches[j].Next]
		}
		if n.Reject != nil {
			n.Reject = &Rejection{n.Reject.Then, nodes[n.Reject.To], n.Reject.Resubmit}
		}
	}
	target, err := Compile(def)
	require.NoError(w.t, err)
	_, reasons := Migrate(w.p, target, w.pos, nil, RulesNow, RulesNow, w.env.Now)
	require.Equal(w.t, w.pos.Running(), len(reasons) > 0, "open nodes have no target without a map")
	moved, reasons := Migrate(w.p, target, w.pos, nodes, RulesNow, RulesNow, w.env.Now)
	require.Empty(w.t, reasons)
	require.Empty(w.t, target.fits(moved))

	before, after := w.p.Waiting(w.pos), target.Waiting(moved)
	for i := range before {
		before[i].Node = nodes[before[i].Node]
		for j := range before[i].Back {
			before[i].Back[j] = nodes[before[i].Back[j]]
		}
	}
	require.Equal(w.t, before, after, "the same people are asked for the same, until the same time")
	timers := Due(w.pos)
	for i := range timers {
		timers[i].Node = nodes[timers[i].Node]
	}
	require.ElementsMatch(w.t, timers, Due(moved))
	require.Equal(w.t, ApproveResult(w.pos), ApproveResult(moved))
	if w.env.Named != nil { // the ticket renames those itself
		named := map[string][]string{}
		for id, who := range w.env.Named {
			named[nodes[id]] = who
		}
		w.env.Named = named
	}
	left := map[clockOf]time.Duration{}
	for clock, d := range w.left {
		left[clockOf{nodes[clock.node], clock.round, clock.stage}] = d
	}
	w.p, w.pos, w.left = target, moved, left
	w.calls = append(w.calls, w.p.Calls(w.pos, w.env)...)
	w.fired = append(w.fired, Due(w.pos)...)
	w.moves()
	w.clocks()
}

// sensible does what one of those who are asked can do, or has a ticket go on that rests or is over.
func (w *world) sensible(t *rapid.T) {
	switch {
	case !w.pos.Running():
		w.do(Start{})
		return
	case w.pos.Paused():
		w.do(Resume{})
		return
	}
	var can []Act
	for _, a := range w.p.Waiting(w.pos) {
		actors := a.Pending
		if a.Anyone {
			actors = people
		}
		for _, action := range append(a.Actions, Reassign) {
			for _, who := range actors {
				can = append(can, Act{Action: action, Node: a.Node, Actor: who, Pass: t != nil && len(can)%3 > 0, Comment: "c",
					Targets: []string{people[(w.steps+len(can))%len(people)]}, Admin: action == Reassign || action == Remove, Place: Places[len(can)%3],
					To: append(a.Back, "")[0]})
			}
		}
	}
	for i, a := range can {
		if a.Action == Add { // somebody who is not asked yet
			can[i].Targets = []string{[]string{"gus", fmt.Sprint("p", w.steps)}[i%2]}
		}
	}
	if len(can) > 0 {
		a := can[evenly(t, "act", len(can))]
		before := w.pos
		if w.do(a) && a.Action != Reassign {
			one, _ := json.Marshal(before)
			two, _ := json.Marshal(w.pos)
			require.NotEqual(t, string(one), string(two), "%s was taken and changed nothing", a.Action)
		}
	}
}

// finish drives the ticket to an end by saying yes to everything. Conditions change on the way, so that no loop is for ever.
func (w *world) finish() {
	chance := rand.New(rand.NewPCG(1, 2))
	for i := 0; w.pos.Running(); i++ {
		if i > 2000 {
			raw, _ := json.MarshalIndent(w.p.def.Nodes, "", " ")
			w.t.Logf("%s\n%+v", raw, w.pos)
			w.t.Fatalf("no end was reached from %+v", w.p.Waiting(w.pos))
		}
		w.env.Fields["n"] = float64(chance.IntN(10))
		if w.pos.Paused() {
			require.True(w.t, w.do(Resume{}))
			continue
		}
		if calls := w.p.Calls(w.pos, w.env); len(calls) > 0 {
			o := calls[0]
			w.do(Called{Node: o.Node, Round: o.Round, Try: o.Try, Status: 200, Body: w.answer()})
			continue
		}
		asked := w.p.Waiting(w.pos)
		at := asked[i%len(asked)]
		switch {
		case at.Type == Join:
		case at.Type == Wait:
			if at.Due.After(w.env.Now) {
				w.env.Now = *at.Due
			}
			require.True(w.t, w.do(Fired{Node: at.Node, Round: at.Round}))
		case at.State == Failed && at.Type != Task && at.Type != Approval:
			require.True(w.t, w.do(Act{Action: Skip, Node: at.Node, Actor: "root", Admin: true}))
		case at.Problem != "":
			require.True(w.t, w.do(Act{Action: Reassign, Node: at.Node, Actor: "root", Admin: true, Targets: []string{fmt.Sprint("p", i), fmt.Sprint("q", i)}}), at.Problem)
		default:
			who := "zoe"
			if !at.Anyone {
				who = at.Pending[0]
			}
			require.True(w.t, w.do(Act{Action: at.Actions[0], Node: at.Node, Actor: who, Pass: true, Targets: []string{"ann"}, Admin: at.State == Assigning}), "%+v", at)
		}
	}
}

// Whatever happens, with groups, other systems, four eyes, people who are added in every place, and calendars: no token is lost or doubled, no approval stays open that its votes have
// decided among those who are asked now, nobody is asked who may not vote, and no clock has more time left than it had.
func TestNoTokenIsEverLostOrDoubled(t *testing.T) {
	tried := map[string]int{}
	for range 5 { // each a hundred tickets
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t)
			w.tried = tried
			require.True(t, w.do(Start{}))
			for range evenly(t, "steps", 60) {
				w.something(t)
			}
			w.finish()
		})
	}
	t.Log(tried)
	for promise, often := range map[string]int{"judged": 100, "judged with votes": 100, "barred": 100, "working time": 100, "found": 100, "seeking": 100, "in turn": 5} {
		require.Greater(t, tried[promise], often, promise)
	}
}

// Nonsense in the position itself, as a store or another build could hand it over, is refused or borne, never a panic.
func TestNoPositionMakesAStepPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.do(Start{})
		for range rapid.IntRange(0, 10).Draw(t, "steps") {
			w.something(t)
		}
		for range rapid.IntRange(1, 3).Draw(t, "damages") {
			w.damage(t)
		}
		before, _ := json.Marshal(w.pos)
		for _, in := range []Input{Start{}, Suspend{}, Resume{}, Stop{}} {
			w.p.Step(w.pos, w.env, in)
		}
		for _, f := range w.fired {
			w.p.Step(w.pos, w.env, Fired{Node: f.Node, Round: f.Round, Stage: f.Stage})
		}
		for _, o := range w.calls {
			w.p.Step(w.pos, w.env, Called{Node: o.Node, Round: o.Round, Try: o.Try, Status: 200, Body: "{}"})
		}
		for _, action := range Actions {
			w.p.Step(w.pos, w.env, Act{Action: action, Actor: "ann", Admin: true, Targets: []string{"sue"}, Comment: "c"})
		}
		w.p.Waiting(w.pos)
		w.p.Calls(w.pos, w.env)
		ApproveResult(w.pos)
		Draw(w.p.def, &w.pos)
		Migrate(w.p, w.p, w.pos, nil, RulesNow, RulesNow, w.env.Now)
		after, _ := json.Marshal(w.pos)
		require.Equal(t, string(before), string(after))
	})
}

func (w *world) damage(t *rapid.T) {
	states := []State{Active, Claiming, Assigning, Calling, Failed, Waiting, Done, Skipped, Cancelled, "", "odd"}
	kinds := []NodeType{Task, Approval, Call, Wait, Branch, Parallel, Join, End, "", "odd"}
	if len(w.pos.Nodes) == 0 || rapid.IntRange(0, 9).Draw(t, "add") == 0 {
		w.pos.Nodes = append(w.pos.Nodes, NodeState{Node: rapid.SampledFrom(append(sortedKeys(w.p.nodes), "ghost")).Draw(t, "ghost"),
			Type: rapid.SampledFrom(kinds).Draw(t, "type"), State: rapid.SampledFrom(states).Draw(t, "state")})
		return
	}
	s := &w.pos.Nodes[rapid.IntRange(0, len(w.pos.Nodes)-1).Draw(t, "which")]
	*s = s.clone()
	switch rapid.IntRange(0, 8).Draw(t, "how") {
	case 0:
		s.State = rapid.SampledFrom(states).Draw(t, "state")
	case 1:
		s.Type = rapid.SampledFrom(kinds).Draw(t, "type")
	case 2:
		s.Stage = rapid.IntRange(-2, 9).Draw(t, "stage")
	case 3:
		s.Due, s.Left, s.Paused, s.Result = nil, nil, nil, nil
	case 4:
		s.Met = append(s.Met, "b0", "b7")
	case 5:
		s.Asked, s.Votes = nil, []Vote{{Who: "ann"}, {Who: "ann"}}
	case 6:
		s.Claimed, s.Anyone = "zoe", true
	case 7:
		s.Held, s.Try, s.Round = rapid.SampledFrom(states).Draw(t, "held"), -1, -1
	case 8:
		at := w.env.Now
		s.Due, s.Paused = &at, &at
	}
}
