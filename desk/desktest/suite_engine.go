package desktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
)

// EngineFixture is an engine under test and what moves it.
type EngineFixture struct {
	Engine desk.Engine
	// Signal has somebody accept the ticket without waiting for an answer.
	Signal func(t *testing.T, id ticket.Identity, generation int, operator string)
	// Workers stops what runs the workflows, or lets it run again. An engine that is opened has workers.
	Workers func(t *testing.T, up bool)
}

// OpenEngine makes an engine for one test. Its workflows bring what they decide into the ledger, of which they use Ticket and Project alone, and
// end a run after so many updates (0: not within the test).
type OpenEngine func(t *testing.T, ledger desk.Ledger, updates int) EngineFixture

// TestEngine holds an engine against what desk.Engine promises.
func TestEngine(t *testing.T, open OpenEngine) {
	run := func(name string, updates int, f func(t *testing.T, b *engineBench)) {
		t.Run(name, func(t *testing.T) {
			// What hangs is named by the test that hangs, and not by the whole suite's end.
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			b := &engineBench{T: t, ctx: ctx, ledger: &readModel{tickets: map[string]ticket.Ticket{}}}
			b.EngineFixture = open(t, b.ledger, updates)
			f(t, b)
		})
	}
	run("what never was is gone", 0, neverWas)
	run("a generation is begun once", 0, begunOnce)
	run("it is begun without a worker", 0, begunWithoutWorker)
	run("an operation happens once", 0, updatedOnce)
	run("an operation that has nothing to do is done", 0, nothingToDo)
	run("a refusal keeps its kind and leaves nothing", 0, refused)
	run("the ending is the last event of a generation", 0, endings)
	run("the next generation is begun once", 0, nextGeneration)
	run("a roll-over loses nothing and repeats nothing", 3, rollOver)
	run("an operation is known again after a roll-over", 2, knownAgain)
	run("what nobody waits for is found by peeking", 0, signalled)
	run("peeking gives all in pieces", 0, peeked)
	run("what was not seen is not done", 3, notSeen)
	run("many at once happen one after the other", 0, manyAtOnce)
	run("without a worker nothing is said to be over", 0, withoutWorker)
	run("callers keep what they gave", 0, callersKeep)
}

// readModel is as much of a ledger as workflows need.
type readModel struct {
	desk.Ledger
	mu      sync.Mutex
	tickets map[string]ticket.Ticket
}

func (m *readModel) Ticket(_ context.Context, _, key string) (ticket.Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tickets[key]; ok {
		return t, nil
	}
	return ticket.Ticket{}, ticket.Refuse(ticket.NotFound, "there is no such ticket")
}

func (m *readModel) Project(_ context.Context, id ticket.Identity, events []ticket.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tickets[id.Number]
	for _, e := range events {
		switch {
		case e.Seq == t.Seq+1:
			t = ticket.Evolve(t, e)
		case e.Seq > t.Seq:
			return desk.ErrGap
		}
	}
	m.tickets[id.Number] = t
	return nil
}

type engineBench struct {
	*testing.T
	EngineFixture
	ctx    context.Context
	ledger *readModel
}

// opening gives what a new ticket begins with.
func (b *engineBench) opening() (ticket.Identity, []ticket.Event) {
	b.Helper()
	id := ticket.Identity{ID: 1, Number: "IM" + uuid.NewString(), UUID: uuid.NewString(), Tenant: "a"}
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "异常 \"quoted\""}, id, uuid.NewString(), time.Now())
	require.NoError(b, err)
	return id, events
}

// opened gives a ticket that was begun.
func (b *engineBench) opened() (ticket.Identity, []ticket.Event) {
	b.Helper()
	id, events := b.opening()
	require.NoError(b, b.Engine.Begin(b.ctx, ticket.Ticket{}, events))
	return id, events
}

func command(action ticket.Action) ticket.Command {
	return ticket.Command{Action: action, Operator: "li", Channel: ticket.ChannelIssue, App: "demo", Operation: uuid.NewString()}
}

func say(text string) ticket.Command {
	c := command(ticket.Say)
	c.Message = &ticket.Message{ID: uuid.NewString(), Author: "li", Content: text}
	return c
}

