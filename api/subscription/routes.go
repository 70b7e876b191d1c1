// Package subscription is lasting subscriptions: addresses that follow a tenant's stream, what callers publish and what happens to tickets; and what all
// addresses of a tenant are told. It speaks in the house's own style.
package subscription

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Subscriptions is the lasting subscriptions of all tenants. NotFound stands for what the tenant does not have, or had until it was deleted.
// All that changes something joins the transaction that ctx carries.
type Subscriptions interface {
	// Subscribe adds one and gives it back under its ID, with its secret, which is made where none is given. TooMany: no more are taken.
	Subscribe(ctx context.Context, s notice.Subscription) (notice.Subscription, error)
	// Subscriptions lists newest first; state, if not empty, chooses among them.
	Subscriptions(ctx context.Context, tenant string, state notice.SubscriptionState, cursor string, limit int) (items []notice.Subscription, next string, err error)
	// Amend changes address, profile, filter and state to what change makes of them. What is held is sent once it is active again.
	Amend(ctx context.Context, tenant, id string, change func(notice.Subscription) (notice.Subscription, error)) (notice.Subscription, error)
	// Alike gives the IDs of others by which its address is told of the same events; 10 at most.
	Alike(ctx context.Context, s notice.Subscription) (ids []string, err error)
	// Try publishes an event to it alone and gives the delivery's ID. Conflict: it is not active.
	Try(ctx context.Context, tenant, app, id string, p notice.Published) (delivery string, err error)
	// What is done with one of them.
	houseapi.Subscriptions
}

// Handler is the lasting subscriptions.
type Handler struct {
	Desk          api.Desk
	Subscriptions Subscriptions
	Deliveries    houseapi.Deliveries
	Allow         notice.Reach // where addresses may lead; api.Config.Reach
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does; it may be nil.
	Begin func(ctx context.Context, redelivery string)
	// Hasten is likewise about a lane: houseapi.SubscriptionCalls.Hasten.
	Hasten func(ctx context.Context, lane notice.Lane)
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	const all, one, deliveries = "/api/subscription", "/api/subscription/:id", "/api/delivery"
	return api.Family{
		Channel:  ticket.ChannelPublish,
		Prefixes: []string{all, deliveries},
		Refuse:   houseapi.Refuse,
		Exact:    true,
		Routes: append([]api.Route{
			{Method: http.MethodPost, Path: all, Scope: desk.Write, Handler: api.Body(h.subscribe)},
			{Method: http.MethodGet, Path: all, Scope: desk.Read, Query: true, Handler: h.list},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: h.read},
			{Method: http.MethodPut, Path: one, Scope: desk.Write, Handler: h.change},
			{Method: http.MethodPost, Path: one + "/pause", Scope: desk.Write, Handler: h.setState(notice.Paused)},
			{Method: http.MethodPost, Path: one + "/resume", Scope: desk.Write, Handler: h.setState(notice.Active)},
			{Method: http.MethodPost, Path: one + "/test", Scope: desk.Write, Handler: h.test},
		}, append(h.calls().Routes(one), houseapi.DeliveryCalls{Deliveries: h.Deliveries}.Routes(deliveries)...)...),
	}
}

func (h *Handler) subscribe(c *fiber.Ctx, in houseapi.Lasting) error {
	sub, err := in.Subscription(h.Allow)
	if err != nil {
		return err
	}
	sub.Tenant = api.Caller(c).Tenant
	return houseapi.Transact(c, h.Desk, true, func(ctx context.Context) (any, error) {
		made, err := h.Subscriptions.Subscribe(ctx, sub)
		if err != nil {
			return nil, err
		}
		alike, err := h.Subscriptions.Alike(ctx, made)
		return created{viewOf(made), made.Secret, warningsOf(alike)}, err
	})
}

func (h *Handler) list(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	state := q.Choice("state", string(notice.Active), string(notice.Paused), string(notice.Dropped))
	if err := q.Err(); err != nil {
		return err
	}
	items, next, err := h.Subscriptions.Subscriptions(api.Context(c), api.Caller(c).Tenant, notice.SubscriptionState(state), cursor, limit)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[view]{Items: api.Each(items, viewOf), Next: next})
}

func (h *Handler) read(c *fiber.Ctx) error {
	id, err := named(c)
	if err != nil {
		return err
	}
	r, err := h.Subscriptions.Registration(api.Context(c), notice.Owner{Tenant: api.Caller(c).Tenant}, id)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, countedOf(r))
}

func (h *Handler) change(c *fiber.Ctx) error {
	id, err := named(c)
	if err != nil {
		return err
	}
	var in houseapi.LastingChange
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	if err := in.Check(h.Allow); err != nil {
		return err
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		changed, err := h.Subscriptions.Amend(ctx, api.Caller(c).Tenant, id, in.Apply)
		if err != nil {
			return nil, err
		}
		alike, err := h.Subscriptions.Alike(ctx, changed)
		return warned{viewOf(changed), warningsOf(alike)}, err
	})
}

// setState pauses or resumes.
func (h *Handler) setState(state notice.SubscriptionState) fiber.Handler {
	return func(c *fiber.Ctx) error {
		id, err := named(c)
		if err != nil {
			return err
		}
		return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
			changed, err := h.Subscriptions.Amend(ctx, api.Caller(c).Tenant, id, func(s notice.Subscription) (notice.Subscription, error) {
				s.State = state
				return s, nil
			})
			return viewOf(changed), err
		})
	}
}

func (h *Handler) test(c *fiber.Ctx) error {
	id, err := named(c)
	if err != nil {
		return err
	}
	p := notice.OfTest(id, uuid.NewString())
	p.Hops = api.Hops(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		delivery, err := h.Subscriptions.Try(ctx, api.Caller(c).Tenant, api.Caller(c).Code, id, p)
		return houseapi.ID{ID: delivery}, err
	})
}

// calls are those about one subscription that a ticket's have too.
func (h *Handler) calls() houseapi.SubscriptionCalls {
	return houseapi.SubscriptionCalls{
		Desk: h.Desk, Subscriptions: h.Subscriptions, Begin: h.Begin, Hasten: h.Hasten,
		Named: func(c *fiber.Ctx) (notice.Owner, string, error) {
			id, err := named(c)
			return notice.Owner{Tenant: api.Caller(c).Tenant}, id, err
		},
	}
}

var errNoSubscription = ticket.Refuse(ticket.NotFound, "there is no such subscription")

// named gives the ID of the subscription that the path names.
func named(c *fiber.Ctx) (string, error) { return houseapi.Word(c, "id", errNoSubscription) }
