package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/tickets"
	"signalbox/ticket"
)

// ticketRow is a ticket's row with all that is copied out of its state.
type ticketRow struct {
	ID        int64         `db:"id"`
	Tenant    string        `db:"tenant"`
	Number    string        `db:"number"`
	UUID      string        `db:"uuid"`
	Open      bool          `db:"open"`
	Phase     string        `db:"phase"`
	Origin    string        `db:"origin"`
	Service   string        `db:"service"`
	Assignee  string        `db:"assignee"`
	CreatedAt db.Timestamp  `db:"created_at"`
	UpdatedAt db.Timestamp  `db:"updated_at"`
	EndedAt   *db.Timestamp `db:"ended_at"`
	SLA       string        `db:"sla"`
	DueAt     *db.Timestamp `db:"due_at"`
	Seq       int64         `db:"seq"`
	State     string        `db:"state"`
	Chain     string        `db:"chain"`
	Posted    bool          `db:"posted"`
	Folded    bool          `db:"folded"`
	Doubt     string        `db:"doubt"`
}

var ticketColumns = `id, tenant, number, uuid, open, phase, origin, service, assignee, created_at, updated_at, ended_at, sla, due_at, seq, state, chain, posted, folded, ` +
	db.DoubtOf("tickets") + ` AS doubt`

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
	opened   ticket.Ticket           // as it was opened
	parts    map[part]int64          // who has which part, and with which event it came
	asked    []string                // who is asked to approve
	blind    bool                    // what the state should be cannot be told
	sound    bool                    // its timeline is what was written there, all of it, and can be read
	stale    []string                // what no fault is, as versions before may have left it so, and is made anew all the same
}

// messageTimes is where and when a message was said, and last revised.
type messageTimes struct {
	seq           int64
	said, revised db.Timestamp
}

// told adds what is wrong with it beside its timeline.
func (i *inspection) told() {
	if i.row.Doubt != "" {
		i.fault("it is in doubt, until migrate reconcile has seen to it: %s", i.row.Doubt)
	}
}

func (i *inspection) clean() bool { return len(i.faults) == 0 && i.unchained == 0 }

func (i *inspection) fault(format string, args ...any) {
	i.faults = append(i.faults, fmt.Sprintf(format, args...))
}

