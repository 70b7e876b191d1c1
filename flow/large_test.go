package flow

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// largest definitions by what makes them large: ways, forms, or expressions over many forms. Each is as long as a text may be, or has as many nodes.
func largestDefinitions() map[string]Definition {
	asked := &Processors{Opener: true}
	form := func(name string, n int) (fields []Field) {
		for i := range n {
			fields = append(fields, Field{Key: fmt.Sprintf("%s_%d", name, i), Type: Int})
		}
		return fields
	}
	id := func(i int) string { return fmt.Sprintf("n%d", min(i, MaxNodes-2)) }
	ways := Definition{Key: "k", Name: "n", Fields: form("f", 1)}
	forms := Definition{Key: "k", Name: "n"}
	both := Definition{Key: "k", Name: "n", Fields: form("f", MaxFields)}
	for i := range MaxNodes - 2 {
		fan := Node{ID: id(i), Name: "b", Type: Branch, Default: id(MaxNodes - 2)}
		line := Node{ID: id(i), Name: "b", Type: Branch, Default: id(i + 1)}
		for c := range MaxPaths {
			fan.Cases = append(fan.Cases, Case{When: "fields.f_0>1", Next: id(i + 1 + c)})
			line.Cases = append(line.Cases, Case{When: "fields.f_1>1", Next: id(i + 1)})
		}
		task := Node{ID: id(i), Name: "t", Type: Task, Processors: asked, Fields: form(fmt.Sprint("g", i), 60), Next: id(i + 1)}
		ways.Nodes, forms.Nodes = append(ways.Nodes, fan), append(forms.Nodes, task)
		if i%2 == 0 {
			line = task
		}
		both.Nodes = append(both.Nodes, line)
	}
	last := []Node{{ID: id(MaxNodes - 2), Name: "t", Type: Task, Processors: asked, Next: "e"}, {ID: "e", Name: "e", Type: End}}
	ways.Nodes, forms.Nodes, both.Nodes = append(ways.Nodes, last...), append(forms.Nodes, last...), append(both.Nodes, last...)
	return map[string]Definition{"ways": ways, "forms": forms, "expressions over forms": both}
}

// TestCheckingIsBounded: whoever has a definition checked is not given a processor for long. What is looked at, nodes on the ways between nodes and names that
// expressions may speak of, is as much as the definition is large, times its nodes; handing every expression every field made it thousands of times that.
func TestCheckingIsBounded(t *testing.T) {
	for name, def := range largestDefinitions() {
		raw, err := json.Marshal(def)
		require.NoError(t, err)
		require.Less(t, len(raw), MaxSource, "%s: it is legal", name)
		require.Greater(t, len(raw), MaxSource*2/3, "%s: and large", name)
		b := newBuilder(def, true)
		b.build()
		require.Empty(t, b.faults, name)
		edges := 0
		for _, n := range b.order {
			edges += len(b.out(n))
		}
		require.Less(t, b.looked, MaxNodes*(edges+MaxNodes), name)
	}
}
