package store

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/store/db"
)

// stuckAfter is how long an operation is under way before its ticket counts as stuck: many sweeps have tried to settle it by then.
const stuckAfter = 5 * time.Minute

// Facts are what somebody who looks after the system wants to know of all that is kept, as it is now.
type Facts struct {
	Open          int           // operations that are under way
	Expired       int           // of these, those that nobody works on any more
	Stuck         int           // tickets with an operation that could not be settled for five minutes
	OldestPending time.Duration // how long the oldest delivery has waited for its first try; 0: none waits
}

// Facts reads them: what it costs grows with what is under way, and not with what was.
func (s *Store) Facts(ctx context.Context) (f Facts, err error) {
	err = s.db.Read(ctx, func(q *db.Tx) error {
		now := q.Now()
		var row struct {
			Open    int `db:"open"`
			Expired int `db:"expired"`
			Stuck   int `db:"stuck"`
		}
		if err := q.Get(ctx, &row, `SELECT COUNT(*) AS open, COALESCE(SUM(CASE WHEN lease <= ? THEN 1 ELSE 0 END), 0) AS expired,
			COUNT(DISTINCT CASE WHEN created_at <= ? AND number <> '' THEN number END) AS stuck FROM operations WHERE state = 'running'`,
			db.At(now), db.At(now.Add(-stuckAfter))); err != nil {
			return db.Wrap("count operations under way", err)
		}
		f = Facts{Open: row.Open, Expired: row.Expired, Stuck: row.Stuck}
		parts, err := s.Partitions(ctx)
		if err != nil {
			return err
		}
		for _, part := range parts { // the oldest of each is at the end of an index
			var at db.Timestamp
			found, err := q.Find(ctx, &at, `SELECT at FROM deliveries WHERE part = ? AND state = 'pending' ORDER BY at, seq, id LIMIT 1`, part)
			if err != nil {
				return db.Wrap("find the oldest pending delivery", err)
			}
			if found {
				f.OldestPending = max(f.OldestPending, now.Sub(at.Time))
			}
		}
		return nil
	})
	return f, err
}

// Measure puts how the connections to the database are used, and what is counted of tickets, into a registry.
func (s *Store) Measure(registry prometheus.Registerer) {
	s.db.Measure(registry)
	s.Projections.Measure(registry)
}
