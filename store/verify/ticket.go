package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/tickets"
	"signalbox/ticket"
)

// ticketRow is a ticket's row with all that is copied out of its state.
type ticketRow struct {
	ID        int64        `db:"id"`
	Tenant    string       `db:"tenant"`
	Number    string       `db:"number"`
	UUID      string       `db:"uuid"`
	Open      bool         `db:"open"`
	Phase     string       `db:"phase"`
	Origin    string       `db:"origin"`
	Service   string       `db:"service"`
	Assignee  string       `db:"assignee"`
	CreatedAt db.Timestamp `db:"created_at"`
	UpdatedAt db.Timestamp `db:"updated_at"`
	Seq       int64        `db:"seq"`
	State     string       `db:"state"`
	Chain     string       `db:"chain"`
}

const ticketColumns = `id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, seq, state, chain`

// inspection is what was seen of one ticket.
type inspection struct {
	row        ticketRow
	faults     []string
	chained    int64
	backfilled int64
	// unchained counts rows without a hash.
	unchained int64

	last     string // hash of the last row that has one
	next     int64  // the sequence number that comes next
	state    ticket.Ticket
	messages map[string]messageTimes // its messages, by id
	blind    bool                    // what the state should be cannot be told
}

// messageTimes is where and when a message was said, and last revised.
type messageTimes struct {
	seq           int64
	said, revised db.Timestamp
}

func (i *inspection) clean() bool { return len(i.faults) == 0 && i.unchained == 0 }

func (i *inspection) fault(format string, args ...any) {
	i.faults = append(i.faults, fmt.Sprintf(format, args...))
}

// inspect looks at one ticket, holding its row or not; false: it has none.
func (v *verification) inspect(ctx context.Context, q *db.Tx, id int64, hold bool) (i *inspection, known bool, err error) {
	i = &inspection{next: 1, messages: map[string]messageTimes{}}
	query := `SELECT ` + ticketColumns + ` FROM tickets WHERE id = ?`
	if hold {
		query = q.Locking(query, db.Exclusive)
	}
	if known, err = q.Find(ctx, &i.row, query, id); err != nil || !known {
		return i, false, db.Wrap("read a ticket", err)
	}
	if err = v.store.chain.Timeline(ctx, q, id, func(l chain.Link, content string) error {
		i.see(v.Keyring, l, content)
		return nil
	}); err != nil {
		return i, false, err
	}
	i.end(v.Keyring)
	if len(i.faults) == 0 && !i.blind {
		i.compare()
		err = i.compareSides(ctx, q)
	}
	return i, true, err
}

// see takes in the next row of the timeline.
func (i *inspection) see(a chain.Keyring, l chain.Link, content string) {
	missing, readable := false, true
	if l.Event {
		if missing = l.Seq > i.next; missing {
			i.missing(i.next, l.Seq-1)
		}
		i.next = l.Seq + 1
		readable = i.fold(content)
	}
	if l.Hash == "" {
		// Versions without the chain wrote nothing that this one cannot read. Taken in unread, it would keep us from telling the state for ever.
		if !readable {
			i.fault("%s is not in the chain, and cannot be read", named(l))
		}
		i.unchained++
		return
	}
	if !missing && !a.Follows(i.last, l) {
		i.fault("%s is not what was written there: it was changed, moved or added, or what stood before it is missing", named(l))
	}
	i.chained++
	i.last = l.Hash
}

func (i *inspection) missing(from, to int64) {
	if from == to {
		i.fault("event %d is missing", from)
		return
	}
	i.fault("events %d to %d are missing", from, to)
}

func named(l chain.Link) string {
	if l.Event {
		return fmt.Sprintf("event %d", l.Seq)
	}
	return fmt.Sprintf("alert %d after event %d", l.N, l.Seq)
}

// fold does to the state what the event says; false: it cannot be read.
func (i *inspection) fold(content string) bool {
	var e ticket.Event
	if err := json.Unmarshal([]byte(content), &e); err != nil || !e.Type.Known() {
		i.blind = true // damaged, which its hash tells, or written by a later version
		return false
	}
	i.state = ticket.Evolve(i.state, e)
	if m := e.After.Message; m != nil {
		h, again := i.messages[m.ID]
		if !again {
			h.seq, h.said = e.Seq, db.At(e.At)
		}
		h.revised = db.At(e.At)
		i.messages[m.ID] = h
	}
	return true
}

// end looks at where the chain ends, and the timeline.
func (i *inspection) end(a chain.Keyring) {
	h, _ := chain.ParseTip(i.row.Chain)
	i.backfilled = h.Backfilled
	if i.next <= i.row.Seq {
		i.missing(i.next, i.row.Seq)
	}
	switch {
	case !a.Intact(i.row.ID, i.row.Chain):
		i.fault("the end of its chain is not what was written there")
	case len(i.faults) == 0 && (h.Last != i.last || h.Rows != i.chained):
		i.fault("its timeline does not end where its chain does: the last rows are missing, or some were added")
	}
}

