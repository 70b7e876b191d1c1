package ticket

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/flow"
)

// Script says what people and called systems do in a simulation.
type Script struct {
	Answers []ScriptedAct  `json:"answers,omitempty"`
	Calls   []ScriptedCall `json:"calls,omitempty"`
	// Groups and Managers are what the directory says: who is in a group, and who is somebody's manager. A group that is not there is not known.
	Groups   map[string][]string `json:"groups,omitempty"`
	Managers map[string]string   `json:"managers,omitempty"`
	// Absences say who is away, and who stands in. Of several of one person at a time the first counts.
	Absences []ScriptedAbsence `json:"absences,omitempty"`
}

// ScriptedAbsence says that somebody is away, and who stands in.
type ScriptedAbsence struct {
	Person string `json:"person"`
	Deputy string `json:"deputy,omitempty"` // nobody unless said
	After  string `json:"after,omitempty"`  // a duration since the opening; from before that on unless said
	For    string `json:"for,omitempty"`    // a duration; for ever unless said
}

// facts answers what has to be known about people.
func (s Script) facts(need *flow.Need) flow.Facts {
	found := flow.Facts{Groups: map[string]flow.Group{}, Managers: map[string]string{}}
	for _, id := range need.Groups {
		members, known := s.Groups[id]
		found.Groups[id] = flow.Group{Unknown: !known, Members: distinct(members)}
	}
	for _, of := range need.Managers {
		found.Managers[of] = s.Managers[of]
	}
	return found
}

// ScriptedAct is one act: at a node, so long after that was entered, or on the ticket as a whole, so long after the opening. Those at one node are
// taken in the order of the script, and what is left of them when the node is over waits for the ticket to come back. One that names a round waits
// for the node to be entered that many times.
type ScriptedAct struct {
	After string `json:"after,omitempty"` // a duration; at once unless said
	flow.Act
	Solution *Solution `json:"solution,omitempty"` // what commit-solution hands in
}

// ScriptedCall is what one attempt at a request of a node comes to, so long after it was made. The attempts at a node's requests take the entries for
// that node in the order of the script. A fault that is worth another attempt, and has no entry after it, stands for the attempts that are left as
// well. An attempt without an entry is answered with 200 and {}. One that is broken off, because the ticket is suspended or has left the node, leaves its
// entry to the next.
type ScriptedCall struct {
	Node    string            `json:"node"`
	After   string            `json:"after,omitempty"`
	Error   string            `json:"error,omitempty"` // no answer at all: why
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"` // names in any case
	Body    string            `json:"body,omitempty"`
}

// wholeTicket are the actions that a script may have without a node: on the ticket as a whole.
var wholeTicket = []Action{Suspend, Unsuspend, Withdraw, Terminate, Close}

// Simulation is what a script came to.
type Simulation struct {
	Path          []TimedEntry       `json:"path"`              // everything that happened in the process, in order
	Notifications []TimedEntry       `json:"notifications"`     // of that, what somebody would be told: To
	Timers        []flow.Timer       `json:"timers"`            // those that fired, in order
	Calls         []flow.PendingCall `json:"calls"`             // the requests that would be made, in order
	Refused       []Mistake          `json:"refused,omitempty"` // answers that were not taken
	Unused        []int              `json:"unused,omitempty"`  // answers that never had their turn, by index
	Rests         []flow.Asked       `json:"rests,omitempty"`   // where the ticket stands when nothing more happens
	Endless       bool               `json:"endless,omitempty"` // it was cut off after MaxSimulated
	AtOnce        []time.Time        `json:"at_once,omitempty"` // when several things happened at the same moment: on a ticket they come in any order
	Ending        *flow.Ending       `json:"ending,omitempty"`  // how it ended, if it did
	Status        Status             `json:"status"`            // of the ticket at last
	Suspended     bool               `json:"suspended,omitempty"`
	Assignee      string             `json:"assignee,omitempty"`
	Fields        flow.Values        `json:"fields,omitempty"`
	Position      flow.Position      `json:"position"`
	Began         time.Time          `json:"began"`
	Until         time.Time          `json:"until"` // when the last thing happened
	// Events are those of the ticket, the opening first; what follows from them is for the caller to work out. The operation of one that an answer led
	// to is answers[n].
	Events []Event `json:"-"`
	Stands Ticket  `json:"-"` // the ticket at last
	// Of one that was stopped: when something more would happen by itself, nil where nothing would; and the attempts at requests that the script says nothing of.
	Ahead *time.Time `json:"-"`
	Open  []Attempt  `json:"-"`
}

