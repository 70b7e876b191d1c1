package service

import (
	"encoding/json"
	"fmt"
	"time"

	"signalbox/notice"
	"signalbox/ticket"
)

// delivery is something that would be sent to those who asked to be told of a ticket, if there were any: to the addresses of the ticket
// (format issue), to the callback that it was opened with (itsm), and to whoever follows the tenant's stream (event). A body has only what
// a simulation can know: no number, no token.
type delivery struct {
	At     time.Time     `json:"at"`
	Format notice.Format `json:"format"`
	Type   string        `json:"type"` // in the format's own words
	Status string        `json:"status,omitempty"`
	Body   members       `json:"body,omitempty"`
}

type members map[string]json.RawMessage

// untold are the members of bodies that depend on a ticket that there is not, or on who has acted on it.
var untold = []string{"id", "sn", "title", "ticket_url", "update_at", "updated_by", "token"}

// deliveriesOf works out what would be sent for the events of a ticket, by the rules that say what is owed for them.
func deliveriesOf(events []ticket.Event) ([]delivery, error) {
	out := []delivery{}
	context := notice.Context{TicketURL: func(string) string { return "" }, Token: func(ticket.Identity) string { return "" }, Actors: func(int64) []string { return nil }}
	before := ticket.Ticket{}
	for _, e := range events {
		after := ticket.Evolve(before, e)
		for _, format := range []notice.Format{notice.FormatIssue, notice.FormatITSM} {
			kind, body, ok := notice.Render(format, context, before, e, after)
			if !ok {
				continue
			}
			d := delivery{At: e.At, Format: format, Type: kind}
			if err := json.Unmarshal(body, &d.Body); err != nil {
				return nil, fmt.Errorf("read the body of a delivery: %w", err)
			}
			for _, name := range untold {
				delete(d.Body, name)
			}
			out = append(out, d)
		}
		if event, ok := notice.OfTicket(before, e, after); ok {
			out = append(out, delivery{At: e.At, Format: notice.FormatEvent, Type: event.Type, Status: event.Status})
		}
		before = after
	}
	return out, nil
}
