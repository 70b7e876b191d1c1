package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// Attendance counts what came of telling tickets who is absent and who has left.
type Attendance struct {
	Told      int `json:"told,omitempty"`       // tickets at which something changed
	StandIn   int `json:"stand_in,omitempty"`   // deputies who were asked
	StandDown int `json:"stand_down,omitempty"` // deputies who are asked no more
	TakenOver int `json:"taken_over,omitempty"` // what others took over from people who have left
	Nobody    int `json:"nobody,omitempty"`     // what nobody took over from them
	Failed    int `json:"failed,omitempty"`     // tickets that could not be told; they are told the next time
}

// Add adds up.
func (a *Attendance) Add(more Attendance) {
	a.Told += more.Told
	a.StandIn += more.StandIn
	a.StandDown += more.StandDown
	a.TakenOver += more.TakenOver
	a.Nobody += more.Nobody
	a.Failed += more.Failed
}

// Attend tells a ticket what the directory says now of those whom it asks: who is absent, with who stands in, and who is not active any more. Where that changes
// something it is an operation of the system itself, and so in the audit. A ticket that is over, suspended or in doubt is left alone.
func (d *Desk) Attend(ctx context.Context, id ticket.Identity) (out Attendance, err error) {
	t, err := d.ledger.Ticket(ctx, id.Tenant, id.Number)
	switch {
	case ticket.Is(err, ticket.NotFound), errors.Is(err, ErrInDoubt):
		return out, nil
	case err != nil:
		return out, step("read the ticket", err)
	case t.Ended() || t.Suspended:
		return out, nil
	}
	presence, err := d.presence(ctx, t)
	if err != nil {
		return out, unavailable(err)
	}
	c, err := d.inform(ctx, t, ticket.Command{Action: ticket.Attend, Presence: &presence, Channel: ticket.ChannelSystem, App: string(ticket.ChannelSystem)})
	if err != nil {
		return out, unavailable(err)
	}
	events, err := ticket.Decide(t, c, d.opts.Now())
	if err != nil || len(events) == 0 {
		return out, err
	}
	request := Request{App: App{Code: string(ticket.ChannelSystem), Tenant: t.Tenant}, Channel: ticket.ChannelSystem, Method: string(ticket.Attend), Path: t.Number}
	if _, err := d.Handle(ctx, request, Handling{Ticket: t.Number, Command: c, Answer: Answer{Status: 200, Body: []byte(`{}`)}}); err != nil {
		return out, err
	}
	out.Told = 1
	for _, e := range events {
		for _, entry := range e.ProcessLog {
			switch entry.Kind {
			case flow.StandsIn:
				out.StandIn++
			case flow.StandsDown:
				out.StandDown++
			case flow.Succeeded:
				if len(entry.To) > 0 {
					out.TakenOver++
				} else {
					out.Nobody++
				}
			}
		}
	}
	d.opts.Log.InfoContext(ctx, "ticket.attended", "ticket", t.Number, "stand_in", out.StandIn, "stand_down", out.StandDown, "taken_over", out.TakenOver, "nobody", out.Nobody)
	return out, nil
}

// presence gives what the directory says of everybody whom a ticket asks.
func (d *Desk) presence(ctx context.Context, t ticket.Ticket) (p flow.Presence, err error) {
	p.Persons = t.Position.Asks()
	for some := range slices.Chunk(p.Persons, people.MaxAsked) {
		want := people.Want{At: d.opts.Now(), Service: t.Service, Persons: some}
		found, err := d.opts.People.Lookup(ctx, t.Tenant, want)
		if err != nil {
			return p, fmt.Errorf("look people up: %w", err)
		}
		p.Standings = append(p.Standings, standings(found)...)
		var left []string
		for _, one := range found.Persons {
			if !one.Active {
				left = append(left, one.ID)
			}
		}
		if len(left) == 0 {
			continue
		}
		want.Persons, want.Managers = left, left
		if found, err = d.opts.People.Lookup(ctx, t.Tenant, want); err != nil {
			return p, fmt.Errorf("look people up: %w", err)
		}
		for _, who := range left {
			p.Left = append(p.Left, flow.Succession{From: who, To: found.SuccessorOf(who)})
		}
	}
	return p, nil
}

// standings are those of what was found who have somebody to stand in for them.
func standings(found people.Facts) (out []flow.Standing) {
	for _, s := range found.Standings {
		if s.Deputy != "" {
			until := s.Until
			if !until.IsZero() {
				until = until.UTC().Truncate(time.Microsecond)
			}
			out = append(out, flow.Standing{For: s.For, Deputy: s.Deputy, Until: until})
		}
	}
	return out
}
