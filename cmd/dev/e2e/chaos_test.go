package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// chaos has everything that the product consists of killed at random under load, PostgreSQL and Temporal among it, and everything that was promised held against
// what there is then.
func chaos(t *testing.T, enough enough) {
	cluster := newCluster(t)
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	p := startProductionOn(t, newTemporal(t), "chaos", dsn)
	tickets := []*harness.Process{p.startWorker(t, "tickets"), p.startWorker(t, "tickets")}
	deliveries := p.startWorker(t, "deliveries")
	l := startLoad(t, harness.NewReceiver(t), 6, p.caller())
	l.awaitMore(50, time.Minute)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	hits := []struct {
		name string
		hit  func()
	}{
		{"a ticket worker", func() {
			i := random.IntN(len(tickets))
			tickets[i].Kill()
			tickets[i] = p.startWorker(t, "tickets")
		}},
		{"the delivery worker", func() { deliveries.Kill(); deliveries = p.startWorker(t, "deliveries") }},
		{"the API", func() { p.apis.Kill(); p.startAPI(t) }},
		{"PostgreSQL", func() { cluster.Stop(); require.NoError(t, cluster.Start()) }},
		{"PostgreSQL, for a while", func() {
			cluster.Stop()
			harness.Until(t, "the API says that it is not ready", time.Minute, func() error { return notReady(p.api) })
			require.NoError(t, cluster.Start())
		}},
		{"PostgreSQL, which stood still", func() {
			require.NoError(t, cluster.Freeze())
			harness.Until(t, "the API says that it is not ready", time.Minute, func() error { return notReady(p.api) })
			require.NoError(t, cluster.Thaw())
		}},
		{"Temporal", func() { p.temporal.Kill(); p.temporal.start(t) }},
		{"PostgreSQL and Temporal", func() {
			cluster.Stop()
			p.temporal.Kill()
			require.NoError(t, cluster.Start())
			p.temporal.start(t)
		}},
	}
	order := random.Perm(len(hits))
	began := time.Now()
	for round := 0; !enough(round, time.Since(began)); round++ {
		hit := hits[order[round%len(order)]]
		hit.hit()
		t.Logf("killed %s", hit.name)
		l.awaitMore(30, 2*time.Minute)
	}
	l.stop()
	l.check()
	migrate := harness.Start(t, harness.Command{Path: binary(t, "migrate"), Args: []string{"verify"}, Env: p.env})
	require.Zero(t, migrate.Wait(time.Minute), migrate.Logs())
}

func notReady(base string) error {
	response, err := http.Get(base + "/readyz")
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("it says %s", response.Status)
	}
	return nil
}

// TestChaos kills each once.
func TestChaos(t *testing.T) {
	t.Parallel()
	chaos(t, restarts(8))
}

func TestSlowChaos(t *testing.T) {
	if !slowTests() {
		t.Skip("takes ten minutes; make slow-test runs it")
	}
	t.Parallel()
	chaos(t, forLong(10*time.Minute))
}

// TestAFrozenTemporalCostsTheFirstCallersAlone has Temporal stand still. Those who call at first wait in vain; the others are told at once, and nothing is claimed for
// them. What only reads goes on.
func TestAFrozenTemporalCostsTheFirstCallersAlone(t *testing.T) {
	t.Parallel()
	p := startProductionOn(t, newTemporal(t), "frozen", postgrestest.Start(t), "SIGNALBOX_REQUEST_TIMEOUT=8s")
	p.startWorker(t, "tickets")
	c := p.caller()
	number := c.open(t)
	say := func(key string) answer {
		a, err := c.send(t.Context(), "POST", "/api/issue/"+number+"/conversation", key, map[string]any{"author": "li", "content": key})
		require.NoError(t, err)
		return a
	}
	done := uuid.NewString()
	require.Equal(t, 200, say(done).status)

	require.NoError(t, syscall.Kill(p.temporal.PID(), syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(p.temporal.PID(), syscall.SIGCONT) })
	first := uuid.NewString()
	began := time.Now()
	require.Equal(t, 503, say(first).status)
	waited := time.Since(began)
	harness.Until(t, "it is known", time.Minute, func() error { return notReady(p.api) })
	began = time.Now()
	waits := map[string]bool{}
	for range 20 {
		a := say(uuid.NewString())
		require.Equal(t, 503, a.status, a)
		waits[a.header.Get("Retry-After")] = true
	}
	require.Less(t, time.Since(began), waited, "twenty callers have less to wait than the first")
	require.Greater(t, len(waits), 1, "and do not come back together")
	again := say(done)
	require.True(t, again.replayed(), "what was done is told again: %s", again)
	harness.UntilOK(t, p.api+"/readyz?for=reads", time.Minute)
	c.must(t, "GET", "/api/issue/"+number, nil)

	require.NoError(t, syscall.Kill(p.temporal.PID(), syscall.SIGCONT))
	harness.UntilOK(t, p.api+"/readyz", time.Minute)
	a, _, err := c.persist(t.Context(), "POST", "/api/issue/"+number+"/conversation", first, map[string]any{"author": "li", "content": first})
	require.NoError(t, err)
	require.Equal(t, 200, a.status, a)
	require.Equal(t, 1, strings.Count(p.apis.Logs(), `"msg":"away"`), "one line when it goes")
	require.Equal(t, 1, strings.Count(p.apis.Logs(), `"msg":"back"`), "and one when it is back")
	require.NotContains(t, p.apis.Logs(), `"level":"ERROR","msg":"http.request"`)
	said := 0
	for _, e := range c.timeline(t, number) {
		if e.Type == "said" {
			said++
		}
	}
	require.Equal(t, 2, said, "what was refused was not done")
}
