package tickets

import (
	"strings"

	"signalbox/flow"
	"signalbox/ticket"
)

// stepView is one thing that went on in the process.
type stepView struct {
	Node, Text string
	Who, For   string
	To         []string
	Note       string
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
			v.Note = h.Note
		}
		switch h.Kind {
		case flow.Finished:
			v.Node = ""
		case flow.WentBack:
			v.To = nil
			for _, node := range h.To {
				v.To = append(v.To, names(node))
			}
		}
		out = append(out, v)
	}
	return out
}
