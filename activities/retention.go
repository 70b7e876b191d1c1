package activities

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"

	"signalbox/notice"
)

// Retention is what the workflows around old and held deliveries have done for them. All but Log are required.
type Retention struct {
	Reader     Reader
	Deliveries time.Duration // how long deliveries that are over are kept, with their attempts, and what others published
	Operations time.Duration // how long requests that are over keep their key and answer; at least MinOperations
	Audit      time.Duration // how long it is kept who asked for what; at least as long
	Now        func() time.Time
	Log        *slog.Logger // default: slog's
}

// MinOperations is how long an idempotency key must be remembered (contracts, section 1).
const MinOperations = 24 * time.Hour

// Reader is the read model as far as it is pruned and delivered again.
type Reader interface {
	// PruneDeliveries deletes up to limit deliveries that have been over since before that time, with their attempts.
	PruneDeliveries(ctx context.Context, before time.Time, limit int) (int64, error)
	// PruneSubscriptions deletes subscriptions that were deleted before then, or dropped and registered again, once no deliveries are left of them.
	PruneSubscriptions(ctx context.Context, before time.Time, limit int) (int64, error)
	// PruneStream does the same for published events, and forgets lanes of the stream that nothing is left of.
	PruneStream(ctx context.Context, before time.Time, limit int) (int64, error)
	// PruneOperations takes keys and answers from operations that are over and were claimed before that time.
	PruneOperations(ctx context.Context, before time.Time, limit int) (int64, error)
	// PruneAudit deletes what is left of them, and what was refused.
	PruneAudit(ctx context.Context, before time.Time, limit int) (int64, error)
	// PruneDirectory deletes what happened to persons before that time, and absences that ended before.
	PruneDirectory(ctx context.Context, before time.Time, limit int) (int64, error)
	// RedeliverSome goes on with a redelivery, by up to limit deliveries and never so far that more than atOnce of its subscription wait.
	// It may be repeated: how far it came is part of it. What is left of a subscription whose state changed goes on in larger pieces.
	RedeliverSome(ctx context.Context, redelivery string, limit, atOnce int) (notice.Redelivery, error)
}

const (
	pruneAtOnce = 500
	// PruneTime bounds one call of Prune; the rest waits for the next.
	PruneTime = 10 * time.Minute
	// PruneHeartbeat is how long Prune may be silent.
	PruneHeartbeat = 30 * time.Second

	redeliverAtOnce = 200
	// redeliverAhead bounds how much of a redelivery waits for its first try at the same time. What it brings back is older than everything
	// that waits, and would go before it.
	redeliverAhead = 500
)

// Pruned counts what was deleted.
type Pruned struct {
	Deliveries    int64 `json:"deliveries"`
	Subscriptions int64 `json:"subscriptions"`
	Events        int64 `json:"events"`
	Operations    int64 `json:"operations"`
	Audit         int64 `json:"audit"`
	Directory     int64 `json:"directory,omitempty"`
	More          bool  `json:"more,omitempty"` // there was not enough time for all
}

// kept is what is deleted some time after it is over.
type kept struct {
	what  string
	n     *int64 // of it were deleted
	keep  time.Duration
	prune func(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Prune deletes what was kept long enough, a little at a time and of each kind by turns, so that nobody waits for it, and no kind for the end of
// another that there is not time enough for. It may be repeated.
func (k *Retention) Prune(ctx context.Context) (sum Pruned, err error) {
	began := k.Now()
	kinds := []kept{
		{"deliveries", &sum.Deliveries, k.Deliveries, k.Reader.PruneDeliveries},
		{"subscriptions", &sum.Subscriptions, k.Deliveries, k.Reader.PruneSubscriptions},
		{"the stream", &sum.Events, k.Deliveries, k.Reader.PruneStream},
		{"operations", &sum.Operations, max(k.Operations, MinOperations), k.Reader.PruneOperations},
		{"the audit", &sum.Audit, max(k.Audit, k.Operations, MinOperations), k.Reader.PruneAudit},
		{"directories", &sum.Directory, max(k.Audit, k.Operations, MinOperations), k.Reader.PruneDirectory},
	}
	for len(kinds) > 0 && !sum.More {
		var left []kept
		for _, kind := range kinds {
			if sum.More = k.Now().Sub(began) >= PruneTime; sum.More {
				break
			}
			activity.RecordHeartbeat(ctx)
			gone, err := kind.prune(ctx, began.Add(-kind.keep), pruneAtOnce)
			*kind.n += gone
			switch {
			case err != nil:
				return sum, fmt.Errorf("prune %s: %w", kind.what, err)
			case gone == pruneAtOnce:
				left = append(left, kind)
			}
		}
		kinds = left
	}
	cmp.Or(k.Log, slog.Default()).InfoContext(ctx, "records.pruned", "deliveries", sum.Deliveries, "subscriptions", sum.Subscriptions, "events", sum.Events, "operations", sum.Operations, "audit", sum.Audit, "directory", sum.Directory, "more", sum.More)
	return sum, nil
}

// RedeliverSome goes on with a redelivery and tells how far it is.
func (k *Retention) RedeliverSome(ctx context.Context, redelivery string) (notice.Redelivery, error) {
	return k.Reader.RedeliverSome(ctx, redelivery, redeliverAtOnce, redeliverAhead)
}
