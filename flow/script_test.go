package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/calendar"
)

// player runs a process line by line. A line is an input, then " => ", then where the ticket stands afterwards:
//
//	start | stop | suspend | resume
//	due                                     the clock goes to the earliest timer, which fires; late: it fires without that
//	pass 2h                                 the clock goes on
//	called ok | called 500 | called fail    what came of the one pending request; `called ok {"id":7}` gives a body
//	field key=value | named node=a,b        before the ticket comes to it
//	clock                                   tells the time; timers: which run, and until when
//	group g=a,b | manager of=a              what the directory says from now on
//	absent a=b [2h]                         likewise; away a=b [2h] | left a=b   what it says now of people whom the ticket waits for
//	says | status | fields | calls | limits instead of where it stands: the last entries of the process log, …, the pending requests, and their limits
//	<action> [@node] [#round] [by who] [admin] [resend] [for who] [no] [to a,b] [before|beside|after] [back node] [say word] [set key=value;key=value]
//
// Where it stands: every open node as node[who can act], with :state unless people are simply asked; then what became of the ticket.
// A refusal is "refused kind" and then a part of its sentence.
type player struct {
	t      require.TestingT
	p      *Process
	pos    Position
	env    Env
	last   []LogEntry
	ended  *Ending
	status Status
	facts  Facts // what the directory says
}

// look answers what is needed, from what the script has said.
func (pl *player) look(need *Need) Facts {
	found := Facts{Groups: map[string]Group{}, Managers: map[string]string{}}
	for _, id := range need.Groups {
		g, known := pl.facts.Groups[id]
		g.Unknown = !known
		found.Groups[id] = g
	}
	for _, of := range need.Managers {
		found.Managers[of] = pl.facts.Managers[of]
	}
	return found
}

func process(t *testing.T, source string) *Process {
	t.Helper()
	if !strings.Contains(source, "\nnodes:") {
		source = "key: test\nname: Test\nnodes:\n" + source
	}
	reading := Read([]byte(source))
	def, faults := reading.Check(calendarsFor(reading.CalendarsNamed()))
	require.Empty(t, faults, "%s", faults.Error())
	p, err := Compile(def)
	require.NoError(t, err)
	return p
}

func play(t *testing.T, source string) *player {
	return &player{t: t, p: process(t, source), env: newEnv()}
}

// utc has the offsets of UTC, worked out once: that is a look at each day of fifty years.
var utc = calendar.OffsetsOf(time.UTC)

// calendarsFor are those that tests name: office, which works from nine to five and not on 2026-03-05, and shifts, which works until midnight on every day.
func calendarsFor(named []string) []calendar.Calendar {
	if len(named) == 0 {
		return nil
	}
	office, shifts := []string{"09:00-17:00"}, []string{"08:00-24:00"}
	return []calendar.Calendar{
		{Key: "office", Name: "Office", Version: 3, Zone: "UTC", Week: calendar.Week{Monday: office, Tuesday: office, Wednesday: office, Thursday: office, Friday: office},
			Holidays: []calendar.Holiday{{Date: "2026-03-05", Name: "Founders' day"}}, Offsets: utc},
		{Key: "shifts", Name: "Shifts", Version: 1, Zone: "UTC", Week: calendar.Week{Monday: shifts, Tuesday: shifts, Wednesday: shifts, Thursday: shifts, Friday: shifts,
			Saturday: shifts, Sunday: shifts}, Offsets: utc},
	}
}

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newEnv() Env {
	return Env{Rules: RulesNow, Now: monday, Opener: "olga", Fields: map[string]any{}}
}

// inputs are the lines of a script without what they expect.
func inputs(script string) (out []string) {
	for _, line := range strings.Split(script, "\n") {
		input, _, _ := strings.Cut(line, "=>")
		if input = strings.TrimSpace(input); input != "" && !strings.HasPrefix(input, "#") {
			out = append(out, input)
		}
	}
	return out
}

