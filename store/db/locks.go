package db

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"signalbox/ticket"
)

// Every row that transactions wait for each other at is locked here, and in one order: tickets by id, then stream_lanes by id, then subscriptions
// by id, then lanes and deliveries by id. Whoever locks in another order dead-locks with those who keep to it. A function that is called with rows of a
// later kind held may lock earlier ones again only where its transaction holds them already.
//
// Whoever creates deliveries of a ticket, or moves a whole lane, holds the ticket's row. For what is published, the row in stream_lanes is what a
// ticket's row is for a ticket, and its id is below zero. A redelivery's own row comes before all of them.
//
// The row of who works alone (upkeep, see Alone) comes before everything, and is held by those alone who do.
//
// The row of a tenant's directory comes first of all others: whoever changes persons, groups or absences holds it, and locks nothing else of what is named here but the
// subscriptions that are ways of telling the person who is changed.
// Who only reads them holds nothing.

// Lock is how the rows of a query are held until the transaction ends. SQLite has one writer at a time and needs none.
type Lock string

const (
	Unlocked   Lock = ""                        // they are only read
	Shared     Lock = " FOR SHARE"              // others may share it, and none may change the row
	Exclusive  Lock = " FOR UPDATE"             // nobody else may lock or change the row
	SkipLocked Lock = " FOR UPDATE SKIP LOCKED" // likewise, and rows that others hold are left out rather than waited for
)

// Locking gives the query with the lock on its rows.
func (q *Tx) Locking(query string, how Lock) string {
	if q.onPostgreSQL() {
		return query + string(how)
	}
	return query
}

// LockedDirectory is the row of a tenant's directory.
type LockedDirectory struct {
	Seq     int64 `db:"seq"`
	Persons int64 `db:"persons"`
	Groups  int64 `db:"groups"`
}

// LockDirectory makes sure of the row of a tenant's directory and locks it.
func (q *Tx) LockDirectory(ctx context.Context, tenant string) (row LockedDirectory, err error) {
	query := q.Locking(`SELECT seq, persons, groups FROM directories WHERE tenant = ?`, Exclusive)
	found, err := q.Find(ctx, &row, query, tenant)
	if err != nil || found {
		return row, Wrap("lock a directory", err)
	}
	if err := q.Later(ctx, `INSERT INTO directories (tenant, seq, persons, groups) VALUES (?, 0, 0, 0) ON CONFLICT (tenant) DO NOTHING`, tenant); err != nil {
		return row, Wrap("insert a directory", err)
	}
	return row, Wrap("lock a directory", q.Get(ctx, &row, query, tenant))
}

// LockedTicket is a ticket whose row is locked, or was read by who may write it later.
type LockedTicket struct {
	ticket.Ticket
	Chain string // where the chain of its timeline ends
	Doubt string // why it is in doubt; empty: it is not
	Stuck string // why it cannot go on in its process, as it is written down; empty: it is not
	Row   string // which version of the row it is: another one after every change of it, whatever that was; empty on SQLite
}

// WrittenTicket is a ticket's row, as far as whoever writes it has to know it; see WrittenColumns.
type WrittenTicket struct {
	State string `db:"state"`
	Chain string `db:"chain"`
	Doubt string `db:"doubt"`
	Stuck string `db:"stuck"`
	Row   string `db:"writer"`
}

// WrittenColumns are those of a WrittenTicket.
func (q *Tx) WrittenColumns() string {
	writer := `''`
	if q.onPostgreSQL() {
		writer = rowVersion
	}
	return `state, chain, ` + DoubtOf("tickets") + ` AS doubt, ` + StuckOf("tickets") + ` AS stuck, ` + writer + ` AS writer`
}

// rowVersion is the number of the transaction that wrote a row as it stands (PostgreSQL, "System Columns").
const rowVersion = `xmin::text`

// RowIs is the condition that a ticket's row is as it was read, to the letter; its arguments are those that RowOf gives.
const RowIs = `chain = ? AND ` + rowVersion + ` = ?`

// RowOf gives the arguments of RowIs. Where the chain ends tells also where another server has taken the place of the one that was asked, which numbers its own transactions.
func RowOf(t LockedTicket) []any { return []any{t.Chain, t.Row} }

// Ticket gives the ticket.
func (r WrittenTicket) Ticket() (t LockedTicket, err error) {
	t.Chain, t.Doubt, t.Stuck, t.Row = r.Chain, r.Doubt, r.Stuck, r.Row
	t.Ticket, err = DecodeTicket(r.State)
	return t, err
}

// LockTicket locks a ticket's row and reads it.
func (q *Tx) LockTicket(ctx context.Context, id int64) (t LockedTicket, known bool, err error) {
	var row WrittenTicket
	known, err = q.Find(ctx, &row, q.Locking(`SELECT `+q.WrittenColumns()+` FROM tickets WHERE id = ?`, Exclusive), id)
	if err != nil || !known {
		return t, false, Wrap("lock a ticket", err)
	}
	t, err = row.Ticket()
	return t, true, err
}

// DoubtOf gives why a row of tickets is in doubt, as an expression; the empty text: it is not.
func DoubtOf(tickets string) string {
	return `COALESCE((SELECT reason FROM doubts WHERE doubts.ticket_id = ` + tickets + `.id), '')`
}

// causesBeside are those that the state of a ticket does not tell, as a list of SQL.
const causesBeside = `'` + string(ticket.CauseInDoubt) + `', '` + string(ticket.CauseLost) + `', '` + string(ticket.CauseFailing) + `', '` + string(ticket.CauseUndelivered) + `'`

// StuckOf gives, as an expression, why a row of tickets cannot go on in its process; the empty text: it can. There is at most one such cause.
func StuckOf(tickets string) string {
	return `COALESCE((SELECT cause FROM stuck WHERE stuck.ticket_id = ` + tickets + `.id AND stuck.cause NOT IN (` + causesBeside + `)), '')`
}

