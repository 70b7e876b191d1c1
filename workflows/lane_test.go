package workflows

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"signalbox/activities"
	"signalbox/activities/outboxtest"
	"signalbox/notice"
)

var testLane = notice.Lane{Subscription: "s", TicketID: 1}

// laneBench runs a lane's workflow on the test clock, with its real activities and a real receiver.
type laneBench struct {
	*testsuite.TestWorkflowEnvironment
	t      *testing.T
	outbox *outboxtest.Outbox
	d      *activities.Deliveries
	url    string

	mu     sync.Mutex
	told   []told
	answer func(id string, n int) int // n: 1, 2, 3… of that delivery
}

type told struct {
	id string
	at time.Duration // since epoch
}

func newLaneBench(t *testing.T, profile string) *laneBench {
	b := &laneBench{t: t, outbox: outboxtest.New(), answer: func(string, int) int { return 200 }}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		id, n := r.Header.Get("webhook-id"), 1
		for _, earlier := range b.told {
			if earlier.id == id {
				n++
			}
		}
		b.told = append(b.told, told{id: id, at: b.Now().Sub(epoch)})
		if status := b.answer(id, n); status > 0 {
			w.WriteHeader(status)
			return
		}
		panic(http.ErrAbortHandler)
	}))
	server.Config.SetKeepAlivesEnabled(false) // a request on a connection that was kept, and dies, would be made again
	server.Start()
	t.Cleanup(server.Close)
	b.url = server.URL
	b.outbox.Subscribe(testLane.Subscription, server.URL, profile)
	b.fresh()
	return b
}

// fresh begins another run on the same outbox.
func (b *laneBench) fresh() {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	b.TestWorkflowEnvironment = suite.NewTestWorkflowEnvironment()
	b.SetStartTime(epoch)
	b.SetTestTimeout(time.Minute)
	b.RegisterWorkflow(Lane)
	b.d = &activities.Deliveries{Outbox: b.outbox, Now: b.Now, Log: slog.New(slog.DiscardHandler), Jitter: func() float64 { return 0 },
		Sender: activities.NewSender(activities.SenderOptions{Now: b.Now,
			Reach: notice.Reach{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})}
	b.RegisterActivity(b.d)
}

// enqueue adds that many deliveries in the retrying lane, the first of them with its first try still to come.
func (b *laneBench) enqueue(n int) {
	b.outbox.Enqueue(testLane.Subscription, testLane.TicketID, n)
	b.outbox.SetRetrying(testLane, time.Time{}, time.Time{})
}

func (b *laneBench) run() error {
	b.ExecuteWorkflow(Lane, LaneInput{Lane: testLane})
	require.True(b.t, b.IsWorkflowCompleted())
	return b.GetWorkflowError()
}

func (b *laneBench) heard() []told {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]told(nil), b.told...)
}

func every(interval time.Duration, from, to int, id string) []told {
	var out []told
	for i := from; i < to; i++ {
		out = append(out, told{id: id, at: time.Duration(i) * interval})
	}
	return out
}

func TestMinutelyMakesExactlyElevenTriesAMinuteApart(t *testing.T) {
	for failing := range 13 {
		t.Run(fmt.Sprint(failing, " failures"), func(t *testing.T) {
			b := newLaneBench(t, notice.Minutely)
			statuses := []int{500, 201, 204, 302, 0, 404}
			b.answer = func(_ string, n int) int {
				if n <= failing {
					return statuses[n%len(statuses)]
				}
				return 200
			}
			b.enqueue(1)
			require.NoError(t, b.run())
			require.Equal(t, every(time.Minute, 0, min(failing+1, 11), "s:1:1"), b.heard())
			require.Len(t, b.outbox.Attempts(), min(failing+1, 11))
			if failing < 11 {
				require.Equal(t, 1, b.outbox.Count(notice.Sent))
				require.Equal(t, notice.Active, b.outbox.Subscription("s").State)
			} else {
				require.Equal(t, 1, b.outbox.Count(notice.Failed))
				require.Equal(t, notice.Dropped, b.outbox.Subscription("s").State)
			}
			require.False(t, b.outbox.IsRetrying(testLane))
		})
	}
}

func TestALaneGoesOnWhereTheDrainLeftIt(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	b.answer = func(string, int) int { return 500 }
	b.outbox.Enqueue("s", 1, 3)
	b.outbox.SetRetrying(testLane, epoch.Add(-2*time.Second), epoch.Add(58*time.Second)) // two seconds have passed since the first try began
	require.NoError(t, b.run())
	var want []told
	for i := 1; i <= 10; i++ {
		want = append(want, told{id: "s:1:1", at: time.Duration(i)*time.Minute - 2*time.Second})
	}
	require.Equal(t, want, b.heard(), "ten more tries, all counted from the first")
	require.Equal(t, 1, b.outbox.Count(notice.Failed))
	require.Equal(t, 2, b.outbox.Count(notice.Held), "what waits behind is kept, and not sent")
	require.False(t, b.outbox.IsRetrying(testLane))
}

