package tickets

import (
	"context"
	"slices"
	"strings"

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
			if _, err := q.Exec(ctx, `DELETE FROM people WHERE ticket_id = ? AND part = 'approver'`, last.ID); err != nil {
				return db.Wrap("clear who is asked to approve", err)
			}
		}
		for _, person := range is {
			add(person, ticket.PartApprover, last.Seq)
		}
	}
	return p.insertPeople(ctx, q, rows)
}

// insertPeople inserts people; who has the part already keeps the place that comes with it.
func (p *Projections) insertPeople(ctx context.Context, q *db.Tx, rows [][]any) error {
	const tuple = "(?, ?, ?, ?, ?)"
	for chunk := range slices.Chunk(rows, db.MaxParameters/5) {
		use := ctx
		if len(chunk) > 1 {
			use = db.Once(ctx)
		}
		_, err := q.Exec(use, `INSERT INTO people (tenant, person, part, ticket_id, seq) VALUES `+strings.Repeat(tuple+", ", len(chunk)-1)+tuple+
			` ON CONFLICT (tenant, person, part, ticket_id) DO NOTHING`, slices.Concat(chunk...)...)
		if err != nil {
			return db.Wrap("insert people", err)
		}
	}
	return nil
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
	_, err := q.Exec(ctx, `UPDATE tickets SET ended_at = ? WHERE id = ?`, db.AtOrNil(is), after.ID)
	return db.Wrap("keep the end", err)
}
