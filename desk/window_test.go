package desk_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
)

func (w *world) must(t tester, r request) desk.Reply {
	t.Helper()
	reply, err := w.healthy().do(context.Background(), r)
	require.NoError(t, err)
	return reply
}

func (w *world) sweep(t tester) desk.Settled {
	t.Helper()
	w.advance(beyondLease)
	sum, err := w.healthy().Settle(context.Background(), 100)
	require.NoError(t, err)
	return sum
}

func (w *world) row(t tester, number string) ticket.Ticket {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	row, err := w.ticket("a", number)
	require.NoError(t, err)
	return row
}

// A call can be on its way for longer than its caller's lease, and a suspended machine does not notice that its lease went by; then the
// operation is settled as not done before it happens.

func TestAnUpdateThatArrivesAfterItWasSettledAndRepeated(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	slow := w.at("update", fault{flight: func() {
		require.Equal(t, desk.Settled{Void: 1}, w.sweep(t))
		require.False(t, w.must(t, r).Replayed)
	}})
	slow.frozen = true
	reply, err := slow.do(t.Context(), r)
	require.NoError(t, err)
	require.JSONEq(t, string(r.answer(r.ticket).Body), string(reply.Body))
	require.Equal(t, 1, w.count(r))
	settleAll(t, w)
	sound(t, w)
}

func TestAnUpdateThatArrivesAfterItsLifeWasFollowedByAnother(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	slow := w.at("update", fault{flight: func() {
		w.sweep(t)
		w.must(t, r)
		w.must(t, ask("close", r.ticket, ticket.Close))
		w.must(t, ask("reopen", r.ticket, ticket.Reopen))
	}})
	slow.frozen = true
	_, err := slow.do(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, 1, w.count(r))
	settleAll(t, w)
	sound(t, w)
}

func TestARepeatedKeyIsNotDoneAgainInALaterLife(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		for _, action := range []ticket.Action{ticket.Accept, ticket.Say, ticket.Close} {
			t.Run(fmt.Sprintf("%s/reopened=%t", action, reopened), func(t *testing.T) {
				w := newWorld()
				r := ask("key", w.opened(t), action)
				slow := w.at("update", fault{
					flight: func() { require.Equal(t, 1, w.sweep(t).Void) },
					later: func() {
						// It has happened now, its operation says it has not, and its life comes to an end.
						w.must(t, ask("close", r.ticket, ticket.Close))
						if reopened {
							w.must(t, ask("reopen", r.ticket, ticket.Reopen))
						}
						w.must(t, r)
					},
				})
				slow.frozen = true
				_, err := slow.do(t.Context(), r)
				require.NoError(t, err)
				require.Equal(t, 1, w.count(r))
				settleAll(t, w)
				sound(t, w)
			})
		}
	}
}

func TestALifeThatWasBegunByTheRepetitionKeepsItsOwnEvents(t *testing.T) {
	for _, action := range []ticket.Action{ticket.Reopen, ticket.Say} {
		w := newWorld()
		r := ask("key", w.opened(t, ticket.Close), action)
		slow := w.at("begin", fault{flight: func() {
			require.Equal(t, 1, w.sweep(t).Void)
			// The repetition begins the life at a later time than the slow process decided for, and has not written it down yet.
			_, _, died := func() (desk.Reply, error, bool) {
				p := w.at("finish", fault{before: errCrash})
				return p.run(func() (desk.Reply, error) { return p.do(t.Context(), r) })
			}()
			require.True(t, died)
		}})
		slow.frozen = true
		_, err := slow.do(t.Context(), r)
		require.NoError(t, err)
		settleAll(t, w)
		sound(t, w)
		require.Equal(t, 1, w.count(r))
	}
}

func TestAReopeningThatArrivesLateDoesNotReopenTwice(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t, ticket.Close), ticket.Reopen)
	slow := w.at("begin", fault{
		flight: func() { require.Equal(t, 1, w.sweep(t).Void) },
		later: func() {
			w.must(t, ask("close", r.ticket, ticket.Close))
			w.must(t, r)
		},
	})
	slow.frozen = true
	_, err := slow.do(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, 1, w.count(r))
	require.Equal(t, ticket.Completed, w.row(t, r.ticket).Status, "closed stays closed")
	settleAll(t, w)
	sound(t, w)
}

