package desk_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/desk"
	"signalbox/desk/desktest"
	"signalbox/ticket"
)

// world is everything that outlives a process, under one lock: the database, in memory (here), and Temporal (package desktest). What crosses into
// the database or out of it goes through JSON.
type world struct {
	mu  sync.Mutex
	now time.Time
	ids int

	database
	engine *desktest.Engine
	broken []string // promises found broken

	restored bool // the database sees that it may have been put back
}

// database keeps what desk.Ledger promises.
type database struct {
	ops      map[string]desk.Operation
	order    []string          // of claims
	scopes   map[string]string // who has a key
	owners   map[string]string // who ever had a key, by operation
	counters map[string]int64
	rows     map[string]ticket.Ticket
	events   map[string][]ticket.Event // of the read model
	doubts   map[string]string         // why tickets are in doubt, by number
	ailing   map[int64]ticket.Cause    // why workflows do not go on
}

func newWorld() *world {
	w := &world{
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), database: database{ops: map[string]desk.Operation{}, scopes: map[string]string{},
			owners: map[string]string{}, counters: map[string]int64{}, rows: map[string]ticket.Ticket{}, events: map[string][]ticket.Event{}, doubts: map[string]string{}},
	}
	w.engine = &desktest.Engine{
		Now:     func() time.Time { return w.now }, // whoever takes a step holds mu
		Project: func(_ context.Context, id ticket.Identity, events []ticket.Event) error { return w.project(id, events) },
		Page:    2,
	}
	return w
}

// copy gives the database as it is now, to go back to.
func (d database) copy() database {
	return database{maps.Clone(d.ops), slices.Clone(d.order), maps.Clone(d.scopes), maps.Clone(d.owners), maps.Clone(d.counters), maps.Clone(d.rows), maps.Clone(d.events), maps.Clone(d.doubts), maps.Clone(d.ailing)}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("id-%d", w.ids)
}

