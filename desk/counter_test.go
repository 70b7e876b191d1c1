package desk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
)

func TestWorkersDown(t *testing.T) {
	for _, admit := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept by the server=%t", admit), func(t *testing.T) {
			w := newWorld()
			w.engine.Down, w.engine.Keep = true, admit
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
	_, err := w.at("transact", fault{before: errNetwork}).Transact(t.Context(), desk.Request{}, nil)
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
	w.engine.Generation(r.ticket, 0).Refuse = ticket.Refuse(ticket.Conflict, "another was faster")
	p := w.at("update", fault{after: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), r) })
	require.True(t, died)
	require.Equal(t, desk.Settled{Void: 1}, w.sweep(t))
	for _, op := range w.ops {
		require.NotEqual(t, desk.Void, op.State)
	}
	w.engine.Generation(r.ticket, 0).Refuse = nil
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
	_, err = w.healthy().Handle(t.Context(), foreign, desk.Handling{Ticket: number, Command: ask("", "", ticket.Accept).command})
	require.True(t, ticket.Is(err, ticket.NotFound), "another tenant's ticket does not exist: %v", err)
	_, err = w.healthy().Open(t.Context(), desk.Request{}, desk.Opening{Series: ticket.SeriesIM})
	require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
	require.Len(t, w.ops, before)
	require.EqualValues(t, 1, w.row(t, number).Seq)
}

func TestTheDeskSaysWhoActs(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	r := ask("key", w.row(t, number).UUID, ticket.Accept)
	r.command.App, r.command.Admin, r.command.Channel = "forged", true, "forged"
	w.must(t, r)
	e := w.engine.Truth(number)[1]
	require.Equal(t, "demo", e.App)
	require.Equal(t, ticket.ChannelIssue, e.Channel)
	for _, op := range w.ops {
		if op.Command != nil {
			require.False(t, op.Command.Admin)
			require.Equal(t, op.ID, op.Command.Operation)
		}
	}
}

func TestTransact(t *testing.T) {
	w := newWorld()
	d, times := w.healthy(), 0
	effect := func(context.Context) (desk.Answer, error) {
		times++
		return desk.Answer{Status: 200, Body: []byte(`{"id":"x"}`)}, nil
	}
	r := desk.Request{Key: "key", Fingerprint: "f"}
	for i := range 2 {
		reply, err := d.Transact(t.Context(), r, effect)
		require.NoError(t, err)
		require.Equal(t, i == 1, reply.Replayed)
		require.JSONEq(t, `{"id":"x"}`, string(reply.Body))
	}
	require.Equal(t, 1, times)
	r.Fingerprint = "x"
	_, err := d.Transact(t.Context(), r, effect)
	require.True(t, ticket.Is(err, ticket.Reused), "%v", err)
	r.Key = "other"
	_, err = d.Transact(t.Context(), r, func(context.Context) (desk.Answer, error) {
		return desk.Answer{}, ticket.Refuse(ticket.NotFound, "no such address")
	})
	require.True(t, ticket.Is(err, ticket.NotFound), "%v", err)
	_, err = d.Transact(t.Context(), r, func(context.Context) (desk.Answer, error) { return desk.Answer{}, errors.New("disk full") })
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	_, err = d.Transact(t.Context(), r, effect)
	require.NoError(t, err, "a failure frees the key")
}

func TestWhatHappensWithoutACallerIsCaughtUp(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "li", Channel: ticket.ChannelSignal})
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal}) // refused, with an entry
	w.must(t, ask("key", number, ticket.Say))
	require.EqualValues(t, 4, w.row(t, number).Seq)
	require.NoError(t, w.healthy().CatchUp(t.Context(), w.row(t, number).Identity, 0), "and again changes nothing")
	sound(t, w)

	// Also where not even the opening was written down.
	p := w.at("finish", fault{before: errCrash})
	_, _, died := p.run(func() (desk.Reply, error) { return p.do(t.Context(), request{key: "open", fingerprint: "f"}) })
	require.True(t, died)
	for _, n := range w.engine.Numbers() {
		require.NoError(t, w.healthy().CatchUp(t.Context(), ticket.Identity{Number: n, Tenant: "a"}, 0))
		require.NotZero(t, w.row(t, n).Seq)
	}
	settleAll(t, w)
	sound(t, w)
}
