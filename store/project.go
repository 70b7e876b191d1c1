package store

import (
	"context"
	"encoding/json"
	"fmt"

	"signalbox/desk"
	"signalbox/ticket"
)

// Finish projects the events and marks the operation done, in one transaction.
func (l Ledger) Finish(ctx context.Context, op desk.Operation, events []ticket.Event) error {
	return l.write(ctx, func(ctx context.Context, q *session) error {
		if err := q.project(ctx, op.Ticket, events); err != nil {
			return err
		}
		return q.done(ctx, op)
	})
}

// Project folds the events into the ticket's row and writes what they owe, in one transaction. Events that the row has are passed over.
// desk.ErrGap: events before these are missing, or their type is not known to this build; nothing has changed.
func (l Ledger) Project(ctx context.Context, id ticket.Identity, events []ticket.Event) error {
	return l.write(ctx, func(ctx context.Context, q *session) error { return q.project(ctx, id, events) })
}

// step is one event of a projection and the ticket around it.
type step struct {
	before, after ticket.Ticket
	event         ticket.Event // with Before completed
}

// follow gives the steps that lead on from a ticket. It writes nothing.
func follow(t ticket.Ticket, events []ticket.Event) ([]step, error) {
	var steps []step
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
		steps = append(steps, step{t, after, e})
		t = after
	}
	return steps, nil
}

func (q *session) project(ctx context.Context, id ticket.Identity, events []ticket.Event) error {
	if len(events) == 0 {
		return nil
	}
	t, tip, known, err := q.lockTicket(ctx, id.ID)
	if err != nil {
		return err
	}
	steps, err := follow(t, events)
	if err != nil || len(steps) == 0 {
		return wrap("ticket "+id.Number, err)
	}
	after := steps[len(steps)-1].after
	if after.Identity != id {
		return fmt.Errorf("ticket %s: the events are those of %s", id.Number, after.Number)
	}
	if err := q.complete(ctx, steps); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	rows, tip, err := q.chained(ctx, tip, steps)
	if err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	if known {
		err = q.update(ctx, after, tip)
	} else {
		var inserted bool
		if inserted, err = q.create(ctx, after, tip); err == nil && !inserted {
			// Somebody projected the opening meanwhile; now there is a row to lock.
			return q.project(ctx, id, events)
		}
	}
	if err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	if err := q.insert(ctx, `events (`+eventColumns+`)`, rows); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	if err := q.sides(ctx, steps); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	if err := q.owe(ctx, steps); err != nil {
		return fmt.Errorf("ticket %s: %w", id.Number, err)
	}
	return nil
}

func readTicket(state string) (t ticket.Ticket, err error) {
	if err = json.Unmarshal([]byte(state), &t); err != nil {
		return t, fmt.Errorf("read a ticket: %w", err)
	}
	return t, nil
}

// create inserts a ticket's row; false: it is there already.
func (q *session) create(ctx context.Context, t ticket.Ticket, tip string) (bool, error) {
	state, err := json.Marshal(t)
	if err != nil {
		return false, fmt.Errorf("write a ticket: %w", err)
	}
	n, err := q.exec(ctx, `INSERT INTO tickets (id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, seq, state, chain)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		t.ID, t.Tenant, t.Number, t.UUID, t.Status.Open(), t.Phase(), t.Origin, t.Service, t.Assignee, at(t.CreatedAt), at(t.UpdatedAt), t.Seq,
		string(state), tip)
	return n == 1, wrap("insert the row", err)
}

// update brings a locked row up to date.
func (q *session) update(ctx context.Context, t ticket.Ticket, tip string) error {
	state, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write a ticket: %w", err)
	}
	_, err = q.exec(ctx, `UPDATE tickets SET open = ?, phase = ?, origin = ?, service = ?, assignee = ?, updated_at = ?, seq = ?, state = ?, chain = ?
		WHERE id = ?`,
		t.Status.Open(), t.Phase(), t.Origin, t.Service, t.Assignee, at(t.UpdatedAt), t.Seq, string(state), tip, t.ID)
	return wrap("update the row", err)
}

// chained gives the rows of the events, each with its hash, and where the chain ends then.
func (q *session) chained(ctx context.Context, tip string, steps []step) (rows [][]any, end string, err error) {
	a, err := q.notary(ctx)
	if err != nil {
		return nil, "", err
	}
	links := make([]link, 0, len(steps))
	for _, s := range steps {
		e := s.event
		content, err := json.Marshal(e)
		if err != nil {
			return nil, "", fmt.Errorf("write event %d: %w", e.Seq, err)
		}
		r := eventRow{Ticket: s.after.ID, Seq: e.Seq, At: at(e.At), Type: string(e.Type), Actor: tidy(e.Actor), Operation: tidy(e.Operation),
			Content: string(content)}
		links = append(links, r.link())
		rows = append(rows, []any{r.Ticket, r.Seq, r.At, r.Type, r.Actor, r.Operation, r.Content})
	}
	end = a.extend(steps[0].after.ID, tip, links)
	for i, l := range links {
		rows[i] = append(rows[i], l.hash)
	}
	return rows, end, nil
}
