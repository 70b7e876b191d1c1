package flow

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/calendar"
)

// anyHours is a calendar in some version, with holidays among the days that the tests go through.
func anyHours(t *rapid.T, version int) calendar.Calendar {
	c := calendar.Calendar{Key: "office", Name: "Office", Version: version, Zone: "Europe/Berlin", Offsets: []calendar.Offset{{0, 3600}, {1_774_746_000, 7200}}}
	hours := func(name string) []string {
		return [][]string{nil, {"09:00-17:00"}, {"08:00-12:00", "13:00-24:00"}, {"00:00-01:00"}}[rapid.IntRange(0, 3).Draw(t, name)]
	}
	c.Week = calendar.Week{Monday: []string{"09:00-17:00"}, Tuesday: hours("tue"), Wednesday: hours("wed"), Thursday: hours("thu"), Saturday: hours("sat"), Sunday: hours("sun")}
	for day := range rapid.IntRange(0, 5).Draw(t, "holidays") {
		c.Holidays = append(c.Holidays, calendar.Holiday{Date: monday.AddDate(0, 0, 1+3*day).Format(time.DateOnly)})
	}
	return c
}

// anyWorking is a process whose deadlines and wait count working time, and one SLA that stops at the wait.
func anyWorking(t *rapid.T, version int) *Process {
	var stages []Stage
	after := 0
	for range rapid.IntRange(1, 4).Draw(t, "stages") {
		after += rapid.IntRange(1, 300).Draw(t, "minutes")
		stages = append(stages, Stage{After: fmt.Sprintf("%d working minutes", after), Do: DoRemind})
	}
	person := &Processors{Persons: []string{"ann"}}
	p, err := Compile(Definition{Key: "k", Name: "K", Calendar: "office", Calendars: []calendar.Calendar{anyHours(t, version)},
		SLA: []SLA{{Name: "resolve", Until: UntilEnd, Target: "3 working days", Warn: "50 %", Pause: []string{"w"}}},
		Nodes: []Node{
			{ID: "p", Name: "P", Type: Parallel, Join: "j", Branches: []Path{{"c", "c"}, {"w", "w"}}},
			{ID: "c", Name: "C", Type: Task, Action: Confirm, Processors: person, Reject: &Rejection{Then: GoBack, To: "c"}, Deadline: stages, Next: "j"},
			{ID: "w", Name: "W", Type: Wait, For: fmt.Sprintf("%d working minutes", rapid.IntRange(1, 900).Draw(t, "wait")), Next: "x"},
			{ID: "x", Name: "X", Type: Task, Processors: person, Next: "j"},
			{ID: "j", Name: "J", Type: Join, Next: "done"},
			{ID: "done", Name: "Done", Type: End},
		}})
	require.NoError(t, err)
	return p
}

// left is what a test knows of one clock without asking the code: how much working time is left of what it waits for.
type left struct {
	left time.Duration
	runs bool
}

// worked is what is known of the clocks of a ticket that count by a calendar: those of nodes c and w, and of its SLA.
type worked struct {
	*clockwork
	version   int
	used      time.Duration // at c, since it was entered
	c, w, sla *left
}

// stage is what passes until a stage of c, from when that is entered.
func (k *worked) stage(n int) time.Duration { return k.p.nodes["c"].stages[n].after.d }

func (k *worked) hours() *calendar.Hours { return k.p.slas[0].by }

func (k *worked) passes(d time.Duration) {
	if k.pos.Paused() {
		return
	}
	work := k.hours().Between(k.env.Now, k.env.Now.Add(d))
	require.GreaterOrEqual(k.t, work, time.Duration(0))
	k.used += work
	for _, l := range []*left{k.c, k.w, k.sla} {
		if l.runs {
			l.left -= work
		}
	}
}

func (k *worked) suspended() {}

func (k *worked) resumed() {}

func (k *worked) entered(string) { k.used, *k.c = 0, left{k.stage(0), true} }

// target counts by another calendar; a stage that runs keeps what is left of it.
func (k *worked) target() *Process {
	k.version++
	return anyWorking(k.t, k.version)
}

func (k *worked) migrated(Rules) {
	if s := k.find("c"); s.State.Open() && s.Stage >= len(k.p.nodes["c"].stages) {
		k.c.runs = false
	} else if s.State.Open() && !k.c.runs {
		*k.c = left{k.stage(s.Stage) - k.used, true}
	}
	k.sla.left = k.p.slas[0].target.d - k.pos.SLA[0].Used() // a working day may be another length there
	if !k.pos.Paused() {
		require.Equal(k.t, k.version, k.pos.SLA[0].Version)
	}
}

func (k *worked) fired(f Timer) {
	switch {
	case f.Node == "w":
		k.w.runs, k.sla.runs = false, true
	case f.Node == "c" && k.find("c").Stage < len(k.p.nodes["c"].stages):
		k.c.left = k.stage(k.find("c").Stage) - k.used
	case f.Node == "c":
		k.c.runs = false
	}
}

func (k *worked) check() {
	k.t.Helper()
	if k.pos.Paused() {
		return
	}
	for node, l := range map[string]*left{"c": k.c, "w": k.w} {
		if s := k.find(node); l.runs && l.left > 0 {
			*k.compared++
			require.Equal(k.t, l.left, k.hours().Between(k.env.Now, *s.Due), "%s: %+v", node, s)
			require.Equal(k.t, *s.Due, k.hours().Add(k.env.Now, l.left), "%s: %+v", node, s)
		}
	}
	clock := k.pos.SLA[0]
	require.Equal(k.t, k.sla.runs, clock.Since != nil)
	if k.sla.runs && clock.Breached == nil {
		*k.compared++
		require.Equal(k.t, max(0, k.sla.left), max(0, clock.Target-clock.Used()-k.hours().Between(*clock.Since, k.env.Now)), "%+v", clock)
		require.Equal(k.t, max(0, k.sla.left), k.hours().Between(k.env.Now, *clock.Due), "%+v", clock)
	}
}

// TestWorkingTimeLeftIsExact suspends, migrates to other versions of the calendar, rolls over and sends back at random: what is left of a deadline, of a wait and of an SLA is at every
// moment what was asked for less what has been worked by the calendar of the day, to the microsecond; it never grows and is never negative.
func TestWorkingTimeLeftIsExact(t *testing.T) {
	manyClocks(t, func(w *clockwork) {
		w.p = anyWorking(w.t, 1)
		k := &worked{clockwork: w, version: 1, w: &left{w.p.nodes["w"].pause.d, true}, sla: &left{w.p.slas[0].target.d, false}}
		k.c = &left{k.stage(0), true}
		w.do(Start{})
		w.run(k, 20)
	})
}
