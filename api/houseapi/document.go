package houseapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
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

// Source gives the document that a request's body is, YAML or JSON: every JSON document is a YAML document, so the content type does not matter. What is a name for
// it, such as "a definition".
func Source(c *fiber.Ctx, what string, max int) ([]byte, error) {
	if enc := c.Get(fiber.HeaderContentEncoding); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, ticket.RefuseField(ticket.Invalid, fiber.HeaderContentEncoding, "bodies are taken uncompressed only")
	}
	if len(c.BodyRaw()) > max {
		return nil, ticket.Refuse(api.TooLarge, what+" "+ticket.Over(max, "bytes", len(c.BodyRaw())))
	}
	return Plainer(c.BodyRaw()), nil
}

// Written gives a text as it is kept beside the document that was read from it; empty where that is JSON, which says no more than the document does.
func Written(source []byte) string {
	if bytes.HasPrefix(bytes.TrimSpace(source), []byte("{")) {
		return ""
	}
	return string(source)
}

// DocumentAsWritten is Document for one of which text gives what it was written as, which whoever asks for YAML is given; empty: it is drawn.
func DocumentAsWritten(c *fiber.Ctx, document any, text func() (string, error)) error {
	if !asYAML(c) {
		return Document(c, document)
	}
	written, err := text()
	if err != nil {
		return err
	}
	if written == "" {
		return Document(c, document)
	}
	return sendYAML(c, []byte(written))
}

func asYAML(c *fiber.Ctx) bool {
	c.Vary(fiber.HeaderAccept)
	switch c.Accepts(fiber.MIMEApplicationJSON, mimeYAML, "text/yaml", "application/x-yaml", "text/x-yaml") {
	case fiber.MIMEApplicationJSON, "":
		return false
	}
	return true
}

func sendYAML(c *fiber.Ctx, text []byte) error {
	c.Set(fiber.HeaderContentType, mimeYAML+"; charset=utf-8")
	return c.Status(http.StatusOK).Send(text)
}

// Document shows a document as it can be published again: as JSON, or as YAML for who asks for that.
func Document(c *fiber.Ctx, document any) error {
	if !asYAML(c) {
		return api.Respond(c, http.StatusOK, document)
	}
	text, err := WriteYAML(document)
	if err != nil {
		return err
	}
	return sendYAML(c, text)
}

// faultList is the result of a document that is refused.
type faultList struct {
	Faults flow.Faults `json:"faults"`
}

// Faulty refuses a document, such as "the definition", with everything that is wrong with it.
func Faulty(c *fiber.Ctx, document string, faults flow.Faults) error {
	message := document + " has a fault: "
	if len(faults) > 1 {
		message = fmt.Sprintf("%s has %d faults, the first of them: ", document, len(faults))
	}
	api.RefusedWith(c, ticket.Refuse(ticket.Invalid, message+faults[0].String()))
	return api.Respond(c, http.StatusBadRequest, Envelope{Message: message + faults[0].String(), Result: faultList{Faults: faults}})
}

// verdict is the result of a check.
type verdict struct {
	Valid  bool        `json:"valid"`
	Faults flow.Faults `json:"faults"`
}

// Verdict tells what is wrong with a document, which is nothing where there are no faults.
func Verdict(c *fiber.Ctx, faults flow.Faults) error {
	return Respond(c, verdict{Valid: len(faults) == 0, Faults: append(flow.Faults{}, faults...)})
}

// Escapes that come after an escaped backslash are none, so that is looked for as well.
var unlike = regexp.MustCompile(`\\\\|\\/|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[\x{85}\x{2028}\x{2029}]`)

// Plainer writes what JSON and YAML read differently so that they read the same: a character beyond the first plane that is escaped as two
// halves (RFC 8259, section 7), as many writers do by themselves; an escaped slash; and line breaks that only YAML knows. Lines keep their
// numbers.
func Plainer(source []byte) []byte {
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

// WriteYAML writes a document as YAML, its members in the order of its JSON.
func WriteYAML(document any) ([]byte, error) {
	raw, err := api.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write a document: %w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(Plainer(raw), &node); err != nil {
		return nil, fmt.Errorf("read a document's JSON as YAML: %w", err)
	}
	unquote(&node)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return nil, fmt.Errorf("write a document as YAML: %w", err)
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
