package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/ticket"
)

// searching builds the condition of a ticket.Search.
type searching struct {
	wheres []string
	args   []any
}

func (s *searching) where(condition string, args ...any) {
	s.wheres = append(s.wheres, condition)
	s.args = append(s.args, args...)
}

// in adds a condition over a list that is not empty.
func (s *searching) in(condition string, list []string) {
	if len(list) == 0 {
		return
	}
	marks := strings.Repeat("?, ", len(list)-1) + "?"
	s.wheres = append(s.wheres, strings.ReplaceAll(condition, "…", marks))
	for _, item := range list {
		s.args = append(s.args, tidy(item))
	}
}

// keys chooses tickets by number or UUID.
func (s *searching) keys(list []string) {
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
		both := &searching{}
		both.in("t.number IN (…)", numbers)
		both.in("t.uuid IN (…)", ids)
		s.where("("+strings.Join(both.wheres, " OR ")+")", both.args...)
	}
}

func searchOf(tenant string, f ticket.Search) *searching {
	s := &searching{}
	s.where("t.tenant = ?", tenant)
	s.keys(f.Keys)
	if len(f.Parts) > 0 {
		args := []any{tenant, tidy(f.Person)}
		for _, part := range f.Parts {
			args = append(args, string(part))
		}
		s.where(`t.id IN (SELECT p.ticket_id FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part IN (?`+strings.Repeat(", ?", len(f.Parts)-1)+`))`, args...)
	}
	if f.Asked {
		s.where(`t.id IN (SELECT w.ticket_id FROM waiting w WHERE w.tenant = ? AND w.person = ?)`, tenant, tidy(f.Person))
	}
	if f.Others {
		s.where(`NOT EXISTS (SELECT 1 FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part = 'opener' AND p.ticket_id = t.id)`, tenant, tidy(f.Person))
	}
	if f.Opener != "" {
		s.where(`t.id IN (SELECT p.ticket_id FROM people p WHERE p.tenant = ? AND p.person = ? AND p.part = 'opener')`, tenant, tidy(f.Opener))
	}
	if f.Tag != "" {
		s.where(`t.id IN (SELECT g.ticket_id FROM ticket_tags g WHERE g.tenant = ? AND g.tag = ?)`, tenant, tidy(f.Tag))
	}
	s.in("t.phase IN (…)", f.Phases)
	s.in("t.service IN (…)", f.Services)
	for _, bound := range []struct {
		condition string
		at        time.Time
	}{{"t.created_at >= ?", f.CreatedFrom}, {"t.created_at <= ?", f.CreatedTo}, {"t.ended_at >= ?", f.EndedFrom}, {"t.ended_at <= ?", f.EndedTo}} {
		if !bound.at.IsZero() {
			s.where(bound.condition, at(bound.at))
		}
	}
	return s
}

// Search gives a page of a tenant's tickets, newest first, and how many there are on all pages. A Limit of 0 gives all that there are, up to
// ticket.MaxSearch.
func (s *Store) Search(ctx context.Context, tenant string, f ticket.Search) (items []ticket.Ticket, total int, err error) {
	if f.Limit <= 0 || f.Limit > ticket.MaxSearch {
		f.Limit = ticket.MaxSearch
	}
	found := searchOf(tenant, f)
	where := strings.Join(found.wheres, " AND ")
	err = s.read(ctx, func(q *session) error {
		if err := q.get(once(ctx), &total, `SELECT COUNT(*) FROM tickets t WHERE `+where, found.args...); err != nil {
			return wrap("count tickets", err)
		}
		if f.Offset >= total {
			return nil
		}
		var states []string
		err := q.all(once(ctx), &states, `SELECT t.state FROM tickets t WHERE `+where+` ORDER BY t.id DESC LIMIT ? OFFSET ?`,
			append(slices.Clone(found.args), f.Limit, f.Offset)...)
		if err != nil {
			return wrap("search tickets", err)
		}
		for _, state := range states {
			t, err := readTicket(state)
			if err != nil {
				return err
			}
			items = append(items, t)
		}
		return nil
	})
	return items, total, err
}

