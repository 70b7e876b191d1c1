package diagram

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/flow"
)

// texts reads an SVG as XML and gives the content of all elements of one name.
func texts(t *testing.T, svg []byte, element string) []string {
	t.Helper()
	var out []string
	inside := false
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return out
		}
		require.NoError(t, err, "%s", svg)
		switch token := token.(type) {
		case xml.StartElement:
			if inside = token.Name.Local == element; inside {
				out = append(out, "")
			}
		case xml.CharData:
			if inside {
				out[len(out)-1] += string(token)
			}
		case xml.EndElement:
			inside = false
		}
	}
}

func TestEveryNodeHasATitleAndTextIsEscaped(t *testing.T) {
	def := flow.Definition{Key: "k", Name: `<script>alert("1")</script>`, Nodes: []flow.Node{
		{ID: "a", Name: `A & "B" </text>`, Type: flow.Branch, Default: "b", Cases: []flow.Case{{Name: "<i>", When: "true", Next: "b"}}},
		{ID: "b", Name: "审批 ✓", Type: flow.Approval, Processors: &flow.Processors{Persons: []string{"<ann>"}}, Next: "c", Reject: &flow.Rejection{Then: flow.GoEnd}},
		{ID: "c", Name: strings.Repeat("long ", 30), Type: flow.End},
	}}
	svg := SVG(def, nil)
	require.Equal(t, []string{def.Name, "start", `A & "B" </text> (branch)`, "审批 ✓ (approval): any of <ann>", strings.Repeat("long ", 30) + " (end): completed", "terminated"}, texts(t, svg, "title"))
	require.Contains(t, texts(t, svg, "text"), "<i>")
	require.NotContains(t, string(svg), "<script>")
	require.NotContains(t, string(svg), "<i>")
	require.Contains(t, string(svg), `role="img"`)
	require.Equal(t, svg, SVG(def, nil), "equal arguments give equal bytes")
}

func TestAPositionIsMarked(t *testing.T) {
	def := flow.Builtin()[flow.ServiceIncident].Definition()
	process := flow.Builtin()[flow.ServiceIncident]
	pos := flow.Position{}
	env := flow.Env{Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Opener: "olga"}
	for _, in := range []flow.Input{flow.Start{}, flow.Act{Action: flow.Accept, Actor: "ann"}} {
		out, err := process.Step(pos, env, in)
		require.NoError(t, err)
		pos = flow.Apply(pos, out.States)
	}
	svg := string(SVG(def, &pos))
	require.Contains(t, svg, `<g class="node task done"><title>Accept (task, done): ann</title>`)
	require.Contains(t, svg, `<g class="node task current"><title>Solve (task, current): ann</title>`)
	require.Contains(t, svg, `<g class="node task"><title>Confirm (task): opener, anyone</title>`)
	require.Contains(t, svg, "<desc>Stands at Solve. ")
	require.Contains(t, DOT(def, &pos), `"solve" [shape=box style="filled,rounded" fillcolor="#dbeafe" label="Solve\nann"`)

	// Skipped, cancelled, failed, and nobody to act.
	marked := func(state flow.State, asked ...string) string {
		at := flow.Position{Nodes: []flow.NodeState{{Node: "solve", Type: flow.Task, State: state, Round: 1, Roster: flow.Roster{Asked: asked}}}}
		return string(SVG(def, &at))
	}
	require.Contains(t, marked(flow.Skipped), `class="node task skipped"`)
	require.Contains(t, marked(flow.Cancelled), `class="node task cancelled"`)
	require.Contains(t, marked(flow.Active), `class="node task current alarm"><title>Solve (task, current): nobody is asked`)
	require.NotContains(t, marked(flow.Active, "ann"), "alarm")
}

// tangled is a definition of so many nodes, each with ways forth and back across the others.
func tangled(nodes int) flow.Definition {
	def := flow.Definition{Key: "big", Name: "Big"}
	for i := range nodes {
		n := flow.Node{ID: fmt.Sprint("n", i), Name: fmt.Sprint("Node ", i), Type: flow.Branch, Default: fmt.Sprint("n", i+1),
			Cases: []flow.Case{{When: "true", Next: fmt.Sprint("n", (i*7+3)%nodes)}}}
		if i%10 == 9 {
			n = flow.Node{ID: n.ID, Name: n.Name, Type: flow.Approval, Next: n.Default, Reject: &flow.Rejection{Then: flow.GoBack, To: fmt.Sprint("n", i-9)}}
		}
		def.Nodes = append(def.Nodes, n)
	}
	return def
}

