package ticket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

// service reads a definition without faults and makes it a published one.
func service(t tester, version int, source string) *flow.Definition {
	t.Helper()
	def, faults := flow.Parse([]byte(source))
	require.Empty(t, faults)
	def.Version = version
	return &def
}

const leaveV1 = `
key: leave
name: Leave
nodes:
  - {id: lead, name: Lead, type: approval, rule: all, processors: {persons: [wang, zhao], caller: true}, deadline: [{after: 1h, do: remind}], next: book}
  - {id: book, name: Book it, type: call, call: {url: 'https://hr.example.com'}, processors: {persons: [hr]}, next: over}
  - {id: over, name: Over, type: end}
`

// leaveV2 calls the first node otherwise, gives it longer, and asks somebody after it.
var leaveV2 = strings.NewReplacer("id: lead", "id: chief", "after: 1h", "after: 2h", "next: book", "next: boss",
	"  - {id: book", "  - {id: boss, name: Boss, type: approval, processors: {persons: [qian]}, next: book}\n  - {id: book").Replace(leaveV1)

func onLeave(t tester) ticket.Ticket {
	t.Helper()
	d := draft()
	d.Service, d.Definition, d.Named = "leave", service(t, 1, leaveV1), map[string][]string{"lead": {"wang", "li"}}
	on, _ := open(t, d)
	return on
}

func moving(to *flow.Definition, nodes map[string]string) ticket.Command {
	return ticket.Command{Action: ticket.Migrate, Operator: "chief", Admin: true, Operation: "op-migrate", Migration: &ticket.Migration{Definition: to, Nodes: nodes, Rules: flow.RulesNow}}
}

func TestATicketMovesToAnotherVersion(t *testing.T) {
	on := onLeave(t)
	vote := command(ticket.Approve)
	on, _ = do(t, on, vote)
	require.Equal(t, []string{"wang"}, on.WaitingFor())

	v2 := service(t, 2, leaveV2)
	moved, events := do(t, on, moving(v2, map[string]string{"lead": "chief"}))
	e := through(t, events[0])
	require.Equal(t, ticket.Migrated, e.Type)
	require.Equal(t, []int{1, 2}, []int{e.Before.Pinned.Version, e.After.Pinned.Version})
	require.Equal(t, moved, ticket.Fold(on, through(t, events)), "the event says all of it")
	require.Equal(t, "leave", moved.Service)
	require.Equal(t, 2, moved.Version)
	require.Equal(t, map[string][]string{"chief": {"wang", "li"}}, moved.Named)
	require.Equal(t, []string{"wang"}, moved.WaitingFor(), "a vote that was given counts")
	require.Equal(t, 1, on.Version, "the ticket it comes from is as it was")
	require.Equal(t, epoch.Add(time.Hour), moved.Timers()[0].At, "a deadline goes on as it was set")

	// The timer that was armed for the old node has come too late to matter; that of the new one comes.
	none, err := ticket.Decide(moved, ticket.Command{Action: ticket.Fire, Fired: &flow.Fired{Node: "lead", Round: 1}}, epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, none)
	events, err = ticket.Decide(moved, ticket.Command{Action: ticket.Fire, Fired: &flow.Fired{Node: "chief", Round: 1}}, epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, flow.Reminded, events[0].ProcessLog[0].Kind)

	// From here on the new version holds.
	vote.Operator = "wang"
	moved, _ = do(t, moved, vote)
	require.Equal(t, []string{"qian"}, moved.WaitingFor())
	vote.Operator = "qian"
	moved, _ = do(t, moved, vote)
	require.Len(t, moved.Calls(epoch), 1)
	moved, _ = do(t, moved, ticket.Command{Action: ticket.Answer, Called: &flow.Called{Node: "book", Round: 1, Try: 1, Status: 200, Body: "{}"}})
	require.True(t, moved.Approved())
}

