package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
	"signalbox/ticket"
)

const audit = `
key: audit
name: Audit
nodes:
  - {id: split, name: Split, type: parallel, branches: [{name: a, next: votes}, {name: b, next: work}], join: met}
  - id: votes
    name: Votes
    type: approval
    rule: all
    processors: {persons: [wang, zhao, qian]}
    deliver: {anyone: true}
    deadline:
      - {after: 1h, do: escalate, to: {persons: [boss]}}
      - {after: 2h, do: reassign, to: {persons: [chief]}}
    reject: {then: back, to: again}
    next: met
  - {id: work, name: Work, type: task, distribute: claim, processors: {persons: [sun, zhao]}, next: met}
  - {id: met, name: Met, type: join, next: call}
  - {id: call, name: Call, type: call, call: {url: 'https://a.example.com'}, processors: {persons: [ops]}, next: over}
  - {id: again, name: Again, type: task, processors: {opener: true}, next: split}
  - {id: over, name: Over, type: end}
`

// Whom a list says that a ticket waits for is who can act at that moment, after everything that can change it.
func TestWaitingForIsRightAfterEverything(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		def := parsed(t, audit)
		def.Version = 1
		d := draft("an audit")
		d.Service, d.Definition, d.Opener = "audit", &def, "opener"
		s := b.opened("a", d)
		other := b.opened("b", d) // whose people have the same names
		everybody := []string{"wang", "zhao", "qian", "sun", "boss", "chief", "deputy", "ops", "opener", "li"}
		waits := func(persons ...string) {
			t.Helper()
			require.ElementsMatch(t, persons, s.ticket.WaitingFor(), "by the rule book")
			for _, person := range everybody {
				page, err := b.Tickets(t.Context(), "a", ticket.Filter{WaitingFor: person})
				require.NoError(t, err)
				want := 0
				if slices.Contains(persons, person) {
					want = 1
				}
				require.Len(t, page.Items, want, "%s, of %v", person, persons)
			}
		}
		act := func(action ticket.Action, who, node string, more ...string) {
			t.Helper()
			b.act(s, ticket.Command{Action: action, Operator: who, Node: node, Targets: more, Note: "n"})
		}
		fire := func() {
			t.Helper()
			due := s.ticket.Timers()[0]
			s.at = due.At
			b.act(s, ticket.Command{Action: ticket.Fire, Fired: &flow.Fired{Node: due.Node, Round: due.Round, Stage: due.Stage}})
		}
		waits("wang", "zhao", "qian", "sun")
		act(ticket.Approve, "wang", "votes")
		waits("zhao", "qian", "sun")
		act(ticket.Deliver, "qian", "votes", "deputy")
		waits("zhao", "deputy", "sun")
		act(ticket.Claim, "zhao", "work")
		waits("zhao", "deputy")
		act(ticket.Submit, "zhao", "work")
		waits("zhao", "deputy")
		fire()
		waits("zhao", "deputy", "boss")
		fire()
		waits("chief")
		act(ticket.Suspend, "li", "")
		waits("chief")
		act(ticket.Unsuspend, "li", "")
		waits("chief")
		act(ticket.Reject, "chief", "votes")
		waits("opener")
		act(ticket.Submit, "opener", "again")
		waits("wang", "zhao", "deputy", "sun") // what the deadline changed holds for its round alone
		for _, who := range []string{"wang", "zhao", "deputy"} {
			act(ticket.Approve, who, "votes")
		}
		waits("sun", "zhao")
		act(ticket.Reassign, "li", "work", "deputy", "sun")
		waits("deputy", "sun")
		act(ticket.Claim, "sun", "work")
		waits("sun")
		act(ticket.Submit, "sun", "work")
		waits()
		owed := s.ticket.Calls(s.at)[0]
		b.act(s, ticket.Command{Action: ticket.Answer, Called: &flow.Called{Node: owed.Node, Round: owed.Round, Try: owed.Try, Error: "connection refused"}})
		waits("ops")
		act(ticket.Retry, "ops", "call")
		waits()
		owed = s.ticket.Calls(s.at)[0]
		b.act(s, ticket.Command{Action: ticket.Answer, Called: &flow.Called{Node: owed.Node, Round: owed.Round, Try: owed.Try, Error: "connection refused"}})
		act(ticket.Terminate, "li", "")
		waits()

		page, err := b.Tickets(t.Context(), "b", ticket.Filter{WaitingFor: "wang"})
		require.NoError(t, err)
		require.Equal(t, other.ticket.Number, page.Items[0].Number)
	})
}

// A projection can be late, and then brings several changes at once; what it leaves is what holds after the last.
func TestWaitingForFollowsAMigrationAndABatch(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		v1, err := b.PublishService(t.Context(), "a", "demo", parsed(t, leave))
		require.NoError(t, err)
		v2, err := b.PublishService(t.Context(), "a", "demo", parsed(t, strings.NewReplacer("id: lead", "id: boss", "next: lead", "next: boss").Replace(leave)))
		require.NoError(t, err)
		d := draft("a week")
		d.Service, d.Definition, d.Opener = "leave", &v1, "li"
		s := b.opened("a", d)
		var events []ticket.Event
		events = append(events, s.do(ticket.Command{Action: ticket.Submit, Operator: "li"})...)
		events = append(events, s.do(ticket.Command{Action: ticket.Migrate, Migration: &ticket.Migration{Definition: &v2, Nodes: map[string]string{"lead": "boss"}}})...)
		b.project(s, events...)
		require.Equal(t, s.ticket, b.read(s))
		require.Equal(t, 2, b.read(s).Version)
		for _, who := range []string{"wang", "li"} {
			page, err := b.Tickets(t.Context(), "a", ticket.Filter{WaitingFor: who})
			require.NoError(t, err)
			require.Len(t, page.Items, 1, who)
		}
		b.act(s, ticket.Command{Action: ticket.Approve, Operator: "wang"})
		page, err := b.Tickets(t.Context(), "a", ticket.Filter{WaitingFor: "wang"})
		require.NoError(t, err)
		require.Empty(t, page.Items)
		listed, err := b.Timeline(t.Context(), s.ticket.ID, 2, 1)
		require.NoError(t, err)
		require.Equal(t, ticket.Migrated, listed[0].Type)
		require.Equal(t, 1, listed[0].Before.Pinned.Version)
		for before, want := range map[int64]int64{listed[0].Seq: 1, listed[0].Seq + 1: listed[0].Seq, 1_000: listed[0].Seq} {
			move, err := b.LastMove(t.Context(), s.ticket.ID, before)
			require.NoError(t, err)
			require.Equal(t, want, move.Seq)
			def, says := move.Definition()
			require.True(t, says)
			require.NotNil(t, def)
		}
	})
}
