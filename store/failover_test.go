package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/internal/logtest"
	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/ticket"
)

// name is an address that leads wherever it is said to, as a name in DNS or a virtual address does: connections that are there stay where they are.
type name struct {
	listener net.Listener
	to       atomic.Pointer[string]
}

func newName(t *testing.T, to string) *name {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	n := &name{listener: l}
	n.to.Store(&to)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go n.carry(c)
		}
	}()
	return n
}

func (n *name) carry(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", *n.to.Load())
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, c); _ = server.Close() }()
	_, _ = io.Copy(c, server)
}

// dsn gives the address of a database with the name in place of its host and port.
func (n *name) dsn(dsn string) string {
	at := strings.Index(dsn, "@") + 1
	return dsn[:at] + n.listener.Addr().String() + dsn[at+strings.Index(dsn[at:], "/"):]
}

// watched opens a store as the programs do.
func watched(t *testing.T, dsn string, connections int) (*store.Store, *logtest.Buffer) {
	t.Helper()
	out := &logtest.Buffer{}
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey, Connections: connections, Watch: true, Log: slog.New(slog.NewTextHandler(out, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, out
}

// write makes a change.
func write(ctx context.Context, s *store.Store, code string) error {
	return s.EnsureApp(ctx, code, "the secret of "+code, "a", []desk.Scope{desk.Read})
}

// pair is a primary and a hot standby of it, with a migrated database on the primary that the standby has too.
func pair(t *testing.T) (primary, standby *postgrestest.Cluster, dsn string) {
	t.Helper()
	primary, err := postgrestest.NewCluster(postgrestest.Replicated...)
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, primary.Close()) })
	dsn, err = primary.CreateDatabase(t.Context())
	require.NoError(t, err)
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey})
	require.NoError(t, err)
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	require.NoError(t, write(t.Context(), s, "first"))
	require.NoError(t, s.Close())
	standby, err = primary.NewStandby()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, standby.Close()) })
	return primary, standby, dsn
}

// until asks again, as callers do, until it is done.
func until(t *testing.T, what string, ask func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), "%s: %v", what, err)
	}
}

// TestAStandbyIsNotStuckTo has connections made while the name of the database leads to a standby. Once it leads to the primary, they are given up
// although callers go on using them.
func TestAStandbyIsNotStuckTo(t *testing.T) {
	t.Parallel()
	primary, standby, dsn := pair(t)
	at := newName(t, standby.Address())
	s, out := watched(t, at.dsn(dsn), 5)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	defer callers.Wait()
	defer stop()
	for i := range 5 {
		callers.Go(func() {
			for ctx.Err() == nil {
				_, _ = s.App(ctx, "first")
				_ = write(ctx, s, fmt.Sprint("caller-", i))
			}
		})
	}
	until(t, "it is known to be read only", func() error {
		if err := s.Writable(t.Context()); !ticket.Is(err, ticket.Unavailable) {
			return fmt.Errorf("a standby takes changes: %v", err)
		}
		return nil
	})
	require.True(t, ticket.Is(write(t.Context(), s, "second"), ticket.Unavailable))
	require.NoError(t, s.Ping(t.Context()), "it answers")
	_, err := s.App(t.Context(), "first")
	require.NoError(t, err, "and can be read")

	to := primary.Address()
	at.to.Store(&to)
	until(t, "changes are taken", func() error { return write(t.Context(), s, "second") })
	require.NoError(t, s.Writable(t.Context()))
	for range 50 {
		require.NoError(t, write(t.Context(), s, "third"), "by every connection")
	}
	require.Equal(t, []int{1, 1}, []int{strings.Count(out.String(), "msg=away "), strings.Count(out.String(), "msg=back ")})
}

// TestAFailOverIsGotOver kills the primary and promotes its standby, with both named in the address, and with one name that moves.
func TestAFailOverIsGotOver(t *testing.T) {
	t.Parallel()
	primary, standby, dsn := pair(t)
	both := strings.Replace(dsn, primary.Address(), primary.Address()+","+standby.Address(), 1) + "&target_session_attrs=read-write"
	at := newName(t, primary.Address())
	hosts, _ := watched(t, both, 5)
	moving, _ := watched(t, at.dsn(dsn), 5)
	for _, s := range []*store.Store{hosts, moving} {
		require.NoError(t, write(t.Context(), s, "second"))
	}
	primary.Stop()
	for _, s := range []*store.Store{hosts, moving} {
		require.True(t, ticket.Is(write(t.Context(), s, "third"), ticket.Unavailable), "there is only a standby")
	}
	require.NoError(t, standby.Promote())
	to := standby.Address()
	at.to.Store(&to)
	for _, s := range []*store.Store{hosts, moving} {
		until(t, "the standby has taken over", func() error { return write(t.Context(), s, "third") })
		until(t, "it is ready", func() error { return s.Writable(t.Context()) })
	}
}