func TestAnOpeningThatArrivesAfterItWasSettledAndRepeated(t *testing.T) {
	w := newWorld()
	r := request{key: "key", fingerprint: "f"}
	var repeated desk.Reply
	slow := w.at("begin", fault{flight: func() {
		require.Equal(t, 1, w.sweep(t).Void)
		repeated = w.must(t, r)
	}})
	slow.frozen = true
	reply, err := slow.do(t.Context(), r)
	require.NoError(t, err)
	require.JSONEq(t, string(repeated.Body), string(reply.Body), "one key, one ticket")
	require.Len(t, w.numbers(), 1)
	settleAll(t, w)
	sound(t, w)
}

func TestACallThatWasRepeatedOnTheWayFindsItsLifeOver(t *testing.T) {
	for _, action := range []ticket.Action{ticket.Say, ticket.Reopen} {
		w := newWorld()
		before := []ticket.Action{}
		step := "update"
		if action == ticket.Reopen {
			before, step = append(before, ticket.Close), "begin"
		}
		r := ask("key", w.opened(t, before...), action)
		// The client's own repetition comes when the server has forgotten the first, and hears that the life is over.
		p := w.at(step, fault{after: desk.ErrGone, later: func() {
			w.mu.Lock()
			w.roll(w.lives[workflowID(r.ticket, len(before))])
			w.mu.Unlock()
			w.must(t, ask("close", r.ticket, ticket.Close))
		}})
		_, err := p.do(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, 1, w.count(r))
		settleAll(t, w)
		sound(t, w)
	}
}

func TestAnEngineThatCannotTellHasNotRefused(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	p := w.at("update", fault{after: ticket.Refuse(ticket.Unavailable, "the service is not known here")})
	_, err := p.do(t.Context(), r)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.True(t, w.must(t, r).Replayed)
	require.Equal(t, 1, w.count(r))
	sound(t, w)
}

func TestARollOverWhileAnOperationIsSettled(t *testing.T) {
	for _, step := range []string{"ticket", "outcome", "begun", "happened"} {
		t.Run("before "+step, func(t *testing.T) {
			w := newWorld()
			number := w.opened(t)
			w.halfway(t, "key", number, ticket.Accept)
			w.advance(beyondLease)
			sweeper := w.at(step, fault{pause: func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.roll(w.lives[workflowID(number, 0)])
			}})
			sum, err := sweeper.Settle(t.Context(), 10)
			require.NoError(t, err)
			require.Equal(t, desk.Settled{Done: 1}, sum)
			sound(t, w)
		})
	}
}

func TestAnOutdatedRowIsNoGroundForAnAnswer(t *testing.T) {
	w := newWorld()
	number := w.opened(t, ticket.Close)
	w.halfway(t, "reopen", number, ticket.Reopen)
	require.True(t, w.row(t, number).Ended())
	w.must(t, ask("close", number, ticket.Close))
	settleAll(t, w)
	sound(t, w)
	require.True(t, w.row(t, number).Ended(), "a close that was answered is not undone by settling an earlier reopening")
}

func TestAnotherBeginsTheNextLifeFirst(t *testing.T) {
	w := newWorld()
	number := w.opened(t, ticket.Close)
	for i, step := range []string{"begin", "begun", "finish"} {
		r := ask(fmt.Sprintf("key-%d", i), number, ticket.Say)
		other := ask(fmt.Sprintf("other-%d", i), number, ticket.Say)
		p := w.at(step, fault{pause: func() { w.halfway(t, other.key, number, ticket.Say) }})
		_, err := p.do(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, 1, w.count(r))
		require.Equal(t, 1, w.count(other))
	}
	settleAll(t, w)
	sound(t, w)
	require.Len(t, w.row(t, number).Messages, 6)
}

func TestSettlingMayTakeItsTime(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	p := w.at("update", fault{before: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), r) })
	require.True(t, died)
	w.advance(beyondLease)
	_, err := w.at("outcome", fault{pause: func() { w.advance(25 * time.Second) }}).do(t.Context(), r)
	require.NoError(t, err, "the repetition has a whole lease of its own")
	sound(t, w)
}

