package itsm

import (
	"fmt"
	"strings"

	"signalbox/flow"
	"signalbox/ticket"
)

// choice is one value that a field may have.
type choice struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// formField is a field of a form as the original's clients discover it (itsm.md 1.5).
type formField struct {
	ID            int64          `json:"id"`
	Key           string         `json:"key"`
	Type          string         `json:"type"`
	Name          string         `json:"name"`
	Desc          string         `json:"desc"`
	Choice        []choice       `json:"choice"`
	ValidateType  string         `json:"validate_type"` // REQUIRE or OPTION
	Regex         string         `json:"regex"`
	Meta          map[string]any `json:"meta"`
	WorkflowID    int64          `json:"workflow_id"`
	StateID       int64          `json:"state_id"`
	SourceType    string         `json:"source_type"`
	SourceURI     string         `json:"source_uri"`
	APIInstanceID int64          `json:"api_instance_id"`
	ReadOnly      bool           `json:"is_readonly"`
	CustomRegex   string         `json:"custom_regex"`
}

// fieldIDs is how many integer ids the fields of one node have room for.
const fieldIDs = 1_000

func newField(owner int64, place int, key, kind, name string, required bool) formField {
	f := formField{ID: owner*fieldIDs + int64(place) + 1, Key: key, Type: kind, Name: name, Choice: []choice{}, ValidateType: "OPTION", Regex: "EMPTY",
		Meta: map[string]any{}, StateID: owner, SourceType: "CUSTOM"}
	if required {
		f.ValidateType = "REQUIRE"
	}
	return f
}

// formOf shows a form; owner is the integer id of its node, or of the service whose tickets it opens.
func formOf(owner int64, from int, fields []flow.Field) []formField {
	out := make([]formField, 0, len(fields))
	for i, f := range fields {
		name := f.Name
		if name == "" {
			name = f.Key
		}
		shown := newField(owner, from+i, f.Key, string(f.Type), name, f.Required)
		if f.Type == flow.Bool { // a type that the original's clients do not know
			shown.Type, shown.Choice = "RADIO", []choice{{"true", "是"}, {"false", "否"}}
		}
		for _, c := range f.Choice {
			if c.Name == "" {
				c.Name = c.Key
			}
			shown.Choice = append(shown.Choice, choice{c.Key, c.Name})
		}
		if f.Regex != "" {
			shown.Regex, shown.CustomRegex = "CUSTOM", f.Regex
		}
		out = append(out, shown)
	}
	return out
}

// openingForm is what create_ticket asks for: always a title, and what else the service asks for.
func openingForm(def flow.Definition) []formField {
	for _, f := range def.Fields {
		if f.Key == "title" {
			return formOf(def.Number, 0, def.Fields)
		}
	}
	title := flow.Field{Key: "title", Name: "标题", Type: flow.String, Required: true}
	return formOf(def.Number, 0, append([]flow.Field{title}, def.Fields...))
}

var passOrReject = []choice{{"true", "通过"}, {"false", "拒绝"}}

// approvalFields are the three that every approval asks for (itsm.md 5.8): the result, a remark shown with a pass, a remark shown with a
// rejection. Their keys are the same for ever, because the node's number is.
func approvalFields(n flow.Node) []formField {
	result := newField(n.Number, 0, fmt.Sprintf("approve_result_%d", n.Number), "RADIO", "审批意见", true)
	result.Choice, result.Meta = passOrReject, map[string]any{"code": "APPROVE_RESULT"}
	return []formField{result,
		newField(n.Number, 1, fmt.Sprintf("approve_remark_%d", n.Number), "TEXT", "备注", false),
		newField(n.Number, 2, fmt.Sprintf("reject_remark_%d", n.Number), "TEXT", "备注", true),
	}
}

// actionFields are what a task asks for because of its action: the parameters of seed 001.
func actionFields(n flow.Node, types []string) []formField {
	yesNo := []choice{{"true", "是"}, {"false", "否"}}
	switch n.Action {
	case flow.CommitSolution:
		kind := newField(n.Number, 0, "mtm_type", "SELECT", "类型", true)
		for _, t := range types {
			kind.Choice = append(kind.Choice, choice{t, t})
		}
		interrupted := newField(n.Number, 1, "is_service_interrupt", "RADIO", "是否中断业务", true)
		interrupted.Choice = yesNo
		return []formField{kind, interrupted, newField(n.Number, 2, "cause", "TEXT", "原因", true), newField(n.Number, 3, "solution", "TEXT", "解决方案", true)}
	case flow.Confirm:
		result := newField(n.Number, 0, "virtual_confirm_result", "RADIO", "验证结果", true)
		result.Choice = yesNo
		return []formField{result, newField(n.Number, 1, "virtual_confirm_comment", "TEXT", "验证说明", true)}
	}
	return nil
}

