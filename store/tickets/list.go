package tickets

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"signalbox/store/db"
	"signalbox/ticket"
)

// listQuery builds the query of a list. Every part of it is answered by an index that ends with the ticket's id, so that the newest come
// first without sorting; the other orders have indexes of their own.
type listQuery struct {
	db.Where
	joins    []string
	joinArgs []any
	order    listOrder
	stuck    string    // the table of those that are stuck, where they are asked for
	dated    bool      // only what is due is asked for
	sections []section // one behind the other
	behind   int64     // the id with which the page before ended
}

// section is a part of a list in which the order is that of some columns.
type section struct {
	db.Where
	order string
}

// listOrder is what a list is sorted by. It is the same for all pages of a list, since it depends on the filter alone.
type listOrder struct {
	by ticket.Sort
	// created tells that the newest are those with the latest time rather than the highest id. The id rises in the order of opening, and so does the time but for the clocks of
	// several machines; either is taken that an index has beside the filter.
	created bool
}

// sorted reports whether the order is another than that of ids.
func (o listOrder) sorted() bool { return o.by != ticket.SortOpened || o.created }

// cursor is where a page ends with a row.
func (o listOrder) cursor(r listRow) db.Cursor {
	switch o.by {
	case ticket.SortUpdated, ticket.SortUpdatedLatest:
		return db.Cursor{At: r.UpdatedAt.Time, N: r.ID, ID: string(o.by)}
	case ticket.SortDue:
		c := db.Cursor{N: r.ID, ID: string(o.by)}
		if r.DueAt != nil {
			c.At = r.DueAt.Time
		}
		return c
	case ticket.SortStuck:
		c := db.Cursor{N: r.ID, ID: string(o.by)}
		if r.StuckAt != nil {
			c.At = r.StuckAt.Time
		}
		return c
	}
	return db.Cursor{At: r.CreatedAt.Time, N: r.ID}
}

// compare compares two rows as they are sorted.
func (o listOrder) compare(a, b listRow) int {
	newest := cmp.Compare(b.ID, a.ID)
	switch o.by {
	case ticket.SortUpdated:
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt.Time), -newest)
	case ticket.SortUpdatedLatest:
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt.Time), newest)
	case ticket.SortDue:
		switch {
		case a.DueAt != nil && b.DueAt != nil:
			return cmp.Or(a.DueAt.Compare(b.DueAt.Time), -newest)
		case a.DueAt != nil:
			return -1
		case b.DueAt != nil:
			return 1
		}
		return newest
	case ticket.SortStuck:
		if a.StuckAt != nil && b.StuckAt != nil {
			return cmp.Or(a.StuckAt.Compare(b.StuckAt.Time), -newest)
		}
	}
	if o.created {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt.Time), newest)
	}
	return newest
}

