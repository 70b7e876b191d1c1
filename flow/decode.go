package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"go.yaml.in/yaml/v3"

	"signalbox/calendar"
)

// MaxSource is the largest definition that Parse takes, in bytes.
const MaxSource = 512 << 10

// maxDepth bounds how deep a body template may nest.
const maxDepth = 30

// Parse reads a definition written in YAML or JSON and checks it. The faults are those of the text itself (also members that no definition
// has: a misspelt member must not be passed over in silence), those that Check finds, headers of requests that no node may set (see Reserved), lists
// that name nobody and loops of calls, each with line and column. With faults, what could be read is returned as well.
func Parse(text []byte) (Definition, Faults) { return Read(text).Check(nil) }

// Reading is a definition that was read from its text. The calendars and groups that it names have to be looked up before it is checked.
type Reading struct {
	decoder  decoder
	def      Definition
	readable bool
	groups   set // that are known; nil: any may be
}

// Read reads a definition without checking it; see Parse.
func Read(text []byte) *Reading {
	r := &Reading{decoder: decoder{sources: map[string]source{}}}
	root, ok := r.decoder.document(text)
	if r.readable = ok; ok {
		r.decoder.value("", root, reflect.ValueOf(&r.def).Elem(), 0)
	}
	if r.def.Calendars != nil {
		r.decoder.faults.add("calendars", "is given when a ticket is opened; write calendar: and the key of one")
		r.def.Calendars = nil
	}
	return r
}

// CalendarsNamed gives the keys of the calendars that the definition names, each once, sorted.
func (r *Reading) CalendarsNamed() []string { return r.def.CalendarsNamed() }

// GroupsNamed gives the ids of the groups that the definition names, each once, sorted.
func (r *Reading) GroupsNamed() []string { return r.def.GroupsNamed() }

