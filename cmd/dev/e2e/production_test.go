package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// production is the product as it is deployed: separate processes over PostgreSQL and Temporal. The Temporal server is a process too.
type production struct {
	env       []string // of our programs
	temporal  *temporalProcess
	namespace string
	api       string // base of the API
	apis      *harness.Process
	program   func(t testing.TB, name string) string // the binaries that are started: of this version, or of another
}

const bootstrapSecret = "a secret: with a colon"

// startProduction starts everything but the workers, on a database, in a namespace of its own of the Temporal server that the package's tests share.
// more goes into the environment of our programs.
func startProduction(t testing.TB, dsn string, more ...string) *production {
	t.Helper()
	temporal, n := sharedTemporal(t)
	return startProductionOn(t, temporal, fmt.Sprint("production-", n), dsn, more...)
}

// startProductionOn is startProduction on a Temporal server, which the test may kill where it is the test's own.
func startProductionOn(t testing.TB, temporal *temporalProcess, namespace, dsn string, more ...string) *production {
	t.Helper()
	return startProductionOf(t, binary, temporal, namespace, dsn, more...)
}

// startProductionOf is startProductionOn with the binaries of a version.
func startProductionOf(t testing.TB, program func(t testing.TB, name string) string, temporal *temporalProcess, namespace, dsn string, more ...string) *production {
	t.Helper()
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	p := &production{temporal: temporal, namespace: namespace, program: program}
	p.env = append([]string{
		"SIGNALBOX_DATABASE_URL=" + dsn, "SIGNALBOX_MASTER_KEY=" + base64.StdEncoding.EncodeToString(key),
		"SIGNALBOX_TEMPORAL_ADDRESS=" + temporal.address, "SIGNALBOX_TEMPORAL_NAMESPACE=" + namespace,
		"SIGNALBOX_CALLBACK_ALLOW=127.0.0.0/8", "SIGNALBOX_LOG_LEVEL=info",
	}, more...)
	for range 2 { // it may be repeated
		migrate := harness.Start(t, harness.Command{Path: p.program(t, "migrate"), Env: append(p.env, "SIGNALBOX_BOOTSTRAP_APP=admin:"+bootstrapSecret)})
		require.Zero(t, migrate.Wait(60*time.Second), migrate.Logs())
	}
	p.api = fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(t))
	p.startAPI(t)
	return p
}

// temporalProcess is a Temporal server over a file or a PostgreSQL server.
type temporalProcess struct {
	*harness.Process
	address        string
	file, postgres string // one of them
}

// newTemporal starts a server over a file.
func newTemporal(t testing.TB) *temporalProcess {
	t.Helper()
	return startTemporal(t, temporalProcess{file: filepath.Join(t.TempDir(), "temporal.db")})
}

// newTemporalOn starts a server over the PostgreSQL server of an address, as production has it.
func newTemporalOn(t testing.TB, dsn string) *temporalProcess {
	t.Helper()
	return startTemporal(t, temporalProcess{postgres: dsn})
}

func startTemporal(t testing.TB, p temporalProcess) *temporalProcess {
	t.Helper()
	p.address = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	p.start(t)
	return &p
}

// start starts the server, again on what it keeps after it has ended, and returns once it serves. Where the machine is busy it may not manage that in the time that it
// gives itself, and ends; then it is started once more, as whoever looks after it in production does.
func (p *temporalProcess) start(t testing.TB) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := harness.Command{Path: self, Env: []string{temporalPort + "=" + p.address[len("127.0.0.1:"):], temporalFile + "=" + p.file,
		temporalPostgres + "=" + p.postgres}}
	p.Process = harness.Start(t, command)
	harness.Until(t, "Temporal serves", 5*time.Minute, func() error {
		switch {
		case strings.Contains(p.Logs(), serving):
			return nil
		case !p.Running():
			t.Logf("Temporal is started again: %s", p.Logs())
			p.Process = harness.Start(t, command)
		}
		return errors.New("not yet")
	})
	dialTemporal(t, p.address, "default").Close()
}