// The largest definition there may be is not much more work than one of half its size; counted in allocations, of which each step makes some.
func TestLargeDefinitionsAreDrawnSoon(t *testing.T) {
	work := func(nodes int) float64 {
		drawing := flow.Draw(tangled(nodes), nil)
		return testing.AllocsPerRun(1, func() { arrange(drawing) })
	}
	half, whole := work(flow.MaxNodes/2), work(flow.MaxNodes)
	t.Logf("%.0f allocations for %d nodes, %.0f for twice as many", half, flow.MaxNodes/2, whole)
	require.Less(t, whole, 8*half, "worse than the third power")
}

// Whatever a definition looks like, also one with faults, it is drawn, and no node hides another.
func TestNothingIsDrawnOnTopOfAnything(t *testing.T) {
	big := tangled(flow.MaxNodes)
	self := flow.Definition{Nodes: []flow.Node{{ID: "a", Name: "A", Type: flow.Approval, Next: "a", Reject: &flow.Rejection{Then: flow.GoBack, To: "a"}}, {ID: "a"}, {ID: "z", Next: "nowhere"}}}
	for _, def := range []flow.Definition{{}, self, big, flow.Builtin()[flow.ServiceIncident].Definition()} {
		p := arrange(flow.Draw(def, nil))
		texts(t, SVG(def, nil), "title")
		require.Contains(t, DOT(def, nil), "digraph")
		for i, layer := range p.layers {
			for j, b := range layer {
				require.True(t, b.x-b.w/2 >= 0 && b.x+b.w/2 <= p.w && b.y-b.h/2 >= 0 && b.y+b.h/2 <= p.h, "%+v lies outside", b)
				if j > 0 {
					require.GreaterOrEqual(t, b.x-b.w/2+0.01, layer[j-1].x+layer[j-1].w/2, "%+v lies on %+v", b, layer[j-1])
				}
				if i > 0 {
					above := p.layers[i-1][0]
					require.Greater(t, b.y-b.h/2, above.y, "%+v lies in the layer above", b)
				}
			}
		}
	}
}

// TestTheLargestProcessIsDrawnWithinBounds: 199 nodes with 50 ways each are legal. What a layout costs goes with its boxes, and what a wire adds to those is
// bounded; without that there were a million.
func TestTheLargestProcessIsDrawnWithinBounds(t *testing.T) {
	const nodes = flow.MaxNodes - 1
	def := flow.Definition{Key: "k", Name: "k"}
	id := func(i int) string { return fmt.Sprint("n", min(i, nodes-1)) }
	for i := range nodes - 1 {
		n := flow.Node{ID: id(i), Name: id(i), Type: flow.Branch, Default: id(i + 1)}
		for way := range flow.MaxPaths - 1 {
			n.Cases = append(n.Cases, flow.Case{Name: fmt.Sprint("case ", way), When: "true", Next: id(i + 1 + (way+1)*7)})
		}
		def.Nodes = append(def.Nodes, n)
	}
	def.Nodes = append(def.Nodes, flow.Node{ID: id(nodes - 1), Name: "end", Type: flow.End})
	drawing := flow.Draw(def, nil)
	require.Len(t, drawing.Edges, (nodes-1)*flow.MaxPaths)
	p := arrange(drawing)
	require.Less(t, len(p.boxes), nodes+mostBends+2*len(drawing.Edges))
	svg := p.svg(drawing)
	require.Less(t, len(svg), 8<<20)
	for _, n := range def.Nodes {
		require.Contains(t, string(svg), "<title>"+n.Name+" (")
	}
	require.Equal(t, len(drawing.Edges)+1, strings.Count(string(svg), `<g class="edge`), "every way is drawn")
	for _, way := range []string{"case 0", "case 48"} {
		require.Contains(t, texts(t, svg, "text"), way, "and named")
	}
}

// TestWaysBack: a wire leads back where it closes a loop of those before it, rejections last.
func TestWaysBack(t *testing.T) {
	ask := &flow.Processors{Persons: []string{"ann"}}
	def := flow.Definition{Key: "k", Name: "k", Nodes: []flow.Node{
		{ID: "a", Name: "a", Type: flow.Branch, Default: "b", Cases: []flow.Case{{Name: "c", When: "true", Next: "c"}}},
		{ID: "b", Name: "b", Type: flow.Approval, Processors: ask, Next: "c", Reject: &flow.Rejection{Then: flow.GoBack, To: "r"}},
		{ID: "c", Name: "c", Type: flow.Branch, Default: "end", Cases: []flow.Case{{Name: "a", When: "true", Next: "a"}, {Name: "itself", When: "true", Next: "c"}}},
		{ID: "r", Name: "r", Type: flow.Task, Processors: ask, Next: "a"},
		{ID: "end", Name: "end", Type: flow.End},
	}}
	p := arrange(flow.Draw(def, nil))
	var back []string
	for _, w := range p.wires {
		if w.back {
			back = append(back, w.from.shape.ID+w.to.shape.ID)
		}
	}
	require.Equal(t, []string{"ca", "cc", "ra"}, back)
}
