package notice

import (
	"strconv"
	"strings"

	"signalbox/ticket"
)

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
