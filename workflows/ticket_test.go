package workflows

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/desk"
	"signalbox/ticket"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func opening(t *testing.T) []ticket.Event {
	t.Helper()
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case"},
		ticket.Identity{ID: 1, Number: "IM202601020304050000000001", UUID: "u", Tenant: "a"}, "op-open", epoch)
	require.NoError(t, err)
	return events
}

// bench runs one run of a ticket's workflow on the test clock.
type bench struct {
	*testsuite.TestWorkflowEnvironment
	t          *testing.T
	projected  int
	projecting func() // runs inside the activity
	// projectTakes is how long the activity takes.
	projectTakes time.Duration
	// late has activities come to their end before they hear that they are cancelled; the test environment lets them hear it first.
	late bool
}

func newBench(t *testing.T) *bench {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	b := &bench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	b.watched()
	b.SetStartTime(epoch)
	b.RegisterWorkflow(Ticket)
	var a *activities.Activities
	b.OnActivity(a.Project, mock.Anything, mock.Anything).AfterFn(func() time.Duration { return b.projectTakes }).Return(func(context.Context, activities.ProjectInput) error {
		b.projected++
		if b.projecting != nil {
			b.projecting()
		}
		return nil
	}).Maybe()
	return b
}

// answer is what became of one update.
type answer struct {
	accepted bool
	err      error
	result   HandleResult
}

// handle sends a command after a while and gives where its answer will be.
func (b *bench) handle(after time.Duration, c ticket.Command) *answer {
	out := &answer{}
	b.RegisterDelayedCallback(func() {
		b.UpdateWorkflow(UpdateHandle, c.Operation, &testsuite.TestUpdateCallback{
			OnAccept: func() { out.accepted = true },
			OnReject: func(err error) { out.err = err },
			OnComplete: func(result any, err error) {
				out.err = err
				if r, ok := result.(HandleResult); ok {
					out.result = r
				}
			},
		}, HandleRequest{Command: c})
	}, after)
	return out
}

func (b *bench) state() ticket.Ticket {
	value, err := b.QueryWorkflow(QueryTicket, PeekRequest{})
	require.NoError(b.t, err)
	var out PeekResult
	require.NoError(b.t, value.Get(&out))
	return out.Ticket
}

func accept(operation string) ticket.Command {
	return ticket.Command{Action: ticket.Accept, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Operation: operation}
}

func say(operation string) ticket.Command {
	return ticket.Command{Action: ticket.Say, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Operation: operation,
		Message: &ticket.Message{ID: "m-" + operation, Author: "li", Content: "hello"}}
}

func terminate(operation string) ticket.Command {
	return ticket.Command{Action: ticket.Terminate, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Operation: operation}
}

func TestACommandIsDecidedOnceAndARefusalLeavesNoTrace(t *testing.T) {
	b := newBench(t)
	first := b.handle(time.Minute, accept("op-1"))
	refused := b.handle(2*time.Minute, accept("op-2"))
	b.RegisterDelayedCallback(func() { require.EqualValues(t, 2, b.state().Seq) }, 3*time.Minute)
	b.handle(time.Hour, terminate("op-3"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: opening(t)})
	require.NoError(t, b.GetWorkflowError())

	require.NoError(t, first.err)
	require.Len(t, first.result.Events, 1)
	require.Equal(t, ticket.Accepted, first.result.Events[0].Type)
	require.Equal(t, "op-1", first.result.Events[0].Operation)

	require.False(t, refused.accepted, "a refusal must come from the validator")
	refusal := ticket.AsError(fromWire(refused.err))
	require.NotNil(t, refusal, "%v", refused.err)
	require.Equal(t, ticket.Conflict, refusal.Code)
	require.EqualValues(t, 3, b.state().Seq)
	require.Zero(t, b.projected, "callers write down what they caused")
}

func TestATicketRollsOverWithoutLosingCommandsKeysOrSignals(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.handle(time.Duration(i+1)*time.Minute, say(fmt.Sprintf("op-%d", i)))
	}
	b.ExecuteWorkflow(Ticket, TicketInput{Events: opening(t), MoveAfter: 3})
	next := rolledOver(t, b.GetWorkflowError())
	require.Empty(t, next.Events)
	require.Equal(t, []string{"op-0", "op-1", "op-2"}, next.Recent)
	require.EqualValues(t, 4, next.Before.Seq)
	require.Len(t, next.Before.Messages, 3)
	require.Equal(t, 1, b.projected, "everything is in the read model before a run forgets it")

	b = newBench(t)
	again := b.handle(time.Minute, say("op-1"))
	anew := b.handle(2*time.Minute, say("op-9"))
	b.handle(3*time.Minute, terminate("op-10"))
	b.ExecuteWorkflow(Ticket, next)
	require.NoError(t, b.GetWorkflowError())
	require.True(t, again.accepted)
	require.NoError(t, again.err)
	require.Empty(t, again.result.Events, "an operation of the earlier run happens once")
	require.Len(t, anew.result.Events, 1)
	require.EqualValues(t, 5, anew.result.Events[0].Seq)
	require.Len(t, b.state().Messages, 4)
}

func TestSignalsWhileARunMovesAreDecidedBeforeItLeaves(t *testing.T) {
	b := newBench(t)
	b.projecting = func() {
		if b.projected <= 3 { // a signal during the first three projections: each must be decided, and projected again
			b.SignalWorkflow(string(ticket.Accept), AcceptSignal{Operator: fmt.Sprintf("p%d", b.projected)})
		}
	}
	b.handle(time.Minute, say("op-1"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: opening(t), MoveAfter: 1})
	next := rolledOver(t, b.GetWorkflowError())
	require.EqualValues(t, 5, next.Before.Seq, "opened, said, accepted, and two refused")
	require.Equal(t, ticket.Acknowledged, next.Before.Status)
	require.Equal(t, 4, b.projected)
}

func TestSignalsAreTheSecondChannel(t *testing.T) {
	b := newBench(t)
	signal := func(after time.Duration, name ticket.Action, payload any) {
		b.RegisterDelayedCallback(func() { b.SignalWorkflow(string(name), payload) }, after)
	}
	signal(1*time.Minute, ticket.Accept, AcceptSignal{Operator: "li"})
	signal(2*time.Minute, ticket.Accept, AcceptSignal{Operator: "wang"})
	signal(3*time.Minute, ticket.CommitSolution, "not an object")
	signal(4*time.Minute, ticket.CommitSolution, CommitSolutionSignal{Operator: "li",
		Solution: ticket.Solution{Type: "inc_type_p_config_issues", Interrupted: true, Cause: "c", Text: "s"}})
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(QueryTicket, PeekRequest{After: 2})
		require.NoError(t, err)
		var out PeekResult
		require.NoError(t, value.Get(&out))
		require.Equal(t, ticket.Resolved, out.Ticket.Status)
		require.Len(t, out.Events, 3)
		require.Equal(t, ticket.RefusedCmd, out.Events[0].Type)
		require.Equal(t, "wang", out.Events[0].Actor)
		require.Equal(t, ticket.RefusedCmd, out.Events[1].Type)
		require.Equal(t, ticket.Solved, out.Events[2].Type)
		require.Equal(t, ticket.ChannelSignal, out.Events[2].Channel)
	}, 5*time.Minute)
	signal(6*time.Minute, ticket.Confirm, ConfirmSignal{Operator: "li", Verdict: ticket.Verdict{Passed: true, Comment: "good"}})
	b.ExecuteWorkflow(Ticket, TicketInput{Events: opening(t)})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, ticket.Completed, b.state().Status)
	require.Equal(t, 5, b.projected)
}

func TestNothingIsTakenAfterTheEndingOfAGeneration(t *testing.T) {
	b := newBench(t)
	b.handle(time.Minute, terminate("op-1"))
	late := b.handle(time.Minute, say("op-2"))
	b.RegisterDelayedCallback(func() { b.SignalWorkflow(string(ticket.Accept), AcceptSignal{Operator: "li"}) }, time.Minute)
	b.ExecuteWorkflow(Ticket, TicketInput{Events: opening(t)})
	require.NoError(t, b.GetWorkflowError())
	require.EqualValues(t, 2, b.state().Seq)
	if late.err != nil { // otherwise the workflow was over before the command came
		require.ErrorIs(t, fromWire(late.err), desk.ErrGone)
	}
}

func TestAGenerationThatStaysEndedIsOverAtOnce(t *testing.T) {
	events := opening(t)
	ended := ticket.Fold(ticket.Ticket{}, events)
	more, err := ticket.Decide(ended, terminate("op-1"), epoch)
	require.NoError(t, err)
	ended = ticket.Fold(ended, more)
	ended.Generation++
	said, err := ticket.Decide(ended, say("op-2"), epoch)
	require.NoError(t, err)

	b := newBench(t)
	b.ExecuteWorkflow(Ticket, TicketInput{Before: ended, Events: said})
	require.NoError(t, b.GetWorkflowError())
	require.True(t, b.IsWorkflowCompleted())
	require.Len(t, b.state().Messages, 1)
	require.Equal(t, 1, b.state().Generation)
}

func TestPeekGivesLargeTimelinesInParts(t *testing.T) {
	r := &run{ticket: ticket.Fold(ticket.Ticket{}, opening(t)), events: opening(t)}
	large := make([]string, 2_000)
	for i := range large {
		large[i] = fmt.Sprintf("%0255d", i)
	}
	for i := range 5 {
		events, err := ticket.Decide(r.ticket, ticket.Command{Action: ticket.Relate, Operator: "li", Operation: fmt.Sprint(i),
			Relation: &ticket.Relation{Type: fmt.Sprintf("t%d", i), Content: large}}, epoch)
		require.NoError(t, err)
		r.ticket = ticket.Fold(r.ticket, events)
		r.events = append(r.events, events...)
	}
	var got []ticket.Event
	parts := 0
	for after, more := int64(0), true; more; parts++ {
		out, err := r.peek(PeekRequest{After: after})
		require.NoError(t, err)
		require.NotEmpty(t, out.Events)
		payload, err := converter.GetDefaultDataConverter().ToPayload(out)
		require.NoError(t, err)
		require.Less(t, payload.Size(), 2<<20)
		got = append(got, out.Events...)
		after, more = got[len(got)-1].Seq, out.More
	}
	require.Equal(t, r.events, got)
	require.Greater(t, parts, 1)
}

func TestSummaryFitsInBytes(t *testing.T) {
	long := ""
	for range 255 {
		long += "异"
	}
	require.LessOrEqual(t, len(summary(long)), 200)
	require.Equal(t, "short", summary("short"))
}

func rolledOver(t *testing.T, err error) TicketInput {
	t.Helper()
	var can *workflow.ContinueAsNewError
	require.True(t, errors.As(err, &can), "%v", err)
	var next TicketInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(can.Input, &next))
	return next
}

func TestARefusalKeepsItsTypeAcrossTheWire(t *testing.T) {
	in := ticket.RefuseField(ticket.Forbidden, "operator", "only the opener can withdraw a ticket")
	var app *temporal.ApplicationError
	require.True(t, errors.As(toWire(in), &app))
	require.True(t, app.NonRetryable())
	require.Equal(t, "forbidden", app.Type())
}