// GroupsNamed gives the ids of the groups that a definition names, each once, sorted.
func (d Definition) GroupsNamed() []string {
	var ids []string
	d.everyProcessors(func(_ string, p *Processors) { ids = append(ids, p.Groups...) })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// KnowGroups says which of GroupsNamed there are. Where nobody says so, as for a simulation, which has groups of its own, Check takes any.
func (r *Reading) KnowGroups(known []string) { r.groups = setOf(known) }

// Check checks what was read, once: the calendars are those of CalendarsNamed that there are.
func (r *Reading) Check(calendars []calendar.Calendar) (Definition, Faults) {
	r.def.Calendars = calendars
	if r.readable {
		r.decoder.besides(publishable(r.def))
		r.decoder.besides(r.strangers())
	}
	return r.def, r.decoder.located()
}

// strangers are the groups that are named and not known.
func (r *Reading) strangers() (f Faults) {
	if r.groups == nil {
		return nil
	}
	r.def.everyProcessors(func(path string, p *Processors) {
		for i, id := range p.Groups {
			if !r.groups[id] {
				f.add(fmt.Sprintf("%s.groups[%d]", path, i), "there is no group %q", id)
			}
		}
	})
	return f
}

// ParseCalendar reads a calendar written in YAML or JSON and checks it, as Parse does a definition. zone tells of the time zone of a name; what it knows goes into the
// calendar.
func ParseCalendar(text []byte, zone func(name string) (*time.Location, error)) (calendar.Calendar, Faults) {
	var cal calendar.Calendar
	d := decoder{sources: map[string]source{}}
	if root, ok := d.document(text); ok {
		d.value("", root, reflect.ValueOf(&cal).Elem(), 0)
		if _, written := d.sources["offsets"]; written {
			d.faults.add("offsets", "are given by the publisher, by the name of the zone")
		}
		cal.Version, cal.Offsets = 0, nil
		if at, err := zone(cal.Zone); err == nil && cal.Zone != "" && cal.Zone != "Local" {
			cal.Offsets = calendar.OffsetsOf(at)
		}
		_, faults := calendar.Compile(cal)
		d.besides(ofCalendar(faults))
	}
	return cal, d.located()
}

func ofCalendar(list []calendar.Fault) (out Faults) {
	for _, f := range list {
		out.add(f.Path, "%s", f.Message)
	}
	return out
}

// besides adds faults of what was read. What could not be read is also missing; one sentence is enough.
func (d *decoder) besides(more Faults) {
	for _, fault := range more {
		if !d.faults.has(fault.Path) {
			d.faults = append(d.faults, fault)
		}
	}
}

// located gives all faults with line and column, in the order of the text.
func (d *decoder) located() Faults {
	for i := range d.faults {
		d.locate(&d.faults[i])
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return d.faults
}

// source is where something stands in the text, from 1.
type source struct{ line, column int }

type decoder struct {
	faults  Faults
	sources map[string]source // by path
}

// locate gives a fault line and column of its path, or of the closest thing around it that the source has.
func (d *decoder) locate(f *Fault) {
	if f.Line > 0 {
		return
	}
	for path := f.Path; ; {
		if at, ok := d.sources[path]; ok {
			f.Line, f.Column = at.line, at.column
			return
		}
		if path == "" {
			f.Line, f.Column = 1, 1
			return
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

func (d *decoder) document(text []byte) (*yaml.Node, bool) {
	switch {
	case len(text) > MaxSource:
		d.faults.add("", "the definition %s", Over(MaxSource, "bytes", len(text)))
		return nil, false
	case !utf8.Valid(text):
		d.faults.add("", "the definition must be valid UTF-8")
		return nil, false
	}
	reader := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	err := reader.Decode(&document)
	if errors.Is(err, io.EOF) {
		d.faults.add("", "the definition is empty")
		return nil, false
	}
	if err == nil {
		if err = reader.Decode(&more); err == nil {
			d.faults = append(d.faults, Fault{Line: more.Line, Column: more.Column, Message: "there must be one document only"})
			return nil, false
		}
	}
	if !errors.Is(err, io.EOF) {
		d.faults = append(d.faults, syntax(text, err))
		return nil, false
	}
	return document.Content[0], true
}

// value reads one thing into a member of the definition, which says what it must be.
func (d *decoder) value(path string, n *yaml.Node, to reflect.Value, depth int) {
	d.sources[path] = source{n.Line, n.Column}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.faults.add(path, "anchors and aliases are not taken; write it out")
		return
	}
	if n.Tag == "!!null" {
		return
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		d.value(path, n, to.Elem(), depth)
	case reflect.Struct:
		d.mapping(path, n, func(key, path string, value *yaml.Node) {
			for i := range to.NumField() {
				if name, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("json"), ","); name == key {
					d.value(path, value, to.Field(i), depth)
					return
				}
			}
			d.faults.add(path, "there is no member %q here", key)
		})
	case reflect.Map:
		to.Set(reflect.MakeMap(to.Type()))
		d.mapping(path, n, func(key, path string, value *yaml.Node) {
			item := reflect.New(to.Type().Elem()).Elem()
			d.value(path, value, item, depth)
			to.SetMapIndex(reflect.ValueOf(key), item)
		})
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.faults.add(path, "must be a list")
			return
		}
		to.Set(reflect.MakeSlice(to.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			d.value(fmt.Sprintf("%s[%d]", path, i), item, to.Index(i), depth)
		}
	case reflect.Interface:
		if v := d.any(path, n, depth); v != nil {
			to.Set(reflect.ValueOf(v))
		}
	default:
		d.scalar(path, n, to)
	}
}

// mapping goes through the members of a mapping, each key once.
func (d *decoder) mapping(path string, n *yaml.Node, member func(key, path string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.faults.add(path, "must be a mapping")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		inner := key.Value
		if path != "" {
			inner = path + "." + key.Value
		}
		d.sources[inner] = source{key.Line, key.Column}
		switch {
		case key.Kind != yaml.ScalarNode:
			d.faults.add(path, "a key must be a plain word")
		case seen[key.Value]:
			d.faults = append(d.faults, Fault{Path: inner, Line: key.Line, Column: key.Column, Message: "is there twice"})
		default:
			seen[key.Value] = true
			member(key.Value, inner, value)
		}
	}
}

func (d *decoder) scalar(path string, n *yaml.Node, to reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.faults.add(path, "must be a single value")
		return
	}
	switch to.Kind() {
	case reflect.String:
		if n.Tag != "!!str" && n.Tag != "!!timestamp" {
			d.faults.add(path, "must be text; put %s in quotes", n.Value)
			return
		}
		to.SetString(n.Value)
	case reflect.Bool:
		var v bool
		if n.Tag != "!!bool" || n.Decode(&v) != nil {
			d.faults.add(path, "must be true or false")
			return
		}
		to.SetBool(v)
	case reflect.Int, reflect.Int64:
		var v int64
		if n.Tag != "!!int" || n.Decode(&v) != nil {
			d.faults.add(path, "must be a whole number")
			return
		}
		to.SetInt(v)
	case reflect.Float64:
		var v float64
		if (n.Tag != "!!int" && n.Tag != "!!float") || n.Decode(&v) != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			d.faults.add(path, "must be a number")
			return
		}
		to.SetFloat(v)
	}
}

// any reads what may be any JSON, as encoding/json would give it; of numbers, every digit.
func (d *decoder) any(path string, n *yaml.Node, depth int) any {
	if depth > maxDepth {
		d.faults.add(path, "must not nest deeper than %d", maxDepth)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		d.mapping(path, n, func(key, path string, value *yaml.Node) {
			var item any
			d.value(path, value, reflect.ValueOf(&item).Elem(), depth+1)
			out[key] = item
		})
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			d.value(fmt.Sprintf("%s[%d]", path, i), item, reflect.ValueOf(&out[i]).Elem(), depth+1)
		}
		return out
	}
	switch n.Tag {
	case "!!bool":
		var v bool
		d.scalar(path, n, reflect.ValueOf(&v).Elem())
		return v
	case "!!int", "!!float":
		v, ok := numeral(n)
		if !ok {
			d.faults.add(path, "must be a number")
		}
		return v
	}
	return n.Value
}

// numeral gives a number as JSON spells it, with every digit that it has.
func numeral(n *yaml.Node) (json.Number, bool) {
	text := strings.ReplaceAll(n.Value, "_", "")
	if json.Valid([]byte(text)) {
		return json.Number(text), true
	}
	if whole, ok := new(big.Int).SetString(text, 0); ok && n.Tag == "!!int" { // hexadecimal, octal, binary, or with a plus
		return json.Number(whole.String()), true
	}
	if d, err := decimal.NewFromString(text); err == nil && bounded(d) == nil { // such as .5 or 1.
		return digits(d), true
	}
	return "", false
}
