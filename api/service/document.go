package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/gofiber/fiber/v2"
	"go.yaml.in/yaml/v3"

	"signalbox/api"
	"signalbox/flow"
	"signalbox/ticket"
)

const mimeYAML = "application/yaml"

// document reads the definition that a request's body is. Every JSON document is a YAML document, so the content type does not matter.
func document(c *fiber.Ctx) (flow.Definition, flow.Faults, error) {
	if enc := c.Get(fiber.HeaderContentEncoding); enc != "" && !strings.EqualFold(enc, "identity") {
		return flow.Definition{}, nil, ticket.RefuseField(ticket.Invalid, fiber.HeaderContentEncoding, "bodies are taken uncompressed only")
	}
	if len(c.BodyRaw()) > ticket.MaxDefinition {
		return flow.Definition{}, nil, ticket.Refuse(api.TooLarge, "a definition "+ticket.Over(ticket.MaxDefinition, "bytes", len(c.BodyRaw())))
	}
	def, faults := parse(c.BodyRaw())
	return def, faults, nil
}

// parse reads a definition from its text, and tells what is wrong with it.
func parse(source []byte) (flow.Definition, flow.Faults) {
	def, faults := flow.Parse(plainer(source))
	if len(faults) > 0 {
		return def, faults
	}
	if raw, err := json.Marshal(def); err != nil || len(raw) > ticket.MaxDefinition {
		faults = flow.Faults{{Message: "the definition " + ticket.Over(ticket.MaxDefinition, "bytes as JSON", len(raw))}}
	}
	return def, faults
}

// Escapes that come after an escaped backslash are none, so that is looked for as well.
var unlike = regexp.MustCompile(`\\\\|\\/|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[\x{85}\x{2028}\x{2029}]`)

// plainer writes what JSON and YAML read differently so that they read the same: a character beyond the first plane that is escaped as two
// halves (RFC 8259, section 7), as many writers do by themselves; an escaped slash; and line breaks that only YAML knows. Lines keep their
// numbers.
func plainer(source []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimSpace(source), []byte("{")) || !json.Valid(source) {
		return source
	}
	return unlike.ReplaceAllFunc(source, func(found []byte) []byte {
		switch text := string(found); {
		case text == `\\`:
			return found
		case text == `\/`:
			return []byte("/")
		case len(text) < 12:
			return fmt.Appendf(nil, `\u%04x`, []rune(text)[0])
		default:
			high, _ := strconv.ParseUint(text[2:6], 16, 16)
			low, _ := strconv.ParseUint(text[8:12], 16, 16)
			return []byte(string(utf16.DecodeRune(rune(high), rune(low))))
		}
	})
}

// writeYAML writes a definition as YAML, its members in the order of its JSON.
func writeYAML(def flow.Definition) ([]byte, error) {
	raw, err := api.Marshal(def)
	if err != nil {
		return nil, fmt.Errorf("write a definition: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(plainer(raw), &document); err != nil {
		return nil, fmt.Errorf("read a definition's JSON as YAML: %w", err)
	}
	unquote(&document)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, fmt.Errorf("write a definition as YAML: %w", err)
	}
	return out.Bytes(), encoder.Close()
}

// unquote lets the writer choose how everything is written, which is with quotes only where a text would be taken for something else.
func unquote(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		unquote(child)
	}
}
