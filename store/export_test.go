package store

import "signalbox/ticket"

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