// join asks for a row of a table beside the ticket's; at most one row of it may match. $. stands for the table.
func (l *listQuery) join(table, condition string, args ...any) (alias string) {
	alias = table + "_" + string(rune('a'+len(l.joins)))
	l.joins = append(l.joins, "JOIN "+table+" "+alias+" ON "+alias+".ticket_id = t.id AND "+strings.ReplaceAll(condition, "$.", alias+"."))
	l.joinArgs = append(l.joinArgs, args...)
	return alias
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
	if f.Node != "" {
		if f.Service == "" {
			return nil, ticket.RefuseField(ticket.Invalid, "service", "is required beside a node")
		}
		l.join("ticket_nodes", "$.tenant = ? AND $.service = ? AND $.node = ?", tenant, f.Service, db.CleanText(f.Node))
	}
	if f.Unassigned {
		l.And("t.open AND t.assignee = ''")
	}
	for _, p := range []struct {
		part   ticket.Part
		person string
	}{{ticket.PartOpener, f.Opener}, {ticket.PartFollower, f.Follower}} {
		if p.person != "" {
			condition := "$.tenant = ? AND $.person = ? AND $.part = ?"
			if f.Open != nil && *f.Open {
				condition += " AND NOT $.ended AND $.part IN ('opener', 'follower')" // as the index says it: what is open is little beside all that was ever theirs
			}
			l.join("people", condition, tenant, db.CleanText(p.person), string(p.part))
		}
	}
	switch {
	case f.RelationType != "":
		l.join("relations", "$.tenant = ? AND $.type = ? AND $.content = ?", tenant, f.RelationType, f.RelationItem)
	case f.RelationItem != "":
		// A ticket that has it in several relations is there once.
		l.join("relations", "$.tenant = ? AND $.content = ? AND $.type = (SELECT MIN(r.type) FROM relations r WHERE r.tenant = $.tenant AND r.content = $.content AND r.ticket_id = $.ticket_id)",
			tenant, f.RelationItem)
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
	if !f.Overdue.IsZero() {
		l.And("t.open AND t.due_at IS NOT NULL AND t.due_at < ?", db.At(f.Overdue))
	}
	if f.Sort == ticket.SortStuck && len(f.Stuck) == 0 {
		f.Stuck = ticket.Causes
	}
	if len(f.Stuck) > 0 {
		l.joinStuck(tenant, f.Stuck)
	}
	l.AndIf(!f.EndedAfter.IsZero(), "t.ended_at > ?", db.At(f.EndedAfter))
	l.AndIf(!f.EndedBefore.IsZero(), "t.ended_at < ?", db.At(f.EndedBefore))
	if !f.ReopenedAfter.IsZero() || !f.ReopenedBefore.IsZero() {
		var reopened db.Where
		reopened.And("e.tenant = ? AND e.type = 'reopened'", tenant) // as the index has it
		reopened.AndIf(!f.ReopenedAfter.IsZero(), "e.at > ?", db.At(f.ReopenedAfter))
		reopened.AndIf(!f.ReopenedBefore.IsZero(), "e.at < ?", db.At(f.ReopenedBefore))
		l.And("t.id IN (SELECT e.ticket_id FROM events e WHERE "+reopened.String()+")", reopened.Args()...)
	}
	l.times(f)
	l.order.by, l.dated = f.Sort, !f.DueAfter.IsZero() || !f.DueBefore.IsZero() || !f.Overdue.IsZero()
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
	l.order.created = f.Sort == ticket.SortOpened && (!f.CreatedAfter.IsZero() || !before.IsZero())
}

// after cuts the list into sections, and leaves out what is not behind the end of the page before.
func (l *listQuery) after(cursor string) error {
	end, err := db.ParseCursor(cursor)
	if err != nil {
		return err
	}
	if end != nil && end.ID != string(l.order.by) {
		return db.ErrCursor()
	}
	behind := func(from, columns, direction, comparison string, at func(db.Cursor) []any) {
		s := section{order: strings.ReplaceAll(columns, ",", direction+",") + direction}
		if from != "" {
			s.And(from)
		}
		if end != nil {
			s.Behind(columns, comparison, at(*end)...)
		}
		l.sections = append(l.sections, s)
	}
	timed := func(c db.Cursor) []any { return []any{db.At(c.At), c.N} }
	id := func(c db.Cursor) []any { return []any{c.N} }
	switch {
	case l.order.by == ticket.SortUpdated:
		behind("", "t.updated_at, t.id", "", ">", timed)
	case l.order.by == ticket.SortUpdatedLatest:
		behind("", "t.updated_at, t.id", " DESC", "<", timed)
	case l.order.by == ticket.SortDue:
		if end == nil || !end.At.IsZero() {
			behind("t.due_at IS NOT NULL", "t.due_at, t.id", "", ">", timed)
			end = nil
		}
		if !l.dated {
			behind("t.due_at IS NULL", "t.id", " DESC", "<", id)
		}
	case l.order.by == ticket.SortStuck:
		behind("", l.stuck+".since, "+l.stuck+".ticket_id", "", ">", timed)
	case l.order.created:
		behind("", "t.created_at, t.id", " DESC", "<", timed)
	default:
		behind("", "t.id", " DESC", "<", id)
		if end != nil {
			l.behind = end.N
		}
	}
	return nil
}

// Query is a statement whose last argument, its limit, is not among Args. Its text varies with what is asked for, so it is to be run with db.Once.
type Query struct {
	SQL  string
	Args []any
}

// queries gives the queries of some columns, one for each section, with one part more where there is one.
func (l *listQuery) queries(columns, more string, args ...any) (list []Query) {
	if l.order.by == ticket.SortStuck {
		columns += ", " + l.stuck + ".since AS stuck_at"
	}
	for _, s := range l.sections {
		where := l.Where
		if more != "" {
			where = l.With(more)
		}
		sql, rest := where.String(), slices.Concat(l.joinArgs, where.Args(args...), s.Args())
		if condition := s.String(); condition != "" {
			sql += " AND " + condition
		}
		list = append(list, Query{"SELECT " + columns + " FROM tickets t " + strings.Join(l.joins, " ") + " WHERE " + sql + " ORDER BY " + s.order + " LIMIT ?", rest})
	}
	return list
}

// read gives the first rows of what queries find, one behind the other.
func read(ctx context.Context, q *db.Tx, queries []Query, need int) (rows []listRow, err error) {
	for _, query := range queries {
		if len(rows) >= need {
			break
		}
		var some []listRow
		if err := q.AllIn(ctx, &some, query.SQL, append(query.Args, need-len(rows))...); err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

// listColumns are those of a listRow; bareColumns are they without the ticket itself.
const (
	listColumns = "t.id, t.created_at, t.updated_at, t.due_at, t.state"
	bareColumns = "t.id, t.created_at, t.updated_at, t.due_at, '' AS state"
)

// ListQueries gives the queries of a page of tickets, to be run one behind the other until the page is full. They do not look at the words of the filter. Invalid: the
// filter's cursor.
func ListQueries(tenant string, f ticket.Filter) ([]Query, error) {
	l, err := listQueryOf(tenant, f)
	if err != nil {
		return nil, err
	}
	return l.queries(listColumns, ""), nil
}

type listRow struct {
	ID        int64         `db:"id"`
	CreatedAt db.Timestamp  `db:"created_at"`
	UpdatedAt db.Timestamp  `db:"updated_at"`
	DueAt     *db.Timestamp `db:"due_at"`
	State     string        `db:"state"`
	StuckAt   *db.Timestamp `db:"stuck_at"`
}

// Tickets lists a tenant's tickets, in the order that the filter says. Pages neither repeat nor leave out a ticket that was there from the first page on,
// matches the filter and stays in its place all the time, whatever is opened in between; where the order is that of changes or of what is due, a ticket that changes meanwhile may be
// seen twice or not. A limit of 0 is ticket.DefaultPage, one above ticket.MaxPage is that.
func (p *Projections) Tickets(ctx context.Context, tenant string, f ticket.Filter) (page ticket.Page, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) (err error) {
		l, err := listQueryOf(tenant, f)
		if err != nil {
			return err
		}
		rows, err := p.rows(ctx, q, tenant, f, l, listColumns, db.PageSize(f.Limit)+1)
		if err != nil {
			return db.Wrap("list tickets", err)
		}
		rows, page.Next = db.CutPage(rows, db.PageSize(f.Limit), l.order.cursor)
		page.Items, err = db.Convert(rows, func(r listRow) (ticket.Ticket, error) { return db.DecodeTicket(r.State) })
		return err
	})
	return page, err
}

// rows gives the first rows of a list.
func (p *Projections) rows(ctx context.Context, q *db.Tx, tenant string, f ticket.Filter, l *listQuery, columns string, need int) ([]listRow, error) {
	if strings.TrimSpace(f.Terms) == "" {
		return read(db.Once(ctx), q, l.queries(columns, ""), need)
	}
	return findTickets(ctx, q, tenant, f, l, columns, need)
}

// Count counts a tenant's tickets that match a filter, whatever its page, up to most: it costs what as long a list would.
func (p *Projections) Count(ctx context.Context, tenant string, f ticket.Filter, most int) (total ticket.Total, err error) {
	f.Cursor, f.Limit, f.Sort = "", 0, ticket.SortOpened
	err = p.db.Read(ctx, func(q *db.Tx) error {
		l, err := listQueryOf(tenant, f)
		if err != nil {
			return err
		}
		if strings.TrimSpace(f.Terms) != "" {
			rows, err := findTickets(ctx, q, tenant, f, l, bareColumns, most+1)
			total.N = len(rows)
			return db.Wrap("count tickets", err)
		}
		// In no order: any index will do.
		query := "SELECT COUNT(*) FROM (SELECT 1 FROM tickets t " + strings.Join(l.joins, " ") + " WHERE " + l.String() + " LIMIT ?) c"
		return db.Wrap("count tickets", q.Get(db.Once(ctx), &total.N, query, slices.Concat(l.joinArgs, l.Args(most+1))...))
	})
	if total.More = total.N > most; total.More {
		total.N = most
	}
	return total, err
}
