package flow

import (
	"fmt"
	"maps"
	"time"
)

// Script says what people and called systems do in a simulation.
type Script struct {
	Answers []Answer     `json:"answers,omitempty"`
	Calls   []CallAnswer `json:"calls,omitempty"`
}

// Answer is one act, so long after its node was entered. The answers at one node are taken in the order of the script, and what is left of
// them when the node is over waits for the ticket to come back.
type Answer struct {
	After string `json:"after,omitempty"` // a duration; at once unless said
	Round int    `json:"round,omitempty"` // only when the node was entered that many times; any unless said
	Act
}

// CallAnswer is what a request comes to, so long after it is due. A request without one is answered with 200 and {}.
type CallAnswer struct {
	Node   string `json:"node"`
	After  string `json:"after,omitempty"`
	Error  string `json:"error,omitempty"`
	Status int    `json:"status,omitempty"`
	Body   string `json:"body,omitempty"`
}

// Report is what a simulation came to.
type Report struct {
	Path          []TimedEntry   `json:"path"`               // everything that happened, in order
	Notifications []TimedEntry   `json:"notifications"`      // of that, what somebody would be told: To
	Timers        []Timer        `json:"timers"`             // those that fired, in order
	Calls         []PendingCall  `json:"calls"`              // the requests that would be made
	Refused       []Mistake      `json:"refused,omitempty"`  // answers that were not taken
	Unused        []int          `json:"unused,omitempty"`   // answers that never had their turn, by index
	Rests         []Asked        `json:"rests,omitempty"`    // where the ticket stands when nothing more happens
	Endless       bool           `json:"endless,omitempty"`  // it was cut off after MaxInputs
	Ending        *Ending        `json:"ending,omitempty"`   // how it ended, if it did
	Status        Status         `json:"status,omitempty"`   // the last that a node gave the ticket
	Assignee      string         `json:"assignee,omitempty"` //
	Fields        map[string]any `json:"fields,omitempty"`   //
	Position      Position       `json:"position"`           //
	Began         time.Time      `json:"began"`              //
	Until         time.Time      `json:"until"`              // when the last thing happened
	Steps         []Taken        `json:"-"`                  // what each step changed, for those who work out what follows from it
}

// Taken is a step of a simulation and its time.
type Taken struct {
	At time.Time
	Outcome
}

// TimedEntry is an entry of the process log and the time it was written.
type TimedEntry struct {
	At time.Time `json:"at"`
	LogEntry
}

// Mistake is an answer of the script that was refused.
type Mistake struct {
	At     time.Time `json:"at"`
	Answer int       `json:"answer"` // its index; -1: a step that should never be refused
	Why    string    `json:"why"`
}

// MaxInputs bounds how many inputs a simulation takes: a process may poll for ever.
const MaxInputs = 2_000

// Simulate runs the process with a clock of its own and no effects, by the very Step that runs tickets: from env.Now until nothing more
// happens. The error is a *Error that names what is wrong with the script.
func (p *Process) Simulate(env Env, script Script) (Report, error) {
	s := &simulation{p: p, env: env, script: script, used: make([]bool, len(script.Answers)), usedCalls: make([]bool, len(script.Calls))}
	if err := s.durations(); err != nil {
		return Report{}, err
	}
	s.env.Rules = RulesNow
	s.env.Fields = maps.Clone(env.Fields)
	if s.env.Fields == nil {
		s.env.Fields = map[string]any{}
	}
	s.env.Now = env.Now.UTC().Truncate(time.Microsecond)
	s.report.Began = s.env.Now
	if err := s.take(Start{}); err != nil {
		return Report{}, err
	}
	for range MaxInputs {
		at, next := s.next()
		if next == nil {
			return s.finish(), nil
		}
		if at.After(s.env.Now) {
			s.env.Now = at
		}
		next()
	}
	s.report.Endless = true
	return s.finish(), nil
}

type simulation struct {
	p         *Process
	env       Env
	pos       Position
	script    Script
	after     []time.Duration
	callAfter []time.Duration
	used      []bool
	usedCalls []bool
	report    Report
}

