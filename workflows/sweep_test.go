package workflows

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"signalbox/activities"
	"signalbox/desk"
)

func quiet() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	return suite.NewTestWorkflowEnvironment()
}

func TestAPartitionIsDrainedShiftAfterShift(t *testing.T) {
	env := quiet()
	var d *activities.Deliveries
	calls := 0
	env.OnActivity(d.Drain, mock.Anything, activities.DrainInput{Partition: 7}).Return(func(context.Context, activities.DrainInput) error {
		if calls++; calls%4 == 0 {
			return errors.New("the worker was lost")
		}
		return nil
	})
	env.ExecuteWorkflow(Deliveries, DeliveriesInput{Partition: 7})
	require.ErrorContains(t, env.GetWorkflowError(), "continue as new")
	require.Greater(t, calls, shiftsPerRun, "a drain that fails is begun again")
}

func TestASweepSettlesAndReconcilesEvenWhenOneOfThemFails(t *testing.T) {
	for _, failing := range []string{"", "settle", "reconcile"} {
		env := quiet()
		var a *activities.Activities
		var d *activities.Deliveries
		env.RegisterActivityWithOptions(d.Reconcile, activity.RegisterOptions{Name: activities.NameReconcile})
		settled, reconciled := 0, 0
		env.OnActivity(a.Settle, mock.Anything).Return(func(context.Context) (desk.Settled, error) {
			settled++
			if failing == "settle" {
				return desk.Settled{}, errors.New("no")
			}
			return desk.Settled{Done: 3}, nil
		})
		env.OnActivity(activities.NameReconcile, mock.Anything).Return(func(context.Context) (activities.Reconciled, error) {
			reconciled++
			if failing == "reconcile" {
				return activities.Reconciled{}, errors.New("no")
			}
			return activities.Reconciled{Lanes: 2}, nil
		})
		env.ExecuteWorkflow(Sweep)
		require.NotZero(t, settled)
		require.NotZero(t, reconciled)
		if failing != "" {
			require.Error(t, env.GetWorkflowError())
			continue
		}
		require.NoError(t, env.GetWorkflowError())
		var out Swept
		require.NoError(t, env.GetWorkflowResult(&out))
		require.Equal(t, Swept{Settled: desk.Settled{Done: 3}, Reconciled: activities.Reconciled{Lanes: 2}}, out)
	}
}

func TestAComparisonGoesOnBehindTheOneBefore(t *testing.T) {
	var c *activities.Comparer
	run := func(after int64, fails bool) (desk.Looked, error) {
		env := quiet()
		asked := 0
		if after > 0 {
			env.SetLastCompletionResult(desk.Looked{Compared: 1000, After: after})
		}
		env.OnActivity(c.Compare, mock.Anything, activities.CompareInput{After: after}).Return(func(context.Context, activities.CompareInput) (desk.Looked, error) {
			if asked++; fails {
				return desk.Looked{}, errors.New("no")
			}
			return desk.Looked{Compared: 7, After: after + 7}, nil
		})
		env.ExecuteWorkflow(Compare)
		require.Equal(t, 1, asked, "the next run is soon enough")
		var out desk.Looked
		if err := env.GetWorkflowError(); err != nil {
			return out, err
		}
		return out, env.GetWorkflowResult(&out)
	}
	for _, after := range []int64{0, 41} {
		out, err := run(after, false)
		require.NoError(t, err)
		require.Equal(t, after+7, out.After)
		_, err = run(after, true)
		require.Error(t, err)
	}
}
