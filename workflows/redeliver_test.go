package workflows

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/notice"
)

func TestARedeliveryGoesOnUntilItIsOverAndTellsHowFarItIs(t *testing.T) {
	env := quiet()
	var k *activities.Retention
	calls := 0
	env.OnActivity(k.RedeliverSome, mock.Anything, "r-1").Return(func(context.Context, string) (notice.Redelivery, error) {
		calls++
		if calls == 2 {
			return notice.Redelivery{}, errors.New("the database is down")
		}
		out := notice.Redelivery{ID: "r-1", State: notice.Redelivering, Total: 10, Done: calls}
		if calls == 5 {
			out.State = notice.Redelivered
		}
		return out, nil
	})
	var seen []int
	env.RegisterDelayedCallback(func() {
		value, err := env.QueryWorkflow(QueryProgress)
		require.NoError(t, err)
		var now notice.Redelivery
		require.NoError(t, value.Get(&now))
		seen = append(seen, now.Done, now.Total)
	}, redeliverPause/2)
	env.ExecuteWorkflow(Redeliver, RedeliverInput{Redelivery: "r-1"})
	require.NoError(t, env.GetWorkflowError())
	var out notice.Redelivery
	require.NoError(t, env.GetWorkflowResult(&out))
	require.Equal(t, notice.Redelivered, out.State)
	require.Equal(t, 5, calls)
	require.Equal(t, []int{1, 10}, seen)
}

func TestALongRedeliveryRollsOver(t *testing.T) {
	env := quiet()
	var k *activities.Retention
	env.OnActivity(k.RedeliverSome, mock.Anything, "r-1").Return(notice.Redelivery{ID: "r-1", State: notice.Redelivering}, nil).Times(redeliverPerRun)
	env.ExecuteWorkflow(Redeliver, RedeliverInput{Redelivery: "r-1"})
	require.ErrorContains(t, env.GetWorkflowError(), "continue as new")
}

func TestPruningIsTriedAgain(t *testing.T) {
	env := quiet()
	var k *activities.Retention
	calls := 0
	env.OnActivity(k.Prune, mock.Anything).Return(func(context.Context) (activities.Pruned, error) {
		if calls++; calls == 1 {
			return activities.Pruned{}, errors.New("the database is down")
		}
		return activities.Pruned{Deliveries: 7}, nil
	})
	env.ExecuteWorkflow(Prune)
	require.NoError(t, env.GetWorkflowError())
	var out activities.Pruned
	require.NoError(t, env.GetWorkflowResult(&out))
	require.EqualValues(t, 7, out.Deliveries)
}
