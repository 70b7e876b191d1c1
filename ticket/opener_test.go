package ticket_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// Some families name no person who opens a ticket (issue, publish). docs/processes.md says what that means for what speaks of the opener.
func TestATicketWithoutAnOpener(t *testing.T) {
	def, faults := flow.Parse([]byte(`
key: orphan
name: Orphan
nodes:
- {id: fix, name: Fix, type: task, processors: {opener: true}, terminable: true, next: check}
- {id: check, name: Check, type: approval, processors: {opener: true, persons: [ann]}, next: whose}
- {id: whose, name: Whose, type: branch, cases: [{when: 'opener == ""', next: rest}], default: done}
- {id: rest, name: Rest, type: task, distribute: claim, processors: {opener: true, anyone: true}, next: done}
- {id: done, name: Done, type: end}
`))
	require.Empty(t, faults)
	d := draft()
	d.Opener, d.Service, d.Definition = "", def.Key, &def
	on, events := open(t, d)
	require.Equal(t, "demo", events[0].Actor, "the app opened it")
	require.Empty(t, events[0].Acted(), "and so no person had to do with it yet")

	// Nobody is asked in the place of an opener, and nobody may act as one.
	require.Empty(t, on.WaitingFor())
	require.Equal(t, "nobody is asked: an admin has to reassign it", on.Nodes()[0].Problem)
	for _, operator := range []string{"", "li"} {
		submit := command(ticket.Submit)
		submit.Operator = operator
		_, err := ticket.Decide(on, submit, epoch)
		refusal(t, err, ticket.Forbidden, "operator")
		terminate := command(ticket.Terminate)
		terminate.Operator, terminate.Node, terminate.Note = operator, "fix", "why not"
		_, err = ticket.Decide(on, terminate, epoch)
		refusal(t, err, ticket.Forbidden, "operator")
	}
	reassign := command(ticket.Reassign)
	reassign.Admin, reassign.Targets = true, []string{"li"}
	on, _ = do(t, on, reassign)
	on, _ = do(t, on, command(ticket.Submit))

	// Beside others, the opener is left out.
	require.Equal(t, []string{"ann"}, on.WaitingFor())
	approve := command(ticket.Approve)
	approve.Operator = "ann"
	on, _ = do(t, on, approve)

	// A condition sees the empty text, and with anyone a task is open to anyone.
	require.Equal(t, "rest", on.Nodes()[0].Asked.Node)
	require.True(t, on.Nodes()[0].Anyone)

	// Withdrawing is anybody's, somebody without a name included.
	withdraw := command(ticket.Withdraw)
	withdraw.Operator = ""
	on, _ = do(t, on, withdraw)
	require.Equal(t, ticket.Revoked, on.Status)
}
