package tickets

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox/store/db"
	"signalbox/ticket"
)

// listQuery builds the query of a list. Every part of it is answered by an index that ends with the ticket's id, so that the newest come
// first without sorting.
type listQuery struct {
	joins, wheres         []string
	joinArgs, whereArgs   []any
	createdOrder, nothing bool
}

func (l *listQuery) where(condition string, args ...any) {
	l.wheres = append(l.wheres, condition)
	l.whereArgs = append(l.whereArgs, args...)
}

// join asks for a row of a table beside the ticket's; at most one row of it may match.
func (l *listQuery) join(table, condition string, args ...any) {
	alias := table + "_" + string(rune('a'+len(l.joins)))
	l.joins = append(l.joins, "JOIN "+table+" "+alias+" ON "+alias+".ticket_id = t.id AND "+strings.ReplaceAll(condition, "$.", alias+"."))
	l.joinArgs = append(l.joinArgs, args...)
}

// maxJoins bounds the words of a search that the planner weighs against each other; the rest are looked up for each ticket that has these.
const maxJoins = 4

func (l *listQuery) search(tenant, text string) {
	s := searchFor(text)
	if l.nothing = s.none(); l.nothing {
		return
	}
	// Longer words are rarer.
	slices.SortStableFunc(s.terms, func(a, b string) int { return len(b) - len(a) })
	n := min(len(s.terms), maxJoins)
	for _, term := range s.terms[:n] {
		l.join("words", "$.tenant = ? AND $.term = ?", tenant, []byte(term))
	}
	for _, term := range s.terms[n:] {
		l.where(`(SELECT COUNT(*) FROM words w WHERE w.tenant = ? AND w.term = ? AND w.ticket_id = t.id) > 0`, tenant, []byte(term))
	}
	n = min(len(s.prefixes), maxJoins)
	for _, prefix := range s.prefixes[:n] {
		l.where(`t.id IN (SELECT w.ticket_id FROM words w WHERE w.tenant = ? AND w.term >= ? AND w.term < ?)`, tenant, []byte(prefix), prefixEnd(prefix))
	}
	for _, prefix := range s.prefixes[n:] {
		l.where(`(SELECT COUNT(*) FROM words w WHERE w.tenant = ? AND w.term >= ? AND w.term < ? AND w.ticket_id = t.id) > 0`, tenant, []byte(prefix), prefixEnd(prefix))
	}
}

// listQueryOf translates a filter.
func listQueryOf(tenant string, f ticket.Filter) (*listQuery, error) {
	l := &listQuery{}
	l.where("t.tenant = ?", tenant)
	if f.Open != nil && *f.Open {
		l.where("t.open")
	} else if f.Open != nil {
		l.where("NOT t.open")
	}
	if len(f.Phases) > 0 {
		args := make([]any, len(f.Phases))
		for i, phase := range f.Phases {
			args[i] = phase
		}
		l.where("t.phase IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
	}
	for _, equal := range []struct{ column, value string }{{"origin", f.Origin}, {"service", f.Service}, {"assignee", f.Assignee}} {
		if equal.value != "" {
			l.where("t."+equal.column+" = ?", equal.value)
		}
	}
	if f.Tag != "" {
		l.join("ticket_tags", "$.tenant = ? AND $.tag = ?", tenant, f.Tag)
	}
	if f.WaitingFor != "" {
		l.join("waiting", "$.tenant = ? AND $.person = ?", tenant, f.WaitingFor)
	}
	if f.RelationType != "" {
		l.join("relations", "$.tenant = ? AND $.type = ? AND $.content = ?", tenant, f.RelationType, f.RelationItem)
	}
	if strings.TrimSpace(f.Terms) != "" {
		l.search(tenant, f.Terms)
	}
	l.times(f)
	return l, l.after(f.Cursor)
}

// times adds the bounds. What was last changed before a moment was created before it too: said outright, that keeps the newest tickets from
// being read and thrown away one by one.
func (l *listQuery) times(f ticket.Filter) {
	before := f.CreatedBefore
	if !f.UpdatedBefore.IsZero() && (before.IsZero() || f.UpdatedBefore.Before(before)) {
		before = f.UpdatedBefore
	}
	bound := func(condition string, t time.Time) {
		if !t.IsZero() {
			l.where(condition, db.At(t))
		}
	}
	bound("t.created_at > ?", f.CreatedAfter)
	bound("t.created_at < ?", before)
	bound("t.updated_at > ?", f.UpdatedAfter)
	bound("t.updated_at < ?", f.UpdatedBefore)
	l.createdOrder = !f.CreatedAfter.IsZero() || !before.IsZero()
}

// order is newest first. The id rises in the order of opening, and so does the time but for the clocks of several machines; either is taken
// that an index has beside the filter. It is the same for all pages of a list, since it depends on the filter alone.
func (l *listQuery) order() string {
	if l.createdOrder {
		return "t.created_at DESC, t.id DESC"
	}
	return "t.id DESC"
}

func (l *listQuery) after(cursor string) error {
	if cursor == "" {
		return nil
	}
	p, err := db.ParseCursor(cursor)
	if err != nil {
		return err
	}
	if l.createdOrder {
		l.where("(t.created_at, t.id) < (?, ?)", db.At(p.At), p.N)
	} else {
		l.where("t.id < ?", p.N)
	}
	return nil
}

// query gives the text of the query and its arguments.
func (l *listQuery) query(columns string, limit int) (string, []any) {
	text := "SELECT " + columns + " FROM tickets t " + strings.Join(l.joins, " ") + " WHERE " + strings.Join(l.wheres, " AND ") +
		" ORDER BY " + l.order() + " LIMIT ?"
	return text, append(slices.Concat(l.joinArgs, l.whereArgs), limit)
}

// ListQuery gives the query of a page of at most limit tickets, and its arguments; no query: the filter finds nothing. Its text varies with the
// filter, so it is to be run with db.Once. Invalid: the filter's cursor.
func ListQuery(tenant string, f ticket.Filter, limit int) (string, []any, error) {
	l, err := listQueryOf(tenant, f)
	if err != nil || l.nothing {
		return "", nil, err
	}
	query, args := l.query("t.id, t.created_at, t.state", limit)
	return query, args, nil
}

type listRow struct {
	ID        int64        `db:"id"`
	CreatedAt db.Timestamp `db:"created_at"`
	State     string       `db:"state"`
}

// Tickets lists a tenant's tickets, newest first. Pages neither repeat nor leave out a ticket that was there from the first page on and
// matches the filter all the time, whatever is opened in between. A limit of 0 is ticket.DefaultPage, one above ticket.MaxPage is that.
func (p *Projections) Tickets(ctx context.Context, tenant string, f ticket.Filter) (page ticket.Page, err error) {
	limit := db.PageSize(f.Limit)
	query, args, err := ListQuery(tenant, f, limit+1)
	if err != nil || query == "" {
		return page, err
	}
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []listRow
		if err := q.All(db.Once(ctx), &rows, query, args...); err != nil {
			return db.Wrap("list tickets", err)
		}
		if len(rows) > limit {
			rows = rows[:limit]
			page.Next = db.Cursor{At: rows[limit-1].CreatedAt.Time, N: rows[limit-1].ID}.String()
		}
		for _, row := range rows {
			t, err := db.DecodeTicket(row.State)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, t)
		}
		return nil
	})
	return page, err
}
