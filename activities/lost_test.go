package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"signalbox/activities"
	"signalbox/activities/outboxtest"
	"signalbox/notice"
)

// left is what an attempt at Deliver leaves to the next.
type left struct {
	Delivery string
	Made     int
	Due      time.Time
	Answer   activities.Answer
	Over     bool
}

// deliver makes an attempt at Deliver as Temporal does, after one that left something, and gives all that it leaves itself.
func (b *bench) deliver(ctx context.Context, in activities.DeliverInput, before *left) (out activities.Delivered, leaves []left, err error) {
	b.t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.Deliveries)
	kept := &keeping{}
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx, Interceptors: []interceptor.WorkerInterceptor{kept}})
	if before != nil {
		env.SetHeartbeatDetails(*before)
	}
	value, err := env.ExecuteActivity(b.Deliver, in)
	if err == nil {
		require.NoError(b.t, value.Get(&out))
	}
	for _, details := range kept.details {
		raw, err := json.Marshal(details)
		require.NoError(b.t, err)
		var l left
		require.NoError(b.t, json.Unmarshal(raw, &l))
		leaves = append(leaves, l)
	}
	return out, leaves, err
}

// keeping keeps what an activity gives with its signs of life.
type keeping struct {
	interceptor.WorkerInterceptorBase
	interceptor.ActivityInboundInterceptorBase
	interceptor.ActivityOutboundInterceptorBase
	details []any
}

func (k *keeping) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	k.ActivityInboundInterceptorBase.Next = next
	return k
}

func (k *keeping) Init(out interceptor.ActivityOutboundInterceptor) error {
	k.ActivityOutboundInterceptorBase.Next = out
	return k.ActivityInboundInterceptorBase.Init(&recording{k})
}

func (k *keeping) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	return k.ActivityInboundInterceptorBase.Next.ExecuteActivity(ctx, in)
}

type recording struct{ *keeping }

func (r *recording) RecordHeartbeat(ctx context.Context, details ...any) {
	r.details = append(r.details, details...)
	r.ActivityOutboundInterceptorBase.Next.RecordHeartbeat(ctx, details...)
}

// lane has an address with one delivery in a retrying lane.
func (b *bench) lane(url, profile string) activities.DeliverInput {
	b.outbox.Subscribe("s", url, profile)
	b.outbox.Enqueue("s", 1, 1)
	lane := notice.Lane{Subscription: "s", TicketID: 1}
	b.outbox.SetRetrying(lane, time.Time{}, time.Time{})
	return activities.DeliverInput{Lane: lane, Delivery: "s:1:1"}
}

func isFailedTry(t *testing.T, err error) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, activities.TypeFailedTry, app.Type())
}

// A process can die at any moment of a try. Whatever it is that kills it, a round has no more tries than its profile says.
func TestATryThatWasLostWithItsProcessIsATry(t *testing.T) {
	for profile, most := range map[string]int{notice.Minutely: 11, notice.Standard: 10, notice.Once: 2} {
		t.Run(profile, func(t *testing.T) {
			b := newBench(t, 20*time.Second)
			r := newReceiver(t, func(string) int { return 404 }) // its host lives
			in := b.lane(r.URL, profile)
			broken := &breaking{Outbox: b.outbox, broke: make(chan struct{}, 100)}
			b.Deliveries.Outbox = broken // nothing of a try is saved by the attempt that makes it
			for range 3 * most {
				ctx, die := context.WithCancel(t.Context())
				go func() { // it dies while it holds what it cannot write down
					select {
					case <-broken.broke:
						die()
					case <-ctx.Done():
					}
				}()
				broken.mu.Lock()
				broken.repaired = false
				broken.mu.Unlock()
				_, leaves, err := b.deliver(ctx, in, nil)
				die()
				require.Error(t, err)
				require.NotEmpty(t, leaves)
				require.False(t, leaves[0].Over)
				require.Zero(t, leaves[0].Answer.Attempt.Status, "it was left before there was an answer")
				broken.mu.Lock()
				broken.repaired = true
				broken.mu.Unlock()
				before := len(r.all())
				out, _, err := b.deliver(t.Context(), in, &leaves[0])
				require.Len(t, r.all(), before, "it writes the earlier try down, and makes none")
				if err == nil {
					require.Equal(t, notice.Failed, out.State)
					require.Empty(t, out.Dropped, "which is not the fault of its address")
					break
				}
				isFailedTry(t, err)
			}
			require.Len(t, r.all(), most)
			require.Len(t, b.outbox.Attempts(), most)
			require.Equal(t, 1, b.outbox.Count(notice.Failed))
			require.Equal(t, notice.Active, b.outbox.Subscription("s").State)
			for _, a := range b.outbox.Attempts() {
				require.Equal(t, notice.ErrorLost, a.Class)
			}
		})
	}
}

