package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"signalbox/desk"
	"signalbox/ticket"
)

var _ desk.Workflows = (*Engine)(nil)

// listPage is how many workflows are listed at once.
const listPage = 1000

// listQuery chooses workflows of tickets. Of one that rolled over, the last run stands for all.
func listQuery(running bool, since time.Time) string {
	query := "WorkflowType = 'Ticket' AND ExecutionStatus != 'ContinuedAsNew'"
	if running {
		query = "WorkflowType = 'Ticket' AND ExecutionStatus = 'Running'"
	}
	if !since.IsZero() {
		query += fmt.Sprintf(" AND StartTime >= '%s'", since.UTC().Format(time.RFC3339Nano))
	}
	return query
}

// List reads the server's list of tickets; see desk.Workflows.
func (g *Engine) List(ctx context.Context, running bool, since time.Time, token string) (page []desk.Listed, next string, err error) {
	return g.list(ctx, listQuery(running, since), token)
}

// list reads a page of tickets by a query of the server's.
func (g *Engine) list(ctx context.Context, query, token string) (page []desk.Listed, next string, err error) {
	list, err := g.Client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: g.Namespace, Query: query, PageSize: listPage,
		NextPageToken: []byte(token)})
	if err != nil {
		return nil, "", fmt.Errorf("list tickets: %w", err)
	}
	for _, w := range list.GetExecutions() {
		number, generation, ok := ParseTicketID(w.GetExecution().GetWorkflowId())
		if !ok {
			continue
		}
		listed := desk.Listed{Identity: ticket.Identity{Number: number}, Generation: generation, Running: w.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
		if counter, _, _ := ticket.Drawn(number); counter != "" { // the number does not tell it
			if listed.ID, err = g.integerID(ctx, w, number, generation); err != nil {
				return nil, "", err
			}
		}
		page = append(page, listed)
	}
	return page, string(list.GetNextPageToken()), nil
}

// Drawn reads what tickets are numbered by from the server's list; see desk.Engine.
func (g *Engine) Drawn(ctx context.Context, since time.Time) (drawn desk.Drawn, err error) {
	for token := ""; ; {
		page, next, err := g.List(ctx, false, since, token)
		if err != nil {
			return drawn, err
		}
		for _, w := range page {
			drawn.Add(w.Identity)
		}
		if token = next; token == "" {
			return drawn, nil
		}
	}
}

// Find looks into the server's list; see desk.Engine.
func (g *Engine) Find(ctx context.Context, id ticket.Identity) (ticket.Identity, int, error) {
	page, _, err := g.list(ctx, fmt.Sprintf("%s AND %s = '%s'", listQuery(false, time.Time{}), AttributeCase.GetName(), id.UUID), "")
	if err != nil {
		return id, 0, err
	}
	if len(page) == 0 {
		return id, 0, desk.ErrGone
	}
	id.Number, id.ID = page[0].Number, page[0].ID // the generation that began last
	return id, page[0].Generation, nil
}

// CountWorkflows counts what List lists.
func (g *Engine) CountWorkflows(ctx context.Context) (int, error) {
	count, err := g.Client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: g.Namespace, Query: listQuery(false, time.Time{})})
	if err != nil {
		return 0, fmt.Errorf("count tickets: %w", err)
	}
	return int(count.GetCount()), nil
}

// Running asks the server whether a generation's workflow runs; see desk.Workflows.
func (g *Engine) Running(ctx context.Context, number string, generation int) (bool, error) {
	described, err := g.Client.WorkflowService().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: g.Namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: TicketID(number, generation)}})
	if err != nil {
		return false, gone(err)
	}
	return described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// failingFrom is how often a task of a workflow is tried before the workflow counts as failing: a worker that dies, or is replaced, costs one try or two.
const failingFrom = 5

// Ails asks the server whether a generation's workflow goes on; see desk.Workflows.
func (g *Engine) Ails(ctx context.Context, number string, generation int) (ticket.Cause, error) {
	described, err := g.Client.WorkflowService().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: g.Namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: TicketID(number, generation)}})
	if err = gone(err); errors.Is(err, desk.ErrGone) {
		return "", nil // that is a contradiction, of which more is said
	}
	if err != nil {
		return "", err
	}
	switch described.GetWorkflowExecutionInfo().GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		if described.GetPendingWorkflowTask().GetAttempt() >= failingFrom {
			return ticket.CauseFailing, nil
		}
		return "", nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return "", nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED: // as every ticket that has ended does, a moment before its row says so
		return "", nil
	}
	return ticket.CauseLost, nil
}

// Stop terminates a generation's workflow; see desk.Workflows.
func (g *Engine) Stop(ctx context.Context, number string, generation int, why string) error {
	err := gone(g.Client.TerminateWorkflow(ctx, TicketID(number, generation), "", why))
	if errors.Is(err, desk.ErrGone) {
		return nil
	}
	return err
}

// Served refuses where no worker polls for workflows of tickets; see desk.Workflows.
func (g *Engine) Served(ctx context.Context) error {
	queue, err := g.Client.DescribeTaskQueue(ctx, QueueTickets, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return fmt.Errorf("look for workers: %w", err)
	}
	if len(queue.GetPollers()) == 0 {
		return fmt.Errorf("no worker serves the queue %s: start one, since workflows answer only where one does", QueueTickets)
	}
	return nil
}
