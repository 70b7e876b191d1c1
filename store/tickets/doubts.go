package tickets

import (
	"context"
	"fmt"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Doubt marks a ticket as in doubt, and has its timeline and the stream say so: see desk.Ledger.
func (p *Projections) Doubt(ctx context.Context, id ticket.Identity, why string) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		t, known, err := q.LockTicket(ctx, id.ID)
		if err != nil || !known || t.Identity != id {
			return err
		}
		now := q.Now()
		n, err := q.Exec(ctx, `INSERT INTO doubts (ticket_id, at, reason) VALUES (?, ?, ?) ON CONFLICT (ticket_id) DO NOTHING`, id.ID, db.At(now), db.CleanText(why))
		if err != nil || n == 0 {
			return db.Wrap("mark a ticket as in doubt", err)
		}
		if err := q.InsertMissing(ctx, `stuck (ticket_id, cause, tenant, since)`, [][]any{{id.ID, string(ticket.CauseInDoubt), id.Tenant, db.At(now)}}); err != nil {
			return err
		}
		return p.outbox.RaiseAlert(ctx, q, notice.InDoubt(id, why, now))
	})
}

// ForWriting reads a tenant's ticket by number or UUID for whoever is going to write; NotFound when there is none. desk.ErrInDoubt, together with the
// ticket: it takes no writes.
func (p *Projections) ForWriting(ctx context.Context, tenant, key string) (t ticket.Ticket, err error) {
	var row db.WrittenTicket
	err = p.db.Read(ctx, func(q *db.Tx) error {
		found, err := q.FindTicket(ctx, &row, db.Unlocked, q.WrittenColumns(), tenant, key)
		switch {
		case err != nil:
			return err
		case !found:
			return errNoTicket
		}
		read, err := row.Ticket()
		t = read.Ticket
		desk.Remember(ctx, read)
		return err
	})
	if err == nil && row.Doubt != "" {
		err = fmt.Errorf("%w: %s", desk.ErrInDoubt, row.Doubt)
	}
	return t, err
}

// InDoubt counts the tickets that are in doubt.
func (p *Projections) InDoubt(ctx context.Context) (n int, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error { return db.Wrap("count doubts", q.Get(ctx, &n, `SELECT COUNT(*) FROM doubts`)) })
	return n, err
}

// Resolve projects events and takes it back that the ticket is in doubt, in one transaction: see desk.Books.
func (p *Projections) Resolve(ctx context.Context, id ticket.Identity, events []ticket.Event) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if _, _, err := q.LockTicket(ctx, id.ID); err != nil {
			return err
		}
		if _, err := q.Exec(ctx, `DELETE FROM doubts WHERE ticket_id = ?`, id.ID); err != nil {
			return db.Wrap("resolve a doubt", err)
		}
		if err := q.Later(ctx, `DELETE FROM stuck WHERE ticket_id = ? AND cause IN (?, ?, ?)`, id.ID, string(ticket.CauseInDoubt), string(ticket.CauseLost), string(ticket.CauseFailing)); err != nil {
			return db.Wrap("resolve a doubt", err)
		}
		return p.ProjectIn(ctx, q, id, events)
	})
}

// Ailing gives the open tickets whose workflow is written down as lost or failing, and takes that back of those that are over: see desk.Books.
func (p *Projections) Ailing(ctx context.Context) (map[int64]ticket.Cause, error) {
	out := map[int64]ticket.Cause{}
	err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var rows []struct {
			ID    int64  `db:"ticket_id"`
			Cause string `db:"cause"`
			Open  bool   `db:"open"`
		}
		if err := q.All(ctx, &rows, `SELECT s.ticket_id, s.cause, t.open FROM stuck s JOIN tickets t ON t.id = s.ticket_id WHERE s.cause IN (?, ?)`, string(ticket.CauseLost), string(ticket.CauseFailing)); err != nil {
			return db.Wrap("list tickets whose workflow is lost", err)
		}
		for _, r := range rows {
			if out[r.ID] = ticket.Cause(r.Cause); r.Open {
				continue
			}
			delete(out, r.ID)
			if err := q.Later(ctx, `DELETE FROM stuck WHERE ticket_id = ? AND cause = ?`, r.ID, r.Cause); err != nil {
				return db.Wrap("clear that a ticket is stuck", err)
			}
		}
		return nil
	})
	return out, err
}

