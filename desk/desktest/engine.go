package desktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// Engine is the workflows of tickets, in memory: a desk.Engine that decides by the rule book and keeps what Temporal would keep. Timers and
// requests of processes are not its business. The zero value is ready for use; its fields are set before it is used, or while nobody uses it.
type Engine struct {
	Now func() time.Time // the workflows' clock; time.Now
	// Project writes down what a run decided, before the next run begins: see desk.Ledger. nil: nobody keeps it.
	Project func(ctx context.Context, id ticket.Identity, events []ticket.Event) error
	Updates int // after which a run rolls over; 0: never
	Page    int // events that one Peek gives at most; 0: all

	// Faults of a server whose workers are gone.
	Down bool // no worker runs
	Keep bool // while none does, the server keeps an update until one does

	mu          sync.Mutex
	generations map[string]*Generation
	kept        []func()
	broken      []string
}

// Generation is the workflow of one generation of a ticket, over all its runs. Faults are set while nobody uses its engine.
type Generation struct {
	Events []ticket.Event // of every run
	Ticket ticket.Ticket

	// Faults.
	Moving  int           // how many more updates hear ErrMoving; the last of them begins the next run
	Stopped bool          // somebody ended its workflow by hand
	Failing bool          // its tasks fail
	Tie     bool          // the next update is let in, and then loses to the ending within one workflow task
	Refuse  *ticket.Error // updates are let in, and then refused so

	began   []ticket.Event
	before  desk.Seen         // the last event before this run
	run     []ticket.Event    // of this run: all that a query can tell
	results map[string]result // of this run: all that the server remembers of updates
	recent  []string          // operations that the state carries along
	handled int               // updates of this run
	ran     bool              // a worker has had it
}

type result struct {
	events []ticket.Event
	err    error
}

// ErrNoWorker is what a caller hears whose update or query no worker took up in time.
var ErrNoWorker = errors.New("desktest: no worker took the call up in time")

var _ desk.Workflows = (*Engine)(nil)

func workflowID(number string, generation int) string {
	return fmt.Sprintf("%s/%d", number, generation)
}

func (e *Engine) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// find gives a generation. The caller holds mu.
func (e *Engine) find(number string, generation int) (*Generation, error) {
	if g, ok := e.generations[workflowID(number, generation)]; ok {
		return g, nil
	}
	return nil, desk.ErrGone
}

// Copy gives an engine with the same generations, and without the faults of a server and what it kept. What happens in the one does not in
// the other.
func (e *Engine) Copy() *Engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := &Engine{Now: e.Now, Project: e.Project, Updates: e.Updates, Page: e.Page, generations: map[string]*Generation{}}
	for id, g := range e.generations {
		same := *g // what is in its lists is never changed
		same.Events, same.run, same.recent = slices.Clip(g.Events), slices.Clip(g.run), slices.Clip(g.recent)
		same.results = maps.Clone(g.results)
		out.generations[id] = &same
	}
	return out
}

// Generation gives one generation of a ticket, or nil where there is none.
func (e *Engine) Generation(number string, generation int) *Generation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.generations[workflowID(number, generation)]
}

// Numbers lists the tickets that were begun, sorted.
func (e *Engine) Numbers() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for id := range e.generations {
		if number, first := strings.CutSuffix(id, "/0"); first {
			out = append(out, number)
		}
	}
	slices.Sort(out)
	return out
}

// Truth gives everything that happened to a ticket, oldest first.
func (e *Engine) Truth(number string) (events []ticket.Event) {
	for n := 0; ; n++ {
		g := e.Generation(number, n)
		if g == nil {
			return events
		}
		events = append(events, g.Events...)
	}
}

// Broken lists what went wrong that no caller was told of: promises of the desk that it did not keep, and runs that could not be written down.
func (e *Engine) Broken() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.broken)
}

// Begin implements desk.Engine.
func (e *Engine) Begin(ctx context.Context, before ticket.Ticket, events []ticket.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	before, events = clone(before), clone(events)
	t := ticket.Fold(before, events)
	if g, err := e.find(t.Number, t.Generation); err == nil {
		if g.began[0].Operation == events[0].Operation {
			return nil
		}
		return desk.ErrGone
	}
	if t.Generation > 0 && events[0].Type != ticket.Recovered {
		last, err := e.find(t.Number, t.Generation-1)
		if err != nil || !last.Ticket.Ended() || last.Ticket.Seq != before.Seq {
			e.broken = append(e.broken, fmt.Sprintf("generation %d of %s was begun from an outdated ticket", t.Generation, t.Number))
		}
	}
	if e.generations == nil {
		e.generations = map[string]*Generation{}
	}
	e.generations[workflowID(t.Number, t.Generation)] = &Generation{Events: slices.Clone(events), Ticket: t, began: events, before: desk.SeenOf(before), run: slices.Clone(events),
		results: map[string]result{}}
	return nil
}