var temporalOfProductions struct {
	sync.Mutex
	*temporalProcess
	used int
}

// sharedTemporal gives the server that productions share, which nobody may end, and how many have asked for it.
func sharedTemporal(t testing.TB) (shared *temporalProcess, used int) {
	t.Helper()
	s := &temporalOfProductions
	s.Lock()
	defer s.Unlock()
	if s.temporalProcess == nil {
		s.temporalProcess = newTemporal(harness.ForPackage(t))
	}
	s.used++
	return s.temporalProcess, s.used
}

func (p *production) startAPI(t testing.TB) {
	t.Helper()
	p.apis = harness.Start(t, harness.Command{Path: p.program(t, "api"), Env: append(p.env, "SIGNALBOX_HTTP_ADDRESS="+p.api[len("http://"):])})
	harness.UntilOK(t, p.api+"/readyz", time.Minute)
}

// startWorker starts one more worker for a queue and waits until it is ready.
func (p *production) startWorker(t testing.TB, queue string) *harness.Process {
	t.Helper()
	w, _ := p.startWorkerAt(t, queue)
	return w
}

// startWorkerAt is startWorker, and gives the base of what the worker serves, such as its metrics.
func (p *production) startWorkerAt(t testing.TB, queue string) (w *harness.Process, base string) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	w = harness.Start(t, harness.Command{Path: p.program(t, "worker"),
		Env: append(p.env, "SIGNALBOX_WORKER_QUEUES="+queue, "SIGNALBOX_WORKER_HTTP_ADDRESS="+address)})
	harness.UntilOK(t, "http://"+address+"/readyz", time.Minute)
	return w, "http://" + address
}

func (p *production) caller() *caller { return newCaller(p.api, bootstrapSecret) }

// TestProduction wires the product up as it is deployed, and kills workers under load.
func TestProduction(t *testing.T) {
	t.Parallel()
	p := startProduction(t, postgrestest.Start(t))
	first, second := p.startWorker(t, "tickets"), p.startWorker(t, "tickets")
	deliveries := p.startWorker(t, "deliveries")
	c := p.caller()
	r := harness.NewReceiver(t)

	// A whole generation, right after everything was made.
	number := result[string](t, c.must(t, "POST", "/api/issue", sample(t, "issue/testdata/open.json")))
	nid := c.register(t, number, r.URL("/"+number))
	for _, body := range [][]byte{incidentCall(t, "accept.json", number), incidentCall(t, "commit.json", number),
		incidentCall(t, "confirm.json", number, "false", "true")} {
		c.must(t, "POST", handlePath, body)
	}
	r.Await(t, "/"+number, 1, time.Minute)
	bodies, doubles := checkArrivals(t, c, r, number, nid)
	require.Equal(t, []int{1, 0}, []int{bodies, doubles})

	// One of two ticket workers dies: callers notice at most a 503. Then the only delivery worker dies, and another one comes.
	l := startLoad(t, r, 8, c)
	l.awaitMore(100, 60*time.Second)
	first.Kill()
	l.awaitMore(150, 60*time.Second)
	deliveries.Kill()
	l.awaitMore(50, 60*time.Second)
	deliveries = p.startWorker(t, "deliveries")
	l.awaitMore(50, 60*time.Second)

	l.sofar("workers killed")

	// A new version is rolled out: one process after the other is asked to end and is followed by another, and callers hardly notice.
	third := p.startWorker(t, "tickets")
	require.Zero(t, second.Terminate(time.Minute))
	require.Zero(t, p.apis.Terminate(time.Minute))
	p.startAPI(t)
	require.Zero(t, deliveries.Terminate(time.Minute))
	deliveries = p.startWorker(t, "deliveries")
	l.awaitMore(100, 60*time.Second)
	l.sofar("rolled out")
	l.stop()
	l.check()

	// Each ends as it is asked to.
	for _, process := range []*harness.Process{third, deliveries, p.apis} {
		began := time.Now()
		require.Zero(t, process.Terminate(time.Minute))
		t.Logf("ended after %s", time.Since(began).Round(time.Millisecond))
	}
}
