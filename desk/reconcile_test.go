package desk_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/ticket"
)

// books is the database of a world as a reconciler sees it.
type books struct{ ledger }

func (b books) Standing(_ context.Context, after int64, limit int) (out []desk.Row, err error) {
	b.p().mu.Lock()
	defer b.p().mu.Unlock()
	for id := after + 1; id <= 1000 && len(out) < limit; id++ {
		for _, row := range b.p().rows {
			if row.ID == id && (!row.Ended() || b.p().doubts[row.Number] != "") {
				out = append(out, desk.Row{Ticket: clone(row)})
			}
		}
	}
	return out, nil
}

func (b books) p() *world { return b.process.w }

func (b books) CountStanding(ctx context.Context) (n int, last int64, err error) {
	all, err := b.Standing(ctx, 0, 1000)
	if len(all) > 0 {
		last = all[len(all)-1].ID
	}
	return len(all), last, err
}

func (b books) Known(_ context.Context, numbers []string) (map[string]desk.Row, error) {
	b.p().mu.Lock()
	defer b.p().mu.Unlock()
	out := map[string]desk.Row{}
	for _, n := range numbers {
		if row, is := b.p().rows[n]; is {
			out[n] = desk.Row{Ticket: clone(row)}
		}
	}
	return out, nil
}

func (b books) Timeline(_ context.Context, id, after int64, limit int) (out []ticket.Event, err error) {
	b.p().mu.Lock()
	defer b.p().mu.Unlock()
	for number, row := range b.p().rows {
		if row.ID == id {
			for _, e := range b.p().events[number] {
				if e.Seq > after && len(out) < limit {
					out = append(out, clone(e))
				}
			}
		}
	}
	return out, nil
}

func (b books) Unclaimed(_ context.Context, ids []string) (out []string, err error) {
	for _, id := range ids {
		if _, is := b.p().ops[id]; !is {
			out = append(out, id)
		}
	}
	return out, nil
}

func (b books) Resolve(_ context.Context, id ticket.Identity, events []ticket.Event) error {
	b.p().mu.Lock()
	defer b.p().mu.Unlock()
	why := b.p().doubts[id.Number]
	delete(b.p().doubts, id.Number)
	err := b.p().project(id, events)
	if err != nil && why != "" {
		b.p().doubts[id.Number] = why
	}
	return err
}

func (b books) Ailing(context.Context) (map[int64]ticket.Cause, error) {
	b.p().mu.Lock()
	defer b.p().mu.Unlock()
	return maps.Clone(b.p().ailing), nil
}

func (b books) Ail(_ context.Context, id ticket.Identity, cause ticket.Cause) error {
	b.p().mu.Lock()
	defer b.p().mu.Unlock()
	if b.p().ailing == nil {
		b.p().ailing = map[int64]ticket.Cause{}
	}
	if b.p().ailing[id.ID] = cause; cause == "" {
		delete(b.p().ailing, id.ID)
	}
	return nil
}

func (books) ClearVoids(context.Context) error { return nil }

func (books) Alone(ctx context.Context, _ string, do func(ctx context.Context) error) error {
	return do(ctx)
}

// reconcile compares all of a world, and gives what was found by number.
func (w *world) reconcile(t *testing.T, dry bool) map[string]desk.Finding {
	t.Helper()
	p := w.healthy()
	r := &desk.Reconciler{Desk: p.Desk, Books: books{ledger{p}}, Workflows: w.engine}
	found := map[string]desk.Finding{}
	_, err := r.Reconcile(t.Context(), desk.ReconcileOptions{DryRun: dry}, func(f desk.Finding) { found[f.Number] = f })
	require.NoError(t, err)
	return found
}

