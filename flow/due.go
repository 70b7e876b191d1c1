package flow

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Timer is a moment at which the process wants to be told, with Fired, that it has come.
type Timer struct {
	Node  string    `json:"node,omitempty"` // empty where it is an SLA's
	Round int       `json:"round"`
	Stage int       `json:"stage"` // of the node's deadline, from 0; 0 for a wait; of an SLA StageWarn or StageBreach
	Kind  string    `json:"kind"`  // TimerWait, TimerDeadline TimerSLA or TimerStanding
	At    time.Time `json:"at"`
	SLA   string    `json:"sla,omitempty"` // the name of the SLA that it is of
	For   string    `json:"for,omitempty"` // who is absent: somebody stops standing in for them
}

const (
	TimerWait     = "wait"
	TimerDeadline = "deadline"
	TimerSLA      = "sla"
	TimerStanding = "standing"
)

// Fired is what the process is told when the timer has come.
func (t Timer) Fired() Fired {
	return Fired{Node: t.Node, Round: t.Round, Stage: t.Stage, SLA: t.SLA, For: t.For}
}

// Due lists the timers that run, earliest first. A suspended ticket has none.
func Due(p Position) []Timer {
	var out []Timer
	for _, s := range p.Nodes {
		if s.State.Open() && s.Due != nil && s.Paused == nil {
			kind := TimerDeadline
			if s.Type == Wait {
				kind = TimerWait
			}
			out = append(out, Timer{Node: s.Node, Round: s.Round, Stage: s.Stage, Kind: kind, At: *s.Due})
		}
	}
	for _, s := range p.Nodes {
		out = append(out, s.standingTimers()...)
	}
	for _, c := range p.SLA {
		out = append(out, c.timers()...)
	}
	slices.SortStableFunc(out, func(a, b Timer) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Node, b.Node)) })
	return out
}

// Fired says that a timer has come due. One that is early, late or a repetition does nothing.
type Fired struct {
	Node  string `json:"node"`
	Round int    `json:"round"`
	Stage int    `json:"stage"`
	SLA   string `json:"sla,omitempty"`
	For   string `json:"for,omitempty"`
}

func (f Fired) apply(r *run) error {
	if f.SLA != "" {
		r.lapse(f)
		return nil
	}
	s, _ := r.pos.Find(f.Node)
	if f.For != "" {
		r.standDown(s, f)
		return nil
	}
	if !s.State.Open() || s.Round != f.Round || s.Stage != f.Stage || s.Due == nil || s.Paused != nil || s.Due.After(r.env.Now) {
		return nil
	}
	n := r.p.nodes[f.Node]
	if n.Type == Wait {
		r.leave(n, r.touch(n), Done, LogEntry{})
		r.send(n.Next, n.scope)
		return nil
	}
	if s.Stage >= len(n.stages) { // of another definition
		r.touch(n).Due = nil
		return nil
	}
	stage := n.stages[s.Stage]
	state := r.touch(n)
	state.Stage++
	r.schedule(n, state)
	r.remedy(n, state, stage.Stage)
	return nil
}

// schedule sets the clock for the next stage of a deadline. Stages count from entry, and what a suspension took is added to all of them.
func (r *run) schedule(n *node, s *NodeState) {
	switch {
	case s.Stage >= len(n.stages):
		s.Due = nil
	case s.Stage == 0 || r.weighed():
		due := n.due(*s)
		s.Due = &due
	default: // rules under which nothing was known of working time
		due := length{d: n.stages[s.Stage].after.d - n.stages[s.Stage-1].after.d}.from(*s.Due)
		s.Due = &due
	}
}

// due is when the next stage of a deadline comes due: so long after the node was entered, and what suspensions took is added.
func (n *node) due(s NodeState) time.Time {
	after := n.stages[s.Stage].after
	if after.by == nil {
		return length{d: s.PausedFor + after.d}.from(s.Entered)
	}
	c := s.clock(after.by)
	return length{max(0, after.d-c.Used), after.by}.from(c.Since)
}

