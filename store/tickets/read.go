package tickets

import (
	"cmp"
	"context"
	"slices"
	"time"

	"signalbox/store/db"
	"signalbox/ticket"
)

// Ticket reads a tenant's ticket by number or UUID; NotFound when there is none.
func (p *Projections) Ticket(ctx context.Context, tenant, key string) (t ticket.Ticket, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		t, err = find(ctx, q, db.Unlocked, tenant, key)
		return err
	})
	return t, err
}

// find reads a ticket and locks its row.
func find(ctx context.Context, q *db.Tx, how db.Lock, tenant, key string) (ticket.Ticket, error) {
	var state string
	found, err := q.FindTicket(ctx, &state, how, `state`, tenant, key)
	switch {
	case err != nil:
		return ticket.Ticket{}, err
	case !found:
		return ticket.Ticket{}, errNoTicket
	}
	return db.DecodeTicket(state)
}

var errNoTicket = ticket.Refuse(ticket.NotFound, "there is no such ticket")

// LastOpened gives when the ticket was opened that has the highest id; zero: there is none.
func (p *Projections) LastOpened(ctx context.Context) (at time.Time, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var row struct {
			At db.Timestamp `db:"created_at"`
		}
		_, err := q.Find(ctx, &row, `SELECT created_at FROM tickets ORDER BY id DESC LIMIT 1`)
		at = row.At.Time
		return db.Wrap("look for the last ticket", err)
	})
	return at, err
}

// recordRow is a part of a record: of the ticket, an item of a relation, or the rating.
type recordRow struct {
	Part string        `db:"part"`
	N    int64         `db:"n"` // the place of an item, or stars
	Name string        `db:"name"`
	Text string        `db:"text"`
	At   *db.Timestamp `db:"at"`
}

// Record reads a tenant's ticket by number or UUID with what is kept beside it, as of one moment and in one statement; NotFound when there is none.
func (p *Projections) Record(ctx context.Context, tenant, key string) (r ticket.Record, err error) {
	var rows []recordRow
	err = p.db.Read(ctx, func(q *db.Tx) error {
		by, key := db.TicketKey(key)
		return q.All(ctx, &rows, `WITH one AS (SELECT id, state FROM tickets WHERE `+by+` = ? AND tenant = ?)
			SELECT 'rating' AS part, stars AS n, operator AS name, comments AS text, at FROM one JOIN ratings ON ratings.ticket_id = one.id
			UNION ALL SELECT 'relation', place, type, content, NULL FROM one JOIN relations ON relations.ticket_id = one.id
			UNION ALL SELECT 'ticket', 0, '', state, NULL FROM one`, key, tenant)
	})
	if err != nil {
		return r, db.Wrap("read a ticket", err)
	}
	slices.SortStableFunc(rows, func(a, b recordRow) int { return cmp.Compare(a.N, b.N) })
	found, contents := false, map[string][]string{}
	for _, row := range rows {
		switch row.Part {
		case "rating":
			r.Rating = ticket.Rating{Stars: int(row.N), Operator: row.Name, Comments: row.Text, At: row.At.Time}
		case "relation":
			contents[row.Name] = append(contents[row.Name], row.Text)
		case "ticket":
			found = true
			if r.Ticket, err = db.DecodeTicket(row.Text); err != nil {
				return r, err
			}
		}
	}
	if !found {
		return r, errNoTicket
	}
	r.Rating.ID, r.Relations = r.ID, relationsOf(r.Ticket, contents)
	return r, nil
}

// relationsOf gives the relations of a ticket with their contents.
func relationsOf(t ticket.Ticket, contents map[string][]string) (list []ticket.Relation) {
	for _, head := range t.Relations {
		list = append(list, ticket.Relation{Type: head.Type, Content: nonNil(contents[head.Type])})
	}
	return list
}

// RelationRow is one item of a relation.
type RelationRow struct {
	Type    string `db:"type"`
	Content string `db:"content"`
}

// Relations gives all relations of a ticket, as it was read, in the order in which the types were first added. Their contents are those of now.
func (p *Projections) Relations(ctx context.Context, t ticket.Ticket) (list []ticket.Relation, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []RelationRow
		if err := q.All(ctx, &rows, `SELECT type, content FROM relations WHERE ticket_id = ? ORDER BY type, place`, t.ID); err != nil {
			return db.Wrap("list relations", err)
		}
		contents := map[string][]string{}
		for _, row := range rows {
			contents[row.Type] = append(contents[row.Type], row.Content)
		}
		list = relationsOf(t, contents)
		return nil
	})
	return list, err
}

// MessageRow is a message as the table has it.
type MessageRow struct {
	ticket.Message
	CreatedAt db.Timestamp `db:"created_at"`
	UpdatedAt db.Timestamp `db:"updated_at"`
}

func (r MessageRow) record() ticket.MessageRecord {
	return ticket.MessageRecord{Message: r.Message, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
}

// Messages gives a part of the conversation, oldest first: at most limit messages after the first so many. Messages are never taken away, so
// that a place in the list stays what it is.
func (p *Projections) Messages(ctx context.Context, ticketID int64, after, limit int) (list []ticket.MessageRecord, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []MessageRow
		err := q.All(ctx, &rows, `SELECT id, author, content, created_at, updated_at FROM messages WHERE ticket_id = ? ORDER BY seq LIMIT ? OFFSET ?`,
			ticketID, limit, after)
		for _, r := range rows {
			list = append(list, r.record())
		}
		return db.Wrap("list messages", err)
	})
	return list, err
}

// Message gives one message of a ticket; NotFound.
func (p *Projections) Message(ctx context.Context, ticketID int64, id string) (m ticket.MessageRecord, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var row MessageRow
		found, err := q.Find(ctx, &row, `SELECT id, author, content, created_at, updated_at FROM messages WHERE ticket_id = ? AND id = ?`, ticketID, id)
		switch {
		case err != nil:
			return db.Wrap("read a message", err)
		case !found:
			return ticket.Refuse(ticket.NotFound, "the ticket has no such message")
		}
		m = row.record()
		return nil
	})
	return m, err
}

// stateRow is the row of a ticket, as far as one has to be named that cannot be read.
type stateRow struct {
	ID     int64  `db:"id"`
	Number string `db:"number"`
	Tenant string `db:"tenant"`
	UUID   string `db:"uuid"` // where it is asked for
	State  string `db:"state"`
}

// unreadRow is one of them that cannot be read, and why.
type unreadRow struct {
	stateRow
	why error
}

// readStates gives the tickets of rows, and those rows that cannot be read.
func readStates(rows []stateRow) (list []ticket.Ticket, unread []unreadRow) {
	for _, r := range rows {
		t, err := db.DecodeTicket(r.State)
		if err != nil {
			unread = append(unread, unreadRow{r, err})
			continue
		}
		t.ID, t.Tenant = r.ID, r.Tenant
		list = append(list, t)
	}
	return list, unread
}

// tellUnread has the log name rows that cannot be read, and what they are left out of, and tells how many there are.
func (p *Projections) tellUnread(ctx context.Context, rows []unreadRow, what string) db.Left {
	for _, r := range rows {
		p.db.Log.ErrorContext(ctx, "ticket.unread", "ticket", r.Number, "tenant", r.Tenant, "left_out_of", what, "error", r.why)
	}
	return db.Left(len(rows))
}
