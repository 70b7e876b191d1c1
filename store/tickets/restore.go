package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Derived is what a ticket's timeline comes to, as far as it is kept beside the events.
type Derived struct {
	Ticket ticket.Ticket
	Opened ticket.Ticket // as it was opened
	People []Participant
}

// Participant is somebody who has a part in a ticket, and the event that it came with.
type Participant struct {
	Person string
	Part   ticket.Part
	Seq    int64
}

// Restore writes a ticket's row and the tables beside it anew, all but its chain: what they are comes from the timeline, as it is while the row is held, and from nothing else that is there.
func (p *Projections) Restore(ctx context.Context, q *db.Tx, d Derived) error {
	t := d.Ticket
	state, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("write a ticket: %w", err)
	}
	err = q.Later(ctx, `UPDATE tickets SET tenant = ?, number = ?, uuid = ?, open = ?, phase = ?, origin = ?, service = ?, assignee = ?, created_at = ?, updated_at = ?, ended_at = ?, sla = ?,
		due_at = ?, seq = ?, state = ?, folded = true, posted = true WHERE id = ?`,
		t.Tenant, t.Number, t.UUID, t.Status.Open(), t.Phase(), t.Origin, t.Service, t.Assignee, db.At(t.CreatedAt), db.At(t.UpdatedAt), db.AtOrNil(t.EndedAt()), t.SLAListed(),
		dueAt(t), t.Seq, string(state), t.ID)
	if err != nil {
		return db.Wrap("write the row", err)
	}
	people, err := peopleOf(ctx, q, t, d.People)
	if err != nil {
		return err
	}
	var tags, waiting, nodes [][]any
	for _, tag := range d.Opened.Tags {
		tags = append(tags, []any{t.Tenant, tag, t.ID})
	}
	for _, person := range t.WaitingFor() {
		waiting = append(waiting, []any{t.Tenant, person, t.ID})
	}
	for _, node := range t.StandsAt() {
		nodes = append(nodes, []any{t.Tenant, t.Service, node, t.ID})
	}
	for _, side := range []struct {
		table, columns string
		rows           [][]any
	}{
		{"ticket_tags", "(tenant, tag, ticket_id)", tags},
		{"waiting", "(tenant, person, ticket_id)", waiting},
		{"ticket_nodes", "(tenant, service, node, ticket_id)", nodes},
		{"people", "(tenant, person, part, ticket_id, seq)", people},
	} {
		if err := q.Later(ctx, `DELETE FROM `+side.table+` WHERE ticket_id = ?`, t.ID); err != nil {
			return db.Wrap("clear "+side.table, err)
		}
		if err := q.Insert(ctx, side.table+" "+side.columns, side.rows); err != nil {
			return err
		}
	}
	if err := q.Later(ctx, `UPDATE people SET ended = ? WHERE ticket_id = ? AND `+byEnded, t.Ended(), t.ID); err != nil {
		return db.Wrap("keep whether it has ended", err)
	}
	if err := p.restoreStuck(ctx, q, t); err != nil {
		return err
	}
	if err := p.restoreContents(ctx, q, t); err != nil {
		return err
	}
	return restoreWords(ctx, q, t.Tenant, t.ID, Terms(d.Opened))
}

// peopleOf gives the rows of those who have a part in a ticket: as the timeline has it, and beside that those who followed it after it was opened, or follow it no more although they were named then, of which
// no event tells. Each is there once, whatever was there before.
func peopleOf(ctx context.Context, q *db.Tx, t ticket.Ticket, list []Participant) (rows [][]any, err error) {
	var beside []string
	if err := q.All(ctx, &beside, `SELECT person FROM people WHERE ticket_id = ? AND part = 'follower' AND seq = 0 ORDER BY person`, t.ID); err != nil {
		return nil, db.Wrap("list who follows a ticket", err)
	}
	var left []string
	if err := q.All(ctx, &left, `SELECT person FROM people WHERE ticket_id = ? AND part = ?`, t.ID, string(ticket.PartLeft)); err != nil {
		return nil, db.Wrap("list who follows a ticket no more", err)
	}
	var named []string
	for _, one := range list {
		if one.Part == ticket.PartFollower {
			named = append(named, one.Person)
			if slices.Contains(left, one.Person) && !slices.Contains(beside, one.Person) {
				one.Part = ticket.PartLeft
			}
		}
		rows = append(rows, []any{t.Tenant, one.Person, string(one.Part), t.ID, one.Seq})
	}
	for _, person := range slices.Compact(beside) {
		if !slices.Contains(named, person) {
			rows = append(rows, []any{t.Tenant, person, string(ticket.PartFollower), t.ID, int64(0)})
		}
	}
	return rows, nil
}

