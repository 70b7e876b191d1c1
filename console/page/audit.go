package page

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"signalbox/desk"
	"signalbox/ticket"
)

// Audit writes down what was refused to somebody who is known; *api.Refusals is one.
type Audit interface {
	Write(ctx context.Context, e desk.Entry) (bool, error)
}

// Refused notes why what a form asks for was not done, for the audit. The first reason that is noted stays.
func (v *Visit) Refused(err error) {
	if refusal := ticket.AsError(err); v.refusal == nil && refusal != nil {
		v.refusal = refusal
	}
}

// Tries tells that what the form asks for would change nothing: so that it is tried out, checked or counted, or that its sender is asked back. What is wrong with it is told to whoever sent it, and refused to nobody.
func (v *Visit) Tries() { v.tries = true }

// RefusedOne writes down that one of several things was refused that a form asks for: trail is what the desk was asked under, number the ticket that it is about. It may be
// called by several at once, after EachRefused.
func (v *Visit) RefusedOne(trail *desk.Trail, number string, err error) {
	refusal := ticket.AsError(err)
	if refusal == nil || refusal.Code == ticket.Busy || trail.Refused == "" && refusal.Code == ticket.Unavailable {
		return
	}
	e := *v.several
	e.ID, e.At, e.Number, e.Status, e.Code, e.Why = trail.Refused, v.site.Now(), number, cmp.Or(statuses[refusal.Code], http.StatusConflict), refusal.Code, refusal.Error()
	v.write(e)
}

// EachRefused tells that RefusedOne is called for whatever of the form is refused.
func (v *Visit) EachRefused() {
	e := v.entry()
	v.several = &e
}

// entry is what is written down of every form that the visitor sends.
func (v *Visit) entry() desk.Entry {
	return desk.Entry{Tenant: v.Who.App.Tenant, App: v.Who.App.Code, Operator: v.Who.Person, Address: v.Address(), RequestID: v.RequestID(), Channel: ticket.ChannelPages, Method: v.Method(),
		Path: v.Path(), Outcome: desk.Refused}
}

// statuses are those of a refusal of one of several things.
var statuses = map[ticket.Code]int{ticket.Invalid: http.StatusBadRequest, ticket.Forbidden: http.StatusForbidden, ticket.NotFound: http.StatusNotFound, ticket.TooMany: http.StatusTooManyRequests,
	ticket.Unavailable: http.StatusServiceUnavailable, ticket.Reused: http.StatusUnprocessableEntity}

// audit writes down that a form was not carried out, as api.Server does with calls: what could not be done just now is none of it, unless its operation was closed already, and
// nor is what a stranger sent.
func (v *Visit) audit(began time.Time) {
	status := v.Response().StatusCode()
	if v.Method() != http.MethodPost || v.Who.App.Tenant == "" || v.several != nil || v.tries || status < 300 { // what is no more than tried, or looked at, is answered by its page
		return
	}
	why := v.refusal
	if why == nil && status >= 400 && status < 500 { // the form was shown again, with what is wrong beside its fields
		code := ticket.Invalid
		switch status {
		case http.StatusForbidden:
			code = ticket.Forbidden
		case http.StatusConflict:
			code = ticket.Conflict
		}
		why = ticket.Refuse(code, "the form was not taken as it was filled in")
	}
	if why == nil || why.Code == ticket.Busy || v.trail.Refused == "" && why.Code == ticket.Unavailable {
		return
	}
	e := v.entry()
	e.ID, e.At, e.Number, e.Status, e.Code, e.Why = v.trail.Refused, began, v.Params("number"), status, why.Code, why.Error()
	v.write(e)
}

func (v *Visit) write(e desk.Entry) {
	if v.site.Audit == nil {
		return
	}
	written, err := v.site.Audit.Write(v.Until, e)
	switch {
	case err != nil:
		v.site.Log.ErrorContext(v.Until, "audit.refused", "request_id", e.RequestID, "error", err)
	case !written: // it is one too many
		v.site.Log.WarnContext(v.Until, "audit.unwritten", "request_id", e.RequestID, "app", e.App, "operator", e.Operator, "path", e.Path, "code", e.Code)
	}
}
