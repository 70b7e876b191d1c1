package flow

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Env is what a step knows of the world outside of the position.
type Env struct {
	Now      time.Time
	Rules    Rules          // of the ticket
	Zone     *time.Location // of times that name none; nil means UTC
	Opener   string
	Assignee string
	Fields   map[string]any      // the ticket's fields as kept; see Fill
	Named    map[string][]string // whom the caller named, by node id (itsm: meta.state_processors)
	Facts    Facts               // about people, as far as they have been looked up
}

func (e Env) zone() *time.Location {
	return cmp.Or(e.Zone, time.UTC)
}

// known gives the fields as the rules of the ticket read them.
func (e Env) known() map[string]any {
	if e.Rules < RulesWeighed {
		return loosened(e.Fields)
	}
	return e.Fields
}

// Input is what happens to a process: Start, Act, Fired, Called, Presence, Suspend, Resume, Moved or Stop.
type Input interface{ apply(*run) error }

// Start begins the process at its first node: when the ticket is opened, and again when it is reopened. A process that is running refuses.
type Start struct{}

// Stop cancels every open node: the ticket was withdrawn, terminated or closed. It is never refused.
type Stop struct{}

// Suspend stops all clocks and lets nobody act; Resume goes on with the time that was left.
type (
	Suspend struct{}
	Resume  struct{}
)

// What tells the kinds of LogEntry apart.
const (
	Entered      = "entered"       // To: who is asked
	Left         = "left"          // Pass: the result, where there is one
	Acted        = "acted"         // a task was done; Action: the word
	Voted        = "voted"         //
	Claimed      = "claimed"       //
	Assigned     = "assigned"      // To: to whom
	Delivered    = "delivered"     // To: to whom
	Added        = "added"         // To: more approvers
	Removed      = "removed"       // To: approvers who had been added
	Agreed       = "agreed"        // to what others decide in the same place; To: who speaks there now
	Retracted    = "retracted"     // a vote was taken back
	StandsIn     = "stands_in"     // To: who acts beside For, who is absent; Note: until when
	StandsDown   = "stands_down"   // To: who no longer does, since For is back
	Succeeded    = "succeeded"     // To: who takes over from For, who is not active any more
	Carried      = "carried"       // a vote given elsewhere counts here as well; Note: where
	Found        = "found"         // To: who was looked up; Note: as what
	Barred       = "barred"        // To: who would be asked, and may not vote; Note: why
	Reassigned   = "reassigned"    // To: who is asked instead
	Reminded     = "reminded"      // To: who has not acted
	Escalated    = "escalated"     // To: who is asked now as well, or instead
	Expired      = "expired"       // a deadline answered; Pass: what
	CallDone     = "call_done"     //
	CallFailed   = "call_failed"   // Note: why
	BranchFailed = "branch_failed" // Note: why no case could be chosen
	Retried      = "retried"       //
	Passed       = "skipped"       // a failed node was skipped
	WentBack     = "went_back"     // To: the node
	Dropped      = "cancelled"     // the ticket went elsewhere while the node was open
	Finished     = "finished"      // the process is over
	SLAWarned    = "sla_warned"    // Note: which SLA, and how much of its target is used; of no node
	SLABreached  = "sla_breached"  // likewise
)

// Kinds lists every kind of LogEntry.
var Kinds = []string{Entered, Left, Acted, Voted, Claimed, Assigned, Delivered, Added, Removed, Agreed, Retracted, StandsIn, StandsDown, Succeeded, Carried, Found, Barred, Reassigned, Reminded, Escalated, Expired, CallDone, CallFailed,
	BranchFailed, Retried, Passed, WentBack, Dropped, Finished, SLAWarned, SLABreached}

// LogEntry is one entry for the timeline. Who is empty where the process itself acted.
type LogEntry struct {
	Kind   string   `json:"kind"`
	Node   string   `json:"node"` // empty where it is of the ticket as a whole
	Round  int      `json:"round"`
	Who    string   `json:"who,omitempty"`
	For    string   `json:"for,omitempty"` // in whose name or place it was done
	To     []string `json:"to,omitempty"`
	Action Action   `json:"action,omitempty"`
	Pass   *bool    `json:"pass,omitempty"`
	Note   string   `json:"note,omitempty"` // a comment, the name of the way taken, or a reason
}

// Notifies reports whether the people in To are to be told: somebody asks them for something.
func (h LogEntry) Notifies() bool {
	return len(h.To) > 0 && h.Kind != WentBack && h.Kind != Found && h.Kind != Barred && h.Kind != Removed && h.Kind != StandsDown
}

// Outcome is what a step changed. All of it belongs together: a caller keeps all or nothing.
type Outcome struct {
	States     []NodeState    `json:"states,omitempty"` // the changed ones, whole: Apply merges them
	SLA        []SLAClock     `json:"sla,omitempty"`    // likewise: ApplySLA
	ProcessLog []LogEntry     `json:"happenings,omitempty"`
	Fields     map[string]any `json:"fields,omitempty"`   // values that were set
	Status     Status         `json:"status,omitempty"`   // that the ticket takes; empty: as it was
	Assignee   *string        `json:"assignee,omitempty"` // whom accepting made the assignee
	Ending     *Ending        `json:"ending,omitempty"`   // the process is over
}

// Ending is how a process ended by itself.
type Ending struct {
	Status        Status `json:"status"` // Completed or Terminated
	ApproveResult bool   `json:"approve_result"`
	Why           string `json:"why,omitempty"` // what ApproveResult rests on, from RulesWeighed on
}

