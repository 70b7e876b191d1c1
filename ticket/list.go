package ticket

import "time"

// Filter chooses tickets of one tenant; an empty member matches everything.
type Filter struct {
	Open                        *bool    // OPEN or CLOSED in the issue family's words
	Phases                      []string // any of these
	Origin, Tag, Service        string
	Assignee, WaitingFor        string
	Unassigned                  bool   // open, and nobody's
	Opener, Follower            string // persons: who opened it, who wants to see it
	RelationType, RelationItem  string // an item of a relation; of any, where no type is given
	CreatedAfter, CreatedBefore time.Time
	UpdatedAfter, UpdatedBefore time.Time
	SLA                         []string  // any of SLAStates, and SLAKept
	DueAfter, DueBefore         time.Time // of DueAt
	Overdue                     time.Time // the present moment: open, and DueAt has passed by then
	Stuck                       []Cause   // any of these; see Causes
	Node                        string    // of a service's process, which is then asked for too: those that stand at it
	EndedAfter, EndedBefore     time.Time // of EndedAt
	ReopenedAfter               time.Time // that was reopened between the two, however often and whatever became of it since
	ReopenedBefore              time.Time
	Terms                       string // words that must all occur in number, title, origin, tags or the start of the description
	Sort                        Sort
	Limit                       int    // 1 to MaxPage
	Cursor                      string // of the page before, in the same order; refused as Invalid, field "cursor", when it is none of ours
}

// Sort is the order of a list. What is the same in it comes in the order of opening.
type Sort string

const (
	SortOpened        Sort = ""         // newest first
	SortUpdated       Sort = "updated"  // the least recently changed first
	SortUpdatedLatest Sort = "-updated" // the most recently changed first
	SortDue           Sort = "due"      // the soonest due first (DueAt), and after these what is not due, newest first
	SortStuck         Sort = "stuck"    // the longest stuck first, of those that are (Stuck; for any cause, where none is given)
)

// Sorts lists the orders but for that in which lists are when nothing is said.
var Sorts = []string{string(SortUpdated), string(SortUpdatedLatest), string(SortDue), string(SortStuck)}

// Page is a part of a list. Next is empty on the last page.
type Page struct {
	Items []Ticket
	Next  string
}

// Total is how many tickets there are of a list, up to as many as were to be counted: More tells that there are others.
type Total struct {
	N    int
	More bool
}

// MaxTotal is up to how many a list is counted. MaxLookedAt is up to how many pages count of those each of which has to be looked at by itself: whether it still is stuck, or is tied to something by several
// relations.
const (
	MaxTotal    = 1_000
	MaxLookedAt = 100
)

// Most is up to how many a page counts those that a filter chooses.
func (f Filter) Most() int {
	if len(f.Stuck) > 0 || f.Sort == SortStuck || f.RelationItem != "" && f.RelationType == "" {
		return MaxLookedAt
	}
	return MaxTotal
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
