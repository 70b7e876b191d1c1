package flow

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// grower makes definitions at random that have no faults: blocks of elements in a row, in which branches and parallels hold blocks again.
type grower struct {
	t     *rapid.T
	def   Definition
	count int
}

var people = []string{"ann", "bob", "joe", "sue", "olga"}

func grow(t *rapid.T) Definition {
	g := &grower{t: t, def: Definition{Key: "random", Name: "Random", Calendar: "office", Calendars: calendarsFor([]string{"office"}), Fields: []Field{
		{Key: "n", Type: Int}, {Key: "m", Type: Members}, {Key: "when", Type: DateTime}, {Key: "s", Type: String}}}}
	first := g.id()
	g.def.Nodes = append(g.def.Nodes, Node{}) // the place of the first node
	second := g.block("done", []string{first}, false, 0)
	g.def.Nodes[0] = g.task(first, second, nil)
	g.def.Nodes = append(g.def.Nodes,
		Node{ID: "done", Name: "Done", Type: End},
		Node{ID: "no", Name: "No", Type: End, Status: Terminated})
	if !g.uses("no") {
		g.def.Nodes = g.def.Nodes[:len(g.def.Nodes)-1]
	}
	g.late()
	return g.def
}

func (g *grower) uses(id string) bool {
	for i, n := range g.def.Nodes {
		for _, e := range newNode(n, i).edges() {
			if e.to == id {
				return true
			}
		}
	}
	return false
}

func (g *grower) id() string {
	g.count++
	return fmt.Sprintf("x%d", g.count)
}

func (g *grower) pick(label string, n int) int { return rapid.IntRange(0, n-1).Draw(g.t, label) }

func (g *grower) chance(label string, percent int) bool { return g.pick(label, 100) < percent }

// block makes up to four elements in a row, the last of which leads to next, and gives the id of the first. A rejection may lead back to
// any of backs or to an earlier element; a way on may lead back to an earlier element at which something rests.
func (g *grower) block(next string, backs []string, inside bool, depth int) string {
	count := 4 - g.pick("elements", 4) // rapid likes small numbers best, and we like what is involved
	ids, kinds := make([]string, count), make([]int, count)
	for i := range ids {
		ids[i] = g.id()
		kinds[i] = 9 - g.pick("kind", 10)
		if depth >= 3 || g.count > 40 {
			kinds[i] = g.pick("plain kind", 7)
		}
	}
	for i := count - 1; i >= 0; i-- {
		to := next
		if i < count-1 {
			to = ids[i+1]
		}
		around := append(append([]string{}, backs...), ids[:i+1]...)
		switch kinds[i] {
		case 0, 1:
			g.def.Nodes = append(g.def.Nodes, g.task(ids[i], to, around))
		case 2, 3, 4:
			g.def.Nodes = append(g.def.Nodes, g.approval(ids[i], to, around))
		case 5:
			g.def.Nodes = append(g.def.Nodes, g.call(ids[i], to))
		case 6:
			n := Node{ID: ids[i], Name: "Wait", Type: Wait, Next: to, For: "1h"}
			switch g.pick("until", 4) {
			case 0, 1:
				n.For, n.Until = "", "when"
			case 2:
				n.For = "90 working minutes"
			}
			g.def.Nodes = append(g.def.Nodes, n)
		case 7, 8:
			n := Node{ID: ids[i], Name: "Branch", Type: Branch, Default: to}
			for range 1 + g.pick("cases", 3) {
				c := Case{When: fmt.Sprintf("fields.n %s %d", []string{">", "<", "=="}[g.pick("compare", 3)], g.pick("to", 10)), Next: to}
				switch g.pick("case", 5) {
				case 0:
					c.When = fmt.Sprintf("fields.n == %d", g.pick("loop", 10)) // never all of them: there must be a way on
					for j := range i {
						if kinds[j] <= 4 { // people act there, so the loop rests
							c.Next = ids[j]
						}
					}
				case 1:
					c.Next = "no"
				case 2, 3:
					c.Next = g.block(to, around, inside, depth+1)
				}
				n.Cases = append(n.Cases, c)
			}
			g.def.Nodes = append(g.def.Nodes, n)
		default:
			join := g.id()
			n := Node{ID: ids[i], Name: "Parallel", Type: Parallel, Join: join}
			for b := range 2 + g.pick("branches", 2) {
				start := join
				if !g.chance("empty", 15) {
					start = g.block(join, around, true, depth+1)
				}
				n.Branches = append(n.Branches, Path{Name: fmt.Sprint("b", b), Next: start})
			}
			g.def.Nodes = append(g.def.Nodes, n, Node{ID: join, Name: "Join", Type: Join, Next: to})
		}
	}
	return ids[0]
}

