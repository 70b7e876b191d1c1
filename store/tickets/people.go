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
	was, is := steps[0].Before.Approvers(), last.Approvers()
	if !slices.Equal(was, is) {
		if len(was) > 0 {
			if err := q.Later(ctx, `DELETE FROM people WHERE ticket_id = ? AND part = 'approver'`, last.ID); err != nil {
				return db.Wrap("clear who is asked to approve", err)
			}
		}
		for _, person := range is {
			add(person, ticket.PartApprover, last.Seq)
		}
	}
	// Who has the part already keeps the place that comes with it.
	return q.InsertMissing(ctx, `people (tenant, person, part, ticket_id, seq)`, rows)
}

// updateEndedAt keeps when the ticket ended, for those who look for it by that.
func (p *Projections) updateEndedAt(ctx context.Context, q *db.Tx, before, after ticket.Ticket) error {
	was, is := before.EndedAt(), after.EndedAt()
	if before.Seq == 0 {
		was = nil
	}
	if was == is || was != nil && is != nil && was.Equal(*is) {
		return nil
	}
	return db.Wrap("keep the end", q.Later(ctx, `UPDATE tickets SET ended_at = ? WHERE id = ?`, db.AtOrNil(is), after.ID))
}
