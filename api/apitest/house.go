// Package apitest lets the tests of the wings run without store and Temporal: a house kept in memory that follows the rule book, apps to
// call it with, and a client that holds every request and answer against the OpenAPI documents.
package apitest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// House is desk and read model in one, in memory. What it decides, the rule book decides: ticket.Open, Decide and Evolve.
type House struct {
	Now func() time.Time // time.Now unless set
	Err error            // when set, everything fails with it, as if what stands behind the families were down

	requests     sync.Mutex // one request at a time goes through the desk
	mu           sync.Mutex // guards what follows
	cases        []*kept
	answers      map[string]answered
	addresses    []*registered
	deliveries   int
	redeliveries []notice.Redelivery
	services     []*shelf
	numbers      int64 // given to services and nodes
}

type kept struct {
	ticket    ticket.Ticket
	events    []ticket.Event
	relations []ticket.Relation
	messages  []ticket.MessageRecord
	rating    ticket.Rating
	failed    bool // its callback was given up
	alerts    []notice.Alert
}

type answered struct {
	fingerprint string
	answer      desk.Answer
}

// NewHouse makes an empty house.
func NewHouse() *House { return &House{Now: time.Now, answers: map[string]answered{}} }

// Open opens a ticket; see desk.Desk.
func (h *House) Open(ctx context.Context, r desk.Request, o desk.Opening) (desk.Reply, error) {
	s, d, answer, gate := o.Series, o.Draft, o.Answer, o.Gate
	return h.once(r, func() (desk.Answer, error) {
		if gate != nil {
			if err := gate(ctx); err != nil {
				return desk.Answer{}, err
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		at, n := h.Now(), int64(len(h.cases)+1)
		id := ticket.Identity{ID: n, Number: s.Number(at, n), UUID: uuid.NewString(), Tenant: r.App.Tenant}
		events, err := ticket.Open(d, id, uuid.NewString(), at)
		if err != nil {
			return desk.Answer{}, err
		}
		k := &kept{}
		k.fold(events)
		h.cases = append(h.cases, k)
		if d.Callback != nil {
			h.register(k.ticket, d.Callback.URL)
		}
		return answer(id), nil
	})
}

// Handle does one thing to a ticket; see desk.Desk.
func (h *House) Handle(ctx context.Context, r desk.Request, a desk.Handling) (desk.Reply, error) {
	key, c, answer, gate := a.Ticket, a.Command, a.Answer, a.Gate
	return h.once(r, func() (desk.Answer, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		c.Channel, c.App, c.Admin = r.Channel, r.App.Code, r.App.May(desk.Admin)
		if err := c.Check(); err != nil {
			return desk.Answer{}, err
		}
		k, err := h.find(r.App.Tenant, key)
		if err != nil {
			return desk.Answer{}, err
		}
		if gate != nil {
			if err := gate(ctx); err != nil {
				return desk.Answer{}, err
			}
		}
		c.Operation = uuid.NewString()
		events, err := ticket.Decide(k.ticket, c, h.Now())
		if err != nil {
			return desk.Answer{}, err
		}
		k.fold(events)
		return answer, nil
	})
}

// Transact does what touches the read model alone; see desk.Desk.
func (h *House) Transact(ctx context.Context, r desk.Request, effect func(ctx context.Context) (desk.Answer, error)) (desk.Reply, error) {
	return h.once(r, func() (desk.Answer, error) { return effect(ctx) })
}

// once keeps the idempotency contract: one answer for one key, and only answers of requests that were done.
func (h *House) once(r desk.Request, do func() (desk.Answer, error)) (desk.Reply, error) {
	h.requests.Lock()
	defer h.requests.Unlock()
	if h.Err != nil {
		return desk.Reply{}, h.Err
	}
	scope := fmt.Sprintf("%s %s %s %s %s", r.App.Tenant, r.App.Code, r.Method, r.Path, r.Key)
	if was, ok := h.answers[scope]; ok && r.Key != "" {
		if was.fingerprint != r.Fingerprint {
			return desk.Reply{}, ticket.Refuse(ticket.Reused, "the idempotency key was used for another request")
		}
		return desk.Reply{Answer: was.answer, Replayed: true}, nil
	}
	answer, err := do()
	if err != nil {
		return desk.Reply{}, err
	}
	if r.Key != "" {
		h.answers[scope] = answered{r.Fingerprint, answer}
	}
	return desk.Reply{Answer: answer}, nil
}

// fold applies events to the ticket and to what the read model keeps beside it, and completes their Before as the read model does.
func (k *kept) fold(events []ticket.Event) {
	for _, e := range events {
		k.ticket = ticket.Evolve(k.ticket, e)
		if e.After.Opening != nil {
			k.relations = slices.Clone(e.After.Opening.Relations)
		}
		if r := e.After.Relation; r != nil {
			i := slices.IndexFunc(k.relations, func(o ticket.Relation) bool { return o.Type == r.Type })
			if i < 0 {
				k.relations = append(k.relations, *r)
			} else {
				before := k.relations[i]
				e.Before.Relation, k.relations[i] = &before, *r
			}
		}
		if m := e.After.Message; m != nil {
			i := slices.IndexFunc(k.messages, func(o ticket.MessageRecord) bool { return o.ID == m.ID })
			if i < 0 {
				k.messages = append(k.messages, ticket.MessageRecord{Message: *m, CreatedAt: e.At, UpdatedAt: e.At})
			} else {
				before := k.messages[i].Message
				e.Before.Message = &before
				k.messages[i].Message, k.messages[i].UpdatedAt = *m, e.At
			}
		}
		k.events = append(k.events, e)
	}
}

// find gives a tenant's ticket by number or UUID. The caller holds mu.
func (h *House) find(tenant, key string) (*kept, error) {
	for _, k := range h.cases {
		if k.ticket.Tenant == tenant && (k.ticket.Number == key || k.ticket.UUID == key) {
			return k, nil
		}
	}
	return nil, ticket.Refuse(ticket.NotFound, "there is no such ticket")
}