// update sends a command, again while the ticket moves.
func (b *engineBench) update(id ticket.Identity, generation int, c ticket.Command) ([]ticket.Event, error) {
	for {
		events, err := b.Engine.Update(b.ctx, id, generation, desk.Seen{}, c)
		if !errors.Is(err, desk.ErrMoving) || b.ctx.Err() != nil {
			return events, err
		}
	}
}

func (b *engineBench) must(id ticket.Identity, generation int, c ticket.Command) []ticket.Event {
	b.Helper()
	events, err := b.update(id, generation, c)
	require.NoError(b, err)
	return events
}

// peek gives all that a generation remembers after a sequence number.
func (b *engineBench) peek(id ticket.Identity, generation int, after int64) (all []ticket.Event) {
	b.Helper()
	for {
		p, err := b.Engine.Peek(b.ctx, id, generation, after)
		require.NoError(b, err)
		all = append(all, p.Events...)
		if !p.More {
			return all
		}
		require.NotEmpty(b, p.Events, "there is said to be more, and nothing is given")
		after = p.Events[len(p.Events)-1].Seq
	}
}

func (b *engineBench) outcome(id ticket.Identity, generation int, operation string) desk.Outcome {
	b.Helper()
	out, err := b.Engine.Outcome(b.ctx, id, generation, operation)
	require.NoError(b, err)
	return out
}

func same(t require.TestingT, want, got []ticket.Event, says ...any) {
	require.Equal(t, asJSON(want), asJSON(got), says...)
}

// didNotHappen is what is said of an operation that nobody knows.
var didNotHappen = desk.Outcome{Known: true}

func neverWas(t *testing.T, b *engineBench) {
	id, _ := b.opening()
	for generation := range 2 {
		_, err := b.Engine.Begun(b.ctx, id, generation)
		require.ErrorIs(t, err, desk.ErrGone)
		_, err = b.Engine.Update(b.ctx, id, generation, desk.Seen{}, command(ticket.Accept))
		require.ErrorIs(t, err, desk.ErrGone)
		_, err = b.Engine.Peek(b.ctx, id, generation, 0)
		require.ErrorIs(t, err, desk.ErrGone)
		require.Equal(t, didNotHappen, b.outcome(id, generation, "x"))
	}
}

func begunOnce(t *testing.T, b *engineBench) {
	id, events := b.opened()
	again := clone(events)
	again[0].At = again[0].At.Add(time.Second) // by a process that did not hear the answer, and decided anew
	require.NoError(t, b.Engine.Begin(b.ctx, ticket.Ticket{}, again))
	other := clone(events)
	other[0].Operation = "another"
	require.ErrorIs(t, b.Engine.Begin(b.ctx, ticket.Ticket{}, other), desk.ErrGone)
	began, err := b.Engine.Begun(b.ctx, id, 0)
	require.NoError(t, err)
	same(t, events, began, "the first beginning stands")
	same(t, events, b.peek(id, 0, 0))
	require.Empty(t, b.peek(id, 0, 1))
	require.Equal(t, didNotHappen, b.outcome(id, 0, events[0].Operation), "it was no update")
	_, err = b.Engine.Begun(b.ctx, id, 1)
	require.ErrorIs(t, err, desk.ErrGone, "another generation is another workflow")
}

func begunWithoutWorker(t *testing.T, b *engineBench) {
	b.Workers(t, false)
	id, events := b.opened()
	require.NoError(t, b.Engine.Begin(b.ctx, ticket.Ticket{}, events))
	began, err := b.Engine.Begun(b.ctx, id, 0)
	require.NoError(t, err)
	same(t, events, began)
	same(t, events, b.peek(id, 0, 0))
	require.Equal(t, didNotHappen, b.outcome(id, 0, "never sent"))
	b.Workers(t, true)
}

func updatedOnce(t *testing.T, b *engineBench) {
	id, opening := b.opened()
	c := command(ticket.Accept)
	events := b.must(id, 0, c)
	require.Len(t, events, 1)
	e := events[0]
	require.EqualValues(t, 2, e.Seq)
	require.Equal(t, []any{ticket.Accepted, "li", ticket.ChannelIssue, "demo", c.Operation}, []any{e.Type, e.Actor, e.Channel, e.App, e.Operation})
	same(t, events, b.must(id, 0, c), "a repetition gets the first result")
	said := b.must(id, 0, say("after"))
	same(t, events, b.must(id, 0, c), "also when more has happened")
	require.Equal(t, asJSON(desk.Outcome{Known: true, Done: true, Events: events}), asJSON(b.outcome(id, 0, c.Operation)))
	require.Equal(t, didNotHappen, b.outcome(id, 0, "never sent"))
	same(t, slices.Concat(opening, events, said), b.peek(id, 0, 0))
	same(t, said, b.peek(id, 0, 2))
}

