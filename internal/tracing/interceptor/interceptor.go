// Package interceptor takes traces through Temporal: from who starts or updates a workflow to the worker that does it, and on to its activities, in headers that
// the history keeps. Where a trace was sampled out there is no header, and where none is traced there is no interceptor.
//
// What a header holds is read from the history alone and handed on as it is, so that a replay hands on the same, by whichever worker it is made.
package interceptor

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"signalbox/internal/tracing"
)

// header is the name of the header: a text of tracing.Carry, or an empty one for what begins a trace of its own.
const header = "signalbox-trace"

// Interceptor is for a client, and with it for the workers that are made of it.
type Interceptor struct {
	interceptor.InterceptorBase
	tracer    *tracing.Tracer
	converter converter.DataConverter
	alone     string
}

// New makes an interceptor. Headers are converted as all that Temporal keeps of us is. alone is the type of workflows whose updates are what is done to them, and whose timers and signals begin traces of
// their own; what others do by themselves is nobody's, also where an update had them look sooner: what they then do for whoever asked says so itself, and they go on with what is others'.
func New(t *tracing.Tracer, c converter.DataConverter, alone string) *Interceptor {
	return &Interceptor{tracer: t, converter: c, alone: alone}
}

// InterceptClient implements interceptor.ClientInterceptor.
func (i *Interceptor) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	return &clients{interceptor.ClientOutboundInterceptorBase{Next: next}, i}
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (i *Interceptor) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, &run{Interceptor: i}}
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (i *Interceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &activities{interceptor.ActivityInboundInterceptorBase{Next: next}, i}
}

// clients sends headers.
type clients struct {
	interceptor.ClientOutboundInterceptorBase
	*Interceptor
}

// ExecuteWorkflow implements interceptor.ClientOutboundInterceptor.
func (c *clients) ExecuteWorkflow(ctx context.Context, in *interceptor.ClientExecuteWorkflowInput) (client.WorkflowRun, error) {
	c.send(ctx)
	return c.Next.ExecuteWorkflow(ctx, in)
}

// UpdateWorkflow implements interceptor.ClientOutboundInterceptor.
func (c *clients) UpdateWorkflow(ctx context.Context, in *interceptor.ClientUpdateWorkflowInput) (client.WorkflowUpdateHandle, error) {
	c.send(ctx)
	return c.Next.UpdateWorkflow(ctx, in)
}

// send adds the header of the span that ctx carries. What cannot be converted now, is converted for the call itself next, and fails there.
func (c *clients) send(ctx context.Context) {
	text := tracing.Carry(ctx)
	if text == "" {
		return
	}
	if p, err := c.converter.ToPayload(text); err == nil {
		interceptor.Header(ctx)[header] = p
	}
}

// run is what is known of the traces of one run of a workflow.
type run struct {
	*Interceptor
	// cause is the header of what moved the workflow last; nil: that is in no trace.
	cause *commonpb.Payload
}

// causeKey is the key of the header that a coroutine was begun because of.
type causeKey struct{}

// moved notes what moves the workflow from now on.
func (r *run) moved(ctx workflow.Context) { r.cause = interceptor.WorkflowHeader(ctx)[header] }

// movedAlone notes that it moves without anybody having asked for it.
func (r *run) movedAlone(ctx workflow.Context) {
	if r.cause = nil; workflow.GetInfo(ctx).WorkflowType.Name != r.alone {
		return
	}
	if p, err := r.here(ctx).ToPayload(""); err == nil {
		r.cause = p
	}
}

// here is the converter as it is in workflows.
func (r *run) here(ctx workflow.Context) converter.DataConverter {
	if c, ok := r.converter.(workflow.ContextAware); ok {
		return c.WithWorkflowContext(ctx)
	}
	return r.converter
}

// begin begins the span of what a worker does for the one who sent the header, unless it is a replay.
func (r *run) begin(ctx workflow.Context, name string) tracing.Span {
	p := interceptor.WorkflowHeader(ctx)[header]
	if p == nil || workflow.IsReplaying(ctx) {
		return tracing.Span{}
	}
	var text string
	if err := r.here(ctx).FromPayload(p, &text); err != nil {
		return tracing.Span{}
	}
	_, span := r.tracer.Follow(context.Background(), text, name, tracing.Called)
	info := workflow.GetInfo(ctx)
	span.Text(tracing.Workflow, info.WorkflowExecution.ID)
	span.Text(tracing.Run, info.WorkflowExecution.RunID)
	return span
}

// inbound hears what comes to a workflow.
type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	*run
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{interceptor.WorkflowOutboundInterceptorBase{Next: next}, i.run})
}

