package flow

import (
	"fmt"
	"slices"
	"time"
)

// Reason is why a ticket cannot be moved to another definition.
type Reason struct {
	Node    string `json:"node,omitempty"` // in the definition it comes from; empty: the position as a whole
	Message string `json:"message"`
}

// Migrate carries a position over to another definition, each node to the one that nodes names for it, or else to the one with the same
// id. It is refused, with every reason, where an open node has no such target or one of another type, and where the branches that are
// running do not fit the parallels of the target. What is over is kept, so that its results still count. Deadlines go on as they were set;
// one that only the target has counts from when the node was entered, without the time that the ticket was suspended. Where the target counts working time by
// another calendar, or another version of it, what remains of it at that moment remains, and goes on by the target's. The people who are asked and their votes stay. Whether the votes decide under the target's rule is not asked here: that is what Moved is for.
//
// had are the rules by which the ticket was decided, and gets those by which it will be.
func Migrate(source, target *Process, pos Position, nodes map[string]string, had, gets Rules, at time.Time) (Position, []Reason) {
	at = at.UTC().Truncate(time.Microsecond)
	var reasons []Reason
	complain := func(node, format string, values ...any) {
		reasons = append(reasons, Reason{node, fmt.Sprintf(format, values...)})
	}
	for _, id := range sortedKeys(nodes) {
		if source.nodes[id] == nil {
			complain(id, "there is no such node in version %d", source.def.Version)
		}
		if target.nodes[nodes[id]] == nil {
			complain(id, "its target %q is no node of version %d", nodes[id], target.def.Version)
		}
	}
	if why := source.fits(pos); why != "" {
		complain("", "the position does not belong to version %d: %s", source.def.Version, why)
	}
	if len(reasons) > 0 {
		return Position{}, reasons
	}
	var out Position
	for _, s := range pos.Nodes {
		moved := s.clone()
		if id, ok := nodes[s.Node]; ok {
			moved.Node = id
		}
		moved.renamed(nodes)
		n := target.nodes[moved.Node]
		switch {
		case out.index(moved.Node) >= 0:
			complain(s.Node, "another node goes to %q already", moved.Node)
		case !s.State.Open():
			out.Nodes = append(out.Nodes, moved)
		case n == nil:
			complain(s.Node, "it is open, but there is no node %q to go on with", moved.Node)
		case n.Type != s.Type:
			complain(s.Node, "it is open and %s, but %q is %s", s.Type.article(), moved.Node, n.Type.article())
		case !n.rests(s.State):
			complain(s.Node, "whom it asks is being asked for, which %q does not do: it can be reassigned before", moved.Node)
		default:
			if s.Type == Join {
				for _, met := range s.Met {
					if !n.opens.has(met) {
						complain(s.Node, "the branch %q has arrived, but %q has no such branch", met, n.opens.ID)
					}
				}
			}
			if gets >= RulesWeighed {
				source.nodes[s.Node].weigh(n, &moved, had)
				if s.awaits() && moved.Node != s.Node {
					moved.Key = s.Known() // to its receiver it is the same request
				}
			}
			source.nodes[s.Node].recount(n, &moved, at)
			n.rewind(&moved)
			out.Nodes = append(out.Nodes, moved)
		}
	}
	if len(reasons) == 0 {
		if why := target.fits(out); why != "" {
			complain("", "the branches that are running do not fit: %s", why)
		}
	}
	if len(reasons) > 0 {
		return Position{}, reasons
	}
	out.SLA = source.recountSLA(target, pos.SLA, at)
	return out, nil
}

// renamed calls the nodes that a state speaks of by their new ids.
func (s *NodeState) renamed(nodes map[string]string) {
	name := func(id *string) {
		if to, ok := nodes[*id]; ok {
			*id = to
		}
	}
	name(&s.Resubmit)
	for i := range s.Votes {
		name(&s.Votes[i].To)
		name(&s.Votes[i].Carried)
	}
	if s.Straight != nil {
		for i := range s.Straight.Votes {
			name(&s.Straight.Votes[i].Carried)
		}
	}
}

// article puts the fitting a or an before a type.
func (t NodeType) article() string {
	if t == Approval || t == End {
		return "an " + string(t)
	}
	return "a " + string(t)
}

func (n *node) has(branch string) bool {
	for _, b := range n.Branches {
		if b.Name == branch {
			return true
		}
	}
	return false
}

// weigh makes of an open node one that is decided by RulesWeighed at its target n.
func (source *node) weigh(n *node, s *NodeState, had Rules) {
	if had < RulesWeighed && s.Stage < len(source.stages) && s.Due != nil {
		// The rules before did not count suspensions by themselves, but they moved what was due by them.
		s.PausedFor = max(0, s.Due.Sub(source.due(*s)))
	}
	s.Judge = false
	var named []string
	if source.Veto != nil {
		named = source.Veto.Persons
	}
	kept := false
	if n.Veto != nil {
		here := setOf(n.Veto.Persons)
		kept = slices.ContainsFunc(named, func(who string) bool { return here[who] })
	}
	if !kept { // it was taken over from somebody who would have none here
		s.Vetoes = nil
	}
}

// rewind sets the clock of a node that has come from another definition.
func (n *node) rewind(s *NodeState) {
	switch {
	case n.Type == Wait:
	case s.Stage >= len(n.stages):
		s.Due = nil
	case s.Due == nil:
		due := n.due(*s)
		s.Due = &due
	}
}

// Moved says that the position has come from another definition, by Migrate. Approvals whose votes decide under the rule they have now are over; those
// of a suspended ticket are when it is resumed.
type Moved struct{}

func (Moved) apply(r *run) error {
	for _, was := range slices.Clone(r.pos.Nodes) {
		s, _ := r.pos.Find(was.Node) // an approval before it can have ended the ticket
		if s.Type != Approval || !s.State.Open() {
			continue
		}
		n := r.p.nodes[s.Node]
		r.readmit(n)
		s, _ = r.pos.Find(was.Node)
		if over, _ := n.verdict(s, afterMove); !over {
			continue
		}
		if s.Paused != nil {
			r.touch(n).Judge = true
			continue
		}
		r.judge(n, r.touch(n), afterMove)
	}
	return nil
}

// Overdue is what happens at once because its time has passed.
type Overdue struct {
	Timer
	Do Remedy `json:"do,omitempty"` // what the stage of the deadline does; nothing for a wait, which is over
}

// Overdue lists every timer of a position that has come due by a time, and the stages after it that have, in the order of the nodes. What the first of
// them does can make the others pointless. A suspended ticket has none.
func (p *Process) Overdue(pos Position, at time.Time) (out []Overdue) {
	for _, s := range pos.Nodes {
		n := p.nodes[s.Node]
		if n == nil || !s.State.Open() || s.Paused != nil || s.Due == nil {
			continue
		}
		if n.Type == Wait {
			if !s.Due.After(at) {
				out = append(out, Overdue{Timer: Timer{Node: s.Node, Round: s.Round, Kind: TimerWait, At: *s.Due}})
			}
			continue
		}
		for due := *s.Due; s.Stage < len(n.stages) && !due.After(at); due = n.due(s) {
			out = append(out, Overdue{Timer{Node: s.Node, Round: s.Round, Stage: s.Stage, Kind: TimerDeadline, At: due}, n.stages[s.Stage].Do})
			if s.Stage++; s.Stage == len(n.stages) {
				break
			}
		}
	}
	return out
}
