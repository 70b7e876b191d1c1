// Package deliveries is the pages of what a tenant's addresses are told: what did not arrive, why, and having it delivered again.
package deliveries

import (
	"context"
	"net/http"

	"signalbox/api"
	"signalbox/console/page"
	"signalbox/notice"
	"signalbox/ticket"
)

// Deliveries is the deliveries of all tenants. NotFound stands for what the tenant does not have. All that changes something joins the transaction that ctx carries.
type Deliveries interface {
	// TenantDeliveries lists those that a filter chooses, newest first.
	TenantDeliveries(ctx context.Context, tenant string, f notice.DeliveryFilter) (notice.DeliveryPage, error)
	// TenantDelivery is one of them, with its body and every attempt.
	TenantDelivery(ctx context.Context, tenant, id string) (notice.TenantDelivery, error)
	// CountDeliveries counts those that a filter chooses, up to most.
	CountDeliveries(ctx context.Context, tenant string, f notice.DeliveryFilter, most int) (ticket.Total, error)
	// RedeliverFilter has all those delivered again that a filter chooses, or only counts them (dry).
	RedeliverFilter(ctx context.Context, tenant string, f notice.DeliveryFilter, dry bool) (notice.FilterRedelivery, error)
	// WatchTogether makes one thing to watch of redeliveries.
	WatchTogether(ctx context.Context, name string, redeliveries []string) error
	// Together tells how far that is.
	Together(ctx context.Context, tenant, name string) (notice.Together, error)
	// Redeliver, TryNow and Cancel are as houseapi.Subscriptions has them.
	Redeliver(ctx context.Context, of notice.Owner, subscription, delivery string) error
	TryNow(ctx context.Context, of notice.Owner, subscription, delivery string) (notice.Lane, error)
	Cancel(ctx context.Context, of notice.Owner, subscription, delivery, by string) (lane notice.Lane, waits bool, err error)
}

// Room is the area. Desk and Deliveries are needed.
type Room struct {
	Desk       api.Desk
	Deliveries Deliveries
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does; it may be nil.
	Begin func(ctx context.Context, redelivery string)
	// Hasten has what is next in a lane looked at now. Where it cannot, that is looked at when the next try was planned; it may be nil.
	Hasten func(ctx context.Context, lane notice.Lane)
	// LaneWorkflow is the ID of a lane's workflow, for links into the Temporal web UI; nil: there are none.
	LaneWorkflow func(lane notice.Lane) string
	Temporal     page.Temporal
}

const (
	all   = "/deliveries"
	one   = all + "/:id"
	again = all + "/again"
)

// Area gives its routes.
func (r *Room) Area() page.Area {
	route := func(method, path string, right page.Right, do page.Handler) page.Route {
		return page.Route{Method: method, Path: path, Right: right, Do: do}
	}
	return page.Area{
		Routes: []page.Route{
			route(http.MethodGet, all, page.Read, r.list),
			route(http.MethodPost, all+"/selected", page.Act, r.selected),
			route(http.MethodGet, again, page.Act, r.count),
			route(http.MethodPost, again, page.Act, r.redeliver),
			route(http.MethodGet, again+"/:name", page.Read, r.progress),
			route(http.MethodGet, one, page.Read, r.of(r.show)),
			route(http.MethodGet, one+"/body", page.Read, r.of(r.body)),
			route(http.MethodPost, one+"/again", page.Act, r.of(r.redeliverOne)),
			route(http.MethodPost, one+"/try", page.Act, r.of(r.try)),
			route(http.MethodPost, one+"/cancel", page.Act, r.of(r.cancel)),
		},
		Menu: []page.Entry{{Path: all, Label: "menu.deliveries", Right: page.Read}},
	}
}

// of is for pages of one delivery.
func (r *Room) of(do func(v *page.Visit, d notice.TenantDelivery) error) page.Handler {
	return func(v *page.Visit) error {
		id, err := v.Param("id")
		if err != nil {
			return err
		}
		d, err := r.Deliveries.TenantDelivery(v.Until, v.Who.App.Tenant, id)
		if err != nil {
			return err
		}
		return do(v, d)
	}
}

func pathOf(id string) string { return all + "/" + id }

// ownerOf is whose subscription a delivery went to: its ticket's, or the tenant's. What people are told is a ticket's too, whatever way it goes.
func ownerOf(d notice.TenantDelivery) notice.Owner {
	of := notice.Owner{Tenant: d.Tenant, TicketID: d.Subscription.TicketID}
	if d.Subscription.Person != "" {
		of.TicketID = d.Lane.TicketID
	}
	return of
}
