package exception

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"signalbox/api"
	"signalbox/ticket"
)

// callback is the body of the callback (seed 004).
type callback struct {
	System    *string                    `json:"externalSystem"`
	Issue     *string                    `json:"externalIssueId"`
	Status    *string                    `json:"status"`
	Type      *string                    `json:"callbackType"`
	Notes     *string                    `json:"resolutionNotes"`
	Assignee  *string                    `json:"assignee"`
	DueAt     *string                    `json:"dueAt"`
	UpdatedAt *string                    `json:"updatedAt"`
	Payload   map[string]json.RawMessage `json:"payload"` // read for what the members above leave blank, then dropped
}

// accepted is the answer to every callback that is taken (seed 004), whatever comes of it.
var accepted = struct {
	Status string `json:"status"`
}{"accepted"}

// command makes the house's command of a callback. Members of the payload stand in for those that are blank; a required member has to be
// there all the same, and must not be empty. A change after latest cannot have happened yet: the system's clock is ahead by more than it may be, and
// every later callback would be older than this one.
func (in callback) command(latest time.Time, ahead time.Duration) (ticket.Command, error) {
	var f ticket.Faults
	updated, updatedAt := in.moment(&f, "updatedAt", in.UpdatedAt, "updated_at", "updatedAt")
	if updated != nil && updated.After(latest) {
		f.Add(updatedAt, fmt.Sprintf("is more than %s ahead of our clock", ahead))
	}
	due, _ := in.moment(&f, "dueAt", in.DueAt, "due_at", "dueAt")
	s := ticket.Statement{
		System: strings.ToUpper(in.required(&f, "externalSystem", in.System, text(in.Type), in.extra("external_system", "externalSystem"))),
		Issue:  in.required(&f, "externalIssueId", in.Issue, in.extra("external_issue_id", "externalIssueID")),
		Kind:   text(in.Type), Notes: cmp.Or(text(in.Notes), in.extra("resolution_notes", "resolutionNotes")),
		Assignee: cmp.Or(text(in.Assignee), in.extra("assignee")),
		DueAt:    due, UpdatedAt: updated,
	}
	if word := in.required(&f, "status", in.Status, in.extra("status")); word != "" {
		status, ok := statuses[strings.ToUpper(word)]
		if !ok {
			f.Add("status", "must be OPEN, ASSIGNED, PENDING_RESOLUTION or RESOLVED")
		}
		s.Status = status
	}
	cmd := ticket.Command{Action: ticket.Report, Statement: &s}
	return cmd, f.Err()
}

// required gives a member that must be there, or what stands in for it when it is blank.
func (in callback) required(f *ticket.Faults, field string, value *string, others ...string) string {
	given := ""
	if value != nil && *value != "" {
		given = cmp.Or(append([]string{text(value)}, others...)...)
	}
	if given == "" {
		f.Add(field, "is required and must not be empty")
	}
	return given
}

// rfc3339 has the shape of a time; time.Parse alone takes hours of one digit and a comma before the fraction.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// moment reads a time as RFC 3339 writes it, strictly, from a member or from what stands in for it; from tells which.
func (in callback) moment(f *ticket.Faults, field string, value *string, others ...string) (at *time.Time, from string) {
	var raw string
	switch {
	case value != nil:
		raw = *value
	default:
		for _, name := range others {
			if raw = in.extra(name); raw != "" {
				field = "payload." + name
				break
			}
		}
		if raw == "" {
			return nil, field
		}
	}
	given, err := time.Parse(time.RFC3339, raw)
	if err != nil || !rfc3339.MatchString(raw) {
		f.Add(field, "must be a time like 2023-11-07T05:31:56Z (RFC 3339)")
		return nil, field
	}
	given = given.UTC()
	return &given, field
}

// extra gives the first of the payload's members that is a text and not blank. The payload is the external system's own, which may use
// such a name for something else.
func (in callback) extra(names ...string) string {
	for _, name := range names {
		var value string
		if json.Unmarshal(in.Payload[name], &value) == nil && strings.TrimSpace(value) != "" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// text gives what a member says without blanks around it; empty where it is not there.
func text(value *string) string { return strings.TrimSpace(api.Value(value)) }
