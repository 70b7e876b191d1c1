package service

import (
	"context"
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/flow"
	"signalbox/ticket"
)

// document reads the definition that a request's body is.
func (h *Handler) document(c *fiber.Ctx) (flow.Definition, flow.Faults, error) {
	source, err := houseapi.Source(c, "a definition", ticket.MaxDefinition)
	if err != nil {
		return flow.Definition{}, nil, err
	}
	return h.parse(api.Context(c), api.Caller(c).Tenant, source)
}

// parse reads a definition from its text, with the calendars of the tenant that it names, and tells what is wrong with it.
func (h *Handler) parse(ctx context.Context, tenant string, source []byte) (flow.Definition, flow.Faults, error) {
	reading := flow.Read(source)
	calendars, err := h.Services.Calendars(ctx, tenant, reading.CalendarsNamed())
	if err != nil {
		return flow.Definition{}, nil, err
	}
	def, faults := reading.Check(calendars)
	if len(faults) > 0 {
		return def, faults, nil
	}
	if raw, err := json.Marshal(def); err != nil || len(raw) > ticket.MaxDefinition {
		faults = flow.Faults{{Message: "the definition " + ticket.Over(ticket.MaxDefinition, "bytes as JSON, with the calendars that it names", len(raw))}}
	}
	return def, faults, nil
}
