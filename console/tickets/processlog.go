package tickets

import (
	"strings"
	"time"

	"signalbox/flow"
	"signalbox/ticket"
)

// stepView is one thing that went on in the process.
type stepView struct {
	Node, Text string
	Who, For   string
	To         []string // persons
	Nodes      []string // where it went
	Note       string
	Until      *time.Time // when it is over
}

// noteOf gives the note of an entry: what somebody has written and what others have called as it is, what the process says in the visitor's language.
func noteOf(in tongue, h flow.LogEntry) string {
	switch {
	case h.Who != "", h.Kind == flow.Finished, h.Kind == flow.Left, h.Kind == flow.Carried: // a comment; what an end, a case or a node is called
		return h.Note
	case h.Kind == flow.SLAWarned:
		name, rest, _ := strings.Cut(h.Note, ": ")
		if used, target, ok := strings.Cut(rest, " of "); ok {
			return in.T("ticket.sla_used", "SLA", name, "Used", used, "Target", in.Reason(target))
		}
	case h.Kind == flow.SLABreached:
		if name, target, ok := strings.Cut(h.Note, ": "); ok {
			return name + ": " + in.Reason(target)
		}
	}
	return in.Why(h.Note)
}

// stepsOf lists what went on in the process at an event, but for what goes without saying: that a node which was done was left, that the end
// was entered, and who it was or the note where the event says the same.
func stepsOf(in tongue, e ticket.Event, names func(string) string) []stepView {
	done := map[string]string{} // by node
	for _, h := range e.ProcessLog {
		if h.Kind == flow.Acted || h.Kind == flow.Finished {
			done[h.Node] = h.Kind
		}
	}
	var out []stepView
	for _, h := range e.ProcessLog {
		if h.Kind == flow.Left && done[h.Node] == flow.Acted || h.Kind == flow.Entered && done[h.Node] == flow.Finished {
			continue
		}
		v := stepView{Node: names(h.Node), Text: in.Word("step", h.Kind), For: h.For, To: h.To}
		var more []string
		if h.Action != "" {
			more = append(more, in.Word("action", h.Action))
		}
		if h.Pass != nil {
			if *h.Pass {
				more = append(more, in.T("form.yes"))
			} else {
				more = append(more, in.T("form.no"))
			}
		}
		if h.Round > 1 && h.Kind == flow.Entered {
			more = append(more, in.T("now.round", "N", h.Round))
		}
		if len(more) > 0 {
			v.Text += " (" + strings.Join(more, ", ") + ")"
		}
		if h.Who != e.Actor {
			v.Who = h.Who
		}
		if h.Note != e.Note && h.Note != v.Node {
			v.Note = noteOf(in, h)
		}
		switch h.Kind {
		case flow.Finished:
			v.Node = ""
		case flow.StandsIn:
			if at, err := time.Parse(time.RFC3339, strings.TrimPrefix(h.Note, "until ")); err == nil {
				v.Note, v.Until = "", &at
			}
		case flow.WentBack:
			v.To = nil
			for _, node := range h.To {
				v.Nodes = append(v.Nodes, names(node))
			}
		}
		out = append(out, v)
	}
	return out
}
