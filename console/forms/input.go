// Package forms is the forms by which tickets are opened and people act on them: what is asked for, what was filled in, and what was wrong with it. They are the same
// on the pages of tickets and where a process is tried out.
package forms

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/console/page"
	"signalbox/flow"
	"signalbox/ticket"
)

// How a field of a form is shown.
const (
	Line   = "line"
	Text   = "text" // several lines
	Number = "number"
	Date   = "date"
	Moment = "moment" // date and time, in the visitor's zone
	Select = "select" // one of its choices; empty where none is taken
	Checks = "checks" // any of its choices
	Tick   = "tick"   // one box
	URL    = "url"
)

// Input is one field of a form.
type Input struct {
	ID, Name, Label, Kind string
	Required              bool
	Hint                  string
	Choices               []Choice
	Value                 string // of all but checks
	Max                   int    // characters; 0: not said here
	Problem               string // why what was filled in was not taken
	Persons               bool   // it takes the id of a person
	Several               bool   // or ids of several, separated by commas
	List                  string // id of the list on the page that suggests what it takes; empty: there is none
	Finds                 string // address that gives other suggestions, as somebody types; empty: there is none
}

// Choice is one of what can be chosen.
type Choice struct {
	Key, Name string
	On        bool
	Person    bool // it is one of the id Key, whom the page calls by name
	Theirs    bool // Name is not in our words, so that nobody translates it
}

// fieldPrefix tells the fields of a process's form from those of ours.
const fieldPrefix = "f."

// InputOf gives an entry of a process's form as it is shown, with its default filled in.
func InputOf(v *page.Visit, f flow.Field) Input {
	in := Input{Name: fieldPrefix + f.Key, Label: cmp.Or(f.Name, f.Key), Kind: Line, Required: f.Required, Max: flow.MaxString}
	for _, c := range f.Choice {
		in.Choices = append(in.Choices, Choice{Key: c.Key, Name: cmp.Or(c.Name, c.Key), Theirs: true})
	}
	switch f.Type {
	case flow.Text:
		in.Kind, in.Max = Text, flow.MaxText
	case flow.Int:
		in.Kind, in.Max = Number, 0
	case flow.Date:
		in.Kind, in.Max = Date, 0
	case flow.DateTime:
		in.Kind, in.Max = Moment, 0
		in.Hint = v.T("form.zone", "Zone", v.Zone().String())
	case flow.Bool:
		in.Kind = Select
		in.Choices = []Choice{{Key: "true", Name: v.T("form.yes")}, {Key: "false", Name: v.T("form.no")}}
	case flow.Select, flow.Radio:
		in.Kind = Select
	case flow.Checkbox, flow.Multiselect:
		in.Kind = Checks
	case flow.Member:
		in.Persons, in.Hint = true, v.T("form.person")
	case flow.Members:
		in.Persons, in.Several, in.Max, in.Hint = true, true, flow.MaxText, v.T("form.persons")
	case flow.Link:
		in.Kind, in.Max = URL, 0
	}
	if f.Regex != "" {
		in.Hint = v.T("form.regex", "Regex", f.Regex)
	}
	if f.Default != nil {
		in.set(v, []string{page.Pretty(f.Default)})
	}
	return in
}

// Named gives the ids of persons that were filled in; none where the field takes no persons.
func (in Input) Named(sent page.Form) []string {
	switch {
	case !in.Persons:
		return nil
	case in.OfProcess(): // as the process reads it: a name in brackets may stand behind an id
		return flow.SplitPersons(commas(sent.Get(in.Name)))
	case in.Several:
		return sent.List(in.Name)
	}
	if id := sent.Text(in.Name); id != "" {
		return []string{id}
	}
	return nil
}

// OfProcess reports whether it is a field of a process's form, which reads ids of persons by rules of its own.
func (in Input) OfProcess() bool { return strings.HasPrefix(in.Name, fieldPrefix) }

// Nameable reports whether fields of a process's form can name a person: there, what begins with a bracket behind an id is a name, and Chinese commas are commas.
func Nameable(id string) bool { return slices.Equal(flow.SplitPersons(commas(id)), []string{id}) }

// commas writes the commas that Chinese keyboards give as the ones that processes know.
func commas(list string) string { return strings.ReplaceAll(list, "，", ",") }

