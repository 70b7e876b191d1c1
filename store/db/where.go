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
	c, err := ParseCursor(cursor)
	if err != nil || c == nil {
		return err
	}
	w.Behind(columns, comparison, at(*c)...)
	return nil
}

// Behind adds how some columns compare with some values, the first that differs counting.
func (w *Where) Behind(columns, comparison string, values ...any) {
	w.And("("+columns+") "+comparison+" (?"+strings.Repeat(", ?", len(values)-1)+")", values...)
}

// Texts gives a list of words as texts.
func Texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// String gives the condition: all parts have to hold.
func (w *Where) String() string { return strings.Join(w.parts, " AND ") }

// With gives the condition with one part more, whose arguments come behind the others. The condition itself stays as it is.
func (w *Where) With(part string) Where {
	return Where{parts: append(slices.Clone(w.parts), part), args: w.args}
}

// Args gives its arguments, with more behind them.
func (w *Where) Args(more ...any) []any { return slices.Concat(w.args, more) }

// PageSize gives the size of a page that was asked for: 0 is ticket.DefaultPage, above ticket.MaxPage is that.
func PageSize(limit int) int {
	if limit <= 0 {
		limit = ticket.DefaultPage
	}
	return min(limit, ticket.MaxPage)
}

// ReadPage reads a page of rows with a query whose last argument, not among args, is its limit. next is the cursor of the page behind it, which
// end tells from its last row; empty: there is none. The limit is as PageSize takes it.
func ReadPage[R any](ctx context.Context, q *Tx, limit int, query string, args []any, end func(R) Cursor) (rows []R, next string, err error) {
	limit = PageSize(limit)
	if err := q.All(ctx, &rows, query, append(args, limit+1)...); err != nil {
		return nil, "", err
	}
	rows, next = CutPage(rows, limit, end)
	return rows, next, nil
}

// CutPage makes a page of rows that were read one further than it goes.
func CutPage[R any](rows []R, limit int, end func(R) Cursor) (page []R, next string) {
	if len(rows) > limit {
		rows = rows[:limit]
		next = end(rows[limit-1]).String()
	}
	return rows, next
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
