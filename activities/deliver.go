package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sethvargo/go-retry"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"signalbox/internal/tracing"
	"signalbox/notice"
)

// Deliveries is what the workflows around deliveries have done for them. Workflows name its methods by typed reference on a nil pointer.
// Outbox, Sender, Lanes and Now are required, for CallService Secrets too; the zero value of the rest means its default.
type Deliveries struct {
	Outbox      Outbox
	Sender      *Sender
	Secrets     Secrets // that requests of processes are signed with
	Lanes       Lanes
	Profiles    notice.Profiles // default: as the contracts have them
	Partitions  int             // how many there are; Reconcile keeps a workflow running for each
	Concurrency int             // deliveries of one partition under way at the same time, but for those to slow receivers; default 64
	Hosts       *Hosts          // shared by all that deliver in this process; default: one of its own
	Meter       *Meter          // counts what is delivered and what is not; default: nothing is counted
	Poll        time.Duration   // how often a drain looks for work that no notification told of; default 5 s
	Shift       time.Duration   // how long one drain goes on before another worker may take over; see overrun; default 10 min
	Now         func() time.Time
	Patience    time.Duration   // how long a drain may show no sign of life before it is given up; default 1 min
	Log         *slog.Logger    // default: slog's
	Jitter      func() float64  // between -1 and 1; default: random
	Tracer      *tracing.Tracer // nil: nothing is traced

	once sync.Once // guards Hosts
}

// Lanes starts the workflows in which deliveries are made.
type Lanes interface {
	// Start has the workflow of a lane that was retrying a moment ago go on with it, even if that workflow is just finishing. There is nothing to
	// be done before the wait is over, unless the workflow runs already.
	Start(ctx context.Context, lane notice.Lane, wait time.Duration) error
	// Ensure starts the workflows of those retrying lanes that have none running, and says how many.
	Ensure(ctx context.Context, lanes []notice.Lane) (int, error)
	// EnsurePartitions does the same for partitions.
	EnsurePartitions(ctx context.Context, partitions []int) (int, error)
	// EnsureRedeliveries does the same for redeliveries.
	EnsureRedeliveries(ctx context.Context, redeliveries []string) (int, error)
}

// NextDelivery is what a lane's workflow needs to know of the delivery that is next.
type NextDelivery struct {
	Found    bool          `json:"found"` // false: the lane is empty, and retrying no longer
	Delivery string        `json:"delivery,omitempty"`
	Kind     string        `json:"kind,omitempty"`
	Host     string        `json:"host,omitempty"`
	Made     int           `json:"made,omitempty"`  // tries made in this round
	Tries    int           `json:"tries,omitempty"` // that a round has
	Wait     time.Duration `json:"wait,omitempty"`  // of the profile, before the try after the next
	NextTry  *time.Time    `json:"next_try,omitempty"`
	Limit    time.Duration `json:"limit,omitempty"` // within which a try is over and written down
}

// Next asks what a retrying lane goes on with.
func (d *Deliveries) Next(ctx context.Context, lane notice.Lane) (NextDelivery, error) {
	w, found, err := d.Outbox.Next(ctx, lane)
	if err != nil || !found {
		return NextDelivery{}, err
	}
	p := d.profile(w)
	out := NextDelivery{Found: true, Delivery: w.Delivery.ID, Kind: w.Delivery.Type, Host: host(w), Made: w.Delivery.Tries, Tries: p.Tries(),
		NextTry: w.Delivery.NextTry, Limit: w.Subscription.TryLimit()}
	if w.Delivery.Tries < len(p.Waits) {
		out.Wait = p.Waits[w.Delivery.Tries]
	}
	return out, nil
}

// DeliverInput names the delivery that is next in a lane.
type DeliverInput struct {
	Lane     notice.Lane `json:"lane"`
	Delivery string      `json:"delivery"`
}

// Delivered is how a delivery came out: Sent or Failed, or empty when it is not the lane's next any more.
type Delivered struct {
	State   notice.DeliveryState `json:"state,omitempty"`
	Dropped string               `json:"dropped,omitempty"` // why its address was dropped
}

// TypeFailedTry is the type of the error by which Deliver asks to be called again for the next try.
const TypeFailedTry = "failed_try"