func (g *grower) processors() *Processors {
	p := &Processors{}
	switch g.pick("who", 10) {
	case 7:
		p.Groups = []string{"g"}
	case 8:
		p.Groups, p.Persons = []string{"g", "h"}, []string{"ann"}
	case 9:
		p.ManagerOf = []string{"opener", "assignee", "m"}[g.pick("manager of", 3)]
	case 0, 1:
		p.Persons = []string{"ann", "bob"}
	case 2:
		p.Persons = []string{"ann", "bob", "joe"}
	case 3:
		p.Opener = true
	case 4:
		p.Fields = []string{"m"}
	case 5:
		p.Assignee = true
	case 6:
		p.Caller = true
	}
	return p
}

func (g *grower) reject(backs []string) *Rejection {
	r := &Rejection{Then: GoBack}
	switch k := g.pick("reject", 6); {
	case k == 0:
		return &Rejection{Then: GoOn}
	case k == 1 || len(backs) == 0:
		return &Rejection{Then: GoEnd}
	case k == 2:
		if r.Then = GoChoose; g.chance("unless chosen", 50) {
			return r
		}
	}
	r.To = backs[g.pick("back", len(backs))]
	return r
}

func (g *grower) task(id, next string, backs []string) Node {
	n := Node{ID: id, Name: "Task", Type: Task, Next: next, Processors: g.processors(), Terminable: g.chance("terminable", 20)}
	n.Action = []Action{Accept, CommitSolution, Confirm, Submit}[g.pick("action", 4)]
	if n.Action == Confirm && len(backs) == 0 {
		n.Reject = &Rejection{Then: GoEnd}
	} else if n.Action == Confirm {
		n.Reject = g.reject(backs)
	}
	if g.chance("anyone", 20) {
		n.Processors.Anyone = true
	}
	n.Distribute = []Distribution{ByAll, ByClaim, ByAssign, AssignThenClaim}[g.pick("distribute", 4)]
	if n.Distribute != ByAll && n.Processors.Caller {
		n.Processors = &Processors{Persons: []string{"joe", "sue"}}
	}
	if n.Distribute == ByAssign || n.Distribute == AssignThenClaim {
		n.Assigners = &Processors{Persons: []string{"sue"}}
	}
	if g.chance("deliver", 40) {
		n.Deliver = &Processors{Anyone: true}
	}
	if g.chance("form", 30) {
		n.Fields = []Field{{Key: "s", Type: String, Required: true, Default: "x"}, {Key: "n", Type: Int}}
	}
	g.outside(&n)
	n.Deadline = g.deadline(n)
	return n
}

// outside has it asked for who is asked, now and then.
func (g *grower) outside(n *Node) {
	if n.Distribute != ByAssign && n.Distribute != AssignThenClaim && g.chance("outside", 15) {
		n.Processors.HTTP = &Request{URL: "https://who/${fields.s}", Answer: map[string]string{"persons": "body.who"}}
	}
}

func (g *grower) approval(id, next string, backs []string) Node {
	n := Node{ID: id, Name: "Approval", Type: Approval, Next: next, Processors: g.processors(), Reject: g.reject(backs)}
	n.Rule = []Rule{AnyOf, AllOf, NOfM, PartOf, Sequence}[g.pick("rule", 5)]
	switch n.Rule {
	case NOfM:
		n.N = 1 + g.pick("n", 2)
		if len(n.Processors.Persons) > 0 {
			n.N = min(n.N, len(n.Processors.Persons))
		}
	case PartOf:
		n.Percent = 1 + g.pick("percent", 100)
	}
	switch n.Rule {
	case NOfM, PartOf:
		n.Finish = []string{"", FinishEveryone, FinishDecided}[g.pick("finish", 3)]
	case AllOf, Sequence:
		n.Finish = []string{"", FinishEveryone, FinishDecided, "PASS_RATE >= 50", "5 % PASS_COUNT > 1"}[g.pick("finish", 5)]
	}
	if g.chance("veto", 20) {
		n.Veto = &Veto{Anyone: true}
	}
	if g.chance("add", 40) {
		n.Add = &Processors{Anyone: true}
	}
	if g.chance("deliver", 40) {
		n.Deliver = &Processors{Persons: []string{"sue", "joe"}}
	}
	if n.Add != nil && !g.chance("add anybody", 60) {
		n.Add = &Processors{Groups: []string{"g"}}
	}
	if p := n.Processors; g.chance("four eyes", 20) && !p.Opener {
		n.FourEyes = true
	}
	if g.chance("not", 20) {
		n.Not = []string{"x1"} // the first
	}
	n.Retract = n.Rule != AnyOf && g.chance("retract", 40)
	if r := n.Reject; (r.Then == GoBack && r.To == id || r.Then == GoChoose && r.To == "") && g.chance("resubmit", 50) {
		r.Resubmit = ToRejector
	}
	g.outside(&n)
	n.Deadline = g.deadline(n)
	return n
}

