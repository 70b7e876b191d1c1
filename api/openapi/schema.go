package openapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// How far rows go into each other, and how many there are of a body at most: what lies deeper is in the document.
const (
	maxDepth = 7
	maxRows  = 250
)

// form says what values a schema takes. It is resolved.
func (r reader) form(schema *yaml.Node) (out Form) {
	if schema == nil {
		return Form{}
	}
	for _, part := range items(member(schema, "allOf")) {
		if of := r.form(r.resolve(part)); len(of.Kinds) > 0 {
			out = of
		}
	}
	if own := r.kinds(schema); len(own) > 0 {
		out.Kinds = own
	}
	if words := wordsOf(schema); len(words) > 0 {
		out.Words = words
	}
	var options []Kind
	for _, name := range []string{"oneOf", "anyOf"} {
		for _, option := range items(member(schema, name)) {
			of := r.form(r.resolve(option))
			out.Words = append(out.Words, of.Words...)
			for _, kind := range of.Kinds {
				if !slices.ContainsFunc(options, func(k Kind) bool { return reflect.DeepEqual(k, kind) }) {
					options = append(options, kind)
				}
			}
		}
	}
	if len(options) > 0 {
		out.Kinds = options
	}
	if limits := limitsOf(schema); len(limits) > 0 {
		out.Limits = limits
	}
	return out
}

// kinds are those that a schema names.
func (r reader) kinds(schema *yaml.Node) (out []Kind) {
	named := items(member(schema, "type"))
	if one := text(schema, "type"); one != "" {
		named = []*yaml.Node{scalar(one)}
	}
	for _, n := range named {
		kind := Kind{Name: n.Value}
		switch format := text(schema, "format"); {
		case n.Value == "array":
			kind.Of = r.form(r.resolve(member(schema, "items"))).Kinds
		case n.Value == "string" && format != "":
			kind.Name = format
		}
		out = append(out, kind)
	}
	if len(out) == 0 && member(schema, "properties") != nil {
		out = []Kind{{Name: "object"}}
	}
	return out
}

func wordsOf(schema *yaml.Node) (words []string) {
	if one := text(schema, "const"); one != "" {
		return []string{one}
	}
	for _, word := range items(member(schema, "enum")) {
		if !slices.Contains(words, word.Value) && word.Tag != "!!null" && word.Value != "" {
			words = append(words, word.Value)
		}
	}
	return words
}

// limitsOf says what else is asked of a value.
func limitsOf(schema *yaml.Node) (out []Limit) {
	for _, l := range [][3]string{{LimitValue, "minimum", "maximum"}, {LimitLength, "minLength", "maxLength"}, {LimitItems, "minItems", "maxItems"}, {LimitMembers, "minProperties", "maxProperties"}} {
		least, most := text(schema, l[1]), text(schema, l[2])
		if least == "0" && l[0] != LimitValue {
			least = ""
		}
		if least != "" || most != "" {
			out = append(out, Limit{l[0], least, most})
		}
	}
	if otherwise := text(schema, "default"); otherwise != "" {
		out = append(out, Limit{What: LimitDefault, Least: otherwise})
	}
	return out
}

// rows gives the members of what a schema describes, and of what is in them. seen are the references that led here: what contains itself is not gone into again.
func (r reader) rows(schema *yaml.Node, depth int, seen []string) (out []Row) {
	if schema == nil || depth > maxDepth {
		return nil
	}
	if ref := text(schema, "$ref"); ref != "" {
		if slices.Contains(seen, ref) {
			return []Row{{Depth: depth, Between: BetweenAgain}}
		}
		seen = append(slices.Clone(seen), ref)
	}
	schema = r.resolve(schema)
	required := r.required(schema)
	names := map[string]bool{}
	var collect func(part *yaml.Node, seen []string)
	collect = func(part *yaml.Node, seen []string) {
		for _, of := range items(member(part, "allOf")) {
			if ref := text(of, "$ref"); ref != "" && !slices.Contains(seen, ref) {
				collect(r.resolve(of), append(slices.Clone(seen), ref))
			} else if ref == "" {
				collect(of, seen)
			}
		}
		for name, property := range pairs(member(part, "properties")) {
			if names[name] || len(out) >= maxRows {
				continue
			}
			names[name] = true
			resolved := r.resolve(property)
			row := Row{Depth: depth, Name: name, Required: slices.Contains(required, name), Form: r.form(resolved), About: r.about(resolved)}
			out = append(append(out, row), r.rows(property, depth+1, seen)...)
		}
		if condition := member(part, "if"); condition != nil && len(out) < maxRows {
			if rows := r.rows(member(part, "then"), depth+1, seen); len(rows) > 0 {
				out = append(append(out, Row{Depth: depth, Between: BetweenWhen, About: whenOf(condition)}), rows...)
			}
		}
	}
	collect(schema, seen)
	for _, name := range []string{"oneOf", "anyOf"} {
		n := 0
		for _, option := range items(member(schema, name)) {
			under := r.rows(option, depth+1, seen)
			if len(under) == 0 || len(out) >= maxRows {
				continue
			}
			word := BetweenEither
			if n++; n > 1 {
				word = BetweenOr
			}
			out = append(append(out, Row{Depth: depth, Between: word, About: r.about(r.resolve(option))}), under...)
		}
		if n == 1 { // the others have no members: there is nothing to choose from
			for i := range out {
				if out[i].Between == BetweenEither && out[i].Depth == depth {
					out = slices.Delete(out, i, i+1)
					for j := i; j < len(out); j++ {
						out[j].Depth--
					}
					break
				}
			}
		}
	}
	if under := member(schema, "items"); under != nil {
		out = append(out, r.rows(under, depth, seen)...)
	}
	if under := member(schema, "additionalProperties"); under != nil && under.Kind == yaml.MappingNode && len(under.Content) > 0 {
		resolved := r.resolve(under)
		out = append(append(out, Row{Depth: depth, Name: AnyName, Form: r.form(resolved), About: r.about(resolved)}), r.rows(under, depth+1, seen)...)
	}
	if len(out) > maxRows {
		out = append(out[:maxRows], Row{Depth: depth, Between: BetweenMore})
	}
	return out
}

