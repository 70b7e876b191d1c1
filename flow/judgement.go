package flow

import (
	"fmt"
	"strings"
)

// ApproveResult reports whether every approval that was entered has been passed, also when there was none: an approval that is undecided counts as
// not passed, one that was voted on again counts with its last result, and one that was left before the ticket was reopened does not count (seed 002;
// itsm.md 5.7). The caller has to see to it that a ticket whose process has not come to its own end is never approved.
func ApproveResult(p Position) bool {
	for _, s := range p.Nodes {
		if s.judged() && !s.passed() {
			return false
		}
	}
	return true
}

// judged reports whether a node is an approval on the way that the ticket takes now, and one for which anybody was found.
func (s NodeState) judged() bool { return s.Type == Approval && !s.Earlier && s.State != Skipped }

func (s NodeState) passed() bool { return s.Result != nil && *s.Result }

// ending is what the process comes to with a status. From RulesWeighed on it is approved only if it completes, and says what counted.
func (r *run) ending(status Status) *Ending {
	e := &Ending{Status: status, ApproveResult: ApproveResult(r.pos)}
	if r.env.Rules < RulesWeighed {
		return e
	}
	var passed, missing []string
	for _, s := range r.pos.Nodes {
		switch {
		case !s.judged():
		case s.passed():
			passed = append(passed, r.p.account(s))
		default:
			missing = append(missing, r.p.account(s))
		}
	}
	switch {
	case status != Completed:
		e.ApproveResult, e.Why = false, "the process ended the ticket as "+string(status)
	case len(missing) > 0:
		e.Why = "not every approval was passed: " + strings.Join(missing, "; ")
	case len(passed) > 0:
		e.Why = "every approval was passed: " + strings.Join(passed, "; ")
	default:
		e.Why = "the process came to its end, and no approval was entered"
	}
	e.Why = cut(e.Why, MaxReason)
	return e
}

// account says of an approval what came of it.
func (p *Process) account(s NodeState) string {
	name := s.Node
	if n := p.nodes[s.Node]; n != nil {
		name = n.Name
	}
	did, by := "rejected", "a deadline"
	if s.passed() {
		did = "approved"
	}
	if len(s.By) > 0 {
		by = strings.Join(s.By, ", ")
	}
	if s.Result == nil {
		return fmt.Sprintf("%q was not decided", name)
	}
	return fmt.Sprintf("%q was %s by %s", name, did, by)
}
