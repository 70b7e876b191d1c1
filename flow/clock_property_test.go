package flow

import (
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

// running is what is known of the clocks of a ticket by the nodes that they are of.
type running struct {
	*clockwork
	known map[string]*clocked
	since time.Time // when it was suspended
}

// next says which working time passes until the next timer of a node that is entered, or whose stage has come.
func (r *running) next(node string) {
	n, s, c := r.p.nodes[node], r.find(node), r.known[node]
	switch c.runs = true; {
	case n.Type == Wait:
		c.working = n.pause.d
	case s.Stage < len(n.stages):
		c.working = n.stages[s.Stage].after.d
	default:
		c.runs = false
	}
}

func (r *running) entered(node string) {
	r.known[node] = &clocked{entered: r.env.Now}
	r.next(node)
}

func (r *running) passes(time.Duration) {}

func (r *running) suspended() { r.since = r.env.Now }

func (r *running) resumed() {
	for _, c := range r.known {
		c.paused += r.env.Now.Sub(r.since)
	}
}

func (r *running) target() *Process { return anyClock(r.t) }

func (r *running) migrated(was Rules) {
	for node, c := range r.known {
		if was < RulesWeighed && !c.runs { // what was suspended before is not known where no clock runs
			c.paused = 0
		}
		switch s := r.find(node); {
		case r.p.nodes[node].Type == Wait:
		case s.Stage >= len(r.p.nodes[node].stages):
			c.runs = false
		case !c.runs: // one that only the target has
			r.next(node)
		}
	}
}

func (r *running) fired(f Timer) {
	if f.Kind == TimerWait {
		delete(r.known, f.Node)
		r.entered("x")
		return
	}
	r.next(f.Node)
}

func (r *running) check() {
	r.t.Helper()
	for node, c := range r.known {
		s := r.find(node)
		require.Equal(r.t, c.runs, s.Due != nil, node)
		if c.runs && s.Paused == nil {
			*r.compared++
			require.Equal(r.t, c.working, s.Due.Sub(c.entered)-c.paused, "%s: %+v", node, s)
		}
	}
}

// TestDeadlinesCountWorkingTime suspends, migrates, rolls over and sends back at random: whenever a timer runs, the time from when its node was entered
// to when it comes is what its definition says and what suspensions took, to the microsecond.
func TestDeadlinesCountWorkingTime(t *testing.T) {
	manyClocks(t, func(w *clockwork) {
		w.p, w.env.Rules = anyClock(w.t), rapid.SampledFrom([]Rules{RulesFirst, RulesNow}).Draw(w.t, "rules")
		r := &running{clockwork: w, known: map[string]*clocked{}}
		w.do(Start{})
		for _, node := range []string{"c", "v", "w"} {
			r.entered(node)
		}
		w.run(r, 5)
	})
}
