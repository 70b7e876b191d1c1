package store

import (
	"context"
	"fmt"
	"time"
)

// keptBudgets is how long a budget is kept after its window, and tidiedBudgets how many are forgotten at a time: callers choose names, and
// may never come back to one.
const (
	keptBudgets   = time.Hour
	tidiedBudgets = 20
)

// Take counts one use of what is named, within a window of time that begins with the first use and holds for all processes. ok is false
// when more than limit have been counted; remaining is how many are left until the window ends at reset.
func (s *Store) Take(ctx context.Context, tenant, name string, limit int, window time.Duration) (remaining int, reset time.Time, ok bool, err error) {
	now := s.now()
	var row struct {
		Used int64  `db:"used"`
		Ends moment `db:"ends"`
	}
	err = s.write(ctx, func(ctx context.Context, q *session) error {
		// A window that ends later than any could is the work of a clock that was wrong, and must not shut anybody out.
		over := `budgets.ends <= ? OR budgets.ends > ?`
		past, future := at(now), at(now.Add(2*window))
		err := q.get(ctx, &row, `INSERT INTO budgets (tenant, name, used, ends) VALUES (?, ?, 1, ?)
			ON CONFLICT (tenant, name) DO UPDATE SET
				used = CASE WHEN `+over+` THEN 1 ELSE budgets.used + 1 END,
				ends = CASE WHEN `+over+` THEN excluded.ends ELSE budgets.ends END
			RETURNING used, ends`, tenant, tidy(name), at(now.Add(window)), past, future, past, future)
		if err != nil {
			return fmt.Errorf("take from a budget: %w", err)
		}
		return nil
	})
	if err != nil {
		return 0, time.Time{}, false, err
	}
	if row.Used == 1 {
		s.tidyBudgets(ctx, now)
	}
	return int(max(int64(limit)-row.Used, 0)), row.Ends.Time, row.Used <= int64(limit), nil
}

// tidyBudgets forgets a few budgets that nobody has used for long. It waits for nobody, and that it fails is nothing to the caller.
func (s *Store) tidyBudgets(ctx context.Context, now time.Time) {
	err := s.write(ctx, func(ctx context.Context, q *session) error {
		old := q.locking(`SELECT tenant, name FROM budgets WHERE ends < ? ORDER BY ends LIMIT ?`, available)
		_, err := q.exec(ctx, `DELETE FROM budgets WHERE (tenant, name) IN (`+old+`)`, at(now.Add(-keptBudgets)), tidiedBudgets)
		return err
	})
	if err != nil {
		s.log.Warn("budgets.tidy", "error", err)
	}
}
