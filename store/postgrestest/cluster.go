//go:build linux || darwin

package postgrestest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// ErrNoPostgreSQL means that the machine has no PostgreSQL server binaries.
var ErrNoPostgreSQL = errors.New("no PostgreSQL server binaries (initdb, postgres, pg_ctl) in $" + BinVariable + ", on PATH or in /usr/lib/postgresql")

// BinVariable names the environment variable with the directory of the PostgreSQL binaries to use.
const BinVariable = "SIGNALBOX_TEST_PG_BIN"

const superuser = "postgres"

// patience is for whatever PostgreSQL does by itself: start, recover, stop, copy a template.
const patience = 2 * time.Minute

// Cluster is one PostgreSQL server with its own data directory. Whatever way this process ends, the server ends with it and
// its directory is removed. The methods may be called from several goroutines.
type Cluster struct {
	bin, dir, password string
	user               *syscall.Credential // whom the server runs as; nil: whoever we are
	port               int
	keeper             *exec.Cmd
	line               io.Closer // to the keeper, held open by us alone; the kernel closes it when we are gone
	made               atomic.Int64
	strategy           string   // of copies, as CREATE DATABASE takes it
	settings           []string // of the server, name=value, that go before ours
	durable            bool     // on disk: what is measured waits for it
	admin              *sql.DB  // makes and drops databases; nil: each time by a connection of its own

	mu     sync.Mutex
	pid    int                // of the server that was started last
	stop   context.CancelFunc // of the server that was started last
	ended  chan struct{}      // closed when that has ended; nil before the first start
	closed bool
}

// NewCluster makes and starts a cluster, with settings of its own as name=value. It returns ErrNoPostgreSQL where there is nothing to make it from.
func NewCluster(settings ...string) (*Cluster, error) {
	return newCluster(&Cluster{password: password(), settings: settings}, (*Cluster).beginAs)
}

// NewDurableCluster is NewCluster for measuring: the cluster is on disk and waits for it with every commit, and looks after its tables and their statistics, as one in
// production does. Given settings go before these.
func NewDurableCluster(settings ...string) (*Cluster, error) {
	settings = append([]string{"fsync=on", "full_page_writes=on", "wal_level=replica", "autovacuum=on", "shared_buffers=512MB", "max_wal_size=4GB"}, settings...)
	return newCluster(&Cluster{password: password(), settings: settings, durable: true}, (*Cluster).beginAs)
}

// password is of all clusters of this process, which begin as copies of one.
var password = sync.OnceValue(rand.Text)

// newCluster completes a cluster, whose data fill makes, and starts it.
func newCluster(c *Cluster, fill func(*Cluster) error) (*Cluster, error) {
	if err := c.make(fill); err != nil {
		return nil, err
	}
	// Anybody may take the port between our look at it and the server's.
	var err error
	for range 5 {
		if c.port, err = freePort(); err == nil {
			err = c.Start()
		}
		if err == nil {
			return c, nil
		}
	}
	return nil, errors.Join(err, c.Close())
}

// make gives the cluster a directory, a keeper of it, and its data.
func (c *Cluster) make(fill func(*Cluster) error) (err error) {
	if c.bin, err = findBinaries(); err != nil {
		return err
	}
	place := os.TempDir()
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root, so root lends it an ordinary user, and a place that such a one can reach
		place = "/tmp"
		if c.user, err = ordinaryUser(); err != nil {
			return err
		}
	}
	if !c.durable && roomy(memory) {
		place = memory
	}
	if c.dir, err = os.MkdirTemp(place, "signalbox-postgres-"); err != nil {
		return err
	}
	if err = c.own(c.dir); err == nil {
		err = c.keep()
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := fill(c); err != nil {
		return errors.Join(err, c.Close())
	}
	return nil
}

// pristine is a cluster that is never started: what initdb made, once in this process.
var pristine = sync.OnceValues(func() (*Cluster, error) {
	c := &Cluster{password: password()}
	return c, c.make((*Cluster).initialise)
})

// beginAs copies what initdb made, which takes a tenth of what making it does. All clusters of a process thus have one system identifier.
func (c *Cluster) beginAs() error {
	p, err := pristine()
	if err != nil {
		return err
	}
	return c.copyData(p.data(), c.data())
}

// memory is where Linux has files that are on no disk: a database is made there in a sixth of the time.
const memory = "/dev/shm"

