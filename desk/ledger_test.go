package desk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/desk"
	"signalbox/ticket"
)

// world is everything that outlives a process: the database (here) and Temporal (engine_test.go), in memory and under one lock, keeping
// what desk.Ledger and desk.Engine promise. Whatever crosses into it or out of it goes through JSON.
type world struct {
	mu  sync.Mutex
	now time.Time
	ids int

	ops    map[string]desk.Operation
	order  []string          // of claims
	scopes map[string]string // who has a key
	owners map[string]string // who ever had a key, by operation
	rows   map[string]ticket.Ticket
	events map[string][]ticket.Event // of the read model

	generations map[string]*generation
	limit       int  // updates until a run rolls over; zero: never
	down        bool // no worker runs
	admit       bool // while no worker runs, the server keeps the update until one does
	pending     []func()
	broken      []string // promises found broken
}

func newWorld() *world {
	return &world{
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ops: map[string]desk.Operation{}, scopes: map[string]string{}, owners: map[string]string{},
		rows: map[string]ticket.Ticket{}, events: map[string][]ticket.Event{}, generations: map[string]*generation{},
	}
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

func scope(r desk.Request) string {
	return strings.Join([]string{r.App.Tenant, r.App.Code, r.Method, r.Path, r.Key}, "|")
}

func (w *world) claim(op desk.Operation, prepare func(*desk.Operation) error) (desk.Operation, bool, error) {
	key := scope(op.Request)
	if stored, ok := w.ops[w.scopes[key]]; ok && op.Request.Key != "" {
		switch {
		case stored.State != desk.Void:
			return clone(stored), false, nil
		case stored.Request.Fingerprint == op.Request.Fingerprint:
			stored.State, stored.Lease = desk.Running, op.Lease
			w.ops[stored.ID] = stored
			return clone(stored), true, nil
		}
	}
	if op.Kind == desk.KindOpen {
		op.Ticket.ID = int64(len(w.order) + 1)
		op.Ticket.Number = op.Series.Number(w.now, op.Ticket.ID)
	}
	if prepare != nil {
		if err := prepare(&op); err != nil {
			return desk.Operation{}, false, err
		}
	}
	w.insert(op)
	return clone(op), true, nil
}

func (w *world) insert(op desk.Operation) {
	key := scope(op.Request)
	if op.Request.Key != "" {
		w.scopes[key] = op.ID
	}
	w.owners[op.ID] = key
	w.ops[op.ID] = clone(op)
	w.order = append(w.order, op.ID)
}

func (w *world) record(ctx context.Context, op desk.Operation, effect func(context.Context) (desk.Answer, error)) (desk.Operation, bool, error) {
	if stored, ok := w.ops[w.scopes[scope(op.Request)]]; ok && op.Request.Key != "" {
		return clone(stored), false, nil
	}
	answer, err := effect(ctx)
	if err != nil {
		return desk.Operation{}, false, err
	}
	op.Answer, op.State = answer, desk.Done
	w.insert(op)
	return clone(op), true, nil
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
	for _, e := range clone(events) {
		switch {
		case e.Seq <= row.Seq:
			if was := log[e.Seq-1]; asJSON(was) != asJSON(e) {
				w.broken = append(w.broken, fmt.Sprintf("event %d of %s was written down as %s and is said to be %s", e.Seq, id.Number, asJSON(was), asJSON(e)))
			}
		case e.Seq == row.Seq+1:
			row = ticket.Evolve(row, e)
			log = append(log, e)
		default:
			return desk.ErrGap
		}
	}
	if len(log) > 0 {
		w.rows[id.Number], w.events[id.Number] = row, log
	}
	return nil
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

func (w *world) expire(id string) {
	if op, ok := w.ops[id]; ok && op.State == desk.Running {
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
		if op := w.ops[id]; op.State == desk.Running && !op.Lease.After(w.now) && len(out) < limit {
			out = append(out, clone(op))
		}
	}
	return out
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
