package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

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
	Epoch string `db:"epoch"` // in which life of the server it was last compared with Temporal
	Now   string `db:"now"`   // in which life of the server it was read
}

// Parts are what the counter's MAC is of.
func (c CounterRow) Parts() []string { return []string{"counter", number(c.Base), number(c.Mark)} }

// ReadCounter is the query of a CounterRow.
const ReadCounter = `SELECT value, base, mark, seal FROM counters WHERE name = '` + db.TicketCounter + `'`

// lockedCounter is the query of a CounterRow that is locked.
func lockedCounter(q *db.Tx) string {
	return q.Locking(`SELECT value, base, mark, seal, epoch, `+q.Epoch()+` AS now FROM counters WHERE name = ?`, db.Exclusive)
}

// Counter is the counter of tickets as it was locked before it was drawn from; the zero one was not.
type Counter struct{ rows []CounterRow }

// LockNext locks the counter in the round trip of the next statement, behind it.
func (c *Counter) LockNext(ctx context.Context, q *db.Tx) error {
	return q.AllNext(ctx, &c.rows, lockedCounter(q), db.TicketCounter)
}

// take gives what was locked, once.
func (c *Counter) take() (row CounterRow, locked bool) {
	if len(c.rows) == 0 {
		return row, false
	}
	row, c.rows = c.rows[0], nil
	return row, true
}

// lockCounter reads and locks the counter of tickets; false: there is none yet.
func lockCounter(ctx context.Context, q *db.Tx) (c CounterRow, found bool, err error) {
	found, err = q.Find(ctx, &c, lockedCounter(q), db.TicketCounter)
	if err == nil && !found {
		err = q.Get(ctx, &c.Now, `SELECT `+q.Epoch())
	}
	return c, found, db.Wrap("read the counter of tickets", err)
}

// DrawTicket gives the next id of a ticket, from the counter as it may be locked already. desk.ErrCounters: the server is not the one that the counter was last compared with Temporal on, so that it may
// have been put back; see Advance.
func (c *Chain) DrawTicket(ctx context.Context, q *db.Tx, locked *Counter) (int64, error) {
	a, err := c.Keyring(ctx, q)
	if err != nil {
		return 0, err
	}
	for {
		drawn, found := locked.take()
		if !found {
			if drawn, found, err = lockCounter(ctx, q); err != nil {
				return 0, err
			}
		}
		if !found {
			first := CounterRow{Value: 1, Mark: 1, Epoch: drawn.Now}
			first.MAC = a.Digest(first.Parts()...)
			begun, err := beginCounter(ctx, q, first)
			if err != nil || begun {
				return first.Value, err
			}
			continue
		}
		if drawn.Epoch != drawn.Now && drawn.Epoch != "" {
			return 0, desk.ErrCounters
		}
		drawn = a.next(drawn)
		drawn.Epoch = drawn.Now
		return drawn.Value, writeCounter(ctx, q, drawn)
	}
}

// EnsureCounter makes sure of the counter of tickets, so that a database that was put back to before its first ticket knows that it was.
func (c *Chain) EnsureCounter(ctx context.Context) error {
	return c.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		drawn, found, err := lockCounter(ctx, q)
		if err != nil || found {
			return err
		}
		a, err := c.Keyring(ctx, q)
		if err != nil {
			return err
		}
		drawn.Epoch, drawn.MAC = drawn.Now, a.Digest(drawn.Parts()...)
		_, err = beginCounter(ctx, q, drawn)
		return err
	})
}

func beginCounter(ctx context.Context, q *db.Tx, c CounterRow) (begun bool, err error) {
	n, err := q.Exec(ctx, `INSERT INTO counters (name, value, base, mark, seal, epoch) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
		db.TicketCounter, c.Value, c.Base, c.Mark, c.MAC, c.Epoch)
	return n == 1, db.Wrap("begin to count tickets", err)
}

func writeCounter(ctx context.Context, q *db.Tx, c CounterRow) error {
	err := q.Later(ctx, `UPDATE counters SET value = ?, base = ?, mark = ?, seal = ?, epoch = ? WHERE name = ?`, c.Value, c.Base, c.Mark, c.MAC, c.Epoch, db.TicketCounter)
	return db.Wrap("draw a ticket's id", err)
}

// voidBatch is how many ids are said to have no ticket at once.
const voidBatch = 500

// Advance moves the counter of tickets past an id that was drawn, and says of those that it passes that they have no ticket, unless there is one. What had it is
// in Temporal alone, or nowhere; once it is projected it has a row. The server is one that was compared with Temporal from then on.
func (c *Chain) Advance(ctx context.Context, q *db.Tx, id int64) error {
	a, err := c.Keyring(ctx, q)
	if err != nil {
		return err
	}
	drawn, found, err := lockCounter(ctx, q)
	if err != nil {
		return err
	}
	if !found {
		drawn.MAC = a.Digest(drawn.Parts()...)
		if _, err := beginCounter(ctx, q, drawn); err != nil {
			return err
		}
	}
	last := max(drawn.Value, drawn.Mark)
	if id > last {
		intact := drawn.MAC == "" || a.Holds(drawn.MAC, drawn.Parts()...)
		if drawn.MAC == "" || drawn.Value > drawn.Mark {
			drawn.Base = drawn.Value // see next
		}
		if drawn.Value = id; intact {
			drawn.Mark = id
			drawn.MAC = a.Digest(drawn.Parts()...)
		}
	}
	drawn.Epoch = drawn.Now
	if err := writeCounter(ctx, q, drawn); err != nil {
		return err
	}
	for from := last + 1; from <= id; from += voidBatch {
		if err := c.voidRange(ctx, q, a, from, min(from+voidBatch-1, id)); err != nil {
			return err
		}
	}
	return nil
}

// voidRange says of ids that they have no ticket, unless there is one.
func (c *Chain) voidRange(ctx context.Context, q *db.Tx, a Keyring, from, to int64) error {
	var known []int64
	err := q.All(ctx, &known, `SELECT id FROM tickets WHERE id BETWEEN ? AND ? UNION ALL SELECT ticket_id FROM unopened WHERE ticket_id BETWEEN ? AND ?`, from, to, from, to)
	if err != nil {
		return db.Wrap("look for tickets", err)
	}
	var rows [][]any
	for id := from; id <= to; id++ {
		if !slices.Contains(known, id) {
			rows = append(rows, []any{id, false, db.At(q.Now()), a.Digest(VoidParts(id, false)...)})
		}
	}
	return q.Insert(ctx, `unopened (ticket_id, adopted, at, seal)`, rows)
}

// ClearVoidIDs takes back, of ids that have a ticket, that they have none, and says of how many.
func (c *Chain) ClearVoidIDs(ctx context.Context, q *db.Tx) (int64, error) {
	n, err := q.Exec(ctx, `DELETE FROM unopened WHERE ticket_id IN (SELECT u.ticket_id FROM unopened u JOIN tickets t ON t.id = u.ticket_id)`)
	return n, db.Wrap("take back ids without a ticket", err)
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
