package ticket

import (
	"slices"
	"time"

	"signalbox/flow"
)

// Cause is why a ticket cannot go on without somebody who does something about it: one of its process (flow.Causes), or one of these, which the
// database knows.
type Cause = flow.Cause

const (
	CauseInDoubt     Cause = "in_doubt"    // database and Temporal contradict each other about it
	CauseLost        Cause = "lost"        // its workflow is over although the ticket is not
	CauseFailing     Cause = "failing"     // its workflow runs and comes no further, since each of its tasks fails
	CauseUndelivered Cause = "undelivered" // what an address of its own is owed was given up, or is held because the address was dropped
)

// ProcessCauses are those that the ticket itself tells; Causes lists them all.
var (
	ProcessCauses = flow.Causes
	Causes        = append(slices.Clone(flow.Causes), CauseInDoubt, CauseLost, CauseFailing, CauseUndelivered)
)

// Stuck tells why a ticket cannot go on.
type Stuck struct {
	flow.Stuck        // of the database's own causes only Cause and Reason
	Node       string // where; empty: it is no matter of a node
	Name       string // of the node
	Problem    string // in words for people
	// Since is when something last happened there. So a call has been failing for less long than that: when its last try was given up is not kept.
	Since time.Time
}

// StuckBeside gives why a ticket cannot go on, where the database knows it; reason is what is known of it besides, for people.
func StuckBeside(cause Cause, since time.Time, reason string) Stuck {
	s := Stuck{Stuck: flow.Stuck{Cause: cause, Reason: reason}, Since: since}
	switch cause {
	case CauseInDoubt:
		s.Problem = "database and Temporal contradict each other about it, and it takes no writes until it is reconciled: " + reason
	case CauseLost:
		s.Problem = "its workflow was ended although the ticket is open: an operator has it go on by migrate revive"
	case CauseFailing:
		s.Problem = "the tasks of its workflow fail: the log of the workers says why, and it goes on once workers that can replay it run"
	case CauseUndelivered:
		s.Problem = "what an address was to be told was given up, or is held because the address was dropped"
	}
	return s
}

// Stuck tells why the ticket cannot go on in its process without somebody, by what is known of it alone: at which of its nodes, of several where it has stood still the longest.
// False: it can, it is suspended, or it is over.
func (t Ticket) Stuck() (out Stuck, stuck bool) {
	if t.Suspended {
		return out, false
	}
	for _, n := range t.Nodes() {
		if n.Asked.Stuck == nil {
			continue
		}
		state, _ := t.Position.Find(n.Node)
		if since := touched(state); !stuck || since.Before(out.Since) {
			out, stuck = Stuck{Stuck: *n.Asked.Stuck, Node: n.Node, Name: n.Name, Problem: n.Problem, Since: since}, true
		}
	}
	return out, stuck
}
