package issue

import (
	"cmp"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/houseapi"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// service finds the service that a draft names.
func (h *Handler) service(c *fiber.Ctx, d ticket.Draft) (*ticket.ServiceRecord, error) {
	key := cmp.Or(d.Service, ticket.ServiceIncident)
	record, err := h.Services.ServiceRecord(api.Context(c), api.Caller(c).Tenant, key)
	switch {
	case ticket.Is(err, ticket.NotFound):
		return nil, ticket.RefuseField(ticket.Invalid, "service", fmt.Sprintf("there is no service %q", key))
	case err != nil:
		return nil, err
	}
	return &record, nil
}

// drawn is the process of an issue, and what of it is done, current and skipped.
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
	complete := func(t ticket.Ticket, cmd *ticket.Command) error {
		def, err := h.Services.ServiceVersion(api.Context(c), t.Tenant, t.Service, *in.Version)
		if ticket.Is(err, ticket.NotFound) {
			return ticket.RefuseField(ticket.Invalid, "version", fmt.Sprintf("the service %q has no version %d", t.Service, *in.Version))
		}
		cmd.Migration = &ticket.Migration{Definition: &def, Nodes: in.Nodes, Rules: flow.RulesNow}
		return err
	}
	if !api.Value(in.DryRun) {
		return h.do(c, desk.Handling{Command: cmd, Complete: complete}, migratedTo{Version: *in.Version})
	}
	t, err := h.ticket(c)
	if err != nil {
		return err
	}
	if err := complete(t, &cmd); err != nil {
		return err
	}
	if err := cmd.Check(); err != nil {
		return err
	}
	return h.tryMigration(c, t, cmd)
}

// tryMigration tells what a migration would do, by the very rules that would do it.
func (h *Handler) tryMigration(c *fiber.Ctx, t ticket.Ticket, cmd ticket.Command) error {
	out := migrationReport{From: t.Version, Version: cmd.Migration.Definition.Version, Reasons: []flow.Reason{}, Nodes: []migratedNode{}, CurrentNodes: []node{}}
	cmd.Admin = api.Caller(c).May(desk.Admin)
	trial, err := t.TryMigration(cmd, h.now())
	switch {
	case err != nil:
		return err
	case !trial.Possible():
		out.Reasons = trial.Reasons
		return houseapi.Respond(c, out)
	}
	after := trial.After
	out.Possible, out.CurrentNodes, out.Phase = true, nodesOf(after, true), after.Phase()
	for _, o := range after.Overdue(h.now()) {
		out.Overdue = append(out.Overdue, overdue{o.Node, o.Kind, o.Stage + 1, o.Do, o.At.UTC()})
	}
	for i, s := range t.Position.Nodes {
		to := after.Position.Nodes[i]
		out.Nodes = append(out.Nodes, migratedNode{From: s.Node, To: to.Node, State: to.State})
	}
	return houseapi.Respond(c, out)
}
