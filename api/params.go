package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/ticket"
)

// Params are the parameters of a request: of its query, and of a JSON body as well where a call reads both; what the query says counts. Faults
// of their values are collected, so that a caller hears of all of them.
type Params struct {
	query  url.Values
	body   map[string]json.RawMessage
	asked  map[string]bool // those of the query that were read; nil: others may be there too
	Faults ticket.Faults   // what is wrong with those that were read
}

type paramsKey struct{}

// ReadQuery begins to read the parameters of a request's query string alone. There may be no others than are read.
func ReadQuery(c *fiber.Ctx) (*Params, error) {
	values, err := queryOf(c)
	return &Params{query: values, asked: map[string]bool{}}, err
}

// Err is nil when nothing is wrong, and otherwise an Invalid refusal that tells of all. It is to be asked once everything was read: where there may
// be no other parameters, it names those that were not.
func (p *Params) Err() error {
	faults := slices.Clone(p.Faults)
	if p.asked == nil {
		return faults.Err()
	}
	known := slices.Sorted(maps.Keys(p.asked))
	for _, name := range slices.Sorted(maps.Keys(p.query)) {
		if !p.asked[name] {
			faults.Add(Shortened(name, maxShownName), "is no parameter here"+instead(name, known))
		}
	}
	return faults.Err()
}

// maxShownName is how much of an unknown parameter's name is told, in characters.
const maxShownName = 64

// instead tells what may have been meant by a word that is none of those that are known: the nearest one, or all.
func instead(word string, known []string) string {
	best, least := "", 3 // two slips of the hand are near
	for _, one := range known {
		if n := edits(word, one); n < least && n < len(one) {
			best, least = one, n
		}
	}
	switch {
	case best != "":
		return "; did you mean " + best + "?"
	case len(known) > 0:
		return "; there are " + strings.Join(known, ", ")
	}
	return ""
}

