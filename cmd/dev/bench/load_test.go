package bench

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// side is one of two things that are compared.
type side struct {
	name string
	do   func(ctx context.Context) error
	// prepare is done before it is measured, with how many will be needed at most; nil: nothing is.
	prepare func(ctx context.Context, n int)
}

// measured is what came of one side in one round.
type measured struct {
	done      int
	took      time.Duration
	follows   time.Duration   // how long what it left behind was worked off after that
	latencies []time.Duration // sorted
	cost      used
}

func (m measured) rate() float64 { return float64(m.done) / m.took.Seconds() }

// lasting is the rate that can be kept up: what follows of it counts as time too.
func (m measured) lasting() float64 { return float64(m.done) / (m.took + m.follows).Seconds() }

func (m measured) quantile(q float64) time.Duration {
	if len(m.latencies) == 0 {
		return 0
	}
	return m.latencies[min(len(m.latencies)-1, int(q*float64(len(m.latencies))))]
}

// load has so many callers do something again and again for as long as a side is measured, or so many times in all where n is above 0. What follows of
// it is worked off before it returns, and counts as its cost.
func (b *bench) load(s side, callers, n int) (out measured) {
	if s.prepare != nil {
		s.prepare(b.Context(), n)
	}
	b.drain()
	before := b.machine.used(b)
	defer b.profile(s.name)()
	var mu sync.Mutex
	var group sync.WaitGroup
	left := n
	began := time.Now()
	for range callers {
		group.Go(func() {
			for {
				mu.Lock()
				over := n > 0 && left == 0 || n == 0 && time.Since(began) >= b.length || b.Failed()
				left--
				mu.Unlock()
				if over {
					return
				}
				start := time.Now()
				err := s.do(b.Context())
				mu.Lock()
				out.latencies, out.done = append(out.latencies, time.Since(start)), out.done+1
				mu.Unlock()
				if err != nil {
					b.Errorf("%s: %v", s.name, err)
				}
			}
		})
	}
	group.Wait()
	out.took = time.Since(began)
	require.False(b, b.Failed(), "%s", s.name)
	out.follows = b.drain()
	out.cost = b.machine.used(b).since(before)
	slices.Sort(out.latencies)
	return out
}

// pair measures two sides by turns, a different one first in each round, and notes a line of the report. ratio gives what counts, from ours and the other.
func (b *bench) pair(what, goal string, callers, n int, ours, other side, ratio func(ours, other measured) float64) {
	r := row{what: what, goal: goal, load: n == 0}
	for round := range b.rounds {
		spin, sync, err := noise(b.dir)
		require.NoError(b, err)
		var mine, others measured
		if round%2 == 0 {
			mine = b.load(ours, callers, n)
			others = b.load(other, callers, n)
		} else {
			others = b.load(other, callers, n)
			mine = b.load(ours, callers, n)
		}
		r.rounds = append(r.rounds, rounds{mine, others, ratio(mine, others), spin, sync})
		progress("%s, round %d of %d: %.1f/s, p50 %s against %.1f/s, p50 %s: %.2f", what, round+1, b.rounds, mine.rate(), brief(mine.quantile(0.5)), others.rate(),
			brief(others.quantile(0.5)), ratio(mine, others))
	}
	b.rows = append(b.rows, r)
}

func byRate(ours, other measured) float64 { return ours.rate() / other.rate() }

func byMedian(ours, other measured) float64 {
	return float64(ours.quantile(0.5)) / float64(other.quantile(0.5))
}
