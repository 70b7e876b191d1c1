package service

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/diagram"
	"signalbox/flow"
	"signalbox/ticket"
)

// Handler is the services' part of the house API. Now may be nil.
type Handler struct {
	Desk     api.Desk
	Services Services
	Now      func() time.Time // time.Now
}

// Family gives the wing as the server mounts it.
func (w *Handler) Family() api.Family {
	const all, one = "/api/service", "/api/service/:key"
	return api.Family{
		Channel:  ticket.ChannelIssue,
		Prefixes: []string{all},
		Refuse:   api.RefuseInEnvelope,
		Routes: []api.Route{
			{Method: http.MethodPost, Path: all, Scope: desk.Admin, Handler: w.publish},
			{Method: http.MethodGet, Path: all, Scope: desk.Read, Handler: w.list},
			{Method: http.MethodPost, Path: all + "/check", Scope: desk.Read, Handler: w.check},
			{Method: http.MethodPost, Path: all + "/simulate", Scope: desk.Read, Handler: w.simulate},
			{Method: http.MethodGet, Path: one, Scope: desk.Read, Handler: w.read},
			{Method: http.MethodPut, Path: one, Scope: desk.Admin, Handler: w.enable},
			{Method: http.MethodPost, Path: one + "/rotate", Scope: desk.Admin, Handler: w.rotate},
			{Method: http.MethodGet, Path: one + "/diagram.svg", Scope: desk.Read, Handler: w.diagram},
			{Method: http.MethodGet, Path: one + "/diagram.dot", Scope: desk.Read, Handler: w.graph},
			{Method: http.MethodGet, Path: one + "/versions", Scope: desk.Read, Handler: w.versions},
			{Method: http.MethodGet, Path: one + "/versions/:version", Scope: desk.Read, Handler: w.read},
			{Method: http.MethodGet, Path: one + "/versions/:version/diagram.svg", Scope: desk.Read, Handler: w.diagram},
			{Method: http.MethodGet, Path: one + "/versions/:version/diagram.dot", Scope: desk.Read, Handler: w.graph},
		},
	}
}

// publish makes a definition the next version of its service.
func (w *Handler) publish(c *fiber.Ctx) error {
	def, faults, err := document(c)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return faulty(c, faults)
	}
	app := api.Caller(c)
	reply, err := w.Desk.Transact(api.Context(c), api.Request(c), func(ctx context.Context) (desk.Answer, error) {
		def, err := w.Services.PublishService(ctx, app.Tenant, app.Code, def)
		if err != nil {
			return desk.Answer{}, err
		}
		return api.Answer(http.StatusOK, api.Done(publishedOf(def)))
	})
	if err != nil {
		return err
	}
	return api.Send(c, reply)
}

// faulty refuses a definition, with everything that is wrong with it.
func faulty(c *fiber.Ctx, faults flow.Faults) error {
	message := "the definition has a fault: "
	if len(faults) > 1 {
		message = fmt.Sprintf("the definition has %d faults, the first of them: ", len(faults))
	}
	api.RefusedWith(c, ticket.Refuse(ticket.Invalid, message+faults[0].String()))
	return api.Respond(c, http.StatusBadRequest, api.Envelope{Message: message + faults[0].String(), Result: faultList{Faults: faults}})
}

// check tells what is wrong with a definition, and publishes nothing.
func (w *Handler) check(c *fiber.Ctx) error {
	_, faults, err := document(c)
	if err != nil {
		return err
	}
	return api.Respond(c, http.StatusOK, api.Done(verdict{Valid: len(faults) == 0, Faults: append(flow.Faults{}, faults...)}))
}

func (w *Handler) list(c *fiber.Ctx) error {
	records, err := w.Services.ServiceRecords(api.Context(c), api.Caller(c).Tenant)
	if err != nil {
		return err
	}
	lines := make([]line, len(records))
	for i, r := range records {
		lines[i] = lineOf(r)
	}
	return api.Respond(c, http.StatusOK, api.Done(api.Items[line]{Items: lines}))
}

func (w *Handler) versions(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	records, err := w.Services.ServiceVersions(api.Context(c), api.Caller(c).Tenant, key)
	if err != nil {
		return err
	}
	versions := make([]version, len(records))
	for i, r := range records {
		versions[i] = versionOf(r)
	}
	return api.Respond(c, http.StatusOK, api.Done(api.Items[version]{Items: versions}))
}

// read shows a definition as it can be published again.
func (w *Handler) read(c *fiber.Ctx) error {
	def, err := w.definition(c)
	if err != nil {
		return err
	}
	c.Vary(fiber.HeaderAccept)
	switch c.Accepts(fiber.MIMEApplicationJSON, mimeYAML, "text/yaml", "application/x-yaml", "text/x-yaml") {
	case fiber.MIMEApplicationJSON, "":
		return api.Respond(c, http.StatusOK, def)
	}
	text, err := writeYAML(def)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, mimeYAML+"; charset=utf-8")
	return c.Status(http.StatusOK).Send(text)
}

func (w *Handler) diagram(c *fiber.Ctx) error {
	def, err := w.definition(c)
	if err != nil {
		return err
	}
	return api.Picture(c, diagram.SVG(def, nil))
}

// graph is diagram for those who lay out with Graphviz.
func (w *Handler) graph(c *fiber.Ctx) error {
	def, err := w.definition(c)
	if err != nil {
		return err
	}
	return api.Graph(c, diagram.DOT(def, nil))
}

// enable says whether a service opens new tickets.
func (w *Handler) enable(c *fiber.Ctx) error {
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
	reply, err := w.Desk.Transact(api.Context(c), api.Request(c), func(ctx context.Context) (desk.Answer, error) {
		if err := w.Services.EnableService(ctx, api.Caller(c).Tenant, key, *in.Enabled); err != nil {
			return desk.Answer{}, err
		}
		return api.Answer(http.StatusOK, api.Done(nil))
	})
	if err != nil {
		return err
	}
	return api.Send(c, reply)
}

// rotate gives a service a new secret, and tells it.
func (w *Handler) rotate(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}
	reply, err := w.Desk.Transact(api.Context(c), api.Request(c), func(ctx context.Context) (desk.Answer, error) {
		secret, err := w.Services.RotateService(ctx, api.Caller(c).Tenant, key)
		if err != nil {
			return desk.Answer{}, err
		}
		answer, err := api.Answer(http.StatusOK, api.Done(rotated{key, secret}))
		answer.Secret = true
		return answer, err
	})
	if err != nil {
		return err
	}
	return api.Send(c, reply)
}

// definition finds the version that the path names, or the latest of the service that it names.
func (w *Handler) definition(c *fiber.Ctx) (flow.Definition, error) {
	key, err := keyOf(c)
	if err != nil {
		return flow.Definition{}, err
	}
	tenant := api.Caller(c).Tenant
	if c.Params("version") == "" {
		record, err := w.Services.ServiceRecord(api.Context(c), tenant, key)
		return record.Definition, err
	}
	version, err := strconv.Atoi(c.Params("version"))
	if err != nil || version < 1 {
		return flow.Definition{}, ticket.Refuse(ticket.NotFound, "the service has no such version")
	}
	return w.Services.ServiceVersion(api.Context(c), tenant, key, min(version, 1<<31-1))
}

// keyOf gives the key of the service that the path names.
func keyOf(c *fiber.Ctx) (string, error) {
	key, err := api.Param(c, "key")
	var f ticket.Faults
	if f.Word("key", key, flow.MaxWord); err != nil || f.Err() != nil {
		return "", ticket.Refuse(ticket.NotFound, "there is no such service")
	}
	return key, nil
}
