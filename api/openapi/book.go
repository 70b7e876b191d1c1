package openapi

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Book is a document as people read it.
type Book struct {
	Name     string // as in Document
	Title    string
	About    string // CommonMark, as all texts called so
	Chapters []Chapter
	Webhooks []*Call // requests that we make
	Count    int     // calls, a call at several addresses counted once
	byID     map[string]*Call
}

// Chapter is what belongs together: an OpenAPI tag.
type Chapter struct {
	Name, About string
	Calls       []*Call
}

// Call is an operation, or a webhook.
type Call struct {
	ID           string // operationId
	Method, Path string // a webhook's path is its name
	Summary      string
	About        string
	Webhook      bool
	Main         *Call   // of those that are the same call at several addresses the one that stands for all; itself where there is only one
	Same         []*Call // all of them, in the document's order
	Told         []*Call // webhooks by which what it begins is told
	Parameters   []Parameter
	Body         *Body // nil: none
	Answers      []Answer
}

// Parameter is one of a call, or a header of an answer.
type Parameter struct {
	Name, In string // In: path, query, header
	About    string
	Required bool
	List     bool // several may be given
	Form
	Example string
}

// Form is what values look like.
type Form struct {
	Kinds  []Kind   // any of them; none: anything
	Words  []string // that alone are taken
	Limits []Limit
}

// Kind is a type of JSON Schema, or the format of a string.
type Kind struct {
	Name string
	Of   []Kind // array: of what; none: of anything
}

// Limit bounds a value: LimitValue, LimitLength, LimitItems or LimitMembers; or says what is taken where there is none (LimitDefault, in Least).
type Limit struct{ What, Least, Most string }

// What limits are about.
const (
	LimitValue   = "value"
	LimitLength  = "length"
	LimitItems   = "items"
	LimitMembers = "members"
	LimitDefault = "default"
)

// Body is what a call carries.
type Body struct {
	Required bool
	Types    []string // media types, the first is what examples are of
	Form     Form
	Rows     []Row
	Examples []Example // at least one where the first type is JSON
}

// Example is one of a body. Name is empty where it was made from the schema.
type Example struct{ Name, Text string }

// Answer is what a call may be answered.
type Answer struct {
	Status  string // "200", "4XX", "default"
	About   string
	Type    string // media type; empty: there is no body
	Headers []Parameter
	Form    Form
	Rows    []Row
	Example string // JSON
}

// Row is a member of an object, or a line between members, which says when those under it count.
type Row struct {
	Depth    int
	Name     string // empty: a line between
	Between  string // of such a line: BetweenEither, BetweenOr, BetweenWhen (Name is empty, and About says when), BetweenAgain or BetweenMore
	Required bool
	Form
	About string
}

// What lines between members say.
const (
	BetweenEither = "either" // these, or those under BetweenOr
	BetweenOr     = "or"
	BetweenWhen   = "when"  // these, where About holds
	BetweenAgain  = "again" // the same members that this is in
	BetweenMore   = "more"  // there are more in the document
	AnyName       = "*"     // a member of any name
)

// Books gives every document as people read it, in the order of Documents.
var Books = sync.OnceValue(func() []*Book {
	var all []*Book
	for _, d := range documents() {
		b, err := read(d)
		if err != nil {
			panic("openapi: " + d.Name + ": " + err.Error()) // it is embedded
		}
		all = append(all, b)
	}
	return all
})

// BookOf gives one by its name; nil: there is none.
func BookOf(name string) *Book {
	for _, b := range Books() {
		if b.Name == name {
			return b
		}
	}
	return nil
}

// Call gives a call or webhook by its operationId; nil: there is none.
func (b *Book) Call(id string) *Call { return b.byID[id] }

