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

// maxScript is how many answers, how many answers to calls, and how many absences a script may have: each is looked at again and again.
const maxScript = 200

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
	var f ticket.Faults
	if len(in.Script.Absences) > maxScript {
		f.Add("script.absences", ticket.Over(maxScript, "items", len(in.Script.Absences)))
	}
	if len(in.Script.Answers) > maxScript {
		f.Add("script.answers", ticket.Over(maxScript, "items", len(in.Script.Answers)))
	}
	if len(in.Script.Calls) > maxScript {
		f.Add("script.calls", ticket.Over(maxScript, "items", len(in.Script.Calls)))
	}
	if err := f.Err(); err != nil {
		return err
	}
	def, faults, err := h.simulated(c, in)
	switch {
	case err != nil:
		return err
	case len(faults) > 0:
		return houseapi.Faulty(c, "the definition", faults)
	}
	if err := houseapi.CanBeNamed(def, in.Named); err != nil {
		return err
	}
	at := h.now()
	if in.Start != nil {
		at = *in.Start
	}
	simulated, err := ticket.Simulate(ticket.Draft{Channel: ticket.ChannelIssue, App: api.Caller(c).Code, Service: def.Key, Definition: &def,
		Origin: "simulation", Title: "simulation", Opener: api.Value(in.Opener), Assignee: api.Value(in.Assignee), Form: in.Fields, Named: in.Named}, in.Script, at)
	if err != nil {
		return err
	}
	told, err := reportOf(simulated)
	if err != nil {
		return err
	}
	return houseapi.Respond(c, told)
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
		return h.checked(api.Context(c), tenant, flow.Read(houseapi.Plainer(inline)))
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
