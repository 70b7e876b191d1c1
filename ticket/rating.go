package ticket

import (
	"fmt"
	"time"
)

// Limits of a rating, as the ITSM API has them.
const (
	MaxStars         = 6
	MaxRatingComment = 1_000 // characters
)

// Rating is what somebody thinks of how a ticket went. A ticket gets one.
type Rating struct {
	ID       int64 // of the ticket
	Stars    int   // from 1 to MaxStars; 0: it has none
	Operator string
	Comments string
	At       time.Time
}

// Check tells what is wrong with the stars and the comments that somebody gives.
func (r Rating) Check() error {
	var f Faults
	if r.Stars < 1 || r.Stars > MaxStars {
		f.Add("stars", fmt.Sprintf("must be from 1 to %d", MaxStars))
	}
	f.Text("comments", r.Comments, 0, MaxRatingComment)
	return f.Err()
}

// Rateable reports whether somebody is asked to rate the ticket, which has a rating or not: its opener, once it is completed.
func (t Ticket) Rateable(who string, rated bool) bool {
	return t.Status == Completed && !rated && who != "" && who == t.Opener
}
