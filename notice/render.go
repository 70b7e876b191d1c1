package notice

import (
	"bytes"
	"encoding/json"
	"time"

	"signalbox/ticket"
)

// Kinds of the issue family's notifications (seed 000).
const (
	KindRelations    = "relations"
	KindStatus       = "status"
	KindConversation = "conversation"
)

// Context is what bodies tell that is no part of the ticket. Its functions give the same for the same arguments.
type Context struct {
	TicketURL func(number string) string   // where people see the ticket
	Token     func(ticket.Identity) string // by which a receiver can make sure that a callback is ours
	Actors    func(seq int64) []string     // everybody who moved the ticket up to that event, in order
	Zone      *time.Location               // of times that are written without one; nil means UTC
}

// Render gives what a subscription of this format is sent for an event: the delivery's kind in the format's own words and its exact body.
// before and after are the ticket around the event. ok is false when nothing is sent: the format is not told of such events, or this build
// cannot render it. The same arguments always give the same bytes.
func Render(f Format, c Context, before ticket.Ticket, e ticket.Event, after ticket.Ticket) (kind string, body []byte, ok bool) {
	switch f {
	case FormatIssue:
		return renderIssue(before, e, after)
	case FormatITSM:
		return renderITSM(c, before, e, after)
	}
	return "", nil, false
}

func renderIssue(before ticket.Ticket, e ticket.Event, after ticket.Ticket) (kind string, body []byte, ok bool) {
	kind = issueKind(before, e, after)
	if kind == "" {
		return "", nil, false
	}
	n := issueNotice{ID: after.Number, Type: kind}
	if kind == KindStatus {
		n.Details = issueDetails{From: before.Status.Word(), To: after.Status.Word()}
	}
	return kind, marshal(n), true
}

// issueNotice is the body of seed 000: exactly these three members, in this order.
type issueNotice struct {
	ID      string       `json:"id"`
	Type    string       `json:"type"`
	Details issueDetails `json:"details"`
}

type issueDetails struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// issueKind says which of the three notifications an event causes; empty: none. Nothing is sent for an opening, since nobody can
// have asked to be told before there was a ticket.
func issueKind(before ticket.Ticket, e ticket.Event, after ticket.Ticket) string {
	switch about := e.Type.About(); {
	case e.Type == ticket.Opened:
		return ""
	case about == ticket.AboutRelations:
		return KindRelations
	case about == ticket.AboutConversation:
		return KindConversation
	case before.Status.Word() != after.Status.Word():
		return KindStatus
	}
	return ""
}

// marshal writes JSON as the documents show it: no HTML escapes and no line end.
func marshal(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("notice: a body that does not marshal: " + err.Error()) // strings and truth values only
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
