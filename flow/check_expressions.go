package flow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr"
)

// expressions compiles all that a node computes, and checks the fields it speaks of.
func (b *builder) expressions(n *node) {
	for _, p := range []struct {
		member string
		who    *Processors
	}{{"processors", n.Processors}, {"assigners", n.Assigners}, {"deliver", n.Deliver}, {"add", n.Add}} {
		b.named(n, n.path+"."+p.member, p.who)
	}
	for i, s := range n.Deadline {
		b.named(n, fmt.Sprintf("%s.deadline[%d].to", n.path, i), s.To)
	}
	b.barring(n)
	b.carries(n)
	b.returning(n)
	if n.Type == Wait && n.Until != "" {
		b.timeField(n, n.path+".until", n.Until)
	}
	for i, c := range n.Cases {
		when, err := compile(c.When, b.sees(n, c.When), expr.AsBool())
		if err != nil {
			b.add(fmt.Sprintf("%s.cases[%d].when", n.path, i), "%s", err)
		}
		b.affordable(fmt.Sprintf("%s.cases[%d].when", n.path, i), when, b.largest(n))
		n.cases = append(n.cases, choice{c, when})
	}
	if n.Type == Approval && n.Finish != "" && !known("finish", n.Finish) {
		finish, err := compile(n.Finish, counts, expr.AsBool())
		if err != nil {
			b.add(n.path+".finish", "%s", err)
		}
		n.finish = finish
	}
	if n.request != nil {
		b.template(n)
	}
}

// affordable refuses an expression that takes more than its budget over the largest values that there can be, whatever it comes to.
func (b *builder) affordable(path string, f *formula, largest map[string]any) {
	if f == nil || !b.publishing || b.checked.steps > maxChecked {
		return
	}
	steps, err := worst(f.tree, largest)
	steps = min(steps, MaxSteps) // what is too much is not done
	if b.checked.steps += steps; b.checked.steps > maxChecked {
		b.add(path, "the expressions up to here take more than %d steps in all over the largest values", maxChecked)
	} else if err != nil {
		b.add(path, "over the largest values it %s", err)
	}
}

// largest gives the largest fields and results of nodes that an expression at this node can see.
func (b *builder) largest(n *node) map[string]any {
	fields := lookup{func(key string) any { return b.p.types[key].largest() }, func() map[string]any {
		out := map[string]any{}
		for key, kind := range b.p.types {
			out[key] = kind.largest()
		}
		return out
	}}
	result := map[string]any{"done": true, "passed": true, "by": Members.largest(), "status": json.Number("200")}
	for name := range counts {
		result[name] = json.Number("100")
	}
	nodes := lookup{func(string) any { return result }, func() map[string]any {
		out := map[string]any{}
		for _, earlier := range n.before {
			out[earlier.ID] = result
		}
		return out
	}}
	name := String.largest()
	return map[string]any{"fields": fields, "nodes": nodes, "opener": name, "assignee": name, "now": time.Unix(0, 0).UTC()}
}

// largestAnswer is the largest answer to a request. What it holds is not known before: each part that is asked for may be a text, a list or an object, as large
// as the whole. A list may have more items than are counted here, of a few bytes each; then the budget ends it as it is worked out.
var largestAnswer = map[string]any{"status": json.Number("200"), "body": part(MaxAnswer),
	"headers": lookup{func(string) any { return part(MaxAnswer) }, func() map[string]any { return map[string]any{} }}}

// maxChecked bounds what checking a definition may take, in steps of expressions.
const maxChecked = 1_000_000

// largest gives a value that is as large as one of the type can be, and equal to no other.
func (t FieldType) largest() any {
	switch t {
	case Int:
		return json.Number("9223372036854775807")
	case Bool:
		return true
	case Date, DateTime:
		return time.Unix(1, 0).UTC()
	case Checkbox, Multiselect, Members:
		return largestList
	case Text:
		return largestText
	}
	return largestText[:MaxString*utf8.UTFMax]
}

var (
	largestText = strings.Repeat("\U0001F4C4", MaxText)
	largestList = func() []string {
		out := make([]string, MaxItems)
		for i := range out {
			out[i] = fmt.Sprintf("%0*d", MaxText/MaxItems, i)
		}
		return out
	}()
)

// named checks that the fields that name people exist where they are needed, and can name people.
func (b *builder) named(n *node, path string, p *Processors) {
	if p == nil {
		return
	}
	names := func(at, key string) {
		kind := b.p.types[key]
		switch {
		case !b.fillable(n, key):
			b.add(at, "no form that can have been filled in before has a field %q", key)
		case !slices.Contains([]FieldType{Member, Members, String, Select, Radio}, kind):
			b.add(at, "a field of type %s cannot name people", kind)
		}
	}
	for i, key := range p.Fields {
		names(fmt.Sprintf("%s.fields[%d]", path, i), key)
	}
	if of := p.ManagerOf; of != "" && of != "opener" && of != "assignee" {
		names(path+".manager_of", of)
	}
}

// timeField checks that the field a wait goes by exists where it is needed, and holds a time.
func (b *builder) timeField(n *node, path, key string) {
	switch kind := b.p.types[key]; {
	case !b.fillable(n, key):
		b.add(path, "no form that can have been filled in before has a field %q", key)
	case kind != Date && kind != DateTime:
		b.add(path, "must be a DATE or DATETIME, not %s", kind)
	}
}
