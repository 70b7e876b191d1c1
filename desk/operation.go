package desk

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"signalbox/ticket"
)

// Scope is what an app may do.
type Scope string

const (
	Read  Scope = "read"
	Write Scope = "write"
	Admin Scope = "admin" // everything, and acting for anybody
	// Directory is keeping persons and groups, over SCIM too, and saying for anybody who is absent.
	Directory Scope = "directory"
)

// PagesApp is the code of the app that people act by on the pages. It is kept nowhere, and no app can be made that is called so.
const PagesApp = "pages"

// Pages gives the app that a person of a tenant acts by on the pages. Persons may read and write; an admin may do everything.
func Pages(tenant string, admin bool) App {
	a := App{Code: PagesApp, Tenant: tenant, Scopes: []Scope{Read, Write}}
	if admin {
		a.Scopes = append(a.Scopes, Directory, Admin)
	}
	return a
}

// App is a caller.
type App struct {
	Code     string
	Tenant   string
	Scopes   []Scope
	Disabled bool
	Rate     int // requests a minute that are taken from it; 0: as many as the setting for all apps says
	Burst    int // of these, how many at once; 0: all
}

// May reports whether the app has the scope. Admin includes write, write includes read.
func (a App) May(s Scope) bool {
	if slices.Contains(a.Scopes, s) || slices.Contains(a.Scopes, Admin) {
		return true
	}
	return s == Read && slices.Contains(a.Scopes, Write)
}

// Request is who asks, for what exactly, under which key.
type Request struct {
	App         App
	Channel     ticket.Channel
	Key         string // idempotency key; empty: the request is never replayed
	Method      string
	Path        string // as sent, with the query
	Route       string // what is asked for, however Path spells it: the call and the parameters of its path; empty: Path stands for it
	Fingerprint string // digest of the query and the body, without credentials and however they are spelled
	BodyDigest  string // digest of the body as sent; with Path it is how the version before knows a request
	RequestID   string // for logs and the audit
	Address     string // where it came from, likewise
	Operator    string // whom it names as acting, likewise; checked by nobody
	Hops        int    // that it has come through installations of ours
}

// Answer is what a caller is told when all went well. It is known before anything happens and is kept with the operation, so that whoever
// settles after a crash can give it without knowing the family.
type Answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
	Secret bool            `json:"secret,omitempty"` // the body tells a secret: whoever keeps it encrypts it
}

// Reply is the answer to a request, and whether it was given before.
type Reply struct {
	Answer
	Replayed bool
}

// Kind says what an operation does.
type Kind string

const (
	KindOpen     Kind = "open"   // starts a ticket's workflow
	KindHandle   Kind = "handle" // updates it
	KindTransact Kind = "record" // touches the database alone, in one transaction
)

// OperationState says how far an operation is.
type OperationState string

const (
	Running OperationState = "running" // claimed; it may or may not have happened
	Done    OperationState = "done"    // happened, and written down
	Refused OperationState = "refused" // did not happen, for a reason the caller was told; its key is free
	Void    OperationState = "void"    // did not happen; its key is free, and a repetition takes the operation up again
)

// Operation is the row that claims a request before anything happens and keeps its answer afterwards.
type Operation struct {
	ID        string // also the update ID in Temporal
	Request   Request
	Kind      Kind
	Series    ticket.Series   // open: which number to reserve
	Ticket    ticket.Identity // reserved by the claim (open) or addressed (handle)
	Opening   []ticket.Event  // open: the workflow's input
	Command   *ticket.Command // handle
	Answer    Answer
	State     OperationState
	CreatedAt time.Time
	Lease     time.Time // until then the claimant alone works on it
}

