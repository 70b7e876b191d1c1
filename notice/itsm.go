package notice

import (
	"cmp"
	"strings"
	"time"

	"signalbox/ticket"
)

// Words for a ticket's status in the itsm family (itsm.md 5.1).
const (
	ITSMRunning    = "RUNNING"
	ITSMSuspended  = "SUSPENDED"
	ITSMFinished   = "FINISHED"
	ITSMTerminated = "TERMINATED"
	ITSMRevoked    = "REVOKED"
)

// ITSMStatus is a ticket's status in the itsm family's words.
func ITSMStatus(t ticket.Ticket) string {
	switch {
	case t.Suspended:
		return ITSMSuspended
	case t.Status == ticket.Completed:
		return ITSMFinished
	case t.Status == ticket.Terminated:
		return ITSMTerminated
	case t.Status == ticket.Revoked:
		return ITSMRevoked
	}
	return ITSMRunning
}

// ITSMTime writes times in answers and callbacks of the itsm family.
const (
	ITSMTime      = "2006-01-02 15:04:05"
	ITSMTimeExact = "2006-01-02 15:04:05.000000"
)

// itsmNotice is the callback of seed 002: exactly these nine members, in this order.
type itsmNotice struct {
	Title        string `json:"title"`
	Status       string `json:"current_status"`
	Number       string `json:"sn"`
	URL          string `json:"ticket_url"`
	UpdatedAt    string `json:"update_at"`
	UpdatedBy    string `json:"updated_by"`
	Approved     bool   `json:"approve_result"`
	Token        string `json:"token"`
	LastApprover string `json:"last_approver"`
}

// renderITSM gives a callback for every ending and for nothing else (seed 002). Its kind is the status that the ticket ended with.
func renderITSM(c Context, before ticket.Ticket, e ticket.Event, after ticket.Ticket) (kind string, body []byte, ok bool) {
	if !before.Status.Open() || !after.Ended() {
		return "", nil, false
	}
	status := ITSMStatus(after)
	return status, marshal(itsmNotice{
		Title: after.Title, Status: status, Number: after.Number, URL: c.TicketURL(after.Number),
		UpdatedAt: e.At.In(c.zone()).Format(ITSMTimeExact), UpdatedBy: strings.Join(c.Actors(e.Seq), ","), Approved: after.Approved(),
		Token: c.Token(after.Identity), LastApprover: strings.Join(after.LastApprovers(), ","),
	}), true
}

func (c Context) zone() *time.Location {
	return cmp.Or(c.Zone, time.UTC)
}
