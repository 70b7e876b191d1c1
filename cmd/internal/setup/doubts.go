package setup

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/store/tickets"
	"signalbox/ticket"
)

// countLimit bounds a question to the database that a reader of metrics waits for.
const countLimit = 2 * time.Second

// inDoubt shows how many tickets are in doubt, of the whole system. Where that cannot be told, it is no number.
func inDoubt(count func(context.Context) (int, error)) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_tickets_in_doubt",
		Help: "Tickets that take no writes until they are reconciled, because the database and Temporal contradict each other about them."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), countLimit)
		defer cancel()
		n, err := count(ctx)
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	})
}

// standstills shows how many tickets cannot go on without somebody, and how long the first of them has stood still, of the whole system. Where that cannot be told, there is nothing.
type standstills struct {
	count func(context.Context) ([]tickets.StuckCount, error)
}

var (
	stuckTickets = prometheus.NewDesc("signalbox_stuck_tickets", "Tickets that cannot go on without somebody who does something about it.", []string{"cause"}, nil)
	oldestStuck  = prometheus.NewDesc("signalbox_oldest_stuck_seconds", "How long the ticket has stood still that has done so the longest; 0: there is none.", []string{"cause"}, nil)
)

// Describe implements prometheus.Collector.
func (s standstills) Describe(out chan<- *prometheus.Desc) {
	out <- stuckTickets
	out <- oldestStuck
}

// Collect implements prometheus.Collector.
func (s standstills) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countLimit)
	defer cancel()
	list, err := s.count(ctx)
	if err != nil {
		return
	}
	found := map[ticket.Cause]tickets.StuckCount{}
	for _, c := range list {
		found[c.Cause] = c
	}
	for _, cause := range ticket.Causes {
		c, age := found[cause], 0.0
		if c.N > 0 {
			age = max(0, time.Since(c.Since).Seconds())
		}
		out <- prometheus.MustNewConstMetric(stuckTickets, prometheus.GaugeValue, float64(c.N), string(cause))
		out <- prometheus.MustNewConstMetric(oldestStuck, prometheus.GaugeValue, age, string(cause))
	}
}

// openTickets shows how many open tickets there are in each phase, of the whole system. The counts of all days and services have to be read for it, so that is done twice a minute at most, however
// often it is asked for. Where it cannot be told, there is nothing.
type openTickets struct {
	count func(context.Context) (map[string]int, error)
	now   func() time.Time

	mu    sync.Mutex
	asked time.Time
	found map[string]int
	err   error
}

// countAgain is how old a count of the open tickets may be.
const countAgain = 30 * time.Second

var ticketsOpen = prometheus.NewDesc("signalbox_tickets_open", "Open tickets by phase, as counted within the last half minute.", []string{"phase"}, nil)

// Describe implements prometheus.Collector.
func (o *openTickets) Describe(out chan<- *prometheus.Desc) { out <- ticketsOpen }

// Collect implements prometheus.Collector.
func (o *openTickets) Collect(out chan<- prometheus.Metric) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.now(); o.asked.IsZero() || now.Sub(o.asked) >= countAgain {
		ctx, cancel := context.WithTimeout(context.Background(), countLimit)
		defer cancel()
		o.asked = now
		o.found, o.err = o.count(ctx)
	}
	if o.err != nil {
		return
	}
	for _, phase := range ticket.OpenPhases {
		out <- prometheus.MustNewConstMetric(ticketsOpen, prometheus.GaugeValue, float64(o.found[phase]), phase)
	}
}
