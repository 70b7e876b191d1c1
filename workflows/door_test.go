package workflows

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"signalbox/flow"
	"signalbox/ticket"
)

// confirmable is the incident service's ticket with a vocabulary, at some point of its way.
func confirmable(t *testing.T, rules flow.Rules, acts ...ticket.Command) []ticket.Event {
	t.Helper()
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Types: []string{"config", "change"}},
		ticket.Identity{ID: 1, Number: "IM202601020304050000000001", UUID: "u", Tenant: "a"}, "op-open", epoch)
	require.NoError(t, err)
	if events[0].After.Rules = rules; rules < flow.RulesComplete {
		events[0].After.Opening.Types = nil
	}
	for _, c := range acts {
		more, err := ticket.Decide(ticket.Fold(ticket.Ticket{}, events), c, epoch)
		require.NoError(t, err)
		events = append(events, more...)
	}
	return events
}

var (
	accepting = ticket.Command{Action: ticket.Accept, Operator: "li", Channel: ticket.ChannelIssue, App: "demo"}
	solving   = ticket.Command{Action: ticket.CommitSolution, Operator: "li", Channel: ticket.ChannelIssue, App: "demo",
		Solution: &ticket.Solution{Type: "config", Cause: "c", Text: "s"}}
)

// What a call of the API would refuse, a signal does not get through with: the refusal is in the timeline, says why, and nothing else has changed.
func TestASignalIsHeldToTheRulesOfTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		acts    []ticket.Command
		signal  ticket.Action
		payload string
		note    string      // of the refusal; empty: it is taken
		before  ticket.Type // what a ticket of the rules before makes of it
	}{
		"accept by nobody":        {nil, ticket.Accept, `{}`, "operator: is required", ticket.Accepted},
		"accept by a number":      {nil, ticket.Accept, `{"operator":7}`, "operator: is of the wrong type", ticket.RefusedCmd},
		"accept by another name":  {nil, ticket.Accept, `{"OPERATOR":"li"}`, "operator: is required", ticket.Accepted},
		"accept":                  {nil, ticket.Accept, `{"operator":"li","whatever":1}`, "", ticket.Accepted},
		"a solution":              {[]ticket.Command{accepting}, ticket.CommitSolution, `{"operator":"li","mtm_type":"change","is_service_interrupt":false,"cause":"c","solution":"s"}`, "", ticket.Solved},
		"a solution, text":        {[]ticket.Command{accepting}, ticket.CommitSolution, `{"operator":"li","mtm_type":"change","is_service_interrupt":"true","cause":"c","solution":"s"}`, "", ticket.RefusedCmd},
		"a made-up type":          {[]ticket.Command{accepting}, ticket.CommitSolution, `{"operator":"li","mtm_type":"nonsense","is_service_interrupt":true,"cause":"c","solution":"s"}`, "mtm_type: is none of config, change", ticket.Solved},
		"a solution, all missing": {[]ticket.Command{accepting}, ticket.CommitSolution, `{"operator":"li"}`, "is_service_interrupt: is required", ticket.RefusedCmd},
		"interrupted left out":    {[]ticket.Command{accepting}, ticket.CommitSolution, `{"operator":"li","mtm_type":"change","cause":"c","solution":"s"}`, "is_service_interrupt: is required", ticket.Solved},
		"interrupted, a word":     {[]ticket.Command{accepting}, ticket.CommitSolution, `{"operator":"li","mtm_type":"change","is_service_interrupt":"yes","cause":"c","solution":"s"}`, "is_service_interrupt: must be true or false", ticket.RefusedCmd},
		"confirm, no verdict":     {[]ticket.Command{accepting, solving}, ticket.Confirm, `{"operator":"li","virtual_confirm_comment":"good"}`, "virtual_confirm_result: is required", ticket.Returned},
		"confirm, no comment":     {[]ticket.Command{accepting, solving}, ticket.Confirm, `{"operator":"li","virtual_confirm_result":true}`, "virtual_confirm_comment: is required", ticket.RefusedCmd},
		"confirm, null":           {[]ticket.Command{accepting, solving}, ticket.Confirm, `{"operator":"li","virtual_confirm_result":null,"virtual_confirm_comment":"good"}`, "virtual_confirm_result: is required", ticket.Returned},
		"confirm, text":           {[]ticket.Command{accepting, solving}, ticket.Confirm, `{"operator":"li","virtual_confirm_result":"true","virtual_confirm_comment":"good"}`, "", ticket.RefusedCmd},
		"not JSON":                {nil, ticket.Accept, `"li"`, "payload: must be a JSON object", ticket.RefusedCmd},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rules := range []flow.Rules{flow.RulesNow, flow.RulesWeighed} {
				b := newBench(t)
				b.RegisterDelayedCallback(func() { b.SignalWorkflow(string(c.signal), json.RawMessage(c.payload)) }, time.Minute)
				b.RegisterDelayedCallback(func() {
					value, err := b.QueryWorkflow(QueryTicket, PeekRequest{After: int64(len(c.acts) + 1)})
					require.NoError(t, err)
					var out PeekResult
					require.NoError(t, value.Get(&out))
					require.Len(t, out.Events, 1)
					switch e := out.Events[0]; {
					case rules < flow.RulesComplete:
						require.Equal(t, c.before, e.Type, "by the rules of before")
					case c.note != "":
						require.Equal(t, ticket.RefusedCmd, e.Type)
						require.Contains(t, e.Note, c.note)
						require.Equal(t, ticket.Change{}, e.After)
					default:
						require.NotEqual(t, ticket.RefusedCmd, e.Type, e.Note)
					}
				}, 2*time.Minute)
				b.handle(time.Hour, terminate("op-end"))
				b.ExecuteWorkflow(Ticket, TicketInput{Events: confirmable(t, rules, c.acts...)})
				require.NoError(t, b.GetWorkflowError())
			}
		})
	}
}

