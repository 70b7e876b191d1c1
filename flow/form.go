package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
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

const maxExact = 1 << 53 // the largest number up to which a float64 holds every whole number

// chosen reports whether the type has a list of choices.
func (t FieldType) chosen() bool { return t == Select || t == Radio || t.many() && t != Members }

// many reports whether a value is a list.
func (t FieldType) many() bool { return t == Checkbox || t == Multiselect || t == Members }

// Fill checks what was filled into a form and gives the values in the form in which they are kept: text, true or false, a float64 for
// INT, and a comma list for every type that holds several. Defaults are filled in. It refuses, naming the field, an unknown key, a value
// that does not fit, and a required field that is missing or empty.
func Fill(form []Field, given map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, key := range sortedKeys(given) {
		if !slices.ContainsFunc(form, func(f Field) bool { return f.Key == key }) {
			return nil, refuse(Invalid, key, "the form has no such field")
		}
	}
	for _, f := range form {
		value, ok := given[f.Key]
		if (!ok || value == nil) && f.Default != nil {
			value, ok = f.Default, true
		}
		if ok && value != nil {
			kept, err := f.canonical(value)
			if err != nil {
				return nil, refuse(Invalid, f.Key, "%s", err)
			}
			out[f.Key] = kept
		}
		if text, empty := out[f.Key].(string); f.Required && (out[f.Key] == nil || empty && strings.TrimSpace(text) == "") {
			return nil, refuse(Invalid, f.Key, "is required and must not be empty")
		}
	}
	return out, nil
}

// canonical gives a value as it is kept, or says in what it does not fit. Empty text fits every type: the field was left empty.
func (f Field) canonical(value any) (any, error) {
	if value == "" {
		return "", nil
	}
	switch f.Type {
	case Int:
		return wholeNumber(value)
	case Bool:
		switch value {
		case true, "true":
			return true, nil
		case false, "false":
			return false, nil
		}
		return nil, errors.New("must be true or false")
	case Checkbox, Multiselect, Members:
		return f.several(value)
	}
	text, ok := value.(string)
	if !ok {
		return nil, errors.New("must be text")
	}
	return text, f.fits(text)
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
		return fmt.Errorf("must have at most %d characters", max)
	case f.Type != Text && strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("must not contain control characters")
	case f.Regex != "" && !regexp.MustCompile(`^(?:`+f.Regex+`)$`).MatchString(text): // Check has compiled it
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

// several reads a list of choices or persons and gives it as a comma list.
func (f Field) several(value any) (any, error) {
	items := list(value)
	if items == nil {
		return nil, errors.New("must be a comma list or a list of texts")
	}
	for _, item := range items {
		switch {
		case strings.Contains(item, ",") || strings.ContainsFunc(item, unicode.IsControl) || !utf8.ValidString(item):
			return nil, errors.New("its items must not contain commas or control characters")
		case f.Type != Members && !f.offers(item):
			return nil, fmt.Errorf("%q is none of the choices", item)
		}
	}
	text := strings.Join(items, ",")
	if utf8.RuneCountInString(text) > MaxText {
		return nil, fmt.Errorf("must have at most %d characters", MaxText)
	}
	return text, nil
}

func (f Field) offers(key string) bool {
	return slices.ContainsFunc(f.Choice, func(c Choice) bool { return c.Key == key })
}

func wholeNumber(value any) (any, error) {
	var n float64
	switch v := value.(type) {
	case float64:
		n = v
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	case json.Number:
		return wholeNumber(string(v))
	case string:
		whole, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, errors.New("must be a whole number")
		}
		n = float64(whole)
	default:
		return nil, errors.New("must be a whole number")
	}
	if n != math.Trunc(n) || math.Abs(n) > maxExact {
		return nil, errors.New("must be a whole number of at most 2^53")
	}
	return n, nil
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

// parseTime reads a DATE or DATETIME; a text that names no zone is in the one given.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateTime, time.DateOnly, "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Parse(time.RFC3339, text)
}
