package flow

import (
	"slices"
	"time"
)

// Standing is who stands in for somebody who is asked at a node and is absent.
type Standing struct {
	For    string    `json:"for"`
	Deputy string    `json:"deputy"`
	Until  time.Time `json:"until,omitzero"` // when the directory has to be asked again; zero: there is no such time
}

// holds reports whether the deputy can act at that time.
func (d Standing) holds(at time.Time) bool { return d.Until.IsZero() || at.Before(d.Until) }

// Hand is what somebody did at a node in the place of another.
type Hand struct {
	Who string `json:"who"`
	For string `json:"for"`
}

// Succession says that somebody is asked no more, and who takes over from them; nobody: To is empty.
type Succession struct {
	From string `json:"from"`
	To   string `json:"to,omitempty"`
}

// Presence is what the directory says of people at a time: which of them are absent, with who stands in, and which are not active any more. Where the
// ticket is suspended it changes nothing.
type Presence struct {
	Persons   []string     `json:"persons"`             // of whom it tells; the others are as they were
	Standings []Standing   `json:"standings,omitempty"` // those of them who are absent and have a deputy
	Left      []Succession `json:"left,omitempty"`
}

func (p Presence) apply(r *run) error {
	if r.pos.Paused() {
		return nil
	}
	for _, was := range slices.Clone(r.pos.Nodes) {
		here := func() (NodeState, bool) { // as long as the ticket has not left it
			s, _ := r.pos.Find(was.Node)
			return s, s.asking() && s.Round == was.Round
		}
		voted := was.voters()
		for _, left := range p.Left {
			if s, still := here(); still && !voted[left.From] {
				r.succeed(r.p.nodes[s.Node], s, left)
			}
		}
		if s, still := here(); still {
			r.attend(r.p.nodes[s.Node], s, p)
		}
	}
	return nil
}

// asking reports whether people are asked at the node now.
func (s NodeState) asking() bool {
	return s.State.Open() && (s.Type == Task || s.Type == Approval || s.State == Failed)
}

// attend is the one place where it changes who stands in at a node for those it asks: by what the directory says, as far as it tells of them. Whoever is asked as well
// stands in for nobody there, and neither does who may not vote.
func (r *run) attend(n *node, s NodeState, p Presence) {
	asked, later, bars := setOf(s.Asked), s.later(), r.bars(n)
	had, next := byAbsent(s.Deputies), byAbsent(s.Deputies)
	for _, who := range p.Persons {
		delete(next, who)
	}
	for _, d := range p.Standings {
		next[d.For] = d
	}
	var list []Standing
	var said []LogEntry
	for _, who := range slices.Concat(s.Asked, sortedKeys(later)) {
		d, before := next[who], had[who]
		stands := d.Deputy != "" && !asked[d.Deputy] && !later[d.Deputy] && (bars == nil || bars(d.Deputy) == "") && d.holds(r.env.Now)
		if stands {
			list = append(list, d)
		}
		switch {
		case stands && d.Deputy != before.Deputy:
			said = append(said, LogEntry{Kind: StandsIn, For: who, To: []string{d.Deputy}, Note: d.note()})
		case !stands && before.Deputy != "":
			said = append(said, LogEntry{Kind: StandsDown, For: who, To: []string{before.Deputy}})
		}
	}
	if slices.Equal(list, s.Deputies) {
		return
	}
	state := r.touch(n)
	state.Deputies = list
	for _, entry := range said {
		r.say(entry.Kind, state, entry)
	}
}

// byAbsent gives standings by who is absent.
func byAbsent(list []Standing) map[string]Standing {
	out := make(map[string]Standing, len(list))
	for _, d := range list {
		out[d.For] = d
	}
	return out
}

func (d Standing) note() string {
	if d.Until.IsZero() {
		return ""
	}
	return "until " + d.Until.UTC().Format(time.RFC3339)
}

// presence gives what came with the input about who is absent.
func (f Facts) presence() Presence {
	p := Presence{Persons: sortedKeys(f.Standings)}
	for _, who := range p.Persons {
		p.Standings = append(p.Standings, f.Standings[who])
	}
	return p
}

// attendNow has those stand in who do by what came with the input, for people who are asked from now on.
func (r *run) attendNow(n *node, s *NodeState) {
	if s.asking() && (len(s.Deputies) > 0 || len(r.env.Facts.Standings) > 0) {
		r.attend(n, *s, r.env.Facts.presence())
	}
}

