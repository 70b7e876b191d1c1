package tickets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"signalbox/store/db"
	"signalbox/store/outbox"
	"signalbox/store/tallies"
	"signalbox/ticket"
)

// tally counts what steps come to, unless the ticket is one that was not counted yet: then migrate counts these too. Its row is held, and so is told when the row is written.
func (p *Projections) tally(ctx context.Context, q *db.Tx, steps []outbox.Step) error {
	last := steps[len(steps)-1].After
	var list []ticket.Tally
	for _, s := range steps {
		list = append(list, ticket.Happened(s.Before, s.After, s.Event, p.tallies.Zone())...)
	}
	list = append(list, ticket.Moved(steps[0].Before, last, p.tallies.Zone())...)
	return p.tallies.Add(ctx, q, fmt.Sprintf("%d:%d", last.ID, last.Seq), last.Tenant, list, db.Expr{SQL: `? > (SELECT up_to FROM untallied)`, Args: []any{last.ID}})
}

// counted is what was counted of a ticket.
type counted struct {
	db.TicketHead
	stands ticket.Ticket // as it stands now
	unread []int64       // the numbers of its events that cannot be read, of which nothing is counted
}

// count tells of what a ticket comes to: what happened to it, and where it stands. An event that cannot be read is passed over. Where it stands is then told from its row, from which whoever
// projects goes on counting, and what happened behind an opening that cannot be read is told of by nobody.
func (p *Projections) count(ctx context.Context, q *db.Tx, head db.TicketHead, see func(ticket.Tally)) (c counted, err error) {
	c.TicketHead = head
	opened := false
	err = eachEvent(ctx, q, head.ID, func(seq int64, e ticket.Event, fault error) error {
		if fault != nil {
			c.unread = append(c.unread, seq)
			return nil
		}
		is := ticket.Evolve(c.stands, e)
		if opened = opened || e.After.Opening != nil; opened {
			for _, one := range ticket.Happened(c.stands, is, e, p.tallies.Zone()) {
				see(one)
			}
		}
		c.stands = is
		return nil
	})
	if err != nil {
		return c, err
	}
	if len(c.unread) > 0 {
		var state string
		if err := q.Get(ctx, &state, `SELECT state FROM tickets WHERE id = ?`, head.ID); err != nil {
			return c, db.Wrap("read a ticket", err)
		}
		if t, err := db.DecodeTicket(state); err == nil {
			c.stands = t
		}
	}
	for _, one := range ticket.Moved(ticket.Ticket{}, c.stands, p.tallies.Zone()) {
		see(one)
	}
	return c, nil
}

// earlierBatch is how many tickets of earlier versions are counted in one transaction.
const earlierBatch = 100

// countEarlier counts tickets of versions that counted nothing, those with the highest ids first, and writes down at which nodes they stand and whose SLAs were kept: their timelines are read
// with their rows held.
func (p *Projections) countEarlier(ctx context.Context, q *db.Tx) (done []counted, more bool, err error) {
	var upTo int64
	if err := q.Get(ctx, &upTo, q.Locking(`SELECT up_to FROM untallied`, db.Exclusive)); err != nil || upTo <= 0 {
		return nil, false, err
	}
	var ids []int64
	if err := q.All(ctx, &ids, `SELECT id FROM tickets WHERE id <= ? ORDER BY id DESC LIMIT ?`, upTo, earlierBatch); err != nil {
		return nil, false, err
	}
	held, err := q.LockTickets(ctx, ids)
	if err != nil {
		return nil, false, err
	}
	var all []tallies.Sum
	var nodes [][]any
	var kept []int64
	for _, head := range held {
		c, err := p.count(ctx, q, head, func(one ticket.Tally) { all = append(all, tallies.Sum{Tenant: head.Tenant, Tally: one}) })
		if err != nil {
			return nil, false, err
		}
		for _, node := range c.stands.StandsAt() {
			nodes = append(nodes, []any{head.Tenant, c.stands.Service, node, head.ID})
		}
		if c.stands.SLAListed() == ticket.SLAKept {
			kept = append(kept, head.ID)
		}
		done = append(done, c)
	}
	if err := q.InsertMissing(ctx, intoNodes, nodes); err != nil {
		return nil, false, err
	}
	if len(kept) > 0 {
		if err := q.LaterIn(ctx, `UPDATE tickets SET sla = ? WHERE id IN (?)`, ticket.SLAKept, kept); err != nil {
			return nil, false, err
		}
	}
	if err := tallies.AddUp(ctx, q, all); err != nil {
		return nil, false, err
	}
	if upTo = 0; len(ids) == earlierBatch {
		upTo = slices.Min(ids) - 1
	}
	_, err = q.Exec(ctx, `UPDATE untallied SET up_to = ?`, upTo)
	return done, upTo > 0, err
}

