package flow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// ballot is one approval at random, in which people vote and on which every change of people comes.
type ballot struct {
	t     *rapid.T
	p     *Process
	pos   Position
	env   Env
	fresh int
	who   []string       // in the group that is asked at first
	came  bool           // from another version, while suspended
	tried map[string]int // how often each promise was held against something
}

var voters = []string{"a", "b", "c", "d", "e"}

// anyBallot makes the definition of an approval.
func anyBallot(t *rapid.T) Definition {
	n := Node{ID: "v", Name: "V", Type: Approval, Next: "done", Processors: &Processors{Fields: []string{"who"}}, Deliver: &Processors{Anyone: true}, Add: &Processors{Anyone: true}}
	if rapid.Bool().Draw(t, "group") {
		n.Processors = &Processors{Groups: []string{"asked"}}
	}
	n.Rule = rapid.SampledFrom([]Rule{AnyOf, AllOf, NOfM, NOfM, PartOf, PartOf, Sequence}).Draw(t, "rule")
	finishes := []string{"", FinishEveryone, FinishDecided}
	switch n.Rule {
	case AnyOf:
		n.Processors.Anyone, finishes = rapid.Bool().Draw(t, "anyone"), finishes[:1]
	case NOfM:
		n.N = rapid.IntRange(1, 6).Draw(t, "n")
	case PartOf:
		n.Percent = rapid.IntRange(1, 100).Draw(t, "percent")
	default:
		finishes = append(finishes, "PASS_RATE >= 50", "REJECT_RATE < 40.0 && PROCESS_COUNT > 1", "5 % PASS_COUNT > 1")
	}
	n.Finish = rapid.SampledFrom(finishes).Draw(t, "finish")
	n.Retract = n.Rule != AnyOf
	n.FourEyes = rapid.IntRange(0, 2).Draw(t, "four eyes") == 0
	switch rapid.IntRange(0, 5).Draw(t, "veto") {
	case 0:
		n.Veto = &Veto{Anyone: true}
	case 1, 2:
		n.Veto = &Veto{Persons: rapid.SliceOfNDistinct(rapid.SampledFrom(voters), 1, 2, rapid.ID[string]).Draw(t, "vetoes")}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "stages") {
		s := Stage{After: fmt.Sprintf("%dh", i+1), Do: rapid.SampledFrom([]Remedy{DoEscalate, DoReassign, DoApprove, DoReject}).Draw(t, "do")}
		if s.Do == DoEscalate {
			s.Mode = rapid.SampledFrom([]string{"add", "replace"}).Draw(t, "mode")
		}
		if s.Do == DoEscalate || s.Do == DoReassign {
			s.To = &Processors{Persons: rapid.SliceOfNDistinct(rapid.SampledFrom(append([]string{"boss", "chief", "head"}, voters...)), 1, 3, rapid.ID[string]).Draw(t, "to")}
			if rapid.Bool().Draw(t, "to a group") {
				s.To = &Processors{Groups: []string{"late"}}
			}
		}
		if n.Deadline = append(n.Deadline, s); s.To == nil {
			break
		}
	}
	return Definition{Key: "k", Name: "K", Fields: []Field{{Key: "who", Type: Members}}, Nodes: []Node{n, {ID: "done", Name: "Done", Type: End}}}
}

func newBallot(t *rapid.T, rules Rules, tried map[string]int) *ballot {
	p, err := Compile(anyBallot(t))
	require.NoError(t, err)
	who := voters[:rapid.IntRange(1, 5).Draw(t, "voters")]
	b := &ballot{t: t, p: p, tried: tried, who: who, env: Env{Rules: rules, Now: monday, Opener: rapid.SampledFrom([]string{"e", "boss", "olga"}).Draw(t, "opener"), Fields: map[string]any{"who": strings.Join(who, ",")}}}
	require.NoError(t, b.do(Start{}))
	return b
}

func (b *ballot) do(in Input) error {
	out, err := informed(b.t, b.p, b.pos, b.env, in, b.look)
	b.pos = Apply(b.pos, out.States)
	return err
}

