package ticket

import (
	"slices"
	"time"

	"signalbox/flow"
)

// Acted gives the person by whose act the event moved the ticket; empty when it was no person's, or only something beside the process.
func (e Event) Acted() string {
	if e.Channel == ChannelSystem || e.Actor == e.App || e.Type.About() != AboutProcess {
		return ""
	}
	return e.Actor
}

// Approvers lists everybody whose vote the ticket waits for now, without repetition.
func (t Ticket) Approvers() []string {
	return t.pending(func(n Node) bool { return n.Type == flow.Approval })
}

// WaitingFor lists everybody who can act now and is asked by name, without repetition. A suspended ticket waits for those with whom it will
// go on.
func (t Ticket) WaitingFor() []string { return t.pending(func(Node) bool { return true }) }

// pending lists those who can act at the nodes that are meant.
func (t Ticket) pending(at func(Node) bool) []string {
	var names []string
	seen := map[string]bool{}
	for _, node := range t.Nodes() {
		if !at(node) {
			continue
		}
		for _, name := range node.Pending {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// LastApprovers lists who has voted, in this round, at the approval at which something happened last: itsm's last_approver.
func (t Ticket) LastApprovers() []string {
	var last *flow.NodeState
	var when time.Time
	for i, s := range t.Position.Nodes {
		if s.Type != flow.Approval {
			continue
		}
		if at := touched(s); last == nil || !at.Before(when) {
			last, when = &t.Position.Nodes[i], at
		}
	}
	if last == nil {
		return nil
	}
	names := make([]string, len(last.Votes))
	for i, v := range last.Votes {
		names[i] = v.Who
	}
	return names
}

// touched is the moment of the last thing that happened at a node.
func touched(s flow.NodeState) time.Time {
	at := s.Entered
	if n := len(s.Votes); n > 0 && s.Votes[n-1].At.After(at) {
		at = s.Votes[n-1].At
	}
	if s.Left != nil && s.Left.After(at) {
		at = *s.Left
	}
	return at
}

// asks reports whether a person can do something where the ticket stands.
func (t Ticket) asks(who string) bool {
	return slices.ContainsFunc(t.Nodes(), func(n Node) bool { return n.Anyone || who != "" && slices.Contains(n.Pending, who) })
}