// nodeForm is everything that a node asks for.
func nodeForm(n flow.Node, types []string) []formField {
	builtin := actionFields(n, types)
	if n.Type == flow.Approval {
		builtin = approvalFields(n)
	}
	return append(append([]formField{}, builtin...), formOf(n.Number, len(builtin), n.Fields)...)
}

// within says whose form it is.
func within(workflow int64, fields []formField) []formField {
	for i := range fields {
		fields[i].WorkflowID = workflow
	}
	return fields
}

// filledField is a field with what was filled in.
type filledField struct {
	ID           int64  `json:"id"`
	Key          string `json:"key"`
	Type         string `json:"type"`
	Name         string `json:"name"`
	Desc         string `json:"desc"`
	Value        any    `json:"value"`
	DisplayValue any    `json:"display_value"`
}

func (f formField) filled(value any) filledField {
	if value == nil {
		value = ""
	}
	out := filledField{ID: f.ID, Key: f.Key, Type: f.Type, Name: f.Name, Desc: f.Desc, Value: value, DisplayValue: value}
	if len(f.Choice) == 0 {
		return out
	}
	var names []string
	for _, key := range strings.Split(fmt.Sprint(value), ",") {
		name := key
		for _, c := range f.Choice {
			if c.Key == key {
				name = c.Name
			}
		}
		names = append(names, name)
	}
	out.DisplayValue = strings.Join(names, ",")
	return out
}

// filledFields gives every field of a ticket: those it was opened with, those of the nodes it has come to, and those that are only shown.
func filledFields(t ticket.Ticket, def flow.Definition, types []string) []filledField {
	out := []filledField{}
	for _, f := range openingForm(def) {
		value := t.Fields[f.Key]
		if f.Key == "title" {
			value = t.Title
		}
		out = append(out, f.filled(value))
	}
	for _, n := range def.Nodes {
		state, entered := t.Position.Find(n.ID)
		if !entered {
			continue
		}
		given := nodeValues(t, n, state)
		for _, f := range nodeForm(n, types) {
			value, ok := given[f.Key]
			if !ok {
				value = t.Fields[f.Key]
			}
			out = append(out, f.filled(value))
		}
	}
	dynamic, _ := t.Fields[keptDynamic].([]any)
	for i, one := range dynamic {
		d, _ := one.(map[string]any)
		name, _ := d["name"].(string)
		kind, _ := d["type"].(string)
		out = append(out, newField(0, i, fmt.Sprintf("dynamic_%d", i+1), kind, name, false).filled(d["value"]))
	}
	return out
}

// nodeValues gives what was answered to the fields that a node has by its type or action.
func nodeValues(t ticket.Ticket, n flow.Node, state flow.NodeState) map[string]any {
	switch {
	case n.Type == flow.Approval:
		fields := approvalFields(n)
		result, remark := "", ""
		if state.Result != nil {
			result = fmt.Sprint(*state.Result)
		}
		if last := len(state.Votes) - 1; last >= 0 {
			remark = state.Votes[last].Comment
		}
		values := map[string]any{fields[0].Key: result, fields[1].Key: "", fields[2].Key: ""}
		if result == "false" {
			values[fields[2].Key] = remark
		} else {
			values[fields[1].Key] = remark
		}
		return values
	case n.Action == flow.CommitSolution && t.Solution != nil:
		return map[string]any{"mtm_type": t.Solution.Type, "is_service_interrupt": fmt.Sprint(t.Solution.Interrupted), "cause": t.Solution.Cause, "solution": t.Solution.Text}
	case n.Action == flow.Confirm && t.Verdict != nil:
		return map[string]any{"virtual_confirm_result": fmt.Sprint(t.Verdict.Passed), "virtual_confirm_comment": t.Verdict.Comment}
	}
	return nil
}
