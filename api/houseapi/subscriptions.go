package houseapi

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Subscriptions is what an app does with one subscription, be it a ticket's or the tenant's own. Whatever it is asked, NotFound: the owner has no
// such subscription, or deleted it. What changes something joins the transaction that ctx carries.
type Subscriptions interface {
	// Registration is the subscription, with counts of its deliveries.
	Registration(ctx context.Context, of notice.Owner, id string) (notice.Registration, error)
	// Rotate gives it a new secret; the one before it signs on for 24 hours. Conflict: it is a ticket's, and was dropped; TooMany: too often
	// within these.
	Rotate(ctx context.Context, of notice.Owner, id string) (secret string, err error)
	// Unsubscribe deletes it: nothing more is sent, what is pending is cancelled.
	Unsubscribe(ctx context.Context, of notice.Owner, id string) error
	// Deliveries lists, of a ticket's those about it, newest first, with every attempt. cursor as in ticket.Filter.
	Deliveries(ctx context.Context, of notice.Owner, subscription, cursor string, limit int) (items []notice.DeliveryRecord, next string, err error)
	// Delivery is one of them; NotFound.
	Delivery(ctx context.Context, subscription, delivery string) (notice.DeliveryRecord, error)
	// Redeliver starts a new round of tries of one delivery under the same ID. NotFound: it has no such delivery; Conflict: that is still being
	// tried, or nothing is sent to the subscription now.
	Redeliver(ctx context.Context, of notice.Owner, id, delivery string) error
	// TryNow has a delivery that waits for its next try tried at once, and gives its lane, which is to be hastened. NotFound: it has no such delivery;
	// Conflict: it waits for no try of its own, or nothing is sent to the subscription now.
	TryNow(ctx context.Context, of notice.Owner, id, delivery string) (notice.Lane, error)
	// Cancel has a delivery that waits or is held not tried any more; by is who asks. waits: its lane is to be hastened. NotFound: it has no such delivery;
	// Conflict: it is over.
	Cancel(ctx context.Context, of notice.Owner, id, delivery, by string) (lane notice.Lane, waits bool, err error)
	// BeginRedelivery has many of them delivered again, or only counts them (dry). Conflict: nothing is sent to the subscription now.
	BeginRedelivery(ctx context.Context, of notice.Owner, id string, s notice.Selection, dry bool) (notice.Redelivery, error)
	// RedeliveryOf tells how far one is; NotFound.
	RedeliveryOf(ctx context.Context, tenant, subscription, id string) (notice.Redelivery, error)
}

// SubscriptionCalls are the calls about one subscription that are the same for a ticket's and for a tenant's.
type SubscriptionCalls struct {
	Desk          api.Desk
	Subscriptions Subscriptions
	// Named gives the subscription that the path names and whose it is, among the caller's own. That it exists need not be known yet: who
	// repeats a request hears what was answered before, though it was deleted meanwhile.
	Named func(c *fiber.Ctx) (of notice.Owner, id string, err error)
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does; it may be nil.
	Begin func(ctx context.Context, redelivery string)
	// Hasten has what is next in a lane looked at now. Where it cannot, that is looked at when the next try was planned; it may be nil.
	Hasten func(ctx context.Context, lane notice.Lane)
}

// Routes gives their routes; one is the path of the subscription.
func (s SubscriptionCalls) Routes(one string) []api.Route {
	return []api.Route{
		{Method: http.MethodDelete, Path: one, Scope: desk.Write, Handler: s.unsubscribe},
		{Method: http.MethodPost, Path: one + "/rotate", Scope: desk.Write, Handler: s.rotate},
		{Method: http.MethodGet, Path: one + "/deliveries", Scope: desk.Read, Query: true, Handler: s.list},
		{Method: http.MethodGet, Path: one + "/deliveries/:did", Scope: desk.Read, Handler: s.show},
		{Method: http.MethodPost, Path: one + "/deliveries/:did/redeliver", Scope: desk.Write, Handler: s.redeliver},
		{Method: http.MethodPost, Path: one + "/deliveries/:did/retry", Scope: desk.Write, Handler: s.tryNow},
		{Method: http.MethodPost, Path: one + "/deliveries/:did/cancel", Scope: desk.Write, Handler: s.cancel},
		{Method: http.MethodPost, Path: one + "/redeliver", Scope: desk.Write, Handler: s.redeliverMany},
		{Method: http.MethodGet, Path: one + "/redeliver/:rid", Scope: desk.Read, Handler: s.progress},
	}
}

// unsubscribe deletes the subscription.
func (s SubscriptionCalls) unsubscribe(c *fiber.Ctx) error {
	of, id, err := s.Named(c)
	if err != nil {
		return err
	}
	return Transact(c, s.Desk, false, func(ctx context.Context) (any, error) {
		return nil, s.Subscriptions.Unsubscribe(ctx, of, id)
	})
}

// rotate tells the secret that is signed with from now on, which nobody can ask for.
func (s SubscriptionCalls) rotate(c *fiber.Ctx) error {
	of, id, err := s.Named(c)
	if err != nil {
		return err
	}
	return Transact(c, s.Desk, true, func(ctx context.Context) (any, error) {
		secret, err := s.Subscriptions.Rotate(ctx, of, id)
		return rotated{ID: id, Secret: secret}, err
	})
}

