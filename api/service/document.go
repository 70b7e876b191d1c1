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
	ctx, tenant, reading := api.Context(c), api.Caller(c).Tenant, flow.Read(source)
	if named := reading.GroupsNamed(); len(named) > 0 {
		known, err := h.Services.KnownGroups(ctx, tenant, named)
		if err != nil {
			return flow.Definition{}, nil, err
		}
		reading.KnowGroups(known)
	}
	return h.checked(ctx, tenant, reading)
}

// checked tells what is wrong with a definition that was read, and gives it the calendars of the tenant that it names.
func (h *Handler) checked(ctx context.Context, tenant string, reading *flow.Reading) (flow.Definition, flow.Faults, error) {
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