// Deliver makes one try at the next delivery of a retrying lane and writes it down. After a failed try that others follow it fails itself, and
// says when it wants to be called again; giving up is a result, not an error. After a failure of ours it wants to be called again soon.
//
// A try that was begun is written down whatever ends it: what is known of it goes along with the signs of life of the activity, and the attempt that follows
// one that was lost, or could not write it down, does so before anything else.
func (d *Deliveries) Deliver(ctx context.Context, in DeliverInput) (Delivered, error) {
	patience := notice.TryLimit
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end) // when Temporal gives it up as well
	}
	type outcome struct {
		Delivered
		error
	}
	o, err := supervise(patience, func(func()) outcome {
		out, err := d.deliver(ctx, in)
		return outcome{out, err}
	})
	if err != nil {
		d.stalled(ctx, stalledLane, "subscription", in.Lane.Subscription, "ticket_id", in.Lane.TicketID, "delivery", in.Delivery)
		return Delivered{}, askAgain(err)
	}
	return o.Delivered, askAgain(o.error)
}

// faultAgain is how long a lane rests after a failure of ours, such as a database that does not answer.
const faultAgain = 10 * time.Second

// askAgain has Deliver called again after faultAgain where an error does not say itself when. The interval of its policy is the wait of the delivery's profile,
// which may be a day.
func askAgain(err error) error {
	var app *temporal.ApplicationError
	if err == nil || errors.As(err, &app) {
		return err
	}
	return temporal.NewApplicationErrorWithOptions("a failure of ours", "fault_of_ours", temporal.ApplicationErrorOptions{Cause: err, NextRetryDelay: faultAgain})
}

// noted is what an attempt at Deliver leaves to the next: a try that was begun, and when it is over what came of it.
type noted struct {
	Delivery string
	Made     int       // tries before it in its round
	Due      time.Time // when the round began, or where that is still to come the first try was due: by which it is told from one of another round
	Answer   Answer    // while it is under way nothing but when it started
	Over     bool
}

// earlier gives what an attempt before this one left of the very try that would be made now.
func earlier(ctx context.Context, now noted) (noted, bool) {
	var left noted
	if !activity.IsActivity(ctx) || !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &left) != nil {
		return now, false
	}
	if left.Delivery != now.Delivery || left.Made != now.Made || !left.Due.Equal(now.Due) {
		return now, false
	}
	return left, true
}

// leave has the next attempt know of a try.
func (n noted) leave(ctx context.Context) {
	if activity.IsActivity(ctx) {
		activity.RecordHeartbeat(ctx, n)
	}
}

func (d *Deliveries) deliver(ctx context.Context, in DeliverInput) (Delivered, error) {
	asking, cancel := reportable(ctx)
	defer cancel()
	// Read right before sending: it may have been deleted while we waited.
	w, found, err := d.Outbox.Next(asking, in.Lane)
	if err != nil {
		return Delivered{}, fmt.Errorf("read the next delivery: %w", err)
	}
	if !found || w.Delivery.ID != in.Delivery {
		return Delivered{}, nil
	}
	round := w.DueAt()
	if w.Delivery.FirstTry != nil { // when the next is due may change meanwhile: somebody may want it now
		round = *w.Delivery.FirstTry
	}
	try, found := earlier(ctx, noted{Delivery: w.Delivery.ID, Made: w.Delivery.Tries, Due: round})
	opened := false
	var span tracing.Span
	switch {
	case found && !try.Over:
		try.Answer.Attempt = notice.Lost(w.Delivery.ID, try.Answer.Attempt.StartedAt, d.Now())
	case !found:
		permit, wait := d.enter(w)
		if permit == nil {
			return Delivered{}, d.deferTry(asking, w, wait)
		}
		try.Answer.Attempt.StartedAt = d.Now()
		try.leave(ctx)
		if ctx.Err() != nil { // which is heard of by the sign of life
			permit.release(nothing)
			return Delivered{}, ctx.Err()
		}
		if end, ok := ctx.Deadline(); ok { // its time-out may have become longer since the lane's workflow heard of it
			w.Subscription.Timeout = min(w.Subscription.Timeout, time.Until(end)-notice.TryLimit+SendTimeout)
		}
		ctx, span = d.follow(ctx, w, "retry")
		defer span.End()
		try.Answer, opened = d.attempt(ctx, w, permit, try.Answer.Attempt.StartedAt)
	}
	result := d.conclude(ctx, w, try.Answer)
	span.Text(tracing.Then, string(result.Then))
	result.BreakerOpened = opened
	saving, done := savingContext(ctx)
	defer done()
	if err := d.saveResult(saving, result); err != nil {
		try.Over = true
		try.leave(ctx)
		return Delivered{}, fmt.Errorf("save the try: %w", err)
	}
	if result.Then == notice.Retrying {
		return Delivered{}, temporal.NewApplicationErrorWithOptions(result.Attempt.Error, TypeFailedTry, temporal.ApplicationErrorOptions{
			// Zero would mean the policy's own interval.
			NextRetryDelay: max(result.NextTry.Sub(d.Now()), time.Millisecond),
			Category:       temporal.ApplicationErrorCategoryBenign,
		})
	}
	return Delivered{State: result.Then, Dropped: result.Drop}, nil
}

