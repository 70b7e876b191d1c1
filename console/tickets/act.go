package tickets

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

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
	c := as(v, ticket.Command{Action: action, Node: v.Form.Get("node"), Note: lines(v.Form.Text("comment"))})
	c.Round, _ = strconv.Atoi(v.Form.Get("round")) // of a form of ours it is a number
	if err := s.fill(v, h.Ticket, &c); err != nil {
		return s.again(v, h, err)
	}
	_, err := s.Desk.Handle(v.Until, v.DeskRequest(), desk.Handling{Ticket: h.Number, Command: c, Types: s.Types, Answer: nothing})
	if err != nil {
		return s.again(v, h, err)
	}
	return v.Done(h.Path, v.T("act.done", "Action", v.Word("action", action)))
}

// fill reads what the form of an action says beside a comment.
func (s *Room) fill(v *page.Visit, t ticket.Ticket, c *ticket.Command) error {
	for _, n := range t.Nodes() {
		if n.Node == c.Node && n.Round == c.Round {
			c.Fields = filled(v, n.Fields)
		}
	}
	switch c.Action {
	case ticket.Assign, ticket.Deliver, ticket.Add, ticket.Remove, ticket.Reassign:
		c.Targets, c.Fields = v.Form.List("targets"), nil
		if c.Action == ticket.Add {
			c.Place = flow.Place(v.Form.Get("place"))
		}
	case ticket.Approve, ticket.Reject:
		c.OnBehalf = v.Form.Get("on_behalf")
	case ticket.Retry:
		c.Resend, c.Fields = v.Form.On("resend"), nil
	case ticket.CommitSolution, ticket.Confirm:
		p, err := parameter(v)
		if err != nil {
			return err
		}
		if c.Note = ""; c.Action == ticket.CommitSolution {
			c.Note = lines(v.Form.Text("comment"))
		}
		if err := p.Fill(c); err != nil {
			return err
		}
	case ticket.Claim, ticket.Retract, ticket.Terminate:
		c.Fields = nil
	}
	if c.Action == ticket.Reject || c.Action == ticket.Confirm && c.Verdict != nil && !c.Verdict.Passed {
		c.To = v.Form.Get("to")
	}
	if c.OnBehalf == c.Operator {
		c.OnBehalf = ""
	}
	return nil
}

// parameter reads a solution, or a verdict, from a form, as seed 001 has them.
func parameter(v *page.Visit) (p ticket.Parameter, err error) {
	var f ticket.Faults
	p.Read(func(name string, into any) {
		text := lines(v.Form.Text(name))
		switch into := into.(type) {
		case **string:
			*into = &text
		case **ticket.Flag:
			if text == "true" || text == "false" {
				flag := ticket.Flag(text == "true")
				*into = &flag
			}
		case **ticket.Millis:
			ms, ok := millisOf(v, name)
			if !ok {
				f.Add(name, "must be a date with its time")
			}
			*into = (*ticket.Millis)(ms)
		}
	})
	return p, f.Err()
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
	t, err := s.Reader.Ticket(v.Until, v.Who.App.Tenant, h.Number)
	if err != nil {
		return err
	}
	h.is(t)
	return s.page(v, h, refusalStatus[why.Code], &refused{form: v.Form, why: why})
}