// Begun implements desk.Engine.
func (e *Engine) Begun(_ context.Context, id ticket.Identity, generation int) ([]ticket.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.find(id.Number, generation)
	if err != nil {
		return nil, err
	}
	return clone(g.began), nil
}

// Update implements desk.Engine.
func (e *Engine) Update(ctx context.Context, id ticket.Identity, generation int, seen desk.Seen, c ticket.Command) ([]ticket.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g, err := e.find(id.Number, generation)
	if err != nil {
		return nil, err
	}
	return e.update(ctx, g, seen, clone(c))
}

func (e *Engine) update(ctx context.Context, g *Generation, seen desk.Seen, c ticket.Command) ([]ticket.Event, error) {
	if r, ok := g.results[c.Operation]; ok {
		return clone(r.events), r.err
	}
	switch {
	case g.Stopped, g.ran && g.Ticket.Ended():
		return nil, desk.ErrGone
	case e.Down && e.Keep:
		g.results[c.Operation] = result{err: ErrNoWorker}
		e.kept = append(e.kept, func() {
			delete(g.results, c.Operation)
			_, _ = e.update(context.WithoutCancel(ctx), g, seen, c)
		})
		return nil, ErrNoWorker
	case e.Down:
		return nil, ErrNoWorker
	}
	g.ran = true
	switch {
	case slices.Contains(g.recent, c.Operation):
		return nil, nil
	case !g.has(seen):
		return nil, desk.ErrDiverged
	case g.Ticket.Ended():
		return nil, desk.ErrGone
	case g.Tie:
		g.Tie = false
		g.results[c.Operation] = result{err: desk.ErrGone}
		events, _ := ticket.Decide(g.Ticket, ticket.Command{Action: ticket.Close, App: "other", Operation: "tie-" + c.Operation}, e.now())
		g.apply(events)
		return nil, desk.ErrGone
	case g.Refuse != nil:
		g.results[c.Operation] = result{err: g.Refuse}
		return nil, g.Refuse
	case g.Moving > 0:
		if g.Moving--; g.Moving == 0 {
			e.roll(ctx, g)
		}
		return nil, desk.ErrMoving
	}
	events, err := ticket.DecideNew(g.Ticket, c, e.now())
	var need *flow.Need
	if errors.As(err, &need) {
		return nil, need
	}
	if err != nil {
		refusal := *ticket.AsError(err)
		refusal.All = nil                                                 // Temporal brings back the code, the field and the words
		return nil, &desk.RefusedAt{Refusal: &refusal, Seq: g.Ticket.Seq} // as from a validator: nothing remembers it
	}
	g.apply(events)
	g.results[c.Operation] = result{events: clone(events)}
	g.recent = append(g.recent, c.Operation)
	if g.handled++; e.Updates > 0 && g.handled >= e.Updates && !g.Ticket.Ended() {
		g.Moving = 2
	}
	return clone(events), nil
}

// has reports whether an event that somebody has seen is one of the generation's, as far as its run can tell.
func (g *Generation) has(seen desk.Seen) bool {
	if seen.Seq <= g.before.Seq {
		return seen.Seq != g.before.Seq || seen.Seq == 0 || seen.At.Equal(g.before.At)
	}
	return slices.ContainsFunc(g.run, func(e ticket.Event) bool { return e.Seq == seen.Seq && e.At.Equal(seen.At) })
}

func (g *Generation) apply(events []ticket.Event) {
	g.Ticket = ticket.Fold(g.Ticket, events)
	g.Events = append(g.Events, events...)
	g.run = append(g.run, events...)
}

// Roll ends a generation's run and begins its next, which knows nothing of what the server remembered. An ended one has none.
func (e *Engine) Roll(ctx context.Context, number string, generation int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if g, err := e.find(number, generation); err == nil {
		e.roll(ctx, g)
	}
}

func (e *Engine) roll(ctx context.Context, g *Generation) {
	if g.Ticket.Ended() {
		return
	}
	if e.Project != nil {
		if err := e.Project(ctx, g.Ticket.Identity, clone(g.run)); err != nil {
			e.broken = append(e.broken, "a run could not be written down: "+err.Error())
			return
		}
	}
	g.before = desk.SeenOf(g.Ticket)
	g.run, g.results, g.handled, g.Moving, g.ran = nil, map[string]result{}, 0, 0, true
}

// Unroll has a generation's run be its first again, as if it had never rolled over.
func (g *Generation) Unroll() {
	g.run = slices.Clone(g.Events)
	g.before = desk.Seen{}
}

