package ticket

import (
	"cmp"
	"fmt"
	"time"

	"signalbox/flow"
)

// Statement is what an external system says of a case (exception family, seed 004), in the statuses of package ticket. System and issue together name
// the case over there.
type Statement struct {
	System    string     `json:"system"` // trimmed and in upper case, so that one system has one name
	Issue     string     `json:"issue"`
	Status    Status     `json:"status"` // Triggered, Acknowledged, Resolved or Completed
	Kind      string     `json:"kind,omitempty"`
	Notes     string     `json:"notes,omitempty"`
	Assignee  string     `json:"assignee,omitempty"`
	DueAt     *time.Time `json:"due_at,omitempty"`
	UpdatedAt *time.Time `json:"updated_at,omitempty"` // when the case changed over there
}

// Link is what the ticket itself remembers of an external case. The statements are in the events.
type Link struct {
	System    string     `json:"system"`
	Issue     string     `json:"issue"`
	Status    Status     `json:"status"` // as the system said last
	DueAt     *time.Time `json:"due_at,omitempty"`
	UpdatedAt *time.Time `json:"updated_at,omitempty"` // the latest that was ever said
	Digest    string     `json:"digest"`               // of the last statement that counted
}

func (f *Faults) statement(s *Statement) {
	if s == nil {
		s = &Statement{}
	}
	f.Name("externalSystem", s.System, 1, MaxName)
	f.Name("externalIssueId", s.Issue, 1, MaxName)
	f.Name("callbackType", s.Kind, 0, MaxName)
	f.Text("resolutionNotes", s.Notes, 0, MaxCause)
	f.Name("assignee", s.Assignee, 0, MaxName)
	if _, ok := effects[Triggered][s.Status]; !ok {
		f.Add("status", "must be one of the four that a system can speak of")
	}
	f.year("dueAt", s.DueAt)
	f.year("updatedAt", s.UpdatedAt)
}

// year refuses what JSON has no words for (RFC 3339): a time zone can carry a time that was written with four digits out of its range.
func (f *Faults) year(field string, at *time.Time) {
	if at != nil && !flow.Nearest(*at).Equal(*at) {
		f.Add(field, "must be within the years 0 to 9999 in UTC")
	}
}

// effect is what becomes of a statement.
type effect int

const (
	forbidden   effect = iota // the ticket cannot go there, or not from where it is
	unsupported               // no system can bring a ticket there
	noted                     // the status is the same: the link alone, and whom the case is assigned to
	taken                     // accepted by whom it is assigned to
	finished
)

// effects has a line for where the ticket stands and a column for what the system says. A ticket that has ended stands at Completed,
// however it ended.
var effects = map[Status]map[Status]effect{
	Triggered:    {Triggered: noted, Acknowledged: taken, Resolved: unsupported, Completed: finished},
	Acknowledged: {Triggered: forbidden, Acknowledged: noted, Resolved: unsupported, Completed: finished},
	Resolved:     {Triggered: unsupported, Acknowledged: forbidden, Resolved: noted, Completed: finished},
	Completed:    {Triggered: forbidden, Acknowledged: forbidden, Resolved: forbidden, Completed: noted},
}

// report decides what an external system says. Statements about one case count in the order of their UpdatedAt; without one, or with the
// same, in the order of arrival. One that comes too late is written down and changes nothing, whatever it says.
func (t Ticket) report(c Command, at time.Time) (*Event, error) {
	s := *c.Statement
	i, link := t.link(s.System, s.Issue)
	if i >= 0 && s.UpdatedAt != nil && link.UpdatedAt != nil && s.UpdatedAt.Before(*link.UpdatedAt) {
		return &Event{Type: Stale, After: Change{Statement: &s}}, nil
	}
	stands := t.Status
	if t.Ended() {
		stands = Completed
	}
	will := effects[stands][s.Status]
	e, err := t.obey(c, will, at)
	switch {
	case err != nil:
		return nil, err
	case i < 0 && len(t.Links) >= MaxLinks:
		return nil, RefuseField(Conflict, "externalIssueId", "a ticket "+Over(MaxLinks, "links to external issues", len(t.Links)+1))
	}
	next := Link{System: s.System, Issue: s.Issue, Status: s.Status, DueAt: link.DueAt, UpdatedAt: link.UpdatedAt, Digest: digest(s)}
	if s.UpdatedAt != nil {
		next.UpdatedAt = s.UpdatedAt
	}
	if will == taken || will == noted && s.DueAt != nil && !t.Ended() {
		next.DueAt = s.DueAt
	}
	if will == noted && next.Digest == link.Digest && e.After.Assignee == nil {
		return nil, nil // word for word what it said last
	}
	if i >= 0 {
		e.Before.Link = &link
	}
	e.After.Link, e.After.Statement = &next, &s
	return e, nil
}

// obey gives the event of a statement, without the statement itself.
func (t Ticket) obey(c Command, will effect, at time.Time) (*Event, error) {
	s := *c.Statement
	switch will {
	case noted:
		e := &Event{Type: Reported}
		if s.Assignee != "" && s.Assignee != t.Assignee && !t.Ended() {
			e.Before.Assignee, e.After.Assignee = &t.Assignee, &s.Assignee
		}
		return e, nil
	case taken:
		if s.Assignee == "" {
			return nil, RefuseField(Invalid, "assignee", "is required to accept the ticket for somebody")
		}
		c.Action, c.Operator = Accept, s.Assignee
		return t.move(c, at)
	case finished:
		c.Note = fmt.Sprintf("Resolved via %s callback", s.System)
		e, err := t.end(c, Completed, Closed, at)
		if err != nil {
			return nil, err
		}
		e.Note = c.Note
		e.Before.Solution, e.After.Solution = t.Solution, t.solvedBy(s, c.Note)
		return e, nil
	case unsupported:
		return nil, RefuseField(Invalid, "status", fmt.Sprintf("no external system can make a ticket %s that is %s", s.Status, t.Status))
	}
	return nil, RefuseField(Conflict, "status", fmt.Sprintf("a ticket that is %s cannot become %s again", t.Status, s.Status))
}

// solvedBy gives the solution that a system's notes are; otherwise is for one that gives none. A solution that waits for its confirmation
// keeps what the system says nothing of. Nil: it stays as it is.
func (t Ticket) solvedBy(s Statement, otherwise string) *Solution {
	var solution Solution
	if t.Status == Resolved && t.Solution != nil {
		if s.Notes == "" {
			return nil
		}
		solution = *t.Solution
	}
	solution.Text = cmp.Or(s.Notes, otherwise)
	return &solution
}

func (t Ticket) link(system, issue string) (int, Link) {
	for i, link := range t.Links {
		if link.System == system && link.Issue == issue {
			return i, link
		}
	}
	return -1, Link{}
}