func (pl *player) lines(script string) {
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		input, want, _ := strings.Cut(line, "=>")
		got := pl.do(strings.TrimSpace(input))
		if want = strings.TrimSpace(want); strings.HasPrefix(want, "refused") {
			kind, sentence, _ := strings.Cut(strings.TrimPrefix(want, "refused "), " ")
			require.True(pl.t, strings.HasPrefix(got, "refused "+kind+" ") && strings.Contains(got, sentence), "%s\n got: %s", line, got)
		} else {
			require.Equal(pl.t, want, got, "%s", line)
		}
	}
}

func (pl *player) do(line string) string {
	words := strings.Fields(line)
	switch words[0] {
	case "start":
		return pl.step(Start{})
	case "stop":
		return pl.step(Stop{})
	case "suspend":
		return pl.step(Suspend{})
	case "resume":
		return pl.step(Resume{})
	case "pass":
		d, err := ParseDuration(words[1])
		require.NoError(pl.t, err)
		pl.env.Now = pl.env.Now.Add(d)
		return pl.stands()
	case "due", "late":
		timers := Due(pl.pos)
		require.NotEmpty(pl.t, timers, line)
		if words[0] == "due" && timers[0].At.After(pl.env.Now) {
			pl.env.Now = timers[0].At
		}
		return pl.step(timers[0].Fired())
	case "timers":
		var parts []string
		for _, t := range Due(pl.pos) {
			parts = append(parts, cmp.Or(t.SLA, t.Node)+" "+t.At.Format(time.RFC3339Nano))
		}
		return strings.Join(parts, "; ")
	case "clock":
		return pl.env.Now.Format("Mon 15:04")
	case "field", "named":
		key, value, _ := strings.Cut(strings.TrimPrefix(line, words[0]+" "), "=")
		if words[0] == "field" {
			pl.env.Fields[key] = value
		} else {
			pl.env.Named = map[string][]string{key: strings.Split(value, ",")}
		}
		return pl.stands()
	case "says":
		return pl.says()
	case "group", "manager":
		of, who, _ := strings.Cut(words[1], "=")
		if words[0] == "group" {
			pl.facts = pl.facts.With(Facts{Groups: map[string]Group{of: {Members: list(who)}}})
		} else {
			pl.facts = pl.facts.With(Facts{Managers: map[string]string{of: who}})
		}
		return pl.stands()
	case "absent", "away":
		of, deputy, _ := strings.Cut(words[1], "=")
		d := Standing{For: of, Deputy: deputy}
		if len(words) > 2 {
			for_, err := ParseDuration(words[2])
			require.NoError(pl.t, err)
			d.Until = pl.env.Now.Add(for_)
		}
		if words[0] == "absent" {
			pl.env.Facts = pl.env.Facts.With(Facts{Standings: map[string]Standing{of: d}})
			return pl.stands()
		}
		return pl.step(Presence{Persons: []string{of}, Standings: []Standing{d}})
	case "left":
		from, to, _ := strings.Cut(words[1], "=")
		return pl.step(Presence{Persons: []string{from}, Left: []Succession{{From: from, To: to}}})
	case "status":
		return string(pl.status)
	case "fields":
		raw, _ := json.Marshal(pl.env.Fields)
		return string(raw)
	case "calls":
		var parts []string
		for _, o := range pl.p.Calls(pl.pos, pl.env) {
			parts = append(parts, strings.TrimSpace(o.Method+" "+o.URL+" "+o.Body+" "+o.Problem))
		}
		return strings.Join(parts, "; ")
	case "limits":
		var parts []string
		for _, o := range pl.p.Calls(pl.pos, pl.env) {
			parts = append(parts, fmt.Sprint(o.Timeout, o.Attempts, o.Interval, o.Coefficient))
		}
		return strings.Join(parts, "; ")
	case "called":
		pending := pl.p.Calls(pl.pos, pl.env)
		require.Len(pl.t, pending, 1, line)
		return pl.step(answer(pending[0], words[1:]))
	}
	return pl.step(act(words))
}