// look says who is in the groups: nobody, now and then, and others each time that a deadline asks.
func (b *ballot) look(need *Need) Facts {
	found := Facts{Groups: map[string]Group{}}
	for _, id := range need.Groups {
		b.held("10: groups")
		g := Group{Members: b.who}
		if id == "late" {
			g.Members = rapid.SliceOfNDistinct(rapid.SampledFrom(append([]string{"boss", "chief", "head"}, voters...)), 0, 4, rapid.ID[string]).Draw(b.t, "late")
		}
		found.Groups[id] = g
	}
	return found
}

func (b *ballot) node() *node { return b.p.nodes["v"] }

func (b *ballot) state() NodeState { s, _ := b.pos.Find("v"); return s }

// outcome is what a rule makes of the votes when everybody who is left says the same, and voices that nobody has yet do too: the promises are held
// against it, and not against the code that keeps them. Whether vetoes of those who are left count is said.
func outcome(n *node, s NodeState, yes, vetoes bool) bool {
	passes, all := 0, 0
	against := false
	for _, v := range s.Votes {
		all += max(1, v.Voices)
		if v.Pass {
			passes += max(1, v.Voices)
		} else if against = true; hasVeto(n, s, v.Who) {
			return false
		}
	}
	if n.Rule == AnyOf && len(s.Votes) > 0 {
		return s.Votes[0].Pass
	}
	left := leftOf(s)
	if n.Rule == NOfM {
		left = max(left, n.N-all)
	}
	if left > 0 && !yes {
		against = true
		if vetoes && (n.Veto != nil && n.Veto.Anyone || slices.ContainsFunc(s.Asked, func(who string) bool { return !s.voted(who) && hasVeto(n, s, who) })) {
			return false
		}
	}
	all += left
	if yes {
		passes += left
	}
	switch n.Rule {
	case NOfM:
		return passes >= n.N
	case PartOf:
		return all > 0 && passes*100 >= n.Percent*all
	}
	return !against && (all > 0 || yes)
}

func hasVeto(n *node, s NodeState, who string) bool {
	return n.Veto != nil && (n.Veto.Anyone || slices.Contains(n.Veto.Persons, who) || slices.Contains(s.Vetoes, who))
}

func leftOf(s NodeState) (left int) {
	for _, who := range s.Asked {
		if !s.voted(who) {
			left += max(1, s.Voices[who])
		}
	}
	if s.Anyone {
		left += max(1, s.Pool)
	}
	return left
}

func (b *ballot) held(promise string) { b.tried[promise]++ }

// voter is somebody who can vote, hand over or add now.
func (b *ballot) voter() string {
	can := b.node().pending(b.state())
	if b.state().Anyone {
		can = append(can, fmt.Sprint("out", b.fresh))
	}
	if len(can) == 0 {
		return ""
	}
	return rapid.SampledFrom(can).Draw(b.t, "voter")
}

// targets are new people, and now and then some who are not new.
func (b *ballot) targets() (out []string) {
	for range rapid.IntRange(1, 4).Draw(b.t, "targets") {
		if rapid.IntRange(0, 3).Draw(b.t, "known") == 0 {
			out = append(out, rapid.SampledFrom(append([]string{"boss"}, voters...)).Draw(b.t, "target"))
			continue
		}
		b.fresh++
		out = append(out, fmt.Sprint("p", b.fresh))
	}
	return distinct(out)
}

// vote is held against promise 1.
func (b *ballot) vote(who string, yes bool) {
	before := b.state()
	require.NoError(b.t, b.do(Act{Action: map[bool]Action{true: Approve, false: Reject}[yes], Node: "v", Actor: who}))
	after := b.state()
	if len(after.Votes) == len(before.Votes) { // somebody comes after them in the same place
		b.held("6: in turn")
		require.True(b.t, yes)
		require.Equal(b.t, leftOf(before), leftOf(after), "voices were lost or won by agreeing")
		b.changed(before)
		return
	}
	if after.State.Open() {
		return
	}
	b.held("1: a vote")
	if *after.Result != yes && !(len(before.Votes) == 0 && b.node().Rule == AnyOf) {
		require.Equal(b.t, *after.Result, outcome(b.node(), before, yes, true), "a vote that says %v turned %+v into %v", yes, before, *after.Result)
	}
}