// succeed has somebody take over what a node asks of one who is not active any more. What was said counts; a place that nobody takes over is gone, and the outcome
// is judged again.
func (r *run) succeed(n *node, was NodeState, left Succession) {
	from, to, later := left.From, left.To, was.later()
	asked := slices.Contains(was.Asked, from)
	if !asked && !later[from] {
		return
	}
	if bars := r.bars(n); was.handled()[to] || later[to] || to == from || to != "" && bars != nil && bars(to) != "" {
		to = ""
	}
	s := r.touch(n)
	entry := LogEntry{For: from}
	if to != "" {
		entry.To = []string{to}
	}
	heir := to // in the place that is spoken in now
	free := to != "" && !slices.Contains(s.Asked, to)
	for i := range s.Turns {
		t := &s.Turns[i]
		var rest []string
		for _, who := range t.Rest {
			switch {
			case who != from:
				rest = append(rest, who)
			case free:
				rest, free = append(rest, to), false
			}
		}
		t.Rest = rest
		if t.Now == from {
			if heir == "" && len(t.Rest) > 0 {
				heir, t.Rest = t.Rest[0], t.Rest[1:]
			}
			t.Now = heir
		}
		if t.Owner == from {
			t.Owner = t.Now
		}
	}
	if !asked {
		r.say(Succeeded, s, entry)
		return
	}
	claimed := s.Claimed == from
	c := removing([]string{from})
	if heir != "" {
		c = delivering(from, []string{heir})
		c.give = claimed
	}
	c.lasting = true
	if claimed {
		s.Claimed = ""
	}
	r.change(n, s, c)
	if claimed && heir == "" {
		r.offer(n, s)
	}
	r.say(Succeeded, s, entry)
	r.attendNow(n, s)
	if len(s.Asked) == 0 && !s.Anyone {
		s.Reason = from + ", who is not active any more and has neither deputy nor manager to take over"
	}
	r.judge(n, s, afterChange)
}

// inPlace gives an act as that of the one for whom the actor stands in, where it is not the actor's own to do.
func (r *run) inPlace(n *node, s NodeState, a Act) Act {
	own := a.OnBehalf == "" && (slices.Contains(n.pending(s), a.Actor) || s.Anyone && s.Claimed == "" || s.voted(a.Actor))
	if a.Actor == "" || a.hand != "" || a.Action == Reassign || own || slices.Contains(s.Asked, a.Actor) {
		return a
	}
	pending, voters := setOf(n.pending(s)), s.voters()
	for _, d := range s.Deputies {
		switch {
		case d.Deputy != a.Actor || !d.holds(r.env.Now):
		case a.OnBehalf != "" && a.OnBehalf != d.For:
		case a.OnBehalf == "" && !pending[d.For] && !(a.Action == Retract && voters[d.For]):
		default:
			a.hand, a.Actor, a.OnBehalf = a.Actor, d.For, ""
			return a
		}
	}
	return a
}

// spoke tells for whom people have acted at the node in this round.
func (s NodeState) spoke() map[string]string {
	out := make(map[string]string, len(s.Hands))
	for _, h := range s.Hands {
		out[h.Who] = h.For
	}
	return out
}

// Asks lists everybody who is asked at an open node, those whose turn comes later and those who have voted included, each once.
func (p Position) Asks() (who []string) {
	for _, s := range p.Nodes {
		if s.asking() {
			who = slices.Concat(who, s.Asked, sortedKeys(s.later()))
		}
	}
	return distinct(who)
}

// able lists who can act at a node now, so far as they are named: who is asked, and who stands in for them.
func (n *node) able(s NodeState) []string {
	out := n.pending(s)
	asked, spoke := setOf(out), s.spoke()
	for _, d := range s.Deputies {
		if asked[d.For] && (n.Type != Approval || spoke[d.Deputy] == "") {
			out = append(out, d.Deputy)
		}
	}
	return distinct(out)
}

// standing lists who stands in at a node for those who can act there now.
func (n *node) standing(s NodeState) (out []Standing) {
	asked := setOf(n.pending(s))
	for _, d := range s.Deputies {
		if asked[d.For] {
			out = append(out, d)
		}
	}
	return out
}

// standingTimers are the moments at which those who stand in at a node no longer do, as far as is known.
func (s NodeState) standingTimers() (out []Timer) {
	if !s.asking() || s.Paused != nil {
		return nil
	}
	for _, d := range s.Deputies {
		if !d.Until.IsZero() {
			out = append(out, Timer{Node: s.Node, Round: s.Round, Kind: TimerStanding, At: d.Until, For: d.For})
		}
	}
	return out
}

// standDown has somebody no longer stand in when the time has come until which the directory said so.
func (r *run) standDown(s NodeState, f Fired) {
	i := slices.IndexFunc(s.Deputies, func(d Standing) bool { return d.For == f.For })
	if i < 0 || !s.asking() || s.Paused != nil || s.Round != f.Round || s.Deputies[i].holds(r.env.Now) {
		return
	}
	r.attend(r.p.nodes[s.Node], s, Presence{Persons: []string{f.For}})
}