func answer(call PendingCall, words []string) Called {
	c := Called{Key: call.Key, Node: call.Node, Round: call.Round, Try: call.Try}
	switch words[0] {
	case "fail":
		c.Error = "connection refused"
	case "ok":
		c.Status, c.Body = 200, strings.Join(words[1:], " ")
	default:
		fmt.Sscan(words[0], &c.Status)
	}
	return c
}

func act(words []string) Act {
	a := Act{Action: Action(words[0])}
	if a.Action == Confirm {
		a.Pass = true
	}
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case strings.HasPrefix(w, "@"):
			a.Node = w[1:]
		case strings.HasPrefix(w, "#"):
			fmt.Sscan(w[1:], &a.Round)
		case w == "admin":
			a.Admin = true
		case w == "resend":
			a.Resend = true
		case w == "no":
			a.Pass = false
		case w == "before" || w == "after" || w == "beside":
			a.Place = Place(w)
		default:
			i++
			switch w {
			case "by":
				a.Actor = words[i]
			case "for":
				a.OnBehalf = words[i]
			case "back":
				a.To = words[i]
			case "to":
				a.Targets = strings.Split(words[i], ",")
			case "say":
				a.Comment = words[i]
			case "set":
				a.Fields = map[string]any{}
				for _, pair := range strings.Split(words[i], ";") {
					key, value, _ := strings.Cut(pair, "=")
					a.Fields[key] = value
				}
			}
		}
	}
	return a
}

func (pl *player) step(in Input) string {
	out, err := informed(pl.t, pl.p, pl.pos, pl.env, in, pl.look)
	if err != nil {
		r := err.(*Error)
		return fmt.Sprintf("refused %s %s: %s", r.Code, r.Field, r.Message)
	}
	pl.pos = ApplySLA(Apply(pl.pos, out.States), out.SLA)
	pl.last = out.ProcessLog
	maps.Copy(pl.env.Fields, out.Fields)
	if out.Status != "" {
		pl.status = out.Status
	}
	if out.Assignee != nil {
		pl.env.Assignee = *out.Assignee
	}
	if _, again := in.(Start); again {
		pl.ended = nil
	}
	if out.Ending != nil {
		pl.ended = out.Ending
	}
	return pl.stands()
}

func (pl *player) stands() string {
	var parts []string
	for _, a := range pl.p.Waiting(pl.pos) {
		s, _ := pl.pos.Find(a.Node)
		part := a.Node
		if a.State != Active {
			part += ":" + string(a.State)
		}
		if a.Type == Join {
			part += "(" + strings.Join(s.Met, " ") + ")"
		}
		if a.Anyone {
			part += "[" + strings.Join(append([]string{"anyone"}, a.Pending...), " ") + "]"
		} else if len(a.Actions) > 0 {
			part += "[" + strings.Join(a.Pending, " ") + "]"
		}
		parts = append(parts, part)
	}
	if pl.ended != nil {
		approved := map[bool]string{true: "approved", false: "refused"}[pl.ended.ApproveResult]
		parts = append(parts, string(pl.ended.Status)+" "+approved)
	}
	return strings.Join(parts, " ")
}

// says lists the process log of the last step: kind(node who>to pass).
func (pl *player) says() string {
	var out []string
	for _, h := range pl.last {
		parts := []string{h.Node}
		if h.Who != "" {
			parts = append(parts, h.Who)
		}
		if len(h.To) > 0 {
			parts = append(parts, ">"+strings.Join(h.To, ","))
		}
		if h.Pass != nil {
			parts = append(parts, fmt.Sprint(*h.Pass))
		}
		if h.For != "" {
			parts = append(parts, "for "+h.For)
		}
		if h.Kind == SLAWarned || h.Kind == SLABreached {
			parts = []string{h.Note}
		}
		out = append(out, h.Kind+"("+strings.Join(parts, " ")+")")
	}
	return strings.Join(out, " ")
}
