package houseapi

import (
	"signalbox/api"
	"signalbox/notice"
	"strings"
	"time"
)

// deliveryView is one body for an address, with every try at it, as callers see it.
type deliveryView struct {
	ID            string               `json:"id"`
	Type          string               `json:"type"`
	State         notice.DeliveryState `json:"state"`
	Reason        string               `json:"reason,omitempty"` // why it was not made, where its tries do not say so
	CreatedAt     time.Time            `json:"created_at"`
	EndedAt       *time.Time           `json:"ended_at"`
	NextAttemptAt *time.Time           `json:"next_attempt_at"`
	Hops          int                  `json:"hops"` // through how many installations of ours came what it tells of
	Body          string               `json:"body"` // exactly as it is sent
	Attempts      []attemptView        `json:"attempts"`
}

// attemptView is one try.
type attemptView struct {
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

// shortened shows a delivery as it stands in a list.
func shortened(r notice.DeliveryRecord) deliveryView { return viewOf(r, shownAnswer) }

// viewOf shows a delivery with so many bytes of each answer.
func viewOf(r notice.DeliveryRecord, answer int) deliveryView {
	d := deliveryView{
		ID: r.ID, Type: r.Type, State: r.State, Reason: r.Reason, CreatedAt: r.CreatedAt.UTC(), EndedAt: api.UTC(r.EndedAt), NextAttemptAt: api.UTC(r.NextTry), Hops: r.Hops,
		Body: string(r.Body), Attempts: make([]attemptView, len(r.Attempts)),
	}
	for i, a := range r.Attempts {
		shown := a.Answer[:min(len(a.Answer), answer)]
		d.Attempts[i] = attemptView{
			N: a.N, ScheduledAt: api.UTC(a.ScheduledAt), StartedAt: a.StartedAt.UTC(), FinishedAt: a.FinishedAt.UTC(),
			DurationMS: a.FinishedAt.Sub(a.StartedAt).Milliseconds(), Headers: headersOf(a.Sent), ErrorClass: a.Class, Error: a.Error,
			AnswerHeaders: headersOf(a.Header), Answer: strings.ToValidUTF8(string(shown), "\uFFFD"), NextAttemptAt: api.UTC(a.NextTry),
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
