package flow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Values are values by the keys of their fields, as JSON says them: nil, bool, string, json.Number, []any, map[string]any. They are read from JSON
// without loss: a number keeps every digit that it was sent with.
type Values map[string]any

// UnmarshalJSON implements json.Unmarshaler.
func (v *Values) UnmarshalJSON(raw []byte) error {
	var read map[string]any
	if err := DecodeExact(raw, &read); err != nil {
		return err
	}
	*v = read
	return nil
}

// DecodeExact is json.Unmarshal, except that wherever any value may stand numbers are json.Number, with every digit that they have.
func DecodeExact(raw []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("there is more after the JSON")
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler: a default keeps its digits.
func (f *Field) UnmarshalJSON(raw []byte) error {
	type plain Field
	return DecodeExact(raw, (*plain)(f))
}

// UnmarshalJSON implements json.Unmarshaler: the body keeps the digits of its numbers.
func (q *Request) UnmarshalJSON(raw []byte) error {
	type plain Request
	return DecodeExact(raw, (*plain)(q))
}

// loosened gives values with float64 for numbers, in a copy: as tickets of RulesFirst have always read them. A number that no float64 comes near
// stays what it is, and fits no field.
func loosened(values map[string]any) map[string]any {
	if values == nil {
		return nil
	}
	out := make(map[string]any, len(values))
	for _, key := range sortedKeys(values) {
		out[key] = loose(values[key])
	}
	return out
}

func loose(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseFloat(string(v), 64); err == nil {
			return n
		}
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = loose(item)
		}
		return out
	case map[string]any:
		return loosened(v)
	}
	return value
}
