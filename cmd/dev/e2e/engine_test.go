package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"signalbox/activities"
	"signalbox/cmd/dev/e2e/harness"
	"signalbox/cmd/dev/embedded"
	"signalbox/desk"
	"signalbox/ticket"
	"signalbox/workflows"
)

var temporalOfPackage struct {
	sync.Mutex
	server *embedded.Server
	made   int // namespaces
}

// temporalServer gives a namespace with everything tickets need, for this test alone, on the server in memory that the package's tests share.
func temporalServer(t *testing.T) (c client.Client, address, namespace string) {
	t.Helper()
	temporalOfPackage.Lock()
	defer temporalOfPackage.Unlock()
	if temporalOfPackage.server == nil {
		whole := harness.ForPackage(t)
		server, err := embedded.Start(whole.Context(), embedded.Options{})
		require.NoError(t, err)
		whole.Cleanup(func() { _ = server.Close() })
		temporalOfPackage.server = server
	}
	temporalOfPackage.made++
	address, namespace = temporalOfPackage.server.HostPort(), fmt.Sprint("test-", temporalOfPackage.made)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	c, err := workflows.Connection{Address: address, Namespace: namespace}.Dial(log, nil)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, workflows.Prepare(ctx, c, namespace, 24*time.Hour))
	return c, address, namespace
}

func openingEvents(t *testing.T) []ticket.Event {
	t.Helper()
	number := "IM" + uuid.NewString()
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "异常 \"quoted\""},
		ticket.Identity{ID: 1, Number: number, UUID: uuid.NewString(), Tenant: "a"}, uuid.NewString(), time.Now())
	require.NoError(t, err)
	return events
}

func command(action ticket.Action) ticket.Command {
	return ticket.Command{Action: action, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Operation: uuid.NewString()}
}

func speak() ticket.Command {
	c := command(ticket.Say)
	c.Message = &ticket.Message{ID: uuid.NewString(), Author: "li", Content: "hello"}
	return c
}

// notebook is a read model that counts what the workflow has projected by itself.
type notebook struct {
	desk.Ledger
	mu     sync.Mutex
	ticket ticket.Ticket
}

func (n *notebook) Ticket(context.Context, string, string) (ticket.Ticket, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ticket.Seq == 0 {
		return n.ticket, ticket.Refuse(ticket.NotFound, "none")
	}
	return n.ticket, nil
}

func (n *notebook) Project(_ context.Context, _ ticket.Identity, events []ticket.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range events {
		switch {
		case e.Seq == n.ticket.Seq+1:
			n.ticket = ticket.Evolve(n.ticket, e)
		case e.Seq > n.ticket.Seq:
			return desk.ErrGap
		}
	}
	return nil
}

func startTicketWorker(t *testing.T, c client.Client, d *desk.Desk) {
	t.Helper()
	w := worker.New(c, workflows.QueueTickets, worker.Options{})
	w.RegisterWorkflow(workflows.Ticket)
	w.RegisterActivity(&activities.Activities{Desk: d})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func TestTheEngineSpeaksWithARealServer(t *testing.T) {
	t.Parallel()
	c, _, namespace := temporalServer(t)
	engine := &workflows.Engine{Client: c, Namespace: namespace}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	events := openingEvents(t)
	id := events[0].After.Opening.Identity
	_, err := engine.Begun(ctx, id, 0)
	require.ErrorIs(t, err, desk.ErrGone)
	_, err = engine.Update(ctx, id, 0, desk.Seen{}, command(ticket.Accept))
	require.ErrorIs(t, err, desk.ErrGone)
	_, err = engine.Peek(ctx, id, 0, 0)
	require.ErrorIs(t, err, desk.ErrGone)

	// With every worker down a ticket can be opened, looked at, and opened again by whoever did not hear the answer.
	require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))
	require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))
	other := append([]ticket.Event{}, events...)
	other[0].Operation = "another"
	require.ErrorIs(t, engine.Begin(ctx, ticket.Ticket{}, other), desk.ErrGone)
	peeked, err := engine.Peek(ctx, id, 0, 0)
	require.NoError(t, err)
	require.False(t, peeked.More)
	require.Equal(t, events, peeked.Events)
	require.Equal(t, ticket.Fold(ticket.Ticket{}, events), peeked.Ticket)
	outcome, err := engine.Outcome(ctx, id, 0, "never-sent")
	require.NoError(t, err)
	require.Equal(t, desk.Outcome{Known: true}, outcome)

	// With no worker a command is not remembered: the call ends in an error, and the operation did not happen.
	lost := command(ticket.Accept)
	brief, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	_, err = engine.Update(brief, id, 0, desk.Seen{}, lost)
	stop()
	require.Error(t, err)
	require.NotErrorIs(t, err, desk.ErrGone)

	notes := &notebook{}
	startTicketWorker(t, c, desk.New(notes, engine, desk.Options{}))

	decided, err := engine.Update(ctx, id, 0, desk.Seen{}, lost)
	require.NoError(t, err)
	require.Len(t, decided, 1)
	again, err := engine.Update(ctx, id, 0, desk.Seen{}, lost)
	require.NoError(t, err)
	require.Equal(t, decided, again, "one operation happens once")
	outcome, err = engine.Outcome(ctx, id, 0, lost.Operation)
	require.NoError(t, err)
	require.Equal(t, desk.Outcome{Known: true, Done: true, Events: decided}, outcome)

	_, err = engine.Update(ctx, id, 0, desk.Seen{}, command(ticket.Accept))
	refusal := ticket.AsError(err)
	require.NotNil(t, refusal, "%v", err)
	require.Equal(t, ticket.Conflict, refusal.Code)
	bad := command(ticket.CommitSolution)
	_, err = engine.Update(ctx, id, 0, desk.Seen{}, bad)
	require.Equal(t, "mtm_type", ticket.AsError(err).Field)

	// What Temporal's UI shows.
	list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "SignalboxStatus = 'OPEN'"})
	for err == nil && len(list.Executions) == 0 && ctx.Err() == nil { // visibility follows a moment later
		list, err = c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "SignalboxStatus = 'OPEN'"})
	}
	require.NoError(t, err)
	require.Equal(t, "ticket:"+id.Number, list.Executions[0].Execution.WorkflowId)

	// The second door.
	require.NoError(t, c.SignalWorkflow(ctx, workflows.TicketID(id.Number, 0), "", "commit-solution", workflows.CommitSolutionSignal{
		Operator: "li", Solution: ticket.Solution{Type: "inc_type_p_config_issues", Cause: "c", Text: "s"}}))
	require.Eventually(t, func() bool { row, _ := notes.Ticket(ctx, "", ""); return row.Status == ticket.Resolved }, time.Minute, 10*time.Millisecond)

	ended, err := engine.Update(ctx, id, 0, desk.Seen{}, command(ticket.Terminate))
	require.NoError(t, err)
	_, err = engine.Update(ctx, id, 0, desk.Seen{}, speak())
	for errors.Is(err, desk.ErrMoving) {
		_, err = engine.Update(ctx, id, 0, desk.Seen{}, speak())
	}
	require.ErrorIs(t, err, desk.ErrGone)
	peeked, err = engine.Peek(ctx, id, 0, decided[0].Seq)
	require.NoError(t, err, "an ended generation can still be looked at")
	require.Equal(t, ended[0], peeked.Events[len(peeked.Events)-1])
	require.NoError(t, notes.Project(ctx, id, peeked.Events))

	// The next generation is begun once.
	row, err := notes.Ticket(ctx, "", "")
	require.NoError(t, err)
	require.True(t, row.Ended())
	row.Generation++
	mine, err := ticket.Decide(row, speak(), time.Now())
	require.NoError(t, err)
	theirs, err := ticket.Decide(row, speak(), time.Now())
	require.NoError(t, err)
	require.NoError(t, engine.Begin(ctx, row, mine))
	require.ErrorIs(t, engine.Begin(ctx, row, theirs), desk.ErrGone)
	began, err := engine.Begun(ctx, id, 1)
	require.NoError(t, err)
	require.Equal(t, mine, began)
}

