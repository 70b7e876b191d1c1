package store

import (
	"context"

	"signalbox/desk"
	"signalbox/store/db"
	"signalbox/store/operations"
	"signalbox/store/tickets"
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

// Finish projects the events and marks the operation done, in one transaction.
func (l Ledger) Finish(ctx context.Context, op desk.Operation, events []ticket.Event) error {
	return l.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if err := l.ProjectIn(ctx, q, op.Ticket, events); err != nil {
			return err
		}
		return l.MarkDone(ctx, q, op)
	})
}

// Ticket reads a ticket for whoever is going to write: see desk.Ledger.
func (l Ledger) Ticket(ctx context.Context, tenant, key string) (ticket.Ticket, error) {
	return l.ForWriting(ctx, tenant, key)
}
