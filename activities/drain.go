package activities

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/sethvargo/go-retry"
	"go.temporal.io/sdk/activity"

	"signalbox/internal/tracing"
	"signalbox/notice"
)

// DrainInput names a partition.
type DrainInput struct {
	Partition int `json:"partition"`
}

// HeartbeatTimeout is how long a drain may be silent before its worker counts as lost.
const HeartbeatTimeout = 10 * time.Second

const (
	// chunk is how many pending deliveries are read at once, at most: as many as there are slots for, and leastPage where there are fewer, since some may
	// have to wait for their host. Little time passes before they are sent, so a deletion takes effect.
	chunk     = 128
	leastPage = 16
	// maxDeferred bounds how many lanes of a partition are remembered as waiting for their host. From deferredPerHost lanes of one host on, its others
	// are not even listed.
	maxDeferred     = 1000
	deferredPerHost = 8
	// A try that has been under way for slowAfter no longer counts against Concurrency, and another may begin in its place. All tries of a partition
	// together, slow ones included, are never more than overflow times Concurrency. So slow receivers do not delay others, however many they are.
	slowAfter = time.Second
	overflow  = 4
	// gather is how long results wait for others to be written down with, while some are still to come.
	gather   = 3 * time.Millisecond
	maxBatch = 100
	// A database that does not answer is asked again after faultWait, then twice that, up to maxFaultWait.
	faultWait    = 200 * time.Millisecond
	maxFaultWait = 5 * time.Second
	outboxLimit  = 10 * time.Second
	// FlushTimeout bounds saving what is finished after the drain's context has ended.
	FlushTimeout = 3 * time.Second
	startLimit   = 10 * time.Second
	startsOnce   = 8
	// overrun is how many times its length a shift that is over may still go on while there is no moment at which nothing is under way.
	overrun = 5
)

// Drain makes the first try of all that is pending in a partition, for as long as its shift lasts: many lanes at once, in order and one
// under way within a lane. A lane whose try failed is retrying and left to its own workflow. When the worker stops, Drain finishes what is
// under way; when its context ends it breaks that off, and in both cases writes every try down. One that shows no sign of life for as long as Patience is
// given up, so that another can begin.
func (d *Deliveries) Drain(ctx context.Context, in DrainInput) error {
	// Apart from the work: a drain that waits for its database must not lose its partition, for it holds results not yet written down.
	began := d.Now()
	careful := activity.HasHeartbeatDetails(ctx) // those of one that did not come to its end
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	beating := ctx
	go func() {
		for ticker := time.NewTicker(HeartbeatTimeout / 5); ; {
			activity.RecordHeartbeat(beating, began)
			select {
			case <-beating.Done():
				ticker.Stop()
				return
			case <-ticker.C:
			}
		}
	}()
	s := &shift{Deliveries: d, partition: in.Partition, busy: map[notice.Lane]bool{}, deferred: map[notice.Lane]string{}, capacity: newWaiter(),
		inFlight: map[*flight]bool{}, spans: map[notice.Lane]tracing.Span{}, landings: make(chan landing, overflow*d.concurrency()), late: make(chan *flight), done: make(chan struct{}),
		starts: make(chan struct{}, startsOnce), backoff: faultBackoff(), began: began, careful: careful}
	defer d.hosts().forget(s.capacity)
	defer close(s.done)
	ended, err := supervise(d.patience(), func(alive func()) error {
		s.alive = alive
		return s.run(ctx, activity.GetWorkerStopChannel(ctx))
	})
	if err != nil {
		d.stalled(ctx, stalledDrain, "partition", in.Partition)
		return err
	}
	return ended
}

// shift is one run of Drain. Only its own goroutine touches its fields; tries report to it by the channel landings.
type shift struct {
	*Deliveries
	partition int

	busy     map[notice.Lane]bool   // a try is under way, or made and not written down: in the outbox it is still pending
	deferred map[notice.Lane]string // passed over because their host has its share of tries already; with that host
	capacity *waiter                // tells when a host has capacity again
	inFlight map[*flight]bool       // tries under way
	slow     int                    // of them, slow ones
	landings chan landing
	late     chan *flight                 // became slow
	done     chan struct{}                // closed at the end
	batch    []notice.Result              // made or put off, not written down
	spans    map[notice.Lane]tracing.Span // of those that are traced

	look    bool             // there may be something pending that was not read yet
	over    bool             // the shift is over; it ends at the first moment at which nothing is under way
	leaving bool             // nothing new is begun
	again   <-chan time.Time // not nil: the outbox failed, and is asked again then
	backoff retry.Backoff    // of the outbox since it last answered

	began   time.Time
	careful bool   // the drain before this one was lost
	alive   func() // gives a sign of life

	starts   chan struct{} // limits how many lanes are started at once
	starting sync.WaitGroup
}

