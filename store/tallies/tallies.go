// Package tallies keeps the counts that overviews are made of: how often something happened on a day, and how many tickets stand somewhere now. Its tables are tallies, tally_entries and tallied; what is
// counted is in package ticket, and who counts writes it in the transaction in which it happens.
//
// It promises that whoever counts waits for nobody: what is added is a row that nobody else writes, one for all counts of a transaction, which is added up beside the calls, with some others at a time; and that what
// is read is the sum of both. In tallied is what processes of a version before added, a row for each count.
package tallies

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/store/db"
	"signalbox/ticket"
)

const (
	foldBatch = 2_000 // rows that are added up in one transaction
	foldEvery = 1_000 // rows that a process adds until it has them added up
)

// Tallies are the counts of a database. Safe for concurrent use.
type Tallies struct {
	db   *db.DB
	zone *time.Location

	background context.Context // of what goes on beside the calls
	stop       context.CancelFunc
	ended      sync.WaitGroup
	mu         sync.Mutex
	added      int // rows since this process last had them added up
	folding    bool
}

// New gives the counts of a database; zone is that of the days by which they are told.
func New(d *db.DB, zone *time.Location) *Tallies {
	t := &Tallies{db: d, zone: zone}
	t.background, t.stop = context.WithCancel(context.Background())
	return t
}

// End ends what goes on beside the calls, before the database is closed.
func (t *Tallies) End() {
	t.mu.Lock()
	t.stop()
	t.mu.Unlock()
	t.ended.Wait()
}

// Zone is that of the days.
func (t *Tallies) Zone() *time.Location { return t.zone }

// Day gives the day of a moment.
func (t *Tallies) Day(at time.Time) string { return at.In(t.zone).Format(ticket.DayLayout) }

// entry is a count as a row of tally_entries has it among others.
type entry struct {
	Day     string `json:"day,omitempty"`
	Service string `json:"of,omitempty"`
	What    string `json:"what"`
	Detail  string `json:"at,omitempty"`
	N       int    `json:"n"`
}

// Add counts for a tenant, in the transaction of what is counted, if a condition holds then. There is one id of what is counted, so that nothing is counted twice.
func (t *Tallies) Add(ctx context.Context, q *db.Tx, id, tenant string, list []ticket.Tally, condition db.Expr) error {
	if len(list) == 0 {
		return nil
	}
	entries := make([]entry, len(list))
	for i, one := range list {
		entries[i] = entry(one)
	}
	counts, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("write counts: %w", err)
	}
	q.Committed(t.foldAfter)
	return db.Wrap("count", q.Later(ctx, `INSERT INTO tally_entries (id, tenant, counts) SELECT CAST(? AS text), CAST(? AS text), CAST(? AS text) WHERE `+condition.SQL,
		append([]any{id, tenant, string(counts)}, condition.Args...)...))
}

// Always is the condition of what is counted in any case.
var Always = db.Expr{SQL: `true`}

// countsOf reads what Add wrote; not well: it is something else, which counts nothing.
func countsOf(counts string) (list []ticket.Tally, well bool) {
	var entries []entry
	if json.Unmarshal([]byte(counts), &entries) != nil {
		return nil, false
	}
	for _, e := range entries {
		list = append(list, ticket.Tally(e))
	}
	return list, true
}

// foldAfter has what waits added up, beside whoever adds, where this process has added much; once at a time.
func (t *Tallies) foldAfter() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.added++; t.added < foldEvery || t.folding || t.background.Err() != nil {
		return
	}
	t.folding, t.added = true, 0
	t.ended.Go(func() {
		if err := t.Fold(t.background); err != nil && t.background.Err() == nil {
			t.db.Log.Warn("counts.not_added", "error", err.Error()) // they are told all the same, and the next who adds up takes them along
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.folding = false
	})
}

// Sum is a count that is added up at once.
type Sum struct {
	Tenant string
	ticket.Tally
}

