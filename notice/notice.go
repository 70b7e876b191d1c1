package notice

import (
	"hash/fnv"
	"strconv"
	"time"
)

// Format is how a subscription wants to be told: which events, and the exact body.
type Format string

const (
	FormatIssue   Format = "issue"   // seed 000: {"id","type","details"}
	FormatITSM    Format = "itsm"    // seed 002: the final callback with nine keys
	FormatEvent   Format = "event"   // a published event's members
	FormatPublish Format = "publish" // seed 003, sent by us
)

// MaxNotifications is how many addresses may be registered on a ticket: whatever happens to it is written down for each.
const MaxNotifications = 100

// SubscriptionState says whether an address is still told.
type SubscriptionState string

const (
	Active  SubscriptionState = "active"
	Paused  SubscriptionState = "paused"  // by its owner: what comes is held (lasting subscriptions)
	Dropped SubscriptionState = "dropped" // given up, by its profile's rule; registering the address again gives a new subscription
	Deleted SubscriptionState = "deleted" // by its owner; nothing more is sent
)

// Subscription is an address to which deliveries go.
type Subscription struct {
	ID        string
	Tenant    string
	TicketID  int64  // the one ticket it follows; zero: it is a lasting one, which follows its tenant's stream; below zero: it follows neither
	Person    string // whom it tells, in one way: letters go to it, and its address is in the directory; empty: it is none of these
	Filter    Filter // of a lasting one
	URL       string // as Address has it
	Host      string // likewise
	Format    Format
	Profile   string            // name of the Profile
	Secret    string            // for the Standard Webhooks signature, "whsec_…"; empty where it is not loaded
	Older     []string          // earlier secrets that sign as well, after a rotation; likewise
	Headers   map[string]string // that its owner wants sent along; nil where they are not loaded
	TLS       *TLS              // likewise: whom the address is trusted by, and what it is shown
	Trust     Trust             // what anybody may see of TLS
	Unordered bool              // its deliveries wait for none before them (lasting subscriptions)
	Timeout   time.Duration     // of a try, in whole seconds; zero: as everybody's
	State     SubscriptionState
	Reason    string // why it was dropped
	CreatedAt time.Time
	EndedAt   *time.Time // when it was dropped or deleted

	HasHeaders   bool       // there are Headers, loaded or not
	FailingSince *time.Time // the first failed try after the last success; nil while there is none, or where it is not loaded
}

// DeliveryState says where a delivery stands.
type DeliveryState string

const (
	Pending   DeliveryState = "pending"   // its first try is still to come
	Retrying  DeliveryState = "parked"    // it, or one before it in its lane, failed; the lane's workflow goes on with it
	Sent      DeliveryState = "sent"      // arrived, by its profile's rule
	Failed    DeliveryState = "failed"    // given up
	Held      DeliveryState = "held"      // its address is dropped, or its subscription paused; kept until that is over
	Gathering DeliveryState = "gathering" // it waits for others, with which it goes into a digest
	Digested  DeliveryState = "digested"  // it became part of a digest, which is a delivery by itself
	Cancelled DeliveryState = "cancelled" // its subscription was deleted or asks for it no longer, or somebody wanted it skipped
)

// Over reports whether nothing more will be tried unless somebody asks for it.
func (s DeliveryState) Over() bool { return s != Pending && s != Retrying && s != Gathering }

// Lane is what must arrive in order: one subscription's deliveries about one ticket, or of published events with one key. Of a subscription that asks for no order
// each delivery is a lane by itself.
type Lane struct {
	Subscription string `json:"subscription"`
	TicketID     int64  `json:"ticket_id"`          // below zero: of the stream's events with one key
	Delivery     string `json:"delivery,omitempty"` // the one that is alone in it; empty: others may follow each other
}

// String gives the lane as it is written in a workflow ID.
func (l Lane) String() string {
	text := l.Subscription + ":" + strconv.FormatInt(l.TicketID, 10)
	if l.Delivery != "" {
		text += ":" + l.Delivery
	}
	return text
}

