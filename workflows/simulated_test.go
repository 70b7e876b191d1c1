package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"pgregory.net/rapid"

	"signalbox/activities"
	"signalbox/flow"
	"signalbox/ticket"
)

// A simulation and the workflow that runs tickets come to the same: for a process at random and a script at random, every event to the byte and the
// microsecond (so the path, the votes, the timers, and what would be told of them), the requests, the words of every refusal, where the ticket stands
// at last, how it ended, and whether it was approved.
func TestASimulationIsWhatTheWorkflowDoes(t *testing.T) {
	var cases, events, refusals, requests, suspensions, endings int
	rapid.Check(t, func(t *rapid.T) {
		d := drawDraft(t)
		script, simulated := drawScript(t, d)
		if simulated.Endless || len(simulated.AtOnce) > 0 || answeredByDefault(script, simulated) {
			t.Skip("what happens at the same moment happens in any order")
		}
		ran := runScript(t, d, script, simulated)
		require.Equal(t, lines(simulated.Events), lines(ran.events), "the events")
		require.Equal(t, lines(requested(simulated.Calls)), lines(requested(ran.calls)), "the requests")
		for _, refused := range simulated.Refused {
			require.GreaterOrEqual(t, refused.Answer, 0, "%s", refused.Why)
			require.Equal(t, refused.Why, ran.refused[refused.Answer], "the refusal of answer %d", refused.Answer)
		}
		require.Len(t, ran.refused, len(simulated.Refused))
		var rests []flow.Asked
		for _, n := range ran.ticket.Nodes() {
			rests = append(rests, n.Asked)
		}
		require.Equal(t, lines(simulated.Rests), lines(rests), "where it stands")
		require.Equal(t, lines([]any{simulated.Status, simulated.Suspended, simulated.Assignee, simulated.Fields, simulated.Position}),
			lines([]any{ran.ticket.Status, ran.ticket.Suspended, ran.ticket.Assignee, ran.ticket.Fields, ran.ticket.Position}))
		require.Equal(t, simulated.Ending != nil, ran.ticket.Ended())
		if simulated.Ending != nil {
			require.Equal(t, simulated.Ending.ApproveResult, ran.ticket.Approved())
			endings++
		}
		elapsed := 0
		for _, e := range ran.events {
			switch e.Type {
			case ticket.Elapsed:
				timer := simulated.Timers[elapsed]
				require.False(t, timer.At.After(e.At), "a point in time can lie in a suspension")
				require.Contains(t, lines(e.After.States), fmt.Sprintf(`{"node":%q`, timer.Node))
				elapsed++
			case ticket.Suspended:
				suspensions++
			}
		}
		require.Len(t, simulated.Timers, elapsed)
		cases, events, refusals, requests = cases+1, events+len(ran.events), refusals+len(ran.refused), requests+len(ran.calls)
	})
	t.Logf("%d cases: %d events, %d refusals, %d requests, %d suspensions, %d endings", cases, events, refusals, requests, suspensions, endings)
	require.Positive(t, min(refusals, requests, suspensions, endings), "a kind of outcome never came up")
}

// lines writes a list one item a line, as it is kept.
func lines[T any](items []T) string {
	var out strings.Builder
	for _, item := range items {
		raw, err := json.Marshal(item)
		if err != nil {
			panic(err)
		}
		out.Write(append(raw, '\n'))
	}
	return out.String()
}

// requested sorts requests: those of one moment are made in any order. One that cannot be made is not made.
func requested(calls []flow.PendingCall) []flow.PendingCall {
	calls = slices.DeleteFunc(slices.Clone(calls), func(c flow.PendingCall) bool { return c.Problem != "" })
	slices.SortFunc(calls, func(a, b flow.PendingCall) int {
		return strings.Compare(fmt.Sprintf("%s %3d %3d", a.Node, a.Round, a.Try), fmt.Sprintf("%s %3d %3d", b.Node, b.Round, b.Try))
	})
	return calls
}

// answeredByDefault reports whether a node asked more often than the script says: such answers take no time, so that two of them would be at once.
func answeredByDefault(script ticket.Script, s ticket.Simulation) bool {
	made := map[string]int{}
	for _, c := range s.Calls {
		made[c.Node] += c.Attempts
	}
	for _, c := range script.Calls {
		made[c.Node]--
	}
	return slices.ContainsFunc(script.Calls, func(c ticket.ScriptedCall) bool { return made[c.Node] > 0 })
}

// ran is what the workflow came to.
type ran struct {
	ticket  ticket.Ticket
	events  []ticket.Event
	calls   []flow.PendingCall
	refused map[int]string
}