// Find lists the calls and webhooks that have all words in their summary, path, method or id, whichever case they are in.
func (b *Book) Find(words string) (found []*Call) {
	all := strings.Fields(strings.ToLower(words))
	try := func(c *Call) {
		var text string
		for _, same := range c.Same {
			text += strings.ToLower(same.Summary + " " + same.Method + " " + same.Path + " " + same.ID + "\n")
		}
		if !slices.ContainsFunc(all, func(word string) bool { return !strings.Contains(text, word) }) {
			found = append(found, c)
		}
	}
	for _, chapter := range b.Chapters {
		for _, c := range chapter.Calls {
			try(c)
		}
	}
	for _, c := range b.Webhooks {
		try(c)
	}
	return found
}

var methods = []string{"get", "post", "put", "patch", "delete"}

// reader makes a book of a document.
type reader struct{ root *yaml.Node }

func read(d Document) (*Book, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(d.YAML, &document); err != nil {
		return nil, err
	}
	r := reader{document.Content[0]}
	info := member(r.root, "info")
	b := &Book{Name: d.Name, Title: text(info, "title"), About: text(info, "description"), byID: map[string]*Call{}}
	for _, tag := range items(member(r.root, "tags")) {
		b.Chapters = append(b.Chapters, Chapter{Name: text(tag, "name"), About: text(tag, "description")})
	}
	told := map[string]*Call{}
	for name, hook := range pairs(member(r.root, "webhooks")) {
		for method, operation := range pairs(hook) {
			if !slices.Contains(methods, method) {
				continue
			}
			c := r.call(method, name, hook, operation)
			c.Webhook, c.Main, c.Same = true, c, []*Call{c}
			b.Webhooks, b.byID[c.ID], told[name] = append(b.Webhooks, c), c, c
		}
	}
	for path, item := range pairs(member(r.root, "paths")) {
		for method, operation := range pairs(item) {
			if !slices.Contains(methods, method) {
				continue
			}
			c := r.call(method, path, item, operation)
			for name := range pairs(member(operation, "callbacks")) {
				if hook := told[name]; hook != nil {
					c.Told = append(c.Told, hook)
				}
			}
			b.byID[c.ID] = c
			tags := items(member(operation, "tags"))
			if len(tags) != 1 {
				return nil, fmt.Errorf("%s %s has not one tag", method, path)
			}
			i := slices.IndexFunc(b.Chapters, func(chapter Chapter) bool { return chapter.Name == tags[0].Value })
			if i < 0 {
				return nil, fmt.Errorf("%s %s: there is no tag %s", method, path, tags[0].Value)
			}
			b.add(&b.Chapters[i], c)
		}
	}
	return b, nil
}

// add puts a call into a chapter: beside those of the same summary, which are the same call at other addresses. The one that stands for them is the first that has an example
// of a body, or the first of all.
func (b *Book) add(chapter *Chapter, c *Call) {
	i := slices.IndexFunc(chapter.Calls, func(other *Call) bool { return other.Summary == c.Summary })
	if i < 0 {
		b.Count++
		c.Main, c.Same = c, []*Call{c}
		chapter.Calls = append(chapter.Calls, c)
		return
	}
	main := chapter.Calls[i]
	same := append(main.Same, c)
	if !main.shown() && c.shown() {
		main = c
		chapter.Calls[i] = c
	}
	for _, one := range same {
		one.Main, one.Same = main, same
	}
}

// shown reports whether the document has an example of the call's body.
func (c *Call) shown() bool {
	return c.Body != nil && len(c.Body.Examples) > 0 && c.Body.Examples[0].Name != ""
}

func (r reader) call(method, path string, item, operation *yaml.Node) *Call {
	c := &Call{ID: text(operation, "operationId"), Method: strings.ToUpper(method), Path: path, Summary: text(operation, "summary"), About: text(operation, "description")}
	for _, list := range []*yaml.Node{member(item, "parameters"), member(operation, "parameters")} {
		for _, p := range items(list) {
			p = r.resolve(p)
			c.Parameters = append(c.Parameters, r.parameter(text(p, "name"), text(p, "in"), p))
		}
	}
	if body := member(operation, "requestBody"); body != nil {
		c.Body = r.body(r.resolve(body))
	}
	for status, answer := range pairs(member(operation, "responses")) {
		if _, same := find(c.Answers, func(a Answer) bool { return a.Status == "default" }); same && status == "4XX" {
			continue // complete says for generators what default says
		}
		c.Answers = append(c.Answers, r.answer(status, r.resolve(answer)))
	}
	return c
}

