package workflows

import (
	"context"
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
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"signalbox/activities"
	"signalbox/flow"
	"signalbox/ticket"
)

// buying is a process that calls one system, under another name and at another address in each version.
func buying(t require.TestingT, version int, retry string) *flow.Definition {
	def, faults := flow.Parse([]byte(strings.NewReplacer("{v}", fmt.Sprint(version), "{retry}", retry).Replace(`
key: buying
name: Buying
nodes:
  - {id: buy{v}, name: Buy, type: call, call: {url: 'https://shop{v}.example.com', timeout: 5m, retry: {retry}}, processors: {persons: [ops]}, next: check}
  - {id: check, name: Check, type: task, processors: {persons: [ann]}, next: over}
  - {id: over, name: Over, type: end}
`)))
	require.Empty(t, faults)
	def.Version = version
	return &def
}

// attempt is one that was started.
type attempt struct {
	At   time.Duration // since the ticket was opened
	Host string
	Key  string
}

// hopsSeen has the requests of a process answered, and tells the hops that each was given.
func (b *bench) hopsSeen() *[]int {
	var seen []int
	var d *activities.Deliveries
	b.OnActivity(d.CallService, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CallInput) (flow.Called, error) {
		seen = append(seen, in.Hops)
		return flow.Called{Status: 200, Body: "{}"}, nil
	})
	return &seen
}

// A request goes one hop further than what its ticket was opened, or last moved, by.
func TestRequestsCarryTheHopsOfWhatMovedTheirTicket(t *testing.T) {
	b := newBench(t)
	seen := b.hopsSeen()
	events := openingOf(t, `
key: buying
name: Buying
nodes:
  - {id: first, name: First, type: call, call: {url: 'https://example.com'}, processors: {persons: [ops]}, next: second}
  - {id: second, name: Second, type: call, call: {url: 'https://example.com'}, processors: {persons: [ops]}, next: check}
  - {id: check, name: Check, type: task, processors: {persons: [ann]}, next: third}
  - {id: third, name: Third, type: call, call: {url: 'https://example.com'}, processors: {persons: [ops]}, next: over}
  - {id: over, name: Over, type: end}
`)
	events[0].Hops = 3
	done := b.handle(time.Minute, ticket.Command{Action: ticket.Submit, Operator: "ann", Operation: "op-1", Channel: ticket.ChannelIssue, Node: "check", Hops: 5})
	b.ExecuteWorkflow(Ticket, TicketInput{Events: events})
	require.NoError(t, done.err)
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, []int{3, 3, 5}, *seen, "also what one of them leads to")
}

// shop answers the requests of a process, and writes the attempts down.
type shop struct {
	sync.Mutex
	seen []attempt
}

func (s *shop) attempts() []attempt {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.seen)
}

// sells has every attempt take so long, and then succeed or not.
func (b *bench) sells(takes time.Duration, good bool) *shop {
	s := &shop{seen: []attempt{}}
	b.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in activities.CallInput
		if info.ActivityType.Name != "CallService" || args.Get(&in) != nil {
			return
		}
		s.Lock()
		defer s.Unlock()
		s.seen = append(s.seen, attempt{b.Now().Sub(epoch), strings.TrimSuffix(strings.TrimPrefix(in.Call.URL, "https://"), ".example.com"), in.Call.Key})
	})
	var d *activities.Deliveries
	b.OnActivity(d.CallService, mock.Anything, mock.Anything).After(takes).Return(func(context.Context, activities.CallInput) (flow.Called, error) {
		if good {
			return flow.Called{Status: 200, Body: "{}"}, nil
		}
		return flow.Called{}, temporal.NewApplicationError("HTTP 503", "fault", "HTTP 503")
	})
	return s
}

func order(action ticket.Action, i int) ticket.Command {
	return ticket.Command{Action: action, Operator: "boss", Admin: true, Channel: ticket.ChannelIssue, App: "demo", Operation: fmt.Sprintf("op-%s-%d", action, i)}
}

func openBuying(t require.TestingT, retry string) []ticket.Event {
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case", Opener: "li", Service: "buying",
		Definition: buying(t, 1, retry)}, ticket.Identity{ID: 1, Number: "IM202601020304050000000001", UUID: "u", Tenant: "a"}, "op-open", epoch)
	require.NoError(t, err)
	return events
}

