package tickets

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"signalbox/console/forms"
	"signalbox/console/page"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// nothing is the answer that is kept of what was done here: whoever sends a form twice is led to the ticket once more.
var nothing = desk.Answer{Status: http.StatusOK, Body: json.RawMessage(`{}`)}

// refused is a form that was sent and not carried out.
type refused struct {
	form  page.Form
	why   *ticket.Error
	shown bool // its form is on the page again, with what was typed

	anyway []string // ids of persons of which its sender is warned
}

// as gives a command its doer: the visitor, by the rights that the form says.
func as(v *page.Visit, c ticket.Command) ticket.Command {
	c.Operator = v.Who.Person
	c.Personal = v.Who.Own && !(v.Form.On("as_admin") && v.Who.May(page.Admin))
	return c
}

// act does what a form of the card Now asks for.
func (s *Room) act(v *page.Visit, h header) error {
	action := ticket.Action(v.Form.Get("action"))
	if !slices.Contains(ticket.HandleActions, action) && action != ticket.Close && action != ticket.Reopen {
		return ticket.RefuseField(ticket.Invalid, "action", "is none that can be done here")
	}
	c := as(v, ticket.Command{Action: action, Node: v.Form.Get("node"), Note: forms.Lines(v.Form.Text("comment"))})
	c.Round, _ = strconv.Atoi(v.Form.Get("round")) // of a form of ours it is a number
	if err := forms.Fill(v, v.Form, h.Ticket, &c); err != nil {
		return s.again(v, h, err)
	}
	if warning, err := s.warned(v, s.inputs(v, h.Ticket, c)); err != nil {
		return err
	} else if warning != nil {
		return s.shown(v, h, *warning)
	}
	_, err := s.Desk.Handle(v.Until, v.DeskRequest(), desk.Handling{Ticket: h.Number, Command: c, Types: s.Types, Answer: nothing})
	if err != nil {
		return s.again(v, h, s.each(v, h.Ticket, c, err))
	}
	to := h.Path
	if back := v.Form.Get("back"); back != "" { // it was done from a list
		to = page.LocalPath(back)
	}
	return v.Done(to, v.T("act.done", "Action", v.Word("action", action)))
}

// each tells of every field at fault of a form that the ticket's workflow refused, which brings back the first one: by the same rules.
func (s *Room) each(v *page.Visit, t ticket.Ticket, c ticket.Command, err error) error {
	why := ticket.AsError(err)
	if why == nil || why.Code != ticket.Invalid || len(why.All) > 0 {
		return err
	}
	c.Channel, c.App, c.Admin = ticket.ChannelPages, v.Who.App.Code, v.Who.May(page.Admin)
	_, again := ticket.DecideChecked(t, c, v.Site().Now())
	if all := ticket.AsError(again); all != nil && all.Code == why.Code && all.Field == why.Field && len(all.All) > 0 {
		return all
	}
	return err
}

// inputs are the fields of the form that a command was sent by; none where the ticket has moved on.
func (s *Room) inputs(v *page.Visit, t ticket.Ticket, c ticket.Command) []forms.Input {
	for _, n := range t.Nodes() {
		if n.Node == c.Node && n.Round == c.Round {
			return forms.Act{Ticket: t, Node: n, Action: flow.Action(c.Action), By: v.Who.Person, Types: s.types(t)}.Inputs(v)
		}
	}
	return nil
}

// refusalStatus are the refusals that somebody can do something about in the form that they sent, and the status of the page that says so.
var refusalStatus = map[ticket.Code]int{ticket.Invalid: http.StatusBadRequest, ticket.Forbidden: http.StatusForbidden, ticket.NotFound: http.StatusNotFound,
	ticket.Conflict: http.StatusConflict, ticket.Reused: http.StatusConflict, ticket.TooMany: http.StatusTooManyRequests}

// again shows the ticket as it is now, with the form that was refused and what was typed into it.
func (s *Room) again(v *page.Visit, h header, err error) error {
	why := ticket.AsError(err)
	if why == nil || refusalStatus[why.Code] == 0 {
		return err
	}
	return s.shown(v, h, refused{form: v.Form, why: why})
}

func (s *Room) shown(v *page.Visit, h header, sent refused) error {
	v.Refused(sent.why)
	t, err := s.Reader.Ticket(v.Until, v.Who.App.Tenant, h.Number)
	if err != nil {
		return err
	}
	h.is(v.SpokenTicket(t))
	return s.page(v, h, refusalStatus[sent.why.Code], &sent)
}
