package setup

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"signalbox/desk"
	"signalbox/store"
	"signalbox/workflows"
)

// registrar notes what is registered, with the labels that it may have: what has never been counted is exposed by nobody yet.
type registrar struct {
	mu    sync.Mutex
	found map[string]string // labels by name
}

var described = regexp.MustCompile(`fqName: "([^"]+)".*constLabels: \{([^}]*)\}.*variableLabels: \{([^}]*)\}`)

func (r *registrar) MustRegister(list ...prometheus.Collector) {
	for _, c := range list {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

func (r *registrar) Register(c prometheus.Collector) error {
	out := make(chan *prometheus.Desc, 100)
	c.Describe(out)
	close(out)
	r.mu.Lock()
	defer r.mu.Unlock()
	for desc := range out {
		m := described.FindStringSubmatch(desc.String())
		var labels []string
		for _, part := range strings.Split(m[2], ",") {
			if name, _, ok := strings.Cut(part, "="); ok {
				labels = append(labels, name)
			}
		}
		if m[3] != "" {
			labels = append(labels, strings.Split(m[3], ",")...)
		}
		slices.Sort(labels)
		r.found[m[1]] = strings.Join(labels, ", ")
	}
	return nil
}

func (r *registrar) Unregister(prometheus.Collector) bool { return false }

// TestTheDocsListEveryMetric holds docs/metrics.md against what an API and a worker of both queues register.
func TestTheDocsListEveryMetric(t *testing.T) {
	base := Base{DatabaseURL: "sqlite:" + t.TempDir() + "/x.db", MasterKey: make([]byte, 32), Partitions: 4, Outside: Outside{PublicURL: "http://x", TimeZone: Zone{time.UTC}},
		Temporal: workflows.Connection{Address: "127.0.0.1:1", Namespace: "default"}}
	log := slog.New(slog.DiscardHandler)
	require.NoError(t, base.Migrate(t.Context(), log))
	c, err := base.Open(t.Context(), log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	r := &registrar{found: map[string]string{}}
	c.Measure(r)
	settings, err := workerSettings(t)
	require.NoError(t, err)
	_, err = c.Workers(settings, 4, r, log)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	server, err := c.API(APISettings{}, registry, log)
	require.NoError(t, err)
	server.MeasureInto(r)

	text, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = strings.ReplaceAll(m[2], "`", "")
	}
	delete(documented, "metric")
	require.Equal(t, r.found, documented)
}

// TestTheMetricsOfTheStoresMove has things happen, and looks.
func TestTheMetricsOfTheStoresMove(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMeter()
	registry.MustRegister(m.lag, m.settled, newFacts(func(context.Context) (store.Facts, error) {
		return store.Facts{Open: 3, Expired: 2, Stuck: 1, OldestPending: time.Minute}, nil
	}))
	m.observer().Projected(3 * time.Second)
	m.observer().Settled(desk.Settled{Done: 1, Void: 2, Left: 3})
	sdk := newSDKMetrics()
	registry.MustRegister(sdk)
	handler := sdk.Handler().WithTags(map[string]string{"namespace": "x", "task_queue": "tickets"})
	handler.WithTags(map[string]string{"workflow_type": "Ticket"}).Counter("temporal_workflow_completed").Inc(2)
	handler.WithTags(map[string]string{"task_queue": "host:0a1b"}).Counter("temporal_workflow_completed").Inc(1)
	handler.Gauge("temporal_worker_task_slots_available").Update(7)
	handler.WithTags(map[string]string{"operation": "StartWorkflowExecution"}).Timer("temporal_request_latency").Record(time.Second)
	families, err := registry.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, one := range f.Metric {
			var labels []string
			for _, l := range one.Label {
				if l.GetValue() != "" {
					labels = append(labels, l.GetValue())
				}
			}
			got[strings.Join(append([]string{f.GetName()}, labels...), " ")] = valueOf(one)
		}
	}
	require.Equal(t, map[string]float64{
		"signalbox_operations_open": 3, "signalbox_operations_expired": 2, "signalbox_tickets_stuck": 1, "signalbox_delivery_oldest_pending_seconds": 60,
		"signalbox_projection_lag_seconds": 3, "signalbox_sweep_operations_total done": 1, "signalbox_sweep_operations_total void": 2, "signalbox_sweep_operations_total left": 3,
		"temporal_workflow_completed_total tickets Ticket": 2, "temporal_workflow_completed_total sticky": 1, "temporal_worker_task_slots_available tickets": 7,
		"temporal_request_latency_seconds StartWorkflowExecution tickets": 1,
	}, got)
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	}
	return m.Histogram.GetSampleSum()
}
