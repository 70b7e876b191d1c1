package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"signalbox/activities"
	"signalbox/cmd/dev/e2e/harness"
	"signalbox/notice"
	"signalbox/store"
	"signalbox/store/postgrestest"
	"signalbox/ticket"
	"signalbox/workflows"
)

// measured is the database of a test that measures and takes minutes, which is skipped unless make bench-deliveries runs it. The server is one as in production: without
// statistics of its tables PostgreSQL reads more the more rows there are, which is no doing of ours. They are made every five seconds, as tables here grow from nothing.
func measured(t *testing.T) (dsn string) {
	t.Helper()
	if os.Getenv("SIGNALBOX_BENCH") == "" {
		t.Skip("make bench-deliveries runs this")
	}
	cluster, err := postgrestest.NewDurableCluster("autovacuum_naptime=5s")
	postgrestest.Require(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	dsn, err = cluster.CreateDatabase(t.Context())
	require.NoError(t, err)
	return dsn
}

// crowd is many receivers, each a host of its own, that remember in which order they were first told what.
type crowd struct {
	urls    []string
	answers []atomic.Pointer[http.HandlerFunc] // nil: 200
	arrived atomic.Int64                       // first arrivals at receivers that answered 200
	doubles atomic.Int64

	mu    sync.Mutex
	seen  map[string]bool
	order map[string][]string // ids by path, which is a ticket's at one receiver
}

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	c := &crowd{answers: make([]atomic.Pointer[http.HandlerFunc], n), seen: map[string]bool{}, order: map[string][]string{}}
	for i := range n {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if answer := c.answers[i].Load(); answer != nil {
				(*answer)(w, r)
				return
			}
			c.told(fmt.Sprint(i, r.URL.Path), r.Header.Get("webhook-id"))
		}))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.Start()
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
		c.urls = append(c.urls, server.URL)
	}
	return c
}

func (c *crowd) told(path, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[id] {
		c.doubles.Add(1)
		return
	}
	c.seen[id] = true
	c.order[path] = append(c.order[path], id)
	c.arrived.Add(1)
}

// debtor fills the outbox as the system itself does, without Temporal.
type debtor struct {
	*store.Store
	next atomic.Int64
}

