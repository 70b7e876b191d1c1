package desk

import (
	"context"
	"time"

	"signalbox/ticket"
)

// Entry is one line of the audit: who asked for what, from where, and what became of it.
type Entry struct {
	ID        string // of the operation; what was refused before there was one has an ID of its own
	At        time.Time
	EndedAt   *time.Time // nil: it is not over
	Tenant    string
	App       string
	Operator  string // whom the request names as acting; only what was done says so after it was checked
	Address   string // where it came from
	RequestID string
	Channel   ticket.Channel
	Method    string
	Path      string // without the query, which may carry credentials
	Number    string // of the ticket; empty where it touches none
	Kind      Kind   // empty: refused before it was clear
	Outcome   OperationState
	Status    int         // HTTP status of the answer; while it is running, of the one that it will get
	Code      ticket.Code // of what was refused; empty: it was not, or nobody could be told
	Why       string      // likewise, in words
}

// EntryFilter chooses entries of the audit. What is empty matches everything.
type EntryFilter struct {
	App, Operator, Number string
	Outcome               OperationState
	From, To              time.Time // from the first on and before the second
	Cursor                string    // Next of the page before
	Limit                 int       // 1 to ticket.MaxPage
}

// Trail is what a request leaves behind.
type Trail struct {
	Refused string // ID of the operation that was written down as refused; empty: there is none
}

type trailKey struct{}

// WithTrail gives a context under which a request tells what it leaves behind. It is for one request at a time.
func WithTrail(ctx context.Context) (context.Context, *Trail) {
	t := &Trail{}
	return context.WithValue(ctx, trailKey{}, t), t
}

// refused notes on the trail that an operation was written down as refused.
func refused(ctx context.Context, operation string) {
	if t, ok := ctx.Value(trailKey{}).(*Trail); ok {
		t.Refused = operation
	}
}