func TestAMigrationIsRefusedWithEveryReason(t *testing.T) {
	on := onLeave(t)
	v2 := service(t, 2, leaveV2)
	why := func(c ticket.Command, code ticket.Code, field string) string {
		t.Helper()
		events, err := ticket.Decide(on, c, epoch)
		require.Empty(t, events)
		return refusal(t, err, code, field).Message
	}
	said := why(moving(v2, map[string]string{"gone": "boss", "book": "nowhere"}), ticket.Conflict, "nodes")
	for _, reason := range []string{"gone: there is no such node in version 1", `"nowhere" is no node of version 2`} {
		require.Contains(t, said, reason)
	}
	require.Contains(t, why(moving(v2, nil), ticket.Conflict, "nodes"), "lead: it is open")
	require.Contains(t, why(moving(v2, map[string]string{"lead": "book"}), ticket.Conflict, "nodes"), "is a call")
	why(moving(service(t, 1, leaveV1), nil), ticket.Conflict, "version")
	why(moving(nil, nil), ticket.Invalid, "version")
	why(moving(service(t, 2, strings.Replace(leaveV2, "key: leave", "key: stay", 1)), nil), ticket.Invalid, "version")
	c := moving(v2, map[string]string{"lead": "chief"})
	c.Admin = false
	why(c, ticket.Forbidden, "operator")
	on, _ = do(t, on, command(ticket.Terminate))
	why(moving(v2, map[string]string{"lead": "chief"}), ticket.Conflict, "")
}

func TestWhoVotesTooLateHearsWhoHasDecided(t *testing.T) {
	d := draft()
	d.Service, d.Definition = "one", service(t, 1, `
key: one
name: One
nodes: [{id: vote, name: Vote, type: approval, processors: {persons: [wang, li]}, next: over}, {id: over, name: Over, type: end}]
`)
	on, _ := open(t, d)
	vote := command(ticket.Approve)
	vote.Operator = "wang"
	on, _ = do(t, on, vote)
	require.True(t, on.Ended())
	vote.Operator = "li"
	for _, node := range []string{"", "vote"} {
		vote.Node = node
		_, err := ticket.Decide(on, vote, epoch)
		require.Equal(t, `the ticket is completed: "Vote" is already approved by wang`, refusal(t, err, ticket.Conflict, "node").Message)
	}
}

// What a caller wants to be asked is held against the definition as it is opened, and against limits.
func TestADefinitionThatNoTicketCouldCarry(t *testing.T) {
	d := draft()
	d.Service, d.Definition = "leave", service(t, 1, leaveV1)
	for i := range 40 {
		d.Definition.Fields = append(d.Definition.Fields, flow.Field{Key: fmt.Sprintf("f%d", i), Type: flow.Text, Default: strings.Repeat("x", ticket.MaxDefinition/40)})
	}
	refusal(t, check(d), ticket.Invalid, "service")
	d = draft()
	d.Named = map[string][]string{"accept": items(ticket.MaxNamed/8, "person-")}
	refusal(t, check(d), ticket.Invalid, "state_processors")
}

func TestVotesDoNotMakeATicketTooLargeToBeCarried(t *testing.T) {
	var nodes strings.Builder
	for i := range 199 {
		fmt.Fprintf(&nodes, "  - {id: n%d, name: N, type: approval, rule: all, processors: {fields: [who]}, next: n%d}\n", i, i+1)
	}
	d := draft()
	d.Service = "long"
	d.Definition = service(t, 1, "key: long\nname: Long\nfields: [{key: who, type: MEMBERS}]\nnodes:\n"+nodes.String()+"  - {id: n199, name: Over, type: end}\n")
	people := items(20, "p")
	d.Form = map[string]any{"who": strings.Join(people, ",")}
	on, _ := open(t, d)
	vote := command(ticket.Approve)
	vote.Note = chars(300)
	var err error
	for votes := 0; err == nil; votes++ {
		require.Less(t, votes, 199*20, "it was never refused")
		vote.Operator, vote.Node = people[votes%len(people)], fmt.Sprintf("n%d", votes/len(people))
		var events []ticket.Event
		if events, err = ticket.Decide(on, vote, epoch); err == nil {
			on = ticket.Fold(on, events)
		}
	}
	require.Contains(t, refusal(t, err, ticket.Conflict, "").Message, "limit")
	require.LessOrEqual(t, len(asJSON(t, on.Position)), ticket.MaxPosition)
	// It can still be ended.
	do(t, on, command(ticket.Terminate))
}

