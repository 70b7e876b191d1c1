// Package postgrestest gives tests a real PostgreSQL: a throw-away cluster made from the machine's own binaries, with a fresh
// empty database for each test. Tests call Start; programs that manage a database themselves use Cluster.
package postgrestest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq" // also registers the driver "postgres"
)

// ErrNoPostgreSQL means that the machine has no PostgreSQL server binaries, or is one on which we cannot run them.
var ErrNoPostgreSQL = errors.New("no PostgreSQL server binaries (initdb, postgres, pg_ctl) in $" + BinVariable + ", on PATH or in /usr/lib/postgresql")

// BinVariable names the environment variable with the directory of the PostgreSQL binaries to use.
const BinVariable = "SIGNALBOX_TEST_PG_BIN"

const superuser = "postgres"

// Cluster is one PostgreSQL server with its own data directory. Whatever way this process ends, the server ends with it and
// its directory is removed. The methods may be called from several goroutines.
type Cluster struct {
	bin, dir, password string
	port               int
	keeper             *keeper
	made               atomic.Int64

	mu     sync.Mutex
	server *server // nil while stopped
	closed bool
}

// NewCluster makes and starts a cluster. It returns ErrNoPostgreSQL where there is nothing to make it from.
func NewCluster() (*Cluster, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	user, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := user.makeDir()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, dir: dir, password: random()}
	if c.keeper, err = user.keep(bin, dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.initialise(user); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	// Anybody may take the port between our look at it and the server's.
	for range 5 {
		if c.port, err = freePort(); err != nil {
			break
		}
		if err = c.Start(); err == nil {
			return c, nil
		}
	}
	return nil, errors.Join(err, c.Close())
}

func (c *Cluster) initialise(user account) error {
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := user.own(secret); err != nil {
		return err
	}
	command := user.command(c.dir, filepath.Join(c.bin, "initdb"), "--pgdata="+c.data(), "--username="+superuser, "--pwfile="+secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// Start starts the server again after Stop, on the same port and with the same data, and returns when it answers. It does
// nothing when the server is running.
func (c *Cluster) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.New("the cluster is closed")
	}
	if c.server != nil && c.server.running() {
		return nil
	}
	user, err := serverUser()
	if err != nil {
		return err
	}
	// synchronous_commit stays on: without fsync it costs next to nothing, and without it Stop would lose what was committed.
	command := user.command(c.dir, filepath.Join(c.bin, "postgres"), "-D", c.data(), "-p", strconv.Itoa(c.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "wal_level=minimal", "-c", "max_wal_senders=0",
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "timezone=UTC", "-c", "log_timezone=UTC")
	s, err := startServer(command, filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	if err := c.untilReady(s); err != nil {
		s.kill()
		return err
	}
	c.server = s
	return nil
}

func (c *Cluster) untilReady(s *server) error {
	db, err := sql.Open("postgres", c.dsn("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("PostgreSQL ended before it answered: %s", s.log())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, s.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop stops the server at once, as a crash would: connections break, new ones are refused. What was committed is kept.
// It does nothing when the server is stopped.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	err := c.server.stop()
	c.server = nil
	return err
}

// Close stops the server and removes all of its files.
func (c *Cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed, c.server = true, nil
	return c.keeper.release()
}

// CreateDatabase makes a new, empty database and returns its address as lib/pq and libpq read it.
func (c *Cluster) CreateDatabase(ctx context.Context) (dsn string, err error) {
	name := fmt.Sprintf("test_%d", c.made.Add(1))
	// template0 has no connections by rule, so that several tests can copy it at once.
	if err := c.execute(ctx, "CREATE DATABASE "+pq.QuoteIdentifier(name)+" TEMPLATE template0"); err != nil {
		return "", err
	}
	return c.dsn(name), nil
}

// DropDatabase removes a database that CreateDatabase made, and ends the connections to it.
func (c *Cluster) DropDatabase(ctx context.Context, dsn string) error {
	address, err := url.Parse(dsn)
	if err != nil {
		return err
	}
	return c.execute(ctx, "DROP DATABASE "+pq.QuoteIdentifier(strings.TrimPrefix(address.Path, "/"))+" WITH (FORCE)")
}

func (c *Cluster) execute(ctx context.Context, statement string) error {
	db, err := sql.Open("postgres", c.dsn("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

func (c *Cluster) dsn(database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, c.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return address.String()
}

// server is one run of the server process.
type server struct {
	command *exec.Cmd
	output  string
	ended   chan struct{}
}

func startServer(command *exec.Cmd, output string) (*server, error) {
	file, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	command.Stdout, command.Stderr = file, file
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s := &server{command: command, output: output, ended: make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(s.ended)
	}()
	return s, nil
}

func (s *server) running() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// log is the end of what the server wrote.
func (s *server) log() string {
	text, err := os.ReadFile(s.output)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4096):])
}

func (s *server) stop() error {
	if err := s.command.Process.Signal(immediateStop); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("PostgreSQL does not stop: %s", s.log())
	}
}

func (s *server) kill() {
	if s.stop() != nil {
		_ = s.command.Process.Kill()
		<-s.ended
	}
}

// keeper is a small process that waits for ours to end, in whatever way, and then tidies up: only somebody else can do that
// after a panic, a time limit or a SIGKILL.
type keeper struct {
	command *exec.Cmd
	line    io.Closer // held open by us alone; the kernel closes it when we are gone
}

// keeping ignores the signals of a terminal, waits for the end of its input, stops the server and removes its directory.
// An initdb that is still running may write while we remove, hence the repetition.
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

func (a account) keep(bin, dir string) (*keeper, error) {
	command := a.command(dir, "/bin/sh", "-c", keeping, "postgrestest-keeper", bin, dir)
	line, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the keeper of the cluster: %w", err)
	}
	return &keeper{command: command, line: line}, nil
}

// release lets the keeper do its work now.
func (k *keeper) release() error {
	if err := k.line.Close(); err != nil {
		return err
	}
	if err := k.command.Wait(); err != nil {
		return fmt.Errorf("remove the cluster: %w", err)
	}
	return nil
}

// findBinaries finds the directory with the server's binaries.
func findBinaries() (string, error) {
	if dir := os.Getenv(BinVariable); dir != "" {
		if !holdsBinaries(dir) {
			return "", fmt.Errorf("%s=%s: %w", BinVariable, dir, ErrNoPostgreSQL)
		}
		return dir, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		// The others need not be on PATH, but are beside the file that a link points to.
		if path, err = filepath.EvalSymlinks(path); err == nil && holdsBinaries(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	best, newest := "", -1
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, dir := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && version > newest && holdsBinaries(dir) {
			best, newest = dir, version
		}
	}
	if best == "" {
		return "", ErrNoPostgreSQL
	}
	return best, nil
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

func random() string {
	var raw [16]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}