// TestAFullServer has neighbours take every connection that a server has.
func TestAFullServer(t *testing.T) {
	t.Parallel()
	cluster, err := postgrestest.NewCluster("max_connections=12", "superuser_reserved_connections=0")
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey, Connections: 8})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	calls := func(n int) (failed []error) {
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if err := write(t.Context(), s, fmt.Sprint("app-", i)); err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		return failed
	}
	require.Empty(t, calls(2))

	neighbour, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = neighbour.Close() })
	for { // whatever is left
		if _, err := neighbour.Conn(t.Context()); err != nil {
			break
		}
	}
	require.Empty(t, calls(30), "it goes on with those that it has")

	// Whoever has none is told so, and need not wait for it.
	newcomer, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer newcomer.Close()
	began := time.Now()
	_, err = store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey})
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.Less(t, time.Since(began), 30*time.Second, "one second, and what a busy machine adds")
}

// TestAnIdleProcessGivesItsConnectionsBack counts them, as the server has them.
func TestAnIdleProcessGivesItsConnectionsBack(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Start(t)
	s, err := store.Open(t.Context(), dsn+"&application_name=idle", store.Options{MasterKey: masterKey, Connections: 10, Idle: 2 * time.Second})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() { _ = write(t.Context(), s, fmt.Sprint("app-", i)) })
	}
	all.Wait()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	count := func() (n int) {
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'idle'`).Scan(&n))
		return n
	}
	require.Greater(t, count(), 3)
	require.Eventually(t, func() bool { return count() == 0 }, 2*time.Minute, time.Second)
}

// TestAFrozenDatabaseCostsTheFirstCallersAlone has every process of a server stand still. Those who call at first wait in vain; the others are told at once.
func TestAFrozenDatabaseCostsTheFirstCallersAlone(t *testing.T) {
	t.Parallel()
	cluster, err := postgrestest.NewCluster()
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	s, out := watched(t, dsn, 5)
	_, err = s.Migrate(t.Context())
	require.NoError(t, err)
	const patience = 10 * time.Second // as long as a request has
	call := func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := write(ctx, s, "one")
		require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	}
	for range 2 {
		require.NoError(t, write(t.Context(), s, "one"))
		require.NoError(t, cluster.Freeze())
		var first sync.WaitGroup
		for range 5 {
			first.Go(call)
		}
		first.Wait()
		began := time.Now()
		for range 20 {
			call()
		}
		require.Less(t, time.Since(began), patience, "twenty callers have less to wait than each of the first")
		require.NoError(t, cluster.Thaw())
		until(t, "it is back", func() error { return write(t.Context(), s, "one") })
	}
	require.Equal(t, []int{2, 2}, []int{strings.Count(out.String(), "msg=away "), strings.Count(out.String(), "msg=back ")})
	require.Equal(t, 2, strings.Count(out.String(), " refused="))
}

// TestIsolationIsOurs: whatever a database has for those who use it.
func TestIsolationIsOurs(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Start(t)
	database, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer database.Close()
	_, err = database.Exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$`)
	require.NoError(t, err)
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey})
	require.NoError(t, err)
	defer s.Close()
	isolation, err := s.Setting(t.Context(), "transaction_isolation")
	require.NoError(t, err)
	require.Equal(t, "read committed", isolation)
}

// TestNothingIsCompiled: PostgreSQL takes longer to compile a statement of ours than to run it.
func TestNothingIsCompiled(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]string{"": "off", "&jit=on": "on"} {
		dsn := postgrestest.Start(t) + parameters
		s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey})
		require.NoError(t, err)
		defer s.Close()
		jit, err := s.Setting(t.Context(), "jit")
		require.NoError(t, err)
		require.Equal(t, want, jit)
	}
}