func TestATryThatCouldNotBeSavedIsNotMadeAgain(t *testing.T) {
	b := newBench(t, 20*time.Second)
	r := newReceiver(t, ok)
	in := b.lane(r.URL, notice.Minutely)
	broken := &breaking{Outbox: b.outbox, broke: make(chan struct{}, 100)}
	b.Deliveries.Outbox = broken
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-broken.broke; cancel() }()
	_, leaves, err := b.deliver(ctx, in, nil)
	require.Error(t, err)
	last := leaves[len(leaves)-1]
	require.True(t, last.Over)
	require.Equal(t, 200, last.Answer.Attempt.Status)

	broken.repaired = true
	out, leaves, err := b.deliver(t.Context(), in, &last)
	require.NoError(t, err)
	require.Equal(t, notice.Sent, out.State)
	require.Empty(t, leaves)
	require.Len(t, r.all(), 1)
	require.Len(t, b.outbox.Attempts(), 1)
	require.True(t, last.Answer.Attempt.StartedAt.Equal(b.outbox.Attempts()[0].StartedAt))
}

// What was left says something about the very try that would be made, and about no other.
func TestWhatWasLeftOfAnotherTryIsNoTry(t *testing.T) {
	for name, change := range map[string]func(*left){
		"delivery": func(l *left) { l.Delivery = "s:1:2" },
		"number":   func(l *left) { l.Made = 1 },
		"round":    func(l *left) { l.Due = l.Due.Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 20*time.Second)
			r := newReceiver(t, ok)
			in := b.lane(r.URL, notice.Minutely)
			l := left{Delivery: "s:1:1"}
			change(&l)
			out, _, err := b.deliver(t.Context(), in, &l)
			require.NoError(t, err)
			require.Equal(t, notice.Sent, out.State)
			require.Len(t, r.all(), 1)
		})
	}
}

// away is a database that answers nobody.
type away struct {
	*outboxtest.Outbox
	until time.Time // for how long an answer was waited for
}

func (a *away) Next(ctx context.Context, _ notice.Lane) (notice.Work, bool, error) {
	a.until, _ = ctx.Deadline()
	<-ctx.Done()
	return notice.Work{}, false, ctx.Err()
}

// The policy's interval is the whole wait of the delivery's profile, up to a day.
func TestWhatFailsByUsIsAskedAgainSoon(t *testing.T) {
	for name, fail := range map[string]func(*testing.T, *bench) (check func(end time.Time)){
		"the database is down": func(_ *testing.T, b *bench) func(time.Time) {
			b.outbox.Break(true)
			return nil
		},
		"the database answers nobody": func(t *testing.T, b *bench) func(time.Time) {
			hangs := &away{Outbox: b.outbox}
			b.Deliveries.Outbox = hangs
			return func(end time.Time) {
				require.Equal(t, end.Add(-activities.ReportTime), hangs.until, "what is not told in time is up to the policy")
			}
		},
		"a try cannot be saved": func(t *testing.T, b *bench) func(time.Time) {
			b.Deliveries.Outbox = &breaking{Outbox: b.outbox, broke: make(chan struct{}, 100)}
			return nil
		},
		"it cannot be saved that a try is put off": func(t *testing.T, b *bench) func(time.Time) {
			b.outbox.Subscribe("once", b.outbox.Subscription("s").URL, notice.Once)
			for i := range int64(10) { // with the last of which the breaker opens
				b.outbox.Enqueue("once", i, 1)
				lane := notice.Lane{Subscription: "once", TicketID: i}
				b.outbox.SetRetrying(lane, time.Time{}, time.Time{})
				_, err := b.Deliver(t.Context(), activities.DeliverInput{Lane: lane, Delivery: fmt.Sprintf("once:%d:1", i)})
				require.NoError(t, err)
			}
			require.Len(t, b.Hosts.Open(), 1)
			b.Deliveries.Outbox = &breaking{Outbox: b.outbox, broke: make(chan struct{}, 100)}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 20*time.Second)
			b.Hosts = &activities.Hosts{Now: time.Now}
			in := b.lane(newReceiver(t, func(string) int { return 500 }).URL, notice.Standard)
			check := fail(t, b)
			ctx, cancel := context.WithTimeout(t.Context(), activities.ReportTime+time.Second)
			defer cancel()
			_, err := b.Deliver(ctx, in)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.NotEqual(t, activities.TypePutOff, app.Type())
			require.NotEqual(t, activities.TypeFailedTry, app.Type())
			require.Equal(t, 10*time.Second, app.NextRetryDelay())
			if check != nil {
				end, _ := ctx.Deadline()
				check(end)
			}
		})
	}
}

