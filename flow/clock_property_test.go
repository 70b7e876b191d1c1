package flow

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// clocked is what a test knows of the clock of one node without asking the code.
type clocked struct {
	entered time.Time
	paused  time.Duration // since it was entered, suspensions that are over
	working time.Duration // after which the timer comes that runs now
	runs    bool
}

// anyStages are reminders, so that nothing but the clock is at work.
func anyStages(t *rapid.T) (out []Stage) {
	after := 0
	for range rapid.IntRange(0, 4).Draw(t, "stages") {
		after += rapid.IntRange(1, 4).Draw(t, "hours")
		out = append(out, Stage{After: fmt.Sprintf("%dh%ds", after, after), Do: DoRemind})
	}
	return out
}

// anyClock is a process with a deadline that begins anew with every round, one that does not, and a wait.
func anyClock(t *rapid.T) *Process {
	person := &Processors{Persons: []string{"ann"}}
	p, err := Compile(Definition{Key: "k", Name: "K", Nodes: []Node{
		{ID: "p", Name: "P", Type: Parallel, Join: "j", Branches: []Path{{"c", "c"}, {"v", "v"}, {"w", "w"}}},
		{ID: "c", Name: "C", Type: Task, Action: Confirm, Processors: person, Reject: &Rejection{Then: GoBack, To: "c"}, Deadline: anyStages(t), Next: "j"},
		{ID: "v", Name: "V", Type: Approval, Rule: AllOf, Processors: person, Deadline: anyStages(t), Next: "j"},
		{ID: "w", Name: "W", Type: Wait, For: fmt.Sprintf("%dh", rapid.IntRange(1, 12).Draw(t, "wait")), Next: "x"},
		{ID: "x", Name: "X", Type: Task, Processors: person, Deadline: anyStages(t), Next: "j"},
		{ID: "j", Name: "J", Type: Join, Next: "done"},
		{ID: "done", Name: "Done", Type: End},
	}})
	require.NoError(t, err)
	return p
}

// TestDeadlinesCountWorkingTime suspends, migrates, rolls over and sends back at random: whenever a timer runs, the time from when its node was entered
// to when it comes is what its definition says and what suspensions took, to the microsecond.
func TestDeadlinesCountWorkingTime(t *testing.T) {
	compared, fired, migrated := 0, 0, 0
	property := func(t *rapid.T) {
		p, pos := anyClock(t), Position{}
		env := Env{Now: monday, Rules: rapid.SampledFrom([]Rules{RulesFirst, RulesNow}).Draw(t, "rules")}
		known := map[string]*clocked{}
		do := func(in Input) {
			t.Helper()
			out, err := sound(t, p, pos, env, in)
			require.NoError(t, err)
			pos = Apply(pos, out.States)
		}
		// next is the working time until the next timer of a node that is entered, or whose stage has come.
		next := func(node string, c *clocked) {
			n, s := p.nodes[node], NodeState{}
			s, _ = pos.Find(node)
			switch c.runs = true; {
			case n.Type == Wait:
				c.working = n.pause.d
			case s.Stage < len(n.stages):
				c.working = n.stages[s.Stage].after.d
			default:
				c.runs = false
			}
		}
		enter := func(node string) {
			known[node] = &clocked{entered: env.Now}
			next(node, known[node])
		}
		check := func() {
			t.Helper()
			for node, c := range known {
				s, _ := pos.Find(node)
				require.Equal(t, c.runs, s.Due != nil, node)
				if c.runs && s.Paused == nil {
					compared++
					require.Equal(t, c.working, s.Due.Sub(c.entered)-c.paused, "%s: %+v", node, s)
				}
			}
		}
		do(Start{})
		for _, node := range []string{"c", "v", "w"} {
			enter(node)
		}
		var since time.Time
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			env.Now = env.Now.Add(time.Duration(rapid.Int64Range(0, 5*3_600_000_000).Draw(t, "pass")) * time.Microsecond)
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1:
				if pos.Paused() {
					do(Resume{})
					for _, c := range known {
						c.paused += env.Now.Sub(since)
					}
				} else {
					do(Suspend{})
					since = env.Now
				}
			case 2: // to a version with other deadlines, by the rules of the day
				migrated++
				target := anyClock(t)
				moved, reasons := Migrate(p, target, pos, nil, env.Rules, RulesNow, env.Now)
				require.Empty(t, reasons)
				if env.Rules < RulesWeighed {
					for _, c := range known {
						if !c.runs { // what was suspended before is not known where no clock runs
							c.paused = 0
						}
					}
				}
				p, pos, env.Rules = target, moved, RulesNow
				for node, c := range known {
					s, _ := pos.Find(node)
					switch {
					case p.nodes[node].Type == Wait:
					case s.Stage >= len(p.nodes[node].stages):
						c.runs = false
					case !c.runs: // one that only the target has
						next(node, c)
					}
				}
				do(Moved{})
			case 3: // a roll-over
				raw, err := json.Marshal(pos)
				require.NoError(t, err)
				pos = Position{}
				require.NoError(t, json.Unmarshal(raw, &pos))
			case 4:
				if !pos.Paused() {
					do(Act{Action: Confirm, Node: "c", Actor: "ann"})
					enter("c")
				}
			default:
				for timers := Due(pos); len(timers) > 0 && !timers[0].At.After(env.Now); timers = Due(pos) {
					fired++
					f := timers[0]
					do(f.Fired())
					if f.Kind == TimerWait {
						delete(known, f.Node)
						enter("x")
					} else {
						next(f.Node, known[f.Node])
					}
				}
			}
			check()
		}
	}
	for range 5 { // each a hundred tickets
		rapid.Check(t, property)
	}
	t.Logf("%d clocks compared, %d timers fired, %d migrations", compared, fired, migrated)
	require.Greater(t, compared, 1000)
	require.Greater(t, fired, 100)
	require.Greater(t, migrated, 100)
}
