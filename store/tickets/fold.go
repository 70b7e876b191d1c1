package tickets

import (
	"context"
	"slices"

	"signalbox/store/db"
	"signalbox/ticket"
)

// foldBatch is how many tickets are looked at in one transaction.
const foldBatch = 100

// FoldWords gives tickets that a version without folding wrote the words by which they are found now. It may be repeated, and interrupted, and processes of
// that version may run beside it: what they write is filled in next time.
func (p *Projections) FoldWords(ctx context.Context) error {
	for {
		n, err := p.foldSome(ctx)
		if err != nil || n < foldBatch {
			return db.Wrap("fold words", err)
		}
	}
}

func (p *Projections) foldSome(ctx context.Context) (n int, err error) {
	err = p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var rows []struct {
			ID    int64  `db:"id"`
			State string `db:"state"`
		}
		// What others hold is waited for: it would be left out of the last batch.
		if err := q.All(ctx, &rows, q.Locking(`SELECT id, state FROM tickets WHERE NOT folded ORDER BY id LIMIT ?`, db.Exclusive), foldBatch); err != nil {
			return err
		}
		ids := make([]int64, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
			t, err := db.DecodeTicket(row.State)
			if err != nil {
				return err
			}
			if err := insertMissing(ctx, q, t); err != nil {
				return err
			}
		}
		if n = len(ids); n > 0 {
			_, err = q.ExecIn(ctx, `UPDATE tickets SET folded = true WHERE id IN (?)`, ids)
		}
		return err
	})
	return n, err
}

// insertMissing adds the words of a ticket that are not there.
func insertMissing(ctx context.Context, q *db.Tx, t ticket.Ticket) error {
	earlier := EarlierTerms(t)
	for _, term := range Terms(t) {
		if slices.Contains(earlier, term) {
			continue
		}
		if _, err := q.Exec(ctx, `INSERT INTO words (tenant, term, ticket_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, t.Tenant, []byte(term), t.ID); err != nil {
			return err
		}
	}
	return nil
}
