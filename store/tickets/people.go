package tickets

import (
	"context"
	"slices"

	"signalbox/store/db"
	"signalbox/store/outbox"
	"signalbox/ticket"
)

// updatePeople writes down who has which part in the ticket.
func (p *Projections) updatePeople(ctx context.Context, q *db.Tx, steps []outbox.Step) error {
	last := steps[len(steps)-1].After
	var rows [][]any
	add := func(person string, part ticket.Part, seq int64) {
		if person != "" {
			rows = append(rows, []any{last.Tenant, db.CleanText(person), string(part), last.ID, seq})
		}
	}
	for _, s := range steps {
		if o := s.Event.After.Opening; o != nil {
			add(o.Opener, ticket.PartOpener, s.Event.Seq)
			for _, person := range o.Followers {
				add(person, ticket.PartFollower, s.Event.Seq)
			}
		}
		add(s.Event.Acted(), ticket.PartActor, s.Event.Seq)
	}
	changed := int64(0) // by which event those who are asked to approve came
	asked := steps[0].Before.Approvers()
	had := len(asked) > 0
	for _, s := range steps {
		if is := s.After.Approvers(); !slices.Equal(asked, is) {
			asked, changed = is, s.Event.Seq
		}
	}
	if changed > 0 {
		if had {
			if err := q.Later(ctx, `DELETE FROM people WHERE ticket_id = ? AND part = 'approver'`, last.ID); err != nil {
				return db.Wrap("clear who is asked to approve", err)
			}
		}
		for _, person := range asked {
			add(person, ticket.PartApprover, changed)
		}
	}
	// Who has the part already keeps the place that comes with it.
	return q.InsertMissing(ctx, `people (tenant, person, part, ticket_id, seq)`, rows)
}

// byEnded are the parts of those of whose tickets the open ones are looked for. Who follows a ticket no more may do so again.
const byEnded = `part IN ('opener', 'follower', 'left')`

// updateEnded keeps whether the ticket has ended with those who look for what of theirs is open.
func (p *Projections) updateEnded(ctx context.Context, q *db.Tx, before, after ticket.Ticket) error {
	if was := before.Seq > 0 && before.Ended(); was == after.Ended() {
		return nil
	}
	return db.Wrap("keep that it ended", q.Later(ctx, `UPDATE people SET ended = ? WHERE ticket_id = ? AND `+byEnded, after.Ended(), after.ID))
}

// endAtOnce is how many tickets that ended in earlier versions are seen to in one transaction.
const endAtOnce = 500

// MarkEnded keeps, with those who opened and follow the tickets of versions that did not do so, which have ended; those with the highest ids first. It goes on where it, or another process, stopped.
func (p *Projections) MarkEnded(ctx context.Context) error {
	for more := true; more; {
		err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
			var upTo int64
			if err := q.Get(ctx, &upTo, q.Locking(`SELECT up_to FROM unended`, db.Exclusive)); err != nil {
				return err
			}
			if more = upTo > 0; !more {
				return nil
			}
			var ids []int64
			if err := q.All(ctx, &ids, `SELECT id FROM tickets WHERE NOT open AND id <= ? ORDER BY id DESC LIMIT ?`, upTo, endAtOnce); err != nil {
				return err
			}
			if _, err := q.LockTickets(ctx, ids); err != nil {
				return err
			}
			upTo = 0
			if len(ids) > 0 {
				if err := q.LaterIn(ctx, `UPDATE people SET ended = true WHERE ticket_id IN (?) AND NOT ended AND `+byEnded+` AND EXISTS (SELECT 1 FROM tickets t WHERE t.id = people.ticket_id AND NOT t.open)`, ids); err != nil {
					return err
				}
				if len(ids) == endAtOnce {
					upTo = ids[len(ids)-1] - 1
				}
			}
			_, err := q.Exec(ctx, `UPDATE unended SET up_to = ?`, upTo)
			return err
		})
		if err != nil {
			return db.Wrap("look for who opened and follows what has ended", err)
		}
	}
	return nil
}
