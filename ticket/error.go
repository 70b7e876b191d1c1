package ticket

import (
	"errors"
	"strings"

	"signalbox/flow"
)

// Code says what kind of refusal an Error is. Each family translates it into its own words and HTTP status.
type Code = flow.Code

// The codes, as package flow describes them.
const (
	Invalid      = flow.Invalid
	Forbidden    = flow.Forbidden
	NotFound     = flow.NotFound
	Conflict     = flow.Conflict
	TooMany      = flow.TooMany
	Unavailable  = flow.Unavailable
	Unauthorized = flow.Unauthorized
	Busy         = flow.Busy
	Reused       = flow.Reused
	Gone         = flow.Gone
)

// Error is a refusal, of the rule book or of the process that a ticket runs through. Anything that is not an Error is a fault of ours and
// its text never reaches a caller.
type Error = flow.Error

// Refuse makes a refusal that names no field.
func Refuse(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// RefuseField makes a refusal that names the field at fault.
func RefuseField(code Code, field, message string) *Error {
	return &Error{Code: code, Field: field, Message: message}
}

// AsError finds the refusal in err, or nil when err is no refusal.
func AsError(err error) *Error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return nil
}

// Is reports whether err is a refusal with this code.
func Is(err error, code Code) bool {
	refusal := AsError(err)
	return refusal != nil && refusal.Code == code
}

// Faults collects everything that is wrong with a request, so that a caller hears of all of it at once.
type Faults []*Error

// Add notes one more fault of a field.
func (f *Faults) Add(field, message string) { *f = append(*f, RefuseField(Invalid, field, message)) }

// Err is nil when there were no faults, the fault when there was one, and otherwise one Invalid refusal that names the first
// field and tells of all.
func (f Faults) Err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return f[0]
	}
	texts := make([]string, len(f))
	for i, fault := range f {
		texts[i] = fault.Error()
	}
	first := f[0]
	rest := strings.Join(texts[1:], "; ")
	return &Error{Code: Invalid, Field: first.Field, Message: first.Message + "; " + rest, All: f}
}