// Whenever a ticket is suspended, resumed, moved to another version in which the node has another name, and ended: its attempts are made exactly when a
// clock says so that stands still in suspensions, never more than the definition grants, none after the end, and all under one key. One that is under way
// when the ticket is suspended or moved is broken off, and made again as soon as it may be.
func TestAttemptsAreMadeWhileSomebodyWaitsForThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		attempts := rapid.IntRange(1, 5).Draw(rt, "attempts")
		interval := time.Duration(rapid.IntRange(1, 30).Draw(rt, "interval")) * time.Minute
		coefficient := rapid.IntRange(1, 2).Draw(rt, "coefficient")
		takes := time.Duration(rapid.IntRange(0, 4).Draw(rt, "takes")) * time.Minute
		retry := fmt.Sprintf("{attempts: %d, interval: %s, coefficient: %d}", attempts, interval, coefficient)

		b := newBench(t)
		s := b.sells(takes, false)
		type span struct{ from, to time.Duration }
		var suspended []span
		var moved []time.Duration
		at, resting := time.Duration(0), false
		for i := range rapid.IntRange(0, 8).Draw(rt, "events") {
			// No event falls on the moment of an attempt or comes near it: what is added to the minutes is another sum for each. While an activity is busy
			// the test clock goes with that on the wall.
			at = at.Truncate(time.Minute) + time.Duration(rapid.IntRange(1, 40).Draw(rt, "after"))*time.Minute + 200*time.Millisecond<<i
			switch {
			case rapid.IntRange(0, 3).Draw(rt, "what") == 0:
				moved = append(moved, at)
				c := order(ticket.Migrate, i)
				c.Migration = &ticket.Migration{Definition: buying(rt, len(moved)+1, retry), Nodes: map[string]string{fmt.Sprint("buy", len(moved)): fmt.Sprint("buy", len(moved)+1)}}
				b.handle(at, c)
			case resting:
				b.handle(at, order(ticket.Unsuspend, i))
				suspended[len(suspended)-1].to, resting = at, false
			default:
				b.handle(at, order(ticket.Suspend, i))
				suspended, resting = append(suspended, span{at, time.Hour << 20}), true
			}
		}
		ends := at.Truncate(time.Minute) + time.Duration(rapid.IntRange(1, 200).Draw(rt, "ends"))*time.Minute + 200*time.Millisecond<<8
		b.handle(ends, order(ticket.Close, 99))
		b.ExecuteWorkflow(Ticket, TicketInput{Events: openBuying(rt, retry)})
		require.NoError(rt, b.GetWorkflowError())

		want := []attempt{}
		next, left, pause := time.Duration(0), time.Duration(0), interval
		for made := 0; made < attempts; {
			for _, gap := range suspended { // what is left passes outside of the gaps
				if gap.to <= next {
					continue
				}
				if next < gap.from && next+left < gap.from {
					break
				}
				left -= max(0, gap.from-next)
				next = gap.to
			}
			if next += left; next >= ends {
				break
			}
			version := 1
			for _, m := range moved {
				if m <= next {
					version++
				}
			}
			want = append(want, attempt{At: next, Host: fmt.Sprint("shop", version), Key: fmt.Sprintf("buy1:1:1:%d", epoch.UnixMicro())})
			ended := next + takes
			for _, m := range moved {
				if m > next {
					ended = min(ended, m)
				}
			}
			for _, gap := range suspended {
				if gap.from > next {
					ended = min(ended, gap.from)
				}
			}
			if left = 0; ended == next+takes { // otherwise it was broken off, and is not counted
				made++
				left = pause
				pause *= time.Duration(coefficient)
			}
			next = ended
		}
		require.Equal(rt, want, s.attempts(), "ended at %s, suspended %v, moved %v", ends, suspended, moved)
	})
}

// The next run goes on where the one before it left off: with the attempts that are left, and no sooner.
func TestARollOverForgetsNoAttempt(t *testing.T) {
	const retry = "{attempts: 3, interval: 30m, coefficient: 1}"
	b := newBench(t)
	s := b.sells(0, false)
	b.handle(10*time.Minute, say("op-1"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openBuying(t, retry), MoveAfter: 1})
	next := rolledOver(t, b.GetWorkflowError())
	require.Len(t, s.attempts(), 1)
	require.Len(t, next.Requests, 1)
	require.Equal(t, 1, next.Requests[0].Made)

	b = newBench(t)
	b.SetStartTime(epoch.Add(10 * time.Minute))
	later := b.sells(0, false)
	next.MoveAfter = 0
	b.handle(5*time.Minute, order(ticket.Suspend, 1))    // with 15 minutes left
	b.handle(60*time.Minute, order(ticket.Unsuspend, 2)) // at 70
	b.handle(300*time.Minute, order(ticket.Close, 3))
	b.ExecuteWorkflow(Ticket, next)
	require.NoError(t, b.GetWorkflowError())
	var at []time.Duration
	for _, a := range later.attempts() {
		at = append(at, a.At)
		require.Equal(t, s.attempts()[0].Key, a.Key)
	}
	require.Equal(t, []time.Duration{85 * time.Minute, 115 * time.Minute}, at)
}

