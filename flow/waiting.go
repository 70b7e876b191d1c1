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
	Stuck      *Stuck         `json:"-"`                 // the same for whoever says it in other words; nil where there is no problem
	Fields     []Field        `json:"fields,omitempty"`  // the form
}

// Cause is why a node cannot go on without somebody who does something about it.
type Cause string

const (
	CauseNobody  Cause = "nobody"  // nobody is asked
	CauseUnknown Cause = "unknown" // who is asked could not be found out
	CauseFailed  Cause = "failed"  // a call has failed
	CauseTooFew  Cause = "too_few" // there are fewer voices than must approve
)

// Causes lists them.
var Causes = []Cause{CauseNobody, CauseUnknown, CauseFailed, CauseTooFew}

// Stuck tells why a node cannot go on, and what there is to say of it.
type Stuck struct {
	Cause  Cause
	Nobody bool   // nobody is asked who could do something about it, so that an admin has to
	Reason string // of a failure, or why nobody is asked; for people, and not always there
	Needed int    // too few: how many must approve
	Voices int    // and how many there are
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
		if a.Stuck = n.stuck(s, len(a.Actions) > 0 && !a.Anyone && len(a.Pending) == 0); a.Stuck != nil {
			a.Problem = n.problem(*a.Stuck)
		}
		out = append(out, a)
	}
	return out
}

// stuck tells why a node cannot go on; nil: it can. nobody: there are actions, and nobody is asked for them.
func (n *node) stuck(s NodeState, nobody bool) *Stuck {
	out := Stuck{Nobody: nobody, Reason: s.Reason}
	t := s.count(true)
	switch {
	case s.seeking() && s.State == Failed:
		out.Cause = CauseUnknown
	case s.State == Failed:
		out.Cause = CauseFailed
	case n.Type == Approval && n.lacking(t) > 0 && t.all() > 0:
		out.Cause, out.Reason, out.Needed, out.Voices = CauseTooFew, "", n.N, t.all()
	case nobody:
		out.Cause = CauseNobody
	default:
		return nil
	}
	return &out
}

// problem says it.
func (n *node) problem(s Stuck) string {
	switch {
	case s.Cause == CauseUnknown:
		return "who is asked could not be found out: " + s.Reason + ": an admin can retry it, or reassign it"
	case s.Cause == CauseFailed && s.Nobody:
		return s.Reason + "; nobody is asked to retry or skip it: an admin can"
	case s.Cause == CauseFailed:
		return s.Reason
	case s.Cause == CauseTooFew:
		who := "an admin has"
		if n.Add != nil && !s.Nobody {
			who = "an admin, or one of those asked, has"
		}
		more := "1 more"
		if lacking := s.Needed - s.Voices; lacking > 1 {
			more = fmt.Sprint(lacking, " more")
		}
		return fmt.Sprintf("%d must approve, but there are only %d to vote: %s to add %s", s.Needed, s.Voices, who, more)
	case s.Reason != "":
		return "nobody is asked, for " + s.Reason + ": an admin has to reassign it"
	}
	return "nobody is asked: an admin has to reassign it"
}
