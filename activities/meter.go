package activities

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/notice"
)

// Meter counts deliveries for Prometheus. A nil Meter counts nothing. Its labels take few values: never a host or an address, of which
// there are as many as subscribers think up.
type Meter struct {
	outcomes *prometheus.CounterVec
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
	dropped  prometheus.Counter
	opened   prometheus.Counter
	stalls   *prometheus.CounterVec
}

// Backlog is what waits to be delivered, as the metrics show it: by how long it has waited, one number for each of BacklogAges, and one for what has waited longer.
type Backlog struct {
	Pending  []int // deliveries whose first try is still to come
	Retrying []int // lanes that failed and go on by themselves
}

// BacklogAges are the ages that a backlog is counted by.
var BacklogAges = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}

// ageNames are how the metrics call them, and what is older than all.
var ageNames = []string{"10s", "1m", "10m", "1h", "6h", "older"}

const backlogLimit = 2 * time.Second

// NewMeter puts the metrics of deliveries into a registry. hosts may be nil, and so may backlog, which is asked each time they are read.
func NewMeter(registry prometheus.Registerer, hosts *Hosts, backlog func(context.Context) (Backlog, error)) *Meter {
	m := &Meter{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_deliveries_total",
			Help: "Deliveries that came to an outcome: sent, failed, parked (a try failed and others follow) or put_off (its host answers nobody)."}, []string{"outcome"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_delivery_attempts_total",
			Help: "Tries at deliveries, by error class; ok: none."}, []string{"class"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "signalbox_delivery_attempt_seconds", Help: "How long tries took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_addresses_dropped_total", Help: "Addresses that were given up."}),
		opened:  prometheus.NewCounter(prometheus.CounterOpts{Name: "signalbox_breakers_opened_total", Help: "How often a host was left alone because it answers nobody."}),
		stalls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_delivery_stalls_total",
			Help: "What was not over in its time and was given up: a drain, a lane, or the request of a try or a call. None is expected."}, []string{"what"}),
	}
	for _, what := range []string{stalledDrain, stalledLane, stalledTry, stalledCall} {
		m.stalls.WithLabelValues(what)
	}
	for _, outcome := range []string{string(notice.Sent), string(notice.Failed), string(notice.Retrying), outcomePutOff} {
		m.outcomes.WithLabelValues(outcome) // an alert cannot be set on what has never been
	}
	registry.MustRegister(m.outcomes, m.attempts, m.seconds, m.dropped, m.opened, m.stalls)
	if hosts != nil {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_breakers_open", Help: "Hosts that this process leaves alone now."},
			func() float64 { return float64(len(hosts.Open())) }))
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_delivery_attempts_under_way", Help: "Tries that this process makes now."},
			func() float64 { return float64(hosts.UnderWay()) }))
	}
	if backlog != nil {
		registry.MustRegister(waiting{backlog,
			prometheus.NewDesc("signalbox_deliveries_pending", "Deliveries whose first try is still to come, in all.", nil, nil),
			prometheus.NewDesc("signalbox_lanes_parked", "Lanes that failed and go on by themselves, in all.", nil, nil),
			prometheus.NewDesc("signalbox_delivery_backlog", "What waits to be delivered, by how long it has waited at most: deliveries whose first try is to come (pending), and lanes that failed (retrying).",
				[]string{"state", "age"}, nil)})
	}
	return m
}

const outcomePutOff = "put_off"

// What can stall.
const (
	stalledDrain = "drain"
	stalledLane  = "lane"
	stalledTry   = "try"
	stalledCall  = "call"
)

func (m *Meter) stalled(what string) {
	if m != nil {
		m.stalls.WithLabelValues(what).Inc()
	}
}

// count notes a result that is written down.
func (m *Meter) count(r notice.Result) {
	if m == nil {
		return
	}
	if r.PutOff {
		m.outcomes.WithLabelValues(outcomePutOff).Inc()
		return
	}
	m.outcomes.WithLabelValues(string(r.Then)).Inc()
	m.attempts.WithLabelValues(cmp.Or(string(r.Attempt.Class), "ok")).Inc()
	if r.Attempt.Class != notice.ErrorLost { // of which nothing is known
		m.seconds.Observe(r.Attempt.FinishedAt.Sub(r.Attempt.StartedAt).Seconds())
	}
	if r.Drop != "" {
		m.dropped.Inc()
	}
}

// Opened notes that a host's breaker opened.
func (m *Meter) Opened() {
	if m != nil {
		m.opened.Inc()
	}
}

// waiting asks for the backlog when the metrics are read. When it cannot be had, they say nothing of it rather than something old.
type waiting struct {
	ask                      func(context.Context) (Backlog, error)
	pending, retrying, byAge *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (w waiting) Describe(out chan<- *prometheus.Desc) {
	out <- w.pending
	out <- w.retrying
	out <- w.byAge
}

// Collect implements prometheus.Collector.
func (w waiting) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogLimit)
	defer cancel()
	b, err := w.ask(ctx)
	if err != nil {
		return
	}
	for _, of := range []struct {
		all    *prometheus.Desc
		state  string
		counts []int
	}{{w.pending, "pending", b.Pending}, {w.retrying, "retrying", b.Retrying}} {
		sum := 0
		for i, n := range of.counts {
			sum += n
			out <- prometheus.MustNewConstMetric(w.byAge, prometheus.GaugeValue, float64(n), of.state, ageNames[i])
		}
		out <- prometheus.MustNewConstMetric(of.all, prometheus.GaugeValue, float64(sum))
	}
}
