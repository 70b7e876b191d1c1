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
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/internal/tracing"
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

// TaskTimeout is how long a worker has for a workflow task of a ticket before it is another's. Temporal's own 10 s are as long as a request has: whose task was
// with a worker that died would hear 503. It is far more than a task takes that has to read a whole history first.
const TaskTimeout = 5 * time.Second

// Begin starts a generation of a ticket; see desk.Engine.
func (g *Engine) Begin(ctx context.Context, before ticket.Ticket, events []ticket.Event) error {
	t := ticket.Fold(before, events)
	options := client.StartWorkflowOptions{
		ID:                                       TicketID(t.Number, t.Generation),
		TaskQueue:                                QueueTickets,
		WorkflowTaskTimeout:                      TaskTimeout,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(AttributeTenant.ValueSet(t.Tenant), AttributeService.ValueSet(t.Service),
			AttributeStatus.ValueSet(t.Status.Word())),
		Memo:          map[string]any{"title": t.Title, "origin": t.Origin, memoID: t.ID},
		StaticSummary: quoted(t.Title),
	}
	if desk.OpenedOnce(t.UUID) {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(options.TypedSearchAttributes.Copy(), AttributeCase.ValueSet(t.UUID))
	}
	if t.Ended() {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(options.TypedSearchAttributes.Copy(), AttributePhase.ValueSet(t.Phase()))
	} else {
		options.StartDelay = startDelay(t, events[len(events)-1].At)
	}
	ctx, span := tracing.StartCall(ctx, "StartWorkflow:"+TypeTicket)
	defer span.End()
	span.Text(tracing.Workflow, options.ID)
	_, err := g.Client.ExecuteWorkflow(ctx, options, Ticket, TicketInput{Before: before, Events: events, MoveAfter: g.MoveAfter, AttributesAtEnd: true})
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	if !errors.As(err, &already) {
		if err != nil {
			span.Fail("failed")
		}
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

// memoID is the member of a ticket's memo with its integer id.
const memoID = "id"

// integerID gives a listed ticket's integer id: from its memo, or where a version before began it, from what it began with.
func (g *Engine) integerID(ctx context.Context, listed *workflowpb.WorkflowExecutionInfo, number string, generation int) (id int64, err error) {
	if payload := listed.GetMemo().GetFields()[memoID]; payload != nil {
		err = g.converter().FromPayload(payload, &id)
		return id, err
	}
	in, err := g.firstInput(ctx, ticket.Identity{Number: number}, generation)
	if errors.Is(err, desk.ErrGone) {
		return 0, nil
	}
	return ticket.Fold(in.Before, in.Events).ID, err
}

// Begun reads what a generation began with from its history, for which no worker is needed; see desk.Engine.
func (g *Engine) Begun(ctx context.Context, id ticket.Identity, generation int) ([]ticket.Event, error) {
	in, err := g.firstInput(ctx, id, generation)
	return in.Events, err
}

// firstInput reads what the first run of a generation started from.
func (g *Engine) firstInput(ctx context.Context, id ticket.Identity, generation int) (in TicketInput, err error) {
	workflow, run := TicketID(id.Number, generation), ""
	for {
		started, err := g.started(ctx, workflow, run)
		if err != nil {
			return in, err
		}
		if first := started.GetFirstExecutionRunId(); first != run && started.GetContinuedExecutionRunId() != "" {
			run = first
			continue
		}
		if err := g.converter().FromPayloads(started.GetInput(), &in); err != nil {
			return in, fmt.Errorf("read the input of %s: %w", workflow, err)
		}
		return in, nil
	}
}

// started reads the first event of a run; without an ID, of the last one. ErrGone: there is no such run.
func (g *Engine) started(ctx context.Context, workflow, run string) (*historypb.WorkflowExecutionStartedEventAttributes, error) {
	page, err := g.Client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: g.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: workflow, RunId: run}, MaximumPageSize: 1,
	})
	if err != nil {
		return nil, gone(err)
	}
	if len(page.GetHistory().GetEvents()) == 0 {
		return nil, fmt.Errorf("history of %s is empty", workflow)
	}
	return page.History.Events[0].GetWorkflowExecutionStartedEventAttributes(), nil
}

// converter converts as the client does, for what the client does not convert itself.
func (g *Engine) converter() converter.DataConverter {
	if g.Codec == nil {
		return converter.GetDefaultDataConverter()
	}
	return g.Codec.DataConverter()
}

// Update sends a command; see desk.Engine.
func (g *Engine) Update(ctx context.Context, id ticket.Identity, generation int, seen desk.Seen, c ticket.Command) ([]ticket.Event, error) {
	ctx, span := tracing.StartCall(ctx, "UpdateWorkflow:"+string(c.Action))
	defer span.End()
	events, err := g.update(ctx, id, generation, seen, c)
	if span.Recording() {
		span.Text(tracing.Workflow, TicketID(id.Number, generation))
		span.Text(tracing.UpdateID, c.Operation)
		switch why := ticket.AsError(err); {
		case why != nil:
			span.Text(tracing.Refused, string(why.Code))
		case err != nil:
			span.Fail("failed")
		}
	}
	return events, err
}

