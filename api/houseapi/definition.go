package houseapi

import (
	"context"
	"encoding/json"

	"signalbox/calendar"
	"signalbox/flow"
	"signalbox/ticket"
)

// Surroundings are what a definition may name of its tenant.
type Surroundings interface {
	// Calendars gives the latest versions of those of a tenant's calendars that services may name from now on, out of some by their keys.
	Calendars(ctx context.Context, tenant string, keys []string) ([]calendar.Calendar, error)
	// KnownGroups gives those of a tenant's groups that there are, out of some by their ids.
	KnownGroups(ctx context.Context, tenant string, ids []string) ([]string, error)
}

// ReadDefinition reads a definition of a tenant's that is to be published, YAML or JSON as Plainer leaves it, and tells what is wrong with it. It comes with the
// calendars that it names.
func ReadDefinition(ctx context.Context, in Surroundings, tenant string, source []byte) (flow.Definition, flow.Faults, error) {
	reading := flow.Read(source)
	if named := reading.GroupsNamed(); len(named) > 0 {
		known, err := in.KnownGroups(ctx, tenant, named)
		if err != nil {
			return flow.Definition{}, nil, err
		}
		reading.KnowGroups(known)
	}
	return checked(ctx, in, tenant, reading)
}

// ReadScene is ReadDefinition for one that is to be played through alone, which may name any groups: its script says who is in them.
func ReadScene(ctx context.Context, in Surroundings, tenant string, source []byte) (flow.Definition, flow.Faults, error) {
	return checked(ctx, in, tenant, flow.Read(source))
}

func checked(ctx context.Context, in Surroundings, tenant string, reading *flow.Reading) (flow.Definition, flow.Faults, error) {
	calendars, err := in.Calendars(ctx, tenant, reading.CalendarsNamed())
	if err != nil {
		return flow.Definition{}, nil, err
	}
	def, faults := reading.Check(calendars)
	if len(faults) > 0 {
		return def, faults, nil
	}
	if raw, err := json.Marshal(def); err != nil || len(raw) > ticket.MaxDefinition {
		faults = flow.Faults{{Message: "the definition " + ticket.Over(ticket.MaxDefinition, "bytes as JSON, with the calendars that it names", len(raw))}}
	}
	return def, faults, nil
}
