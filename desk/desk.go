// Package desk is the counter that the families talk to. It carries one request from claim to answer, so that an action happens once or
// not at all and is always written down, wherever a process dies.
package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sethvargo/go-retry"

	"signalbox/internal/tracing"
	"signalbox/internal/watch"
	"signalbox/ticket"
)

// Desk opens and handles tickets.
type Desk struct {
	ledger Ledger
	engine Engine
	opts   Options
}

const (
	// DefaultLease is how long a claimant alone works on an operation, from claim to answer.
	DefaultLease = 30 * time.Second
	// DefaultTidying is the last part of a lease, in which nothing is begun any more and what did happen is written down.
	DefaultTidying = DefaultLease / 3
)

// Options tune a Desk; the zero value is ready for use.
type Options struct {
	Lease   time.Duration    // how long a claimant alone works on an operation; DefaultLease
	Pause   time.Duration    // before the second try while a ticket moves to its next run, twice as long before each further one; 20 ms
	Tidying time.Duration    // the last part of a lease, kept for writing down what did happen, also after a caller has gone; a third of it
	Now     func() time.Time // time.Now
	NewID   func() string    // of operations and tickets; random UUIDs
	People  People           // what is known of people; nil: nobody is
	Away    func() error     // why the engine is known not to answer, and nothing new is claimed; nil: it does, as far as is known
	Observe Observer         // what is told of it; nobody
	Log     *slog.Logger     // slog.Default
}

// Observer is told what metrics are made of. Either may be nil.
type Observer struct {
	Projected func(lag time.Duration) // after events were written down: how long ago the last of them happened
	Settled   func(Settled)           // after a sweep
}

// Gate is asked once it is clear that a request is no replay, and before anything happens. Its refusal is the caller's answer, and frees the
// key; so does any other error, which is told as Unavailable. It is asked again for a request that it has let through only where that was found not to
// have happened: a budget counts such a request each time.
type Gate func(ctx context.Context) error

// Opening is what opens a ticket.
type Opening struct {
	Series ticket.Series
	Draft  ticket.Draft
	// Service is what the ticket runs through, pinned as it stands; nil: what the draft says. One that is disabled opens nothing new, and is refused
	// with Disabled.
	Service *ticket.ServiceRecord
	// Refusal is what is wrong with the draft for the service as it stands, as far as the family alone can tell; nil: nothing. Who repeats a request hears what
	// was answered before.
	Refusal error
	Answer  func(ticket.Identity) Answer // asked before anything happens; gives the same for the same identity
	Gate    Gate                         // nil: nothing else has to let it through
	// Once is what the case is called outside; where it is set, at most one ticket is ever opened for it by the same app with the same method and
	// route. Whoever comes later is given the answer of that ticket, whatever the draft says then, and Busy while it is being
	// opened. It takes the place of the request's idempotency key.
	Once string
}

// Disabled is the refusal of an opening through a service that opens nothing new.
type Disabled struct{ Service string }

// Error gives the refusal's text.
func (d Disabled) Error() string { return d.Unwrap().Error() }

// Unwrap gives the refusal.
func (d Disabled) Unwrap() error {
	return ticket.RefuseField(ticket.Invalid, "service", fmt.Sprintf("the service %q is disabled", d.Service))
}

// pin has the ticket run through a service. Whether that is enabled is asked at the gate: who repeats a request hears what was answered before.
func (o *Opening) pin(s ticket.ServiceRecord) {
	o.Draft.Service = s.Key
	if !s.BuiltIn {
		o.Draft.Definition = &s.Definition
	}
	if !s.Enabled {
		o.Gate = func(context.Context) error { return Disabled{s.Key} }
	}
}

// Handling is one thing to be done to a ticket.
type Handling struct {
	Ticket  string         // its number or UUID
	Command ticket.Command // channel, app, admin and hops are the request's, whatever it says
	Types   []string       // the words taken for a solution's mtm_type on a ticket that has none pinned; none: any
	// Complete fills in what depends on the ticket as it stands, before the command is checked; nil: nothing does. Who repeats a request hears what was answered
	// before, though Complete refuses it now.
	Complete func(t ticket.Ticket, c *ticket.Command) error
	Answer   Answer
	Gate     Gate // nil: nothing else has to let it through
}