// A run that is full waits for what is under way: the next would hear nothing of it. Meanwhile it takes commands, and starts nothing.
func TestARollOverWaitsForAttemptsUnderWay(t *testing.T) {
	b := newBench(t)
	s := b.sells(20*time.Minute, true)
	b.handle(time.Minute, say("op-1"))
	late := b.handle(10*time.Minute, say("op-2"))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openBuying(t, "{attempts: 3}"), MoveAfter: 1})
	next := rolledOver(t, b.GetWorkflowError())
	require.NoError(t, late.err)
	require.Len(t, s.attempts(), 1)
	require.Empty(t, next.Requests)
	require.Equal(t, []string{"ann"}, next.Before.WaitingFor(), "the answer was heard")
}

// An attempt is broken off that nobody waits for any more, or not now. What it came to first is an answer, which waits for the ticket to go on.
func TestAnAttemptIsBrokenOff(t *testing.T) {
	source := `
key: both
name: Both
nodes:
  - {id: split, name: Split, type: parallel, branches: [{name: a, next: pay}, {name: b, next: ask}], join: meet}
  - {id: pay, name: Pay, type: call, call: {url: 'https://shop1.example.com', timeout: 5m, retry: {attempts: 9}}, next: meet}
  - {id: ask, name: Ask, type: approval, processors: {persons: [ann]}, reject: {then: back, to: talk}, next: meet}
  - {id: meet, name: Meet, type: join, next: over}
  - {id: talk, name: Talk, type: task, processors: {persons: [ann]}, next: over}
  - {id: over, name: Over, type: end}
`
	leaves := ticket.Command{Action: ticket.Reject, Operator: "ann", Node: "ask", Operation: "op-no", Channel: ticket.ChannelIssue}
	passed := []string{"meet", "ask"}
	for name, c := range map[string]struct {
		does     ticket.Command
		late     bool
		version  workflow.Version // of the run
		broken   int
		attempts []time.Duration
		stands   []string
	}{
		"left":                                  {does: leaves, version: 1, broken: 1, attempts: []time.Duration{0}, stands: []string{"talk"}},
		"left, by a build before":               {does: leaves, version: workflow.DefaultVersion, broken: 1, attempts: []time.Duration{0}, stands: []string{"talk"}},
		"suspended":                             {does: order(ticket.Suspend, 1), version: 1, broken: 1, attempts: []time.Duration{0, time.Hour}, stands: passed},
		"suspended, and the answer comes first": {does: order(ticket.Suspend, 1), late: true, version: 1, attempts: []time.Duration{0}, stands: passed},
		"suspended, in a run of a build before": {does: order(ticket.Suspend, 1), version: workflow.DefaultVersion, attempts: []time.Duration{0}, stands: passed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.late = c.late
			b.OnGetVersion(changeBreakOff, workflow.DefaultVersion, workflow.Version(1)).Return(c.version).Maybe()
			broken := 0
			b.SetOnActivityCanceledListener(func(*activity.Info) { broken++ })
			s := b.sells(3*time.Minute, true)
			did := b.handle(time.Minute, c.does)
			b.handle(time.Hour, order(ticket.Unsuspend, 2)) // refused where it is not
			var stands []string
			b.RegisterDelayedCallback(func() {
				for _, n := range b.state().Nodes() {
					stands = append(stands, n.Node)
				}
			}, 2*time.Hour)
			b.handle(3*time.Hour, order(ticket.Close, 3))
			b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, source)})
			require.NoError(t, b.GetWorkflowError())
			require.NoError(t, did.err)
			require.Equal(t, c.broken, broken)
			var attempts []time.Duration
			for _, a := range s.attempts() {
				attempts = append(attempts, a.At)
				require.Equal(t, s.attempts()[0].Key, a.Key)
			}
			require.Equal(t, c.attempts, attempts)
			require.Equal(t, c.stands, stands)
			pay, _ := b.state().Position.Find("pay")
			require.Equal(t, slices.Equal(c.stands, passed), pay.State == flow.Done, "%s", pay.State)
		})
	}
}

