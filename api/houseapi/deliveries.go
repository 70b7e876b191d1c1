package houseapi

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// Address is an address that deliveries go to: of a notification of a ticket, or with TicketID 0 of a subscription of the tenant's.
type Address struct {
	Tenant   string
	TicketID int64
	ID       string
}

// Deliveries is what was and is to be delivered to addresses.
type Deliveries interface {
	// Deliveries lists newest first, with every attempt. cursor as in ticket.Filter.
	Deliveries(ctx context.Context, subscription, cursor string, limit int) (items []notice.DeliveryRecord, next string, err error)
	// Delivery is one of them; NotFound.
	Delivery(ctx context.Context, subscription, delivery string) (notice.DeliveryRecord, error)
	// BeginRedelivery has many of them delivered again, or only counts them (dry). NotFound: there is no such address (any more); Conflict:
	// nothing is sent to it. Joins the transaction of ctx.
	BeginRedelivery(ctx context.Context, tenant string, ticketID int64, subscription string, s notice.Selection, dry bool) (notice.Redelivery, error)
	// RedeliveryOf tells how far one is; NotFound.
	RedeliveryOf(ctx context.Context, tenant, subscription, id string) (notice.Redelivery, error)
}

// DeliveryCalls are the calls about the deliveries of an address, the same for notifications and for subscriptions.
type DeliveryCalls struct {
	Desk       api.Desk
	Deliveries Deliveries
	// Named gives the address that the path names, among the caller's own. That it exists need not be known yet: who repeats a request hears
	// what was answered before, though it was deleted meanwhile.
	Named func(c *fiber.Ctx) (Address, error)
	// Exists is NotFound where there is no such address.
	Exists func(ctx context.Context, a Address) error
	// Resend starts a new round of tries of one delivery under the same ID. Joins the transaction of ctx.
	Resend func(ctx context.Context, a Address, delivery string) error
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does; it may be nil.
	Begin func(ctx context.Context, redelivery string)
}

// found is the address that the path names, which exists.
func (d DeliveryCalls) found(c *fiber.Ctx) (Address, error) {
	a, err := d.Named(c)
	if err != nil {
		return a, err
	}
	return a, d.Exists(api.Context(c), a)
}

// List shows the deliveries of the address, in pages.
func (d DeliveryCalls) List(c *fiber.Ctx) error {
	q, err := api.ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	if err := q.Err(); err != nil {
		return err
	}
	a, err := d.found(c)
	if err != nil {
		return err
	}
	records, next, err := d.Deliveries.Deliveries(api.Context(c), a.ID, cursor, limit)
	if err != nil {
		return err
	}
	return Respond(c, Items[deliveryView]{Items: api.Each(records, shortened), Next: next})
}

// Show shows one delivery (did) with all that is kept of it.
func (d DeliveryCalls) Show(c *fiber.Ctx) error {
	did, err := Word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	a, err := d.found(c)
	if err != nil {
		return err
	}
	r, err := d.Deliveries.Delivery(api.Context(c), a.ID, did)
	if err != nil {
		return err
	}
	return Respond(c, viewOf(r, notice.MaxAnswer))
}

// Redeliver has one delivery (did) sent again.
func (d DeliveryCalls) Redeliver(c *fiber.Ctx) error {
	did, err := Word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	a, err := d.Named(c)
	if err != nil {
		return err
	}
	return Transact(c, d.Desk, false, func(ctx context.Context) (any, error) {
		return ID{ID: did}, d.Resend(ctx, a, did)
	})
}

// RedeliverMany answers once it is written down that it is to be done. It is begun right away; where that fails, the sweep begins it.
func (d DeliveryCalls) RedeliverMany(c *fiber.Ctx) error {
	a, err := d.Named(c)
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
	err = Transact(c, d.Desk, false, func(ctx context.Context) (any, error) {
		r, err := d.Deliveries.BeginRedelivery(ctx, a.Tenant, a.TicketID, a.ID, selection, api.Value(in.DryRun))
		begun = r.ID
		return redeliveryOf(r), err
	})
	if err == nil && begun != "" && d.Begin != nil {
		d.Begin(api.Context(c), begun)
	}
	return err
}

// Progress shows how far it is with many deliveries (rid).
func (d DeliveryCalls) Progress(c *fiber.Ctx) error {
	rid, err := Word(c, "rid", errNoRedelivery)
	if err != nil {
		return err
	}
	a, err := d.found(c)
	if err != nil {
		return err
	}
	r, err := d.Deliveries.RedeliveryOf(api.Context(c), a.Tenant, a.ID, rid)
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
