package issue

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
)

// owed is the calls about what a notification is owed.
func (w *Handler) owed() api.Owed {
	return api.Owed{
		Desk: w.Desk, Deliveries: w.Addresses, Begin: w.Begin,
		Named: func(c *fiber.Ctx) (api.Addressed, error) {
			nid, err := word(c, "nid")
			if err != nil {
				return api.Addressed{}, errNoAddress
			}
			t, err := w.ticket(c)
			return api.Addressed{Tenant: t.Tenant, TicketID: t.ID, ID: nid}, err
		},
		Exists: func(ctx context.Context, a api.Addressed) error {
			_, err := w.Addresses.Registration(ctx, a.TicketID, a.ID)
			return err
		},
		Resend: func(ctx context.Context, a api.Addressed, delivery string) error {
			return w.Addresses.Redeliver(ctx, a.TicketID, a.ID, delivery)
		},
	}
}