// Step tells what an input does to a position, and changes nothing. The error is a *Error, or a *Need: then it has to be given again with more facts. No changed states and no error mean that the
// input has come too late or too early to matter, as timers and answers of calls do. The outcome depends on nothing but the arguments.
func (p *Process) Step(pos Position, env Env, in Input) (Outcome, error) {
	if in == nil {
		return Outcome{}, refuse(Invalid, "", "there is no input")
	}
	if _, stop := in.(Stop); !stop {
		if why := p.fits(pos); why != "" {
			return Outcome{}, refuse(Conflict, "", "the position does not belong to this process: %s", why)
		}
	}
	env.Now = env.Now.UTC().Truncate(time.Microsecond)
	if act, ok := in.(Act); ok && env.Rules < RulesWeighed {
		act.Fields = loosened(act.Fields)
		in = act
	}
	env.Fields = env.known()
	r := &run{p: p, env: env, order: make([]string, 0, 4)}
	r.pos.Nodes = append(make([]NodeState, 0, p.room(pos)), pos.Nodes...)
	r.pos.SLA = slices.Clone(pos.SLA)
	err := in.apply(r)
	if err == nil {
		err = r.settle()
	}
	if need := r.need(); need != nil { // what was refused for want of them is asked again
		err = need
	}
	if err != nil {
		return Outcome{}, err
	}
	r.keepTime(in)
	if len(r.order) > 0 {
		r.out.States = make([]NodeState, len(r.order))
	}
	for i, id := range r.order {
		r.out.States[i] = r.pos.Nodes[r.pos.index(id)]
	}
	return r.out, nil
}

// room is how many nodes a position can come to have in a step: pointers into its list stay good while nodes are added.
func (p *Process) room(pos Position) int {
	n := len(p.def.Nodes)
	for _, s := range pos.Nodes {
		if p.nodes[s.Node] == nil { // of another definition
			n++
		}
	}
	return n
}

// run is one step under way. It works on a copy of the position.
type run struct {
	p      *Process
	env    Env
	pos    Position
	order  []string // touched nodes, in order
	own    bool     // the fields are a copy, which may be written to
	agenda []move   // tokens under way
	proxy  Hand     // who acts in the place of whom
	led    *Led     // by whose act, once it is known that they may
	spent  budget   // by expressions

	groups, managers []string   // that have to be looked up
	found            []LogEntry // who was, and has not been told of yet
	out              Outcome
}

// touch gives the state of a node to be changed.
func (r *run) touch(n *node) *NodeState {
	i := r.pos.index(n.ID)
	if i < 0 {
		i = len(r.pos.Nodes)
		r.pos.Nodes = append(r.pos.Nodes, NodeState{Node: n.ID, Type: n.Type})
	}
	if !slices.Contains(r.order, n.ID) {
		r.order = append(r.order, n.ID)
		r.pos.Nodes[i] = r.pos.Nodes[i].clone()
	}
	return &r.pos.Nodes[i]
}

// say adds to the timeline.
func (r *run) say(kind string, s *NodeState, h LogEntry) {
	h.Kind, h.Node, h.Round = kind, s.Node, s.Round
	if h.Who != "" && h.Who == r.proxy.For && h.For == "" {
		h.Who, h.For = r.proxy.Who, r.proxy.For
	}
	if r.out.ProcessLog == nil {
		r.out.ProcessLog = make([]LogEntry, 0, 4)
	}
	r.out.ProcessLog = append(r.out.ProcessLog, h)
}

// set fills fields of the ticket.
func (r *run) set(values map[string]any) {
	if len(values) == 0 {
		return
	}
	if r.out.Fields == nil {
		r.out.Fields = map[string]any{}
	}
	maps.Copy(r.out.Fields, values)
	if !r.own {
		if r.env.Fields, r.own = maps.Clone(r.env.Fields), true; r.env.Fields == nil {
			r.env.Fields = map[string]any{}
		}
	}
	maps.Copy(r.env.Fields, values)
}

func (Start) apply(r *run) error {
	if r.pos.Running() {
		return refuse(Conflict, "", "the process is running")
	}
	if r.env.Rules >= RulesWeighed {
		r.setAside()
	}
	r.enter(r.p.first(), move{})
	return nil
}

// setAside takes the approvals of the way before a reopening out of what counts.
func (r *run) setAside() {
	for i := range r.pos.Nodes {
		if s := r.pos.Nodes[i]; s.Type == Approval && !s.Earlier {
			r.touch(&node{Node: Node{ID: s.Node, Type: s.Type}}).Earlier = true // also where this version of the process has no such node
		}
	}
}

func (Stop) apply(r *run) error {
	for i := range r.pos.Nodes {
		s := &r.pos.Nodes[i]
		if !s.State.Open() {
			continue
		}
		if n := r.p.nodes[s.Node]; n != nil {
			r.drop(n)
		} else { // of another definition: it can still be put away
			r.touch(&node{Node: Node{ID: s.Node, Type: s.Type}})
			r.put(s, Cancelled)
		}
	}
	return nil
}

// put takes a node out of the open ones.
func (r *run) put(s *NodeState, state State) {
	now := r.env.Now
	s.State, s.Left, s.Due, s.Paused, s.Met, s.Held, s.Judge = state, &now, nil, nil, nil, "", false
}

// drop cancels an open node because the ticket went elsewhere.
func (r *run) drop(n *node) {
	s := r.touch(n)
	r.put(s, Cancelled)
	if n.Type != Join {
		r.say(Dropped, s, LogEntry{})
	}
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
