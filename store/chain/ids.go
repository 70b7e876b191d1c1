package chain

import (
	"context"
	"encoding/json"
	"fmt"

	"signalbox/desk"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Ids of tickets are drawn without a gap, and each has a ticket or a row in unopened; so a ticket that was deleted with all its rows is missed.

// CounterRow is the counter of tickets. mark has a MAC together with base: the counter cannot be turned back below it, or the ids of the newest tickets
// could be given again to hide that these were deleted.
type CounterRow struct {
	Value int64  `db:"value"`
	Base  int64  `db:"base"`
	Mark  int64  `db:"mark"`
	MAC   string `db:"seal"`
}

// Parts are what the counter's MAC is of.
func (c CounterRow) Parts() []string { return []string{"counter", number(c.Base), number(c.Mark)} }

// ReadCounter is the query of a CounterRow.
const ReadCounter = `SELECT value, base, mark, seal FROM counters WHERE name = '` + db.TicketCounter + `'`

// DrawTicket gives the next id of a ticket. See draw.
func (c *Chain) DrawTicket(ctx context.Context, q *db.Tx) (int64, error) {
	a, err := c.Keyring(ctx, q)
	if err != nil {
		return 0, err
	}
	for {
		var drawn CounterRow
		found, err := q.Find(ctx, &drawn, q.Locking(ReadCounter, db.Exclusive))
		if err != nil {
			return 0, fmt.Errorf("read the counter of tickets: %w", err)
		}
		if !found {
			first := CounterRow{Value: 1, Mark: 1}
			n, err := q.Exec(ctx, `INSERT INTO counters (name, value, base, mark, seal) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
				db.TicketCounter, first.Value, first.Base, first.Mark, a.Digest(first.Parts()...))
			if err != nil || n == 1 {
				return first.Value, db.Wrap("begin to count tickets", err)
			}
			continue
		}
		drawn = a.next(drawn)
		_, err = q.Exec(ctx, `UPDATE counters SET value = ?, base = ?, mark = ?, seal = ? WHERE name = ?`, drawn.Value, drawn.Base, drawn.Mark, drawn.MAC, db.TicketCounter)
		return drawn.Value, db.Wrap("draw a ticket's id", err)
	}
}

// next is the counter after one more was drawn.
func (a Keyring) next(c CounterRow) CounterRow {
	switch {
	case c.MAC != "" && !a.Holds(c.MAC, c.Parts()...):
		c.Value++
		return c // it stays broken: going on must not hide what was done
	case c.MAC == "", c.Value > c.Mark:
		c.Base = c.Value // drawn from by a version that gives it no MAC
	}
	c.Value = max(c.Value, c.Mark) + 1
	c.Mark = c.Value
	c.MAC = a.Digest(c.Parts()...)
	return c
}

// ClaimParts are what the MAC of an opening's idempotency claim is of.
func ClaimParts(operation string, ticket int64) []string {
	return []string{"claim", operation, number(ticket)}
}

// VoidParts are what the MAC of an id without a ticket is of.
func VoidParts(ticket int64, adopted bool) []string {
	if adopted {
		return []string{"unopened", number(ticket), "adopted"}
	}
	return []string{"unopened", number(ticket)}
}

// ClosedRow is an operation that did not happen.
type ClosedRow struct {
	ID      string `db:"id"`
	Kind    string `db:"kind"`
	Content string `db:"content"`
	MAC     string `db:"seal"`
}

// RecordVoid writes down that the id which an opening drew has no ticket. A claim that is not ours explains nothing: it may have been put there to
// hide a ticket that was deleted.
func (c *Chain) RecordVoid(ctx context.Context, q *db.Tx, r ClosedRow) error {
	if r.Kind != string(desk.KindOpen) {
		return nil
	}
	id, err := OpeningID(r.Content)
	if err != nil {
		return fmt.Errorf("read operation %s: %w", r.ID, err)
	}
	a, err := c.Keyring(ctx, q)
	if err != nil || !a.Holds(r.MAC, ClaimParts(r.ID, id)...) {
		return err
	}
	return c.RecordVoidID(ctx, q, a, id, false)
}

// OpeningID gives the id that an opening drew, from what is stored of the operation.
func OpeningID(content string) (int64, error) {
	var c struct {
		Ticket ticket.Identity `json:"ticket"`
	}
	err := json.Unmarshal([]byte(content), &c)
	return c.Ticket.ID, err
}

// RecordVoidID says of an id that it has no ticket.
func (c *Chain) RecordVoidID(ctx context.Context, q *db.Tx, a Keyring, ticket int64, adopted bool) error {
	_, err := q.Exec(ctx, `INSERT INTO unopened (ticket_id, adopted, at, seal) VALUES (?, ?, ?, ?) ON CONFLICT (ticket_id) DO NOTHING`,
		ticket, adopted, db.At(q.Now()), a.Digest(VoidParts(ticket, adopted)...))
	return db.Wrap("keep that a ticket was not opened", err)
}

// ClearVoidID takes that back: the opening is tried again.
func (c *Chain) ClearVoidID(ctx context.Context, q *db.Tx, op desk.Operation) error {
	if op.Kind != desk.KindOpen {
		return nil
	}
	_, err := q.Exec(ctx, `DELETE FROM unopened WHERE ticket_id = ?`, op.Ticket.ID)
	return db.Wrap("take up an opening again", err)
}
