package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/ticket"
)

// Looked counts what a light comparison found.
type Looked struct {
	Compared int   `json:"compared"`           // tickets by their rows
	Drift    int   `json:"drift,omitempty"`    // rows that were behind for long, and were brought up
	TakenIn  int   `json:"taken_in,omitempty"` // tickets that there was no row of
	InDoubt  int   `json:"in_doubt,omitempty"` // tickets that were marked so
	Astray   int   `json:"astray,omitempty"`   // workflows that run although their ticket is over, or in a later generation
	Ailing   int   `json:"ailing,omitempty"`   // open tickets whose workflow is lost or fails
	Failed   int   `json:"failed,omitempty"`   // that could not be compared
	After    int64 `json:"after,omitempty"`    // where the next comparison goes on; 0: from the start
}

// LookOptions bound a light comparison.
type LookOptions struct {
	After int64         // tickets up to this id were looked at before
	Limit int           // most tickets that are compared
	Since time.Duration // of which age workflows are listed at most
	Pages int           // how many pages of them at most
	// Wait is called before each ticket, and holds a rate; it refuses where the time is up.
	Wait func(context.Context) error
}

// driftAfter is how long a row may be behind its workflow before somebody else than its caller brings it up: far longer than projecting takes.
const driftAfter = time.Minute

// failuresBearable is how many tickets, one after the other, may not be comparable before a comparison is given up.
const failuresBearable = 10

// silence counts tickets, one after the other, that could not be asked. One must not keep the others; but where many in succession say nothing, nobody answers.
type silence int

// after takes in how asking one more went, and reports whether nobody answers.
func (s *silence) after(err error) bool {
	if *s++; err == nil {
		*s = 0
	}
	return *s >= failuresBearable
}

// Look compares some tickets of the two stores, and no more than is safe beside everything else: it brings up rows that have been behind for long, and marks tickets
// as in doubt whose stores contradict each other. It touches none that moved meanwhile, and ends and begins no workflow. Where nobody answers, or Wait refuses, it is over early and without an
// error, and the next one goes on behind what was looked at: what cannot be compared must not keep what lies behind it.
func (r *Reconciler) Look(ctx context.Context, o LookOptions) (Looked, error) {
	sum := Looked{After: o.After}
	rows, err := r.Books.Standing(ctx, o.After, o.Limit)
	if err != nil {
		return sum, err
	}
	ailing, err := r.Books.Ailing(ctx)
	if err != nil {
		return sum, err
	}
	failed := func(number string, err error) {
		sum.Failed++
		r.Desk.opts.Log.WarnContext(ctx, "ticket.compare", "ticket", number, "error", err)
	}
	var silent silence
	// each looks at one ticket, unless the time is up, and reports whether to go on.
	each := func(number string, look func() error) (looked, on bool) {
		if o.Wait(ctx) != nil {
			return false, false
		}
		err := look()
		if err != nil {
			failed(number, err)
		}
		return true, !silent.after(err)
	}
	for _, row := range rows {
		looked, on := true, true
		if err := row.unread(); err != nil { // which says nothing of who answers
			failed(row.Number, err)
		} else {
			looked, on = each(row.Number, func() error {
				ails, err := r.ails(ctx, row.Ticket, ailing[row.ID], &sum)
				if err == nil && ails != ticket.CauseFailing { // one that fails answers no question
					err = r.look(ctx, row.Ticket, row.Generation, &sum)
				}
				if err == nil {
					sum.Compared++
				}
				return err
			})
		}
		if looked {
			sum.After = row.ID
		}
		if !on {
			return sum, r.drawn(ctx, sum)
		}
	}
	if len(rows) < o.Limit {
		sum.After = 0
	}
	token, since := "", r.Desk.opts.Now().Add(-o.Since)
	for range o.Pages {
		page, next, err := r.Workflows.List(ctx, true, since, token)
		var strange []Listed
		if err == nil {
			strange, err = r.strange(ctx, page)
		}
		if err != nil {
			failed("", err)
			break
		}
		for _, w := range strange {
			if _, on := each(w.Number, func() error { return r.lookAt(ctx, w, &sum) }); !on {
				return sum, r.drawn(ctx, sum)
			}
		}
		if token = next; token == "" {
			break
		}
	}
	return sum, r.drawn(ctx, sum)
}

// drawn has the counters know of tickets that were taken in: their ids were drawn, whatever the counters say.
func (r *Reconciler) drawn(ctx context.Context, sum Looked) error {
	if sum.TakenIn == 0 {
		return nil
	}
	return r.Desk.advance(ctx)
}

// ails has it written down whether a ticket's workflow goes on, where that is not known yet. known is what is written down.
func (r *Reconciler) ails(ctx context.Context, row ticket.Ticket, known ticket.Cause, sum *Looked) (ticket.Cause, error) {
	if row.Ended() {
		return "", nil
	}
	cause, err := r.Workflows.Ails(ctx, row.Number, row.Generation)
	if err != nil {
		return "", err
	}
	if cause != "" {
		if now, err := r.Books.Known(ctx, []string{row.Number}); err != nil || !SeenOf(row).Is(now[row.Number].Ticket) {
			return "", err // it moved meanwhile
		}
		sum.Ailing++
	}
	if cause == known {
		return cause, nil
	}
	if cause != "" {
		r.Desk.opts.Log.WarnContext(ctx, "ticket.ails", "ticket", row.Number, "cause", string(cause))
	}
	return cause, r.Books.Ail(ctx, row.Identity, cause)
}

