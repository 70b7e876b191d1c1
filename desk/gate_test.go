package desk_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

func TestAGateIsAskedOnceForWhatIsNoReplay(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	asked := 0
	var says error
	gate := func(context.Context) error { asked++; return says }
	try := func(p *process, r request) (desk.Reply, error) {
		return p.Handle(t.Context(), r.envelope(), desk.Handling{Ticket: number, Command: r.command, Answer: desk.Answer{Status: 200}, Gate: gate})
	}

	// What it refuses has not happened, and the key is free.
	r := ask("key", number, ticket.Accept)
	says = ticket.Refuse(ticket.TooMany, "later")
	_, err := try(w.healthy(), r)
	require.True(t, ticket.Is(err, ticket.TooMany), "%v", err)
	require.Equal(t, "triggered", w.row(t, number).Phase())
	says = nil
	reply, err := try(w.healthy(), r)
	require.NoError(t, err)
	require.False(t, reply.Replayed)
	require.Equal(t, 2, asked)

	// A replay is not asked for, nor what is refused at the counter.
	reply, err = try(w.healthy(), r)
	require.NoError(t, err)
	require.True(t, reply.Replayed)
	bad := ask("bad", number, ticket.Say)
	bad.command.Message = nil
	_, err = try(w.healthy(), bad)
	require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
	require.Equal(t, 2, asked)

	// Who comes again after a crash is not asked for where it has happened, and asked for where it has not.
	for i, step := range []string{"finish", "update"} {
		next := ask(step, number, []ticket.Action{ticket.Relate, ticket.Suspend}[i])
		p := w.at(step, fault{before: errCrash})
		_, _, died := p.run(func() (desk.Reply, error) { return try(p, next) })
		require.True(t, died)
		require.Equal(t, 3+i, asked)
		w.advance(beyondLease)
		reply, err = try(w.healthy(), next)
		require.NoError(t, err)
		require.Equal(t, step == "finish", reply.Replayed)
		require.Equal(t, 3+2*i, asked)
	}

	// A gate that cannot tell lets nobody through.
	says = errors.New("connection reset")
	_, err = try(w.healthy(), ask("last", number, ticket.Unsuspend))
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.True(t, w.row(t, number).Suspended)
	settleAll(t, w)
	sound(t, w)
}

// TestAGateThatCannotTellIsAskedAgain: nothing has happened yet, so the key is free, and the next try is let through by the gate or not at all.
func TestAGateThatCannotTellIsAskedAgain(t *testing.T) {
	for name, fails := range map[string]error{"ours": errNetwork, "said so": ticket.Refuse(ticket.Unavailable, "not now")} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			number := w.opened(t)
			r := ask("key", number, ticket.Suspend)
			says, asked := fails, 0
			try := func() (desk.Reply, error) {
				return w.healthy().Handle(t.Context(), r.envelope(), desk.Handling{Ticket: number, Command: r.command, Answer: desk.Answer{Status: 200},
					Gate: func(context.Context) error { asked++; return says }})
			}
			_, err := try()
			require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
			require.ErrorIs(t, err, fails, "the cause stays inside, for the log")
			require.Zero(t, w.sweep(t), "nothing is left to be settled")
			says = ticket.Refuse(ticket.TooMany, "the budget is exhausted")
			_, err = try()
			require.True(t, ticket.Is(err, ticket.TooMany), "%v", err)
			require.False(t, w.row(t, number).Suspended)
			says = nil
			reply, err := try()
			require.NoError(t, err)
			require.False(t, reply.Replayed)
			require.Equal(t, 3, asked)
			require.True(t, w.row(t, number).Suspended)
			settleAll(t, w)
			sound(t, w)
		})
	}
}

