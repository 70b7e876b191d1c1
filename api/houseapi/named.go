package houseapi

import (
	"fmt"
	"maps"
	"slices"

	"signalbox/flow"
	"signalbox/ticket"
)

// CanBeNamed refuses, as Invalid, to name people for a node that does not exist or asks nobody: they would never be asked.
func CanBeNamed(def flow.Definition, named map[string][]string) error {
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
