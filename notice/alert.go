package notice

import (
	"time"

	"signalbox/ticket"
)

// AlertKind says what went wrong, mostly with a delivery. It is the type of the timeline's entry and of the event in the stream, as it stands here.
type AlertKind string

const (
	DeliveryFailed AlertKind = "delivery_failed" // it was given up
	AddressDropped AlertKind = "address_dropped" // nothing more is sent there until its owner says so
	BreakerOpened  AlertKind = "breaker_opened"  // a host answers nobody and is left alone for a while, by one process
	// DeliveryCancelled says that somebody had a delivery not tried any more.
	DeliveryCancelled AlertKind = "delivery_cancelled"
	// TicketInDoubt says of a ticket, not of a delivery, that the stores contradict each other about it: it takes no writes until it is reconciled.
	TicketInDoubt AlertKind = "ticket_in_doubt"
)

// alertKinds declares them all, with what heads them on the pages. The incident family's histories and the itsm family's logs are of
// the ticket's own events alone, and tell of none.
var alertKinds = []struct {
	kind  AlertKind
	title string
}{
	{DeliveryFailed, "Delivery given up"},
	{AddressDropped, "Address dropped"},
	{BreakerOpened, "Host left alone"},
	{DeliveryCancelled, "Delivery cancelled"},
	{TicketInDoubt, "Ticket in doubt"},
}

// AlertKinds lists them all.
var AlertKinds = func() []AlertKind {
	list := make([]AlertKind, len(alertKinds))
	for i, d := range alertKinds {
		list[i] = d.kind
	}
	return list
}()

// Title heads the alert on the pages; a kind of a newer build is called by its own name.
func (k AlertKind) Title() string {
	for _, d := range alertKinds {
		if d.kind == k {
			return d.title
		}
	}
	return string(k)
}

// Alert tells of a delivery what somebody may want to do something about. It is ours and no event of a ticket: it changes none, and no
// workflow knows of it.
type Alert struct {
	ID           string // given by the outbox; the same when the try is written down again
	Tenant       string
	TicketID     int64 // in whose timeline it stands; zero or less: in none, since the delivery was about no ticket
	Position     Position
	At           time.Time
	Kind         AlertKind
	Subscription string
	Delivery     string
	Host         string // of the address: see Address
	Reason       string // one line for a person
	Status       string // in one word: the error class, dropped, open or cancelled
	Quiet        bool   // the stream is not told
	Hops         int    // of the delivery
	// Once is set where a ticket's timeline is told of it only if it is the first of its kind since the address last took anything: a lasting
	// subscription follows every ticket of its tenant, and one dead receiver would be an entry in each.
	Once bool
}

// Alerts gives what a result is to be told of, in order, without ids and positions; most give none. Whether a delivery or its address was given up by
// this very result, or was held or dropped before, is for the caller to see.
//
// That the delivery of an alert failed is no news for the stream, and neither is a breaker that it opened: subscribers whose receivers are dead
// would otherwise be told of each other for ever. Addresses are dropped once, so there is an end to those.
func (r Result) Alerts() (list []Alert) {
	w, a := r.Work, r.Attempt
	at := a.FinishedAt
	if r.PutOff {
		at = a.StartedAt
	}
	add := func(kind AlertKind, status, reason string, quiet bool) {
		alert := w.alert(kind, at, status, reason, quiet)
		alert.Once = kind == DeliveryFailed && w.Subscription.TicketID <= 0
		list = append(list, alert)
	}
	if r.Then == Failed {
		add(DeliveryFailed, string(a.Class), a.Error, w.Delivery.Alert)
	}
	if r.Drop != "" {
		add(AddressDropped, string(Dropped), r.Drop, false)
	}
	if r.BreakerOpened {
		add(BreakerOpened, "open", "the host answers nobody and is left alone for a while", w.Delivery.Alert)
	}
	return list
}

// Cancelled gives the alert that somebody had a delivery not tried any more; by is who, in a few words. Like every alert about an alert it is no news for the
// stream.
func (w Work) Cancelled(by string, at time.Time) Alert {
	return w.alert(DeliveryCancelled, at, string(Cancelled), "cancelled by "+by, w.Delivery.Alert)
}

func (w Work) alert(kind AlertKind, at time.Time, status, reason string, quiet bool) Alert {
	return Alert{Tenant: w.Delivery.Tenant, TicketID: w.Delivery.Lane.TicketID, At: at, Kind: kind, Subscription: w.Subscription.ID, Delivery: w.Delivery.ID,
		Host: w.Subscription.Host, Reason: reason, Status: status, Quiet: quiet, Hops: w.Delivery.Hops}
}

// InDoubt gives the alert that a ticket is in doubt; why is for people.
func InDoubt(t ticket.Identity, why string, at time.Time) Alert {
	return Alert{Tenant: t.Tenant, TicketID: t.ID, At: at, Kind: TicketInDoubt, Reason: why, Status: "doubt"}
}

// OfAlert gives the event of the stream that an alert is; number is its ticket's, or empty.
func OfAlert(a Alert, number string) Published {
	if a.Kind == TicketInDoubt {
		return Published{RequestID: a.ID, Source: OurSource, Topic: TopicTicket, Type: string(a.Kind), Status: a.Status, Key: TopicTicket + "." + number,
			Changes: []string{number}}
	}
	key := TopicSubscription + "." + a.Subscription
	if number != "" {
		key = TopicTicket + "." + number
	}
	return Published{RequestID: a.ID, Source: OurSource, Topic: TopicDelivery, Type: string(a.Kind), Status: a.Status, Key: key,
		Changes: []string{a.Subscription, a.Delivery}, Hops: a.Hops}
}
