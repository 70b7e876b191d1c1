package notice

import (
	"strconv"
	"strings"
	"time"

	"signalbox/ticket"
)

// AlertKind says what went wrong with a delivery. It is the type of the timeline's entry and of the event in the stream, as it stands here.
type AlertKind string

const (
	DeliveryFailed AlertKind = "delivery_failed" // it was given up
	AddressDropped AlertKind = "address_dropped" // nothing more is sent there until its owner says so
	BreakerOpened  AlertKind = "breaker_opened"  // a host answers nobody and is left alone for a while, by one process
)

// alertKinds declares them all, with what heads them on the operators' pages. The incident family's histories and the itsm family's logs are of
// the ticket's own events alone, and tell of none.
var alertKinds = []struct {
	kind  AlertKind
	title string
}{
	{DeliveryFailed, "Delivery given up"},
	{AddressDropped, "Address dropped"},
	{BreakerOpened, "Host left alone"},
}

// AlertKinds lists them all.
var AlertKinds = func() []AlertKind {
	list := make([]AlertKind, len(alertKinds))
	for i, d := range alertKinds {
		list[i] = d.kind
	}
	return list
}()

// Title heads the alert on the operators' pages; a kind of a newer build is called by its own name.
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
	Place        Place
	At           time.Time
	Kind         AlertKind
	Subscription string
	Delivery     string
	Host         string // and port, where the address names one
	Reason       string // one line for a person
	Status       string // in one word: the error class, dropped or open
	Quiet        bool   // the stream is not told
}

// Alerts gives what a result is to be told of, in order, without ids and places; most give none. Whether a delivery or its address was given up by
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
		list = append(list, Alert{Tenant: w.Delivery.Tenant, TicketID: w.Delivery.Lane.TicketID, At: at, Kind: kind, Subscription: w.Subscription.ID,
			Delivery: w.Delivery.ID, Host: HostOf(w.Subscription.URL), Reason: reason, Status: status, Quiet: quiet})
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

// OfAlert gives the event of the stream that an alert is; number is its ticket's, or empty.
func OfAlert(a Alert, number string) Published {
	key := TopicSubscription + "." + a.Subscription
	if number != "" {
		key = TopicTicket + "." + number
	}
	return Published{RequestID: a.ID, Source: OurSource, Topic: TopicDelivery, Type: string(a.Kind), Status: a.Status, Key: key,
		Changes: []string{a.Subscription, a.Delivery}}
}

// Place is where an entry stands in its ticket's timeline: an event at its sequence number, an alert after the event before it. The zero value
// is before all.
type Place struct {
	Seq int64
	N   int64 // zero: the event itself
}

// MaxPlace is how long a place can be as String writes it: two numbers and a point.
const MaxPlace = 39

// String writes a place as ParsePlace reads it: "5", or "5.1" for the first alert after event 5.
func (p Place) String() string {
	if p.N == 0 {
		return strconv.FormatInt(p.Seq, 10)
	}
	return strconv.FormatInt(p.Seq, 10) + "." + strconv.FormatInt(p.N, 10)
}

// ParsePlace reads what String wrote; ok is false for anything else.
func ParsePlace(text string) (p Place, ok bool) {
	seq, n, alert := strings.Cut(text, ".")
	p.Seq, ok = natural(seq)
	if ok && alert {
		p.N, ok = natural(n)
	}
	return p, ok && p.String() == text
}

func natural(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// Before reports whether an entry there stands before one at the other place.
func (p Place) Before(other Place) bool {
	return p.Seq < other.Seq || p.Seq == other.Seq && p.N < other.N
}

// Entry is one entry of a ticket's timeline: what happened to it, or what went wrong with a delivery that tells of it. Exactly one is set.
type Entry struct {
	Event *ticket.Event
	Alert *Alert
}

// Place is where it stands.
func (e Entry) Place() Place {
	if e.Alert != nil {
		return e.Alert.Place
	}
	return Place{Seq: e.Event.Seq}
}
