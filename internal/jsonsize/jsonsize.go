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
// floating, of maps with keys other than strings, and of types with an encoding of their own but time.Time. Of a value that it knows, json.Marshal gives no error.
func AtMost(v any) (bytes int, known bool) {
	bytes = most(reflect.ValueOf(v))
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

func most(v reflect.Value) int {
	if !v.IsValid() {
		return null
	}
	t := v.Type()
	switch v.Kind() {
	case reflect.Struct:
		if t == timeType {
			return timeText
		}
		p := planOf(t)
		sum := p.fixed
		for _, i := range p.fields {
			sum += most(v.Field(i))
		}
		return min(sum, unknown)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return null
		}
		return most(v.Elem())
	}
	if planOf(t).fixed >= unknown {
		return unknown
	}
	switch v.Kind() {
	case reflect.String:
		return quotes + perByte*v.Len()
	case reflect.Bool:
		return boolean
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integer
	case reflect.Slice, reflect.Array:
		sum := null
		for i := range v.Len() {
			sum += most(v.Index(i)) + 1
		}
		return min(sum, unknown)
	case reflect.Map:
		sum := null
		for each := v.MapRange(); each.Next(); {
			sum += perField + perByte*each.Key().Len() + most(each.Value())
		}
		return min(sum, unknown)
	}
	return unknown
}

// plan is what holds of every value of a type.
type plan struct {
	fields []int // of a struct: those that are written
	fixed  int   // what the names of its fields take; unknown: the type writes itself, or cannot be known
}

// plans keeps what was found out about types, by reflect.Type. What is found does not depend on who asks first.
var plans sync.Map

func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	p := plan{fixed: quotes}
	for _, m := range marshalers {
		if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
			p.fixed = unknown
		}
	}
	if t == numberType || t.Kind() == reflect.Map && t.Key().Kind() != reflect.String {
		p.fixed = unknown
	}
	if t.Kind() == reflect.Struct && p.fixed < unknown {
		for i := range t.NumField() {
			f := t.Field(i)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.PkgPath != "" && !f.Anonymous || f.Tag.Get("json") == "-" {
				continue
			}
			p.fields = append(p.fields, i)
			p.fixed += perField + perByte*max(len(f.Name), len(tag))
		}
	}
	plans.Store(t, p)
	return p
}
