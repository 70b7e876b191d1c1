package incident

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"signalbox/api"
	"signalbox/api/parameter"
	"signalbox/ticket"

	"github.com/gofiber/fiber/v2"
)

// envelope is around every answer: seed 001's four members in its order.
type envelope struct {
	ErrorCode    string  `json:"error_code"`
	ErrorMsg     *string `json:"error_msg"` // null on success
	ProviderCode string  `json:"provider_code"`
	Data         any     `json:"data"` // null where there is nothing to tell
}

func done(data any) envelope {
	return envelope{ErrorCode: codeDone, ProviderCode: providerCode, Data: data}
}

// handling is the body of the handle call (seed 001).
type handling struct {
	Number    *string         `json:"incident_num"`
	Operator  *string         `json:"operator"`
	Key       *string         `json:"operate_key"`
	Parameter json.RawMessage `json:"parameter"`
	Others    api.Others      `json:",embed"`
}

// members are those that stand beside parameter.
var members = []string{"incident_num", "operator", "operate_key"}

// command makes the house's command of it. Once it is given, Number is there.
func (in handling) command() (ticket.Command, error) {
	cmd := ticket.Command{Action: actions[api.Value(in.Key)], Operator: api.Value(in.Operator)}
	var f ticket.Faults
	f.Name("incident_num", api.Value(in.Number), 1, ticket.MaxName)
	f.Name("operator", cmd.Operator, 1, ticket.MaxName)
	switch {
	case api.Value(in.Key) == "":
		f.Add("operate_key", "is required and must not be empty")
	case cmd.Action == "":
		foreign(&f, "operate_key", *in.Key)
	}
	if err := f.Err(); err != nil {
		return cmd, err
	}
	if err := parameter.Misplaced(in.Others, parameter.Members, in.Parameter, members); err != nil {
		return cmd, err
	}
	return cmd, parameter.Fill(&cmd, in.Parameter)
}

// Subject is whom and what the body names.
func (in handling) Subject() api.Subject {
	return api.Subject{Operator: api.Value(in.Operator), Number: api.Value(in.Number)}
}

// Subject is whom the body names.
func (in creation) Subject() api.Subject { return api.Subject{Operator: api.Value(in.Creator)} }

// subject reads whom and what a request names that was refused before its body was taken; see api.Family.
func subject(c *fiber.Ctx) api.Subject {
	number, _ := api.Param(c, "incident_num")
	return api.Subject{Operator: api.Named(c, "operator", "creator"), Number: cmp.Or(number, api.Named(c, "incident_num"))}
}

// creation is the body of the create call.
type creation struct {
	Region      []string     `json:"region"`
	Project     []string     `json:"enterprise_project"`
	Service     []string     `json:"current_cloud_service"`
	Level       *string      `json:"incident_level"`
	Interrupted *ticket.Flag `json:"is_service_interrupt"`
	Type        *string      `json:"incident_type"`
	Title       *string      `json:"incident_title"`
	Description *string      `json:"incident_description"`
	Source      *string      `json:"incident_source"`
	Assignee    []string     `json:"incident_assignee"`
	Scene       *string      `json:"assignee_scene"`
	Role        *string      `json:"assignee_role"`
	Creator     *string      `json:"creator"`
	Ownership   *string      `json:"incident_ownership"`
	StartTime   *int64       `json:"start_time"` // milliseconds since 1970
}

// Limits of the create call, in characters.
const (
	maxTitle       = 200
	maxDescription = 600
)

// draft checks the body and makes the house's draft of it. What the house has no word for goes into its Fields under the caller's names.
func (in creation) draft(types []string) (ticket.Draft, error) {
	var f ticket.Faults
	word := func(field string, value *string, taken func(string) bool) {
		switch {
		case value == nil || *value == "":
			f.Add(field, "is required and must not be empty")
		case !taken(*value):
			foreign(&f, field, *value)
		}
	}
	word("incident_level", in.Level, func(v string) bool { _, ok := levels[v]; return ok })
	if in.Interrupted == nil {
		f.Add("is_service_interrupt", "is required")
	}
	word("incident_type", in.Type, func(v string) bool { return slices.Contains(types, v) })
	f.Name("incident_title", api.Value(in.Title), 1, maxTitle)
	f.Text("incident_description", api.Value(in.Description), 0, maxDescription)
	word("incident_source", in.Source, func(v string) bool { _, ok := sources[v]; return ok })
	f.Name("creator", api.Value(in.Creator), 1, ticket.MaxName)
	one := func(field string, list []string) {
		if len(list) > 1 {
			f.Add(field, ticket.Over(1, "item", len(list)))
			return
		}
		for i, item := range list {
			f.Name(fmt.Sprintf("%s[%d]", field, i), item, 1, ticket.MaxName)
		}
	}
	one("region", in.Region)
	one("enterprise_project", in.Project)
	one("current_cloud_service", in.Service)
	one("incident_assignee", in.Assignee)
	f.Name("assignee_scene", api.Value(in.Scene), 0, ticket.MaxName)
	f.Name("assignee_role", api.Value(in.Role), 0, ticket.MaxName)
	f.Name("incident_ownership", api.Value(in.Ownership), 0, ticket.MaxName)
	if len(in.Assignee) == 0 && (api.Value(in.Scene) == "" || api.Value(in.Role) == "") {
		f.Add("incident_assignee", "is required, or assignee_scene and assignee_role together")
	}
	if in.StartTime != nil && (*in.StartTime < 0 || *in.StartTime > ticket.MaxMillis) {
		f.Add("start_time", "must be milliseconds since 1970, up to the year 9999")
	}
	if err := f.Err(); err != nil {
		return ticket.Draft{}, err
	}
	return ticket.Draft{
		Channel: ticket.ChannelIncident, Origin: *in.Source, Title: *in.Title, Description: api.Value(in.Description),
		Opener: *in.Creator, Assignee: cmp.Or(in.Assignee...), Fields: in.fields(),
	}, nil
}

