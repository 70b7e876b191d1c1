package ticket

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox/flow"
)

// Migration is the version of its service that a ticket is moved to.
type Migration struct {
	Definition *flow.Definition  `json:"definition"`
	Nodes      map[string]string `json:"nodes,omitempty"` // new node by old one; one that is left out goes to the node of the same id
}

// Pinned is the part of a ticket that says which process it runs through, and where it stands in it.
type Pinned struct {
	Version    int                 `json:"version"`
	Definition *flow.Definition    `json:"definition,omitempty"`
	Position   flow.Position       `json:"position,omitzero"`
	Named      map[string][]string `json:"named,omitempty"`
}

// migration checks a migration itself.
func (f *Faults) migration(m *Migration) {
	if m == nil || m.Definition == nil {
		f.Add("version", "is required")
		return
	}
	f.definition("version", *m.Definition)
	if len(m.Nodes) > flow.MaxNodes {
		f.Add("nodes", fmt.Sprintf("must have at most %d members", flow.MaxNodes))
		return
	}
	for _, from := range slices.Sorted(maps.Keys(m.Nodes)) {
		to := m.Nodes[from]
		f.Name("nodes", from, 1, flow.MaxWord)
		f.Name("nodes."+tame(from, flow.MaxWord), to, 1, flow.MaxWord)
	}
}

// definition checks that a ticket can carry a definition.
func (f *Faults) definition(field string, def flow.Definition) {
	if raw, err := json.Marshal(def); err != nil || len(raw) > MaxDefinition {
		f.Add(field, fmt.Sprintf("the service's definition must have at most %d bytes as JSON", MaxDefinition))
	}
}

// Migrated tells what a migration makes of the ticket, or every reason why it cannot be done. It changes nothing. The error is that of a
// definition that does not compile.
func (t Ticket) Migrated(m Migration) (Pinned, []flow.Reason, error) {
	source, err := t.Process()
	if err != nil {
		return Pinned{}, nil, err
	}
	target, err := compile(m.Definition)
	if err != nil {
		return Pinned{}, nil, err
	}
	position, reasons := flow.Migrate(source, target, t.Position, m.Nodes)
	return Pinned{Version: m.Definition.Version, Definition: m.Definition, Position: position, Named: m.renamed(t.Named)}, reasons, nil
}

// renamed gives whom the caller named under the nodes' new ids. A node that is mapped onto another one's id takes its place.
func (m Migration) renamed(named map[string][]string) map[string][]string {
	if named == nil {
		return nil
	}
	out := map[string][]string{}
	for _, mapped := range []bool{false, true} {
		for _, from := range slices.Sorted(maps.Keys(named)) {
			if to, ok := m.Nodes[from]; ok == mapped {
				if !ok {
					to = from
				}
				out[to] = named[from]
			}
		}
	}
	return out
}

// migrate moves the ticket to another version of its service. Its status, its fields and what has been done stay as they are.
func (t Ticket) migrate(c Command) (*Event, error) {
	m := *c.Migration
	switch {
	case !c.Admin:
		return nil, RefuseField(Forbidden, "operator", "only an admin can move a ticket to another version")
	case t.Ended():
		return nil, t.over()
	case m.Definition.Key != t.Service:
		return nil, RefuseField(Invalid, "version", fmt.Sprintf("the ticket runs through the service %q, not %q", t.Service, m.Definition.Key))
	case m.Definition.Version == t.Version:
		return nil, RefuseField(Conflict, "version", fmt.Sprintf("the ticket runs through version %d already", t.Version))
	}
	to, reasons, err := t.Migrated(m)
	if err != nil {
		return nil, err
	}
	if len(reasons) > 0 {
		texts := make([]string, len(reasons))
		for i, r := range reasons {
			texts[i] = r.Message
			if r.Node != "" {
				texts[i] = r.Node + ": " + r.Message
			}
		}
		return nil, RefuseField(Conflict, "nodes", strings.Join(texts, "; "))
	}
	if raw, err := json.Marshal(to.Position); err != nil || len(raw) > MaxPosition {
		return nil, Refuse(Conflict, fmt.Sprintf("where the ticket stands must have at most %d bytes as JSON", MaxPosition))
	}
	e := &Event{Type: Migrated, Before: Change{Pinned: &Pinned{Version: t.Version}}, After: Change{Pinned: &to, Rules: t.latest()}}
	return e, e.fits("version")
}
