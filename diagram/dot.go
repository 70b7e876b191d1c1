package diagram

import (
	"fmt"
	"strings"

	"signalbox/flow"
)

// DOT writes a definition in the language of Graphviz, for those who lay it out themselves; marks are as in SVG.
func DOT(def flow.Definition, pos *flow.Position) string {
	d := flow.Draw(def, pos)
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  label=%s\n  node [fontname=\"sans-serif\" style=\"filled,rounded\" fillcolor=white]\n  edge [fontname=\"sans-serif\" fontsize=11]\n",
		quoted(d.Key), quoted(d.Title))
	b.WriteString("  \" start\" [shape=circle label=\"\" width=0.2 fillcolor=black]\n")
	for _, s := range d.Nodes {
		shape := map[flow.NodeType]string{flow.Branch: "diamond", flow.Parallel: "trapezium", flow.Join: "invtrapezium", flow.End: "doublecircle", flow.Call: "component", flow.Wait: "ellipse"}[s.Type]
		if shape == "" {
			shape = "box"
		}
		style, fill := "filled,rounded", map[flow.Mark]string{flow.Untouched: "white", flow.IsDone: "#e6f4ea", flow.IsCurrent: "#dbeafe", flow.IsSkipped: "#eeeeee", flow.IsCancelled: "#eeeeee"}[s.Mark]
		if s.Mark == flow.IsSkipped || s.Mark == flow.IsCancelled {
			style += ",dashed"
		}
		if s.Alarm {
			fill = "#fde2e1"
		}
		label := s.Name
		if s.Note != "" {
			label += "\n" + s.Note
		}
		fmt.Fprintf(&b, "  %s [shape=%s style=%s fillcolor=%s label=%s tooltip=%s]\n", quoted(s.ID), shape, quoted(style), quoted(fill), quoted(label), quoted(tooltip(s, d.Phrases)))
	}
	if len(d.Nodes) > 0 {
		fmt.Fprintf(&b, "  \" start\" -> %s\n", quoted(d.Nodes[0].ID))
	}
	for i, l := range d.Edges {
		to, style := l.To, "solid"
		if l.Rejects {
			style = "dashed"
		}
		if l.Ends {
			to = fmt.Sprintf(" ended%d", i)
			fmt.Fprintf(&b, "  %s [shape=point width=0.15 xlabel=terminated]\n", quoted(to))
		}
		fmt.Fprintf(&b, "  %s -> %s [label=%s style=%s]\n", quoted(l.From), quoted(to), quoted(l.Label), style)
	}
	return b.String() + "}\n"
}

// tooltip says all about a node in one line.
func tooltip(s flow.Shape, in flow.Phrases) string {
	out := s.Name + " (" + in.Say(string(s.Type))
	if s.Mark != flow.Untouched {
		out += ", " + in.Say(string(s.Mark))
	}
	if out += ")"; s.Note != "" {
		out += ": " + s.Note
	}
	return out
}

// quoted gives a text as a DOT string. Only quotes, backslashes and line breaks mean something inside one.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", "").Replace(text) + `"`
}