// about is what a schema says of itself, or one of those that it is made of.
func (r reader) about(schema *yaml.Node) string {
	about := text(schema, "description")
	for _, part := range items(member(schema, "allOf")) {
		if about == "" {
			about = text(r.resolve(part), "description")
		}
	}
	return about
}

// required are the names of the members that must be there, by a schema and those that it is made of.
func (r reader) required(schema *yaml.Node) (names []string) {
	for _, name := range items(member(schema, "required")) {
		names = append(names, name.Value)
	}
	for _, part := range items(member(schema, "allOf")) {
		names = append(names, r.required(r.resolve(part))...)
	}
	return names
}

// whenOf writes a condition: "`action` = `confirm`".
func whenOf(condition *yaml.Node) string {
	var parts []string
	for name, property := range pairs(member(condition, "properties")) {
		parts = append(parts, "`"+name+"` = `"+strings.Join(wordsOf(property), "` / `")+"`")
	}
	return strings.Join(parts, ", ")
}

// sample makes an example of a schema: what is required, each with the first that is known of it.
func (r reader) sample(schema *yaml.Node, depth int) *yaml.Node {
	schema = r.resolve(schema)
	if schema == nil || depth > maxDepth {
		return nothing
	}
	for _, name := range []string{"example", "const", "default"} {
		if given := member(schema, name); given != nil {
			return given
		}
	}
	if words := items(member(schema, "enum")); len(words) > 0 {
		return words[0]
	}
	for _, name := range []string{"oneOf", "anyOf"} {
		if options := items(member(schema, name)); len(options) > 0 {
			return r.sample(options[0], depth)
		}
	}
	kind := text(schema, "type")
	if named := items(member(schema, "type")); len(named) > 0 {
		kind = named[0].Value
	}
	switch kind {
	case "string":
		return scalar("")
	case "integer", "number":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "0"}
	case "boolean":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"}
	case "array":
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if text(schema, "minItems") != "" {
			list.Content = append(list.Content, r.sample(member(schema, "items"), depth+1))
		}
		return list
	}
	object := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	required := r.required(schema)
	var fill func(part *yaml.Node)
	fill = func(part *yaml.Node) {
		for _, of := range items(member(part, "allOf")) {
			fill(r.resolve(of))
		}
		for name, property := range pairs(member(part, "properties")) {
			if slices.Contains(required, name) && member(object, name) == nil {
				object.Content = append(object.Content, scalar(name), r.sample(property, depth+1))
			}
		}
	}
	fill(schema)
	return object
}

var nothing = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}

// asJSON writes a value as JSON, in its own order. Short lists stand on a line.
func asJSON(n *yaml.Node) string {
	var out strings.Builder
	writeJSON(&out, n, "")
	return out.String()
}

// lineLength is up to where an object or list stands on one line.
const lineLength = 80

func writeJSON(out *strings.Builder, n *yaml.Node, indent string) {
	if n == nil {
		n = nothing
	}
	open, close, step := "[", "]", 1
	switch n.Kind {
	case yaml.MappingNode:
		open, close, step = "{", "}", 2
	case yaml.SequenceNode:
	default:
		out.WriteString(jsonScalar(n))
		return
	}
	if len(n.Content) == 0 {
		out.WriteString(open + close)
		return
	}
	deeper, end, between := indent+"  ", "\n"+indent, ",\n"+indent+"  "
	start := "\n" + deeper
	if onOneLine(n) {
		start, end, between = "", "", ", "
	}
	out.WriteString(open + start)
	for i := 0; i < len(n.Content); i += step {
		if i > 0 {
			out.WriteString(between)
		}
		if step == 2 {
			out.WriteString(quotedJSON(n.Content[i].Value) + ": ")
		}
		writeJSON(out, n.Content[i+step-1], deeper)
	}
	out.WriteString(end + close)
}

// onOneLine reports whether a list is small.
func onOneLine(n *yaml.Node) bool {
	size := 0
	var measure func(n *yaml.Node) bool
	measure = func(n *yaml.Node) bool {
		size += len(n.Value) + 4
		for _, under := range n.Content {
			if !measure(under) {
				return false
			}
		}
		return size < lineLength
	}
	return n.Kind == yaml.SequenceNode && measure(n)
}

func jsonScalar(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!null":
		return "null"
	case "!!bool":
		return strings.ToLower(n.Value)
	case "!!int":
		if _, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return n.Value
		}
	case "!!float":
		if json.Valid([]byte(n.Value)) {
			return n.Value
		}
	}
	return quotedJSON(n.Value)
}

func quotedJSON(s string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a text always is
	return strings.TrimSuffix(out.String(), "\n")
}
