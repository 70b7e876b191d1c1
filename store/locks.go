package store

import (
	"context"
	"slices"

	"signalbox/ticket"
)

// Every row that transactions wait for each other at is locked here, and in one order: tickets by id, then stream_lanes by id, then subscriptions
// by id, then lanes and deliveries by id. Whoever locks in another order dead-locks with those who keep to it. A function that is called with rows of a
// later kind held may lock earlier ones again only where its transaction holds them already.
//
// Whoever creates deliveries of a ticket, or moves a whole lane, holds the ticket's row. For what is published, the row in stream_lanes is what a
// ticket's row is for a ticket, and its id is below zero. A redelivery's own row comes before all of them.

// lock is how the rows of a query are held until the transaction ends. SQLite has one writer at a time and needs none.
type lock string

const (
	unlocked  lock = ""
	shared    lock = " FOR SHARE"              // others may share it, and none may change the row
	exclusive lock = " FOR UPDATE"             // nobody else may lock or change the row
	available lock = " FOR UPDATE SKIP LOCKED" // likewise, and rows that others hold are left out rather than waited for
)

// locking gives the query with the lock on its rows.
func (q *session) locking(query string, how lock) string {
	if q.onPostgreSQL() {
		return query + string(how)
	}
	return query
}

// lockTicket locks a ticket's row and reads it: the ticket, and where the chain of its timeline ends.
func (q *session) lockTicket(ctx context.Context, id int64) (t ticket.Ticket, chain string, known bool, err error) {
	var row struct {
		State string `db:"state"`
		Chain string `db:"chain"`
	}
	known, err = q.find(ctx, &row, q.locking(`SELECT state, chain FROM tickets WHERE id = ?`, exclusive), id)
	if err != nil || !known {
		return t, "", false, wrap("lock a ticket", err)
	}
	t, err = readTicket(row.State)
	return t, row.Chain, true, err
}

// headRow is as much of a ticket as its alerts need.
type headRow struct {
	ID     int64  `db:"id"`
	Number string `db:"number"`
	Seq    int64  `db:"seq"`
}

// lockTickets locks tickets by id, in whatever order they are given, and tells where their timelines end.
func (q *session) lockTickets(ctx context.Context, ids []int64) (heads []headRow, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = q.any(ctx, &heads, q.locking(`SELECT id, number, seq FROM tickets WHERE id IN (?) ORDER BY id`, exclusive), distinct(ids))
	return heads, wrap("lock tickets", err)
}

// lockOwner locks what a lane belongs to: the row of the ticket, or below zero that of the lane of the stream. There may be none.
func (q *session) lockOwner(ctx context.Context, id int64) error {
	table := `tickets`
	if id < 0 {
		table = `stream_lanes`
	}
	_, err := q.find(ctx, new(int64), q.locking(`SELECT id FROM `+table+` WHERE id = ?`, exclusive), id)
	return wrap("lock what a lane belongs to", err)
}

// lockOwners does so for many, tickets before lanes of the stream.
func (q *session) lockOwners(ctx context.Context, ids []int64) error {
	ids = distinct(ids)
	first := slices.IndexFunc(ids, func(id int64) bool { return id > 0 }) // sorted, so that lanes of the stream come before
	if first > 0 {
		ids = slices.Concat(ids[first:], ids[:first])
	}
	for _, id := range ids {
		if err := q.lockOwner(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// place is where an event stands in its lane of the stream.
type place struct {
	Seq int64  `db:"seq"`
	At  moment `db:"at"`
}

// enterLane gives an event the next place in its lane of the stream, and locks the lane's row: as with a ticket's row, nobody parks the lane or
// adds to it meanwhile. Clocks of several processes differ, so the time of the one before is kept where it is later.
func (q *session) enterLane(ctx context.Context, lane int64) (where place, err error) {
	err = q.get(ctx, &where, `INSERT INTO stream_lanes (id, seq, at) VALUES (?, 1, ?) ON CONFLICT (id) DO UPDATE SET seq = stream_lanes.seq + 1,
		at = CASE WHEN excluded.at > stream_lanes.at THEN excluded.at ELSE stream_lanes.at END RETURNING seq, at`, lane, at(q.now()))
	return where, wrap("enter a lane", err)
}

// findSubscription reads the columns of a subscription and locks its row. where tells which one, by its id and what else has to hold.
func (q *session) findSubscription(ctx context.Context, to any, how lock, columns, where string, args ...any) (bool, error) {
	found, err := q.find(ctx, to, q.locking(`SELECT `+columns+` FROM subscriptions WHERE `+where, how), args...)
	return found, wrap("read a subscription", err)
}

// shareFollowers locks lasting subscriptions by id against being paused, resumed, dropped or deleted, and gives the effective state of those
// that still follow: see effectiveState.
func (q *session) shareFollowers(ctx context.Context, ids []string) (map[string]string, error) {
	var rows []struct {
		ID    string `db:"id"`
		State string `db:"state"`
	}
	query := q.locking(`SELECT id, `+toldState+` AS state FROM subscriptions WHERE id IN (?) AND `+following+` ORDER BY id`, shared)
	if err := q.any(ctx, &rows, query, ids); err != nil {
		return nil, wrap("lock subscriptions", err)
	}
	states := map[string]string{}
	for _, r := range rows {
		states[r.ID] = r.State
	}
	return states, nil
}

// lockDeliveries locks deliveries by id.
func (q *session) lockDeliveries(ctx context.Context, ids []string) error {
	return wrap("lock deliveries", q.any(ctx, new([]string), q.locking(`SELECT id FROM deliveries WHERE id IN (?) ORDER BY id`, exclusive), ids))
}

// findDeliveries lists and locks the deliveries d that a condition chooses, by id. The condition may have lists among its arguments.
func (q *session) findDeliveries(ctx context.Context, where string, args ...any) (ids []string, err error) {
	err = q.any(ctx, &ids, q.locking(`SELECT d.id FROM deliveries d WHERE `+where+` ORDER BY d.id`, exclusive), args...)
	return ids, err
}
