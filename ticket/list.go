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
	SLA                         []string  // any of SLAStates
	DueAfter, DueBefore         time.Time // of DueAt
	Terms                       string    // words that must all occur in number, title, origin, tags or the start of the description
	Limit                       int       // 1 to MaxPage
	Cursor                      string    // of the page before; refused as Invalid, field "cursor", when it is none of ours
}

// Page is a part of a list, newest first. Next is empty on the last page.
type Page struct {
	Items []Ticket
	Next  string
}

// FeedEarliest and FeedLatest are cursors of a change feed: before all that is there, and behind all that was there when it was asked for.
const (
	FeedEarliest = "earliest"
	FeedLatest   = "latest"
)

// FeedEntry is one change of a ticket: the event, and the ticket as it is when the feed is read, which may be after later events.
type FeedEntry struct {
	Event  Event
	Ticket Ticket
}

// FeedPage is a part of a change feed, oldest first. Next is never empty: what is not on this page comes after it.
type FeedPage struct {
	Items []FeedEntry
	Next  string
	More  bool // there is more already
}

// MaxPage is the largest page of any list; DefaultPage is the size when none is asked for.
const (
	MaxPage     = 200
	DefaultPage = 20
)
