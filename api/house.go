package api

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/notice"
)

// Envelope is around every answer in the house's own style (seed 000) that is not a thing itself. Result is left out where there is nothing
// to tell.
type Envelope struct {
	Success bool   `json:"success"`
	Message string `json:"message"` // empty on success
	Result  any    `json:"result,omitempty"`
}

// Done is what a caller is told when all went well.
func Done(result any) Envelope { return Envelope{Success: true, Result: result} }

// ID is the result of what made something that has an id.
type ID struct {
	ID string `json:"id"`
}

// Items is the result of every list; Next is left out on the last page.
type Items[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor,omitempty"`
}

// RefuseInEnvelope answers a refusal in the envelope of seed 000, with the HTTP status that fits.
func RefuseInEnvelope(c *fiber.Ctx, r Refusal) error {
	return Respond(c, r.Status, Envelope{Success: false, Message: r.Error.Error()})
}

// DeliveryView is one body owed to an address, with every try at it, as callers see it.
type DeliveryView struct {
	ID            string               `json:"id"`
	Type          string               `json:"type"`
	State         notice.DeliveryState `json:"state"`
	CreatedAt     time.Time            `json:"created_at"`
	EndedAt       *time.Time           `json:"ended_at"`
	NextAttemptAt *time.Time           `json:"next_attempt_at"`
	Attempts      []AttemptView        `json:"attempts"`
}

// AttemptView is one try.
type AttemptView struct {
	N          int               `json:"n"`
	StartedAt  time.Time         `json:"started_at"`
	DurationMS int64             `json:"duration_ms"`
	HTTPStatus *int              `json:"http_status"` // null when there was no answer
	ErrorClass notice.ErrorClass `json:"error_class"` // empty on success
	Error      string            `json:"error"`
	Answer     string            `json:"answer"` // its start, at most shownAnswer bytes
}

// shownAnswer is how much of an answer is shown; more of it is kept.
const shownAnswer = 1 << 10

// DeliveryOf shows a delivery.
func DeliveryOf(r notice.Record) DeliveryView {
	d := DeliveryView{
		ID: r.ID, Type: r.Type, State: r.State, CreatedAt: r.CreatedAt.UTC(), EndedAt: UTC(r.EndedAt), NextAttemptAt: UTC(r.NextTry),
		Attempts: make([]AttemptView, len(r.Attempts)),
	}
	for i, a := range r.Attempts {
		shown := a.Answer[:min(len(a.Answer), shownAnswer)]
		d.Attempts[i] = AttemptView{
			N: a.N, StartedAt: a.StartedAt.UTC(), DurationMS: a.FinishedAt.Sub(a.StartedAt).Milliseconds(), ErrorClass: a.Class, Error: a.Error,
			Answer: strings.ToValidUTF8(string(shown), "\uFFFD"),
		}
		if a.Status != 0 {
			d.Attempts[i].HTTPStatus = &a.Status
		}
	}
	return d
}

// UTC gives a time that may not be there in the zone that answers are written in.
func UTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	u := at.UTC()
	return &u
}