func TestManyAtOnceOnAnEndedTicket(t *testing.T) {
	for _, action := range []ticket.Action{ticket.Say, ticket.Reopen} {
		w := newWorld()
		number := w.opened(t, ticket.Accept)
		w.halfway(t, "end", number, ticket.Close) // and the ending is not written down
		var group sync.WaitGroup
		const callers = 12
		for i := range callers {
			group.Go(func() {
				if _, err := w.healthy().do(t.Context(), ask(fmt.Sprintf("key-%d", i), number, action)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		settleAll(t, w)
		sound(t, w)
		row := w.row(t, number)
		if action == ticket.Say {
			require.Len(t, row.Messages, callers)
			require.Equal(t, callers, row.Life)
		} else {
			require.Equal(t, ticket.Triggered, row.Status)
			require.Equal(t, 1, row.Life, "reopened once; the others found it as they wanted it")
		}
	}
}

func TestManyProcessesSettleAtOnce(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	const operations = 20
	for i := range operations {
		p := w.at([]string{"update", "finish"}[i%2], fault{before: errCrash})
		_, _, died := p.run(func() (desk.Reply, error) {
			return p.do(t.Context(), ask(fmt.Sprintf("key-%d", i), number, ticket.Say))
		})
		require.True(t, died)
	}
	w.advance(beyondLease)
	var sum desk.Settled
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			s, err := w.healthy().Settle(t.Context(), 100)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Done, sum.Void = sum.Done+s.Done, sum.Void+s.Void
		})
	}
	group.Wait()
	require.Equal(t, desk.Settled{Done: operations / 2, Void: operations / 2}, sum, "each was settled by one of them")
	settleAll(t, w)
	sound(t, w)
}

func TestNothingIsBegunWhenTheLeaseIsNearlyOver(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	stuck := w.at("update", fault{pause: func() { w.advance(21 * time.Second) }})
	_, err := stuck.do(t.Context(), r)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, w.count(r))
	require.False(t, w.must(t, r).Replayed, "and its key is free at once")

	// A settler that stood still must not spoil what was taken up since.
	r = ask("second", r.ticket, ticket.Say)
	p := w.at("update", fault{before: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), r) })
	require.True(t, died)
	w.advance(beyondLease)
	sweeper := w.at("close", fault{pause: func() {
		require.Equal(t, 1, w.sweep(t).Void)
		// The caller repeats and its process dies between the engine and the read model.
		again := w.at("finish", fault{before: errCrash})
		_, _, died := again.run(func() (desk.Reply, error) { return again.do(t.Context(), r) })
		require.True(t, died)
	}})
	sum, err := sweeper.Settle(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, desk.Settled{Left: 1}, sum)
	require.Equal(t, desk.Settled{Done: 1}, w.sweep(t))
	sound(t, w)
}

func TestATicketThatMovesForEver(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	w.lives[workflowID(r.ticket, 0)].moving = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	p := w.healthy()
	p.cancel = func(n int) {
		if n == 20 {
			cancel()
		}
	}
	_, err := p.do(ctx, r)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.Zero(t, w.count(r))
	require.Equal(t, "expire", p.trace[len(p.trace)-1], "the key does not wait for the lease")
	w.lives[workflowID(r.ticket, 0)].moving = 0
	require.False(t, w.must(t, r).Replayed)
	sound(t, w)
}

func TestACallerWhoLeavesDoesNotTakeTheTruthAlong(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	ctx, cancel := context.WithCancel(t.Context())
	p := w.at("update", fault{later: cancel})
	_, err := p.do(ctx, r)
	require.NoError(t, err)
	require.Equal(t, ticket.Acknowledged, w.row(t, r.ticket).Status)
	sound(t, w)
}

func TestWorkersDown(t *testing.T) {
	for _, admit := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept by the server=%t", admit), func(t *testing.T) {
			w := newWorld()
			w.down, w.admit = true, admit
			number := w.opened(t) // needs no worker
			r := ask("key", number, ticket.Accept)
			for range 2 {
				_, err := w.healthy().do(t.Context(), r)
				require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
				require.Zero(t, w.count(r))
			}
			if admit {
				require.Equal(t, desk.Settled{Left: 1}, w.sweep(t), "it may happen yet")
			}
			w.wake()
			require.Equal(t, admit, w.must(t, r).Replayed)
			require.Equal(t, 1, w.count(r))
			settleAll(t, w)
			sound(t, w)
		})
	}
}

