package db

import (
	"context"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"signalbox/ticket"
)

// Where builds the condition of a query whose parts depend on what was asked for. The zero value has no part.
type Where struct {
	parts []string
	args  []any
}

// And adds a part, with a ? for each argument. A list among the arguments, which must not be empty, has "(?)" in the part.
func (w *Where) And(part string, args ...any) {
	part, args, err := sqlx.In(part, args...)
	if err != nil {
		panic("store: a condition that does not fit its arguments: " + err.Error())
	}
	w.parts, w.args = append(w.parts, part), append(w.args, args...)
}

// AndIf adds a part of one argument that is asked for.
func (w *Where) AndIf(asked bool, part string, arg any) {
	if asked {
		w.And(part, arg)
	}
}

// AndIn adds that a column has one of a list; an empty list asks for nothing.
func (w *Where) AndIn(column string, list []string) {
	if len(list) > 0 {
		clean := make([]string, len(list))
		for i, item := range list {
			clean[i] = CleanText(item)
		}
		w.And(column+" IN (?)", clean)
	}
}

// After adds that a row stands behind the one with which the page before ended, in descending order of the columns. at gives the values of
// these from a cursor. An empty cursor asks for the first page; Invalid, field "cursor": it is no cursor.
func (w *Where) After(cursor, columns string, at func(Cursor) []any) error {
	return w.behind(cursor, columns, "<", at)
}

// AfterAscending is After in ascending order.
func (w *Where) AfterAscending(cursor, columns string, at func(Cursor) []any) error {
	return w.behind(cursor, columns, ">", at)
}

func (w *Where) behind(cursor, columns, comparison string, at func(Cursor) []any) error {
	if cursor == "" {
		return nil
	}
	c, err := parseCursor(cursor)
	if err != nil {
		return err
	}
	values := at(c)
	w.And("("+columns+") "+comparison+" (?"+strings.Repeat(", ?", len(values)-1)+")", values...)
	return nil
}

// String gives the condition: all parts have to hold.
func (w *Where) String() string { return strings.Join(w.parts, " AND ") }

// Args gives its arguments, with more behind them.
func (w *Where) Args(more ...any) []any { return slices.Concat(w.args, more) }

// ReadPage reads a page of rows with a query whose last argument, not among args, is its limit. next is the cursor of the page behind it, which
// end tells from its last row; empty: there is none. A limit of 0 is ticket.DefaultPage, one above ticket.MaxPage is that.
func ReadPage[R any](ctx context.Context, q *Tx, limit int, query string, args []any, end func(R) Cursor) (rows []R, next string, err error) {
	if limit <= 0 {
		limit = ticket.DefaultPage
	}
	limit = min(limit, ticket.MaxPage)
	if err := q.All(ctx, &rows, query, append(args, limit+1)...); err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = end(rows[limit-1]).String()
	}
	return rows, next, nil
}

// Convert gives what each row stands for, in order, up to the first error.
func Convert[R, T any](rows []R, one func(R) (T, error)) (list []T, err error) {
	for _, row := range rows {
		t, err := one(row)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}
