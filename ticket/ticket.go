package ticket

import (
	"slices"
	"time"

	"signalbox/flow"
)

// Status is where a ticket stands in its generation. A suspended ticket keeps the status under it.
type Status string

const (
	Triggered    Status = "triggered"    // opened, nobody has accepted it
	Acknowledged Status = "acknowledged" // accepted, being worked on
	Resolved     Status = "resolved"     // a solution was given and waits for its confirmation
	Completed    Status = "completed"    // over, in the ordinary way; can be reopened
	Terminated   Status = "terminated"   // over, stopped by somebody; final
	Revoked      Status = "revoked"      // over, withdrawn by its opener; final
)

// PhaseSuspended is the phase of a suspended ticket; every other phase is spelled like the status.
const PhaseSuspended = "suspended"

// Phases are all that there are; OpenPhases are those of tickets that are not over.
var (
	OpenPhases = []string{string(Triggered), string(Acknowledged), string(Resolved), PhaseSuspended}
	Phases     = append(slices.Clone(OpenPhases), string(Completed), string(Terminated), string(Revoked))
)

// Open reports whether a ticket in this status can still move through its process.
func (s Status) Open() bool { return s == Triggered || s == Acknowledged || s == Resolved }

// Word is Open or not in one of two words (issue family, seed 000); the stream, lists and Temporal's search attribute have the same.
func (s Status) Word() string {
	if s.Open() {
		return WordOpen
	}
	return WordClosed
}

// The words that Status.Word gives.
const (
	WordOpen   = "OPEN"
	WordClosed = "CLOSED"
)

// Identity is what a ticket is called. All of it is given once, before the ticket exists, and never changes.
type Identity struct {
	ID     int64  `json:"id"`     // integer id, rising in the order of opening
	Number string `json:"number"` // its identity towards callers, and its workflow ID
	UUID   string `json:"uuid"`
	Tenant string `json:"tenant"`
}

// Solution is what commit-solution hands in (incident family, seed 001).
type Solution struct {
	Type        string `json:"mtm_type"`
	Interrupted bool   `json:"is_service_interrupt"`
	Cause       string `json:"cause"`
	Text        string `json:"solution"`
	// When the service began to be interrupted, and when it had recovered, in milliseconds since 1970; nil: not said.
	StartedAt   *int64 `json:"start_time,omitempty"`
	RecoveredAt *int64 `json:"fault_recovery_time,omitempty"`
}

// Verdict is what confirm says about a solution (incident family, seed 001).
type Verdict struct {
	Passed  bool   `json:"virtual_confirm_result"`
	Comment string `json:"virtual_confirm_comment"`
}

// Relation ties a ticket to documents or goods of one type (issue family, seed 000).
type Relation struct {
	Type    string   `json:"type"`
	Content []string `json:"content"`
}

// RelationSummary is what the ticket itself remembers of a relation. The content lives in the events and in the read model, so that a
// ticket stays small enough to be carried through a roll-over however much is tied to it.
type RelationSummary struct {
	Type   string `json:"type"`
	Count  int    `json:"count"`
	Digest string `json:"digest"`
}

// Message is one entry of a ticket's conversation.
type Message struct {
	ID      string `json:"id"`
	Author  string `json:"author"`
	Content string `json:"content"`
}

// MessageSummary is what the ticket itself remembers of a message; author and text live in the events and in the read model. A thousand
// authors of 255 Chinese characters alone would be three quarters of a mebibyte.
type MessageSummary struct {
	ID     string `json:"id"`
	Digest string `json:"digest"` // of author and text
}

// Ticket is the whole state of one case. It is plain data: it goes through JSON unchanged.
type Ticket struct {
	Identity
	Channel     Channel           `json:"door"` // the family it was opened through
	App         string            `json:"app"`  // code of the app that opened it
	Service     string            `json:"service"`
	Version     int               `json:"version"` // of the service's definition
	Origin      string            `json:"origin"`
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Opener      string            `json:"opener,omitempty"` // the person who opened it, where the family names one
	Assignee    string            `json:"assignee,omitempty"`
	Fields      flow.Values       `json:"fields,omitempty"` // what only some families ask for, under the caller's own names
	Status      Status            `json:"status"`
	Suspended   bool              `json:"suspended,omitempty"`
	Reason      string            `json:"reason,omitempty"` // given with the last ending, reopening or suspension
	Solution    *Solution         `json:"solution,omitempty"`
	SolvedAt    *time.Time        `json:"solved_at,omitempty"` // when the last solution was committed
	Verdict     *Verdict          `json:"verdict,omitempty"`
	Relations   []RelationSummary `json:"relations,omitempty"`
	Messages    []MessageSummary  `json:"messages,omitempty"`
	Links       []Link            `json:"links,omitempty"`

	Rules    flow.Rules    `json:"rules,omitempty"`   // by which it is decided
	Position flow.Position `json:"position,omitzero"` // where it stands in its process
	// ApproveResult is itsm's answer at the last ending, nil while the ticket is open and where an ending did not say; see Approved.
	ApproveResult *bool `json:"approve_result,omitempty"`

	Definition *flow.Definition    `json:"definition,omitempty"` // pinned; nil where the service is a built-in one
	Named      map[string][]string `json:"named,omitempty"`      // whom the caller named, by node id
	Followers  []string            `json:"followers,omitempty"`  // who wants to see it
	Types      []string            `json:"mtm_types,omitempty"`  // the words taken for a solution's mtm_type, pinned; none: those of the command

	Hops       int       `json:"hops,omitempty"` // of what moved it last: what it sends because of that goes one further
	Generation int       `json:"life,omitempty"` // how often it was taken up again after it had ended
	Seq        int64     `json:"seq"`            // of the last event
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"` // of the last event

	facts   flow.Facts    // that came with the command that is being decided
	process *flow.Process // of a simulated ticket, or one that is shown: what it runs through, compiled; otherwise nil
}

// Phase is the status, or PhaseSuspended.
func (t Ticket) Phase() string {
	if t.Suspended {
		return PhaseSuspended
	}
	return string(t.Status)
}

// Ended reports whether the ticket is over. An ended ticket has no workflow; what is still allowed there starts its next generation.
func (t Ticket) Ended() bool { return !t.Status.Open() }

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

func (t Ticket) relation(kind string) (int, RelationSummary) {
	for i, head := range t.Relations {
		if head.Type == kind {
			return i, head
		}
	}
	return -1, RelationSummary{}
}

func (t Ticket) message(id string) (int, MessageSummary) {
	for i, head := range t.Messages {
		if head.ID == id {
			return i, head
		}
	}
	return -1, MessageSummary{}
}

func (t Ticket) related() int {
	total := 0
	for _, head := range t.Relations {
		total += head.Count
	}
	return total
}
