package verify

import (
	"context"
	"fmt"

	"signalbox/desk"
	"signalbox/store/chain"
	"signalbox/store/db"
)

// counter reads the counter of tickets and looks at it. What it gives is how far ids are known to have been drawn.
func (v *verification) counter(ctx context.Context) (c chain.CounterRow, err error) {
	found, err := v.store.db.Reader().Find(ctx, &c, chain.ReadCounter)
	switch {
	case err != nil || !found:
		return c, db.Wrap("read the counter of tickets", err) // tickets without it are found by undrawn
	case c.MAC == "":
		c.Base = c.Value
	case !v.Holds(c.MAC, c.Parts()...):
		v.fault("the counter of tickets is not what was written there")
		return chain.CounterRow{}, nil
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
func (v *verification) gaps(ctx context.Context, drawn chain.CounterRow, after, last int64, ids []int64) error {
	next := max(after, drawn.Base) + 1
	for _, id := range append(ids[:len(ids):len(ids)], min(last, drawn.Mark)+1) {
		end := min(id, drawn.Mark+1)
		for from := next; from < end; from += verifyAtOnce {
			if err := v.missingIDs(ctx, from, min(end, from+verifyAtOnce)-1); err != nil {
				return err
			}
		}
		next = max(next, id+1)
	}
	return nil
}

// knownIDsQuery reads all that explains ids in a range: tickets, openings under way, and rows of unopened. It is one statement, so that one moment is
// seen: an opening goes from one to the other.
const knownIDsQuery = `SELECT 'ticket' AS kind, id AS ticket_id, '' AS operation, '' AS content, '' AS seal, false AS adopted FROM tickets WHERE id BETWEEN ? AND ?
	UNION ALL SELECT 'unopened', ticket_id, '', '', seal, adopted FROM unopened WHERE ticket_id BETWEEN ? AND ?
	UNION ALL SELECT 'claim', 0, id, content, seal, false FROM operations WHERE state = 'running' AND kind = ?`

// missingIDs tells of ids in a range that have neither a ticket nor an explanation.
func (v *verification) missingIDs(ctx context.Context, from, to int64) error {
	var rows []struct {
		Kind      string `db:"kind"`
		Ticket    int64  `db:"ticket_id"`
		Operation string `db:"operation"`
		Content   string `db:"content"`
		MAC       string `db:"seal"`
		Adopted   bool   `db:"adopted"`
	}
	if err := v.store.db.Reader().All(ctx, &rows, knownIDsQuery, from, to, from, to, string(desk.KindOpen)); err != nil {
		return db.Wrap("look for what explains ids", err)
	}
	fine := map[int64]bool{}
	for _, r := range rows {
		switch r.Kind {
		case "ticket":
			fine[r.Ticket] = true
		case "unopened":
			if v.Holds(r.MAC, chain.VoidParts(r.Ticket, r.Adopted)...) {
				fine[r.Ticket] = true
				v.sum.Void++
			}
		case "claim":
			if id, err := chain.OpeningID(r.Content); err == nil && v.Holds(r.MAC, chain.ClaimParts(r.Operation, id)...) {
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
	if err := v.store.db.Reader().Get(ctx, &highest, `SELECT MAX(id) FROM tickets`); err != nil {
		return db.Wrap("look for the last ticket", err)
	}
	var c chain.CounterRow
	if _, err := v.store.db.Reader().Find(ctx, &c, chain.ReadCounter); err != nil {
		return db.Wrap("read the counter of tickets", err)
	}
	if highest != nil && *highest > max(c.Value, c.Mark) {
		v.fault("there is a ticket with the id %d, and ids were drawn up to %d", *highest, c.Value)
	}
	return nil
}

// backfillIDs writes down which ids are missing among those that a version drew which kept no account of it. It does nothing while that version
// has openings under way.
func (v *verification) backfillIDs(ctx context.Context) error {
	return v.store.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var c chain.CounterRow
		found, err := q.Find(ctx, &c, q.Locking(chain.ReadCounter, db.Exclusive))
		if err != nil || !found || c.MAC != "" && !v.Holds(c.MAC, c.Parts()...) {
			return db.Wrap("read the counter of tickets", err)
		}
		if c.MAC == "" || c.Value > c.Mark {
			c.Base = c.Value
		}
		c.Mark = max(c.Mark, c.Value)
		var waiting int
		err = q.Get(ctx, &waiting, `SELECT COUNT(*) FROM operations WHERE state = 'running' AND kind = ? AND seal = ''`, string(desk.KindOpen))
		if err != nil || waiting > 0 {
			return db.Wrap("look for openings under way", err)
		}
		if err := v.backfillGaps(ctx, q, c.Base); err != nil {
			return err
		}
		c.Base = 0
		_, err = q.Exec(ctx, `UPDATE counters SET base = ?, mark = ?, seal = ? WHERE name = ?`, c.Base, c.Mark, v.Digest(c.Parts()...), db.TicketCounter)
		return db.Wrap("keep the counter of tickets", err)
	})
}

// backfillGaps explains every id up to base that has no ticket.
func (v *verification) backfillGaps(ctx context.Context, q *db.Tx, base int64) error {
	next := int64(1)
	for after := int64(0); next <= base; {
		var ids []int64
		if err := q.All(ctx, &ids, `SELECT id FROM tickets WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, after, base, verifyAtOnce); err != nil {
			return db.Wrap("list tickets", err)
		}
		end := base + 1
		if len(ids) == verifyAtOnce {
			end = ids[len(ids)-1]
		}
		for _, id := range append(ids, end) {
			for ; next < id; next++ {
				if err := v.store.chain.RecordVoidID(ctx, q, v.Keyring, next, true); err != nil {
					return err
				}
			}
			next = max(next, id+1)
		}
		after = end
	}
	return nil
}
