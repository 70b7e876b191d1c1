// Package subscription is lasting subscriptions: addresses that follow a tenant's stream, what callers publish and what happens to tickets. It
// speaks in the house's own style.
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
	// Subscription is one of them, with counts of what has not arrived.
	Subscription(ctx context.Context, tenant, id string) (notice.Registration, error)
	// Amend changes address, profile, filter and state to what change makes of them. What is held is sent once it is active again.
	Amend(ctx context.Context, tenant, id string, change func(notice.Subscription) (notice.Subscription, error)) (notice.Subscription, error)
	// Rotate gives it a new secret; the one before it signs on for 24 hours. TooMany: too often within these.
	Rotate(ctx context.Context, tenant, id string) (secret string, err error)
	// Unsubscribe deletes it: nothing more is sent.
	Unsubscribe(ctx context.Context, tenant, id string) error
	// Try publishes an event to it alone and gives the delivery's ID. Conflict: it is not active.
	Try(ctx context.Context, tenant, app, id string, p notice.Published) (delivery string, err error)
	// Resend starts a new round of tries under the same ID. Conflict: it is still being tried, or the subscription is not active.
	Resend(ctx context.Context, tenant, subscription, delivery string) error
	// What is owed to them. A deleted one has nothing more; one that is not active is sent nothing again.
	houseapi.Deliveries
}

// Handler is the lasting subscriptions.
type Handler struct {
	Desk          api.Desk
	Subscriptions Subscriptions
	Allow         notice.Reach // where addresses may lead; api.Config.Reach
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does; it may be nil.
	Begin func(ctx context.Context, redelivery string)
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	const all, one = "/api/subscription", "/api/subscription/:id"
	deliveries := h.deliveries()
	return api.Family{
		Channel:  ticket.ChannelPublish,
		Prefixes: []string{all},
		Refuse:   houseapi.Refuse,
		Routes: []api.Route{
			{Method: http.MethodPost, Path: all, Scope: desk.Write, Handler: api.Body(h.subscribe)},
			{Method: http.MethodGet, Path: all, Scope: desk.Read, Handler: h.list},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: h.read},
			{Method: http.MethodPut, Path: one, Scope: desk.Write, Handler: h.change},
			{Method: http.MethodDelete, Path: one, Scope: desk.Write, Handler: h.unsubscribe},
			{Method: http.MethodPost, Path: one + "/pause", Scope: desk.Write, Handler: h.setState(notice.Paused)},
			{Method: http.MethodPost, Path: one + "/resume", Scope: desk.Write, Handler: h.setState(notice.Active)},
			{Method: http.MethodPost, Path: one + "/rotate", Scope: desk.Write, Handler: h.rotate},
			{Method: http.MethodPost, Path: one + "/test", Scope: desk.Write, Handler: h.test},
			{Method: http.MethodGet, Path: one + "/deliveries", Scope: desk.Read, Handler: deliveries.List},
			{Method: http.MethodGet, Path: one + "/deliveries/:did", Scope: desk.Read, Handler: deliveries.Show},
			{Method: http.MethodPost, Path: one + "/redeliver", Scope: desk.Write, Handler: deliveries.RedeliverMany},
			{Method: http.MethodGet, Path: one + "/redeliver/:rid", Scope: desk.Read, Handler: deliveries.Progress},
			{Method: http.MethodPost, Path: one + "/deliveries/:did/redeliver", Scope: desk.Write, Handler: deliveries.Redeliver},
		},
	}
}

func (h *Handler) subscribe(c *fiber.Ctx, in subscribing) error {
	sub, err := in.subscription(h.Allow)
	if err != nil {
		return err
	}
	sub.Tenant = api.Caller(c).Tenant
	return houseapi.Transact(c, h.Desk, true, func(ctx context.Context) (any, error) {
		made, err := h.Subscriptions.Subscribe(ctx, sub)
		return created{viewOf(made), made.Secret}, err
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
	r, err := h.find(c)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, countedOf(r))
}

func (h *Handler) change(c *fiber.Ctx) error {
	id, err := word(c, "id")
	if err != nil {
		return err
	}
	var in changing
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	if err := in.check(h.Allow); err != nil {
		return err
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		changed, err := h.Subscriptions.Amend(ctx, api.Caller(c).Tenant, id, in.apply)
		return viewOf(changed), err
	})
}

// setState pauses or resumes.
func (h *Handler) setState(state notice.SubscriptionState) fiber.Handler {
	return func(c *fiber.Ctx) error {
		id, err := word(c, "id")
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

func (h *Handler) rotate(c *fiber.Ctx) error {
	id, err := word(c, "id")
	if err != nil {
		return err
	}
	return houseapi.Transact(c, h.Desk, true, func(ctx context.Context) (any, error) {
		secret, err := h.Subscriptions.Rotate(ctx, api.Caller(c).Tenant, id)
		return houseapi.Rotated{ID: id, Secret: secret}, err
	})
}

func (h *Handler) unsubscribe(c *fiber.Ctx) error {
	id, err := word(c, "id")
	if err != nil {
		return err
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		return nil, h.Subscriptions.Unsubscribe(ctx, api.Caller(c).Tenant, id)
	})
}

func (h *Handler) test(c *fiber.Ctx) error {
	id, err := word(c, "id")
	if err != nil {
		return err
	}
	p := notice.OfTest(id, uuid.NewString())
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		delivery, err := h.Subscriptions.Try(ctx, api.Caller(c).Tenant, api.Caller(c).Code, id, p)
		return houseapi.ID{ID: delivery}, err
	})
}

// deliveries is the calls about the deliveries of a subscription.
func (h *Handler) deliveries() houseapi.DeliveryCalls {
	return houseapi.DeliveryCalls{
		Desk: h.Desk, Deliveries: h.Subscriptions, Begin: h.Begin,
		Named: func(c *fiber.Ctx) (houseapi.Address, error) {
			id, err := word(c, "id")
			return houseapi.Address{Tenant: api.Caller(c).Tenant, ID: id}, err
		},
		Exists: func(ctx context.Context, a houseapi.Address) error {
			_, err := h.Subscriptions.Subscription(ctx, a.Tenant, a.ID)
			return err
		},
		Resend: func(ctx context.Context, a houseapi.Address, delivery string) error {
			return h.Subscriptions.Resend(ctx, a.Tenant, a.ID, delivery)
		},
	}
}

// find reads the subscription that the path names, among the caller's own.
func (h *Handler) find(c *fiber.Ctx) (notice.Registration, error) {
	id, err := word(c, "id")
	if err != nil {
		return notice.Registration{}, err
	}
	return h.Subscriptions.Subscription(api.Context(c), api.Caller(c).Tenant, id)
}

// word gives a parameter of the path that names something. What cannot be a name names nothing.
func word(c *fiber.Ctx, name string) (string, error) {
	value, err := api.Param(c, name)
	var f ticket.Faults
	f.Word(name, value, ticket.MaxName)
	if err != nil || f.Err() != nil {
		return "", ticket.Refuse(ticket.NotFound, "there is no such subscription")
	}
	return value, nil
}
