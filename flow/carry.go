package flow

import (
	"slices"
	"time"
)

// kept gives the approvals of the round before that still count where a ticket comes straight back to the node that rejected it: those of people who
// are asked again.
func (n *node) kept(s *NodeState, before []Vote) (out []Vote) {
	asked := setOf(s.Asked)
	for _, v := range before {
		if v.Pass && asked[v.Who] {
			v.Carried = n.ID
			out = append(out, v)
		}
	}
	return out
}

// carried gives the votes of those who have approved at another approval on the ticket's way, since it was last sent back: they are not asked again, and
// their approval counts here with the voices they have here. Only a vote that was given counts, and none that was itself carried.
func (r *run) carried(n *node, s *NodeState) (out []Vote) {
	since := r.pos.returned()
	asked := setOf(s.Asked)
	for _, other := range r.pos.Nodes {
		if other.Node == n.ID || !other.judged() || other.State != Done || !other.passed() || !other.left().After(since) {
			continue
		}
		for _, v := range other.Votes {
			if v.Pass && v.Carried == "" && asked[v.Who] {
				asked[v.Who] = false
				out = append(out, Vote{Who: v.Who, Pass: true, At: r.env.Now, Carried: other.Node})
			}
		}
	}
	return out
}

// returned is when a rejection last sent the ticket back.
func (p Position) returned() (at time.Time) {
	for _, s := range p.Nodes {
		if s.Returned != nil && s.Returned.After(at) {
			at = *s.Returned
		}
	}
	return at
}

// bring has the votes count at a node that is being entered which were given elsewhere.
func (r *run) bring(n *node, s *NodeState, before []Vote, straight bool) {
	if straight {
		s.Votes = n.kept(s, before)
		return
	}
	if !n.SkipIfVoted {
		return
	}
	for _, v := range r.carried(n, s) {
		v.Voices = n.cast(s, v.Who)
		s.Votes = append(s.Votes, v)
	}
}

// sayCarried tells which votes count that were given elsewhere.
func (r *run) sayCarried(s *NodeState) {
	for _, v := range s.Votes {
		name := v.Carried
		if at := r.p.nodes[v.Carried]; at != nil {
			name = at.Name
		}
		r.say(Carried, s, LogEntry{Who: v.Who, Pass: &v.Pass, Note: name})
	}
}

// carries checks what asks for votes that were given before.
func (b *builder) carries(n *node) {
	if n.SkipIfVoted && !slices.ContainsFunc(n.before, func(earlier *node) bool { return earlier.Type == Approval && earlier != n }) {
		b.add(n.path+".skip_if_voted", "there is no approval that the ticket can have come to before")
	}
}
