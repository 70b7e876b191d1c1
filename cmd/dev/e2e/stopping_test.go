package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// stopDelay is what the APIs of these tests are told, and several times what the balancer needs to hear that one is not ready.
const (
	stopDelay = 2 * time.Second
	askReady  = 100 * time.Millisecond
)

// balancer sends requests to backends in turn, and to none that is not ready. What it sends is never sent again.
type balancer struct {
	backends []*url.URL
	ready    []atomic.Bool
	turn     atomic.Int64
}

// startBalancer gives the address of one before these backends.
func startBalancer(t *testing.T, backends ...string) string {
	t.Helper()
	b := &balancer{ready: make([]atomic.Bool, len(backends))}
	for _, backend := range backends {
		u, err := url.Parse(backend)
		require.NoError(t, err)
		b.backends = append(b.backends, u)
	}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	for i := range backends {
		b.look(ctx, i)
		watching.Go(func() {
			for ctx.Err() == nil {
				b.look(ctx, i)
				time.Sleep(askReady)
			}
		})
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 50}
	// The requests that come in have bodies that cannot be had twice, and no key that Transport would take for leave to repeat them.
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(b.next()) },
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, "balancer: "+err.Error(), http.StatusBadGateway)
		}}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.Close()
		stop()
		watching.Wait()
		transport.CloseIdleConnections()
	})
	return server.URL
}

func (b *balancer) look(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", b.backends[i].String()+"/readyz", nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	b.ready[i].Store(err == nil && response.StatusCode == http.StatusOK)
}

// next gives the backend whose turn it is among those that are ready.
func (b *balancer) next() *url.URL {
	turn := int(b.turn.Add(1)) // once: others take turns meanwhile
	for ahead := range b.backends {
		if i := (turn + ahead) % len(b.backends); b.ready[i].Load() {
			return b.backends[i]
		}
	}
	return b.backends[turn%len(b.backends)]
}

// impatient are callers who repeat nothing: each request is made once, and whatever is not done is told.
type impatient struct {
	mu      sync.Mutex
	failed  []string
	numbers []string
	slowest time.Duration // since the last look
	done    int

	stop context.CancelFunc
	all  sync.WaitGroup
}

func startImpatient(t *testing.T, n int, c *caller) *impatient {
	ctx, stop := context.WithCancel(t.Context())
	p := &impatient{stop: stop}
	ask := func(method, path string, body any) answer {
		began := time.Now()
		a, err := c.send(context.WithoutCancel(ctx), method, path, "", body)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done++
		p.slowest = max(p.slowest, time.Since(began))
		if err != nil || a.status != http.StatusOK {
			p.failed = append(p.failed, fmt.Sprintf("%s %s after %s: %v %s", method, path, time.Since(began).Round(time.Millisecond), err, a))
		}
		return a
	}
	for i := range n {
		p.all.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				var number string
				if err := ask("POST", "/api/issue", map[string]any{"origin": "load", "title": fmt.Sprintf("%d.%d", i, round)}).result(&number); err != nil {
					continue
				}
				p.mu.Lock()
				p.numbers = append(p.numbers, number)
				p.mu.Unlock()
				one := "/api/issue/" + number
				ask("POST", one+"/handle", map[string]any{"action": "accept", "operator": "li"})
				ask("POST", one+"/conversation", map[string]any{"author": "li", "content": "hello"})
				ask("GET", one, nil)
				ask("PUT", one+"/status", map[string]any{"status": "CLOSED", "operator": "li"})
			}
		})
	}
	t.Cleanup(func() { stop(); p.all.Wait() })
	return p
}