// Attempt is an attempt at a request that is under way.
type Attempt struct {
	flow.PendingCall
	Number int       // from 1
	At     time.Time // when it was made
}

// TimedEntry is an entry of the process log and the time it was written.
type TimedEntry struct {
	At time.Time `json:"at"`
	flow.LogEntry
}

// Mistake is an answer of the script that was refused.
type Mistake struct {
	At     time.Time `json:"at"`
	Answer int       `json:"answer"` // its index; -1: a timer or what a request came to, which is not tried again here
	Why    string    `json:"why"`
}

// MaxSimulated bounds how many things happen in a simulation: a process may poll for ever.
const MaxSimulated = 2_000

// Simulate opens a ticket and plays it through with a clock of its own and no effects, from that moment until nothing more happens. Every step is
// decided by the rules that decide for tickets: what they refuse is refused here, in the same words. The error is an *Error that names what is wrong
// with the draft, as opening it would, with the moment: start, or with the script: script.answers[0].after. No clock goes beyond the year 9999.
func Simulate(d Draft, s Script, at time.Time) (Simulation, error) {
	return simulate(d, s, at, nil)
}

// SimulateFor is Simulate for some time since the opening alone: what would happen later does not. An attempt at a request without an entry in the script is not answered,
// so that whoever plays a process through says it step by step.
func SimulateFor(d Draft, s Script, at time.Time, lasts time.Duration) (Simulation, error) {
	return simulate(d, s, at, &lasts)
}

func simulate(d Draft, s Script, at time.Time, lasts *time.Duration) (Simulation, error) {
	sim := &simulation{script: s, stepwise: lasts != nil, used: make([]bool, len(s.Answers)), usedCalls: make([]bool, len(s.Calls)), stuck: map[flow.Fired]bool{}}
	var f Faults
	f.year("start", &at)
	if err := cmp.Or(f.Err(), sim.read()); err != nil {
		return Simulation{}, err
	}
	checked, err := d.Check()
	if err != nil {
		return Simulation{}, err
	}
	for need := checked.Needs(at); need != nil; need = checked.Needs(at) {
		checked.draft.Facts = checked.draft.Facts.With(s.facts(need))
	}
	events, err := checked.Open(Identity{}, "", at)
	if err != nil {
		return Simulation{}, err
	}
	sim.now = events[0].At
	sim.report.Began = sim.now
	sim.keep(events)
	sim.ticket.process = checked.process
	for range MaxSimulated {
		sim.attend()
		sim.request()
		next, more := sim.next()
		if next.do == nil {
			return sim.finish(), nil
		}
		if lasts != nil && next.at.After(sim.report.Began.Add(*lasts)) {
			sim.report.Ahead = &next.at
			return sim.finish(), nil
		}
		if more || next.act && next.at.Equal(sim.now) && sim.now.After(sim.report.Began) {
			sim.report.AtOnce = append(sim.report.AtOnce, next.at)
		}
		sim.now = next.at
		next.do()
	}
	sim.report.Endless = true
	return sim.finish(), nil
}

type simulation struct {
	ticket    Ticket
	now       time.Time
	script    Script
	stepwise  bool      // an attempt that has no entry is left open
	absences  []absence // those of the script
	after     []time.Duration
	callAfter []time.Duration
	used      []bool
	usedCalls []bool
	requests  []*request          // under way, in the order in which they were made
	stuck     map[flow.Fired]bool // timers that could not be decided
	report    Simulation
}

