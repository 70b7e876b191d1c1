package notice

import (
	"slices"
	"time"

	"signalbox/ticket"
)

// DeliveryFilter chooses deliveries of one tenant; an empty member matches everything.
type DeliveryFilter struct {
	States       []DeliveryState // any of these
	Subscription string
	Host         string    // of the address: see Address; where States are Sent and Failed alone, that which it had when it was told or given up
	URL          string    // the address itself
	TicketID     int64     // about this ticket
	From, To     time.Time // of the events that they tell of: from then on, and before then
	Limit        int       // 1 to ticket.MaxPage
	Cursor       string    // of the page before; refused as Invalid, field "cursor", when it is none of ours
}

// DeliveryStates lists all states.
var DeliveryStates = []DeliveryState{Pending, Retrying, Sent, Failed, Held, Gathering, Digested, Cancelled}

// InTrouble are the states of deliveries that somebody may want to do something about.
var InTrouble = []DeliveryState{Failed, Held, Retrying}

// Check tells everything that is wrong with a filter.
func (d DeliveryFilter) Check() error {
	var f ticket.Faults
	for _, s := range d.States {
		if !slices.Contains(DeliveryStates, s) {
			f.Add("state", "must be one of those of a delivery")
			break
		}
	}
	if !d.From.IsZero() && !d.To.IsZero() && !d.From.Before(d.To) {
		f.Add("to", "must be after from")
	}
	return f.Err()
}

// DeliveryPage is a part of a tenant's deliveries, newest first. Next is empty on the last page.
type DeliveryPage struct {
	Items []TenantDelivery
	Next  string
}

// TenantDelivery is a delivery with where it goes and what it tells of.
type TenantDelivery struct {
	DeliveryRecord              // in a list without its body, and of its attempts with the last alone
	At             time.Time    // of the event
	Number         string       // of its ticket; empty: it is about none
	Subscription   Subscription // without secrets
}

// DeliveryStats tells how deliveries to a subscription went lately, and what waits. Each count ends at MaxStats.
type DeliveryStats struct {
	Sent, Failed            int // of the last MaxStats that are about events since then
	Pending, Retrying, Held int
}

// MaxStats is how far what is told of a subscription is counted.
const MaxStats = 1_000

// FilterRedelivery is what having all deliveries of a filter delivered again comes to, subscription by subscription.
type FilterRedelivery struct {
	Total   int // deliveries
	Begun   []Redelivery
	Skipped []SkippedRedelivery
	More    bool // there are more subscriptions than are dealt with at once: ask again
}

// SkippedRedelivery is a subscription of which nothing can be delivered again as a whole, and why.
type SkippedRedelivery struct {
	Subscription string
	Lasting      bool   // it follows the tenant's tickets
	Number       string // of the ticket whose address it is; empty: it is lasting, or a way of telling a person
	Why          *ticket.Error
}
