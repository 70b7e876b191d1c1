package workflows

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// histories are the recorded runs, each of which stands for workflows that run somewhere. cmd/dev/e2e records them from the whole system.
func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 15, "a test that looks at nothing proves nothing")
	return files
}

// hosted are the workflows that there are.
var hosted = []any{Ticket, Deliveries, Lane, Sweep, Prune, Redeliver, Compare, Attend}

// TestEveryWorkflowHasAHistory names a workflow that nothing was recorded of, which a change could break unseen.
func TestEveryWorkflowHasAHistory(t *testing.T) {
	recorded := map[string]bool{}
	for _, file := range histories(t) {
		raw, err := os.Open(file)
		require.NoError(t, err)
		history, err := client.HistoryFromJSON(raw, client.HistoryJSONOptions{})
		require.NoError(t, raw.Close())
		require.NoError(t, err)
		recorded[history.Events[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName()] = true
	}
	for _, w := range hosted {
		name := runtime.FuncForPC(reflect.ValueOf(w).Pointer()).Name()
		require.True(t, recorded[name[strings.LastIndex(name, ".")+1:]], "%s: record one, by make histories", name)
	}
}

func replay(t *testing.T, file string, interceptors ...interceptor.WorkerInterceptor) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: interceptors})
	require.NoError(t, err)
	for _, w := range hosted {
		r.RegisterWorkflow(w)
	}
	return r.ReplayWorkflowHistoryFromJSONFile(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), file)
}

// TestRecordedHistoriesReplay holds the workflows against what earlier builds did. Where it fails, running tickets would get stuck: the
// change needs workflow.GetVersion, and a new recording.
func TestRecordedHistoriesReplay(t *testing.T) {
	for _, file := range histories(t) {
		t.Run(file, func(t *testing.T) { require.NoError(t, replay(t, file)) })
	}
}

// TestAReplayDecidesTheSame holds the rules against what they decided once: every recorded command must cause, byte for byte, the events whose
// result its caller was told and the read model has. Where it fails, a ticket that is replayed after an upgrade would remember another past
// than everybody else.
func TestAReplayDecidesTheSame(t *testing.T) {
	compared := 0
	for _, file := range histories(t) {
		t.Run(file, func(t *testing.T) {
			told := outcomes(t, file)
			w := &witness{decided: map[string]string{}}
			require.NoError(t, replay(t, file, w))
			require.Equal(t, told, w.decided)
			compared += len(told)
		})
	}
	require.Greater(t, compared, 20)
}

// outcomes reads what the updates of a recorded run were answered, by update ID.
func outcomes(t *testing.T, file string) map[string]string {
	t.Helper()
	raw, err := os.Open(file)
	require.NoError(t, err)
	defer raw.Close()
	history, err := client.HistoryFromJSON(raw, client.HistoryJSONOptions{})
	require.NoError(t, err)
	out := map[string]string{}
	for _, event := range history.Events {
		if done := event.GetWorkflowExecutionUpdateCompletedEventAttributes(); done != nil {
			out[done.Meta.UpdateId] = string(done.Outcome.GetSuccess().GetPayloads()[0].GetData())
		}
	}
	return out
}

// witness notes what updates are answered in a replay.
type witness struct {
	interceptor.WorkerInterceptorBase
	decided map[string]string
}

func (w *witness) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &witnessed{interceptor.WorkflowInboundInterceptorBase{Next: next}, w}
}

type witnessed struct {
	interceptor.WorkflowInboundInterceptorBase
	by *witness
}

func (w *witnessed) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	result, err := w.Next.ExecuteUpdate(ctx, in)
	raw, _ := json.Marshal(result)
	w.by.decided[workflow.GetCurrentUpdateInfo(ctx).ID] = string(raw)
	return result, err
}

// TestAChangeOfShapeIsFound shows that the test above can fail: the same workflows, but each rests for a second before it begins.
func TestAChangeOfShapeIsFound(t *testing.T) {
	for _, file := range histories(t) {
		t.Run(file, func(t *testing.T) { require.Error(t, replay(t, file, &resting{})) })
	}
}

// resting adds a timer to the begin of every workflow.
type resting struct {
	interceptor.WorkerInterceptorBase
}

func (*resting) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &rested{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type rested struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (r *rested) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	if err := workflow.Sleep(ctx, time.Second); err != nil {
		return nil, err
	}
	return r.Next.ExecuteWorkflow(ctx, in)
}