// AddUp adds counts up, in one order, so that no two who do so wait for each other. Whoever holds rows of tickets or deliveries holds up who adds up the same.
func AddUp(ctx context.Context, q *db.Tx, list []Sum) error {
	sums := map[Sum]int{}
	for _, s := range list {
		n := s.N
		s.N = 0
		sums[s] += n
	}
	var keys []Sum
	for s, n := range sums {
		if n != 0 {
			keys = append(keys, s)
		}
	}
	slices.SortFunc(keys, func(a, b Sum) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Day, b.Day), strings.Compare(a.Service, b.Service), strings.Compare(a.What, b.What), strings.Compare(a.Detail, b.Detail))
	})
	rows := make([][]any, len(keys))
	for i, s := range keys {
		rows[i] = []any{s.Tenant, s.Day, s.Service, s.What, s.Detail, int64(sums[s])}
	}
	return q.Upsert(ctx, `tallies (tenant, day, service, what, detail, n)`, rows, `(tenant, day, service, what, detail) DO UPDATE SET n = tallies.n + excluded.n`)
}

// Fold adds up what waits. It may be repeated, and interrupted, and several may do so at once.
func (t *Tallies) Fold(ctx context.Context) error {
	for _, some := range []func(ctx context.Context, q *db.Tx) (bool, error){fold, foldEarlier} {
		for more := true; more; {
			err := t.db.Write(ctx, func(ctx context.Context, q *db.Tx) (err error) {
				more, err = some(ctx, q)
				return err
			})
			if err != nil {
				return db.Wrap("add counts up", err)
			}
		}
	}
	return nil
}

// fold adds up some rows, those that nobody else adds up just now.
func fold(ctx context.Context, q *db.Tx) (more bool, err error) {
	var rows []struct {
		ID     string `db:"id"`
		Tenant string `db:"tenant"`
		Counts string `db:"counts"`
	}
	if err := q.All(ctx, &rows, q.Locking(`SELECT id, tenant, counts FROM tally_entries LIMIT ?`, db.SkipLocked), foldBatch); err != nil || len(rows) == 0 {
		return false, err
	}
	ids, sums := make([]string, len(rows)), []Sum(nil)
	for i, r := range rows {
		ids[i] = r.ID
		list, well := countsOf(r.Counts)
		if !well {
			q.Log.WarnContext(ctx, "counts.unreadable", "id", r.ID) // whoever counts anew puts it right
		}
		for _, one := range list {
			sums = append(sums, Sum{r.Tenant, one})
		}
	}
	return len(rows) == foldBatch, addUp(ctx, q, `tally_entries`, ids, sums)
}

// foldEarlier adds up some rows of processes of a version before.
func foldEarlier(ctx context.Context, q *db.Tx) (more bool, err error) {
	var rows []struct {
		ID string `db:"id"`
		countRow
	}
	if err := q.All(ctx, &rows, q.Locking(`SELECT id, tenant, day, service, what, detail, n FROM tallied ORDER BY id LIMIT ?`, db.Exclusive), foldBatch); err != nil || len(rows) == 0 {
		return false, err
	}
	ids, sums := make([]string, len(rows)), make([]Sum, len(rows))
	for i, r := range rows {
		ids[i], sums[i] = r.ID, Sum{r.Tenant, r.tally()}
	}
	return len(rows) == foldBatch, addUp(ctx, q, `tallied`, ids, sums)
}

// addUp adds up what some rows count, which are held, and removes them.
func addUp(ctx context.Context, q *db.Tx, table string, ids []string, sums []Sum) error {
	if err := AddUp(ctx, q, sums); err != nil {
		return err
	}
	if err := q.LaterIn(ctx, `DELETE FROM `+table+` WHERE id IN (?)`, ids); err != nil {
		return err
	}
	return q.Later(ctx, `DELETE FROM tallies WHERE n = 0`)
}

// countRow is a count as tallies and tallied have it, or a row of tally_entries, which has counts alone.
type countRow struct {
	Tenant  string `db:"tenant"`
	Day     string `db:"day"`
	Service string `db:"service"`
	What    string `db:"what"`
	Detail  string `db:"detail"`
	N       int64  `db:"n"`
	Counts  string `db:"counts"`
}

