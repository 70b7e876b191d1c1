package issue

import (
	"context"
	"signalbox/api/houseapi"

	"github.com/gofiber/fiber/v2"
)

// deliveries is the calls about the deliveries of a notification.
func (h *Handler) deliveries() houseapi.DeliveryCalls {
	return houseapi.DeliveryCalls{
		Desk: h.Desk, Deliveries: h.Addresses, Begin: h.Begin,
		Named: func(c *fiber.Ctx) (houseapi.Address, error) {
			nid, err := word(c, "nid")
			if err != nil {
				return houseapi.Address{}, errNoAddress
			}
			t, err := h.ticket(c)
			return houseapi.Address{Tenant: t.Tenant, TicketID: t.ID, ID: nid}, err
		},
		Exists: func(ctx context.Context, a houseapi.Address) error {
			_, err := h.Addresses.Registration(ctx, a.TicketID, a.ID)
			return err
		},
		Resend: func(ctx context.Context, a houseapi.Address, delivery string) error {
			return h.Addresses.Redeliver(ctx, a.TicketID, a.ID, delivery)
		},
	}
}
