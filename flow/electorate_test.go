package flow

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// move carries the player to another definition, under the rules that it plays by.
func (pl *player) move(t *testing.T, source string) string {
	target := process(t, source)
	moved, reasons := Migrate(pl.p, target, pl.pos, nil, pl.env.Rules, pl.env.Rules, pl.env.Now)
	require.Empty(t, reasons)
	pl.p, pl.pos = target, moved
	if pl.env.Rules < RulesWeighed {
		return pl.stands()
	}
	return pl.step(Moved{})
}

// approval is a process of one approval v.
func approvalOf(members string) string {
	return "\n- {id: v, name: V, type: approval, " + members + ", next: done}" + end
}

// TestTheElectorateChanges plays what happens when other people are asked than those who began to vote. Each story tells how it ends, and how it
// ended by RulesFirst, where that was otherwise. A line that is `move` goes to the other definition.
func TestTheElectorateChanges(t *testing.T) {
	five := "processors: {persons: [a, b, c, d, e]}"
	boss := "deadline: [{after: 1h, do: reassign, to: {persons: [boss]}}]"
	for _, c := range []struct{ name, source, to, script, now, first string }{
		{"percent: a deadline asks boss instead of three, who rejects", approvalOf("rule: percent, percent: 60, " + five + ", " + boss), "",
			"start; approve by a; approve by b; due; reject by boss", "completed refused", "completed approved"},
		{"percent: … who approves", approvalOf("rule: percent, percent: 60, " + five + ", " + boss), "",
			"start; approve by a; approve by b; due; approve by boss", "completed approved", ""},
		{"percent: escalated to boss instead", approvalOf("rule: percent, percent: 60, " + five + ", deadline: [{after: 1h, do: escalate, mode: replace, to: {persons: [boss]}}]"), "",
			"start; approve by a; approve by b; due; reject by boss", "completed refused", "completed approved"},
		{"percent: escalated to boss as well: one voice more", approvalOf("rule: percent, percent: 60, " + five + ", deadline: [{after: 1h, do: escalate, to: {persons: [boss]}}]"), "",
			"start; approve by a; approve by b; due; approve by boss", "v[c d e]", ""},
		{"percent: reassigned to boss, who rejects", approvalOf("rule: percent, percent: 60, " + five), "",
			"start; approve by a; approve by b; reassign by root admin to boss; reject by boss", "completed refused", "completed approved"},
		{"percent: reassigned to two, who carry two voices each", approvalOf("rule: percent, percent: 60, " + five), "",
			"start; approve by a; reject by b; reassign by root admin to c,boss; approve by boss", "v[c]", ""},
		{"percent: two cannot halve the threshold", approvalOf("rule: percent, percent: 60, deliver: {anyone: true}, " + five), "",
			"start; approve by a; deliver by b to c say x; deliver by c to d say x; approve by d", "v[b c e]", "completed approved"},
		{"percent: one voice handed to two is a voice each", approvalOf("rule: percent, percent: 60, deliver: {anyone: true}, processors: {persons: [a, b]}"), "",
			"start; approve by a; deliver by b to x,y say x; reject by x; reject by y", "completed refused", ""},
		{"anyone of `any` carried into percent rejects", approvalOf("rule: any, processors: {anyone: true}"), approvalOf("rule: percent, percent: 60, processors: {persons: [a]}"),
			"start; move; reject by zoe", "completed refused", "completed approved"},
		{"… and approves", approvalOf("rule: any, processors: {anyone: true}"), approvalOf("rule: percent, percent: 60, processors: {persons: [a]}"),
			"start; move; approve by zoe", "completed approved", ""},
		{"anyone of `any` carried into a sequence does not upset the order", approvalOf("rule: any, processors: {persons: [a, b], anyone: true}"), approvalOf("rule: sequence, processors: {persons: [a]}"),
			"start; move; approve by b", `refused forbidden operator: "V" asks a`, "v[anyone a]"},
		{"anyone of `any` hands over the open place and no other", approvalOf("rule: any, deliver: {anyone: true}, processors: {persons: [a], anyone: true}"), "",
			"start; deliver by zoe to sue say x", "v[a sue]", "v[sue]"},
		{"three of five with two for, moved to two", approvalOf("rule: n-of-m, n: 3, " + five), approvalOf("rule: n-of-m, n: 2, " + five),
			"start; approve by a; approve by b; move", "completed approved", "v[c d e]"},
		{"three of five with three against, moved to three of five", approvalOf("rule: all, " + five), approvalOf("rule: n-of-m, n: 3, " + five),
			"start; reject by a; reject by b; reject by c; move", "completed refused", "v[d e]"},
		{"all with one for, moved to any", approvalOf("rule: all, processors: {persons: [a, b]}"), approvalOf("rule: any, processors: {persons: [a, b]}"),
			"start; approve by a; move", "completed approved", "v[b]"},
		{"all with one against, moved to any", approvalOf("rule: all, processors: {persons: [a, b]}"), approvalOf("rule: any, processors: {persons: [a, b]}"),
			"start; reject by a; move", "completed refused", "v[b]"},
		{"one against, who has the veto of the target", approvalOf("rule: all, " + five), approvalOf("rule: all, veto: {persons: [a]}, " + five),
			"start; reject by a; approve by b; move", "completed refused", "v[c d e]"},
		{"votes that decide nothing there go on", approvalOf("rule: n-of-m, n: 2, " + five), approvalOf("rule: n-of-m, n: 3, " + five),
			"start; approve by a; move", "v[b c d e]", ""},
		{"what was decided while suspended is so when that is over", approvalOf("rule: n-of-m, n: 3, " + five), approvalOf("rule: n-of-m, n: 2, " + five),
			"start; approve by a; approve by b; suspend; move; resume", "completed approved", "v[c d e]"},
		{"n-of-m: replaced by fewer", approvalOf("rule: n-of-m, n: 2, processors: {persons: [a, b, c]}, " + boss), "",
			"start; due; approve by boss", "completed approved", "v[]"},
		{"n-of-m: reassigned to fewer", approvalOf("rule: n-of-m, n: 3, " + five), "",
			"start; approve by a; reassign by root admin to boss; approve by boss", "completed approved", "v[]"},
		{"all: a deadline approves after a rejection", approvalOf("rule: all, finish: everyone, processors: {persons: [a, b]}, deadline: [{after: 1h, do: approve}]"), "",
			"start; reject by a; due", "completed refused", "completed approved"},
		{"all: a deadline approves for who is silent", approvalOf("rule: all, processors: {persons: [a, b]}, deadline: [{after: 1h, do: approve}]"), "",
			"start; approve by a; due", "completed approved", ""},
		{"n-of-m: a deadline rejects after the approval", approvalOf("rule: n-of-m, n: 1, finish: everyone, processors: {persons: [a, b]}, deadline: [{after: 1h, do: reject}]"), "",
			"start; approve by a; due", "completed approved", "completed refused"},
		{"n-of-m: a deadline rejects before it", approvalOf("rule: n-of-m, n: 2, processors: {persons: [a, b, c]}, deadline: [{after: 1h, do: reject}]"), "",
			"start; approve by a; due", "completed refused", ""},
		{"percent: a deadline approves where too many have rejected", approvalOf("rule: percent, percent: 60, finish: everyone, " + five + ", deadline: [{after: 1h, do: approve}]"), "",
			"start; reject by a; reject by b; reject by c; due", "completed refused", "completed approved"},
		{"nobody is asked and a deadline rejects", approvalOf("rule: all, processors: {caller: true}, deadline: [{after: 1h, do: reject}]"), "",
			"start; due", "completed refused", ""},
		{"too few are asked and a deadline approves", approvalOf("rule: n-of-m, n: 3, processors: {fields: [WHO]}, deadline: [{after: 1h, do: approve}]") + "fields: [{key: WHO, type: MEMBERS}]", "",
			"field WHO=ann,bob; start; approve by ann; due", "completed approved", ""},
		{"a veto that is handed over", approvalOf("rule: all, veto: {persons: [b]}, deliver: {anyone: true}, processors: {persons: [a, b, c]}"), "",
			"start; deliver by b to eve say x; reject by eve", "completed refused", "v[a c]"},
		{"a veto that a deadline takes away", approvalOf("rule: all, veto: {persons: [b]}, processors: {persons: [a, b, c]}, " + boss), "",
			"start; approve by a; due; reject by boss", "completed refused", ""},
		{"a veto that is kept stays where it is", approvalOf("rule: all, veto: {persons: [b]}, processors: {persons: [a, b, c]}"), "",
			"start; reassign by root admin to b,eve; reject by eve", "v[b]", ""},
		{"escalated while it waits to be assigned", "\n- {id: t, name: T, type: task, distribute: assign, assigners: {persons: [lead]}, processors: {persons: [ann]}, deadline: [{after: 1h, do: escalate, mode: replace, to: {persons: [boss]}}], next: done}" + end, "",
			"start; due; assign by boss to ann", "t[ann]", "refused conflict action: assign is not possible where the ticket stands"},
		{"reassigned while it waits to be assigned", "\n- {id: t, name: T, type: task, distribute: assign, assigners: {persons: [lead]}, processors: {persons: [ann]}, next: done}" + end, "",
			"start; reassign by root admin to boss", "t:assigning[boss]", "t[boss]"},
		{"the second round asks whom the first asked", approvalOf("rule: all, processors: {persons: [a, b]}, deliver: {anyone: true}, reject: {then: back, to: v}, deadline: [{after: 1h, do: reassign, to: {persons: [boss]}}]"), "",
			"start; deliver by b to c say x; due; reject by boss", "v[a c]", "v[boss]"},
		{"the second round of a task", "\n- {id: t, name: T, type: task, action: confirm, processors: {persons: [a]}, reject: {then: back, to: t}, deadline: [{after: 1h, do: escalate, to: {persons: [boss]}}], next: done}" + end, "",
			"start; due; confirm by boss no", "t[a]", "t[a boss]"},
		{"the second round keeps what an admin said after a deadline", approvalOf("rule: n-of-m, n: 2, processors: {persons: [a, b]}, reject: {then: back, to: v}, deadline: [{after: 1h, do: reassign, to: {persons: [boss]}}]"), "",
			"start; due; reassign by root admin to eve; reject by eve; approve by eve", "completed approved", "refused conflict operator: eve has voted already"},
		{"who stood in the deadline's place hands it over for this round alone", approvalOf("rule: all, processors: {persons: [a]}, deliver: {anyone: true}, reject: {then: back, to: v}, deadline: [{after: 1h, do: reassign, to: {persons: [boss]}}]"), "",
			"start; due; deliver by boss to eve say x; reject by eve", "v[a]", "v[eve]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for rules, want := range map[Rules]string{RulesFirst: c.first, RulesNow: c.now} {
				if want == "" {
					want = c.now
				}
				pl, got := play(t, c.source), ""
				pl.env.Rules = rules
				for _, line := range strings.Split(c.script, "; ") {
					if line == "move" {
						got = pl.move(t, c.to)
					} else {
						got = pl.do(line)
					}
				}
				require.Equal(t, want, got, "by rules %d: %+v", rules, pl.pos)
			}
		})
	}
}

