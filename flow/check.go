package flow

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a definition. Lengths are in characters.
const (
	MaxNodes       = 200
	MaxFields      = 200 // of one form
	MaxChoices     = 500 // of one field
	MaxPersons     = 200 // of one list
	MaxGroups      = 20  // likewise
	MaxPaths       = 50  // cases of a branch, branches of a parallel
	MaxStages      = 20  // of one deadline
	MaxName        = 255
	MaxWord        = 64 // of an id or a key
	MaxDescription = 10_000
	MaxExpression  = 1_000
)

var (
	word       = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	serviceKey = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

// definition checks what is not inside a node, and gives each node its place.
func (b *builder) definition() {
	def := b.p.def
	if b.text("key", def.Key, 1, MaxWord) && !serviceKey.MatchString(def.Key) {
		b.add("key", "may only contain A-Z, a-z, 0-9, '_', '.' and '-'")
	}
	b.text("name", def.Name, 1, MaxName)
	b.freeText("description", def.Description, MaxDescription)
	b.enum("service_type", def.ServiceType, "service_type")
	b.fields("fields", def.Fields)
	switch {
	case len(def.Nodes) == 0:
		b.add("nodes", "there must be at least one node")
	case len(def.Nodes) > MaxNodes:
		b.add("nodes", "%s", Over(MaxNodes, "nodes", len(def.Nodes)))
		b.p.def.Nodes = def.Nodes[:MaxNodes]
	}
	for i, node := range b.p.def.Nodes {
		n := newNode(node, i)
		b.order = append(b.order, n)
		path := n.path + ".id"
		switch first, taken := b.p.nodes[n.ID]; {
		case !b.text(path, n.ID, 1, MaxWord):
		case !word.MatchString(n.ID):
			b.add(path, "must be a word of letters, digits and '_' that does not begin with a digit")
		case taken:
			b.add(path, "the id %q is taken by %s", n.ID, first.path)
		default:
			b.p.nodes[n.ID] = n
		}
		b.text(n.path+".name", n.Name, 1, MaxName)
	}
}

func newNode(from Node, index int) *node {
	n := &node{Node: from, index: index, path: fmt.Sprintf("nodes[%d]", index)}
	switch {
	case n.Type == Task && n.Action == "":
		n.Action = Submit
	case n.Type == Approval && n.Rule == "":
		n.Rule = AnyOf
	case n.Type == End && n.Status == "":
		n.Status = Completed
	}
	if n.Type == Task && n.Distribute == "" {
		n.Distribute = ByAll
	}
	if n.Reject == nil {
		n.Reject = &Rejection{Then: GoOn}
	}
	if n.Processors == nil {
		n.Processors = &Processors{}
	}
	return n
}

// text checks a text of one line.
func (b *builder) text(path, value string, min, max int) bool {
	switch {
	case min > 0 && strings.TrimSpace(value) == "":
		b.add(path, "is required and must not be empty")
	case utf8.RuneCountInString(value) > max:
		b.add(path, "%s", Over(max, "characters", utf8.RuneCountInString(value)))
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		b.add(path, "must be valid UTF-8 without control characters")
	default:
		return true
	}
	return false
}

func (b *builder) freeText(path, value string, max int) {
	switch {
	case utf8.RuneCountInString(value) > max:
		b.add(path, "%s", Over(max, "characters", utf8.RuneCountInString(value)))
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		b.add(path, "must be valid UTF-8 without the character NUL")
	}
}

// enum checks a word that may be left out.
func (b *builder) enum(path, value, enum string) bool {
	if value == "" || known(enum, value) {
		return true
	}
	b.add(path, "must be one of %s, not %q", strings.Join(Vocabulary[enum], ", "), value)
	return false
}

// fields checks one form. A key that several forms declare must have one type in all of them: it is one field of the ticket.
func (b *builder) fields(path string, fields []Field) {
	if len(fields) > MaxFields {
		b.add(path, "%s", Over(MaxFields, "fields", len(fields)))
		return
	}
	seen := map[string]bool{}
	for i, f := range fields {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !b.text(at+".key", f.Key, 1, MaxWord):
		case !word.MatchString(f.Key):
			b.add(at+".key", "must be a word of letters, digits and '_' that does not begin with a digit")
		case seen[f.Key]:
			b.add(at+".key", "the key %q is there twice", f.Key)
		case b.p.types[f.Key] != "" && b.p.types[f.Key] != f.Type:
			b.add(at+".type", "the field %q is %s elsewhere", f.Key, b.p.types[f.Key])
		case f.Type == "":
			b.add(at+".type", "is required")
		case b.enum(at+".type", string(f.Type), "field.type"):
			b.p.types[f.Key] = f.Type
			b.field(at, f)
		}
		seen[f.Key] = true
		b.text(at+".name", f.Name, 0, MaxName)
	}
}

func (b *builder) field(at string, f Field) {
	had := len(b.faults)
	switch chosen := f.Type.chosen(); {
	case chosen && len(f.Choice) == 0:
		b.add(at+".choice", "%s needs at least one choice", f.Type)
	case !chosen && len(f.Choice) > 0:
		b.add(at+".choice", "%s takes no choice", f.Type)
	case len(f.Choice) > MaxChoices:
		b.add(at+".choice", "%s", Over(MaxChoices, "choices", len(f.Choice)))
		return
	}
	keys := map[string]bool{}
	for i, c := range f.Choice {
		path := fmt.Sprintf("%s.choice[%d].key", at, i)
		switch {
		case !b.text(path, c.Key, 1, MaxName):
		case strings.Contains(c.Key, ","):
			b.add(path, "must not contain a comma: choices travel as comma lists")
		case keys[c.Key]:
			b.add(path, "the choice %q is there twice", c.Key)
		}
		keys[c.Key] = true
	}
	if f.Regex != "" {
		if f.Type != String && f.Type != Text {
			b.add(at+".regex", "%s takes no regex", f.Type)
		} else if len(f.Regex) > MaxExpression {
			b.add(at+".regex", "%s", Over(MaxExpression, "bytes", len(f.Regex)))
		} else {
			_, err := regexp.Compile(f.Regex)
			if err == nil && b.publishing {
				_, err = f.pattern()
			}
			if err != nil {
				b.add(at+".regex", "must be a regular expression (RE2)")
			}
		}
	}
	if f.Default != nil && len(b.faults) == had {
		// What the rules of either day take can be published: a ticket of either may run through it.
		_, err := f.canonical(f.Default, RulesNow)
		if _, first := f.canonical(f.Default, RulesFirst); err != nil && first != nil {
			b.add(at+".default", "%s", err)
		} else if b.publishing && f.Type.outOfRange(f.Default) {
			b.add(at+".default", outOfRange)
		}
	}
}
