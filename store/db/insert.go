package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MaxParameters keeps one statement well below what either database takes (SQLite: 32,766).
const MaxParameters = 10_000

// Expr is a value that the database works out, with a ? for each of its arguments.
type Expr struct {
	SQL  string
	Args []any
}

// Relying gives an integer that there is only where a condition holds: see the function of that name.
func (e Expr) Relying(condition Expr) Expr {
	return Expr{e.SQL + ` / CASE WHEN ` + condition.SQL + ` THEN 1 ELSE 0 END`, slices.Concat(e.Args, condition.Args)}
}

// tupleOf gives a row as a statement has it, and its arguments.
func tupleOf(row []any) (text string, args []any) {
	marks := make([]string, len(row))
	for i, value := range row {
		if e, ok := value.(Expr); ok {
			marks[i], args = e.SQL, append(args, e.Args...)
		} else {
			marks[i], args = "?", append(args, value)
		}
	}
	return "(" + strings.Join(marks, ", ") + ")", args
}

// Insert adds rows with as few statements as possible; into names the table and its columns. A value may be an Expr, with the same text in
// every row. It is run as Later does.
func (q *Tx) Insert(ctx context.Context, into string, rows [][]any) error {
	return q.insert(ctx, into, rows, q.Later)
}

// InsertMissing is Insert that passes over the rows which are there already.
func (q *Tx) InsertMissing(ctx context.Context, into string, rows [][]any) error {
	return q.insert(ctx, into, rows, func(ctx context.Context, statement string, args ...any) error {
		return q.Later(ctx, statement+" ON CONFLICT DO NOTHING", args...)
	})
}

// InsertNew adds one row, with a statement that ends behind the row, and reports whether it was added: where it is there already it is not. In a transaction on PostgreSQL that is not waited for:
// it counts as added, and otherwise the transaction fails with what Conflict knows.
func (q *Tx) InsertNew(ctx context.Context, statement string, args ...any) (added bool, err error) {
	if q.talk != nil {
		return true, q.Later(ctx, statement, args...)
	}
	n, err := q.Exec(ctx, statement+" ON CONFLICT DO NOTHING", args...)
	return n == 1, err
}

// Conflict reports whether a transaction failed because something is there already that it would have added; see InsertNew.
func Conflict(err error) bool { return postgresState(err) == "23505" }

// Upsert is Insert that does to a row which is there already what conflict says: "(columns) DO UPDATE SET …".
func (q *Tx) Upsert(ctx context.Context, into string, rows [][]any, conflict string) error {
	return q.insert(ctx, into, rows, func(ctx context.Context, statement string, args ...any) error {
		return q.Later(ctx, statement+" ON CONFLICT "+conflict, args...)
	})
}

// InsertReturning is Insert that goes on with rest after the rows, and gives the texts that this returns.
func (q *Tx) InsertReturning(ctx context.Context, into string, rows [][]any, rest string) (list []string, err error) {
	err = q.insert(ctx, into, rows, func(ctx context.Context, statement string, args ...any) error {
		var some []string
		err := q.All(ctx, &some, statement+" "+rest, args...)
		list = append(list, some...)
		return err
	})
	return list, err
}

func (q *Tx) insert(ctx context.Context, into string, rows [][]any, run func(ctx context.Context, statement string, args ...any) error) error {
	for len(rows) > 0 {
		tuple, args := tupleOf(rows[0])
		n := min(len(rows), MaxParameters/len(args))
		all := [][]any{args}
		for _, row := range rows[1:n] {
			_, args := tupleOf(row)
			all = append(all, args)
		}
		statement := "INSERT INTO " + into + " VALUES " + strings.Repeat(tuple+", ", n-1) + tuple
		if n > 1 && q.onPostgreSQL() {
			var err error
			if statement, args, err = unnested(into, tuple, all); err != nil {
				return err
			}
		} else {
			args = slices.Concat(all...)
		}
		if err := run(ctx, statement, args...); err != nil {
			return fmt.Errorf("insert into %s: %w", into, err)
		}
		rows = rows[n:]
	}
	return nil
}

// unnested gives the statement that adds several rows on PostgreSQL, and its arguments, an array for each column: so its text does not depend on how many
// there are. tuple is how a row is written, with a ? for each of its arguments.
func unnested(into, tuple string, rows [][]any) (statement string, arrays []any, err error) {
	var names, marks []string
	values := strings.TrimSuffix(strings.TrimPrefix(tuple, "("), ")")
	for i := range rows[0] {
		array, kind, err := columnOf(rows, i)
		if err != nil {
			return "", nil, fmt.Errorf("insert into %s: %w", into, err)
		}
		name := fmt.Sprintf("c%d", i)
		names, marks, arrays = append(names, name), append(marks, "?::"+kind+"[]"), append(arrays, array)
		values = strings.Replace(values, "?", "u."+name, 1)
	}
	return "INSERT INTO " + into + " SELECT " + values + " FROM unnest(" + strings.Join(marks, ", ") + ") AS u(" + strings.Join(names, ", ") + ")", arrays, nil
}

// columnOf gives the values at a place of every row as an array, and the type of its elements.
func columnOf(rows [][]any, at int) (array any, kind string, err error) {
	switch rows[0][at].(type) {
	case string:
		return collect[string](rows, at, "text")
	case *string:
		return collect[*string](rows, at, "text")
	case int:
		return collect[int](rows, at, "bigint")
	case int64:
		return collect[int64](rows, at, "bigint")
	case bool:
		return collect[bool](rows, at, "boolean")
	case []byte:
		return collect[[]byte](rows, at, "bytea")
	case Timestamp:
		return collect[Timestamp](rows, at, "timestamptz")
	case *Timestamp:
		return collect[*Timestamp](rows, at, "timestamptz")
	}
	return nil, "", fmt.Errorf("column %d is of the type %T, which is not known here", at+1, rows[0][at])
}

func collect[T any](rows [][]any, at int, kind string) (any, string, error) {
	list := make([]T, len(rows))
	for i, row := range rows {
		value, ok := row[at].(T)
		if !ok {
			return nil, "", fmt.Errorf("column %d is %T in one row and %T in another", at+1, rows[0][at], row[at])
		}
		list[i] = value
	}
	return list, kind, nil
}