// A veto that was taken over goes on with whoever takes over next, also where a deadline had asked others meanwhile: they have it when the ticket comes back.
func TestAVetoThatWasTakenOverLasts(t *testing.T) {
	for rules, last := range map[Rules]string{RulesWeighed: "v[dan]", RulesNow: "redo[olga]"} {
		pl := play(t, `
- {id: v, name: V, type: approval, rule: n-of-m, n: 1, veto: {persons: [zoe]}, deliver: {anyone: true}, processors: {persons: [zoe, b]},
   deadline: [{after: 1h, do: escalate, mode: replace, to: {persons: [boss]}}], reject: {then: back, to: redo}, next: done}
- {id: redo, name: Redo, type: task, processors: {opener: true}, next: v}`+end)
		pl.env.Rules = rules
		pl.lines(`
			start                              => v[zoe b]
			deliver by zoe to ann say x        => v[ann b]
			due                                => v[boss]
			reassign by root admin to carl,dan => v[carl dan]
			reject by carl say no              => redo[olga]
			submit by olga                     => v[carl dan]
			reject by carl say no              => ` + last)
	}
}

func TestNobodyIsGivenASecondVoice(t *testing.T) {
	play(t, approvalOf("rule: all, deliver: {anyone: true}, add: {anyone: true}, processors: {persons: [a, b, c]}")).lines(`
		start          => v[a b c]
		approve by a   => v[b c]
		deliver by b to c say x     => refused conflict targets: c is asked already
		deliver by b to a say x     => refused conflict targets: a has handled
		deliver by root to c say x admin => refused conflict targets: c is asked already
		add by b to c               => refused conflict targets: c is asked already
		add by b to a               => refused conflict targets: a has handled
		reassign by root admin to a => refused conflict targets: a has handled
		reassign by root admin to c => v[c]
		approve by c                => completed approved`)
}

