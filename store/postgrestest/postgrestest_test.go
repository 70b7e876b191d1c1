//go:build linux || darwin

package postgrestest_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/store/postgrestest"
)

// lifeVariable makes this test binary a program that starts a cluster, tells where, and ends as the value says.
const lifeVariable = "SIGNALBOX_POSTGRESTEST_LIFE"

func TestMain(m *testing.M) {
	if end := os.Getenv(lifeVariable); end != "" {
		live(end)
		return
	}
	m.Run()
}

func live(end string) {
	c, err := postgrestest.NewCluster()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	dsn, err := c.CreateDatabase(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var data string
	if err := db.QueryRow("SELECT current_setting('data_directory')").Scan(&data); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(dsn, filepath.Dir(data))
	switch end {
	case "return":
	case "panic":
		go panic("as a test would")
		time.Sleep(time.Minute)
	case "wait":
		time.Sleep(time.Minute)
	}
}

func TestStartGivesEachTestAnEmptyDatabaseOfItsOwn(t *testing.T) {
	var first string
	t.Run("first", func(t *testing.T) {
		first = postgrestest.Start(t)
		_, err := open(t, first).Exec("CREATE TABLE thing (id integer)")
		require.NoError(t, err)
	})
	t.Run("second", func(t *testing.T) {
		second := postgrestest.Start(t)
		require.NotEqual(t, first, second)
		require.Equal(t, host(t, first), host(t, second), "one cluster for the whole process")
		var tables int
		require.NoError(t, open(t, second).Get(&tables, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
		require.Zero(t, tables)
	})
	require.ErrorContains(t, open(t, first).Ping(), "does not exist", "dropped when its test ended, although a connection was open")
}

func TestManyStartAtOnce(t *testing.T) {
	for i := range 8 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, open(t, postgrestest.Start(t)).Ping())
		})
	}
}

// A copy holds what the template does; what is done to it no other sees.
func TestCopiesOfATemplate(t *testing.T) {
	filled := 0
	template := postgrestest.Template{Fill: func(dsn string) error {
		filled++
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.Exec("CREATE TABLE thing (id integer); INSERT INTO thing VALUES (1)")
		return err
	}}
	for range 2 {
		db := open(t, template.Copy(t))
		var rows int
		require.NoError(t, db.Get(&rows, "SELECT count(*) FROM thing"))
		require.Equal(t, 1, rows)
		_, err := db.Exec("INSERT INTO thing VALUES (2)")
		require.NoError(t, err)
	}
	require.Equal(t, 1, filled)
}

func TestDatabaseIsUTF8InUTC(t *testing.T) {
	var encoding, zone string
	require.NoError(t, open(t, postgrestest.Start(t)).QueryRow("SELECT current_setting('server_encoding'), current_setting('timezone')").Scan(&encoding, &zone))
	require.Equal(t, "UTF8", encoding)
	require.Equal(t, "UTC", zone)
}

func TestStopAndStartKeepsAddressAndDataAndCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	dsn, err := c.CreateDatabase(t.Context())
	require.NoError(t, err)
	db := open(t, dsn)
	_, err = db.Exec("CREATE TABLE thing (id integer)")
	require.NoError(t, err)
	for round := range 3 {
		// The commit right before the stop is the one that a careless setting would lose.
		_, err = db.Exec("INSERT INTO thing VALUES ($1)", round)
		require.NoError(t, err)
		c.Stop()
		require.Error(t, db.Ping())
		c.Stop() // once more changes nothing
		_, err = c.CreateDatabase(t.Context())
		require.Error(t, err)

		require.NoError(t, c.Start())
		require.NoError(t, c.Start(), "starting twice")
		var rows int
		require.NoError(t, db.Get(&rows, "SELECT count(*) FROM thing"))
		require.Equal(t, round+1, rows)
	}

	pid, dir := postmaster(t, db), directory(t, db)
	require.DirExists(t, dir)
	require.NoError(t, c.Close())
	require.NoDirExists(t, dir)
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	require.NoError(t, c.Close(), "closing twice")
	require.Error(t, c.Start())
}

func TestStartAfterTheServerDied(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	dsn, err := c.CreateDatabase(t.Context())
	require.NoError(t, err)
	dir := directory(t, open(t, dsn))
	process, err := os.FindProcess(postmaster(t, open(t, dsn)))
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	require.Eventually(t, func() bool { return c.Start() == nil && open(t, dsn).Ping() == nil }, time.Minute, 50*time.Millisecond)

	c.Stop()
	require.NoError(t, c.Close())
	require.NoDirExists(t, dir, "of a cluster that is stopped nothing is left either")
}

