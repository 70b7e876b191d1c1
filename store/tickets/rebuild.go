package tickets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"signalbox/desk"
	"signalbox/store/db"
	"signalbox/store/tallies"
	"signalbox/ticket"
)

const (
	recountBatch = 500 // tickets that are listed at once to be counted
	correctBatch = 500 // counts that are put right in one transaction
)

// rowsWhere is the condition for rows behind an id and up to another.
func rowsWhere(tenant string, after, last int64) *db.Where {
	w := &db.Where{}
	w.AndIf(tenant != "", `tenant = ?`, tenant)
	w.And(`id > ? AND id <= ?`, after, last)
	return w
}

// CountRows counts rows of tickets: see desk.ReadModel.
func (p *Projections) CountRows(ctx context.Context, tenant string, after, last int64) (open, ended int, err error) {
	var rows []struct {
		Open bool `db:"open"`
		N    int  `db:"n"`
	}
	w := rowsWhere(tenant, after, last)
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("count tickets", q.All(db.Once(ctx), &rows, `SELECT open, COUNT(*) AS n FROM tickets WHERE `+w.String()+` GROUP BY open`, w.Args()...))
	})
	for _, r := range rows {
		if r.Open {
			open = r.N
		} else {
			ended = r.N
		}
	}
	return open, ended, err
}

// RowsBehind lists ids of tickets: see desk.ReadModel.
func (p *Projections) RowsBehind(ctx context.Context, tenant string, after, last int64, limit int) (ids []int64, err error) {
	w := rowsWhere(tenant, after, last)
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("list tickets", q.All(db.Once(ctx), &ids, `SELECT id FROM tickets WHERE `+w.String()+` ORDER BY id LIMIT ?`, append(w.Args(), limit)...))
	})
	return ids, err
}

// TicketIDs gives the ids of tickets by their numbers: see desk.ReadModel.
func (p *Projections) TicketIDs(ctx context.Context, tenant string, numbers []string) (map[string]int64, error) {
	var rows []struct {
		ID     int64  `db:"id"`
		Number string `db:"number"`
		Tenant string `db:"tenant"`
	}
	out := map[string]int64{}
	err := p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("look for tickets", q.AllIn(ctx, &rows, `SELECT id, number, tenant FROM tickets WHERE number IN (?)`, numbers))
	})
	for _, r := range rows {
		if tenant == "" || r.Tenant == tenant {
			out[r.Number] = r.ID
		}
	}
	return out, err
}

// RebuildPoint gives how far tickets were made anew: see desk.ReadModel.
func (p *Projections) RebuildPoint(ctx context.Context, tenant string) (point desk.RebuildPoint, found bool, err error) {
	var content string
	err = p.db.Read(ctx, func(q *db.Tx) error {
		found, err = q.Find(ctx, &content, `SELECT content FROM rebuilds WHERE tenant = ?`, tenant)
		return db.Wrap("read how far tickets were made anew", err)
	})
	if err == nil && found {
		err = db.Wrap("read how far tickets were made anew", json.Unmarshal([]byte(content), &point))
	}
	return point, found, err
}

// KeepRebuildPoint keeps it: see desk.ReadModel.
func (p *Projections) KeepRebuildPoint(ctx context.Context, tenant string, point *desk.RebuildPoint) error {
	return p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if point == nil {
			_, err := q.Exec(ctx, `DELETE FROM rebuilds WHERE tenant = ?`, tenant)
			return db.Wrap("forget how far tickets were made anew", err)
		}
		content, err := json.Marshal(point)
		if err != nil {
			return err
		}
		_, err = q.Exec(ctx, `INSERT INTO rebuilds (tenant, content, updated_at) VALUES (?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET content = excluded.content, updated_at = excluded.updated_at`,
			tenant, string(content), db.At(q.Now()))
		return db.Wrap("keep how far tickets were made anew", err)
	})
}

// TenantBehind gives the next tenant: see desk.ReadModel.
func (p *Projections) TenantBehind(ctx context.Context, after string) (string, error) {
	var next *string
	const first = `SELECT MIN(tenant) AS tenant FROM `
	err := p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("look for tenants", q.Get(ctx, &next, `SELECT MIN(tenant) FROM (`+first+`tickets WHERE tenant > ? UNION ALL `+first+`deliveries WHERE tenant > ? UNION ALL `+
			first+`tallies WHERE tenant > ? UNION ALL `+first+`tallied WHERE tenant > ? UNION ALL `+first+`tally_entries WHERE tenant > ?) t`, after, after, after, after, after))
	})
	if err != nil || next == nil {
		return "", err
	}
	return *next, nil
}