func clone[T any](v T) T {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out T
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

// copied copies an operation; its answer is kept to the byte.
func copied(op desk.Operation) desk.Operation {
	out := clone(op)
	out.Answer.Body = slices.Clone(op.Answer.Body)
	return out
}

func scope(r desk.Request) string {
	return strings.Join([]string{r.App.Tenant, r.App.Code, r.Method, cmp.Or(r.Route, r.Path), r.Key}, "|")
}

// holder gives the operation that has the key of this one, unless that one may not be told of it.
func (w *world) holder(op desk.Operation) (stored desk.Operation, found bool, err error) {
	stored, found = w.ops[w.scopes[scope(op.Request)]]
	switch {
	case !found || op.Request.Key == "":
		return stored, false, nil
	case stored.State == desk.Void:
		return stored, true, nil
	case stored.Request.Fingerprint != op.Request.Fingerprint:
		return stored, false, ticket.Refuse(ticket.Reused, "the idempotency key was used for another request")
	case stored.State == desk.Running && stored.Lease.After(w.now):
		return stored, false, ticket.Refuse(ticket.Busy, "the first request with this key is still running")
	}
	return stored, true, nil
}

func (w *world) claim(op desk.Operation, prepare func(*desk.Operation) error) (desk.Operation, bool, error) {
	stored, found, err := w.holder(op)
	switch {
	case err != nil:
		return desk.Operation{}, false, err
	case found && stored.State != desk.Void:
		return copied(stored), false, nil
	case found && stored.Request.Fingerprint == op.Request.Fingerprint:
		stored.State, stored.Lease = desk.Running, op.Lease
		w.ops[stored.ID] = stored
		return copied(stored), true, nil
	}
	before := w.copy()
	if op.Kind == desk.KindOpen {
		if w.restored {
			return desk.Operation{}, false, desk.ErrCounters
		}
		op.Ticket.ID = w.draw("")
		n := op.Ticket.ID
		if counter := op.Series.Counter(op.CreatedAt); counter != "" {
			n = w.draw(counter)
		}
		op.Ticket.Number = op.Series.Number(op.CreatedAt, n)
	}
	if err := prepare(&op); err != nil {
		w.database = before
		return desk.Operation{}, false, err
	}
	w.insert(op)
	return copied(op), true, nil
}

func (w *world) draw(counter string) int64 {
	w.counters[counter]++
	return w.counters[counter]
}

func (w *world) advanceCounters(drawn desk.Drawn) {
	w.counters[""] = max(w.counters[""], drawn.ID)
	for counter, n := range drawn.Counters {
		w.counters[counter] = max(w.counters[counter], n)
	}
	w.restored = false
}

func (w *world) lastOpened() (at time.Time) {
	last := int64(0)
	for _, row := range w.rows {
		if row.ID > last {
			last, at = row.ID, row.CreatedAt
		}
	}
	return at
}

func (w *world) insert(op desk.Operation) {
	key := scope(op.Request)
	if op.Request.Key != "" {
		w.scopes[key] = op.ID
	}
	w.owners[op.ID] = key
	w.ops[op.ID] = copied(op)
	w.order = append(w.order, op.ID)
}

// transaction marks the context of an effect: what is done under it is done with the world's lock held.
type transaction struct{}

func (w *world) transact(ctx context.Context, op desk.Operation, effect func(context.Context) (desk.Answer, error)) (desk.Operation, bool, error) {
	stored, found, err := w.holder(op)
	if err != nil || found {
		return copied(stored), false, err
	}
	before := w.copy()
	answer, err := effect(context.WithValue(ctx, transaction{}, true))
	if err != nil {
		w.database = before
		return desk.Operation{}, false, err
	}
	op.Answer, op.State = answer, desk.Done
	w.insert(op)
	return copied(op), true, nil
}

func (w *world) finish(op desk.Operation, events []ticket.Event) error {
	if err := w.project(op.Ticket, events); err != nil {
		return err
	}
	stored := w.ops[op.ID]
	stored.State = desk.Done
	w.ops[op.ID] = stored
	return nil
}

func (w *world) project(id ticket.Identity, events []ticket.Event) error {
	row, log := w.rows[id.Number], slices.Clone(w.events[id.Number])
	if w.doubts[id.Number] != "" {
		return desk.ErrInDoubt
	}
	for _, e := range clone(events) {
		switch {
		case e.Seq <= row.Seq:
			if !ticket.Same(log[e.Seq-1], e) {
				return fmt.Errorf("event %d: %w", e.Seq, desk.ErrDiverged)
			}
		case e.Seq == row.Seq+1 && e.Type.Known():
			row = ticket.Evolve(row, e)
			log = append(log, e)
		default:
			return desk.ErrGap
		}
	}
	if len(log) > 0 && row.Number != id.Number {
		return fmt.Errorf("the events of %s are not those of %s", row.Number, id.Number)
	}
	if len(log) > 0 {
		w.rows[id.Number], w.events[id.Number] = row, log
	}
	return nil
}

func (w *world) doubt(id ticket.Identity, why string) {
	if _, known := w.rows[id.Number]; known && w.doubts[id.Number] == "" {
		w.doubts[id.Number] = why
	}
}

func (w *world) close(id string, state desk.OperationState) {
	op, ok := w.ops[id]
	if !ok || op.State != desk.Running {
		return
	}
	op.State = state
	w.ops[id] = op
	if key := scope(op.Request); state == desk.Refused && w.scopes[key] == id {
		delete(w.scopes, key)
	}
}

func (w *world) expire(id string, lease time.Time) {
	if op, ok := w.ops[id]; ok && op.State == desk.Running && op.Lease.Equal(lease) {
		op.Lease = w.now
		w.ops[id] = op
	}
}

func (w *world) lease(id string, until time.Time) bool {
	op, ok := w.ops[id]
	if !ok || op.State != desk.Running || op.Lease.After(w.now) {
		return false
	}
	op.Lease = until
	w.ops[id] = op
	return true
}

func (w *world) expired(limit int) []desk.Operation {
	var out []desk.Operation
	for _, id := range w.order {
		if op := w.ops[id]; op.State == desk.Running && !op.Lease.After(w.now) {
			out = append(out, copied(op))
		}
	}
	slices.SortStableFunc(out, func(a, b desk.Operation) int { return a.Lease.Compare(b.Lease) })
	return out[:min(limit, len(out))]
}

func (w *world) happened(id string) bool {
	for _, log := range w.events {
		if slices.ContainsFunc(log, func(e ticket.Event) bool { return e.Operation == id }) {
			return true
		}
	}
	return false
}

func (w *world) ticket(tenant, key string) (ticket.Ticket, error) {
	for _, row := range w.rows {
		if row.Tenant == tenant && (row.Number == key || row.UUID == key) {
			if w.doubts[row.Number] != "" {
				return clone(row), desk.ErrInDoubt
			}
			return clone(row), nil
		}
	}
	return ticket.Ticket{}, ticket.Refuse(ticket.NotFound, "there is no such ticket")
}

func asJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// signal is the channel on which nobody waits for an answer.
func (w *world) signal(number string, generation int, c ticket.Command) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine.Signal(number, generation, c)
}

// roll has a generation go on in its next run.
func (w *world) roll(number string, generation int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine.Roll(context.Background(), number, generation)
}

// wake brings the workers back.
func (w *world) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine.Wake()
}
