package store

import (
	"context"

	"signalbox/desk"
	"signalbox/ticket"
)

// InTransaction runs f in a transaction; key gives data keys as they are asked for within one.
func (s *Store) InTransaction(ctx context.Context, f func(ctx context.Context, key func(Purpose) (DataKey, error)) error) error {
	return s.write(ctx, func(ctx context.Context, q *session) error {
		return f(ctx, func(p Purpose) (DataKey, error) { return q.dataKey(ctx, p) })
	})
}

// SealedColumns lists where text sealed under the master key lies, as table.column, and WalkSize is how many rows are looked at in a step.
var (
	SealedColumns = func() (list []string) {
		for _, c := range sealedColumns {
			list = append(list, c.table+"."+c.column)
		}
		return list
	}()
	WalkSize = &walkSize
)

// ListQuery is the query that Tickets runs, for looking at its plan.
func ListQuery(tenant string, f ticket.Filter) (string, []any, error) {
	l, err := listingOf(tenant, f)
	if err != nil {
		return "", nil, err
	}
	query, args := l.query("t.id, t.created_at, t.state", ticket.DefaultPage+1)
	return query, args, nil
}

// The queries that find whom an event is for, likewise.
const (
	ShapesQuery    = shapesQuery
	FollowersQuery = followersQuery
)

// AuditQuery is the query that Audit runs, likewise.
func AuditQuery(tenant string, f desk.EntryFilter) (string, []any, error) {
	return auditQuery(tenant, f, ticket.DefaultPage+1)
}