// Ail writes down whether a ticket's workflow is lost or fails: see desk.Books.
func (p *Projections) Ail(ctx context.Context, id ticket.Identity, cause ticket.Cause) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		t, known, err := q.LockTicket(ctx, id.ID)
		if err != nil || !known {
			return err
		}
		if _, err := q.Exec(ctx, `DELETE FROM stuck WHERE ticket_id = ? AND cause IN (?, ?)`, id.ID, string(ticket.CauseLost), string(ticket.CauseFailing)); err != nil || cause == "" {
			return db.Wrap("clear that a ticket is stuck", err)
		}
		// The version before reads one cause of a ticket and fails at two: what is stuck in its process stays so alone, until no such process can run beside this one.
		if t.Ended() || t.Stuck != "" {
			return nil
		}
		return q.InsertMissing(ctx, `stuck (ticket_id, cause, tenant, since)`, [][]any{{id.ID, string(cause), id.Tenant, db.At(q.Now())}})
	})
}

// standing are the tickets behind an id that are open, or in doubt. Its arguments: the id and a limit, twice, and the limit.
const standing = `SELECT id, number, tenant, uuid, state FROM (
	SELECT * FROM (SELECT id, number, tenant, uuid, state FROM tickets WHERE open AND id > ? ORDER BY id LIMIT ?) o
	UNION ALL SELECT * FROM (SELECT t.id, t.number, t.tenant, t.uuid, t.state FROM doubts d JOIN tickets t ON t.id = d.ticket_id WHERE NOT t.open AND d.ticket_id > ? ORDER BY d.ticket_id LIMIT ?) d
	) s ORDER BY id LIMIT ?`

// Standing lists the tickets whose workflows are to be compared: see desk.Books.
func (p *Projections) Standing(ctx context.Context, after int64, limit int) ([]desk.Row, error) {
	return p.readRows(ctx, func(q *db.Tx, to any) error { return q.All(ctx, to, standing, after, limit, after, limit, limit) })
}

// CountStanding counts them, and gives the highest id of any ticket; 0: there is none.
func (p *Projections) CountStanding(ctx context.Context) (n int, last int64, err error) {
	var row struct {
		N    int   `db:"n"`
		Last int64 `db:"last"`
	}
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("count tickets", q.Get(ctx, &row, `SELECT (SELECT COUNT(*) FROM tickets WHERE open) + (SELECT COUNT(*) FROM doubts d JOIN tickets t ON t.id = d.ticket_id WHERE NOT t.open) AS n,
			(SELECT COALESCE(MAX(id), 0) FROM tickets) AS last`))
	})
	return row.N, row.Last, err
}

// Known gives those of some tickets that there are rows of, by number.
func (p *Projections) Known(ctx context.Context, numbers []string) (map[string]desk.Row, error) {
	out := map[string]desk.Row{}
	if len(numbers) == 0 {
		return out, nil
	}
	list, err := p.readRows(ctx, func(q *db.Tx, to any) error {
		return q.AllIn(ctx, to, `SELECT id, number, tenant, uuid, state FROM tickets WHERE number IN (?)`, numbers)
	})
	for _, t := range list {
		out[t.Number] = t
	}
	return out, err
}

func (p *Projections) readRows(ctx context.Context, query func(q *db.Tx, to any) error) (list []desk.Row, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []stateRow
		if err := query(q, &rows); err != nil {
			return db.Wrap("list tickets", err)
		}
		list = make([]desk.Row, len(rows))
		for i, r := range rows {
			if list[i].Ticket, list[i].Unread = db.DecodeTicket(r.State); list[i].Unread != nil {
				list[i].Ticket = ticket.Ticket{Identity: ticket.Identity{ID: r.ID, Number: r.Number, Tenant: r.Tenant, UUID: r.UUID}}
			}
		}
		return nil
	})
	return list, err
}

// ClearVoids takes back, of ids that have a ticket, that they have none.
func (p *Projections) ClearVoids(ctx context.Context) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		_, err := p.chain.ClearVoidIDs(ctx, q)
		return err
	})
}
