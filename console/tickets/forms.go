package tickets

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
	kindLine   = "line"
	kindText   = "text" // several lines
	kindNumber = "number"
	kindDate   = "date"
	kindMoment = "moment" // date and time, in the visitor's zone
	kindSelect = "select" // one of its choices; empty where none is taken
	kindChecks = "checks" // any of its choices
	kindTick   = "tick"   // one box
	kindURL    = "url"
)

// inputView is one field of a form.
type inputView struct {
	ID, Name, Label, Kind string
	Required              bool
	Hint                  string
	Choices               []choiceView
	Value                 string // of all but checks
	Max                   int    // characters; 0: not said here
	Problem               string // why what was filled in was not taken
}

type choiceView struct {
	Key, Name string
	On        bool
}

// fieldPrefix tells the fields of a process's form from those of ours.
const fieldPrefix = "f."

// inputOf gives an entry of a process's form as it is shown, with its default filled in.
func inputOf(v *page.Visit, f flow.Field) inputView {
	in := inputView{Name: fieldPrefix + f.Key, Label: cmp.Or(f.Name, f.Key), Kind: kindLine, Required: f.Required, Max: flow.MaxString}
	for _, c := range f.Choice {
		in.Choices = append(in.Choices, choiceView{Key: c.Key, Name: cmp.Or(c.Name, c.Key)})
	}
	switch f.Type {
	case flow.Text:
		in.Kind, in.Max = kindText, flow.MaxText
	case flow.Int:
		in.Kind, in.Max = kindNumber, 0
	case flow.Date:
		in.Kind, in.Max = kindDate, 0
	case flow.DateTime:
		in.Kind, in.Max = kindMoment, 0
		in.Hint = v.T("form.zone", "Zone", v.Zone().String())
	case flow.Bool:
		in.Kind = kindSelect
		in.Choices = []choiceView{{Key: "true", Name: v.T("form.yes")}, {Key: "false", Name: v.T("form.no")}}
	case flow.Select, flow.Radio:
		in.Kind = kindSelect
	case flow.Checkbox, flow.Multiselect:
		in.Kind = kindChecks
	case flow.Member:
		in.Hint = v.T("form.person")
	case flow.Members:
		in.Max, in.Hint = flow.MaxText, v.T("form.persons")
	case flow.Link:
		in.Kind, in.Max = kindURL, 0
	}
	if f.Regex != "" {
		in.Hint = v.T("form.regex", "Regex", f.Regex)
	}
	if f.Default != nil {
		in.set(v, []string{page.Pretty(f.Default)})
	}
	return in
}

// Filled reports whether one of the choices always is taken, so that no empty one has to be offered.
func (in inputView) Filled() bool { return len(in.Choices) > 0 && in.Choices[0].Key == "" }

// set fills values in.
func (in *inputView) set(v *page.Visit, values []string) {
	switch in.Kind {
	case kindChecks:
		var on []string
		for _, value := range values {
			for item := range strings.SplitSeq(value, ",") {
				on = append(on, strings.TrimSpace(item))
			}
		}
		for i := range in.Choices {
			in.Choices[i].On = slices.Contains(on, in.Choices[i].Key)
		}
	case kindMoment:
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

// refill fills in what was sent.
func (in *inputView) refill(sent url.Values) {
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

// filled gives what was filled into a process's form, for the process to check. What was left empty is left out, unless there is a default that was emptied.
func filled(v *page.Visit, form []flow.Field) flow.Values {
	out := flow.Values{}
	for _, f := range form {
		sent, there := v.Form.Values[fieldPrefix+f.Key]
		var value string
		switch f.Type {
		case flow.Checkbox, flow.Multiselect:
			value, there = strings.Join(sent, ","), true
		case flow.DateTime:
			value = v.Form.Text(fieldPrefix + f.Key)
			if at, err := momentOf(value, v.Zone()); err == nil {
				value = at.Format(time.RFC3339)
			}
		case flow.Members:
			value = strings.ReplaceAll(v.Form.Text(fieldPrefix+f.Key), "，", ",")
		case flow.Text:
			value = lines(v.Form.Get(fieldPrefix + f.Key))
		default:
			value = v.Form.Text(fieldPrefix + f.Key)
		}
		if value != "" || there && f.Default != nil {
			out[f.Key] = value
		}
	}
	return out
}

// lines gives a text without the carriage returns that browsers send.
func lines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// millisOf reads a moment that may be left out, as milliseconds since 1970 in text; what is none is given back as it is, for whoever checks it.
func millisOf(v *page.Visit, name string) (*int64, bool) {
	text := v.Form.Text(name)
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

// number names the inputs of a form for the page.
func number(prefix string, inputs []inputView) {
	for i := range inputs {
		inputs[i].ID = prefix + "-" + strconv.Itoa(i)
	}
}

// alone gives a refusal without the field that it names, for where that is plain to see.
func alone(e *ticket.Error) *ticket.Error {
	out := *e
	out.Field = ""
	return &out
}

// blame puts what was wrong beside the field that is meant, by any of its names; false where no field of the form is.
func blame(inputs []inputView, field, why string) bool {
	if field == "" {
		return false
	}
	for _, name := range []string{field, fieldPrefix + field, fieldPrefix + strings.TrimPrefix(field, "fields."), strings.SplitN(field, "[", 2)[0]} {
		for i := range inputs {
			if inputs[i].Name == name {
				inputs[i].Problem = why
				return true
			}
		}
	}
	return false
}