func nothingToDo(t *testing.T, b *engineBench) {
	id, opening := b.opened()
	c := command(ticket.Reopen)
	require.Empty(t, b.must(id, 0, c))
	out := b.outcome(id, 0, c.Operation)
	require.True(t, out.Known && out.Done, "%+v", out)
	require.Empty(t, out.Events)
	same(t, opening, b.peek(id, 0, 0))
}

func refused(t *testing.T, b *engineBench) {
	id, opening := b.opened()
	c := command(ticket.Confirm)
	c.Verdict = &ticket.Verdict{Passed: true, Comment: "good"}
	_, err := b.update(id, 0, c)
	require.NotNil(t, ticket.AsError(err), "%v", err)
	decided, want := ticket.Decide(ticket.Fold(ticket.Ticket{}, opening), c, time.Now())
	require.Empty(t, decided)
	require.Equal(t, ticket.AsError(want), ticket.AsError(err), "code, field and sentence")
	out := b.outcome(id, 0, c.Operation)
	require.True(t, out.Known && !out.Done, "%+v", out)
	_, err = b.update(id, 0, command(ticket.CommitSolution))
	require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
	require.Equal(t, "mtm_type", ticket.AsError(err).Field)
	same(t, opening, b.peek(id, 0, 0))
	require.Len(t, b.must(id, 0, command(ticket.Accept)), 1, "the next is not held up")
}

// ended has a ticket ended and written down, and gives it as the desk would know it.
func (b *engineBench) ended(id ticket.Identity) (ticket.Ticket, ticket.Command) {
	b.Helper()
	end := command(ticket.Close)
	require.Len(b, b.must(id, 0, end), 1)
	require.NoError(b, b.ledger.Project(b.ctx, id, b.peek(id, 0, 0)))
	row, err := b.ledger.Ticket(b.ctx, "", id.Number)
	require.NoError(b, err)
	require.True(b, row.Ended())
	return row, end
}

func endings(t *testing.T, b *engineBench) {
	id, opening := b.opened()
	accept := command(ticket.Accept)
	accepted := b.must(id, 0, accept)
	row, end := b.ended(id)
	_, err := b.update(id, 0, say("too late"))
	require.ErrorIs(t, err, desk.ErrGone)
	all := b.peek(id, 0, 0)
	require.Len(t, all, 3, "an ended generation can still be looked at")
	same(t, slices.Concat(opening, accepted), all[:2])
	require.Equal(t, end.Operation, all[2].Operation)
	require.EqualValues(t, 3, row.Seq)
	out := b.outcome(id, 0, end.Operation)
	require.True(t, out.Known && out.Done, "%+v", out)
	same(t, all[2:], out.Events)
	require.Equal(t, didNotHappen, b.outcome(id, 0, "never sent"))
	began, err := b.Engine.Begun(b.ctx, id, 0)
	require.NoError(t, err)
	same(t, opening, began)
	require.ErrorIs(t, b.Engine.Begin(b.ctx, ticket.Ticket{}, func() []ticket.Event {
		other := clone(opening)
		other[0].Operation = "another"
		return other
	}()), desk.ErrGone, "it is not begun anew")
}

