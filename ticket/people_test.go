package ticket_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// twoVotes asks zhao and qian, then sun.
var twoVotes = flow.Definition{
	Key: "two", Number: 1000, Version: 1, Name: "Two votes",
	Nodes: []flow.Node{
		{ID: "first", Number: 1001, Name: "First", Type: flow.Approval, Rule: flow.AllOf, Processors: &flow.Processors{Persons: []string{"zhao", "qian"}}, Next: "second"},
		{ID: "second", Number: 1002, Name: "Second", Type: flow.Approval, Processors: &flow.Processors{Persons: []string{"sun"}}, Next: "done"},
		{ID: "done", Number: 1003, Name: "Done", Type: flow.End},
	},
}

func TestWhoHasWhichPart(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelITSM, App: "demo", Origin: "demo", Title: "x", Opener: "wang", Service: "two", Definition: &twoVotes,
		Followers: []string{"zhou"}}, ticket.Identity{ID: 1, Number: "REQ20260102000001", UUID: "u", Tenant: "a"}, "op", at)
	require.NoError(t, err)
	on := ticket.Fold(ticket.Ticket{}, events)
	acted := []string{events[0].Acted()}
	do := func(c ticket.Command) {
		t.Helper()
		at = at.Add(time.Minute)
		c.App, c.Operation = "demo", "op"
		more, err := ticket.Decide(on, c, at)
		require.NoError(t, err)
		for _, e := range more {
			on = ticket.Evolve(on, e)
			acted = append(acted, e.Acted())
		}
	}
	require.Equal(t, []string{"zhou"}, on.Followers)
	require.Equal(t, []string{"zhao", "qian"}, on.Approvers())
	require.Empty(t, on.LastApprovers())
	require.Nil(t, on.EndedAt())
	do(ticket.Command{Action: ticket.Approve, Operator: "qian", Channel: ticket.ChannelITSM})
	require.Equal(t, []string{"zhao"}, on.Approvers())
	require.Equal(t, []string{"qian"}, on.LastApprovers())
	do(ticket.Command{Action: ticket.Say, Operator: "li", Channel: ticket.ChannelIssue, Message: &ticket.Message{ID: "m", Author: "li", Content: "x"}})
	do(ticket.Command{Action: ticket.Approve, Operator: "zhao", Channel: ticket.ChannelITSM})
	require.Empty(t, on.LastApprovers(), "nobody has voted yet where it stands now")
	do(ticket.Command{Action: ticket.Suspend, Channel: ticket.ChannelIssue}) // an app, and no person
	do(ticket.Command{Action: ticket.Unsuspend, Channel: ticket.ChannelIssue, Operator: "zhao"})
	do(ticket.Command{Action: ticket.Reject, Operator: "sun", Channel: ticket.ChannelITSM})
	require.Equal(t, []string{"sun"}, on.LastApprovers())
	ended := at
	require.Equal(t, ended, *on.EndedAt())
	do(ticket.Command{Action: ticket.Report, Channel: ticket.ChannelException, Statement: &ticket.Statement{System: "JIRA", Issue: "1", Status: ticket.Completed}})
	require.Equal(t, ended, *on.EndedAt(), "what is said afterwards does not move the end")
	require.Empty(t, on.Approvers())
	require.Equal(t, []string{"wang", "qian", "", "zhao", "", "zhao", "sun", ""}, acted)
}

func TestFollowersAreChecked(t *testing.T) {
	d := ticket.Draft{Channel: ticket.ChannelITSM, App: "demo", Origin: "demo", Title: "x", Followers: []string{"a\nb"}}
	require.ErrorContains(t, check(d), "followers[0]: must not contain control characters")
	d.Followers = make([]string, ticket.MaxFollowers+1)
	require.ErrorContains(t, check(d), "followers: must have at most 50 items")
}

func TestAnOperatorEntitledInPerson(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelITSM, App: "demo", Origin: "demo", Title: "x", Opener: "wang", Service: "two", Definition: &twoVotes},
		ticket.Identity{ID: 1, Number: "REQ20260102000001", UUID: "u", Tenant: "a"}, "op", at)
	require.NoError(t, err)
	on := ticket.Fold(ticket.Ticket{}, events)
	for _, c := range []struct {
		action              ticket.Action
		who                 string
		personal, admin, ok bool
	}{
		{ticket.Suspend, "zhao", true, false, true}, {ticket.Suspend, "sun", true, true, false}, {ticket.Suspend, "wang", true, true, false}, {ticket.Suspend, "", true, true, false},
		{ticket.Suspend, "sun", false, false, true}, {ticket.Terminate, "qian", true, false, true}, {ticket.Terminate, "sun", true, true, false},
		{ticket.Terminate, "sun", false, false, true}, {ticket.Withdraw, "wang", true, false, true}, {ticket.Withdraw, "zhao", true, true, false},
		{ticket.Withdraw, "zhao", false, true, true}, {ticket.Reassign, "zhao", true, true, false}, {ticket.Reassign, "zhao", false, true, true},
	} {
		cmd := ticket.Command{Action: c.action, Operator: c.who, Personal: c.personal, Admin: c.admin, Channel: ticket.ChannelITSM, App: "demo", Operation: "o"}
		if c.action == ticket.Reassign {
			cmd.Node, cmd.Targets = "first", []string{"li"}
		}
		_, err := ticket.Decide(on, cmd, at)
		if c.ok {
			require.NoError(t, err, "%+v", c)
		} else {
			require.True(t, ticket.Is(err, ticket.Forbidden), "%+v: %v", c, err)
		}
	}
}
