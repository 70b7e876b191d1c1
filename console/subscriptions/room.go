// Package subscriptions is the pages of lasting subscriptions: the addresses that follow a tenant's stream, what waits for them, and what their owner does with them.
package subscriptions

import (
	"context"
	"net/http"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/console/page"
	"signalbox/notice"
)

// Subscriptions is the lasting subscriptions of all tenants. NotFound stands for what the tenant does not have, or had until it was deleted. All that changes something
// joins the transaction that ctx carries.
type Subscriptions interface {
	// Lasting lists newest first, with what did not arrive.
	Lasting(ctx context.Context, tenant string, f notice.LastingFilter, cursor string, limit int) (items []notice.LastingRecord, next string, err error)
	// Registration is one of them, with counts of its deliveries.
	Registration(ctx context.Context, of notice.Owner, id string) (notice.Registration, error)
	// Deliveries lists its deliveries newest first, with every attempt.
	Deliveries(ctx context.Context, of notice.Owner, subscription, cursor string, limit int) (items []notice.DeliveryRecord, next string, err error)
	// Subscribe adds one and gives it back under its ID, with its secret, which is made where none is given. TooMany: no more are taken.
	Subscribe(ctx context.Context, s notice.Subscription) (notice.Subscription, error)
	// Amend changes it to what change makes of it.
	Amend(ctx context.Context, tenant, id string, change func(notice.Subscription) (notice.Subscription, error)) (notice.Subscription, error)
	// Alike gives the IDs of others by which its address is told of the same events.
	Alike(ctx context.Context, s notice.Subscription) (ids []string, err error)
	// Try publishes an event to it alone and gives the delivery's ID. Conflict: it is not active.
	Try(ctx context.Context, tenant, app, id string, p notice.Published) (delivery string, err error)
	// Rotate gives it a new secret. TooMany: too many earlier ones still sign.
	Rotate(ctx context.Context, of notice.Owner, id string) (secret string, err error)
	// Unsubscribe deletes it.
	Unsubscribe(ctx context.Context, of notice.Owner, id string) error
}

// Room is the area. All but Allow are needed.
type Room struct {
	Desk          api.Desk
	Subscriptions Subscriptions
	Allow         notice.Reach // where addresses may lead
}

// The addresses of the pages.
const (
	all = "/subscriptions"
	one = all + "/:id"
)

// Area gives its routes.
func (r *Room) Area() page.Area {
	route := func(method, path string, right page.Right, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: right, Do: do}
	}
	return page.Area{
		Routes: []page.Route{
			route(http.MethodGet, all, page.Read, r.list),
			route(http.MethodPost, all, page.Act, r.subscribe),
			route(http.MethodGet, all+"/new", page.Act, r.empty),
			route(http.MethodGet, one, page.Read, r.of(r.show)),
			route(http.MethodPost, one, page.Act, r.of(r.change)),
			route(http.MethodGet, one+"/edit", page.Act, r.of(r.edit)),
			route(http.MethodPost, one+"/pause", page.Act, r.of(r.turn(notice.Paused))),
			route(http.MethodPost, one+"/resume", page.Act, r.of(r.turn(notice.Active))),
			route(http.MethodPost, one+"/test", page.Act, r.of(r.try)),
			route(http.MethodPost, one+"/rotate", page.Act, r.of(r.rotate)),
			route(http.MethodPost, one+"/delete", page.Act, r.named(r.unsubscribe)),
		},
		Menu: []page.Entry{{Path: all, Label: "menu.subscriptions", Right: page.Read}},
	}
}

// named is for what needs no more of a subscription than its ID: who sends a form twice hears what became of it, though it is deleted by now.
func (r *Room) named(do func(v *page.Visit, id string) error) page.Handler {
	return func(v *page.Visit) error {
		id, err := houseapi.Word(v.Ctx, "id", page.ErrNoPage)
		if err != nil {
			return err
		}
		return do(v, id)
	}
}

// of is for pages of one subscription, which is there.
func (r *Room) of(do func(v *page.Visit, sub notice.Registration) error) page.Handler {
	return r.named(func(v *page.Visit, id string) error {
		sub, err := r.Subscriptions.Registration(v.Until, owner(v), id)
		if err != nil {
			return err
		}
		return do(v, sub)
	})
}

// owner is whose subscriptions the visitor sees.
func owner(v *page.Visit) notice.Owner { return notice.Owner{Tenant: v.Who.App.Tenant} }

func pathOf(id string) string { return all + "/" + id }
