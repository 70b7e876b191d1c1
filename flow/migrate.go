package flow

import "fmt"

// Reason is why a ticket cannot be moved to another definition.
type Reason struct {
	Node    string `json:"node,omitempty"` // in the definition it comes from; empty: the position as a whole
	Message string `json:"message"`
}

// Migrate carries a position over to another definition, each node to the one that nodes names for it, or else to the one with the same
// id. It is refused, with every reason, where an open node has no such target or one of another type, and where the branches that are
// running do not fit the parallels of the target. What is over is kept, so that its results still count. Deadlines go on as they were set;
// one that only the target has counts from when the node was entered.
func Migrate(source, target *Process, pos Position, nodes map[string]string) (Position, []Reason) {
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
		default:
			if s.Type == Join {
				for _, met := range s.Met {
					if !n.opens.has(met) {
						complain(s.Node, "the branch %q has arrived, but %q has no such branch", met, n.opens.ID)
					}
				}
			}
			if s.awaits() && moved.Node != s.Node {
				moved.Key = s.Known() // to its receiver it is the same request
			}
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
	return out, nil
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

// rewind sets the clock of a node that has come from another definition.
func (n *node) rewind(s *NodeState) {
	switch {
	case n.Type == Wait:
	case s.Stage >= len(n.stages):
		s.Due = nil
	case s.Due == nil:
		due := s.Entered.Add(n.stages[s.Stage].after)
		s.Due = &due
	}
}
