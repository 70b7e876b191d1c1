package itsm

import (
	"os"
	"testing"

	"signalbox/flow"
)

// FuzzTranslate: whatever is imported becomes a definition that can be checked, or is refused by name.
func FuzzTranslate(f *testing.F) {
	whole, err := os.ReadFile("testdata/exported_flow.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"states": [{"id": 1, "type": "START"}, {"id": "2", "type": "NORMAL"}, {"id": 3, "type": "ROUTER-P"}, {"id": 4, "type": "COVERAGE"}, {"id": 5, "type": "END"}],
		"transitions": [{"id": 1, "from_state": 1, "to_state": 2}, {"id": 2, "from_state": 2, "to_state": 3}, {"id": 3, "from_state": 3, "to_state": 4, "condition_type": "by_field",
			"condition": {"type": "or", "expressions": [{"expressions": [{"key": "a", "condition": "issuperset", "value": "x"}]}]}}, {"id": 4, "from_state": 3, "to_state": 4},
			{"id": 5, "from_state": 4, "to_state": 5}], "fields": {"1": {"id": 1, "key": "a", "type": "MULTISELECT", "choice": [{"key": "x"}]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var workflow member
		if flow.DecodeExact(raw, &workflow) != nil || len(raw) > 1<<16 {
			return
		}
		def, _, faults := translate(workflow, groupsIn(workflow))
		if len(faults) > 0 {
			for _, fault := range faults {
				if fault.Field == "" || fault.Message == "" {
					t.Fatalf("%+v", fault)
				}
			}
			return
		}
		_, _ = checked(def)
	})
}
