package notice

import (
	"strconv"
	"strings"

	"signalbox/ticket"
)

// Position is where an entry stands in its ticket's timeline: an event at its sequence number, an alert after the event before it. The zero value
// is before all.
type Position struct {
	Seq int64
	N   int64 // zero: the event itself
}

// MaxPosition is how long a position can be as String writes it: two numbers and a point.
const MaxPosition = 39

// String writes a position as ParsePosition reads it: "5", or "5.1" for the first alert after event 5.
func (p Position) String() string {
	if p.N == 0 {
		return strconv.FormatInt(p.Seq, 10)
	}
	return strconv.FormatInt(p.Seq, 10) + "." + strconv.FormatInt(p.N, 10)
}

// ParsePosition reads what String wrote; ok is false for anything else.
func ParsePosition(text string) (p Position, ok bool) {
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

// Before reports whether an entry there stands before one at the other position.
func (p Position) Before(other Position) bool {
	return p.Seq < other.Seq || p.Seq == other.Seq && p.N < other.N
}

// Entry is one entry of a ticket's timeline: what happened to it, or what went wrong with a delivery that tells of it. Exactly one is set.
type Entry struct {
	Event *ticket.Event
	Alert *Alert
}

// Position is where it stands.
func (e Entry) Position() Position {
	if e.Alert != nil {
		return e.Alert.Position
	}
	return Position{Seq: e.Event.Seq}
}
