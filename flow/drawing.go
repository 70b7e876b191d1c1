package flow

import (
	"fmt"
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
	// Phrases are those that it is said in; whoever lays it out says the rest in them.
	Phrases Phrases `json:",omitempty"`
}

// Phrases are what drawings say in another language, by what they say in English, as formats of fmt: "group %s". What is missing is said in English.
type Phrases map[string]string

// Say gives a phrase with its values.
func (p Phrases) Say(english string, values ...any) string {
	if other, ok := p[english]; ok {
		english = other
	}
	if len(values) == 0 {
		return english
	}
	return fmt.Sprintf(english, values...)
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
func Draw(def Definition, pos *Position) Drawing { return DrawIn(def, pos, nil) }

// DrawIn is Draw in another language.
func DrawIn(def Definition, pos *Position, in Phrases) Drawing {
	return DrawFor(def, pos, in, func(id string) string { return id })
}

// DrawFor is DrawIn for somebody who knows persons by other names than their ids: called gives them.
func DrawFor(def Definition, pos *Position, phrases Phrases, called func(id string) string) Drawing {
	in := speech{phrases, called}
	d := Drawing{Key: def.Key, Title: def.Name, Phrases: phrases}
	ids := map[string]bool{}
	for i, from := range def.Nodes {
		n := newNode(from, i)
		if ids[n.ID] {
			continue
		}
		ids[n.ID] = true
		shape := Shape{ID: n.ID, Name: n.Name, Type: n.Type, Note: n.note(in)}
		if pos != nil {
			s, _ := pos.Find(n.ID)
			shape.mark(n, s, in)
		}
		d.Nodes = append(d.Nodes, shape)
		d.Edges = append(d.Edges, n.arrows(in)...)
	}
	d.Edges = slices.DeleteFunc(d.Edges, func(a Arrow) bool { return !a.Ends && !ids[a.To] })
	return d
}

// speech is how a drawing says what it says.
type speech struct {
	Phrases
	called func(id string) string
}

func (in speech) persons(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = in.called(id)
	}
	return out
}

func (n *node) arrows(in speech) []Arrow {
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
		add(n.Default, in.Say("otherwise"), false)
	}
	for _, branch := range n.Branches {
		add(branch.Next, branch.Name, false)
	}
	if n.Type == Approval || n.Type == Task && n.Action == Confirm {
		switch n.Reject.Then {
		case GoBack, GoChoose:
			add(n.Reject.To, in.Say("rejected"), true)
		case GoEnd:
			out = append(out, Arrow{From: n.ID, Label: in.Say("rejected"), Rejects: true, Ends: true})
		}
	}
	return out
}

// note says in a few words what a node is about.
func (n *node) note(in speech) string {
	switch n.Type {
	case Task:
		return n.Processors.words(in)
	case Approval:
		rule := in.Say(string(n.Rule))
		switch n.Rule {
		case NOfM:
			rule = strconv.Itoa(n.N)
		case PartOf:
			rule = strconv.Itoa(n.Percent) + "%"
		}
		return in.Say("%s of %s", rule, n.Processors.words(in))
	case Call:
		return n.Call.host()
	case Wait:
		if n.Until != "" {
			return in.Say("until %s", n.Until)
		}
		return n.For
	case End:
		return in.Say(string(n.Status))
	}
	return ""
}

func (p *Processors) words(in speech) string {
	words := in.persons(p.Persons)
	add := func(is bool, word func() string) {
		if is {
			words = append(words, word())
		}
	}
	add(p.Opener, func() string { return in.Say("opener") })
	add(p.Assignee, func() string { return in.Say("assignee") })
	add(len(p.Fields) > 0, func() string { return strings.Join(p.Fields, in.Say(" or ")) })
	add(len(p.Groups) > 0, func() string { return in.Say("group %s", strings.Join(p.Groups, ", ")) })
	add(p.ManagerOf != "", func() string { return in.Say("manager of %s", p.ManagerOf) })
	add(p.HTTP != nil, func() string { return in.Say("named by %s", p.HTTP.host()) })
	add(p.Caller, func() string { return in.Say("named by the caller") })
	add(p.Anyone, func() string { return in.Say("anyone") })
	return strings.Join(words, ", ")
}

func (s *Shape) mark(n *node, state NodeState, in speech) {
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
			s.Note = strings.Join(in.persons(state.By), ", ")
		}
	default:
		s.Mark = IsCurrent
		if pending := n.pending(state); len(pending) > 0 {
			s.Note = strings.Join(in.persons(pending), ", ")
		}
		nobody := len(n.takes(state)) > 0 && len(n.pending(state)) == 0 && !(state.Anyone && state.Claimed == "")
		if s.Alarm = state.State == Failed || nobody; nobody {
			s.Note = in.Say("nobody is asked")
		}
		if state.State == Failed {
			s.Note = in.Say("failed")
		}
	}
}
