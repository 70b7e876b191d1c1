package issue

import (
	"signalbox/ticket"
)

// Words for a ticket's status in this family (seed 000: OPEN -> CLOSED).
const (
	statusOpen   = "OPEN"
	statusClosed = "CLOSED"
)

func statusWord(s ticket.Status) string {
	if s.Open() {
		return statusOpen
	}
	return statusClosed
}

// phases are the words that the filter "phase" takes.
var phases = []string{
	string(ticket.Triggered), string(ticket.Acknowledged), string(ticket.Resolved), string(ticket.Completed),
	string(ticket.Terminated), string(ticket.Revoked), ticket.PhaseSuspended,
}
