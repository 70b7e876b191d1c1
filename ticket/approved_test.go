package ticket_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// itsm.md 5.7: a ticket is approved when it has ended in the ordinary way and every approval it came to has passed. That all have passed is not
// enough while it runs, nor where it was ended by something else.
func TestATicketIsApprovedOnlyWhenItIsFinished(t *testing.T) {
	d := draft()
	d.Service, d.Definition = "signed", &flow.Definition{Key: "signed", Version: 1, Name: "Signed", Nodes: []flow.Node{
		{ID: "vote", Name: "Vote", Type: flow.Approval, Processors: &flow.Processors{Persons: []string{"ann"}}, Reject: &flow.Rejection{Then: flow.GoBack, To: "vote"}, Next: "work"},
		{ID: "work", Name: "Work", Type: flow.Task, Processors: &flow.Processors{Persons: []string{"bob"}}, Next: "over"},
		{ID: "over", Name: "Over", Type: flow.End},
	}}
	by := func(a ticket.Action, who string) ticket.Command {
		c := command(a)
		c.Operator, c.Admin = who, true
		return c
	}
	voted, _ := open(t, d)
	require.False(t, voted.Approved())
	voted, _ = do(t, voted, by(ticket.Reject, "ann"))
	voted, _ = do(t, voted, by(ticket.Approve, "ann"))
	require.True(t, flow.ApproveResult(voted.Position), "the last result of an approval counts")
	require.False(t, voted.Approved(), "it is running")

	suspended, _ := do(t, voted, by(ticket.Suspend, "bob"))
	require.False(t, suspended.Approved())
	for action, want := range map[ticket.Action]bool{ticket.Withdraw: false, ticket.Terminate: false, ticket.Close: true, ticket.Submit: true} {
		ended, _ := do(t, voted, by(action, "bob"))
		require.True(t, ended.Ended())
		require.Equal(t, want, ended.Approved(), action)
		if ended.Status == ticket.Completed {
			again, _ := do(t, ended, by(ticket.Reopen, "bob"))
			require.False(t, again.Approved(), "it is open again")
		}
	}
}
