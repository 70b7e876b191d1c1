package flow_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

// FuzzParse: whatever a definition says, in YAML or JSON, it is a process or its faults are named; a process is one again when it is read from
// what it was kept as.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"builtin/*.yaml", "../examples/*.yaml", "../api/service/testdata/faulty.*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		require.NotEmpty(f, files, pattern)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(raw)
		}
	}
	for _, seed := range []string{
		"a: &a [*a]", "key: a\nnodes: [{id: a, type: end}, {id: a, type: end}]", "? [x]\n: y", "{", "- 1", "key: !!binary aGk=", "nodes: {1: 2}", "\x00", "%YAML 9\n---\n",
		"x: &x {y: z}\nkey: {<<: *x}", "key: a\nname: b\nnodes:\n- {id: b, type: branch, cases: [{when: 'fields.x in [1..99999999]', next: e}], default: e}\n- {id: e, type: end}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		def, faults := flow.Parse(source)
		if len(faults) > 0 {
			for _, fault := range faults {
				require.NotEmpty(t, fault.Message)
			}
			return
		}
		faults = flow.Check(def)
		process, err := flow.Compile(def)
		require.Equal(t, len(faults) == 0, err == nil, "%v: %v", faults, err)
		if err != nil {
			return
		}
		raw, err := json.Marshal(process.Definition())
		require.NoError(t, err)
		var again flow.Definition
		require.NoError(t, json.Unmarshal(raw, &again))
		_, err = flow.Compile(again)
		require.NoError(t, err, "%s", raw)
	})
}