// request is a request that the process waits for.
type request struct {
	call  flow.PendingCall
	made  int       // attempts
	entry int       // of the script that the last attempt comes to; -1: none
	took  bool      // that attempt is the first to come to it
	at    time.Time // when it does; zero between two attempts
	open  bool      // nobody has said what that attempt comes to; then at is when it was made

	left  time.Duration // between two attempts: what is left of the pause, as of since
	since time.Time     // zero while the ticket is suspended
}

// read checks the script.
func (s *simulation) read() error {
	after := func(text, field string) (time.Duration, error) {
		if text == "" {
			return 0, nil
		}
		d, err := flow.ParseDuration(text)
		if err != nil {
			return 0, RefuseField(Invalid, field, err.Error())
		}
		return d, nil
	}
	for i, a := range s.script.Absences {
		at := fmt.Sprintf("script.absences[%d].", i)
		from, err := after(a.After, at+"after")
		if err != nil {
			return err
		}
		lasts, err := after(a.For, at+"for")
		if err != nil {
			return err
		}
		if a.Person == "" {
			return RefuseField(Invalid, at+"person", "is required")
		}
		s.absences = append(s.absences, absence{a.Person, a.Deputy, from, lasts})
	}
	for i, a := range s.script.Answers {
		at := fmt.Sprintf("script.answers[%d].", i)
		if a.Node == "" && !slices.Contains(wholeTicket, Action(a.Action)) {
			return RefuseField(Invalid, at+"node", "is required")
		}
		d, err := after(a.After, at+"after")
		if err != nil {
			return err
		}
		s.after = append(s.after, d)
	}
	for i, c := range s.script.Calls {
		d, err := after(c.After, fmt.Sprintf("script.calls[%d].after", i))
		if err != nil {
			return err
		}
		s.callAfter = append(s.callAfter, d)
	}
	return nil
}

// turn is something that is going to happen.
type turn struct {
	at  time.Time
	act bool
	do  func()
}

// next finds what happens first: an act, the outcome of an attempt at a request, or a timer, in this order where they happen at the same moment. more
// tells that they do.
func (s *simulation) next() (first turn, more bool) {
	if s.ticket.Ended() {
		return turn{}, false
	}
	could := func(t turn) {
		if t.at = flow.Nearest(t.at); t.at.Before(s.now) {
			t.at = s.now
		}
		switch {
		case first.do == nil || t.at.Before(first.at):
			first, more = t, false
		case t.at.Equal(first.at):
			more = true
		}
	}
	asks := len(s.absences) > 0 && len(s.ticket.Position.Asks()) > 0
	for _, a := range s.absences {
		if begins := s.since(a.from); begins.After(s.now) && asks {
			could(turn{begins, false, func() {}}) // the ticket is told before what comes next
		}
	}
	seen := map[string]bool{}
	for i, a := range s.script.Answers {
		from := s.report.Began
		if s.used[i] || seen[a.Node] {
			continue
		}
		if a.Node != "" {
			state, _ := s.ticket.Position.Find(a.Node)
			if !state.State.Open() || a.Round != 0 && a.Round != state.Round {
				continue
			}
			from = state.Entered
		}
		seen[a.Node] = true
		could(turn{from.Add(s.after[i]), true, func() { s.answer(i) }})
	}
	for _, r := range s.requests {
		switch {
		case r.open:
		case !r.at.IsZero():
			could(turn{r.at, false, func() { s.answered(r) }})
		case !r.since.IsZero():
			could(turn{r.since.Add(r.left), false, func() { s.attempt(r) }})
		}
	}
	for _, t := range s.ticket.Timers() {
		fired := t.Fired()
		if s.stuck[fired] {
			continue
		}
		could(turn{t.At, false, func() {
			s.report.Timers = append(s.report.Timers, t)
			s.stuck[fired] = !s.system(Command{Action: Fire, Fired: &fired})
		}})
		break // timers of one moment have an order
	}
	return first, more
}

