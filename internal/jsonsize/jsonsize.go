// Package jsonsize bounds how long the JSON of a value is, without writing it: what is far below a limit need not be written to be measured.
package jsonsize

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"time"
)

// AtMost gives a number of bytes that encoding/json needs no more than for the value. It does not know of every value: not of numbers that are texts or
// floating, of maps with keys other than strings, of types with an encoding of their own but time.Time, and of times that JSON cannot say. Of a value that it knows, json.Marshal gives no
// error.
func AtMost(v any) (bytes int, known bool) {
	if v == nil {
		return null, true
	}
	value := reflect.ValueOf(v)
	bytes = planOf(value.Type()).most(value)
	return bytes, bytes < unknown
}

// unknown is more than any value takes, and can be added to itself some times without running over.
const unknown = 1 << 48

// The most that encoding/json writes.
const (
	perByte  = 6  // of a string: a byte that is escaped (\u003c), or none of UTF-8 (\ufffd)
	quotes   = 2  //
	perField = 4  // its quotes, colon and comma
	integer  = 20 // -9223372036854775808
	boolean  = 5  // false
	null     = 4
	timeText = quotes + len("2006-01-02T15:04:05.999999999+07:00")
)

var (
	timeType   = reflect.TypeFor[time.Time]()
	numberType = reflect.TypeFor[json.Number]()
	marshalers = []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()}
)

// plan is what holds of every value of a type.
type plan struct {
	kind   reflect.Kind
	fixed  int     // what every value takes; unknown: the type writes itself, or cannot be known
	varies bool    // not all values take the same
	time   bool    // it is time.Time
	fields []field // of a struct: those that are written and vary
	of     *plan   // of what a list or map has, or a pointer leads to
}

type field struct {
	index int
	*plan
}

func (p *plan) most(v reflect.Value) int {
	if !p.varies {
		return p.fixed
	}
	if p.time {
		if !written(v) {
			return unknown
		}
		return timeText
	}
	switch p.kind {
	case reflect.String:
		return p.fixed + perByte*v.Len()
	case reflect.Struct:
		sum := p.fixed
		for _, f := range p.fields {
			sum += f.most(v.Field(f.index))
		}
		return min(sum, unknown)
	case reflect.Pointer:
		if v.IsNil() {
			return null
		}
		return p.of.most(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return null
		}
		v = v.Elem()
		return planOf(v.Type()).most(v)
	case reflect.Slice, reflect.Array:
		sum := p.fixed
		for i := range v.Len() {
			sum += p.of.most(v.Index(i)) + 1
		}
		return min(sum, unknown)
	case reflect.Map:
		if v.Len() == 0 {
			return p.fixed
		}
		sum := p.fixed
		for each := v.MapRange(); each.Next(); {
			sum += perField + perByte*each.Key().Len() + p.of.most(each.Value())
		}
		return min(sum, unknown)
	}
	return p.fixed
}

// written reports whether JSON can say a time: years have four digits, and the hours of a zone are at most 23 (RFC 3339).
func written(v reflect.Value) bool {
	var at time.Time
	if v.CanAddr() { // without a copy of it on the heap
		at = *v.Addr().Interface().(*time.Time)
	} else {
		at = v.Interface().(time.Time)
	}
	year := at.Year()
	_, offset := at.Zone()
	return 0 <= year && year <= 9999 && max(offset, -offset) < 24*60*60
}

// plans keeps what was found out about types, by reflect.Type, each with all that it has in it. What is found does not depend on who asks first.
var plans sync.Map

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := makePlan(t, map[reflect.Type]*plan{})
	plans.Store(t, p)
	return p
}

// makePlan makes a plan; known are those under way, since a type may have itself in it.
func makePlan(t reflect.Type, known map[reflect.Type]*plan) *plan {
	if p := known[t]; p != nil {
		return p
	}
	p := &plan{kind: t.Kind(), fixed: null, varies: true}
	known[t] = p
	constant := func(bytes int) *plan {
		p.fixed, p.varies = bytes, false
		return p
	}
	if t == timeType {
		p.time = true
		return p
	}
	for _, m := range marshalers {
		// What a pointer leads to is looked at by itself.
		if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && (t.Implements(m) || reflect.PointerTo(t).Implements(m)) {
			return constant(unknown)
		}
	}
	switch t.Kind() {
	case reflect.String:
		if p.fixed = quotes; t == numberType {
			return constant(unknown)
		}
	case reflect.Bool:
		return constant(boolean)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return constant(integer)
	case reflect.Pointer:
		// That there is none takes less than most of what there can be.
		if p.of = makePlan(t.Elem(), known); !p.of.varies && p.of.fixed < unknown {
			return constant(max(null, p.of.fixed))
		}
	case reflect.Slice, reflect.Array:
		p.of = makePlan(t.Elem(), known)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return constant(unknown)
		}
		p.of = makePlan(t.Elem(), known)
	case reflect.Interface:
	case reflect.Struct:
		p.fixed = quotes
		for i := range t.NumField() {
			f := t.Field(i)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.PkgPath != "" && !f.Anonymous || f.Tag.Get("json") == "-" {
				continue
			}
			p.fixed += perField + perByte*max(len(f.Name), len(tag))
			if of := makePlan(f.Type, known); of.varies {
				p.fields = append(p.fields, field{i, of})
			} else {
				p.fixed = min(p.fixed+of.fixed, unknown)
			}
		}
		p.varies = len(p.fields) > 0 && p.fixed < unknown
	default:
		return constant(unknown)
	}
	return p
}
