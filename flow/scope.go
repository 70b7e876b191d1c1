package flow

import (
	"fmt"
	"slices"
)

// scope says in which branch of which parallels a node lies, outermost first. At any time each branch of a running parallel holds exactly
// one token, in one of the nodes of that very scope or in a parallel that begins there; that is why no token can be lost or doubled.
type scope []hop

type hop struct {
	parallel *node
	branch   int
}

// within reports whether s lies in outer or is outer itself.
func (s scope) within(outer scope) bool {
	return len(s) >= len(outer) && slices.Equal(s[:len(outer)], outer)
}

func (s scope) inner(parallel *node, branch int) scope {
	return append(slices.Clone(s), hop{parallel, branch})
}

func (s scope) String() string {
	if len(s) == 0 {
		return "outside of all parallels"
	}
	last := s[len(s)-1]
	return fmt.Sprintf("in the branch %q of %q", last.parallel.Branches[last.branch].Name, last.parallel.ID)
}

// edge is one way out of a node. A rejection may leave the branches it is in; no other edge may.
type edge struct {
	path    string
	to      string
	scope   scope // in which it runs
	rejects bool
}

// edges lists all ways out of a node, except that from a join.
func (n *node) edges() []edge {
	var out []edge
	one := func(to string, rejects bool, path string, args ...any) {
		if to != "" {
			out = append(out, edge{n.path + "." + fmt.Sprintf(path, args...), to, n.scope, rejects})
		}
	}
	one(n.Next, false, "next")
	for i, c := range n.Cases {
		one(c.Next, false, "cases[%d].next", i)
	}
	one(n.Default, false, "default")
	for i, branch := range n.Branches {
		one(branch.Next, false, "branches[%d].next", i)
		if len(out) > 0 && branch.Next != "" {
			out[len(out)-1].scope = n.scope.inner(n, i)
		}
	}
	if n.Reject.Then == GoBack || n.Reject.Then == GoChoose {
		one(n.Reject.To, true, "reject.to")
	}
	return out
}

// scopes works out in which branches every node lies, and names every edge that would lose or double a token.
func (b *builder) scopes() {
	b.joins()
	b.order[0].known = true
	b.spread([]*node{b.order[0]})
	for b.spreadRejected() {
	}
	for _, n := range b.order {
		if !n.known {
			continue
		}
		for _, e := range n.edges() {
			b.crossing(n, e)
		}
	}
}

// joins ties each join to its parallel.
func (b *builder) joins() {
	for _, n := range b.order {
		join := b.p.nodes[n.Join]
		switch {
		case n.Type != Parallel || join == nil:
		case join.Type != Join:
			b.add(n.path+".join", "%q is not a join", n.Join)
		case join.opens != nil:
			b.add(n.path+".join", "%q is the join of %q already", n.Join, join.opens.ID)
		default:
			join.opens = n
		}
	}
	for _, n := range b.order {
		if n.Type == Join && n.opens == nil {
			b.add(n.path, "a join without a parallel")
		}
	}
}

// spread carries scopes along all edges but rejections. The first way to reach a node gives it its scope; crossing complains of others.
// Outer scopes go first, so that the complaint is about the edge that leaves a branch and not about what it leads to.
func (b *builder) spread(queue []*node) {
	reach := func(n *node, s scope) {
		if n != nil && !n.known && n.Type != End {
			n.known, n.scope = true, s
			queue = append(queue, n)
		}
	}
	for len(queue) > 0 {
		n := slices.MinFunc(queue, func(a, b *node) int { return len(a.scope) - len(b.scope) })
		queue = slices.DeleteFunc(queue, func(at *node) bool { return at == n })
		for _, e := range n.edges() {
			if to := b.p.nodes[e.to]; to != nil && to.Type != Join && !e.rejects {
				reach(to, e.scope)
			}
		}
		if join := b.p.nodes[n.Join]; n.Type == Parallel && join != nil && join.opens == n {
			reach(join, n.scope)
		}
	}
}

// spreadRejected gives a scope to one node that only a rejection leads to: the innermost of the scopes around the rejection in which
// nothing crosses a border. So a rejection in a branch can lead to rework in that branch, or to rework outside that starts it all again.
func (b *builder) spreadRejected() bool {
	for _, n := range b.order {
		to := b.p.nodes[n.Reject.To]
		if !n.known || n.Reject.Then != GoBack && n.Reject.Then != GoChoose || to == nil || to.known || to.Type == End || to.Type == Join {
			continue
		}
		usual := b.crossings()
		for depth := len(n.scope); ; depth-- {
			before := b.snapshot()
			to.known, to.scope = true, n.scope[:depth]
			b.spread([]*node{to})
			if depth == 0 || b.crossings() == usual {
				return true
			}
			b.restore(before)
		}
	}
	return false
}

type scoped struct {
	known bool
	scope scope
}

func (b *builder) snapshot() []scoped {
	out := make([]scoped, len(b.order))
	for i, n := range b.order {
		out[i] = scoped{n.known, n.scope}
	}
	return out
}

func (b *builder) restore(from []scoped) {
	for i, n := range b.order {
		n.known, n.scope = from[i].known, from[i].scope
	}
}

// crossings counts the edges that cross a border where they must not, as far as scopes are known.
func (b *builder) crossings() int {
	had := len(b.faults)
	for _, n := range b.order {
		for _, e := range n.edges() {
			if n.known {
				b.crossing(n, e)
			}
		}
	}
	count := len(b.faults) - had
	b.faults = b.faults[:had]
	return count
}

// crossing complains of an edge that leads into or out of a branch where it must not.
func (b *builder) crossing(n *node, e edge) {
	to := b.p.nodes[e.to]
	switch {
	case to == nil:
	case to.Type == End:
		if len(e.scope) > 0 && to.Status != Terminated {
			b.add(e.path, "%q would complete the ticket while other branches run; lead to the join, or to an end with status terminated", to.ID)
		}
	case to.Type == Join:
		switch {
		case e.rejects:
			b.add(e.path, "a rejection cannot lead to a join")
		case to.opens == nil: // named already
		case len(e.scope) == 0:
			b.add(e.path, "the join %q is reached from outside of its parallel %q", to.ID, to.opens.ID)
		case e.scope[len(e.scope)-1].parallel != to.opens:
			inner := e.scope[len(e.scope)-1].parallel
			b.add(e.path, "the join %q belongs to %q, but the innermost parallel here is %q: its branches meet at %q", to.ID, to.opens.ID, inner.ID, inner.Join)
		}
	case !to.known:
	case e.rejects && !e.scope.within(to.scope):
		b.add(e.path, "a rejection cannot lead into another branch: %q lies %s", to.ID, to.scope)
	case !e.rejects && !(e.scope.within(to.scope) && to.scope.within(e.scope)):
		b.add(e.path, "%q lies %s and cannot be reached from here, %s", to.ID, to.scope, e.scope)
	}
}
