package desk

import (
	"context"
	"errors"
	"fmt"

	"signalbox/ticket"
)

// Settled counts what one sweep over the expired operations found.
type Settled struct {
	Done int `json:"done"` // had happened; finished
	Void int `json:"void"` // had not happened; their keys are free
	Left int `json:"left"` // cannot be told yet
}

// Settle takes up to limit operations whose claimant is gone and finds out what became of them. Several processes may settle at once.
func (d *Desk) Settle(ctx context.Context, limit int) (Settled, error) {
	var sum Settled
	if tell := d.opts.Observe.Settled; tell != nil {
		defer func() { tell(sum) }()
	}
	expired, err := d.ledger.Expired(ctx, limit)
	if err != nil {
		return sum, err
	}
	for _, op := range expired {
		state, err := d.settleOne(ctx, op)
		switch {
		case ticket.Is(err, ticket.Busy):
			sum.Left++ // another process is at it
		case err != nil || state == Running:
			// One that cannot be settled must not keep the others waiting.
			sum.Left++
			d.opts.Log.WarnContext(ctx, "operation.unsettled", "operation", op.ID, "ticket", op.Ticket.Number, "error", err)
		case state == Done:
			sum.Done++
		default:
			sum.Void++
		}
		if ctx.Err() != nil {
			return sum, ctx.Err()
		}
	}
	return sum, nil
}

// settle reports whether the operation is settled now.
func (d *Desk) settle(ctx context.Context, op Operation) (bool, error) {
	state, err := d.settleOne(ctx, op)
	if ticket.Is(err, ticket.Busy) {
		return false, err
	}
	if err != nil {
		return false, unavailable(err)
	}
	return state != Running, nil
}

// settleOne finds out what became of an operation and writes it down; Running: it cannot be told yet.
func (d *Desk) settleOne(ctx context.Context, op Operation) (OperationState, error) {
	// What was found out is worth nothing once the lease is over: the operation may have been taken up again since.
	ctx, cancel := context.WithTimeout(ctx, d.opts.Lease)
	defer cancel()
	lease := d.opts.Now().Add(d.opts.Lease)
	mine, err := d.ledger.Lease(ctx, op.ID, lease)
	if err != nil {
		d.giveBack(ctx, op.ID, lease) // it may be ours all the same
		return Running, fmt.Errorf("lease the operation: %w", err)
	}
	if !mine {
		return Running, ticket.Refuse(ticket.Busy, "the first request with this key is still running")
	}
	outcome, err := d.outcome(ctx, op)
	if err == nil && outcome.Known {
		state := Done
		switch {
		case outcome.Done:
			err = d.finish(ctx, op, outcome.Events)
		case outcome.Refusal != nil:
			state = Refused
			err = d.ledger.Close(ctx, op.ID, state, outcome.Refusal.Error())
		default:
			state = Void
			err = d.ledger.Close(ctx, op.ID, state, "did not happen")
		}
		if err == nil {
			d.opts.Log.InfoContext(ctx, "operation.settled", "operation", op.ID, "ticket", op.Ticket.Number, "state", state)
			return state, nil
		}
	}
	d.giveBack(ctx, op.ID, lease)
	return Running, step("find out what became of the operation", err)
}

// outcome asks Temporal first and the read model last. What happened moves from the one to the other before a run or a generation makes way for
// the next; asked in this order, it cannot slip by between the two questions.
func (d *Desk) outcome(ctx context.Context, op Operation) (Outcome, error) {
	if op.Kind == KindOpen {
		return d.began(ctx, op, 0)
	}
	t, err := d.ledger.Ticket(ctx, op.Ticket.Tenant, op.Ticket.Number)
	if err != nil {
		return Outcome{}, err
	}
	outcome, err := d.engine.Outcome(ctx, t.Identity, t.Generation, op.ID)
	if err != nil || !outcome.Known || outcome.Done || outcome.Refusal != nil {
		return outcome, err
	}
	outcome, err = d.began(ctx, op, t.Generation+1)
	if err != nil || outcome.Done {
		return outcome, err
	}
	// A database that was put back lacks what an earlier run did.
	if err := d.catchUp(ctx, t, t.Identity, t.Generation); err != nil && !errors.Is(err, ErrGone) {
		return Outcome{}, err
	}
	happened, err := d.ledger.Happened(ctx, op.ID)
	return Outcome{Known: err == nil, Done: happened}, err
}

// began tells whether the operation began that generation.
func (d *Desk) began(ctx context.Context, op Operation, generation int) (Outcome, error) {
	events, err := d.engine.Begun(ctx, op.Ticket, generation)
	if errors.Is(err, ErrGone) {
		return Outcome{Known: true}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Known: true, Done: len(events) > 0 && events[0].Operation == op.ID, Events: events}, nil
}