func TestEveryStepUnavailable(t *testing.T) {
	w := newWorld()
	number, ended := w.opened(t), w.opened(t, ticket.Close)
	for _, r := range []request{{key: "open", fingerprint: "f"}, ask("say", number, ticket.Say), ask("late", ended, ticket.Say)} {
		for _, step := range []string{"ticket", "claim", "begin", "begun", "update", "finish"} {
			p := w.at(step, fault{before: errNetwork})
			_, err := p.do(t.Context(), r)
			if err == nil {
				continue // not a step of this one, or its key was used up by an earlier round
			}
			require.True(t, ticket.Is(err, ticket.Unavailable), "%s: %v", step, err)
			require.ErrorIs(t, err, errNetwork, "the cause stays inside, for the log")
			require.NotContains(t, ticket.AsError(err).Message, "reset", "and is not told to the caller")
		}
		w.must(t, r)
		require.Equal(t, 1, w.count(r))
	}
	settleAll(t, w)
	sound(t, w)
	_, err := w.at("record", fault{before: errNetwork}).Record(t.Context(), desk.Request{}, nil)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	_, err = w.at("expired", fault{before: errNetwork}).Settle(t.Context(), 1)
	require.ErrorIs(t, err, errNetwork)
}

func TestAGapThatCannotBeFilledIsNotTheCallersFault(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	w.halfway(t, "other", number, ticket.Accept)
	r := ask("key", number, ticket.Say)
	p := w.process(nil)
	p.choose = func(_ int, step string) fault {
		if step == "peek" {
			return fault{before: ticket.Refuse(ticket.NotFound, "no such thing")}
		}
		return fault{}
	}
	_, err := p.do(t.Context(), r)
	require.True(t, ticket.Is(err, ticket.Unavailable), "what has happened is not refused: %v", err)
	require.True(t, w.must(t, r).Replayed)
	settleAll(t, w)
	sound(t, w)
}

func TestOneThatCannotBeSettledDoesNotHoldUpTheOthers(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	for i := range 3 {
		w.halfway(t, fmt.Sprintf("key-%d", i), number, ticket.Say)
	}
	w.advance(beyondLease)
	sum, err := w.at("outcome", fault{before: errNetwork}).Settle(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, desk.Settled{Done: 2, Left: 1}, sum)
	sum, err = w.healthy().Settle(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, desk.Settled{Done: 1}, sum, "and is taken up again at once")
	sum, err = w.healthy().Settle(t.Context(), 100)
	require.NoError(t, err)
	require.Zero(t, sum)
	sound(t, w)
}

func TestARefusalIsSettledAsOne(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	w.lives[workflowID(r.ticket, 0)].refuse = ticket.Refuse(ticket.Conflict, "another was faster")
	p := w.at("update", fault{after: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), r) })
	require.True(t, died)
	require.Equal(t, desk.Settled{Void: 1}, w.sweep(t))
	for _, op := range w.ops {
		require.NotEqual(t, desk.Void, op.State)
	}
	w.lives[workflowID(r.ticket, 0)].refuse = nil
	require.False(t, w.must(t, r).Replayed, "its key is free, for a new operation")
	sound(t, w)
}

func TestKeys(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	r := ask("key", number, ticket.Accept)
	require.False(t, w.must(t, r).Replayed)
	require.True(t, w.must(t, r).Replayed)
	other := r
	other.fingerprint = "x"
	_, err := w.healthy().do(t.Context(), other)
	require.True(t, ticket.Is(err, ticket.Reused), "%v", err)

	// While the first is running, and whatever becomes of it.
	slow := ask("slow", number, ticket.Say)
	p := w.at("update", fault{flight: func() {
		_, err := w.healthy().do(t.Context(), slow)
		require.True(t, ticket.Is(err, ticket.Busy), "%v", err)
		other := slow
		other.fingerprint = "x"
		_, err = w.healthy().do(t.Context(), other)
		require.True(t, ticket.Is(err, ticket.Reused), "%v", err)
		require.Zero(t, w.expired(10))
	}})
	_, err = p.do(t.Context(), slow)
	require.NoError(t, err)

	// A refusal frees the key, also for another body.
	refused := ask("again", number, ticket.Confirm)
	_, err = w.healthy().do(t.Context(), refused)
	require.True(t, ticket.Is(err, ticket.Conflict), "%v", err)
	free := ask("again", number, ticket.Say)
	free.fingerprint = "x"
	require.False(t, w.must(t, free).Replayed)

	// What did not happen loses its key to another body.
	void := ask("void", number, ticket.Suspend)
	p = w.at("update", fault{before: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), void) })
	require.True(t, died)
	w.sweep(t)
	taken := ask("void", number, ticket.Say)
	taken.fingerprint = "x"
	require.False(t, w.must(t, taken).Replayed)
	require.False(t, w.row(t, number).Suspended)

	// Without a key nothing is replayed.
	free = ask("", number, ticket.Relate)
	free.command.Relation.Content = []string{"a"}
	require.False(t, w.must(t, free).Replayed)
	free.command.Relation.Content = []string{"b"}
	require.False(t, w.must(t, free).Replayed)
	settleAll(t, w)
	sound(t, w)
}