func (s *shift) run(ctx context.Context, stop <-chan struct{}) error {
	defer s.starting.Wait()
	defer s.endSpans()
	over := time.NewTimer(s.shiftLength())
	defer over.Stop()
	poll := time.NewTicker(s.pollInterval())
	defer poll.Stop()
	pulse := time.NewTicker(s.patience() / 4)
	defer pulse.Stop()
	notified := s.Outbox.Notifications(ctx, s.partition)
	s.look = true
	for {
		s.alive()
		if s.look && !s.leaving && s.again == nil {
			s.beginTries(ctx)
		}
		if len(s.batch) > 0 && s.again == nil { // put off: there is nothing to wait for
			s.write(ctx)
			continue
		}
		if (s.leaving || s.over) && len(s.inFlight) == 0 && len(s.batch) == 0 {
			return nil
		}
		select {
		case <-pulse.C:
		case l := <-s.landings:
			s.land(ctx, l)
			s.gather(ctx)
		case f := <-s.late:
			if s.inFlight[f] {
				f.slow, s.look = true, true
				s.slow++
			}
		case <-s.capacity.C:
			s.capacityFreed()
		case _, ok := <-notified:
			s.look = true
			if !ok {
				notified = nil // the poll remains
			}
		case <-poll.C:
			s.look = true
		case <-s.again:
			s.again = nil
		case <-over.C:
			// Leaving waits for what is under way, and nothing new is begun meanwhile. So it is put off to a quiet moment, but not for ever.
			s.leaving, s.over = s.over, true
			over.Reset(overrun * s.shiftLength())
		case <-stop:
			s.leaving, stop = true, nil
		case <-ctx.Done():
			return s.abandon(ctx)
		}
		if len(s.batch) > 0 && s.again == nil {
			s.write(ctx)
		}
	}
}

// write writes down what has landed. Only then its lanes go on, so that within a lane nothing is sent before what happened earlier is known
// to be settled.
func (s *shift) write(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, outboxLimit)
	defer cancel()
	if err := s.Outbox.SaveResults(limited, s.batch); err != nil {
		s.fault(ctx, err)
		return false
	}
	s.backoff = faultBackoff()
	for _, r := range s.batch {
		lane := r.Work.Delivery.Lane
		delete(s.busy, lane)
		span := s.spans[lane]
		delete(s.spans, lane)
		s.tell(span.In(ctx), r)
		span.End()
		if r.Then == notice.Retrying {
			s.startLane(ctx, lane, r.NextTry.Sub(s.Now()))
		}
	}
	s.batch, s.look = nil, true
	return true
}

// startLane starts the workflow of a lane that is retrying. What fails here the sweep makes good.
func (s *shift) startLane(ctx context.Context, lane notice.Lane, wait time.Duration) {
	s.starting.Go(func() {
		s.starts <- struct{}{}
		defer func() { <-s.starts }()
		defer s.alive()
		ctx, cancel := context.WithTimeout(ctx, startLimit)
		defer cancel()
		if err := s.Lanes.Start(ctx, lane, wait); err != nil {
			s.log().WarnContext(ctx, "lane.start_failed", "subscription", lane.Subscription, "ticket_id", lane.TicketID, "error", err)
		}
	})
}

// endSpans ends those of tries that could not be written down.
func (s *shift) endSpans() {
	for _, span := range s.spans {
		span.Fail("unsaved")
		span.End()
	}
}

func (s *shift) fault(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.log().WarnContext(ctx, "delivery.outbox_failed", "partition", s.partition, "unwritten", len(s.batch), "error", err)
	wait, _ := s.backoff.Next() // never stops
	s.again = time.After(wait)
}

// abandon breaks off what is under way and writes every try down. What was broken off is lost.
func (s *shift) abandon(ctx context.Context) error {
	for len(s.inFlight) > 0 {
		s.land(ctx, <-s.landings)
	}
	if len(s.batch) == 0 {
		return ctx.Err()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), FlushTimeout)
	defer cancel()
	defer s.starting.Wait() // before last is cancelled: they go by it
	for !s.write(last) {
		select {
		case <-s.again:
		case <-last.Done():
			s.log().ErrorContext(ctx, "delivery.results_lost", "partition", s.partition, "results", len(s.batch))
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (d *Deliveries) concurrency() int { return cmp.Or(d.Concurrency, 64) }

func (d *Deliveries) patience() time.Duration { return cmp.Or(d.Patience, stallPatience) }

func (d *Deliveries) pollInterval() time.Duration { return cmp.Or(d.Poll, 5*time.Second) }

func (d *Deliveries) shiftLength() time.Duration { return cmp.Or(d.Shift, 10*time.Minute) }