// reconciled does so, first dry, and looks whether both say the same and the second time finds nothing.
func (w *world) reconciled(t *testing.T) map[string]desk.Finding {
	t.Helper()
	database, engine := w.database.copy(), w.engine.Copy()
	told := w.reconcile(t, true)
	require.Equal(t, database, w.database, "a dry run changes nothing")
	for _, number := range engine.Numbers() {
		require.Equal(t, engine.Truth(number), w.engine.Truth(number))
	}
	found := w.reconcile(t, false)
	for number, f := range found {
		require.Equal(t, f.Verdict, told[number].Verdict, "%s: %s, was to be: %s", number, f.Why, told[number].Why)
		require.Equal(t, f.Events, told[number].Events)
	}
	require.Len(t, told, len(found))
	require.Empty(t, w.reconcile(t, false), "once is enough")
	require.Empty(t, w.doubts)
	return found
}

// look compares all of a world as the schedule does, some at a time.
func (w *world) look(t *testing.T, limit int) (sum desk.Looked) {
	t.Helper()
	p := w.healthy()
	r := &desk.Reconciler{Desk: p.Desk, Books: books{ledger{p}}, Workflows: w.engine}
	for {
		some, err := r.Look(t.Context(), desk.LookOptions{After: sum.After, Limit: limit, Since: 24 * time.Hour, Pages: 1, Wait: func(context.Context) error { return nil }})
		require.NoError(t, err)
		sum.Compared += some.Compared
		sum.Drift += some.Drift
		sum.TakenIn += some.TakenIn
		sum.InDoubt += some.InDoubt
		sum.Failed += some.Failed
		sum.Astray = some.Astray
		if sum.After = some.After; some.After == 0 {
			return sum
		}
	}
}

func TestALookBringsUpRowsAndMarksDoubts(t *testing.T) {
	w := newWorld()
	drifted, moving, well, over := w.opened(t, ticket.Accept), w.opened(t, ticket.Accept), w.opened(t), w.opened(t, ticket.Accept)
	kept := w.database.copy()
	orphan := w.opened(t, ticket.Accept)
	w.signal(drifted, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal, App: "signal"})
	older := w.engine.Copy()
	w.must(t, ask("over", over, ticket.Close))
	kept.rows[over], kept.events[over] = w.rows[over], w.events[over]
	w.database, w.restored = kept, true
	w.advance(time.Hour)
	older.Now = w.engine.Now
	w.engine = older
	w.signal(moving, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal, App: "signal"})
	doubted := w.opened(t, ticket.Accept)
	w.engine.Generation(doubted, 0).Unroll()
	w.rows[doubted] = ticket.Evolve(w.rows[doubted], ticket.Event{Seq: 3, At: w.now, Type: ticket.Related}) // what the workflow never heard of
	was := w.rows[moving]

	sum := w.look(t, 10)
	require.Equal(t, desk.Looked{Compared: 4, Drift: 1, TakenIn: 1, InDoubt: 1, Astray: 1}, sum)
	require.EqualValues(t, 3, w.rows[drifted].Seq)
	require.Equal(t, was, w.rows[moving], "it may have been decided this moment")
	require.NotEmpty(t, w.rows[orphan].Number)
	require.Contains(t, w.doubts[doubted], "its workflow ends with event 2, and the database has event 3")
	require.Empty(t, w.doubts[well])
	require.Equal(t, desk.Looked{Compared: 5, Astray: 1}, w.look(t, 2), "it mends what it may, once")
	w.advance(time.Hour)
	require.Equal(t, 1, w.look(t, 1).Drift, "now it has been for long")
}

// A ticket that moves while it is looked at is left alone, whatever it looked like.
func TestALookTouchesNothingThatMoves(t *testing.T) {
	w := newWorld()
	number := w.opened(t, ticket.Accept)
	row := w.rows[number]
	p := w.process(nil)
	stale := books{ledger{p}}
	w.must(t, ask("say", number, ticket.Say))
	// The list was read before the ticket moved, and its workflow is asked by one that has lost what came then.
	r := &desk.Reconciler{Desk: p.Desk, Books: listed{stale, []desk.Row{{Ticket: ticket.Evolve(row, ticket.Event{Seq: 9, At: w.now})}}}, Workflows: w.engine}
	sum, err := r.Look(t.Context(), desk.LookOptions{Limit: 10, Wait: func(context.Context) error { return nil }})
	require.NoError(t, err)
	require.Equal(t, desk.Looked{Compared: 1}, sum)
	require.Empty(t, w.doubts)
}