func (s *simulation) durations() error {
	read := func(text, field string) (time.Duration, error) {
		if text == "" {
			return 0, nil
		}
		d, err := ParseDuration(text)
		if err != nil {
			return 0, refuse(Invalid, field, "%s", err)
		}
		return d, nil
	}
	for i, a := range s.script.Answers {
		if a.Node == "" {
			return refuse(Invalid, fmt.Sprintf("answers[%d].node", i), "is required")
		}
		d, err := read(a.After, fmt.Sprintf("answers[%d].after", i))
		if err != nil {
			return err
		}
		s.after = append(s.after, d)
	}
	for i, c := range s.script.Calls {
		d, err := read(c.After, fmt.Sprintf("calls[%d].after", i))
		if err != nil {
			return err
		}
		s.callAfter = append(s.callAfter, d)
	}
	return nil
}

// next finds what happens first: an act, the answer to a call, or a timer, in this order where they happen at the same time.
func (s *simulation) next() (at time.Time, do func()) {
	earlier := func(t time.Time, f func()) {
		if do == nil || t.Before(at) {
			at, do = t, f
		}
	}
	seen := map[string]bool{}
	for i, a := range s.script.Answers {
		state, _ := s.pos.Find(a.Node)
		if s.used[i] || seen[a.Node] || !state.State.Open() || a.Round != 0 && a.Round != state.Round {
			continue
		}
		seen[a.Node] = true
		earlier(state.Entered.Add(s.after[i]), func() { s.answer(i) })
	}
	for _, state := range s.pos.Nodes {
		if !s.p.calling(state) {
			continue
		}
		i, after := s.callAnswer(state.Node)
		earlier(state.Entered.Add(after), func() { s.called(state, i) })
	}
	if due := Due(s.pos); len(due) > 0 {
		t := due[0]
		earlier(t.At, func() {
			s.report.Timers = append(s.report.Timers, t)
			s.must(Fired{t.Node, t.Round, t.Stage})
		})
	}
	return at, do
}

// callAnswer finds what the script says about a request; -1 when nothing.
func (s *simulation) callAnswer(node string) (int, time.Duration) {
	for i, c := range s.script.Calls {
		if c.Node == node && !s.usedCalls[i] {
			return i, s.callAfter[i]
		}
	}
	return -1, 0
}

func (s *simulation) answer(i int) {
	s.used[i] = true
	if err := s.take(s.script.Answers[i].Act); err != nil {
		s.report.Refused = append(s.report.Refused, Mistake{s.env.Now, i, err.Error()})
	}
}

func (s *simulation) called(state NodeState, i int) {
	call := (&run{p: s.p, pos: s.pos, env: s.env}).pendingCall(state)
	s.report.Calls = append(s.report.Calls, call)
	c := CallAnswer{Status: 200, Body: "{}"}
	if i >= 0 {
		s.usedCalls[i] = true
		c = s.script.Calls[i]
	}
	if call.Problem != "" {
		c = CallAnswer{Error: call.Problem}
	}
	s.must(Called{Node: call.Node, Round: call.Round, Try: call.Try, Error: c.Error, Status: c.Status, Body: c.Body})
}

// must takes what no process refuses: what a timer or a call says.
func (s *simulation) must(in Input) {
	if err := s.take(in); err != nil {
		s.report.Refused = append(s.report.Refused, Mistake{s.env.Now, -1, err.Error()})
	}
}

// take makes one step and keeps what came of it.
func (s *simulation) take(in Input) error {
	out, err := s.p.Step(s.pos, s.env, in)
	if err != nil {
		return err
	}
	s.pos = Apply(s.pos, out.States)
	maps.Copy(s.env.Fields, out.Fields)
	if out.Assignee != nil {
		s.env.Assignee = *out.Assignee
	}
	if out.Status != "" {
		s.report.Status = out.Status
	}
	if out.Ending != nil {
		s.report.Ending = out.Ending
	}
	s.report.Steps = append(s.report.Steps, Taken{s.env.Now, out})
	for _, h := range out.ProcessLog {
		m := TimedEntry{s.env.Now, h}
		s.report.Path = append(s.report.Path, m)
		if h.notifies() {
			s.report.Notifications = append(s.report.Notifications, m)
		}
	}
	return nil
}

// notifies reports whether the people in To are to be notified: somebody asks them for something.
func (h LogEntry) notifies() bool { return len(h.To) > 0 && h.Kind != WentBack }

func (s *simulation) finish() Report {
	r := s.report
	for i, used := range s.used {
		if !used {
			r.Unused = append(r.Unused, i)
		}
	}
	r.Rests, r.Position, r.Fields = s.p.Waiting(s.pos), s.pos, s.env.Fields
	r.Assignee, r.Until = s.env.Assignee, s.env.Now
	return r
}