// longestPause is how far the pause between two tries grows.
const longestPause = time.Second

// New makes a desk over its two halves of the world.
func New(ledger Ledger, engine Engine, o Options) *Desk {
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	if o.Pause <= 0 {
		o.Pause = 20 * time.Millisecond
	}
	if o.Tidying <= 0 || o.Tidying >= o.Lease {
		o.Tidying = o.Lease / 3
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.People == nil {
		o.People = nobody{}
	}
	if o.Away == nil {
		o.Away = func() error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Desk{ledger: ledger, engine: engine, opts: o}
}

// Open opens a ticket: claim, start its workflow, finish. Refusals are *ticket.Error; Unavailable means that it may have happened and that the
// same key will tell.
func (d *Desk) Open(ctx context.Context, r Request, o Opening) (Reply, error) {
	if s := o.Service; s != nil {
		o.pin(*s)
	}
	o.Draft.Hops = r.Hops
	id := d.opts.NewID()
	if o.Once != "" {
		r, id = onceFor(r, o.Once)
		// The ticket is found by its UUID for ever, longer than claims are kept.
		t, err := d.ledger.Ticket(ctx, r.App.Tenant, id)
		if !ticket.Is(err, ticket.NotFound) {
			if err != nil && !errors.Is(err, ErrInDoubt) {
				return Reply{}, refusal(step("read the ticket", err))
			}
			return Reply{Answer: o.Answer(t.Identity), Replayed: true}, nil
		}
		o.Gate = d.unlessOpened(ticket.Identity{UUID: id, Tenant: r.App.Tenant}, o.Gate)
	}
	if o.Refusal == nil {
		if err := d.informDraft(ctx, r.App.Tenant, &o.Draft); err != nil {
			return Reply{}, err
		}
	}
	// What a published service asks for may have changed since a request with the same key was done: then the claim has the answer, and
	// what is new is checked as it is claimed.
	check := sync.OnceValues(func() (ticket.CheckedDraft, error) {
		if o.Refusal != nil {
			return ticket.CheckedDraft{}, o.Refusal
		}
		return o.Draft.Check()
	})
	if o.Draft.Definition == nil || r.Key == "" {
		if _, err := check(); err != nil {
			return Reply{}, err
		}
	}
	op := d.operation(r, KindOpen)
	op.Series = o.Series
	op.Ticket = ticket.Identity{UUID: id, Tenant: r.App.Tenant}
	reply, err := d.carry(ctx, op, o.Gate, ticket.Ticket{}, func(op *Operation) error {
		draft, err := check()
		if err != nil {
			return err
		}
		opening, err := draft.Open(op.Ticket, op.ID, op.CreatedAt)
		if err != nil {
			return err
		}
		op.Opening, op.Answer = opening, o.Answer(op.Ticket)
		return nil
	})
	var before openedBefore
	if errors.As(err, &before) {
		return Reply{Answer: o.Answer(before.Identity), Replayed: true}, nil
	}
	return reply, err
}

// openedBefore is the refusal of an opening for a case whose ticket only Temporal knows of.
type openedBefore struct{ ticket.Identity }

// Error gives the refusal's text.
func (o openedBefore) Error() string { return o.Unwrap().Error() }

// Unwrap gives the refusal.
func (o openedBefore) Unwrap() error {
	return ticket.Refuse(ticket.Busy, "the ticket of this case was opened before")
}

// unlessOpened is a gate before another one, perhaps none, that an opening for a case does not pass whose ticket a database that was put back has forgotten. The ticket
// is brought in again.
func (d *Desk) unlessOpened(id ticket.Identity, next Gate) Gate {
	return func(ctx context.Context) error {
		found, generation, err := d.engine.Find(ctx, id)
		switch {
		case errors.Is(err, ErrGone) && next == nil:
			return nil
		case errors.Is(err, ErrGone):
			return next(ctx)
		case err != nil:
			return step("look for the ticket of the case", err)
		}
		if err := d.catchUp(ctx, ticket.Ticket{}, found, generation); err != nil {
			return step("bring in the ticket of the case", err)
		}
		d.opts.Log.WarnContext(ctx, "ticket.taken_in", "ticket", found.Number)
		return openedBefore{found}
	}
}

// OpenedOnce tells by a ticket's UUID that it was opened for a case which may have no other ticket; see Opening.Once.
func OpenedOnce(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.Version() == 5
}

// onceFor gives the request as it is claimed for what is called key outside, and the UUID of the one ticket that may be opened for it. What makes
// two claims the same makes two UUIDs the same, so that no two claims can want the same ticket.
func onceFor(r Request, key string) (Request, string) {
	if r.Route == "" {
		r.Route, _, _ = strings.Cut(r.Path, "?")
	}
	r.Path = r.Route
	r.Key = "once " + key                                                                 // no caller's own key has a blank
	r.Fingerprint, r.BodyDigest = "", ""                                                  // another body is the same case
	name, _ := json.Marshal([]string{r.App.Tenant, r.App.Code, r.Method, r.Route, r.Key}) // texts always marshal
	return r, uuid.NewSHA1(uuid.NameSpaceURL, name).String()
}

// Handle does one thing to a ticket of the caller's tenant: claim, update its workflow, finish. Errors as with Open.
func (d *Desk) Handle(ctx context.Context, r Request, h Handling) (Reply, error) {
	c := h.Command
	c.Channel, c.App, c.Admin, c.Hops = r.Channel, r.App.Code, r.App.May(Admin), r.Hops
	if h.Complete == nil { // what is wrong in itself needs no ticket to be read
		if err := c.Check(); err != nil {
			return Reply{}, err
		}
	}
	ctx = WithMemory(ctx)
	t, err := d.ledger.Ticket(ctx, r.App.Tenant, h.Ticket)
	inDoubt := errors.Is(err, ErrInDoubt) // who repeats a request hears what was answered before, and nobody else anything
	if err != nil && !inDoubt {
		return Reply{}, refusal(step("read the ticket", err))
	}
	// The ticket may have moved on since a request with the same key was done: then the claim has the answer, and what is new is refused as it is claimed.
	var wrong error
	if h.Complete != nil {
		if wrong = h.Complete(t, &c); wrong == nil {
			wrong = c.Check()
		}
		if wrong != nil && (r.Key == "" || ticket.AsError(wrong) == nil) {
			return Reply{}, wrong
		}
	}
	if c.Action == ticket.CommitSolution && len(t.Types) == 0 {
		c.Types = h.Types
	}
	op := d.operation(r, KindHandle)
	op.Ticket, op.Answer = t.Identity, h.Answer
	if inDoubt {
		t = ticket.Ticket{} // it is read again, once the operation is claimed
	}
	return d.carry(ctx, op, h.Gate, t, func(op *Operation) error {
		if wrong != nil {
			return wrong
		}
		c.Operation = op.ID
		op.Command = &c
		return nil
	})
}

// Transact does what touches the database alone. The effect, its answer and the operation are one transaction, which effect's context carries.
func (d *Desk) Transact(ctx context.Context, r Request, effect func(ctx context.Context) (Answer, error)) (Reply, error) {
	ctx, span := tracing.Start(ctx, "desk transact")
	op, fresh, err := d.ledger.Transact(ctx, d.operation(r, KindTransact), effect)
	endSpan(span, op.ID, err)
	if err != nil {
		return Reply{}, refusal(step("write it down", err))
	}
	return Reply{Answer: op.Answer, Replayed: !fresh}, nil
}

func (d *Desk) operation(r Request, kind Kind) Operation {
	now := d.opts.Now().UTC().Truncate(time.Microsecond) // as every store keeps it
	return Operation{ID: d.opts.NewID(), Request: r, Kind: kind, State: Running, CreatedAt: now, Lease: now.Add(d.opts.Lease)}
}

// carry claims an operation and does it, or gives the answer that its key has already. t is the ticket as it was before the claim; the zero one
// for an opening.
func (d *Desk) carry(ctx context.Context, op Operation, gate Gate, t ticket.Ticket, prepare func(*Operation) error) (Reply, error) {
	// What was done is told again without the engine; nothing new is claimed that it cannot do.
	ready := func(op *Operation) error {
		if err := prepare(op); err != nil {
			return err
		}
		if err := d.opts.Away(); err != nil {
			return unavailable(err)
		}
		return nil
	}
	for {
		op.Lease = d.opts.Now().Add(d.opts.Lease) // settling may have taken its time
		within, span := tracing.Start(ctx, "desk claim")
		claimed, fresh, err := d.ledger.Claim(within, op, ready)
		endSpan(span, claimed.ID, err)
		switch {
		case errors.Is(err, ErrCounters):
			if err := d.advance(ctx); err != nil {
				return Reply{}, unavailable(step("ask which numbers were drawn", err))
			}
			continue
		case err != nil:
			if why := ticket.AsError(err); !watch.Refused(err) && (why == nil || why.Code == ticket.Unavailable) {
				// It may have been claimed all the same, and nobody works on it. One that was taken up again has another's ID.
				d.giveBack(ctx, cmp.Or(claimed.ID, op.ID), op.Lease)
			}
			return Reply{}, refusal(step("claim the operation", err))
		case fresh:
			reply, err := d.do(ctx, claimed, gate, t, claimed.ID != op.ID)
			if errors.Is(err, errNumberTaken) && ctx.Err() == nil {
				op.ID, gate = d.opts.NewID(), nil // it was let through
				continue
			}
			return reply, err
		case claimed.State == Done:
			return Reply{Answer: claimed.Answer, Replayed: true}, nil
		}
		// Its claimant is gone: find out what became of it, then ask again.
		within, span = tracing.Start(ctx, "desk settle")
		settled, err := d.settle(within, claimed)
		endSpan(span, claimed.ID, err)
		if err != nil {
			return Reply{}, err
		}
		if !settled {
			return Reply{}, ticket.Refuse(ticket.Unavailable, "it cannot be told yet what became of the first request with this key")
		}
	}
}

// giveBack ends a lease, so that whoever asks next with the same key, or the sweep, settles the operation. It has time of its own: that of the caller is
// often what is over. Where it fails, the lease runs out by itself.
func (d *Desk) giveBack(ctx context.Context, operation string, lease time.Time) {
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.opts.Tidying)
	defer cancel()
	if err := d.ledger.Expire(tidy, operation, lease); err != nil {
		d.opts.Log.WarnContext(ctx, "operation.expire", "operation", operation, "error", err)
	}
}

// errNumberTaken tells that the number of an opening is that of another ticket, which the database does not know of; the key is free again.
var errNumberTaken = fmt.Errorf("%w: its number was another ticket's", ticket.Refuse(ticket.Unavailable, "the service cannot do this now; repeat the request with the same key"))

// clockMargin is how far the clocks of those who open tickets and that of Temporal may be apart.
const clockMargin = 2 * time.Minute

// advance asks Temporal what was drawn that the database may have forgotten.
func (d *Desk) advance(ctx context.Context) error {
	since, err := d.ledger.LastOpened(ctx)
	if err != nil {
		return err
	}
	if !since.IsZero() {
		since = since.Add(-clockMargin)
	}
	drawn, err := d.engine.Drawn(ctx, since)
	if err != nil {
		return err
	}
	d.opts.Log.InfoContext(ctx, "counters.advance", "since", since, "id", drawn.ID, "counters", len(drawn.Counters))
	return d.ledger.Advance(ctx, drawn)
}

// do performs a claimed operation and writes down what happened; again tells that somebody has tried before.
func (d *Desk) do(ctx context.Context, op Operation, gate Gate, t ticket.Ticket, again bool) (Reply, error) {
	over := false // the operation is, and its lease with it
	defer func() {
		if !over {
			d.giveBack(ctx, op.ID, op.Lease)
		}
	}()
	// Nothing is begun once the lease is nearly over: whoever settles the operation then would not see it coming.
	working, stop := context.WithTimeout(ctx, op.Lease.Sub(d.opts.Now())-d.opts.Tidying)
	var events []ticket.Event
	var err error
	if gate != nil { // also where somebody has tried before: they may not have come as far as the gate
		err = gate(working)
	}
	idle := err != nil // nothing has been begun, whatever kept the gate from telling: the next who asks must pass it
	switch why := ticket.AsError(err); {
	case idle && (why == nil || why.Code == ticket.Unavailable):
		err = unavailable(err)
	case !idle:
		within, span := tracing.Start(working, "desk perform")
		events, err = d.perform(within, op, t, again)
		endSpan(span, op.ID, err)
	}
	stop()
	// What is known now must be written down even if the caller has gone or its time is up.
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.opts.Tidying)
	defer cancel()
	if op.Kind == KindOpen && errors.Is(err, ErrGone) {
		if err := d.ledger.Close(tidy, op.ID, Refused, "its number was another ticket's"); err == nil {
			d.opts.Log.WarnContext(ctx, "number.taken", "operation", op.ID, "number", op.Ticket.Number)
			return Reply{}, errNumberTaken
		}
	}
	if why, refusal := err, ticket.AsError(err); refusal != nil && (idle || refusal.Code != ticket.Unavailable) {
		if err := d.ledger.Close(tidy, op.ID, Refused, refusal.Error()); err != nil {
			d.opts.Log.WarnContext(ctx, "operation.close", "operation", op.ID, "error", err)
		} else {
			over = true
			refused(ctx, op.ID)
		}
		return Reply{}, why // whole: a gate may say with its refusal when to come again
	}
	if err == nil {
		err = step("write down what happened", d.finish(tidy, op, events))
	}
	if err != nil {
		// It may or may not have happened. Whoever asks next with the same key, or the sweep, settles it.
		d.opts.Log.WarnContext(ctx, "operation.open", "operation", op.ID, "ticket", op.Ticket.Number, "error", err)
		return Reply{}, unavailable(err)
	}
	over = true
	return Reply{Answer: op.Answer}, nil
}