func (in creation) fields() map[string]any {
	fields := map[string]any{
		"incident_level": *in.Level, "is_service_interrupt": bool(*in.Interrupted), "incident_type": *in.Type, "incident_source": *in.Source,
	}
	for field, list := range map[string][]string{"region": in.Region, "enterprise_project": in.Project, "current_cloud_service": in.Service} {
		if len(list) > 0 {
			fields[field] = list
		}
	}
	for field, text := range map[string]*string{"assignee_scene": in.Scene, "assignee_role": in.Role, "incident_ownership": in.Ownership} {
		if api.Value(text) != "" {
			fields[field] = *text
		}
	}
	if in.StartTime != nil {
		fields["start_time"] = *in.StartTime
	}
	return fields
}

// created is what the create call answers.
type created struct {
	Number string `json:"incident_num"`
}

// detail is an incident as callers see it. What a ticket of another family lacks is left out.
type detail struct {
	Number      string      `json:"incident_num"`
	Region      []string    `json:"region,omitempty"`
	Project     []string    `json:"enterprise_project,omitempty"`
	Service     []string    `json:"current_cloud_service,omitempty"`
	Level       string      `json:"incident_level,omitempty"`
	Interrupted *bool       `json:"is_service_interrupt,omitempty"`
	StartTime   *int64      `json:"start_time,omitempty"`
	Recovery    *int64      `json:"fault_recovery_time,omitempty"`
	Ownership   string      `json:"incident_ownership,omitempty"`
	Type        string      `json:"incident_type,omitempty"`
	Title       string      `json:"incident_title"`
	Description string      `json:"incident_description"`
	Source      string      `json:"incident_source,omitempty"`
	Assignee    []string    `json:"incident_assignee"`
	Scene       string      `json:"assignee_scene,omitempty"`
	Role        string      `json:"assignee_role,omitempty"`
	HandleTime  *int64      `json:"handle_time,omitempty"` // when the last solution was committed
	Status      string      `json:"status"`
	CreateTime  int64       `json:"create_time"`
	Creator     string      `json:"creator"`
	Enums       []enumWords `json:"enum_data_list"`
}

// enumWords names a value of a field; "filed_key" is how the original system spells it.
type enumWords struct {
	Field string `json:"filed_key"`
	Key   string `json:"enum_key"`
	Zh    string `json:"name_zh"`
	En    string `json:"name_en"`
}

func detailOf(t ticket.Ticket) detail {
	given := fields(t.Fields)
	d := detail{
		Number: t.Number, Region: given.list("region"), Project: given.list("enterprise_project"), Service: given.list("current_cloud_service"),
		Level: given.text("incident_level"), Interrupted: given.flag("is_service_interrupt"), StartTime: given.number("start_time"),
		Ownership: given.text("incident_ownership"), Type: given.text("incident_type"), Title: t.Title, Description: t.Description,
		Source: t.Origin, Assignee: []string{}, Scene: given.text("assignee_scene"), Role: given.text("assignee_role"),
		Status: statusWords[t.Status], CreateTime: t.CreatedAt.UnixMilli(), Creator: t.Opener,
	}
	if t.Assignee != "" {
		d.Assignee = []string{t.Assignee}
	}
	if d.Creator == "" {
		d.Creator = t.App
	}
	// Who solved it knows better than who opened it, unless it was an external system, which says neither.
	if s := t.Solution; s != nil && s.Type != "" {
		d.Type, d.Interrupted, d.StartTime, d.Recovery = s.Type, &s.Interrupted, cmp.Or(s.StartedAt, d.StartTime), s.RecoveredAt
	}
	d.HandleTime = millis(t.SolvedAt)
	d.Enums = []enumWords{}
	for _, enum := range []struct {
		field, key string
		names      map[string]name
	}{{"incident_level", d.Level, levels}, {"incident_type", d.Type, typeNames}, {"incident_source", d.Source, sources}} {
		if n, ok := enum.names[enum.key]; ok {
			d.Enums = append(d.Enums, enumWords{enum.field, enum.key, n.zh, n.en})
		}
	}
	return d
}

// fields reads what a ticket was given at its opening, through JSON and perhaps by another family: a value of another kind counts as none.
type fields map[string]any

func (f fields) text(name string) string {
	text, _ := f[name].(string)
	return text
}

func (f fields) list(name string) []string {
	switch list := f[name].(type) {
	case []string:
		return list
	case []any:
		var texts []string
		for _, item := range list {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}

func (f fields) flag(name string) *bool {
	if flag, ok := f[name].(bool); ok {
		return &flag
	}
	return nil
}

func (f fields) number(name string) *int64 {
	var n int64
	switch number := f[name].(type) {
	case int64:
		n = number
	case float64:
		n = int64(number)
	case json.Number:
		n, _ = number.Int64()
	default:
		return nil
	}
	return &n
}

func millis(at *time.Time) *int64 {
	if at == nil {
		return nil
	}
	ms := at.UnixMilli()
	return &ms
}
