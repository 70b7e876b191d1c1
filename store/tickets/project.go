package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/outbox"
	"signalbox/ticket"
)

// follow gives the steps that lead on from a ticket. It writes nothing.
func follow(t ticket.Ticket, events []ticket.Event) ([]outbox.Step, error) {
	var steps []outbox.Step
	for _, e := range events {
		switch {
		case e.Seq <= t.Seq:
			continue
		case e.Seq != t.Seq+1:
			return nil, fmt.Errorf("event %d after %d: %w", e.Seq, t.Seq, desk.ErrGap)
		case !e.Type.Known():
			return nil, fmt.Errorf("event %d is of the unknown type %q: %w", e.Seq, e.Type, desk.ErrGap)
		}
		after := ticket.Evolve(t, e)
		steps = append(steps, outbox.Step{Before: t, After: after, Event: e})
		t = after
	}
	return steps, nil
}

// Project folds the events into the ticket's row and writes what they owe, in one transaction. Events that the row has are passed over, if they are the same.
// desk.ErrGap: events before these are missing, or their type is not known to this build; desk.ErrDiverged: the row has another event in the place of one of
// these; desk.ErrInDoubt: the ticket takes nothing. Nothing has changed then.
func (p *Projections) Project(ctx context.Context, id ticket.Identity, events []ticket.Event) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error { return p.ProjectIn(ctx, q, id, events) })
}

// ProjectIn is Project within a transaction.
func (p *Projections) ProjectIn(ctx context.Context, q *db.Tx, id ticket.Identity, events []ticket.Event) error {
	if len(events) == 0 {
		return nil
	}
	audience, err := p.outbox.Audience(ctx, q, id.Tenant, id.ID, notice.Named(events))
	if err != nil {
		return err
	}
	t, known, err := q.LockTicket(ctx, id.ID)
	if err != nil {
		return err
	}
	if err := p.fits(ctx, q, t, known, id, events); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	return p.add(ctx, q, t, known, id, events, audience)
}

// fits tells why events cannot be those of a ticket.
func (p *Projections) fits(ctx context.Context, q *db.Tx, t db.LockedTicket, known bool, id ticket.Identity, events []ticket.Event) error {
	switch {
	case !known:
		return nil
	case t.Identity != id:
		return fmt.Errorf("its id is that of %s", t.Number)
	case t.Doubt != "":
		return fmt.Errorf("%w: %s", desk.ErrInDoubt, t.Doubt)
	}
	seq, err := p.firstOther(ctx, q, t.Ticket, events)
	if err == nil && seq > 0 {
		err = fmt.Errorf("event %d is another one: %w", seq, desk.ErrDiverged)
	}
	return err
}

// firstOther gives the number of the first of some events that a ticket has another one in the place of; 0: of none.
func (p *Projections) firstOther(ctx context.Context, q *db.Tx, t ticket.Ticket, events []ticket.Event) (int64, error) {
	for len(events) > 0 && events[0].Seq <= t.Seq {
		n := 0
		for n < len(events) && n < chain.TimelineBatch && events[n].Seq <= t.Seq {
			n++
		}
		stored, err := storedEvents(ctx, q, t.ID, events[0].Seq, events[n-1].Seq)
		if err != nil {
			return 0, err
		}
		for _, e := range events[:n] {
			if is, there := stored[e.Seq]; !there || !ticket.Same(is, e) {
				return e.Seq, nil
			}
		}
		events = events[n:]
	}
	return 0, nil
}

// storedEvents gives events of a ticket by their number.
func storedEvents(ctx context.Context, q *db.Tx, id, from, to int64) (map[int64]ticket.Event, error) {
	var rows []string
	if err := q.All(ctx, &rows, `SELECT content FROM events WHERE ticket_id = ? AND seq BETWEEN ? AND ? ORDER BY seq`, id, from, to); err != nil {
		return nil, db.Wrap("list events", err)
	}
	out := make(map[int64]ticket.Event, len(rows))
	for _, row := range rows {
		e, err := readEvent(id, row)
		if err != nil {
			return nil, err
		}
		out[e.Seq] = e
	}
	return out, nil
}

