package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"
)

// template is a text with holes: pieces of text and of expressions, in order.
type template []piece

type piece struct {
	text string
	code string // of the hole
	hole *formula
}

// parseTemplate reads `text ${expression} text`; sees says what an expression may speak of. `$${` stands for the characters `${`.
func parseTemplate(source string, sees func(code string) types.Map) (template, error) {
	var out template
	text := ""
	for rest := source; rest != ""; {
		i := strings.Index(rest, "${")
		switch {
		case i < 0:
			text, rest = text+rest, ""
		case i > 0 && rest[i-1] == '$':
			text, rest = text+rest[:i-1]+"${", rest[i+2:]
		default:
			code, after, ok := hole(rest[i+2:])
			if !ok {
				return nil, errors.New("a ${ is not closed by }")
			}
			program, err := compile(code, sees(code))
			if err != nil {
				return nil, fmt.Errorf("${%s}: %w", code, err)
			}
			if text += rest[:i]; text != "" {
				out = append(out, piece{text: text})
			}
			out, text, rest = append(out, piece{code: code, hole: program}), "", after
		}
	}
	if text != "" {
		out = append(out, piece{text: text})
	}
	return out, nil
}

// hole finds the end of an expression, past braces and quoted texts inside it.
func hole(rest string) (code, after string, ok bool) {
	depth, quote := 0, byte(0)
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		switch {
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return rest[:i], rest[i+1:], true
		case c == '}':
			depth--
		}
	}
	return "", "", false
}

// fill puts the values into the holes, each as text made safe by escape.
func (t template) fill(env exprEnv, escape func(string) (string, error)) (string, error) {
	var b strings.Builder
	for _, p := range t {
		if p.hole == nil {
			b.WriteString(p.text)
			continue
		}
		value, err := env.fill(p)
		if err != nil {
			return "", err
		}
		text, err := escape(show(value))
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// fill works out a hole.
func (e exprEnv) fill(p piece) (any, error) {
	value, err := e.compute(p.hole)
	if err != nil && e.names != nil {
		err = fmt.Errorf("${%s}: %w", p.code, err)
	}
	return value, err
}

// value is what a whole string of a body becomes: the value itself when the string is one hole, otherwise text.
func (t template) value(env exprEnv) (any, error) {
	if len(t) != 1 || t[0].hole == nil {
		return t.fill(env, func(s string) (string, error) { return s, nil })
	}
	value, err := env.fill(t[0])
	if err != nil {
		return nil, err
	}
	switch value.(type) {
	case time.Time, time.Duration:
		return show(value), nil
	}
	return value, nil
}

// show gives a value as text: lists as comma lists, times as RFC 3339 and empty when there is none.
func show(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return string(v)
	case []string:
		return strings.Join(v, ",")
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.Format(time.RFC3339)
	case time.Duration:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool, int, int64:
		return fmt.Sprint(v)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(raw)
}
