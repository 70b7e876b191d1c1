package service

import (
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
	return houseapi.ReadDefinition(api.Context(c), h.Services, api.Caller(c).Tenant, source)
}