// listed lists what was read before.
type listed struct {
	books
	rows []desk.Row
}

func (l listed) Standing(context.Context, int64, int) ([]desk.Row, error) { return l.rows, nil }

// deaf are workflows some of which cannot be asked.
type deaf struct {
	*desktest.Engine
	to func(number string) bool
}

func (d deaf) Peek(ctx context.Context, id ticket.Identity, generation int, after int64) (desk.Peeked, error) {
	if d.to(id.Number) {
		return desk.Peeked{}, errNetwork
	}
	return d.Engine.Peek(ctx, id, generation, after)
}

// Tickets that cannot be compared, wherever they are, keep no other from being compared.
func TestALookGoesOnBehindWhatCannotBeCompared(t *testing.T) {
	for name, silent := range map[string]func(i int) bool{
		"scattered":    func(i int) bool { return i%9 == 4 },
		"side by side": func(i int) bool { return i >= 40 && i < 52 },
		"the first":    func(i int) bool { return i < 12 },
		"the last":     func(i int) bool { return i >= 100 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			bad, good := map[string]bool{}, []string{}
			for i := range 112 {
				number := w.opened(t)
				w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal, App: "signal"})
				if silent(i) {
					bad[number] = true
				} else {
					good = append(good, number)
				}
			}
			require.GreaterOrEqual(t, len(bad), 12)
			w.advance(time.Hour)
			p := w.healthy()
			r := &desk.Reconciler{Desk: p.Desk, Books: books{ledger{p}}, Workflows: deaf{w.engine, func(number string) bool { return bad[number] }}}
			sum := desk.Looked{}
			for runs := 0; runs == 0 || sum.After > 0; runs++ {
				require.Less(t, runs, 5)
				var err error
				sum, err = r.Look(t.Context(), desk.LookOptions{After: sum.After, Limit: 112, Wait: func(context.Context) error { return nil }})
				require.NoError(t, err)
			}
			for _, number := range good {
				require.EqualValues(t, 2, w.rows[number].Seq)
			}
		})
	}
}

// Where nobody answers, and where the time is up, no more are asked; the next comparison goes on there, and what was not compared is not counted as compared.
func TestALookThatEndsEarlyKeepsItsPlace(t *testing.T) {
	w := newWorld()
	var ids []int64
	for range 30 {
		ids = append(ids, w.rows[w.opened(t)].ID)
	}
	p := w.healthy()
	r := &desk.Reconciler{Desk: p.Desk, Books: books{ledger{p}}, Workflows: deaf{w.engine, func(string) bool { return true }}}
	sum, err := r.Look(t.Context(), desk.LookOptions{Limit: 30, Since: time.Hour, Pages: 1, Wait: func(context.Context) error { return nil }})
	require.NoError(t, err)
	require.Equal(t, desk.Looked{Failed: 10, After: ids[9]}, sum)

	r.Workflows = w.engine
	waits := 0
	within, over := context.WithCancel(t.Context())
	defer over()
	sum, err = r.Look(within, desk.LookOptions{After: ids[9], Limit: 30, Since: time.Hour, Pages: 1, Wait: func(ctx context.Context) error {
		if waits++; waits > 5 {
			over()
		}
		return ctx.Err()
	}})
	require.NoError(t, err)
	require.Equal(t, desk.Looked{Compared: 5, After: ids[14]}, sum)
}

