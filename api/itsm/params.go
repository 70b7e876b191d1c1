package itsm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/ticket"
)

// params are the parameters of an operation, from the query and from a JSON body alike; what the query says counts. Faults of their values
// are collected, so that a caller hears of all of them.
type params struct {
	query  url.Values
	body   map[string]json.RawMessage
	faults ticket.Faults
}

type paramsKey struct{}

// paramsOf reads the parameters of a request, once.
func paramsOf(c *fiber.Ctx) (*params, error) {
	if p, ok := c.Locals(paramsKey{}).(*params); ok {
		return p, nil
	}
	query, err := api.Query(c)
	if err != nil {
		return nil, err
	}
	p := &params{query: query}
	if len(bytes.TrimSpace(c.BodyRaw())) > 0 {
		if err := api.Decode(c, &p.body); err != nil {
			return nil, err
		}
	}
	c.Locals(paramsKey{}, p)
	return p, nil
}

// raw gives a parameter of the body; nil when it is not there, or null.
func (p *params) raw(name string) json.RawMessage {
	if raw := p.body[name]; string(raw) != "null" {
		return raw
	}
	return nil
}

// has reports whether a parameter is there, and not null.
func (p *params) has(name string) bool { return len(p.query[name]) > 0 || p.raw(name) != nil }

// asText gives a parameter that is a text; numbers tells that a JSON number is taken for its digits.
func (p *params) asText(name string, numbers bool) string {
	if list := p.query[name]; len(list) > 0 {
		if len(list) > 1 {
			p.faults.Add(name, "is there twice")
		}
		return list[0]
	}
	raw := p.raw(name)
	if raw == nil {
		return ""
	}
	var text string
	var number json.Number
	switch {
	case json.Unmarshal(raw, &text) == nil:
		return text
	case numbers && json.Unmarshal(raw, &number) == nil:
		return number.String()
	case numbers:
		p.faults.Add(name, "must be a whole number")
	default:
		p.faults.Add(name, "must be a string")
	}
	return ""
}

// name gives a parameter that names somebody or something, of at least min and at most max characters.
func (p *params) name(name string, min, max int) string {
	return p.checked(name, min, max, p.faults.Name)
}

// text gives a free text.
func (p *params) text(name string, min, max int) string {
	return p.checked(name, min, max, p.faults.Text)
}

func (p *params) checked(name string, min, max int, check func(field, value string, min, max int)) string {
	had := len(p.faults)
	value := p.asText(name, false)
	if len(p.faults) == had {
		check(name, value, min, max)
	}
	return value
}

// whole gives a whole number, which may also come as digits in a text; otherwise when it is not there.
func (p *params) whole(name string, otherwise, min, max int64) int64 {
	had := len(p.faults)
	text := p.asText(name, true)
	if len(p.faults) > had || text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < min || n > max {
		p.faults.Add(name, fmt.Sprintf("must be a whole number from %d to %d", min, max))
		return otherwise
	}
	return n
}

// maxID is the largest integer id, and the largest number that every client can hold.
const maxID = 1 << 53

// id gives a number that names something and has to be there.
func (p *params) id(name string) int64 {
	had := len(p.faults)
	n := p.whole(name, 0, 1, maxID)
	if n == 0 && len(p.faults) == had {
		p.faults.Add(name, "is required")
	}
	return n
}

// flag gives a boolean, which may also come as a text.
func (p *params) flag(name string) bool {
	text := string(p.raw(name))
	if len(p.query[name]) > 0 {
		text = p.asText(name, false)
	}
	switch strings.Trim(text, `"`) {
	case "true", "True", "1":
		return true
	case "", "false", "False", "0":
		return false
	}
	p.faults.Add(name, "must be true or false")
	return false
}

// choice gives a text that must be one of some words; empty when it is not there.
func (p *params) choice(name string, words ...string) string {
	value := p.name(name, 0, ticket.MaxName)
	if value != "" && !slices.Contains(words, value) {
		p.faults.Add(name, "must be one of "+strings.Join(words, ", "))
	}
	return value
}

// list gives texts: an array in the body, and in the query a parameter that may be repeated. Nil when it is not there.
func (p *params) list(name string, most int) []string {
	var items []string
	switch given := p.query[name]; {
	case len(given) == 1 && strings.HasPrefix(strings.TrimSpace(given[0]), "["):
		p.decode(name, []byte(given[0]), &items)
	case len(given) > 0:
		items = given
	case p.raw(name) != nil:
		p.decode(name, p.raw(name), &items)
	}
	if len(items) > most {
		p.faults.Add(name, fmt.Sprintf("must have at most %d items", most))
		return nil
	}
	for i, item := range items {
		p.faults.Name(fmt.Sprintf("%s[%d]", name, i), item, 1, ticket.MaxName)
	}
	return items
}

// wholes gives whole numbers, each of which may come as digits in a text.
func (p *params) wholes(name string, most int) []int64 {
	var items []json.RawMessage
	switch given := p.query[name]; {
	case len(given) == 1 && strings.HasPrefix(strings.TrimSpace(given[0]), "["):
		p.decode(name, []byte(given[0]), &items)
	case len(given) > 0:
		for _, text := range given {
			items = append(items, json.RawMessage(strconv.Quote(text)))
		}
	case p.raw(name) != nil:
		p.decode(name, p.raw(name), &items)
	}
	if len(items) > most {
		p.faults.Add(name, fmt.Sprintf("must have at most %d items", most))
		return nil
	}
	out := make([]int64, len(items))
	for i, item := range items {
		n, err := strconv.ParseInt(strings.Trim(string(item), `"`), 10, 64)
		if err != nil {
			p.faults.Add(fmt.Sprintf("%s[%d]", name, i), "must be a whole number")
		}
		out[i] = n
	}
	return out
}

// object reads a parameter that is an object or a list; in the query it is written as JSON.
func (p *params) object(name string, into any) {
	if given := p.query[name]; len(given) > 0 {
		p.decode(name, []byte(given[0]), into)
	} else if raw := p.raw(name); raw != nil {
		p.decode(name, raw, into)
	}
}

// decode reads JSON and notes what does not fit under the parameter's name.
func (p *params) decode(name string, raw []byte, into any) {
	err := api.DecodeJSON(raw, into)
	refusal := ticket.AsError(err)
	if refusal == nil {
		return
	}
	field := name
	switch {
	case refusal.Field == "body":
	case strings.HasPrefix(refusal.Field, "["):
		field += refusal.Field
	default:
		field += "." + refusal.Field
	}
	p.faults.Add(field, refusal.Message)
}

// moment gives a time as this family writes it, in the zone, or as RFC 3339 does. A day alone begins at midnight.
func (p *params) moment(name string, zone *time.Location) time.Time {
	text := p.name(name, 0, ticket.MaxName)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateTime, time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UTC()
		}
	}
	p.faults.Add(name, "must be a time like "+time.DateTime)
	return time.Time{}
}

// sn gives the ticket's number, or its UUID.
func (p *params) sn() string { return p.name("sn", 1, ticket.MaxName) }