func TestAListThatNamesNobodyLetsNobodyBeNamed(t *testing.T) {
	def := process(t, approvalOf("rule: all, deliver: {anyone: true}, add: {anyone: true}, processors: {persons: [a, b]}")).Definition()
	def.Nodes[0].Deliver, def.Nodes[0].Add = &Processors{}, &Processors{}
	require.Equal(t, `nodes[0].deliver: nobody is named: leave it out, or say persons, opener, assignee, fields, groups, manager_of or anyone
nodes[0].add: nobody is named: leave it out, or say persons, opener, assignee, fields, groups, manager_of or anyone`, publishable(def).Error())
	p, err := Compile(def)
	require.NoError(t, err, "tickets that run through it go on")
	for rules, want := range map[Rules]string{RulesFirst: "v[x b]", RulesNow: `refused forbidden targets: "V" cannot be given to x`} {
		pl := player{t: t, p: p, env: newEnv()}
		pl.env.Rules = rules
		pl.do("start")
		require.Equal(t, want, pl.do("deliver by a to x say x"))
		if rules == RulesNow {
			require.Equal(t, want, pl.do("add by a to x"))
			require.Equal(t, "v[x]", pl.do("deliver by root to x say x admin"), "an admin is not bound by it")
		}
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	problem := func(pl *player) string { return pl.p.Waiting(pl.pos)[0].Problem }
	source := func(more string) string {
		return approvalOf("rule: n-of-m, n: 3, processors: {fields: [WHO]}"+more) + "fields: [{key: WHO, type: MEMBERS}]"
	}
	pl := play(t, source(""))
	pl.lines(`start => v[]`)
	require.Equal(t, "nobody is asked: an admin has to reassign it", problem(pl))
	pl.lines(`reassign by root admin to a => v[a]`)
	require.Equal(t, "3 must approve, but there are only 1 to vote: an admin has to add 2 more", problem(pl))
	pl.lines(`add by root admin to b => v[a b]
		approve by a => v[b]
		approve by b => v[]`)
	require.Equal(t, "3 must approve, but there are only 2 to vote: an admin has to add 1 more", problem(pl), "although nobody is left to vote")
	pl.lines(`add by root admin to c => v[c]`)
	require.Empty(t, problem(pl))
	pl.lines(`approve by c => completed approved`)

	pl = play(t, source(", add: {anyone: true}"))
	pl.lines(`
		field WHO=a,b =>
		start => v[a b]`)
	require.Equal(t, "3 must approve, but there are only 2 to vote: an admin, or one of those asked, has to add 1 more", problem(pl))
	pl.lines(`add by a to c => v[a b c]`)
	require.Empty(t, problem(pl))
	pl.lines(`reassign by root admin to boss => v[boss]`)
	require.Empty(t, problem(pl), "boss carries three voices")
	require.Equal(t, map[string]int{"boss": 3}, pl.p.Waiting(pl.pos)[0].Voices)
	pl.lines(`approve by boss => completed approved`)
	v, _ := pl.pos.Find("v")
	require.Equal(t, 3, v.Votes[0].Voices)
}

// Two hundred are asked, and can be replaced.
func TestAsManyAsCanBeAskedCanBeReassigned(t *testing.T) {
	names := make([]string, MaxPersons)
	for i := range names {
		names[i] = "p" + strings.Repeat("x", i)
	}
	for rules, want := range map[Rules]string{RulesFirst: "refused invalid targets: at most 200 persons can be asked, not 201", RulesNow: "v[boss]"} {
		pl := play(t, approvalOf("rule: percent, percent: 60, processors: {persons: ["+strings.Join(names, ", ")+"]}"))
		pl.env.Rules = rules
		pl.do("start")
		require.Equal(t, want, pl.do("reassign by root admin to boss"))
	}
}

// Times are to the microsecond: a wait until a point between two would otherwise never be over.
func TestUntilAPointInTimeBetweenMicroseconds(t *testing.T) {
	pl := play(t, `
- {id: w, name: W, type: wait, until: WHEN, next: done}
- {id: done, name: Done, type: end}
fields: [{key: WHEN, type: DATETIME}]`)
	pl.lines(`
		field WHEN=2026-03-02T12:00:00.000000001Z =>
		start => w:waiting
		due   => completed approved`)
	require.Equal(t, 3*time.Hour+time.Microsecond, pl.env.Now.Sub(monday))
}
