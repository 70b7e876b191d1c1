package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"signalbox/desk"
	"signalbox/ticket"
)

// Engine is the client half of the ticket's workflow: desk.Engine over a Temporal client.
type Engine struct {
	Client    client.Client
	Namespace string
	MoveAfter int    // updates after which a run rolls over; zero: the workflow's own default
	Codec     *Codec // of the client; nil: it has none
}

var _ desk.Engine = (*Engine)(nil)

// dormant is how long a generation at which nobody acts and nothing is due waits for its first workflow task. An update wakes it at once, so a ticket
// that is handled sooner is spared a task. A signal does not, whatever the API says of it (server 1.32): it is heard when this is over. Where the
// first task is less than a query's ten seconds away, the server keeps the query until then, which Peek could not do without; so this is more.
const dormant = time.Minute

// startDelay is how long a ticket can wait for its first workflow task: until something of its process is due, dormant at most.
func startDelay(t ticket.Ticket, now time.Time) time.Duration {
	if len(t.Calls(now)) > 0 {
		return 0
	}
	if timers := t.Timers(); len(timers) > 0 {
		return max(0, min(dormant, timers[0].At.Sub(now)))
	}
	return dormant
}

// outcomeWait bounds how long Outcome waits for an update that no worker has taken yet.
const outcomeWait = 2 * time.Second

// Begin starts a generation of a ticket; see desk.Engine.
func (g *Engine) Begin(ctx context.Context, before ticket.Ticket, events []ticket.Event) error {
	t := ticket.Fold(before, events)
	options := client.StartWorkflowOptions{
		ID:                                       TicketID(t.Number, t.Generation),
		TaskQueue:                                QueueTickets,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(AttributeTenant.ValueSet(t.Tenant), AttributeService.ValueSet(t.Service),
			AttributeStatus.ValueSet(t.Status.Word()), AttributePhase.ValueSet(t.Phase())),
		Memo:          map[string]any{"title": t.Title, "origin": t.Origin},
		StaticSummary: summary(t.Title),
	}
	if !t.Ended() {
		options.StartDelay = startDelay(t, events[len(events)-1].At)
	}
	_, err := g.Client.ExecuteWorkflow(ctx, options, Ticket, TicketInput{Before: before, Events: events, MoveAfter: g.MoveAfter})
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if !errors.As(err, &already) {
		return err
	}
	began, err := g.Begun(ctx, t.Identity, t.Generation)
	if err != nil {
		return err
	}
	if len(began) > 0 && began[0].Operation == events[0].Operation {
		return nil
	}
	return desk.ErrGone
}

// Begun reads what a generation began with from its history, for which no worker is needed; see desk.Engine.
func (g *Engine) Begun(ctx context.Context, id ticket.Identity, generation int) ([]ticket.Event, error) {
	execution := &commonpb.WorkflowExecution{WorkflowId: TicketID(id.Number, generation)}
	for {
		page, err := g.Client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: g.Namespace, Execution: execution, MaximumPageSize: 1,
		})
		if err != nil {
			return nil, gone(err)
		}
		if len(page.GetHistory().GetEvents()) == 0 {
			return nil, fmt.Errorf("history of %s is empty", execution.WorkflowId)
		}
		started := page.History.Events[0].GetWorkflowExecutionStartedEventAttributes()
		if first := started.GetFirstExecutionRunId(); first != execution.RunId && started.GetContinuedExecutionRunId() != "" {
			execution.RunId = first
			continue
		}
		var in TicketInput
		if err := g.converter().FromPayloads(started.GetInput(), &in); err != nil {
			return nil, fmt.Errorf("read the input of %s: %w", execution.WorkflowId, err)
		}
		return in.Events, nil
	}
}

// converter converts as the client does, for what the client does not convert itself.
func (g *Engine) converter() converter.DataConverter {
	if g.Codec == nil {
		return converter.GetDefaultDataConverter()
	}
	return g.Codec.DataConverter()
}

// Update sends a command; see desk.Engine.
func (g *Engine) Update(ctx context.Context, id ticket.Identity, generation int, c ticket.Command) ([]ticket.Event, error) {
	handle, err := g.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: TicketID(id.Number, generation), UpdateID: c.Operation, UpdateName: UpdateHandle,
		Args: []any{HandleRequest{Command: c}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return nil, fromUpdate(ctx, err)
	}
	var result HandleResult
	if err := handle.Get(ctx, &result); err != nil {
		if untouched(err) {
			g.unstick(ctx, id, generation)
		}
		return nil, fromUpdate(ctx, err)
	}
	return result.Events, nil
}

