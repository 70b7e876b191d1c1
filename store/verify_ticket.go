package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"signalbox/ticket"
)

// ticketRow is a ticket's row with all that is copied out of its state.
type ticketRow struct {
	ID        int64  `db:"id"`
	Tenant    string `db:"tenant"`
	Number    string `db:"number"`
	UUID      string `db:"uuid"`
	Open      bool   `db:"open"`
	Phase     string `db:"phase"`
	Origin    string `db:"origin"`
	Service   string `db:"service"`
	Assignee  string `db:"assignee"`
	CreatedAt moment `db:"created_at"`
	UpdatedAt moment `db:"updated_at"`
	Seq       int64  `db:"seq"`
	State     string `db:"state"`
	Chain     string `db:"chain"`
}

const ticketColumns = `id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, seq, state, chain`

// inspection is what was seen of one ticket.
type inspection struct {
	row     ticketRow
	faults  []string
	chained int64
	adopted int64
	// unchained counts rows without a hash.
	unchained int64

	last  string // hash of the last row that has one
	next  int64  // the sequence number that comes next
	state ticket.Ticket
	heard map[string]heard // its messages, by id
	blind bool             // what the state should be cannot be told
}

// heard is where and when a message was said, and last revised.
type heard struct {
	seq           int64
	said, revised moment
}

func (i *inspection) clean() bool { return len(i.faults) == 0 && i.unchained == 0 }

func (i *inspection) fault(format string, args ...any) {
	i.faults = append(i.faults, fmt.Sprintf(format, args...))
}

// inspect looks at one ticket, holding its row or not; false: it has none.
func (v *verification) inspect(ctx context.Context, q *session, id int64, hold bool) (i *inspection, known bool, err error) {
	i = &inspection{next: 1, heard: map[string]heard{}}
	query := `SELECT ` + ticketColumns + ` FROM tickets WHERE id = ?`
	if hold {
		query = q.locking(query, exclusive)
	}
	if known, err = q.find(ctx, &i.row, query, id); err != nil || !known {
		return i, false, wrap("read a ticket", err)
	}
	if err = q.timeline(ctx, id, func(l link, content string) error {
		i.see(v.notary, l, content)
		return nil
	}); err != nil {
		return i, false, err
	}
	i.end(v.notary)
	if len(i.faults) == 0 && !i.blind {
		i.compare()
		err = i.compareSides(ctx, q)
	}
	return i, true, err
}

// see takes in the next row of the timeline.
func (i *inspection) see(a notary, l link, content string) {
	missing, readable := false, true
	if l.event {
		if missing = l.seq > i.next; missing {
			i.missing(i.next, l.seq-1)
		}
		i.next = l.seq + 1
		readable = i.fold(content)
	}
	if l.hash == "" {
		// Versions without the chain wrote nothing that this one cannot read. Taken in unread, it would keep us from telling the state for ever.
		if !readable {
			i.fault("%s is not in the chain, and cannot be read", named(l))
		}
		i.unchained++
		return
	}
	if !missing && !a.follows(i.last, l) {
		i.fault("%s is not what was written there: it was changed, moved or added, or what stood before it is missing", named(l))
	}
	i.chained++
	i.last = l.hash
}

func (i *inspection) missing(from, to int64) {
	if from == to {
		i.fault("event %d is missing", from)
		return
	}
	i.fault("events %d to %d are missing", from, to)
}

func named(l link) string {
	if l.event {
		return fmt.Sprintf("event %d", l.seq)
	}
	return fmt.Sprintf("alert %d after event %d", l.n, l.seq)
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
		h, again := i.heard[m.ID]
		if !again {
			h.seq, h.said = e.Seq, at(e.At)
		}
		h.revised = at(e.At)
		i.heard[m.ID] = h
	}
	return true
}

