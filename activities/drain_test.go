package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"signalbox/activities"
	"signalbox/activities/outboxtest"
	"signalbox/internal/testmain"
	"signalbox/notice"
)

func TestMain(m *testing.M) { testmain.Waiting(m) }

// lanes remembers what was to be started.
type lanes struct {
	mu         sync.Mutex
	started    []notice.Lane
	ensured    []notice.Lane
	partitions []int
	err        error
}

func (l *lanes) Start(_ context.Context, lane notice.Lane, _ time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = append(l.started, lane)
	return l.err
}

func (l *lanes) Ensure(_ context.Context, all []notice.Lane) (int, error) {
	l.ensured = append(l.ensured, all...)
	return len(all), l.err
}

func (l *lanes) EnsureRedeliveries(_ context.Context, redeliveries []string) (int, error) {
	return len(redeliveries), l.err
}

func (l *lanes) EnsurePartitions(_ context.Context, partitions []int) (int, error) {
	l.partitions = partitions
	return len(partitions), l.err
}

// bench runs drains of a partition.
type bench struct {
	*activities.Deliveries
	t      *testing.T
	outbox *outboxtest.Outbox
	lanes  *lanes
	stop   chan struct{}
	cancel context.CancelFunc
	ended  chan error
}

func newBench(t *testing.T, timeout time.Duration) *bench {
	b := &bench{t: t, outbox: outboxtest.New(), lanes: &lanes{}, stop: make(chan struct{}), ended: make(chan error, 1)}
	b.Deliveries = &activities.Deliveries{Outbox: b.outbox, Lanes: b.lanes, Now: time.Now, Poll: time.Hour, Log: slog.New(slog.DiscardHandler),
		Sender: newSender(func(o *activities.SenderOptions) { o.Timeout = timeout })}
	return b
}

// drain begins a drain, after one that was lost and left something if that is given; the test must not end before it has.
func (b *bench) drain(left ...any) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.Deliveries)
	env.SetTestTimeout(3 * time.Minute)
	env.SetWorkerStopChannel(b.stop)
	if len(left) > 0 {
		env.SetHeartbeatDetails(left[0])
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	go func() {
		_, err := env.ExecuteActivity(b.Drain, activities.DrainInput{})
		b.ended <- err
	}()
	b.t.Cleanup(cancel)
}

func (b *bench) await(what string, condition func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	require.True(b.t, b.outbox.Await(ctx, condition), what)
}

func (b *bench) finish() {
	b.t.Helper()
	close(b.stop)
	require.NoError(b.t, b.end())
}

func (b *bench) end() error {
	b.t.Helper()
	select {
	case err := <-b.ended:
		return err
	case <-time.After(time.Minute):
		require.Fail(b.t, "the drain does not end")
		return nil
	}
}

// receiver is an HTTP server that keeps the ids it was told, and answers by a function.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	told  []string
	heard chan string
}

func newReceiver(t *testing.T, answer func(id string) int) *receiver {
	r := &receiver{heard: make(chan string, 10_000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var body struct {
			ID string `json:"id"`
		}
		raw, _ := io.ReadAll(q.Body)
		if json.Unmarshal(raw, &body) != nil || body.ID != q.Header.Get("webhook-id") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		r.told = append(r.told, body.ID)
		r.mu.Unlock()
		r.heard <- body.ID
		status := make(chan int, 1)
		go func() { status <- answer(body.ID) }()
		select {
		case s := <-status:
			w.WriteHeader(s)
		case <-q.Context().Done(): // a test that fails must not wait for what hangs
		}
	}))
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

func (r *receiver) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.told...)
}

func ok(string) int { return http.StatusOK }

func TestEveryLaneIsToldInOrderAndOneAtATime(t *testing.T) {
	t.Parallel()
	b := newBench(t, 10*time.Second)
	var mu sync.Mutex
	under := map[string]bool{}
	overlaps := 0
	r := newReceiver(t, func(id string) int {
		lane := id[:strings.LastIndex(id, ":")]
		mu.Lock()
		if under[lane] {
			overlaps++
		}
		under[lane] = true
		mu.Unlock()
		time.Sleep(time.Duration(len(id)+int(id[len(id)-1])%4) * 100 * time.Microsecond) // receivers differ
		mu.Lock()
		under[lane] = false
		mu.Unlock()
		return 200
	})
	for i := range 40 {
		b.outbox.Subscribe(fmt.Sprint("s", i), r.URL, notice.Minutely)
	}
	for range 3 {
		for i := range 40 {
			b.outbox.Enqueue(fmt.Sprint("s", i), int64(i%3), 2)
		}
	}
	b.drain()
	b.outbox.Enqueue("s0", 0, 5)
	b.await("all sent", func() bool { return b.outbox.Count(notice.Sent) == 245 })
	b.finish()
	require.Zero(t, overlaps)
	next := map[string]int{}
	for _, id := range r.all() {
		cut := strings.LastIndex(id, ":")
		next[id[:cut]]++
		require.Equal(t, fmt.Sprint(next[id[:cut]]), id[cut+1:], "order in the lane")
	}
	require.Len(t, r.all(), 245)
	require.Empty(t, b.lanes.started)
	for _, a := range b.outbox.Attempts() {
		require.True(t, a.Succeeded)
	}
}

func TestAReceiverThatHangsDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, time.Minute)
	b.Concurrency, b.Hosts = 8, &activities.Hosts{Limit: 3}
	release := make(chan struct{})
	hanging := newReceiver(t, func(string) int { <-release; return 200 })
	healthy := newReceiver(t, ok)
	for i := range 300 { // many lanes to the host that hangs, all of them ahead of the others
		b.outbox.Subscribe(fmt.Sprint("h", i), hanging.URL, notice.Minutely)
		b.outbox.Enqueue(fmt.Sprint("h", i), 1, 1)
	}
	b.outbox.Enqueue("h0", 1, 500) // and one of them long
	for i := range 20 {
		b.outbox.Subscribe(fmt.Sprint("s", i), healthy.URL, notice.Minutely)
		b.outbox.Enqueue(fmt.Sprint("s", i), 1, 10)
	}
	b.drain()
	b.await("the healthy receiver is told everything", func() bool { return b.outbox.Count(notice.Sent) == 200 })
	require.Len(t, hanging.all(), 3, "its share, and no more")
	b.outbox.Enqueue("s0", 2, 1)
	b.await("and what comes later too", func() bool { return b.outbox.Count(notice.Sent) == 201 })
	close(release)
	b.await("all", func() bool { return b.outbox.Count(notice.Sent) == 1001 })
	b.finish()
}

func TestALaneThatFailedIsRetryingAndLeftToItsWorkflow(t *testing.T) {
	b := newBench(t, 10*time.Second)
	failing := newReceiver(t, func(string) int { return 500 })
	healthy := newReceiver(t, ok)
	b.outbox.Subscribe("f", failing.URL, notice.Minutely)
	b.outbox.Subscribe("s", healthy.URL, notice.Minutely)
	b.outbox.Subscribe("once", failing.URL, notice.Once)
	b.outbox.Enqueue("f", 1, 3)
	b.outbox.Enqueue("f", 2, 1)
	b.outbox.Enqueue("s", 1, 3)
	b.outbox.Enqueue("once", 1, 2)
	b.lanes.err = errors.New("temporal is down") // the sweep will do it
	b.drain()
	b.await("settled", func() bool { return b.outbox.Count(notice.Pending) == 0 })
	b.outbox.Enqueue("f", 1, 1)
	b.outbox.Enqueue("s", 1, 1)
	b.await("the others go on", func() bool { return b.outbox.Count(notice.Sent) == 4 })
	b.finish()
	require.ElementsMatch(t, []string{"f:1:1", "f:2:1", "once:1:1", "once:1:2"}, failing.all())
	require.ElementsMatch(t, []notice.Lane{{Subscription: "f", TicketID: 1}, {Subscription: "f", TicketID: 2}}, b.lanes.started)
	require.Equal(t, 5, b.outbox.Count(notice.Retrying))
	require.Equal(t, 2, b.outbox.Count(notice.Failed))
	d := b.outbox.Deliveries()[0]
	require.Equal(t, 1, d.Tries)
	require.Equal(t, time.Minute, d.NextTry.Sub(*d.FirstTry))
	require.Equal(t, notice.Active, b.outbox.Subscription("once").State)
}

func TestADeliveryThatIsNotItsLanesNextIsLeftAlone(t *testing.T) {
	b := newBench(t, 10*time.Second)
	r := newReceiver(t, ok)
	b.outbox.Subscribe("s", r.URL, notice.Minutely)
	b.outbox.Enqueue("s", 1, 2)
	lane := notice.Lane{Subscription: "s", TicketID: 1}
	b.outbox.SetRetrying(lane, time.Now(), time.Now())
	out, err := b.Deliver(t.Context(), activities.DeliverInput{Lane: lane, Delivery: "s:1:2"})
	require.NoError(t, err)
	require.Equal(t, activities.Delivered{}, out)
	require.Empty(t, r.all())
	out, err = b.Deliver(t.Context(), activities.DeliverInput{Lane: lane, Delivery: "s:1:1"})
	require.NoError(t, err)
	require.Equal(t, activities.Delivered{State: notice.Sent}, out)
}