// await waits until so many more requests were made, and tells how long the slowest took since the last look.
func (p *impatient) await(t *testing.T, n int) time.Duration {
	t.Helper()
	p.mu.Lock()
	want := p.done + n
	p.mu.Unlock()
	harness.Until(t, fmt.Sprint(n, " more requests"), 2*time.Minute, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.done < want {
			return fmt.Errorf("%d of %d", p.done, want)
		}
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	slowest := p.slowest
	p.slowest = 0
	return slowest
}

// end lets everybody finish, and requires that nothing failed.
func (p *impatient) end(t *testing.T) {
	t.Helper()
	p.stop()
	p.all.Wait()
	require.Empty(t, p.failed, "of %d requests", p.done)
	require.NotZero(t, p.done)
}

// startOneAPI starts an API of the production at an address of its own, or again there.
func (p *production) startOneAPI(t testing.TB, address string) *harness.Process {
	t.Helper()
	api := harness.Start(t, harness.Command{Path: p.program(t, "api"), Env: append(p.env, "SIGNALBOX_HTTP_ADDRESS="+address)})
	harness.UntilOK(t, "http://"+address+"/readyz", time.Minute)
	return api
}

// enough tells, after so many restarts and so long after callers began, that a test has seen enough.
type enough func(restarts int, since time.Duration) bool

func restarts(n int) enough { return func(restarts int, _ time.Duration) bool { return restarts == n } }

func forLong(long time.Duration) enough {
	return func(_ int, since time.Duration) bool { return since > long }
}

// restarted has two APIs behind a balancer replaced in turn while callers who repeat nothing are at work, until it has been enough.
func restarted(t *testing.T, enough enough) {
	p := startProduction(t, postgrestest.Start(t), "SIGNALBOX_STOP_DELAY="+stopDelay.String())
	p.startWorker(t, "tickets")
	addresses := []string{p.api[len("http://"):], fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))}
	apis := []*harness.Process{p.apis, p.startOneAPI(t, addresses[1])}
	callers := startImpatient(t, 6, newCaller(startBalancer(t, "http://"+addresses[0], "http://"+addresses[1]), bootstrapSecret))
	callers.await(t, 50)
	restarts, began := 0, time.Now()
	for ; !enough(restarts, time.Since(began)); restarts++ {
		i := restarts % 2
		require.Zero(t, apis[i].Terminate(time.Minute), apis[i].Logs())
		apis[i] = p.startOneAPI(t, addresses[i])
		time.Sleep(2 * askReady) // the balancer hears of it
		callers.await(t, 50)
	}
	callers.end(t)
	t.Logf("%d restarts, %d requests, none failed", restarts, callers.done)
}

// TestAPIsAreReplacedWithoutAFailure replaces each of two APIs twice.
func TestAPIsAreReplacedWithoutAFailure(t *testing.T) {
	t.Parallel()
	restarted(t, restarts(4))
}

func TestSlowAPIsAreReplacedForThreeMinutes(t *testing.T) {
	if !slowTests() {
		t.Skip("takes three minutes; make slow-test runs it")
	}
	t.Parallel()
	restarted(t, forLong(3*time.Minute))
}

// TestTicketWorkersAreReplacedWithoutDelay replaces each of two workers in turn. No workflow task may be lost with one that ended as it was asked to,
// which Temporal would have noted; and nobody waits more than two seconds longer than when nobody stops.
func TestTicketWorkersAreReplacedWithoutDelay(t *testing.T) {
	t.Parallel()
	replaced(t, restarts(6))
}

func TestSlowTicketWorkersAreReplacedForThreeMinutes(t *testing.T) {
	if !slowTests() {
		t.Skip("takes three minutes; make slow-test runs it")
	}
	t.Parallel()
	replaced(t, forLong(3*time.Minute))
}

