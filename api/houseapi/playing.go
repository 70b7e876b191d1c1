package houseapi

import (
	"encoding/json"
	"fmt"
	"time"

	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// maxScript is how many answers, how many answers to calls, and how many absences a script may have: each is looked at again and again.
const maxScript = 200

// Scene is what a process is played through with: who opens a ticket, how the form is filled in, and what people and called systems do then.
type Scene struct {
	App              string // that asks for it
	Opener, Assignee string
	Form             flow.Values         // the opening form, filled in
	Named            map[string][]string // people by node, as when opening
	Start            time.Time
	Script           ticket.Script
	// For is how long it is played, step by step: see ticket.SimulateFor. Nil: to its end.
	For *time.Duration
}

// Played is what a scene came to, and what would be sent meanwhile.
type Played struct {
	ticket.Simulation
	Deliveries []Delivery
}

// Play plays a process through with people and receivers that do what the script says, by the rules that decide for tickets. Nothing leaves the house. It refuses as
// Invalid, with the field at fault: a field of the form, script.answers[0].after, state_processors.approve.
func Play(def flow.Definition, s Scene) (Played, error) {
	var f ticket.Faults
	for _, part := range []struct {
		field string
		has   int
	}{{"script.absences", len(s.Script.Absences)}, {"script.answers", len(s.Script.Answers)}, {"script.calls", len(s.Script.Calls)}} {
		if part.has > maxScript {
			f.Add(part.field, ticket.Over(maxScript, "items", part.has))
		}
	}
	if err := f.Err(); err != nil {
		return Played{}, err
	}
	if err := CanBeNamed(def, s.Named); err != nil {
		return Played{}, err
	}
	draft := ticket.Draft{Channel: ticket.ChannelIssue, App: s.App, Service: def.Key, Definition: &def,
		Origin: "simulation", Title: "simulation", Opener: s.Opener, Assignee: s.Assignee, Form: s.Form, Named: s.Named}
	var simulated ticket.Simulation
	var err error
	if s.For == nil {
		simulated, err = ticket.Simulate(draft, s.Script, s.Start)
	} else {
		simulated, err = ticket.SimulateFor(draft, s.Script, s.Start, *s.For)
	}
	if err != nil {
		return Played{}, err
	}
	deliveries, err := deliveriesOf(simulated.Events)
	return Played{simulated, deliveries}, err
}

// Delivery is something that would be sent to those who asked to be told of a ticket, if there were any: to the addresses of the ticket
// (format issue), to the callback that it was opened with (itsm), and to whoever follows the tenant's stream (event). A body has only what
// a simulation can know: no number, no token.
type Delivery struct {
	At     time.Time                  `json:"at"`
	Format notice.Format              `json:"format"`
	Type   string                     `json:"type"` // in the format's own words
	Status string                     `json:"status,omitempty"`
	Body   map[string]json.RawMessage `json:"body,omitempty"`
}

// untold are the members of bodies that depend on a ticket that there is not, or on who has acted on it.
var untold = []string{"id", "sn", "title", "ticket_url", "update_at", "updated_by", "token"}

// deliveriesOf works out what would be sent for the events of a ticket, by the rules that say what is owed for them.
func deliveriesOf(events []ticket.Event) ([]Delivery, error) {
	out := []Delivery{}
	context := notice.Context{TicketURL: func(string) string { return "" }, Token: func(ticket.Identity) string { return "" }, Actors: func(int64) []string { return nil }}
	before := ticket.Ticket{}
	for _, e := range events {
		after := ticket.Evolve(before, e)
		for _, format := range []notice.Format{notice.FormatIssue, notice.FormatITSM} {
			kind, body, ok := notice.Render(format, context, before, e, after)
			if !ok {
				continue
			}
			d := Delivery{At: e.At, Format: format, Type: kind}
			if err := json.Unmarshal(body, &d.Body); err != nil {
				return nil, fmt.Errorf("read the body of a delivery: %w", err)
			}
			for _, name := range untold {
				delete(d.Body, name)
			}
			out = append(out, d)
		}
		if event, ok := notice.OfTicket(before, e, after); ok {
			out = append(out, Delivery{At: e.At, Format: notice.FormatEvent, Type: event.Type, Status: event.Status})
		}
		before = after
	}
	return out, nil
}