// changed holds a change of people against promises 2 and 5.
func (b *ballot) changed(before NodeState) { b.changedBut(before, "") }

func (b *ballot) changedBut(before NodeState, removed string) {
	after, n := b.state(), b.node()
	require.True(b.t, after.State.Open() || leftOf(after) == 0, "a change alone decided")
	for _, yes := range []bool{true, false} {
		if outcome(n, before, yes, false) == yes && len(before.Asked)+len(before.Votes) > 0 && removed == "" {
			b.held("2: a change")
			require.Equal(b.t, yes, outcome(n, after, yes, false), "those who took over can no longer say %v: %+v, then %+v", yes, before, after)
		}
	}
	left := setOf(after.Asked)
	veto := func(s NodeState) bool { // who was removed takes along what was theirs
		s.Asked = slices.DeleteFunc(slices.Clone(s.Asked), func(who string) bool { return removed != "" && who == removed && !left[who] })
		return slices.ContainsFunc(s.Asked, func(who string) bool { return !s.voted(who) && hasVeto(n, s, who) })
	}
	require.True(b.t, !veto(before) || veto(after), "a veto was lost: %+v, then %+v", before, after)
	if removed == "" {
		require.GreaterOrEqual(b.t, leftOf(after), min(1, leftOf(before)))
	}
}

// barred sees to it that who opened the ticket is not asked where four eyes are, whatever changed.
func (b *ballot) barred() {
	s := b.state()
	if b.node().FourEyes && s.State.Open() && !s.voted(b.env.Opener) && s.Paused == nil && !b.came {
		b.held("7: four eyes")
		require.NotContains(b.t, s.Asked, b.env.Opener)
		require.Error(b.t, b.do(Act{Action: Approve, Node: "v", Actor: b.env.Opener}))
	}
}

// line adds somebody in the place of whoever adds them; no voice is won or lost.
func (b *ballot) line(a Act, place Place) {
	before := b.state()
	a.Place = place
	if b.do(a) != nil {
		return
	}
	b.held("6: in turn")
	require.Equal(b.t, leftOf(before), leftOf(b.state()))
	b.changed(before)
}

// remove takes somebody out who was added, and whose voice that was.
func (b *ballot) remove() {
	before := b.state()
	if len(before.Added) == 0 {
		return
	}
	who := rapid.SampledFrom(before.Added).Draw(b.t, "added").Who
	if b.do(Act{Action: Remove, Node: "v", Actor: "root", Admin: true, Targets: []string{who}}) != nil {
		return
	}
	b.held("8: removed")
	after := b.state()
	require.NotContains(b.t, after.Asked, who)
	require.LessOrEqual(b.t, leftOf(before)-leftOf(after), 1, "removing one took the voices of others: %+v, then %+v", before, after)
	b.changedBut(before, who)
}

// retract takes a vote back, which decides nothing and gives back all that the vote took.
func (b *ballot) retract() {
	before := b.state()
	if len(before.Votes) == 0 || !b.node().Retract {
		return
	}
	v := rapid.SampledFrom(before.Votes).Draw(b.t, "vote")
	if b.node().FourEyes && v.Who == b.env.Opener { // given in another version
		require.Error(b.t, b.do(Act{Action: Retract, Node: "v", Actor: v.Who}))
		return
	}
	require.NoError(b.t, b.do(Act{Action: Retract, Node: "v", Actor: v.Who}))
	b.held("9: retracted")
	after := b.state()
	require.True(b.t, after.State.Open())
	require.Equal(b.t, leftOf(before)+max(1, v.Voices), leftOf(after))
	require.Equal(b.t, before.count(true).all(), after.count(true).all())
}

