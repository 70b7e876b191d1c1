package openapi

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// complete gives a document as it is served: what the file says once for many operations stands at each of them, with what generators of clients ask for
// and every operation has alike. No aliases, which some do not read; an operationId, made of method and path where the file names none; and 4XX beside
// the default.
func complete(text []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	whole := expand(&document)
	addTypes(whole)
	paths := member(whole.Content[0], "paths")
	if paths == nil {
		return nil, fmt.Errorf("no paths")
	}
	completePaths("", paths)
	if hooks := member(whole.Content[0], "webhooks"); hooks != nil {
		for i := 0; i < len(hooks.Content); i += 2 {
			completePaths("webhook "+hooks.Content[i].Value, &yaml.Node{Kind: yaml.MappingNode, Content: hooks.Content[i : i+2]})
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(whole); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// completePaths goes through the operations of paths, and of webhooks and the callbacks of an operation, whose ids are made of the name of those.
func completePaths(name string, paths *yaml.Node) {
	for i := 0; i < len(paths.Content); i += 2 {
		path, item := paths.Content[i].Value, paths.Content[i+1]
		if name != "" {
			path = "/" + name
		}
		for j := 0; j < len(item.Content); j += 2 {
			if method := item.Content[j].Value; slices.Contains(methods, method) {
				completeOperation(method, path, item.Content[j+1])
			}
		}
	}
}

func completeOperation(method, path string, operation *yaml.Node) {
	if callbacks := member(operation, "callbacks"); callbacks != nil {
		for i := 0; i < len(callbacks.Content); i += 2 {
			completePaths("callback "+callbacks.Content[i].Value, callbacks.Content[i+1])
		}
	}
	if member(operation, "operationId") == nil {
		operation.Content = append([]*yaml.Node{scalar("operationId"), scalar(operationID(method, path))}, operation.Content...)
	}
	responses := member(operation, "responses")
	if responses == nil || member(responses, "4XX") != nil {
		return
	}
	if refused := member(responses, "default"); refused != nil {
		key := scalar("4XX")
		key.Style = yaml.SingleQuotedStyle
		responses.Content = append(responses.Content, key, expand(refused))
	}
}

// addTypes says of every const and enum what type its words have, where they have one and the schema is silent: generators make anything of it otherwise.
func addTypes(n *yaml.Node) {
	for _, under := range n.Content {
		addTypes(under)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	if kind := member(n, "type"); kind != nil {
		if kind.Value == "object" {
			addMembers(n)
		}
		return
	}
	words := []*yaml.Node{member(n, "const")}
	if list := member(n, "enum"); list != nil && list.Kind == yaml.SequenceNode {
		words = list.Content
	}
	name := ""
	for _, word := range words {
		if word == nil || word.Kind != yaml.ScalarNode {
			return // no schema, or one of something else
		}
		is := map[string]string{"!!str": "string", "!!int": "integer", "!!bool": "boolean"}[word.ShortTag()]
		if is == "" || name != "" && name != is {
			return
		}
		name = is
	}
	n.Content = append([]*yaml.Node{scalar("type"), scalar(name)}, n.Content...)
}

// addMembers describes the members of an object that it must have and says no more of: as what its other members are, or as anything.
func addMembers(object *yaml.Node) {
	required, properties, others := member(object, "required"), member(object, "properties"), member(object, "additionalProperties")
	if required == nil || required.Kind != yaml.SequenceNode {
		return
	}
	if properties == nil {
		properties = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		object.Content = append(object.Content, scalar("properties"), properties)
	}
	for _, name := range required.Content {
		if member(properties, name.Value) != nil {
			continue
		}
		what := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
		if others != nil && others.Kind == yaml.MappingNode {
			what = expand(others)
		}
		properties.Content = append(properties.Content, scalar(name.Value), what)
	}
}

// operationID names an operation by its method and the words of its path: get /openapi/ticket/get_tickets/ is getOpenapiTicketGetTickets.
func operationID(method, path string) string {
	id := method
	for word := range strings.FieldsFuncSeq(path, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// expand copies a node, with what its aliases stand for in their place.
func expand(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return expand(n.Alias)
	}
	c := *n
	c.Anchor, c.Content = "", make([]*yaml.Node, len(n.Content))
	for i, under := range n.Content {
		c.Content[i] = expand(under)
	}
	return &c
}

// member is a member of a mapping; nil: it has none of that name.
func member(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}
