package issue

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// Redeliveries is many deliveries of one address delivered again.
type Redeliveries interface {
	// BeginRedelivery has those deliveries of a ticket's subscription delivered again that the selection names, or only counts them (dry).
	// NotFound: the ticket has no such subscription; Conflict: its address is dropped and was not registered again. Joins the transaction of ctx.
	BeginRedelivery(ctx context.Context, tenant string, ticketID int64, subscription string, s notice.Selection, dry bool) (notice.Redelivery, error)
	// RedeliveryOf tells how far one is; NotFound.
	RedeliveryOf(ctx context.Context, tenant, subscription, id string) (notice.Redelivery, error)
}

// redeliverMany answers once it is written down that it is to be done. It is begun right away; where that fails, the sweep begins it.
func (w *Wing) redeliverMany(c *fiber.Ctx) error {
	nid, err := word(c, "nid")
	if err != nil {
		return errNoAddress
	}
	var in api.RedeliveryRequest
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	selection, dry, err := in.Selection()
	if err != nil {
		return err
	}
	begun := ""
	err = w.record(c, func(ctx context.Context, t ticket.Ticket) (envelope, error) {
		r, err := w.Addresses.BeginRedelivery(ctx, t.Tenant, t.ID, nid, selection, dry)
		begun = r.ID
		return done(api.RedeliveryOf(r)), err
	})
	if err == nil && begun != "" && w.Begin != nil {
		w.Begin(api.Context(c), begun)
	}
	return err
}

func (w *Wing) redelivery(c *fiber.Ctx) error {
	nid, err := word(c, "nid")
	if err != nil {
		return errNoAddress
	}
	rid, err := word(c, "rid")
	if err != nil {
		return ticket.Refuse(ticket.NotFound, "there is no such redelivery")
	}
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	if _, err := w.Addresses.Registration(api.Context(c), t.ID, nid); err != nil {
		return err
	}
	r, err := w.Addresses.RedeliveryOf(api.Context(c), t.Tenant, nid, rid)
	if err != nil {
		return err
	}
	return api.Respond(c, fiber.StatusOK, done(api.RedeliveryOf(r)))
}

// delivery shows one with all that is kept of it.
func (w *Wing) delivery(c *fiber.Ctx) error {
	nid, err := word(c, "nid")
	if err != nil {
		return errNoAddress
	}
	did, err := word(c, "did")
	if err != nil {
		return errNoDelivery
	}
	t, err := w.ticket(c)
	if err != nil {
		return err
	}
	if _, err := w.Addresses.Registration(api.Context(c), t.ID, nid); err != nil {
		return err
	}
	r, err := w.Addresses.Delivery(api.Context(c), nid, did)
	if err != nil {
		return err
	}
	return api.Respond(c, fiber.StatusOK, done(api.WholeDeliveryOf(r)))
}

var errNoDelivery = ticket.Refuse(ticket.NotFound, "the notification has no such delivery")
