package flow

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// What tickets of RulesFirst make of values: numbers are float64. None of it may change: what was decided must come out the same in a replay.

// maxExact is the largest number up to which a float64 holds every whole number.
const maxExact = 1 << 53

// firstWorld is what an expression sees.
func (r *run) firstWorld(n *node) map[string]any {
	fields, nodes := map[string]any{}, map[string]any{}
	for _, key := range r.p.keys {
		fields[key] = r.p.types[key].value(r.env.Fields[key], r.env.zone())
	}
	for _, earlier := range n.before {
		state, _ := r.pos.Find(earlier.ID)
		passed := state.Result != nil && *state.Result
		by := slices.Clone(state.By)
		if by == nil {
			by = []string{}
		}
		seen := map[string]any{"done": state.State == Done, "passed": passed, "by": by, "status": state.Status}
		if earlier.Type == Approval {
			maps.Copy(seen, state.count(false).seen())
		}
		nodes[earlier.ID] = seen
	}
	return map[string]any{"fields": fields, "nodes": nodes, "opener": r.env.Opener, "assignee": r.env.Assignee, "now": r.env.Now.In(r.env.zone())}
}

// value gives a kept value the type that expressions see; what is missing or does not fit is the zero value.
func (t FieldType) value(kept any, zone *time.Location) any {
	switch t {
	case Int:
		n, err := firstWhole(kept)
		if err != nil {
			return 0
		}
		return int(n.(float64))
	case Bool:
		return kept == true || kept == "true"
	case Date, DateTime:
		text, _ := kept.(string)
		at, err := parseTime(text, zone)
		if err != nil {
			return time.Time{}
		}
		return at
	case Checkbox, Multiselect, Members:
		if items := list(kept); items != nil {
			return items
		}
		return []string{}
	}
	text, _ := kept.(string)
	return text
}

// firstWhole reads a value of a field of type INT.
func firstWhole(value any) (any, error) {
	var n float64
	switch v := value.(type) {
	case float64:
		n = v
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	case json.Number:
		return firstWhole(string(v))
	case string:
		whole, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, errors.New("must be a whole number")
		}
		n = float64(whole)
	default:
		return nil, errors.New("must be a whole number")
	}
	if n != math.Trunc(n) || math.Abs(n) > maxExact {
		return nil, errors.New("must be a whole number of at most 2^53")
	}
	return n, nil
}
