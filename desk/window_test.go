package desk_test

import (
	"context"
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

func TestAnUpdateThatArrivesAfterItsGenerationWasFollowedByAnother(t *testing.T) {
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

func TestARepeatedKeyIsNotDoneAgainInALaterGeneration(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		for _, action := range []ticket.Action{ticket.Accept, ticket.Say, ticket.Close} {
			t.Run(fmt.Sprintf("%s/reopened=%t", action, reopened), func(t *testing.T) {
				w := newWorld()
				r := ask("key", w.opened(t), action)
				slow := w.at("update", fault{
					flight: func() { require.Equal(t, 1, w.sweep(t).Void) },
					later: func() {
						// It has happened now, its operation says it has not, and its generation comes to an end.
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

func TestAGenerationThatWasBegunByTheRepetitionKeepsItsOwnEvents(t *testing.T) {
	for _, action := range []ticket.Action{ticket.Reopen, ticket.Say} {
		w := newWorld()
		r := ask("key", w.opened(t, ticket.Close), action)
		slow := w.at("begin", fault{flight: func() {
			require.Equal(t, 1, w.sweep(t).Void)
			// The repetition begins the generation at a later time than the slow process decided for, and has not written it down yet.
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
	require.Len(t, w.engine.Numbers(), 1)
	settleAll(t, w)
	sound(t, w)
}

func TestACallThatWasRepeatedOnTheWayFindsItsGenerationOver(t *testing.T) {
	for _, action := range []ticket.Action{ticket.Say, ticket.Reopen} {
		w := newWorld()
		before := []ticket.Action{}
		step := "update"
		if action == ticket.Reopen {
			before, step = append(before, ticket.Close), "begin"
		}
		r := ask("key", w.opened(t, before...), action)
		// The client's own repetition comes when the server has forgotten the first, and hears that the generation is over.
		p := w.at(step, fault{after: desk.ErrGone, later: func() {
			w.roll(r.ticket, len(before))
			w.must(t, ask("close", r.ticket, ticket.Close))
		}})
		_, err := p.do(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, 1, w.count(r))
		settleAll(t, w)
		sound(t, w)
	}
}

func TestAWorkflowThatWasEndedByHandIsNamed(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	w.engine.Generation(r.ticket, 0).Stopped = true
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := w.healthy().do(ctx, r)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.ErrorContains(t, err, "the workflow of generation 0 is over, and has told of no ending")

	w.engine.Generation(r.ticket, 0).Stopped = false // reset
	w.must(t, r)
	require.Equal(t, 1, w.count(r))
	sound(t, w)
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
				w.roll(number, 0)
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

func TestAnotherBeginsTheNextGenerationFirst(t *testing.T) {
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
			require.Equal(t, callers, row.Generation)
		} else {
			require.Equal(t, ticket.Triggered, row.Status)
			require.Equal(t, 1, row.Generation, "reopened once; the others found it as they wanted it")
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
	w.engine.Generation(r.ticket, 0).Moving = 1 << 30
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
	w.engine.Generation(r.ticket, 0).Moving = 0
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
