package diagram

import (
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"

	"signalbox/flow"
)

// colours of a mark: fill, stroke, and how wide the stroke is. Marks are told apart by a sign as well, for those who see no colours.
var colours = map[flow.Mark]struct {
	fill, stroke, sign string
	width              float64
}{
	flow.Untouched:   {"#ffffff", "#475569", "", 1.2},
	flow.IsDone:      {"#e6f4ea", "#2e7d32", "✓ ", 1.2},
	flow.IsCurrent:   {"#dbeafe", "#1d4ed8", "▶ ", 2.6},
	flow.IsSkipped:   {"#eeeeee", "#757575", "» ", 1.2},
	flow.IsCancelled: {"#eeeeee", "#757575", "✕ ", 1.2},
}

func (p *plan) svg(d flow.Drawing) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" class="process" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="13">`+"\n",
		p.w, p.h, p.w, p.h)
	fmt.Fprintf(&b, "<title>%s</title>\n<desc>%s</desc>\n", html.EscapeString(d.Title), html.EscapeString(describe(d)))
	for _, w := range p.wires {
		w.draw(&b)
	}
	for _, x := range p.boxes {
		x.draw(&b, d.Phrases)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// describe tells the process in words, for those who do not see it.
func describe(d flow.Drawing) string {
	var out strings.Builder
	ways := map[string][]flow.Arrow{}
	for _, l := range d.Edges {
		ways[l.From] = append(ways[l.From], l)
	}
	for _, s := range d.Nodes {
		if s.Mark == flow.IsCurrent {
			out.WriteString(d.Phrases.Say("Stands at %s.", s.Name) + " ")
		}
	}
	for _, s := range d.Nodes {
		out.WriteString(tooltip(s, d.Phrases))
		for _, l := range ways[s.ID] {
			switch {
			case l.Ends:
				out.WriteString(", " + d.Phrases.Say("rejected") + ": " + d.Phrases.Say(string(flow.Terminated)))
			case l.Label != "":
				out.WriteString(", " + l.Label + ": " + l.To)
			default:
				out.WriteString(", " + d.Phrases.Say("then %s", l.To))
			}
		}
		out.WriteString(". ")
	}
	return out.String()
}

type point struct{ x, y float64 }

// draw draws a wire as a smooth line through its bends, with an arrow at its end.
func (w *wire) draw(b *bytes.Buffer) {
	points := []point{{w.from.x, w.from.y + w.from.h/2}}
	last := point{w.to.x, w.to.y - w.to.h/2}
	if w.back {
		points[0] = point{w.from.x + w.from.w/2, w.from.y}
		last = point{w.to.x + w.to.w/2, w.to.y}
	}
	for _, bend := range w.bends {
		points = append(points, point{bend.x, bend.y})
	}
	points = append(points, last)
	dash, class := "", "edge"
	if w.line.Rejects {
		dash, class = ` stroke-dasharray="5 4"`, "edge rejected"
	}
	fmt.Fprintf(b, `<g class="%s"><path fill="none" stroke="#475569" stroke-width="1.3"%s d="M%.1f,%.1f`, class, dash, points[0].x, points[0].y)
	n := len(points)
	for i := 1; i < n; i++ {
		from, to := points[i-1], points[i]
		switch {
		case w.back && n == 3: // back to itself
			dy := 12.0
			if i == 2 {
				dy = -12
			}
			fmt.Fprintf(b, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", from.x+sign(i == 1)*8, from.y-dy, to.x+sign(i == 2)*8, to.y-dy, to.x, to.y)
		case w.back && (i == 1 || i == n-1):
			fmt.Fprintf(b, " L%.1f,%.1f", to.x, to.y)
		default:
			mid := (from.y + to.y) / 2
			fmt.Fprintf(b, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", from.x, mid, to.x, mid, to.x, to.y)
		}
	}
	b.WriteString(`"/>`)
	arrow(b, last, w.back)
	b.WriteString("</g>\n")
}

func sign(right bool) float64 {
	if right {
		return 1
	}
	return 0
}

// arrow draws the head of a wire that comes from above, or of one that comes from the right.
func arrow(b *bytes.Buffer, at point, fromRight bool) {
	if fromRight {
		fmt.Fprintf(b, `<path fill="#475569" d="M%.1f,%.1f l9,-4 v8 z"/>`, at.x, at.y)
		return
	}
	fmt.Fprintf(b, `<path fill="#475569" d="M%.1f,%.1f l-4,-9 h8 z"/>`, at.x, at.y)
}

func (x *box) draw(b *bytes.Buffer, in flow.Phrases) {
	switch {
	case x.label != "":
		fmt.Fprintf(b, `<text class="label" text-anchor="middle" x="%.1f" y="%.1f" font-size="11" fill="#334155" stroke="#ffffff" stroke-width="4" paint-order="stroke">%s</text>`+"\n",
			x.x, x.y+4, html.EscapeString(x.label))
	case x.early:
		fmt.Fprintf(b, `<g class="node end"><title>%s</title><circle cx="%.1f" cy="%.1f" r="7" fill="#475569"/></g>`+"\n", html.EscapeString(in.Say(string(flow.Terminated))), x.x, x.y)
	case x.shape != nil:
		x.node(b, in)
	case len(x.before) == 0 && x.layer == 0 && x.beside == nil:
		fmt.Fprintf(b, `<g class="node start"><title>%s</title><circle cx="%.1f" cy="%.1f" r="7" fill="#0f172a"/></g>`+"\n", html.EscapeString(in.Say("start")), x.x, x.y)
	}
}

func (x *box) node(b *bytes.Buffer, in flow.Phrases) {
	s := x.shape
	c := colours[s.Mark]
	fill, stroke := c.fill, c.stroke
	class := "node " + string(s.Type)
	if s.Mark != flow.Untouched {
		class += " " + string(s.Mark)
	}
	if s.Alarm {
		class, fill, stroke = class+" alarm", "#fde2e1", "#b91c1c"
	}
	style := fmt.Sprintf(`fill="%s" stroke="%s" stroke-width="%.1f"`, fill, stroke, c.width)
	if slices.Contains([]flow.Mark{flow.IsSkipped, flow.IsCancelled}, s.Mark) {
		style += ` stroke-dasharray="4 3"`
	}
	fmt.Fprintf(b, `<g class="%s"><title>%s</title>`, html.EscapeString(class), html.EscapeString(tooltip(*s, in)))
	l, r, t, m := x.x-x.w/2, x.x+x.w/2, x.y-x.h/2, x.y+x.h/2
	switch s.Type {
	case flow.Branch:
		fmt.Fprintf(b, `<polygon %s points="%.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f"/>`, style, x.x, t, r, x.y, x.x, m, l, x.y)
	case flow.Parallel:
		fmt.Fprintf(b, `<polygon %s points="%.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f"/>`, style, l+12, t, r-12, t, r, m, l, m)
	case flow.Join:
		fmt.Fprintf(b, `<polygon %s points="%.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f"/>`, style, l, t, r, t, r-12, m, l+12, m)
	case flow.Wait:
		fmt.Fprintf(b, `<ellipse %s cx="%.1f" cy="%.1f" rx="%.1f" ry="%.1f"/>`, style, x.x, x.y, x.w/2, x.h/2)
	case flow.End:
		fmt.Fprintf(b, `<rect %s x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f"/>`, style, l, t, x.w, x.h, x.h/2)
		fmt.Fprintf(b, `<rect fill="none" stroke="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f"/>`, stroke, l+3, t+3, x.w-6, x.h-6, x.h/2-3)
	default:
		radius := 8.0
		if s.Type == flow.Call {
			radius = 0
		}
		fmt.Fprintf(b, `<rect %s x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.0f"/>`, style, l, t, x.w, x.h, radius)
	}
	y := x.y + 4.5
	if s.Note != "" {
		y -= lineHeight / 2
		fmt.Fprintf(b, `<text text-anchor="middle" x="%.1f" y="%.1f" font-size="11" fill="#475569">%s</text>`, x.x, y+lineHeight, html.EscapeString(short(s.Note)))
	}
	fmt.Fprintf(b, `<text text-anchor="middle" x="%.1f" y="%.1f" fill="#0f172a">%s%s</text></g>`+"\n", x.x, y, c.sign, html.EscapeString(short(s.Name)))
}