// add adds the events that a locked ticket does not have, which fit.
func (p *Projections) add(ctx context.Context, q *db.Tx, t db.LockedTicket, known bool, id ticket.Identity, events []ticket.Event, audience *outbox.Audience) error {
	tip := t.Chain
	steps, err := follow(t.Ticket, events)
	if err != nil || len(steps) == 0 {
		return db.Wrap("ticket "+id.Number, err)
	}
	after := steps[len(steps)-1].After
	if after.Identity != id {
		return fmt.Errorf("ticket %s: the events are those of %s", id.Number, after.Number)
	}
	if err := p.fillBefore(ctx, q, steps); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	rows, tip, err := p.chainEvents(ctx, q, tip, steps)
	if err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	if known {
		err = p.updateTicket(ctx, q, after, tip)
	} else {
		var inserted bool
		if inserted, err = p.insertTicket(ctx, q, after, tip); err == nil && !inserted {
			// Somebody projected the opening meanwhile; now there is a row to lock.
			if _, known, err = q.LockTicket(ctx, id.ID); known {
				return p.ProjectIn(ctx, q, id, events)
			}
			if err == nil {
				err = errors.New("its number or its UUID is another's")
			}
		}
	}
	if err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	place := q.FeedPlace(after.Tenant, after.ID, steps[0].Event.Seq-1)
	for i := range rows {
		rows[i] = append(rows[i], after.Tenant, place)
	}
	if err := q.Insert(ctx, `events (`+chain.EventColumns+`, tenant, place)`, rows); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	for _, step := range steps {
		if what, lapsed := lapses[step.Event.Type]; lapsed {
			q.Committed(p.slas.WithLabelValues(what).Inc)
		}
	}
	if err := p.updateProjections(ctx, q, steps, ticket.Cause(t.Stuck)); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	if o := steps[0].Event.After.Opening; o != nil && o.Callback != nil {
		audience = nil // there is a subscription since it was asked
	}
	if err := p.outbox.Enqueue(ctx, q, steps, audience); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	return nil
}

// insertTicket inserts a ticket's row; false: it is there already, or another with its number or UUID is. No index is named for the conflict: of
// two who insert the same row at once, PostgreSQL would let the second fail at the indexes that are not.
func (p *Projections) insertTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, tip string) (bool, error) {
	state, err := json.Marshal(t)
	if err != nil {
		return false, fmt.Errorf("write a ticket: %w", err)
	}
	n, err := q.Exec(ctx, `INSERT INTO tickets (id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, sla, due_at, seq, state,
		chain, folded, posted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, true, true) ON CONFLICT DO NOTHING`,
		t.ID, t.Tenant, t.Number, t.UUID, t.Status.Open(), t.Phase(), t.Origin, t.Service, t.Assignee, db.At(t.CreatedAt), db.At(t.UpdatedAt), t.SLAState(), dueAt(t), t.Seq,
		string(state), tip)
	return n == 1, db.Wrap("insert the row", err)
}

// dueAt is what the column of that name holds.
func dueAt(t ticket.Ticket) *db.Timestamp {
	due := t.DueAt()
	if due == nil {
		return nil
	}
	at := db.At(*due)
	return &at
}

// updateTicket brings a locked row up to date.
func (p *Projections) updateTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, tip string) error {
	state, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write a ticket: %w", err)
	}
	err = q.Later(ctx, `UPDATE tickets SET open = ?, phase = ?, origin = ?, service = ?, assignee = ?, updated_at = ?, sla = ?, due_at = ?, seq = ?, state = ?,
		chain = ? WHERE id = ?`,
		t.Status.Open(), t.Phase(), t.Origin, t.Service, t.Assignee, db.At(t.UpdatedAt), t.SLAState(), dueAt(t), t.Seq, string(state), tip, t.ID)
	return db.Wrap("update the row", err)
}

// chainEvents gives the rows of the events, each with its hash, and where the chain ends then.
func (p *Projections) chainEvents(ctx context.Context, q *db.Tx, tip string, steps []outbox.Step) (rows [][]any, end string, err error) {
	a, err := p.chain.Keyring(ctx, q)
	if err != nil {
		return nil, "", err
	}
	links := make([]chain.Link, 0, len(steps))
	for _, s := range steps {
		e := s.Event
		content, err := json.Marshal(e)
		if err != nil {
			return nil, "", fmt.Errorf("write event %d: %w", e.Seq, err)
		}
		r := chain.EventRow{Ticket: s.After.ID, Seq: e.Seq, At: db.At(e.At), Type: string(e.Type), Actor: db.CleanText(e.Actor), Operation: db.CleanText(e.Operation),
			Content: string(content)}
		links = append(links, r.Link())
		rows = append(rows, []any{r.Ticket, r.Seq, r.At, r.Type, r.Actor, r.Operation, r.Content})
	}
	end = a.Extend(steps[0].After.ID, tip, links)
	for i, l := range links {
		rows[i] = append(rows[i], l.Hash)
	}
	return rows, end, nil
}
