package store

import (
	"context"
	"errors"
	"fmt"

	"signalbox/desk"
	"signalbox/ticket"
)

// errTaken tells that another operation got the scope while this one was being made. The transaction is given up, and with it the number
// that was drawn, and the claim begins anew.
var errTaken = errors.New("store: the key was taken meanwhile")

// Ledger is the store as the desk sees it.
type Ledger struct{ *Store }

var _ desk.Ledger = Ledger{}

// Ledger gives the desk's view of the store.
func (s *Store) Ledger() Ledger { return Ledger{s} }

// untilTaken runs a transaction until it is clear who has the key.
func (l Ledger) untilTaken(ctx context.Context, f func(ctx context.Context, q *session) error) error {
	for {
		err := l.write(ctx, f)
		if !errors.Is(err, errTaken) {
			return err
		}
		if ctx.Err() != nil {
			return told(ctx.Err())
		}
	}
}

// Claim inserts the operation, or gives the one that has its key: see desk.Ledger.
func (l Ledger) Claim(ctx context.Context, op desk.Operation, prepare func(*desk.Operation) error) (claimed desk.Operation, fresh bool, err error) {
	err = l.untilTaken(ctx, func(ctx context.Context, q *session) (err error) {
		claimed, fresh, err = q.claim(ctx, op, prepare)
		return err
	})
	return claimed, fresh, err
}

func (q *session) claim(ctx context.Context, op desk.Operation, prepare func(*desk.Operation) error) (desk.Operation, bool, error) {
	stored, found, err := q.holder(ctx, op)
	if err != nil {
		return desk.Operation{}, false, err
	}
	if found {
		taken, fresh, err := q.meet(ctx, stored, op)
		if err != nil || taken != nil {
			return given(taken), fresh, err
		}
	}
	if op.Kind == desk.KindOpen {
		if err := q.identify(ctx, &op); err != nil {
			return desk.Operation{}, false, err
		}
	}
	if err := prepare(&op); err != nil {
		return desk.Operation{}, false, err
	}
	if err := q.sealOpening(ctx, op.Opening); err != nil {
		return desk.Operation{}, false, err
	}
	added, err := q.add(ctx, op)
	if err == nil && !added {
		err = errTaken
	}
	return op, added, err
}

func given(op *desk.Operation) desk.Operation {
	if op == nil {
		return desk.Operation{}
	}
	return *op
}

// holder finds the operation that has the key of this one.
func (q *session) holder(ctx context.Context, op desk.Operation) (desk.Operation, bool, error) {
	scope := scopeOf(op.Request)
	if scope == nil {
		return desk.Operation{}, false, nil
	}
	var row operationRow
	found, err := q.find(ctx, &row, `SELECT `+operationColumns+` FROM operations WHERE scope = ? AND scope IS NOT NULL`, *scope)
	if err != nil || !found {
		return desk.Operation{}, false, wrap("look for the key", err)
	}
	if row, err = q.unseal(row); err != nil {
		return desk.Operation{}, false, err
	}
	stored, err := row.operation()
	stored.Request.Key, stored.Request.Path, stored.Request.App = op.Request.Key, op.Request.Path, op.Request.App // the scope is the same
	return stored, true, err
}

// meet says what becomes of a claim whose key another operation has; nil: that one has lost its key.
func (q *session) meet(ctx context.Context, stored, op desk.Operation) (taken *desk.Operation, fresh bool, err error) {
	same := stored.Request.Fingerprint == op.Request.Fingerprint
	switch {
	case stored.State == desk.Void && same:
		stored.State, stored.Lease = desk.Running, at(op.Lease).Time
		n, err := q.exec(ctx, `UPDATE operations SET state = 'running', lease = ?, why = '', ended_at = NULL WHERE id = ? AND state = 'void' AND scope IS NOT NULL`,
			at(op.Lease), stored.ID)
		if err == nil && n == 0 {
			err = errTaken
		}
		if err == nil {
			err = q.reopen(ctx, stored)
		}
		return &stored, true, wrap("take an operation up again", err)
	case stored.State == desk.Void:
		n, err := q.exec(ctx, `UPDATE operations SET scope = NULL WHERE id = ? AND state = 'void' AND scope IS NOT NULL`, stored.ID)
		if err == nil && n == 0 {
			err = errTaken
		}
		return nil, false, wrap("free the key", err)
	case !same:
		return nil, false, ticket.Refuse(ticket.Reused, "the idempotency key was used for another request")
	case stored.State == desk.Running && stored.Lease.After(q.now()):
		return nil, false, ticket.Refuse(ticket.Busy, "the first request with this key is still running")
	}
	return &stored, false, nil
}

// counterTickets is the counter that integer ids are drawn from.
const counterTickets = "tickets"

// identify gives an opening its identity. Counters are rows that all openings wait for in turn, so this comes as late as it can.
func (q *session) identify(ctx context.Context, op *desk.Operation) (err error) {
	if op.Ticket.ID, err = q.drawTicket(ctx); err != nil {
		return err
	}
	n, opened := op.Ticket.ID, op.CreatedAt
	if counter := op.Series.Counter(opened.In(q.zone)); counter != "" {
		opened = opened.In(q.zone) // whose day it is
		if n, err = q.draw(ctx, counter); err != nil {
			return err
		}
	}
	op.Ticket.Number = op.Series.Number(opened, n)
	return nil
}

// draw gives a counter's next value. A number is used once even when its transaction is rolled back and the number drawn again, because
// nobody saw it the first time.
func (q *session) draw(ctx context.Context, counter string) (value int64, err error) {
	err = q.get(ctx, &value, `INSERT INTO counters (name, value) VALUES (?, 1)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value`, counter)
	return value, wrap("draw a number", err)
}

// Transact runs the effect and stores the answer it gives, in one transaction that ctx carries; or gives the operation that has its key. The
// effect may be run again when the database asks for a repetition, so it must touch the database alone.
func (l Ledger) Transact(ctx context.Context, op desk.Operation, effect func(ctx context.Context) (desk.Answer, error)) (recorded desk.Operation, fresh bool, err error) {
	err = l.untilTaken(ctx, func(ctx context.Context, q *session) (err error) {
		recorded, fresh, err = q.record(ctx, op, effect)
		return err
	})
	return recorded, fresh, err
}

func (q *session) record(ctx context.Context, op desk.Operation, effect func(ctx context.Context) (desk.Answer, error)) (desk.Operation, bool, error) {
	stored, found, err := q.holder(ctx, op)
	if err != nil {
		return desk.Operation{}, false, err
	}
	if found {
		taken, fresh, err := q.meet(ctx, stored, op)
		switch {
		case err != nil:
			return desk.Operation{}, false, err
		case taken != nil && !fresh:
			return *taken, false, nil
		case taken != nil:
			op.ID = taken.ID
		}
	}
	if op.ID != stored.ID || !found {
		// Inserted before the effect, so that of two requests with one key the second waits here for the first.
		if added, err := q.add(ctx, op); err != nil || !added {
			return desk.Operation{}, false, errors.Join(err, unless(added, errTaken))
		}
	}
	if op.Answer, err = effect(ctx); err != nil {
		return desk.Operation{}, false, err
	}
	op.State = desk.Done
	return op, true, q.done(ctx, op)
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// wrap says what was being done when an error came up; nil and refusals stay what they are.
func wrap(doing string, err error) error {
	if err == nil || ticket.AsError(err) != nil {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