// perform does what was claimed, and tries again for as long as the ticket is moving to its next run. t is the ticket as it was before the claim.
func (d *Desk) perform(ctx context.Context, op Operation, t ticket.Ticket, again bool) (events []ticket.Event, err error) {
	if op.Kind == KindOpen {
		return op.Opening, step("start the ticket's workflow", d.engine.Begin(ctx, ticket.Ticket{}, op.Opening))
	}
	// A workflow that somebody ended by hand would be asked without end: hence the pauses that grow.
	pauses := retry.WithCappedDuration(longestPause, retry.NewExponential(d.opts.Pause))
	var moving error // why the last try but one, or the last, did not do
	late := retry.Do(ctx, pauses, func(ctx context.Context) error {
		events, err = d.attempt(ctx, op, t, again)
		if t, again = (ticket.Ticket{}), true; errors.Is(err, ErrMoving) {
			moving = err
			return retry.RetryableError(err)
		}
		return nil
	})
	switch {
	case late != nil:
		err = errors.Join(late, moving)
	case err != nil && ctx.Err() != nil: // time was up in the middle of a try
		err = errors.Join(err, moving)
	}
	return events, err
}

// attempt does it once. The ticket is read where it is not given, which is whenever somebody has tried before.
func (d *Desk) attempt(ctx context.Context, op Operation, t ticket.Ticket, again bool) ([]ticket.Event, error) {
	if again || t.Number == "" {
		var err error
		if t, err = d.ledger.Ticket(ctx, op.Ticket.Tenant, op.Ticket.Number); err != nil {
			return nil, step("read the ticket", err)
		}
	}
	if again {
		// It may have happened in a generation that is over, and the next generation would do it a second time. Everything that happened before the
		// generation this row is of is in the read model.
		happened, err := d.ledger.Happened(ctx, op.ID)
		if err != nil || happened {
			return nil, step("look for the operation's events", err)
		}
	}
	c, err := d.inform(ctx, t, *op.Command)
	if err != nil {
		return nil, step("look people up", err)
	}
	if t.Ended() {
		return d.begin(ctx, t, c)
	}
	events, err := d.update(ctx, t, c)
	switch {
	case errors.Is(err, ErrGone):
		// Its ending has not been written down yet.
		return nil, d.behind(ctx, t, t.Generation)
	case errors.Is(err, ErrDiverged):
		return nil, d.doubt(ctx, t.Identity, fmt.Sprintf("its workflow does not know event %d, which the database has", t.Seq))
	}
	var at *RefusedAt
	switch {
	case errors.As(err, &at) && at.Seq > t.Seq:
		// What it is refused for is to be seen by whoever looks why; a refusal it stays.
		if err := d.catchUp(ctx, t, t.Identity, t.Generation); err != nil {
			d.opts.Log.WarnContext(ctx, "ticket.catch_up", "ticket", t.Number, "error", err)
		}
	case again && err == nil && len(events) == 0:
		// An earlier run did it. What it caused is in the read model, unless that was put back since.
		if err := d.catchUp(ctx, t, t.Identity, t.Generation); err != nil {
			return nil, step("catch up", err)
		}
	}
	return events, step("ask the ticket's workflow", err)
}

