package itsm

import (
	"strconv"

	"signalbox/api"
	"signalbox/flow"
)

// submitName is the name of what opens a ticket, which the original shows as a node. Its integer id is the service's.
const submitName = "提单"

// state is a node of a workflow (itsm.md 1.10).
type state struct {
	ID             int64          `json:"id"`
	Name           string         `json:"name"`
	Type           string         `json:"type"`
	ProcessorsType string         `json:"processors_type"`
	Processors     string         `json:"processors"`
	AssignorsType  string         `json:"assignors_type"`
	Assignors      string         `json:"assignors"`
	DeliversType   string         `json:"delivers_type"`
	Delivers       string         `json:"delivers"`
	CanDeliver     bool           `json:"can_deliver"`
	Terminable     bool           `json:"is_terminable"`
	Distribute     string         `json:"distribute_type"`
	APIInstanceID  int64          `json:"api_instance_id"`
	Workflow       int64          `json:"workflow"`
	Fields         []int64        `json:"fields"`
	Multi          bool           `json:"is_multi"`
	Sequential     bool           `json:"is_sequential"`
	Finish         map[string]any `json:"finish_condition"`
	AllowSkip      bool           `json:"is_allow_skip"`
	Extras         map[string]any `json:"extras"`
	Label          string         `json:"label"`
	Tag            string         `json:"tag"`
}

// transition is a way from node to node.
type transition struct {
	ID            int64          `json:"id"`
	Name          string         `json:"name"`
	From          int64          `json:"from_state"`
	To            int64          `json:"to_state"`
	ConditionType string         `json:"condition_type"`
	Condition     map[string]any `json:"condition"`
	Workflow      int64          `json:"workflow"`
}

type workflow struct {
	Name        string       `json:"name"`
	Type        string       `json:"flow_type"`
	Desc        string       `json:"desc"`
	Version     string       `json:"version_number"`
	States      []state      `json:"states"`
	Transitions []transition `json:"transitions"`
	Fields      []formField  `json:"fields"`
}

// stateTypes are the original's words for types of nodes (itsm.md 5.2).
var stateTypes = map[flow.NodeType]string{
	flow.Task: "NORMAL", flow.Approval: "APPROVAL", flow.Call: "TASK", flow.Wait: "TASK", flow.Branch: "ROUTER", flow.Parallel: "ROUTER-P", flow.Join: "COVERAGE",
	flow.End: "END",
}

func stateType(n flow.Node) string { return stateTypes[n.Type] }

// distributions are the original's words for how a task finds who does it (itsm.md 5.5).
var distributions = map[flow.Distribution]string{
	flow.ByAll: "PROCESS", flow.ByClaim: "CLAIM_THEN_PROCESS", flow.ByAssign: "DISTRIBUTE_THEN_PROCESS", flow.AssignThenClaim: "DISTRIBUTE_THEN_CLAIM",
}

func (h *Handler) workflowDetail(c *call) error {
	id := c.ID("workflow_id")
	if err := c.Err(); err != nil {
		return err
	}
	ctx := api.Context(c.Ctx)
	latest, err := h.Services.ServiceByNumber(ctx, c.tenant, id/versions)
	def := latest.Definition
	if version := int(id % versions); err == nil && version != def.Version {
		def, err = h.Services.ServiceVersion(ctx, c.tenant, def.Key, version)
	}
	if err != nil {
		return because(err, codeNoObject, saysNoFlow)
	}
	return c.answer(workflowOf(def, h.Types))
}

func workflowOf(def flow.Definition, types []string) workflow {
	id := flowID(def)
	out := workflow{Name: def.Name, Type: serviceType(def), Desc: def.Description, Version: strconv.Itoa(def.Version), Transitions: []transition{},
		Fields: within(id, openingForm(def))}
	submit := state{ID: def.Number, Name: submitName, Type: "NORMAL", ProcessorsType: "OPEN", Fields: idsOfFields(out.Fields)}
	out.States = append(out.States, submit.of(id))
	numbers := map[string]int64{}
	for _, n := range def.Nodes {
		numbers[n.ID] = n.Number
		form := within(id, nodeForm(n, types))
		out.Fields = append(out.Fields, form...)
		out.States = append(out.States, stateOf(n, form).of(id))
	}
	link := func(from, to int64, name, kind string) {
		always := map[string]any{"type": "and", "expressions": []any{map[string]any{"type": "and", "expressions": []any{
			map[string]any{"key": "G_INT_1", "condition": "==", "value": "1", "type": "INT", "source": "global"}}}}}
		out.Transitions = append(out.Transitions, transition{id*fieldIDs + int64(len(out.Transitions)) + 1, name, from, to, kind, always, id})
	}
	link(def.Number, def.Nodes[0].Number, "默认", "default")
	for _, l := range flow.Draw(def, nil).Edges {
		kind, name := "default", "默认"
		if l.Label != "" {
			kind, name = "by_field", l.Label
		}
		if !l.Ends {
			link(numbers[l.From], numbers[l.To], name, kind)
		}
	}
	return out
}

func idsOfFields(fields []formField) []int64 {
	ids := []int64{}
	for _, f := range fields {
		ids = append(ids, f.ID)
	}
	return ids
}

func stateOf(n flow.Node, form []formField) state {
	s := state{ID: n.Number, Name: n.Name, Type: stateType(n), CanDeliver: n.Deliver != nil, Terminable: n.Terminable, Distribute: distributions[n.Distribute],
		Fields: idsOfFields(form), Multi: n.Type == flow.Approval && n.Rule != "" && n.Rule != flow.AnyOf, Sequential: n.Rule == flow.Sequence}
	s.ProcessorsType, s.Processors = processorsOf(n.Processors)
	s.AssignorsType, s.Assignors = processorsOf(n.Assigners)
	s.DeliversType, s.Delivers = processorsOf(n.Deliver)
	if n.Type == flow.Approval {
		s.Extras = map[string]any{"enable_terminate_ticket_when_rejected": n.Reject != nil && n.Reject.Then == flow.GoEnd}
	}
	return s
}

// of completes a state of a workflow with what is the same for most.
func (s state) of(workflow int64) state {
	s.Workflow, s.Tag, s.Label, s.Finish = workflow, "DEFAULT", "EMPTY", map[string]any{}
	for _, kind := range []*string{&s.ProcessorsType, &s.AssignorsType, &s.DeliversType} {
		if *kind == "" {
			*kind = "EMPTY"
		}
	}
	if s.Distribute == "" {
		s.Distribute = distributions[flow.ByAll]
	}
	if s.Extras == nil {
		s.Extras = map[string]any{}
	}
	return s
}
