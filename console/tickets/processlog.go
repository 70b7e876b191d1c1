package tickets

import (
	"cmp"
	"fmt"
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

// steps say what went on, before who and to whom. What is not among them is shown under its own word.
var steps = map[string]string{
	flow.Entered: "entered", flow.Left: "left", flow.Acted: "done", flow.Voted: "voted on", flow.Claimed: "claimed", flow.Assigned: "assigned",
	flow.Delivered: "handed over", flow.Added: "more approvers", flow.Removed: "approvers removed", flow.Agreed: "agreed", flow.Retracted: "vote taken back",
	flow.Carried: "vote counts here too", flow.Barred: "may not vote", flow.Found: "looked up", flow.StandsIn: "somebody stands in", flow.StandsDown: "back again", flow.Succeeded: "taken over",
	flow.Reassigned: "reassigned", flow.Reminded: "reminded",
	flow.Escalated: "escalated", flow.Expired: "deadline came", flow.CallDone: "call answered", flow.CallFailed: "call failed",
	flow.BranchFailed: "no way found", flow.Retried: "tried again", flow.Passed: "skipped", flow.WentBack: "went back",
	flow.Dropped: "cancelled", flow.Finished: "The process is over", flow.SLAWarned: "SLA is running out", flow.SLABreached: "SLA was missed",
}

// stepsOf lists what went on in the process at an event, but for what goes without saying: that a node which was done was left, that the end
// was entered, and who it was or the note where the event says the same.
func stepsOf(e ticket.Event, names func(string) string) []stepView {
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
		v := stepView{Node: names(h.Node), Text: cmp.Or(steps[h.Kind], h.Kind), For: h.For, To: h.To}
		var more []string
		if h.Action != "" {
			more = append(more, string(h.Action))
		}
		if h.Pass != nil {
			more = append(more, map[bool]string{true: "yes", false: "no"}[*h.Pass])
		}
		if h.Round > 1 && h.Kind == flow.Entered {
			more = append(more, fmt.Sprintf("round %d", h.Round))
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
