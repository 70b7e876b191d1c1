package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/desk"
	"signalbox/internal/tracing"
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

// StartProjection begins the span in which events of a ticket are projected. It has to be ended where they were; one that is not ended is never told of.
func StartProjection(ctx context.Context, id ticket.Identity, events []ticket.Event) (context.Context, tracing.Span) {
	ctx, span := tracing.Start(ctx, "project")
	span.Text(tracing.Ticket, id.Number)
	span.Number(tracing.Events, int64(len(events)))
	return ctx, span
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
	ctx, span := StartProjection(ctx, id, events)
	defer span.End()
	err := p.project(ctx, q, id, events)
	if err != nil {
		span.Fail("failed")
	}
	return err
}

func (p *Projections) project(ctx context.Context, q *db.Tx, id ticket.Identity, events []ticket.Event) error {
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
	n, err := p.newsOf(ctx, q, t, id, events)
	if err != nil || len(n.steps) == 0 {
		return db.Wrap("ticket "+id.Number, err)
	}
	if known {
		err = p.updateTicket(ctx, q, n.after(), n.tip, "")
	} else {
		var inserted bool
		if inserted, err = p.insertTicket(ctx, q, n.after(), n.tip); err == nil && !inserted {
			// Somebody projected the opening meanwhile; now there is a row to lock.
			if _, known, err = q.LockTicket(ctx, id.ID); known {
				return p.project(ctx, q, id, events)
			}
			if err == nil {
				err = errors.New("its number or its UUID is another's")
			}
		}
	}
	if err == nil {
		err = p.write(ctx, q, n, audience, db.Expr{})
	}
	return db.Wrap("ticket "+id.Number, err)
}

// Outright gives what projects events without having looked before, in a transaction of db.Outright: it relies on the ticket being as this request has read it, or not being there where they
// open it, and on there being nobody who is to be told. nil: not of these events, or not for some time of that tenant's.
func (p *Projections) Outright(ctx context.Context, id ticket.Identity, events []ticket.Event) func(ctx context.Context, q *db.Tx) error {
	if len(events) == 0 || p.looking(id.Tenant) || slices.ContainsFunc(events, replaces) {
		return nil
	}
	read, known := desk.Remembered(ctx).(db.LockedTicket)
	opened := events[0].After.Opening
	switch {
	case opened != nil && opened.Callback == nil && events[0].Seq == 1:
		read, known = db.LockedTicket{}, false
	case !known || opened != nil || read.Identity != id || read.Doubt != "" || read.Seq+1 != events[0].Seq:
		return nil
	}
	return func(ctx context.Context, q *db.Tx) error {
		n, err := p.newsOf(ctx, q, read, id, events)
		if err != nil {
			return err
		}
		if known {
			err = p.updateTicket(ctx, q, n.after(), n.tip, db.Relying(db.RowIs), db.RowOf(read)...)
		} else {
			err = p.insertNewTicket(ctx, q, n.after(), n.tip, q.Later)
		}
		if err != nil {
			return err
		}
		audience, nobody, err := p.outbox.Nobody(ctx, q, n.steps)
		if err != nil {
			return err
		}
		return p.write(ctx, q, n, audience, nobody)
	}
}

// lookFirst is for how long it is looked first in a tenant where something was not as it was relied on: that somebody is told there is told of most tickets.
const lookFirst = 10 * time.Second

// Looked notes that something in a tenant was not as it was relied on.
func (p *Projections) Looked(tenant string) { p.looked.Store(tenant, p.db.Now().Add(lookFirst)) }

// looking reports whether it is looked first in a tenant.
func (p *Projections) looking(tenant string) bool {
	until, noted := p.looked.Load(tenant)
	return noted && p.db.Now().Before(until.(time.Time))
}

// replaces reports whether an event replaces what has to be read for it; see fillBefore.
func replaces(e ticket.Event) bool { return e.Before.Relation != nil || e.Before.Message != nil }

// news are events that a ticket's row does not have.
type news struct {
	steps []outbox.Step // where there are none, the rest is empty
	rows  [][]any       // of events, but for their place in the change feed
	tip   string        // where the chain ends with them
	stuck ticket.Cause  // what is written down of the ticket before them
}

// after gives the ticket with them.
func (n news) after() ticket.Ticket { return n.steps[len(n.steps)-1].After }

