package flow

import "fmt"

// Code says what kind of refusal an Error is. Package flow itself uses the first four.
type Code string

const (
	Invalid     Code = "invalid"     // the request itself is wrong; the same request will never succeed
	Forbidden   Code = "forbidden"   // this caller or operator may not do it
	NotFound    Code = "not_found"   // no such node, or no such thing in the caller's tenant
	Conflict    Code = "conflict"    // right in itself, but not where the ticket stands
	TooMany     Code = "too_many"    // a limit on how much or how often is used up
	Unavailable Code = "unavailable" // we cannot tell or do it now; the same request may be repeated

	Unauthorized Code = "unauthorized" // no credential, or a wrong one
	Busy         Code = "busy"         // the first request under the same idempotency key is still running
	Reused       Code = "reused"       // the idempotency key was used for another request
	Gone         Code = "gone"         // what the request goes on from is no longer there; whoever follows a change feed begins again
)

// Error is a refusal: a code, the field at fault as the caller spelled it (may be empty), and one sentence for a person.
// Anything that is not an Error is a fault of ours and its text never reaches a caller.
type Error struct {
	Code    Code   `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`

	// All are the faults by themselves, where several were found at once; Message tells of all of them, or of the first where it is kept. It is for whoever shows each beside its field, and
	// goes nowhere else.
	All []*Error `json:"-"`
}

// Each gives the faults by themselves.
func (e *Error) Each() []*Error {
	if len(e.All) > 0 {
		return e.All
	}
	return []*Error{e}
}

// Error gives the sentence, with the field in front where there is one.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

func refuse(code Code, field, format string, values ...any) *Error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, values...)}
}