func (r countRow) tally() ticket.Tally {
	return ticket.Tally{Day: r.Day, Service: r.Service, What: r.What, Detail: r.Detail, N: int(r.N)}
}

// of gives the counts of a row, those that a choice takes.
func (r countRow) of(takes func(ticket.Tally) bool) []ticket.Tally {
	if r.Counts == "" {
		return []ticket.Tally{r.tally()}
	}
	list, _ := countsOf(r.Counts)
	return slices.DeleteFunc(list, func(one ticket.Tally) bool { return !takes(one) })
}

// readQuery gives the query of what is counted where a condition holds, and of all that is not added up where another does.
func readQuery(counted, waiting string) string {
	const columns = `SELECT tenant, day, service, what, detail, n, '' AS counts FROM `
	return columns + `tallies WHERE ` + counted + ` UNION ALL ` + columns + `tallied WHERE ` + counted + ` UNION ALL SELECT tenant, '', '', '', '', 0, counts FROM tally_entries WHERE ` + waiting
}

// Choice is of which days, service and kinds counts are read.
type Choice struct {
	Service     string   // and what is of none; empty: of all
	First, Last string   // days from this to that; and where tickets stand now
	What        []string // none: all
}

func (c Choice) takes(t ticket.Tally) bool {
	return (t.Day == "" || c.First <= t.Day && t.Day <= c.Last) && (c.Service == "" || t.Service == "" || t.Service == db.CleanText(c.Service)) && (len(c.What) == 0 || slices.Contains(c.What, t.What))
}

// Read gives the counts of a tenant; what is added up and what is not.
func (t *Tallies) Read(ctx context.Context, tenant string, c Choice) (list []ticket.Tally, err error) {
	query, args := ReadQuery(tenant, c)
	sums, order := map[ticket.Tally]int{}, []ticket.Tally(nil)
	err = t.db.Read(ctx, func(q *db.Tx) error {
		return each(db.Once(ctx), q, query, args, c.takes, func(one ticket.Tally) {
			n := one.N
			one.N = 0
			if _, seen := sums[one]; !seen {
				order = append(order, one)
			}
			sums[one] += n
		})
	})
	for _, one := range order {
		if one.N = sums[one]; one.N != 0 {
			list = append(list, one)
		}
	}
	return list, err
}

// Each tells of all that is counted, some of it in parts: of a tenant, or (empty) of all; of one kind, or (empty) of each.
func Each(ctx context.Context, q *db.Tx, tenant, what string, see func(ticket.Tally)) error {
	w, waiting := &db.Where{}, &db.Where{}
	w.And(`true`)
	waiting.And(`true`)
	w.AndIf(tenant != "", `tenant = ?`, tenant)
	waiting.AndIf(tenant != "", `tenant = ?`, tenant)
	w.AndIf(what != "", `what = ?`, what)
	return each(ctx, q, readQuery(w.String(), waiting.String()), w.Args(w.Args(waiting.Args()...)...), func(t ticket.Tally) bool { return what == "" || t.What == what }, see)
}

func each(ctx context.Context, q *db.Tx, query string, args []any, takes func(ticket.Tally) bool, see func(ticket.Tally)) error {
	var rows []countRow
	if err := q.All(ctx, &rows, query, args...); err != nil {
		return db.Wrap("read what was counted", err)
	}
	for _, r := range rows {
		for _, one := range r.of(takes) {
			see(one)
		}
	}
	return nil
}

// ReadQuery gives the query of Read, which is to be run with db.Once.
func ReadQuery(tenant string, c Choice) (query string, args []any) {
	w := &db.Where{}
	w.And(`tenant = ? AND (day = '' OR day BETWEEN ? AND ?)`, tenant, c.First, c.Last)
	if c.Service != "" {
		w.And(`service IN (?, '')`, db.CleanText(c.Service))
	}
	w.AndIn(`what`, c.What)
	return readQuery(w.String(), `tenant = ?`), w.Args(w.Args(tenant)...)
}
