package flow

import (
	"slices"
	"time"
)

// Position is where a ticket stands in its process: what is known of every node that was entered, in the order of first entry. It is plain
// data and goes through JSON unchanged. The zero Position is that of a ticket that has not started.
type Position struct {
	Nodes []NodeState `json:"nodes,omitempty"`
	SLA   []SLAClock  `json:"sla,omitempty"` // of the present generation, in the order of the definition
}

// NodeState is what is known of one node. Times are UTC, to the microsecond.
type NodeState struct {
	Node    string     `json:"node"`
	Type    NodeType   `json:"type"`
	State   State      `json:"state"`
	Round   int        `json:"round"` // how often it was entered, from 1
	Entered time.Time  `json:"entered"`
	Left    *time.Time `json:"left,omitempty"`

	Roster
	Lasting *Roster  `json:"lasting,omitempty"` // who is asked when the ticket comes back, where a deadline made it other people; see Roster.change
	Claimed string   `json:"claimed,omitempty"` // who holds the task
	Votes   []Vote   `json:"votes,omitempty"`   // of this round
	Result  *bool    `json:"result,omitempty"`  // approval, confirm: passed or not; nil while undecided. Call: answered or not
	By      []string `json:"by,omitempty"`      // whose act or votes led to the result; nobody when a deadline did
	Earlier bool     `json:"earlier,omitempty"` // approval: it was left before the ticket was reopened and counts no more
	Judge   bool     `json:"judge,omitempty"`   // it came from another version while the ticket was suspended: it is judged when that is over

	Stage     int           `json:"stage,omitempty"`      // how many stages of the deadline have come due
	Due       *time.Time    `json:"due,omitempty"`        // when the next stage does, or the wait is over
	Paused    *time.Time    `json:"paused,omitempty"`     // since when the ticket is suspended; Due moves by as long as that lasts
	PausedFor time.Duration `json:"paused_for,omitempty"` // how long the ticket was suspended before, since the node was entered; in nanoseconds
	Worked    []WorkClock   `json:"worked,omitempty"`     // what of working time was used, by each calendar that the deadline counts by

	Deputies []Standing `json:"deputies,omitempty"` // who stands in for those who are asked and absent
	Hands    []Hand     `json:"hands,omitempty"`    // who has acted in this round in the place of another

	Added    []Addition `json:"added,omitempty"`    // who was added in this round and can be removed again by whoever did
	Turns    []Turn     `json:"turns,omitempty"`    // places in which several speak one after the other
	Agreed   []string   `json:"agreed,omitempty"`   // who has agreed in such a place, which was no vote
	Resubmit string     `json:"resubmit,omitempty"` // a rejection led here from that node, and once this one is done the ticket goes there
	Returned *time.Time `json:"returned,omitempty"` // when a rejection last led here, in processes in which that matters; see carried

	Straight *Straight `json:"straight,omitempty"` // the ticket came straight back here, and whom the node asks is being asked for

	Led *Led `json:"led,omitempty"` // the act that brought the ticket here, where nothing lay between
	Was *Was `json:"was,omitempty"` // how the round before this one was left

	Try    int      `json:"try,omitempty"`    // call: how often the request was asked for in this round, from 1
	Key    string   `json:"key,omitempty"`    // call: what its request is known by, whatever the node is called later; see Known
	Kept   *Kept    `json:"kept,omitempty"`   // call: the answer of a request that succeeded, where the ticket could make nothing of it
	Status int      `json:"status,omitempty"` // call: HTTP status of the last answer
	Held   State    `json:"held,omitempty"`   // call: the answer came while the ticket was suspended; this is its state afterwards
	Reason string   `json:"reason,omitempty"` // failed: why
	Met    []string `json:"met,omitempty"`    // join: the branches that have arrived
}

// Led is an act that had a node entered within its own step.
type Led struct {
	Who    string `json:"who"` // in whose name it was done
	Action Action `json:"action"`
}

// Straight is the round before, whose approvals count once it is known who is asked in this one.
type Straight struct {
	Votes []Vote `json:"votes,omitempty"`
}

// Kept is the answer of a request that succeeded and could not be mapped to fields.
type Kept struct {
	Lost    bool              `json:"lost,omitempty"` // it was too much to be kept
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
}

// Was is what is still known of a round that is over and was followed by another one.
type Was struct {
	State  State    `json:"state"`
	Result *bool    `json:"result,omitempty"`
	By     []string `json:"by,omitempty"`
	Hands  []Hand   `json:"hands,omitempty"`
}