func nextGeneration(t *testing.T, b *engineBench) {
	id, _ := b.opened()
	row, _ := b.ended(id)
	row.Generation++
	mine, err := ticket.Decide(row, command(ticket.Reopen), time.Now())
	require.NoError(t, err)
	theirs, err := ticket.Decide(row, command(ticket.Reopen), time.Now())
	require.NoError(t, err)
	require.NoError(t, b.Engine.Begin(b.ctx, row, mine))
	require.ErrorIs(t, b.Engine.Begin(b.ctx, row, theirs), desk.ErrGone)
	require.NoError(t, b.Engine.Begin(b.ctx, row, mine))
	began, err := b.Engine.Begun(b.ctx, id, 1)
	require.NoError(t, err)
	same(t, mine, began)
	_, err = b.update(id, 0, command(ticket.Accept))
	require.ErrorIs(t, err, desk.ErrGone, "the one before stays over")
	accepted := b.must(id, 1, command(ticket.Accept))
	require.Equal(t, mine[0].Seq+1, accepted[0].Seq)
	require.Equal(t, 1, accepted[0].Generation)
	same(t, slices.Concat(mine, accepted), b.peek(id, 1, row.Seq))
	require.Equal(t, row.Seq, b.peek(id, 0, 0)[row.Seq-1].Seq)

	// One that is over as soon as it began.
	require.NoError(t, b.ledger.Project(b.ctx, id, b.peek(id, 1, row.Seq)))
	closed := b.must(id, 1, command(ticket.Close))
	require.NoError(t, b.ledger.Project(b.ctx, id, closed))
	row, err = b.ledger.Ticket(b.ctx, "", id.Number)
	require.NoError(t, err)
	row.Generation++
	comment, err := ticket.Decide(row, say("after the end"), time.Now())
	require.NoError(t, err)
	require.NoError(t, b.Engine.Begin(b.ctx, row, comment))
	_, err = b.update(id, 2, command(ticket.Accept))
	require.ErrorIs(t, err, desk.ErrGone)
	same(t, comment, b.peek(id, 2, row.Seq))
}

func rollOver(t *testing.T, b *engineBench) {
	id, opening := b.opened()
	var all, last []ticket.Event
	all = append(all, opening...)
	for i := range 10 {
		last = b.must(id, 0, say(fmt.Sprint("message ", i)))
		require.Len(t, last, 1)
		all = append(all, last...)
	}
	row, err := b.ledger.Ticket(b.ctx, "", id.Number)
	require.NoError(t, err, "what a run decided is written down before the next")
	require.GreaterOrEqual(t, row.Seq, int64(7))
	rest := b.peek(id, 0, row.Seq)
	require.NotEmpty(t, rest)
	same(t, all[row.Seq:], rest, "with what the engine remembers it is complete")
	began, err := b.Engine.Begun(b.ctx, id, 0)
	require.NoError(t, err)
	same(t, opening, began, "what a generation began with outlives its runs")
	require.NoError(t, b.Engine.Begin(b.ctx, ticket.Ticket{}, opening))
	same(t, last, b.must(id, 0, ticket.Command{Action: ticket.Say, Operation: last[0].Operation, App: "demo", Operator: "li", Channel: ticket.ChannelIssue,
		Message: last[0].After.Message}))
	row, _ = b.ended(id)
	require.EqualValues(t, len(all)+1, row.Seq)
}

func knownAgain(t *testing.T, b *engineBench) {
	id, _ := b.opened()
	first := say("first")
	events := b.must(id, 0, first)
	for range 5 {
		b.must(id, 0, say("more"))
	}
	again := b.must(id, 0, first)
	if len(again) > 0 {
		same(t, events, again)
	}
	out := b.outcome(id, 0, first.Operation)
	require.True(t, out.Known, "%+v", out)
	row, _ := b.ended(id)
	require.Len(t, row.Messages, 6, "it happened once")
	// Either the engine remembers what became of it, or it is in the read model.
	require.True(t, out.Done || row.Messages[0].ID == first.Message.ID)
}

func signalled(t *testing.T, b *engineBench) {
	id, opening := b.opened()
	b.must(id, 0, say("awake"))
	b.Signal(t, id, 0, "li")
	b.Signal(t, id, 0, "wang") // is refused, and nobody hears it
	var events []ticket.Event
	for len(events) < 2 && b.ctx.Err() == nil {
		events = b.peek(id, 0, opening[0].Seq+1)
	}
	require.Len(t, events, 2)
	require.Equal(t, []ticket.Type{ticket.Accepted, ticket.RefusedCmd}, []ticket.Type{events[0].Type, events[1].Type})
	require.Equal(t, "li", events[0].Actor)
	require.Len(t, b.must(id, 0, say("next")), 1)
	b.ended(id)
}

