package service

import (
	"context"
	"net/http"
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
	common := h.versioned()
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{all},
		Refuse:   houseapi.Refuse,
		Exact:    true,
		Routes: []api.Route{
			{Method: http.MethodPost, Path: all, Scope: desk.Admin, Handler: common.Publish},
			{Method: http.MethodGet, Path: all, Scope: desk.Read, Query: true, Handler: h.list},
			{Method: http.MethodPost, Path: all + "/check", Scope: desk.Read, Handler: common.Check},
			{Method: http.MethodPost, Path: all + "/simulate", Scope: desk.Read, Handler: api.Body(h.simulate)},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: h.read},
			{Method: http.MethodPut, Path: one, Scope: desk.Admin, Handler: common.Enable},
			{Method: http.MethodPost, Path: one + "/rotate", Scope: desk.Admin, Handler: h.rotate},
			{Method: http.MethodGet, Path: one + "/diagram.svg", Scope: desk.Read, Handler: houseapi.Picture(h.drawn)},
			{Method: http.MethodGet, Path: one + "/diagram.dot", Scope: desk.Read, Handler: houseapi.Graph(h.drawn)},
			{Method: http.MethodGet, Path: one + "/versions", Scope: desk.Read, Query: true, Handler: h.versions},
			{Method: http.MethodGet, Path: one + "/versions/:version", Scope: desk.Read, Handler: h.read},
			{Method: http.MethodGet, Path: one + "/versions/:version/diagram.svg", Scope: desk.Read, Handler: houseapi.Picture(h.drawn)},
			{Method: http.MethodGet, Path: one + "/versions/:version/diagram.dot", Scope: desk.Read, Handler: houseapi.Graph(h.drawn)},
		},
	}
}

// versioned are the calls that services share with calendars.
func (h *Handler) versioned() houseapi.Versioned[flow.Definition] {
	return houseapi.Versioned[flow.Definition]{Desk: h.Desk, Kind: "service", Document: "the definition", Read: h.document,
		Put: func(ctx context.Context, tenant, app string, def flow.Definition, text string) (any, error) {
			def, err := h.Services.PublishWritten(ctx, tenant, app, def, text)
			return publishedOf(def), err
		},
		Switch: func(ctx context.Context, tenant, key string, enabled bool) error {
			return h.Services.EnableService(ctx, tenant, key, enabled)
		}}
}

func (h *Handler) list(c *fiber.Ctx) error {
	return houseapi.List(c, h.Services.ServicePage, lineOf)
}

func (h *Handler) versions(c *fiber.Ctx) error {
	return houseapi.Versions(c, h.versioned(), h.Services.ServiceVersions, versionOf)
}

// read shows a definition as it can be published again.
func (h *Handler) read(c *fiber.Ctx) error {
	def, err := h.definition(c)
	if err != nil {
		return err
	}
	def.Calendars = nil // which have versions of their own
	return houseapi.DocumentAsWritten(c, def, func() (string, error) {
		return h.Services.ServiceText(api.Context(c), api.Caller(c).Tenant, def.Key, def.Version)
	})
}

// drawn is the process that the path names.
func (h *Handler) drawn(c *fiber.Ctx) (flow.Definition, *flow.Position, error) {
	def, err := h.definition(c)
	return def, nil, err
}

// rotate gives a service a new secret, and tells it.
func (h *Handler) rotate(c *fiber.Ctx) error {
	key, err := h.versioned().Key(c)
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
	key, version, err := h.versioned().Named(c)
	if err != nil {
		return flow.Definition{}, err
	}
	tenant := api.Caller(c).Tenant
	if version == 0 {
		record, err := h.Services.ServiceRecord(api.Context(c), tenant, key)
		return record.Definition, err
	}
	return h.Services.ServiceVersion(api.Context(c), tenant, key, version)
}
