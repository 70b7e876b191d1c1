package desk_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/ticket"
)

// inDoubt asks for something of a ticket that is in doubt, or is to be: nothing comes of it, whoever looks at it.
func inDoubt(t *testing.T, w *world, r request) {
	t.Helper()
	for range 3 {
		_, err := w.healthy().do(t.Context(), r)
		require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
		require.ErrorIs(t, err, desk.ErrInDoubt)
		require.Zero(t, w.count(r))
		require.NotEmpty(t, w.doubts[r.ticket])
		w.advance(beyondLease)
		_, err = w.healthy().Settle(t.Context(), 100)
		require.NoError(t, err)
	}
	for _, op := range w.ops {
		if op.Request.Key == r.key {
			require.NotEqual(t, desk.Done, op.State)
		}
	}
}

func TestAWorkflowThatLostItsTailIsNotBelieved(t *testing.T) {
	w := newWorld()
	number, well := w.opened(t, ticket.Accept), w.opened(t, ticket.Accept)
	older := w.engine.Copy()
	done := ask("before", number, ticket.Say)
	w.must(t, done)
	w.engine = older
	inDoubt(t, w, ask("afterwards", number, ticket.Say))
	require.Contains(t, w.doubts[number], "does not know event 3")
	require.True(t, w.must(t, done).Replayed, "what was answered is answered again")
	require.False(t, w.must(t, ask("afterwards", well, ticket.Say)).Replayed)
	require.Empty(t, w.doubts[well])
}

func TestAWorkflowThatIsMissingIsNotWaitedFor(t *testing.T) {
	w := newWorld()
	older := w.engine.Copy()
	number := w.opened(t)
	w.engine = older
	inDoubt(t, w, ask("afterwards", number, ticket.Accept))
	require.Equal(t, "its workflow is missing", w.doubts[number])
}

func TestAWorkflowThatWentOnOtherwiseIsNotBelieved(t *testing.T) {
	for name, signals := range map[string]int{"less": 1, "as much": 2, "more": 3} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			number := w.opened(t, ticket.Accept)
			older := w.engine.Copy()
			w.must(t, ask("a", number, ticket.Say))
			w.must(t, ask("b", number, ticket.Say))
			before := w.rows[number]
			w.engine = older
			w.advance(beyondLease)
			for range signals { // refused, which is an event too
				w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal, App: "signal"})
			}
			require.ErrorIs(t, w.healthy().CatchUp(t.Context(), before.Identity, 0), desk.ErrInDoubt)
			require.Equal(t, before, w.rows[number])
			inDoubt(t, w, ask("c", number, ticket.Say))
			require.Equal(t, before, w.rows[number])
		})
	}
}

// The workflow of a generation that is over for the database goes on, since Temporal was put back to before its end: the ticket itself is well.
func TestAWorkflowOfAnEarlierGenerationIsNotBelieved(t *testing.T) {
	w := newWorld()
	number := w.opened(t, ticket.Accept)
	older := w.engine.Copy()
	w.must(t, ask("close", number, ticket.Close))
	w.must(t, ask("reopen", number, ticket.Reopen))
	row := w.rows[number]
	w.engine = older
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal, App: "signal"})
	require.ErrorIs(t, w.healthy().CatchUp(t.Context(), row.Identity, 0), desk.ErrDiverged)
	require.Empty(t, w.doubts[number])
	require.Equal(t, row, w.rows[number])
}

// The database was put back by a generation and more: whoever acts next brings in all that is missing.
func TestARowThatIsGenerationsBehindIsBroughtUp(t *testing.T) {
	w := newWorld()
	number := w.opened(t)
	kept := w.database.copy()
	w.must(t, ask("accept", number, ticket.Accept))
	w.must(t, ask("close", number, ticket.Close))
	w.must(t, ask("reopen", number, ticket.Reopen))
	w.must(t, ask("say", number, ticket.Say))
	row := w.rows[number]
	w.database = kept
	require.NoError(t, w.healthy().CatchUp(t.Context(), row.Identity, 1))
	require.Equal(t, row, w.rows[number])
	require.False(t, w.must(t, ask("again", number, ticket.Say)).Replayed)
}

// The database was put back: who is refused sees what for.
func TestARefusalBringsARowUp(t *testing.T) {
	w := newWorld()
	number := w.opened(t, ticket.Accept)
	kept := w.database.copy()
	w.must(t, ask("solve", number, ticket.CommitSolution))
	row := w.rows[number]
	w.database = kept
	_, err := w.healthy().do(t.Context(), ask("solve again", number, ticket.CommitSolution))
	require.True(t, ticket.Is(err, ticket.Conflict), "%v", err)
	require.Equal(t, row, w.rows[number])
}

// The database was put back to between a claim and what came of it, and the run that did it has rolled over since: it did happen.
func TestWhatAnEarlierRunDidIsNotVoidOnceTheDatabaseWasPutBack(t *testing.T) {
	for _, swept := range []bool{true, false} {
		w := newWorld()
		number := w.opened(t, ticket.Accept)
		r := ask("say", number, ticket.Say)
		w.halfway(t, r.key, number, ticket.Say) // claimed, and decided
		kept := w.database.copy()
		w.advance(beyondLease)
		w.must(t, r)
		row := w.rows[number]
		w.roll(number, 0)
		w.engine.Generation(number, 0).Unroll() // which a query of that run still tells
		w.database = kept
		if swept {
			settled := w.sweep(t)
			require.Equal(t, 1, settled.Done, settled)
		}
		require.True(t, w.must(t, r).Replayed, "it had happened")
		require.Equal(t, 1, w.count(r))
		require.Equal(t, row, w.rows[number])
	}
}
