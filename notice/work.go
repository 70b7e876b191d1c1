package notice

import (
	"strconv"
	"time"
)

// Work is a delivery with all that is needed to try it.
type Work struct {
	Delivery     Delivery
	Subscription Subscription // with its secret
	Contact      Contact      // of a letter: where it goes
	Unsendable   string       // not empty: nothing can be sent, for this reason
}

// DueAt is when the next try at it was, or is, due.
func (w Work) DueAt() time.Time {
	if w.Delivery.NextTry != nil {
		return *w.Delivery.NextTry
	}
	return w.Delivery.CreatedAt
}

// Headers that say which try a request is. They begin like those of Standard Webhooks, and no owner of an address can set them; the signature does not cover them.
const (
	HeaderAttempt      = "webhook-attempt"       // the number of the try in its round, from 1
	HeaderFirstAttempt = "webhook-first-attempt" // when the first try of the round began, or was put off; in seconds since 1970
)

// TryHeaders gives the headers that say which try one at it is that begins now.
func (w Work) TryHeaders(now time.Time) map[string]string {
	first := now
	if w.Delivery.FirstTry != nil {
		first = *w.Delivery.FirstTry
	}
	return map[string]string{HeaderAttempt: strconv.Itoa(w.Delivery.Tries + 1), HeaderFirstAttempt: strconv.FormatInt(first.Unix(), 10)}
}

// Result is one try and what follows from it.
type Result struct {
	Work    Work
	Attempt Attempt       // its N is given by the outbox
	Then    DeliveryState // Sent, Retrying (try again at NextTry) or Failed
	NextTry *time.Time
	Drop    string // not empty: the address is dropped, for this reason
	// PutOff tells of a try that was not made, because its host answers nobody: Then is Retrying, and nothing of Attempt counts but StartedAt,
	// from which the round is counted all the same.
	PutOff bool
	// BreakerOpened tells that the breaker of its host opened a moment ago, and that its tenant has not been told of that yet.
	BreakerOpened bool
}