func TestATryThatIsBrokenOffIsWrittenDown(t *testing.T) {
	b := newBench(t, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	r := newReceiver(t, func(string) int { cancel(); select {} })
	in := b.lane(r.URL, notice.Minutely)
	_, _, err := b.deliver(ctx, in, nil)
	require.Error(t, err)
	require.Len(t, b.outbox.Attempts(), 1)
	require.Equal(t, notice.ErrorLost, b.outbox.Attempts()[0].Class)
	require.Equal(t, 1, b.outbox.Deliveries()[0].Tries)
}

// A drain that was lost may have been taken down by what it was just telling. The one after it writes its tries down before it makes them, so that the
// third knows.
func TestAFirstTryThatTakesItsProcessDownIsNotMadeForEver(t *testing.T) {
	t.Parallel()
	outbox := outboxtest.New()
	outbox.Now = time.Now
	release := make(chan struct{})
	r := newReceiver(t, func(string) int { <-release; return 200 })
	outbox.Subscribe("s", r.URL, notice.Minutely)
	outbox.Enqueue("s", 1, 2)
	next := func(left ...any) *bench {
		b := newBench(t, 20*time.Second)
		b.outbox, b.Deliveries.Outbox = outbox, outbox
		b.drain(left...)
		return b
	}
	die := func(b *bench) { // it writes nothing down any more
		outbox.Break(true)
		b.cancel()
		require.Error(t, b.end())
		outbox.Break(false)
	}
	first := next()
	require.Equal(t, "s:1:1", <-r.heard)
	require.Nil(t, outbox.Deliveries()[0].FirstTry, "usually that would cost too much")
	die(first)

	second := next(time.Now())
	require.Equal(t, "s:1:1", <-r.heard)
	begun := outbox.Deliveries()[0]
	require.NotNil(t, begun.FirstTry)
	require.Equal(t, notice.Pending, begun.State)
	outbox.Enqueue("s", 2, 1)
	require.Equal(t, "s:2:1", <-r.heard)
	require.Nil(t, outbox.Deliveries()[2].FirstTry, "it is newer than the one that was lost")
	die(second)
	require.Empty(t, outbox.Attempts())

	third := next(time.Now())
	third.await("the lane is left to its workflow", func() bool { return outbox.Count(notice.Retrying) == 2 })
	require.Equal(t, "s:2:1", <-r.heard, "which is made once more")
	close(release)
	third.await("sent", func() bool { return outbox.Count(notice.Sent) == 1 })
	third.finish()
	require.Equal(t, []string{"s:1:1", "s:1:1", "s:2:1", "s:2:1"}, r.all(), "the third made no try at what took the two before it down")
	for _, a := range outbox.Attempts() {
		if a.DeliveryID == "s:1:1" {
			require.Equal(t, notice.ErrorLost, a.Class)
			require.True(t, begun.FirstTry.Equal(a.StartedAt))
		}
	}
	require.Equal(t, 1, outbox.Deliveries()[0].Tries)
}

// hanging is an outbox one of whose calls never comes back, whatever its context says.
type hanging struct {
	*outboxtest.Outbox
	in   string
	come chan struct{} // closed when it hangs
	once sync.Once
	stop chan struct{}
}

func (h *hanging) hang(in string) {
	if in == h.in {
		h.once.Do(func() { close(h.come) })
		<-h.stop
	}
}

func (h *hanging) Pending(ctx context.Context, partition int, busy []notice.Lane, limit int, origins ...string) ([]notice.Work, error) {
	h.hang("pending")
	return h.Outbox.Pending(ctx, partition, busy, limit, origins...)
}

func (h *hanging) SaveResults(ctx context.Context, results []notice.Result) error {
	h.hang("save")
	return h.Outbox.SaveResults(ctx, results)
}

func (h *hanging) Next(ctx context.Context, lane notice.Lane) (notice.Work, bool, error) {
	h.hang("next")
	return h.Outbox.Next(ctx, lane)
}

func newHanging(t *testing.T, b *bench, in string) *hanging {
	h := &hanging{Outbox: b.outbox, in: in, come: make(chan struct{}), stop: make(chan struct{})}
	t.Cleanup(func() { close(h.stop) })
	b.Deliveries.Outbox = h
	return h
}

func TestADrainThatMakesNoProgressIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"pending", "save"} {
		t.Run(in, func(t *testing.T) {
			b := newBench(t, 20*time.Second)
			registry := prometheus.NewRegistry()
			b.Meter = activities.NewMeter(registry, nil, nil)
			r := newReceiver(t, ok)
			b.outbox.Subscribe("s", r.URL, notice.Minutely)
			b.outbox.Enqueue("s", 1, 1)
			h := newHanging(t, b, in)
			b.Patience = 300 * time.Millisecond
			b.drain()
			<-h.come
			require.Error(t, b.end())
			require.Equal(t, map[string]float64{"drain": 1, "lane": 0, "try": 0, "call": 0}, counted(t, registry, "signalbox_delivery_stalls_total"))

			next := newBench(t, 20*time.Second)
			next.outbox, next.Deliveries.Outbox = b.outbox, b.outbox
			next.drain(time.Now())
			next.await("others go on", func() bool { return b.outbox.Count(notice.Sent) == 1 })
			next.finish()
		})
	}
}