func TestAnAnswerThatATicketCannotKeepIsAFailure(t *testing.T) {
	d := draft()
	d.Service = "asks"
	d.Definition = service(t, 1, `
key: asks
name: Asks
nodes:
  - {id: a, name: A, type: call, call: {url: 'https://a.example.com', answer: {a: body}}, fields: [{key: a, type: TEXT}], processors: {persons: [ops]}, next: b}
  - {id: b, name: B, type: call, call: {url: 'https://b.example.com', answer: {b: body}}, fields: [{key: b, type: TEXT}], processors: {persons: [ops]}, next: c}
  - {id: c, name: C, type: end}
`)
	on, _ := open(t, d)
	for _, node := range []string{"a", "b"} {
		on, _ = do(t, on, ticket.Command{Action: ticket.Answer, Called: &flow.Called{Node: node, Round: 1, Try: 1, Status: 200, Body: strings.Repeat("<", flow.MaxText/8)}})
	}
	require.True(t, on.Ended())

	on, _ = open(t, d)
	large := strings.Repeat("<", flow.MaxText/2)
	on, _ = do(t, on, ticket.Command{Action: ticket.Answer, Called: &flow.Called{Node: "a", Round: 1, Try: 1, Status: 200, Body: large}})
	nodes := on.Nodes()
	require.Equal(t, flow.Failed, nodes[0].State)
	require.Contains(t, nodes[0].Problem, "bytes as JSON")
	require.Empty(t, on.Calls(epoch), "it is not made again")
	require.Equal(t, []string{"ops"}, on.WaitingFor())
}

func TestAMigrationRenamesWhomTheCallerNamedWhateverTheOrder(t *testing.T) {
	on := onLeave(t)
	on.Named = map[string][]string{"lead": {"wang"}, "chief": {"li"}, "book": {"hr"}}
	for range 50 { // the order of a map is another each time
		pinned, _, err := on.Migrated(ticket.Migration{Definition: service(t, 2, leaveV2), Nodes: map[string]string{"lead": "chief", "chief": "boss"}}, epoch)
		require.NoError(t, err)
		require.Equal(t, map[string][]string{"chief": {"wang"}, "boss": {"li"}, "book": {"hr"}}, pinned.Named)
	}
}

// voting is a version of a service with one approval.
func voting(t tester, version int, members string) *flow.Definition {
	t.Helper()
	return service(t, version, `
key: vote
name: Vote
nodes:
  - {id: vote, name: Vote, type: approval, `+members+`, reject: {then: end}, next: over}
  - {id: over, name: Over, type: end}
`)
}

func onVote(t tester, rules flow.Rules, members string) ticket.Ticket {
	t.Helper()
	d := draft()
	d.Service, d.Definition = "vote", voting(t, 1, members)
	on, events := open(t, d)
	if rules == flow.RulesFirst {
		events[0].After.Rules = rules
		on = ticket.Fold(ticket.Ticket{}, events)
	}
	require.Equal(t, rules, on.Rules)
	return on
}

const fiveVoters = "processors: {persons: [a, b, c, d, e]}"

func TestVotesThatDecideUnderTheNewRuleDoSoInTheMigration(t *testing.T) {
	for _, rules := range []flow.Rules{flow.RulesFirst, flow.RulesNow} {
		on := onVote(t, rules, "rule: n-of-m, n: 3, "+fiveVoters)
		vote := command(ticket.Approve)
		for _, vote.Operator = range []string{"a", "b"} {
			on, _ = do(t, on, vote)
		}
		two := voting(t, 2, "rule: n-of-m, n: 2, "+fiveVoters)
		moved, events := do(t, on, moving(two, nil))
		require.Len(t, events, 1)
		require.Equal(t, moved, ticket.Fold(on, through(t, events)), "the event says all of it")
		require.Equal(t, flow.RulesNow, moved.Rules)
		require.Equal(t, []ticket.Status{ticket.Triggered, ticket.Completed}, []ticket.Status{events[0].Before.Status, events[0].After.Status})
		require.True(t, moved.Approved())
		require.Equal(t, flow.Left, events[0].ProcessLog[0].Kind)
		require.Equal(t, 2, moved.Version)
		v, _ := moved.Position.Find("vote")
		require.Equal(t, []string{"a", "b"}, v.By)

		// While it is suspended nothing is decided.
		rests, _ := do(t, on, command(ticket.Suspend))
		rests, _ = do(t, rests, moving(two, nil))
		require.False(t, rests.Ended())
		rests, _ = do(t, rests, command(ticket.Unsuspend))
		require.True(t, rests.Approved())
	}
}