func TestALaneKeepsItsOrderWhileItsReceiverRecovers(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	b.answer = func(id string, n int) int {
		if id == "s:1:1" && n <= 3 || id == "s:1:3" && n == 1 {
			return 503
		}
		return 200
	}
	b.enqueue(3)
	b.RegisterDelayedCallback(func() { b.outbox.Enqueue("s", 1, 1) }, 90*time.Second)
	require.NoError(t, b.run())
	at := func(id string, minute int) told { return told{id: id, at: time.Duration(minute) * time.Minute} }
	require.Equal(t, []told{at("s:1:1", 0), at("s:1:1", 1), at("s:1:1", 2), at("s:1:1", 3), at("s:1:2", 3), at("s:1:3", 3), at("s:1:3", 4),
		at("s:1:4", 4)}, b.heard())
	require.Equal(t, 4, b.outbox.Count(notice.Sent))
	require.False(t, b.outbox.IsRetrying(testLane))
}

func TestNothingMoreIsSentAfterADeletion(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	b.answer = func(string, int) int { return 500 }
	b.enqueue(2)
	b.RegisterDelayedCallback(func() { b.outbox.Delete("s") }, 150*time.Second)
	require.NoError(t, b.run())
	require.Equal(t, every(time.Minute, 0, 3, "s:1:1"), b.heard())
	require.Equal(t, 2, b.outbox.Count(notice.Cancelled))
}

func TestStandardTriesFollowTheTable(t *testing.T) {
	b := newLaneBench(t, notice.Standard)
	b.answer = func(string, int) int { return 500 }
	b.enqueue(2)
	require.NoError(t, b.run())
	want, at := []told{{id: "s:1:1"}}, time.Duration(0)
	for _, wait := range notice.BuiltIn().Of(notice.Standard).Waits {
		at += wait
		want = append(want, told{id: "s:1:1", at: at})
	}
	require.Equal(t, want, b.heard()[:10])
	require.Len(t, b.heard(), 20, "a delivery that is given up does not stop the lane")
	require.Equal(t, 2, b.outbox.Count(notice.Failed))
	require.Equal(t, notice.Dropped, b.outbox.Subscription("s").State, "the second is given up after more than five days without a success")
}

func TestALaneOutlivesAnOutageOfTheDatabase(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	b.answer = func(_ string, n int) int {
		if n <= 2 {
			return 500
		}
		return 200
	}
	b.enqueue(1)
	b.RegisterDelayedCallback(func() { b.outbox.Break(true) }, 30*time.Second)
	b.RegisterDelayedCallback(func() { b.outbox.Break(false) }, 100*time.Second)
	require.NoError(t, b.run())
	require.Equal(t, 1, b.outbox.Count(notice.Sent))
	require.Len(t, b.heard(), 3)
	require.WithinRange(t, epoch.Add(b.heard()[1].at), epoch.Add(100*time.Second), epoch.Add(115*time.Second), "the try of the first minute is made once it can be")
}

// After eight tries a lane waits for a day. A database that is away for the moment in which the ninth is due costs it no day.
func TestAMomentWithoutADatabaseCostsALaneAMoment(t *testing.T) {
	b := newLaneBench(t, notice.Standard)
	b.answer = func(_ string, n int) int {
		if n <= 8 {
			return 500
		}
		return 200
	}
	due := time.Duration(0)
	for _, wait := range notice.BuiltIn().Of(notice.Standard).Waits[:8] {
		due += wait
	}
	b.enqueue(1)
	b.RegisterDelayedCallback(func() { b.SignalWorkflow(SignalRetrying, nil) }, due-time.Hour) // it looks anew, and finds eight made
	b.RegisterDelayedCallback(func() { b.outbox.Break(true) }, due-time.Second)
	b.RegisterDelayedCallback(func() { b.outbox.Break(false) }, due+time.Second)
	require.NoError(t, b.run())
	heard := b.heard()
	require.Len(t, heard, 9)
	require.Greater(t, heard[8].at, due+time.Second)
	require.LessOrEqual(t, heard[8].at, due+time.Minute)
	require.Equal(t, 1, b.outbox.Count(notice.Sent))
}

// However few tries are left, none of them is spent on failures of our own, and these do not follow one another at once.
func TestFailuresOfOurOwnAreNoTries(t *testing.T) {
	b := newLaneBench(t, notice.Once)
	b.enqueue(1)
	calls, real := 0, b.d.Deliver
	b.OnActivity(b.d.Deliver, mock.Anything, mock.Anything).Return(func(ctx context.Context, in activities.DeliverInput) (activities.Delivered, error) {
		if calls++; calls <= 20 {
			return activities.Delivered{}, outboxtest.ErrDown
		}
		return real(ctx, in)
	})
	require.NoError(t, b.run())
	require.Len(t, b.heard(), 1)
	require.GreaterOrEqual(t, b.heard()[0].at, 20*internalErrorBackoff)
}

