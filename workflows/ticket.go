package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"signalbox/activities"
	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// TicketInput is what one run of a ticket's workflow starts from.
type TicketInput struct {
	Before    ticket.Ticket  `json:"before"`               // the ticket as it was before the events
	Events    []ticket.Event `json:"events,omitempty"`     // what this generation began with; empty in later runs of it
	Recent    []string       `json:"recent,omitempty"`     // operations of earlier runs, oldest first: the server forgets them at a roll-over
	Requests  []Request      `json:"requests,omitempty"`   // of the process that earlier runs began
	MoveAfter int            `json:"move_after,omitempty"` // updates after which the run rolls over; zero means the default
	// AttributesAtEnd has the search attributes say how the ticket stands when it is opened and when it has ended. Tickets of an earlier version have them
	// follow each change of the phase.
	AttributesAtEnd bool `json:"attributes_at_end,omitempty"`
}

// HandleRequest is the argument of the update "handle", and of those that are called like an action, where the command may leave the action out. Its update ID is the command's operation: the id of the operation that the desk claimed, which
// every event it causes has as Event.Operation, and the stream as request_id. The X-Request-Id of the HTTP request is another one. A command
// that names no operation did not come by the desk: its update ID is taken for it, and the workflow itself has its events projected.
type HandleRequest struct {
	Command ticket.Command `json:"command"`
	// Seen is the last event of this generation that its sender knows: a workflow that has lost it, or has another in its place, refuses everything. Left
	// out it asks nothing.
	Seen desk.Seen `json:"seen,omitzero"`
}

// HandleResult is what the command caused. It is empty for a command of an earlier run, whose events are in the read model.
type HandleResult struct {
	Events []ticket.Event `json:"events,omitempty"`
}

// PeekRequest is the argument of the query "ticket".
type PeekRequest struct {
	After int64 `json:"after"` // only events with a higher sequence number
}

// PeekResult is the ticket, and events of this run that its reader may have missed.
type PeekResult struct {
	Ticket ticket.Ticket  `json:"ticket"`
	Before desk.Seen      `json:"before,omitzero"` // the last event before this run
	Events []ticket.Event `json:"events,omitempty"`
	More   bool           `json:"more,omitempty"` // ask again, after the last of these
}

const (
	// moveAfter keeps a run well below the server's limit of 2,000 updates.
	moveAfter = 1500
	// maxRecent is how many operations a run keeps in TicketInput.Recent, and passes on to the next. A client's own retry across a roll-over comes within moments.
	maxRecent = 200
	// peekBytes bounds the events of one answer; the server refuses answers over 2 MiB.
	peekBytes = 1 << 20
	// typeMoving is the type of the refusal that means: try again at once.
	typeMoving = "moving"
	// typeGone is the type of the refusal that means: this generation is over, even where its workflow is not yet.
	typeGone = "gone"
	// typeDiverged is the type of the refusal that means: the ticket is not what its sender saw.
	typeDiverged = "diverged"
	// typeFacts is the type of the refusal that means: the same command has to come with facts about people, those in its details.
	typeFacts = "facts"
)

// Ticket is the one long-running workflow of a ticket: it takes commands by update and signal, decides them by the rule book, and is the
// truth that the read model follows. It returns when the ticket has ended.
func Ticket(ctx workflow.Context, in TicketInput) error { return runTicket(ctx, in, Pages{}) }

func runTicket(ctx workflow.Context, in TicketInput, pages Pages) error {
	r := &run{ticket: ticket.Fold(in.Before, in.Events), events: in.Events, recent: in.Recent, limit: cmp.Or(in.MoveAfter, moveAfter), attributesAtEnd: in.AttributesAtEnd, calling: map[call]bool{},
		later: map[flow.Fired]time.Time{}, pages: pages}
	r.before, r.began = desk.SeenOf(in.Before), r.ticket.Seq
	if err := workflow.SetQueryHandler(ctx, QueryTicket, r.peek); err != nil {
		return err
	}
	for _, name := range Updates() {
		if err := workflow.SetUpdateHandlerWithOptions(ctx, name, r.handle, workflow.UpdateHandlerOptions{Validator: r.validate}); err != nil {
			return err
		}
	}
	workflow.SetCurrentDetails(ctx, details(r.ticket, r.pages))
	for _, request := range in.Requests {
		r.begin(ctx, request)
	}
	return r.loop(ctx)
}

