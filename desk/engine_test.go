package desk_test

import (
	"errors"
	"fmt"
	"slices"

	"signalbox/desk"
	"signalbox/ticket"
)

// generation is the workflow of one generation of a ticket, over all its runs.
type generation struct {
	began   []ticket.Event
	all     []ticket.Event // of every run; for the tests
	ticket  ticket.Ticket
	run     []ticket.Event    // of this run: all a query can tell
	results map[string]result // of this run: all the server remembers of updates
	recent  []string          // operations that the state carries along
	handled int
	moving  int           // how many more updates hear that it is moving; the last of them moves it
	ran     bool          // a worker has had it
	stopped bool          // somebody ended its workflow by hand
	tie     bool          // the next update is let in, and then loses to the ending within one workflow task
	refuse  *ticket.Error // updates are let in, and then refused
}

type result struct {
	events []ticket.Event
	err    error
}

var errNoWorker = errors.New("no worker took the call up in time")

func workflowID(number string, n int) string { return fmt.Sprintf("%s/%d", number, n) }

func (w *world) begin(before ticket.Ticket, events []ticket.Event) error {
	before, events = clone(before), clone(events)
	t := ticket.Fold(before, events)
	id := workflowID(t.Number, t.Generation)
	if l, ok := w.generations[id]; ok {
		if l.began[0].Operation == events[0].Operation {
			return nil
		}
		return desk.ErrGone
	}
	if t.Generation > 0 {
		last := w.generations[workflowID(t.Number, t.Generation-1)]
		if last == nil || !last.ticket.Ended() || last.ticket.Seq != before.Seq {
			w.broken = append(w.broken, fmt.Sprintf("life %d of %s was begun from an outdated ticket", t.Generation, t.Number))
		}
	}
	w.generations[id] = &generation{began: events, all: slices.Clone(events), ticket: t, run: slices.Clone(events), results: map[string]result{}}
	return nil
}

func (w *world) begun(number string, n int) ([]ticket.Event, error) {
	l, ok := w.generations[workflowID(number, n)]
	if !ok {
		return nil, desk.ErrGone
	}
	return clone(l.began), nil
}

func (w *world) update(number string, n int, c ticket.Command) ([]ticket.Event, error) {
	c = clone(c)
	l, ok := w.generations[workflowID(number, n)]
	if !ok {
		return nil, desk.ErrGone
	}
	if r, ok := l.results[c.Operation]; ok {
		return clone(r.events), r.err
	}
	if l.stopped || l.ran && l.ticket.Ended() {
		return nil, desk.ErrGone
	}
	if w.down {
		if w.admit {
			w.pending = append(w.pending, func() { _, _ = w.update(number, n, c) })
			l.results[c.Operation] = result{err: errNoWorker}
		}
		return nil, errNoWorker
	}
	l.ran = true
	switch {
	case slices.Contains(l.recent, c.Operation):
		return nil, nil
	case l.ticket.Ended():
		return nil, desk.ErrGone
	case l.tie:
		l.tie = false
		l.results[c.Operation] = result{err: desk.ErrGone}
		end := ticket.Command{Action: ticket.Close, App: "other", Operation: "tie-" + c.Operation}
		events, _ := ticket.Decide(l.ticket, end, w.now)
		l.apply(events)
		return nil, desk.ErrGone
	case l.refuse != nil:
		l.results[c.Operation] = result{err: l.refuse}
		return nil, l.refuse
	case l.moving > 0:
		if l.moving--; l.moving == 0 {
			w.roll(l)
		}
		return nil, desk.ErrMoving
	}
	events, err := ticket.Decide(l.ticket, c, w.now)
	if err != nil {
		return nil, err
	}
	l.apply(events)
	l.results[c.Operation] = result{events: clone(events)}
	l.recent = append(l.recent, c.Operation)
	if l.handled++; w.limit > 0 && l.handled >= w.limit && !l.ticket.Ended() {
		l.moving = 2
	}
	return clone(events), nil
}

func (l *generation) apply(events []ticket.Event) {
	l.ticket = ticket.Fold(l.ticket, events)
	l.all = append(l.all, events...)
	l.run = append(l.run, events...)
}

// roll projects what the run knows and goes on in a next run, which knows nothing of it but the recent operations.
func (w *world) roll(l *generation) {
	if l.ticket.Ended() {
		return
	}
	if err := w.project(l.ticket.Identity, l.run); err != nil {
		w.broken = append(w.broken, "a run could not be projected: "+err.Error())
	}
	l.run, l.results, l.handled, l.moving, l.ran = nil, map[string]result{}, 0, 0, true
}

// signal is the second door. What it causes is projected by the workflow, later; see settleAll.
func (w *world) signal(number string, n int, c ticket.Command) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, ok := w.generations[workflowID(number, n)]
	if !ok || w.down || l.ticket.Ended() {
		return
	}
	l.ran = true
	events, err := ticket.Decide(l.ticket, c, w.now)
	if err != nil {
		events = []ticket.Event{ticket.Refused(l.ticket, c, err, w.now)}
	}
	l.apply(events)
}

func (w *world) outcome(number string, n int, operation string) desk.Outcome {
	l, ok := w.generations[workflowID(number, n)]
	if !ok {
		return desk.Outcome{Known: true}
	}
	r, ok := l.results[operation]
	switch {
	case !ok, errors.Is(r.err, desk.ErrGone):
		return desk.Outcome{Known: true}
	case errors.Is(r.err, errNoWorker):
		return desk.Outcome{}
	case r.err != nil:
		return desk.Outcome{Known: true, Refusal: ticket.AsError(r.err)}
	}
	return desk.Outcome{Known: true, Done: true, Events: clone(r.events)}
}

const peekPage = 2

func (w *world) peek(number string, n int, after int64) ([]ticket.Event, bool, error) {
	l, ok := w.generations[workflowID(number, n)]
	if !ok {
		return nil, false, desk.ErrGone
	}
	if w.down && l.ran {
		return nil, false, errNoWorker
	}
	var out []ticket.Event
	for _, e := range l.run {
		if e.Seq <= after {
			continue
		}
		if len(out) == peekPage {
			return clone(out), true, nil
		}
		out = append(out, e)
	}
	return clone(out), false, nil
}

// wake brings the workers back; they find the updates that the server kept.
func (w *world) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
	for _, l := range w.generations {
		for operation, r := range l.results {
			if errors.Is(r.err, errNoWorker) {
				delete(l.results, operation)
			}
		}
	}
	pending := w.pending
	w.pending = nil
	for _, run := range pending {
		run()
	}
}

// truth is what Temporal knows to have happened to a ticket.
func (w *world) truth(number string) []ticket.Event {
	var out []ticket.Event
	for n := 0; ; n++ {
		l, ok := w.generations[workflowID(number, n)]
		if !ok {
			return out
		}
		out = append(out, l.all...)
	}
}
