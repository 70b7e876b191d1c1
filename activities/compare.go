package activities

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"

	"signalbox/desk"
)

const (
	// CompareAtOnce bounds how many tickets one comparison looks at; the next goes on behind them.
	CompareAtOnce = 1000
	// comparePause is between two of them: workflows that have to be replayed to be asked take nothing from those that work.
	comparePause = 50 * time.Millisecond
	// CompareHeartbeat is how long a comparison may be silent.
	CompareHeartbeat = time.Minute
	// compareSince is of which age workflows are looked for that the database does not know, and comparePages bounds how many are listed.
	compareSince = 24 * time.Hour
	comparePages = 5
	// compareTidy is the last part of a comparison's time, in which no further ticket is looked at: what takes longer than its time loses its place.
	compareTidy = time.Minute
)

// CompareInput says where a comparison goes on.
type CompareInput struct {
	After int64 `json:"after,omitempty"`
}

// Comparer is what has the workflow Compare compare the two stores.
type Comparer struct {
	Reconciler *desk.Reconciler
	found      *prometheus.CounterVec
	compared   prometheus.Counter
}

// NewComparer puts what it finds into a registry.
func NewComparer(r *desk.Reconciler, registry prometheus.Registerer) *Comparer {
	c := &Comparer{Reconciler: r, found: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_reconciled_total",
		Help: "What comparing database and Temporal found: drift (a row was behind for long, and was brought up), taken_in (there was no row), in_doubt, astray (a workflow runs although its ticket is over)."},
		[]string{"what"}), compared: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_compared_total", Help: "Tickets that were compared with their workflows."})}
	c.count(desk.Looked{})
	registry.MustRegister(c.found, c.compared)
	return c
}

func (c *Comparer) count(l desk.Looked) {
	c.compared.Add(float64(l.Compared))
	for what, n := range map[string]int{"drift": l.Drift, "taken_in": l.TakenIn, "in_doubt": l.InDoubt, "astray": l.Astray} {
		c.found.WithLabelValues(what).Add(float64(n))
	}
}

// Compare compares some tickets of the two stores: see desk.Reconciler.Look.
func (c *Comparer) Compare(ctx context.Context, in CompareInput) (desk.Looked, error) {
	pace := time.NewTicker(comparePause)
	defer pace.Stop()
	up := time.NewTimer(time.Until(activity.GetInfo(ctx).Deadline) - compareTidy)
	defer up.Stop()
	looked, err := c.Reconciler.Look(ctx, desk.LookOptions{After: in.After, Limit: CompareAtOnce, Since: compareSince, Pages: comparePages, Wait: func(ctx context.Context) error {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-up.C:
			return context.DeadlineExceeded
		case <-pace.C:
			return nil
		}
	}})
	c.count(looked)
	return looked, err
}