// run is one run of a ticket's workflow.
type run struct {
	ticket  ticket.Ticket
	before  desk.Seen      // the last event before this run
	began   int64          // the last event before anything was decided in this run
	events  []ticket.Event // of this run
	recent  []string       // operations that were decided here and in earlier runs, oldest first, at most maxRecent
	handled int
	limit   int
	moving  bool // no more commands are taken in this run

	attributesAtEnd bool // see TicketInput
	pages           Pages
	// unprojected tells of events that no caller waits for, so that this run must have them projected itself.
	unprojected bool

	notBefore time.Time                // when a timer that could not be decided is tried again, by RulesFirst: until then none is
	later     map[flow.Fired]time.Time // when each timer that could not be decided is tried again

	requests  []*requesting         // of the process, by flow.RulesWeighed
	calling   map[call]bool         // likewise, by flow.RulesFirst
	stopCalls []workflow.CancelFunc // what breaks those off
	answers   []flow.Called         // what came of requests, not decided yet
}

// loop is the only reader of the signal channels and the only place with side effects. A second reader could lose a signal that is
// already in its hands when the run ends.
func (r *run) loop(ctx workflow.Context) error {
	for {
		if !r.moving {
			r.startCalls(ctx)
		}
		if err := r.await(ctx); err != nil {
			return err
		}
		r.moving = r.mustLeave(ctx)
		r.readSignals(ctx)
		r.decideAnswers(ctx)
		r.decideTimers(ctx)
		rolling := r.moving && !r.ticket.Ended()
		if r.unprojected || rolling {
			// Before a roll-over everything must be in the read model: the next run remembers nothing of this one.
			r.unprojected = false
			if err := r.project(ctx); err != nil {
				return err
			}
		}
		// Handlers never wait, so they are finished; signals and answers may have come in while projecting, which yields.
		if !r.moving || !workflow.AllHandlersFinished(ctx) || r.signalled(ctx) || len(r.answers) > 0 || r.unprojected {
			continue
		}
		if r.ticket.Ended() {
			return nil
		}
		// Requests of flow.RulesFirst that are under way are made again by the next run: to their receivers they are the same request.
		return workflow.NewContinueAsNewError(ctx, Ticket, TicketInput{Before: r.ticket, Recent: r.recent, Requests: r.carried(), MoveAfter: r.limit,
			AttributesAtEnd: r.attributesAtEnd})
	}
}

// await waits until there is something to do: a signal, an answer, a timer of the process, or the end of the run.
func (r *run) await(ctx workflow.Context) error {
	due, at, armed := r.due()
	seq := r.ticket.Seq
	ready := func() bool {
		// Any event may have moved the timers, or made a new request pending.
		return r.signalled(ctx) || r.mustLeave(ctx) || len(r.answers) > 0 || r.ticket.Seq != seq || r.unprojected
	}
	if !armed {
		return workflow.Await(ctx, ready)
	}
	// Also of a timer that is due already it is heard by the end of a wait, which makes no event then.
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: at.Sub(workflow.Now(ctx)),
		TimerOptions: workflow.TimerOptions{Summary: summaryOf(due)}}, ready)
	return err
}

// due gives the timer that is decided next, and when. One that could not be decided has to wait, and does not hold up the others.
func (r *run) due() (next flow.Timer, at time.Time, armed bool) {
	for _, timer := range r.ticket.Timers() {
		when := later(timer.At, r.later[timer.Fired()])
		if r.ticket.Rules < flow.RulesWeighed {
			return timer, later(timer.At, r.notBefore), true
		}
		if !armed || when.Before(at) {
			next, at, armed = timer, when, true
		}
	}
	return next, at, armed
}