// end looks at where the chain ends, and the timeline.
func (i *inspection) end(a notary) {
	h, _ := parseHead(i.row.Chain)
	i.adopted = h.adopted
	if i.next <= i.row.Seq {
		i.missing(i.next, i.row.Seq)
	}
	switch {
	case !a.intact(i.row.ID, i.row.Chain):
		i.fault("the end of its chain is not what was written there")
	case len(i.faults) == 0 && (h.last != i.last || h.rows != i.chained):
		i.fault("its timeline does not end where its chain does: the last rows are missing, or some were added")
	}
}

// compare holds the row against the fold of the timeline.
func (i *inspection) compare() {
	stored, err := readTicket(i.row.State)
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
		{"created_at", at(r.CreatedAt.Time) == at(t.CreatedAt)}, {"updated_at", at(r.UpdatedAt.Time) == at(t.UpdatedAt)}, {"seq", r.Seq == t.Seq},
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
func (i *inspection) compareSides(ctx context.Context, q *session) error {
	said := map[string]ticket.MessageHead{}
	for _, head := range i.state.Messages {
		said[head.ID] = head
	}
	for after := ""; ; {
		var rows []struct {
			messageRow
			Seq int64 `db:"seq"`
		}
		err := q.all(ctx, &rows, `SELECT id, author, content, created_at, updated_at, seq FROM messages WHERE ticket_id = ? AND id > ? ORDER BY id LIMIT ?`, i.row.ID, after, timelineBatch)
		if err != nil {
			return wrap("list messages", err)
		}
		for _, r := range rows {
			after = r.ID
			there := heard{r.Seq, r.CreatedAt, r.UpdatedAt}
			if said[r.ID] != (ticket.Message{ID: r.ID, Author: r.Author, Content: r.Content}).Head() || i.heard[r.ID] != there {
				i.fault("message %s of its conversation is not what was said", r.ID)
			}
			delete(said, r.ID)
		}
		if len(rows) < timelineBatch {
			break
		}
	}
	if len(said) > 0 {
		i.fault("messages of its conversation that are missing: %d", len(said))
	}
	var rows []relationRow
	if err := q.all(ctx, &rows, `SELECT type, content FROM relations WHERE ticket_id = ? ORDER BY type, place`, i.row.ID); err != nil {
		return wrap("list relations", err)
	}
	related := map[string][]string{}
	for _, r := range rows {
		related[r.Type] = append(related[r.Type], r.Content)
	}
	for _, head := range i.state.Relations {
		if r := related[head.Type]; len(r) != head.Count || len(r) > 0 && (ticket.Relation{Type: head.Type, Content: r}).Head() != head {
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
		if t, err = readTicket(string(raw)); err != nil {
			return false, err
		}
		if raw, err = json.Marshal(t); err != nil {
			return false, err
		}
		texts[n] = string(raw)
	}
	return texts[0] == texts[1], nil
}

// adopt takes rows without a hash into the chain, unless anything else is wrong with the ticket. Its row is held.
func (v *verification) adopt(ctx context.Context, q *session, i *inspection) error {
	if len(i.faults) > 0 || i.unchained == 0 {
		return nil
	}
	h := head{adopted: i.adopted + i.unchained}
	err := q.timeline(ctx, i.row.ID, func(l link, _ string) error {
		h.last = v.hash(h.last, l)
		h.rows++
		if !l.event {
			_, err := q.exec(ctx, `UPDATE alerts SET hash = ? WHERE ticket_id = ? AND seq = ? AND n = ?`, h.last, i.row.ID, l.seq, l.n)
			return wrap("take an alert in", err)
		}
		_, err := q.exec(ctx, `UPDATE events SET hash = ? WHERE ticket_id = ? AND seq = ?`, h.last, i.row.ID, l.seq)
		return wrap("take an event in", err)
	})
	if err != nil {
		return err
	}
	if _, err := q.exec(ctx, `UPDATE tickets SET chain = ? WHERE id = ?`, v.sealed(i.row.ID, h), i.row.ID); err != nil {
		return wrap("keep where the chain ends", err)
	}
	i.chained, i.adopted, i.unchained = h.rows, h.adopted, 0
	return nil
}
