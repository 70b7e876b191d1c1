package tickets

import (
	"context"
	"time"

	"signalbox/store/db"
	"signalbox/ticket"
)

// ToAttend lists open tickets, in the order of their ids and behind one of them, that ask somebody who is absent at that time, who is not active, or to whom something
// happened since another time.
func (p *Projections) ToAttend(ctx context.Context, after int64, at, since time.Time, limit int) (list []ticket.Identity, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []struct {
			ID     int64  `db:"id"`
			Tenant string `db:"tenant"`
			Number string `db:"number"`
			UUID   string `db:"uuid"`
		}
		err := q.All(ctx, &rows, `SELECT t.id, t.tenant, t.number, t.uuid FROM (
				SELECT ticket_id FROM directory_absences b JOIN waiting w ON w.tenant = b.tenant AND w.person = b.person AND w.ticket_id > ?
					WHERE b.starts <= ? AND (b.ends IS NULL OR b.ends > ?)
				UNION
				SELECT ticket_id FROM directory_persons p JOIN waiting w ON w.tenant = p.tenant AND w.person = p.id AND w.ticket_id > ? WHERE NOT p.active
				UNION
				SELECT ticket_id FROM directory_changes c JOIN waiting w ON w.tenant = c.tenant AND w.person = c.person AND w.ticket_id > ? WHERE c.at > ?
			) asked JOIN tickets t ON t.id = asked.ticket_id ORDER BY t.id LIMIT ?`, after, db.At(at), db.At(at), after, after, db.At(since), limit)
		for _, r := range rows {
			list = append(list, ticket.Identity{ID: r.ID, Tenant: r.Tenant, Number: r.Number, UUID: r.UUID})
		}
		return db.Wrap("list tickets that ask people who are absent", err)
	})
	return list, err
}