// summaryOf is what the Temporal UI shows of a timer.
func summaryOf(t flow.Timer) string {
	if t.Kind == flow.TimerSLA {
		return quoted(t.String())
	}
	return fmt.Sprintf("%s of %s", t.Kind, quoted(t.Node))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// decideTimers lets every timer that has come due move the process.
func (r *run) decideTimers(ctx workflow.Context) {
	for !r.ticket.Ended() {
		due, at, armed := r.due()
		now := workflow.Now(ctx)
		if !armed || at.After(now) {
			return
		}
		event := due.Fired()
		c := internal(ticket.Command{Action: ticket.Fire, Fired: &event})
		moved, err := r.decideInternal(ctx, c)
		switch again := now.Add(time.Minute); { // the timer is still due: without a pause the loop would never yield
		case moved:
		case r.ticket.Rules < flow.RulesWeighed:
			r.notBefore = again
			return
		default:
			if _, known := r.later[*c.Fired]; err != nil && !known {
				r.apply(ctx, []ticket.Event{ticket.Refused(r.ticket, c, err, now)}) // once, where people look
				r.unprojected = true
			}
			r.later[*c.Fired] = again
		}
	}
}

// internal says that a command comes from the system itself.
func internal(c ticket.Command) ticket.Command {
	c.Channel, c.App = ticket.ChannelSystem, string(ticket.ChannelSystem)
	return c
}

// decideInternal decides a command of the system itself, a timer that came due or an answer that came in. No caller waits for it, so a refusal goes to
// the log alone. It reports whether there were any events, and the refusal.
func (r *run) decideInternal(ctx workflow.Context, c ticket.Command) (moved bool, refusal error) {
	events, err := r.decide(ctx, c)
	if err != nil {
		workflow.GetLogger(ctx).Error("ticket.system", "action", c.Action, "error", err)
		return false, err
	}
	r.apply(ctx, events)
	r.unprojected = r.unprojected || len(events) > 0
	return len(events) > 0, nil
}

// decide decides a command that nobody brings the facts for which it needs: a timer, an answer, a signal. Looking them up yields, and what is decided is decided of
// the ticket as it is then.
func (r *run) decide(ctx workflow.Context, c ticket.Command) ([]ticket.Event, error) {
	for {
		events, err := ticket.Decide(r.ticket, c, workflow.Now(ctx))
		var need *flow.Need
		if !errors.As(err, &need) {
			return events, err
		}
		found, err := r.lookUp(ctx, *need)
		if err != nil || r.ticket.Ended() { // the ending is the last event of a generation
			return nil, err
		}
		c = c.Informed(found)
	}
}

// lookUp has the directory asked, for as long as it takes.
func (r *run) lookUp(ctx workflow.Context, need flow.Need) (found flow.Facts, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
		Summary:             quoted(need.Error()),
	})
	var a *activities.Activities
	err = workflow.ExecuteActivity(ctx, a.LookUp, activities.LookUpInput{Ticket: r.ticket.Identity, Service: r.ticket.Service, Need: need}).Get(ctx, &found)
	return found, err
}

// mustLeave reports whether the run is over. One that is full waits for the attempts that are under way, for the next run would hear nothing of them; no
// more are started.
func (r *run) mustLeave(ctx workflow.Context) bool {
	return r.ticket.Ended() || r.full(ctx) && (!r.underWay() || r.handled >= r.limit+maxLate)
}