// begin does what is still allowed on an ended ticket. The row of an ended ticket is exact, because its ending is the last event of a generation
// and nothing but the next generation adds to it; so the desk decides, and that a generation can be begun only once fences off whoever was slower.
func (d *Desk) begin(ctx context.Context, t ticket.Ticket, c ticket.Command) ([]ticket.Event, error) {
	t.Generation++
	events, why := ticket.DecideChecked(t, c, d.opts.Now()) // it was checked when it was claimed
	if len(events) > 0 {
		if err := d.engine.Begin(ctx, t, events); err != nil && !errors.Is(err, ErrGone) {
			return nil, step("start the ticket's next workflow", err)
		}
	}
	// What the generation began with is what happened. It is not what was decided here when the next generation was begun before: by this operation,
	// in a try whose answer was lost, or by another. And a row that is outdated is no ground for a refusal.
	began, err := d.engine.Begun(ctx, t.Identity, t.Generation)
	switch {
	case errors.Is(err, ErrGone) && len(events) == 0:
		return nil, why
	case err != nil:
		return nil, fmt.Errorf("read what the generation began with: %w", err)
	case len(began) > 0 && began[0].Operation == c.Operation:
		return began, nil
	}
	return nil, d.behind(ctx, t, t.Generation)
}

// behind brings in what a generation decided that the row does not know of, and then says ErrMoving: look again.
func (d *Desk) behind(ctx context.Context, t ticket.Ticket, generation int) error {
	if err := d.catchUp(ctx, t, t.Identity, generation); err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	return fmt.Errorf("the workflow of generation %d is over, and has told of no ending: if this stays so, it has to be reset: %w", generation, ErrMoving)
}

