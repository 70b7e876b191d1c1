package flow

import (
	"slices"
)

// Addition is somebody who was added to an approval.
type Addition struct {
	Who string `json:"who"`
	By  string `json:"by,omitempty"` // nobody: an app did
}

// Turn is a place at an approval in which several speak one after the other: whoever agrees hands it to the next, and the last one votes with its voices.
// Whoever says no votes with them at once. So no change of people adds to the voices or takes any away, and those added before must agree before
// the one goes on who added them.
type Turn struct {
	Owner string   `json:"owner"` // whose place it is, and is again when the ticket comes back
	Now   string   `json:"now"`   // who speaks there
	Rest  []string `json:"rest"`  // who does afterwards, in order
}

// turn gives the place that somebody speaks in with others after them; nil: there is none.
func (s *NodeState) turn(who string) *Turn {
	for i := range s.Turns {
		if s.Turns[i].Now == who {
			return &s.Turns[i]
		}
	}
	return nil
}

// later lists those who are asked once others have agreed.
func (s NodeState) later() set {
	out := set{}
	for _, t := range s.Turns {
		for _, who := range t.Rest {
			out[who] = true
		}
	}
	return out
}

// waitingTurns are the places in which somebody comes afterwards.
func (s NodeState) waitingTurns() (out []Turn) {
	asked := setOf(s.Asked)
	for _, t := range s.clone().Turns {
		if len(t.Rest) > 0 && asked[t.Now] {
			out = append(out, t)
		}
	}
	return out
}

// line adds people before or after somebody, in that one's place.
func (r *run) line(n *node, s *NodeState, a Act, targets []string) {
	t := s.turn(a.Actor)
	if t == nil {
		s.Turns = append(s.Turns, Turn{Owner: a.Actor, Now: a.Actor})
		t = &s.Turns[len(s.Turns)-1]
	}
	entry := LogEntry{Who: a.Actor, To: targets, Note: a.Comment, Action: Action(a.Place)}
	if a.Place == After {
		t.Rest = slices.Concat(targets, t.Rest)
		r.say(Added, s, entry)
		return
	}
	t.Rest = slices.Concat(targets[1:], []string{a.Actor}, t.Rest)
	t.Now = targets[0]
	c := delivering(a.Actor, targets[:1])
	c.lasting = true
	r.appoint(n, s, c, Added, entry)
}

// agree has somebody say yes who is followed by others in the same place: it is the next one's.
func (r *run) agree(n *node, s *NodeState, t *Turn, a Act) {
	who, next := t.Now, t.Rest[0]
	t.Now, t.Rest = next, t.Rest[1:]
	s.Agreed = append(s.Agreed, who)
	c := delivering(who, []string{next})
	c.lasting = true
	r.appoint(n, s, c, Agreed, LogEntry{Who: a.Actor, For: a.OnBehalf, To: []string{next}, Note: a.Comment})
}

// removable tells of somebody who was added whether they can still be taken out again: nothing of theirs counts yet, nobody speaks in their place, and they have not taken
// over from others, whose voices would go with them.
func (s NodeState) removable() func(Addition) bool {
	asked, later, done := setOf(s.Asked), s.later(), s.handled()
	for _, t := range s.Turns {
		if t.Owner != t.Now {
			done[t.Owner] = true
		}
	}
	return func(d Addition) bool { return !done[d.Who] && s.Voices[d.Who] < 2 && (asked[d.Who] || later[d.Who]) }
}

// handled are those who have said something at an approval in this round: voted, or agreed, also in the place of another.
func (s NodeState) handled() set {
	out := s.voters()
	for _, h := range s.Hands {
		if s.Type == Approval {
			out[h.Who] = true
		}
	}
	for _, who := range s.Agreed {
		out[who] = true
	}
	return out
}