func TestWhatIsRefusedAtTheCounterLeavesNothing(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	before := len(w.ops)
	bad := ask("bad", number, ticket.Say)
	bad.command.Message.Content = ""
	_, err := w.healthy().do(t.Context(), bad)
	require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
	_, err = w.healthy().do(t.Context(), ask("none", "IM0", ticket.Accept))
	require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
	foreign := ask("foreign", number, ticket.Accept).envelope()
	foreign.App.Tenant = "b"
	_, err = w.healthy().Handle(t.Context(), foreign, number, ask("", "", ticket.Accept).command, desk.Answer{})
	require.True(t, ticket.Is(err, ticket.NotFound), "another tenant's ticket does not exist: %v", err)
	_, err = w.healthy().Open(t.Context(), desk.Request{}, ticket.SeriesIM, ticket.Draft{}, nil)
	require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
	require.Len(t, w.ops, before)
	require.EqualValues(t, 1, w.row(t, number).Seq)
}

func TestTheDeskSaysWhoActs(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	r := ask("key", w.row(t, number).UUID, ticket.Accept)
	r.command.App, r.command.Admin, r.command.Door = "forged", true, "forged"
	w.must(t, r)
	e := w.truth(number)[1]
	require.Equal(t, "demo", e.App)
	require.Equal(t, ticket.DoorIssue, e.Door)
	for _, op := range w.ops {
		if op.Command != nil {
			require.False(t, op.Command.Admin)
			require.Equal(t, op.ID, op.Command.Operation)
		}
	}
}

func TestRecord(t *testing.T) {
	w := newWorld()
	d, times := w.healthy(), 0
	effect := func(context.Context) (desk.Answer, error) {
		times++
		return desk.Answer{Status: 200, Body: []byte(`{"id":"x"}`)}, nil
	}
	r := desk.Request{Key: "key", Fingerprint: "f"}
	for i := range 2 {
		reply, err := d.Record(t.Context(), r, effect)
		require.NoError(t, err)
		require.Equal(t, i == 1, reply.Replayed)
		require.JSONEq(t, `{"id":"x"}`, string(reply.Body))
	}
	require.Equal(t, 1, times)
	r.Fingerprint = "x"
	_, err := d.Record(t.Context(), r, effect)
	require.True(t, ticket.Is(err, ticket.Reused), "%v", err)
	r.Key = "other"
	_, err = d.Record(t.Context(), r, func(context.Context) (desk.Answer, error) {
		return desk.Answer{}, ticket.Refuse(ticket.NotFound, "no such address")
	})
	require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
	_, err = d.Record(t.Context(), r, func(context.Context) (desk.Answer, error) { return desk.Answer{}, errors.New("disk full") })
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	_, err = d.Record(t.Context(), r, effect)
	require.NoError(t, err, "a failure frees the key")
}

func TestWhatHappensWithoutACallerIsCaughtUp(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "li", Door: ticket.DoorSignal})
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Door: ticket.DoorSignal}) // refused, with an entry
	w.must(t, ask("key", number, ticket.Say))
	require.EqualValues(t, 4, w.row(t, number).Seq)
	require.NoError(t, w.healthy().CatchUp(t.Context(), w.row(t, number).Identity, 0), "and again changes nothing")
	sound(t, w)

	// Also where not even the opening was written down.
	p := w.at("finish", fault{before: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), request{key: "open", fingerprint: "f"}) })
	require.True(t, died)
	for _, n := range w.numbers() {
		require.NoError(t, w.healthy().CatchUp(t.Context(), ticket.Identity{Number: n, Tenant: "a"}, 0))
		require.NotZero(t, w.row(t, n).Seq)
	}
	settleAll(t, w)
	sound(t, w)
}
