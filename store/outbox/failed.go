package outbox

import (
	"context"
	"slices"

	"signalbox/store/db"
)

// maxFailed bounds the list of failed callbacks.
const maxFailed = 10_000

// FailedCallbacks lists the numbers of a tenant's tickets whose callback was given up or is held, since its address was dropped, the longest ago
// first, until Unlist.
func (o *Outbox) FailedCallbacks(ctx context.Context, tenant string) (numbers []string, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		err := q.All(ctx, &numbers, `SELECT t.number FROM deliveries d JOIN tickets t ON t.id = d.ticket_id
			WHERE d.tenant = ? AND d.state IN ('failed', 'held') AND d.listed GROUP BY t.number ORDER BY MIN(d.at), t.number LIMIT ?`, tenant, maxFailed)
		return db.Wrap("list failed callbacks", err)
	})
	return numbers, err
}

// Unlist takes tickets off the list of failed callbacks, those alone that are over. It joins the transaction that ctx carries.
func (o *Outbox) Unlist(ctx context.Context, tenant string, tickets []int64) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		for chunk := range slices.Chunk(tickets, db.MaxParameters) {
			ids, err := q.FindDeliveries(ctx, `d.tenant = ? AND d.state IN ('failed', 'held') AND d.listed AND d.ticket_id IN (?)
				AND EXISTS (SELECT 1 FROM tickets t WHERE t.id = d.ticket_id AND NOT t.open)`, tenant, chunk)
			if err != nil {
				return db.Wrap("look for failed callbacks", err)
			}
			for some := range slices.Chunk(ids, db.MaxParameters) {
				if _, err := q.ExecIn(ctx, `UPDATE deliveries SET listed = ? WHERE id IN (?)`, false, some); err != nil {
					return db.Wrap("unlist failed callbacks", err)
				}
			}
		}
		return nil
	})
}