// inspect looks at one ticket, holding its row or not; false: it has none.
func (v *verification) inspect(ctx context.Context, q *db.Tx, id int64, hold bool) (i *inspection, known bool, err error) {
	i = &inspection{next: 1, messages: map[string]messageTimes{}, parts: map[part]int64{}}
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
		if err = i.compareSides(ctx, q); err == nil {
			if hold {
				v.block = nil // what was read before may be of before
			}
			v.block, err = i.compareWords(ctx, q, v.block)
		}
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
	if o := e.After.Opening; o != nil {
		i.opened = i.state
		i.join(o.Opener, ticket.PartOpener, e.Seq)
		for _, person := range o.Followers {
			i.join(person, ticket.PartFollower, e.Seq)
		}
	}
	i.join(e.Acted(), ticket.PartActor, e.Seq)
	if asked := i.state.Approvers(); !slices.Equal(asked, i.asked) {
		maps.DeleteFunc(i.parts, func(p part, _ int64) bool { return p.Part == ticket.PartApprover })
		for _, person := range asked {
			i.join(person, ticket.PartApprover, e.Seq)
		}
		i.asked = asked
	}
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

// part is somebody's part in a ticket.
type part struct {
	Person string      `db:"person"`
	Part   ticket.Part `db:"part"`
}

// partRow is a part as it is written down.
type partRow struct {
	part
	Tenant string `db:"tenant"`
	Seq    int64  `db:"seq"`
	Ended  bool   `db:"ended"`
}

// join gives somebody a part; who has it already keeps the place that comes with it.
func (i *inspection) join(person string, as ticket.Part, seq int64) {
	p := part{db.CleanText(person), as}
	if _, has := i.parts[p]; person != "" && !has {
		i.parts[p] = seq
	}
}

// end looks at where the chain ends, and the timeline.
func (i *inspection) end(a chain.Keyring) {
	h, _ := chain.ParseTip(i.row.Chain)
	i.backfilled = h.Backfilled
	i.sound = len(i.faults) == 0 && !i.blind && i.next > 1 && a.Intact(i.row.ID, i.row.Chain) && h.Last == i.last && h.Rows == i.chained
	switch {
	case i.next <= i.row.Seq && i.sound:
		i.fault("its row ends with event %d, and its timeline with event %d", i.row.Seq, i.next-1)
	case i.next <= i.row.Seq:
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
		// A process of a version before writes SLAState.
		{"sla", r.SLA == t.SLAListed() || r.SLA == t.SLAState()}, {"due_at", sameTime(r.DueAt, t.DueAt())},
	} {
		if !column.same {
			wrong = append(wrong, column.name)
		}
	}
	switch same := sameTime(r.EndedAt, t.EndedAt()); {
	case !same && i.old():
		i.stale = append(i.stale, "when it ended is not written down")
	case !same:
		wrong = append(wrong, "ended_at")
	}
	if len(wrong) > 0 {
		i.fault("its row says something else than its timeline: %s", strings.Join(wrong, ", "))
	}
}

// sameTime compares a column with the time that it has to hold.
func sameTime(column *db.Timestamp, is *time.Time) bool {
	return (is == nil) == (column == nil) && (is == nil || *column == db.At(*is))
}

// old reports whether some of the ticket is from before the chain, and so perhaps from before ended_at and people were kept.
func (i *inspection) old() bool { return i.backfilled+i.unchained > 0 }

// compareSides holds the tables beside the ticket's row against its timeline.
func (i *inspection) compareSides(ctx context.Context, q *db.Tx) error {
	for _, compare := range []func(context.Context, *db.Tx) error{i.compareMessages, i.compareRelations, i.compareLists, i.comparePeople, i.compareStuck} {
		if err := compare(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// compareStuck holds why it cannot go on, and since when. What is undelivered, and that its workflow does not go on, no event tells.
func (i *inspection) compareStuck(ctx context.Context, q *db.Tx) error {
	var rows []struct {
		Cause  ticket.Cause `db:"cause"`
		Tenant string       `db:"tenant"`
		Since  db.Timestamp `db:"since"`
	}
	if err := q.All(ctx, &rows, `SELECT cause, tenant, since FROM stuck WHERE ticket_id = ?`, i.row.ID); err != nil {
		return db.Wrap("look for why a ticket is stuck", err)
	}
	want, stuck := i.state.Stuck()
	same, doubted := true, false
	for _, r := range rows {
		same = same && r.Tenant == i.state.Tenant
		switch r.Cause {
		case ticket.CauseUndelivered, ticket.CauseLost, ticket.CauseFailing:
		case ticket.CauseInDoubt:
			doubted = true
		default:
			same = same && stuck && r.Cause == want.Cause && r.Since == db.At(want.Since)
			stuck = false // it was found
		}
	}
	if !same || stuck || doubted != (i.row.Doubt != "") {
		i.fault("why it is listed as stuck, or since when, is not what its timeline says")
	}
	well, err := tickets.UndeliveredWell(ctx, q, i.row.ID)
	if err == nil && !well {
		i.stale = append(i.stale, "that something of its own was given up is not listed as its timeline tells it")
	}
	return err
}

// compareLists holds tags, and whom it asks to act.
func (i *inspection) compareLists(ctx context.Context, q *db.Tx) error {
	for _, side := range []struct {
		table, column, fault string
		want                 []string
	}{
		{"ticket_tags", "tag", "the tags that it is found by are not its own", i.opened.Tags},
		{"ticket_nodes", "node", "the nodes at which it is listed are not those at which it stands", i.state.StandsAt()},
		{"waiting", "person", "whom it is listed as waiting for is not whom it asks", i.state.WaitingFor()},
	} {
		var rows []struct {
			Tenant  string `db:"tenant"`
			Value   string `db:"value"`
			Service string `db:"service"`
		}
		service := `CAST(? AS text)`
		if side.table == "ticket_nodes" {
			service = `COALESCE(service, ?)`
		}
		if err := q.All(ctx, &rows, `SELECT tenant, `+side.column+` AS value, `+service+` AS service FROM `+side.table+` WHERE ticket_id = ?`, i.state.Service, i.row.ID); err != nil {
			return db.Wrap("list "+side.table, err)
		}
		strange := false
		have := make([]string, len(rows))
		for n, r := range rows {
			have[n], strange = r.Value, strange || r.Tenant != i.state.Tenant || r.Service != i.state.Service
		}
		if strange || !sameSet(have, side.want) {
			i.fault("%s", side.fault)
		}
	}
	return nil
}

// sameSet reports whether two lists have the same texts in them.
func sameSet(a, b []string) bool { return slices.Equal(db.Distinct(a), db.Distinct(b)) }

// compareWords holds the words that the ticket is found by. block is that of the ticket before, which may be this one's too; nil: it is read.
func (i *inspection) compareWords(ctx context.Context, q *db.Tx, block *tickets.Block) (*tickets.Block, error) {
	if !i.row.Posted || !i.row.Folded {
		i.stale = append(i.stale, "its words are written as versions before wrote them")
	}
	if !i.row.Posted { // it is found where the version before looks, until it is posted
		return block, nil
	}
	have, err := tickets.Waiting(ctx, q, i.state.Tenant, i.row.ID)
	if err != nil {
		return nil, err
	}
	if len(have) == 0 {
		if !block.Of(i.state.Tenant, i.row.ID) {
			if block, err = tickets.ReadBlock(ctx, q, i.state.Tenant, i.row.ID); err != nil {
				return nil, err
			}
		}
		have = block.Terms(i.row.ID)
	}
	if !sameSet(have, tickets.Terms(i.opened)) {
		i.fault("the words that it is found by are not its own")
	}
	return block, nil
}

// comparePeople holds who has which part. The place of an approver is no fault: in earlier versions it depended on how many events were projected at once.
func (i *inspection) comparePeople(ctx context.Context, q *db.Tx) error {
	var rows []partRow
	if err := q.All(ctx, &rows, `SELECT tenant, person, part, seq, ended FROM people WHERE ticket_id = ?`, i.row.ID); err != nil {
		return db.Wrap("list people", err)
	}
	strange := slices.ContainsFunc(rows, func(r partRow) bool { return r.Tenant != i.state.Tenant })
	i.compareEnded(rows)
	rows = slices.DeleteFunc(rows, func(r partRow) bool { return r.Part == ticket.PartFollower && r.Seq == 0 }) // they followed it later, of which no event tells
	same, placed := len(rows) == len(i.parts) && !strange, true
	for _, r := range rows {
		if r.Part == ticket.PartLeft {
			r.Part = ticket.PartFollower
		}
		seq, has := i.parts[r.part]
		same = same && has && (r.Seq == seq || r.Part == ticket.PartApprover)
		placed = placed && r.Seq == seq
	}
	switch {
	case !same && !i.old():
		i.fault("its people, or their parts, are not those of its timeline")
	case !same || !placed:
		i.stale = append(i.stale, "its people, or since when they are, are written as versions before wrote them")
	}
	return nil
}

// compareEnded holds whether it has ended, as it is kept with those who opened and follow it. Of those who came later, of which no event tells, it may be missing.
func (i *inspection) compareEnded(rows []partRow) {
	missing, wrong := false, false
	for _, r := range rows {
		ended := i.state.Ended() && slices.Contains([]ticket.Part{ticket.PartOpener, ticket.PartFollower, ticket.PartLeft}, r.Part)
		wrong = wrong || r.Ended && !ended
		missing = missing || !r.Ended && ended && r.Seq > 0
	}
	if wrong {
		i.fault("somebody who opened or follows it does not find it among what is open")
	}
	if missing {
		i.stale = append(i.stale, "that it has ended is not kept with who opened or follows it, as versions before leave it")
	}
}

// compareMessages holds what is shown of the conversation against what the ticket remembers of it.
func (i *inspection) compareMessages(ctx context.Context, q *db.Tx) error {
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
	return nil
}

// compareRelations does so with relations.
func (i *inspection) compareRelations(ctx context.Context, q *db.Tx) error {
	var rows []struct {
		tickets.RelationRow
		Tenant string `db:"tenant"`
		Place  int    `db:"place"`
	}
	if err := q.All(ctx, &rows, `SELECT type, content, tenant, place FROM relations WHERE ticket_id = ? ORDER BY type, place`, i.row.ID); err != nil {
		return db.Wrap("list relations", err)
	}
	related := map[string][]string{}
	strange, moved := false, false
	for _, r := range rows {
		strange, moved = strange || r.Tenant != i.state.Tenant, moved || r.Place != len(related[r.Type])
		related[r.Type] = append(related[r.Type], r.Content)
	}
	if strange {
		i.fault("it has relations of another tenant")
	}
	if moved {
		i.fault("its relations are not in the places in which they were written")
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