// remove takes people out who were added: by whoever added them, or an admin.
func (r *run) remove(n *node, s *NodeState, a Act) error {
	targets := distinct(a.Targets)
	if len(targets) == 0 {
		return refuse(Invalid, "targets", "is required: whom?")
	}
	by, here, handled := map[string]*Addition{}, s.removable(), s.handled()
	for i := range s.Added {
		by[s.Added[i].Who] = &s.Added[i]
	}
	for _, who := range targets {
		switch d := by[who]; {
		case handled[who]:
			return refuse(Conflict, "targets", "%s has handled this node already", who)
		case d == nil:
			return refuse(Conflict, "targets", "%s was not added in this round", who)
		case !here(*d):
			return refuse(Conflict, "targets", "%s is not asked any more, or others speak in their place, or they speak for others as well", who)
		case !a.Admin && (a.Actor == "" || d.By != a.Actor):
			return refuse(Forbidden, "targets", "%s can be removed by whoever added them, and by an admin", who)
		}
	}
	gone, goesOn := setOf(targets), set{}
	s.Added = slices.DeleteFunc(s.Added, func(d Addition) bool { return gone[d.Who] })
	for i := range s.Turns {
		t := &s.Turns[i]
		t.Rest = slices.DeleteFunc(t.Rest, func(who string) bool { return gone[who] })
	}
	for _, was := range targets {
		t := s.turn(was)
		if t == nil || was == t.Owner {
			continue
		}
		if t.Now = t.Owner; len(t.Rest) > 0 { // otherwise the one has agreed already whose place it is, and is asked again
			t.Now, t.Rest = t.Rest[0], t.Rest[1:]
		}
		goesOn[was] = true
		c := delivering(was, []string{t.Now})
		c.lasting = true
		r.change(n, s, c) // which may do away with turns
	}
	c := removing(slices.DeleteFunc(slices.Clone(targets), func(who string) bool { return goesOn[who] }))
	c.lasting = true
	r.appoint(n, s, c, Removed, LogEntry{Who: a.Actor, To: targets, Note: a.Comment})
	return nil
}

// removing takes places away.
func removing(who []string) appointment {
	return appointment{of: func(o Roster) (handOver, bool) {
		asked := setOf(o.Asked)
		gone := slices.DeleteFunc(slices.Clone(who), func(name string) bool { return !asked[name] })
		return handOver{from: gone, at: len(o.Asked)}, len(gone) > 0
	}}
}

// tidy forgets what a change of people has made pointless.
func (s *NodeState) tidy(c appointment) {
	here := setOf(s.Asked)
	if s.Lasting != nil {
		for _, who := range s.Lasting.Asked {
			here[who] = true
		}
	}
	s.Turns = slices.DeleteFunc(s.Turns, func(t Turn) bool { return !here[t.Now] })
	asked := setOf(s.Asked)
	for i := range s.Turns { // who has a place of their own now does not come in another's as well, where their voices would be one
		s.Turns[i].Rest = slices.DeleteFunc(slices.Clone(s.Turns[i].Rest), func(who string) bool { return asked[who] })
	}
	later, chosen := s.later(), set{}
	if c.give { // whoever takes over from everybody is asked for more than they were added for
		chosen = setOf(c.to)
	}
	s.Added = slices.DeleteFunc(s.Added, func(d Addition) bool { return chosen[d.Who] || !here[d.Who] && !later[d.Who] })
	if len(s.Turns) == 0 {
		s.Turns = nil // as JSON gives it back
	}
	if len(s.Added) == 0 {
		s.Added = nil
	}
}

// rejoin gives places back to those whose they were: the next round begins with them.
func (s NodeState) rejoin(o *Roster, n *node) {
	for _, t := range s.Turns {
		if h, ok := delivering(t.Now, []string{t.Owner}).of(*o); ok && t.Owner != t.Now {
			o.hand(h, n.vetoes(*o))
		}
	}
}

// retractable refuses whoever has no vote to take back.
func (n *node) retractable(s NodeState, who string) error {
	switch {
	case who == "":
		return refuse(Invalid, "operator", "is required to take a vote back")
	case !s.voted(who):
		return refuse(Conflict, "operator", "%s has no vote to take back at %q", who, n.Name)
	}
	return nil
}

// retract takes a vote back.
func (r *run) retract(n *node, s *NodeState, a Act) error {
	i := slices.IndexFunc(s.Votes, func(v Vote) bool { return v.Who == a.voice() })
	v := s.Votes[i]
	s.Votes = slices.Delete(s.Votes, i, i+1)
	if len(s.Votes) == 0 {
		s.Votes = nil // as JSON gives it back
	}
	if !slices.Contains(s.Asked, v.Who) { // the place that was open to anyone is open again
		s.Anyone, s.Pool = true, 0
		if v.Voices > 1 {
			s.Pool = v.Voices
		}
	}
	s.Hands = slices.DeleteFunc(s.Hands, func(h Hand) bool { return h.For == v.Who })
	if len(s.Hands) == 0 {
		s.Hands = nil // as JSON gives it back
	}
	r.say(Retracted, s, LogEntry{Who: a.Actor, For: a.OnBehalf, Pass: &v.Pass, Note: a.Comment})
	r.judge(n, s, afterChange)
	return nil
}
