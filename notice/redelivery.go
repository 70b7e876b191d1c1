package notice

import (
	"slices"
	"time"

	"signalbox/ticket"
)

// Selection says which deliveries of a subscription are delivered again: those in a state, of a time, or both. At least one must be given.
type Selection struct {
	State DeliveryState // Failed, Held or Sent; empty: any of them
	From  *time.Time    // of the events that they tell of; from then on
	To    *time.Time    // before then
}

// redeliverable are the states in which a delivery is over, and could be wanted again.
var redeliverable = []DeliveryState{Failed, Held, Sent}

// States are those that the selection takes.
func (s Selection) States() []DeliveryState {
	if s.State != "" {
		return []DeliveryState{s.State}
	}
	return slices.Clone(redeliverable)
}

// Check tells everything that is wrong with a selection, in the names of the redelivery's members.
func (s Selection) Check() error {
	var f ticket.Faults
	switch {
	case s.State == "" && s.From == nil && s.To == nil:
		f.Add("state", "is required where neither from nor to is given: failed, held or sent")
	case s.State != "" && !slices.Contains(redeliverable, s.State):
		f.Add("state", "must be failed, held or sent")
	}
	if s.From != nil && s.To != nil && !s.From.Before(*s.To) {
		f.Add("to", "must be after from")
	}
	return f.Err()
}

// RedeliveryState says where a redelivery stands.
type RedeliveryState string

const (
	Redelivering RedeliveryState = "running"
	Redelivered  RedeliveryState = "done"
	Stopped      RedeliveryState = "stopped" // its address was dropped or deleted meanwhile
)

// Redelivery is many deliveries of a subscription delivered again, each under the id it had, as one piece of work that can be watched.
type Redelivery struct {
	ID           string          `json:"id"`
	Tenant       string          `json:"tenant"`
	Subscription string          `json:"subscription"`
	State        RedeliveryState `json:"state"`
	Total        int             `json:"total"` // that there were when it was asked for
	Done         int             `json:"done"`  // that were put back to be sent
	CreatedAt    time.Time       `json:"created_at"`
	EndedAt      *time.Time      `json:"ended_at,omitempty"`
}

// Together is how far redeliveries are that were asked for at once.
type Together struct {
	N, Running, Stopped int // of redeliveries
	Total, Done         int // of deliveries: as Redelivery has them
	CreatedAt           time.Time
}
