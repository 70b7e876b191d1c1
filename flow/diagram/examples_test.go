package diagram

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

func TestTry(t *testing.T) {
	for _, name := range []string{"leave_request", "change_two_levels", "incident_auto_remediation"} {
		raw, err := os.ReadFile("../../examples/" + name + ".yaml")
		require.NoError(t, err)
		def, faults := flow.Parse(raw)
		require.Empty(t, faults, faults.Error())
		os.WriteFile("/tmp/"+name+".svg", SVG(def, nil), 0o644)
		os.WriteFile("/tmp/"+name+".dot", []byte(flow.Draw(def, nil).DOT()), 0o644)
	}
}
