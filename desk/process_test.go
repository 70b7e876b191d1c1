package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"signalbox/desk"
	"signalbox/ticket"
)

// fault is what goes wrong at one step of a process.
type fault struct {
	pause  func() // before the step: the process stands still, the world goes on
	flight func() // the step has been sent and is on its way
	before error  // it fails without having happened
	after  error  // it happens and its answer is lost
	later  func() // it has happened; the process stands still
}

var (
	errCrash   = errors.New("the process died here")
	errNetwork = errors.New("connection reset")
)

// process is one process that can die: a desk, and the world as it sees it.
type process struct {
	*desk.Desk
	w *world

	mu     sync.Mutex
	trace  []string
	dead   bool
	choose func(n int, step string) fault
	limits map[time.Time]time.Time // deadlines of contexts, on the clock of the world
	cancel func(n int)             // called with the number of each step before it is taken
	frozen bool                    // its timers stood still with it, as on a machine that was suspended: its lease does not stop it
}

func (w *world) process(choose func(n int, step string) fault) *process {
	p := &process{w: w, choose: choose, limits: map[time.Time]time.Time{}}
	p.Desk = desk.New(ledger{p}, engine{p}, desk.Options{Now: w.clock, NewID: w.newID, Pause: time.Nanosecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	return p
}

func (w *world) healthy() *process { return w.process(nil) }

// at gives a process at which one thing goes wrong, at the first step of that name.
func (w *world) at(step string, f fault) *process {
	var once sync.Once
	return w.process(func(_ int, s string) (out fault) {
		if s == step {
			once.Do(func() { out = f })
		}
		return out
	})
}

// step takes one step in the world, or what goes wrong instead. A process that died panics at every further step, so that no code of its runs
// on unnoticed.
func (p *process) step(ctx context.Context, name string, effect func() error) error {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		panic(errCrash)
	}
	n := len(p.trace)
	p.trace = append(p.trace, name)
	p.mu.Unlock()
	if p.cancel != nil {
		p.cancel(n)
	}
	p.late(ctx) // makes the deadline known before the clock moves
	var f fault
	if p.choose != nil {
		f = p.choose(n, name)
	}
	if f.pause != nil {
		f.pause()
	}
	if err := p.late(ctx); err != nil {
		return err
	}
	if f.flight != nil {
		f.flight()
	}
	if err := p.stumble(f.before); err != nil {
		return err
	}
	if ctx.Value(transaction{}) == nil {
		p.w.mu.Lock()
	}
	err := effect()
	if ctx.Value(transaction{}) == nil {
		p.w.mu.Unlock()
	}
	if f.later != nil {
		f.later()
	}
	if lost := p.stumble(f.after); lost != nil {
		return lost
	}
	return err
}

func (p *process) stumble(err error) error {
	if errors.Is(err, errCrash) {
		p.mu.Lock()
		p.dead = true
		p.mu.Unlock()
		panic(errCrash)
	}
	return err
}

// late tells whether the context is over, by the clock of the world where that has moved on.
func (p *process) late(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline, ok := ctx.Deadline()
	if !ok || p.frozen {
		return nil
	}
	now := p.w.clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	limit, ok := p.limits[deadline]
	if !ok {
		limit = now.Add(time.Until(deadline))
		p.limits[deadline] = limit
	}
	if now.After(limit) {
		return context.DeadlineExceeded
	}
	return nil
}

// run runs what a process does and tells whether it died on the way.
func (p *process) run(do func() (desk.Reply, error)) (reply desk.Reply, err error, died bool) {
	defer func() {
		if v := recover(); v != nil {
			if v != errCrash {
				panic(v)
			}
			died = true
		}
	}()
	reply, err = do()
	return reply, err, false
}

var (
	_ desk.Ledger = ledger{}
	_ desk.Engine = engine{}
)

// ledger is the database as a process sees it.
type ledger struct{ *process }

func (p ledger) Claim(ctx context.Context, op desk.Operation, prepare func(*desk.Operation) error) (out desk.Operation, fresh bool, err error) {
	err = p.step(ctx, "claim", func() (err error) { out, fresh, err = p.w.claim(op, prepare); return err })
	return out, fresh, err
}

func (p ledger) Transact(ctx context.Context, op desk.Operation, effect func(context.Context) (desk.Answer, error)) (out desk.Operation, fresh bool, err error) {
	err = p.step(ctx, "transact", func() (err error) { out, fresh, err = p.w.transact(ctx, op, effect); return err })
	return out, fresh, err
}

func (p ledger) Finish(ctx context.Context, op desk.Operation, events []ticket.Event) error {
	return p.step(ctx, "finish", func() error { return p.w.finish(op, events) })
}

func (p ledger) Project(ctx context.Context, id ticket.Identity, events []ticket.Event) error {
	return p.step(ctx, "project", func() error { return p.w.project(id, events) })
}

func (p ledger) Doubt(ctx context.Context, id ticket.Identity, why string) error {
	return p.step(ctx, "doubt", func() error { p.w.doubt(id, why); return nil })
}

func (p ledger) Advance(ctx context.Context, drawn desk.Drawn) error {
	return p.step(ctx, "advance", func() error { p.w.advanceCounters(drawn); return nil })
}

func (p ledger) LastOpened(ctx context.Context) (at time.Time, err error) {
	err = p.step(ctx, "last", func() error { at = p.w.lastOpened(); return nil })
	return at, err
}

func (p ledger) Close(ctx context.Context, id string, state desk.OperationState, _ string) error {
	return p.step(ctx, "close", func() error { p.w.close(id, state); return nil })
}

func (p ledger) Expire(ctx context.Context, id string, lease time.Time) error {
	return p.step(ctx, "expire", func() error { p.w.expire(id, lease); return nil })
}

func (p ledger) Lease(ctx context.Context, id string, until time.Time) (mine bool, err error) {
	err = p.step(ctx, "lease", func() error { mine = p.w.lease(id, until); return nil })
	return mine, err
}

func (p ledger) Expired(ctx context.Context, limit int) (out []desk.Operation, err error) {
	err = p.step(ctx, "expired", func() error { out = p.w.expired(limit); return nil })
	return out, err
}

func (p ledger) Happened(ctx context.Context, id string) (yes bool, err error) {
	err = p.step(ctx, "happened", func() error { yes = p.w.happened(id); return nil })
	return yes, err
}

func (p ledger) Ticket(ctx context.Context, tenant, key string) (out ticket.Ticket, err error) {
	err = p.step(ctx, "ticket", func() (err error) { out, err = p.w.ticket(tenant, key); return err })
	return out, err
}

// engine is Temporal as a process sees it.
type engine struct{ p *process }

func (e engine) Begin(ctx context.Context, before ticket.Ticket, events []ticket.Event) error {
	return e.p.step(ctx, "begin", func() error { return e.p.w.engine.Begin(ctx, before, events) })
}

func (e engine) Begun(ctx context.Context, id ticket.Identity, n int) (out []ticket.Event, err error) {
	err = e.p.step(ctx, "begun", func() (err error) { out, err = e.p.w.engine.Begun(ctx, id, n); return err })
	return out, err
}

func (e engine) Update(ctx context.Context, id ticket.Identity, n int, seen desk.Seen, c ticket.Command) (out []ticket.Event, err error) {
	err = e.p.step(ctx, "update", func() (err error) { out, err = e.p.w.engine.Update(ctx, id, n, seen, c); return err })
	return out, err
}

func (e engine) Outcome(ctx context.Context, id ticket.Identity, n int, operation string) (out desk.Outcome, err error) {
	err = e.p.step(ctx, "outcome", func() (err error) { out, err = e.p.w.engine.Outcome(ctx, id, n, operation); return err })
	return out, err
}

func (e engine) Find(ctx context.Context, id ticket.Identity) (out ticket.Identity, n int, err error) {
	err = e.p.step(ctx, "find", func() (err error) { out, n, err = e.p.w.engine.Find(ctx, id); return err })
	return out, n, err
}

func (e engine) Drawn(ctx context.Context, since time.Time) (out desk.Drawn, err error) {
	err = e.p.step(ctx, "drawn", func() (err error) { out, err = e.p.w.engine.Drawn(ctx, since); return err })
	return out, err
}

func (e engine) Peek(ctx context.Context, id ticket.Identity, n int, after int64) (out desk.Peeked, err error) {
	err = e.p.step(ctx, "peek", func() (err error) { out, err = e.p.w.engine.Peek(ctx, id, n, after); return err })
	return out, err
}

// request is one request of a caller: what it wants, under which key, and its answer if all goes well.
type request struct {
	key         string
	fingerprint string
	ticket      string         // number; empty: open one
	command     ticket.Command // unless it opens one
}

func (r request) envelope() desk.Request {
	return desk.Request{App: desk.App{Code: "demo", Tenant: "a", Scopes: []desk.Scope{desk.Write}}, Channel: ticket.ChannelIssue, Key: r.key, Method: "POST",
		Path: "/api/issue/" + r.ticket, Fingerprint: r.fingerprint}
}

func (r request) answer(number string) desk.Answer {
	return desk.Answer{Status: 200, Body: fmt.Appendf(nil, `{"key":%q,"number":%q}`, r.key, number)}
}

func (p *process) do(ctx context.Context, r request) (desk.Reply, error) {
	if r.ticket == "" {
		draft := ticket.Draft{Channel: ticket.ChannelIssue, App: "demo", Origin: "customs", Title: "a case"}
		return p.Open(ctx, r.envelope(), desk.Opening{Series: ticket.SeriesIM, Draft: draft,
			Answer: func(id ticket.Identity) desk.Answer { return r.answer(id.Number) }})
	}
	return p.Handle(ctx, r.envelope(), desk.Handling{Ticket: r.ticket, Command: r.command, Answer: r.answer(r.ticket)})
}

func ask(key, number string, action ticket.Action) request {
	c := ticket.Command{Action: action, Operator: "li"}
	switch action {
	case ticket.CommitSolution:
		c.Solution = &ticket.Solution{Type: "t", Cause: "c", Text: key}
	case ticket.Confirm:
		c.Verdict = &ticket.Verdict{Passed: true, Comment: key}
	case ticket.Relate:
		c.Relation = &ticket.Relation{Type: "manifest", Content: []string{key}}
	case ticket.Say:
		c.Message = &ticket.Message{ID: "m-" + key, Author: "li", Content: "hello"}
	}
	return request{key: key, fingerprint: "body of " + key, ticket: number, command: c}
}

// read gives the members of an answer.
func read[T any](reply desk.Reply, into T) T {
	if err := json.Unmarshal(reply.Body, &into); err != nil {
		panic(err)
	}
	return into
}
