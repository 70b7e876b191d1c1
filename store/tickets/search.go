package tickets

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/store/db"
	"signalbox/ticket"
)

// searchQuery builds the condition of a ticket.Search.
type searchQuery struct {
	wheres []string
	args   []any
}

func (s *searchQuery) where(condition string, args ...any) {
	s.wheres = append(s.wheres, condition)
	s.args = append(s.args, args...)
}

// in adds a condition over a list that is not empty.
func (s *searchQuery) in(condition string, list []string) {
	if len(list) == 0 {
		return
	}
	marks := strings.Repeat("?, ", len(list)-1) + "?"
	s.wheres = append(s.wheres, strings.ReplaceAll(condition, "…", marks))
	for _, item := range list {
		s.args = append(s.args, db.CleanText(item))
	}
}

// keys chooses tickets by number or UUID.
func (s *searchQuery) keys(list []string) {
	var numbers, ids []string
	for _, key := range list {
		if id, err := uuid.Parse(key); err == nil {
			ids = append(ids, id.String())
		} else {
			numbers = append(numbers, key)
		}
	}
	switch {
	case len(ids) == 0:
		s.in("t.number IN (…)", numbers)
	case len(numbers) == 0:
		s.in("t.uuid IN (…)", ids)
	default:
		both := &searchQuery{}
		both.in("t.number IN (…)", numbers)
		both.in("t.uuid IN (…)", ids)
		s.where("("+strings.Join(both.wheres, " OR ")+")", both.args...)
	}
}

func searchQueryOf(tenant string, f ticket.Search) *searchQuery {
	s := &searchQuery{}
	s.where("t.tenant = ?", tenant)
	s.keys(f.Keys)
	if len(f.Parts) > 0 {
		args := []any{tenant, db.CleanText(f.Person)}
		for _, part := range f.Parts {
			args = append(args, string(part))
		}
		s.where(`t.id IN (SELECT p.ticket_id FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part IN (?`+strings.Repeat(", ?", len(f.Parts)-1)+`))`, args...)
	}
	if f.Asked {
		s.where(`t.id IN (SELECT w.ticket_id FROM waiting w WHERE w.tenant = ? AND w.person = ?)`, tenant, db.CleanText(f.Person))
	}
	if f.Others {
		s.where(`NOT EXISTS (SELECT 1 FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part = 'opener' AND p.ticket_id = t.id)`, tenant, db.CleanText(f.Person))
	}
	if f.Opener != "" {
		s.where(`t.id IN (SELECT p.ticket_id FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part = 'opener')`, tenant, db.CleanText(f.Opener))
	}
	if f.Tag != "" {
		s.where(`t.id IN (SELECT g.ticket_id FROM ticket_tags g WHERE g.tenant = ? AND g.tag = ?)`, tenant, db.CleanText(f.Tag))
	}
	s.in("t.phase IN (…)", f.Phases)
	s.in("t.service IN (…)", f.Services)
	for _, bound := range []struct {
		condition string
		at        time.Time
	}{{"t.created_at >= ?", f.CreatedFrom}, {"t.created_at <= ?", f.CreatedTo}, {"t.ended_at >= ?", f.EndedFrom}, {"t.ended_at <= ?", f.EndedTo}} {
		if !bound.at.IsZero() {
			s.where(bound.condition, db.At(bound.at))
		}
	}
	return s
}

// Search gives a page of a tenant's tickets, newest first, and how many there are on all pages. A Limit of 0 gives all that there are, up to
// ticket.MaxSearch.
func (p *Projections) Search(ctx context.Context, tenant string, f ticket.Search) (items []ticket.Ticket, total int, err error) {
	if f.Limit <= 0 || f.Limit > ticket.MaxSearch {
		f.Limit = ticket.MaxSearch
	}
	found := searchQueryOf(tenant, f)
	where := strings.Join(found.wheres, " AND ")
	err = p.db.Read(ctx, func(q *db.Tx) error {
		if err := q.Get(db.Once(ctx), &total, `SELECT COUNT(*) FROM tickets t WHERE `+where, found.args...); err != nil {
			return db.Wrap("count tickets", err)
		}
		if f.Offset >= total {
			return nil
		}
		var states []string
		err := q.All(db.Once(ctx), &states, `SELECT t.state FROM tickets t WHERE `+where+` ORDER BY t.id DESC LIMIT ? OFFSET ?`,
			append(slices.Clone(found.args), f.Limit, f.Offset)...)
		if err != nil {
			return db.Wrap("search tickets", err)
		}
		for _, state := range states {
			t, err := db.DecodeTicket(state)
			if err != nil {
				return err
			}
			items = append(items, t)
		}
		return nil
	})
	return items, total, err
}
