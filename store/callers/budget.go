package callers

import (
	"context"
	"fmt"
	"time"

	"signalbox/store/db"
)

// keptBudgets is how long a budget is kept after its window, and tidiedBudgets how many are forgotten at a time: callers choose names, and
// may never come back to one.
const (
	keptBudgets   = time.Hour
	tidiedBudgets = 20
)

// Take counts one use of what is named, within a window of time that begins with the first use and holds for all processes. ok is false
// when more than limit have been counted; remaining is how many are left until the window ends at reset.
func (d *Directory) Take(ctx context.Context, tenant, name string, limit int, window time.Duration) (remaining int, reset time.Time, ok bool, err error) {
	now := d.db.Now()
	var row struct {
		Used int64        `db:"used"`
		Ends db.Timestamp `db:"ends"`
	}
	err = d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		// A window that ends later than any could is the work of a clock that was wrong, and must not shut anybody out.
		over := `budgets.ends <= ? OR budgets.ends > ?`
		past, future := db.At(now), db.At(now.Add(2*window))
		err := q.Get(ctx, &row, `INSERT INTO budgets (tenant, name, used, ends) VALUES (?, ?, 1, ?)
			ON CONFLICT (tenant, name) DO UPDATE SET
				used = CASE WHEN `+over+` THEN 1 ELSE budgets.used + 1 END,
				ends = CASE WHEN `+over+` THEN excluded.ends ELSE budgets.ends END
			RETURNING used, ends`, tenant, db.CleanText(name), db.At(now.Add(window)), past, future, past, future)
		if err != nil {
			return fmt.Errorf("take from a budget: %w", err)
		}
		return nil
	})
	if err != nil {
		return 0, time.Time{}, false, err
	}
	if row.Used == 1 {
		d.tidyBudgets(ctx, now)
	}
	return int(max(int64(limit)-row.Used, 0)), row.Ends.Time, row.Used <= int64(limit), nil
}

// tidyBudgets forgets a few budgets that nobody has used for long. It waits for nobody, and that it fails is nothing to the caller.
func (d *Directory) tidyBudgets(ctx context.Context, now time.Time) {
	err := d.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		old := q.Locking(`SELECT tenant, name FROM budgets WHERE ends < ? ORDER BY ends LIMIT ?`, db.SkipLocked)
		_, err := q.Exec(ctx, `DELETE FROM budgets WHERE (tenant, name) IN (`+old+`)`, db.At(now.Add(-keptBudgets)), tidiedBudgets)
		return err
	})
	if err != nil {
		d.db.Log.WarnContext(ctx, "budgets.tidy", "error", err)
	}
}
