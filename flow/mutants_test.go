package flow

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// enums are the members that hold a word of the vocabulary, and the word that leaving one out means.
var enums = map[string]struct{ enum, unless string }{
	"node.type": {"type", ""}, "node.action": {"action", string(Submit)}, "node.distribute": {"distribute", string(ByAll)}, "node.rule": {"rule", string(AnyOf)},
	"node.finish": {"finish", ""}, "rejection.then": {"reject.then", ""}, "stage.do": {"deadline.do", ""}, "stage.mode": {"escalate.mode", "add"},
	"field.type": {"field.type", ""}, "node.status": {"status", ""}, "request.method": {"call.method", "POST"},
	"rejection.resubmit": {"resubmit", string(Through)}, "node.if_nobody": {"if_nobody", string(WaitIfNobody)},
}

// schema is every word and every member that a story has to show, but for labels.
func schema() map[string]bool {
	out := map[string]bool{}
	for enum, words := range Vocabulary {
		for _, word := range words {
			out[enum+"="+word] = enum != "service_type"
		}
	}
	var members func(reflect.Type)
	members = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && of.PkgPath() == reflect.TypeFor[Definition]().PkgPath() {
			for i := range of.NumField() {
				out[memberName(of, i)] = true
				members(of.Field(i).Type)
			}
		}
	}
	members(reflect.TypeFor[Definition]())
	for word, wanted := range out {
		if !wanted || slices.Contains(labels, word) {
			delete(out, word)
		}
	}
	return out
}

// memberName is a member as type.member.
func memberName(of reflect.Type, i int) string {
	name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
	return strings.ToLower(of.Name()) + "." + name
}

// mutant is a definition in which one thing was taken out or changed. It compiles.
type mutant struct {
	shows string // the member, or enum=word
	def   Definition
}

// mutants changes every member that a definition sets, one at a time, in several ways, and every word into each other one of its enum, and
// hands over each. Those that show what is not wanted, which is asked each time, are not made: that costs much more than to ask.
func mutants(def Definition, wanted func(shows string) bool, found func(mutant)) {
	for i, n := range def.Nodes {
		if n.Type == End && n.Status == "" {
			def.Nodes[i].Status = Completed // as it is understood
		}
	}
	raw, _ := json.Marshal(def)
	copied := func() (c Definition) { // changed in place, and kept as it is then
		if json.Unmarshal(raw, &c) != nil {
			panic("a definition that does not go through JSON")
		}
		return c
	}
	var ids []string
	for _, n := range def.Nodes {
		ids = append(ids, n.ID)
		if n.Processors != nil {
			ids = append(ids, n.Processors.Persons...)
		}
	}
	add := func(c Definition, shows ...string) {
		if !slices.ContainsFunc(shows, wanted) {
			return
		}
		if repair(&c); len(Check(c)) == 0 {
			for _, word := range shows {
				if wanted(word) {
					found(mutant{word, c})
				}
			}
		}
	}
	var walk func(name string, at func(*Definition) reflect.Value) // at finds the same member in another copy
	try := func(shows string, at func(*Definition) reflect.Value, value reflect.Value) {
		if wanted(shows) {
			c := copied()
			at(&c).Set(value)
			add(c, shows)
		}
	}
	original := copied() // is only read
	walk = func(name string, at func(*Definition) reflect.Value) {
		v := at(&original)
		if word, ok := enums[name]; ok {
			is := v.String()
			enum := word.enum
			if name == "node.status" && slices.Contains(Vocabulary["end.status"], is) {
				enum = "end.status"
			}
			if is == "" {
				is = word.unless
			}
			for _, other := range Vocabulary[enum] {
				if other != is && slices.Contains(Vocabulary[enum], is) {
					try(enum+"="+is, at, reflect.ValueOf(other).Convert(v.Type()))
					try(name, at, reflect.ValueOf(other).Convert(v.Type()))
				}
			}
		}
		if v.IsZero() {
			return
		}
		if wanted(name) {
			whole := copied() // other values may share what they point to with it
			for _, other := range others(at(&whole), ids) {
				try(name, at, other)
			}
		}
		switch v.Kind() {
		case reflect.Pointer:
			walk(name, func(d *Definition) reflect.Value { return at(d).Elem() })
		case reflect.Slice:
			for i := range v.Len() {
				walk("", func(d *Definition) reflect.Value { return at(d).Index(i) })
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(memberName(v.Type(), i), func(d *Definition) reflect.Value { return at(d).Field(i) })
			}
		}
	}
	walk("", func(d *Definition) reflect.Value { return reflect.ValueOf(d).Elem() })
	for i, n := range def.Nodes {
		retype := retyped(copied(), i)
		switch n.Type {
		case Parallel:
			add(retype, "type=parallel", "node.join")
		case Branch:
			c := copied()
			for k := range c.Nodes[i].Cases {
				c.Nodes[i].Cases[k].When = "false"
			}
			add(c, "node.cases")
			c = copied()
			b := &c.Nodes[i]
			b.Default, b.Cases[0].Next = b.Cases[0].Next, b.Default
			add(c, "node.default")
			add(retype, "type=branch")
		case Wait:
			c := copied()
			c.Nodes[i].For, c.Nodes[i].Until = "7m", ""
			add(c, map[bool]string{true: "node.until", false: "node.for"}[n.Until != ""])
			add(retype, "type=wait")
		default:
			add(retype, "type="+string(n.Type))
		}
	}
	for i := range def.Fields {
		for _, other := range Vocabulary["field.type"] {
			if wanted("definition.fields") {
				c := copied()
				c.Fields[i].Type = FieldType(other)
				add(c, "definition.fields")
			}
		}
	}
}

