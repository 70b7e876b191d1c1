package page

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// Transact has the desk do what touches the database alone, under the key of the form that was sent, and gives what effect gave: the same again where the form was sent
// before. What effect writes joins the transaction that its context carries. secret tells that what it gives is to be kept encrypted.
func Transact[T any](v *Visit, d api.Desk, secret bool, effect func(ctx context.Context) (T, error)) (out T, err error) {
	return TransactOne(v, d, "", secret, effect)
}

// TransactOne is Transact for one of several things that a form asks for, each of which is done or refused by itself; which tells them apart.
func TransactOne[T any](v *Visit, d api.Desk, which string, secret bool, effect func(ctx context.Context) (T, error)) (out T, err error) {
	r := v.DeskRequest()
	if which != "" && r.Key != "" {
		r.Key += " " + which
	}
	reply, err := d.Transact(v.Until, r, func(ctx context.Context) (desk.Answer, error) {
		given, err := effect(ctx)
		if err != nil {
			return desk.Answer{}, err
		}
		body, err := json.Marshal(given)
		return desk.Answer{Status: http.StatusOK, Body: body, Secret: secret}, err
	})
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		return out, fmt.Errorf("read what a form led to: %w", err)
	}
	return out, nil
}

// Fault is what is wrong with a form that was sent.
type Fault struct {
	Field string // the first one at fault, as the form names it; empty: it cannot be said
	Text  string // in the visitor's language
}

// Fault tells what is wrong with a form by the refusal that it met; false: the error is no refusal that whoever sent it could mend. What a refusal names within a field
// ("headers.X-Team") is a fault of the field.
func (v *Visit) Fault(err error) (f Fault, ok bool) {
	refusal := ticket.AsError(err)
	if refusal == nil || refusal.Code != ticket.Invalid && refusal.Code != ticket.Conflict && refusal.Code != ticket.TooMany && refusal.Code != ticket.NotFound {
		return Fault{}, false
	}
	return Fault{Field: refusal.Field, Text: v.Refusal(refusal)}, true
}

// At gives the text for a field, which the fault is about; empty: it is about another.
func (f Fault) At(field string) string {
	if f.Field == field || len(f.Field) > len(field) && f.Field[:len(field)] == field && (f.Field[len(field)] == '.' || f.Field[len(field)] == '[') {
		return f.Text
	}
	return ""
}