// Whoever updates a ticket's workflow without the desk finishes nothing in the database: the workflow has it done, at once.
func TestAnUpdateWithoutTheDeskIsProjectedByTheWorkflow(t *testing.T) {
	b := newBench(t)
	var taken HandleResult
	refusals := map[string]error{}
	update := func(after time.Duration, id string, c ticket.Command) {
		b.RegisterDelayedCallback(func() {
			b.UpdateWorkflow(UpdateHandle, id, &testsuite.TestUpdateCallback{
				OnAccept:   func() {},
				OnReject:   func(err error) { refusals[id] = err },
				OnComplete: func(result any, err error) { taken, _ = result.(HandleResult) },
			}, HandleRequest{Command: c})
		}, after)
	}
	nobody := ticket.Command{Action: ticket.Suspend}
	update(1*time.Minute, "nobody", nobody)
	update(2*time.Minute, "made-up", ticket.Command{Action: ticket.CommitSolution, Operator: "li", Solution: &ticket.Solution{Type: "x", Cause: "c", Text: "s"}})
	update(3*time.Minute, "another", ticket.Command{Action: ticket.Accept, Operator: "li", Operation: "op-9"})
	update(4*time.Minute, "mine", ticket.Command{Action: ticket.Accept, Operator: "li"})
	b.RegisterDelayedCallback(func() {
		require.Equal(t, 1, b.projected)
		require.Equal(t, ticket.Acknowledged, b.state().Status)
	}, 5*time.Minute)
	b.handle(time.Hour, terminate("op-end"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: confirmable(t, flow.RulesNow)})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, 1, b.projected, "what came by the desk the desk writes down")

	require.ErrorContains(t, fromWire(refusals["nobody"]), "operator: is required")
	require.Error(t, refusals["made-up"])
	require.ErrorContains(t, fromWire(refusals["another"]), "operation: is the ID of the update, or left out")
	require.Len(t, taken.Events, 1)
	e := taken.Events[0]
	require.Equal(t, []any{"mine", ticket.ChannelSignal, "signal", "li"}, []any{e.Operation, e.Channel, e.App, e.Actor})
}

// An update that comes while the one before is being projected is projected too, and does not wait for whatever happens next.
func TestUpdatesWithoutTheDeskWhileOneIsProjected(t *testing.T) {
	b := newBench(t)
	b.projectTakes = time.Second
	update := func(id string, c ticket.Command) {
		b.UpdateWorkflow(UpdateHandle, id, &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(err error) { require.NoError(t, err) },
			OnComplete: func(_ any, err error) { require.NoError(t, err) }}, HandleRequest{Command: c})
	}
	b.projecting = func() {
		if b.projected == 1 {
			update("second", ticket.Command{Action: ticket.Suspend, Operator: "li"})
		}
	}
	b.RegisterDelayedCallback(func() { update("first", ticket.Command{Action: ticket.Accept, Operator: "li"}) }, time.Minute)
	b.RegisterDelayedCallback(func() {
		require.True(t, b.state().Suspended)
		require.Equal(t, 2, b.projected)
	}, 2*time.Minute)
	b.handle(time.Hour, terminate("op-end"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: confirmable(t, flow.RulesNow)})
	require.NoError(t, b.GetWorkflowError())
}