// Untallied reports whether there are tickets of earlier versions that are in no count.
func (p *Projections) Untallied(ctx context.Context) (some bool, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("look for what is not counted", q.Get(ctx, &some, `SELECT up_to > 0 AND EXISTS (SELECT 1 FROM tickets WHERE id <= up_to) FROM untallied`))
	})
	return some, err
}

// Tally counts the tickets of earlier versions, and adds up what waits. It may be repeated, and interrupted. db.Left: some events could not be read; all else was counted.
func (p *Projections) Tally(ctx context.Context) error {
	var left db.Left
	for more := true; more; {
		var done []counted
		err := p.db.Write(ctx, func(ctx context.Context, q *db.Tx) (err error) {
			done, more, err = p.countEarlier(ctx, q)
			return err
		})
		if err != nil {
			return db.Wrap("count tickets", err)
		}
		for _, c := range done {
			for _, seq := range c.unread {
				p.db.Log.ErrorContext(ctx, "event.unread", "ticket", c.Number, "tenant", c.Tenant, "seq", seq, "left_out_of", "counts")
				left++
			}
		}
	}
	return left.With(p.tallies.Fold(ctx))
}

const intoNodes = `ticket_nodes (tenant, service, node, ticket_id)`

// updateNodes writes down at which nodes the ticket stands.
func (p *Projections) updateNodes(ctx context.Context, q *db.Tx, before, after ticket.Ticket) error {
	was, is := before.StandsAt(), after.StandsAt()
	gone := slices.DeleteFunc(slices.Clone(was), func(node string) bool { return slices.Contains(is, node) })
	come := slices.DeleteFunc(slices.Clone(is), func(node string) bool { return slices.Contains(was, node) })
	if len(gone) == 1 && len(come) == 1 {
		// Where the one is not listed, the ticket is one of an earlier version that is not counted yet; where the other is, the list is wrong, and no reason to take nothing more.
		err := q.Later(ctx, `UPDATE ticket_nodes SET service = ?, node = ? WHERE ticket_id = ? AND node = ? AND NOT EXISTS (SELECT 1 FROM ticket_nodes WHERE ticket_id = ? AND node = ?)`,
			after.Service, come[0], after.ID, gone[0], after.ID, come[0])
		return db.Wrap("write where it stands", err)
	}
	if len(gone) > 0 {
		if err := q.LaterIn(ctx, `DELETE FROM ticket_nodes WHERE ticket_id = ? AND node IN (?)`, after.ID, gone); err != nil {
			return db.Wrap("clear where it stood", err)
		}
	}
	var rows [][]any
	for _, node := range come {
		rows = append(rows, []any{after.Tenant, after.Service, node, after.ID})
	}
	return q.InsertMissing(ctx, intoNodes, rows)
}

// Overview tells what happened to a tenant's tickets, of one service or (empty) of all, on the days from first to last, which are days of the installation's zone, and how those that are open
// stand; and what became of the deliveries of these days, which are of no service. Invalid, field "to": there are no days between, or more than ticket.MaxDays.
func (p *Projections) Overview(ctx context.Context, tenant, service string, first, last time.Time) (ticket.Overview, error) {
	date := func(t time.Time) time.Time {
		y, m, d := t.In(p.tallies.Zone()).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	from, to := date(first), date(last)
	if out, err := ticket.OverviewOf(nil, from, to, to); err != nil {
		return out, err
	}
	counts, err := p.tallies.Read(ctx, tenant, tallies.Choice{Service: service, First: from.Format(ticket.DayLayout), Last: to.Format(ticket.DayLayout), What: ticket.TalliesOfOverview})
	if err != nil {
		return ticket.Overview{}, err
	}
	return ticket.OverviewOf(counts, from, to, date(p.db.Now()))
}

// OpenAtNodes counts a tenant's open tickets of a service by the node at which they stand, whatever their version of it; one that stands at several is counted at each.
func (p *Projections) OpenAtNodes(ctx context.Context, tenant, service string) (map[string]int, error) {
	counts, err := p.tallies.Read(ctx, tenant, tallies.Choice{Service: service, What: []string{ticket.TallyNode}})
	out := map[string]int{}
	for _, c := range counts {
		out[c.Detail] += c.N
	}
	return out, err
}

// CountOpen counts the open tickets by their phase, of all tenants. It reads what was counted, which grows with days and services; those of versions that counted nothing are among them once migrate
// has seen to them.
func (p *Projections) CountOpen(ctx context.Context) (map[string]int, error) {
	found := map[string]int{}
	err := p.db.Read(ctx, func(q *db.Tx) error {
		return tallies.Each(ctx, q, "", ticket.TallyPhase, func(t ticket.Tally) { found[t.Detail] += t.N })
	})
	maps.DeleteFunc(found, func(_ string, n int) bool { return n == 0 })
	return found, err
}
