package ticket

import "time"

// Part is what somebody has to do with a ticket.
type Part string

const (
	PartOpener   Part = "opener"
	PartActor    Part = "actor"    // moved it through its process; the opener is the first
	PartFollower Part = "follower" // wants to see it
	PartLeft     Part = "left"     // was named as one who wants to see it, and does not any more
	PartApprover Part = "approver" // is asked for a vote now
)

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
