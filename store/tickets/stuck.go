package tickets

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox/store/db"
	"signalbox/ticket"
)

// stillStuck is the condition that a row of stuck, called $., still holds.
var stillStuck = `($.cause <> '` + string(ticket.CauseUndelivered) + `' OR ` + db.Undelivered + `)`

// stuckOf is what the state of a ticket says of it, as the table has it: at most one row.
func stuckOf(t ticket.Ticket) (cause ticket.Cause, since db.Timestamp) {
	if s, stuck := t.Stuck(); stuck {
		return s.Cause, db.At(s.Since)
	}
	return "", db.Timestamp{}
}

// ofProcess are the causes that the state of a ticket tells.
var ofProcess = db.Texts(ticket.ProcessCauses)

// updateStuck writes down whether a ticket can go on. written is the cause that was written down as the ticket was read; empty: none. What its state said before may have been written down since:
// see LookForStuck.
func (p *Projections) updateStuck(ctx context.Context, q *db.Tx, before, after ticket.Ticket, written ticket.Cause) error {
	had, was := stuckOf(before)
	cause, since := stuckOf(after)
	if cause == written && cause == had && since == was {
		return nil
	}
	for _, gone := range db.Distinct([]ticket.Cause{had, written}) {
		if gone == "" {
			continue
		}
		if err := q.Later(ctx, `DELETE FROM stuck WHERE ticket_id = ? AND cause = ?`, after.ID, string(gone)); err != nil {
			return db.Wrap("clear that a ticket is stuck", err)
		}
	}
	if cause == "" {
		return nil
	}
	return q.Insert(ctx, `stuck (ticket_id, cause, tenant, since)`, [][]any{{after.ID, string(cause), after.Tenant, since}})
}

// joinStuck asks for tickets that are stuck for one of some causes. Of several the one counts that has lasted longest.
func (l *listQuery) joinStuck(tenant string, causes []ticket.Cause) {
	texts := db.Texts(causes)
	among := "IN (?" + strings.Repeat(", ?", len(texts)-1) + ")"
	first := strings.ReplaceAll(`SELECT x.cause FROM stuck x WHERE x.ticket_id = $.ticket_id AND x.cause `+among+` AND `, "$.", "\x00") +
		strings.ReplaceAll(stillStuck, "$.", "x.") + ` ORDER BY x.since, x.cause LIMIT 1`
	args := []any{tenant}
	for range 2 {
		for _, text := range texts {
			args = append(args, text)
		}
	}
	l.stuck = l.join("stuck", `$.tenant = ? AND $.cause `+among+` AND $.cause = (`+strings.ReplaceAll(first, "\x00", "$.")+`)`, args...)
}

// Stuck tells of some tickets, which are a tenant's, why they cannot go on, the longest first; of those that can, nothing.
func (p *Projections) Stuck(ctx context.Context, list []ticket.Ticket) (map[int64][]ticket.Stuck, error) {
	out := map[int64][]ticket.Stuck{}
	if len(list) == 0 {
		return out, nil
	}
	ids := make([]int64, len(list))
	for i, t := range list {
		ids[i] = t.ID
		if s, stuck := t.Stuck(); stuck {
			out[t.ID] = append(out[t.ID], s)
		}
	}
	var rows []struct {
		ID     int64        `db:"ticket_id"`
		Cause  string       `db:"cause"`
		Since  db.Timestamp `db:"since"`
		Reason string       `db:"reason"`
	}
	err := p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("look for tickets that are stuck", q.AllIn(ctx, &rows, `SELECT x.ticket_id, x.cause, x.since, COALESCE(d.reason, '') AS reason FROM stuck x LEFT JOIN doubts d ON d.ticket_id = x.ticket_id AND x.cause = '`+
			string(ticket.CauseInDoubt)+`' WHERE x.ticket_id IN (?) AND x.cause NOT IN (?) AND `+strings.ReplaceAll(stillStuck, "$.", "x."), ids, ofProcess))
	})
	for _, r := range rows {
		out[r.ID] = append(out[r.ID], ticket.StuckBeside(ticket.Cause(r.Cause), r.Since.Time, r.Reason))
	}
	for _, all := range out {
		slices.SortStableFunc(all, func(a, b ticket.Stuck) int { return a.Since.Compare(b.Since) })
	}
	return out, err
}