// toldSince is when a ticket was first told of a delivery to an address of its own that still is given up or held.
const toldSince = `(SELECT MIN(a.at) FROM alerts a JOIN subscriptions s ON s.id = a.subscription_id WHERE a.ticket_id = ? AND s.ticket_id = a.ticket_id AND s.successor = ''
	AND EXISTS (SELECT 1 FROM deliveries d WHERE d.subscription_id = s.id AND d.ticket_id = s.ticket_id AND d.state IN ('held', 'failed')))`

// UndeliveredWell reports whether a ticket that has something undelivered is written down as such, since a moment at which its timeline tells of it.
func UndeliveredWell(ctx context.Context, q *db.Tx, id int64) (well bool, err error) {
	err = q.Get(ctx, &well, `SELECT CASE WHEN `+toldSince+` IS NULL THEN true ELSE EXISTS (SELECT 1 FROM stuck x JOIN alerts a ON a.ticket_id = x.ticket_id AND a.at = x.since
		WHERE x.ticket_id = ? AND x.cause = 'undelivered') END`, id, id)
	return well, db.Wrap("look for what is undelivered", err)
}

// restoreStuck writes anew why a ticket is stuck: by its process, because it is in doubt, and because something was given up that its addresses are owed. What of the last is past is pruned, as ever; that its workflow does not go on, the comparison of the two
// stores tells and takes back.
func (p *Projections) restoreStuck(ctx context.Context, q *db.Tx, t ticket.Ticket) error {
	well, err := UndeliveredWell(ctx, q, t.ID)
	if err != nil {
		return err
	}
	if err := q.Later(ctx, `DELETE FROM stuck WHERE ticket_id = ? AND cause NOT IN (?, ?) AND (cause <> 'undelivered' OR NOT ?)`, t.ID, string(ticket.CauseLost), string(ticket.CauseFailing), well); err != nil {
		return db.Wrap("clear that a ticket is stuck", err)
	}
	if err := q.Later(ctx, `UPDATE stuck SET tenant = ? WHERE ticket_id = ?`, t.Tenant, t.ID); err != nil {
		return db.Wrap("keep that a ticket is stuck", err)
	}
	if cause, since := stuckOf(t); cause != "" {
		if err := q.Insert(ctx, `stuck (ticket_id, cause, tenant, since)`, [][]any{{t.ID, string(cause), t.Tenant, since}}); err != nil {
			return err
		}
	}
	if err := q.Later(ctx, `INSERT INTO stuck (ticket_id, cause, tenant, since) SELECT ticket_id, ?, ?, at FROM doubts WHERE ticket_id = ?`, string(ticket.CauseInDoubt), t.Tenant, t.ID); err != nil {
		return db.Wrap("keep that a ticket is in doubt", err)
	}
	if well {
		return nil
	}
	return db.Wrap("keep what is undelivered", q.Later(ctx, `INSERT INTO stuck (ticket_id, cause, tenant, since) VALUES (?, ?, ?, `+toldSince+`)`, t.ID, string(ticket.CauseUndelivered), t.Tenant, t.ID))
}

// restoreContents writes anew what a ticket itself does not remember: its conversation, and the contents of its relations. It takes the same memory however long the timeline is.
func (p *Projections) restoreContents(ctx context.Context, q *db.Tx, t ticket.Ticket) error {
	for _, table := range []string{"messages", "relations"} {
		if err := q.Later(ctx, `DELETE FROM `+table+` WHERE ticket_id = ?`, t.ID); err != nil {
			return db.Wrap("clear "+table, err)
		}
	}
	return eachEvent(ctx, q, t.ID, func(_ int64, e ticket.Event, fault error) error {
		if fault != nil {
			return fault
		}
		contents := map[string][]string{}
		if o := e.After.Opening; o != nil {
			for _, r := range o.Relations {
				contents[r.Type] = r.Content
			}
		}
		if r := e.After.Relation; r != nil {
			contents[r.Type] = r.Content
		}
		var rows [][]any
		for _, kind := range slices.Sorted(maps.Keys(contents)) {
			if err := q.Later(ctx, `DELETE FROM relations WHERE ticket_id = ? AND type = ?`, t.ID, kind); err != nil {
				return db.Wrap("empty a relation", err)
			}
			for place, item := range contents[kind] {
				rows = append(rows, []any{t.ID, kind, place, item, t.Tenant})
			}
		}
		if err := q.Insert(ctx, `relations (ticket_id, type, place, content, tenant)`, rows); err != nil {
			return err
		}
		if m := e.After.Message; m != nil {
			return p.upsertMessage(ctx, q, t.ID, *m, e)
		}
		return nil
	})
}

