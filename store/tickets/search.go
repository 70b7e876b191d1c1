package tickets

import (
	"context"

	"github.com/google/uuid"

	"signalbox/store/db"
	"signalbox/ticket"
)

// searchKeys adds the choice of tickets by number or UUID.
func searchKeys(w *db.Where, list []string) {
	var numbers, ids []string
	for _, key := range list {
		if id, err := uuid.Parse(key); err == nil {
			ids = append(ids, id.String())
		} else {
			numbers = append(numbers, db.CleanText(key))
		}
	}
	if len(ids) > 0 && len(numbers) > 0 {
		w.And("(t.number IN (?) OR t.uuid IN (?))", numbers, ids)
		return
	}
	w.AndIn("t.number", numbers)
	w.AndIn("t.uuid", ids)
}

func searchWhere(tenant string, f ticket.Search) *db.Where {
	w, person := &db.Where{}, db.CleanText(f.Person)
	w.And("t.tenant = ?", tenant)
	searchKeys(w, f.Keys)
	if len(f.Parts) > 0 {
		w.And(`t.id IN (SELECT p.ticket_id FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part IN (?))`, tenant, person, f.Parts)
	}
	if f.Asked {
		w.And(`t.id IN (SELECT w.ticket_id FROM waiting w WHERE w.tenant = ? AND w.person = ?)`, tenant, person)
	}
	if f.Others {
		w.And(`NOT EXISTS (SELECT 1 FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part = 'opener' AND p.ticket_id = t.id)`, tenant, person)
	}
	if f.Opener != "" {
		w.And(`t.id IN (SELECT p.ticket_id FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part = 'opener')`, tenant, db.CleanText(f.Opener))
	}
	if f.Tag != "" {
		w.And(`t.id IN (SELECT g.ticket_id FROM ticket_tags g WHERE g.tenant = ? AND g.tag = ?)`, tenant, db.CleanText(f.Tag))
	}
	w.AndIn("t.phase", f.Phases)
	w.AndIn("t.service", f.Services)
	w.AndIf(!f.CreatedFrom.IsZero(), "t.created_at >= ?", db.At(f.CreatedFrom))
	w.AndIf(!f.CreatedTo.IsZero(), "t.created_at <= ?", db.At(f.CreatedTo))
	w.AndIf(!f.EndedFrom.IsZero(), "t.ended_at >= ?", db.At(f.EndedFrom))
	w.AndIf(!f.EndedTo.IsZero(), "t.ended_at <= ?", db.At(f.EndedTo))
	return w
}

// Search gives a page of a tenant's tickets, newest first, and how many there are on all pages. A Limit of 0 gives all that there are, up to
// ticket.MaxSearch.
func (p *Projections) Search(ctx context.Context, tenant string, f ticket.Search) (items []ticket.Ticket, total int, err error) {
	if f.Limit <= 0 || f.Limit > ticket.MaxSearch {
		f.Limit = ticket.MaxSearch
	}
	where := searchWhere(tenant, f)
	err = p.db.Read(ctx, func(q *db.Tx) error {
		if err := q.Get(db.Once(ctx), &total, `SELECT COUNT(*) FROM tickets t WHERE `+where.String(), where.Args()...); err != nil {
			return db.Wrap("count tickets", err)
		}
		if f.Offset >= total {
			return nil
		}
		var states []string
		err := q.All(db.Once(ctx), &states, `SELECT t.state FROM tickets t WHERE `+where.String()+` ORDER BY t.id DESC LIMIT ? OFFSET ?`,
			where.Args(f.Limit, f.Offset)...)
		if err != nil {
			return db.Wrap("search tickets", err)
		}
		items, err = db.Convert(states, db.DecodeTicket)
		return err
	})
	return items, total, err
}