// goesOn takes a ticket on to its end.
func (w *world) goesOn(t *testing.T, number string) {
	t.Helper()
	w.ids++
	for _, action := range []ticket.Action{ticket.Accept, ticket.CommitSolution, ticket.Confirm} {
		r := ask(fmt.Sprint(action, "-", w.ids), number, action)
		if _, err := w.healthy().do(t.Context(), r); err != nil {
			require.True(t, ticket.Is(err, ticket.Conflict), "%v", err)
		}
	}
	require.True(t, w.rows[number].Ended())
	require.Equal(t, int64(len(w.events[number])), w.rows[number].Seq)
}

// A ticket whose workflow was ended, or whose tasks fail, is known to be stuck until it goes on.
func TestALookKnowsWhoseWorkflowDoesNotGoOn(t *testing.T) {
	w := newWorld()
	well, ended, failing := w.opened(t, ticket.Accept), w.opened(t, ticket.Accept), w.opened(t, ticket.Accept)
	_ = well
	w.look(t, 2)
	require.Empty(t, w.ailing)
	w.engine.Generation(ended, 0).Stopped = true
	w.engine.Generation(failing, 0).Failing = true
	for range 2 {
		w.look(t, 2)
		require.Equal(t, map[int64]ticket.Cause{w.rows[ended].ID: ticket.CauseLost, w.rows[failing].ID: ticket.CauseFailing}, w.ailing)
	}
	require.Empty(t, w.doubts)
	w.engine.Generation(failing, 0).Failing = false
	require.Equal(t, desk.BegunAgain, w.reconcile(t, false)[ended].Verdict)
	w.look(t, 2)
	require.Empty(t, w.ailing)
}

func TestReconcilingWhatTemporalLost(t *testing.T) {
	w := newWorld()
	behind, well, over, reopened := w.opened(t, ticket.Accept), w.opened(t), w.opened(t, ticket.Accept), w.opened(t, ticket.Accept)
	older := w.engine.Copy()
	w.must(t, ask("a", behind, ticket.Say))
	w.must(t, ask("b", over, ticket.Close))
	w.must(t, ask("c", reopened, ticket.Close))
	w.must(t, ask("d", reopened, ticket.Reopen))
	missing := w.opened(t, ticket.Accept)
	w.must(t, ask("e", missing, ticket.Say))
	was := w.database.copy()
	w.engine = older

	found := w.reconciled(t)
	for number, want := range map[string]desk.Verdict{behind: desk.BegunAgain, over: desk.Stopped, reopened: desk.BegunAgain, missing: desk.BegunAgain} {
		require.Equal(t, want, found[number].Verdict, "%s: %s", number, found[number].Why)
		require.Empty(t, found[number].Dropped)
	}
	require.Len(t, found, 4)
	for number, events := range was.events {
		require.Equal(t, events, w.events[number][:len(events)], "all that was told stays")
	}
	require.Equal(t, ticket.Recovered, w.events[behind][3].Type)
	for _, r := range []request{ask("a", behind, ticket.Say), ask("e", missing, ticket.Say)} {
		require.True(t, w.must(t, r).Replayed)
	}
	for _, number := range []string{behind, well, reopened, missing} {
		w.goesOn(t, number)
	}
	require.Empty(t, w.reconciled(t))
}

// It may be interrupted at any step, and goes on by being run again: where workflows are missing, and where they are behind.
func TestReconcilingMayBeInterrupted(t *testing.T) {
	for _, behind := range []bool{false, true} {
		for at := 1; ; at++ {
			w := newWorld()
			var numbers []string
			older := w.engine.Copy()
			for range 3 {
				numbers = append(numbers, w.opened(t, ticket.Accept))
			}
			if behind {
				older = w.engine.Copy()
				for _, number := range numbers {
					w.must(t, ask("say-"+number, number, ticket.Say))
				}
			}
			kept := w.database.copy()
			w.engine = older
			steps := 0
			p := w.process(func(int, string) fault {
				if steps++; steps == at {
					return fault{after: errNetwork}
				}
				return fault{}
			})
			r := &desk.Reconciler{Desk: p.Desk, Books: books{ledger{p}}, Workflows: stepping{w.engine, p}}
			_, _ = r.Reconcile(t.Context(), desk.ReconcileOptions{}, func(desk.Finding) {})
			interrupted := steps >= at
			for number, f := range w.reconcile(t, false) {
				require.NotEqual(t, desk.Left, f.Verdict, "step %d: %s: %s", at, number, f.Why)
			}
			require.Empty(t, w.reconcile(t, true), "step %d", at)
			require.Empty(t, w.doubts)
			for _, number := range numbers {
				require.Equal(t, kept.events[number], w.events[number][:len(kept.events[number])])
				w.goesOn(t, number)
			}
			if !interrupted {
				require.Greater(t, at, 10)
				break
			}
		}
	}
}