// late adds what fits only where something else comes before or behind: an approval is not asked again where none comes before it, and nobody is skipped where nothing would wait.
// What does not fit is found for all nodes at once, by the places that faults name, because a definition takes long to check.
func (g *grower) late() {
	type addition struct {
		node   int
		member string
		set    func(n *Node, is bool)
	}
	var added []addition
	for i, n := range g.def.Nodes {
		if n.Type == Approval && g.chance("skip if voted", 40) {
			added = append(added, addition{i, "skip_if_voted", func(n *Node, is bool) { n.SkipIfVoted = is }})
		}
		if (n.Type == Approval || n.Type == Task) && g.chance("if nobody", 20) {
			added = append(added, addition{i, "if_nobody", func(n *Node, is bool) {
				if n.IfNobody = ""; is {
					n.IfNobody = SkipIfNobody
				}
			}})
		}
	}
	for _, a := range added {
		a.set(&g.def.Nodes[a.node], true)
	}
	for faults := Check(g.def); len(faults) > 0 && len(added) > 0; faults = Check(g.def) {
		named := func(a addition) bool {
			return slices.ContainsFunc(faults, func(f Fault) bool { return f.Path == fmt.Sprintf("nodes[%d].%s", a.node, a.member) })
		}
		if !slices.ContainsFunc(added, named) { // the fault is told of another place
			last := added[len(added)-1]
			named = func(a addition) bool { return a.node == last.node && a.member == last.member }
		}
		added = slices.DeleteFunc(added, func(a addition) bool {
			if !named(a) {
				return false
			}
			a.set(&g.def.Nodes[a.node], false)
			return true
		})
	}
}

func (g *grower) deadline(n Node) []Stage {
	var out []Stage
	for i := range g.pick("stages", 4) {
		s := Stage{After: fmt.Sprintf("%dh", i+1), Do: []Remedy{DoRemind, DoEscalate, DoReassign}[g.pick("do", 3)]}
		switch g.pick("clock", 4) {
		case 2:
			s.After = fmt.Sprintf("%d working hours", i+1)
		case 3:
			s.After, s.Calendar = fmt.Sprintf("%d working hours", i+1), "shifts"
		}
		if s.Do != DoRemind {
			s.To = &Processors{Persons: []string{people[g.pick("other", len(people))]}}
			if g.chance("to a group", 30) {
				s.To = &Processors{Groups: []string{"g"}}
			}
		}
		if s.Do == DoEscalate && g.chance("replace", 50) {
			s.Mode = "replace"
		}
		out = append(out, s)
	}
	if len(out) > 0 && (n.Type == Approval || n.Action == Confirm) && g.chance("verdict", 50) {
		last := &out[len(out)-1]
		*last = Stage{After: last.After, Calendar: last.Calendar, Do: []Remedy{DoApprove, DoReject}[g.pick("verdict", 2)]}
		if n.Reject.Then == GoChoose && n.Reject.To == "" {
			last.Do = DoApprove
		}
	}
	return out
}

func (g *grower) call(id, next string) Node {
	c := &Request{URL: "https://host/${fields.s}", Body: map[string]any{"n": "${fields.n}"}}
	if g.chance("answer", 50) {
		c.Answer = map[string]string{"n": "body.n"}
	}
	n := Node{ID: id, Name: "Call", Type: Call, Next: next, Call: c}
	if g.chance("ops", 50) {
		n.Processors = &Processors{Persons: []string{"bob"}}
	}
	return n
}