// roomy reports whether there is such a place, with room for all the databases of a test run. Containers often have very little.
func roomy(dir string) bool {
	const enough = 1 << 30
	var s syscall.Statfs_t
	return syscall.Statfs(dir, &s) == nil && uint64(s.Bavail)*uint64(s.Bsize) >= enough
}

func ordinaryUser() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := osuser.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(found.Uid, 10, 32) // always numbers where files have owners
			gid, _ := strconv.ParseUint(found.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL cannot run as root, and there is no user postgres or nobody")
}

// command makes a command of the server's user, in a session of its own so that Ctrl-C in a terminal reaches only us, and
// without the settings for PostgreSQL that our own environment may hold.
func (c *Cluster) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, path, args...)
	command.Dir = c.dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C", "TZ=UTC"}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.user}
	return command
}

// own gives a file to the server's user.
func (c *Cluster) own(path string) error {
	if c.user == nil {
		return nil
	}
	return os.Chown(path, int(c.user.Uid), int(c.user.Gid))
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) initialise() error {
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := c.own(secret); err != nil {
		return err
	}
	// MD5, because scram-sha-256 makes both sides reckon for milliseconds at each of a thousand connections. The password is a long random one.
	out, err := c.command(context.Background(), filepath.Join(c.bin, "initdb"), "--pgdata="+c.data(), "--username="+superuser, "--pwfile="+secret,
		"--auth=md5", "--encoding=UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// Start starts the server again after Stop, on the same port and with the same data, and returns when it answers. It does
// nothing when the server is running.
func (c *Cluster) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.New("the cluster is closed")
	}
	if c.running() {
		return nil
	}
	output, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	ctx, stop := context.WithCancel(context.Background())
	// synchronous_commit stays on: without fsync it costs next to nothing, and without it Stop would lose what was committed.
	args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port)}
	for _, setting := range slices.Concat([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off",
		"wal_level=minimal", "max_wal_senders=0", "autovacuum=off", "max_connections=300", "shared_buffers=32MB", "max_wal_size=128MB", "timezone=UTC", "log_timezone=UTC"},
		c.settings) { // the last one counts
		args = append(args, "-c", setting)
	}
	server := c.command(ctx, filepath.Join(c.bin, "postgres"), args...)
	server.Stdout, server.Stderr = output, output
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGQUIT) } // "stop now, recover later"
	server.WaitDelay = patience
	if err := server.Start(); err != nil {
		stop()
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	c.stop, c.ended, c.pid = stop, ended, server.Process.Pid

	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if err = c.execute(patient, copying, &c.strategy); err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("PostgreSQL ended before it answered: %w: %s", err, c.log())
		case <-patient.Done():
			stop()
			<-ended
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, c.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *Cluster) running() bool {
	if c.ended == nil {
		return false
	}
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// PID is the process id of the server that was started last, whose children serve the connections.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Program gives the path of one of PostgreSQL's programs, such as pgbench.
func (c *Cluster) Program(name string) string { return filepath.Join(c.bin, name) }

// log is the end of what the server wrote.
func (c *Cluster) log() string {
	text, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return string(text[max(0, len(text)-4096):])
}

// Stop stops the server at once, as a crash would: connections break, new ones are refused. What was committed is kept.
// It does nothing when the server is stopped.
func (c *Cluster) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running() {
		_ = c.signal(syscall.SIGCONT) // who is frozen hears nothing else
		c.stop()
		<-c.ended
	}
}

// Backup keeps what the server has now; restore puts that back. Either stops the server as Stop does, and starts it again. The copy goes with the cluster.
func (c *Cluster) Backup() (restore func() error, err error) {
	kept := fmt.Sprintf("%s-%d", c.data(), c.made.Add(1))
	return func() error { return c.replace(kept, c.data()) }, c.replace(c.data(), kept)
}

// replace has a folder be a copy of another, with the server stopped meanwhile.
func (c *Cluster) replace(from, to string) error {
	c.Stop()
	if err := c.copyData(from, to); err != nil {
		return err
	}
	return c.Start()
}

// copyData has a folder be a copy of another, whoever owned what was there.
func (c *Cluster) copyData(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := c.command(context.Background(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the data: %w: %s", err, out)
	}
	return nil
}

// Close stops the server and removes all of its files.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.admin != nil {
		_ = c.admin.Close()
	}
	if c.running() {
		_ = c.signal(syscall.SIGCONT)
	}
	if err := errors.Join(c.line.Close(), c.keeper.Wait()); err != nil {
		return fmt.Errorf("remove the cluster: %w", err)
	}
	return nil
}