// Ledger is what the desk writes into: operations and the read model.
//
// A claim is decided by the operation's scope: tenant, app, method, route and key; without a key every claim is new.
type Ledger interface {
	// Claim inserts the operation in one short transaction, or gives the one that has the key already: Done, or Running with its lease over.
	// Reused: that one is another request. Busy: its claimant is at it.
	// For an opening it reserves the identity first and lets prepare complete the operation with it. ErrCounters: numbers and ids may have been drawn that it
	// does not know of, so that Advance has to come first; nothing was claimed.
	// A stored operation that is Void with the same fingerprint is taken up again as it stands: under its old ID, with its old identity,
	// opening, command and answer, but running and with op's lease; prepare is not asked. A Void one with another fingerprint loses its key
	// to the new one. fresh tells that the operation is the caller's to do.
	Claim(ctx context.Context, op Operation, prepare func(*Operation) error) (claimed Operation, fresh bool, err error)
	// Transact runs the effect and stores the answer it gives, all in one transaction that ctx carries; or gives the stored operation, or
	// refuses like Claim.
	Transact(ctx context.Context, op Operation, effect func(ctx context.Context) (Answer, error)) (recorded Operation, fresh bool, err error)
	// Finish projects the events and marks the operation done, in one transaction. It may be repeated, and asks nobody's leave.
	// It fails like Project, having changed nothing.
	Finish(ctx context.Context, op Operation, events []ticket.Event) error
	// Project folds the events into the ticket's row and writes what they owe, in one transaction. Events that it has are passed over, if they are the
	// same (ticket.Same). Where it fails nothing has changed. ErrGap: events before these are missing. ErrDiverged: it has another event in the place of one of
	// these. ErrInDoubt: the ticket is in doubt.
	Project(ctx context.Context, id ticket.Identity, events []ticket.Event) error
	// Doubt marks a ticket as one of which it cannot be told what is right, and has its timeline, the stream and the metrics say so; why is for people. A ticket
	// that is in doubt stays as it is, and one that there is no row of cannot be marked; neither is an error.
	Doubt(ctx context.Context, id ticket.Identity, why string) error
	// Close ends a running operation that did not happen: Refused or Void. It leaves an operation alone that is no longer running.
	Close(ctx context.Context, id string, state OperationState, why string) error
	// Expire ends the operation's lease now, so that the next who asks settles it; but only that lease: what somebody else works on by now stays theirs.
	Expire(ctx context.Context, id string, lease time.Time) error
	// Lease takes an expired operation for settling; false: somebody else has it, or it is no longer running.
	Lease(ctx context.Context, id string, until time.Time) (bool, error)
	// Expired lists running operations whose lease is over, oldest first.
	Expired(ctx context.Context, limit int) ([]Operation, error)
	// Advance makes sure that nothing is drawn again that is known to have been drawn, which every opening may be sure of from then on. It may be repeated.
	Advance(ctx context.Context, drawn Drawn) error
	// LastOpened gives when the ticket was opened that has the highest id; zero: there is none.
	LastOpened(ctx context.Context) (time.Time, error)
	// Happened reports whether an event that this operation caused is in the read model.
	Happened(ctx context.Context, id string) (bool, error)
	// Ticket reads a tenant's ticket by number or UUID; NotFound when there is none. ErrInDoubt comes together with the ticket.
	Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error)
}

// memory is what a ledger keeps of one request, from one call to the next.
type memory struct{ of any }

type memoryKey struct{}

// WithMemory gives a context under which a ledger remembers, from when it reads a ticket until it finishes what is done to it. It is for one request at a time.
func WithMemory(ctx context.Context) context.Context {
	return context.WithValue(ctx, memoryKey{}, &memory{})
}

// Remember keeps something for what the same request asks of the ledger later, in the place of what was kept before; where there is no request, nothing.
func Remember(ctx context.Context, what any) {
	if m, ok := ctx.Value(memoryKey{}).(*memory); ok {
		m.of = what
	}
}

// Remembered gives what was kept last; nil: nothing. Time has passed since: it is not to be relied on without being looked at.
func Remembered(ctx context.Context) any {
	if m, ok := ctx.Value(memoryKey{}).(*memory); ok {
		return m.of
	}
	return nil
}

var (
	// ErrGap tells that events are missing between those the read model has and those it was given.
	ErrGap = errors.New("desk: events are missing in between")
	// ErrDiverged tells that the workflow and the read model tell different stories of a ticket, or that the workflow knows less than the read model: one of the
	// stores has lost what it had acknowledged.
	ErrDiverged = errors.New("desk: the workflow and the database tell different stories")
	// ErrCounters tells that the database may have been put back to a state in which it does not know what it has drawn.
	ErrCounters = errors.New("desk: the database may have forgotten which numbers it gave")
	// ErrInDoubt tells that a ticket takes no writes before it is reconciled.
	ErrInDoubt = errors.New("desk: the ticket is in doubt, until it is reconciled")
)

