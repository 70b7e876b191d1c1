package flow

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Lengths of a field's value, in characters.
const (
	MaxString = 255
	MaxText   = 65_536
)

// MaxItems is how many items a field of several values may have, and so how many people one node may ask.
const MaxItems = 2_000

// chosen reports whether the type has a list of choices.
func (t FieldType) chosen() bool { return t == Select || t == Radio || t.many() && t != Members }

// many reports whether a value is a list.
func (t FieldType) many() bool { return t == Checkbox || t == Multiselect || t == Members }

// Fill checks what was filled into a form and gives the values in the form in which they are kept: text, true or false, a json.Number with the digits
// of the number for INT, and a comma list for every type that holds several. Defaults are filled in. It refuses, naming the field, the value and what
// it must be, an unknown key, a value that does not fit, and a required field that is missing or empty: the first one in its own words, and all of them by themselves (Error.All).
// Nothing is rounded or cut.
func Fill(form []Field, given map[string]any) (map[string]any, error) {
	return RulesNow.fill(form, given)
}

// fill is Fill by the rules of a ticket.
func (r Rules) fill(form []Field, given map[string]any) (map[string]any, error) {
	out := map[string]any{}
	declared := make(set, len(form))
	for _, f := range form {
		declared[f.Key] = true
	}
	var faults []*Error
	for _, key := range sortedKeys(given) {
		if !declared[key] {
			faults = append(faults, refuse(Invalid, key, "the form has no such field"))
		}
	}
	for _, f := range form {
		value, ok := given[f.Key]
		if (!ok || value == nil) && f.Default != nil {
			value, ok = f.Default, true
		}
		if ok && value != nil {
			kept, err := f.canonical(value, r)
			if err != nil {
				faults = append(faults, refuse(Invalid, f.Key, "%s", err))
				continue
			}
			out[f.Key] = kept
		}
		if text, empty := out[f.Key].(string); f.Required && (out[f.Key] == nil || empty && strings.TrimSpace(text) == "") {
			faults = append(faults, refuse(Invalid, f.Key, "is required and must not be empty"))
		}
	}
	if err := together(faults); err != nil {
		return nil, err
	}
	return out, nil
}

// together makes one refusal of the faults of a form; nil: there are none.
func together(faults []*Error) error {
	if len(faults) == 0 {
		return nil
	}
	first := *faults[0] // a refusal is part of a timeline, and its words are what they were
	if len(faults) > 1 {
		first.All = faults[:min(len(faults), maxFilled)]
	}
	return &first
}

// maxFilled bounds how many fields of a form one refusal tells of.
const maxFilled = 20

// canonical gives a value as it is kept, or says in what it does not fit. Empty text fits every type: the field was left empty.
func (f Field) canonical(value any, rules Rules) (any, error) {
	if value == "" {
		return "", nil
	}
	exact := rules >= RulesWeighed
	switch f.Type {
	case Int:
		if !exact {
			return firstWhole(loose(value))
		}
		return whole(value)
	case Bool:
		switch value {
		case true, "true":
			return true, nil
		case false, "false":
			return false, nil
		}
		return nil, not("must be true or false", value, exact)
	case Checkbox, Multiselect, Members:
		return f.several(value, exact)
	}
	text, ok := value.(string)
	if !ok {
		return nil, not("must be text", value, exact)
	}
	return text, f.fits(text)
}

// not says what a value must be and, by the rules of today, which value it was.
func not(must string, value any, exact bool) error {
	if exact {
		must += ", not " + quoted(value)
	}
	return errors.New(must)
}

func (f Field) fits(text string) error {
	max := MaxString
	if f.Type == Text {
		max = MaxText
	}
	if f.Type == Link {
		max = 2048
	}
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return errors.New("must be valid UTF-8 without the character NUL")
	case utf8.RuneCountInString(text) > max:
		return errors.New(Over(max, "characters", utf8.RuneCountInString(text)))
	case f.Type != Text && strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("must not contain control characters")
	case f.Regex != "" && !f.matches(text):
		return fmt.Errorf("must match %s", f.Regex)
	}
	switch f.Type {
	case Date, DateTime:
		if _, err := parseTime(text, time.UTC); err != nil || f.Type == Date && len(text) != len(time.DateOnly) {
			return fmt.Errorf("must be a time such as %s", map[FieldType]string{Date: time.DateOnly, DateTime: time.DateTime}[f.Type])
		}
	case Select, Radio:
		if !f.offers(text) {
			return fmt.Errorf("%q is none of the choices", text)
		}
	case Member:
		if len(SplitPersons(text)) != 1 {
			return errors.New("must name one person")
		}
	case Link:
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("must be an http or https URL")
		}
	}
	return nil
}

