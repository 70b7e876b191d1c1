package ticket

import "time"

// Filter chooses tickets of one tenant; an empty member matches everything.
type Filter struct {
	Open                        *bool    // OPEN or CLOSED in the issue family's words
	Phases                      []string // any of these
	Origin, Tag, Service        string
	Assignee, WaitingFor        string
	RelationType, RelationItem  string // both or neither
	CreatedAfter, CreatedBefore time.Time
	UpdatedAfter, UpdatedBefore time.Time
	Terms                       string // words that must all occur in number, title, origin, tags or the start of the description
	Limit                       int    // 1 to MaxPage
	Cursor                      string // of the page before; refused as Invalid, field "cursor", when it is none of ours
}

// Page is a part of a list, newest first. Next is empty on the last page.
type Page struct {
	Items []Ticket
	Next  string
}

// MaxPage is the largest page of any list; DefaultPage is the size when none is asked for.
const (
	MaxPage     = 200
	DefaultPage = 20
)