// found is the subscription that the path names, which exists.
func (s SubscriptionCalls) found(c *fiber.Ctx) (of notice.Owner, id string, err error) {
	if of, id, err = s.Named(c); err != nil {
		return of, id, err
	}
	_, err = s.Subscriptions.Registration(api.Context(c), of, id)
	return of, id, err
}

// list shows the deliveries of the subscription, in pages.
func (s SubscriptionCalls) list(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	if err := q.Err(); err != nil {
		return err
	}
	of, id, err := s.found(c)
	if err != nil {
		return err
	}
	records, next, err := s.Subscriptions.Deliveries(api.Context(c), of, id, cursor, limit)
	if err != nil {
		return err
	}
	return Respond(c, Items[deliveryView]{Items: api.Each(records, shortened), Next: next})
}

// show shows one delivery (did) with all that is kept of it.
func (s SubscriptionCalls) show(c *fiber.Ctx) error {
	did, err := Word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	_, id, err := s.found(c)
	if err != nil {
		return err
	}
	r, err := s.Subscriptions.Delivery(api.Context(c), id, did)
	if err != nil {
		return err
	}
	return Respond(c, viewOf(r, notice.MaxAnswer))
}

// redeliver has one delivery (did) sent again.
func (s SubscriptionCalls) redeliver(c *fiber.Ctx) error {
	did, err := Word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	of, id, err := s.Named(c)
	if err != nil {
		return err
	}
	return Transact(c, s.Desk, false, func(ctx context.Context) (any, error) {
		return ID{ID: did}, s.Subscriptions.Redeliver(ctx, of, id, did)
	})
}

// tryNow has one delivery (did) that waits for its next try tried at once.
func (s SubscriptionCalls) tryNow(c *fiber.Ctx) error {
	return s.move(c, func(ctx context.Context, of notice.Owner, id, did string) (notice.Lane, bool, error) {
		lane, err := s.Subscriptions.TryNow(ctx, of, id, did)
		return lane, true, err
	})
}

// cancel has one delivery (did) not tried any more.
func (s SubscriptionCalls) cancel(c *fiber.Ctx) error {
	by := api.Caller(c).Code
	return s.move(c, func(ctx context.Context, of notice.Owner, id, did string) (notice.Lane, bool, error) {
		return s.Subscriptions.Cancel(ctx, of, id, did, by)
	})
}

// move does something with one delivery (did) that its lane's workflow is to hear of where it is hastened.
func (s SubscriptionCalls) move(c *fiber.Ctx, do func(ctx context.Context, of notice.Owner, id, did string) (lane notice.Lane, hasten bool, err error)) error {
	did, err := Word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	of, id, err := s.Named(c)
	if err != nil {
		return err
	}
	var lane notice.Lane
	hasten := false
	err = Transact(c, s.Desk, false, func(ctx context.Context) (any, error) {
		lane, hasten, err = do(ctx, of, id, did)
		return ID{ID: did}, err
	})
	if err == nil && hasten && s.Hasten != nil {
		s.Hasten(api.Context(c), lane)
	}
	return err
}

// redeliverMany answers once it is written down that it is to be done. It is begun right away; where that fails, the sweep begins it.
func (s SubscriptionCalls) redeliverMany(c *fiber.Ctx) error {
	of, id, err := s.Named(c)
	if err != nil {
		return err
	}
	var in redeliveryRequest
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	selection, err := in.selection()
	if err != nil {
		return err
	}
	begun := ""
	err = Transact(c, s.Desk, false, func(ctx context.Context) (any, error) {
		r, err := s.Subscriptions.BeginRedelivery(ctx, of, id, selection, api.Value(in.DryRun))
		begun = r.ID
		return redeliveryOf(r), err
	})
	if err == nil && begun != "" && s.Begin != nil {
		s.Begin(api.Context(c), begun)
	}
	return err
}

// progress shows how far it is with many deliveries (rid).
func (s SubscriptionCalls) progress(c *fiber.Ctx) error {
	rid, err := Word(c, "rid", errNoRedelivery)
	if err != nil {
		return err
	}
	of, id, err := s.found(c)
	if err != nil {
		return err
	}
	r, err := s.Subscriptions.RedeliveryOf(api.Context(c), of.Tenant, id, rid)
	if err != nil {
		return err
	}
	return Respond(c, redeliveryOf(r))
}

var (
	errNoDelivery   = ticket.Refuse(ticket.NotFound, "there is no such delivery")
	errNoRedelivery = ticket.Refuse(ticket.NotFound, "there is no such redelivery")
)

// Word gives a parameter of the path that is a short identifier. What cannot be one names nothing, and is refused so.
func Word(c *fiber.Ctx, name string, otherwise error) (string, error) {
	value, err := api.Param(c, name)
	var f ticket.Faults
	f.Word(name, value, ticket.MaxRelationType)
	if err != nil || f.Err() != nil {
		return "", otherwise
	}
	return value, nil
}
