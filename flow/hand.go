package flow

import (
	"slices"
	"strings"
)

// hand gives a node to others: whole, or the part of the one who hands over.
func (r *run) hand(n *node, s *NodeState, a Act) error {
	targets, err := r.targets(n, *s, a)
	if err != nil {
		return err
	}
	c := replacing(*s, targets, false)
	switch {
	case a.Action == Add && (a.Place == Before || a.Place == After):
		r.line(n, s, a, targets)
		r.note(s, a, targets)
		return nil
	case a.Action == Add:
		c = adding(targets, false)
		r.note(s, a, targets)
	case a.Action == Deliver && (s.Claimed == "" || s.Claimed == a.Actor) && slices.Contains(n.pending(*s), a.Actor):
		if slices.Contains(s.Asked, a.Actor) { // else it was open to anyone, and the actor has claimed it
			c = delivering(a.Actor, targets)
			if t := s.turn(a.Actor); t != nil {
				t.Now = targets[0]
			}
			c.give = s.Claimed != ""
		}
	case a.Action == Deliver && !a.Admin && n.Type == Approval && r.weighed():
		c = opening(targets) // whoever is not asked has a place that is open to anyone, and no other
	}
	kind := map[Action]string{Assign: Assigned, Deliver: Delivered, Add: Added, Reassign: Reassigned}[a.Action]
	c.give = c.give && !(a.Action == Reassign && r.assigning(n, s))
	c.lasting = true
	r.appoint(n, s, c, kind, LogEntry{Who: a.Actor, To: targets, Note: a.Comment})
	return nil
}

// note remembers who was added by whom.
func (r *run) note(s *NodeState, a Act, targets []string) {
	for _, who := range targets {
		s.Added = append(s.Added, Addition{Who: who, By: a.Actor})
	}
}

// appointment is a change of who is asked at a node.
type appointment struct {
	of      func(o Roster) (h handOver, ok bool) // what it makes of a roster; not ok: nothing
	to      []string
	anyone  bool
	give    bool // a task is given to those in to, and to nobody else
	found   bool // they were looked up, which is told
	lasting bool // it holds also when the ticket comes back
}

// adding asks more people.
func adding(to []string, anyone bool) appointment {
	return appointment{to: to, anyone: anyone, of: func(o Roster) (handOver, bool) {
		asked := setOf(o.Asked)
		more := slices.DeleteFunc(slices.Clone(to), func(who string) bool { return asked[who] })
		return handOver{to: more, anyone: anyone, at: len(o.Asked)}, true
	}}
}

// delivering asks others in the place of one.
func delivering(from string, to []string) appointment {
	return appointment{to: to, of: func(o Roster) (handOver, bool) {
		at := slices.Index(o.Asked, from)
		return handOver{from: []string{from}, to: to, at: max(0, at)}, at >= 0
	}}
}

// opening asks others in the place that is open to anyone.
func opening(to []string) appointment {
	return appointment{to: to, of: func(o Roster) (handOver, bool) {
		return handOver{open: true, to: to, at: len(o.Asked)}, o.Anyone
	}}
}

// replacing asks others in the place of everybody who has not voted yet.
func replacing(s NodeState, to []string, anyone bool) appointment {
	return appointment{to: to, anyone: anyone, give: true, of: func(o Roster) (handOver, bool) {
		return handOver{from: s.silent(o), open: true, to: to, anyone: anyone, at: len(o.Asked)}, true
	}}
}

// appoint is the one place where it changes who is asked at a node that is open. What a deadline changed does not hold when the ticket comes back;
// what persons changed does.
func (r *run) appoint(n *node, s *NodeState, c appointment, kind string, entry LogEntry) {
	r.change(n, s, c)
	r.say(kind, s, entry)
	if c.found {
		r.sayFound(s)
	}
	r.attendNow(n, s)
	r.judge(n, s, afterChange)
}

// change makes a change of who is asked, and leaves it to appoint to judge what follows.
func (r *run) change(n *node, s *NodeState, c appointment) {
	rosters := []*Roster{&s.Roster}
	if r.weighed() && !c.lasting && s.Lasting == nil {
		lasting := s.Roster.clone()
		s.Lasting = &lasting
	} else if c.lasting && s.Lasting != nil {
		rosters = append(rosters, s.Lasting)
	}
	before := s.Roster
	for _, o := range rosters {
		if r.env.Rules >= RulesComplete { // until then both went by the vetoes of the one that holds now, while it was changed
			before = *o
		}
		h, ok := c.of(*o)
		switch {
		case !ok:
		case n.Type == Approval && r.weighed():
			o.hand(h, n.vetoes(before))
		default:
			o.place(h)
		}
	}
	if s.seeking() { // nobody has to be found any more
		s.Straight = nil
		if s.State = Active; n.Type == Task {
			r.offer(n, s)
		}
	}
	if n.Type == Task && c.give {
		r.give(n, s, c.to, c.anyone)
	}
	if n.Type == Approval || n.Type == Task {
		s.Reason = "" // why nobody was asked
	}
	if n.Type == Approval {
		s.tidy(c)
	}
}