// newsOf works out what of some events is new to a ticket's row.
func (p *Projections) newsOf(ctx context.Context, q *db.Tx, t db.LockedTicket, id ticket.Identity, events []ticket.Event) (n news, err error) {
	n.stuck = ticket.Cause(t.Stuck)
	if n.steps, err = follow(t.Ticket, events); err != nil || len(n.steps) == 0 {
		return n, err
	}
	if n.after().Identity != id {
		return n, fmt.Errorf("the events are those of %s", n.after().Number)
	}
	if err := p.fillBefore(ctx, q, n.steps); err != nil {
		return n, err
	}
	n.rows, n.tip, err = p.chainEvents(ctx, q, t.Chain, n.steps)
	return n, err
}

// write writes all but the ticket's row, which is held: only then is a condition looked at that is relied on (where it is empty, none is).
func (p *Projections) write(ctx context.Context, q *db.Tx, n news, audience *outbox.Audience, relied db.Expr) error {
	after := n.after()
	place := q.FeedPlace(after.Tenant, after.ID, n.steps[0].Event.Seq-1)
	switch {
	case relied.SQL == "":
	case len(n.rows) == 1: // a statement less than by itself
		place = place.Relying(relied)
	default:
		if err := q.Later(ctx, `SELECT 1 WHERE `+db.Relying(relied.SQL), relied.Args...); err != nil {
			return err
		}
	}
	for i := range n.rows {
		n.rows[i] = append(n.rows[i], after.Tenant, place)
	}
	if err := q.Insert(ctx, `events (`+chain.EventColumns+`, tenant, place)`, n.rows); err != nil {
		return err
	}
	for _, step := range n.steps {
		if phase := step.After.Phase(); phase != step.Before.Phase() {
			q.Committed(p.moves.WithLabelValues(phase).Inc)
		}
		if what, lapsed := lapses[step.Event.Type]; lapsed {
			q.Committed(p.slas.WithLabelValues(what).Inc)
		}
	}
	if err := p.updateProjections(ctx, q, n.steps, n.stuck); err != nil {
		return err
	}
	if o := n.steps[0].Event.After.Opening; o != nil && o.Callback != nil {
		audience = nil // there is a subscription since it was asked
	}
	return p.outbox.Enqueue(ctx, q, n.steps, audience)
}

// insertTicket inserts a ticket's row; false: it is there already, or another with its number or UUID is. No index is named for the conflict: of
// two who insert the same row at once, PostgreSQL would let the second fail at the indexes that are not.
func (p *Projections) insertTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, tip string) (inserted bool, err error) {
	err = p.insertNewTicket(ctx, q, t, tip, func(ctx context.Context, query string, args ...any) error {
		n, err := q.Exec(ctx, query+` ON CONFLICT DO NOTHING`, args...)
		inserted = n == 1
		return err
	})
	return inserted, err
}

// insertNewTicket inserts the row of a ticket that has none.
func (p *Projections) insertNewTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, tip string, run func(ctx context.Context, query string, args ...any) error) error {
	state, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write a ticket: %w", err)
	}
	err = run(ctx, `INSERT INTO tickets (id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, ended_at, sla, due_at, seq, state,
		chain, folded, posted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, true, true)`,
		t.ID, t.Tenant, t.Number, t.UUID, t.Status.Open(), t.Phase(), t.Origin, t.Service, t.Assignee, db.At(t.CreatedAt), db.At(t.UpdatedAt), db.AtOrNil(t.EndedAt()), t.SLAListed(), dueAt(t), t.Seq,
		string(state), tip)
	return db.Wrap("insert the row", err)
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

// updateTicket brings a row up to date, which is locked or of which a condition is relied on (db.Relying; empty: none).
func (p *Projections) updateTicket(ctx context.Context, q *db.Tx, t ticket.Ticket, tip string, relying string, args ...any) error {
	state, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write a ticket: %w", err)
	}
	if relying != "" {
		relying = ` AND ` + relying
	}
	err = q.Later(ctx, `UPDATE tickets SET open = ?, phase = ?, origin = ?, service = ?, assignee = ?, updated_at = ?, ended_at = ?, sla = ?, due_at = ?, seq = ?, state = ?,
		chain = ? WHERE id = ?`+relying, append([]any{
		t.Status.Open(), t.Phase(), t.Origin, t.Service, t.Assignee, db.At(t.UpdatedAt), db.AtOrNil(t.EndedAt()), t.SLAListed(), dueAt(t), t.Seq, string(state), tip, t.ID}, args...)...)
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
