package api

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// meter counts requests. Its labels take few values: routes as they are declared, never paths.
type meter struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// Measure counts requests from now on in the registry, and serves all that is in it at /metrics. It must be called before serving.
func (s *Server) Measure(registry *prometheus.Registry) {
	m := &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_http_requests_total", Help: "Requests answered, by family, call and HTTP status.",
		}, []string{"family", "method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signalbox_http_request_seconds", Help: "Time to answer, by family and call.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}, []string{"family", "method", "route"}),
	}
	registry.MustRegister(m.requests, m.seconds)
	s.meter = m
	s.Page("/metrics", adaptor.HTTPHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
}

// count notes one answered request. What belongs to no call is left out: anybody can ask for anything.
func (m *meter) count(c *fiber.Ctx, v *visit, took time.Duration) {
	if m == nil || v.route == "" {
		return
	}
	family := string(v.family.Door)
	m.requests.WithLabelValues(family, c.Method(), v.route, strconv.Itoa(c.Response().StatusCode())).Inc()
	m.seconds.WithLabelValues(family, c.Method(), v.route).Observe(took.Seconds())
}