// fromUpdate is fromWire for an update. Whoever joins an update whose first caller's time was up can hear from the server that the time is up, though
// theirs is not (server 1.32): under the same id it may be sent again at once.
func fromUpdate(ctx context.Context, err error) error {
	var gaveUp *client.WorkflowUpdateServiceTimeoutOrCanceledError
	if errors.As(err, &gaveUp) && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", desk.ErrMoving, err)
	}
	return fromWire(err)
}

// unstick has a run's next task go to the queue that all workers share. A refused update leaves no workflow task in the history, and a run
// that has none the server cannot hand to the worker that it remembers all the same: the next command would wait five seconds for nobody
// (server 1.32). Where this fails, it does.
func (g *Engine) unstick(ctx context.Context, id ticket.Identity, generation int) {
	_, _ = g.Client.WorkflowService().ResetStickyTaskQueue(ctx, &workflowservice.ResetStickyTaskQueueRequest{
		Namespace: g.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: TicketID(id.Number, generation)},
	})
}

// Outcome asks the server for the result of an update; see desk.Engine.
func (g *Engine) Outcome(ctx context.Context, id ticket.Identity, generation int, operation string) (desk.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, outcomeWait)
	defer cancel()
	handle := g.Client.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: TicketID(id.Number, generation), UpdateID: operation})
	var result HandleResult
	err := handle.Get(ctx, &result)
	if err == nil {
		return desk.Outcome{Known: true, Done: true, Events: result.Events}, nil
	}
	if ctx.Err() != nil {
		return desk.Outcome{}, nil // no worker has taken it up yet
	}
	err = fromWire(err)
	switch refusal := ticket.AsError(err); {
	case refusal != nil:
		return desk.Outcome{Known: true, Refusal: refusal}, nil
	case errors.Is(err, desk.ErrGone), errors.Is(err, desk.ErrMoving):
		return desk.Outcome{Known: true}, nil
	}
	return desk.Outcome{}, err
}

// Peek asks the workflow, or where it has not run yet, its history; see desk.Engine.
func (g *Engine) Peek(ctx context.Context, id ticket.Identity, generation int, after int64) ([]ticket.Event, bool, error) {
	value, err := g.Client.QueryWorkflow(ctx, TicketID(id.Number, generation), "", QueryTicket, PeekRequest{After: after})
	var notReady *serviceerror.WorkflowNotReady
	if errors.As(err, &notReady) {
		began, err := g.Begun(ctx, id, generation)
		for len(began) > 0 && began[0].Seq <= after {
			began = began[1:]
		}
		return began, false, err
	}
	if err != nil {
		return nil, false, gone(err)
	}
	var result PeekResult
	if err := value.Get(&result); err != nil {
		return nil, false, fmt.Errorf("read the answer of %s: %w", TicketID(id.Number, generation), err)
	}
	return result.Events, result.More, nil
}

// toWire makes a refusal an application error whose type is our code, so that the client can rebuild it exactly. More comes after it.
func toWire(err error, more ...any) error {
	if refusal := ticket.AsError(err); refusal != nil {
		return temporal.NewNonRetryableApplicationError(refusal.Error(), string(refusal.Code), nil, append([]any{*refusal}, more...)...)
	}
	return err
}

// untouched reads what a validator adds to a refusal: whether nothing has been decided in its run yet.
func untouched(err error) (yes bool) {
	var app *temporal.ApplicationError
	var refusal ticket.Error
	return errors.As(err, &app) && app.HasDetails() && app.Details(&refusal, &yes) == nil && yes
}

// fromWire reads what the server or the workflow said back into the desk's words. It never reads message texts.
func fromWire(err error) error {
	var app *temporal.ApplicationError
	var notReady *serviceerror.WorkflowNotReady
	switch {
	case errors.As(err, &app) && app.Type() == typeMoving, errors.As(err, &notReady):
		return desk.ErrMoving
	case errors.As(err, &app) && app.Type() == typeGone:
		return desk.ErrGone
	case errors.As(err, &app):
		var refusal ticket.Error
		if app.HasDetails() && app.Details(&refusal) == nil && refusal.Code != "" {
			return &refusal
		}
	}
	return gone(err)
}

// gone recognises a workflow that is over or never was: to the server both are the same.
func gone(err error) error {
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return desk.ErrGone
	}
	return err
}

// summary fits a title into what the server allows for a summary, in bytes.
func summary(title string) string {
	const max = 200
	if len(title) <= max {
		return title
	}
	cut := 0
	for i := range title {
		if i > max-3 {
			break
		}
		cut = i
	}
	return title[:cut] + "…"
}
