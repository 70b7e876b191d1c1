package itsm

import (
	"strings"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/ticket"
)

type logged struct {
	Number    string     `json:"sn"`
	Title     string     `json:"title"`
	CreatedAt string     `json:"create_at"`
	Creator   string     `json:"creator"`
	Logs      []logEntry `json:"logs"`
}

// logEntry is one sentence of what happened. Form and State are told on request.
type logEntry struct {
	Operator string         `json:"operator"`
	At       string         `json:"operate_at"`
	Message  string         `json:"message"`
	Source   string         `json:"source"`
	State    *string        `json:"from_state_type,omitempty"`
	Form     *[]filledField `json:"form_data,omitempty"`
}

// logPage is how many events are read at a time.
const logPage = 1_000

func (h *Handler) ticketLogs(c *call) error {
	complex := c.Choice("show_type", "simple", "complex") == "complex"
	t, _, err := h.one(c)
	if err != nil {
		return err
	}
	var def flow.Definition // in force
	out := logged{t.Number, t.Title, h.format(t.CreatedAt), t.Opener, []logEntry{}}
	for after := int64(0); ; {
		events, err := h.Tickets.Timeline(api.Context(c.Ctx), t.ID, after, logPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			after = e.Seq
			if to, ok := e.Definition(); ok {
				def = definitionOf(ticket.Ticket{Service: t.Service, Definition: to})
			}
			out.Logs = append(out.Logs, h.sentences(e, def, complex)...)
		}
		if len(events) < logPage {
			return c.answer(out)
		}
	}
}

// sentences tell an event. Clients find votes by the words 通过 and 拒绝, so no other sentence has them, whatever people wrote.
func (h *Handler) sentences(e ticket.Event, def flow.Definition, complex bool) []logEntry {
	var out []logEntry
	say := func(operator, message, source string, node *flow.Node) {
		entry := logEntry{Operator: operator, At: h.format(e.At), Message: message, Source: source}
		if complex {
			kind, form := "", []filledField{}
			if node != nil {
				kind = stateType(*node)
				for _, f := range formOf(node.Number, 0, node.Fields) {
					if value, ok := e.After.Fields[f.Key]; ok {
						form = append(form, f.filled(value))
					}
				}
			}
			entry.State, entry.Form = &kind, &form
		}
		out = append(out, entry)
	}
	source := "API"
	if e.Channel == ticket.ChannelSystem {
		source = "SYS"
	}
	node := actedAt(e, def)
	if text := sentence(e, node); text != "" {
		say(e.Actor, text, source, node)
	}
	if e.After.Status == ticket.Completed && e.Type != ticket.Closed {
		say("system", "流程结束", "SYS", nil)
	}
	return out
}

// actedAt is the node that an event is about; nil when it is about the ticket as a whole.
func actedAt(e ticket.Event, def flow.Definition) *flow.Node {
	for _, h := range e.ProcessLog {
		if h.Kind == flow.Entered || h.Kind == flow.Left || h.Kind == flow.Finished || h.Kind == flow.Dropped {
			continue
		}
		if n := nodeOf(def, h.Node); n.ID != "" {
			return &n
		}
	}
	return nil
}

// sentence tells an event in the words of the rule book; empty where another entry says all there is to say.
func sentence(e ticket.Event, node *flow.Node) string {
	log := e.Labels().Log
	if log == ticket.Unsaid {
		return ""
	}
	name, remark := "节点", ""
	if node != nil {
		name += "【" + quiet(node.Name) + "】"
	}
	if e.Note != "" {
		remark = "，备注【" + quiet(e.Note) + "】"
	}
	return strings.NewReplacer("{who}", quiet(e.Actor), "{node}", name, "{remark}", remark).Replace(log)
}

// quiet keeps words that mean a vote from being found in what people wrote: a character without width goes between the two of each.
func quiet(text string) string {
	return strings.NewReplacer("通过", "通\u200b过", "拒绝", "拒\u200b绝").Replace(text)
}
