package notice

import (
	"encoding/json"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"signalbox/ticket"
)

// Published is an event of the stream that lasting subscriptions follow: one that a caller published (seed 003), or one of a ticket.
type Published struct {
	RequestID string // traces it; a UUID
	Source    string
	Topic     string
	Type      string
	Status    string
	Key       string // events with the same key arrive in order; empty: it has none
	Changes   []string
	Hops      int // through how many installations of ours it came
}

// MaxSubscriptions is how many lasting subscriptions a tenant may have.
const MaxSubscriptions = 10_000

// Limits of seed 003's members, in characters.
const (
	MaxEventWord = 255   // event_source, event_topic, event_type, event_status, event_key, and each of changes
	MaxChanges   = 1_000 // at least one
)

// What our own events in the stream say of themselves.
const (
	OurSource = "signalbox"

	TopicTicket = "ticket" // type status, relations, conversation or node; key "ticket.<number>"; changes the number
	KindNode    = "node"   // the ticket moved within its process

	TopicDelivery = "delivery" // an alert: type an AlertKind; key "ticket.<number>" or "subscription.<id>"; changes both ids

	TopicSubscription = "subscription" // a test that its owner asked for; key "subscription.<id>"; changes the id
	KindTest          = "test"
	StatusTest        = "OK"
)

// Reserved reports whether a source is ours alone to publish as, or reads like it: OurSource in any case, with blanks around it, or of characters that are the same
// once they are folded (Unicode, NFKC_Casefold).
func Reserved(source string) bool {
	plain := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, norm.NFKC.String(source))
	return strings.EqualFold(strings.TrimSpace(plain), OurSource)
}

// OfTicket gives the event of the stream that a ticket's event is; before and after are the ticket around it. ok is false where the stream
// is not told. The type of what opened or closed it is status, of everything else that moved it node. The status is OPEN or CLOSED, except
// of node, where it is the ticket's phase: that it is still open would tell a subscriber nothing. The caller adds the request ID.
func OfTicket(before ticket.Ticket, e ticket.Event, after ticket.Ticket) (p Published, ok bool) {
	p = Published{Source: OurSource, Topic: TopicTicket, Status: after.Status.Word(), Key: TopicTicket + "." + after.Number, Changes: []string{after.Number},
		Hops: e.Hops}
	switch kind := issueKind(before, e, after); {
	case kind != "":
		p.Type = kind
	case e.Type == ticket.Opened:
		p.Type = KindStatus
	case before.Phase() != after.Phase(), len(e.After.States) > 0:
		p.Type, p.Status = KindNode, after.Phase()
	}
	return p, p.Type != ""
}

// OfTest gives the event by which a subscription is tried out.
func OfTest(subscription, requestID string) Published {
	return Published{RequestID: requestID, Source: OurSource, Topic: TopicSubscription, Type: KindTest, Status: StatusTest,
		Key: TopicSubscription + "." + subscription, Changes: []string{subscription}}
}

// publishBody is the body of seed 003: these members, in this order.
type publishBody struct {
	Source  string   `json:"event_source"`
	Topic   string   `json:"event_topic"`
	Type    string   `json:"event_type"`
	Status  string   `json:"event_status"`
	Key     string   `json:"event_key,omitempty"`
	Changes []string `json:"changes"`
}

// eventBody has all six members, a key or not, and the request ID.
type eventBody struct {
	Source    string   `json:"event_source"`
	Topic     string   `json:"event_topic"`
	Type      string   `json:"event_type"`
	Status    string   `json:"event_status"`
	Key       string   `json:"event_key"`
	Changes   []string `json:"changes"`
	RequestID string   `json:"request_id"`
}

// IsTest reports whether an event is one by which a subscription is tried out, whatever its filter.
func (p Published) IsTest() bool {
	return p.Source == OurSource && p.Topic == TopicSubscription && p.Type == KindTest
}

// ReadPublished gives the event that RenderPublished made a body of, as far as the body tells.
func ReadPublished(body []byte) (Published, error) {
	var b eventBody
	err := json.Unmarshal(body, &b)
	return Published{RequestID: b.RequestID, Source: b.Source, Topic: b.Topic, Type: b.Type, Status: b.Status, Key: b.Key, Changes: b.Changes}, err
}

// RenderPublished gives the exact body that a subscription of this format is sent for an event of the stream. ok is false for formats that
// tell of tickets alone. The same arguments always give the same bytes.
func RenderPublished(f Format, p Published) (body []byte, ok bool) {
	switch f {
	case FormatEvent:
		return marshal(eventBody{p.Source, p.Topic, p.Type, p.Status, p.Key, p.Changes, p.RequestID}), true
	case FormatPublish:
		return marshal(publishBody{p.Source, p.Topic, p.Type, p.Status, p.Key, p.Changes}), true
	}
	return nil, false
}