// edits is how many letters are to be put in, taken out or changed to make one word of another (Levenshtein); at least 3 for words that are long.
func edits(a, b string) int {
	if len(a) > maxShownName {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// given gives the values that a parameter has in the query.
func (p *Params) given(name string) []string {
	if p.asked != nil {
		p.asked[name] = true
	}
	return p.query[name]
}

// ReadParams reads the parameters of a request's query and body. Where one of them cannot be read, those of the other are given with the error.
func ReadParams(c *fiber.Ctx) (*Params, error) {
	if p, ok := c.Locals(paramsKey{}).(*Params); ok {
		return p, nil
	}
	query, err := queryOf(c)
	p := &Params{query: query}
	if len(bytes.TrimSpace(c.BodyRaw())) > 0 {
		if fault := Decode(c, &p.body); fault != nil {
			p.body = nil
			err = errors.Join(err, fault)
		}
	}
	if err != nil {
		return p, err
	}
	c.Locals(paramsKey{}, p)
	return p, nil
}

// raw gives a parameter of the body; nil when it is not there, or null.
func (p *Params) raw(name string) json.RawMessage {
	if raw := p.body[name]; string(raw) != "null" {
		return raw
	}
	return nil
}

// Has reports whether a parameter is there, and not null.
func (p *Params) Has(name string) bool { return len(p.given(name)) > 0 || p.raw(name) != nil }

// AsText gives a parameter that is a text; numbers tells that a JSON number is taken for its digits.
func (p *Params) AsText(name string, numbers bool) string {
	if list := p.given(name); len(list) > 0 {
		if len(list) > 1 {
			p.Faults.Add(name, "is there twice")
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
		p.Faults.Add(name, "must be a whole number")
	default:
		p.Faults.Add(name, "must be a string")
	}
	return ""
}

// Name gives a parameter that names somebody or something, of at least min and at most max characters.
func (p *Params) Name(name string, min, max int) string {
	return p.checked(name, min, max, p.Faults.Name)
}

// Text gives a free text.
func (p *Params) Text(name string, min, max int) string {
	return p.checked(name, min, max, p.Faults.Text)
}

func (p *Params) checked(name string, min, max int, check func(field, value string, min, max int)) string {
	had := len(p.Faults)
	value := p.AsText(name, false)
	if len(p.Faults) == had {
		check(name, value, min, max)
	}
	return value
}

// Whole gives a whole number, which may also come as digits in a text; otherwise when it is not there.
func (p *Params) Whole(name string, otherwise, min, max int64) int64 {
	had := len(p.Faults)
	text := p.AsText(name, true)
	if len(p.Faults) > had || text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < min || n > max {
		p.Faults.Add(name, fmt.Sprintf("must be a whole number from %d to %d", min, max))
		return otherwise
	}
	return n
}

// MaxID is the largest integer id, and the largest number that every client can hold.
const MaxID = 1 << 53

// Needed gives a whole number that has to be there; what is empty is none.
func (p *Params) Needed(name string, min, max int64) int64 {
	had := len(p.Faults)
	n := p.Whole(name, min-1, min, max)
	if n < min && len(p.Faults) == had {
		p.Faults.Add(name, "is required")
	}
	return n
}

// ID gives a number that names something and has to be there.
func (p *Params) ID(name string) int64 { return p.Needed(name, 1, MaxID) }

// Flag gives a boolean, which may also come as a text; false when it is not there or empty.
func (p *Params) Flag(name string) bool {
	yes, _ := p.flag(name)
	return yes
}

// Verdict gives a boolean that has to be there: what is empty is neither.
func (p *Params) Verdict(name string) bool {
	yes, said := p.flag(name)
	if !said {
		p.Faults.Add(name, "is required")
	}
	return yes
}

func (p *Params) flag(name string) (yes, said bool) {
	text := string(p.raw(name))
	if len(p.given(name)) > 0 {
		text = p.AsText(name, false)
	}
	switch strings.Trim(text, `"`) {
	case "true", "True", "1":
		return true, true
	case "false", "False", "0":
		return false, true
	case "":
		return false, false
	}
	p.Faults.Add(name, "must be true or false")
	return false, true
}

// Choice gives a text that must be one of some words; empty when it is not there.
func (p *Params) Choice(name string, words ...string) string {
	value := p.Name(name, 0, ticket.MaxName)
	if value != "" && !slices.Contains(words, value) {
		p.Faults.Add(name, "must be one of "+strings.Join(words, ", "))
	}
	return value
}

// Choices gives the values of a parameter of the query that may be repeated and must be some of the words.
func (p *Params) Choices(name string, words ...string) []string {
	var chosen []string
	for _, value := range p.given(name) {
		switch {
		case value == "":
		case slices.Contains(words, value):
			chosen = append(chosen, value)
		default:
			p.Faults.Add(name, "must be one of "+strings.Join(words, ", "))
			return nil
		}
	}
	return chosen
}

// List gives texts: an array in the body, and in the query a parameter that may be repeated. Nil when it is not there.
func (p *Params) List(name string, most int) []string {
	items := listOf(p, name, most, func(text string) string { return text })
	for i, item := range items {
		p.Faults.Name(fmt.Sprintf("%s[%d]", name, i), item, 1, ticket.MaxName)
	}
	return items
}

// Wholes gives whole numbers, each of which may come as digits in a text.
func (p *Params) Wholes(name string, most int) []int64 {
	items := listOf(p, name, most, func(text string) json.RawMessage { return json.RawMessage(strconv.Quote(text)) })
	out := make([]int64, len(items))
	for i, item := range items {
		n, err := strconv.ParseInt(strings.Trim(string(item), `"`), 10, 64)
		if err != nil {
			p.Faults.Add(fmt.Sprintf("%s[%d]", name, i), "must be a whole number")
		}
		out[i] = n
	}
	return out
}

// listOf gives the items of a parameter that is a list: an array in the body or, written as JSON, in the query, or there a parameter that may be
// repeated; of makes an item of such a one. Nil when it is not there, or has more than most.
func listOf[T any](p *Params, name string, most int, of func(text string) T) (items []T) {
	switch given := p.given(name); {
	case len(given) == 1 && strings.HasPrefix(strings.TrimSpace(given[0]), "["):
		p.decode(name, []byte(given[0]), &items)
	case len(given) > 0:
		items = Each(given, of)
	case p.raw(name) != nil:
		p.decode(name, p.raw(name), &items)
	}
	if len(items) > most {
		p.Faults.Add(name, ticket.Over(most, "items", len(items)))
		return nil
	}
	return items
}

// Object reads a parameter that is an object or a list; in the query it is written as JSON.
func (p *Params) Object(name string, into any) {
	if given := p.given(name); len(given) > 0 {
		p.decode(name, []byte(given[0]), into)
	} else if raw := p.raw(name); raw != nil {
		p.decode(name, raw, into)
	}
}

// decode reads JSON and notes what does not fit under the parameter's name.
func (p *Params) decode(name string, raw []byte, into any) {
	err := DecodeJSON(raw, into)
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
	p.Faults.Add(field, refusal.Message)
}

// Time gives a time as RFC 3339 writes it; the zero time when it is not there.
func (p *Params) Time(name string) time.Time {
	raw := p.Name(name, 0, ticket.MaxName)
	if raw == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		p.Faults.Add(name, "must be a time like 2006-01-02T15:04:05Z (RFC 3339; '+' is written %2B)")
	}
	return at.UTC()
}

// maxCursor is the longest cursor that is looked at, in characters.
const maxCursor = 512

// Either gives the name by which a parameter that has two is there; the first where it is not.
func (p *Params) Either(name, other string) string {
	mine, others := p.given(name), p.given(other)
	switch {
	case len(others) == 0:
		return name
	case len(mine) > 0:
		p.Faults.Add(other, "is another name of "+name+": there may be one of the two")
	}
	return other
}

// Page gives what every list takes: "limit" and "cursor".
func (p *Params) Page() (limit int, cursor string) {
	return p.Limit(), p.Name("cursor", 0, maxCursor)
}

// Limit gives "limit": how much of a list is asked for.
func (p *Params) Limit() int {
	return int(p.Whole("limit", ticket.DefaultPage, 1, ticket.MaxPage))
}

// Plain gives a parameter that is a text, whatever else may be wrong with it.
func (p *Params) Plain(name string) string {
	if list := p.given(name); len(list) > 0 {
		return list[0]
	}
	return TextOf(p.body[name])
}

// TextOf gives a JSON string; empty for everything else.
func TextOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
