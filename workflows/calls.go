package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/flow"
	"signalbox/ticket"
)

const (
	// callMargin is what an attempt at a request of the process has besides the request's own time: to read what it is signed with, and to tell how it
	// came out.
	callMargin = 5 * time.Second
	// callSilence is after how long without a sign of life an attempt counts as lost. A worker hears of a cancellation with a sign of life, so that one that
	// is not to go on is broken off within this time.
	callSilence = 30 * time.Second
	// maxLate is how many more commands a run takes while attempts are under way. With moveAfter it stays below the server's limit.
	maxLate = 250
	// maxCarried bounds the requests that a run hands to the next, in bytes as JSON: the ticket itself has to go along.
	maxCarried = 512 << 10
)

// Request is what is known of a request of the process beyond a single attempt: the next run of the workflow goes on with it.
type Request struct {
	Key   string        `json:"key"`             // see flow.PendingCall
	Made  int           `json:"made,omitempty"`  // attempts that were started
	Error string        `json:"error,omitempty"` // what was wrong with the last of them
	Left  time.Duration `json:"left,omitempty"`  // before the next one may be started, as of Since
	Since time.Time     `json:"since,omitzero"`  // zero while the ticket is suspended

	// Call is the request as its first attempt was made, so that every attempt says the same: between two of them fields can change, and the time does.
	// Another version of the process, as after a migration, makes it anew. It is left out where it is too much to be carried.
	Call    *flow.PendingCall `json:"call,omitempty"`
	Version int               `json:"version,omitempty"` // of the process that Call was made by
}

// requesting is a request that a run attends to.
type requesting struct {
	Request
	underWay bool // an attempt is
	answered bool // what came of it is in run.answers, or was decided
}

// startRequests has every request attended to that the process waits for, by flow.RulesWeighed: the workflow itself makes the attempts one by one, so
// that none is started that nobody waits for, and none is forgotten in a suspension.
func (r *run) startRequests(ctx workflow.Context) {
	for _, stop := range r.stopCalls { // a migration has lifted the ticket to these rules
		stop()
	}
	r.stopCalls = nil
	for _, pending := range r.ticket.Calls(workflow.Now(ctx)) {
		known := slices.ContainsFunc(r.requests, func(q *requesting) bool { return q.Key == pending.Key }) ||
			slices.ContainsFunc(r.answers, func(c flow.Called) bool { return c.Key == pending.Key })
		if !known {
			r.begin(ctx, Request{Key: pending.Key})
		}
	}
}

func (r *run) begin(ctx workflow.Context, from Request) {
	q := &requesting{Request: from}
	r.requests = append(r.requests, q)
	workflow.Go(ctx, func(ctx workflow.Context) {
		r.attend(ctx, q)
		if !q.answered {
			r.forget(q.Key)
		}
	})
}

func (r *run) forget(key string) {
	r.requests = slices.DeleteFunc(r.requests, func(q *requesting) bool { return q.Key == key })
}

// attend makes attempts at a request until one of them is answered, the last has failed, or nobody waits for it any more.
func (r *run) attend(ctx workflow.Context, q *requesting) {
	for r.mayTry(ctx, q) {
		r.look(ctx, q)
		if q.Call.Problem != "" {
			r.answer(q, flow.Called{Error: q.Call.Problem})
			return
		}
		if q.Made >= q.Call.Attempts { // the last was lost in a roll-over, or another version grants fewer
			r.answer(q, flow.Called{Error: q.Error})
			return
		}
		answer, broken, err := r.attempt(ctx, q)
		switch {
		case !r.ticket.Awaits(q.Key):
			return
		case broken:
			continue
		case err == nil:
			r.answer(q, answer)
			return
		}
		q.Error = activities.CallError(err)
		r.look(ctx, q)
		if q.Made >= q.Call.Attempts {
			r.answer(q, flow.Called{Error: q.Error})
			return
		}
		q.Left, q.Since = q.Call.Pause(q.Made), workflow.Now(ctx)
	}
}

// mayTry waits until the next attempt may be started, and reports false once nobody waits for the request. In a suspension no time passes for it, and a
// run that is about to roll over leaves it to the next.
func (r *run) mayTry(ctx workflow.Context, q *requesting) bool {
	awaited := func() bool { return r.ticket.Awaits(q.Key) }
	for awaited() {
		now := workflow.Now(ctx)
		var err error
		switch {
		case r.ticket.Suspended:
			if !q.Since.IsZero() {
				q.Left, q.Since = max(0, q.Left-now.Sub(q.Since)), time.Time{}
			}
			err = workflow.Await(ctx, func() bool { return !awaited() || !r.ticket.Suspended })
		case r.full(ctx):
			err = workflow.Await(ctx, func() bool { return !awaited() || r.ticket.Suspended })
		default:
			if q.Since.IsZero() {
				q.Since = now
			}
			left := q.Since.Add(q.Left).Sub(now)
			if left <= 0 {
				return true
			}
			_, err = workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: left,
				TimerOptions: workflow.TimerOptions{Summary: fmt.Sprintf("attempt %d at %s", q.Made+1, quoted(q.Key))}},
				func() bool { return !awaited() || r.ticket.Suspended || r.full(ctx) })
		}
		if err != nil {
			return false
		}
	}
	return false
}

// look has the request as it is to be made: as its first attempt was, unless the ticket runs through another version since.
func (r *run) look(ctx workflow.Context, q *requesting) {
	if q.Call != nil && q.Version == r.ticket.Version {
		return
	}
	for _, pending := range r.ticket.Calls(workflow.Now(ctx)) { // none while the ticket is suspended
		if pending.Key == q.Key {
			q.Call, q.Version = &pending, r.ticket.Version
		}
	}
}

