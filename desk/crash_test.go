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

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

const beyondLease = 31 * time.Second

// opened gives a ticket that was opened without trouble, and has had the actions.
func (w *world) opened(t tester, actions ...ticket.Action) string {
	t.Helper()
	p := w.healthy()
	reply, err := p.do(context.Background(), request{key: fmt.Sprintf("setup-%s", w.newID()), fingerprint: "f"})
	require.NoError(t, err)
	var body struct{ Number string }
	body = read(reply, body)
	for i, action := range actions {
		_, err := p.do(context.Background(), ask(fmt.Sprintf("setup-%s-%d", body.Number, i), body.Number, action))
		require.NoError(t, err)
	}
	return body.Number
}

// halfway has another process do something to the ticket and die before it could write that down.
func (w *world) halfway(t tester, key, number string, action ticket.Action) {
	t.Helper()
	_, _, died := func() (desk.Reply, error, bool) {
		p := w.at("finish", fault{before: errCrash})
		return p.run(func() (desk.Reply, error) { return p.do(context.Background(), ask(key, number, action)) })
	}()
	require.True(t, died)
}

func settleAll(t tester, w *world) {
	t.Helper()
	w.wake()
	w.advance(beyondLease)
	p := w.healthy()
	sum, err := p.Settle(context.Background(), 1_000)
	require.NoError(t, err)
	require.Zero(t, sum.Left, "everything can be settled once all is well")
	// What signals caused is projected by the workflow itself.
	for _, number := range w.engine.Numbers() {
		w.mu.Lock()
		row, last := w.rows[number], 0
		for w.engine.Generation(number, last+1) != nil {
			last++
		}
		w.mu.Unlock()
		for n := row.Generation; n <= last; n++ {
			require.NoError(t, p.CatchUp(context.Background(), ticket.Identity{Number: number, Tenant: "a"}, n))
		}
	}
}

// sound checks what must be true once everything is settled: the read model is the truth, nothing is running, no promise was broken.
func sound(t tester, w *world) {
	t.Helper()
	numbers := w.engine.Numbers()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(t, w.broken)
	require.Empty(t, w.engine.Broken())
	require.Len(t, w.rows, len(numbers))
	for _, number := range numbers {
		truth := w.engine.Truth(number)
		require.Equal(t, asJSON(truth), asJSON(w.events[number]), "the read model has exactly what happened")
		require.Equal(t, asJSON(ticket.Fold(ticket.Ticket{}, truth)), asJSON(w.rows[number]))
		operations := map[string]int{}
		for i, e := range truth {
			require.EqualValues(t, i+1, e.Seq)
			operations[e.Operation]++
			require.True(t, e.Operation == "" || operations[e.Operation] == 1, "operation %s happened twice", e.Operation)
			if op, ok := w.ops[e.Operation]; ok {
				require.Equal(t, desk.Done, op.State, "what happened is never said not to have happened")
			}
		}
	}
	for id, op := range w.ops {
		require.NotEqual(t, desk.Running, op.State, "operation %s", id)
	}
}

// count tells how often a request happened, under whatever operations.
func (w *world) count(r request) int {
	numbers := w.engine.Numbers()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, number := range numbers {
		for _, e := range w.engine.Truth(number) {
			if e.Operation != "" && w.owners[e.Operation] == scope(r.envelope()) {
				n++
			}
		}
	}
	return n
}

// scenario is one request, in a situation.
type scenario struct {
	name    string
	prepare func(t tester, w *world) request
	events  int         // how many it causes
	refused ticket.Code // or how it is refused
}

func on(action ticket.Action, before ...ticket.Action) func(tester, *world) request {
	return func(t tester, w *world) request { return ask("key", w.opened(t, before...), action) }
}

var scenarios = []scenario{
	{"open", func(tester, *world) request { return request{key: "key", fingerprint: "f"} }, 1, ""},
	{"open with all workers down", func(_ tester, w *world) request { w.engine.Down = true; return request{key: "key", fingerprint: "f"} }, 1, ""},
	{"accept", on(ticket.Accept), 1, ""},
	{"end", on(ticket.Close), 1, ""},
	{"nothing to do", on(ticket.Reopen), 0, ""},
	{"refused", on(ticket.Confirm), 0, ticket.Conflict},
	{"reopen", on(ticket.Reopen, ticket.Close), 1, ""},
	{"comment after the end", on(ticket.Say, ticket.Terminate), 1, ""},
	{"comment in the third generation", on(ticket.Say, ticket.Close, ticket.Reopen, ticket.Close, ticket.Reopen), 1, ""},
	{"nothing to do after the end", on(ticket.Close, ticket.Terminate), 0, ""},
	{"refused after the end", on(ticket.Relate, ticket.Close), 0, ticket.Conflict},
	{"each in a run of its own", func(t tester, w *world) request {
		w.engine.Updates = 1
		return ask("key", w.opened(t, ticket.Accept, ticket.Say, ticket.Suspend), ticket.Unsuspend)
	}, 1, ""},
	{"behind another's events", func(t tester, w *world) request {
		number := w.opened(t, ticket.Accept)
		for i := range 5 {
			w.halfway(t, fmt.Sprintf("other-%d", i), number, ticket.Say)
		}
		return ask("key", number, ticket.Say)
	}, 1, ""},
	{"its ending is not written down", func(t tester, w *world) request {
		number := w.opened(t, ticket.Accept)
		w.halfway(t, "other", number, ticket.Close)
		return ask("key", number, ticket.Say)
	}, 1, ""},
	{"its reopening is not written down", func(t tester, w *world) request {
		number := w.opened(t, ticket.Close)
		w.halfway(t, "other", number, ticket.Reopen)
		return ask("key", number, ticket.Accept)
	}, 1, ""},
	{"closed again before its reopening is written down", func(t tester, w *world) request {
		number := w.opened(t, ticket.Close)
		w.halfway(t, "other", number, ticket.Reopen)
		return ask("key", number, ticket.Close)
	}, 1, ""},
	{"it loses to the ending in one task", func(t tester, w *world) request {
		number := w.opened(t)
		w.engine.Generation(number, 0).Tie = true
		return ask("key", number, ticket.Say)
	}, 1, ""},
	{"refused after it was let in", func(t tester, w *world) request {
		number := w.opened(t)
		w.engine.Generation(number, 0).Refuse = ticket.Refuse(ticket.Conflict, "another was faster")
		return ask("key", number, ticket.Accept)
	}, 0, ticket.Conflict},
}