// CreateDatabase makes a new, empty database and returns its address as pgx and libpq read it.
func (c *Cluster) CreateDatabase(ctx context.Context) (dsn string, err error) {
	// template0 has no connections by rule, so that several tests can copy it at once.
	return c.copy(ctx, "template0")
}

// copying is how databases are copied, in SQL: as files, where PostgreSQL leaves the choice, because our databases are all tables and no rows.
const copying = `SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN ' STRATEGY file_copy' ELSE '' END`

func (c *Cluster) copy(ctx context.Context, template string) (dsn string, err error) {
	name := fmt.Sprintf("test_%d", c.made.Add(1))
	return c.dsn(name), c.execute(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+c.strategy)
}

// drop removes a database that was made here, and ends the connections to it.
func (c *Cluster) drop(ctx context.Context, dsn string) error {
	return c.execute(ctx, "DROP DATABASE "+nameOf(dsn)+" WITH (FORCE)")
}

func (c *Cluster) execute(ctx context.Context, statement string, into ...any) error {
	db := c.admin
	if db == nil {
		var err error
		if db, err = sql.Open("pgx", c.dsn("postgres")); err != nil {
			return err
		}
		defer db.Close()
	}
	if len(into) > 0 {
		return db.QueryRowContext(ctx, statement).Scan(into...)
	}
	_, err := db.ExecContext(ctx, statement)
	return err
}

func (c *Cluster) dsn(database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", superuser, c.password, c.port, database)
}

// URL is the address of the server, without a database, as postgres://user:password@host:port.
func (c *Cluster) URL() string { return strings.TrimSuffix(c.dsn(""), "/?sslmode=disable") }

// nameOf is the name of the database in an address that dsn made.
func nameOf(dsn string) string {
	name, _, _ := strings.Cut(dsn[strings.LastIndex(dsn, "/")+1:], "?")
	return name
}

// keeping is a small process that waits for ours to end, in whatever way, and then tidies up: only somebody else can do that
// after a panic, a time limit or a SIGKILL. It ignores the signals of a terminal. An initdb that is still running may write
// while it removes, hence the repetition.
const keeping = `
trap '' INT TERM HUP QUIT
cat >/dev/null
[ ! -e "$2/data/postmaster.pid" ] || "$1/pg_ctl" stop -s -m immediate -w -t 30 -D "$2/data" >/dev/null 2>&1
cd /
n=0
while [ -e "$2" ] && [ $n -lt 100 ]; do
	rm -rf -- "$2" 2>/dev/null || sleep 0.1
	n=$((n + 1))
done
[ ! -e "$2" ]
`

func (c *Cluster) keep() (err error) {
	c.keeper = c.command(context.Background(), "/bin/sh", "-c", keeping, "postgrestest-keeper", c.bin, c.dir)
	if c.line, err = c.keeper.StdinPipe(); err != nil {
		return err
	}
	if err := c.keeper.Start(); err != nil {
		return fmt.Errorf("start the keeper of the cluster: %w", err)
	}
	return nil
}

// findBinaries finds the directory with the server's binaries: the one that is asked for, or else that on PATH, or else that of the newest version.
func findBinaries() (string, error) {
	if dir := os.Getenv(BinVariable); dir != "" {
		if !holdsBinaries(dir) {
			return "", fmt.Errorf("%s=%s: %w", BinVariable, dir, ErrNoPostgreSQL)
		}
		return dir, nil
	}
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	version := func(dir string) int { n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))); return n }
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		// The others need not be on PATH, but are beside the file that a link points to.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = slices.Insert(dirs, 0, filepath.Dir(path))
		}
	}
	if i := slices.IndexFunc(dirs, holdsBinaries); i >= 0 {
		return dirs[i], nil
	}
	return "", ErrNoPostgreSQL
}

func holdsBinaries(dir string) bool {
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// freePort picks a port that nobody listens on. It stays below the range from which systems take ports for outgoing
// connections: one of those could otherwise sit on it when a stopped server is to start again.
func freePort() (int, error) {
	for range 100 {
		port := 15000 + mathrand.IntN(17000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("found no free port on 127.0.0.1")
}