// attempt makes one attempt. It is broken off once it is not to go on: nobody waits for it any more, the ticket is suspended, or it runs through another
// version, by which the request may be another one. An answer or a fault that came first counts all the same. Where nothing came, broken says so, and the
// attempt has not been made: under the same key the request is the same to its receiver when it is sent again.
func (r *run) attempt(ctx workflow.Context, q *requesting) (answer flow.Called, broken bool, err error) {
	under, stop := workflow.WithCancel(ctx)
	defer stop()
	options := callOptions(*q.Call)
	options.HeartbeatTimeout = callSilence
	options.RetryPolicy = &temporal.RetryPolicy{MaximumAttempts: 1}
	options.WaitForCancellation = true // what came first is heard
	before := q.Error
	q.Made++
	q.Error, q.underWay = activities.LostCall, true
	var d *activities.Deliveries
	future := workflow.ExecuteActivity(workflow.WithActivityOptions(under, options), d.CallService,
		activities.CallInput{Ticket: r.ticket.Identity, Service: r.ticket.Service, Hops: r.ticket.Hops, Call: *q.Call})
	over := func() bool { return future.IsReady() || !r.ticket.Awaits(q.Key) }
	err = workflow.Await(ctx, func() bool { return over() || r.ticket.Suspended || r.ticket.Version != q.Version })
	if err == nil && !over() && workflow.GetVersion(ctx, changeBreakOff, workflow.DefaultVersion, 1) != workflow.DefaultVersion {
		broken = true
		stop()
	}
	if err == nil {
		err = workflow.Await(ctx, over)
	}
	q.underWay = false
	if err == nil && future.IsReady() {
		err = future.Get(ctx, &answer)
	}
	if broken = broken && temporal.IsCanceledError(err); broken {
		q.Made--
		q.Error = before
	}
	return answer, broken, err
}

// changeBreakOff marks runs in which a suspension or a migration breaks off the attempt that is under way. In those of builds before, it ended by itself.
const changeBreakOff = "break off attempts"

func callOptions(pending flow.PendingCall) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:           QueueDeliveries, // slow receivers never delay a ticket
		StartToCloseTimeout: pending.Timeout + callMargin,
		Summary:             quoted(pending.Name + ": " + pending.Method),
	}
}

// answer hands over what came of a request. Until it is decided the request is remembered, so that it is not made again.
func (r *run) answer(q *requesting, c flow.Called) {
	q.answered = true
	c.Key = q.Key
	r.answers = append(r.answers, c)
}

// underWay reports whether any attempt is.
func (r *run) underWay() bool {
	return slices.ContainsFunc(r.requests, func(q *requesting) bool { return q.underWay })
}

// carried is what the next run goes on with.
func (r *run) carried() []Request {
	var out []Request
	room := maxCarried
	for _, q := range r.requests {
		next := q.Request
		raw, err := json.Marshal(next.Call)
		if room -= len(raw); err != nil || room < 0 {
			next.Call, room = nil, room+len(raw)
		}
		out = append(out, next)
	}
	return out
}

// startCalls has every request made that the process waits for.
func (r *run) startCalls(ctx workflow.Context) {
	if r.ticket.Rules >= flow.RulesWeighed {
		r.startRequests(ctx)
		return
	}
	for _, pending := range r.ticket.Calls(workflow.Now(ctx)) {
		key := call{pending.Node, pending.Round, pending.Try}
		if r.calling[key] {
			continue
		}
		r.calling[key] = true
		under, stop := workflow.WithCancel(ctx)
		r.stopCalls = append(r.stopCalls, stop)
		workflow.Go(under, func(ctx workflow.Context) {
			answer := r.call(ctx, pending)
			delete(r.calling, key)
			if ctx.Err() == nil {
				r.answers = append(r.answers, answer)
			}
		})
	}
}

// call names one request of the process, by flow.RulesFirst.
type call struct {
	node       string
	round, try int
}

// call makes one request, as often as its node says, by flow.RulesFirst: Temporal makes the attempts, whatever becomes of the ticket meanwhile.
func (r *run) call(ctx workflow.Context, pending flow.PendingCall) flow.Called {
	answer := flow.Called{Node: pending.Node, Round: pending.Round, Try: pending.Try, Error: pending.Problem}
	if pending.Problem != "" {
		return answer
	}
	options := callOptions(pending)
	options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: pending.Interval, BackoffCoefficient: pending.Coefficient,
		MaximumInterval: 24 * time.Hour, MaximumAttempts: int32(pending.Attempts)}
	var d *activities.Deliveries
	in := activities.CallInput{Ticket: r.ticket.Identity, Service: r.ticket.Service, Hops: r.ticket.Hops, Call: pending}
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), d.CallService, in).Get(ctx, &answer); err != nil {
		answer.Error = activities.CallError(err)
	}
	return answer
}

// decideAnswers lets every answer that has come in move the process.
func (r *run) decideAnswers(ctx workflow.Context) {
	for len(r.answers) > 0 {
		answer := r.answers[0]
		r.answers = r.answers[1:]
		_, _ = r.decideInternal(ctx, internal(ticket.Command{Action: ticket.Answer, Called: &answer}))
		if answer.Key != "" && !r.ticket.Awaits(answer.Key) {
			r.forget(answer.Key)
		}
	}
}
