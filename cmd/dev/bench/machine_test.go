package bench

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/cmd/dev/embedded"
	"signalbox/store/postgrestest"
)

// roleVariable has this test binary be one of the programs that are measured, instead of measuring.
const roleVariable = "BENCH_ROLE"

var roles = map[string]func() error{"temporal": serveTemporal, "plain": servePlain}

const (
	portVariable     = "BENCH_PORT"
	postgresVariable = "BENCH_POSTGRES"
	temporalVariable = "BENCH_TEMPORAL"
	profileVariable  = "BENCH_PROFILE_PORT" // where one of the programs shows profiles
	namespace        = "default"
	secret           = "bench-secret"
	// root is the product's module, as seen from here.
	root = "../../.."
)

// machine is everything that runs while it is measured.
type machine struct {
	cluster                *postgrestest.Cluster
	admin                  *sql.DB // of the cluster
	dir                    string  // on the disk that the database is on
	database, temporal     string  // addresses
	env                    []string
	api                    string
	profiles               map[string]string // programs that show profiles, and where
	engine                 client.Client
	apis, tickets, deliver *harness.Process
	server, plain          *harness.Process
	worker                 func(queue string) *harness.Process // starts one
	counter                atomic.Int64                        // for what has to differ
}

// startDeliveries starts the worker that delivers, and stopDeliveries ends it.
func (m *machine) startDeliveries() { m.deliver = m.worker("deliveries") }

func (b *bench) stopDeliveries() { require.Zero(b, b.deliver.Terminate(time.Minute), b.deliver.Logs()) }

func serveTemporal() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	showProfiles()
	port, err := strconv.Atoi(os.Getenv(portVariable))
	if err != nil {
		return err
	}
	server, err := embedded.Start(ctx, embedded.Options{Postgres: os.Getenv(postgresVariable), Port: port})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return server.Close()
}

// showProfiles shows profiles of this process for as long as it lasts, on the port that the environment names.
func showProfiles() {
	go func() { _ = http.ListenAndServe("127.0.0.1:"+os.Getenv(profileVariable), nil) }()
}

// profiled gives the setting with which one of this binary's programs shows profiles.
func (m *machine) profiled(t testing.TB, program string) string {
	port := strconv.Itoa(harness.FreePort(t))
	m.profiles[program] = "127.0.0.1:" + port
	return profileVariable + "=" + port
}

