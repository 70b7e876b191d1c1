package issue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/diagram"
	"signalbox/flow"
	"signalbox/ticket"
)

// pin has the draft run through a published service, and gives what must let it through: a service that is disabled opens nothing new, but
// who repeats a request hears what was answered before.
func (h *Handler) pin(c *fiber.Ctx, d *ticket.Draft) (desk.Gate, error) {
	if d.Service == "" {
		d.Service = ticket.ServiceIncident
	}
	record, err := h.Services.ServiceRecord(api.Context(c), api.Caller(c).Tenant, d.Service)
	switch {
	case ticket.Is(err, ticket.NotFound):
		return nil, ticket.RefuseField(ticket.Invalid, "service", fmt.Sprintf("there is no service %q", d.Service))
	case err != nil:
		return nil, err
	}
	if !record.BuiltIn {
		d.Definition = &record.Definition
	}
	if err := canBeNamed(record.Definition, d.Named); err != nil {
		return nil, err
	}
	return func(context.Context) error {
		if !record.Enabled {
			return ticket.RefuseField(ticket.Invalid, "service", fmt.Sprintf("the service %q is disabled", d.Service))
		}
		return nil
	}, nil
}

// canBeNamed refuses to name people for a node that does not exist or asks nobody: they would never be asked.
func canBeNamed(def flow.Definition, named map[string][]string) error {
	var f ticket.Faults
	for _, id := range slices.Sorted(maps.Keys(named)) {
		i := slices.IndexFunc(def.Nodes, func(n flow.Node) bool { return n.ID == id })
		switch {
		case i < 0:
			f.Add("state_processors."+id, "the service has no such node")
		case def.Nodes[i].Type != flow.Task && def.Nodes[i].Type != flow.Approval:
			f.Add("state_processors."+id, fmt.Sprintf("a %s asks nobody", def.Nodes[i].Type))
		}
	}
	return f.Err()
}

// diagram draws the process of an issue, with what of it is done, current and skipped.
func (h *Handler) diagram(c *fiber.Ctx) error {
	def, at, err := h.drawn(c)
	if err != nil {
		return err
	}
	return houseapi.Picture(c, diagram.SVG(def, at))
}

// graph is diagram for those who lay out with Graphviz.
func (h *Handler) graph(c *fiber.Ctx) error {
	def, at, err := h.drawn(c)
	if err != nil {
		return err
	}
	return houseapi.Graph(c, diagram.DOT(def, at))
}

// drawn is what a drawing of an issue shows.
func (h *Handler) drawn(c *fiber.Ctx) (flow.Definition, *flow.Position, error) {
	t, err := h.ticket(c)
	if err != nil {
		return flow.Definition{}, nil, err
	}
	process, err := t.Process()
	if err != nil {
		return flow.Definition{}, nil, err
	}
	return process.Definition(), &t.Position, nil
}

// migrate moves an issue to another version of its service, or tells what that would do.
func (h *Handler) migrate(c *fiber.Ctx, in migrating) error {
	cmd := ticket.Command{Action: ticket.Migrate, Operator: api.Value(in.Operator), Note: api.Value(in.Reason)}
	var f ticket.Faults
	if in.Version == nil {
		f.Add("version", "is required")
	}
	f.Name("operator", cmd.Operator, 1, ticket.MaxName)
	if err := f.Err(); err != nil {
		return err
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	def, err := h.Services.ServiceVersion(api.Context(c), t.Tenant, t.Service, *in.Version)
	switch {
	case ticket.Is(err, ticket.NotFound):
		return ticket.RefuseField(ticket.Invalid, "version", fmt.Sprintf("the service %q has no version %d", t.Service, *in.Version))
	case err != nil:
		return err
	}
	cmd.Migration = &ticket.Migration{Definition: &def, Nodes: in.Nodes}
	if err := cmd.Check(); err != nil {
		return err
	}
	if in.DryRun != nil && *in.DryRun {
		return h.tryMigration(c, t, cmd)
	}
	return h.do(c, cmd, done(migratedTo{Version: def.Version}))
}

// tryMigration tells what a migration would do, by the very rules that would do it.
func (h *Handler) tryMigration(c *fiber.Ctx, t ticket.Ticket, cmd ticket.Command) error {
	out := migrationReport{From: t.Version, Version: cmd.Migration.Definition.Version, Reasons: []flow.Reason{}, Nodes: []migratedNode{}, CurrentNodes: []node{}}
	cmd.Admin = api.Caller(c).May(desk.Admin)
	events, err := ticket.Decide(t, cmd, h.now())
	if why := ticket.AsError(err); why != nil {
		_, reasons, err := t.Migrated(*cmd.Migration)
		if err != nil {
			return fmt.Errorf("look for reasons: %w", err)
		}
		if out.Reasons = reasons; why.Field != "nodes" {
			out.Reasons = []flow.Reason{{Message: why.Error()}} // something else than where the ticket stands
		}
		return api.Respond(c, http.StatusOK, done(out))
	}
	if err != nil || len(events) == 0 {
		return errors.Join(err, errNothingMoved)
	}
	after := ticket.Fold(t, events)
	out.Possible, out.CurrentNodes = true, nodesOf(after, true)
	for i, s := range t.Position.Nodes {
		to := after.Position.Nodes[i]
		out.Nodes = append(out.Nodes, migratedNode{From: s.Node, To: to.Node, State: to.State})
	}
	return api.Respond(c, http.StatusOK, done(out))
}

var errNothingMoved = errors.New("a migration that was not refused caused nothing")
