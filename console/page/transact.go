package page

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

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
	Text  string // what is wrong there, in the visitor's language
	more  []Fault
	all   string
}

// Fault tells what is wrong with a form by the refusal that it met; false: the error is no refusal that whoever sent it could mend. What a refusal names within a field
// ("headers.X-Team") is a fault of the field.
func (v *Visit) Fault(err error) (f Fault, ok bool) {
	refusal := ticket.AsError(err)
	if refusal == nil || refusal.Code != ticket.Invalid && refusal.Code != ticket.Conflict && refusal.Code != ticket.TooMany && refusal.Code != ticket.NotFound {
		return Fault{}, false
	}
	v.Refused(err)
	for _, one := range refusal.Each() {
		f.more = append(f.more, Fault{Field: one.Field, Text: v.Why(one.Message)})
	}
	f.Field, f.Text, f.more, f.all = f.more[0].Field, f.more[0].Text, f.more[1:], v.Explain(refusal)
	return f, true
}

// Renamed gives the fault with the fields as a form names them.
func (f Fault) Renamed(name func(field string) string) Fault {
	out := f
	out.Field, out.more = name(f.Field), nil
	for _, one := range f.more {
		out.more = append(out.more, one.Renamed(name))
	}
	return out
}

// All tells everything that is wrong, with the fields.
func (f Fault) All() string { return cmp.Or(f.all, f.Text) }

// At tells what is wrong with a field, without its name where it is the whole of it; empty: nothing is.
func (f Fault) At(field string) string {
	var out []string
	for _, one := range append([]Fault{f}, f.more...) {
		switch inside, ok := strings.CutPrefix(one.Field, field); {
		case !ok || one.Text == "":
		case inside == "":
			out = append(out, one.Text)
		case inside[0] == '.' || inside[0] == '[':
			out = append(out, one.Field+": "+one.Text)
		}
	}
	return strings.Join(out, "; ")
}
