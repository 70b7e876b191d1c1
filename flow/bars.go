package flow

import (
	"fmt"
	"slices"
)

// bars tells of an approval who may not vote there, and why, in a sentence that begins with their name; empty: they may. Nil: everybody may.
func (r *run) bars(n *node) func(who string) string {
	if n.Type != Approval || !n.FourEyes && len(n.Not) == 0 {
		return nil
	}
	acted := make([]set, len(n.Not))
	for i, id := range n.Not {
		s, _ := r.pos.Find(id)
		acted[i] = s.acted()
	}
	return func(who string) string {
		if who == "" {
			return ""
		}
		if n.FourEyes && who == r.env.Opener {
			return who + " opened the ticket"
		}
		for i, id := range n.Not {
			if acted[i][who] {
				return fmt.Sprintf("%s acted at %q", who, r.p.nodes[id].Name)
			}
		}
		return ""
	}
}

// acted is everybody who did something at a node that counted, in its last two rounds as far as they are known.
func (s NodeState) acted() set {
	out := setOf(s.By)
	for _, who := range s.Agreed {
		out[who] = true
	}
	for _, v := range s.Votes {
		out[v.Who], out[v.By] = true, true
	}
	hands := s.Hands
	if s.Was != nil {
		hands = slices.Concat(hands, s.Was.Hands)
	}
	for _, h := range hands {
		out[h.Who], out[h.For] = true, true
	}
	if s.Was != nil {
		for _, who := range s.Was.By {
			out[who] = true
		}
	}
	return out
}

// admit takes those out of a roster who may not vote and have not done so, and lists them. The reason is that of the first.
func (r *run) admit(n *node, o *Roster, voted set) (out []string, why string) {
	bars := r.bars(n)
	if bars == nil {
		return nil, ""
	}
	for _, who := range o.Asked {
		if reason := bars(who); reason != "" && !voted[who] {
			out = append(out, who)
			if why == "" {
				why = reason
			}
		}
	}
	if len(out) == 0 {
		return nil, ""
	}
	o.hand(handOver{from: out}, func(string) bool { return false })
	return out, why
}

// sayBarred tells whom the rules of an approval kept from being asked.
func (r *run) sayBarred(s *NodeState, out []string, why string) {
	if len(out) == 0 {
		return
	}
	if len(s.Asked) == 0 && !s.Anyone {
		s.Reason = why
	}
	r.say(Barred, s, LogEntry{To: out, Note: why})
}

// readmit takes those out who may not vote by the rules of the version that the ticket was moved to. A place of theirs in which another speaks is that one's.
func (r *run) readmit(n *node) {
	s, _ := r.pos.Find(n.ID)
	bars := r.bars(n)
	if bars == nil {
		return
	}
	barred := func(who string) bool { return bars(who) != "" }
	comes := func(t Turn) bool { return t.Owner != t.Now && barred(t.Owner) || slices.ContainsFunc(t.Rest, barred) }
	if !slices.ContainsFunc(s.silent(s.Roster), barred) && !slices.ContainsFunc(s.Turns, comes) {
		return
	}
	at := r.touch(n)
	for i := range at.Turns {
		t := &at.Turns[i]
		t.Rest = slices.DeleteFunc(slices.Clone(t.Rest), barred)
		if barred(t.Owner) {
			t.Owner = t.Now
		}
	}
	out, why := r.admit(n, &at.Roster, at.voters())
	at.tidy(appointment{})
	r.sayBarred(at, out, why)
}

// barring checks the nodes whose people may not vote at an approval. One that can run at the same time would change who may vote while the vote is on.
func (b *builder) barring(n *node) {
	seen := set{}
	for i, id := range n.Not {
		at := fmt.Sprintf("%s.not[%d]", n.path, i)
		other, twice := b.p.nodes[id], seen[id]
		seen[id] = true
		switch {
		case other == nil:
			b.add(at, "there is no node %q", id)
		case twice:
			b.add(at, "%q is there twice", id)
		case other == n:
			b.add(at, "nobody votes twice at a node anyway")
		case other.Type != Task && other.Type != Approval:
			b.add(at, "nobody acts at %q, which is %s", id, other.Type.article())
		case !n.came[other]:
			b.add(at, "the ticket cannot have come to %q before", id)
		case n.scope.beside(other.scope):
			b.add(at, "%q can run at the same time, %s", id, other.scope)
		}
	}
}

// beside reports whether two scopes lie in different branches of one parallel.
func (s scope) beside(other scope) bool {
	for i := range min(len(s), len(other)) {
		if s[i].parallel != other[i].parallel {
			return false
		}
		if s[i].branch != other[i].branch {
			return true
		}
	}
	return false
}
