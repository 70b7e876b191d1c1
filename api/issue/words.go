package issue

import (
	"signalbox/ticket"
)

// phases are the words that the filter "phase" takes.
var phases = []string{
	string(ticket.Triggered), string(ticket.Acknowledged), string(ticket.Resolved), string(ticket.Completed),
	string(ticket.Terminated), string(ticket.Revoked), ticket.PhaseSuspended,
}
