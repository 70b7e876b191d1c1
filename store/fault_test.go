package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/desk"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/store/storetest"
	"signalbox/ticket"
)

// everything is one call of each kind.
func (b *bench) everything(ctx context.Context) map[string]error {
	errs := map[string]error{}
	op := b.operation("")
	_, _, errs["claim"] = b.ledger.Claim(ctx, op, nothing)
	_, _, errs["record"] = b.ledger.Transact(ctx, b.operation(""), func(ctx context.Context) (desk.Answer, error) { return desk.Answer{Body: json.RawMessage(`1`)}, nil })
	s := b.begin("a", draft("x"))
	errs["finish"] = b.ledger.Finish(ctx, op, nil)
	errs["project"] = b.ledger.Project(ctx, s.ticket.Identity, s.events)
	errs["close"] = b.ledger.Close(ctx, op.ID, desk.Void, "")
	errs["expire"] = b.ledger.Expire(ctx, op.ID, op.Lease)
	_, errs["lease"] = b.ledger.Lease(ctx, op.ID, epoch)
	_, errs["expired"] = b.ledger.Expired(ctx, 1)
	_, errs["happened"] = b.ledger.Happened(ctx, op.ID)
	_, errs["tickets"] = b.Tickets(ctx, "a", ticket.Filter{})
	_, errs["ticket"] = b.Record(ctx, "a", s.ticket.Number)
	_, errs["relations"] = b.Relations(ctx, ticket.Ticket{})
	_, errs["messages"] = b.Messages(ctx, 1, 0, 1)
	if _, err := b.Message(ctx, 1, "m"); !ticket.Is(err, ticket.NotFound) {
		errs["message"] = err
	}
	_, errs["timeline"] = b.Timeline(ctx, 1, 0, 1)
	_, errs["changes"] = b.Changes(ctx, "a", "", 1)
	_, errs["entries"] = b.Entries(ctx, 1, notice.Position{}, 1)
	_, _, errs["registered"] = b.Registered(ctx, 1, "", 0)
	_, _, errs["deliveries"] = b.Deliveries(ctx, notice.Owner{}, "x", "", 1)
	_, errs["pending"] = b.outbox.Pending(ctx, 1, nil, 1)
	_, _, errs["next"] = b.outbox.Next(ctx, notice.Lane{Subscription: "x", TicketID: 1})
	_, errs["parked"] = b.outbox.Retrying(ctx, notice.Lane{}, 1)
	_, errs["partitions"] = b.outbox.Partitions(ctx)
	_, errs["apps"] = b.ListApps(ctx, "a")
	errs["ensure"] = b.EnsureApp(ctx, "demo", "demo-secret", "a", []desk.Scope{desk.Read})
	_, errs["prune"] = b.PruneOperations(ctx, epoch, 1)
	errs["ping"] = b.Ping(ctx)
	return errs
}

// A database that is stopped is Unavailable at once, whatever is asked; when it is back everything works again, waking included, without
// anybody restarting anything.
func TestADatabaseThatIsStoppedAndComesBack(t *testing.T) {
	t.Parallel()
	cluster, err := postgrestest.NewCluster()
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err := cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	b := open(t, dsn)
	_, err = b.Migrate(t.Context())
	require.NoError(t, err)
	s, _ := b.subscribed()
	wake := b.outbox.Notifications(t.Context(), notice.Partition(s.ticket.ID, 16))
	<-wake // listening
	for name, err := range b.everything(t.Context()) {
		require.NoError(t, err, name)
	}
	for range 2 {
		cluster.Stop()
		start := time.Now()
		for name, err := range b.everything(t.Context()) {
			require.True(t, ticket.Is(err, ticket.Unavailable), "%s: %v", name, err)
			require.NotContains(t, ticket.AsError(err).Message, "connect", "the cause is for the log")
			require.Greater(t, len(err.Error()), len(ticket.AsError(err).Message)+5, "and there it is")
		}
		require.Less(t, time.Since(start), time.Minute, "nothing waits for it to come back")
		require.NoError(t, cluster.Start())
		for name, err := range b.everything(t.Context()) {
			require.NoError(t, err, name)
		}
		<-wake // something may have been missed
	}
	b.project(s, s.relate("manifest", "1")...)
	<-wake
	require.Len(t, b.pending(), 1)
}

func TestASchemaThatIsNotThereIsUnavailable(t *testing.T) {
	for _, dsn := range []string{"sqlite:" + t.TempDir() + "/x.db", postgrestest.Start(t)} {
		s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: masterKey})
		require.NoError(t, err)
		defer s.Close()
		err = s.Ping(t.Context())
		require.True(t, ticket.Is(err, ticket.Unavailable))
		require.ErrorContains(t, err, "migrate")
		_, err = s.Tickets(t.Context(), "a", ticket.Filter{})
		require.Error(t, err)
		require.Nil(t, ticket.AsError(err), "a fault of ours is no refusal")
		n, err := s.Migrate(t.Context())
		require.NoError(t, err)
		require.Positive(t, n)
		require.NoError(t, s.Ping(t.Context()))
	}
}

func TestManyProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Start(t)
	applied := make(chan int, 4)
	for range cap(applied) {
		go func() {
			s, err := store.Open(background(), dsn, store.Options{MasterKey: masterKey})
			if err != nil {
				t.Error(err)
				applied <- 0
				return
			}
			defer s.Close()
			n, err := s.Migrate(background())
			if err != nil {
				t.Error(err)
			}
			applied <- n
		}()
	}
	var counts []int
	for range cap(applied) {
		if n := <-applied; n > 0 {
			counts = append(counts, n)
		}
	}
	require.Len(t, counts, 1)
}

// proxy stands between store and server and can fall silent without closing anything, as a network or a machine does.
type proxy struct {
	net.Listener
	target string
	gate   sync.RWMutex // held for writing while silent
}

func newProxy(t *testing.T, dsn string) (*proxy, string) {
	address, err := url.Parse(dsn)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l, target: address.Host}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", p.target)
			if err != nil {
				near.Close()
				continue
			}
			go p.pump(far, near)
			go p.pump(near, far)
		}
	}()
	address.Host = l.Addr().String()
	return p, address.String()
}

func (p *proxy) pump(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.gate.RLock()
		_, werr := to.Write(buffer[:n])
		p.gate.RUnlock()
		if err != nil || werr != nil {
			return
		}
	}
}

// A server that has fallen silent keeps nobody beyond their deadline.
func TestDeadlinesHoldAgainstASilentServer(t *testing.T) {
	t.Parallel()
	dsn := storetest.Postgres(t)
	p, through := newProxy(t, dsn)
	b := open(t, through)
	b.opened("a", draft("x"))
	p.gate.Lock()
	start := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex // the bench's counter is not for several at once
	for range 3 {
		wg.Go(func() {
			mu.Lock()
			ctx, cancel := context.WithTimeout(background(), 300*time.Millisecond)
			s := b.begin("a", draft("y"))
			mu.Unlock()
			defer cancel()
			err := b.ledger.Project(ctx, s.ticket.Identity, s.events)
			if !ticket.Is(err, ticket.Unavailable) {
				t.Errorf("%v", err)
			}
			_, err = b.Tickets(ctx, "a", ticket.Filter{})
			if !ticket.Is(err, ticket.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	require.Less(t, time.Since(start), time.Minute, "it says nothing for as long as this test lasts")
	p.gate.Unlock()
	page, err := b.Tickets(t.Context(), "a", ticket.Filter{})
	require.NoError(t, err)
	require.NotEmpty(t, page.Items)
}

// A row that somebody else holds keeps a caller no longer than its deadline, and the connection is as good as before.
func TestDeadlinesHoldAgainstALock(t *testing.T) {
	b := open(t, storetest.Postgres(t))
	s := b.opened("a", draft("x"))
	tx, err := b.raw().BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.Exec(`SELECT 1 FROM tickets FOR UPDATE`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	events := s.do(ticket.Command{Action: ticket.Accept})
	start := time.Now()
	err = b.ledger.Project(ctx, s.ticket.Identity, events)
	require.True(t, ticket.Is(err, ticket.Unavailable), "%v", err)
	require.Less(t, time.Since(start), time.Minute, "the lock is held for as long as this test lasts")
	require.NoError(t, tx.Rollback())
	b.project(s, events...)
	require.Equal(t, s.ticket, b.read(s))
}

// Transactions that the database ends for the sake of others are repeated.
func TestDeadlocksAreRepeated(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Postgres(t))
	one, two := b.opened("a", draft("x")), b.opened("a", draft("y"))
	met, tries := make(chan struct{}, 2), make(chan int, 20)
	cross := func(first, second *story) error {
		_, _, err := b.ledger.Transact(background(), b.operationOf(first), func(ctx context.Context) (desk.Answer, error) {
			if _, err := b.Register(ctx, first.ticket, notice.Subscription{URL: hook + "/a"}); err != nil {
				return desk.Answer{}, err
			}
			tries <- 1
			if len(tries) <= 2 {
				met <- struct{}{}
				for len(met) < 2 && len(tries) <= 2 {
					time.Sleep(time.Millisecond)
				}
			}
			_, err := b.Register(ctx, second.ticket, notice.Subscription{URL: hook + "/a"})
			return desk.Answer{}, err
		})
		return err
	}
	done := make(chan error, 2)
	go func() { done <- cross(one, two) }()
	go func() { done <- cross(two, one) }()
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	require.Greater(t, len(tries), 2, "one of them was repeated")
}

func (b *bench) operationOf(s *story) desk.Operation {
	return desk.Operation{ID: s.ticket.UUID, Request: request(""), Kind: desk.KindTransact, State: desk.Running, CreatedAt: epoch, Lease: epoch}
}
