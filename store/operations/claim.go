package operations

import (
	"context"
	"errors"
	"maps"
	"slices"

	"signalbox/desk"
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/ticket"
)

// errTaken tells that another operation got the scope while this one was being made. The transaction is given up, and with it the number
// that was drawn, and the claim begins anew.
var errTaken = errors.New("store: the key was taken meanwhile")

// untilTaken runs a transaction until it is clear who has the key; taken reports whether it failed because another operation got it meanwhile.
func (l *Log) untilTaken(ctx context.Context, taken func(err error) bool, f func(ctx context.Context, q *db.Tx) error) error {
	for {
		err := l.db.Write(ctx, f)
		if !taken(err) {
			return err
		}
		if ctx.Err() != nil {
			return db.TranslateError(ctx.Err())
		}
	}
}

// Claim inserts the operation, or gives the one that has its key: see desk.Ledger.
func (l *Log) Claim(ctx context.Context, op desk.Operation, prepare func(*desk.Operation) error) (claimed desk.Operation, fresh bool, err error) {
	if claimed, fresh, err = l.claimNew(ctx, op, prepare); err != nil || fresh {
		return claimed, fresh, err
	}
	taken := func(err error) bool { return errors.Is(err, errTaken) || db.Conflict(err) } // of what a claim adds, nothing else can be there already
	err = l.untilTaken(ctx, taken, func(ctx context.Context, q *db.Tx) (err error) {
		claimed, fresh, err = l.claim(ctx, q, op, prepare)
		return err
	})
	return claimed, fresh, err
}

// claimNew claims, with one statement, what nobody has claimed; not fresh: somebody has, or it takes more than that. An opening does, because a number
// that is drawn for nothing leaves a gap.
func (l *Log) claimNew(ctx context.Context, op desk.Operation, prepare func(*desk.Operation) error) (claimed desk.Operation, added bool, err error) {
	if op.Kind != desk.KindHandle || l.db.Carried(ctx) != nil {
		return op, false, nil
	}
	if prepare(&op) != nil {
		return op, false, nil // whoever has the answer already is given it all the same; the others are refused where that is looked up
	}
	err = l.db.Statement(ctx, func(q *db.Tx) (err error) {
		added, err = l.insert(ctx, q, op)
		return err
	})
	return op, added, err
}

func (l *Log) claim(ctx context.Context, q *db.Tx, op desk.Operation, prepare func(*desk.Operation) error) (desk.Operation, bool, error) {
	var counter chain.Counter
	if op.Kind == desk.KindOpen && op.Request.Key != "" { // in the round trip of looking for the key
		if err := counter.LockNext(ctx, q); err != nil {
			return desk.Operation{}, false, err
		}
	}
	if taken, fresh, err := l.taken(ctx, q, op); err != nil || taken != nil {
		return orZero(taken), fresh, err
	}
	if op.Kind == desk.KindOpen {
		if err := l.assignIdentity(ctx, q, &counter, &op); err != nil {
			return desk.Operation{}, false, err
		}
	}
	if err := prepare(&op); err != nil {
		return desk.Operation{}, false, err
	}
	if err := l.vault.EncryptOpening(ctx, q, op.Opening); err != nil {
		return desk.Operation{}, false, err
	}
	statement, args, err := l.insertion(ctx, q, op)
	if err != nil {
		return desk.Operation{}, false, err
	}
	added, err := q.InsertNew(ctx, statement, args...)
	if err == nil && !added {
		err = errTaken
	}
	return op, added, db.Wrap("insert operation", err)
}

func orZero(op *desk.Operation) desk.Operation {
	if op == nil {
		return desk.Operation{}
	}
	return *op
}

// taken gives the operation that has the key of this one, and fresh where it is to be tried again; nil: the key is free. Errors are those of
// resolveConflict.
func (l *Log) taken(ctx context.Context, q *db.Tx, op desk.Operation) (taken *desk.Operation, fresh bool, err error) {
	for { // a key that was freed may be another's by how its address is spelled
		stored, same, found, err := l.findByKey(ctx, q, op)
		if err != nil || !found {
			return nil, false, err
		}
		if taken, fresh, err = l.resolveConflict(ctx, q, stored, op, same); err != nil || taken != nil {
			return taken, fresh, err
		}
	}
}

// findByKey finds the operation that has the key of this one, and tells whether it is the same request. One that was claimed for the very address
// comes first: a process of the version before may have claimed another for another spelling.
func (l *Log) findByKey(ctx context.Context, q *db.Tx, op desk.Operation) (stored desk.Operation, same, found bool, err error) {
	if op.Request.Key == "" {
		return stored, false, false, nil
	}
	spelled := spelledScope(op.Request)
	var row operationRow
	found, err = q.Find(ctx, &row, `SELECT `+operationColumns+` FROM operations
		WHERE (scope = ? AND scope IS NOT NULL) OR (request_scope = ? AND request_scope IS NOT NULL AND scope IS NOT NULL)
		ORDER BY CASE WHEN scope = ? THEN 0 ELSE 1 END LIMIT 1`, spelled, requestScope(op.Request), spelled)
	if err != nil || !found {
		return stored, false, false, db.Wrap("look for the key", err)
	}
	if row, err = l.decryptBody(row); err != nil {
		return stored, false, false, err
	}
	stored, err = row.operation()
	r := &stored.Request
	r.Key, r.Path, r.Route, r.App = op.Request.Key, op.Request.Path, op.Request.Route, op.Request.App // the scope is the same
	return stored, row.same(op.Request), true, err
}