// once sees to it that nobody is asked twice or has voted twice, and that nobody can be made to: promise 5.
func (b *ballot) once() {
	s := b.state()
	require.Len(b.t, distinct(s.Asked), len(s.Asked))
	var voted []string
	for _, v := range s.Votes {
		voted = append(voted, v.Who)
	}
	require.Len(b.t, distinct(voted), len(voted))
	who := b.voter()
	known := slices.DeleteFunc(slices.Concat(s.Asked, voted), func(known string) bool { return known == who })
	if who == "" || s.Paused != nil || len(known) == 0 {
		return
	}
	again := rapid.SampledFrom(known).Draw(b.t, "again")
	for _, action := range []Action{Deliver, Add} {
		b.held("5: nobody twice")
		err := b.do(Act{Action: action, Node: "v", Actor: who, Targets: []string{"new", again}, Comment: "c"})
		require.Error(b.t, err, "%s to %s, who is known", action, again)
		require.Contains(b.t, err.Error(), again)
	}
}

// stuck sees to it that somebody can act or that it is said why not: promise 3.
func (b *ballot) stuck() {
	b.held("3: never stuck")
	a := b.p.Waiting(b.pos)[0]
	require.True(b.t, a.Anyone || len(a.Pending) > 0 || a.Problem != "", "%+v", a)
}

// finish has everybody who is left say the same, and whoever is said to be missing added: the approval ends, and as those who are left want if they
// still can decide it. That is promise 3, and 2 once more.
func (b *ballot) finish(yes bool) {
	if b.state().Paused != nil {
		require.NoError(b.t, b.do(Resume{}))
	}
	if !b.state().State.Open() {
		return
	}
	want, missing := outcome(b.node(), b.state(), yes, true), false
	for i := 0; b.state().State.Open(); i++ {
		require.Less(b.t, i, 1000, "it never ends: %+v", b.state())
		a := b.p.Waiting(b.pos)[0]
		switch {
		case a.Problem != "":
			missing = true
			action := Add
			if strings.HasPrefix(a.Problem, "nobody") {
				action = Reassign
			}
			require.NoError(b.t, b.do(Act{Action: action, Node: "v", Actor: "root", Admin: true, Targets: []string{fmt.Sprint("more", i)}}))
		case a.Anyone:
			b.vote(fmt.Sprint("zoe", i), yes)
		default:
			b.vote(a.Pending[0], yes)
		}
	}
	b.held("3: an end")
	if !missing {
		require.Equal(b.t, want, *b.state().Result)
	}
}

func (b *ballot) due() {
	timers := Due(b.pos)
	if len(timers) == 0 {
		return
	}
	before, stage := b.state(), b.node().stages[b.state().Stage]
	b.env.Now = timers[0].At
	require.NoError(b.t, b.do(Fired{Node: "v", Round: before.Round, Stage: before.Stage}))
	if stage.To != nil {
		b.changed(before)
		return
	}
	b.held("4: a deadline speaks")
	require.Equal(b.t, outcome(b.node(), before, stage.Do == DoApprove, true), *b.state().Result, "%s over %+v", stage.Do, before)
}

// migrate moves it to another rule, by which it ends at once just if its votes decide.
func (b *ballot) migrate() {
	target, err := Compile(anyBallot(b.t))
	require.NoError(b.t, err)
	pos, reasons := Migrate(b.p, target, b.pos, nil, b.env.Rules, b.env.Rules, b.env.Now)
	require.Empty(b.t, reasons)
	b.p, b.pos = target, pos
	if b.env.Rules >= RulesWeighed {
		require.NoError(b.t, b.do(Moved{}))
	}
	b.moved()
}

func (b *ballot) moved() {
	s, n := b.state(), b.node()
	if b.came = s.Paused != nil; b.came {
		require.True(b.t, s.State.Open())
		return
	}
	b.held("2: a migration")
	yes, no := outcome(n, s, true, false), outcome(n, s, false, false)
	if !s.State.Open() {
		require.NotEmpty(b.t, s.Votes)
		if n.finish == nil {
			require.Equal(b.t, yes, no, "it was not decided: %+v", s)
		}
		require.Equal(b.t, yes && (no || n.finish != nil), *s.Result)
		return
	}
	if len(s.Votes) == 0 || n.lacking(s.count(true)) > 0 {
		return
	}
	require.Positive(b.t, leftOf(s), "nobody is left, and it is not over: %+v", s)
	if n.Finish == FinishDecided || n.Rule == AnyOf || n.Finish == "" && (n.Rule == NOfM || n.Rule == PartOf) {
		require.NotEqual(b.t, yes, no, "it was decided, and is not over: %+v", s)
	}
}

// something lets anything happen.
func (b *ballot) something() {
	who := b.voter()
	what := rapid.IntRange(0, 19).Draw(b.t, "what")
	if b.state().Paused != nil {
		if what == 0 {
			b.migrate()
			return
		}
		b.env.Now = b.env.Now.Add(time.Hour)
		wasDecided := b.state().Judge
		require.NoError(b.t, b.do(Resume{}))
		require.Equal(b.t, wasDecided, !b.state().State.Open())
		if b.came {
			b.moved()
		}
		return
	}
	act := Act{Node: "v", Actor: who, Comment: "c", Targets: b.targets()}
	switch {
	case len(b.state().Added) > 0 && rapid.IntRange(0, 3).Draw(b.t, "remove") == 0:
		b.remove()
	case b.node().Retract && len(b.state().Votes) > 0 && rapid.IntRange(0, 3).Draw(b.t, "retract") == 0:
		b.retract()
	case what == 0:
		b.migrate()
	case what == 1:
		require.NoError(b.t, b.do(Suspend{}))
	case what <= 3:
		b.due()
	case what <= 7 && who != "":
		b.vote(who, rapid.Bool().Draw(b.t, "yes"))
	case what <= 9:
		act.Action, act.Actor, act.Admin = Reassign, "root", true
		b.change(act)
	case what <= 11:
		act.Action, act.Actor, act.Admin = Add, "root", true
		b.change(act)
	case what <= 15 && who != "":
		act.Action = Add
		b.line(act, rapid.SampledFrom([]Place{Before, After}).Draw(b.t, "place"))
	case who != "":
		act.Action = Deliver
		b.change(act)
	}
}

func (b *ballot) change(a Act) {
	before := b.state()
	if b.do(a) != nil {
		return
	}
	b.changed(before)
	after := b.state()
	if a.Action == Reassign {
		voices := (leftOf(before) + len(a.Targets) - 1) / len(a.Targets)
		for _, who := range a.Targets {
			require.Equal(b.t, max(1, voices), max(1, after.Voices[who]), "all carry the same: %+v, then %+v", before, after)
		}
	}
}

// TestEveryRuleKeepsItsPromises holds every rule, threshold, finish and veto, under every sequence of votes and changes, against the promises that
// docs/processes.md makes about approvals.
func TestEveryRuleKeepsItsPromises(t *testing.T) {
	tried := map[string]int{}
	for range 10 { // each a hundred ballots
		rapid.Check(t, func(t *rapid.T) {
			b := newBallot(t, RulesNow, tried)
			for range rapid.IntRange(1, 20).Draw(t, "steps") {
				if b.something(); !b.state().State.Open() {
					return
				}
				b.once()
				b.stuck()
				b.barred()
			}
			b.finish(rapid.Bool().Draw(t, "all say"))
		})
	}
	for _, promise := range []string{"1: a vote", "2: a change", "2: a migration", "3: never stuck", "3: an end", "4: a deadline speaks", "5: nobody twice",
		"6: in turn", "7: four eyes", "8: removed", "9: retracted", "10: groups"} {
		t.Log(promise, tried[promise])
		require.Greater(t, tried[promise], 100, promise)
	}
}