// pattern gives the regex as it is asked of a whole value.
func (f Field) pattern() (*regexp.Regexp, error) { return regexp.Compile(`^(?:` + f.Regex + `)$`) }

// matches reports whether a whole value matches the regex. None does where that compiles by itself alone, as `\Qa` does: it was published before that was refused.
func (f Field) matches(text string) bool {
	pattern, err := f.pattern()
	return err == nil && pattern.MatchString(text)
}

// several reads a list of choices or persons and gives it as a comma list.
func (f Field) several(value any, exact bool) (any, error) {
	items := list(value)
	if f.Type == Members && exact {
		items = persons(value)
	}
	if items == nil {
		return nil, not("must be a comma list or a list of texts", value, exact)
	}
	if exact && len(items) > MaxItems {
		return nil, errors.New(Over(MaxItems, "items", len(items)))
	}
	offered := make(set, len(f.Choice))
	for _, c := range f.Choice {
		offered[c.Key] = true
	}
	for _, item := range items {
		comma := strings.Contains(item, ",")
		if f.Type == Members && exact {
			comma = len(split(item)) > 1
		}
		switch {
		case comma || strings.ContainsFunc(item, unicode.IsControl) || !utf8.ValidString(item):
			return nil, errors.New("its items must not contain commas or control characters")
		case f.Type != Members && !offered[item]:
			return nil, fmt.Errorf("%q is none of the choices", item)
		}
	}
	text := strings.Join(items, ",")
	if has := utf8.RuneCountInString(text); has > MaxText {
		return nil, errors.New(Over(MaxText, "characters", has))
	}
	return text, nil
}

func (f Field) offers(key string) bool {
	return slices.ContainsFunc(f.Choice, func(c Choice) bool { return c.Key == key })
}

// list reads a comma list or a list of texts; nil when it is neither. Empty items are dropped.
func list(value any) []string {
	out := []string{}
	switch v := value.(type) {
	case string:
		for _, item := range strings.Split(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	case []string:
		return slices.DeleteFunc(append(out, v...), func(s string) bool { return s == "" })
	case []any:
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil
			}
			if text != "" {
				out = append(out, text)
			}
		}
	default:
		return nil
	}
	return out
}

// persons is list for people, each of whom may carry a display name in brackets with commas of its own: `ann(Lee, Ann),bob` are two.
func persons(value any) []string {
	text, ok := value.(string)
	if !ok {
		return list(value)
	}
	out := []string{}
	for _, item := range split(text) {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// split cuts a text at its commas, except those in brackets. Where a bracket is not closed, no comma is taken for part of a name.
func split(text string) []string {
	var out []string
	depth, from := 0, 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ',' && depth == 0:
			out, from = append(out, text[from:i]), i+1
		}
	}
	if depth > 0 {
		return strings.Split(text, ",")
	}
	return append(out, text[from:])
}

// OutOfRange refuses, as Fill does, times among the values that somebody fills in which a wait could not keep: outside of the years 0 to 9999 in UTC. Whoever takes a request asks it. It is
// no rule of tickets, since those that had such a time before must keep it in a replay: to a wait it is the nearest time that can be written.
func (p *Process) OutOfRange(given map[string]any) error {
	var faults []*Error
	for _, key := range sortedKeys(given) {
		if p.types[key].outOfRange(given[key]) {
			faults = append(faults, refuse(Invalid, key, outOfRange))
		}
	}
	return together(faults)
}

const outOfRange = "must be within the years 0 to 9999 in UTC"

func (t FieldType) outOfRange(value any) bool {
	text, _ := value.(string)
	if t != DateTime || text == "" {
		return false
	}
	at, err := parseTime(text, time.UTC)
	return err == nil && !Nearest(roundedUp(at)).Equal(roundedUp(at))
}

// roundedUp gives a time as it is kept, UTC and to the microsecond; one that falls in between is waited for.
func roundedUp(at time.Time) time.Time {
	return at.UTC().Add(time.Microsecond - 1).Truncate(time.Microsecond)
}

// Nearest gives the time itself where JSON can say it in UTC (RFC 3339), in the years 0 to 9999, and else the first or the last that it can, to the microsecond. Every time that is worked out
// from what others say goes through it: what JSON cannot say could never be kept, so that nothing that was decided before comes out otherwise.
func Nearest(at time.Time) time.Time {
	switch year := at.UTC().Year(); {
	case year < 0:
		return time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case year > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	}
	return at
}

// parseTime reads a DATE or DATETIME; a text that names no zone is in the one given.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateTime, time.DateOnly, "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Parse(time.RFC3339, text)
}
