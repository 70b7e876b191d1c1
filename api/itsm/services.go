package itsm

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/people"
	"signalbox/ticket"
)

// service is a service in a list.
type service struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"service_type"`
	Desc string `json:"desc"`
}

// services lists those that open tickets. Every one of them is for everybody, so that who it is shown to chooses nothing.
func (h *Handler) services(c *call) error {
	id, kind := c.Whole("catalog_id", rootCatalog, 0, api.MaxID), c.Choice("service_type", "request", "change", "event", "question")
	c.Name("display_type", 0, ticket.MaxName)
	c.Name("display_role", 0, ticket.MaxName)
	if err := c.Err(); err != nil {
		return err
	}
	records, err := h.Services.ServiceRecords(api.Context(c.Ctx), c.tenant)
	if err != nil {
		return err
	}
	shelves, err := h.shelves(api.Context(c.Ctx), c.tenant)
	if err != nil {
		return err
	}
	out := []service{}
	for _, r := range records {
		if r.Enabled && shelves.within(shelves.catalogOf(r.Definition), id) && (kind == "" || kind == serviceType(r.Definition)) {
			out = append(out, service{r.Number, r.Name, serviceType(r.Definition), r.Description})
		}
	}
	return c.answer(out)
}

// detailField is a field of an opening form with all that its clients may look for (itsm.md 1.10).
type detailField struct {
	formField
	Default        string         `json:"default"`
	Layout         string         `json:"layout"`
	APIInfo        map[string]any `json:"api_info"`
	KVRelation     map[string]any `json:"kv_relation"`
	RegexConfig    map[string]any `json:"regex_config"`
	ShowType       int            `json:"show_type"`
	ShowConditions map[string]any `json:"show_conditions"`
}

type serviceDetail struct {
	ID         int64         `json:"service_id"`
	WorkflowID int64         `json:"workflow_id"`
	Name       string        `json:"name"`
	Type       string        `json:"service_type"`
	Desc       string        `json:"desc"`
	Fields     []detailField `json:"fields"`

	// NotCarriedOver is ours: what of the flow that the service was imported from its latest version has nothing for.
	NotCarriedOver []ticket.NotCarried `json:"not_carried_over,omitempty"`
}

// definition finds the latest version of a service by its integer id.
func (h *Handler) definition(c *call, code int) (flow.Definition, error) {
	id := c.ID("service_id")
	if err := c.Err(); err != nil {
		return flow.Definition{}, err
	}
	record, err := h.Services.ServiceByNumber(api.Context(c.Ctx), c.tenant, id)
	return record.Definition, because(err, code, saysNoService)
}

func (h *Handler) serviceDetail(c *call) error {
	def, err := h.definition(c, codeNoObject)
	if err != nil {
		return err
	}
	shelves, err := h.shelves(api.Context(c.Ctx), c.tenant)
	if err != nil {
		return err
	}
	out := serviceDetail{def.Number, flowID(def), def.Name, serviceType(def), def.Description, []detailField{}, shelves.imported[def.Key].Left}
	for _, f := range within(flowID(def), openingForm(def)) {
		given := defaultOf(def, f.Key)
		out.Fields = append(out.Fields, detailField{formField: f, Default: given, Layout: "COL_12", APIInfo: map[string]any{}, KVRelation: map[string]any{},
			RegexConfig: map[string]any{}, ShowType: 1, ShowConditions: map[string]any{}})
	}
	return c.answer(out)
}

func defaultOf(def flow.Definition, key string) string {
	for _, f := range def.Fields {
		if f.Key != key {
			continue
		}
		switch value := f.Default.(type) {
		case string:
			return value
		case bool:
			return strconv.FormatBool(value)
		case json.Number:
			return string(value)
		}
	}
	return ""
}

// role is a node that somebody, or a system that is called, handles.
type role struct {
	ID             int64  `json:"id"`
	Name           string `json:"name"`
	ProcessorsType string `json:"processors_type"`
	Processors     string `json:"processors"`
	SignType       string `json:"sign_type"` // and: all of them have to act; or: one of them
}

// serviceRoles lists the nodes of a service at which people are asked or a system is called (the original's NORMAL, APPROVAL and TASK, itsm.md
// 1.9), in the order in which a ticket comes to them; with all, what opens a ticket comes first. Those of a call are asked when it has failed.
func (h *Handler) serviceRoles(c *call) error {
	creator, all := c.Name("ticket_creator", 0, ticket.MaxName), c.Flag("all")
	def, err := h.definition(c, codeNoService)
	if err != nil {
		return err
	}
	out := []role{}
	if all {
		out = append(out, role{def.Number, submitName, "OPEN", "", "or"})
	}
	for _, n := range inOrder(def) {
		if n.Type != flow.Task && n.Type != flow.Approval && n.Type != flow.Call {
			continue
		}
		kind, persons := processorsOf(n.Processors)
		switch {
		case kind == "STARTER":
			persons = creator
		case kind == "STARTER_LEADER" && creator != "":
			if persons, err = h.leader(c, creator); err != nil {
				return err
			}
		}
		sign := "or"
		if n.Type == flow.Approval && n.Rule != "" && n.Rule != flow.AnyOf {
			sign = "and"
		}
		out = append(out, role{n.Number, n.Name, kind, persons, sign})
	}
	return c.answer(out)
}

// leader is the manager of a person, as the directory has it; empty: there is none.
func (h *Handler) leader(c *call, person string) (string, error) {
	facts, err := h.People.Lookup(api.Context(c.Ctx), c.tenant, people.Want{Managers: []string{person}})
	if err != nil || len(facts.Managers) == 0 {
		return "", err
	}
	return facts.Managers[0].Manager, nil
}

// inOrder lists the nodes that can be reached from the first, as a ticket comes to them.
func inOrder(def flow.Definition) []flow.Node {
	var out []flow.Node
	seen := map[string]bool{}
	lines := flow.Draw(def, nil).Edges
	for next := []string{def.Nodes[0].ID}; len(next) > 0; next = next[1:] {
		if seen[next[0]] {
			continue
		}
		seen[next[0]] = true
		out = append(out, nodeOf(def, next[0]))
		for _, l := range lines {
			if l.From == next[0] && l.To != "" {
				next = append(next, l.To)
			}
		}
	}
	return slices.DeleteFunc(out, func(n flow.Node) bool { return n.ID == "" })
}

// processorsOf says in the original's words who is asked (itsm.md 5.4): the first that fits.
func processorsOf(p *flow.Processors) (kind, persons string) {
	switch {
	case p == nil:
		return "EMPTY", ""
	case len(p.Persons) > 0:
		return "PERSON", strings.Join(p.Persons, ",")
	case len(p.Fields) > 0:
		return "VARIABLE", strings.Join(p.Fields, ",")
	case len(p.Groups) > 0:
		return "GENERAL", strings.Join(p.Groups, ",")
	case p.ManagerOf == "opener":
		return "STARTER_LEADER", ""
	case p.ManagerOf == "assignee":
		return "ASSIGN_LEADER", ""
	case p.ManagerOf != "":
		return "VARIABLE_LEADER", p.ManagerOf
	case p.Opener:
		return "STARTER", ""
	case p.Anyone:
		return "OPEN", ""
	}
	return "EMPTY", "" // whoever the caller names, or the assignee
}