// update sends UpdateHandle, whatever the action: workers of the version before know no other, and could not go on with a ticket whose history has another if this version is taken
// back. Workers take the actions' own names from this version on, so that the next one can send them.
func (g *Engine) update(ctx context.Context, id ticket.Identity, generation int, seen desk.Seen, c ticket.Command) ([]ticket.Event, error) {
	handle, err := g.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: TicketID(id.Number, generation), UpdateID: c.Operation, UpdateName: UpdateHandle,
		Args: []any{HandleRequest{Command: c, Seen: seen}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return nil, fromUpdate(ctx, err)
	}
	var result HandleResult
	if err := handle.Get(ctx, &result); err != nil {
		if untouched(err) {
			g.unstick(ctx, id, generation)
		}
		return nil, refusedAt(err, fromUpdate(ctx, err))
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
	// No worker has taken it up yet, when the time is up: this call's, as this side or the server counts it, whichever is first, or that of who sent the update. The SDK's own error for it is
	// around whatever a poll fails with.
	if ctx.Err() != nil || errors.As(err, new(*serviceerror.Canceled)) || errors.As(err, new(*serviceerror.DeadlineExceeded)) {
		return desk.Outcome{}, nil
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

// Peek asks the workflow, or where it has not run yet, its history; see desk.Engine. What earlier runs decided is asked of them, for as long as the
// namespace keeps them: the read model has it, unless it was put back to an earlier state.
func (g *Engine) Peek(ctx context.Context, id ticket.Identity, generation int, after int64) (desk.Peeked, error) {
	workflow := TicketID(id.Number, generation)
	p, err := g.peekRun(ctx, workflow, "", after)
	var notReady *serviceerror.WorkflowNotReady
	if errors.As(err, &notReady) {
		in, err := g.firstInput(ctx, id, generation)
		p = desk.Peeked{Ticket: ticket.Fold(in.Before, in.Events), Before: desk.SeenOf(in.Before), Events: in.Events}
		for len(p.Events) > 0 && p.Events[0].Seq <= after {
			p.Events = p.Events[1:]
		}
		return p, err
	}
	if err != nil {
		return p, gone(err)
	}
	now, run := p.Ticket, ""
	// Where the event asked for is the last one of the run before, that one is not woken for it.
	for p.Before.Seq > after+1 {
		started, err := g.started(ctx, workflow, run)
		if err != nil {
			return p, err
		}
		if run = started.GetContinuedExecutionRunId(); run == "" {
			break // what it began with comes from an earlier generation
		}
		earlier, err := g.peekRun(ctx, workflow, run, after)
		if err = gone(err); errors.Is(err, desk.ErrGone) {
			break // the namespace keeps it no longer
		}
		if err != nil {
			return p, err
		}
		p = earlier
		p.Ticket, p.More = now, true
	}
	return p, nil
}

// peekRun asks one run; without an ID, the last one.
func (g *Engine) peekRun(ctx context.Context, workflow, run string, after int64) (desk.Peeked, error) {
	value, err := g.Client.QueryWorkflow(ctx, workflow, run, QueryTicket, PeekRequest{After: after})
	if err != nil {
		return desk.Peeked{}, err
	}
	var result PeekResult
	if err := value.Get(&result); err != nil {
		return desk.Peeked{}, fmt.Errorf("read the answer of %s: %w", workflow, err)
	}
	return desk.Peeked(result), nil
}

// toWire makes a refusal an application error whose type is our code, so that the client can rebuild it exactly. More comes after it.
func toWire(err error, more ...any) error {
	var need *flow.Need
	if errors.As(err, &need) {
		return temporal.NewNonRetryableApplicationError(need.Error(), typeFacts, nil, *need)
	}
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

// refusedAt adds to a refusal what a validator says of where the ticket stands; one of a version before says nothing.
func refusedAt(said, err error) error {
	var app *temporal.ApplicationError
	var refusal ticket.Error
	var untouched bool
	var seq int64
	why := ticket.AsError(err)
	if why == nil || !errors.As(said, &app) || !app.HasDetails() || app.Details(&refusal, &untouched, &seq) != nil {
		return err
	}
	return &desk.RefusedAt{Refusal: why, Seq: seq}
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
	case errors.As(err, &app) && app.Type() == typeDiverged:
		return desk.ErrDiverged
	case errors.As(err, &app) && app.Type() == typeFacts:
		need := &flow.Need{}
		if err := app.Details(need); err != nil {
			return fmt.Errorf("read what has to be looked up: %w", err)
		}
		return need
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

// summary fits a text into what the server allows for a summary, in bytes.
func summary(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	cut := 0
	for i := range text {
		if i > maxQuoted-len("…") {
			break
		}
		cut = i
	}
	return text[:cut] + "…"
}
