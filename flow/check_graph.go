package flow

import (
	"fmt"
	"slices"
)

// graph checks how the nodes hang together: that every way leads somewhere, everything can be reached and left, and no token can be lost,
// doubled or spin for ever.
func (b *builder) graph() {
	if len(b.order) == 0 {
		return
	}
	missing := false
	for _, n := range b.order {
		for _, e := range append(n.edges(), edge{path: n.path + ".join", to: n.Join}) {
			if e.to != "" && b.p.nodes[e.to] == nil {
				b.add(e.path, "there is no node %q", e.to)
				missing = true
			}
		}
	}
	b.scopes()
	if missing { // what follows from it need not be told as well
		return
	}
	b.reachable()
	b.leavable()
	b.meeting()
	b.resting()
	b.histories()
}

// out lists the nodes that an edge of n leads to. It is worked out once: what a node can come to is asked for every node.
func (b *builder) out(n *node) []*node {
	if out, known := b.outs[n]; known {
		return out
	}
	var out []*node
	for _, e := range n.edges() {
		if to := b.p.nodes[e.to]; to != nil {
			out = append(out, to)
		}
	}
	b.outs[n] = out
	return out
}

// from lists everything that can be reached from the nodes given, these included, going along next.
func (b *builder) from(start []*node, next func(*node) []*node) map[*node]bool {
	seen := map[*node]bool{}
	queue := slices.Clone(start)
	for len(queue) > 0 {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		b.looked++
		if !seen[n] {
			seen[n] = true
			queue = append(queue, next(n)...)
		}
	}
	return seen
}

func (b *builder) unique(n *node) bool { return b.p.nodes[n.ID] == n }

func (b *builder) reachable() {
	seen := b.from(b.order[:1], b.out)
	for _, n := range b.order {
		if !seen[n] && b.unique(n) {
			b.add(n.path, "%q cannot be reached from the first node", n.ID)
		}
	}
}

// leavable checks that from every node some way leads to an end.
func (b *builder) leavable() {
	into := map[*node][]*node{}
	var ends []*node
	for _, n := range b.order {
		if n.Type == End || n.Reject.Then == GoEnd {
			ends = append(ends, n)
		}
		for _, to := range b.out(n) {
			into[to] = append(into[to], n)
		}
	}
	seen := b.from(ends, func(n *node) []*node { return into[n] })
	for _, n := range b.order {
		if !seen[n] && b.unique(n) {
			b.add(n.path, "no way leads from %q to an end", n.ID)
		}
	}
}

// meeting checks that every branch can arrive at its join; otherwise the join would wait for ever.
func (b *builder) meeting() {
	for _, n := range b.order {
		if n.Type != Parallel || !n.known || b.p.nodes[n.Join] == nil {
			continue
		}
		for i, branch := range n.Branches {
			start := b.p.nodes[branch.Next]
			if start == nil || start.Type == Join {
				continue
			}
			in := n.scope.inner(n, i)
			seen := b.from([]*node{start}, func(at *node) []*node {
				if !at.known || !at.scope.within(in) {
					return nil
				}
				return b.out(at)
			})
			if !seen[b.p.nodes[n.Join]] {
				b.add(fmt.Sprintf("%s.branches[%d]", n.path, i), "the branch %q never arrives at the join %q", branch.Name, n.Join)
			}
		}
	}
}

// resting checks that no loop consists of nothing but nodes that pass at once. A wait for a point in time is one of them: the time may
// have come. So is a call to whoever publishes: what answers at once is asked again at once, as often as it can answer.
func (b *builder) resting() {
	const fresh, open, closed = 0, 1, 2
	mark := map[*node]int{}
	var way []*node
	var visit func(*node)
	visit = func(n *node) {
		mark[n] = open
		way = append(way, n)
		for _, to := range b.passes(n) {
			switch mark[to] {
			case fresh:
				visit(to)
			case open:
				says := "%q is part of a loop in which nothing ever waits"
				if slices.ContainsFunc(way[slices.Index(way, to):], func(n *node) bool { return n.Type == Call }) {
					says = "%q is part of a loop in which nothing waits for people or for time; a call does not count"
				}
				b.add(to.path, says, to.ID)
			}
		}
		way = way[:len(way)-1]
		mark[n] = closed
	}
	for _, n := range b.order {
		if mark[n] == fresh {
			visit(n)
		}
	}
}

// passes lists where a token goes from n without resting. A parallel passes on to its join when every branch does.
func (b *builder) passes(n *node) []*node {
	switch {
	case n.Type == Branch, n.Type == Join, n.Type == Wait && n.Until != "", n.Type == Call && b.publishing:
		return b.out(n)
	case n.SkipIfVoted || n.IfNobody == SkipIfNobody: // nobody may have to be asked
		if next := b.p.nodes[n.Next]; next != nil {
			return []*node{next}
		}
		return nil
	case n.Type != Parallel:
		return nil
	}
	join := b.p.nodes[n.Join]
	if join == nil || b.inside[n] { // a branch that leads to its own parallel is a fault that crossing names; it must not be followed for ever
		return nil
	}
	b.inside[n] = true
	defer delete(b.inside, n)
	for _, start := range b.out(n) {
		if start != join && !b.from([]*node{start}, func(at *node) []*node {
			if !at.scope.within(start.scope) || len(start.scope) == 0 {
				return nil
			}
			return b.passes(at)
		})[join] {
			return nil
		}
	}
	return []*node{join}
}

// histories notes for each node which nodes can have run before a token gets there.
func (b *builder) histories() {
	for _, n := range b.order {
		if !b.unique(n) {
			continue
		}
		for later := range b.from(b.out(n), b.out) {
			later.before = append(later.before, n)
			if later.came == nil {
				later.came = map[*node]bool{}
			}
			later.came[n] = true
		}
	}
}