func (r reader) parameter(name, in string, p *yaml.Node) Parameter {
	schema := r.resolve(member(p, "schema"))
	out := Parameter{Name: name, In: in, About: text(p, "description"), Required: text(p, "required") == "true", Form: r.form(schema), List: text(schema, "type") == "array"}
	if out.About == "" {
		out.About = text(schema, "description")
	}
	if example := member(p, "example"); example != nil && example.Kind == yaml.ScalarNode {
		out.Example = example.Value
	}
	if out.List {
		out.Form.Words = r.form(r.resolve(member(schema, "items"))).Words
	}
	return out
}

func (r reader) body(body *yaml.Node) *Body {
	out := &Body{Required: text(body, "required") == "true"}
	for kind, media := range pairs(member(body, "content")) {
		out.Types = append(out.Types, kind)
		if len(out.Types) > 1 {
			continue
		}
		schema := member(media, "schema")
		out.Form, out.Rows = r.form(r.resolve(schema)), r.rows(schema, 0, nil)
		if one := member(media, "example"); one != nil {
			out.Examples = append(out.Examples, Example{Name: "example", Text: asJSON(one)})
		}
		for name, example := range pairs(member(media, "examples")) {
			if summary := text(example, "summary"); summary != "" {
				name = summary
			}
			out.Examples = append(out.Examples, Example{Name: name, Text: asJSON(member(example, "value"))})
		}
		if len(out.Examples) == 0 && strings.HasSuffix(kind, "json") {
			out.Examples = append(out.Examples, Example{Text: asJSON(r.sample(schema, 0))})
		}
	}
	return out
}

func (r reader) answer(status string, answer *yaml.Node) Answer {
	out := Answer{Status: status, About: text(answer, "description")}
	for name, header := range pairs(member(answer, "headers")) {
		out.Headers = append(out.Headers, r.parameter(name, "header", r.resolve(header)))
	}
	for kind, media := range pairs(member(answer, "content")) {
		out.Type = kind
		if schema := member(media, "schema"); schema != nil {
			out.Form, out.Rows = r.form(r.resolve(schema)), r.rows(schema, 0, nil)
		}
		if example := member(media, "example"); example != nil {
			out.Example = asJSON(example)
		}
		break
	}
	return out
}

// resolve gives what a $ref stands for, with the members that stand beside it in place of its own.
func (r reader) resolve(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	ref := member(n, "$ref")
	if ref == nil {
		return n
	}
	to := r.root
	for step := range strings.SplitSeq(strings.TrimPrefix(ref.Value, "#/"), "/") {
		if to = member(to, step); to == nil {
			panic("openapi: " + ref.Value + " leads nowhere") // a test reads every document
		}
	}
	to = r.resolve(to)
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for name, value := range pairs(to) {
		if member(n, name) == nil {
			out.Content = append(out.Content, scalar(name), value)
		}
	}
	for name, value := range pairs(n) {
		if name != "$ref" {
			out.Content = append(out.Content, scalar(name), value)
		}
	}
	return out
}

func find[T any](all []T, is func(T) bool) (one T, found bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	return one, false
}

// text is a member of a mapping that is one; empty where there is none.
func text(mapping *yaml.Node, name string) string {
	if mapping == nil {
		return ""
	}
	if n := member(mapping, name); n != nil && n.Kind == yaml.ScalarNode {
		return strings.TrimSpace(n.Value)
	}
	return ""
}

// pairs goes through a mapping, in its order.
func pairs(mapping *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if mapping == nil || mapping.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i].Value, mapping.Content[i+1]) {
				return
			}
		}
	}
}

func items(list *yaml.Node) []*yaml.Node {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return list.Content
}
