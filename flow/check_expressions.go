package flow

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
)

// expressions compiles all that a node computes, and checks the fields it speaks of.
func (b *builder) expressions(n *node) {
	sees := b.p.sees(n)
	fields := sees["fields"].(types.Map)
	for _, p := range []struct {
		member string
		who    *Processors
	}{{"processors", n.Processors}, {"assigners", n.Assigners}, {"deliver", n.Deliver}, {"add", n.Add}} {
		b.named(n.path+"."+p.member, p.who, fields)
	}
	for i, s := range n.Deadline {
		b.named(fmt.Sprintf("%s.deadline[%d].to", n.path, i), s.To, fields)
	}
	if n.Type == Wait && n.Until != "" {
		b.timeField(n.path+".until", n.Until, fields)
	}
	for i, c := range n.Cases {
		when, err := compile(c.When, sees, expr.AsBool())
		if err != nil {
			b.add(fmt.Sprintf("%s.cases[%d].when", n.path, i), "%s", err)
		}
		n.cases = append(n.cases, choice{c, when})
	}
	if n.Type == Approval && n.Finish != "" && !known("finish", n.Finish) {
		finish, err := compile(n.Finish, counts, expr.AsBool())
		if err != nil {
			b.add(n.path+".finish", "%s", err)
		}
		n.finish = finish
	}
	if n.Type == Call && n.Call != nil {
		n.request = b.template(n, sees)
	}
}

// named checks that the fields that name people exist where they are needed, and can name people.
func (b *builder) named(path string, p *Processors, fields types.Map) {
	if p == nil {
		return
	}
	for i, key := range p.Fields {
		at := fmt.Sprintf("%s.fields[%d]", path, i)
		kind := b.p.types[key]
		switch {
		case fields[key] == nil:
			b.add(at, "no form that can have been filled in before has a field %q", key)
		case !slices.Contains([]FieldType{Member, Members, String, Select, Radio}, kind):
			b.add(at, "a field of type %s cannot name people", kind)
		}
	}
}

// timeField checks that the field a wait goes by exists where it is needed, and holds a time.
func (b *builder) timeField(path, key string, fields types.Map) {
	switch kind := b.p.types[key]; {
	case fields[key] == nil:
		b.add(path, "no form that can have been filled in before has a field %q", key)
	case kind != Date && kind != DateTime:
		b.add(path, "must be a DATE or DATETIME, not %s", kind)
	}
}
