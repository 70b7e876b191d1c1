package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"signalbox/activities"
	"signalbox/flow"
	"signalbox/ticket"
)

const grouped = `
key: grouped
name: Grouped
nodes:
  - {id: ask, name: Ask, type: approval, processors: {persons: [wang]}, deadline: [{after: 1d, do: approve}], next: board}
  - {id: board, name: Board, type: approval, rule: all, processors: {groups: [board]}, deadline: [{after: 1d, do: reassign, to: {manager_of: opener}}, {after: 2d, do: approve}], next: over}
  - {id: over, name: Over, type: end}
`

// directory answers what the workflow has looked up, and tells how often it was asked.
func (b *bench) directory() *[]flow.Need {
	var asked []flow.Need
	var a *activities.Activities
	b.OnActivity(a.LookUp, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.LookUpInput) (flow.Facts, error) {
		asked = append(asked, in.Need)
		found := flow.Facts{Groups: map[string]flow.Group{}, Managers: map[string]string{}}
		for _, id := range in.Need.Groups {
			found.Groups[id] = flow.Group{Members: []string{"ann", "bob"}}
		}
		for _, of := range in.Need.Managers {
			found.Managers[of] = "boss"
		}
		return found, nil
	})
	return &asked
}

func TestTimersHavePeopleLookedUp(t *testing.T) {
	b := newBench(t)
	asked := b.directory()
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, grouped)})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, []flow.Need{{Groups: []string{"board"}}, {Managers: []string{"li"}}}, *asked, "each once, when it was needed")
	board, _ := b.state().Position.Find("board")
	require.Equal(t, []string{"boss"}, board.Asked)
	require.Equal(t, []string{"ann", "bob"}, board.Lasting.Asked)
	require.True(t, b.state().Approved())
}

// Who brings the facts along has nothing looked up; who does not hears what is needed, and nothing has happened.
func TestCommandsComeWithFacts(t *testing.T) {
	b := newBench(t)
	asked := b.directory()
	vote := ticket.Command{Action: ticket.Approve, Operator: "wang", Node: "ask"}
	without := vote
	without.Operation = "op-without"
	with := vote.Informed(flow.Facts{Groups: map[string]flow.Group{"board": {Members: []string{"joe"}}}})
	with.Operation = "op-with"
	refused, taken := b.handle(time.Minute, without), b.handle(2*time.Minute, with)
	end := b.handle(3*time.Minute, ticket.Command{Action: ticket.Approve, Operator: "joe", Node: "board", Operation: "op-end"})
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, grouped)})
	require.NoError(t, b.GetWorkflowError())
	var need *flow.Need
	require.True(t, errors.As(fromWire(refused.err), &need), "%v", refused.err)
	require.Equal(t, []string{"board"}, need.Groups)
	require.NoError(t, taken.err)
	require.NoError(t, end.err)
	require.Empty(t, *asked)
	require.Equal(t, flow.LogEntry{Kind: flow.Found, Node: "board", Round: 1, To: []string{"joe"}, Note: "group board"}, taken.result.Events[0].ProcessLog[3])
}
