package store

import (
	"context"
	"fmt"

	"signalbox/desk"
)

// counter reads the counter of tickets and looks at it. What it gives is how far ids are known to have been drawn.
func (v *verification) counter(ctx context.Context) (c counterRow, err error) {
	found, err := v.store.reader().find(ctx, &c, readCounter)
	switch {
	case err != nil || !found:
		return c, wrap("read the counter of tickets", err) // tickets without it are found by undrawn
	case c.Seal == "":
		c.Base = c.Value
	case !v.holds(c.Seal, c.parts()...):
		v.fault("the counter of tickets is not what was written there")
		return counterRow{}, nil
	case c.Value < c.Mark:
		v.fault("the counter of tickets was turned back, from %d or more to %d", c.Mark, c.Value)
	case c.Value > c.Mark:
		c.Base = c.Value
	}
	if c.Base > 0 {
		v.found(Fault{Unchained: true, What: fmt.Sprintf("the first %d ids of tickets were drawn by a version that kept no account of those that were not opened", c.Base)})
	}
	return c, nil
}

// gaps looks at the ids from after to last that are not those of tickets.
func (v *verification) gaps(ctx context.Context, drawn counterRow, after, last int64, ids []int64) error {
	next := max(after, drawn.Base) + 1
	for _, id := range append(ids[:len(ids):len(ids)], min(last, drawn.Mark)+1) {
		end := min(id, drawn.Mark+1)
		for from := next; from < end; from += verifyAtOnce {
			if err := v.unexplained(ctx, from, min(end, from+verifyAtOnce)-1); err != nil {
				return err
			}
		}
		next = max(next, id+1)
	}
	return nil
}

// explainIDs reads all that explains ids in a range: tickets, openings under way, and rows of unopened. It is one statement, so that one moment is
// seen: an opening goes from one to the other.
const explainIDs = `SELECT 'ticket' AS kind, id AS ticket_id, '' AS operation, '' AS content, '' AS seal, false AS adopted FROM tickets WHERE id BETWEEN ? AND ?
	UNION ALL SELECT 'unopened', ticket_id, '', '', seal, adopted FROM unopened WHERE ticket_id BETWEEN ? AND ?
	UNION ALL SELECT 'claim', 0, id, content, seal, false FROM operations WHERE state = 'running' AND kind = ?`

// unexplained tells of ids in a range that have neither a ticket nor an explanation.
func (v *verification) unexplained(ctx context.Context, from, to int64) error {
	var rows []struct {
		Kind      string `db:"kind"`
		Ticket    int64  `db:"ticket_id"`
		Operation string `db:"operation"`
		Content   string `db:"content"`
		Seal      string `db:"seal"`
		Adopted   bool   `db:"adopted"`
	}
	if err := v.store.reader().all(ctx, &rows, explainIDs, from, to, from, to, string(desk.KindOpen)); err != nil {
		return wrap("look for what explains ids", err)
	}
	fine := map[int64]bool{}
	for _, r := range rows {
		switch r.Kind {
		case "ticket":
			fine[r.Ticket] = true
		case "unopened":
			if v.holds(r.Seal, unopenedParts(r.Ticket, r.Adopted)...) {
				fine[r.Ticket] = true
				v.sum.Unopened++
			}
		case "claim":
			if id, err := openingID(r.Content); err == nil && v.holds(r.Seal, claimParts(r.Operation, id)...) {
				fine[id] = true
			}
		}
	}
	for id := from; id <= to; id++ {
		if !fine[id] {
			v.fault("the ticket with the id %d is missing, with all that belonged to it", id)
		}
	}
	return nil
}

// undrawn tells of tickets whose id was never drawn. It comes last: the counter runs ahead of the tickets.
func (v *verification) undrawn(ctx context.Context) error {
	var highest *int64
	if err := v.store.reader().get(ctx, &highest, `SELECT MAX(id) FROM tickets`); err != nil {
		return wrap("look for the last ticket", err)
	}
	var c counterRow
	if _, err := v.store.reader().find(ctx, &c, readCounter); err != nil {
		return wrap("read the counter of tickets", err)
	}
	if highest != nil && *highest > max(c.Value, c.Mark) {
		v.fault("there is a ticket with the id %d, and ids were drawn up to %d", *highest, c.Value)
	}
	return nil
}

// adoptIDs writes down which ids are missing among those that a version drew which kept no account of it. It does nothing while that version
// has openings under way.
func (v *verification) adoptIDs(ctx context.Context) error {
	return v.store.write(ctx, func(ctx context.Context, q *session) error {
		var c counterRow
		found, err := q.find(ctx, &c, q.locking(readCounter, exclusive))
		if err != nil || !found || c.Seal != "" && !v.holds(c.Seal, c.parts()...) {
			return wrap("read the counter of tickets", err)
		}
		if c.Seal == "" || c.Value > c.Mark {
			c.Base = c.Value
		}
		c.Mark = max(c.Mark, c.Value)
		var waiting int
		err = q.get(ctx, &waiting, `SELECT COUNT(*) FROM operations WHERE state = 'running' AND kind = ? AND seal = ''`, string(desk.KindOpen))
		if err != nil || waiting > 0 {
			return wrap("look for openings under way", err)
		}
		if err := v.adoptGaps(ctx, q, c.Base); err != nil {
			return err
		}
		c.Base = 0
		_, err = q.exec(ctx, `UPDATE counters SET base = ?, mark = ?, seal = ? WHERE name = ?`, c.Base, c.Mark, v.digest(c.parts()...), counterTickets)
		return wrap("keep the counter of tickets", err)
	})
}

// adoptGaps explains every id up to base that has no ticket.
func (v *verification) adoptGaps(ctx context.Context, q *session, base int64) error {
	next := int64(1)
	for after := int64(0); next <= base; {
		var ids []int64
		if err := q.all(ctx, &ids, `SELECT id FROM tickets WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, after, base, verifyAtOnce); err != nil {
			return wrap("list tickets", err)
		}
		end := base + 1
		if len(ids) == verifyAtOnce {
			end = ids[len(ids)-1]
		}
		for _, id := range append(ids, end) {
			for ; next < id; next++ {
				if err := q.explain(ctx, v.notary, next, true); err != nil {
					return err
				}
			}
			next = max(next, id+1)
		}
		after = end
	}
	return nil
}
