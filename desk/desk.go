// Package desk is the counter that the families talk to. It carries one request from claim to answer, so that an action happens once or
// not at all and is always written down, wherever a process dies.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"signalbox/ticket"
)

// Desk opens and handles tickets.
type Desk struct {
	ledger Ledger
	engine Engine
	opts   Options
}

// Options tune a Desk; the zero value is ready for use.
type Options struct {
	Lease   time.Duration    // how long a claimant alone works on an operation; 30 s
	Pause   time.Duration    // between two tries while a ticket moves to its next run; 20 ms
	Tidying time.Duration    // for writing down what did happen after a caller has gone; 10 s
	Now     func() time.Time // time.Now
	NewID   func() string    // of operations and tickets; random UUIDs
	Log     *slog.Logger     // slog.Default
}

// New makes a desk over its two halves of the world.
func New(ledger Ledger, engine Engine, o Options) *Desk {
	if o.Lease <= 0 {
		o.Lease = 30 * time.Second
	}
	if o.Pause <= 0 {
		o.Pause = 20 * time.Millisecond
	}
	if o.Tidying <= 0 {
		o.Tidying = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Desk{ledger: ledger, engine: engine, opts: o}
}

// Open opens a ticket: claim, start its workflow, finish. answer is asked once, before anything happens. Refusals are *ticket.Error;
// Unavailable means that it may have happened and that the same key will tell.
func (d *Desk) Open(ctx context.Context, r Request, series ticket.Series, draft ticket.Draft, answer func(ticket.Identity) Answer) (Reply, error) {
	if err := draft.Check(); err != nil {
		return Reply{}, err
	}
	op := d.operation(r, KindOpen)
	op.Series = series
	op.Ticket = ticket.Identity{UUID: d.opts.NewID(), Tenant: r.App.Tenant}
	return d.carry(ctx, op, func(op *Operation) error {
		opening, err := ticket.Open(draft, op.Ticket, op.ID, op.CreatedAt)
		if err != nil {
			return err
		}
		op.Opening, op.Answer = opening, answer(op.Ticket)
		return nil
	})
}

// Handle does one thing to a ticket, found by number or UUID in the caller's tenant: claim, update its workflow, finish.
// Errors as with Open.
func (d *Desk) Handle(ctx context.Context, r Request, key string, c ticket.Command, answer Answer) (Reply, error) {
	c.Door, c.App, c.Admin = r.Door, r.App.Code, r.App.May(Admin)
	if err := c.Check(); err != nil {
		return Reply{}, err
	}
	t, err := d.ledger.Ticket(ctx, r.App.Tenant, key)
	if err != nil {
		return Reply{}, err
	}
	op := d.operation(r, KindHandle)
	op.Ticket, op.Answer = t.Identity, answer
	return d.carry(ctx, op, func(op *Operation) error {
		c.Operation = op.ID
		op.Command = &c
		return nil
	})
}

// Record does what touches the database alone. The effect, its answer and the operation are one transaction, which effect's context carries.
func (d *Desk) Record(ctx context.Context, r Request, effect func(ctx context.Context) (Answer, error)) (Reply, error) {
	op, fresh, err := d.ledger.Record(ctx, d.operation(r, KindRecord), effect)
	if err != nil {
		return Reply{}, err
	}
	return Reply{Answer: op.Answer, Replayed: !fresh}, nil
}

func (d *Desk) operation(r Request, kind Kind) Operation {
	now := d.opts.Now()
	return Operation{ID: d.opts.NewID(), Request: r, Kind: kind, State: Running, CreatedAt: now, Lease: now.Add(d.opts.Lease)}
}

// carry claims an operation and does it, or gives the answer that its key has already.
func (d *Desk) carry(ctx context.Context, op Operation, prepare func(*Operation) error) (Reply, error) {
	for {
		claimed, fresh, err := d.ledger.Claim(ctx, op, prepare)
		switch {
		case err != nil:
			return Reply{}, err
		case fresh:
			return d.do(ctx, claimed)
		case claimed.State == Done:
			return Reply{Answer: claimed.Answer, Replayed: true}, nil
		}
		// Its claimant is gone: find out what became of it, then ask again.
		settled, err := d.settle(ctx, claimed)
		if err != nil {
			return Reply{}, err
		}
		if !settled {
			return Reply{}, ticket.Refuse(ticket.Unavailable, "it cannot be told yet what became of the first request with this key")
		}
	}
}

// do performs a claimed operation and writes down what happened.
func (d *Desk) do(ctx context.Context, op Operation) (Reply, error) {
	events, err := d.perform(ctx, op)
	// What is known now must be written down even if the caller has gone or its time is up.
	tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.opts.Tidying)
	defer cancel()
	if refusal := ticket.AsError(err); refusal != nil && refusal.Code != ticket.Unavailable {
		if err := d.ledger.Close(tidy, op.ID, Refused, refusal.Error()); err != nil {
			d.opts.Log.Warn("operation.close", "operation", op.ID, "error", err)
		}
		return Reply{}, refusal
	}
	if err == nil {
		err = d.finish(tidy, op, events)
	}
	if err != nil {
		// It may or may not have happened. Whoever asks next with the same key, or the sweep, settles it.
		d.opts.Log.Warn("operation.open", "operation", op.ID, "ticket", op.Ticket.Number, "error", err)
		if err := d.ledger.Expire(tidy, op.ID); err != nil {
			d.opts.Log.Warn("operation.expire", "operation", op.ID, "error", err)
		}
		return Reply{}, unavailable(err)
	}
	return Reply{Answer: op.Answer}, nil
}

