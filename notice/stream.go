package notice

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

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

// OfTicket gives the event of the stream that a ticket's event is; before and after are the ticket around it. ok is false where the stream
// is not told. The type of what opened or closed it is status, of everything else that moved it node. The status is OPEN or CLOSED, except
// of node, where it is the ticket's phase: that it is still open would tell a subscriber nothing. The caller adds the request ID.
func OfTicket(before ticket.Ticket, e ticket.Event, after ticket.Ticket) (p Published, ok bool) {
	p = Published{Source: OurSource, Topic: TopicTicket, Status: after.Status.Word(), Key: TopicTicket + "." + after.Number, Changes: []string{after.Number}}
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

// RenderPublished gives the exact body that a subscription of this format is owed for an event of the stream. ok is false for formats that
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

// Filter chooses events of the stream; what is empty matches everything. A key that ends in "*" matches every key that begins like it.
type Filter struct {
	Source string `json:"source,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Type   string `json:"type,omitempty"`
	Status string `json:"status,omitempty"`
	Key    string `json:"key,omitempty"`
}

// Matches says whether the filter chooses the event. It is what selectors have to agree with.
func (f Filter) Matches(p Published) bool {
	prefix, open := strings.CutSuffix(f.Key, "*")
	return (f.Source == "" || f.Source == p.Source) && (f.Topic == "" || f.Topic == p.Topic) && (f.Type == "" || f.Type == p.Type) &&
		(f.Status == "" || f.Status == p.Status) && (f.Key == "" || f.Key == p.Key || open && strings.HasPrefix(p.Key, prefix))
}

// Check tells everything that is wrong with a filter, in the names of the subscription's members.
func (f Filter) Check() error {
	var faults ticket.Faults
	faults.Name("source", f.Source, 0, MaxEventWord)
	faults.Name("topic", f.Topic, 0, MaxEventWord)
	faults.Name("type", f.Type, 0, MaxEventWord)
	faults.Name("status", f.Status, 0, MaxEventWord)
	faults.Name("key", f.Key, 0, MaxEventWord)
	return faults.Err()
}

// Shape says which parts of a filter are set, and of the key how many bytes. Filters that choose an event are found by equality: for each
// shape in use there is one selector that they must have.
type Shape int

// The bits of a shape. Those above shapeKey say how the key counts: 0 not at all, 1 as a whole, n+1 by its first n bytes.
const (
	shapeSource Shape = 1 << iota
	shapeTopic
	shapeType
	shapeStatus

	shapeKey = 4
)

// Selector gives the filter's shape and its selector.
func (f Filter) Selector() (Shape, string) {
	var s Shape
	for bit, word := range map[Shape]string{shapeSource: f.Source, shapeTopic: f.Topic, shapeType: f.Type, shapeStatus: f.Status} {
		if word != "" {
			s |= bit
		}
	}
	key := f.Key
	if prefix, open := strings.CutSuffix(key, "*"); open {
		key = prefix
		if key != "" { // a lone asterisk matches everything, events without a key too
			s |= Shape(len(key)+1) << shapeKey
		}
	} else if key != "" {
		s |= 1 << shapeKey
	}
	return s, selector(s, f.Source, f.Topic, f.Type, f.Status, key)
}

// Selector gives the selector of those filters of the shape that choose the event; ok is false when none can.
func (p Published) Selector(s Shape) (text string, ok bool) {
	only := func(bit Shape, word string) string {
		if s&bit == 0 {
			return ""
		}
		return word
	}
	key := p.Key
	switch n := int(s>>shapeKey) - 1; {
	case n < 0:
		key = ""
	case n == 0 && key == "", n > len(key), n > 0 && !utf8.ValidString(key[:n]):
		return "", false
	case n > 0:
		key = key[:n]
	}
	return selector(s, only(shapeSource, p.Source), only(shapeTopic, p.Topic), only(shapeType, p.Type), only(shapeStatus, p.Status), key), true
}

// selector digests the values of a shape. JSON keeps the bounds between them.
func selector(s Shape, values ...string) string {
	raw, err := json.Marshal(struct {
		Shape  Shape
		Values []string
	}{s, values})
	if err != nil {
		panic("notice: strings that do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// StreamLane gives the lane number of a tenant's events with that key: below zero, where tickets' are above. Keys share a number so rarely
// that what it costs, an order that nobody asked for, is not worth a table of numbers.
func StreamLane(tenant, key string) int64 {
	raw, err := json.Marshal([]string{tenant, key})
	if err != nil {
		panic("notice: strings that do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	var n int64
	for _, b := range sum[:8] {
		n = n<<8 | int64(b)
	}
	return -(n & (1<<63 - 1)) - 1
}
