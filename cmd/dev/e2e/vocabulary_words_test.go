package e2e

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"signalbox/flow"
	"signalbox/ticket"
)

// words are the words of some lists: those there are, or those that had their part in something.
type words map[string]map[string]bool

func (w words) add(list string, some ...string) {
	for _, word := range some {
		if word == "" {
			continue
		}
		if w[list] == nil {
			w[list] = map[string]bool{}
		}
		w[list][word] = true
	}
}

func (w words) merge(others words) {
	for list, some := range others {
		w.add(list, slices.Collect(maps.Keys(some))...)
	}
}

// without names the words that others do not have, in order.
func (w words) without(others words) (missing []string) {
	for _, list := range slices.Sorted(maps.Keys(w)) {
		for _, word := range slices.Sorted(maps.Keys(w[list])) {
			if !others[list][word] {
				missing = append(missing, fmt.Sprintf("%s %q", list, word))
			}
		}
	}
	return missing
}

// unknown names the words that the lists do not have.
func (w words) unknown(lists words) []string { return w.without(lists) }

// vocabulary is every word that callers can write into a process or do to a ticket, and every word by which they are told what happened.
func vocabulary() words {
	all := words{}
	for enum, some := range flow.Vocabulary {
		all.add(enum, some...)
	}
	members(reflect.New(reflect.TypeFor[flow.Definition]()).Elem(), true, all)
	all.add("action of handle", texts(ticket.HandleActions)...)
	all.add("signal", texts(ticket.SignalActions)...)
	all.add("event", texts(ticket.Types)...)
	all.add("happening", flow.Kinds...)
	return all
}

// members adds the members of a definition, or of a part of it, as type.member: those that are set, or every one. The numbers that a
// publisher gives, and the calendars that a ticket is given, are nobody's to write.
func members(v reflect.Value, every bool, into words) {
	switch v.Kind() {
	case reflect.Pointer:
		if every {
			members(reflect.New(v.Type().Elem()).Elem(), every, into)
		} else if !v.IsNil() {
			members(v.Elem(), every, into)
		}
	case reflect.Slice:
		if every {
			members(reflect.New(v.Type().Elem()).Elem(), every, into)
		}
		for i := range v.Len() {
			members(v.Index(i), every, into)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if (every || !v.Field(i).IsZero()) && name != "number" && name != "version" && name != "calendars" {
				into.add("member", strings.ToLower(v.Type().Name())+"."+name)
				members(v.Field(i), every, into)
			}
		}
	}
}

// wholeEntry is a line of the timeline with all that it says of the process.
type wholeEntry struct {
	Seq     int64 // 0: it is an alert
	Type    ticket.Type
	Channel ticket.Channel `json:"door"`
	After   struct {
		Opening *struct{ Fields map[string]any }
		Status  flow.Status
		States  []flow.NodeState
		Fields  map[string]any
	}
	ProcessLog []flow.LogEntry `json:"happenings"`
}

// witness finds in a ticket's timeline which words of its definition had their part. A word counts when what it stands for is seen to have
// happened, not when it is written somewhere.
type witness struct {
	process *flow.Process
	entry   wholeEntry
	kinds   map[string]map[string]bool // what has happened at a node so far
	used    words
}

func (w *witness) see(e wholeEntry) {
	w.entry = e
	w.used.add("event", string(e.Type))
	for _, h := range e.ProcessLog {
		w.used.add("happening", h.Kind)
		if w.kinds[h.Node] == nil {
			w.kinds[h.Node] = map[string]bool{}
		}
		w.kinds[h.Node][h.Kind] = true
		w.happened(h)
	}
	if o := e.After.Opening; o != nil {
		w.opened(o.Fields)
	}
	for _, s := range e.After.States {
		if n, ok := w.process.Node(s.Node); ok {
			w.state(n, s)
		}
	}
}

func (w *witness) opened(fields map[string]any) {
	def := w.process.Definition()
	def.Nodes = nil // each counts when it had its turn
	members(reflect.ValueOf(def), false, w.used)
	w.used.add("member", "definition.nodes")
	if w.entry.Channel == ticket.ChannelITSM { // where the number tells the type
		w.used.add("service_type", def.ServiceType)
	}
	w.filled(def.Fields, fields)
}