// openDebtor opens the database that a production uses, with its key.
func openDebtor(t *testing.T, p *production, dsn string) *debtor {
	t.Helper()
	var key []byte
	for _, setting := range p.env {
		if text, ok := strings.CutPrefix(setting, "SIGNALBOX_MASTER_KEY="); ok {
			var err error
			key, err = base64.StdEncoding.DecodeString(text)
			require.NoError(t, err)
		}
	}
	s, err := store.Open(t.Context(), dsn, store.Options{MasterKey: key, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	d := &debtor{Store: s}
	d.next.Store(1_000_000)
	return d
}

// owe opens so many tickets, ticket i told to address i modulo their number, and has each owe so many deliveries. It gives the ids of their
// subscriptions' deliveries in order, by ticket.
func (d *debtor) owe(t *testing.T, tickets, each int, addresses []string) {
	t.Helper()
	var group sync.WaitGroup
	work := make(chan int)
	for range 4 {
		group.Go(func() {
			for i := range work {
				if err := d.ticket(t, each, addresses[i%len(addresses)]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range tickets {
		work <- i
	}
	close(work)
	group.Wait()
	require.False(t, t.Failed())
}

func (d *debtor) ticket(t *testing.T, each int, address string) error {
	now, n := time.Now(), d.next.Add(1)
	id := ticket.Identity{ID: n, UUID: uuid.NewString(), Number: ticket.SeriesIM.Number(now, n), Tenant: "default"}
	events, err := ticket.Open(ticket.Draft{Channel: ticket.ChannelIssue, App: "admin", Origin: "bench", Title: "bench"}, id, uuid.NewString(), now)
	if err != nil {
		return err
	}
	if err := d.Ledger().Project(t.Context(), id, events); err != nil {
		return err
	}
	state := ticket.Fold(ticket.Ticket{}, events)
	if _, err := d.Register(t.Context(), state, notice.Subscription{URL: fmt.Sprintf("%s/%d", address, n)}); err != nil {
		return err
	}
	events = nil
	for i := range each {
		more, err := ticket.Decide(state, ticket.Command{Action: ticket.Relate, Operator: "li", Channel: ticket.ChannelIssue, App: "admin", Operation: uuid.NewString(),
			Relation: &ticket.Relation{Type: "manifest", Content: []string{fmt.Sprint(i)}}}, now)
		if err != nil {
			return err
		}
		state, events = ticket.Fold(state, more), append(events, more...)
	}
	return d.Ledger().Project(t.Context(), id, events)
}

// effort is what deliveries have cost Temporal so far: state transitions and history events of everything on their account, and how many
// workflows there are.
func effort(t *testing.T, c client.Client) (transitions, events int64, count int) {
	t.Helper()
	for p := range 16 {
		d, err := c.DescribeWorkflowExecution(t.Context(), workflows.DeliveriesID(p), "")
		require.NoError(t, err)
		transitions += d.WorkflowExecutionInfo.StateTransitionCount
		events += d.WorkflowExecutionInfo.HistoryLength
	}
	list, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: "WorkflowType != 'Sweep' AND WorkflowType != 'Prune' AND WorkflowType != 'temporal-sys-scheduler-workflow'"})
	require.NoError(t, err)
	return transitions, events, int(list.Count)
}

// TestBenchHealthyDeliveries measures how many deliveries a second one worker makes to healthy receivers, and shows that they cost Temporal
// nothing: ten times as many deliveries are as many state transitions.
func TestBenchHealthyDeliveries(t *testing.T) {
	dsn := measured(t)
	p := startProduction(t, dsn)
	d := openDebtor(t, p, dsn)
	temporal := dialTemporal(t, p.temporal.address, p.namespace)
	var costs []int64
	var beats int64 // signs of life of the last
	for _, tickets := range []int{200, 2000} {
		const each = 10
		r := newCrowd(t, 20)
		d.owe(t, tickets, each, r.urls)
		var before int64
		if len(costs) > 0 {
			before, _, _ = effort(t, temporal)
		}
		started := time.Now()
		w := p.startWorker(t, "deliveries")
		harness.Until(t, "the first arrives", time.Minute, func() error {
			if r.arrived.Load() == 0 {
				return fmt.Errorf("none")
			}
			return nil
		})
		already, began := r.arrived.Load(), time.Now()
		harness.Until(t, "all arrive", 5*time.Minute, func() error {
			if n := r.arrived.Load(); n < int64(tickets*each) {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		took := time.Since(began)
		harness.Until(t, "all are written down", time.Minute, func() error {
			pending, retrying, err := d.Outbox.Backlog(t.Context())
			if err != nil || pending+retrying > 0 {
				return fmt.Errorf("%d pending, %d retrying, %v", pending, retrying, err)
			}
			return nil
		})
		transitions, events, count := effort(t, temporal)
		costs, beats = append(costs, transitions-before), 16*int64(time.Since(started)/(activities.HeartbeatTimeout/5)+1)
		t.Logf("%d deliveries to %d receivers: %.0f a second; %d state transitions and %d history events in %d workflows, %d more than before; %d arrived twice",
			tickets*each, len(r.urls), float64(int64(tickets*each)-already)/took.Seconds(), transitions, events, count, transitions-before, r.doubles.Load())
		require.Zero(t, r.doubles.Load())
		require.Zero(t, w.Terminate(time.Minute))
	}
	require.LessOrEqual(t, costs[1], costs[0]+32+beats, "what is healthy costs Temporal nothing; beginning anew costs each partition a little, and so do signs of life, by time")
}

// TestBenchDeadReceivers shows that dead receivers delay nobody else, that what they are owed is not lost, and that every order is kept.
func TestBenchDeadReceivers(t *testing.T) {
	dsn := measured(t)
	const receivers, dead, ticketsEach, each = 200, 20, 5, 10
	p := startProduction(t, dsn, "SIGNALBOX_PROFILE_INTERVALS=minutely:20s")
	d := openDebtor(t, p, dsn)
	run := func(withDead bool) time.Duration {
		r := newCrowd(t, receivers)
		alive := r.urls[dead:]
		hang := http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
		fail := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		reset := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		for i, answer := range []*http.HandlerFunc{&hang, &hang, &fail, &reset} {
			for j := i; j < dead; j += 4 {
				r.answers[j].Store(answer)
			}
		}
		addresses := alive
		if withDead {
			addresses = r.urls
		}
		d.owe(t, len(addresses)*ticketsEach, each, addresses)
		w := p.startWorker(t, "deliveries")
		harness.Until(t, "the first arrives", time.Minute, func() error {
			if r.arrived.Load() == 0 {
				return fmt.Errorf("none")
			}
			return nil
		})
		began := time.Now()
		healthy := int64(len(alive) * ticketsEach * each)
		harness.Until(t, "the healthy are told everything", 5*time.Minute, func() error {
			if n := r.arrived.Load(); n < healthy {
				return fmt.Errorf("%d of %d", n, healthy)
			}
			return nil
		})
		took := time.Since(began)
		if withDead {
			for i := range dead { // back to generation
				r.answers[i].Store(nil)
			}
			harness.Until(t, "nothing is lost", 5*time.Minute, func() error {
				if n := r.arrived.Load(); n < receivers*ticketsEach*each {
					return fmt.Errorf("%d of %d", n, receivers*ticketsEach*each)
				}
				return nil
			})
			t.Logf("all %d arrived after %s", receivers*ticketsEach*each, time.Since(began).Round(time.Millisecond))
		}
		d.checkOrder(t, r, len(addresses)*ticketsEach, each)
		require.Zero(t, w.Terminate(60*time.Second))
		return took
	}
	run(false) // everything is warm then
	// Both again and again, and of each the best: what else the machine does is none of this.
	without, with := run(false), run(true)
	for range 2 {
		without, with = min(without, run(false)), min(with, run(true))
	}
	t.Logf("%d healthy receivers are told everything after %s without and %s with %d dead ones beside them: %.2f times; the order was kept everywhere",
		receivers-dead, without.Round(time.Millisecond), with.Round(time.Millisecond), dead, float64(with)/float64(without))
	require.LessOrEqual(t, float64(with), 1.2*float64(without))
}

// rude are receivers at the level of the connection, as many of each kind: they switch protocols and keep the connection, never answer, never shake hands,
// or reset. Only https works with those that never shake hands.
func rude(t *testing.T, each int) (addresses []string) {
	t.Helper()
	request := func(c net.Conn) bool {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		return err == nil
	}
	for i := range 4 * each {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { listener.Close() })
		serve, scheme := func(c net.Conn) {
			if request(c) {
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
				_, _ = io.Copy(io.Discard, c)
			}
		}, "http://"
		switch i % 4 {
		case 1:
			serve = func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
		case 2:
			serve, scheme = func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "https://"
		case 3:
			serve = func(c net.Conn) {
				if request(c) {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
			}
		}
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { defer c.Close(); serve(c) }()
			}
		}()
		addresses = append(addresses, scheme+listener.Addr().String())
	}
	return addresses
}

// TestBenchAfterMisbehavingReceivers shows that receivers that misbehave leave nothing behind with us: after a thousand deliveries to them the others are told
// as fast as before, by the same worker.
func TestBenchAfterMisbehavingReceivers(t *testing.T) {
	dsn := measured(t)
	const receivers, ticketsEach, each, bad = 100, 5, 10, 1000
	p := startProduction(t, dsn)
	d := openDebtor(t, p, dsn)
	p.startWorker(t, "deliveries")
	healthy := func() time.Duration {
		r := newCrowd(t, receivers)
		began := time.Now()
		d.owe(t, receivers*ticketsEach, each, r.urls) // which takes its share, the same before and after
		harness.Until(t, "the healthy are told everything", 5*time.Minute, func() error {
			if n := r.arrived.Load(); n < receivers*ticketsEach*each {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		return time.Since(began)
	}
	healthy() // everything is warm then
	// The best of several: what else the machine does is none of this.
	best := func() time.Duration { return min(healthy(), healthy(), healthy()) }
	before := best()
	d.owe(t, bad, 1, rude(t, 25))
	harness.Until(t, "those that misbehave have been tried", 5*time.Minute, func() error {
		pending, retrying, err := d.Outbox.Backlog(t.Context())
		if err != nil || pending > 0 || retrying < bad {
			return fmt.Errorf("%d pending, %d retrying, %v", pending, retrying, err)
		}
		return nil
	})
	after := best()
	t.Logf("%d healthy deliveries take %s before %d to receivers that misbehave, and %s after them, while these are tried again: %.2f times",
		receivers*ticketsEach*each, before.Round(time.Millisecond), bad, after.Round(time.Millisecond), float64(after)/float64(before))
	require.LessOrEqual(t, float64(after), 1.2*float64(before))
}

// checkOrder holds what arrived at each address against what was owed to it.
func (d *debtor) checkOrder(t *testing.T, r *crowd, lanes, each int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Len(t, r.order, lanes)
	for path, ids := range r.order {
		n := path[strings.LastIndex(path, "/")+1:]
		var ticketID int64
		_, err := fmt.Sscan(n, &ticketID)
		require.NoError(t, err)
		registered, _, err := d.Registered(t.Context(), ticketID, "", 0)
		require.NoError(t, err)
		require.Len(t, registered, 1)
		records, _, err := d.Deliveries(t.Context(), notice.Owner{}, registered[0].ID, "", 200)
		require.NoError(t, err)
		require.Len(t, records, each)
		for i, id := range ids {
			record := records[each-1-i] // newest first
			require.Equal(t, record.ID, id, "%s, place %d", path, i)
			if record.State != notice.Sent { // arrived, and being written down
				require.Contains(t, []notice.DeliveryState{notice.Pending, notice.Retrying}, record.State)
			}
		}
	}
}

// TestBenchKilledThroughout kills the worker that delivers and the API by turns while callers are at it: every delivery arrives under one id.
func TestBenchKilledThroughout(t *testing.T) {
	p := startProduction(t, measured(t))
	p.startWorker(t, "tickets")
	deliveries := p.startWorker(t, "deliveries")
	l := startLoad(t, harness.NewReceiver(t), 8, p.caller())
	const rounds = 10
	for range rounds {
		l.awaitMore(40, 90*time.Second)
		deliveries.Kill()
		deliveries = p.startWorker(t, "deliveries")
		l.awaitMore(40, 90*time.Second)
		p.apis.Kill()
		p.startAPI(t)
	}
	l.awaitMore(40, 90*time.Second)
	l.stop()
	t.Logf("worker and API killed %d times each", rounds)
	l.check()
}