// assigning reports whether those asked at a task are the ones who assign it: then whoever is asked instead assigns it, too.
func (r *run) assigning(n *node, s *NodeState) bool {
	return r.weighed() && n.Type == Task && s.State == Assigning
}

// give lets a task be claimed anew, by the targets alone.
func (r *run) give(n *node, s *NodeState, targets []string, anyone bool) {
	all := s.Asked
	s.Asked, s.Anyone = targets, anyone
	r.offer(n, s)
	if s.State != Claiming {
		s.Asked = all
	}
}

// targets checks to whom a node is given.
func (r *run) targets(n *node, s NodeState, a Act) ([]string, error) {
	within := map[Action]*Processors{Assign: n.Processors, Deliver: n.Deliver, Add: n.Add}[a.Action]
	targets, named, asked, handled := distinct(a.Targets), setOf(r.persons(within)), setOf(s.Asked), s.handled()
	r.found = nil // they are those who may be named, and not those who are
	bars, later := r.bars(n), s.later()
	twice := a.Action == Deliver && n.Type == Approval && r.weighed() // it would give two voices to one person
	if len(targets) == 0 {
		return nil, refuse(Invalid, "targets", "is required: to whom?")
	}
	most := MaxPersons
	if r.weighed() { // a list of people can be as long, and whoever is asked by one can be replaced
		most = MaxItems
	}
	if asks := r.asks(n, s, a, len(targets)); asks > most {
		return nil, refuse(Invalid, "targets", "at most %d persons can be asked, not %d", most, asks)
	}
	if a.Action == Deliver && strings.TrimSpace(a.Comment) == "" {
		return nil, refuse(Invalid, "comment", "is required to hand over")
	}
	lined := a.Action == Add && (a.Place == Before || a.Place == After)
	if a.Action == Add && a.Place != "" && !slices.Contains(Places, a.Place) {
		return nil, refuse(Invalid, "place", "must be one of %s, not %q", strings.Join(texts(Places...), ", "), a.Place)
	}
	if lined && !slices.Contains(n.pending(s), a.Actor) {
		return nil, refuse(Forbidden, "place", "who is added %s comes in the place of whoever adds them, and %q does not ask you now", a.Place, n.Name)
	}
	for _, who := range targets {
		switch {
		case !isName(who):
			return nil, refuse(Invalid, "targets", "%q is no name", who)
		case handled[who]:
			return nil, refuse(Conflict, "targets", "%s has handled this node already", who)
		case a.Action == Deliver && who == a.Actor || (a.Action == Add || twice) && (asked[who] || later[who]):
			return nil, refuse(Conflict, "targets", "%s is asked already", who)
		case bars != nil && bars(who) != "":
			return nil, refuse(Conflict, "targets", "%s, and may not vote at %q", bars(who), n.Name)
		case !a.Admin && (r.weighed() && within != nil || !within.empty()) && !within.anyone() && !named[who]:
			return nil, refuse(Forbidden, "targets", "%q cannot be given to %s", n.Name, who)
		}
	}
	if t := s.turn(a.Actor); a.Action == Deliver && t != nil && len(t.Rest) > 0 && len(targets) > 1 {
		return nil, refuse(Conflict, "targets", "hand over to one person: %s comes afterwards in the same place", t.Rest[0])
	}
	return targets, nil
}

// asks is how many people a node asks after an act.
func (r *run) asks(n *node, s NodeState, a Act, targets int) int {
	switch {
	case a.Action == Reassign && r.weighed():
		return len(s.Asked) - len(s.silent(s.Roster)) + targets
	case a.Action == Deliver && r.weighed() && slices.Contains(s.Asked, a.Actor):
		targets--
	}
	return len(s.Asked) + len(s.later()) + targets
}

// distinct drops repetitions and keeps the order of first appearance; nil of nothing.
func distinct(list []string) []string {
	var out []string
	seen := make(set, len(list))
	for _, item := range list {
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out
}
