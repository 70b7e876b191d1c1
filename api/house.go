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

// Rotated is the result of replacing a secret, which is told this once.
type Rotated struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
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
	Body          string               `json:"body"` // exactly as it is sent
	Attempts      []AttemptView        `json:"attempts"`
}

// AttemptView is one try.
type AttemptView struct {
	N             int               `json:"n"`
	ScheduledAt   *time.Time        `json:"scheduled_at"` // when it was due; null where that is not known
	StartedAt     time.Time         `json:"started_at"`
	FinishedAt    time.Time         `json:"finished_at"`
	DurationMS    int64             `json:"duration_ms"`
	Headers       map[string]string `json:"headers"`     // as they were sent; values that the address's owner added are not shown
	HTTPStatus    *int              `json:"http_status"` // null when there was no answer
	ErrorClass    notice.ErrorClass `json:"error_class"` // empty on success
	Error         string            `json:"error"`
	AnswerHeaders map[string]string `json:"answer_headers"` // without what lets somebody in
	Answer        string            `json:"answer"`         // its start: in a list at most shownAnswer bytes, by itself notice.MaxAnswer
	NextAttemptAt *time.Time        `json:"next_attempt_at"`
}

// shownAnswer is how much of an answer is shown in a list.
const shownAnswer = 1 << 10

// DeliveryOf shows a delivery as it stands in a list.
func DeliveryOf(r notice.DeliveryRecord) DeliveryView { return deliveryOf(r, shownAnswer) }

// WholeDeliveryOf shows a delivery with all that is kept of it.
func WholeDeliveryOf(r notice.DeliveryRecord) DeliveryView { return deliveryOf(r, notice.MaxAnswer) }

func deliveryOf(r notice.DeliveryRecord, answer int) DeliveryView {
	d := DeliveryView{
		ID: r.ID, Type: r.Type, State: r.State, CreatedAt: r.CreatedAt.UTC(), EndedAt: UTC(r.EndedAt), NextAttemptAt: UTC(r.NextTry),
		Body: string(r.Body), Attempts: make([]AttemptView, len(r.Attempts)),
	}
	for i, a := range r.Attempts {
		shown := a.Answer[:min(len(a.Answer), answer)]
		d.Attempts[i] = AttemptView{
			N: a.N, ScheduledAt: UTC(a.ScheduledAt), StartedAt: a.StartedAt.UTC(), FinishedAt: a.FinishedAt.UTC(),
			DurationMS: a.FinishedAt.Sub(a.StartedAt).Milliseconds(), Headers: headersOf(a.Sent), ErrorClass: a.Class, Error: a.Error,
			AnswerHeaders: headersOf(a.Header), Answer: strings.ToValidUTF8(string(shown), "\uFFFD"), NextAttemptAt: UTC(a.NextTry),
		}
		if a.Status != 0 {
			d.Attempts[i].HTTPStatus = &a.Status
		}
	}
	return d
}

// headersOf gives an empty object for none, which JSON would write as null.
func headersOf(h map[string]string) map[string]string {
	if h == nil {
		return map[string]string{}
	}
	return h
}

// UTC gives a time that may not be there in the zone that answers are written in.
func UTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	u := at.UTC()
	return &u
}
