package tickets

import (
	"context"
	"fmt"

	"signalbox/store/db"
	"signalbox/ticket"
)

// Who follows a ticket is not one of its events: nothing becomes of it by that, and nobody is told that they do. Whom the opening named has the number of its event as seq, who followed
// later has 0. What people are told of a ticket goes to those who follow as it is projected: see outbox.AudienceQuery.

// Followers gives who follows a ticket, at most limit of them: first is the first of them, if they do.
func (p *Projections) Followers(ctx context.Context, t ticket.Ticket, first string, limit int) (list []string, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("list followers", q.All(ctx, &list, `SELECT person FROM people WHERE ticket_id = ? AND part = ? ORDER BY CASE WHEN person = ? THEN 0 ELSE 1 END, seq, person LIMIT ?`,
			t.ID, string(ticket.PartFollower), db.CleanText(first), limit))
	})
	return list, err
}

// FollowersPage gives a page of those who follow a ticket, in the order of their ids.
func (p *Projections) FollowersPage(ctx context.Context, t ticket.Ticket, cursor string, limit int) (list []string, next string, err error) {
	var w db.Where
	w.And(`ticket_id = ? AND part = ?`, t.ID, string(ticket.PartFollower))
	if err := w.AfterAscending(cursor, `person`, func(c db.Cursor) []any { return []any{c.ID} }); err != nil {
		return nil, "", err
	}
	err = p.db.Read(ctx, func(q *db.Tx) error {
		list, next, err = db.ReadPage(db.Once(ctx), q, limit, `SELECT person FROM people WHERE `+w.String()+` ORDER BY person LIMIT ?`, w.Args(),
			func(person string) db.Cursor { return db.Cursor{N: 1, At: t.CreatedAt, ID: person} })
		return db.Wrap("list followers", err)
	})
	return list, next, err
}

// FollowersOf gives, by ticket, who follows each of some tickets, in the order of their ids.
func (p *Projections) FollowersOf(ctx context.Context, list []ticket.Ticket) (map[int64][]string, error) {
	ids, out := make([]int64, len(list)), map[int64][]string{}
	for i, t := range list {
		ids[i] = t.ID
	}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []struct {
		Ticket int64  `db:"ticket_id"`
		Person string `db:"person"`
	}
	err := p.db.Read(ctx, func(q *db.Tx) error {
		return q.AllIn(ctx, &rows, `SELECT ticket_id, person FROM people WHERE ticket_id IN (?) AND part = 'follower' ORDER BY ticket_id, person`, ids)
	})
	for _, r := range rows {
		out[r.Ticket] = append(out[r.Ticket], r.Person)
	}
	return out, db.Wrap("list followers", err)
}

// Follow has somebody follow a ticket, or follow it no more, whichever it was before. What happens to the ticket from then on is told by that. It joins the transaction that ctx carries.
// TooMany: the ticket has ticket.MaxFollowing followers.
func (p *Projections) Follow(ctx context.Context, t ticket.Ticket, person string, on bool) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, err := q.LockTickets(ctx, []int64{t.ID}); err != nil {
			return err
		}
		who := []any{t.Tenant, db.CleanText(person), t.ID}
		from, to := ticket.PartLeft, ticket.PartFollower
		if !on {
			from, to = to, from
			if _, err := q.Exec(ctx, `DELETE FROM people WHERE tenant = ? AND person = ? AND ticket_id = ? AND part = 'follower' AND seq = 0`, who...); err != nil {
				return db.Wrap("follow no more", err)
			}
		} else if err := room(ctx, q, t.ID, who[1]); err != nil {
			return err
		}
		named, err := q.Exec(ctx, `UPDATE people SET part = ? WHERE tenant = ? AND person = ? AND ticket_id = ? AND part = ?`, string(to), who[0], who[1], who[2], string(from))
		if err != nil || !on || named > 0 {
			return db.Wrap("follow", err)
		}
		return q.InsertMissing(ctx, `people (tenant, person, part, ticket_id, seq)`, [][]any{{t.Tenant, db.CleanText(person), string(ticket.PartFollower), t.ID, 0}})
	})
}

// room refuses another follower of a locked ticket that has as many as it may have. Whoever follows it already is none.
func room(ctx context.Context, q *db.Tx, id int64, person any) error {
	var others int
	if err := q.Get(ctx, &others, `SELECT COUNT(*) FROM people WHERE ticket_id = ? AND part = 'follower' AND person <> ?`, id, person); err != nil {
		return db.Wrap("count followers", err)
	}
	if others >= ticket.MaxFollowing {
		return ticket.Refuse(ticket.TooMany, fmt.Sprintf("the ticket is followed by %d people already, and by no more", ticket.MaxFollowing))
	}
	return nil
}