// finish writes events and answer down; where the read model lacks earlier events it brings those first.
func (d *Desk) finish(ctx context.Context, op Operation, events []ticket.Event) (err error) {
	ctx, span := tracing.Start(ctx, "desk finish")
	defer func() { endSpan(span, op.ID, err) }()
	err = d.ledger.Finish(ctx, op, events)
	if errors.Is(err, ErrGap) {
		if err := d.CatchUp(ctx, op.Ticket, events[0].Generation); err != nil {
			return fmt.Errorf("catch up: %w", err)
		}
		err = d.ledger.Finish(ctx, op, events)
	}
	if err == nil {
		d.projected(events)
	}
	return d.diverged(ctx, op.Ticket, err)
}

// projected tells how far behind the read model was.
func (d *Desk) projected(events []ticket.Event) {
	if tell := d.opts.Observe.Projected; tell != nil && len(events) > 0 {
		tell(max(0, d.opts.Now().Sub(events[len(events)-1].At)))
	}
}

// CatchUp brings the read model up to what a ticket has decided so far, up to the end of one generation. It is how everything that happens without a caller
// is projected, and may be repeated. ErrInDoubt: the two contradict each other, and the ticket is marked so.
func (d *Desk) CatchUp(ctx context.Context, id ticket.Identity, generation int) error {
	t, err := d.ledger.Ticket(ctx, id.Tenant, id.Number)
	if err != nil && !ticket.Is(err, ticket.NotFound) {
		return err
	}
	return d.catchUp(ctx, t, id, generation)
}

