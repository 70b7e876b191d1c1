package api

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signalbox/ticket"
)

// meter counts requests. Its labels take few values: routes as they are declared, never paths.
type meter struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	lost     *prometheus.CounterVec
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
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signalbox_http_refused_total", Help: "Requests refused, by family and why, whatever the HTTP status; \"none\": no call was asked for.",
	}, []string{"family", "code"})
	m.lost = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signalbox_audit_unwritten_total", Help: "Refused requests of known callers that are in the log alone: too many, or the database did not answer.",
	}, []string{"family"})
	s.meter = m
	s.MeasureInto(registry)
	s.Page("/metrics", adaptor.HTTPHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
}

// MeasureInto puts what Measure counts into another registry too.
func (s *Server) MeasureInto(registry prometheus.Registerer) {
	registry.MustRegister(s.meter.requests, s.meter.seconds, s.meter.refused, s.meter.lost)
}

// count notes one answered request. What belongs to no call is left out: anybody can ask for anything.
func (m *meter) count(c *fiber.Ctx, rc *requestContext, took time.Duration) {
	if m == nil {
		return
	}
	if rc.refused != "" {
		m.refused.WithLabelValues(rc.channel(), string(rc.refused)).Inc()
	}
	if rc.route == "" {
		return
	}
	family := rc.channel()
	m.requests.WithLabelValues(family, c.Method(), rc.route, strconv.Itoa(c.Response().StatusCode())).Inc()
	m.seconds.WithLabelValues(family, c.Method(), rc.route).Observe(took.Seconds())
}

// Unwritten counts a refusal of a channel that is not in the audit.
func (s *Server) Unwritten(channel ticket.Channel) {
	if s.meter != nil {
		s.meter.lost.WithLabelValues(string(channel)).Inc()
	}
}

// channel is the label of the family whose call was asked for.
func (rc *requestContext) channel() string {
	if rc.family == nil {
		return "none"
	}
	return string(rc.family.Channel)
}
