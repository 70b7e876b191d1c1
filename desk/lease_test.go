package desk_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/internal/watch"
	"signalbox/ticket"
)

// held lists operations that somebody is still said to work on.
func (w *world) held() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, op := range w.ops {
		if op.State == desk.Running && op.Lease.After(w.now) {
			list = append(list, id)
		}
	}
	return list
}

// TestTheLeaseIsGivenBackOnEveryWayOut has the caller's time end, or the connection break, at each step of a request in turn. Whoever was told that it
// cannot be told must not hear from the next try that somebody is at it.
func TestTheLeaseIsGivenBackOnEveryWayOut(t *testing.T) {
	scenarios := map[string]func(t *testing.T, w *world) request{
		"an opening": func(*testing.T, *world) request { return request{key: "key", fingerprint: "f"} },
		"a handling": func(t *testing.T, w *world) request { return ask("key", w.opened(t), ticket.Accept) },
		"a beginning": func(t *testing.T, w *world) request {
			return ask("key", w.opened(t, ticket.Close), ticket.Say)
		},
		"an opening that somebody left": func(t *testing.T, w *world) request {
			r := request{key: "key", fingerprint: "f"}
			left(t, w, "begin", r)
			return r
		},
		"a handling that somebody left": func(t *testing.T, w *world) request {
			r := ask("key", w.opened(t), ticket.Accept)
			left(t, w, "update", r)
			return r
		},
		"a handling that did not happen": func(t *testing.T, w *world) request {
			r := ask("key", w.opened(t), ticket.Accept)
			left(t, w, "update", r)
			require.Equal(t, 1, w.sweep(t).Void)
			return r
		},
	}
	for name, prepare := range scenarios {
		for _, end := range []string{"time is up before it", "time is up and its answer is lost", "its answer is lost"} {
			t.Run(name+"/"+end, func(t *testing.T) {
				for n := 0; ; n++ {
					w := newWorld()
					r := prepare(t, w)
					ctx, cancel := context.WithCancel(t.Context())
					var at string
					p := w.process(func(i int, step string) fault {
						if i != n {
							return fault{}
						}
						at = step
						switch {
						case end == "time is up before it":
							return fault{pause: cancel}
						case step == "expire": // only this can give it back
							return fault{}
						case end == "its answer is lost":
							return fault{after: errNetwork}
						}
						return fault{later: cancel, after: context.Canceled}
					})
					_, err := p.do(ctx, r)
					if at == "" {
						break // it was done before that step
					}
					if err != nil {
						require.Empty(t, w.held(), "after %s, as step %d: %v", at, n, err)
					}
					w.must(t, r)
					require.Equal(t, 1, w.count(r), at)
					settleAll(t, w)
					sound(t, w)
				}
			})
		}
	}
}

// left has a process die at a step of a request, and its lease run out.
func left(t *testing.T, w *world, step string, r request) {
	t.Helper()
	p := w.at(step, fault{before: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(context.Background(), r) })
	require.True(t, died)
	w.advance(beyondLease)
}

// TestALeaseThatIsAnothersStays has a process give back, late, what somebody else works on by now.
func TestALeaseThatIsAnothersStays(t *testing.T) {
	w := newWorld()
	r := ask("key", w.opened(t), ticket.Accept)
	var other desk.Operation
	slow := w.at("update", fault{before: errNetwork, pause: func() {
		w.advance(beyondLease)
		w.mu.Lock()
		defer w.mu.Unlock()
		other = w.expired(1)[0]
		require.True(t, w.lease(other.ID, w.now.Add(desk.DefaultLease)))
	}})
	slow.frozen = true
	_, err := slow.do(t.Context(), r)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.Equal(t, []string{other.ID}, w.held())
}

// TestThePanicOfAGateGivesTheLeaseBack has code of a family fail while an operation is claimed.
func TestThePanicOfAGateGivesTheLeaseBack(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	r := ask("key", number, ticket.Accept)
	func() {
		defer func() { require.Equal(t, "broken", recover()) }()
		_, _ = w.healthy().Handle(t.Context(), r.envelope(), desk.Handling{Ticket: number, Command: r.command, Answer: desk.Answer{Status: 200},
			Gate: func(context.Context) error { panic("broken") }})
	}()
	require.Empty(t, w.held())
}

// TestWhatFailedIsNamed looks for the step in what the log is told.
func TestWhatFailedIsNamed(t *testing.T) {
	for step, says := range map[string]string{
		"ticket": "read the ticket", "claim": "claim the operation", "update": "ask the ticket's workflow", "finish": "write down what happened",
	} {
		w := newWorld()
		r := ask("key", w.opened(t), ticket.Accept)
		_, err := w.at(step, fault{before: fmt.Errorf("%w: %w", ticket.Refuse(ticket.Unavailable, "away"), errNetwork)}).do(t.Context(), r)
		require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
		require.ErrorContains(t, err, says+": ")
		require.NotContains(t, ticket.AsError(err).Message, says)
	}
}

// TestNothingIsClaimedForAnEngineThatIsAway has a desk that knows. What was done is told again all the same.
func TestNothingIsClaimedForAnEngineThatIsAway(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	done := ask("done", number, ticket.Accept)
	w.must(t, done)
	before := len(w.ops)
	p := w.process(nil)
	p.Desk = desk.New(ledger{p}, engine{p}, desk.Options{Now: w.clock, NewID: w.newID, Away: func() error { return &watch.Away{Name: "temporal", Cause: errNetwork} }})
	for _, r := range []request{{key: "key", fingerprint: "f"}, ask("key", number, ticket.Say)} {
		_, err := p.do(t.Context(), r)
		require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
		require.True(t, watch.Refused(err))
	}
	require.Len(t, w.ops, before)
	require.NotContains(t, p.trace, "expire", "there is nothing to give back")
	reply, err := p.do(t.Context(), done)
	require.NoError(t, err)
	require.True(t, reply.Replayed)
}