func (w *witness) filled(form []flow.Field, values map[string]any) {
	for _, f := range form {
		if value, filled := values[f.Key]; filled && value != "" {
			w.used.add("field.type", string(f.Type))
		}
	}
}

// happened looks at what a word made happen at once.
func (w *witness) happened(h flow.LogEntry) {
	n, ok := w.process.Node(h.Node)
	if !ok {
		return
	}
	switch h.Kind {
	case flow.Entered:
		if n.Type != flow.End && n.Status == w.entry.After.Status { // the ticket took it
			w.used.add("status", string(n.Status))
		}
	case flow.Acted:
		w.used.add("action", string(n.Action))
		found := map[flow.Distribution][]string{flow.ByClaim: {flow.Claimed}, flow.ByAssign: {flow.Assigned}, flow.AssignThenClaim: {flow.Assigned, flow.Claimed}}
		if !slices.ContainsFunc(found[n.Distribute], func(kind string) bool { return !w.kinds[n.ID][kind] }) {
			w.used.add("distribute", string(n.Distribute))
		}
	case flow.Left:
		if says := n.Type == flow.Approval || n.Action == flow.Confirm; says && h.Pass != nil && !*h.Pass && n.Reject.Then == flow.GoOn {
			w.used.add("reject.then", string(flow.GoOn))
		}
	case flow.WentBack:
		w.used.add("reject.then", string(n.Reject.Then))
		w.used.add("resubmit", string(n.Reject.Resubmit))
	case flow.Passed:
		w.used.add("if_nobody", string(n.IfNobody))
	case flow.Reassigned:
		w.used.add("if_nobody", string(n.IfNobody))
	case flow.Finished:
		switch {
		case n.Type == flow.End:
			w.used.add("end.status", string(n.Status))
		case w.entry.Type == ticket.Stopped:
			w.used.add("member", "node.terminable")
		default:
			w.used.add("reject.then", string(flow.GoEnd))
		}
	}
}

// state looks at what became of a node.
func (w *witness) state(n flow.Node, s flow.NodeState) {
	w.filled(n.Fields, w.entry.After.Fields)
	fired := n.Deadline[:s.Stage]
	if w.entry.Type == ticket.Elapsed && s.Stage > 0 {
		last := fired[s.Stage-1]
		w.used.add("deadline.do", string(last.Do))
		if last.Do == flow.DoEscalate && last.Mode == "" {
			last.Mode = "add"
		}
		w.used.add("escalate.mode", last.Mode)
		members(reflect.ValueOf(fired), false, w.used)
	}
	if s.State != flow.Done {
		return
	}
	w.used.add("type", string(n.Type))
	switch {
	case n.Type == flow.Call:
		w.used.add("call.method", n.Call.Method)
	case n.Type == flow.Approval && len(s.Votes) > 0 && len(s.By) > 0:
		w.used.add("rule", string(n.Rule))
		if slices.Contains(flow.Vocabulary["finish"], n.Finish) {
			w.used.add("finish", n.Finish)
		}
	}
	w.played(s, fired)
}

// played adds the members that a node was written with, but for those that had no part: what would have been asked for in another case.
func (w *witness) played(s flow.NodeState, fired []flow.Stage) {
	nodes := w.process.Definition().Nodes
	n := nodes[slices.IndexFunc(nodes, func(n flow.Node) bool { return n.ID == s.Node })]
	n.Deadline, n.Terminable = fired, false
	kinds := w.kinds[n.ID]
	if !kinds[flow.Delivered] {
		n.Deliver = nil
	}
	if !kinds[flow.Added] {
		n.Add = nil
	}
	if !kinds[flow.Barred] {
		n.FourEyes, n.Not = false, nil
	}
	n.Retract = kinds[flow.Retracted]
	n.SkipIfVoted = kinds[flow.Carried]
	if !kinds[flow.Reassigned] {
		n.IfNobody = ""
	}
	if n.Type == flow.Call && !kinds[flow.CallFailed] {
		n.Processors = nil
	}
	if s.Result == nil || *s.Result {
		n.Reject, n.Veto = nil, nil
	}
	members(reflect.ValueOf(n), false, w.used)
}

func texts[T ~string](some []T) []string {
	out := make([]string, len(some))
	for i, word := range some {
		out[i] = string(word)
	}
	return out
}
