package flow

import (
	"fmt"
	"maps"
	"time"
)

// Asked is a node at which the ticket stands, as people are shown it.
type Asked struct {
	Node       string         `json:"node"`
	Number     int64          `json:"number,omitempty"`
	Name       string         `json:"name"`
	Type       NodeType       `json:"type"`
	State      State          `json:"state"`
	Round      int            `json:"round"`
	Since      time.Time      `json:"since"`
	Processors []string       `json:"processors"`         // everybody who is asked, those who have voted included
	Pending    []string       `json:"pending"`            // who can act now, those who stand in included
	Anyone     bool           `json:"anyone"`             // anybody can
	Voices     map[string]int `json:"voices,omitempty"`   // of those who carry more than one, because they have taken over from others
	After      []Turn         `json:"after,omitempty"`    // places in which others are asked once somebody has agreed
	Standing   []Standing     `json:"standing,omitempty"` // who stands in for those who can act now and are absent
	Back       []string       `json:"back,omitempty"`     // nodes that a rejection can be led back to, where whoever rejects chooses
	Actions    []Action       `json:"actions"`            // for those who can; none for a call that is under way, a wait or a join
	Due        *time.Time     `json:"due,omitempty"`
	Problem    string         `json:"problem,omitempty"` // why this cannot go on by itself
	Fields     []Field        `json:"fields,omitempty"`  // the form
}

// Waiting lists every node at which the ticket stands, in the order of the definition's first entry. A node that nobody can act at says so.
func (p *Process) Waiting(pos Position) []Asked {
	var out []Asked
	for _, s := range pos.Nodes {
		n := p.nodes[s.Node]
		if n == nil || !s.State.Open() {
			continue
		}
		a := Asked{Node: n.ID, Number: n.Number, Name: n.Name, Type: n.Type, State: s.State, Round: s.Round, Since: s.Entered,
			Processors: append([]string{}, s.Asked...), Pending: append([]string{}, n.able(s)...), Anyone: s.Anyone && s.Claimed == "", Voices: maps.Clone(s.Voices),
			Standing: n.standing(s), After: s.waitingTurns(), Back: p.choices(pos, n),
			Actions: append([]Action{}, n.takes(s)...), Due: copied(s.Due), Fields: n.Fields}
		if n.Type == Call && s.State == Failed {
			a.Fields = p.missing(n) // what whoever skips it may give
		}
		a.Problem = n.problem(s, len(a.Actions) > 0 && !a.Anyone && len(a.Pending) == 0)
		out = append(out, a)
	}
	return out
}

func (n *node) problem(s NodeState, nobody bool) string {
	switch {
	case s.seeking() && s.State == Failed:
		return "who is asked could not be found out: " + s.Reason + ": an admin can retry it, or reassign it"
	case s.State == Failed && nobody:
		return s.Reason + "; nobody is asked to retry or skip it: an admin can"
	case s.State == Failed:
		return s.Reason
	}
	if t := s.count(true); n.Type == Approval && n.lacking(t) > 0 && t.all() > 0 {
		who := "an admin has"
		if n.Add != nil && !nobody {
			who = "an admin, or one of those asked, has"
		}
		more := "1 more"
		if n.lacking(t) > 1 {
			more = fmt.Sprint(n.lacking(t), " more")
		}
		return fmt.Sprintf("%d must approve, but there are only %d to vote: %s to add %s", n.N, t.all(), who, more)
	}
	if nobody && s.Reason != "" {
		return "nobody is asked, for " + s.Reason + ": an admin has to reassign it"
	}
	if nobody {
		return "nobody is asked: an admin has to reassign it"
	}
	return ""
}
