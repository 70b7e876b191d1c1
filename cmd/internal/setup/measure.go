package setup

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"

	"signalbox/desk"
	"signalbox/store"
)

// factsWithin bounds reading what the database knows, as the metrics are read.
const factsWithin = 2 * time.Second

// meter is what a process counts of its desk, and shows of its stores.
type meter struct {
	lag     prometheus.Histogram
	settled *prometheus.CounterVec
}

// newMeter makes one; Measure puts it into a registry.
func newMeter() *meter {
	m := &meter{
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "signalbox_projection_lag_seconds",
			Help:    "How long after it happened what a ticket decided was written into the database, by whoever did so.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_sweep_operations_total",
			Help: "Operations whose claimant was gone, by what a sweep made of them: done (had happened), void (had not) or left (cannot be told yet)."}, []string{"result"}),
	}
	for _, result := range []string{"done", "void", "left"} {
		m.settled.WithLabelValues(result)
	}
	return m
}

func (m *meter) observer() desk.Observer {
	return desk.Observer{
		Projected: func(lag time.Duration) { m.lag.Observe(lag.Seconds()) },
		Settled: func(s desk.Settled) {
			m.settled.WithLabelValues("done").Add(float64(s.Done))
			m.settled.WithLabelValues("void").Add(float64(s.Void))
			m.settled.WithLabelValues("left").Add(float64(s.Left))
		},
	}
}

// Measure puts what the process does with its stores into a registry, from the pools to what Temporal's SDK counts.
func (c *Container) Measure(registry prometheus.Registerer) {
	registry.MustRegister(c.meter.lag, c.meter.settled)
	c.Store.Measure(registry)
	labels := prometheus.Labels{"what": "temporal"}
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_away", Help: "1 while it is known not to answer, or to take no changes, and calls are refused at once.", ConstLabels: labels},
		func() float64 { return one(c.temporal.Away() != nil) }))
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "signalbox_away_refused_total", Help: "Calls that were refused at once because it was away.", ConstLabels: labels},
		func() float64 { return float64(c.temporal.Refusals()) }))
	registry.MustRegister(c.sdk)
}

// MeasureFacts shows what the database knows of all processes together, which one kind of process is enough for.
func (c *Container) MeasureFacts(registry prometheus.Registerer) {
	registry.MustRegister(newFacts(c.Store.Facts))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// facts asks when the metrics are read. When it cannot be had, they say nothing rather than something old.
type facts struct {
	ask                          func(context.Context) (store.Facts, error)
	open, expired, stuck, oldest *prometheus.Desc
}

func newFacts(ask func(context.Context) (store.Facts, error)) facts {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return facts{ask,
		desc("signalbox_operations_open", "Requests that are claimed and not over, in all."),
		desc("signalbox_operations_expired", "Of these, those that nobody works on any more: a sweep is to settle them."),
		desc("signalbox_tickets_stuck", "Tickets with a request that could not be settled for five minutes, in all."),
		desc("signalbox_delivery_oldest_pending_seconds", "How long the oldest delivery has waited for its first try; 0: none waits."),
	}
}

// Describe implements prometheus.Collector.
func (f facts) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{f.open, f.expired, f.stuck, f.oldest} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (f facts) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), factsWithin)
	defer cancel()
	known, err := f.ask(ctx)
	if err != nil {
		return
	}
	for desc, value := range map[*prometheus.Desc]float64{f.open: float64(known.Open), f.expired: float64(known.Expired), f.stuck: float64(known.Stuck), f.oldest: known.OldestPending.Seconds()} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}

// sdkLabels are those that Temporal's metrics are kept by; the others that the SDK gives are the same everywhere (namespace, client_name). Each has as many values
// as the program has names for.
var sdkLabels = []string{"operation", "task_queue", "worker_type", "poller_type", "workflow_type", "activity_type", "failure_reason", "status_code", "cause"}

// sdkMetrics is what Temporal's SDK counts, for Prometheus. Every metric has all the labels, empty where one says nothing: Prometheus wants them to be the same, and
// the SDK gives what it knows at each place.
type sdkMetrics struct {
	mu       sync.Mutex
	counters map[string]*prometheus.CounterVec
	gauges   map[string]*prometheus.GaugeVec
	timers   map[string]*prometheus.HistogramVec
}

func newSDKMetrics() *sdkMetrics {
	return &sdkMetrics{counters: map[string]*prometheus.CounterVec{}, gauges: map[string]*prometheus.GaugeVec{}, timers: map[string]*prometheus.HistogramVec{}}
}

// Describe implements prometheus.Collector: what comes is not known before it does.
func (m *sdkMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *sdkMetrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, vec := range m.counters {
		vec.Collect(out)
	}
	for _, vec := range m.gauges {
		vec.Collect(out)
	}
	for _, vec := range m.timers {
		vec.Collect(out)
	}
}

// tagged is a client.MetricsHandler with its labels.
type tagged struct {
	*sdkMetrics
	values []string // of sdkLabels
}

// Handler is what the client and its workers count with.
func (m *sdkMetrics) Handler() client.MetricsHandler {
	return tagged{m, make([]string, len(sdkLabels))}
}

// WithTags implements client.MetricsHandler.
func (t tagged) WithTags(tags map[string]string) client.MetricsHandler {
	values := append([]string(nil), t.values...)
	for i, label := range sdkLabels {
		if value, ok := tags[label]; ok {
			values[i] = bounded(label, value)
		}
	}
	return tagged{t.sdkMetrics, values}
}

// bounded leaves out the queue that each worker has to itself: it is named anew with each process.
func bounded(label, value string) string {
	if label == "task_queue" && strings.ContainsRune(value, ':') {
		return "sticky"
	}
	return value
}

func vec[V any](m *sdkMetrics, known map[string]V, name string, made func() V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := known[name]
	if !ok {
		v = made()
		known[name] = v
	}
	return v
}

// Counter implements client.MetricsHandler.
func (t tagged) Counter(name string) client.MetricsCounter {
	v := vec(t.sdkMetrics, t.counters, name, func() *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name + "_total", Help: "Counted by Temporal's SDK."}, sdkLabels)
	})
	return counter{v.WithLabelValues(t.values...)}
}

// Gauge implements client.MetricsHandler.
func (t tagged) Gauge(name string) client.MetricsGauge {
	v := vec(t.sdkMetrics, t.gauges, name, func() *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: "As Temporal's SDK has it."}, sdkLabels)
	})
	return gauge{v.WithLabelValues(t.values...)}
}

// Timer implements client.MetricsHandler.
func (t tagged) Timer(name string) client.MetricsTimer {
	v := vec(t.sdkMetrics, t.timers, name, func() *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name + "_seconds", Help: "Measured by Temporal's SDK.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}}, sdkLabels)
	})
	return timer{v.WithLabelValues(t.values...)}
}

type (
	counter struct{ prometheus.Counter }
	gauge   struct{ prometheus.Gauge }
	timer   struct{ prometheus.Observer }
)

// Inc implements client.MetricsCounter.
func (c counter) Inc(n int64) { c.Add(float64(n)) }

// Update implements client.MetricsGauge.
func (g gauge) Update(value float64) { g.Set(value) }

// Record implements client.MetricsTimer.
func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }
