package flow

import (
	"encoding/json"
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

// TestWorkingTimeLeftIsExact suspends, migrates to other versions of the calendar, rolls over and sends back at random: what is left of a deadline, of a wait and of an SLA is at every
// moment what was asked for less what has been worked by the calendar of the day, to the microsecond; it never grows and is never negative.
func TestWorkingTimeLeftIsExact(t *testing.T) {
	compared, fired, migrated := 0, 0, 0
	property := func(t *rapid.T) {
		version := 1
		p, pos := anyWorking(t, version), Position{}
		env := Env{Now: monday, Rules: RulesNow}
		hours := func() *calendar.Hours { return p.slas[0].by }
		do := func(in Input) {
			t.Helper()
			out, err := p.Step(pos, env, in)
			require.NoError(t, err)
			pos = ApplySLA(Apply(pos, out.States), out.SLA)
		}
		find := func(node string) NodeState {
			s, _ := pos.Find(node)
			return s
		}
		do(Start{})
		var used time.Duration // at c, since it was entered
		c, w, sla := &left{p.nodes["c"].stages[0].after.d, true}, &left{p.nodes["w"].pause.d, true}, &left{p.slas[0].target.d, false}
		pass := func(d time.Duration) {
			next := env.Now.Add(d)
			if !pos.Paused() {
				worked := hours().Between(env.Now, next)
				used += worked
				for _, l := range []*left{c, w, sla} {
					if l.runs {
						require.GreaterOrEqual(t, worked, time.Duration(0))
						l.left -= worked
					}
				}
			}
			env.Now = next
		}
		check := func() {
			t.Helper()
			if pos.Paused() {
				return
			}
			for node, l := range map[string]*left{"c": c, "w": w} {
				s := find(node)
				if l.runs && l.left > 0 {
					compared++
					require.Equal(t, l.left, hours().Between(env.Now, *s.Due), "%s: %+v", node, s)
					require.Equal(t, *s.Due, hours().Add(env.Now, l.left), "%s: %+v", node, s)
				}
			}
			clock := pos.SLA[0]
			require.Equal(t, sla.runs, clock.Since != nil)
			if sla.runs && clock.Breached == nil {
				compared++
				require.Equal(t, max(0, sla.left), max(0, clock.Target-clock.Used()-hours().Between(*clock.Since, env.Now)), "%+v", clock)
				require.Equal(t, max(0, sla.left), hours().Between(env.Now, *clock.Due), "%+v", clock)
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			pass(time.Duration(rapid.Int64Range(0, 20*3_600_000_000).Draw(t, "pass")) * time.Microsecond)
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1:
				if pos.Paused() {
					do(Resume{})
				} else {
					do(Suspend{})
				}
			case 2: // to a version that counts by another calendar; a stage that runs keeps what is left of it
				migrated++
				version++
				target := anyWorking(t, version)
				moved, reasons := Migrate(p, target, pos, nil, RulesNow, RulesNow, env.Now)
				require.Empty(t, reasons)
				p, pos = target, moved
				do(Moved{})
				if s := find("c"); s.State.Open() && s.Stage >= len(p.nodes["c"].stages) {
					c.runs = false
				} else if s.State.Open() && !c.runs {
					*c = left{p.nodes["c"].stages[s.Stage].after.d - used, true}
				}
				sla.left = p.slas[0].target.d - pos.SLA[0].Used() // a working day may be another length there
				if !pos.Paused() {
					require.Equal(t, version, pos.SLA[0].Version)
				}
			case 3: // a roll-over
				raw, err := json.Marshal(pos)
				require.NoError(t, err)
				pos = Position{}
				require.NoError(t, json.Unmarshal(raw, &pos))
			case 4:
				if !pos.Paused() {
					do(Act{Action: Confirm, Node: "c", Actor: "ann"})
					used, *c = 0, left{p.nodes["c"].stages[0].after.d, true}
				}
			default:
				for timers := Due(pos); len(timers) > 0 && !timers[0].At.After(env.Now); timers = Due(pos) {
					fired++
					f := timers[0]
					do(f.Fired())
					switch {
					case f.Node == "w":
						w.runs, sla.runs = false, true
					case f.Node == "c" && find("c").Stage < len(p.nodes["c"].stages):
						c.left = p.nodes["c"].stages[find("c").Stage].after.d - used
					case f.Node == "c":
						c.runs = false
					}
				}
			}
			check()
		}
	}
	for range 5 {
		rapid.Check(t, property)
	}
	t.Logf("%d clocks compared, %d timers fired, %d migrations", compared, fired, migrated)
	require.Greater(t, compared, 1000)
	require.Greater(t, fired, 100)
	require.Greater(t, migrated, 100)
}