// A fault that came before the attempt could be broken off is what it came to: it has been made.
func TestAFaultThatCameFirstCounts(t *testing.T) {
	b := newBench(t)
	b.late = true
	s := b.sells(3*time.Minute, false)
	b.handle(time.Minute, order(ticket.Suspend, 1))
	b.handle(time.Hour, order(ticket.Unsuspend, 2))
	var failed flow.NodeState
	b.RegisterDelayedCallback(func() { failed, _ = b.state().Position.Find("buy1") }, 2*time.Hour)
	b.handle(3*time.Hour, order(ticket.Close, 3))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openBuying(t, "{attempts: 1}")})
	require.NoError(t, b.GetWorkflowError())
	require.Len(t, s.attempts(), 1)
	require.Equal(t, []any{flow.Failed, "HTTP 503"}, []any{failed.State, failed.Reason})
}

// A field that changes between two attempts, and the time, change nothing about the request: under one key a receiver is told one thing.
func TestEveryAttemptSaysTheSame(t *testing.T) {
	source := `
key: both
name: Both
nodes:
  - {id: split, name: Split, type: parallel, branches: [{name: a, next: pay}, {name: b, next: form}], join: meet}
  - {id: pay, name: Pay, type: call, call: {url: 'https://shop', body: {at: "${string(now)}", note: "${fields.note}"}, retry: {attempts: 3, interval: 10m}}, next: meet}
  - {id: form, name: Form, type: task, processors: {persons: [ann]}, fields: [{key: note, type: STRING}], next: meet}
  - {id: meet, name: Meet, type: join, next: over}
  - {id: over, name: Over, type: end}
fields: [{key: note, type: STRING}]
`
	b := newBench(t)
	said := map[string]int{}
	var d *activities.Deliveries
	b.OnActivity(d.CallService, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CallInput) (flow.Called, error) {
		said[in.Call.Body]++
		return flow.Called{}, temporal.NewApplicationError("HTTP 503", "fault", "HTTP 503")
	})
	b.handle(time.Minute, ticket.Command{Action: ticket.Submit, Operator: "ann", Operation: "op-1", Channel: ticket.ChannelIssue, Fields: map[string]any{"note": "changed"}})
	b.handle(3*time.Hour, order(ticket.Close, 3))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openingOf(t, source)})
	require.NoError(t, b.GetWorkflowError())
	require.Len(t, said, 1)
	for _, times := range said {
		require.Equal(t, 3, times)
	}
}

// The read model can be slow: an answer that comes in while it is waited for is an answer, and the request is not made again.
func TestAnAnswerThatWaitsIsNotAskedForAgain(t *testing.T) {
	b := newBench(t)
	s := b.sells(time.Minute, true)
	b.projectTakes = time.Hour
	b.RegisterDelayedCallback(func() { b.SignalWorkflow(string(ticket.Accept), AcceptSignal{Operator: "li"}) }, 30*time.Second)
	b.handle(5*time.Hour, order(ticket.Close, 3))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: openBuying(t, "{attempts: 3}")})
	require.NoError(t, b.GetWorkflowError())
	require.Len(t, s.attempts(), 1)
}

// A ticket of the first rules that is given those of the day: what Temporal was trying for it stops, and goes on under the same key by the new rules.
func TestAMigrationLiftsARequestToTheRulesOfTheDay(t *testing.T) {
	const retry = "{attempts: 3, interval: 30m, coefficient: 1}"
	events := openBuying(t, retry)
	events[0].After.Rules, events[0].After.States[0].Key = flow.RulesFirst, ""
	b := newBench(t)
	s := b.sells(0, false)
	lift := order(ticket.Migrate, 1)
	lift.Migration = &ticket.Migration{Definition: buying(t, 2, retry), Nodes: map[string]string{"buy1": "buy2"}, Rules: flow.RulesNow}
	b.handle(10*time.Minute, lift)
	b.handle(50*time.Minute, order(ticket.Suspend, 2)) // the second attempt by the new rules was at 40
	b.handle(500*time.Minute, order(ticket.Close, 3))
	b.ExecuteWorkflow(Ticket, TicketInput{Events: events})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, []attempt{{0, "shop1", ""}, {10 * time.Minute, "shop2", "buy1:1:1"}, {40 * time.Minute, "shop2", "buy1:1:1"}}, s.attempts())
}
