package flow

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hand gives a node to others: whole, or the part of the one who hands over.
func (r *run) hand(n *node, s *NodeState, a Act) error {
	targets, err := r.targets(n, *s, a)
	if err != nil {
		return err
	}
	kind := map[Action]string{Assign: Assigned, Deliver: Delivered, Add: Added, Reassign: Reassigned}[a.Action]
	switch {
	case a.Action == Add:
		s.Asked = append(s.Asked, targets...)
	case a.Action == Deliver && (s.Claimed == "" || s.Claimed == a.Actor) && slices.Contains(n.pending(*s), a.Actor):
		i := slices.Index(s.Asked, a.Actor)
		if i < 0 { // it was open to anyone, and the actor has claimed it
			r.replace(n, s, targets)
			break
		}
		s.Asked = distinct(slices.Concat(s.Asked[:i], targets, s.Asked[i+1:]))
		if s.Claimed != "" {
			r.give(n, s, targets)
		}
	default:
		r.replace(n, s, targets)
	}
	r.say(kind, s, LogEntry{Who: a.Actor, To: targets, Note: a.Comment})
	return nil
}

// replace asks others in the place of everybody who has not voted yet.
func (r *run) replace(n *node, s *NodeState, targets []string) {
	var asked []string
	for _, who := range s.Asked {
		if s.voted(who) {
			asked = append(asked, who)
		}
	}
	s.Asked, s.Anyone = distinct(append(asked, targets...)), false
	if n.Type == Task {
		r.give(n, s, targets)
	}
}

// give lets a task be claimed anew, by the targets alone.
func (r *run) give(n *node, s *NodeState, targets []string) {
	all := s.Asked
	s.Asked, s.Anyone = targets, false
	r.offer(n, s)
	if s.State != Claiming {
		s.Asked = all
	}
}

// targets checks to whom a node is given.
func (r *run) targets(n *node, s NodeState, a Act) ([]string, error) {
	within := map[Action]*Processors{Assign: n.Processors, Deliver: n.Deliver, Add: n.Add}[a.Action]
	targets := distinct(a.Targets)
	if len(targets) == 0 {
		return nil, refuse(Invalid, "targets", "is required: to whom?")
	}
	if len(s.Asked)+len(targets) > MaxPersons {
		return nil, refuse(Invalid, "targets", "at most %d persons can be asked", MaxPersons)
	}
	if a.Action == Deliver && strings.TrimSpace(a.Comment) == "" {
		return nil, refuse(Invalid, "comment", "is required to hand over")
	}
	for _, who := range targets {
		switch {
		case who == "" || strings.Contains(who, ",") || strings.ContainsFunc(who, unicode.IsControl) || utf8.RuneCountInString(who) > MaxName:
			return nil, refuse(Invalid, "targets", "%q is no name", who)
		case s.voted(who):
			return nil, refuse(Conflict, "targets", "%s has handled this node already", who)
		case a.Action == Deliver && who == a.Actor || a.Action == Add && slices.Contains(s.Asked, who):
			return nil, refuse(Conflict, "targets", "%s is asked already", who)
		case !a.Admin && !within.empty() && !within.Anyone && !slices.Contains(r.persons(within), who):
			return nil, refuse(Forbidden, "targets", "%q cannot be given to %s", n.Name, who)
		}
	}
	return targets, nil
}

// distinct drops repetitions and keeps the order of first appearance; nil of nothing.
func distinct(list []string) []string {
	var out []string
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out
}