// However little there is to do, a drain shows that it is alive.
func TestADrainThatHasNothingToDoIsNotGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, time.Minute)
	b.Patience = 300 * time.Millisecond
	b.Shift = time.Second
	b.drain()
	require.NoError(t, b.end())
}

func TestALaneThatMakesNoProgressIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, 20*time.Second)
	registry := prometheus.NewRegistry()
	b.Meter = activities.NewMeter(registry, nil, nil)
	in := b.lane("http://x.invalid", notice.Minutely)
	newHanging(t, b, "next")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := b.Deliver(ctx, in)
	require.Error(t, err)
	require.Equal(t, map[string]float64{"drain": 0, "lane": 1, "try": 0, "call": 0}, counted(t, registry, "signalbox_delivery_stalls_total"))
}

// Somebody may want the next try now just when the process that makes it is lost.
func TestATryThatWasLostIsWrittenDownAlsoWhenTheNextIsWantedNow(t *testing.T) {
	b := newBench(t, 20*time.Second)
	r := newReceiver(t, func(string) int { return 404 })
	in := b.lane(r.URL, notice.Minutely)
	first := time.Now().Add(-2 * time.Minute)
	b.outbox.SetRetrying(in.Lane, first, first.Add(time.Minute))
	broken := &breaking{Outbox: b.outbox, broke: make(chan struct{}, 100)}
	b.Deliveries.Outbox = broken
	ctx, die := context.WithCancel(t.Context())
	go func() { <-broken.broke; die() }()
	_, leaves, err := b.deliver(ctx, in, nil)
	require.Error(t, err)

	b.outbox.SetRetrying(in.Lane, first, time.Now()) // as that puts it
	broken.repaired = true
	_, _, err = b.deliver(t.Context(), in, &leaves[0])
	isFailedTry(t, err)
	require.Len(t, r.all(), 1, "it writes the earlier try down, and makes none")
	require.Len(t, b.outbox.Attempts(), 1)
	require.Equal(t, notice.ErrorLost, b.outbox.Attempts()[0].Class)
}
