package workflows

import (
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// watched has a workflow that goes round without end fail, where it would hang the test, and activities be as late as the bench says. What the clock on the
// wall says of a workflow that does not yield is no fault of it on a busy machine.
func (b *bench) watched() {
	b.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Hour, Interceptors: []interceptor.WorkerInterceptor{&watch{bench: b}}})
}

// maxAsked is how often a workflow may ask for the time, some hundred times as often as any test has it do.
const maxAsked = 50_000

type watch struct {
	interceptor.WorkerInterceptorBase
	bench *bench
}

func (w *watch) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &watchInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, w.bench}
}

type watchInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	bench *bench
}

func (w *watchInbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return w.Next.Init(&watchOutbound{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: next}, bench: w.bench})
}

type watchOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	bench *bench
	asked int
}

func (w *watchOutbound) Now(ctx workflow.Context) time.Time {
	if w.asked++; w.asked > maxAsked {
		panic("the workflow goes round without end")
	}
	return w.Next.Now(ctx)
}

func (w *watchOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if w.bench.late && workflow.GetActivityOptions(ctx).WaitForCancellation {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	return w.Next.ExecuteActivity(ctx, name, args...)
}