// lookAt looks at a workflow that the database contradicts, as far as lists tell.
func (r *Reconciler) lookAt(ctx context.Context, w Listed, sum *Looked) error {
	rows, err := r.Books.Known(ctx, []string{w.Number})
	if err != nil {
		return err
	}
	if rows[w.Number].Unread != nil {
		return rows[w.Number].unread()
	}
	stored, known := rows[w.Number]
	row := stored.Ticket
	if !known || w.Generation > row.Generation {
		row.Number = w.Number
		return r.look(ctx, row, w.Generation, sum)
	}
	if running, err := r.Workflows.Running(ctx, w.Number, w.Generation); err != nil || !running {
		return err // the list was behind
	}
	p, err := r.Workflows.Peek(ctx, row.Identity, w.Generation, row.Seq)
	if err == nil && !p.Ticket.Ended() {
		r.Desk.opts.Log.WarnContext(ctx, "ticket.astray", "ticket", w.Number, "generation", w.Generation)
		sum.Astray++
	}
	return err
}

// look looks at a ticket's row, whose identity may be no more than its number, and a generation of its workflow.
func (r *Reconciler) look(ctx context.Context, row ticket.Ticket, generation int, sum *Looked) error {
	m, err := r.mend(ctx, row, generation, driftAfter, false)
	switch {
	case m.doubt != "":
		sum.InDoubt++
	case err != nil:
	case m.takenIn:
		sum.TakenIn++
	case m.events > 0:
		sum.Drift++
	}
	if m.events > 0 {
		r.Desk.opts.Log.WarnContext(ctx, "ticket.drift", "ticket", m.Number, "from", row.Seq, "to", row.Seq+m.events)
	}
	return err
}

// mended is what was done about a ticket.
type mended struct {
	ticket.Identity
	takenIn bool   // there was no row of it
	events  int64  // that were brought in
	doubt   string // why it was marked as in doubt; empty: it was not
}

// mend compares a ticket's row, whose identity may be no more than its number, with a generation of its workflow, and does what is safe beside everything else: it brings the row up, or marks the
// ticket as in doubt. patience is how long an event may wait to be written down by whoever caused it. A ticket that moved meanwhile is left alone, and so is one that is in doubt. A dry run only
// tells.
func (r *Reconciler) mend(ctx context.Context, row ticket.Ticket, generation int, patience time.Duration, dry bool) (m mended, err error) {
	m.Identity = row.Identity
	known := row.ID != 0
	p, why, err := r.compared(ctx, row, generation)
	if err != nil || why == "" && p.Ticket.Seq <= row.Seq {
		return m, err
	}
	if !known {
		m.Identity = p.Ticket.Identity
	}
	now, err := r.Books.Ticket(ctx, m.Tenant, m.Number)
	switch {
	case ticket.Is(err, ticket.NotFound) && !known:
	case errors.Is(err, ErrInDoubt): // it waits for somebody
		return m, nil
	case err != nil:
		return m, err
	case !known || !SeenOf(row).Is(now): // it moved meanwhile
		return m, nil
	}
	switch {
	case why != "":
		// Asked again, since the row is known to have stood still in between.
		if _, why, err = r.compared(ctx, now, generation); err != nil || why == "" {
			return m, err
		}
		if m.doubt = why; dry {
			return m, nil
		}
		if err := r.Desk.doubt(ctx, m.Identity, why); !errors.Is(err, ErrInDoubt) {
			return m, err
		}
		return m, nil
	case len(p.Events) == 0, r.Desk.opts.Now().Sub(missing(p.Events, row.Seq).At) < patience:
		return m, nil // somebody is about to write it down
	}
	if !dry {
		if err := r.Desk.catchUp(ctx, now, m.Identity, generation); err != nil {
			return m, err
		}
	}
	m.takenIn, m.events = !known, p.Ticket.Seq-row.Seq
	return m, nil
}

// missing gives the first event behind a sequence number, or else the last one.
func missing(events []ticket.Event, after int64) ticket.Event {
	for _, e := range events {
		if e.Seq > after {
			return e
		}
	}
	return events[len(events)-1]
}

// compared asks a generation of the workflow what it knows, and tells why it cannot be right; empty: it can.
func (r *Reconciler) compared(ctx context.Context, row ticket.Ticket, generation int) (p Peeked, why string, err error) {
	if row.ID == 0 {
		p, err = r.Workflows.Peek(ctx, row.Identity, generation, 0)
		if errors.Is(err, ErrGone) {
			return p, "", nil
		}
		return p, "", err
	}
	p, err = r.Workflows.Peek(ctx, row.Identity, generation, max(row.Seq-1, 0))
	if why = contradiction(row, generation, p, err); why != "" || err != nil {
		if why != "" {
			err = nil
		}
		return p, why, err
	}
	if len(p.Events) > 0 && p.Events[0].Seq == row.Seq {
		why, err = r.otherEvent(ctx, row, p.Events[0])
	}
	return p, why, err
}

// otherEvent tells that the database has another event in the place of one; empty: it has the same.
func (r *Reconciler) otherEvent(ctx context.Context, row ticket.Ticket, e ticket.Event) (string, error) {
	stored, err := r.Books.Timeline(ctx, row.ID, e.Seq-1, 1)
	if err != nil || len(stored) == 1 && ticket.Same(stored[0], e) {
		return "", err
	}
	return fmt.Sprintf("its workflow has another event %d than the database", e.Seq), nil
}