// Engine is the client half of the workflows. A ticket's workflow is told apart by its number and its generation: the first begins with the
// opening, every later one with what is still allowed on an ended ticket.
type Engine interface {
	// Begin starts the generation that the events belong to, from the ticket as it was before them (zero for an opening). No worker is waited
	// for. That it was begun with these events already is success. ErrGone: it was begun by somebody else.
	Begin(ctx context.Context, before ticket.Ticket, events []ticket.Event) error
	// Begun gives the events that a generation began with. ErrGone: there is no such generation.
	Begun(ctx context.Context, id ticket.Identity, generation int) ([]ticket.Event, error)
	// Update sends the command to a generation of the ticket under the operation's ID and gives the events it caused, also when it is repeated;
	// but none for an operation of an earlier run, whose events are in the read model. seen is the last event that the read model has of this generation;
	// the zero value asks nothing. A refusal is a *ticket.Error, in a *RefusedAt where the engine knows. ErrMoving: try again at once. ErrGone: that generation is over or never was. ErrDiverged: it does
	// not know what was seen, and nothing happened.
	Update(ctx context.Context, id ticket.Identity, generation int, seen Seen, c ticket.Command) ([]ticket.Event, error)
	// Outcome tells what became of an operation sent to a generation by Update. It never waits long.
	Outcome(ctx context.Context, id ticket.Identity, generation int, operation string) (Outcome, error)
	// Drawn gives what the tickets that were begun since then are numbered by. A ticket that was begun within the last moments may be missing.
	Drawn(ctx context.Context, since time.Time) (Drawn, error)
	// Find gives the number and the integer id of a ticket of which only UUID and tenant are known, and its last generation. ErrGone: none was begun for it. It
	// knows those that were opened once alone; see OpenedOnce.
	Find(ctx context.Context, id ticket.Identity) (ticket.Identity, int, error)
	// Peek gives a generation of the ticket as it stands, and events after a sequence number that it still remembers. ErrGone: there is no such generation.
	Peek(ctx context.Context, id ticket.Identity, generation int, after int64) (Peeked, error)
}

// Drawn is the highest that is known to have been drawn.
type Drawn struct {
	ID       int64            // integer id of tickets
	Counters map[string]int64 // of numbers: see ticket.Series
}

// Add takes a ticket's identity into account.
func (d *Drawn) Add(id ticket.Identity) {
	d.ID = max(d.ID, id.ID)
	counter, n, ok := ticket.Drawn(id.Number)
	switch {
	case !ok:
	case counter == "":
		d.ID = max(d.ID, n)
	default:
		if d.Counters == nil {
			d.Counters = map[string]int64{}
		}
		d.Counters[counter] = max(d.Counters[counter], n)
	}
}

// Seen names an event, so that the workflow and the read model can tell whether they speak of the same one.
type Seen struct {
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
}

// SeenOf gives the last event of a ticket.
func SeenOf(t ticket.Ticket) Seen { return Seen{Seq: t.Seq, At: t.UpdatedAt} }

// Is reports whether this is the last event of a ticket.
func (s Seen) Is(t ticket.Ticket) bool { return s.Seq == t.Seq && s.At.Equal(t.UpdatedAt) }

// Peeked is what a generation of a ticket knows.
type Peeked struct {
	Ticket ticket.Ticket  // as it is now
	Before Seen           // the last event before those that it still remembers; zero: it remembers everything, or cannot tell
	Events []ticket.Event // after the number that was asked for, oldest first, and without a gap
	More   bool           // ask again, after the last of these
}

// RefusedAt is the refusal of a workflow, with where the ticket stood.
type RefusedAt struct {
	Refusal *ticket.Error
	Seq     int64 // of the last event
}

// Error gives the refusal's text.
func (r *RefusedAt) Error() string { return r.Refusal.Error() }

// Unwrap gives the refusal.
func (r *RefusedAt) Unwrap() error { return r.Refusal }

// Outcome is what became of an operation.
type Outcome struct {
	Known   bool           // false: cannot be told yet; ask again later
	Done    bool           // it happened
	Events  []ticket.Event // what it caused
	Refusal *ticket.Error  // it did not happen, and why, where that is remembered
}

var (
	// ErrMoving tells that the ticket takes no commands for a moment, mostly because it is between two runs. Whether the command happened, it does not
	// tell: the same operation may be sent again.
	ErrMoving = errors.New("desk: the ticket is moving to its next run")
	// ErrGone tells that a generation of the ticket is over or never was.
	ErrGone = errors.New("desk: that generation of the ticket is over")
)
