package diagram

import (
	"cmp"
	"math"
	"slices"
)

// order sorts every layer so that wires cross little: each box goes to the middle of its neighbours, down and up a few times, and the best
// order seen is kept.
func (p *plan) order() {
	for _, layer := range p.layers {
		aside(layer)
	}
	best, fewest := p.snapshot(), p.crossings()
	for round := range 12 {
		for i := range p.layers {
			layer, near := p.layers[i], func(b *box) []*box { return b.before }
			if round%2 == 1 {
				layer, near = p.layers[len(p.layers)-1-i], func(b *box) []*box { return b.after }
			}
			sort(layer, near)
		}
		if n := p.crossings(); n < fewest {
			best, fewest = p.snapshot(), n
		}
	}
	p.layers = best
}

func (p *plan) snapshot() [][]*box {
	out := make([][]*box, len(p.layers))
	for i, layer := range p.layers {
		out[i] = slices.Clone(layer)
	}
	return out
}

// sort orders one layer by the middle of the neighbours.
func sort(layer []*box, near func(*box) []*box) {
	for i, b := range layer {
		b.rank = float64(i)
		if around := near(b); len(around) > 0 {
			b.rank = 0
			for _, other := range around {
				b.rank += float64(other.at) / float64(len(around))
			}
		}
	}
	slices.SortStableFunc(layer, func(a, b *box) int { return cmp.Compare(a.rank, b.rank) })
	aside(layer)
}

// aside moves the ends of ways back to the right of their nodes, and numbers the layer.
func aside(layer []*box) {
	ends := map[*box][]*box{}
	for _, b := range layer {
		if b.beside != nil {
			ends[b.beside] = append(ends[b.beside], b)
		}
	}
	sorted := make([]*box, 0, len(layer))
	for _, b := range layer {
		if b.beside == nil {
			sorted = append(append(sorted, b), ends[b]...)
		}
	}
	copy(layer, sorted)
	for i, b := range layer {
		b.at = i
	}
}

// crossings counts the pairs of wires that cross between layers: those that begin in one order and end in the other.
func (p *plan) crossings() int {
	count := 0
	for _, layer := range p.layers {
		var ends []int // sorted
		for _, b := range layer {
			for _, below := range b.after {
				at, _ := slices.BinarySearch(ends, below.at+1)
				count += len(ends) - at
			}
			for _, below := range b.after {
				at, _ := slices.BinarySearch(ends, below.at)
				ends = slices.Insert(ends, at, below.at)
			}
		}
	}
	return count
}

// place gives coordinates: boxes move towards the middle of their neighbours as far as the others in the layer let them.
func (p *plan) place() {
	y := 12.0
	for _, layer := range p.layers {
		tallest, x := 0.0, 0.0
		for _, b := range layer {
			tallest = max(tallest, b.h)
			b.x = x + b.w/2
			x += b.w + gapX
		}
		for _, b := range layer {
			b.y = y + tallest/2
		}
		y += tallest + gapY
	}
	above := func(b *box) []*box { return b.before }
	below := func(b *box) []*box { return b.after }
	both := func(b *box) []*box { return slices.Concat(b.before, b.after) }
	for round := range 12 {
		near := []func(*box) []*box{above, below, both}[round%3]
		for i := range p.layers {
			if round%3 == 1 {
				i = len(p.layers) - 1 - i
			}
			settle(p.layers[i], near)
		}
	}
	left, right := math.Inf(1), math.Inf(-1)
	for _, b := range p.boxes {
		left, right = min(left, b.x-b.w/2), max(right, b.x+b.w/2)
	}
	for _, b := range p.boxes {
		b.x += 16 - left
	}
	p.w, p.h = right-left+32, y-gapY+12
}

// settle moves the boxes of a layer as close as possible to where they want to be, in their order and without touching: the sum of squared
// ways is the least (pool adjacent violators).
func settle(layer []*box, near func(*box) []*box) {
	type pool struct {
		sum   float64
		count int
	}
	offset, offsets := 0.0, make([]float64, len(layer))
	var pools []pool
	for i, b := range layer {
		if i > 0 {
			offset += layer[i-1].w/2 + gapX + b.w/2
		}
		offsets[i] = offset
		pools = append(pools, pool{b.wants(near(b)) - offset, 1})
		for n := len(pools); n > 1 && pools[n-2].sum/float64(pools[n-2].count) > pools[n-1].sum/float64(pools[n-1].count); n-- {
			pools[n-2] = pool{pools[n-2].sum + pools[n-1].sum, pools[n-2].count + pools[n-1].count}
			pools = pools[:n-1]
		}
	}
	i := 0
	for _, p := range pools {
		for range p.count {
			layer[i].x = p.sum/float64(p.count) + offsets[i]
			i++
		}
	}
}

// wants is where a box would like to be.
func (b *box) wants(near []*box) float64 {
	if b.beside != nil {
		return b.beside.x + b.beside.w/2 + gapX + b.w/2
	}
	if len(near) == 0 {
		return b.x
	}
	sum := 0.0
	for _, other := range near {
		sum += other.x
	}
	return sum / float64(len(near))
}
