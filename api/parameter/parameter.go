// Package parameter is the parameter object of seed 001, which the incident, the issue and the itsm family take for the same actions.
package parameter

import (
	"encoding/json"
	"slices"
	"strings"

	"signalbox/api"
	"signalbox/ticket"
)

// Members are those that stand in a parameter object, whatever the action.
var Members = []string{"mtm_type", "is_service_interrupt", "cause", "solution", "start_time", "fault_recovery_time", "virtual_confirm_result", "virtual_confirm_comment"}

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

// Fill fills in what a command's action needs from the parameter object of seed 001, and tells everything that is wrong with the object; with
// that, so that all is told at once, what the command's own Check says, which is otherwise left to the desk. types are the words taken for mtm_type.
//
//	commit-solution  mtm_type, is_service_interrupt, cause, solution; start_time, fault_recovery_time
//	confirm          virtual_confirm_result, virtual_confirm_comment
//
// All but the two times are required; other actions take no parameter, and a parameter that is there all the same is passed over if it is an object.
func Fill(c *ticket.Command, raw json.RawMessage, types []string) error {
	var p struct {
		Type        *string     `json:"mtm_type"`
		Interrupted *api.Flag   `json:"is_service_interrupt"`
		Cause       *string     `json:"cause"`
		Text        *string     `json:"solution"`
		Started     *api.Millis `json:"start_time"`
		Recovered   *api.Millis `json:"fault_recovery_time"`
		Passed      *api.Flag   `json:"virtual_confirm_result"`
		Comment     *string     `json:"virtual_confirm_comment"`
	}
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
	var f ticket.Faults
	switch c.Action {
	case ticket.CommitSolution:
		c.Solution = &ticket.Solution{Type: api.Value(p.Type), Interrupted: bool(api.Value(p.Interrupted)), Cause: api.Value(p.Cause), Text: api.Value(p.Text),
			StartedAt: (*int64)(p.Started), RecoveredAt: (*int64)(p.Recovered)}
		if c.Solution.Type != "" && !slices.Contains(types, c.Solution.Type) {
			f.Add("mtm_type", "is none of "+strings.Join(types, ", "))
		}
		if p.Interrupted == nil {
			f.Add("is_service_interrupt", "is required")
		}
	case ticket.Confirm:
		if p.Passed != nil {
			c.Verdict = &ticket.Verdict{Passed: bool(*p.Passed), Comment: api.Value(p.Comment)}
		}
	}
	if len(f) == 0 {
		return nil
	}
	if refusal := ticket.AsError(c.Check()); refusal != nil {
		f = append(f, refusal)
	}
	return f.Err()
}
