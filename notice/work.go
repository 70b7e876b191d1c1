package notice

import "time"

// Work is a delivery with all that is needed to try it.
type Work struct {
	Delivery     Delivery
	Subscription Subscription // with its secret
	Unsendable   string       // not empty: nothing can be sent, for this reason
}

// DueAt is when the next try at it was, or is, due.
func (w Work) DueAt() time.Time {
	if w.Delivery.NextTry != nil {
		return *w.Delivery.NextTry
	}
	return w.Delivery.CreatedAt
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