// However the process ends, its cluster goes with it, although nobody calls Close.
func TestNothingOutlivesTheProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	t.Parallel()
	postgrestest.Start(t) // for the skip
	for _, end := range []string{"return", "panic", "wait"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			self, err := os.Executable()
			require.NoError(t, err)
			command := exec.Command(self)
			command.Env = append(os.Environ(), lifeVariable+"="+end, "TMPDIR=/tmp")
			out, err := command.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, command.Start())
			t.Cleanup(func() { _ = command.Process.Kill() })
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			dsn, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
			require.True(t, ok, line)
			if end == "wait" {
				require.DirExists(t, dir)
				require.NoError(t, open(t, dsn).Ping())
				require.NoError(t, command.Process.Kill())
			}
			_ = command.Wait()
			require.Eventually(t, func() bool {
				err := open(t, dsn).Ping()
				if err == nil || !strings.Contains(err.Error(), "connection refused") {
					return false
				}
				_, err = os.Stat(dir)
				return os.IsNotExist(err)
			}, time.Minute, 50*time.Millisecond)
		})
	}
}

func TestWithoutPostgreSQL(t *testing.T) {
	nowhere := t.TempDir()
	t.Setenv(postgrestest.BinVariable, nowhere)
	_, err := postgrestest.NewCluster()
	require.ErrorIs(t, err, postgrestest.ErrNoPostgreSQL)
	require.ErrorContains(t, err, nowhere)
	asked := err

	for name, c := range map[string]struct{ ci, bin, want string }{
		"skipped on a workplace":            {want: "skip"},
		"never skipped in CI":               {ci: "true", want: "fail"},
		"never skipped when asked for":      {bin: nowhere, want: "fail"},
		"never skipped in CI, even less so": {ci: "1", bin: nowhere, want: "fail"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CI", c.ci)
			t.Setenv(postgrestest.BinVariable, c.bin)
			require.Equal(t, c.want, outcome(asked))
			require.Equal(t, "fail", outcome(fmt.Errorf("initdb: it broke")))
			require.Equal(t, "go on", outcome(nil))
		})
	}
}

// outcome tells what Require does to a test.
func outcome(err error) string {
	r := &recorder{done: "go on"}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }()
		postgrestest.Require(r, err)
	}()
	<-ended
	return r.done
}

type recorder struct {
	testing.TB
	done string
}

func (r *recorder) Helper() {}
func (r *recorder) Skipf(string, ...any) {
	r.done = "skip"
	panic("skip")
}
func (r *recorder) Fatalf(string, ...any) {
	r.done = "fail"
	panic("fail")
}

// A cluster is put back to a moment, twice to different ones, from one copy that was made while it was at work.
func TestPutBackToAMoment(t *testing.T) {
	t.Parallel()
	c := cluster(t, postgrestest.Archived...)
	dsn, err := c.CreateDatabase(t.Context())
	require.NoError(t, err)
	db := open(t, dsn)
	_, err = db.Exec("CREATE TABLE thing (id integer)")
	require.NoError(t, err)
	copied, err := c.BaseBackup()
	require.NoError(t, err)
	var moments []time.Time
	for id := range 3 {
		_, err = db.Exec("INSERT INTO thing VALUES ($1)", id)
		require.NoError(t, err)
		now, err := c.Now()
		require.NoError(t, err)
		moments = append(moments, now)
	}
	for _, last := range []int{0, 1} {
		require.NoError(t, copied.Restore(moments[last]))
		var rows int
		require.NoError(t, open(t, dsn).Get(&rows, "SELECT count(*) FROM thing"))
		require.Equal(t, last+1, rows)
		_, err = open(t, dsn).Exec("INSERT INTO thing VALUES (100)") // is of another history
		require.NoError(t, err)
	}
}

func cluster(t *testing.T, settings ...string) *postgrestest.Cluster {
	t.Helper()
	c, err := postgrestest.NewCluster(settings...)
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

type database struct{ *sql.DB }

func (d database) Get(to any, query string) error { return d.QueryRow(query).Scan(to) }

func open(t *testing.T, dsn string) database {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return database{db}
}

func host(t *testing.T, dsn string) string {
	t.Helper()
	address, err := url.Parse(dsn)
	require.NoError(t, err)
	return address.Host
}

// directory is the one that everything of the cluster is in.
func directory(t *testing.T, db database) string {
	t.Helper()
	var data string
	require.NoError(t, db.Get(&data, "SELECT current_setting('data_directory')"))
	return filepath.Dir(data)
}

// postmaster is the process id of the server.
func postmaster(t *testing.T, db database) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(directory(t, db), "data", "postmaster.pid"))
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	require.NoError(t, err)
	return pid
}

// "make test" runs this one by itself, to say in a line what is not tested.
func TestMachineHasPostgreSQL(t *testing.T) {
	postgrestest.Start(t)
}
