package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"signalbox/notice"
	"signalbox/ticket"
)

// people writes down who has which part in the ticket.
func (q *session) people(ctx context.Context, steps []step) error {
	last := steps[len(steps)-1].after
	var rows [][]any
	add := func(person string, part ticket.Part, seq int64) {
		if person != "" {
			rows = append(rows, []any{last.Tenant, tidy(person), string(part), last.ID, seq})
		}
	}
	for _, s := range steps {
		if o := s.event.After.Opening; o != nil {
			add(o.Opener, ticket.PartOpener, s.event.Seq)
			for _, person := range o.Followers {
				add(person, ticket.PartFollower, s.event.Seq)
			}
		}
		add(s.event.Acted(), ticket.PartActor, s.event.Seq)
	}
	was, is := steps[0].before.Approvers(), last.Approvers()
	if !slices.Equal(was, is) {
		if len(was) > 0 {
			if _, err := q.exec(ctx, `DELETE FROM people WHERE ticket_id = ? AND part = 'approver'`, last.ID); err != nil {
				return wrap("clear who is asked to approve", err)
			}
		}
		for _, person := range is {
			add(person, ticket.PartApprover, last.Seq)
		}
	}
	return q.join(ctx, rows)
}

// join inserts people; who has the part already keeps the place that comes with it.
func (q *session) join(ctx context.Context, rows [][]any) error {
	const tuple = "(?, ?, ?, ?, ?)"
	for chunk := range slices.Chunk(rows, maxParameters/5) {
		use := ctx
		if len(chunk) > 1 {
			use = once(ctx)
		}
		_, err := q.exec(use, `INSERT INTO people (tenant, person, part, ticket_id, seq) VALUES `+strings.Repeat(tuple+", ", len(chunk)-1)+tuple+
			` ON CONFLICT (tenant, person, part, ticket_id) DO NOTHING`, slices.Concat(chunk...)...)
		if err != nil {
			return wrap("insert people", err)
		}
	}
	return nil
}

// ended keeps when the ticket ended, for those who look for it by that.
func (q *session) ended(ctx context.Context, before, after ticket.Ticket) error {
	if after.Ended() == (before.Seq > 0 && before.Ended()) {
		return nil
	}
	_, err := q.exec(ctx, `UPDATE tickets SET ended_at = ? WHERE id = ?`, maybe(after.EndedAt()), after.ID)
	return wrap("keep the end", err)
}

type actorRow struct {
	Ticket int64  `db:"ticket_id"`
	Person string `db:"person"`
	Seq    int64  `db:"seq"`
}

// Actors gives, by ticket, everybody who moved it, in order.
func (s *Store) Actors(ctx context.Context, tickets []int64) (map[int64][]string, error) {
	out := map[int64][]string{}
	err := s.read(ctx, func(q *session) error {
		rows, err := q.actors(ctx, tickets)
		for _, r := range rows {
			out[r.Ticket] = append(out[r.Ticket], r.Person)
		}
		return err
	})
	return out, err
}

func (q *session) actors(ctx context.Context, tickets []int64) (rows []actorRow, err error) {
	for chunk := range slices.Chunk(tickets, maxParameters) {
		var some []actorRow
		err := q.any(ctx, &some, `SELECT ticket_id, person, seq FROM people WHERE ticket_id IN (?) AND part = 'actor' ORDER BY ticket_id, seq`, chunk)
		if err != nil {
			return nil, wrap("list actors", err)
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

// renders gives what bodies tell that is no part of the ticket. What the database needs to be asked for is asked for once, and only when a
// body tells of it; done gives the error that came up.
func (q *session) renders(ctx context.Context, t ticket.Ticket) (c notice.Context, done func() error) {
	var rows []actorRow
	var err, tokenErr error
	asked := false
	return notice.Context{
		TicketURL: q.TicketURL, Zone: q.zone,
		Token: func(id ticket.Identity) (token string) {
			token, tokenErr = q.token(ctx, id)
			return token
		},
		Actors: func(seq int64) (names []string) {
			if !asked {
				asked = true
				rows, err = q.actors(ctx, []int64{t.ID})
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
func (s *Store) TicketURL(number string) string { return s.publicURL + "/ticket/" + number }
