package tickets

import (
	"context"
	"fmt"
	"slices"

	"signalbox/store/db"
	"signalbox/ticket"
)

type ratingRow struct {
	ticket.Rating
	At db.Timestamp `db:"at"` // as the table has it
}

// Ratings gives the ratings of those of the tickets that have one.
func (p *Projections) Ratings(ctx context.Context, tickets []int64) (map[int64]ticket.Rating, error) {
	out := map[int64]ticket.Rating{}
	err := p.db.Read(ctx, func(q *db.Tx) error {
		for chunk := range slices.Chunk(tickets, db.MaxParameters) {
			var rows []ratingRow
			if err := q.AllIn(ctx, &rows, `SELECT ticket_id AS id, stars, operator, comments, at FROM ratings WHERE ticket_id IN (?)`, chunk); err != nil {
				return db.Wrap("list ratings", err)
			}
			for _, r := range rows {
				r.Rating.At = r.At.Time
				out[r.ID] = r.Rating
			}
		}
		return nil
	})
	return out, err
}

// Rate keeps a rating of a tenant's ticket. NotFound: there is no such ticket; Conflict: it is not completed (field "status"), or has a
// rating already (field "stars"). It joins the transaction that ctx carries.
func (p *Projections) Rate(ctx context.Context, tenant, key string, r ticket.Rating) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		t, err := find(ctx, q, db.Exclusive, tenant, key) // held, so that it is not reopened meanwhile
		if err != nil {
			return err
		}
		if t.Status != ticket.Completed {
			return ticket.RefuseField(ticket.Conflict, "status", "the ticket is not completed")
		}
		n, err := q.Exec(ctx, `INSERT INTO ratings (ticket_id, stars, operator, comments, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (ticket_id) DO NOTHING`,
			t.ID, r.Stars, db.CleanText(r.Operator), db.CleanText(r.Comments), db.At(q.Now()))
		switch {
		case err != nil:
			return fmt.Errorf("keep a rating: %w", err)
		case n == 0:
			return ticket.RefuseField(ticket.Conflict, "stars", "the ticket has a rating already")
		}
		return nil
	})
}
