package ticket

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/calendar"
	"signalbox/flow"
)

// Migration is the version of its service that a ticket is moved to.
type Migration struct {
	Definition *flow.Definition  `json:"definition"`
	Nodes      map[string]string `json:"nodes,omitempty"` // new node by old one; one that is left out goes to the node of the same id
	Rules      flow.Rules        `json:"rules,omitempty"` // of the day on which it was asked for: the ticket has them from then on, unless it has later ones
}

// Pinned is the part of a ticket that says which process it runs through, and where it stands in it.
type Pinned struct {
	Version    int                 `json:"version"`
	Definition *flow.Definition    `json:"definition,omitempty"`
	Position   flow.Position       `json:"position,omitzero"`
	Named      map[string][]string `json:"named,omitempty"`
}

// pinned gives the ticket in another process, or elsewhere in it.
func (t Ticket) pinned(p Pinned) Ticket {
	t.Version, t.Definition, t.Position, t.Named = p.Version, p.Definition, p.Position, p.Named
	return t
}

// migration checks a migration itself.
func (f *Faults) migration(m *Migration) {
	if m == nil || m.Definition == nil {
		f.Add("version", "is required")
		return
	}
	f.definition("version", *m.Definition)
	if len(m.Nodes) > flow.MaxNodes {
		f.Add("nodes", Over(flow.MaxNodes, "members", len(m.Nodes)))
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
		f.Add(field, "the service's definition "+Over(MaxDefinition, "bytes as JSON", len(raw)))
	}
}

// Migrated tells where a migration carries the ticket, or every reason why it cannot be done. It changes nothing, and does not ask whether votes decide
// there. The error is that of a definition that does not compile.
func (t Ticket) Migrated(m Migration, at time.Time) (Pinned, []flow.Reason, error) {
	source, err := t.Process()
	if err != nil {
		return Pinned{}, nil, err
	}
	target, err := compile(m.Definition)
	if err != nil {
		return Pinned{}, nil, err
	}
	position, reasons := flow.Migrate(source, target, t.Position, m.Nodes, t.Rules, max(t.Rules, m.Rules), at)
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

// migrate moves the ticket to another version of its service. What has been done stays as it is; votes that decide under a rule of that version do so
// at once, and the event tells what they led to.
func (t Ticket) migrate(c Command, at time.Time) (*Event, error) {
	m := *c.Migration
	switch {
	case !c.may():
		return nil, RefuseField(Forbidden, "operator", "only an admin can move a ticket to another version")
	case t.Ended():
		return nil, t.over()
	case m.Definition.Key != t.Service:
		return nil, RefuseField(Invalid, "version", fmt.Sprintf("the ticket runs through the service %q, not %q", t.Service, m.Definition.Key))
	case m.Definition.Version == t.Version && m.Rules <= t.Rules && !t.recalendared(*m.Definition): // with later rules or calendars it is lifted to them where it stands
		return nil, RefuseField(Conflict, "version", fmt.Sprintf("the ticket runs through version %d already", t.Version))
	}
	to, reasons, err := t.Migrated(m, at)
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
		return nil, Refuse(Conflict, "where the ticket stands "+Over(MaxPosition, "bytes as JSON", len(raw)))
	}
	there, e := t.pinned(to), &Event{Type: Migrated}
	if there.Rules = max(t.Rules, m.Rules); there.Rules >= flow.RulesWeighed {
		judged, err := there.step(flow.Moved{}, Migrated, at)
		if err != nil {
			return nil, err
		}
		e = cmp.Or(judged, e)
	}
	e.Before.Pinned, e.After.Pinned = &Pinned{Version: t.Version}, &to
	if there.Rules > t.Rules {
		e.After.Rules = there.Rules
	}
	_, err = e.fits("version")
	return e, err
}

// recalendared reports whether a definition has other versions of its calendars than the ticket counts by.
func (t Ticket) recalendared(def flow.Definition) bool {
	var has []calendar.Calendar
	if t.Definition != nil {
		has = t.Definition.Calendars
	}
	return !slices.EqualFunc(has, def.Calendars, func(a, b calendar.Calendar) bool { return a.Key == b.Key && a.Version == b.Version })
}