func (d *Desk) perform(ctx context.Context, op Operation) ([]ticket.Event, error) {
	if op.Kind == KindOpen {
		return op.Opening, d.engine.Begin(ctx, ticket.Ticket{}, op.Opening)
	}
	for ctx.Err() == nil {
		t, err := d.ledger.Ticket(ctx, op.Ticket.Tenant, op.Ticket.Number)
		if err != nil {
			return nil, err
		}
		var events []ticket.Event
		if t.Ended() {
			events, err = d.begin(ctx, t, *op.Command)
		} else {
			events, err = d.engine.Update(ctx, t.Identity, t.Life, *op.Command)
			if errors.Is(err, ErrGone) {
				// Its ending has not been written down yet.
				err = d.behind(ctx, t, t.Life)
			}
		}
		if !errors.Is(err, ErrMoving) {
			return events, err
		}
		wait(ctx, d.opts.Pause)
	}
	return nil, ctx.Err()
}

// begin does what is still allowed on an ended ticket. The row of an ended ticket is exact, because its ending is the last event of a life
// and nothing but the next life adds to it; so the desk decides, and that a life can be begun only once fences off whoever was slower.
func (d *Desk) begin(ctx context.Context, t ticket.Ticket, c ticket.Command) ([]ticket.Event, error) {
	t.Life++
	events, err := ticket.Decide(t, c, d.opts.Now())
	if err != nil || len(events) == 0 {
		return nil, err
	}
	err = d.engine.Begin(ctx, t, events)
	if errors.Is(err, ErrGone) {
		err = d.behind(ctx, t, t.Life)
	}
	return events, err
}

// behind brings in what a life decided that the row does not know of, and then says ErrMoving: look again.
func (d *Desk) behind(ctx context.Context, t ticket.Ticket, life int) error {
	if err := d.catchUp(ctx, t.Identity, life, t.Seq); err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	return ErrMoving
}

// finish writes events and answer down; where the read model lacks earlier events it brings those first.
func (d *Desk) finish(ctx context.Context, op Operation, events []ticket.Event) error {
	err := d.ledger.Finish(ctx, op, events)
	if errors.Is(err, ErrGap) {
		if err := d.CatchUp(ctx, op.Ticket, events[0].Life); err != nil {
			return fmt.Errorf("catch up: %w", err)
		}
		err = d.ledger.Finish(ctx, op, events)
	}
	return err
}

// CatchUp brings the read model up to what one life of a ticket has decided so far. It is how everything that happens without a caller is
// projected, and may be repeated.
func (d *Desk) CatchUp(ctx context.Context, id ticket.Identity, life int) error {
	t, err := d.ledger.Ticket(ctx, id.Tenant, id.Number)
	if err != nil && !ticket.Is(err, ticket.NotFound) {
		return err
	}
	return d.catchUp(ctx, id, life, t.Seq)
}

func (d *Desk) catchUp(ctx context.Context, id ticket.Identity, life int, after int64) error {
	for {
		events, more, err := d.engine.Peek(ctx, id, life, after)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			if err := d.ledger.Project(ctx, id, events); err != nil {
				return fmt.Errorf("project: %w", err)
			}
			after = events[len(events)-1].Seq
		}
		if !more {
			return nil
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// unavailable is what a caller hears when we cannot tell; the cause stays inside for the log.
func unavailable(cause error) error {
	if refusal := ticket.AsError(cause); refusal != nil {
		return cause
	}
	return fmt.Errorf("%w: %w", ticket.Refuse(ticket.Unavailable, "the service cannot do this now; repeat the request with the same key"), cause)
}
