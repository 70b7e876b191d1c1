package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"signalbox/activities"
	"signalbox/notice"
)

// records are so many old rows.
type records struct {
	deliveries, subscriptions   int64
	events                      int64
	beforeSubscriptions         time.Time
	operations, audit           int64
	directory                   int64
	beforeDirectory             time.Time
	beforeDeliveries, beforeOps time.Time
	beforeEvents, beforeAudit   time.Time
	largest                     int
	err                         error
	took                        func()
}

func (r *records) take(n *int64, limit int) (int64, error) {
	if r.took != nil {
		r.took()
	}
	r.largest = max(r.largest, limit)
	gone := min(*n, int64(limit))
	*n -= gone
	return gone, r.err
}

func (r *records) PruneDeliveries(_ context.Context, before time.Time, limit int) (int64, error) {
	r.beforeDeliveries = before
	return r.take(&r.deliveries, limit)
}

func (r *records) PruneSubscriptions(_ context.Context, before time.Time, limit int) (int64, error) {
	r.beforeSubscriptions = before
	return r.take(&r.subscriptions, limit)
}

func (r *records) PruneStream(_ context.Context, before time.Time, limit int) (int64, error) {
	r.beforeEvents = before
	return r.take(&r.events, limit)
}

func (r *records) PruneOperations(_ context.Context, before time.Time, limit int) (int64, error) {
	r.beforeOps = before
	return r.take(&r.operations, limit)
}

func (r *records) PruneAudit(_ context.Context, before time.Time, limit int) (int64, error) {
	r.beforeAudit = before
	return r.take(&r.audit, limit)
}

func (r *records) PruneDirectory(_ context.Context, before time.Time, limit int) (int64, error) {
	r.beforeDirectory = before
	return r.take(&r.directory, limit)
}

func (r *records) RedeliverSome(_ context.Context, id string, limit, atOnce int) (notice.Redelivery, error) {
	return notice.Redelivery{ID: id, Total: limit, Done: atOnce}, r.err
}

func prune(t *testing.T, r *records, now func() time.Time, operations time.Duration) (activities.Pruned, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestActivityEnvironment()
	k := &activities.Retention{Reader: r, Deliveries: 720 * time.Hour, Operations: operations, Audit: 2160 * time.Hour, Now: now, Log: slog.New(slog.DiscardHandler)}
	env.RegisterActivity(k)
	value, err := env.ExecuteActivity(k.Prune)
	if err != nil {
		return activities.Pruned{}, err
	}
	var out activities.Pruned
	require.NoError(t, value.Get(&out))
	return out, nil
}

func TestWhatWasKeptLongEnoughIsDeletedALittleAtATime(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	still := func() time.Time { return now }
	r := &records{deliveries: 1234, subscriptions: 601, events: 700, operations: 501, audit: 502, directory: 503}
	out, err := prune(t, r, still, 168*time.Hour)
	require.NoError(t, err)
	require.Equal(t, activities.Pruned{Deliveries: 1234, Subscriptions: 601, Events: 700, Operations: 501, Audit: 502, Directory: 503}, out)
	require.LessOrEqual(t, r.largest, 500)
	require.Equal(t, now.Add(-720*time.Hour), r.beforeDeliveries)
	require.Equal(t, now.Add(-720*time.Hour), r.beforeSubscriptions)
	require.Equal(t, now.Add(-720*time.Hour), r.beforeEvents)
	require.Equal(t, now.Add(-168*time.Hour), r.beforeOps)
	require.Equal(t, now.Add(-2160*time.Hour), r.beforeAudit)
	require.Equal(t, now.Add(-2160*time.Hour), r.beforeDirectory)

	_, err = prune(t, r, still, time.Minute)
	require.NoError(t, err)
	require.Equal(t, now.Add(-24*time.Hour), r.beforeOps, "keys are remembered for a day, whatever the setting")

	r = &records{deliveries: 1 << 40, operations: 1_200}
	r.took = func() { now = now.Add(time.Minute) }
	out, err = prune(t, r, still, 168*time.Hour)
	require.NoError(t, err)
	require.True(t, out.More, "there is an end to one run")
	require.Less(t, out.Deliveries, int64(20_000))
	require.EqualValues(t, 1_200, out.Operations, "which is not spent on one kind alone")

	_, err = prune(t, &records{deliveries: 7, err: errors.New("down")}, still, 168*time.Hour)
	require.ErrorContains(t, err, "down")
}
