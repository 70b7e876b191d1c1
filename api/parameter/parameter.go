// Package parameter is the parameter object of seed 001, which the incident, the issue and the itsm family take for the same actions.
package parameter

import (
	"encoding/json"

	"signalbox/api"
	"signalbox/ticket"
)

// Members are those that stand in a parameter object, whatever the action.
var Members = ticket.Parameter{}.Names()

// Misplaced refuses what stands at the wrong level: members of the parameter object among the others of the call, and members of the call in the
// parameter object. Neither would be kept.
func Misplaced(others api.Others, members []string, raw json.RawMessage, call []string) error {
	var f ticket.Faults
	others.Misplaced(&f, "", members, "into parameter")
	var inside api.Others
	if api.DecodeJSON(raw, &inside) == nil { // what is wrong with it is told by Fill
		inside.Misplaced(&f, "parameter.", call, "beside parameter")
	}
	return f.Err()
}

// Fill fills in what a command's action needs from the parameter object of seed 001, and tells everything that is wrong with the object; see
// ticket.Parameter. A parameter that is there although the action takes none is passed over if it is an object.
func Fill(c *ticket.Command, raw json.RawMessage) error {
	var p ticket.Parameter
	switch {
	case len(raw) == 0 || string(raw) == "null":
	case c.Action != ticket.CommitSolution && c.Action != ticket.Confirm:
		if err := api.DecodeMember("parameter", raw, &struct{}{}); err != nil {
			return err
		}
	default:
		if err := api.DecodeMember("parameter", raw, &p); err != nil {
			return err
		}
	}
	return p.Fill(c)
}