// remedy does what a stage of a deadline says.
func (r *run) remedy(n *node, s *NodeState, stage Stage) {
	note := "after " + stage.After
	switch stage.Do {
	case DoRemind:
		r.say(Reminded, s, LogEntry{To: n.able(*s), Note: note})
	case DoEscalate, DoReassign:
		r.others(n, s, stage, note)
	case DoApprove, DoReject:
		said := stage.Do == DoApprove
		pass := said
		if n.Type == Approval && r.weighed() {
			pass = n.spoken(*s, said)
		}
		if n.Type == Approval || n.Action == Confirm {
			s.Result, s.By = &pass, nil
		}
		r.say(Expired, s, LogEntry{Pass: &said, Note: note})
		if pass != said { // it is the votes that led there
			r.decide(n, s, pass)
			return
		}
		if defaults, err := r.env.Rules.fill(n.Fields, nil); err == nil && pass { // Check saw to it that nothing required is missing
			r.set(defaults)
		}
		r.leave(n, s, Done, LogEntry{})
		if pass {
			r.onward(n, s)
		} else {
			r.refused(n, s, "", note, "")
		}
	}
}

// others asks more people, or other people. When the stage finds nobody, those asked before stay asked: a node must not lose the last
// person who could act.
func (r *run) others(n *node, s *NodeState, stage Stage, note string) {
	kind := Escalated
	if stage.Do == DoReassign {
		kind = Reassigned
	}
	var found []string
	voted, bars, later := s.handled(), r.bars(n), s.later()
	for _, who := range r.persons(stage.To) {
		if !voted[who] && !(later[who] && stage.Do == DoEscalate && stage.Mode != "replace") && (bars == nil || bars(who) == "") {
			found = append(found, who)
		}
	}
	c := replacing(*s, found, stage.To.Anyone)
	switch {
	case len(found) == 0 && !stage.To.Anyone:
		r.say(kind, s, LogEntry{Note: note + ", but nobody was found"})
		r.sayFound(s)
		return
	case stage.Do == DoEscalate && stage.Mode != "replace":
		c = adding(found, stage.To.Anyone)
		if s.Claimed != "" { // the others may take it from the one who holds it
			s.State, s.Claimed = Claiming, ""
		}
	case r.assigning(n, s):
		c.give = false
	}
	c.found = true
	r.appoint(n, s, c, kind, LogEntry{To: found, Note: note})
}

func (Suspend) apply(r *run) error {
	switch {
	case !r.pos.Running():
		return refuse(Conflict, "", "the process is not running")
	case r.pos.Paused():
		return refuse(Conflict, "", "the ticket is suspended already")
	}
	r.eachOpen(func(n *node, s *NodeState) {
		now := r.env.Now
		s.Paused = &now
		n.use(s, now)
	})
	return nil
}

func (Resume) apply(r *run) error {
	if !r.pos.Paused() {
		return refuse(Conflict, "", "the ticket is not suspended")
	}
	r.eachOpen(func(n *node, s *NodeState) {
		if s.Paused == nil {
			return
		}
		took := max(0, r.env.Now.Sub(*s.Paused))
		if s.Due != nil && n.Until == "" { // a point in time does not move
			due := n.after(*s).resumed(*s.Due, *s.Paused, r.env.Now)
			s.Due = &due
		}
		s.Paused = nil
		s.begin(r.env.Now)
		if r.weighed() {
			s.PausedFor += took
		}
		if s.Held != "" {
			r.release(n, s)
		}
		if s.Judge {
			s.Judge = false
			r.begin(n, s, false)
		}
	})
	return nil
}

func (r *run) eachOpen(do func(*node, *NodeState)) {
	for _, s := range slices.Clone(r.pos.Nodes) {
		if s.State.Open() {
			n := r.p.nodes[s.Node]
			do(n, r.touch(n))
		}
	}
}

// String names a timer for logs and for the summary of a Temporal timer.
func (t Timer) String() string {
	switch {
	case t.Kind == TimerWait:
		return t.Node + " wait"
	case t.Kind == TimerStanding:
		return t.Node + " standing in for " + t.For
	case t.Kind == TimerSLA && t.Stage == StageWarn:
		return "SLA " + t.SLA + " warning"
	case t.Kind == TimerSLA:
		return "SLA " + t.SLA
	}
	return t.Node + " deadline " + strconv.Itoa(t.Stage+1)
}
