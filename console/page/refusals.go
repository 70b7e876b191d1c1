package page

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"signalbox/console/locales"
	"signalbox/ticket"
)

// refusals translates what rules refuse. A rule says it in one English sentence, in which every door tells it; the sentence with its parameters left open is the key that the other
// language is found by. So a rule names neither keys nor languages, and what was refused in a workflow, or by an older process, is translated as well.
type refusals struct {
	whole    map[string]string // sentences without parameters
	patterns []refusal         // the others, those with the longest fixed text first
}

type refusal struct {
	is    *regexp.Regexp
	fixed int
	says  string
}

var (
	verb  = regexp.MustCompile(`%(?:[a-z]|%)`)
	place = regexp.MustCompile(`\{(\d)\}`)
)

var chineseRefusals = sync.OnceValue(func() *refusals {
	r, err := readRefusals(locales.ChineseRefusals)
	if err != nil {
		panic("console: locales/refusals.zh.toml: " + err.Error()) // a fault of the build, found by any test
	}
	return r
})

func readRefusals(text string) (*refusals, error) {
	var all map[string]string
	if _, err := toml.Decode(text, &all); err != nil {
		return nil, err
	}
	out := &refusals{whole: map[string]string{}}
	for english, says := range all {
		expression, fixed, open := expressionOf(english)
		if open == 0 {
			out.whole[strings.ReplaceAll(english, "%%", "%")] = says
			continue
		}
		is, err := regexp.Compile("(?s)^" + expression + "$")
		if err != nil {
			return nil, fmt.Errorf("%q: %w", english, err)
		}
		out.patterns = append(out.patterns, refusal{is, fixed, says})
	}
	slices.SortFunc(out.patterns, func(a, b refusal) int {
		return cmp.Or(cmp.Compare(b.fixed, a.fixed), strings.Compare(a.is.String(), b.is.String()))
	})
	return out, nil
}

// expressionOf gives a regular expression for a sentence with places left open, how much of it is fixed, and how many are open.
func expressionOf(english string) (expression string, fixed, open int) {
	var out strings.Builder
	for from := 0; from < len(english); {
		at := verb.FindStringIndex(english[from:])
		if at == nil {
			at = []int{len(english) - from, len(english) - from}
		}
		literal := english[from : from+at[0]]
		fixed += len(literal)
		out.WriteString(regexp.QuoteMeta(literal))
		switch v := english[from+at[0] : from+at[1]]; v {
		case "":
		case "%%":
			out.WriteString("%")
		default:
			open++
			out.WriteString(cmp.Or(map[string]string{"%d": `(-?\d+)`, "%q": `("(?:[^"\\]|\\.)*")`}[v], `(.+?)`))
		}
		from += at[1]
	}
	return out.String(), fixed, open
}

// say translates a sentence, or several that are joined by semicolons, each perhaps with a field in front; what is not known stays as it is.
func (r *refusals) say(lang, sentence string) string {
	if out, ok := r.one(lang, sentence); ok {
		return out
	}
	parts := strings.Split(sentence, "; ")
	for i, part := range parts {
		if out, ok := r.one(lang, part); ok {
			parts[i] = out
			continue
		}
		if field, rest, ok := strings.Cut(part, ": "); ok && !strings.Contains(field, " ") {
			if out, ok := r.one(lang, rest); ok {
				parts[i] = field + "：" + out
			}
		}
	}
	return strings.Join(parts, "；")
}

func (r *refusals) one(lang, sentence string) (string, bool) {
	if says, ok := r.whole[sentence]; ok {
		return says, true
	}
	for _, p := range r.patterns {
		found := p.is.FindStringSubmatch(sentence)
		if found == nil {
			continue
		}
		return place.ReplaceAllStringFunc(p.says, func(at string) string {
			n, _ := strconv.Atoi(at[1:2]) // a digit
			if n >= len(found) {
				return at
			}
			return r.parameter(lang, found[n])
		}), true
	}
	return "", false
}

// parameter gives what stands in a sentence: another sentence of ours, one of our words, or what is nobody's to translate.
func (r *refusals) parameter(lang, value string) string {
	if parts := strings.Split(value, "; "); len(parts) > 1 { // a list of sentences, whose first would take the others for its parameter
		for i, part := range parts {
			parts[i] = r.parameter(lang, part)
		}
		return strings.Join(parts, "；")
	}
	if out, ok := r.one(lang, value); ok {
		return out
	}
	for _, kind := range []string{"phase", "unit", "action"} {
		if texts[lang][kind+"."+value] {
			return Say(lang, kind+"."+value)
		}
	}
	if name, err := strconv.Unquote(value); err == nil {
		return "“" + name + "”"
	}
	return value
}

// Refusal gives the text of a refusal in the visitor's language, with the field in front where one is at fault.
func (v *Visit) Refusal(e *ticket.Error) string {
	text := v.Reason(e.Message)
	if e.Field == "" {
		return text
	}
	return e.Field + ": " + text
}

// Explain is Refusal for the page that is made, as Why is Reason.
func (v *Visit) Explain(e *ticket.Error) string {
	text := v.Why(e.Message)
	if e.Field == "" {
		return text
	}
	return e.Field + ": " + text
}

// Reason gives a sentence in which something of ours was refused, or failed, in the visitor's language.
func (v *Visit) Reason(sentence string) string {
	if v.look.Language != "zh" {
		return sentence
	}
	return chineseRefusals().say("zh", sentence)
}
