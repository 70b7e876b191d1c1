package service

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/flow"
	"signalbox/ticket"
)

// simulation is what a caller wants to see played through: a definition, or a published service by its key.
type simulation struct {
	Definition json.RawMessage     `json:"definition"` // an object, or a string with the YAML
	Service    *string             `json:"service"`
	Version    *int                `json:"version"` // of the service; the latest unless said
	Opener     *string             `json:"opener"`
	Assignee   *string             `json:"assignee"`
	Fields     flow.Values         `json:"fields"`           // the opening form, filled in
	Named      map[string][]string `json:"state_processors"` // as when opening
	Start      *time.Time          `json:"start"`            // now unless said
	Script     ticket.Script       `json:"script"`
}

// simulate plays a process through with people and receivers that do what the script says, by the rules that decide for tickets. Nothing leaves the
// house.
func (h *Handler) simulate(c *fiber.Ctx, in simulation) error {
	def, faults, err := h.simulated(c, in)
	switch {
	case err != nil:
		return err
	case len(faults) > 0:
		return houseapi.Faulty(c, "the definition", faults)
	}
	at := h.now()
	if in.Start != nil {
		at = *in.Start
	}
	played, err := houseapi.Play(def, houseapi.Scene{App: api.Caller(c).Code, Opener: api.Value(in.Opener), Assignee: api.Value(in.Assignee), Form: in.Fields, Named: in.Named,
		Start: at, Script: in.Script})
	if err != nil {
		return err
	}
	return houseapi.Respond(c, reportOf(played))
}

// simulated finds the definition that a simulation is about.
func (h *Handler) simulated(c *fiber.Ctx, in simulation) (flow.Definition, flow.Faults, error) {
	inline := bytes.TrimSpace(in.Definition)
	given := len(inline) > 0 && string(inline) != "null"
	tenant := api.Caller(c).Tenant
	switch {
	case given == (in.Service != nil):
		return flow.Definition{}, nil, ticket.RefuseField(ticket.Invalid, "definition", "either this or service is required")
	case given && inline[0] == '"':
		var source string
		if err := api.DecodeMember("definition", inline, &source); err != nil {
			return flow.Definition{}, nil, err
		}
		inline = []byte(source)
		fallthrough
	case given:
		if len(inline) > ticket.MaxDefinition {
			return flow.Definition{}, nil, ticket.RefuseField(ticket.Invalid, "definition", ticket.Over(ticket.MaxDefinition, "bytes", len(inline)))
		}
		return houseapi.ReadScene(api.Context(c), h.Services, tenant, houseapi.Plainer(inline))
	case in.Version != nil:
		def, err := h.Services.ServiceVersion(api.Context(c), tenant, *in.Service, *in.Version)
		return def, nil, unknown("version", err)
	}
	record, err := h.Services.ServiceRecord(api.Context(c), tenant, *in.Service)
	return record.Definition, nil, unknown("service", err)
}

// unknown names the member by which something was looked for that is not there.
func unknown(field string, err error) error {
	if ticket.Is(err, ticket.NotFound) {
		return ticket.RefuseField(ticket.Invalid, field, ticket.AsError(err).Message)
	}
	return err
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}