// Delivery is one body for one subscription, rendered once.
type Delivery struct {
	ID        string // "webhook-id", the same on every try
	Tenant    string
	Lane      Lane
	Partition int
	Seq       int64  // of the event it tells of
	Type      string // in the words of its format: relations, status, conversation
	Body      []byte
	Alert     bool   // it tells of an alert
	Hops      int    // of what it tells of; it goes one further
	Trace     string // of what it is made because of, as internal/tracing carries it; empty: none
	State     DeliveryState
	Reason    string     // why it was not made, where its tries do not say so
	Tries     int        // made in this round; a redelivery starts a new round
	FirstTry  *time.Time // of this round
	NextTry   *time.Time // planned; nil when nothing is planned or it is due at once
	CreatedAt time.Time
	EndedAt   *time.Time // when it was sent, failed, held or cancelled
}

// ErrorClass says how a try failed.
type ErrorClass string

const (
	ErrorNone    ErrorClass = ""
	ErrorDNS     ErrorClass = "dns"
	ErrorConnect ErrorClass = "connect" // no connection, or it broke before there was an answer
	ErrorTLS     ErrorClass = "tls"
	ErrorTimeout ErrorClass = "timeout"
	ErrorBlocked ErrorClass = "blocked"  // by the address guard
	ErrorStatus  ErrorClass = "status"   // an answer, but not the one that counts
	ErrorBadBody ErrorClass = "bad_body" // the right status, but not the body that counts
	// ErrorUnsendable is our own fault: nothing was sent, because the address's secret cannot be read.
	ErrorUnsendable ErrorClass = "unsendable"
	// ErrorProxy is our own fault too: the proxy that we send by is not there, or refuses. Nothing was sent.
	ErrorProxy ErrorClass = "proxy"
	// ErrorLost is our own fault too: the process that made the try was lost with it, or broke it off. Whether its receiver heard it is not known.
	ErrorLost ErrorClass = "lost"
)

// Ours reports whether a try failed in a way that says nothing of its receiver.
func (c ErrorClass) Ours() bool { return c == ErrorUnsendable || c == ErrorLost || c == ErrorProxy }

// Attempt is one try at a delivery.
type Attempt struct {
	DeliveryID  string
	N           int        // 1, 2, 3… over all rounds
	ScheduledAt *time.Time // when it was due; nil where that was not written down
	StartedAt   time.Time
	FinishedAt  time.Time
	Sent        map[string]string // headers as they were sent, but for what their owner added: see SentHeaders
	Status      int               // HTTP status; zero when there was no answer
	Header      map[string]string // of the answer, without secrets: see AnswerHeaders
	Class       ErrorClass
	Error       string // one line for a person; empty on success
	Answer      []byte // start of the answer's body, at most MaxAnswer bytes
	Succeeded   bool
	NextTry     *time.Time // planned after this one; nil: none
}

// MaxAnswer is how much of an answer is read and kept, in bytes.
const MaxAnswer = 16 << 10

// Partition gives the partition that a ticket's deliveries belong to, of n.
func Partition(ticketID int64, n int) int {
	h := fnv.New32a()
	h.Write(strconv.AppendInt(nil, ticketID, 10))
	return int(h.Sum32() % uint32(n))
}

// Owner is who has subscriptions: a ticket, or with TicketID 0 the tenant, whose stream they follow.
type Owner struct {
	Tenant   string
	TicketID int64
}

// Registration is a subscription with the counts of its deliveries by state.
type Registration struct {
	Subscription
	Counts map[DeliveryState]int
}

// DeliveryRecord is a delivery with every attempt made at it, oldest first.
type DeliveryRecord struct {
	Delivery
	Attempts []Attempt
}

// LastingFilter chooses lasting subscriptions. What is empty matches everything.
type LastingFilter struct {
	State   SubscriptionState
	Address string // that its address contains, in small letters or capital ones
}

// CountedTo is how far lists count what there may be very much of: a count that is as high may stand for more.
const CountedTo = 1_000

// LastingRecord is a lasting subscription with what of it did not arrive, each counted up to CountedTo.
type LastingRecord struct {
	Subscription
	Waiting int // for their first try, or for another
	Held    int
	Failed  int
}
