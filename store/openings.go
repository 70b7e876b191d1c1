package store

import (
	"context"
	"encoding/json"
	"fmt"

	"signalbox/desk"
	"signalbox/ticket"
)

// Ids of tickets are drawn without a gap, and each has a ticket or a row in unopened; so a ticket that was deleted with all its rows is missed.

// counterRow is the counter of tickets. mark is sealed with base: the counter cannot be turned back below it, or the ids of the newest tickets
// could be given again to hide that these were deleted.
type counterRow struct {
	Value int64  `db:"value"`
	Base  int64  `db:"base"`
	Mark  int64  `db:"mark"`
	Seal  string `db:"seal"`
}

func (c counterRow) parts() []string { return []string{"counter", number(c.Base), number(c.Mark)} }

const readCounter = `SELECT value, base, mark, seal FROM counters WHERE name = '` + counterTickets + `'`

// drawTicket gives the next id of a ticket. See draw.
func (q *session) drawTicket(ctx context.Context) (int64, error) {
	a, err := q.notary(ctx)
	if err != nil {
		return 0, err
	}
	for {
		var drawn counterRow
		found, err := q.find(ctx, &drawn, q.locking(readCounter, exclusive))
		if err != nil {
			return 0, fmt.Errorf("read the counter of tickets: %w", err)
		}
		if !found {
			first := counterRow{Value: 1, Mark: 1}
			n, err := q.exec(ctx, `INSERT INTO counters (name, value, base, mark, seal) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`,
				counterTickets, first.Value, first.Base, first.Mark, a.digest(first.parts()...))
			if err != nil || n == 1 {
				return first.Value, wrap("begin to count tickets", err)
			}
			continue
		}
		drawn = a.next(drawn)
		_, err = q.exec(ctx, `UPDATE counters SET value = ?, base = ?, mark = ?, seal = ? WHERE name = ?`, drawn.Value, drawn.Base, drawn.Mark, drawn.Seal, counterTickets)
		return drawn.Value, wrap("draw a ticket's id", err)
	}
}

// next is the counter after one more was drawn.
func (a notary) next(c counterRow) counterRow {
	switch {
	case c.Seal != "" && !a.holds(c.Seal, c.parts()...):
		c.Value++
		return c // it stays broken: going on must not hide what was done
	case c.Seal == "", c.Value > c.Mark:
		c.Base = c.Value // drawn from by a version that does not seal it
	}
	c.Value = max(c.Value, c.Mark) + 1
	c.Mark = c.Value
	c.Seal = a.digest(c.parts()...)
	return c
}

// claimParts are what the seal of an opening's claim is of.
func claimParts(operation string, ticket int64) []string {
	return []string{"claim", operation, number(ticket)}
}

// unopenedParts are what the seal of an id without a ticket is of.
func unopenedParts(ticket int64, adopted bool) []string {
	if adopted {
		return []string{"unopened", number(ticket), "adopted"}
	}
	return []string{"unopened", number(ticket)}
}

// closedRow is an operation that did not happen.
type closedRow struct {
	ID      string `db:"id"`
	Kind    string `db:"kind"`
	Content string `db:"content"`
	Seal    string `db:"seal"`
}

// unopen writes down that the id which an opening drew has no ticket. A claim that is not ours explains nothing: it may have been put there to
// hide a ticket that was deleted.
func (q *session) unopen(ctx context.Context, r closedRow) error {
	if r.Kind != string(desk.KindOpen) {
		return nil
	}
	id, err := openingID(r.Content)
	if err != nil {
		return fmt.Errorf("read operation %s: %w", r.ID, err)
	}
	a, err := q.notary(ctx)
	if err != nil || !a.holds(r.Seal, claimParts(r.ID, id)...) {
		return err
	}
	return q.explain(ctx, a, id, false)
}

// openingID gives the id that an opening drew, from what is stored of the operation.
func openingID(content string) (int64, error) {
	var c struct {
		Ticket ticket.Identity `json:"ticket"`
	}
	err := json.Unmarshal([]byte(content), &c)
	return c.Ticket.ID, err
}

// explain says of an id that it has no ticket.
func (q *session) explain(ctx context.Context, a notary, ticket int64, adopted bool) error {
	_, err := q.exec(ctx, `INSERT INTO unopened (ticket_id, adopted, at, seal) VALUES (?, ?, ?, ?) ON CONFLICT (ticket_id) DO NOTHING`,
		ticket, adopted, at(q.now()), a.digest(unopenedParts(ticket, adopted)...))
	return wrap("keep that a ticket was not opened", err)
}

// reopen takes that back: the opening is tried again.
func (q *session) reopen(ctx context.Context, op desk.Operation) error {
	if op.Kind != desk.KindOpen {
		return nil
	}
	_, err := q.exec(ctx, `DELETE FROM unopened WHERE ticket_id = ?`, op.Ticket.ID)
	return wrap("take up an opening again", err)
}