// TypePutOff is the type of the error by which Deliver asks to be called again because the host has its share or answers nobody.
const TypePutOff = "put_off"

// capacityPoll is how often a try asks again whether its host has capacity.
const capacityPoll = 3 * time.Second

// enter asks for a permit to try a retrying lane's next delivery. Without one it is to be asked again after wait, which is never longer than the
// delivery's profile lets it wait (notice.Profile.Latest).
func (d *Deliveries) enter(w notice.Work) (p *permit, wait time.Duration) {
	now := d.Now()
	due := w.DueAt()
	if w.Delivery.Tries == 0 {
		due = now // it has just become its lane's next
		if w.Delivery.FirstTry != nil {
			due = *w.Delivery.FirstTry // or has been put off already
		}
	}
	latest := d.profile(w).Latest(w.Delivery.Tries, due)
	p, a, until := d.hosts().admit(host(w), !now.Before(latest), nil)
	if a == admitted {
		return p, 0
	}
	wait = capacityPoll
	if a == open {
		wait = until.Sub(now)
	}
	wait += d.scatter()
	return nil, max(min(wait, latest.Sub(now)), time.Millisecond)
}

// scatter is a random wait of up to capacityPoll, which keeps many that were put off together from coming back together.
func (d *Deliveries) scatter() time.Duration {
	return time.Duration((1 + d.jitter()) / 2 * float64(capacityPoll))
}

// deferTry gives the error by which Deliver asks to be called again after the wait. The round of a first try begins all the same: it is saved when it
// would have been made.
func (d *Deliveries) deferTry(ctx context.Context, w notice.Work, wait time.Duration) error {
	if w.Delivery.Tries == 0 && w.Delivery.FirstTry == nil {
		if err := d.saveResult(ctx, d.putOff(w, d.Now().Add(wait))); err != nil {
			return fmt.Errorf("save that the try is put off: %w", err)
		}
	}
	return temporal.NewApplicationErrorWithOptions("the host has its share, or answers nobody", TypePutOff, temporal.ApplicationErrorOptions{
		NextRetryDelay: wait, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// saveResult saves one result. It does not give up before ctx does: a try that is not saved is made once more than promised.
func (d *Deliveries) saveResult(ctx context.Context, r notice.Result) error {
	err := retry.Do(ctx, faultBackoff(), func(ctx context.Context) error {
		err := d.Outbox.SaveResults(ctx, []notice.Result{r})
		if err != nil {
			d.log().WarnContext(ctx, "delivery.outbox_failed", "delivery", r.Work.Delivery.ID, "error", err)
		}
		return retry.RetryableError(err)
	})
	if err == nil {
		d.tell(ctx, r)
	}
	return err
}

// faultBackoff is how long a database that does not answer is left alone: faultWait, then twice that, up to maxFaultWait.
func faultBackoff() retry.Backoff {
	return retry.WithCappedDuration(maxFaultWait, retry.NewExponential(faultWait))
}

// savingContext gives the context for writing a try down: that of its activity with time left to tell how it came out, or where that is over a moment of
// its own.
func savingContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return context.WithTimeout(context.WithoutCancel(ctx), FlushTimeout)
	}
	return reportable(ctx)
}

// reportable gives the context of an activity with time left to tell how it came out: what is not told in time counts as lost.
func reportable(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-ReportTime))
	}
	return context.WithCancel(ctx)
}

// attempt makes one try that begins now, and releases its permit. Where ctx ends first, the try is lost. opened tells that by it the breaker of its host
// opened, and that its tenant has not been told of that yet.
func (d *Deliveries) attempt(ctx context.Context, w notice.Work, p *permit, now time.Time) (answer Answer, opened bool) {
	verdict := nothing
	defer func() {
		p.release(verdict)
		opened = verdict == dead && d.hosts().firstAlertForTenant(host(w), w.Delivery.Tenant)
	}()
	answer, err := d.Sender.send(ctx, w, now)
	if err != nil {
		return Answer{Attempt: notice.Lost(w.Delivery.ID, now, d.Now())}, false
	}
	if answer.Stalled {
		d.stalled(ctx, stalledTry, "delivery", w.Delivery.ID, "subscription", w.Subscription.ID, "host", host(w))
	}
	verdict = verdictOf(w.Subscription.Format, d.profile(w).Grade(answer.Attempt))
	return answer, false
}

