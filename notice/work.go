package notice

import "time"

// Work is a delivery with all that is needed to try it.
type Work struct {
	Delivery     Delivery
	Subscription Subscription // with its secret
}

// Result is one try and what follows from it.
type Result struct {
	Work    Work
	Attempt Attempt       // its N is given by the outbox
	Then    DeliveryState // Sent, Parked (try again at NextTry) or Failed
	NextTry *time.Time
	Drop    string // not empty: the address is dropped, for this reason
}
