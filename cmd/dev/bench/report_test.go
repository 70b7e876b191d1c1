package bench

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is a line of the table.
type row struct {
	what, goal string
	rounds     []rounds
	note       string // instead of two sides
	load       bool   // both sides do as much as they can
}

// rounds is one round: ours, what it is compared with, and the machine.
type rounds struct {
	ours, other measured
	ratio       float64
	spin, sync  time.Duration
}

// spread gives the median of some figures, and the least and the most.
func spread(figures []float64) (median, least, most float64) {
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[len(sorted)/2], sorted[0], sorted[len(sorted)-1]
}

func (r row) figures(f func(rounds) float64) (list []float64) {
	for _, x := range r.rounds {
		list = append(list, f(x))
	}
	return list
}

func brief(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// report writes everything down, in Markdown.
func (b *bench) report(took time.Duration) string {
	var out strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	w("%s, %d processors, %s, rounds of %s, %s in all.", time.Now().UTC().Format("2006-01-02 15:04"), runtime.NumCPU(), runtime.Version(), b.length, took.Round(time.Second))
	w("")
	w("| what | ours | beside it | ratio, median (spread) | goal |")
	w("|---|---|---|---|---|")
	for _, r := range b.rows {
		if r.note != "" {
			w("| %s | %s | | | %s |", r.what, r.note, r.goal)
			continue
		}
		each := func(side func(rounds) measured) string {
			rate, least, most := spread(r.figures(func(x rounds) float64 { return side(x).rate() }))
			text := fmt.Sprintf("%.1f/s (%.1f to %.1f)", rate, least, most)
			if len(side(r.rounds[0]).latencies) > 0 {
				p50, _, _ := spread(r.figures(func(x rounds) float64 { return side(x).quantile(0.5).Seconds() }))
				p95, _, _ := spread(r.figures(func(x rounds) float64 { return side(x).quantile(0.95).Seconds() }))
				text += fmt.Sprintf(", p50 %s, p95 %s", brief(time.Duration(p50*1e9)), brief(time.Duration(p95*1e9)))
			}
			return text
		}
		ratio, least, most := spread(r.figures(func(x rounds) float64 { return x.ratio }))
		w("| %s | %s | %s | **%.2f** (%.2f to %.2f) | %s |", r.what, each(func(x rounds) measured { return x.ours }), each(func(x rounds) measured { return x.other }), ratio, least, most, r.goal)
	}
	told := false
	for _, r := range b.rows {
		if !r.load {
			continue
		}
		if !told {
			told = true
			w("")
			w("The rates that can be kept up: what is still worked off afterwards (closing tasks, timers, visibility) counts as time too.")
			w("")
			w("| what | ours, and seconds that follow | beside it | ratio, median (spread) |")
			w("|---|---|---|---|")
		}
		each := func(side func(rounds) measured) string {
			rate, _, _ := spread(r.figures(func(x rounds) float64 { return side(x).lasting() }))
			follows, _, _ := spread(r.figures(func(x rounds) float64 { return side(x).follows.Seconds() }))
			return fmt.Sprintf("%.1f/s, %.0f s", rate, follows)
		}
		ratio, least, most := spread(r.figures(func(x rounds) float64 { return x.ours.lasting() / x.other.lasting() }))
		w("| %s | %s | %s | **%.2f** (%.2f to %.2f) |", r.what, each(func(x rounds) measured { return x.ours }), each(func(x rounds) measured { return x.other }), ratio, least, most)
	}
	w("")
	w("CPU milliseconds and commits of one, medians over the rounds; what follows of it (closing tasks, timers, deliveries) counts.")
	w("")
	head, line := "| what | side |", "|---|---|"
	for _, name := range programs {
		head, line = head+" "+name+" |", line+"---|"
	}
	for _, name := range databases {
		head, line = head+" commits "+name+" |", line+"---|"
	}
	w("%s", head)
	w("%s", line)
	for _, r := range b.rows {
		for _, s := range []struct {
			name string
			side func(rounds) measured
		}{{"ours", func(x rounds) measured { return x.ours }}, {"beside", func(x rounds) measured { return x.other }}} {
			if r.note != "" || s.side(r.rounds[0]).cost.cpu == nil {
				continue
			}
			text := fmt.Sprintf("| %s | %s |", r.what, s.name)
			for _, name := range programs {
				m, _, _ := spread(r.figures(func(x rounds) float64 { return s.side(x).cost.cpu[name].Seconds() * 1000 / float64(s.side(x).done) }))
				text += fmt.Sprintf(" %.1f |", m)
			}
			for _, name := range databases {
				m, _, _ := spread(r.figures(func(x rounds) float64 { return float64(s.side(x).cost.commits[name]) / float64(s.side(x).done) }))
				text += fmt.Sprintf(" %.1f |", m)
			}
			w("%s", text)
		}
	}
	w("")
	w("What that comes to: by how much less CPU ours takes than what is beside it, and by how much less it would if all but Temporal and its databases took none.")
	w("")
	w("| what | by CPU, median (spread) | at most |")
	w("|---|---|---|")
	for _, r := range b.rows {
		if r.note != "" || !r.load || r.rounds[0].other.cost.cpu == nil {
			continue
		}
		by := func(of ...string) func(rounds) float64 {
			return func(x rounds) float64 {
				each := func(m measured, of []string) float64 { return m.cost.of(of...).Seconds() / float64(m.done) }
				return each(x.other, programs) / each(x.ours, of)
			}
		}
		ratio, least, most := spread(r.figures(by(programs...)))
		bound, _, _ := spread(r.figures(by(engine...)))
		w("| %s | %.2f (%.2f to %.2f) | %.2f |", r.what, ratio, least, most, bound)
	}
	for _, line := range b.details {
		w("%s", line)
	}
	var spins, syncs []float64
	for _, r := range b.rows {
		spins = append(spins, r.figures(func(x rounds) float64 { return x.spin.Seconds() })...)
		syncs = append(syncs, r.figures(func(x rounds) float64 { return x.sync.Seconds() })...)
	}
	if len(spins) > 0 {
		spin, least, most := spread(spins)
		sync, first, last := spread(syncs)
		w("")
		w("The machine's own noise: a fixed piece of work on one core took %s (%s to %s), a write that the disk confirms %s (%s to %s).", brief(time.Duration(spin*1e9)),
			brief(time.Duration(least*1e9)), brief(time.Duration(most*1e9)), brief(time.Duration(sync*1e9)), brief(time.Duration(first*1e9)), brief(time.Duration(last*1e9)))
	}
	w("")
	w("Memory held at the end: API %d MB, ticket worker %d MB, delivery worker %d MB.", memoryOf(b.apis.PID())>>20, memoryOf(b.tickets.PID())>>20, memoryOf(b.deliver.PID())>>20)
	return out.String()
}