// runScript lets people act at the moments at which they do so in the simulation, and the receivers answer as the script says. Everything else is the
// workflow's own.
func runScript(t *rapid.T, d ticket.Draft, script ticket.Script, simulated ticket.Simulation) ran {
	opened, err := ticket.Open(d, ticket.Identity{}, "", epoch)
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	b := &bench{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	b.watched()
	b.SetStartTime(epoch)
	b.RegisterWorkflow(Ticket)
	var a *activities.Activities
	b.OnActivity(a.Project, mock.Anything, mock.Anything).Return(nil).Maybe()
	out := ran{refused: map[int]string{}}
	b.receivers(script, &out)

	answers := map[int]*answer{}
	act := func(i int, at time.Time) {
		c := commandOf(script.Answers[i])
		c.Operation = fmt.Sprintf("answers[%d]", i)
		answers[i] = b.handle(at.Sub(epoch), c)
	}
	for i := range script.Answers { // in their order: those of one moment are taken in it
		for _, e := range simulated.Events {
			if e.Operation == fmt.Sprintf("answers[%d]", i) {
				act(i, e.At)
			}
		}
		for _, r := range simulated.Refused {
			if r.Answer == i {
				act(i, r.At)
			}
		}
	}
	see := func() {
		value, err := b.QueryWorkflow(QueryTicket, PeekRequest{})
		require.NoError(t, err)
		var seen PeekResult
		require.NoError(t, value.Get(&seen))
		require.False(t, seen.More)
		out.ticket, out.events = seen.Ticket, seen.Events
	}
	if simulated.Ending == nil {
		b.RegisterDelayedCallback(see, simulated.Until.Sub(epoch)+30*time.Second)
		b.handle(simulated.Until.Sub(epoch)+40*time.Second, terminate("over"))
	}
	b.ExecuteWorkflow(Ticket, TicketInput{Events: opened})
	require.NoError(t, b.GetWorkflowError())
	if simulated.Ending != nil {
		see()
	}
	for i, answer := range answers {
		if answer.err != nil {
			why := ticket.AsError(fromWire(answer.err))
			require.NotNil(t, why, "%v", answer.err)
			out.refused[i] = why.Error()
		}
	}
	return out
}

// receivers has each attempt at a request take the next entry for its node. One that is broken off leaves it to the next.
func (b *bench) receivers(script ticket.Script, out *ran) {
	type attempt struct {
		activity string
		number   int32
	}
	next := map[string][]ticket.ScriptedCall{}
	for _, c := range script.Calls {
		next[c.Node] = append(next[c.Node], c)
	}
	takes, comesTo, nodes := map[string]time.Duration{}, map[attempt]ticket.ScriptedCall{}, map[string]string{}
	var mu sync.Mutex // the listeners are called by the workflow's loop, the requests are made beside it
	b.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in activities.CallInput
		if info.ActivityType.Name != "CallService" || args.Get(&in) != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.ContainsFunc(out.calls, func(c flow.PendingCall) bool {
			return c.Node == in.Call.Node && c.Round == in.Call.Round && c.Try == in.Call.Try
		}) {
			out.calls = append(out.calls, in.Call)
		}
		entry := ticket.ScriptedCall{Status: 200, Body: "{}"}
		if left := next[in.Call.Node]; len(left) > 0 {
			entry, next[in.Call.Node] = left[0], left[1:]
		}
		takes[in.Call.Node] = 0
		if entry.After != "" {
			takes[in.Call.Node], _ = flow.ParseDuration(entry.After)
		}
		comesTo[attempt{info.ActivityID, info.Attempt}], nodes[info.ActivityID] = entry, in.Call.Node
	})
	b.SetOnActivityCanceledListener(func(info *activity.Info) {
		mu.Lock()
		defer mu.Unlock()
		node := nodes[info.ActivityID]
		next[node] = append([]ticket.ScriptedCall{comesTo[attempt{info.ActivityID, info.Attempt}]}, next[node]...)
	})
	var d *activities.Deliveries
	for node := range next {
		b.OnActivity(d.CallService, mock.Anything, mock.MatchedBy(func(in activities.CallInput) bool { return in.Call.Node == node })).Maybe().
			AfterFn(func() time.Duration {
				mu.Lock()
				defer mu.Unlock()
				return takes[node]
			}).
			Return(func(ctx context.Context, in activities.CallInput) (flow.Called, error) {
				info := activity.GetInfo(ctx)
				mu.Lock()
				entry := comesTo[attempt{info.ActivityID, info.Attempt}]
				mu.Unlock()
				called := flow.Called{Node: in.Call.Node, Round: in.Call.Round, Try: in.Call.Try}
				fault := entry.Error
				if fault == "" {
					fault = flow.TryAgain(entry.Status)
				}
				if fault != "" {
					return called, temporal.NewApplicationError(fault, "fault", fault)
				}
				called.Status, called.Body, called.Headers = entry.Status, entry.Body, map[string]string{}
				for name, value := range entry.Headers {
					called.Headers[strings.ToLower(name)] = value
				}
				return called, nil
			})
	}
}

// commandOf is what a family makes of such an act.
func commandOf(a ticket.ScriptedAct) ticket.Command {
	c := ticket.Command{Action: ticket.Action(a.Action), Operator: a.Actor, Channel: ticket.ChannelIssue, App: "issue", Admin: a.Admin, Node: a.Node,
		Round: a.Round, Resend: a.Resend, Note: a.Comment, Solution: a.Solution, Targets: a.Targets, OnBehalf: a.OnBehalf, Fields: a.Fields, Place: a.Place, To: a.To}
	if a.Action == flow.Confirm {
		c.Note, c.Verdict = "", &ticket.Verdict{Passed: a.Pass, Comment: a.Comment}
	}
	return c
}