// FindTicket reads columns of a tenant's ticket, by number or UUID, and locks its row.
func (q *Tx) FindTicket(ctx context.Context, to any, how Lock, columns, tenant, key string) (bool, error) {
	by, key := TicketKey(key)
	found, err := q.Find(ctx, to, q.Locking(`SELECT `+columns+` FROM tickets WHERE `+by+` = ? AND tenant = ?`, how), key, tenant)
	return found, Wrap("read a ticket", err)
}

// TicketKey gives the column that a ticket is found in by its number or UUID, and what stands there.
func TicketKey(key string) (column, value string) {
	if id, err := uuid.Parse(key); err == nil {
		return `uuid`, id.String()
	}
	return `number`, CleanText(key)
}

// TicketHead is as much of a ticket as its alerts need.
type TicketHead struct {
	ID     int64  `db:"id"`
	Number string `db:"number"`
	Tenant string `db:"tenant"`
	Seq    int64  `db:"seq"`
}

// LockTickets locks tickets by id, in whatever order they are given, and tells where their timelines end.
func (q *Tx) LockTickets(ctx context.Context, ids []int64) (heads []TicketHead, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = q.AllIn(ctx, &heads, q.Locking(`SELECT id, number, tenant, seq FROM tickets WHERE id IN (?) ORDER BY id`, Exclusive), Distinct(ids))
	return heads, Wrap("lock tickets", err)
}

// LockLaneOwner locks what a lane belongs to: the row of the ticket, or below zero that of the lane of the stream. There may be none.
func (q *Tx) LockLaneOwner(ctx context.Context, id int64) error {
	table := `tickets`
	if id < 0 {
		table = `stream_lanes`
	}
	_, err := q.Find(ctx, new(int64), q.Locking(`SELECT id FROM `+table+` WHERE id = ?`, Exclusive), id)
	return Wrap("lock what a lane belongs to", err)
}

// LockLaneOwners does so for many, tickets before lanes of the stream.
func (q *Tx) LockLaneOwners(ctx context.Context, ids []int64) error {
	ids = Distinct(ids)
	first := slices.IndexFunc(ids, func(id int64) bool { return id > 0 }) // sorted, so that lanes of the stream come before
	if first > 0 {
		ids = slices.Concat(ids[first:], ids[:first])
	}
	for _, id := range ids {
		if err := q.LockLaneOwner(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// LanePosition is where an event stands in its lane of the stream.
type LanePosition struct {
	Seq int64     `db:"seq"`
	At  Timestamp `db:"at"`
}

// EnterLane gives an event the next place in its lane of the stream, and locks the lane's row: as with a ticket's row, nobody parks the lane or
// adds to it meanwhile. Clocks of several processes differ, so the time of the one before is kept where it is later.
func (q *Tx) EnterLane(ctx context.Context, lane int64) (where LanePosition, err error) {
	err = q.Get(ctx, &where, `INSERT INTO stream_lanes (id, seq, at) VALUES (?, 1, ?) ON CONFLICT (id) DO UPDATE SET seq = stream_lanes.seq + 1,
		at = CASE WHEN excluded.at > stream_lanes.at THEN excluded.at ELSE stream_lanes.at END RETURNING seq, at`, lane, At(q.now()))
	return where, Wrap("enter a lane", err)
}

// FindSubscription reads the columns of a subscription and locks its row. where tells which one, by its id and what else has to hold.
func (q *Tx) FindSubscription(ctx context.Context, to any, how Lock, columns, where string, args ...any) (bool, error) {
	found, err := q.Find(ctx, to, q.Locking(`SELECT `+columns+` FROM subscriptions WHERE `+where, how), args...)
	return found, Wrap("read a subscription", err)
}

// ShareFollowers locks lasting subscriptions, and ways of telling people, by id against being paused, resumed, dropped or deleted, and gives the effective state of those
// that still follow: see effectiveState.
func (q *Tx) ShareFollowers(ctx context.Context, ids []string) (map[string]string, error) {
	var rows []struct {
		ID    string `db:"id"`
		State string `db:"state"`
	}
	query := q.Locking(`SELECT id, `+EffectiveState+` AS state FROM subscriptions WHERE id IN (?) AND `+Told+` ORDER BY id`, Shared)
	if err := q.AllIn(ctx, &rows, query, ids); err != nil {
		return nil, Wrap("lock subscriptions", err)
	}
	states := map[string]string{}
	for _, r := range rows {
		states[r.ID] = r.State
	}
	return states, nil
}

// LockDeliveries locks deliveries by id.
func (q *Tx) LockDeliveries(ctx context.Context, ids []string) error {
	return Wrap("lock deliveries", q.AllIn(ctx, new([]string), q.Locking(`SELECT id FROM deliveries WHERE id IN (?) ORDER BY id`, Exclusive), ids))
}

// FindDeliveries lists and locks the deliveries d that a condition chooses, by id. The condition may have lists among its arguments.
func (q *Tx) FindDeliveries(ctx context.Context, where string, args ...any) (ids []string, err error) {
	err = q.AllIn(ctx, &ids, q.Locking(`SELECT d.id FROM deliveries d WHERE `+where+` ORDER BY d.id`, Exclusive), args...)
	return ids, err
}

// Distinct gives a list sorted, each once.
func Distinct[T cmp.Ordered](list []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// DecodeTicket reads the column state of tickets.
func DecodeTicket(state string) (t ticket.Ticket, err error) {
	if err = json.Unmarshal([]byte(state), &t); err != nil {
		return t, fmt.Errorf("read a ticket: %w", err)
	}
	return t, nil
}
