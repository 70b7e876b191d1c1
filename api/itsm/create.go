package itsm

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

// Limits of create_ticket (itsm.md 1.3), in characters.
const (
	maxTitle        = 128
	maxTag          = 32
	maxDynamic      = 50
	maxDynamicName  = 32
	maxDynamicValue = 255
	maxFields       = 500
)

// Keys under which a ticket keeps what only this family knows. No field of a form can be called so.
const (
	keptDynamic   = "itsm:dynamic_fields"
	keptLanguages = "itsm:languages"
)

// field is one entry of a form as a caller fills it in.
type field struct {
	Key   *string `json:"key"`
	Value any     `json:"value"`
	Meta  *struct {
		Language json.RawMessage `json:"language"`
	} `json:"meta"`
}

// dynamicField is shown with the ticket and means nothing else.
type dynamicField struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// about is the parameter meta of create_ticket.
type about struct {
	CallbackURL     *string           `json:"callback_url"`
	CallbackProfile *string           `json:"callback_profile"`
	Headers         map[string]string `json:"headers"`
	Processors      map[string]string `json:"state_processors"`
	Misspelt        map[string]string `json:"state_processers"` // as seed 002 spells it outside of its sample; the sample's own counts
}

// processors says whom the caller named, and in which spelling.
func (a about) processors() (map[string]string, string) {
	if a.Processors == nil && a.Misspelt != nil {
		return a.Misspelt, "meta.state_processers"
	}
	return a.Processors, "meta.state_processors"
}

type createdTicket struct {
	Number string `json:"sn"`
	ID     int64  `json:"id"`
	URL    string `json:"ticket_url"`
}

// series are the kinds of numbers by type of service (itsm.md 5.9).
var series = map[string]ticket.Series{"request": ticket.SeriesREQ, "change": ticket.SeriesCRQ, "event": ticket.SeriesINC, "question": ticket.SeriesPBI}

// serviceType is the type of a service that says none, too.
func serviceType(def flow.Definition) string {
	if def.ServiceType == "" {
		return "request"
	}
	return def.ServiceType
}

func (h *Handler) createTicket(c *call) error {
	creator := c.user
	if c.Has("creator") {
		creator = c.Name("creator", 1, ticket.MaxName)
	} else if creator == "" {
		c.Faults.Add("creator", "is required")
	}
	fast := c.Flag("fast_approval")
	var number int64
	if !fast {
		number = c.ID("service_id")
	}
	draft := ticket.Draft{Channel: ticket.ChannelITSM, App: c.app.Code, Origin: c.app.Code, Opener: creator, Fields: map[string]any{}}
	form := c.form(&draft)
	var meta about
	c.Object("meta", &meta)
	for _, name := range []string{"callback_url", "callback_profile", "state_processors", "state_processers"} {
		if c.Has(name) {
			c.Faults.Add(name, "belongs into meta")
		}
	}
	c.callback(h, meta, &draft)
	if tag := c.Name("tag", 0, maxTag); tag != "" {
		draft.Tags = []string{tag}
	}
	if c.Flag("attention") {
		draft.Followers = []string{creator}
	}
	if err := c.Err(); err != nil {
		return err
	}
	record, err := h.serviceFor(c, fast, number)
	if err != nil {
		return err
	}
	wrong := fill(&draft, record.Definition, meta, form)
	opening := desk.Opening{Series: series[serviceType(record.Definition)], Draft: draft, Service: &record, Refusal: wrong}
	err = api.Open(c.Ctx, h.Desk, opening, func(id ticket.Identity) any {
		return c.envelope(createdTicket{id.Number, id.ID, h.Tickets.TicketURL(id.Number)})
	})
	if disabled := (desk.Disabled{}); errors.As(err, &disabled) {
		return fail(ticket.Conflict, codeCreate, saysCreate+"服务未启用")
	}
	if ticket.Is(err, ticket.Invalid) {
		return because(err, codeCreate, saysCreate+err.Error())
	}
	return err
}