// TestADeathAtEveryStep breaks every step of every scenario in every way, then lets the caller repeat, the sweep settle, or both at once.
func TestADeathAtEveryStep(t *testing.T) {
	faults := map[string]fault{
		"dies before":  {before: errCrash},
		"dies after":   {after: errCrash},
		"fails":        {before: errNetwork},
		"answer lost":  {after: errNetwork},
		"stands still": {pause: nil}, // set below: for longer than its lease, while others settle and repeat
	}
	recoveries := []string{"repeat", "sweep", "both"}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld()
			r := s.prepare(t, w)
			clean := w.healthy()
			reply, err := clean.do(t.Context(), r)
			s.told(t, r, w, reply, err)
			w.wake()
			settleAll(t, w)
			sound(t, w)
			require.NotEmpty(t, clean.trace)
			for n, step := range clean.trace {
				for name, f := range faults {
					for _, recovery := range recoveries {
						t.Run(fmt.Sprintf("%d %s/%s/%s", n, step, name, recovery), func(t *testing.T) {
							s.survives(t, n, f, recovery)
						})
					}
				}
			}
		})
	}
}

func (s scenario) survives(t *testing.T, n int, f fault, recovery string) {
	w := newWorld()
	r := s.prepare(t, w)
	others := func() {
		w.advance(beyondLease)
		if recovery != "repeat" {
			_, err := w.healthy().Settle(t.Context(), 100)
			require.NoError(t, err)
		}
	}
	if f.before == nil && f.after == nil {
		f.pause = func() {
			others()
			reply, err := w.healthy().do(t.Context(), r)
			s.told(t, r, w, reply, err)
		}
	}
	first := w.process(func(i int, _ string) fault {
		if i == n {
			return f
		}
		return fault{}
	})
	reply, err, died := first.run(func() (desk.Reply, error) { return first.do(t.Context(), r) })
	if !died {
		s.toldOrNot(t, r, w, reply, err)
	}
	if died {
		// At once the first request is still running, unless it died before it began or after all was done.
		again, err := w.healthy().do(t.Context(), r)
		if !ticket.Is(err, ticket.Busy) {
			s.told(t, r, w, again, err)
		}
	}
	switch recovery {
	case "sweep":
		others()
		w.mu.Lock()
		for _, op := range w.ops {
			require.NotEqual(t, desk.Running, op.State)
		}
		w.mu.Unlock()
		require.LessOrEqual(t, w.count(r), s.events)
	case "both":
		w.advance(beyondLease)
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if _, err := w.healthy().Settle(t.Context(), 100); err != nil {
					t.Error(err)
				}
			})
			group.Go(func() {
				reply, err := w.healthy().do(t.Context(), r)
				if !ticket.Is(err, ticket.Busy) {
					s.told(t, r, w, reply, err)
				}
			})
		}
		group.Wait()
	default:
		w.advance(beyondLease)
	}
	reply, err = w.healthy().do(t.Context(), r)
	s.told(t, r, w, reply, err)
	if err == nil {
		reply, err = w.healthy().do(t.Context(), r)
		s.told(t, r, w, reply, err)
		require.True(t, reply.Replayed)
		other := r
		other.fingerprint = "another body"
		_, err = w.healthy().do(t.Context(), other)
		require.True(t, ticket.Is(err, ticket.Reused), "%v", err)
	}
	settleAll(t, w)
	sound(t, w)
	require.Equal(t, s.events, w.count(r))
}

// told checks that the caller was told how it ended, and that it ended so.
func (s scenario) told(t *testing.T, r request, w *world, reply desk.Reply, err error) {
	t.Helper()
	if s.refused != "" {
		require.True(t, ticket.Is(err, s.refused), "%v", err)
		return
	}
	require.NoError(t, err)
	number := r.ticket
	if number == "" {
		var body struct{ Number string }
		number = read(reply, body).Number
		require.Equal(t, ticket.Triggered, w.row(t, number).Status, "an answered ticket can be read")
	}
	require.JSONEq(t, string(r.answer(number).Body), string(reply.Body))
	require.Equal(t, s.events, w.count(r), "an answered request has happened once")
}

// toldOrNot also allows the caller to have been told that we cannot tell.
func (s scenario) toldOrNot(t *testing.T, r request, w *world, reply desk.Reply, err error) {
	t.Helper()
	if ticket.Is(err, ticket.Unavailable) {
		require.LessOrEqual(t, w.count(r), s.events)
		return
	}
	s.told(t, r, w, reply, err)
}