func TestAnOpeningIsLetThroughOnceAlsoWhenItsServiceHasChangedSince(t *testing.T) {
	w := newWorld()
	published := func(version int, source string) *flow.Definition {
		def, faults := flow.Parse([]byte("key: leave\nname: Leave\n" + source + "\nnodes: [{id: a, name: A, type: task, processors: {anyone: true}, next: z}, {id: z, name: Z, type: end}]"))
		require.Empty(t, faults)
		def.Version = version
		return &def
	}
	draft := ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "hr", Title: "a week", Service: "leave", Definition: published(1, "")}
	asked := 0
	var says error
	r := ask("key", "", "")
	try := func(key string) (desk.Reply, error) {
		r := r.envelope()
		r.Key = key
		return w.healthy().Open(t.Context(), r, desk.Opening{Series: ticket.SeriesIM, Draft: draft,
			Answer: func(id ticket.Identity) desk.Answer { return desk.Answer{Status: 200} },
			Gate:   func(context.Context) error { asked++; return says }})
	}
	says = ticket.RefuseField(ticket.Invalid, "service", "is disabled")
	_, err := try("key")
	require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
	require.Empty(t, w.engine.Numbers())
	says = nil
	_, err = try("key")
	require.NoError(t, err)
	require.Equal(t, 2, asked)

	// The next version asks for more; what was opened before it still has its answer.
	draft.Definition = published(2, "fields: [{key: days, type: INT, required: true}]")
	says = ticket.RefuseField(ticket.Invalid, "service", "is disabled")
	reply, err := try("key")
	require.NoError(t, err)
	require.True(t, reply.Replayed)
	require.Equal(t, 2, asked)
	for _, key := range []string{"other", ""} {
		_, err = try(key)
		require.Equal(t, "fields.days", ticket.AsError(err).Field)
	}
	require.Equal(t, 2, asked, "what is refused at the counter is not asked for")
	require.Len(t, w.engine.Numbers(), 1)
	settleAll(t, w)
}

// TestWhatWasNeverLetThroughIsAskedForWhenItIsRepeated has a process die between the claim and the gate: another one must not take it for let through.
func TestWhatWasNeverLetThroughIsAskedForWhenItIsRepeated(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	service := ticket.ServiceRecord{Definition: flow.Definition{Key: ticket.ServiceIncident}, BuiltIn: true, Enabled: true}
	gate := func(context.Context) error { return nil }
	handle := func(p *process) (desk.Reply, error) {
		r := ask("key", number, ticket.Suspend)
		return p.Handle(t.Context(), r.envelope(), desk.Handling{Ticket: number, Command: r.command, Answer: desk.Answer{Status: 200}, Gate: gate})
	}
	open := func(p *process) (desk.Reply, error) {
		return p.Open(t.Context(), ask("key", "", "").envelope(), desk.Opening{Series: ticket.SeriesIM, Service: &service,
			Draft:  ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case"},
			Answer: func(id ticket.Identity) desk.Answer { return desk.Answer{Status: 200} }})
	}
	for _, try := range []func(*process) (desk.Reply, error){handle, open} {
		p := w.at("claim", fault{after: errCrash})
		_, _, died := p.run(func() (desk.Reply, error) { return try(p) })
		require.True(t, died)
	}
	w.advance(beyondLease)

	gate = func(context.Context) error { return ticket.Refuse(ticket.TooMany, "the budget is exhausted") }
	service.Enabled = false
	_, err := handle(w.healthy())
	require.True(t, ticket.Is(err, ticket.TooMany), "%v", err)
	require.False(t, w.row(t, number).Suspended)
	_, err = open(w.healthy())
	require.ErrorAs(t, err, &desk.Disabled{})
	require.Equal(t, []string{number}, w.engine.Numbers())

	// Their keys are free.
	gate, service.Enabled = nil, true
	for _, try := range []func(*process) (desk.Reply, error){handle, open} {
		reply, err := try(w.healthy())
		require.NoError(t, err)
		require.False(t, reply.Replayed)
	}
	require.True(t, w.row(t, number).Suspended)
	require.Len(t, w.engine.Numbers(), 2)
	settleAll(t, w)
	sound(t, w)
}
