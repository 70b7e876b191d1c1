package ticket

import "time"

// Rating is what somebody thinks of how a ticket went (itsm family). A ticket gets one.
type Rating struct {
	ID       int64 // of the ticket
	Stars    int
	Operator string
	Comments string
	At       time.Time
}