// resolveConflict decides between a stored operation and a new one with the same key; same: they are one request. It gives the stored one, and fresh
// where it is to be tried again; or nil where the stored one was void and has lost its key to another request. Reused: the key was used for
// another request; Busy: the first is still running.
func (l *Log) resolveConflict(ctx context.Context, q *db.Tx, stored, op desk.Operation, same bool) (taken *desk.Operation, fresh bool, err error) {
	switch {
	case stored.State == desk.Void && same:
		stored.State, stored.Lease = desk.Running, db.At(op.Lease).Time
		n, err := q.Exec(ctx, `UPDATE operations SET state = 'running', lease = ?, why = '', ended_at = NULL WHERE id = ? AND state = 'void' AND scope IS NOT NULL`,
			db.At(op.Lease), stored.ID)
		if err == nil && n == 0 {
			err = errTaken
		}
		if err == nil {
			err = l.chain.ClearVoidID(ctx, q, stored)
		}
		return &stored, true, db.Wrap("take an operation up again", err)
	case stored.State == desk.Void:
		n, err := q.Exec(ctx, `UPDATE operations SET scope = NULL WHERE id = ? AND state = 'void' AND scope IS NOT NULL`, stored.ID)
		if err == nil && n == 0 {
			err = errTaken
		}
		return nil, false, db.Wrap("free the key", err)
	case !same:
		return nil, false, ticket.Refuse(ticket.Reused, "the idempotency key was used for another request")
	case stored.State == desk.Running && stored.Lease.After(q.Now()):
		return nil, false, ticket.Refuse(ticket.Busy, "the first request with this key is still running")
	}
	return &stored, false, nil
}

// assignIdentity gives an opening its identity. Counters are rows that all openings wait for in turn, so this comes as late as it can.
func (l *Log) assignIdentity(ctx context.Context, q *db.Tx, locked *chain.Counter, op *desk.Operation) (err error) {
	if op.Ticket.ID, err = l.chain.DrawTicket(ctx, q, locked); err != nil {
		return err
	}
	n, opened := op.Ticket.ID, op.CreatedAt
	if counter := op.Series.Counter(opened.In(l.zone)); counter != "" {
		opened = opened.In(l.zone) // whose day it is
		if n, err = q.DrawNumber(ctx, counter); err != nil {
			return err
		}
	}
	op.Ticket.Number = op.Series.Number(opened, n)
	return nil
}

// Advance makes sure that nothing is drawn again that is known to have been drawn: see desk.Ledger.
func (l *Log) Advance(ctx context.Context, drawn desk.Drawn) error {
	return l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		for _, counter := range slices.Sorted(maps.Keys(drawn.Counters)) { // in one order, for those who do so at once
			if err := q.AdvanceNumber(ctx, counter, drawn.Counters[counter]); err != nil {
				return err
			}
		}
		return l.chain.Advance(ctx, q, drawn.ID)
	})
}

// Transact runs the effect and stores the answer it gives, in one transaction that ctx carries; or gives the operation that has its key. The
// effect may be run again when the database asks for a repetition, so it must touch the database alone.
func (l *Log) Transact(ctx context.Context, op desk.Operation, effect func(ctx context.Context) (desk.Answer, error)) (recorded desk.Operation, fresh bool, err error) {
	taken := func(err error) bool { return errors.Is(err, errTaken) } // what the effect adds and is there already is a fault of its own
	err = l.untilTaken(ctx, taken, func(ctx context.Context, q *db.Tx) (err error) {
		recorded, fresh, err = l.transact(ctx, q, op, effect)
		return err
	})
	return recorded, fresh, err
}

func (l *Log) transact(ctx context.Context, q *db.Tx, op desk.Operation, effect func(ctx context.Context) (desk.Answer, error)) (desk.Operation, bool, error) {
	taken, fresh, err := l.taken(ctx, q, op)
	switch {
	case err != nil:
		return desk.Operation{}, false, err
	case taken != nil && !fresh:
		return *taken, false, nil
	case taken != nil:
		op.ID = taken.ID
	default:
		// Inserted before the effect, so that of two requests with one key the second waits here for the first.
		if added, err := l.insert(ctx, q, op); err != nil || !added {
			return desk.Operation{}, false, errors.Join(err, unless(added, errTaken))
		}
	}
	if op.Answer, err = effect(ctx); err != nil {
		return desk.Operation{}, false, err
	}
	op.State = desk.Done
	return op, true, l.MarkDone(ctx, q, op)
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}