// since gives the moment at which so much time has passed since the opening.
func (s *simulation) since(d time.Duration) time.Time { return flow.Nearest(s.report.Began.Add(d)) }

// absence is one of the script, as times since the opening.
type absence struct {
	person, deputy string
	from, lasts    time.Duration
}

// attend tells the ticket who is absent, as the directory would at once.
func (s *simulation) attend() {
	if len(s.absences) == 0 || s.ticket.Ended() || s.ticket.Suspended {
		return
	}
	p := flow.Presence{Persons: s.ticket.Position.Asks()}
	for _, who := range p.Persons {
		if d, absent := s.standing(who); absent {
			p.Standings = append(p.Standings, d)
		}
	}
	s.system(Command{Action: Attend, Presence: &p})
}

// standing gives who stands in for somebody now: where the deputy is absent as well, that one's deputy, and nobody where this leads back.
func (s *simulation) standing(who string) (d flow.Standing, absent bool) {
	d.For, d.Deputy = who, who
	for seen := map[string]bool{}; !seen[d.Deputy]; {
		i := slices.IndexFunc(s.absences, func(a absence) bool {
			begins := s.since(a.from)
			return a.person == d.Deputy && !s.now.Before(begins) && (a.lasts == 0 || s.now.Before(begins.Add(a.lasts)))
		})
		if i < 0 {
			return d, d.Deputy != who
		}
		a := s.absences[i]
		if ends := s.since(a.from + a.lasts); a.lasts != 0 && (d.Until.IsZero() || ends.Before(d.Until)) {
			d.Until = ends
		}
		if seen[d.Deputy] = true; a.deputy == "" {
			return d, false
		}
		d.Deputy = a.deputy
	}
	return d, false
}

// answer has somebody act as the script says.
func (s *simulation) answer(i int) {
	s.used[i] = true
	c := s.script.Answers[i].command()
	c.Operation = fmt.Sprintf("answers[%d]", i)
	if _, err := s.decide(c); err != nil {
		s.report.Refused = append(s.report.Refused, Mistake{s.now, i, err.Error()})
	}
}

// command is what a family makes of such an act.
func (a ScriptedAct) command() Command {
	c := Command{Action: Action(a.Action), Operator: a.Actor, Channel: ChannelIssue, App: string(ChannelIssue), Admin: a.Admin, Node: a.Node, Round: a.Round,
		Note: a.Comment, Solution: a.Solution, Targets: a.Targets, OnBehalf: a.OnBehalf, Fields: a.Fields, Resend: a.Resend, Place: a.Place, To: a.To}
	if c.Action == Confirm {
		c.Note, c.Verdict = "", &Verdict{Passed: a.Pass, Comment: a.Comment}
	}
	return c
}

// request makes the requests that have become pending, and gives up those that nobody waits for any more. An attempt that is under way when the ticket is
// suspended is broken off and made again when it is resumed; before the next one no time passes.
func (s *simulation) request() {
	for _, r := range s.requests {
		if s.ticket.Suspended || !s.ticket.Awaits(r.call.Key) {
			s.breakOff(r)
		}
	}
	s.requests = slices.DeleteFunc(s.requests, func(r *request) bool { return !s.ticket.Awaits(r.call.Key) })
	for _, r := range s.requests {
		switch {
		case !r.at.IsZero():
		case s.ticket.Suspended && !r.since.IsZero():
			r.left, r.since = max(0, r.left-s.now.Sub(r.since)), time.Time{}
		case !s.ticket.Suspended && r.since.IsZero():
			r.since = s.now
		}
	}
	for _, call := range s.ticket.Calls(s.now) {
		if slices.ContainsFunc(s.requests, func(r *request) bool { return r.call.Key == call.Key }) {
			continue
		}
		s.report.Calls = append(s.report.Calls, call)
		r := &request{call: call, entry: -1, at: s.now}
		if call.Problem == "" {
			s.attempt(r)
		}
		s.requests = append(s.requests, r)
	}
}

