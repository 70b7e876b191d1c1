package flow

import (
	"slices"
	"strings"
)

// choices lists the nodes that a rejection can be led back to where whoever rejects chooses: those at which people have done something on the ticket's way.
func (p *Process) choices(pos Position, n *node) (out []string) {
	if n.Reject.Then != GoChoose {
		return nil
	}
	for _, s := range pos.Nodes {
		if at := p.nodes[s.Node]; at != nil && s.State == Done && p.choosable(n, at) {
			out = append(out, s.Node)
		}
	}
	return out
}

// choosable reports whether a rejection at n can be led back to a node: people act there, it can have come before, and it lies in no branch that n is not in.
func (p *Process) choosable(n, at *node) bool {
	return at != n && (at.Type == Task || at.Type == Approval) && n.came[at] && n.scope.within(at.scope)
}

// chosen checks where somebody who rejects has the ticket go. Who says yes chooses nothing.
func (r *run) chosen(n *node, a Act, pass bool) error {
	if pass {
		if a.To != "" {
			return refuse(Invalid, "to", "is where a no leads: a yes goes on")
		}
		return nil
	}
	if n.Reject.Then != GoChoose {
		if a.To != "" {
			return refuse(Invalid, "to", "%q says itself where a rejection leads", n.Name)
		}
		return nil
	}
	choices := r.p.choices(r.pos, n)
	switch {
	case a.To == "" && (n.Reject.To != "" || len(choices) == 0):
		return nil
	case a.To == "":
		return refuse(Invalid, "to", "is required: back to which of %s?", strings.Join(choices, ", "))
	case !slices.Contains(choices, a.To) && a.To != n.Reject.To:
		return refuse(Invalid, "to", "%q is none of %s, to which the ticket can go back", a.To, strings.Join(choices, ", "))
	}
	return nil
}

// target is where a rejection leads back to. Nobody has chosen where votes come from another version of the process, or where the ticket has passed no node
// at which people act; then it is the one that the definition says, or the process begins again.
func (r *run) target(n *node, to string) string {
	if n.Reject.Then == GoBack {
		return n.Reject.To
	}
	if at := r.p.nodes[to]; at != nil && (to == n.Reject.To || r.p.choosable(n, at)) {
		return to
	}
	if n.Reject.To != "" {
		return n.Reject.To
	}
	return r.p.first().ID
}

// sendBack sends the token back.
func (r *run) sendBack(n *node, to string) {
	m := move{to: to, in: n.scope}
	if n.Reject.Resubmit == ToRejector && slices.Equal(r.p.nodes[to].scope, n.scope) {
		m.from = n.ID
	}
	m.back = r.p.returns
	r.agenda = append(r.agenda, m)
}

// onward sends the token on from a node at which what was asked for was done: to next, or straight back to the node that had rejected it.
func (r *run) onward(n *node, s *NodeState) {
	to := r.p.nodes[s.Resubmit]
	if to == nil || !slices.Equal(to.scope, n.scope) {
		r.send(n.Next, n.scope)
		return
	}
	r.agenda = append(r.agenda, move{to: to.ID, in: n.scope, straight: true})
}

// returning checks where rejections lead.
func (b *builder) returning(n *node) {
	r := n.Reject
	if r.Then == GoChoose && !slices.ContainsFunc(b.order, func(at *node) bool { return b.p.choosable(n, at) }) {
		b.add(n.path+".reject.then", "there is no node before it at which people act")
	}
	if to := b.p.nodes[r.To]; r.Resubmit == ToRejector && to != nil && !slices.Equal(to.scope, n.scope) {
		b.add(n.path+".reject.resubmit", "%q lies %s: the branches begin again from there", r.To, to.scope)
	}
	if r.Resubmit == ToRejector || n.SkipIfVoted {
		b.p.returns = true
	}
}
