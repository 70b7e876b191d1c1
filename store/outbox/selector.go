package outbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"signalbox/notice"
)

// shape says which parts of a filter are set, and of the key how many bytes. Stored in subscriptions.shape: filters that choose an event are found by
// equality, since for each shape in use there is one selector that they must have.
type shape int

// The bits of a shape. Those above shapeKey say how the key counts: 0 not at all, 1 as a whole, n+1 by its first n bytes.
const (
	shapeSource shape = 1 << iota
	shapeTopic
	shapeType
	shapeStatus

	shapeKey = 4
)

// selectorOf gives a filter's shape and its selector, by which the filter is found.
func selectorOf(f notice.Filter) (shape, string) {
	var s shape
	for bit, word := range map[shape]string{shapeSource: f.Source, shapeTopic: f.Topic, shapeType: f.Type, shapeStatus: f.Status} {
		if word != "" {
			s |= bit
		}
	}
	key := f.Key
	if prefix, open := strings.CutSuffix(key, "*"); open {
		key = prefix
		if key != "" { // a lone asterisk matches everything, events without a key too
			s |= shape(len(key)+1) << shapeKey
		}
	} else if key != "" {
		s |= 1 << shapeKey
	}
	return s, digest(s, f.Source, f.Topic, f.Type, f.Status, key)
}

// selectorFor gives the selector of those filters of the shape that choose the event; ok is false when none can.
func selectorFor(p notice.Published, s shape) (text string, ok bool) {
	only := func(bit shape, word string) string {
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
	return digest(s, only(shapeSource, p.Source), only(shapeTopic, p.Topic), only(shapeType, p.Type), only(shapeStatus, p.Status), key), true
}

// digest is a selector made of a shape and its values. JSON keeps the bounds between them. Stored rows rely on it.
func digest(s shape, values ...string) string {
	raw, err := json.Marshal(struct {
		Shape  shape
		Values []string
	}{s, values})
	if err != nil {
		panic("outbox: strings that do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// StreamLane gives the lane number of a tenant's events with that key: below zero, where tickets' are above. Stored rows rely on it. Keys share
// a number so rarely that what it costs, an order that nobody asked for, is not worth a table of numbers.
func StreamLane(tenant, key string) int64 {
	raw, err := json.Marshal([]string{tenant, key})
	if err != nil {
		panic("outbox: strings that do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	var n int64
	for _, b := range sum[:8] {
		n = n<<8 | int64(b)
	}
	return -(n & (1<<63 - 1)) - 1
}