// What a ticket was begun again with can be lost by the database, however the ticket went on: its stopped workflow is behind the row for ever.
func TestReconcilingWhatWasBegunAgainBefore(t *testing.T) {
	for name, onwards := range map[string][]ticket.Action{"runs": nil, "went on": {ticket.Say}, "ended": {ticket.Close}, "opened again": {ticket.Close, ticket.Reopen, ticket.Accept}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			number := w.opened(t, ticket.Accept)
			older := w.engine.Copy()
			w.must(t, ask("a", number, ticket.Say))
			w.engine = older
			kept := w.database.copy()
			require.Equal(t, desk.BegunAgain, w.reconciled(t)[number].Verdict)
			for _, action := range onwards {
				w.must(t, ask("onwards-"+string(action), number, action))
			}
			was := w.database.copy()
			w.database, w.restored = kept, true

			require.ErrorIs(t, w.healthy().CatchUp(t.Context(), w.rows[number].Identity, 0), desk.ErrInDoubt, "the stopped one is behind it")
			require.Equal(t, desk.BroughtUp, w.reconciled(t)[number].Verdict)
			require.Equal(t, was.events[number], w.events[number])
			if !w.rows[number].Ended() {
				w.goesOn(t, number)
			}
		})
	}
}

// stepping is an engine of which the steps that change anything may fail.
type stepping struct {
	*desktest.Engine
	p *process
}

func (s stepping) Begin(ctx context.Context, before ticket.Ticket, events []ticket.Event) error {
	return s.p.step(ctx, "begin", func() error { return s.Engine.Begin(ctx, before, events) })
}

func (s stepping) Stop(ctx context.Context, number string, generation int, why string) error {
	return s.p.step(ctx, "stop", func() error { return s.Engine.Stop(ctx, number, generation, why) })
}

func TestReconcilingAnotherStory(t *testing.T) {
	w := newWorld()
	number := w.opened(t, ticket.Accept)
	older := w.engine.Copy()
	w.must(t, ask("a", number, ticket.Say))
	w.engine = older
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal, App: "signal"})
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "zhao", Channel: ticket.ChannelSignal, App: "signal"})
	require.ErrorIs(t, w.healthy().CatchUp(t.Context(), w.rows[number].Identity, 0), desk.ErrInDoubt)
	f := w.reconciled(t)[number]
	require.Equal(t, desk.BegunAgain, f.Verdict)
	require.Len(t, f.Dropped, 2)
	require.Equal(t, []string{"wang", "zhao"}, []string{f.Dropped[0].Actor, f.Dropped[1].Actor})
	w.goesOn(t, number)
}