func peeked(t *testing.T, b *engineBench) {
	id, all := b.opened()
	text := strings.Repeat("异", ticket.MaxMessage)
	for range 45 { // more than fits into an answer of Temporal's
		all = append(all, b.must(id, 0, say(text))...)
	}
	same(t, all, b.peek(id, 0, 0))
	same(t, all[40:], b.peek(id, 0, 40))
	p, err := b.Engine.Peek(b.ctx, id, 0, int64(len(all)))
	require.NoError(t, err)
	require.False(t, p.More)
}

func notSeen(t *testing.T, b *engineBench) {
	id, events := b.opened()
	update := func(seen desk.Seen) (done []ticket.Event, err error) {
		c := say("hello")
		for {
			if done, err = b.Engine.Update(b.ctx, id, 0, seen, c); !errors.Is(err, desk.ErrMoving) || b.ctx.Err() != nil {
				return done, err
			}
		}
	}
	for range 5 { // through a roll-over, after which it stands where the run began
		now := ticket.Fold(ticket.Ticket{}, events)
		seen := desk.SeenOf(now)
		ahead, other := seen, seen
		ahead.Seq++
		other.At = other.At.Add(time.Microsecond)
		for name, wrong := range map[string]desk.Seen{"a later event": ahead, "another event": other} {
			_, err := update(wrong)
			require.ErrorIs(t, err, desk.ErrDiverged, name)
		}
		done, err := update(seen)
		require.NoError(t, err)
		require.Equal(t, now.Seq+1, done[0].Seq, "nothing else has happened")
		events = append(events, done...)
		_, err = update(seen) // it may have gone on since
		require.NoError(t, err)
		events = append(events, b.peek(id, 0, done[0].Seq)...)
		p, err := b.Engine.Peek(b.ctx, id, 0, 0)
		require.NoError(t, err)
		require.Equal(t, int64(len(events)), p.Ticket.Seq)
		require.True(t, desk.SeenOf(ticket.Fold(ticket.Ticket{}, events)).Is(p.Ticket))
		if p.Before.Seq > 0 {
			require.True(t, p.Before.Is(ticket.Fold(ticket.Ticket{}, events[:p.Before.Seq])))
		}
	}
}

func manyAtOnce(t *testing.T, b *engineBench) {
	id, _ := b.opened()
	const callers, repetitions = 6, 2
	var group sync.WaitGroup
	for range callers {
		c := say("hello")
		for range repetitions {
			group.Go(func() {
				events, err := b.update(id, 0, c)
				if err != nil || len(events) != 1 || events[0].Operation != c.Operation {
					t.Errorf("%v %v", events, err)
				}
			})
		}
	}
	group.Wait()
	all := b.peek(id, 0, 0)
	require.Len(t, all, 1+callers)
	for i, e := range all {
		require.EqualValues(t, i+1, e.Seq)
	}
}

func withoutWorker(t *testing.T, b *engineBench) {
	id, _ := b.opened()
	b.Workers(t, false)
	c := command(ticket.Accept)
	brief, cancel := context.WithTimeout(b.ctx, 500*time.Millisecond)
	_, err := b.Engine.Update(brief, id, 0, desk.Seen{}, c)
	cancel()
	require.Error(t, err)
	require.False(t, errors.Is(err, desk.ErrGone) || ticket.AsError(err) != nil && !ticket.Is(err, ticket.Unavailable), "%v", err)
	out := b.outcome(id, 0, c.Operation)
	require.False(t, out.Done, "it cannot have happened")
	require.Nil(t, out.Refusal)
	b.Workers(t, true)
	require.Len(t, b.must(id, 0, c), 1, "it happens when there is somebody to do it")
	require.Len(t, b.peek(id, 0, 1), 1, "once")
}

func callersKeep(t *testing.T, b *engineBench) {
	id, events := b.opening()
	mine := clone(events)
	require.NoError(t, b.Engine.Begin(b.ctx, ticket.Ticket{}, mine))
	mine[0].Operation, mine[0].After.Opening.Title = "changed", "changed"
	c := say("hello")
	said := b.must(id, 0, c)
	want := clone(said)
	c.Message.Content, said[0].After.Message.Content = "changed", "changed"
	same(t, slices.Concat(events, want), b.peek(id, 0, 0))
	began, err := b.Engine.Begun(b.ctx, id, 0)
	require.NoError(t, err)
	began[0].Operation = "changed"
	began, err = b.Engine.Begun(b.ctx, id, 0)
	require.NoError(t, err)
	same(t, events, began)
}
