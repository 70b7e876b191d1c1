package tickets

import (
	"context"

	"github.com/google/uuid"

	"signalbox/store/db"
	"signalbox/ticket"
)

// Ticket reads a tenant's ticket by number or UUID; NotFound when there is none.
func (p *Projections) Ticket(ctx context.Context, tenant, key string) (t ticket.Ticket, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		query := `SELECT state FROM tickets WHERE number = ? AND tenant = ?`
		if id, err := uuid.Parse(key); err == nil {
			query, key = `SELECT state FROM tickets WHERE uuid = ? AND tenant = ?`, id.String()
		}
		var state string
		found, err := q.Find(ctx, &state, query, db.CleanText(key), tenant)
		switch {
		case err != nil:
			return db.Wrap("read a ticket", err)
		case !found:
			return ticket.Refuse(ticket.NotFound, "there is no such ticket")
		}
		t, err = db.DecodeTicket(state)
		return err
	})
	return t, err
}

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
		for _, head := range t.Relations {
			list = append(list, ticket.Relation{Type: head.Type, Content: nonNil(contents[head.Type])})
		}
		return nil
	})
	return list, err
}

type MessageRow struct {
	ID        string       `db:"id"`
	Author    string       `db:"author"`
	Content   string       `db:"content"`
	CreatedAt db.Timestamp `db:"created_at"`
	UpdatedAt db.Timestamp `db:"updated_at"`
}

func (r MessageRow) record() ticket.MessageRecord {
	return ticket.MessageRecord{Message: ticket.Message{ID: r.ID, Author: r.Author, Content: r.Content}, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time}
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
