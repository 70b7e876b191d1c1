package tickets

import (
	"context"
	"errors"
	"slices"
	"strings"

	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/ticket"
)

// missed are the states in which a delivery is over and did not arrive.
var missed = []notice.DeliveryState{notice.Held, notice.Failed}

// misses reports whether an address of a ticket's own is owed something that did not arrive and is not tried any more.
func misses(r notice.Registration) bool {
	return r.Person == "" && slices.ContainsFunc(missed, func(s notice.DeliveryState) bool { return r.Counts[s] > 0 })
}

// resent is what a form that has all sent again has led to.
type resent struct {
	Deliveries   int
	Redeliveries []string
	Refused      []string // why addresses are not told again, each reason once
}

var errNothing = errors.New("nothing that did not arrive")

// resend has everything sent again that addresses of the ticket's own are owed and that did not arrive. One that was dropped is registered again first, unless requests to it need what only
// whoever registered it knows. What one address is refused keeps no other back.
func (s *Room) resend(v *page.Visit, h header) error {
	back := h.Path + "#told"
	if from := v.Form.Get("back"); from != "" { // it was done from a list
		back = page.LocalPath(from)
	}
	out, err := page.Transact(v, s.Desk, false, func(ctx context.Context) (out resent, err error) {
		for cursor, more := "", true; more; more = cursor != "" {
			var list []notice.Registration
			if list, cursor, err = s.Reader.Registered(ctx, h.ID, cursor, ticket.MaxPage); err != nil {
				return out, err
			}
			for _, r := range list {
				if !misses(r) {
					continue
				}
				if err := s.resendTo(ctx, h.Ticket, r, &out); err != nil {
					return out, err
				}
			}
		}
		if out.Deliveries == 0 && len(out.Refused) == 0 {
			return out, errNothing
		}
		return out, nil
	})
	switch {
	case errors.Is(err, errNothing):
		return v.Failed(back, ticket.Refuse(ticket.Conflict, v.T("told.nothing_missed", "Number", h.Number)))
	case err != nil:
		return v.Failed(back, err)
	}
	if s.Begin != nil {
		for _, id := range out.Redeliveries {
			s.Begin(v.Until, id)
		}
	}
	if len(out.Refused) == 0 {
		return v.Done(back, v.T("told.resent", "Number", h.Number, "Count", out.Deliveries))
	}
	why := make([]string, len(out.Refused))
	for i, text := range out.Refused {
		why[i] = v.Refusal(ticket.Refuse(ticket.Conflict, text))
	}
	return v.Failed(back, ticket.Refuse(ticket.Conflict, v.T("told.resent_partly", "Number", h.Number, "Count", out.Deliveries, "Why", strings.Join(why, "; "))))
}

// resendTo does so for one address.
func (s *Room) resendTo(ctx context.Context, t ticket.Ticket, r notice.Registration, out *resent) error {
	if r.State == notice.Dropped && r.Format == notice.FormatIssue && !r.HasHeaders && r.Trust.None() {
		if _, err := s.Reader.Register(ctx, t, notice.Subscription{URL: r.URL, Timeout: r.Timeout}); err != nil {
			return out.refuse(err)
		}
	}
	for _, state := range missed {
		if r.Counts[state] == 0 {
			continue
		}
		begun, err := s.Reader.BeginRedelivery(ctx, notice.Owner{Tenant: t.Tenant, TicketID: t.ID}, r.ID, notice.Selection{State: state}, false)
		if err != nil {
			return out.refuse(err)
		}
		out.Deliveries, out.Redeliveries = out.Deliveries+begun.Total, append(out.Redeliveries, begun.ID)
	}
	return nil
}

// refuse notes why an address is not told again; what is no refusal is an error.
func (r *resent) refuse(err error) error {
	why := ticket.AsError(err)
	if why == nil || why.Code == ticket.Unavailable || why.Code == ticket.Busy {
		return err
	}
	if !slices.Contains(r.Refused, why.Message) {
		r.Refused = append(r.Refused, why.Message)
	}
	return nil
}
