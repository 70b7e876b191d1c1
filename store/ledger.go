package store

import (
	"context"
	"errors"

	"signalbox/desk"
	"signalbox/store/db"
	"signalbox/store/operations"
	"signalbox/store/tickets"
	"signalbox/store/verify"
	"signalbox/ticket"
)

// Ledger is the store as the desk sees it: operations, and the tickets that they move.
type Ledger struct {
	*operations.Log
	*tickets.Projections

	db *db.DB
}

var _ desk.Books = Ledger{}

// Ledger gives the desk's view of the store.
func (s *Store) Ledger() Ledger { return Ledger{Log: s.Log, Projections: s.Projections, db: s.db} }

// Finish projects the events and marks the operation done, in one transaction: in one round trip where the ticket is as the request has read it and nobody is to be told, which is nearly always
// so, and otherwise by looking first.
func (l Ledger) Finish(ctx context.Context, op desk.Operation, events []ticket.Event) error {
	if outright := l.Outright(ctx, op.Ticket, events); outright != nil {
		ctx, span := tickets.StartProjection(ctx, op.Ticket, events)
		done := l.db.Outright(ctx, func(ctx context.Context, q *db.Tx) error {
			return errors.Join(outright(ctx, q), l.MarkDone(ctx, q, op))
		})
		if done {
			span.End()
			return nil
		}
		// What did not happen is no part of the trace: a span without an end is never told of, and looking first has one of its own.
		l.Looked(op.Ticket.Tenant)
	}
	return l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if err := l.ProjectIn(ctx, q, op.Ticket, events); err != nil {
			return err
		}
		return l.MarkDone(ctx, q, op)
	})
}

// Alone runs what one process at a time may be at: see desk.Books.
func (l Ledger) Alone(ctx context.Context, what string, do func(ctx context.Context) error) error {
	return l.db.Alone(ctx, what, do)
}

// Ticket reads a ticket for whoever is going to write: see desk.Ledger.
func (l Ledger) Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error) {
	return l.ForWriting(ctx, tenant, key)
}

// ReadModel is the store as far as it can be made anew.
type ReadModel struct {
	Ledger
	*verify.Verifier
}

var _ desk.ReadModel = ReadModel{}

// ReadModel gives what makes the read model anew.
func (s *Store) ReadModel() ReadModel { return ReadModel{Ledger: s.Ledger(), Verifier: s.Verifier} }
