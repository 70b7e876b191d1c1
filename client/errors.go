package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"signalbox/client/service"
)

// Code says why a request was refused, in one word. It is an error that an [*Error] with the code is: errors.Is(err, client.NotFound).
type Code string

// The codes.
const (
	Invalid      Code = "invalid"      // the request is wrong, and so will the same one be
	Unauthorized Code = "unauthorized" // no credential, or one that is not valid
	Forbidden    Code = "forbidden"    // the app, or whom it names as acting, may not
	NotFound     Code = "not_found"    // no such thing among the caller's own, or no such path
	Conflict     Code = "conflict"     // not possible as things stand
	Busy         Code = "busy"         // the first request with the same idempotency key is still running
	Changed      Code = "changed"      // somebody else changed it meanwhile (If-Match)
	Gone         Code = "gone"         // a cursor of the change feed leads nowhere any more: begin again
	TooLarge     Code = "too_large"    // the request is larger than is taken
	Reused       Code = "reused"       // the idempotency key was used for another request
	TooMany      Code = "too_many"     // a limit on how much or how often is used up
	Looping      Code = "looping"      // the request leads back to where it came from, again and again
	Unavailable  Code = "unavailable"  // it cannot be told or done now; the same request with the same key is safe to repeat
	Internal     Code = "internal"     // a fault of theirs
	Unexpected   Code = "unexpected"   // no answer of Signalbox: a redirect, or a page of somebody in between
)

// Error is the code.
func (c Code) Error() string { return string(c) }

// Error is a request that was refused: it was answered, and nothing was done.
type Error struct {
	Status     int           // of HTTP
	Code       Code          //
	Message    string        // one sentence, for people
	Field      string        // at fault, as the request spells it; empty where it is about none
	RequestID  string        // that the server's log and audit know it by
	RetryAfter time.Duration // how long they ask to wait before another try; 0: they do not say
	Key        string        // the idempotency key that it was sent with; empty where it had none
	Body       []byte        // the whole answer
}

// Error is the message with the field in front, and the code and the request's id behind.
func (e *Error) Error() string {
	about := e.Message
	if e.Field != "" {
		about = e.Field + ": " + about
	}
	if e.RequestID == "" {
		return fmt.Sprintf("%s (%d %s)", about, e.Status, e.Code)
	}
	return fmt.Sprintf("%s (%d %s, request %s)", about, e.Status, e.Code, e.RequestID)
}

// Is reports whether the target is the code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Temporary reports whether the same request with the same key may be answered otherwise a while later.
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusInternalServerError:
		// A conflict that passes is the first request with the same key, still under way. The family publish spells unavailable as 500.
		return e.RetryAfter > 0
	}
	return false
}

// Unanswered is a request to which no whole answer came: whether it was done is not known. Repeated with its key (see WithKey) it is done once.
type Unanswered struct {
	Method, Path string
	Key          string // empty where the request only reads
	Tries        int    // how often it was sent
	Err          error  // of the last try
}

// Error tells the last try's, without the query.
func (u *Unanswered) Error() string {
	return fmt.Sprintf("%s %s: no answer (tries: %d): %v", u.Method, u.Path, u.Tries, cause(u.Err))
}

// Unwrap gives the last try's error.
func (u *Unanswered) Unwrap() error { return u.Err }

// cause is what is under the error of net/http, which repeats the whole address.
func cause(err error) error {
	var outer interface {
		error
		Timeout() bool
		Unwrap() error
	}
	if errors.As(err, &outer) && outer.Unwrap() != nil {
		return outer.Unwrap()
	}
	return err
}

// Faults are what is wrong with a document (of a service) that was refused, each with its place; none where the error is something else.
func Faults(err error) []service.Fault {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	var body struct {
		Result struct {
			Faults []service.Fault `json:"faults"`
		} `json:"result"`
	}
	_ = json.Unmarshal(e.Body, &body) // no JSON has no faults
	return body.Result.Faults
}

var codes = map[int]Code{
	http.StatusBadRequest: Invalid, http.StatusUnauthorized: Unauthorized, http.StatusForbidden: Forbidden, http.StatusNotFound: NotFound,
	http.StatusMethodNotAllowed: NotFound, http.StatusConflict: Conflict, http.StatusGone: Gone, http.StatusPreconditionFailed: Changed,
	http.StatusRequestEntityTooLarge: TooLarge, http.StatusRequestHeaderFieldsTooLarge: TooLarge, http.StatusUnprocessableEntity: Reused,
	http.StatusTooManyRequests: TooMany, http.StatusInternalServerError: Internal, http.StatusBadGateway: Unavailable,
	http.StatusServiceUnavailable: Unavailable, http.StatusGatewayTimeout: Unavailable, http.StatusLoopDetected: Looping,
}

// words are the codes that the family exception has for what the status does not tell.
var words = map[string]Code{"MTCH-0501": NotFound, "MTCH-0503": Conflict, "MTCH-0006": Reused, "MTCH-0018": Busy}

func codeOf(a answer) Code {
	code, known := codes[a.StatusCode]
	again := a.Header.Get("Retry-After") != ""
	var body struct{ Code string }
	_ = json.Unmarshal(a.body, &body)
	switch word, ours := words[body.Code]; {
	case ours && a.StatusCode != http.StatusLoopDetected:
		return word
	case !known && a.StatusCode >= 500:
		return Internal
	case !known && a.StatusCode >= 400:
		return Invalid
	case !known:
		return Unexpected
	case code == Conflict && again:
		return Busy
	case code == Internal && again:
		return Unavailable
	}
	return code
}

// fieldAtFront is how a message names the field at fault.
var fieldAtFront = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.\[\]-]*): `)

// told reads the sentence of a refusal, in the words of any family.
func told(body []byte) (field, message string) {
	var said struct {
		Message string // house, exception
		Msg     string // publish
		Details struct{ Field string }
	}
	if json.Unmarshal(body, &said) != nil {
		return "", ""
	}
	message = said.Message
	if message == "" {
		message = said.Msg
	}
	if field = said.Details.Field; field == "" {
		if found := fieldAtFront.FindStringSubmatch(message); found != nil {
			field = found[1]
		}
	}
	if field != "" {
		message = strings.TrimPrefix(message, field+": ")
	}
	return field, message
}
