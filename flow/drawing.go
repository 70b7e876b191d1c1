package flow

import (
	"slices"
	"strconv"
	"strings"
)

// Drawing is what a diagram of a process shows, without a layout; package diagram lays it out.
type Drawing struct {
	Key   string
	Title string
	Nodes []Shape
	Edges []Arrow
}

// Shape is one node of a drawing.
type Shape struct {
	ID    string
	Name  string
	Note  string // who is asked, or what it waits for
	Type  NodeType
	Mark  Mark
	Alarm bool // it has failed, or nobody can act
}

// Arrow is one way from node to node.
type Arrow struct {
	From, To string
	Label    string
	Rejects  bool
	Ends     bool // the rejection ends the ticket; To is empty
}

// Mark says how far a ticket has come with a node.
type Mark string

const (
	Untouched   Mark = ""
	IsDone      Mark = "done"
	IsCurrent   Mark = "current"
	IsSkipped   Mark = "skipped"
	IsCancelled Mark = "cancelled"
)

// Draw gives the drawing of a definition, also of one with faults, and with a position of what has been done. Nodes of the position that
// the definition does not have are left out.
func Draw(def Definition, pos *Position) Drawing {
	d := Drawing{Key: def.Key, Title: def.Name}
	ids := map[string]bool{}
	for i, from := range def.Nodes {
		n := newNode(from, i)
		if ids[n.ID] {
			continue
		}
		ids[n.ID] = true
		shape := Shape{ID: n.ID, Name: n.Name, Type: n.Type, Note: n.note()}
		if pos != nil {
			s, _ := pos.Find(n.ID)
			shape.mark(n, s)
		}
		d.Nodes = append(d.Nodes, shape)
		d.Edges = append(d.Edges, n.arrows()...)
	}
	d.Edges = slices.DeleteFunc(d.Edges, func(a Arrow) bool { return !a.Ends && !ids[a.To] })
	return d
}

func (n *node) arrows() []Arrow {
	var out []Arrow
	add := func(to, label string, rejects bool) {
		if to != "" {
			out = append(out, Arrow{From: n.ID, To: to, Label: label, Rejects: rejects})
		}
	}
	add(n.Next, "", false)
	for _, c := range n.Cases {
		label := c.Name
		if label == "" {
			label = c.When
		}
		add(c.Next, label, false)
	}
	if n.Default != "" {
		add(n.Default, "otherwise", false)
	}
	for _, branch := range n.Branches {
		add(branch.Next, branch.Name, false)
	}
	if n.Type == Approval || n.Type == Task && n.Action == Confirm {
		switch n.Reject.Then {
		case GoBack, GoChoose:
			add(n.Reject.To, "rejected", true)
		case GoEnd:
			out = append(out, Arrow{From: n.ID, Label: "rejected", Rejects: true, Ends: true})
		}
	}
	return out
}

// note says in a few words what a node is about.
func (n *node) note() string {
	switch n.Type {
	case Task:
		return n.Processors.words()
	case Approval:
		rule := string(n.Rule)
		switch n.Rule {
		case NOfM:
			rule = strconv.Itoa(n.N)
		case PartOf:
			rule = strconv.Itoa(n.Percent) + "%"
		}
		return rule + " of " + n.Processors.words()
	case Call:
		return n.Call.host()
	case Wait:
		if n.Until != "" {
			return "until " + n.Until
		}
		return n.For
	case End:
		return string(n.Status)
	}
	return ""
}

func (p *Processors) words() string {
	words := slices.Clone(p.Persons)
	for _, w := range []struct {
		is   bool
		word string
	}{{p.Opener, "opener"}, {p.Assignee, "assignee"}, {len(p.Fields) > 0, strings.Join(p.Fields, " or ")},
		{len(p.Groups) > 0, "group " + strings.Join(p.Groups, ", ")}, {p.ManagerOf != "", "manager of " + p.ManagerOf}, {p.HTTP != nil, "named by " + p.HTTP.host()}, {p.Caller, "named by the caller"}, {p.Anyone, "anyone"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

func (s *Shape) mark(n *node, state NodeState) {
	switch {
	case state.State == "":
		return
	case state.State == Skipped:
		s.Mark = IsSkipped
	case state.State == Cancelled:
		s.Mark = IsCancelled
	case state.State == Done:
		s.Mark = IsDone
		if len(state.By) > 0 {
			s.Note = strings.Join(state.By, ", ")
		}
	default:
		s.Mark = IsCurrent
		if pending := n.pending(state); len(pending) > 0 {
			s.Note = strings.Join(pending, ", ")
		}
		nobody := len(n.takes(state)) > 0 && len(n.pending(state)) == 0 && !(state.Anyone && state.Claimed == "")
		if s.Alarm = state.State == Failed || nobody; nobody {
			s.Note = "nobody is asked"
		}
		if state.State == Failed {
			s.Note = "failed"
		}
	}
}