// Forget has there never have been a generation, as for a server that was put back to before it.
func (e *Engine) Forget(number string, generation int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.generations, workflowID(number, generation))
}

// Signal has a command decided that nobody waits for; a refusal becomes an event. What it causes is written down by the next run, or by who
// catches up.
func (e *Engine) Signal(number string, generation int, c ticket.Command) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.find(number, generation)
	if err != nil || e.Down || g.Stopped || g.Ticket.Ended() {
		return
	}
	g.ran = true
	events, err := ticket.Decide(g.Ticket, c, e.now())
	if err != nil {
		events = []ticket.Event{ticket.Refused(g.Ticket, c, err, e.now())}
	}
	g.apply(events)
}

// Wake brings the workers back; they find the updates that the server kept.
func (e *Engine) Wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Down = false
	kept := e.kept
	e.kept = nil
	for _, run := range kept {
		run()
	}
}

// Outcome implements desk.Engine.
func (e *Engine) Outcome(_ context.Context, id ticket.Identity, generation int, operation string) (desk.Outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.find(id.Number, generation)
	if err != nil {
		return desk.Outcome{Known: true}, nil
	}
	r, ok := g.results[operation]
	switch {
	case !ok, errors.Is(r.err, desk.ErrGone):
		return desk.Outcome{Known: true}, nil
	case errors.Is(r.err, ErrNoWorker):
		return desk.Outcome{}, nil
	case r.err != nil:
		return desk.Outcome{Known: true, Refusal: ticket.AsError(r.err)}, nil
	}
	return desk.Outcome{Known: true, Done: true, Events: clone(r.events)}, nil
}

// Find implements desk.Engine.
func (e *Engine) Find(_ context.Context, id ticket.Identity) (found ticket.Identity, generation int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found, generation = id, -1
	for _, g := range e.generations {
		if is := g.Ticket.Identity; is.UUID == id.UUID && desk.OpenedOnce(id.UUID) && g.began[0].Generation > generation {
			found, generation = is, g.began[0].Generation
		}
	}
	if generation < 0 {
		return id, 0, desk.ErrGone
	}
	return found, generation, nil
}

// Drawn implements desk.Engine.
func (e *Engine) Drawn(_ context.Context, since time.Time) (drawn desk.Drawn, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, g := range e.generations {
		if !g.began[0].At.Before(since) {
			drawn.Add(g.Ticket.Identity)
		}
	}
	return drawn, nil
}

// List implements desk.Workflows.
func (e *Engine) List(_ context.Context, running bool, since time.Time, _ string) (page []desk.Listed, next string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(e.generations)) {
		g := e.generations[id]
		if runs := g.runs(); (runs || !running) && !g.began[0].At.Before(since) {
			page = append(page, desk.Listed{Identity: ticket.Identity{Number: g.Ticket.Number, ID: g.Ticket.ID}, Generation: g.began[0].Generation, Running: runs})
		}
	}
	return page, "", nil
}

// CountWorkflows implements desk.Workflows.
func (e *Engine) CountWorkflows(context.Context) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.generations), nil
}

// Running implements desk.Workflows.
func (e *Engine) Running(_ context.Context, number string, generation int) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.find(number, generation)
	return err == nil && g.runs(), err
}

// Ails implements desk.Workflows.
func (e *Engine) Ails(_ context.Context, number string, generation int) (ticket.Cause, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch g, err := e.find(number, generation); {
	case err != nil:
		return "", nil // which is a doubt
	case g.Stopped:
		return ticket.CauseLost, nil
	case g.Failing:
		return ticket.CauseFailing, nil
	}
	return "", nil
}

func (g *Generation) runs() bool { return !g.Stopped && !g.Ticket.Ended() }

// Stop implements desk.Workflows.
func (e *Engine) Stop(_ context.Context, number string, generation int, _ string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if g, err := e.find(number, generation); err == nil {
		g.Stopped = true
	}
	return nil
}

// Served implements desk.Workflows.
func (e *Engine) Served(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Down {
		return ErrNoWorker
	}
	return nil
}

// Peek implements desk.Engine.
func (e *Engine) Peek(_ context.Context, id ticket.Identity, generation int, after int64) (desk.Peeked, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.find(id.Number, generation)
	if err != nil {
		return desk.Peeked{}, err
	}
	if e.Down && g.ran {
		return desk.Peeked{}, ErrNoWorker
	}
	out := desk.Peeked{Ticket: clone(g.Ticket), Before: g.before}
	for _, event := range g.run {
		switch {
		case event.Seq <= after:
		case e.Page > 0 && len(out.Events) == e.Page:
			out.More = true
			return out, nil
		default:
			out.Events = append(out.Events, clone(event))
		}
	}
	return out, nil
}