// form reads what is filled in, by key, and takes the title out of it.
func (c *call) form(draft *ticket.Draft) map[string]any {
	var list []field
	c.Object("fields", &list)
	if !c.Has("fields") {
		c.Faults.Add("fields", "is required")
		return nil
	}
	if len(list) > maxFields {
		c.Faults.Add("fields", ticket.Over(maxFields, "items", len(list)))
		return nil
	}
	form, languages := map[string]any{}, map[string]any{}
	for i, f := range list {
		at := fmt.Sprintf("fields[%d]", i)
		if blank(api.Value(f.Key)) {
			c.Faults.Add(at+".key", "is required")
			continue
		}
		if _, twice := form[*f.Key]; twice {
			c.Faults.Add(at+".key", fmt.Sprintf("the field %q is there twice", *f.Key))
		}
		form[*f.Key] = f.Value
		if f.Meta != nil && len(f.Meta.Language) > 0 {
			languages[*f.Key] = f.Meta.Language
		}
	}
	if len(languages) > 0 {
		draft.Fields[keptLanguages] = asJSON(languages)
	}
	var dynamic []dynamicField
	c.Object("dynamic_fields", &dynamic)
	if len(dynamic) > maxDynamic {
		c.Faults.Add("dynamic_fields", ticket.Over(maxDynamic, "items", len(dynamic)))
		return form
	}
	for i, d := range dynamic {
		at := fmt.Sprintf("dynamic_fields[%d]", i)
		c.Faults.Name(at+".name", d.Name, 1, maxDynamicName)
		if !slices.Contains([]string{"STRING", "INT", "LINK"}, d.Type) {
			c.Faults.Add(at+".type", "must be one of STRING, INT, LINK")
		}
		if text := fmt.Sprint(d.Value); utf8.RuneCountInString(text) > maxDynamicValue {
			c.Faults.Add(at+".value", ticket.Over(maxDynamicValue, "characters", utf8.RuneCountInString(text)))
		}
	}
	if len(dynamic) > 0 {
		draft.Fields[keptDynamic] = asJSON(dynamic)
	}
	return form
}

// asJSON gives what was read from JSON as a ticket keeps it.
func asJSON(v any) (plain any) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = flow.DecodeExact(raw, &plain)
	}
	if err != nil {
		panic("itsm: JSON that does not marshal: " + err.Error()) // it was JSON a moment ago
	}
	return plain
}

// callback reads whom the ticket's end is to be told.
func (c *call) callback(h *Handler, meta about, draft *ticket.Draft) {
	if meta.CallbackURL == nil || *meta.CallbackURL == "" {
		return
	}
	cb := ticket.Callback{URL: *meta.CallbackURL, Format: string(notice.FormatITSM), Profile: h.profile(), Headers: meta.Headers}
	if err := ticket.AsError(notice.CheckURL(cb.URL, h.Allow)); err != nil {
		c.Faults.Add("meta.callback_url", err.Message)
	}
	if refusal := ticket.AsError(notice.CheckHeaders("meta.headers", cb.Headers)); refusal != nil {
		c.Faults = append(c.Faults, refusal)
	}
	if p := meta.CallbackProfile; p != nil && *p != "" {
		if cb.Profile = *p; !profiles[*p] {
			c.Faults.Add("meta.callback_profile", "must be one of once, minutely, standard")
		}
	}
	draft.Callback = &cb
}

// serviceFor finds the service that a ticket is to run through.
func (h *Handler) serviceFor(c *call, fast bool, number int64) (ticket.ServiceRecord, error) {
	if fast {
		record, err := h.Services.ServiceRecord(api.Context(c.Ctx), c.tenant, flow.ServiceFastApproval)
		return record, because(err, codeCreate, saysCreate+saysNoService)
	}
	record, err := h.Services.ServiceByNumber(api.Context(c.Ctx), c.tenant, number)
	return record, because(err, codeCreate, saysCreate+saysNoService)
}

// fill has the draft name people and fill in the form of a service. Faults are told in the original's order: those of state_processors, the title, the form.
func fill(draft *ticket.Draft, def flow.Definition, meta about, form map[string]any) error {
	processors, spelt := meta.processors()
	var f ticket.Faults
	for _, id := range slices.Sorted(maps.Keys(processors)) {
		at, persons := spelt+"."+id, flow.SplitPersons(processors[id])
		i := slices.IndexFunc(def.Nodes, func(n flow.Node) bool { return strconv.FormatInt(n.Number, 10) == id })
		switch {
		case i < 0:
			f.Add(at, "the service has no such node")
		case def.Nodes[i].Type != flow.Task && def.Nodes[i].Type != flow.Approval:
			f.Add(at, "the node asks nobody")
		case len(persons) == 0:
			f.Add(at, "must name somebody")
		default:
			if draft.Named == nil {
				draft.Named = map[string][]string{}
			}
			draft.Named[def.Nodes[i].ID] = persons
		}
	}
	title, isText := form["title"].(string)
	if form["title"] != nil && !isText {
		f.Add("title", "must be a string")
	} else {
		f.Name("title", title, 1, maxTitle)
	}
	draft.Title, draft.Form = title, form
	if !slices.ContainsFunc(def.Fields, func(d flow.Field) bool { return d.Key == "title" }) {
		draft.Form = maps.Clone(form)
		delete(draft.Form, "title")
	}
	return f.Err()
}
