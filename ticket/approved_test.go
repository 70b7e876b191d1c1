package ticket_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// signed is asked for twice, with a decision between the two whether the second is needed.
func signed(t *testing.T, rules flow.Rules) ticket.Ticket {
	t.Helper()
	person := func(who string) *flow.Processors { return &flow.Processors{Persons: []string{who}} }
	d := draft()
	d.Service, d.Definition = "signed", &flow.Definition{Key: "signed", Version: 1, Name: "Signed", Nodes: []flow.Node{
		{ID: "form", Name: "Form", Type: flow.Task, Processors: person("olga"), Fields: []flow.Field{{Key: "large", Type: flow.Bool}}, Next: "lead"},
		{ID: "lead", Name: "Lead", Type: flow.Approval, Processors: person("ann"), Reject: &flow.Rejection{Then: flow.GoBack, To: "form"}, Next: "size"},
		{ID: "size", Name: "Large?", Type: flow.Branch, Cases: []flow.Case{{When: "fields.large", Next: "board"}}, Default: "over"},
		{ID: "board", Name: "Board", Type: flow.Approval, Processors: person("bob"), Next: "work"},
		{ID: "work", Name: "Work", Type: flow.Task, Processors: person("joe"), Terminable: true, Next: "over"},
		{ID: "over", Name: "Over", Type: flow.End},
	}}
	on, events := open(t, d)
	if rules == flow.RulesFirst {
		events[0].After.Rules = flow.RulesFirst
		on = ticket.Fold(ticket.Ticket{}, events)
	}
	require.Equal(t, rules, on.Rules)
	return on
}

// What approve_result comes to and why, by how the ticket ended (seed 002; itsm.md 5.7).
func TestATicketIsApprovedByItsProcessAlone(t *testing.T) {
	type step struct {
		action ticket.Action
		who    string
		large  bool
	}
	fill, small := step{ticket.Submit, "olga", true}, step{ticket.Submit, "olga", false}
	lead, board, work := step{ticket.Approve, "ann", false}, step{ticket.Approve, "bob", false}, step{ticket.Submit, "joe", false}
	against := step{ticket.Reject, "bob", false}
	stop := func(a ticket.Action) step { return step{a, "root", false} }
	for name, c := range map[string]struct {
		steps  []step
		before bool // as tickets of flow.RulesFirst have it
		now    bool
		why    string
	}{
		"every approval passed":           {[]step{fill, lead, board, work}, true, true, `every approval was passed: "Lead" was approved by ann; "Board" was approved by bob`},
		"those that were entered passed":  {[]step{small, lead}, true, true, `every approval was passed: "Lead" was approved by ann`},
		"one did not":                     {[]step{fill, lead, against, work}, false, false, `not every approval was passed: "Board" was rejected by bob`},
		"voted on again":                  {[]step{fill, {ticket.Reject, "ann", false}, fill, lead, board, work}, true, true, `every approval was passed: "Lead" was approved by ann; "Board" was approved by bob`},
		"closed before any approval":      {[]step{stop(ticket.Close)}, true, false, "the ticket was closed before its process came to its end"},
		"closed while one was undecided":  {[]step{fill, stop(ticket.Close)}, false, false, "the ticket was closed before its process came to its end"},
		"closed between the approvals":    {[]step{fill, lead, stop(ticket.Close)}, false, false, "the ticket was closed before its process came to its end"},
		"closed after the last":           {[]step{fill, lead, board, stop(ticket.Close)}, true, false, "the ticket was closed before its process came to its end"},
		"finished from outside":           {[]step{stop(ticket.Report)}, true, false, "the ticket was closed before its process came to its end"},
		"terminated by hand":              {[]step{fill, lead, board, stop(ticket.Terminate)}, false, false, "the ticket was terminated before its process came to its end"},
		"withdrawn":                       {[]step{fill, lead, board, stop(ticket.Withdraw)}, false, false, "the ticket was withdrawn before its process came to its end"},
		"reopened: the way taken now":     {[]step{fill, lead, against, work, stop(ticket.Reopen), small, lead}, false, true, `every approval was passed: "Lead" was approved by ann`},
		"reopened, and closed by hand":    {[]step{fill, lead, board, work, stop(ticket.Reopen), stop(ticket.Close)}, true, false, "the ticket was closed before its process came to its end"},
		"reopened, and not approved then": {[]step{fill, lead, board, work, stop(ticket.Reopen), fill, lead, against, work}, false, false, `not every approval was passed: "Board" was rejected by bob`},
	} {
		t.Run(name, func(t *testing.T) {
			for rules, want := range map[flow.Rules]bool{flow.RulesFirst: c.before, flow.RulesNow: c.now} {
				on := signed(t, rules)
				var last ticket.Event
				for _, s := range c.steps {
					require.Equal(t, on.Status == ticket.Completed && on.Approved(), on.Approved(), "only a finished ticket is approved")
					cmd := command(s.action)
					cmd.Operator, cmd.Admin = s.who, true
					if s.action == ticket.Submit && s.who == "olga" {
						cmd.Fields = map[string]any{"large": s.large}
					}
					if cmd.Statement != nil {
						cmd.Statement.Status = ticket.Completed
					}
					var events []ticket.Event
					on, events = do(t, on, cmd)
					last = events[0]
				}
				require.True(t, on.Ended())
				if on.Rules == flow.RulesFirst {
					require.Equal(t, want, on.Approved(), "as it was decided then")
					require.Empty(t, last.Why)
					require.Nil(t, last.After.ApproveResult)
					continue
				}
				require.Equal(t, c.now, on.Approved())
				require.Equal(t, c.why, last.Why)
				require.Equal(t, c.now, *last.After.ApproveResult)
				require.Equal(t, on, through(t, on), "a ticket goes through JSON unchanged")
			}
		})
	}
}

// What terminates a ticket out of its process approves nothing either.
func TestATicketThatItsProcessTerminatesIsNotApproved(t *testing.T) {
	on := signed(t, flow.RulesNow)
	for _, c := range []ticket.Command{{Action: ticket.Submit, Operator: "olga", Fields: map[string]any{"large": true}}, {Action: ticket.Approve, Operator: "ann"},
		{Action: ticket.Approve, Operator: "bob"}, {Action: ticket.Terminate, Operator: "joe", Node: "work", Note: "no more"}} {
		on, _ = do(t, on, c)
	}
	require.Equal(t, ticket.Terminated, on.Status)
	require.False(t, on.Approved())
}

// A ticket whose process is over at once says so too, in the event of its ending.
func TestATicketThatIsOverAtItsOpeningSaysWhatCounted(t *testing.T) {
	d := draft()
	d.Service, d.Definition = "none", &flow.Definition{Key: "none", Version: 1, Name: "None", Nodes: []flow.Node{{ID: "over", Name: "Over", Type: flow.End}}}
	on, events := open(t, d)
	require.Len(t, events, 2)
	last := events[1]
	require.Equal(t, "the process came to its end, and no approval was entered", last.Why)
	require.True(t, *last.After.ApproveResult)
	require.True(t, on.Approved())
}