// A command of a migration that was recorded before it carried rules is decided in a replay as it was then.
func TestARecordedMigrationIsDecidedAsItWas(t *testing.T) {
	on := onVote(t, flow.RulesFirst, "rule: n-of-m, n: 3, "+fiveVoters)
	vote := command(ticket.Approve)
	for _, vote.Operator = range []string{"a", "b"} {
		on, _ = do(t, on, vote)
	}
	c := moving(voting(t, 2, "rule: n-of-m, n: 2, "+fiveVoters), nil)
	c.Migration.Rules = flow.RulesFirst
	moved, events := do(t, on, c)
	require.Equal(t, []string{"c", "d", "e"}, moved.WaitingFor())
	require.Zero(t, events[0].After.Rules)
	require.Empty(t, events[0].After.States)
	require.NotContains(t, asJSON(t, events[0]), "rules")
}

// A ticket of earlier rules is lifted where it stands by a move to the version that it has; one that has the rules of the day is there already.
func TestATicketIsLiftedToTheRulesOfTheDay(t *testing.T) {
	for rules, refused := range map[flow.Rules]bool{flow.RulesFirst: false, flow.RulesNow: true} {
		on := onVote(t, rules, "rule: n-of-m, n: 3, "+fiveVoters)
		vote := command(ticket.Approve)
		for _, vote.Operator = range []string{"a", "b"} {
			on, _ = do(t, on, vote)
		}
		c := moving(on.Definition, nil)
		if refused {
			_, err := ticket.Decide(on, c, epoch)
			require.True(t, ticket.Is(err, ticket.Conflict), "%v", err)
			continue
		}
		lifted, events := do(t, on, c)
		require.Equal(t, flow.RulesNow, lifted.Rules)
		require.Equal(t, ticket.Migrated, events[0].Type)
		require.Equal(t, on.WaitingFor(), lifted.WaitingFor())
		require.Equal(t, on.Version, lifted.Version)
	}
}

func TestADeadlineThatArrivesByMigrationDoesNotCountSuspensions(t *testing.T) {
	const people = "processors: {persons: [a]}"
	strict := voting(t, 2, people+", deadline: [{after: 2d, do: remind}, {after: 5d, do: reject}]")
	for name, resumed := range map[string]bool{"after the suspension": true, "while it is suspended": false} {
		t.Run(name, func(t *testing.T) {
			on := onVote(t, flow.RulesNow, people)
			at := func(days int, cmd ticket.Command) {
				t.Helper()
				events, err := ticket.Decide(on, cmd, epoch.AddDate(0, 0, days))
				require.NoError(t, err)
				on = ticket.Fold(on, through(t, events))
			}
			at(1, command(ticket.Suspend))
			if resumed {
				at(8, command(ticket.Unsuspend))
			}
			at(8, moving(strict, nil))
			require.Empty(t, on.Overdue(epoch.AddDate(0, 0, 8)))
			if !resumed {
				require.Empty(t, on.Timers())
				at(10, command(ticket.Unsuspend))
				require.Equal(t, epoch.AddDate(0, 0, 11), on.Timers()[0].At)
				return
			}
			require.Equal(t, epoch.AddDate(0, 0, 9), on.Timers()[0].At, "one of seven days was working time")
		})
	}
	// What has really passed is told, stage by stage.
	on := onVote(t, flow.RulesNow, people)
	on, _ = do(t, on, moving(strict, nil))
	var does []flow.Remedy
	for _, o := range on.Overdue(epoch.AddDate(0, 0, 6)) {
		does = append(does, o.Do)
	}
	require.Equal(t, []flow.Remedy{flow.DoRemind, flow.DoReject}, does)
	require.Len(t, on.Overdue(epoch.AddDate(0, 0, 2)), 1)
	require.Empty(t, on.Overdue(epoch.AddDate(0, 0, 1)))
}