// conclude decides by the delivery's profile what follows from a try.
func (d *Deliveries) conclude(ctx context.Context, w notice.Work, answer Answer) notice.Result {
	profile := d.profile(w)
	a := profile.Grade(answer.Attempt)
	decision := profile.DecideRetry(notice.Try{Made: w.Delivery.Tries, FirstTry: w.Delivery.FirstTry, FailingSince: w.Subscription.FailingSince,
		Attempt: a, RetryAfter: answer.RetryAfter, Jitter: d.jitter()})
	due := w.DueAt()
	a.ScheduledAt, a.NextTry = &due, decision.NextTry
	d.log().InfoContext(ctx, "delivery.attempted", "delivery", w.Delivery.ID, "subscription", w.Subscription.ID, "tenant", w.Delivery.Tenant,
		"ticket_id", w.Delivery.Lane.TicketID, "event", w.Delivery.Seq, "kind", w.Delivery.Type, "host", host(w), "profile", profile.Name,
		"try", w.Delivery.Tries+1, "status", a.Status, "class", a.Class, "error", a.Error, "ms", a.FinishedAt.Sub(a.StartedAt).Milliseconds(),
		"then", decision.Then, "next_try", decision.NextTry, "drop", decision.Drop)
	return notice.Result{Work: w, Attempt: a, Then: decision.Then, NextTry: decision.NextTry, Drop: decision.Drop}
}

// follow begins the span of a try with all that belongs to it, in the trace of what the delivery is made because of.
func (d *Deliveries) follow(ctx context.Context, w notice.Work, name string) (context.Context, tracing.Span) {
	ctx, span := d.Tracer.Follow(ctx, w.Delivery.Trace, name, tracing.Queued)
	if span.Recording() {
		span.Text(tracing.Delivery, w.Delivery.ID)
		span.Text(tracing.Subscription, w.Subscription.ID)
		span.Text(tracing.Tenant, w.Delivery.Tenant)
		span.Text(tracing.Kind, w.Delivery.Type)
		span.Number(tracing.TicketID, w.Delivery.Lane.TicketID)
		span.Number(tracing.Try, int64(w.Delivery.Tries+1))
	}
	return ctx, span
}

// putOff is the result of a first try that is not made because its host answers nobody. Its lane's workflow makes it.
func (d *Deliveries) putOff(w notice.Work, until time.Time) notice.Result {
	return notice.Result{Work: w, Attempt: notice.Attempt{DeliveryID: w.Delivery.ID, StartedAt: d.Now()}, Then: notice.Retrying, NextTry: &until, PutOff: true,
		BreakerOpened: d.hosts().firstAlertForTenant(host(w), w.Delivery.Tenant)}
}

// tell says in log and metrics what somebody may want to do something about, once it is written down.
func (d *Deliveries) tell(ctx context.Context, r notice.Result) {
	d.Meter.count(r)
	w := r.Work
	if r.Then == notice.Failed {
		d.log().WarnContext(ctx, "delivery.failed", "delivery", w.Delivery.ID, "subscription", w.Subscription.ID, "tenant", w.Delivery.Tenant, "host", host(w),
			"class", r.Attempt.Class, "error", r.Attempt.Error)
	}
	if r.Drop != "" {
		d.log().WarnContext(ctx, "address.dropped", "subscription", w.Subscription.ID, "tenant", w.Delivery.Tenant, "host", host(w), "reason", r.Drop)
	}
}

func (d *Deliveries) profile(w notice.Work) notice.Profile {
	if d.Profiles == nil {
		return notice.BuiltIn().For(w.Subscription)
	}
	return d.Profiles.For(w.Subscription)
}

func (d *Deliveries) hosts() *Hosts {
	d.once.Do(func() {
		if d.Hosts == nil {
			d.Hosts = &Hosts{Now: d.Now}
		}
	})
	return d.Hosts
}

func (d *Deliveries) jitter() float64 {
	if d.Jitter == nil {
		return 2*rand.Float64() - 1
	}
	return d.Jitter()
}

func (d *Deliveries) log() *slog.Logger {
	return cmp.Or(d.Log, slog.Default())
}

// host is whom a delivery goes to, as far as sharing out our connections is concerned.
func host(w notice.Work) string { return w.Subscription.Host }
