package diagram

import (
	"cmp"
	"slices"

	"signalbox/flow"
)

const (
	gapX = 28.0
	gapY = 30.0
	// mostBends bounds what the layout of a process costs: where all wires together have more, the longest run straight. Nobody could follow them.
	mostBends = 4_000
)

// box is something that takes up room in a layer: a node, or a bend of an edge that passes through, with the edge's label in the first.
type box struct {
	shape      *flow.Shape // nil for a bend, and for the start and the early ends
	early      bool        // the point at which a rejection ends the ticket
	layer      int
	w, h, x, y float64 // x and y are the centre
	before     []*box  // neighbours in the layer above
	after      []*box  // and below
	beside     *box    // a bend at an end of a way back keeps to the right of its node
	rank       float64 // for sorting a layer
	at         int     // where in its layer
	label      string
	id         int
	out        []*wire
}

// wire is an edge and the boxes it runs through.
type wire struct {
	line     flow.Arrow
	from, to *box
	back     bool
	bends    []*box // from from to to
	straight bool   // it has no bends in between
}

type plan struct {
	boxes  []*box
	layers [][]*box
	wires  []*wire
	w, h   float64
}

// arrange gives every node and every bend its place.
func arrange(d flow.Drawing) *plan {
	p := &plan{}
	p.collect(d)
	p.findBack()
	p.layer()
	p.bend()
	p.order()
	p.place()
	return p
}

// collect makes the boxes of nodes and the wires between them.
func (p *plan) collect(d flow.Drawing) {
	byID := map[string]*box{}
	start := &box{w: 14, h: 14}
	p.boxes = append(p.boxes, start)
	for i := range d.Nodes {
		s := &d.Nodes[i]
		b := &box{shape: s, w: max(width(short(s.Name))+18, width(short(s.Note))) + 28, h: 2*lineHeight + 14}
		if s.Note == "" {
			b.h = lineHeight + 16
		}
		switch s.Type {
		case flow.Branch:
			b.w, b.h = b.w+30, b.h+22
		case flow.Parallel, flow.Join:
			b.h = lineHeight + 10
		}
		byID[s.ID] = b
		p.boxes = append(p.boxes, b)
	}
	if len(d.Nodes) > 0 {
		p.wires = append(p.wires, &wire{from: start, to: byID[d.Nodes[0].ID]})
	}
	for _, l := range d.Edges {
		to := byID[l.To]
		if l.Ends {
			to = &box{early: true, w: 14, h: 14}
			p.boxes = append(p.boxes, to)
		}
		p.wires = append(p.wires, &wire{line: l, from: byID[l.From], to: to})
	}
}

// findBack marks the wires that lead back, so that the others have no loops: one by one, a wire leads back when it would close a loop of
// those before it. Ways on come before rejections, except where a rejection is the only way to a node.
func (p *plan) findBack() {
	for i, b := range p.boxes {
		b.id = i
	}
	for _, w := range p.wires {
		w.back = true // not a way yet
		w.from.out = append(w.from.out, w)
	}
	ways := newReach(len(p.boxes))
	settled, seen := map[*wire]bool{}, map[*box]bool{}
	settle := func(w *wire) {
		settled[w] = true
		if w.back = w.from == w.to || ways.leads(w.to.id, w.from.id); !w.back {
			ways.add(w.from.id, w.to.id)
		}
	}
	var visit func(*box)
	visit = func(b *box) {
		seen[b] = true
		for _, w := range b.out {
			if !w.line.Rejects {
				settle(w)
				if !seen[w.to] {
					visit(w.to)
				}
			}
		}
	}
	visit(p.boxes[0])
	for found := true; found; {
		found = false
		for _, w := range p.wires {
			if w.line.Rejects && seen[w.from] && !seen[w.to] {
				settle(w)
				visit(w.to)
				found = true
			}
		}
	}
	for _, b := range p.boxes {
		if !seen[b] {
			visit(b)
		}
	}
	for _, w := range p.wires {
		if !settled[w] {
			settle(w)
		}
	}
}

// reach holds, for each box, the set of those that ways on lead to from it, a bit each.
type reach [][]uint64

func newReach(n int) reach {
	r := make(reach, n)
	for i := range r {
		r[i] = make([]uint64, (n+63)/64)
	}
	return r
}

