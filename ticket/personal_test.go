package ticket_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// desk is a process with everything that persons can do: claim, hand over, vote, add, take back, confirm.
const personalProcess = `
key: desk
version: 1
name: Desk
nodes:
  - {id: take, name: Take, type: task, action: submit, distribute: claim, processors: {persons: [zhao, li]}, next: vote}
  - {id: vote, name: Vote, type: approval, rule: all, processors: {persons: [zhao, li]}, add: {persons: [zhou]}, deliver: {persons: [zhou]}, retract: true, terminable: true, next: check}
  - {id: check, name: Check, type: task, action: submit, processors: {opener: true}, next: done}
  - {id: done, name: Done, type: end}
`

// TestWhatAPersonMayDo: by Personal commands, as people on the pages give them. wang has opened the ticket, qian is its assignee, zhao and li are asked; sun is anybody else, and so is the admin boss,
// whose rights do not count.
func TestWhatAPersonMayDo(t *testing.T) {
	def, faults := flow.Parse([]byte(personalProcess))
	require.Empty(t, faults)
	begin := func(opener string, did ...ticket.Command) ticket.Ticket {
		d := draft()
		d.Opener, d.Assignee, d.Service, d.Definition = opener, "qian", "desk", &def
		on, _ := open(t, d)
		for _, c := range did {
			on, _ = do(t, on, c)
		}
		return on
	}
	by := func(who string, a ticket.Action) ticket.Command {
		c := command(a)
		c.Operator, c.Channel, c.App, c.Personal, c.Admin = who, ticket.ChannelPages, "pages", true, who == "boss"
		if c.Message != nil {
			c.Message.Author = who
		}
		return c
	}
	with := func(c ticket.Command, node, note string, targets ...string) ticket.Command {
		c.Node, c.Note, c.Targets = node, note, targets
		return c
	}
	taken := []ticket.Command{by("zhao", ticket.Claim)}
	voting := append(slices.Clone(taken), by("zhao", ticket.Submit))
	voted := append(slices.Clone(voting), by("zhao", ticket.Approve))
	checking := append(slices.Clone(voted), by("li", ticket.Approve))
	closed := []ticket.Command{by("zhao", ticket.Close)}
	withdrawn := []ticket.Command{by("wang", ticket.Withdraw)}
	suspended := []ticket.Command{by("zhao", ticket.Suspend)}
	said := []ticket.Command{by("zhao", ticket.Say)}
	everybody := []string{"wang", "qian", "zhao", "li", "sun", "boss"}
	for _, c := range []struct {
		name   string
		did    []ticket.Command
		what   ticket.Command
		may    []string
		opener string // wang unless said
	}{
		{name: "claim", what: by("", ticket.Claim), may: []string{"zhao", "li"}},
		{name: "submit what was claimed", did: taken, what: by("", ticket.Submit), may: []string{"zhao"}},
		{name: "approve", did: voting, what: by("", ticket.Approve), may: []string{"zhao", "li"}},
		{name: "reject", did: voting, what: with(by("", ticket.Reject), "vote", "no"), may: []string{"zhao", "li"}},
		{name: "add somebody", did: voting, what: with(by("", ticket.Add), "vote", "", "zhou"), may: []string{"zhao", "li"}},
		{name: "hand over", did: voting, what: with(by("", ticket.Deliver), "vote", "busy", "zhou"), may: []string{"zhao", "li"}},
		{name: "take a vote back", did: voted, what: by("", ticket.Retract), may: []string{"zhao"}},
		{name: "submit as the opener", did: checking, what: by("", ticket.Submit), may: []string{"wang"}},
		{name: "terminate at a node", did: voting, what: with(by("", ticket.Terminate), "vote", "over"), may: []string{"zhao", "li"}},
		{name: "terminate", what: by("", ticket.Terminate), may: []string{"zhao", "li"}},
		{name: "suspend", what: by("", ticket.Suspend), may: []string{"zhao", "li"}},
		{name: "unsuspend", did: suspended, what: by("", ticket.Unsuspend), may: []string{"zhao", "li"}},
		{name: "withdraw", what: by("", ticket.Withdraw), may: []string{"wang"}},
		{name: "withdraw what nobody opened", what: by("", ticket.Withdraw), opener: "-"},
		{name: "close", what: by("", ticket.Close), may: []string{"wang", "qian", "zhao", "li"}},
		{name: "close where the opener is asked", did: checking, what: by("", ticket.Close), may: []string{"wang", "qian"}},
		{name: "reopen", did: closed, what: by("", ticket.Reopen), may: []string{"wang", "qian"}},
		{name: "relate", what: by("", ticket.Relate), may: []string{"wang", "qian", "zhao", "li"}},
		{name: "say", what: by("", ticket.Say), may: everybody},
		{name: "say when it is over", did: withdrawn, what: by("", ticket.Say), may: everybody},
		{name: "rewrite what was said", did: said, what: by("", ticket.Revise)},
		{name: "reassign", what: with(by("", ticket.Reassign), "take", "", "li")},
		{name: "migrate", what: func() ticket.Command {
			c := by("", ticket.Migrate)
			next := def
			next.Version = 2
			c.Migration = &ticket.Migration{Definition: &next}
			return c
		}()},
		{name: "vote in somebody's name", did: voting, what: func() ticket.Command { c := by("", ticket.Approve); c.OnBehalf = "zhao"; return c }()},
		{name: "report", what: by("", ticket.Report)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, who := range append(slices.Clone(everybody), "") {
				opener := "wang"
				if c.opener == "-" {
					opener = ""
				}
				cmd := c.what
				cmd.Operator, cmd.Admin = who, who == "boss"
				if cmd.Message != nil {
					m := *cmd.Message
					m.Author = fmt.Sprint(who)
					if who == "" {
						m.Author = "wang"
					}
					cmd.Message = &m
				}
				_, err := ticket.Decide(begin(opener, c.did...), cmd, epoch)
				switch {
				case slices.Contains(c.may, who):
					require.NoError(t, err, who)
				default:
					require.Error(t, err, who)
					require.True(t, ticket.Is(err, ticket.Forbidden) || ticket.Is(err, ticket.Conflict) && c.name == "take a vote back" || ticket.Is(err, ticket.Invalid) && who == "", "%s: %v", who, err)
				}
			}
		})
	}
	anyone := in(t, "triggered")
	_, err := ticket.Decide(anyone, by("sun", ticket.Accept), epoch)
	require.NoError(t, err, "where a process asks anybody, anybody may act")
	another := by("sun", ticket.Say)
	another.Message.Author = "zhao"
	_, err = ticket.Decide(begin("wang"), another, epoch)
	require.True(t, ticket.Is(err, ticket.Forbidden), "nobody speaks as somebody else: %v", err)
}