func TestANamespaceThatWasJustMadeTakesTickets(t *testing.T) {
	t.Parallel()
	_, address, _ := temporalServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 3 { // a server looks for what is new every second; it is not always late
		namespace := fmt.Sprint("new-", i)
		c, err := workflows.Connection{Address: address, Namespace: namespace}.Dial(slog.New(slog.DiscardHandler), nil)
		require.NoError(t, err)
		t.Cleanup(c.Close)
		for range 2 { // it may be repeated
			require.NoError(t, workflows.Prepare(ctx, c, namespace, 24*time.Hour))
		}
		engine := &workflows.Engine{Client: c, Namespace: namespace}
		require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, openingEvents(t)))
	}
}

func TestARollOverLosesNothing(t *testing.T) {
	t.Parallel()
	c, _, namespace := temporalServer(t)
	engine := &workflows.Engine{Client: c, Namespace: namespace, MoveAfter: 10}
	notes := &notebook{}
	startTicketWorker(t, c, desk.New(notes, engine, desk.Options{}))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()

	events := openingEvents(t)
	id := events[0].After.Opening.Identity
	require.NoError(t, engine.Begin(ctx, ticket.Ticket{}, events))

	const commands, callers, signals = 15, 8, 40
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range commands {
				c := speak()
				for range 2 { // every command twice, as by a caller who did not hear the answer
					for {
						_, err := engine.Update(ctx, id, 0, desk.Seen{}, c)
						if errors.Is(err, desk.ErrMoving) && ctx.Err() == nil {
							continue
						}
						if err != nil {
							t.Error(err)
						}
						break
					}
				}
			}
		})
	}
	group.Go(func() {
		for i := range signals {
			if err := c.SignalWorkflow(ctx, workflows.TicketID(id.Number, 0), "", "accept", workflows.AcceptSignal{Operator: fmt.Sprintf("p%d", i)}); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	require.False(t, t.Failed())

	want := int64(1 + commands*callers + signals)
	d := desk.New(notes, engine, desk.Options{})
	require.Eventually(t, func() bool {
		if err := d.CatchUp(ctx, id, 0); err != nil {
			t.Log(err)
		}
		row, _ := notes.Ticket(ctx, "", "")
		return row.Seq >= want
	}, 30*time.Second, 50*time.Millisecond)
	row, _ := notes.Ticket(ctx, "", "")
	require.Equal(t, want, row.Seq, "no command and no signal lost, none doubled")
	require.Len(t, row.Messages, commands*callers)

	described, err := c.DescribeWorkflowExecution(ctx, workflows.TicketID(id.Number, 0), "")
	require.NoError(t, err)
	require.NotEqual(t, described.WorkflowExecutionInfo.FirstRunId, described.WorkflowExecutionInfo.Execution.RunId, "it rolled over")
	require.Contains(t, described.WorkflowExecutionInfo.SearchAttributes.IndexedFields, "SignalboxStatus", "search attributes go along")
	began, err := engine.Begun(ctx, id, 0)
	require.NoError(t, err)
	require.Equal(t, events, began, "what a generation began with is in its first run")
}