// others are values that could stand in the place of one that is set: nothing, and some that differ.
func others(v reflect.Value, ids []string) []reflect.Value {
	out := []reflect.Value{reflect.Zero(v.Type())}
	add := func(value any) { out = append(out, reflect.ValueOf(value).Convert(v.Type())) }
	switch v.Kind() {
	case reflect.String:
		for _, id := range ids {
			add(id)
		}
		for _, text := range []string{"7m", "true", "false", "1", "http://elsewhere/", "x", "shifts", "office", "8 working hours", "50 %", "end"} {
			add(text)
		}
	case reflect.Bool:
		add(!v.Bool())
	case reflect.Int, reflect.Int64:
		add(v.Int() + 1)
		add(v.Int() - 1)
	case reflect.Float64:
		add(v.Float() + 1)
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, reflect.AppendSlice(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v.Slice(0, i)), v.Slice(i+1, v.Len())))
		}
		if v.Type().Elem().Kind() == reflect.String {
			add([]string{"mutant"})
			for _, id := range ids {
				add([]string{id})
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			less := reflect.MakeMap(v.Type())
			for _, other := range v.MapKeys() {
				if other.Interface() != key.Interface() {
					less.SetMapIndex(other, v.MapIndex(other))
				}
			}
			out = append(out, less)
		}
	case reflect.Pointer:
		switch v.Interface().(type) {
		case *Processors:
			add(&Processors{Persons: []string{"mutant"}})
		case *Request:
			add(&Request{URL: "http://elsewhere/"})
		}
	case reflect.Interface:
		out = append(out, reflect.ValueOf("9"))
	}
	return out
}

// repair takes out, or makes up, what a definition must not or must have after one thing in it was changed.
func repair(d *Definition) {
	forms := [][]Field{d.Fields}
	for i := range d.Nodes {
		n := &d.Nodes[i]
		forms = append(forms, n.Fields)
		if n.Type == Task && n.Action != Confirm {
			n.Reject = nil
		}
		if n.Type == Task && n.Action == Confirm && n.Reject == nil {
			n.Reject = &Rejection{Then: GoOn}
		}
		if r := n.Reject; r != nil && r.Then != GoBack {
			r.To = ""
		}
		if n.Rule != NOfM {
			n.N = 0
		}
		if n.Rule != PartOf {
			n.Percent = 0
		}
		if n.Rule == NOfM && n.N == 0 {
			n.N = 1
		}
		if n.Rule == PartOf && n.Percent == 0 {
			n.Percent = 50
		}
		if n.Rule == AnyOf || n.Rule == "" {
			n.Finish = ""
		}
		if n.Distribute != ByAssign && n.Distribute != AssignThenClaim {
			n.Assigners = nil
		} else if n.Assigners == nil {
			n.Assigners = &Processors{Persons: []string{"mutant"}}
		}
		for k := range n.Deadline {
			s := &n.Deadline[k]
			others := s.Do == DoEscalate || s.Do == DoReassign
			if s.Do != DoEscalate {
				s.Mode = ""
			}
			if !others {
				s.To = nil
			} else if s.To.empty() {
				s.To = &Processors{Persons: []string{"mutant"}}
			}
		}
		if v := n.Veto; v != nil && !v.Anyone && len(v.Persons) == 0 {
			v.Persons = []string{n.Processors.Persons[0]}
		}
		if (n.Type == Task || n.Type == Approval) && n.Processors.empty() {
			n.Processors = &Processors{Persons: []string{"mutant"}}
		}
	}
	for _, form := range forms {
		for i := range form {
			f := &form[i]
			if !f.Type.chosen() {
				f.Choice = nil
			} else if len(f.Choice) == 0 {
				f.Choice = []Choice{{Key: "p"}}
			}
			if f.Type != String && f.Type != Text {
				f.Regex = ""
			}
		}
	}
}

// retyped puts a node of another type in the place of one, from which the ticket goes on by its first way.
func retyped(def Definition, i int) Definition {
	was := def.Nodes[i]
	n := newNode(was, i)
	def.Nodes = append(def.Nodes, Node{ID: "mutant", Name: "Mutant", Type: End})
	ways := []string{"mutant"}
	if edges := n.edges(); len(edges) > 0 {
		ways = nil
		for _, e := range edges {
			ways = append(ways, e.to)
		}
		def.Nodes = def.Nodes[:len(def.Nodes)-1]
	}
	other := func(id string, ways []string) Node {
		if len(ways) == 1 && was.Type != Task {
			return Node{ID: id, Name: was.Name, Type: Task, Action: Submit, Fields: was.Fields, Processors: &Processors{Anyone: true}, Next: ways[0]}
		}
		branch := Node{ID: id, Name: was.Name, Type: Branch, Default: ways[0], Cases: []Case{{When: "false", Next: ways[len(ways)-1]}}}
		for _, way := range ways[1:] {
			branch.Cases = append(branch.Cases, Case{When: "false", Next: way})
		}
		return branch
	}
	switch was.Type {
	case Parallel, Join: // one is nothing without the other
		for k, at := range def.Nodes {
			switch {
			case at.Type == Parallel && (at.ID == was.ID || at.Join == was.ID):
				var starts []string
				for _, b := range at.Branches {
					starts = append(starts, b.Next)
				}
				def.Nodes[k] = other(at.ID, starts)
			case at.Type == Join && (at.ID == was.ID || at.ID == was.Join):
				def.Nodes[k] = other(at.ID, []string{at.Next})
			}
		}
	default:
		def.Nodes[i] = other(was.ID, ways)
	}
	return def
}
