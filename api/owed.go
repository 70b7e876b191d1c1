package api

import (
	"context"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/ticket"
)

// Transact has a change made and answers with its result, in the house's envelope. secret tells that the answer has one.
func Transact(c *fiber.Ctx, d Desk, secret bool, effect func(ctx context.Context) (result any, err error)) error {
	reply, err := d.Transact(Context(c), Request(c), func(ctx context.Context) (desk.Answer, error) {
		result, err := effect(ctx)
		if err != nil {
			return desk.Answer{}, err
		}
		answer, err := Answer(http.StatusOK, Done(result))
		answer.Secret = secret
		return answer, err
	})
	if err != nil {
		return err
	}
	return Send(c, reply)
}

// Addressed is an address that is owed something: a notification of a ticket, or with TicketID 0 a subscription of the tenant's.
type Addressed struct {
	Tenant   string
	TicketID int64
	ID       string
}

// Deliveries is what was and is owed to addresses.
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

// Owed is the calls about what addresses are owed, the same for notifications and for subscriptions.
type Owed struct {
	Desk       Desk
	Deliveries Deliveries
	// Named gives the address that the path names, among the caller's own. That it exists need not be known yet: who repeats a request hears
	// what was answered before, though it was deleted meanwhile.
	Named func(c *fiber.Ctx) (Addressed, error)
	// Exists is NotFound where there is no such address.
	Exists func(ctx context.Context, a Addressed) error
	// Resend starts a new round of tries of one delivery under the same ID. Joins the transaction of ctx.
	Resend func(ctx context.Context, a Addressed, delivery string) error
	// Begin has a redelivery that was asked for begun at once. What it cannot do the sweep does; it may be nil.
	Begin func(ctx context.Context, redelivery string)
}

// found is the address that the path names, which exists.
func (o Owed) found(c *fiber.Ctx) (Addressed, error) {
	a, err := o.Named(c)
	if err != nil {
		return a, err
	}
	return a, o.Exists(Context(c), a)
}

// List shows everything that the address is or was owed, in pages.
func (o Owed) List(c *fiber.Ctx) error {
	q, err := ReadQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.Page()
	if err := q.Err(); err != nil {
		return err
	}
	a, err := o.found(c)
	if err != nil {
		return err
	}
	records, next, err := o.Deliveries.Deliveries(Context(c), a.ID, cursor, limit)
	if err != nil {
		return err
	}
	views := make([]DeliveryView, len(records))
	for i, record := range records {
		views[i] = DeliveryOf(record)
	}
	return Respond(c, http.StatusOK, Done(Items[DeliveryView]{Items: views, Next: next}))
}

// Show shows one delivery (did) with all that is kept of it.
func (o Owed) Show(c *fiber.Ctx) error {
	did, err := word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	a, err := o.found(c)
	if err != nil {
		return err
	}
	r, err := o.Deliveries.Delivery(Context(c), a.ID, did)
	if err != nil {
		return err
	}
	return Respond(c, http.StatusOK, Done(WholeDeliveryOf(r)))
}

// SendAgain has one delivery (did) sent again.
func (o Owed) SendAgain(c *fiber.Ctx) error {
	did, err := word(c, "did", errNoDelivery)
	if err != nil {
		return err
	}
	a, err := o.Named(c)
	if err != nil {
		return err
	}
	return Transact(c, o.Desk, false, func(ctx context.Context) (any, error) {
		return ID{ID: did}, o.Resend(ctx, a, did)
	})
}

// SendManyAgain answers once it is written down that it is to be done. It is begun right away; where that fails, the sweep begins it.
func (o Owed) SendManyAgain(c *fiber.Ctx) error {
	a, err := o.Named(c)
	if err != nil {
		return err
	}
	var in RedeliveryRequest
	if err := Decode(c, &in); err != nil {
		return err
	}
	selection, dry, err := in.Selection()
	if err != nil {
		return err
	}
	begun := ""
	err = Transact(c, o.Desk, false, func(ctx context.Context) (any, error) {
		r, err := o.Deliveries.BeginRedelivery(ctx, a.Tenant, a.TicketID, a.ID, selection, dry)
		begun = r.ID
		return RedeliveryOf(r), err
	})
	if err == nil && begun != "" && o.Begin != nil {
		o.Begin(Context(c), begun)
	}
	return err
}

// HowFar shows how far it is with many deliveries (rid).
func (o Owed) HowFar(c *fiber.Ctx) error {
	rid, err := word(c, "rid", errNoRedelivery)
	if err != nil {
		return err
	}
	a, err := o.found(c)
	if err != nil {
		return err
	}
	r, err := o.Deliveries.RedeliveryOf(Context(c), a.Tenant, a.ID, rid)
	if err != nil {
		return err
	}
	return Respond(c, http.StatusOK, Done(RedeliveryOf(r)))
}

var (
	errNoDelivery   = ticket.Refuse(ticket.NotFound, "there is no such delivery")
	errNoRedelivery = ticket.Refuse(ticket.NotFound, "there is no such redelivery")
)

// word gives a parameter of the path that is an identifier of ours. What cannot be one names nothing.
func word(c *fiber.Ctx, name string, otherwise error) (string, error) {
	value, err := Param(c, name)
	var f ticket.Faults
	f.Word(name, value, ticket.MaxRelationType)
	if err != nil || f.Err() != nil {
		return "", otherwise
	}
	return value, nil
}
