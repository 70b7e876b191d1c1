package notice

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Shape says which parts of a filter are set, and of the key how many bytes. Filters that choose an event are found by equality: for each
// shape in use there is one selector that they must have.
type Shape int

// The bits of a shape. Those above shapeKey say how the key counts: 0 not at all, 1 as a whole, n+1 by its first n bytes.
const (
	shapeSource Shape = 1 << iota
	shapeTopic
	shapeType
	shapeStatus

	shapeKey = 4
)

// Selector gives the filter's shape and its selector.
func (f Filter) Selector() (Shape, string) {
	var s Shape
	for bit, word := range map[Shape]string{shapeSource: f.Source, shapeTopic: f.Topic, shapeType: f.Type, shapeStatus: f.Status} {
		if word != "" {
			s |= bit
		}
	}
	key := f.Key
	if prefix, open := strings.CutSuffix(key, "*"); open {
		key = prefix
		if key != "" { // a lone asterisk matches everything, events without a key too
			s |= Shape(len(key)+1) << shapeKey
		}
	} else if key != "" {
		s |= 1 << shapeKey
	}
	return s, selector(s, f.Source, f.Topic, f.Type, f.Status, key)
}

// Selector gives the selector of those filters of the shape that choose the event; ok is false when none can.
func (p Published) Selector(s Shape) (text string, ok bool) {
	only := func(bit Shape, word string) string {
		if s&bit == 0 {
			return ""
		}
		return word
	}
	key := p.Key
	switch n := int(s>>shapeKey) - 1; {
	case n < 0:
		key = ""
	case n == 0 && key == "", n > len(key), n > 0 && !utf8.ValidString(key[:n]):
		return "", false
	case n > 0:
		key = key[:n]
	}
	return selector(s, only(shapeSource, p.Source), only(shapeTopic, p.Topic), only(shapeType, p.Type), only(shapeStatus, p.Status), key), true
}

// selector digests the values of a shape. JSON keeps the bounds between them.
func selector(s Shape, values ...string) string {
	raw, err := json.Marshal(struct {
		Shape  Shape
		Values []string
	}{s, values})
	if err != nil {
		panic("notice: strings that do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// StreamLane gives the lane number of a tenant's events with that key: below zero, where tickets' are above. Keys share a number so rarely
// that what it costs, an order that nobody asked for, is not worth a table of numbers.
func StreamLane(tenant, key string) int64 {
	raw, err := json.Marshal([]string{tenant, key})
	if err != nil {
		panic("notice: strings that do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	var n int64
	for _, b := range sum[:8] {
		n = n<<8 | int64(b)
	}
	return -(n & (1<<63 - 1)) - 1
}