type ratingRow struct {
	ID       int64  `db:"ticket_id"`
	Stars    int    `db:"stars"`
	Operator string `db:"operator"`
	Comments string `db:"comments"`
	At       moment `db:"at"`
}

// Ratings gives the ratings of those of the tickets that have one.
func (s *Store) Ratings(ctx context.Context, tickets []int64) (map[int64]ticket.Rating, error) {
	out := map[int64]ticket.Rating{}
	err := s.read(ctx, func(q *session) error {
		for chunk := range slices.Chunk(tickets, maxParameters) {
			var rows []ratingRow
			if err := q.any(ctx, &rows, `SELECT ticket_id, stars, operator, comments, at FROM ratings WHERE ticket_id IN (?)`, chunk); err != nil {
				return wrap("list ratings", err)
			}
			for _, r := range rows {
				out[r.ID] = ticket.Rating{ID: r.ID, Stars: r.Stars, Operator: r.Operator, Comments: r.Comments, At: r.At.Time}
			}
		}
		return nil
	})
	return out, err
}

// Rate keeps a rating of a tenant's ticket. NotFound: there is no such ticket; Conflict: it is not completed (field "status"), or has a
// rating already (field "stars"). It joins the transaction that ctx carries.
func (s *Store) Rate(ctx context.Context, tenant, key string, r ticket.Rating) error {
	return s.write(ctx, func(ctx context.Context, q *session) error {
		t, err := s.Ticket(ctx, tenant, key)
		if err != nil {
			return err
		}
		// Held, so that it is not reopened meanwhile.
		if t, _, _, err = q.lockTicket(ctx, t.ID); err != nil {
			return err
		}
		if t.Status != ticket.Completed {
			return ticket.RefuseField(ticket.Conflict, "status", "the ticket is not completed")
		}
		n, err := q.exec(ctx, `INSERT INTO ratings (ticket_id, stars, operator, comments, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (ticket_id) DO NOTHING`,
			t.ID, r.Stars, tidy(r.Operator), tidy(r.Comments), at(q.now()))
		switch {
		case err != nil:
			return fmt.Errorf("keep a rating: %w", err)
		case n == 0:
			return ticket.RefuseField(ticket.Conflict, "stars", "the ticket has a rating already")
		}
		return nil
	})
}

// maxFailed bounds the list of failed callbacks.
const maxFailed = 10_000

// FailedCallbacks lists the numbers of a tenant's tickets whose callback was given up or is held, since its address was dropped, the longest ago
// first, until Unlist.
func (s *Store) FailedCallbacks(ctx context.Context, tenant string) (numbers []string, err error) {
	err = s.read(ctx, func(q *session) error {
		err := q.all(ctx, &numbers, `SELECT t.number FROM deliveries d JOIN tickets t ON t.id = d.ticket_id
			WHERE d.tenant = ? AND d.state IN ('failed', 'held') AND d.listed GROUP BY t.number ORDER BY MIN(d.at), t.number LIMIT ?`, tenant, maxFailed)
		return wrap("list failed callbacks", err)
	})
	return numbers, err
}

// Unlist takes tickets off the list of failed callbacks, those alone that are over. It joins the transaction that ctx carries.
func (s *Store) Unlist(ctx context.Context, tenant string, tickets []int64) error {
	return s.write(ctx, func(ctx context.Context, q *session) error {
		for chunk := range slices.Chunk(tickets, maxParameters) {
			ids, err := q.findDeliveries(ctx, `d.tenant = ? AND d.state IN ('failed', 'held') AND d.listed AND d.ticket_id IN (?)
				AND EXISTS (SELECT 1 FROM tickets t WHERE t.id = d.ticket_id AND NOT t.open)`, tenant, chunk)
			if err != nil {
				return wrap("look for failed callbacks", err)
			}
			for some := range slices.Chunk(ids, maxParameters) {
				if _, err := q.many(ctx, `UPDATE deliveries SET listed = ? WHERE id IN (?)`, false, some); err != nil {
					return wrap("unlist failed callbacks", err)
				}
			}
		}
		return nil
	})
}
