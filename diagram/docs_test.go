package diagram

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

// TestTheDrawingsInTheDocsAreOfThisBuild holds the drawings in docs/diagrams to what is drawn. With SIGNALBOX_WRITE set it writes them instead.
func TestTheDrawingsInTheDocsAreOfThisBuild(t *testing.T) {
	drawings := map[string][]byte{"incident": SVG(flow.Builtin()[flow.ServiceIncident].Definition(), nil)}
	for _, name := range []string{"leave_request", "change_two_levels", "incident_auto_remediation"} {
		source, err := os.ReadFile("../examples/" + name + ".yaml")
		require.NoError(t, err)
		def, faults := flow.Parse(source)
		require.Empty(t, faults)
		drawings[name] = SVG(def, nil)
		if name == "change_two_levels" {
			drawings[name+"_running"] = SVG(def, running(t, def))
		}
	}
	for name, svg := range drawings {
		file := "../docs/diagrams/" + name + ".svg"
		if os.Getenv("SIGNALBOX_WRITE") != "" {
			require.NoError(t, os.MkdirAll("../docs/diagrams", 0o755))
			require.NoError(t, os.WriteFile(file, svg, 0o644))
			continue
		}
		kept, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(svg), string(kept), "make golden writes it anew")
	}
}

// running is a change on its way: one review done, the other handed on by its deadline.
func running(t *testing.T, def flow.Definition) *flow.Position {
	p, err := flow.Compile(def)
	require.NoError(t, err)
	var at flow.Position
	env := flow.Env{Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Opener: "olga"}
	step := func(in flow.Input) {
		out, err := p.Step(at, env, in)
		require.NoError(t, err)
		at = flow.Apply(at, out.States)
	}
	for _, in := range []flow.Input{flow.Start{}, flow.Act{Node: "security", Action: flow.Approve, Actor: "sam"},
		flow.Act{Node: "security", Action: flow.Approve, Actor: "sara"}, flow.Act{Node: "operations", Action: flow.Claim, Actor: "otto"}} {
		step(in)
	}
	for due := flow.Due(at); len(due) > 0; due = flow.Due(at) {
		env.Now = due[0].At
		step(flow.Fired{Node: due[0].Node, Round: due[0].Round, Stage: due[0].Stage})
	}
	return &at
}