// Where an address has a time-out of its own, an attempt has time for it, and otherwise what it had before there were any.
func TestAnAttemptHasTimeForItsTry(t *testing.T) {
	for limit, want := range map[time.Duration]time.Duration{0: TryTimeout, 80 * time.Second: 80 * time.Second} {
		b := newLaneBench(t, notice.Minutely)
		looks, had := 0, time.Duration(0)
		b.OnActivity(b.d.Next, mock.Anything, mock.Anything).Return(func(context.Context, notice.Lane) (activities.NextDelivery, error) {
			looks++
			return activities.NextDelivery{Found: looks == 1, Delivery: "d", Limit: limit}, nil
		})
		b.OnActivity(b.d.Deliver, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ activities.DeliverInput) (activities.Delivered, error) {
			had = activity.GetInfo(ctx).StartToCloseTimeout
			return activities.Delivered{State: notice.Sent}, nil
		})
		require.NoError(t, b.run())
		require.Equal(t, want, had)
	}
	d := activities.Deliveries{Outbox: outboxtest.New(), Now: time.Now}
	d.Outbox.(*outboxtest.Outbox).Subscribe("s", "https://example.com/", notice.Minutely)
	d.Outbox.(*outboxtest.Outbox).Enqueue("s", 1, 1)
	d.Outbox.(*outboxtest.Outbox).SetRetrying(testLane, time.Time{}, time.Time{})
	next, err := d.Next(t.Context(), testLane)
	require.NoError(t, err)
	require.Equal(t, TryTimeout, next.Limit)
}

func TestTriesLostWithAWorkerDoNotCount(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	b.answer = func(string, int) int { return 500 }
	b.enqueue(1)
	calls, real := 0, b.d.Deliver
	b.OnActivity(b.d.Deliver, mock.Anything, mock.Anything).Return(func(ctx context.Context, in activities.DeliverInput) (activities.Delivered, error) {
		calls++
		if calls == 3 || calls >= 5 && calls <= 14 { // a worker is lost; later one after the other, until the policy is exhausted
			return activities.Delivered{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		}
		return real(ctx, in)
	})
	require.NoError(t, b.run())
	require.Len(t, b.outbox.Attempts(), 11)
	require.Equal(t, notice.Dropped, b.outbox.Subscription("s").State)
	for i, heard := range b.heard()[1:] {
		require.GreaterOrEqual(t, heard.at-b.heard()[i].at, time.Minute-time.Second)
	}
}

func TestALaneRetryingAgainWhileItsWorkflowIsFinishingIsNotForgotten(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	b.enqueue(1)
	real := b.d.Next
	retrying := false
	b.OnActivity(b.d.Next, mock.Anything, mock.Anything).Return(func(ctx context.Context, lane notice.Lane) (activities.NextDelivery, error) {
		next, err := real(ctx, lane)
		if !next.Found && !retrying { // the drain's next try fails right after
			retrying = true
			b.enqueue(1)
			b.SignalWorkflow(SignalRetrying, nil)
		}
		return next, err
	})
	require.NoError(t, b.run())
	require.Equal(t, 2, b.outbox.Count(notice.Sent))
	require.False(t, b.outbox.IsRetrying(testLane))
}

// A subscription that is paused and resumed begins anew; its lane's workflow may still be waiting for the try that was to come before.
func TestALaneThatIsRetryingAnewDoesNotWaitForWhatWasPlannedBefore(t *testing.T) {
	for name, tries := range map[string]int{"between tries of an activity": 0, "for the first try of a run": 1} {
		t.Run(name, func(t *testing.T) {
			b := newLaneBench(t, notice.Standard)
			b.enqueue(1)
			if tries > 0 {
				b.outbox.SetRetrying(testLane, epoch, epoch.Add(14*time.Hour))
			}
			b.answer = func(string, int) int { return 500 }
			b.RegisterDelayedCallback(func() {
				b.mu.Lock()
				b.answer = func(string, int) int { return 200 }
				b.mu.Unlock()
				b.outbox.SetRetrying(testLane, b.Now(), b.Now().Add(5*time.Second))
				b.SignalWorkflow(SignalRetrying, nil)
			}, time.Minute)
			require.NoError(t, b.run())
			heard := b.heard()
			require.Equal(t, 65*time.Second, heard[len(heard)-1].at)
			require.Equal(t, 1, b.outbox.Count(notice.Sent))
			require.False(t, b.outbox.IsRetrying(testLane))
		})
	}
}

func TestALongLaneRollsOver(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	b.enqueue(deliveriesPerRun + 10)
	require.ErrorContains(t, b.run(), "continue as new")
	require.Equal(t, deliveriesPerRun, b.outbox.Count(notice.Sent))
	b.fresh()
	require.NoError(t, b.run())
	require.Equal(t, deliveriesPerRun+10, b.outbox.Count(notice.Sent))
	require.Len(t, b.heard(), deliveriesPerRun+10)
}

func TestAnEmptyLaneIsOverAtOnce(t *testing.T) {
	b := newLaneBench(t, notice.Minutely)
	require.NoError(t, b.run())
	require.Empty(t, b.heard())
}