// Filled reports whether one of the choices always is taken, so that no empty one has to be offered.
func (in Input) Filled() bool { return len(in.Choices) > 0 && in.Choices[0].Key == "" }

// set fills values in.
func (in *Input) set(v *page.Visit, values []string) {
	switch in.Kind {
	case Checks:
		var on []string
		for _, value := range values {
			for item := range strings.SplitSeq(value, ",") {
				on = append(on, strings.TrimSpace(item))
			}
		}
		for i := range in.Choices {
			in.Choices[i].On = slices.Contains(on, in.Choices[i].Key)
		}
	case Moment:
		if len(values) > 0 {
			in.Value = values[0]
			if at, err := momentOf(in.Value, time.UTC); err == nil && !strings.Contains(in.Value, "T") {
				in.Value = at.In(v.Zone()).Format(momentLayout)
			}
		}
	default:
		if len(values) > 0 {
			in.Value = values[0]
		}
	}
}

// Refill fills in what was sent.
func (in *Input) Refill(sent url.Values) {
	in.Value = sent.Get(in.Name)
	for i := range in.Choices {
		in.Choices[i].On = slices.Contains(sent[in.Name], in.Choices[i].Key)
	}
}

// momentLayout is how browsers write a date with its time (HTML, local date and time).
const momentLayout = "2006-01-02T15:04:05"

// momentOf reads a date with its time, of a zone where it names none.
func momentOf(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{momentLayout, "2006-01-02T15:04", time.DateTime} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date with its time", text)
}

// Filled gives what was filled into a process's form, for the process to check. What was left empty is left out, unless there is a default that was emptied.
func Filled(v *page.Visit, sent page.Form, form []flow.Field) flow.Values {
	out := flow.Values{}
	for _, f := range form {
		values, there := sent.Values[fieldPrefix+f.Key]
		var value string
		switch f.Type {
		case flow.Checkbox, flow.Multiselect:
			value, there = strings.Join(values, ","), true
		case flow.DateTime:
			value = sent.Text(fieldPrefix + f.Key)
			if at, err := momentOf(value, v.Zone()); err == nil {
				value = at.Format(time.RFC3339)
			}
		case flow.Members:
			value = commas(sent.Text(fieldPrefix + f.Key))
		case flow.Text:
			value = Lines(sent.Get(fieldPrefix + f.Key))
		default:
			value = sent.Text(fieldPrefix + f.Key)
		}
		if value != "" || there && f.Default != nil {
			out[f.Key] = value
		}
	}
	return out
}

// Lines gives a text without the carriage returns that browsers send.
func Lines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// millisOf reads a moment that may be left out, as milliseconds since 1970 in text; what is none is given back as it is, for whoever checks it.
func millisOf(v *page.Visit, sent page.Form, name string) (*int64, bool) {
	text := sent.Text(name)
	if text == "" {
		return nil, true
	}
	at, err := momentOf(text, v.Zone())
	if err != nil {
		return nil, false
	}
	ms := at.UnixMilli()
	return &ms, true
}

// Numbered names the inputs of a form for the page.
func Numbered(prefix string, inputs []Input) {
	for i := range inputs {
		inputs[i].ID = prefix + "-" + strconv.Itoa(i)
	}
}

// Alone gives a refusal without the field that it names, for where that is plain to see.
func Alone(e *ticket.Error) *ticket.Error {
	out := *e
	out.Field, out.All = "", nil
	return &out
}

// Blame puts everything that was wrong beside the field that is meant, and gives what stands beside none; empty: all of it does.
func Blame(v *page.Visit, inputs []Input, why *ticket.Error) string {
	var rest []string
	for _, fault := range why.Each() {
		if !beside(inputs, fault.Field, v.Explain(Alone(fault))) {
			rest = append(rest, Told(v, fault))
		}
	}
	return strings.Join(rest, "; ")
}

// beside puts what was wrong beside a field, by any of its names; false where no field of the form is meant. Of a field the first is told.
func beside(inputs []Input, field, why string) bool {
	if field == "" {
		return false
	}
	for _, name := range []string{field, fieldPrefix + field, fieldPrefix + strings.TrimPrefix(field, "fields."), strings.SplitN(field, "[", 2)[0]} {
		for i := range inputs {
			if inputs[i].Name == name {
				inputs[i].Problem = cmp.Or(inputs[i].Problem, why)
				return true
			}
		}
	}
	return false
}
