package db

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Measure puts how the pool of connections is used into a registry.
func (d *DB) Measure(registry prometheus.Registerer) {
	registry.MustRegister(collectors.NewDBStatsCollector(d.writes.DB, "signalbox"))
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_away", Help: "1 while it is known not to answer, or to take no changes, and calls are refused at once.",
		ConstLabels: prometheus.Labels{"what": "database"}}, func() float64 {
		if d.watch.Away() != nil {
			return 1
		}
		return 0
	}))
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "signalbox_away_refused_total", Help: "Calls that were refused at once because it was away.",
		ConstLabels: prometheus.Labels{"what": "database"}}, func() float64 { return float64(d.watch.Refusals()) }))
}
