package flow

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyPresence is what a directory could say of some people.
func anyPresence(t *rapid.T, now time.Time, persons, deputies []string) (p Presence) {
	for _, who := range persons {
		switch rapid.IntRange(0, 3).Draw(t, "of "+who) {
		case 0:
			continue
		case 1:
		default:
			d := Standing{For: who, Deputy: rapid.SampledFrom(deputies).Draw(t, "deputy")}
			if rapid.Bool().Draw(t, "ends") {
				d.Until = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "hours")) * time.Hour)
			}
			p.Standings = append(p.Standings, d)
		}
		p.Persons = append(p.Persons, who)
	}
	return p
}

// plain is a state without what deputies leave there.
func (s NodeState) plain() NodeState {
	s = s.clone()
	s.Hands, s.Deputies = nil, nil
	for i := range s.Votes {
		s.Votes[i].By = ""
	}
	return s
}

// TestDeputiesCountOnce has people be absent, come back and leave at random while a vote is on. Who stands in changes no electorate; what a deputy does comes to what the same act by the one who is
// absent would; nobody counts twice; and where somebody has left, those who take over can still say what they could, and the outcome is judged again.
func TestDeputiesCountOnce(t *testing.T) {
	tried := map[string]int{}
	property := func(t *rapid.T) {
		b := newBallot(t, RulesNow, tried)
		deputies := append([]string{"deb", "dan", "boss", "olga"}, voters...)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			before := b.state()
			if !before.State.Open() {
				break
			}
			b.env.Now = b.env.Now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0, 1:
				require.NoError(t, b.do(anyPresence(t, b.env.Now, before.Asked, deputies)))
				b.held("standing changes nobody's voice")
				require.Equal(t, before.plain(), b.state().plain())
			case 2, 3, 4:
				b.deputy(t, before)
			case 5:
				if who := b.voter(); who != "" {
					b.do(Act{Action: rapid.SampledFrom([]Action{Approve, Reject}).Draw(t, "vote"), Node: "v", Actor: who})
				}
			case 6:
				if who := b.voter(); who != "" {
					b.do(Act{Action: rapid.SampledFrom([]Action{Add, Deliver, Retract}).Draw(t, "act"), Node: "v", Actor: who, Targets: b.targets(), Comment: "c"})
				}
			default:
				b.left(t, before, deputies)
			}
			b.apart(t)
		}
	}
	for range 5 {
		rapid.Check(t, property)
	}
	t.Logf("%v", tried)
	for _, promise := range []string{"standing changes nobody's voice", "a deputy acts as the one who is absent", "a deputy is refused", "somebody took over", "nobody took over"} {
		require.Greater(t, tried[promise], 20, promise)
	}
}

// deputy has one of those who stand in vote, or try to.
func (b *ballot) deputy(t *rapid.T, before NodeState) {
	if len(before.Deputies) == 0 {
		return
	}
	d := rapid.SampledFrom(before.Deputies).Draw(t, "standing")
	if before.spoke()[d.For] != "" {
		return // they may not act any more, and whoever stands in for them may
	}
	act := Act{Action: rapid.SampledFrom([]Action{Approve, Reject}).Draw(t, "vote"), Node: "v", Actor: d.Deputy, OnBehalf: d.For}
	own := act
	own.Actor, own.OnBehalf = d.For, ""
	want, refused := b.p.Step(b.pos, b.env, own)
	did := b.do(act)
	if refused != nil || before.spoke()[d.Deputy] != "" || before.voted(d.Deputy) || !d.holds(b.env.Now) {
		b.held("a deputy is refused")
		require.Error(t, did)
		return
	}
	b.held("a deputy acts as the one who is absent")
	require.NoError(t, did)
	for _, s := range want.States {
		is, _ := b.pos.Find(s.Node)
		require.Equal(t, s.plain(), is.plain())
	}
	require.Equal(t, d.For, b.state().spoke()[d.Deputy])
}

// left has somebody leave who is asked.
func (b *ballot) left(t *rapid.T, before NodeState, heirs []string) {
	if len(before.Asked) == 0 {
		return
	}
	from, to := rapid.SampledFrom(before.Asked).Draw(t, "from"), rapid.SampledFrom(append([]string{""}, heirs...)).Draw(t, "to")
	require.NoError(t, b.do(Presence{Left: []Succession{{From: from, To: to}}}))
	after := b.state()
	switch {
	case before.voted(from):
		require.Equal(t, before.plain(), after.plain(), "what was said counts")
	case slices.Contains(after.Asked, to) && to != from && !before.handled()[to]:
		b.held("somebody took over")
		require.NotContains(t, after.Asked, from)
		b.changed(before)
	default:
		b.held("nobody took over")
		require.NotContains(t, after.Asked, from)
		require.True(t, after.State.Open() || leftOf(after) == 0, "the one who left decided")
	}
}

// apart sees to it that nobody has voted twice, in whose name ever, and that nobody stands in who is asked as well.
func (b *ballot) apart(t *rapid.T) {
	s, hands := b.state(), map[string]bool{}
	for _, v := range s.Votes {
		who := v.Who
		if v.By != "" {
			who = v.By
		}
		require.False(t, hands[who], "%s counts twice: %+v", who, s.Votes)
		hands[who] = true
	}
	for _, d := range s.Deputies {
		require.NotContains(t, s.Asked, d.Deputy)
		require.Contains(t, append(slices.Clone(s.Asked), sortedKeys(s.later())...), d.For)
		require.False(t, b.node().FourEyes && d.Deputy == b.env.Opener)
	}
}

// TestNobodyTakesOver: where whoever has left was the last, the node says why nobody is asked.
func TestNobodyTakesOver(t *testing.T) {
	pl := play(t, "\n- {id: v, name: Vote, type: approval, processors: {persons: [ann]}, next: done}"+end)
	pl.lines(`
		start     => v[ann]
		left ann= => v[]`)
	require.Equal(t, "nobody is asked, for ann, who is not active any more and has neither deputy nor manager to take over: an admin has to reassign it", pl.p.Waiting(pl.pos)[0].Problem)
}
