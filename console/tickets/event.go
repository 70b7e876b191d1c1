package tickets

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/notice"
	"signalbox/ticket"
)

const (
	shownRelated  = 15 // items that one event added or removed
	shownOpenings = 20 // types of relations that a ticket was opened with
)

// eventView is one entry of a timeline, readable: an event, or an alert, which has only the members that are common to both.
type eventView struct {
	ticket.Event
	Alert          *notice.Alert
	Lasting        bool   // an alert about a lasting subscription, which is told of every ticket
	Told           string // address of the page of the address that an alert is about
	Also           string // why the delivery was given up by which an address was dropped
	Title, Channel string
	Moves          []moveView
	Opening        *openingView
	Solution       *ticket.Solution
	Replaced       *ticket.Solution // the solution before
	Verdict        *ticket.Verdict
	Relation       *relatedView
	Message        *messageView
	Statement      *ticket.Statement
	SLA            []flow.SLAClock // as the event left them
	Steps          []stepView
}

// moveView is something that was replaced. Label is one of our words, or a text of others.
type moveView struct {
	Label, From, To string
	Badge           bool // both are phases
	JSON            bool
	Person          bool     // both are ids of persons
	Persons         []string // what To names
}

// ByApp reports whether no person was named as who did it.
func (v eventView) ByApp() bool { return v.App != "" && v.Actor == v.App }

type openingView struct {
	*ticket.Opening
	Called string // the name of the service
	Types  []typeCount
	More   int // further types of relations
	Asked  []namedView
}

// namedView is whom the opener named for a node.
type namedView struct {
	Node string
	Who  []string
}

type typeCount struct {
	Type string
	N    int
}

type relatedView struct {
	Type           string
	Added, Removed itemsView
	Total          int
	Order          bool // nothing but the order is different
}

// itemsView is the start of a list.
type itemsView struct {
	Items []string
	Total int
}

// More is how many are not shown.
func (v itemsView) More() int { return v.Total - len(v.Items) }

type messageView struct {
	ID, Author    string
	Edit          string // address of the form by which the visitor changes it; empty: they may not
	Text          page.Folded
	Earlier       *page.Folded
	EarlierAuthor string // where the author changed
}

// entryOf makes an entry readable; see eventOf.
func entryOf(v tongue, e notice.Entry, names func(string) string, fields func(string) flow.Field) eventView {
	a := e.Alert
	if a == nil {
		return eventOf(v, *e.Event, names, fields)
	}
	return eventView{Alert: a, Title: v.Word("alert", a.Kind), Channel: v.Word("channel", ticket.ChannelSystem),
		Event: ticket.Event{Seq: a.Position.Seq, At: a.At, Type: ticket.Type(a.Kind), Actor: notice.OurSource, Channel: ticket.ChannelSystem, Note: a.Reason}}
}

// called has an opening name the service of its ticket.
func (v eventView) called(name string) eventView {
	if v.Opening != nil {
		v.Opening.Called = name
	}
	return v
}

// Position is where the entry stands, as its page and others name it.
func (v eventView) Position() string {
	if v.Alert != nil {
		return v.Alert.Position.String()
	}
	return notice.Position{Seq: v.Seq}.String()
}

// InDoubt tells that the ticket takes nothing from here on until somebody has reconciled it.
func (v eventView) InDoubt() bool { return v.Alert != nil && v.Alert.Kind == notice.TicketInDoubt }

// eventOf makes an event readable. names tells what the nodes of the process are called, fields what the fields of its forms are.
func eventOf(v tongue, e ticket.Event, names func(string) string, fields func(string) flow.Field) eventView {
	out := eventView{Event: e, Title: titleOf(v, e), Channel: v.Word("channel", e.Channel), Verdict: e.After.Verdict, Statement: e.After.Statement, SLA: e.After.SLA, Steps: stepsOf(v, e, names)}
	out.moves(v, fields)
	if o := e.After.Opening; o != nil {
		out.Opening = &openingView{Opening: o, Called: o.Service}
		for _, r := range o.Relations[:min(len(o.Relations), shownOpenings)] {
			out.Opening.Types = append(out.Opening.Types, typeCount{r.Type, len(r.Content)})
		}
		out.Opening.More = len(o.Relations) - len(out.Opening.Types)
		for _, node := range slices.Sorted(maps.Keys(o.Named)) {
			out.Opening.Asked = append(out.Opening.Asked, namedView{names(node), o.Named[node]})
		}
	}
	if e.After.Solution != nil {
		out.Solution, out.Replaced = e.After.Solution, e.Before.Solution
	}
	if r := e.After.Relation; r != nil {
		out.Relation = relatedOf(e.Before.Relation, *r)
	}
	if m := e.After.Message; m != nil {
		out.Message = messageOf(e.Before.Message, *m)
	}
	return out
}

