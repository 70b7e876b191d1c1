package setup

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
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
	require.NoError(t, r.Register(buildInfo("api")))
	c.Measure(r)
	settings, err := workerSettings(t)
	require.NoError(t, err)
	_, err = c.Workers(settings, 4, r, log)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	server, err := c.API(APISettings{}, registry, log)
	require.NoError(t, err)
	server.MeasureInto(r)

	ours, theirs := documentedMetrics(t)
	require.Equal(t, r.found, ours)
	require.NotEmpty(t, theirs)
}

// documentedMetrics reads docs/metrics.md: labels by name, of what we count, and of what Temporal's SDK, Go and the operating system do.
func documentedMetrics(t *testing.T) (ours, theirs map[string]string) {
	text, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	ours, theirs = map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(m[1], "temporal_") || strings.HasPrefix(m[1], "process_") || strings.HasPrefix(m[1], "go_") && !strings.HasPrefix(m[1], "go_sql_") {
			theirs[m[1]] = strings.ReplaceAll(m[2], "`", "")
		} else {
			ours[m[1]] = strings.ReplaceAll(m[2], "`", "")
		}
	}
	return ours, theirs
}

// TestTheDocsNameMetricsOfOthersAsTheyAre holds what docs/metrics.md says of Temporal's SDK against the SDK's own list of names, which it keeps to itself, and the rest against what a
// process exposes.
func TestTheDocsNameMetricsOfOthersAsTheyAre(t *testing.T) {
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "go.temporal.io/sdk").Output()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), "internal", "common", "metrics", "constants.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`TemporalMetricsPrefix \+ "([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
		names["temporal_"+m[1]] = true
	}
	for _, m := range regexp.MustCompile(`= Temporal(Long)?Request \+ "([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
		names["temporal_"+strings.ToLower(strings.Replace(m[1], "Long", "long_", 1))+"request"+m[2]] = true
	}
	require.Greater(t, len(names), 40, "the SDK's list is read")
	exposed := map[string]string{}
	families, err := Metrics("api").Gather()
	require.NoError(t, err)
	for _, f := range families {
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		exposed[f.GetName()] = strings.Join(labels, ", ")
	}
	_, theirs := documentedMetrics(t)
	for name, labels := range theirs {
		if !strings.HasPrefix(name, "temporal_") {
			require.Contains(t, exposed, name)
			require.Equal(t, exposed[name], labels, name)
			continue
		}
		kind := strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_seconds")
		require.True(t, names[kind], "the SDK has no %s", kind)
		require.Equal(t, strings.HasSuffix(kind, "_latency"), strings.HasSuffix(name, "_seconds"), "%s: timers end in _seconds", name)
		for _, label := range strings.Split(labels, ", ") {
			require.True(t, label == "" && !strings.Contains(labels, ",") || slices.Contains(sdkLabels, label), "%s: no label %s", name, label)
		}
	}
}

// TestOpenTicketsAreCountedNowAndThen asks often, and has the database asked when half a minute is over.
func TestOpenTicketsAreCountedNowAndThen(t *testing.T) {
	at, asked := time.Now(), 0
	var fails error
	registry := prometheus.NewRegistry()
	registry.MustRegister(&openTickets{now: func() time.Time { return at }, count: func(context.Context) (map[string]int, error) {
		asked++
		return map[string]int{"triggered": 2, "suspended": asked}, fails
	}})
	shown := func() map[string]float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		out := map[string]float64{}
		for _, f := range families {
			for _, m := range f.Metric {
				out[m.Label[0].GetValue()] = valueOf(m)
			}
		}
		return out
	}
	first := map[string]float64{"triggered": 2, "acknowledged": 0, "resolved": 0, "suspended": 1}
	require.Equal(t, first, shown())
	at = at.Add(29 * time.Second)
	require.Equal(t, first, shown())
	require.Equal(t, 1, asked)
	at = at.Add(time.Second)
	fails = errors.New("away")
	require.Empty(t, shown(), "rather nothing than something old")
	require.Empty(t, shown())
	require.Equal(t, 2, asked)
	at = at.Add(countAgain)
	fails = nil
	require.Equal(t, 3.0, shown()["suspended"])
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
