package tickets

import (
	"cmp"
	"context"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"

	"signalbox/store/db"
	"signalbox/ticket"
)

const (
	blockSize = 512 // ids whose tickets share a posting of a term
	postBatch = 512 // tickets that are posted in one transaction
	postEvery = 512 // openings after which the tickets that wait are posted
)

// digits are those of a member's place in its block.
const digits = "0123456789abcdefghijklmnopqrstuv"

func blockOf(id int64) int64 { return id / blockSize }

// member gives the place of a ticket in its block, as postings has it.
func member(id int64) string {
	place := id % blockSize
	return string([]byte{digits[place/32], digits[place%32]})
}

// members are tickets of one block.
type members [blockSize / 64]uint64

func (m *members) add(id int64) { m[id%blockSize/64] |= 1 << (id % 64) }

func (m *members) has(id int64) bool { return m[id%blockSize/64]&(1<<(id%64)) != 0 }

// read adds those of a posting.
func (m *members) read(text string) {
	for i := 0; i+1 < len(text); i += 2 {
		m.add(int64(strings.IndexByte(digits, text[i])*32 + strings.IndexByte(digits, text[i+1])))
	}
}

// fill has all tickets of a block among them.
func (m *members) fill() {
	for i := range m {
		m[i] = math.MaxUint64
	}
}

func (m *members) unite(with *members) {
	for i := range m {
		m[i] |= with[i]
	}
}

func (m *members) intersect(with *members) {
	for i := range m {
		m[i] &= with[i]
	}
}

// ids gives those below a bound, the highest first.
func (m *members) ids(block, below int64) (list []int64) {
	for i := len(m) - 1; i >= 0; i-- {
		for word := m[i]; word != 0; {
			top := 63 - bits.LeadingZeros64(word)
			word &^= 1 << top
			if id := block*blockSize + int64(i*64+top); id < below {
				list = append(list, id)
			}
		}
	}
	return list
}

// waitingTerms are the terms of a ticket that is not posted, as unposted has them: terms consist of letters, digits and marks, so that a space parts them.
func waitingTerms(terms []string) string { return " " + strings.Join(terms, " ") + " " }

// queueTerms has a ticket found that is being opened.
func (p *Projections) queueTerms(ctx context.Context, q *db.Tx, t ticket.Ticket) error {
	if t.ID%postEvery == 0 {
		p.postSoon()
	}
	return q.Insert(ctx, `unposted (ticket_id, tenant, terms)`, [][]any{{t.ID, t.Tenant, waitingTerms(Terms(t))}})
}

// postSoon posts what waits, beside whoever asks for it; once at a time.
func (p *Projections) postSoon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.posting || p.background.Err() != nil {
		return
	}
	p.posting = true
	p.ended.Go(func() {
		if err := p.Post(p.background); err != nil && p.background.Err() == nil {
			p.db.Log.Warn("words.not_posted", "error", err.Error()) // they are found all the same, and the next who posts takes them along
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.posting = false
	})
}

// Post moves the terms of tickets that wait into the postings, and those of tickets that a version without postings wrote. It may be repeated, and interrupted, and several
// may do so at once; a ticket is found before, meanwhile and afterwards. db.Left: rows of some of the latter cannot be read; all others were posted.
func (p *Projections) Post(ctx context.Context) error {
	var left db.Left
	after := int64(math.MinInt64)
	for n := postBatch; n == postBatch; {
		var unread []unreadRow
		err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
			rows, err := earlierRows(ctx, q, after)
			if err == nil {
				unread, err = postEarlier(ctx, q, rows)
			}
			if n = len(rows); n > 0 {
				after = rows[n-1].ID
			}
			return err
		})
		if err != nil {
			return db.Wrap("post the words of tickets", err)
		}
		left += p.tellUnread(ctx, unread, "words")
	}
	for n := postBatch; n == postBatch; {
		err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) (err error) {
			n, err = p.postWaiting(ctx, q)
			return err
		})
		if err != nil {
			return db.Wrap("post the words of tickets", err)
		}
	}
	return left.With(nil)
}

