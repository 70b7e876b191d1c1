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
		n, err := q.Exec(ctx, `INSERT INTO doubts (ticket_id, at, reason) VALUES (?, ?, ?) ON CONFLICT (ticket_id) DO NOTHING`, id.ID, db.At(q.Now()), db.CleanText(why))
		if err != nil || n == 0 {
			return db.Wrap("mark a ticket as in doubt", err)
		}
		if err := q.InsertMissing(ctx, `stuck (ticket_id, cause, tenant, since)`, [][]any{{id.ID, string(ticket.CauseInDoubt), id.Tenant, db.At(q.Now())}}); err != nil {
			return err
		}
		return p.outbox.RaiseAlert(ctx, q, notice.InDoubt(id, why, q.Now()), t.Ticket)
	})
}

// ForWriting reads a tenant's ticket by number or UUID for whoever is going to write; NotFound when there is none. desk.ErrInDoubt, together with the
// ticket: it takes no writes.
func (p *Projections) ForWriting(ctx context.Context, tenant, key string) (t ticket.Ticket, err error) {
	var row struct {
		State string `db:"state"`
		Doubt string `db:"doubt"`
	}
	err = p.db.Read(ctx, func(q *db.Tx) error {
		found, err := q.FindTicket(ctx, &row, db.Unlocked, `state, `+db.DoubtOf("tickets")+` AS doubt`, tenant, key)
		switch {
		case err != nil:
			return err
		case !found:
			return errNoTicket
		}
		t, err = db.DecodeTicket(row.State)
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
		if err := q.Later(ctx, `DELETE FROM stuck WHERE ticket_id = ? AND cause = ?`, id.ID, string(ticket.CauseInDoubt)); err != nil {
			return db.Wrap("resolve a doubt", err)
		}
		return p.ProjectIn(ctx, q, id, events)
	})
}

// standing are the tickets behind an id that are open, or in doubt. Its arguments: the id and a limit, twice, and the limit.
const standing = `SELECT state FROM (
	SELECT * FROM (SELECT id, state FROM tickets WHERE open AND id > ? ORDER BY id LIMIT ?) o
	UNION ALL SELECT * FROM (SELECT t.id, t.state FROM doubts d JOIN tickets t ON t.id = d.ticket_id WHERE NOT t.open AND d.ticket_id > ? ORDER BY d.ticket_id LIMIT ?) d
	) s ORDER BY id LIMIT ?`

// Standing lists the tickets whose workflows are to be compared: see desk.Books.
func (p *Projections) Standing(ctx context.Context, after int64, limit int) ([]ticket.Ticket, error) {
	return p.states(ctx, func(q *db.Tx, to any) error { return q.All(ctx, to, standing, after, limit, after, limit, limit) })
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
func (p *Projections) Known(ctx context.Context, numbers []string) (map[string]ticket.Ticket, error) {
	out := map[string]ticket.Ticket{}
	if len(numbers) == 0 {
		return out, nil
	}
	list, err := p.states(ctx, func(q *db.Tx, to any) error {
		return q.AllIn(ctx, to, `SELECT state FROM tickets WHERE number IN (?)`, numbers)
	})
	for _, t := range list {
		out[t.Number] = t
	}
	return out, err
}

func (p *Projections) states(ctx context.Context, query func(q *db.Tx, to any) error) (list []ticket.Ticket, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []string
		if err := query(q, &rows); err != nil {
			return db.Wrap("list tickets", err)
		}
		list, err = db.Convert(rows, db.DecodeTicket)
		return err
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
