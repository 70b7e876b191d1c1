package service

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// Handler is the services' part of the house API. Now may be nil.
type Handler struct {
	Desk     api.Desk
	Services Services
	Now      func() time.Time // time.Now
}

// Family gives the family as the server mounts it.
func (h *Handler) Family() api.Family {
	const all, one = "/api/service", "/api/service/:key"
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{all},
		Refuse:   houseapi.Refuse,
		Exact:    true,
		Routes: []api.Route{
			{Method: http.MethodPost, Path: all, Scope: desk.Admin, Handler: h.publish},
			{Method: http.MethodGet, Path: all, Scope: desk.Read, Handler: h.list},
			{Method: http.MethodPost, Path: all + "/check", Scope: desk.Read, Handler: h.check},
			{Method: http.MethodPost, Path: all + "/simulate", Scope: desk.Read, Handler: api.Body(h.simulate)},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: h.read},
			{Method: http.MethodPut, Path: one, Scope: desk.Admin, Handler: h.enable},
			{Method: http.MethodPost, Path: one + "/rotate", Scope: desk.Admin, Handler: h.rotate},
			{Method: http.MethodGet, Path: one + "/diagram.svg", Scope: desk.Read, Handler: houseapi.Picture(h.drawn)},
			{Method: http.MethodGet, Path: one + "/diagram.dot", Scope: desk.Read, Handler: houseapi.Graph(h.drawn)},
			{Method: http.MethodGet, Path: one + "/versions", Scope: desk.Read, Handler: h.versions},
			{Method: http.MethodGet, Path: one + "/versions/:version", Scope: desk.Read, Handler: h.read},
			{Method: http.MethodGet, Path: one + "/versions/:version/diagram.svg", Scope: desk.Read, Handler: houseapi.Picture(h.drawn)},
			{Method: http.MethodGet, Path: one + "/versions/:version/diagram.dot", Scope: desk.Read, Handler: houseapi.Graph(h.drawn)},
		},
	}
}

// publish makes a definition the next version of its service.
func (h *Handler) publish(c *fiber.Ctx) error {
	def, faults, err := h.document(c)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return houseapi.Faulty(c, "the definition", faults)
	}
	app := api.Caller(c)
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		def, err := h.Services.PublishService(ctx, app.Tenant, app.Code, def)
		return publishedOf(def), err
	})
}

// check tells what is wrong with a definition, and publishes nothing.
func (h *Handler) check(c *fiber.Ctx) error {
	_, faults, err := h.document(c)
	if err != nil {
		return err
	}
	return houseapi.Verdict(c, faults)
}

func (h *Handler) list(c *fiber.Ctx) error {
	records, err := h.Services.ServiceRecords(api.Context(c), api.Caller(c).Tenant)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[line]{Items: api.Each(records, lineOf)})
}

func (h *Handler) versions(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	records, err := h.Services.ServiceVersions(api.Context(c), api.Caller(c).Tenant, key)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, houseapi.Items[version]{Items: api.Each(records, versionOf)})
}

// read shows a definition as it can be published again.
func (h *Handler) read(c *fiber.Ctx) error {
	def, err := h.definition(c)
	if err != nil {
		return err
	}
	def.Calendars = nil // which have versions of their own
	return houseapi.Document(c, def)
}

// drawn is the process that the path names.
func (h *Handler) drawn(c *fiber.Ctx) (flow.Definition, *flow.Position, error) {
	def, err := h.definition(c)
	return def, nil, err
}

// enable says whether a service opens new tickets.
func (h *Handler) enable(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	var in enabling
	if err := api.Decode(c, &in); err != nil {
		return err
	}
	if in.Enabled == nil {
		return ticket.RefuseField(ticket.Invalid, "enabled", "is required")
	}
	return houseapi.Transact(c, h.Desk, false, func(ctx context.Context) (any, error) {
		return nil, h.Services.EnableService(ctx, api.Caller(c).Tenant, key, *in.Enabled)
	})
}

// rotate gives a service a new secret, and tells it.
func (h *Handler) rotate(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	return houseapi.Transact(c, h.Desk, true, func(ctx context.Context) (any, error) {
		secret, err := h.Services.RotateService(ctx, api.Caller(c).Tenant, key)
		return rotated{key, secret}, err
	})
}

// definition finds the version that the path names, or the latest of the service that it names.
func (h *Handler) definition(c *fiber.Ctx) (flow.Definition, error) {
	key, err := keyOf(c)
	if err != nil {
		return flow.Definition{}, err
	}
	tenant := api.Caller(c).Tenant
	if c.Params("version") == "" {
		record, err := h.Services.ServiceRecord(api.Context(c), tenant, key)
		return record.Definition, err
	}
	version, err := strconv.Atoi(c.Params("version"))
	if err != nil || version < 1 {
		return flow.Definition{}, ticket.Refuse(ticket.NotFound, "the service has no such version")
	}
	return h.Services.ServiceVersion(api.Context(c), tenant, key, min(version, 1<<31-1))
}

// keyOf gives the key of the service that the path names.
func keyOf(c *fiber.Ctx) (string, error) { return houseapi.Word(c, "key", errNoService) }

var errNoService = ticket.Refuse(ticket.NotFound, "there is no such service")