// catchUp does so from a row as it was read; the zero one: there is none.
func (d *Desk) catchUp(ctx context.Context, row ticket.Ticket, id ticket.Identity, generation int) error {
	// The row can be several generations behind once the database was put back to an earlier state.
	from := min(row.Generation, generation)
	// What goes on from the row's last event is the story, whatever a generation before it says: that one may have been behind the row, and was stopped for it.
	for g := generation; g > from && row.Seq > 0; g-- {
		p, err := d.engine.Peek(ctx, id, g, row.Seq-1)
		switch {
		case errors.Is(err, ErrGone):
		case err != nil:
			return err
		case p.Before.Is(row):
			from = g
		}
	}
	for g := from; g <= generation; g++ {
		err := d.bring(ctx, row, id, g, generation)
		if err != nil && !(errors.Is(err, ErrGone) && g < generation) { // what is gone of earlier ones the row has, or there is a gap
			return err
		}
	}
	return nil
}

// bring brings in what one generation knows and the row does not, on the way to another. It asks for the last event that the row has too: only if that is the same is what
// comes after it the same story.
func (d *Desk) bring(ctx context.Context, row ticket.Ticket, id ticket.Identity, generation, to int) error {
	for after := max(row.Seq-1, 0); ; {
		p, err := d.engine.Peek(ctx, id, generation, after)
		if errors.Is(err, ErrGone) && generation < to {
			return err
		}
		why := contradiction(row, generation, p, err)
		switch {
		case why != "" && generation < row.Generation:
			// The ticket itself is well. Who still runs there is told so, until somebody ends it.
			return fmt.Errorf("%w: %s", ErrDiverged, why)
		case why != "":
			return d.doubt(ctx, id, why)
		case err != nil:
			return err
		}
		if len(p.Events) > 0 {
			if err := d.diverged(ctx, id, d.ledger.Project(ctx, id, p.Events)); err != nil {
				return fmt.Errorf("project: %w", err)
			}
			d.projected(p.Events)
			after = p.Events[len(p.Events)-1].Seq
		}
		if !p.More {
			return nil
		}
	}
}