// Recount counts a tenant's tickets and deliveries and corrects what was counted: see desk.ReadModel. Both are read as of one moment, in which every change is with what was counted of it or
// not there at all; by how much a count is off then, it stays off whatever is counted meanwhile, so that is added to it. Nobody waits for it. Whoever else did so at the same time would add it a second
// time: it is to be called within db.Alone.
func (p *Projections) Recount(ctx context.Context, tenant string, dry bool) (out desk.Recounted, err error) {
	off := map[ticket.Tally]int{}
	see := func(t ticket.Tally) {
		n := t.N
		t.N = 0
		off[t] += n
	}
	err = p.db.Snapshot(ctx, func(q *db.Tx) error {
		var upTo int64
		if err := q.Get(ctx, &upTo, `SELECT up_to FROM untallied`); err != nil { // those are counted later
			return db.Wrap("look for what is not counted", err)
		}
		if out.Unread, err = p.countAll(ctx, q, tenant, upTo, see); err != nil {
			return err
		}
		if err := p.outbox.Counted(ctx, q, tenant, see); err != nil {
			return err
		}
		return tallies.Each(ctx, q, tenant, "", func(t ticket.Tally) {
			t.N = -t.N
			see(t)
		})
	})
	if err != nil {
		return out, err
	}
	var list []tallies.Sum
	for t, n := range off {
		if n != 0 {
			t.N = n
			list = append(list, tallies.Sum{Tenant: tenant, Tally: t})
		}
	}
	if out.Wrong = len(list); dry || out.Wrong == 0 {
		return out, nil
	}
	slices.SortFunc(list, func(a, b tallies.Sum) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Service, b.Service), strings.Compare(a.What, b.What), strings.Compare(a.Detail, b.Detail))
	})
	for some := range slices.Chunk(list, correctBatch) {
		err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
			if err := tallies.AddUp(ctx, q, some); err != nil {
				return err
			}
			return q.Later(ctx, `DELETE FROM tallies WHERE tenant = ? AND n = 0`, tenant)
		})
		if err != nil {
			return out, db.Wrap("put counts right", err)
		}
	}
	return out, nil
}

// countAll tells of what a tenant's tickets behind an id come to, and gives the events that cannot be read.
func (p *Projections) countAll(ctx context.Context, q *db.Tx, tenant string, after int64, see func(ticket.Tally)) (unread []desk.UnreadEvent, err error) {
	for n := recountBatch; n == recountBatch; {
		var heads []db.TicketHead
		if err := q.All(ctx, &heads, `SELECT id, number, tenant, seq FROM tickets WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`, tenant, after, recountBatch); err != nil {
			return nil, db.Wrap("list tickets", err)
		}
		for _, head := range heads {
			c, err := p.count(ctx, q, head, see)
			if err != nil {
				return nil, err
			}
			for _, seq := range c.unread {
				unread = append(unread, desk.UnreadEvent{Identity: ticket.Identity{ID: head.ID, Number: head.Number, Tenant: head.Tenant}, Seq: seq})
			}
			after = head.ID
		}
		n = len(heads)
	}
	return unread, nil
}

// ClearWords takes out of a block of words what leads to no ticket: see desk.ReadModel.
func (p *Projections) ClearWords(ctx context.Context, tenant string, after desk.WordBlock, dry bool) (at desk.WordBlock, stray int, found bool, err error) {
	w := &db.Where{}
	if tenant != "" {
		w.And(`tenant = ?`, tenant)
	}
	if after == (desk.WordBlock{}) {
		after.Number = math.MinInt64
	}
	w.And(`(tenant, block) > (?, ?)`, after.Tenant, after.Number)
	var next struct {
		Tenant string `db:"tenant"`
		Block  int64  `db:"block"`
	}
	var block *Block
	var orphans []int64
	err = p.db.Read(ctx, func(q *db.Tx) error {
		if found, err = q.Find(db.Once(ctx), &next, `SELECT tenant, block FROM postings WHERE `+w.String()+` ORDER BY tenant, block LIMIT 1`, w.Args()...); err != nil || !found {
			return db.Wrap("read postings", err)
		}
		if block, err = ReadBlock(ctx, q, next.Tenant, next.Block*blockSize); err != nil {
			return err
		}
		all := &members{}
		for _, m := range block.terms {
			all.unite(m)
		}
		var ids []int64
		if err := q.All(ctx, &ids, `SELECT id FROM tickets WHERE tenant = ? AND id >= ? AND id < ?`, next.Tenant, next.Block*blockSize, (next.Block+1)*blockSize); err != nil {
			return db.Wrap("list tickets", err)
		}
		for _, id := range all.ids(next.Block, math.MaxInt64) {
			if !slices.Contains(ids, id) {
				orphans = append(orphans, id)
			}
		}
		return nil
	})
	if err != nil || !found {
		return at, 0, false, err
	}
	at, stray = desk.WordBlock{Tenant: next.Tenant, Number: next.Block}, len(orphans)
	for _, id := range orphans {
		if dry {
			break
		}
		if err := p.clearStray(ctx, block, id); err != nil {
			return at, stray, true, err
		}
	}
	return at, stray, true, nil
}

// errOpened tells that there is a ticket now whose words were about to be removed.
var errOpened = errors.New("it was opened meanwhile")

// clearStray takes a ticket that is not there out of a block of words.
func (p *Projections) clearStray(ctx context.Context, block *Block, id int64) error {
	err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		if err := setTerms(ctx, q, block, id, nil); err != nil {
			return err
		}
		// Last, when its postings are held: whoever opens it now posts it only after this.
		opened, err := q.Find(ctx, new(int64), `SELECT id FROM tickets WHERE id = ? AND tenant = ?`, id, block.tenant)
		if err == nil && opened {
			err = errOpened
		}
		return err
	})
	if errors.Is(err, errOpened) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clear words of ticket %d: %w", id, err)
	}
	return nil
}