func replaced(t *testing.T, enough enough) {
	p := startProduction(t, postgrestest.Start(t))
	var workers [2]*harness.Process
	for i := range workers {
		workers[i] = p.startWorker(t, "tickets")
	}
	callers := startImpatient(t, 4, p.caller())
	callers.await(t, 40) // caches are warm
	var undisturbed, disturbed time.Duration
	restarts, began := 0, time.Now()
	for ; !enough(restarts, time.Since(began)); restarts++ {
		undisturbed = max(undisturbed, callers.await(t, 60))
		i := restarts % 2
		next := p.startWorker(t, "tickets") // as a rolling update does: the new one is ready before the old one ends
		callers.await(t, 1)
		require.Zero(t, workers[i].Terminate(time.Minute), workers[i].Logs())
		workers[i] = next
		disturbed = max(disturbed, callers.await(t, 20))
	}
	callers.end(t)
	lost := 0
	client := dialTemporal(t, p.temporal.address, p.namespace)
	defer client.Close()
	for _, number := range callers.numbers {
		history := client.GetWorkflowHistory(t.Context(), "ticket:"+number, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(t, err)
			// One that was never begun waited in the queue of the worker that had gone, and goes to another after a second.
			if event.GetWorkflowTaskTimedOutEventAttributes().GetTimeoutType() == enumspb.TIMEOUT_TYPE_START_TO_CLOSE {
				lost++
			}
		}
	}
	t.Logf("%d restarts, %d tickets, %d requests; the slowest %s while nobody stopped, %s around a stop; %d tasks lost", restarts, len(callers.numbers), callers.done,
		undisturbed.Round(time.Millisecond), disturbed.Round(time.Millisecond), lost)
	require.Zero(t, lost, "tasks handed to a worker that had gone")
	require.Less(t, disturbed, undisturbed+2*time.Second)
}

// TestWorkersThatEndAreNotReady has a worker told to end while a request of a delivery is under way, which it waits for.
func TestWorkersThatEndAreNotReady(t *testing.T) {
	t.Parallel()
	p := startProduction(t, postgrestest.Start(t))
	p.startWorker(t, "tickets")
	w, base := p.startWorkerAt(t, "deliveries")
	c, r := p.caller(), harness.NewReceiver(t)
	number := c.open(t)
	c.register(t, number, r.URL("/"+number))
	r.Answer("/"+number, harness.Response{Hang: true})
	c.must(t, "POST", handlePath, incidentCall(t, "accept.json", number))
	c.must(t, "POST", "/api/issue/"+number+"/conversation", map[string]any{"author": "li", "content": "hello"})
	r.Await(t, "/"+number, 1, time.Minute)
	ended := make(chan int, 1)
	go func() { ended <- w.Terminate(time.Minute) }()
	harness.Until(t, "it is not ready", 30*time.Second, func() error {
		response, err := http.Get(base + "/readyz")
		if err != nil {
			t.Fatal("it ended without having said that it would")
		}
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		if err == nil && !strings.Contains(string(said), "ending") { // a store that is slow to answer is another reason
			err = fmt.Errorf("%s: %s", response.Status, said)
		}
		return err
	})
	require.Zero(t, <-ended)
}

// TestProgramsWaitForTheirStores starts them before there is a database or a Temporal. They say so now and then, are up and not ready, and go on by
// themselves once both are there.
func TestProgramsWaitForTheirStores(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	temporal := newTemporal(t)
	p := startProductionOn(t, temporal, "waiting", dsn)
	require.Zero(t, p.apis.Terminate(time.Minute))
	cluster.Stop()
	temporal.Kill()

	api := harness.Start(t, harness.Command{Path: binary(t, "api"), Env: append(p.env, "SIGNALBOX_HTTP_ADDRESS="+p.api[len("http://"):])})
	address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	worker := harness.Start(t, harness.Command{Path: binary(t, "worker"), Env: append(p.env, "SIGNALBOX_WORKER_HTTP_ADDRESS="+address)})
	for _, base := range []string{p.api, "http://" + address} {
		harness.UntilOK(t, base+"/healthz", time.Minute)
		response, err := http.Get(base + "/readyz")
		require.NoError(t, err)
		_ = response.Body.Close()
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	}
	says := func(process *harness.Process, what string) {
		t.Helper()
		harness.Until(t, "it says so", time.Minute, func() error {
			if !strings.Contains(process.Logs(), what) {
				return fmt.Errorf("%s", process.Logs())
			}
			return nil
		})
	}
	for _, process := range []*harness.Process{api, worker} {
		says(process, `"msg":"waiting","process":`)
		says(process, `"what":"database"`)
	}
	require.NoError(t, cluster.Start())
	says(worker, `"what":"temporal"`)
	require.True(t, api.Running() && worker.Running())
	temporal.start(t)
	for _, base := range []string{p.api, "http://" + address} {
		harness.UntilOK(t, base+"/readyz", time.Minute)
	}
	p.caller().open(t)
}
