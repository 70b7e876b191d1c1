package outbox

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/store/tallies"
	"signalbox/ticket"
)

// Deliveries that arrived, and those that were given up, are counted by the day that they tell of and by host; counted, a column of theirs, has the host that each is counted at, and is empty where
// it is not. One that begins anew, or is pruned, is counted no more: what is told is what can be looked at.

// tallyOf is what a state is counted as; empty: it is not.
func tallyOf(s notice.DeliveryState) string {
	switch s {
	case notice.Sent:
		return ticket.TallyArrived
	case notice.Failed:
		return ticket.TallyGivenUp
	}
	return ""
}

// countedRow is what a delivery is counted by.
type countedRow struct {
	ID      string       `db:"id"`
	Tenant  string       `db:"tenant"`
	At      db.Timestamp `db:"at"`
	State   string       `db:"state"`
	Counted string       `db:"counted"` // the host
}

// tallyAs gives what a delivery is counted as.
func (o *Outbox) tallyAs(r countedRow, as notice.DeliveryState, n int) tallies.Sum {
	return tallies.Sum{Tenant: r.Tenant, Tally: ticket.Tally{Day: o.counts.Day(r.At.Time), What: tallyOf(as), Detail: r.Counted, N: n}}
}

// count adds counts, those of the same kind together.
func (o *Outbox) count(ctx context.Context, q *db.Tx, list []tallies.Sum) error {
	sums := map[tallies.Sum]int{}
	for _, s := range list {
		if s.What != "" && s.Detail != "" {
			n := s.N
			s.N = 0
			sums[s] += n
		}
	}
	of := map[string][]ticket.Tally{}
	for s, n := range sums {
		if s.N = n; n != 0 {
			of[s.Tenant] = append(of[s.Tenant], s.Tally)
		}
	}
	for tenant, counts := range of {
		if err := o.counts.Add(ctx, q, uuid.NewString(), tenant, counts, tallies.Always); err != nil {
			return err
		}
	}
	return nil
}

// countedOf gives those of some deliveries that are counted. They are held.
func countedOf(ctx context.Context, q *db.Tx, ids []string) (rows []countedRow, err error) {
	err = q.AllIn(ctx, &rows, `SELECT id, tenant, at, state, counted FROM deliveries WHERE id IN (?) AND counted <> ''`, ids)
	return rows, db.Wrap("look for what is counted", err)
}

// uncount takes deliveries out of the counts that they were in.
func (o *Outbox) uncount(ctx context.Context, q *db.Tx, rows []countedRow) error {
	sums := make([]tallies.Sum, len(rows))
	for i, r := range rows {
		sums[i] = o.tallyAs(r, notice.DeliveryState(r.State), -1)
	}
	return o.count(ctx, q, sums)
}

// uncounted is the condition for deliveries of versions that counted none. It is spelled like the index's own.
const uncounted = `counted = '' AND state IN ('sent', 'failed')`

// UntalliedDeliveries reports whether there are deliveries of earlier versions that are in no count.
func (o *Outbox) UntalliedDeliveries(ctx context.Context) (some bool, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		some, err = q.Find(ctx, new(int), `SELECT 1 FROM deliveries WHERE `+uncounted+` LIMIT 1`)
		return db.Wrap("look for what is not counted", err)
	})
	return some, err
}

// TallyDeliveries counts those that a version wrote which counted none. It may be repeated, and interrupted. Where several do so at once each is counted once, but who finds those of others may end before
// they do.
func (o *Outbox) TallyDeliveries(ctx context.Context) error {
	const some = 1_000
	for n := some; n == some; {
		err := o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
			var ids []string
			err := q.All(ctx, &ids, q.Locking(`SELECT id FROM deliveries WHERE `+uncounted+` ORDER BY id LIMIT ?`, db.Exclusive), some)
			if n = len(ids); err != nil || n == 0 {
				return err
			}
			if _, err := q.ExecIn(ctx, `UPDATE deliveries SET counted = COALESCE((SELECT NULLIF(s.host, '') FROM subscriptions s WHERE s.id = deliveries.subscription_id), '-') WHERE id IN (?)`, ids); err != nil {
				return err
			}
			rows, err := countedOf(ctx, q, ids)
			if err != nil {
				return err
			}
			sums := make([]tallies.Sum, len(rows))
			for i, r := range rows {
				sums[i] = o.tallyAs(r, notice.DeliveryState(r.State), 1)
			}
			return o.count(ctx, q, sums)
		})
		if err != nil {
			return db.Wrap("count deliveries", err)
		}
	}
	return nil
}

// Counted tells of what a tenant's deliveries are counted as: all that are.
func (o *Outbox) Counted(ctx context.Context, q *db.Tx, tenant string, see func(ticket.Tally)) error {
	const some = 5_000
	at, id := db.At(time.Time{}), ""
	for n := some; n == some; {
		var rows []countedRow
		err := q.All(ctx, &rows, `SELECT id, tenant, at, state, counted FROM deliveries WHERE tenant = ? AND (at, id) > (?, ?) ORDER BY at, id LIMIT ?`, tenant, at, id, some)
		if err != nil {
			return db.Wrap("look for what is counted", err)
		}
		for _, r := range rows {
			if one := o.tallyAs(r, notice.DeliveryState(r.State), 1); one.What != "" && one.Detail != "" {
				see(one.Tally)
			}
			at, id = r.At, r.ID
		}
		n = len(rows)
	}
	return nil
}

// backlogStates are those of what waits, as the index deliveries_backlog has it.
const backlogStates = `state IN ('pending', 'parked', 'held')`

// BacklogQuery gives the query of OwedByAge, which is to be run with db.Once.
func BacklogQuery(tenant string, now time.Time) (query string, args []any) {
	var parts []string
	for i, b := range notice.BacklogOf(now) {
		for _, state := range notice.Waiting {
			w := &db.Where{}
			w.And(`d.tenant = ? AND d.state = ? AND d.`+backlogStates, tenant, string(state))
			w.AndIf(!b.From.IsZero(), `d.at >= ?`, db.At(b.From))
			w.AndIf(!b.To.IsZero(), `d.at < ?`, db.At(b.To))
			parts = append(parts, `SELECT CAST(? AS bigint) AS age, CAST(? AS text) AS state, COUNT(*) AS n FROM (SELECT 1 FROM deliveries d WHERE `+w.String()+` LIMIT ?) c`)
			args = append(append(append(args, i, string(state)), w.Args()...), notice.CountedTo+1)
		}
	}
	return strings.Join(parts, ` UNION ALL `), args
}

// OwedByAge counts what a tenant's addresses are still owed, by how long ago that happened which they are to be told of; each count up to notice.CountedTo.
func (o *Outbox) OwedByAge(ctx context.Context, tenant string) ([]notice.BacklogAge, error) {
	now := o.db.Now()
	out := notice.BacklogOf(now)
	query, args := BacklogQuery(tenant, now)
	var rows []struct {
		Age   int    `db:"age"`
		State string `db:"state"`
		N     int    `db:"n"`
	}
	err := o.db.Read(ctx, func(q *db.Tx) error { return db.Wrap("count what waits", q.All(db.Once(ctx), &rows, query, args...)) })
	for _, r := range rows {
		out[r.Age].Waits[notice.DeliveryState(r.State)] = ticket.Total{N: min(r.N, notice.CountedTo), More: r.N > notice.CountedTo}
	}
	return out, err
}