// postWaiting posts tickets that wait. What others hold is waited for: they post it, and then it is gone.
func (p *Projections) postWaiting(ctx context.Context, q *db.Tx) (n int, err error) {
	var rows []struct {
		ID     int64  `db:"ticket_id"`
		Tenant string `db:"tenant"`
		Terms  string `db:"terms"`
	}
	if err := q.All(ctx, &rows, q.Locking(`SELECT ticket_id, tenant, terms FROM unposted ORDER BY ticket_id LIMIT ?`, db.Exclusive), postBatch); err != nil || len(rows) == 0 {
		return 0, err
	}
	ids, found := make([]int64, len(rows)), posting{}
	for i, row := range rows {
		ids[i] = row.ID
		found.add(row.Tenant, row.ID, strings.Fields(row.Terms))
	}
	if err := found.write(ctx, q); err != nil {
		return 0, err
	}
	return len(rows), q.LaterIn(ctx, `DELETE FROM unposted WHERE ticket_id IN (?)`, ids)
}

// earlierRows lists tickets of the version before, behind an id, and holds them.
func earlierRows(ctx context.Context, q *db.Tx, after int64) (rows []stateRow, err error) {
	err = q.All(ctx, &rows, q.Locking(`SELECT id, number, tenant, state FROM tickets WHERE NOT posted AND id > ? ORDER BY id LIMIT ?`, db.Exclusive), after, postBatch)
	return rows, err
}

// postEarlier posts them, and gives those that cannot be read.
func postEarlier(ctx context.Context, q *db.Tx, rows []stateRow) ([]unreadRow, error) {
	list, unread := readStates(rows)
	if len(list) == 0 {
		return unread, nil
	}
	ids, found := make([]int64, len(list)), posting{}
	for i, t := range list {
		ids[i] = t.ID
		found.add(t.Tenant, t.ID, Terms(t))
	}
	if err := found.write(ctx, q); err != nil {
		return nil, err
	}
	return unread, q.LaterIn(ctx, `UPDATE tickets SET posted = true WHERE id IN (?)`, ids)
}

// place is where a posting stands.
type place struct {
	tenant, term string
	block        int64
}

// posting is what is to be added to the postings.
type posting map[place]string

func (p posting) add(tenant string, id int64, terms []string) {
	for _, term := range terms {
		p[place{tenant, term, blockOf(id)}] += member(id)
	}
}

// write adds it, in one order, so that those who add to the same rows wait for each other and not in a circle.
func (p posting) write(ctx context.Context, q *db.Tx) error {
	var rows [][]any
	for _, at := range slices.SortedFunc(maps.Keys(p), func(a, b place) int {
		return cmp.Or(strings.Compare(a.tenant, b.tenant), strings.Compare(a.term, b.term), cmp.Compare(a.block, b.block))
	}) {
		rows = append(rows, []any{at.tenant, []byte(at.term), at.block, p[at]})
	}
	return q.Upsert(ctx, `postings (tenant, term, block, members)`, rows, `(tenant, term, block) DO UPDATE SET members = postings.members || excluded.members`)
}

// Block is what the tickets of a tenant within one block are found by.
type Block struct {
	tenant string
	number int64
	terms  map[string]*members
}

// Of reports whether a ticket lies in the block.
func (b *Block) Of(tenant string, id int64) bool {
	return b != nil && b.tenant == tenant && b.number == blockOf(id)
}

// Terms gives those of a ticket.
func (b *Block) Terms(id int64) (list []string) {
	for term, m := range b.terms {
		if m.has(id) {
			list = append(list, term)
		}
	}
	return list
}

// ReadBlock reads the block of a ticket.
func ReadBlock(ctx context.Context, q *db.Tx, tenant string, id int64) (*Block, error) {
	b := &Block{tenant, blockOf(id), map[string]*members{}}
	var rows []postingRow
	if err := q.All(ctx, &rows, `SELECT term, block, members FROM postings WHERE tenant = ? AND block = ?`, b.tenant, b.number); err != nil {
		return nil, db.Wrap("read postings", err)
	}
	for _, r := range rows {
		b.terms[string(r.Term)] = &members{}
		b.terms[string(r.Term)].read(r.Members)
	}
	return b, nil
}

// Waiting gives the terms of a ticket of the tenant that is not posted yet; none: it is posted.
func Waiting(ctx context.Context, q *db.Tx, tenant string, id int64) ([]string, error) {
	var terms string
	_, err := q.Find(ctx, &terms, `SELECT terms FROM unposted WHERE ticket_id = ? AND tenant = ?`, id, tenant)
	return strings.Fields(terms), db.Wrap("read the words of a ticket", err)
}
