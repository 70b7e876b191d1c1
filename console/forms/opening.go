package forms

import (
	"slices"
	"strings"

	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

// titleKey is a field of an opening form that says what the ticket is called.
const titleKey = "title"

func titles(f flow.Field) bool { return f.Key == titleKey && f.Type == flow.String }

// namedPrefix tells the fields that name people for a node.
const namedPrefix = "at."

// Opening are the fields of a process's opening form: what it asks for, and whom to ask at the nodes where the opener says so. titled tells that one of them says what
// the ticket is called.
func Opening(v *page.Visit, def flow.Definition) (out []Input, titled bool) {
	for _, f := range def.Fields {
		in := InputOf(v, f)
		if titles(f) {
			in.Required, titled = true, true
		}
		out = append(out, in)
	}
	for _, n := range def.Nodes {
		if asksCaller(n) {
			out = append(out, Input{Name: namedPrefix + n.ID, Label: v.T("new.asked_at", "Node", n.Name), Kind: Line, Persons: true, Several: true, Hint: v.T("form.persons")})
		}
	}
	return out, titled
}

func asksCaller(n flow.Node) bool { return n.Processors != nil && n.Processors.Caller }

// Opened is an opening form, filled in.
type Opened struct {
	Title string // where a field says it
	Form  flow.Values
	Named map[string][]string // people by node
}

// Open reads what an opening form says.
func Open(v *page.Visit, sent page.Form, def flow.Definition) Opened {
	o := Opened{Form: Filled(v, sent, def.Fields), Named: map[string][]string{}}
	if slices.ContainsFunc(def.Fields, titles) {
		o.Title = sent.Text(fieldPrefix + titleKey)
	}
	for _, n := range def.Nodes {
		if who := sent.List(namedPrefix + n.ID); len(who) > 0 && asksCaller(n) {
			o.Named[n.ID] = who
		}
	}
	return o
}

// Misnamed gives a refusal of an opening with the field at fault as the form names it.
func Misnamed(why *ticket.Error) *ticket.Error {
	out := *why
	if node, ok := strings.CutPrefix(why.Field, "state_processors"); ok && (node == "" || node[0] == '.') {
		out.Field = namedPrefix + strings.TrimPrefix(node, ".")
	}
	out.All = nil
	for _, fault := range why.All {
		out.All = append(out.All, Misnamed(fault))
	}
	return &out
}