// ExecuteWorkflow implements interceptor.WorkflowInboundInterceptor. The span is that of the first task alone: a ticket may be open for months.
func (i *inbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	i.moved(ctx)
	if info := workflow.GetInfo(ctx); info.ContinuedExecutionRunID == "" {
		if span := i.begin(ctx, "RunWorkflow:"+info.WorkflowType.Name); span.Recording() {
			workflow.Go(ctx, func(workflow.Context) { span.End() }) // has its turn when the workflow first waits
		}
	}
	return i.Next.ExecuteWorkflow(ctx, in)
}

// ExecuteUpdate implements interceptor.WorkflowInboundInterceptor.
func (i *inbound) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	if workflow.GetInfo(ctx).WorkflowType.Name == i.alone {
		i.moved(ctx)
	} else {
		i.cause = nil
	}
	span := i.begin(ctx, "HandleUpdate:"+in.Name)
	defer span.End()
	if span.Recording() {
		span.Text(tracing.UpdateID, workflow.GetCurrentUpdateInfo(ctx).ID)
	}
	out, err := i.Next.ExecuteUpdate(ctx, in)
	if err != nil {
		span.Fail("refused")
	}
	return out, err
}

// HandleSignal implements interceptor.WorkflowInboundInterceptor.
func (i *inbound) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	i.movedAlone(ctx)
	return i.Next.HandleSignal(ctx, in)
}

// outbound hands the header on.
type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	*run
}

// Go implements interceptor.WorkflowOutboundInterceptor. What a coroutine does is done because of what it was begun for, whatever moves the workflow meanwhile.
func (o *outbound) Go(ctx workflow.Context, name string, f func(workflow.Context)) workflow.Context {
	if o.cause != nil {
		ctx = workflow.WithValue(ctx, causeKey{}, o.cause)
	}
	return o.Next.Go(ctx, name, f)
}

// AwaitWithOptions implements interceptor.WorkflowOutboundInterceptor. It is by its end that a ticket's timers are heard of.
func (o *outbound) AwaitWithOptions(ctx workflow.Context, options workflow.AwaitOptions, condition func() bool) (bool, error) {
	ok, err := o.Next.AwaitWithOptions(ctx, options, condition)
	if !ok && err == nil && ctx.Value(causeKey{}) == nil {
		o.movedAlone(ctx)
	}
	return ok, err
}

// ExecuteActivity implements interceptor.WorkflowOutboundInterceptor.
func (o *outbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	begun, _ := ctx.Value(causeKey{}).(*commonpb.Payload)
	cause := begun
	if cause == nil {
		cause = o.cause
	}
	if cause != nil {
		interceptor.WorkflowHeader(ctx)[header] = cause
	}
	future := o.Next.ExecuteActivity(ctx, activityType, args...)
	if begun != nil {
		workflow.Go(ctx, func(ctx workflow.Context) {
			_ = future.Get(ctx, nil)
			o.cause = begun // what comes of it moves the workflow
		})
	}
	return future
}

// NewContinueAsNewError implements interceptor.WorkflowOutboundInterceptor.
func (o *outbound) NewContinueAsNewError(ctx workflow.Context, f any, args ...any) error {
	if o.cause != nil {
		interceptor.WorkflowHeader(ctx)[header] = o.cause
	}
	return o.Next.NewContinueAsNewError(ctx, f, args...)
}

// GetLogger implements interceptor.WorkflowOutboundInterceptor.
func (o *outbound) GetLogger(ctx workflow.Context) log.Logger {
	l := o.Next.GetLogger(ctx)
	var text string
	if o.cause == nil || o.here(ctx).FromPayload(o.cause, &text) != nil {
		return l
	}
	if trace, span, ok := tracing.IDs(text); ok {
		return log.With(l, "trace_id", trace, "span_id", span)
	}
	return l
}

// activities begins the spans of activities.
type activities struct {
	interceptor.ActivityInboundInterceptorBase
	*Interceptor
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (a *activities) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	p := interceptor.Header(ctx)[header]
	var text string
	if p == nil || a.converter.FromPayload(p, &text) != nil {
		return a.Next.ExecuteActivity(ctx, in)
	}
	info := activity.GetInfo(ctx)
	name := "RunActivity:" + info.ActivityType.Name
	var span tracing.Span
	if text == "" {
		ctx, span = a.tracer.Root(ctx, name)
	} else {
		ctx, span = a.tracer.Follow(ctx, text, name, tracing.Called)
	}
	defer span.End()
	span.Text(tracing.Workflow, info.WorkflowExecution.ID)
	span.Text(tracing.Run, info.WorkflowExecution.RunID)
	span.Number(tracing.Try, int64(info.Attempt))
	out, err := a.Next.ExecuteActivity(ctx, in)
	if err != nil {
		span.Fail("failed")
	}
	return out, err
}