// compare holds the row against the fold of the timeline.
func (i *inspection) compare() {
	stored, err := db.DecodeTicket(i.row.State)
	if err != nil {
		i.fault("its state cannot be read")
		return
	}
	if same, err := alike(stored, i.state); err != nil || !same {
		i.fault("its state is not what its timeline comes to")
		return
	}
	t, r := i.state, i.row
	var wrong []string
	for _, column := range []struct {
		name string
		same bool
	}{
		{"tenant", r.Tenant == t.Tenant}, {"number", r.Number == t.Number}, {"uuid", r.UUID == t.UUID}, {"id", r.ID == t.ID}, {"open", r.Open == t.Status.Open()},
		{"phase", r.Phase == string(t.Phase())}, {"origin", r.Origin == t.Origin}, {"service", r.Service == t.Service}, {"assignee", r.Assignee == t.Assignee},
		{"created_at", db.At(r.CreatedAt.Time) == db.At(t.CreatedAt)}, {"updated_at", db.At(r.UpdatedAt.Time) == db.At(t.UpdatedAt)}, {"seq", r.Seq == t.Seq},
	} {
		if !column.same {
			wrong = append(wrong, column.name)
		}
	}
	if len(wrong) > 0 {
		i.fault("its row says something else than its timeline: %s", strings.Join(wrong, ", "))
	}
}

// compareSides holds what is shown of the conversation and of relations against what the ticket remembers of them.
func (i *inspection) compareSides(ctx context.Context, q *db.Tx) error {
	said := map[string]ticket.MessageSummary{}
	for _, head := range i.state.Messages {
		said[head.ID] = head
	}
	for after := ""; ; {
		var rows []struct {
			tickets.MessageRow
			Seq int64 `db:"seq"`
		}
		err := q.All(ctx, &rows, `SELECT id, author, content, created_at, updated_at, seq FROM messages WHERE ticket_id = ? AND id > ? ORDER BY id LIMIT ?`, i.row.ID, after, chain.TimelineBatch)
		if err != nil {
			return db.Wrap("list messages", err)
		}
		for _, r := range rows {
			after = r.ID
			there := messageTimes{r.Seq, r.CreatedAt, r.UpdatedAt}
			if said[r.ID] != (ticket.Message{ID: r.ID, Author: r.Author, Content: r.Content}).Summary() || i.messages[r.ID] != there {
				i.fault("message %s of its conversation is not what was said", r.ID)
			}
			delete(said, r.ID)
		}
		if len(rows) < chain.TimelineBatch {
			break
		}
	}
	if len(said) > 0 {
		i.fault("messages of its conversation that are missing: %d", len(said))
	}
	var rows []tickets.RelationRow
	if err := q.All(ctx, &rows, `SELECT type, content FROM relations WHERE ticket_id = ? ORDER BY type, place`, i.row.ID); err != nil {
		return db.Wrap("list relations", err)
	}
	related := map[string][]string{}
	for _, r := range rows {
		related[r.Type] = append(related[r.Type], r.Content)
	}
	for _, head := range i.state.Relations {
		if r := related[head.Type]; len(r) != head.Count || len(r) > 0 && (ticket.Relation{Type: head.Type, Content: r}).Summary() != head {
			i.fault("its relations of the type %s are not what was written there", head.Type)
		}
		delete(related, head.Type)
	}
	if len(related) > 0 {
		i.fault("it has relations of types that were never added: %d", len(related))
	}
	return nil
}

// alike reports whether two tickets are one, as JSON tells it: an empty list may have been none.
func alike(a, b ticket.Ticket) (bool, error) {
	var texts [2]string
	for n, t := range []ticket.Ticket{a, b} {
		raw, err := json.Marshal(t)
		if err != nil {
			return false, err
		}
		if t, err = db.DecodeTicket(string(raw)); err != nil {
			return false, err
		}
		if raw, err = json.Marshal(t); err != nil {
			return false, err
		}
		texts[n] = string(raw)
	}
	return texts[0] == texts[1], nil
}

// backfill takes rows without a hash into the chain, unless anything else is wrong with the ticket. Its row is held.
func (v *verification) backfill(ctx context.Context, q *db.Tx, i *inspection) error {
	if len(i.faults) > 0 || i.unchained == 0 {
		return nil
	}
	h := chain.Tip{Backfilled: i.backfilled + i.unchained}
	err := v.store.chain.Timeline(ctx, q, i.row.ID, func(l chain.Link, _ string) error {
		h.Last = v.Hash(h.Last, l)
		h.Rows++
		if !l.Event {
			_, err := q.Exec(ctx, `UPDATE alerts SET hash = ? WHERE ticket_id = ? AND seq = ? AND n = ?`, h.Last, i.row.ID, l.Seq, l.N)
			return db.Wrap("take an alert in", err)
		}
		_, err := q.Exec(ctx, `UPDATE events SET hash = ? WHERE ticket_id = ? AND seq = ?`, h.Last, i.row.ID, l.Seq)
		return db.Wrap("take an event in", err)
	})
	if err != nil {
		return err
	}
	if _, err := q.Exec(ctx, `UPDATE tickets SET chain = ? WHERE id = ?`, v.Signed(i.row.ID, h), i.row.ID); err != nil {
		return db.Wrap("keep where the chain ends", err)
	}
	i.chained, i.backfilled, i.unchained = h.Rows, h.Backfilled, 0
	return nil
}