// endSpan ends the span of a step. What a caller is refused is no fault.
func endSpan(span tracing.Span, operation string, err error) {
	if !span.Recording() {
		return
	}
	span.Text(tracing.Operation, operation)
	switch why := ticket.AsError(err); {
	case err == nil:
	case why != nil && why.Code != ticket.Unavailable:
		span.Text(tracing.Refused, string(why.Code))
	default:
		span.Fail(string(ticket.Unavailable))
	}
	span.End()
}

// step says in which step something came up that is no caller's business. It is the log that is told: whoever looks for the cause must not take the last
// thing that was touched for it. A refusal of a caller stays as it is.
func step(doing string, err error) error {
	if why := ticket.AsError(err); err == nil || why != nil && why.Code != ticket.Unavailable {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// contradiction tells what a generation of the workflow cannot rightly say of a ticket, given the row as it was before it was asked; empty: all is well. What the
// events themselves contradict, the ledger sees.
func contradiction(row ticket.Ticket, generation int, p Peeked, err error) string {
	switch {
	case row.Number == "":
		return "" // nobody knows the ticket yet
	case errors.Is(err, ErrGone) && generation == row.Generation && !row.Ended():
		return "its workflow is missing"
	case err != nil:
		return ""
	case generation < row.Generation && !p.Ticket.Ended():
		return fmt.Sprintf("the workflow of generation %d has not ended, and the database has generation %d", generation, row.Generation)
	case generation == row.Generation && p.Ticket.Seq < row.Seq:
		return fmt.Sprintf("its workflow ends with event %d, and the database has event %d", p.Ticket.Seq, row.Seq)
	case generation == row.Generation && p.Ticket.Seq == row.Seq && !SeenOf(row).Is(p.Ticket), p.Before.Seq == row.Seq && !p.Before.At.Equal(row.UpdatedAt):
		return fmt.Sprintf("its workflow has another event %d than the database", row.Seq)
	}
	return ""
}

// diverged marks a ticket as in doubt where an error says that the read model has other events than its workflow.
func (d *Desk) diverged(ctx context.Context, id ticket.Identity, err error) error {
	if !errors.Is(err, ErrDiverged) {
		return err
	}
	return errors.Join(err, d.doubt(ctx, id, err.Error()))
}

// doubt marks a ticket as in doubt, and says so.
func (d *Desk) doubt(ctx context.Context, id ticket.Identity, why string) error {
	d.opts.Log.ErrorContext(ctx, "ticket.in_doubt", "ticket", id.Number, "why", why)
	return errors.Join(fmt.Errorf("%w: %s", ErrInDoubt, why), d.ledger.Doubt(ctx, id, why))
}

// refusal is what a caller hears before anything has happened: why it is refused, or that we cannot tell.
func refusal(err error) error {
	if ticket.AsError(err) != nil {
		return err
	}
	return unavailable(err)
}

// unavailable is what a caller hears when we cannot tell whether it happened, whatever kept us from knowing; the cause stays inside for the
// log.
func unavailable(cause error) error {
	return fmt.Errorf("%w: %w", ticket.Refuse(ticket.Unavailable, "the service cannot do this now; repeat the request with the same key"), cause)
}
