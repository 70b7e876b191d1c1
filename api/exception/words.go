package exception

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/ticket"
)

// Codes of this family, from the original system's catalogue.
const (
	codeInvalid     = "MTCH-0001"
	codeInternal    = "MTCH-0002"
	codeCredential  = "MTCH-0003"
	codeForbidden   = "MTCH-0004"
	codeNoRoute     = "MTCH-0005" // no such path, or not with this method
	codeReused      = "MTCH-0006" // unprocessable; here: the idempotency key was used for another request, or the request leads back to us again and again
	codeUnavailable = "MTCH-0008" // the request may be repeated
	codeTooLarge    = "MTCH-0010"
	codeKey         = "MTCH-0015" // the idempotency key is not well formed
	codeBusy        = "MTCH-0018" // the first request with this key is still running
	codeUnknown     = "MTCH-0501" // no such exception in the caller's tenant
	codeState       = "MTCH-0503" // not possible in the state the exception is in; nothing was changed
	codeTooMany     = "MTCH-0506" // a budget is used up: the external system's, the app's, or that of log-ins that fail
)

var codes = map[ticket.Code]string{
	ticket.Invalid: codeInvalid, ticket.Unauthorized: codeCredential, ticket.Forbidden: codeForbidden, ticket.NotFound: codeUnknown,
	ticket.Conflict: codeState, ticket.Busy: codeBusy, ticket.Reused: codeReused, ticket.TooMany: codeTooMany,
	ticket.Unavailable: codeUnavailable,
	api.NoRoute:        codeNoRoute, api.NoMethod: codeNoRoute, api.TooLarge: codeTooLarge, api.Internal: codeInternal,
	api.Looping: codeReused,
}

// statuses spell a ticket's status in this family. What has ended is RESOLVED however it ended, and a suspended ticket keeps the status
// under it; the rule book knows both.
var statuses = map[string]ticket.Status{
	"OPEN":               ticket.Triggered,
	"ASSIGNED":           ticket.Acknowledged,
	"PENDING_RESOLUTION": ticket.Resolved,
	"RESOLVED":           ticket.Completed,
}

// envelope is around every refusal. Callers go by the code; messages are for people.
type envelope struct {
	Code    string   `json:"code"`
	Title   string   `json:"title"` // the reason phrase of the HTTP status
	Message string   `json:"message"`
	Details *details `json:"details,omitempty"`
}

type details struct {
	Field string `json:"field"` // at fault, as the caller spelled it
}

// refuse answers in the envelope of the original system. A move that the rules do not allow is 422 there.
func refuse(c *fiber.Ctx, r api.Refusal) error {
	if len(c.Response().Header.Peek(api.HeaderReplayed)) == 0 {
		c.Set(api.HeaderReplayed, "false")
	}
	status := r.Status
	if r.Code == ticket.Conflict {
		status = http.StatusUnprocessableEntity
	}
	e := envelope{Code: codeOf(r), Title: http.StatusText(status), Message: r.Error.Error()}
	if r.Field != "" {
		e.Details = &details{r.Field}
	}
	return api.Respond(c, status, e)
}

func codeOf(r api.Refusal) string {
	if r.Code == ticket.Invalid && (r.Field == api.HeaderXKey || r.Field == api.HeaderKey) {
		return codeKey
	}
	if code, ok := codes[r.Code]; ok {
		return code
	}
	return codeInternal
}