func TestReconcilingWhatTheDatabaseLost(t *testing.T) {
	w := newWorld()
	behind, ended, reopened := w.opened(t, ticket.Accept), w.opened(t, ticket.Accept), w.opened(t, ticket.Accept)
	kept := w.database.copy()
	w.must(t, ask("a", behind, ticket.Say))
	w.roll(behind, 0)
	w.must(t, ask("b", ended, ticket.Close))
	w.must(t, ask("c", reopened, ticket.Close))
	w.must(t, ask("d", reopened, ticket.Reopen))
	orphan, over := w.opened(t, ticket.Accept), w.opened(t, ticket.Accept, ticket.Close)
	was := w.database.copy()
	w.database, w.restored = kept, true
	// What a run before a roll-over knew is asked of that run, which the engine of these tests does not keep.
	w.engine.Generation(behind, 0).Unroll()

	found := w.reconciled(t)
	for number, want := range map[string]desk.Verdict{behind: desk.BroughtUp, ended: desk.BroughtUp, reopened: desk.BroughtUp, orphan: desk.TakenIn, over: desk.TakenIn} {
		require.Equal(t, want, found[number].Verdict, "%s: %s", number, found[number].Why)
		require.NotEmpty(t, found[number].Unclaimed)
	}
	require.Equal(t, was.rows, w.rows)
	require.Equal(t, was.events, w.events)
	require.GreaterOrEqual(t, w.counters[""], w.rows[over].ID)
	for _, number := range []string{behind, reopened, orphan} {
		w.goesOn(t, number)
	}
}

// Who revives asks nothing of workflows that run.
func TestRevivingLooksOnlyAtWhatDoesNotRun(t *testing.T) {
	w := newWorld()
	lost, ended, behind := w.opened(t, ticket.Accept), w.opened(t, ticket.Accept), w.opened(t)
	kept := w.database.copy()
	w.must(t, ask("a", behind, ticket.Accept))
	w.database = kept
	w.engine.Forget(lost, 0)
	w.engine.Generation(ended, 0).Stopped = true
	p := w.healthy()
	var found []desk.Finding
	r := &desk.Reconciler{Desk: p.Desk, Books: books{ledger{p}}, Workflows: w.engine}
	sum, err := r.Reconcile(t.Context(), desk.ReconcileOptions{Lost: true}, func(f desk.Finding) { found = append(found, f) })
	require.NoError(t, err)
	require.Equal(t, 2, sum.Verdicts[desk.BegunAgain], found)
	require.Len(t, found, 2)
	require.EqualValues(t, 1, w.rows[behind].Seq, "its workflow runs")
	for _, number := range []string{lost, ended, behind} {
		w.goesOn(t, number)
	}
}

func TestReconcilingAWorkflowThatSomebodyEnded(t *testing.T) {
	w := newWorld()
	number := w.opened(t, ticket.Accept)
	w.signal(number, 0, ticket.Command{Action: ticket.Accept, Operator: "wang", Channel: ticket.ChannelSignal, App: "signal"}) // not in the database yet
	w.engine.Generation(number, 0).Stopped = true
	f := w.reconciled(t)[number]
	require.Equal(t, desk.BegunAgain, f.Verdict)
	require.Equal(t, []ticket.Type{ticket.RefusedCmd, ticket.Recovered}, []ticket.Type{w.events[number][2].Type, w.events[number][3].Type})
	w.goesOn(t, number)
}

// growing are books in which somebody opens one more ticket whenever they are looked into.
type growing struct {
	books
	looks *int
}

func (b growing) Standing(ctx context.Context, after int64, limit int) ([]desk.Row, error) {
	rows, err := b.books.Standing(ctx, 0, 1)
	if *b.looks++; *b.looks > 5 {
		return nil, errors.New("there is no end of it")
	}
	if len(rows) > 0 && after > 0 {
		rows[0].ID = after + 1
	}
	return rows, err
}

// Callers may open tickets as fast as they are compared: what comes meanwhile is for the next time.
func TestReconcilingComesToAnEnd(t *testing.T) {
	w := newWorld()
	p := w.healthy()
	w.opened(t)
	looks := 0
	r := &desk.Reconciler{Desk: p.Desk, Books: growing{books{ledger{p}}, &looks}, Workflows: w.engine}
	sum, err := r.Reconcile(t.Context(), desk.ReconcileOptions{DryRun: true}, func(desk.Finding) {})
	require.NoError(t, err)
	require.Equal(t, 1, sum.Compared)
}