// breakOff gives the attempt back that is under way at a request, if one is.
func (s *simulation) breakOff(r *request) {
	if r.made == 0 || r.at.IsZero() {
		return
	}
	r.made--
	r.at, r.open, r.left, r.since = time.Time{}, false, 0, s.now
	if r.took {
		s.usedCalls[r.entry], r.entry, r.took = false, -1, false
	}
}

// attempt makes the next attempt at a request.
func (s *simulation) attempt(r *request) {
	r.made++
	r.took = false
	for i, c := range s.script.Calls {
		if c.Node == r.call.Node && !s.usedCalls[i] {
			s.usedCalls[i] = true
			r.entry, r.took = i, true
			break
		}
	}
	r.at = s.now
	switch {
	case s.stepwise && !r.took:
		r.entry, r.open = -1, true
	case r.entry >= 0:
		r.at = s.now.Add(s.callAfter[r.entry])
	}
}

// answered decides what an attempt came to, or has another one made.
func (s *simulation) answered(r *request) {
	called := flow.Called{Key: r.call.Key, Error: r.call.Problem, Status: 200, Body: "{}"}
	if r.entry >= 0 {
		c := s.script.Calls[r.entry]
		called.Error, called.Status, called.Body = c.Error, c.Status, c.Body
		called.Headers = map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
			called.Headers[strings.ToLower(name)] = c.Headers[name]
		}
		if called.Error == "" {
			called.Error = flow.TryAgain(c.Status)
		}
		if called.Error != "" && r.made < r.call.Attempts {
			r.at, r.left, r.since = time.Time{}, r.call.Pause(r.made), s.now
			return
		}
	}
	if called.Error != "" {
		called.Status, called.Headers, called.Body = 0, nil, ""
	}
	s.requests = slices.DeleteFunc(s.requests, func(other *request) bool { return other == r })
	s.system(Command{Action: Answer, Called: &called})
}

// system decides what the workflow itself brings in. It reports whether that changed anything.
func (s *simulation) system(c Command) bool {
	c.Channel, c.App = ChannelSystem, string(ChannelSystem)
	changed, err := s.decide(c)
	if err != nil {
		s.report.Refused = append(s.report.Refused, Mistake{s.now, -1, err.Error()})
	}
	return changed
}

func (s *simulation) decide(c Command) (changed bool, err error) {
	events, err := DecideNew(s.ticket, c, s.now)
	var need *flow.Need
	for errors.As(err, &need) {
		c = c.Informed(s.script.facts(need))
		events, err = DecideNew(s.ticket, c, s.now)
	}
	s.keep(events)
	return len(events) > 0, err
}

// keep folds what was decided, and keeps what came of it.
func (s *simulation) keep(events []Event) {
	s.ticket = Fold(s.ticket, events)
	s.report.Events = append(s.report.Events, events...)
	for _, e := range events {
		for _, h := range e.ProcessLog {
			m := TimedEntry{e.At, h}
			s.report.Path = append(s.report.Path, m)
			if h.Notifies() {
				s.report.Notifications = append(s.report.Notifications, m)
			}
		}
	}
}

func (s *simulation) finish() Simulation {
	r, t := s.report, s.ticket
	for i, used := range s.used {
		if !used {
			r.Unused = append(r.Unused, i)
		}
	}
	if t.Ended() {
		r.Ending = &flow.Ending{Status: flow.Status(t.Status), ApproveResult: t.Approved(), Why: r.Events[len(r.Events)-1].Why}
	} else if process, err := t.Process(); err == nil {
		r.Rests = process.Waiting(t.Position)
	}
	for _, open := range s.requests {
		if open.open {
			r.Open = append(r.Open, Attempt{open.call, open.made, open.at})
		}
	}
	r.Stands = t
	r.Status, r.Suspended, r.Assignee, r.Fields, r.Position, r.Until = t.Status, t.Suspended, t.Assignee, t.Fields, t.Position, s.now
	return r
}
