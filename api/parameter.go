package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox/ticket"
)

// Parameter fills in what a command's action needs from the parameter object of seed 001, and tells everything that is wrong with the
// command: with the object, and by the command's own Check. types are the words taken for mtm_type.
//
//	commit-solution  mtm_type, is_service_interrupt, cause, solution
//	confirm          virtual_confirm_result, virtual_confirm_comment
//
// All of them are required; other actions take no parameter, and a parameter that is there all the same is passed over if it is an object.
func Parameter(c *ticket.Command, raw json.RawMessage, types []string) error {
	var p struct {
		Type        *string `json:"mtm_type"`
		Interrupted *Flag   `json:"is_service_interrupt"`
		Cause       *string `json:"cause"`
		Text        *string `json:"solution"`
		Passed      *Flag   `json:"virtual_confirm_result"`
		Comment     *string `json:"virtual_confirm_comment"`
	}
	switch {
	case len(raw) == 0 || string(raw) == "null":
	case c.Action != ticket.CommitSolution && c.Action != ticket.Confirm:
		if err := DecodeJSON(raw, &struct{}{}); err != nil {
			return within("parameter", err)
		}
	default:
		if err := DecodeJSON(raw, &p); err != nil {
			return within("parameter", err)
		}
	}
	var f ticket.Faults
	switch c.Action {
	case ticket.CommitSolution:
		c.Solution = &ticket.Solution{Type: value(p.Type), Interrupted: bool(value(p.Interrupted)), Cause: value(p.Cause), Text: value(p.Text)}
		if c.Solution.Type != "" && !slices.Contains(types, c.Solution.Type) {
			f.Add("mtm_type", "is none of "+strings.Join(types, ", "))
		}
		if p.Interrupted == nil {
			f.Add("is_service_interrupt", "is required")
		}
	case ticket.Confirm:
		if p.Passed != nil {
			c.Verdict = &ticket.Verdict{Passed: bool(*p.Passed), Comment: value(p.Comment)}
		}
	}
	if err := c.Check(); err != nil {
		refusal := ticket.AsError(err)
		if refusal == nil {
			return fmt.Errorf("check command: %w", err)
		}
		f = append(f, refusal)
	}
	return f.Err()
}

// within names the object that a fault of the whole of it stands for; its members are named by themselves.
func within(object string, err error) error {
	if refusal := ticket.AsError(err); refusal != nil && refusal.Field == "body" {
		return ticket.RefuseField(refusal.Code, object, refusal.Message)
	}
	return err
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