func TestWhatIsDeletedIsNotSent(t *testing.T) {
	b := newBench(t, 10*time.Second)
	release := make(chan struct{})
	r := newReceiver(t, func(string) int { <-release; return 200 })
	b.outbox.Subscribe("s", r.URL, notice.Minutely)
	b.outbox.Enqueue("s", 1, 3)
	b.drain()
	require.Equal(t, "s:1:1", <-r.heard)
	b.outbox.Delete("s")
	close(release)
	b.await("the try is written down", func() bool { return len(b.outbox.Attempts()) == 1 })
	b.finish()
	require.Equal(t, []string{"s:1:1"}, r.all())
	require.Equal(t, 3, b.outbox.Count(notice.Cancelled))
}

func TestAWorkerThatStopsFinishesWhatIsUnderWay(t *testing.T) {
	b := newBench(t, time.Minute)
	release := make(chan struct{})
	r := newReceiver(t, func(string) int { <-release; return 200 })
	b.outbox.Subscribe("s", r.URL, notice.Minutely)
	b.outbox.Enqueue("s", 1, 2)
	b.drain()
	<-r.heard
	close(b.stop)
	select {
	case <-b.ended:
		require.Fail(t, "a try is still under way")
	case <-time.After(50 * time.Millisecond): // nothing can be awaited that must not happen
	}
	close(release)
	require.NoError(t, b.end())
	require.Equal(t, 1, b.outbox.Count(notice.Sent))
	require.Equal(t, 1, b.outbox.Count(notice.Pending))
	require.Len(t, r.all(), 1)
}

// However the address of a host is spelled, its lanes wait for that one host: they neither fill what is read from the outbox, nor wait for ever
// once it answers.
func TestAHostThatHangsIsOneHostHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	for _, spell := range []func(host string) string{
		func(host string) string { return "http://" + host + "?x=1" },
		func(host string) string { return "HTTP://" + host + "/" },
		func(host string) string { return "hTTp://" + host },
		func(host string) string { return "http://" + strings.Replace(host, "1", "%31", 1) + "/./a" },
	} {
		address := spell("127.0.0.1:1")
		t.Run(address, func(t *testing.T) {
			b := newBench(t, time.Minute)
			b.Concurrency, b.Hosts = 8, &activities.Hosts{Limit: 3}
			release := make(chan struct{})
			hanging := newReceiver(t, func(string) int { <-release; return 200 })
			healthy := newReceiver(t, ok)
			const lanes = 1_100 // more than a drain remembers
			for i := range lanes {
				b.outbox.Subscribe(fmt.Sprint("h", i), spell(strings.TrimPrefix(hanging.URL, "http://")), notice.Minutely)
				b.outbox.Enqueue(fmt.Sprint("h", i), 1, 1)
			}
			b.outbox.Subscribe("s", healthy.URL, notice.Minutely)
			b.outbox.Enqueue("s", 1, 3)
			b.drain()
			b.await("the healthy receiver is told everything", func() bool { return b.outbox.Count(notice.Sent) == 3 })
			close(release)
			b.await("and all are, once the other answers", func() bool { return b.outbox.Count(notice.Sent) == 3+lanes })
			b.finish()
		})
	}
}

func TestADrainThatIsCutOffWritesDownWhatIsFinished(t *testing.T) {
	b := newBench(t, time.Minute)
	release := make(chan struct{})
	defer close(release)
	hanging := newReceiver(t, func(string) int { <-release; return 200 })
	healthy := newReceiver(t, ok)
	b.outbox.Subscribe("h", hanging.URL, notice.Minutely)
	b.outbox.Subscribe("s", healthy.URL, notice.Minutely)
	b.outbox.Enqueue("h", 1, 1)
	b.drain()
	<-hanging.heard
	b.await("idle otherwise", func() bool { return true })
	b.outbox.Enqueue("s", 1, 1)
	<-healthy.heard
	b.await("sent", func() bool { return b.outbox.Count(notice.Sent) == 1 })
	b.outbox.Break(true)
	b.outbox.Enqueue("h", 2, 1) // wakes it into the outage
	b.cancel()
	b.outbox.Break(false)
	require.Error(t, b.end())
	var lost []string
	for _, a := range b.outbox.Attempts() {
		if !a.Succeeded {
			require.Equal(t, notice.ErrorLost, a.Class)
			lost = append(lost, a.DeliveryID)
		}
	}
	require.Contains(t, lost, "h:1:1", "what was broken off was a try all the same")
	require.Equal(t, len(lost), b.outbox.Count(notice.Retrying))
	require.Nil(t, b.outbox.Subscription("h").FailingSince, "that says nothing about the receiver")
}

func TestResultsOutliveAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t, time.Minute)
	release := make(chan struct{})
	r := newReceiver(t, func(id string) int {
		if id == "s:1:1" {
			<-release
		}
		return 200
	})
	b.outbox.Subscribe("s", r.URL, notice.Minutely)
	b.outbox.Enqueue("s", 1, 2)
	b.drain()
	<-r.heard
	b.outbox.Break(true)
	close(release)
	b.outbox.Enqueue("s", 2, 1)
	time.Sleep(3 * 200 * time.Millisecond) // the outage lasts: it is asked again, in vain
	require.Empty(t, b.outbox.Attempts())
	b.outbox.Break(false)
	b.await("all sent", func() bool { return b.outbox.Count(notice.Sent) == 3 })
	b.finish()
	require.ElementsMatch(t, []string{"s:1:1", "s:1:2", "s:2:1"}, r.all(), "each exactly once")
}

func TestResultsInHandAreWrittenDownWhenTheWorkerIsCutOffInAnOutage(t *testing.T) {
	b := newBench(t, time.Minute)
	r := newReceiver(t, ok)
	b.outbox.Subscribe("s", r.URL, notice.Minutely)
	broken := &breaking{Outbox: b.outbox, broke: make(chan struct{}, 100)}
	b.Deliveries.Outbox = broken
	b.outbox.Enqueue("s", 1, 1)
	b.drain()
	<-broken.broke // it has a result, and cannot write it down
	b.cancel()
	broken.mu.Lock()
	broken.repaired = true
	broken.mu.Unlock()
	require.Error(t, b.end())
	require.Equal(t, 1, b.outbox.Count(notice.Sent))
}

// breaking takes no results until it is repaired.
type breaking struct {
	*outboxtest.Outbox
	mu       sync.Mutex
	repaired bool
	broke    chan struct{}
}

func (b *breaking) SaveResults(ctx context.Context, results []notice.Result) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.repaired {
		return b.Outbox.SaveResults(ctx, results)
	}
	b.broke <- struct{}{}
	return outboxtest.ErrDown
}

func TestAShiftEndsSoThatOthersCanTakeOver(t *testing.T) {
	b := newBench(t, time.Minute)
	b.Shift = 20 * time.Millisecond
	b.drain()
	require.NoError(t, b.end())
}

func TestAReceiverThatHangsDoesNotKeepAPartitionFromItsOthersAtTheEndOfAShift(t *testing.T) {
	t.Parallel()
	b := newBench(t, time.Minute)
	b.Shift = 200 * time.Millisecond
	release := make(chan struct{})
	hanging := newReceiver(t, func(string) int { <-release; return 200 })
	healthy := newReceiver(t, ok)
	b.outbox.Subscribe("h", hanging.URL, notice.Minutely)
	b.outbox.Subscribe("s", healthy.URL, notice.Minutely)
	b.outbox.Enqueue("h", 1, 1)
	b.drain()
	<-hanging.heard
	time.Sleep(2 * b.Shift) // the shift is over now
	b.outbox.Enqueue("s", 1, 1)
	b.await("sent", func() bool { return b.outbox.Count(notice.Sent) == 1 })
	close(release)
	require.NoError(t, b.end())
}

// deaf never tells of new work.
type deaf struct{ *outboxtest.Outbox }

func (deaf) Notifications(context.Context, int) <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestThePollFindsWhatNoNotificationToldOf(t *testing.T) {
	b := newBench(t, time.Minute)
	b.Poll = 20 * time.Millisecond
	b.Deliveries.Outbox = deaf{b.outbox}
	r := newReceiver(t, ok)
	b.outbox.Subscribe("s", r.URL, notice.Minutely)
	b.drain()
	b.outbox.Enqueue("s", 1, 1)
	b.await("sent", func() bool { return b.outbox.Count(notice.Sent) == 1 })
	b.finish()
}

func TestReconcileLooksAtEveryPartitionAndEveryRetryingLane(t *testing.T) {
	b := newBench(t, time.Minute)
	b.Partitions = 4
	for i := range 450 {
		lane := notice.Lane{Subscription: fmt.Sprintf("s%03d", i), TicketID: 1}
		b.outbox.Subscribe(lane.Subscription, "http://x.invalid", notice.Minutely)
		b.outbox.Enqueue(lane.Subscription, 1, 1)
		b.outbox.SetRetrying(lane, time.Now(), time.Now())
	}
	b.outbox.Redeliver("r-1")
	sum, err := b.Reconcile(t.Context())
	require.NoError(t, err)
	require.Equal(t, activities.Reconciled{Partitions: 4, Redeliveries: 1, Lanes: 450}, sum)
	require.Equal(t, []int{0, 1, 2, 3}, b.lanes.partitions)
	require.Len(t, b.lanes.ensured, 450)
}
