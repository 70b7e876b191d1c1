package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/internal/framing"
	"signalbox/ticket"
)

// Codes of refusals that the server makes before any family is asked, beside those of package ticket.
const (
	NoRoute  ticket.Code = "no_route"  // there is no such path
	NoMethod ticket.Code = "no_method" // the path does not take this method
	TooLarge ticket.Code = "too_large" // the body or the headers are larger than allowed
	Internal ticket.Code = "internal"  // a fault of ours; the cause is in the log alone
)

// Refusal is what a family answers when a request is not done.
type Refusal struct {
	ticket.Error     // Message is for the caller; Field may be empty
	Status       int // HTTP status that fits, the same in every family that has no rule of its own
}

// Later makes a refusal tell its caller how long to wait before it tries again, instead of what is usual for its code.
func Later(refusal *ticket.Error, wait time.Duration) error { return later{refusal, wait} }

type later struct {
	refusal *ticket.Error
	wait    time.Duration
}

func (l later) Error() string { return l.refusal.Error() }

func (l later) Unwrap() error { return l.refusal }

// retryAfterOf is how many seconds the caller of a refused request is to wait; false: it need not try again.
func retryAfterOf(code ticket.Code, cause error) (seconds int, ok bool) {
	var l later
	if errors.As(cause, &l) {
		return max(1, int((l.wait+time.Second-1)/time.Second)), true
	}
	seconds, ok = retryAfter[code]
	if code == ticket.Unavailable {
		seconds += rand.IntN(spread)
	}
	return seconds, ok
}

// statuses maps codes to HTTP statuses; contracts of families that differ say so in their words.go.
var statuses = map[ticket.Code]int{
	ticket.Invalid:      http.StatusBadRequest,
	ticket.Unauthorized: http.StatusUnauthorized,
	ticket.Forbidden:    http.StatusForbidden,
	ticket.NotFound:     http.StatusNotFound,
	ticket.Conflict:     http.StatusConflict,
	ticket.Busy:         http.StatusConflict,
	ticket.Reused:       http.StatusUnprocessableEntity,
	ticket.TooMany:      http.StatusTooManyRequests,
	ticket.Gone:         http.StatusGone,
	ticket.Unavailable:  http.StatusServiceUnavailable,
	NoRoute:             http.StatusNotFound,
	NoMethod:            http.StatusMethodNotAllowed,
	TooLarge:            http.StatusRequestEntityTooLarge,
	Looping:             statusLooping,
}

// classify makes a refusal of any error. What is no refusal is a fault of ours, and its text does not reach the caller.
func classify(err error) Refusal {
	refusal := ticket.AsError(err)
	var server *fiber.Error
	var unclear *framing.Fault
	switch {
	case refusal != nil:
	case errors.As(err, &unclear):
		return Refusal{*ticket.Refuse(ticket.Invalid, "the request is not proper HTTP: "+unclear.Reason), unclear.Status}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		refusal = ticket.Refuse(ticket.Unavailable, "the request could not be done in time; it may be repeated")
	case errors.As(err, &server):
		return fromServer(server)
	}
	if refusal != nil {
		if status, ok := statuses[refusal.Code]; ok {
			return Refusal{*refusal, status}
		}
	}
	return Refusal{*ticket.Refuse(Internal, "internal error"), http.StatusInternalServerError}
}

// fromServer translates what Fiber and the HTTP layer under it refuse.
func fromServer(err *fiber.Error) Refusal {
	switch err.Code {
	case http.StatusNotFound:
		return Refusal{*ticket.Refuse(NoRoute, "there is no such path"), err.Code}
	case http.StatusMethodNotAllowed:
		return Refusal{*ticket.Refuse(NoMethod, "the path does not take this method"), err.Code}
	case http.StatusRequestEntityTooLarge:
		return Refusal{*ticket.Refuse(TooLarge, "the body is too large"), err.Code}
	case http.StatusRequestHeaderFieldsTooLarge:
		return Refusal{*ticket.Refuse(TooLarge, "the headers are too large"), err.Code}
	}
	if err.Code >= 400 && err.Code < 500 {
		return Refusal{*ticket.Refuse(ticket.Invalid, "the request is not proper HTTP"), err.Code}
	}
	return Refusal{*ticket.Refuse(Internal, "internal error"), http.StatusInternalServerError}
}
