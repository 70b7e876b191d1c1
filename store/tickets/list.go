package tickets

import (
	"context"
	"slices"
	"strings"

	"signalbox/store/db"
	"signalbox/ticket"
)

// listQuery builds the query of a list. Every part of it is answered by an index that ends with the ticket's id, so that the newest come
// first without sorting.
type listQuery struct {
	db.Where
	joins        []string
	joinArgs     []any
	createdOrder bool
	behind       int64 // the id with which the page before ended
}

// join asks for a row of a table beside the ticket's; at most one row of it may match.
func (l *listQuery) join(table, condition string, args ...any) {
	alias := table + "_" + string(rune('a'+len(l.joins)))
	l.joins = append(l.joins, "JOIN "+table+" "+alias+" ON "+alias+".ticket_id = t.id AND "+strings.ReplaceAll(condition, "$.", alias+"."))
	l.joinArgs = append(l.joinArgs, args...)
}

// listQueryOf translates a filter, but for the words; see search.
func listQueryOf(tenant string, f ticket.Filter) (*listQuery, error) {
	l := &listQuery{}
	l.And("t.tenant = ?", tenant)
	if f.Open != nil && *f.Open {
		l.And("t.open")
	} else if f.Open != nil {
		l.And("NOT t.open")
	}
	l.AndIn("t.phase", f.Phases)
	l.AndIf(f.Origin != "", "t.origin = ?", f.Origin)
	l.AndIf(f.Service != "", "t.service = ?", f.Service)
	l.AndIf(f.Assignee != "", "t.assignee = ?", f.Assignee)
	if f.Tag != "" {
		l.join("ticket_tags", "$.tenant = ? AND $.tag = ?", tenant, f.Tag)
	}
	if f.WaitingFor != "" {
		l.join("waiting", "$.tenant = ? AND $.person = ?", tenant, f.WaitingFor)
	}
	if f.RelationType != "" {
		l.join("relations", "$.tenant = ? AND $.type = ? AND $.content = ?", tenant, f.RelationType, f.RelationItem)
	}
	if len(f.SLA) > 0 {
		l.AndIn("t.sla", f.SLA)
		l.And("t.sla <> ''")
	}
	if !f.DueAfter.IsZero() || !f.DueBefore.IsZero() {
		l.And("t.due_at IS NOT NULL")
		l.AndIf(!f.DueAfter.IsZero(), "t.due_at > ?", db.At(f.DueAfter))
		l.AndIf(!f.DueBefore.IsZero(), "t.due_at < ?", db.At(f.DueBefore))
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
	l.AndIf(!f.CreatedAfter.IsZero(), "t.created_at > ?", db.At(f.CreatedAfter))
	l.AndIf(!before.IsZero(), "t.created_at < ?", db.At(before))
	l.AndIf(!f.UpdatedAfter.IsZero(), "t.updated_at > ?", db.At(f.UpdatedAfter))
	l.AndIf(!f.UpdatedBefore.IsZero(), "t.updated_at < ?", db.At(f.UpdatedBefore))
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
	if l.createdOrder {
		return l.After(cursor, "t.created_at, t.id", func(c db.Cursor) []any { return []any{db.At(c.At), c.N} })
	}
	return l.After(cursor, "t.id", func(c db.Cursor) []any {
		l.behind = c.N
		return []any{c.N}
	})
}

// query gives the query of some columns, whose last argument is its limit, and its other arguments, with more of them before that.
func (l *listQuery) query(columns string, more ...any) (string, []any) {
	return "SELECT " + columns + " FROM tickets t " + strings.Join(l.joins, " ") + " WHERE " + l.String() + " ORDER BY " + l.order() + " LIMIT ?",
		slices.Concat(l.joinArgs, l.Args(), more)
}

// listColumns are those of a listRow.
const listColumns = "t.id, t.created_at, t.state"

// ListQuery gives the query of a page of tickets, and its arguments but for the last, its limit. It does not look at the words of the filter. Its text
// varies with the filter, so it is to be run with db.Once. Invalid: the filter's cursor.
func ListQuery(tenant string, f ticket.Filter) (string, []any, error) {
	l, err := listQueryOf(tenant, f)
	if err != nil {
		return "", nil, err
	}
	query, args := l.query(listColumns)
	return query, args, nil
}

type listRow struct {
	ID        int64        `db:"id"`
	CreatedAt db.Timestamp `db:"created_at"`
	State     string       `db:"state"`
}

func (r listRow) cursor() db.Cursor { return db.Cursor{At: r.CreatedAt.Time, N: r.ID} }

// Tickets lists a tenant's tickets, newest first. Pages neither repeat nor leave out a ticket that was there from the first page on and
// matches the filter all the time, whatever is opened in between. A limit of 0 is ticket.DefaultPage, one above ticket.MaxPage is that.
func (p *Projections) Tickets(ctx context.Context, tenant string, f ticket.Filter) (page ticket.Page, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) (err error) {
		var rows []listRow
		if strings.TrimSpace(f.Terms) == "" {
			var query string
			var args []any
			if query, args, err = ListQuery(tenant, f); err == nil {
				rows, page.Next, err = db.ReadPage(db.Once(ctx), q, f.Limit, query, args, listRow.cursor)
			}
		} else if rows, err = findTickets(ctx, q, tenant, f, db.PageSize(f.Limit)+1); err == nil {
			rows, page.Next = db.CutPage(rows, db.PageSize(f.Limit), listRow.cursor)
		}
		if err != nil {
			return db.Wrap("list tickets", err)
		}
		page.Items, err = db.Convert(rows, func(r listRow) (ticket.Ticket, error) { return db.DecodeTicket(r.State) })
		return err
	})
	return page, err
}
