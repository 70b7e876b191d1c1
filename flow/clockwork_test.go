package flow

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// clockwork is a ticket that is suspended, migrated, rolled over and sent back at random, with its clocks. Its process has a confirm at node c, which leads back to
// itself by a no.
type clockwork struct {
	t   *rapid.T
	p   *Process
	pos Position
	env Env

	compared, fired, migrated *int // counted by all tickets of a test
}

// clocks is what a test knows of the clocks of a ticket without asking the code. It is told of all that happens, after it did; of time before it has passed.
type clocks interface {
	passes(d time.Duration)
	suspended()
	resumed()
	entered(node string) // anew, by a no
	fired(Timer)
	target() *Process   // another version, to migrate to
	migrated(was Rules) // to target, from a version of which these were the rules
	check()             // holds what the ticket has against what is known
}

// do makes a step and keeps it.
func (w *clockwork) do(in Input) {
	w.t.Helper()
	out, err := sound(w.t, w.p, w.pos, w.env, in)
	require.NoError(w.t, err)
	w.pos = ApplySLA(Apply(w.pos, out.States), out.SLA)
}

func (w *clockwork) find(node string) NodeState {
	s, _ := w.pos.Find(node)
	return s
}

// run has something happen up to thirty times, with up to so many hours between.
func (w *clockwork) run(known clocks, hours int64) {
	w.t.Helper()
	for range rapid.IntRange(1, 30).Draw(w.t, "steps") {
		d := time.Duration(rapid.Int64Range(0, hours*3_600_000_000).Draw(w.t, "pass")) * time.Microsecond
		known.passes(d)
		w.env.Now = w.env.Now.Add(d)
		switch rapid.IntRange(0, 6).Draw(w.t, "what") {
		case 0, 1:
			if w.pos.Paused() {
				w.do(Resume{})
				known.resumed()
			} else {
				w.do(Suspend{})
				known.suspended()
			}
		case 2: // by the rules of the day
			*w.migrated++
			target, was := known.target(), w.env.Rules
			moved, reasons := Migrate(w.p, target, w.pos, nil, was, RulesNow, w.env.Now)
			require.Empty(w.t, reasons)
			w.p, w.pos, w.env.Rules = target, moved, RulesNow
			w.do(Moved{})
			known.migrated(was)
		case 3: // a roll-over
			raw, err := json.Marshal(w.pos)
			require.NoError(w.t, err)
			w.pos = Position{}
			require.NoError(w.t, json.Unmarshal(raw, &w.pos))
		case 4:
			if !w.pos.Paused() {
				w.do(Act{Action: Confirm, Node: "c", Actor: "ann"})
				known.entered("c")
			}
		default:
			for timers := Due(w.pos); len(timers) > 0 && !timers[0].At.After(w.env.Now); timers = Due(w.pos) {
				*w.fired++
				w.do(timers[0].Fired())
				known.fired(timers[0])
			}
		}
		known.check()
	}
}

// manyClocks runs five hundred tickets, and sees to it that enough has happened to them.
func manyClocks(t *testing.T, ticket func(w *clockwork)) {
	t.Helper()
	compared, fired, migrated := 0, 0, 0
	for range 5 {
		rapid.Check(t, func(t *rapid.T) {
			ticket(&clockwork{t: t, env: Env{Now: monday, Rules: RulesNow}, compared: &compared, fired: &fired, migrated: &migrated})
		})
	}
	t.Logf("%d clocks compared, %d timers fired, %d migrations", compared, fired, migrated)
	require.Greater(t, compared, 1000)
	require.Greater(t, fired, 100)
	require.Greater(t, migrated, 100)
}
