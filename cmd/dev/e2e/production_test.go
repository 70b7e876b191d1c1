package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/store/postgrestest"
)

// production is the product as it is deployed: separate processes over PostgreSQL and Temporal. The Temporal server is a process too.
type production struct {
	env      []string // of our programs
	temporal *harness.Process
	address  string // of Temporal
	file     string // of Temporal
	api      string // base of the API
	apis     *harness.Process
}

const (
	productionNamespace = "production"
	bootstrapSecret     = "a secret: with a colon"
)

// startProduction starts everything but the workers, on a database. more goes into the environment of our programs.
func startProduction(t testing.TB, dsn string, more ...string) *production {
	t.Helper()
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	port := harness.FreePort(t)
	p := &production{address: fmt.Sprintf("127.0.0.1:%d", port), file: filepath.Join(t.TempDir(), "temporal.db")}
	p.startTemporal(t)
	p.env = append([]string{
		"SIGNALBOX_DATABASE_URL=" + dsn, "SIGNALBOX_MASTER_KEY=" + base64.StdEncoding.EncodeToString(key),
		"SIGNALBOX_TEMPORAL_ADDRESS=" + p.address, "SIGNALBOX_TEMPORAL_NAMESPACE=" + productionNamespace,
		"SIGNALBOX_CALLBACK_ALLOW=127.0.0.0/8", "SIGNALBOX_LOG_LEVEL=info",
	}, more...)
	for range 2 { // it may be repeated
		migrate := harness.Start(t, harness.Command{Path: binary(t, "migrate"), Env: append(p.env, "SIGNALBOX_BOOTSTRAP_APP=admin:"+bootstrapSecret)})
		require.Zero(t, migrate.Wait(60*time.Second), migrate.Logs())
	}
	p.api = fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(t))
	p.startAPI(t)
	return p
}

// startTemporal starts the server, again on its file after it has ended.
func (p *production) startTemporal(t testing.TB) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p.temporal = harness.Start(t, harness.Command{Path: self, Env: []string{temporalPort + "=" + p.address[len("127.0.0.1:"):], temporalFile + "=" + p.file}})
	dialTemporal(t, p.address, "default").Close()
}

func (p *production) startAPI(t testing.TB) {
	t.Helper()
	p.apis = harness.Start(t, harness.Command{Path: binary(t, "api"), Env: append(p.env, "SIGNALBOX_HTTP_ADDRESS="+p.api[len("http://"):])})
	harness.UntilOK(t, p.api+"/readyz", 30*time.Second)
}

// startWorker starts one more worker for a queue and waits until it is ready.
func (p *production) startWorker(t testing.TB, queue string) *harness.Process {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	w := harness.Start(t, harness.Command{Path: binary(t, "worker"),
		Env: append(p.env, "SIGNALBOX_WORKER_QUEUES="+queue, "SIGNALBOX_WORKER_HTTP_ADDRESS="+address)})
	harness.UntilOK(t, "http://"+address+"/readyz", 30*time.Second)
	return w
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
	r.Await(t, "/"+number, 1, 20*time.Second)
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
	require.Zero(t, second.Terminate(20*time.Second))
	require.Zero(t, p.apis.Terminate(20*time.Second))
	p.startAPI(t)
	require.Zero(t, deliveries.Terminate(20*time.Second))
	deliveries = p.startWorker(t, "deliveries")
	l.awaitMore(100, 60*time.Second)
	l.sofar("rolled out")
	l.stop()
	l.check()

	// Each ends as it is asked to.
	for _, process := range []*harness.Process{third, deliveries, p.apis} {
		began := time.Now()
		require.Zero(t, process.Terminate(20*time.Second))
		t.Logf("ended after %s", time.Since(began).Round(time.Millisecond))
	}
}