// An admin who does not act as a person alone does what admins may, under their own name, and of a vote in somebody's name the timeline tells both.
func TestAnAdminActsForOthersAndTheTimelineTells(t *testing.T) {
	def, faults := flow.Parse([]byte(personalProcess))
	require.Empty(t, faults)
	d := draft()
	d.Service, d.Definition = "desk", &def
	on, _ := open(t, d)
	as := func(a ticket.Action, node string) ticket.Command {
		return ticket.Command{Action: a, Operator: "boss", Channel: ticket.ChannelPages, App: "pages", Admin: true, Operation: "o", Node: node}
	}
	reassign := as(ticket.Reassign, "take")
	reassign.Targets = []string{"li"}
	on, events := do(t, on, reassign)
	require.Equal(t, "boss", events[len(events)-1].Actor)
	for _, c := range []ticket.Command{{Action: ticket.Claim, Operator: "li"}, {Action: ticket.Submit, Operator: "li"}} {
		c.Channel, c.App, c.Operation, c.Personal = ticket.ChannelPages, "pages", "o", true
		if len(on.Nodes()) == 1 && on.Nodes()[0].State == flow.Active && c.Action == ticket.Claim {
			continue // reassigned to one alone
		}
		on, _ = do(t, on, c)
	}
	vote := as(ticket.Approve, "vote")
	vote.OnBehalf = "zhao"
	on, events = do(t, on, vote)
	e := events[len(events)-1]
	require.Equal(t, []string{"boss", "pages", "pages"}, []string{e.Actor, string(e.Channel), e.App})
	raw := fmt.Sprintf("%+v", e.ProcessLog)
	require.Contains(t, raw, "zhao", "in whose name")
	require.Contains(t, raw, "boss")
	_ = on
}
