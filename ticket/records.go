package ticket

import (
	"fmt"
	"regexp"
	"time"

	"signalbox/flow"
)

// Series is a kind of ticket number.
type Series string

const (
	SeriesIM  Series = "IM"  // issue and incident: IM + yyyyMMddHHmmss + 10 digits (seed 001)
	SeriesREQ Series = "REQ" // itsm, by type of service: prefix + yyyyMMdd + a counter of 6 digits that starts anew each day
	SeriesCRQ Series = "CRQ"
	SeriesINC Series = "INC"
	SeriesPBI Series = "PBI"
)

// Counter names the counter that numbers of this series opened at that moment are drawn from; empty: the ticket's integer id serves.
func (s Series) Counter(at time.Time) string {
	if s == SeriesIM {
		return ""
	}
	return string(s) + at.Format("20060102")
}

// Number gives the ticket number for the n-th draw of the series' counter. It uses at in its own time zone.
func (s Series) Number(at time.Time, n int64) string {
	if s == SeriesIM {
		return fmt.Sprintf("%s%s%010d", s, at.Format("20060102150405"), n)
	}
	return fmt.Sprintf("%s%06d", s.Counter(at), n)
}

// Counters have the digits they are given at least; they may outgrow them.
var number = regexp.MustCompile(`^(IM[0-9]{24,30}|(REQ|CRQ|INC|PBI)[0-9]{14,30})$`)

// IsNumber reports whether a text is spelled like a ticket number.
func IsNumber(key string) bool { return number.MatchString(key) }

// MessageRecord is a message as the read model keeps it.
type MessageRecord struct {
	Message
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Filter chooses tickets of one tenant; an empty member matches everything.
type Filter struct {
	Open                        *bool    // OPEN or CLOSED in the issue family's words
	Phases                      []string // any of these
	Origin, Tag, Service        string
	Assignee, WaitingFor        string
	RelationType, RelationItem  string // both or neither
	CreatedAfter, CreatedBefore time.Time
	UpdatedAfter, UpdatedBefore time.Time
	Words                       string // words that must all occur in number, title, origin, tags or the start of the description
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

// ServiceRecord is a version of a service as the read model keeps it.
type ServiceRecord struct {
	flow.Definition
	BuiltIn     bool      // part of the program: nobody published it, and it cannot be changed
	Enabled     bool      // the service opens new tickets; the same for all its versions
	PublishedBy string    // the app; empty where it is built in
	PublishedAt time.Time // likewise
}

// MaxServices is how many services a tenant can have, beside the built-in ones.
const MaxServices = 1_000
