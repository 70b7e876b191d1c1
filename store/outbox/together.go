package outbox

import (
	"context"
	"slices"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// WatchTogether makes one thing to watch, under a name of its own, of redeliveries that were begun. It joins the transaction that ctx carries.
func (o *Outbox) WatchTogether(ctx context.Context, name string, redeliveries []string) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		for some := range slices.Chunk(redeliveries, db.MaxParameters/2) {
			if _, err := q.ExecIn(ctx, `UPDATE redeliveries SET asked = ? WHERE id IN (?)`, name, some); err != nil {
				return db.Wrap("watch redeliveries together", err)
			}
		}
		return nil
	})
}

// Together tells how far redeliveries are that are watched under a name. NotFound: the tenant has none of that name, or it was so long ago that they are forgotten.
func (o *Outbox) Together(ctx context.Context, tenant, name string) (out notice.Together, err error) {
	var row struct {
		N       int           `db:"n"`
		Running int           `db:"running"`
		Stopped int           `db:"stopped"`
		Total   int           `db:"total"`
		Done    int           `db:"done"`
		Begun   *db.Timestamp `db:"begun"`
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("look how far redeliveries are", q.Get(ctx, &row, `SELECT COUNT(*) AS n, COALESCE(SUM(CASE WHEN state = 'running' THEN 1 ELSE 0 END), 0) AS running,
			COALESCE(SUM(CASE WHEN state = 'stopped' THEN 1 ELSE 0 END), 0) AS stopped, COALESCE(SUM(total), 0) AS total, COALESCE(SUM(done), 0) AS done, MIN(created_at) AS begun
			FROM redeliveries WHERE tenant = ? AND asked = ? AND asked <> ''`, db.CleanText(tenant), db.CleanText(name)))
	})
	switch {
	case err != nil:
		return out, err
	case row.N == 0:
		return out, ticket.Refuse(ticket.NotFound, "there is no such redelivery")
	}
	return notice.Together{N: row.N, Running: row.Running, Stopped: row.Stopped, Total: row.Total, Done: row.Done, CreatedAt: row.Begun.Time}, nil
}
