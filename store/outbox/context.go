package outbox

import (
	"context"
	"errors"
	"slices"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

type actorRow struct {
	Ticket int64  `db:"ticket_id"`
	Person string `db:"person"`
	Seq    int64  `db:"seq"`
}

// Actors gives, by ticket, everybody who moved it, in order.
func (o *Outbox) Actors(ctx context.Context, tickets []int64) (map[int64][]string, error) {
	out := map[int64][]string{}
	err := o.db.Read(ctx, func(q *db.Tx) error {
		rows, err := o.actors(ctx, q, tickets)
		for _, r := range rows {
			out[r.Ticket] = append(out[r.Ticket], r.Person)
		}
		return err
	})
	return out, err
}

func (o *Outbox) actors(ctx context.Context, q *db.Tx, tickets []int64) (rows []actorRow, err error) {
	for chunk := range slices.Chunk(tickets, db.MaxParameters) {
		var some []actorRow
		err := q.AllIn(ctx, &some, `SELECT ticket_id, person, seq FROM people WHERE ticket_id IN (?) AND part = 'actor' ORDER BY ticket_id, seq`, chunk)
		if err != nil {
			return nil, db.Wrap("list actors", err)
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

// renderContext gives what bodies contain that is no part of the ticket. The actors are read once, and only for a body that contains them; done gives the
// error of what was read, once the bodies are rendered.
func (o *Outbox) renderContext(ctx context.Context, q *db.Tx, t ticket.Ticket) (c notice.Context, done func() error) {
	var rows []actorRow
	var err, tokenErr error
	asked := false
	return notice.Context{
		TicketURL: o.TicketURL, Zone: o.zone,
		Token: func(id ticket.Identity) (token string) {
			token, tokenErr = o.vault.Token(ctx, q, id)
			return token
		},
		Actors: func(seq int64) (names []string) {
			if !asked {
				asked = true
				rows, err = o.actors(ctx, q, []int64{t.ID})
			}
			for _, r := range rows {
				if r.Seq <= seq {
					names = append(names, r.Person)
				}
			}
			return names
		},
	}, func() error { return errors.Join(err, tokenErr) }
}

// TicketURL is where people see a ticket.
func (o *Outbox) TicketURL(number string) string { return o.publicURL + "/ticket/" + number }