// Vote is what one person said.
type Vote struct {
	Who     string    `json:"who"`
	Pass    bool      `json:"pass"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
	By      string    `json:"on_behalf_by,omitempty"` // the admin who voted in the name of Who, or who stands in for Who
	Voices  int       `json:"voices,omitempty"`       // how many voices it counts for; 0 means one
	To      string    `json:"to,omitempty"`           // of a rejection: the node chosen to go back to
	Carried string    `json:"carried,omitempty"`      // it was given at that node, or in an earlier round here, and counts here as well
}

// Find gives the state of a node, and false when it was never entered.
func (p Position) Find(node string) (NodeState, bool) {
	if i := p.index(node); i >= 0 {
		return p.Nodes[i], true
	}
	return NodeState{}, false
}

func (p Position) index(node string) int {
	for i := range p.Nodes {
		if p.Nodes[i].Node == node {
			return i
		}
	}
	return -1
}

// Running reports whether any node is open: the process has begun and is not over.
func (p Position) Running() bool {
	return slices.ContainsFunc(p.Nodes, func(s NodeState) bool { return s.State.Open() })
}

// Paused reports whether the ticket is suspended.
func (p Position) Paused() bool {
	return slices.ContainsFunc(p.Nodes, func(s NodeState) bool { return s.State.Open() && s.Paused != nil })
}

// Apply gives the position with the changed states in it. It cannot refuse, and the position it is given stays as it was.
func Apply(p Position, changed []NodeState) Position {
	added := 0
	for i := range changed {
		if p.index(changed[i].Node) < 0 {
			added++
		}
	}
	out := Position{SLA: p.SLA}
	if len(p.Nodes)+added > 0 {
		out.Nodes = append(make([]NodeState, 0, len(p.Nodes)+added), p.Nodes...)
	}
	for _, s := range changed {
		if i := out.index(s.Node); i >= 0 {
			out.Nodes[i] = s.clone()
		} else {
			out.Nodes = append(out.Nodes, s.clone())
		}
	}
	return out
}

// clone copies a state so that nothing is shared with the original.
func (s NodeState) clone() NodeState {
	s.By, s.Met, s.Votes, s.Worked = slices.Clone(s.By), slices.Clone(s.Met), slices.Clone(s.Votes), slices.Clone(s.Worked)
	s.Deputies, s.Hands = slices.Clone(s.Deputies), slices.Clone(s.Hands)
	s.Added, s.Agreed, s.Turns = slices.Clone(s.Added), slices.Clone(s.Agreed), slices.Clone(s.Turns)
	for i := range s.Turns {
		s.Turns[i].Rest = slices.Clone(s.Turns[i].Rest)
	}
	if s.Straight != nil {
		s.Straight = &Straight{Votes: slices.Clone(s.Straight.Votes)}
	}
	s.Led, s.Was, s.Kept = copied(s.Led), copied(s.Was), copied(s.Kept)
	s.Left, s.Due, s.Paused, s.Result = copied(s.Left), copied(s.Due), copied(s.Paused), copied(s.Result)
	s.Returned = copied(s.Returned)
	s.Roster = s.Roster.clone()
	if s.Lasting != nil {
		lasting := s.Lasting.clone()
		s.Lasting = &lasting
	}
	return s
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// fits reports what is wrong with a position of this process, or "". A position that Step made always fits; one from elsewhere, or from
// another definition, may not. Every branch of a running parallel holds exactly one token: it has arrived, or it rests in one open node.
func (p *Process) fits(pos Position) string {
	var open []*NodeState
	for i := range pos.Nodes {
		s := &pos.Nodes[i]
		n := p.nodes[s.Node]
		switch {
		case pos.index(s.Node) < i:
			return "the node " + s.Node + " is there twice"
		case s.State.Open() && (n == nil || n.Type != s.Type || !n.rests(s.State) || s.Stage < 0):
			return "the node " + s.Node + " cannot be " + string(s.State) + " here"
		case s.State.Open():
			open = append(open, s)
		}
	}
	if len(open) == 0 {
		return ""
	}
	held, why := p.holds(open, nil)
	if why == "" && held < len(open) {
		why = "a node is open in a branch that is not running"
	}
	return why
}

// holds counts the open nodes that belong to a branch: the one that has its token and, when that is a join, all in the branches it waits for.
func (p *Process) holds(open []*NodeState, in scope) (held int, why string) {
	var at *node
	var met []string
	for _, s := range open {
		if n := p.nodes[s.Node]; slices.Equal(n.scope, in) {
			if at != nil {
				return 0, "two tokens are " + in.String()
			}
			at, met = n, s.Met
		}
	}
	if at == nil {
		return 0, "no token is " + in.String()
	}
	held = 1
	if at.Type != Join {
		return held, ""
	}
	arrived := 0
	for i, branch := range at.opens.Branches {
		if slices.Contains(met, branch.Name) {
			arrived++
			continue
		}
		inside, why := p.holds(open, at.scope.inner(at.opens, i))
		if why != "" {
			return 0, why
		}
		held += inside
	}
	if arrived != len(met) || arrived == len(at.opens.Branches) {
		return 0, "the join " + at.ID + " waits for branches that it does not have"
	}
	return held, ""
}

// rests reports whether a node can be found in an open state.
func (n *node) rests(s State) bool {
	return n.Type.rests(s) || n.outside() && (s == Calling || s == Failed)
}

// rests reports whether a node of this type can, whatever it asks for.
func (t NodeType) rests(s State) bool {
	switch t {
	case Task:
		return s == Active || s == Claiming || s == Assigning
	case Approval:
		return s == Active
	case Call:
		return s == Calling || s == Failed
	case Branch:
		return s == Failed
	case Wait, Join:
		return s == Waiting
	}
	return false
}