// eachEvent goes through the events of a ticket, the first first, some at a time. fault tells of one that it cannot be read by this version: see then decides what becomes of it.
func eachEvent(ctx context.Context, q *db.Tx, id int64, see func(seq int64, e ticket.Event, fault error) error) error {
	for after, more := int64(0), true; more; {
		var rows []struct {
			Seq     int64  `db:"seq"`
			Content string `db:"content"`
		}
		if err := q.All(ctx, &rows, `SELECT seq, content FROM events WHERE ticket_id = ? AND seq > ? ORDER BY seq LIMIT ?`, id, after, chain.TimelineBatch); err != nil {
			return db.Wrap("list events", err)
		}
		for _, row := range rows {
			e, err := readEvent(id, row.Content)
			if err == nil && !e.Type.Known() {
				err = fmt.Errorf("event %d of ticket %d is of the unknown type %q", row.Seq, id, e.Type)
			}
			if err := see(row.Seq, e, err); err != nil {
				return err
			}
			after = row.Seq
		}
		more = len(rows) == chain.TimelineBatch
	}
	return nil
}

// restoreWords has a ticket found by these terms and no others. Where it waits to be posted it goes on waiting.
func restoreWords(ctx context.Context, q *db.Tx, tenant string, id int64, terms []string) error {
	// Held, so that nobody posts it meanwhile; if somebody did just now, it is gone.
	waits, err := q.Find(ctx, new(int64), q.Locking(`SELECT ticket_id FROM unposted WHERE ticket_id = ?`, db.Exclusive), id)
	if err != nil {
		return db.Wrap("read the words of a ticket", err)
	}
	if waits {
		if err := q.Later(ctx, `UPDATE unposted SET tenant = ?, terms = ? WHERE ticket_id = ?`, tenant, waitingTerms(terms), id); err != nil {
			return db.Wrap("write the words of a ticket", err)
		}
		terms = nil
	}
	block, err := ReadBlock(ctx, q, tenant, id)
	if err != nil {
		return err
	}
	return setTerms(ctx, q, block, id, terms)
}

// setTerms has a ticket of a block stand with these terms and no others. It goes through them in the order in which all do that write postings.
func setTerms(ctx context.Context, q *db.Tx, block *Block, id int64, terms []string) error {
	has := block.Terms(id)
	for _, term := range db.Distinct(slices.Concat(has, terms)) {
		is, ought := slices.Contains(has, term), slices.Contains(terms, term)
		var err error
		switch {
		case is && !ought:
			err = removeMember(ctx, q, place{block.tenant, term, block.number}, member(id))
		case ought && !is:
			err = posting{{block.tenant, term, block.number}: member(id)}.write(ctx, q)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeMember takes a ticket out of a posting.
func removeMember(ctx context.Context, q *db.Tx, at place, who string) error {
	var members string
	found, err := q.Find(ctx, &members, q.Locking(`SELECT members FROM postings WHERE tenant = ? AND term = ? AND block = ?`, db.Exclusive), at.tenant, []byte(at.term), at.block)
	if err != nil || !found {
		return db.Wrap("read a posting", err)
	}
	var left strings.Builder
	for i := 0; i+1 < len(members); i += 2 {
		if one := members[i : i+2]; one != who {
			left.WriteString(one)
		}
	}
	if left.Len() == 0 {
		return db.Wrap("remove a posting", q.Later(ctx, `DELETE FROM postings WHERE tenant = ? AND term = ? AND block = ?`, at.tenant, []byte(at.term), at.block))
	}
	return db.Wrap("write a posting", q.Later(ctx, `UPDATE postings SET members = ? WHERE tenant = ? AND term = ? AND block = ?`, left.String(), at.tenant, []byte(at.term), at.block))
}
