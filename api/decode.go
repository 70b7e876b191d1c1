package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"signalbox/ticket"
)

// Decode reads the body, one JSON value whatever the content type says, into v. Names of members match exactly, unknown ones are ignored,
// of a repeated one the last counts. What does not fit is Invalid and names the member as the caller spelled it: "relations[0].type".
// Members that may be left out should be pointers: nil stands for "not there" and for null. Where v has a method Subject, that is noted.
func Decode(c *fiber.Ctx, v any) error {
	if enc := c.Get(fiber.HeaderContentEncoding); enc != "" && !strings.EqualFold(enc, "identity") {
		return ticket.RefuseField(ticket.Invalid, fiber.HeaderContentEncoding, "bodies are taken uncompressed only")
	}
	if err := DecodeJSON(c.BodyRaw(), v); err != nil {
		return err
	}
	if named, ok := v.(interface{ Subject() Subject }); ok {
		Note(c, named.Subject())
	}
	return nil
}

// DecodeJSON is Decode for JSON that came in some other way.
func DecodeJSON(raw []byte, v any) error {
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return ticket.RefuseField(ticket.Invalid, "body", "is required and must be JSON")
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")): // RFC 8259, section 8.1
		return ticket.RefuseField(ticket.Invalid, "body", "begins with a byte order mark (U+FEFF), which JSON must not")
	case !utf8.Valid(raw):
		return ticket.RefuseField(ticket.Invalid, "body", "must be valid UTF-8")
	}
	// encoding/json takes "TITLE" for "title" and passes over text that is not UTF-8; its second version, used here, does neither.
	err := jsonv2.Unmarshal(raw, v, jsontext.AllowDuplicateNames(true), jsonv2.WithUnmarshalers(exact))
	var semantic *jsonv2.SemanticError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &semantic):
		return ticket.RefuseField(ticket.Invalid, "body", "is not well-formed JSON")
	}
	field := spell(semantic.JSONPointer)
	if why := ticket.AsError(semantic.Err); why != nil {
		return ticket.RefuseField(ticket.Invalid, field, why.Message)
	}
	return ticket.RefuseField(ticket.Invalid, field, "must be "+kind(semantic.GoType))
}

// exact keeps the digits of numbers wherever any value may stand: they are json.Number, as a ticket keeps them.
var exact = jsonv2.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
	if d.PeekKind() != jsontext.KindNumber {
		return errors.ErrUnsupported
	}
	raw, err := d.ReadValue()
	*v = json.Number(raw)
	return err
})

// DecodeMember is DecodeJSON for a member that was kept raw. A fault of the whole of it names the member; its own members are named by
// themselves.
func DecodeMember(name string, raw json.RawMessage, v any) error {
	err := DecodeJSON(raw, v)
	if refusal := ticket.AsError(err); refusal != nil && refusal.Field == "body" {
		return ticket.RefuseField(refusal.Code, name, refusal.Message)
	}
	return err
}

// spell writes a pointer into a document (RFC 6901) the way callers write it: relations[0].type.
func spell(p jsontext.Pointer) string {
	var field strings.Builder
	for token := range p.Tokens() {
		switch _, err := strconv.Atoi(token); {
		case err == nil:
			field.WriteString("[" + token + "]")
		case field.Len() > 0:
			field.WriteString("." + token)
		default:
			field.WriteString(token)
		}
	}
	if field.Len() == 0 {
		return "body"
	}
	return field.String()
}

// kind names the JSON that a Go type is read from.
func kind(t reflect.Type) string {
	if t == nil {
		return "of another type"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kind(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number in its range"
	}
	return "of another type"
}

// Others are the members of an object that its struct has no member for: tag a member of this type with ",embed".
type Others map[string]jsontext.Value

// Misplaced notes those of the others that are known somewhere else, and says where. What is null says nothing there either.
func (o Others) Misplaced(f *ticket.Faults, within string, elsewhere []string, where string) {
	for _, name := range elsewhere {
		if raw, is := o[name]; is && string(raw) != "null" {
			f.Add(within+name, "belongs "+where)
		}
	}
}