func (r reach) leads(from, to int) bool { return r[from][to/64]&(1<<(to%64)) != 0 }

// add adds a way, and all that it makes.
func (r reach) add(from, to int) {
	if r.leads(from, to) {
		return
	}
	for i := range r {
		if i == from || r.leads(i, from) {
			r[i][to/64] |= 1 << (to % 64)
			for j, bits := range r[to] {
				r[i][j] |= bits
			}
		}
	}
}

// layer puts every box below all that lead to it. A wire with a label needs a layer of its own in between, for the label.
func (p *plan) layer() {
	for changed, rounds := true, 0; changed && rounds <= len(p.boxes); rounds++ {
		changed = false
		for _, w := range p.wires {
			length := 1
			if w.line.Label != "" {
				length = 2
			}
			if !w.back && w.to.layer < w.from.layer+length {
				w.to.layer, changed = w.from.layer+length, true
			}
		}
	}
}

// bend lays wires through the layers they cross. A way back has a bend beside each of its two ends as well.
func (p *plan) bend() {
	add := func(w *wire, layer int) *box {
		b := &box{layer: layer, w: 8, h: 4}
		w.bends = append(w.bends, b)
		return b
	}
	p.straighten()
	for _, w := range p.wires {
		switch {
		case w.straight && w.back:
			add(w, w.from.layer)
			add(w, w.to.layer)
		case w.straight:
			if w.line.Label != "" {
				add(w, w.from.layer+1)
			}
		case w.back:
			for layer := w.from.layer; layer >= w.to.layer; layer-- {
				add(w, layer)
			}
		default:
			for layer := w.from.layer + 1; layer < w.to.layer; layer++ {
				add(w, layer)
			}
		}
		if w.back {
			w.bends[0].beside, w.bends[len(w.bends)-1].beside = w.from, w.to
		}
		if w.line.Label != "" && len(w.bends) > 0 {
			b := w.bends[0]
			if w.back && len(w.bends) > 2 {
				b = w.bends[1]
			}
			b.label, b.w, b.h = short(w.line.Label), width(short(w.line.Label))*0.85+10, lineHeight
		}
		p.link(w)
		p.boxes = append(p.boxes, w.bends...)
	}
	top := 0
	for _, b := range p.boxes {
		top = max(top, b.layer)
	}
	p.layers = make([][]*box, top+1)
	for _, b := range p.boxes {
		p.layers[b.layer] = append(p.layers[b.layer], b)
	}
}

// straighten leaves out the bends of the longest wires where there are too many.
func (p *plan) straighten() {
	length := func(w *wire) int { return max(w.to.layer-w.from.layer, w.from.layer-w.to.layer) }
	byLength := slices.Clone(p.wires)
	slices.SortStableFunc(byLength, func(a, b *wire) int { return cmp.Compare(length(a), length(b)) })
	bends := 0
	for _, w := range byLength {
		bends += length(w)
		w.straight = bends > mostBends && length(w) > 2
	}
}

// link makes neighbours of the boxes along a wire, which lie in layers that follow each other.
func (p *plan) link(w *wire) {
	if w.straight {
		if !w.back && len(w.bends) > 0 {
			w.from.after, w.bends[0].before = append(w.from.after, w.bends[0]), []*box{w.from}
		}
		return
	}
	chain := slices.Clone(w.bends)
	if w.back {
		slices.Reverse(chain)
	} else {
		chain = slices.Concat([]*box{w.from}, chain, []*box{w.to})
	}
	for i := 1; i < len(chain); i++ {
		chain[i-1].after = append(chain[i-1].after, chain[i])
		chain[i].before = append(chain[i].before, chain[i-1])
	}
}

// current gives where the first node stands at which the ticket is, in hundredths of width and height.
func (p *plan) current() (x, y int) {
	var first *box
	for _, b := range p.boxes {
		if b.shape != nil && b.shape.Mark == flow.IsCurrent && (first == nil || b.y < first.y) {
			first = b
		}
	}
	if first == nil || p.w <= 0 || p.h <= 0 {
		return 0, 0
	}
	return int(100 * first.x / p.w), int(100 * first.y / p.h)
}