// full reports whether the history of the run is long enough.
func (r *run) full(ctx workflow.Context) bool {
	return r.handled >= r.limit || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// validate is the validator of all updates: what it refuses leaves no trace in history. It must not change anything.
func (r *run) validate(ctx workflow.Context, q HandleRequest) error {
	c, _ := direct(ctx, q.Command)
	if r.known(c.Operation) {
		return nil
	}
	if !r.has(q.Seen) {
		return temporal.NewNonRetryableApplicationError("the ticket is not what the sender saw: its last event here is another one, or an earlier one", typeDiverged, nil)
	}
	info := workflow.GetCurrentUpdateInfo(ctx)
	if c.Operation != info.ID {
		return toWire(ticket.RefuseField(ticket.Invalid, "operation", "is the ID of the update, or left out"))
	}
	if info.Name != UpdateHandle && c.Action != ticket.Action(info.Name) {
		return toWire(ticket.RefuseField(ticket.Invalid, "action", "is the name of the update, or left out"))
	}
	// The ending is the last event of a generation: what comes after it begins the next one.
	if r.ticket.Ended() {
		return temporal.NewNonRetryableApplicationError("the ticket has just ended", typeGone, nil)
	}
	if r.moving || r.mustLeave(ctx) {
		return temporal.NewNonRetryableApplicationError("the ticket is moving to its next run", typeMoving, nil)
	}
	_, err := ticket.DecideNew(r.ticket, c, workflow.Now(ctx))
	return toWire(err, r.ticket.Seq == r.began, r.ticket.Seq)
}

// has reports whether an event that somebody has seen is one of the ticket's, as far as this run can tell.
func (r *run) has(seen desk.Seen) bool {
	switch {
	case seen.Seq == 0, seen.Seq < r.before.Seq:
		return true
	case seen.Seq == r.before.Seq:
		return seen.At.Equal(r.before.At)
	}
	i := seen.Seq - r.before.Seq - 1 // a run's events have no gap
	return i < int64(len(r.events)) && r.events[i].Seq == seen.Seq && r.events[i].At.Equal(seen.At)
}

// handle decides and evolves with no yield in between, so that interleaved commands cannot hurt and no mutex is needed.
func (r *run) handle(ctx workflow.Context, q HandleRequest) (HandleResult, error) {
	c, foreign := direct(ctx, q.Command)
	if r.known(c.Operation) {
		return HandleResult{}, nil
	}
	if r.ticket.Ended() {
		// Another command of the same workflow task ended the ticket after the validator had let this one in. The server keeps this
		// answer, so it must not say "try again": the same operation would hear it for ever.
		return HandleResult{}, temporal.NewNonRetryableApplicationError("the ticket has just ended", typeGone, nil)
	}
	events, err := ticket.DecideChecked(r.ticket, c, workflow.Now(ctx)) // the validator has checked it
	if err != nil {
		return HandleResult{}, toWire(err)
	}
	r.handled++
	r.addRecent(c.Operation)
	r.apply(ctx, events)
	r.unprojected = r.unprojected || foreign && len(events) > 0
	return HandleResult{Events: events}, nil
}

// direct completes a command by its update: with the action that the update is called like, and where it came from somebody else than the desk, as it tells, with all that the
// desk would have said. The desk names the operation that it claimed.
func direct(ctx workflow.Context, c ticket.Command) (completed ticket.Command, foreign bool) {
	info := workflow.GetCurrentUpdateInfo(ctx)
	if info.Name != UpdateHandle {
		c.Action = cmp.Or(c.Action, ticket.Action(info.Name))
	}
	if c.Operation != "" {
		return c, false
	}
	c.Operation = info.ID
	c.Channel = cmp.Or(c.Channel, ticket.ChannelSignal)
	c.App = cmp.Or(c.App, string(c.Channel))
	return c, true
}

// apply is where a run changes. It does not yield.
func (r *run) apply(ctx workflow.Context, events []ticket.Event) {
	if len(events) == 0 {
		return
	}
	phase := r.ticket.Phase()
	r.ticket = ticket.Fold(r.ticket, events)
	r.events = append(r.events, events...)
	workflow.SetCurrentDetails(ctx, details(r.ticket, r.pages))
	if r.ticket.Phase() == phase || r.attributesAtEnd && !r.ticket.Ended() {
		return // each change is a history event and a transaction of the visibility store
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx,
		AttributeStatus.ValueSet(r.ticket.Status.Word()), AttributePhase.ValueSet(r.ticket.Phase())); err != nil {
		workflow.GetLogger(ctx).Error("ticket.attributes", "error", err)
	}
}

func (r *run) known(operation string) bool {
	return operation != "" && slices.Contains(r.recent, operation)
}

// addRecent notes that an operation was decided here; the oldest beyond maxRecent is forgotten.
func (r *run) addRecent(operation string) {
	r.recent = append(r.recent, operation)
	if over := len(r.recent) - maxRecent; over > 0 {
		r.recent = slices.Delete(r.recent, 0, over)
	}
}

// project has the read model catch up with this run. It is an ordinary activity, which runs only when the workflow task that decided is
// durable, and is retried for as long as the database is down.
func (r *run) project(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
		Summary:             fmt.Sprintf("up to event %d", r.ticket.Seq),
	})
	var a *activities.Activities
	return workflow.ExecuteActivity(ctx, a.Project, activities.ProjectInput{Ticket: r.ticket.Identity, Generation: r.ticket.Generation}).Get(ctx, nil)
}

// peek answers the query "ticket".
func (r *run) peek(q PeekRequest) (PeekResult, error) {
	out := PeekResult{Ticket: r.ticket, Before: r.before}
	size := 0
	for _, e := range r.events {
		if e.Seq <= q.After {
			continue
		}
		raw, err := json.Marshal(e)
		if err != nil {
			return out, err
		}
		if size += len(raw); size > peekBytes && len(out.Events) > 0 {
			out.More = true
			break
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}

// signalled reports whether a signal waits to be read. It must not take one: conditions are asked often.
func (r *run) signalled(ctx workflow.Context) bool {
	for _, action := range ticket.SignalActions {
		if workflow.GetSignalChannel(ctx, string(action)).Len() > 0 {
			return true
		}
	}
	return false
}

// readSignals decides every signal that waits. Nobody waits for an answer, so a refusal becomes an entry in the timeline.
func (r *run) readSignals(ctx workflow.Context) {
	for _, action := range ticket.SignalActions {
		channel := workflow.GetSignalChannel(ctx, string(action))
		var raw converter.RawValue
		for channel.ReceiveAsync(&raw) {
			if r.ticket.Ended() {
				// The ending is the last event of a generation, so this leaves no entry; a moment later there would have been no workflow to signal.
				workflow.GetLogger(ctx).Warn("ticket.signal_after_end", "signal", action)
				continue
			}
			c, err := signalCommand(action, raw, r.ticket.Rules)
			var events []ticket.Event
			if err == nil {
				events, err = r.decide(ctx, c)
			}
			if err != nil {
				events = []ticket.Event{ticket.Refused(r.ticket, c, err, workflow.Now(ctx))}
			}
			r.apply(ctx, events)
			r.unprojected = r.unprojected || len(events) > 0
		}
	}
}