// titleOf names an event: of some types more closely, by the first thing that went on in the process.
func titleOf(v tongue, e ticket.Event) string {
	if len(e.ProcessLog) > 0 {
		closer := string(e.Type) + "." + e.ProcessLog[0].Kind
		if title := v.Word("event", closer); title != closer {
			return title
		}
	}
	return v.Word("event", e.Type)
}

// moves lists what has one value before and one after.
func (v *eventView) moves(in tongue, fields func(string) flow.Field) {
	before, after := v.Before, v.After
	yes := func(b bool) string {
		if b {
			return in.T("form.yes")
		}
		return in.T("form.no")
	}
	if after.Status != "" && after.Status != before.Status {
		v.Moves = append(v.Moves, moveView{Label: in.T("moved.status"), From: string(before.Status), To: string(after.Status), Badge: true})
	}
	move := func(label string, from, to *string, person bool) {
		if to == nil {
			return
		}
		m := moveView{Label: label, To: *to, Person: person}
		if from != nil {
			m.From = *from
		}
		if m.From != m.To {
			v.Moves = append(v.Moves, m)
		}
	}
	move(in.T("moved.assignee"), before.Assignee, after.Assignee, true)
	// A reason that was given with the event is its note; what it replaces was the note of an earlier one.
	if after.Reason != nil && *after.Reason != v.Note {
		move(in.T("moved.reason"), before.Reason, after.Reason, false)
	}
	if after.Suspended != nil && v.Type != ticket.Suspended && v.Type != ticket.Resumed {
		v.Moves = append(v.Moves, moveView{Label: in.T("moved.suspended"), From: yes(!*after.Suspended), To: yes(*after.Suspended)})
	}
	if l := after.Link; l != nil && after.Statement == nil {
		v.Moves = append(v.Moves, moveView{Label: in.T("moved.case"), To: l.System + " " + l.Issue})
	}
	if after.Pinned != nil && before.Pinned != nil {
		v.Moves = append(v.Moves, moveView{Label: in.T("moved.version"), From: strconv.Itoa(before.Pinned.Version), To: strconv.Itoa(after.Pinned.Version)})
	}
	if after.ApproveResult != nil {
		v.Moves = append(v.Moves, moveView{Label: in.T("moved.approved"), To: yes(*after.ApproveResult) + ": " + in.Why(v.Why)})
	}
	for _, name := range slices.Sorted(maps.Keys(after.Fields)) {
		f := fieldOf(in, fields(name), after.Fields[name])
		v.Moves = append(v.Moves, moveView{Label: f.Name, To: f.Value.Whole, JSON: f.JSON, Persons: f.Persons})
	}
	v.others()
}

// shownMembers are the members of a change that have a form of their own here. What states have become, the process log tells.
var shownMembers = []string{"states", "fields", "pinned", "opening", "status", "suspended", "assignee", "reason", "solution", "verdict", "relation", "message", "statement", "link",
	"sla", "rules", "approve_result"}

// others lists every other member of a change as it stands, so that nothing of an event is ever hidden.
func (v *eventView) others() {
	before, after := members(v.Before), members(v.After)
	var names []string
	for _, m := range []map[string]any{before, after} {
		for name := range m {
			if !slices.Contains(shownMembers, name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		m := moveView{Label: name, JSON: true}
		was, is := before[name], after[name]
		if was != nil {
			m.From = page.Pretty(was)
		}
		if is != nil {
			m.To = page.Pretty(is)
		}
		v.Moves = append(v.Moves, m)
	}
}

func members(c ticket.Change) map[string]any {
	var out flow.Values
	raw, err := json.Marshal(c)
	if err != nil || json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}

func relatedOf(before *ticket.Relation, after ticket.Relation) *relatedView {
	v := &relatedView{Type: after.Type, Total: len(after.Content)}
	var old []string
	if before != nil {
		old = before.Content
	}
	added, removed := without(after.Content, old), without(old, after.Content)
	v.Added, v.Removed = start(added), start(removed)
	v.Order = len(added)+len(removed) == 0 && len(old) > 0
	return v
}

// without gives the items of a list that another does not have.
func without(list, other []string) []string {
	has := make(map[string]bool, len(other))
	for _, item := range other {
		has[item] = true
	}
	var out []string
	for _, item := range list {
		if !has[item] {
			out = append(out, item)
		}
	}
	return out
}

func start(items []string) itemsView {
	return itemsView{items[:min(len(items), shownRelated)], len(items)}
}

func messageOf(before *ticket.Message, after ticket.Message) *messageView {
	v := &messageView{ID: after.ID, Author: after.Author, Text: page.Fold(after.Content)}
	if before == nil {
		return v
	}
	if before.Content != "" && before.Content != after.Content {
		earlier := page.Fold(before.Content)
		v.Earlier = &earlier
	}
	if before.Author != "" && before.Author != after.Author {
		v.EarlierAuthor = before.Author
	}
	return v
}
