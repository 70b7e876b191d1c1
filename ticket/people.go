package ticket

import (
	"slices"
	"time"

	"signalbox/flow"
)

// Part is what somebody has to do with a ticket.
type Part string

const (
	PartOpener   Part = "opener"
	PartActor    Part = "actor"    // moved it through its process; the opener is the first
	PartFollower Part = "follower" // wants to see it
	PartApprover Part = "approver" // is asked for a vote now
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
	var names []string
	for _, node := range t.Nodes() {
		if node.Type != flow.Approval {
			continue
		}
		for _, name := range node.Pending {
			if !slices.Contains(names, name) {
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

// EndedAt is when the ticket ended; nil while it is open. What is still said about an ended ticket does not change it.
func (t Ticket) EndedAt() *time.Time {
	if !t.Ended() {
		return nil
	}
	at := t.CreatedAt
	for _, s := range t.Position.Nodes {
		if s.Left != nil && s.Left.After(at) {
			at = *s.Left
		}
	}
	return &at
}

// asks reports whether a person can do something where the ticket stands.
func (t Ticket) asks(who string) bool {
	return slices.ContainsFunc(t.Nodes(), func(n Node) bool { return n.Anyone || who != "" && slices.Contains(n.Pending, who) })
}

// Search chooses tickets of one tenant for pages that are counted (itsm family). An empty member matches everything.
type Search struct {
	Keys     []string // numbers or UUIDs
	Person   string   // had any of Parts, or is asked to act now when Asked is set
	Parts    []Part
	Asked    bool
	Others   bool     // leaves out what Person opened
	Opener   string   // besides Person
	Phases   []string // any of these
	Services []string // keys
	Tag      string
	// Bounds, inclusive.
	CreatedFrom, CreatedTo, EndedFrom, EndedTo time.Time
	Offset, Limit                              int // Limit is 1 to MaxSearch
}

// MaxSearch is the largest page of a Search.
const MaxSearch = 10_000

// Rating is what somebody thinks of how a ticket went (itsm family). A ticket gets one.
type Rating struct {
	ID       int64 // of the ticket
	Stars    int
	Operator string
	Comments string
	At       time.Time
}
