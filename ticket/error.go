package ticket

import (
	"errors"
	"strings"
)

// Code says what kind of refusal an Error is. Each family translates it into its own words and HTTP status.
type Code string

const (
	Invalid     Code = "invalid"     // the request itself is wrong; the same request will never succeed
	Forbidden   Code = "forbidden"   // this caller or operator may not do it
	NotFound    Code = "not_found"   // no such thing in the caller's tenant
	Conflict    Code = "conflict"    // right in itself, but not in the state the ticket is in
	TooMany     Code = "too_many"    // a limit on how much or how often is used up
	Unavailable Code = "unavailable" // we cannot tell or do it now; the same request may be repeated

	Unauthorized Code = "unauthorized" // no credential, or a wrong one
	Busy         Code = "busy"         // the first request under the same idempotency key is still running
	Reused       Code = "reused"       // the idempotency key was used for another request
)

// Error is a refusal: a code, the field at fault as the caller spelled it (may be empty), and one sentence for a person.
// Anything that is not an Error is a fault of ours and its text never reaches a caller.
type Error struct {
	Code    Code   `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// Error gives the sentence, with the field in front where there is one.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

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
	return &Error{Code: Invalid, Field: first.Field, Message: first.Message + "; " + rest}
}