// StuckCount is how many tickets are stuck for a cause, and since when the first of them is.
type StuckCount struct {
	Cause ticket.Cause
	N     int
	Since time.Time
}

// CountStuck counts tickets of all tenants that are stuck, by cause; those are left out that nothing is stuck for.
func (p *Projections) CountStuck(ctx context.Context) (list []StuckCount, err error) {
	var rows []struct {
		Cause string       `db:"cause"`
		N     int          `db:"n"`
		Since db.Timestamp `db:"since"`
	}
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("count tickets that are stuck", q.All(ctx, &rows, `SELECT x.cause, COUNT(*) AS n, MIN(x.since) AS since FROM stuck x WHERE `+strings.ReplaceAll(stillStuck, "$.", "x.")+` GROUP BY x.cause ORDER BY x.cause`))
	})
	for _, r := range rows {
		list = append(list, StuckCount{ticket.Cause(r.Cause), r.N, r.Since.Time})
	}
	return list, err
}

// lookAtOnce is how many tickets of earlier versions are looked at in one transaction.
const lookAtOnce = 500

// LookForStuck looks at the open tickets of versions that did not say who is stuck, those with the highest ids first. It goes on where it, or another process, stopped. db.Left: rows of some cannot
// be read; all others were looked at.
func (p *Projections) LookForStuck(ctx context.Context) error {
	var left db.Left
	for more := true; more; {
		var unread []unreadRow
		err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) (err error) {
			unread, more, err = lookForSome(ctx, q)
			return err
		})
		if err != nil {
			return db.Wrap("look for tickets that are stuck", err)
		}
		left += p.tellUnread(ctx, unread, "stuck")
	}
	return left.With(nil)
}

func lookForSome(ctx context.Context, q *db.Tx) (unread []unreadRow, more bool, err error) {
	var upTo int64
	if err := q.Get(ctx, &upTo, q.Locking(`SELECT up_to FROM unlooked`, db.Exclusive)); err != nil || upTo <= 0 {
		return nil, false, err
	}
	var ids []int64
	if err := q.All(ctx, &ids, `SELECT id FROM tickets WHERE open AND id <= ? ORDER BY id DESC LIMIT ?`, upTo, lookAtOnce); err != nil {
		return nil, false, err
	}
	if _, err := q.LockTickets(ctx, ids); err != nil {
		return nil, false, err
	}
	var rows []stateRow
	if err := q.AllIn(ctx, &rows, `SELECT id, number, tenant, state FROM tickets WHERE id IN (?)`, ids); err != nil {
		return nil, false, err
	}
	list, unread := readStates(rows)
	for _, t := range list {
		if cause, since := stuckOf(t); cause != "" {
			if err := q.InsertMissing(ctx, `stuck (ticket_id, cause, tenant, since)`, [][]any{{t.ID, string(cause), t.Tenant, since}}); err != nil {
				return nil, false, err
			}
		}
	}
	if upTo = 0; len(ids) == lookAtOnce {
		upTo = ids[len(ids)-1] - 1
	} else if err := q.Later(ctx, `INSERT INTO stuck (ticket_id, cause, tenant, since) SELECT d.ticket_id, ?, t.tenant, d.at FROM doubts d JOIN tickets t ON t.id = d.ticket_id ON CONFLICT DO NOTHING`,
		string(ticket.CauseInDoubt)); err != nil {
		return nil, false, err
	}
	_, err = q.Exec(ctx, `UPDATE unlooked SET up_to = ?`, upTo)
	return unread, upTo > 0, err
}