// startMachine starts everything, with settings as production has them.
func startMachine(t testing.TB) *machine {
	t.Helper()
	cluster, err := postgrestest.NewDurableCluster()
	require.NoError(t, err)
	t.Cleanup(func() { _ = cluster.Close() })
	m := &machine{cluster: cluster, dir: t.TempDir(), profiles: map[string]string{}}
	m.database, err = cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	address := cluster.URL()
	m.admin, err = sql.Open("postgres", address+"/postgres?sslmode=disable")
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.admin.Close() })

	self, err := os.Executable()
	require.NoError(t, err)
	port := harness.FreePort(t)
	m.temporal = fmt.Sprintf("127.0.0.1:%d", port)
	m.server = harness.Start(t, harness.Command{Path: self, Env: []string{roleVariable + "=temporal", portVariable + "=" + strconv.Itoa(port), postgresVariable + "=" + address, m.profiled(t, "temporal")}})
	m.engine, err = client.NewLazyClient(client.Options{HostPort: m.temporal, Namespace: namespace, Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(m.engine.Close)
	harness.Until(t, "Temporal answers", time.Minute, func() error {
		_, err := m.engine.CheckHealth(t.Context(), &client.CheckHealthRequest{})
		if err != nil && !m.server.Running() {
			t.Fatal(m.server.Logs())
		}
		return err
	})

	key := make([]byte, 32)
	_, err = rand.Read(key)
	require.NoError(t, err)
	m.env = []string{"SIGNALBOX_DATABASE_URL=" + m.database, "SIGNALBOX_MASTER_KEY=" + base64.StdEncoding.EncodeToString(key),
		"SIGNALBOX_TEMPORAL_ADDRESS=" + m.temporal, "SIGNALBOX_TEMPORAL_NAMESPACE=" + namespace, "SIGNALBOX_CALLBACK_ALLOW=127.0.0.0/8"}
	program := func(name string) string { return harness.Build(t, root, "./cmd/"+name) }
	migrate := harness.Start(t, harness.Command{Path: program("migrate"), Env: append(m.env, "SIGNALBOX_BOOTSTRAP_APP=admin:"+secret)})
	require.Zero(t, migrate.Wait(2*time.Minute), migrate.Logs())
	m.api = fmt.Sprintf("http://127.0.0.1:%d", harness.FreePort(t))
	profiled := func(name string) string {
		m.profiles[name] = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
		return "SIGNALBOX_PROFILE_ADDRESS=" + m.profiles[name]
	}
	m.apis = harness.Start(t, harness.Command{Path: program("api"), Env: append(m.env, "SIGNALBOX_HTTP_ADDRESS="+m.api[len("http://"):], profiled("api"))})
	harness.UntilOK(t, m.api+"/readyz", time.Minute)
	m.worker = func(queue string) *harness.Process {
		address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
		w := harness.Start(t, harness.Command{Path: program("worker"), Env: append(m.env, "SIGNALBOX_WORKER_QUEUES="+queue,
			"SIGNALBOX_WORKER_HTTP_ADDRESS="+address, profiled(queue))})
		harness.UntilOK(t, "http://"+address+"/readyz", time.Minute)
		return w
	}
	m.tickets = m.worker("tickets")
	m.startDeliveries()
	m.plain = harness.Start(t, harness.Command{Path: self, Env: []string{roleVariable + "=plain", temporalVariable + "=" + m.temporal, m.profiled(t, "plain")}})
	return m
}

// used is what everything has cost so far.
type used struct {
	cpu     map[string]time.Duration
	commits map[string]int64
}

// programs in the order of the report. PostgreSQL's are its connections to each database, and the rest of it.
var programs = []string{"postgres ours", "postgres temporal", "postgres visibility", "postgres else", "temporal", "api", "ticket worker", "delivery worker", "plain worker", "load"}

// engine are the programs that are Temporal's, or its databases'.
var engine = []string{"temporal", "postgres temporal", "postgres visibility"}

// databases in the order of the report.
var databases = []string{"ours", "temporal", "visibility"}

func (m *machine) used(t testing.TB) used {
	t.Helper()
	ours, _, _ := strings.Cut(m.database[strings.LastIndex(m.database, "/")+1:], "?")
	names := map[string]string{"ours": ours, "temporal": "temporal", "visibility": "temporal_visibility"}
	postgres := cpuOfPostgreSQL(m.cluster.PID(), slices.Collect(maps.Values(names))...)
	u := used{cpu: map[string]time.Duration{"postgres else": postgres[""], "load": cpuOf(os.Getpid())}, commits: map[string]int64{}}
	for name, p := range map[string]*harness.Process{"temporal": m.server, "api": m.apis, "ticket worker": m.tickets, "delivery worker": m.deliver, "plain worker": m.plain} {
		u.cpu[name] = cpuOf(p.PID())
	}
	for name, database := range names {
		n, err := commits(t.Context(), m.admin, database)
		require.NoError(t, err)
		u.cpu["postgres "+name], u.commits[name] = postgres[database], n
	}
	return u
}

// of is the CPU time of some programs.
func (u used) of(programs ...string) (sum time.Duration) {
	for _, name := range programs {
		sum += u.cpu[name]
	}
	return sum
}

func (u used) since(before used) used {
	out := used{map[string]time.Duration{}, map[string]int64{}}
	for name, d := range u.cpu {
		out.cpu[name] = d - before.cpu[name]
	}
	for name, n := range u.commits {
		out.commits[name] = n - before.commits[name]
	}
	return out
}

// quietBelow is how many commits a second everything makes while nobody asks for anything: timers, polls, heartbeats.
const quietBelow = 25

// drain waits until what was begun has been worked off, and what was written is on disk: otherwise whoever is measured next pays for it. It tells for how long there was something to
// work off, to the second.
func (b *bench) drain() (busy time.Duration) {
	if b.smoke {
		return 0
	}
	t, m := b.TB, b.machine
	t.Helper()
	total := func() (n int64) {
		require.NoError(t, m.admin.QueryRowContext(t.Context(), `SELECT SUM(xact_commit) FROM pg_stat_database WHERE datname <> 'postgres'`).Scan(&n))
		return n
	}
	before, calm := total(), 0
	began := time.Now()
	for range 60 {
		time.Sleep(time.Second) // a rate needs its time
		now := total()
		if calm++; now-before > quietBelow {
			calm, busy = 0, time.Since(began)
		}
		if before = now; calm == 3 {
			break
		}
	}
	_, err := m.admin.ExecContext(t.Context(), "CHECKPOINT")
	require.NoError(t, err)
	return busy
}
