package ticket

import (
	"time"

	"signalbox/calendar"
	"signalbox/flow"
)

// Record is a ticket as it is shown by itself, with what the read model keeps beside it.
type Record struct {
	Ticket
	Relations []Relation // with their contents, in the order in which the types were first added
	Rating    Rating     // without stars: it has none
}

// MessageRecord is a message as the read model keeps it.
type MessageRecord struct {
	Message
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Catalog is a shelf that services stand on, in the itsm family.
type Catalog struct {
	ID          int64
	Parent      int64 // the catalog that it is in
	Name        string
	Description string
}

// Limits of catalogs.
const (
	MaxCatalogs     = 1_000 // of a tenant
	MaxCatalogDepth = 10    // below the root
)

// ImportedService says of a service where it was imported to, in the itsm family.
type ImportedService struct {
	Key     string // of the service
	Catalog int64
	Name    string       // it was imported by; one of its catalog's services alone has it
	Left    []NotCarried // what of the exported flow its latest version has nothing for
}

// NotCarried names something of an imported flow that its definition here has nothing for.
type NotCarried struct {
	At  string `json:"at"`  // where it stands in what was imported
	Why string `json:"why"` // and what is so instead
}

// ServiceRecord is a version of a service as the read model keeps it.
type ServiceRecord struct {
	flow.Definition
	BuiltIn     bool      // part of the program: nobody published it, and it cannot be changed
	Enabled     bool      // the service opens new tickets; the same for all its versions
	PublishedBy string    // the app, or the person who did it on the pages; empty where it is built in
	PublishedAt time.Time // likewise
}

// MaxServices is how many services a tenant can have, beside the built-in ones.
const MaxServices = 1_000

// CalendarRecord is a version of a calendar as the read model keeps it.
type CalendarRecord struct {
	calendar.Calendar
	Enabled     bool // services may name it; the same for all its versions
	PublishedBy string
	PublishedAt time.Time
}

// MaxCalendars is how many calendars a tenant can have, and MaxCalendar how large one is at most, in bytes of text and as JSON. Tickets carry those that their service names.
const (
	MaxCalendars = 200
	MaxCalendar  = 128 << 10
)
