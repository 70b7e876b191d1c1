package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/ticket"
)

// ReadModel is the read model as far as it can be made anew. Where a tenant is named, the empty one is all of them.
type ReadModel interface {
	Books
	// CountRows counts the rows of tickets behind an id and up to another, the open and the ended ones.
	CountRows(ctx context.Context, tenant string, after, last int64) (open, ended int, err error)
	// RowsBehind lists the ids of rows of tickets behind one and up to another, the lowest first.
	RowsBehind(ctx context.Context, tenant string, after, last int64, limit int) ([]int64, error)
	// TicketIDs gives the ids of tickets by their numbers; those of which there is no row are left out.
	TicketIDs(ctx context.Context, tenant string, numbers []string) (map[string]int64, error)
	// Remake makes rows of tickets, and all that lies beside them, anew from their timelines, holding one ticket at a time, and tells of each what was wrong; a dry run only tells. Ids without a
	// row are passed over.
	Remake(ctx context.Context, ids []int64, dry bool, see func(Remade) error) error
	// ClearWords takes tickets that are not there out of what the words of a tenant lead to, in the block of words behind one, and tells which that is and how many tickets there were; false: there is no
	// such block. A dry run only counts.
	ClearWords(ctx context.Context, tenant string, after WordBlock, dry bool) (WordBlock, int, bool, error)
	// TenantBehind gives the tenant after another of whom anything is there, or was counted; empty: there is none.
	TenantBehind(ctx context.Context, after string) (string, error)
	// Recount puts right what was counted of a tenant, and tells how many counts were wrong; a dry run only tells. Events that cannot be read are passed over, and given.
	Recount(ctx context.Context, tenant string, dry bool) (Recounted, error)
	// RebuildPoint gives how far tickets have been made anew; false: nobody is at it.
	RebuildPoint(ctx context.Context, tenant string) (RebuildPoint, bool, error)
	// KeepRebuildPoint keeps it; nil: that is done.
	KeepRebuildPoint(ctx context.Context, tenant string, p *RebuildPoint) error
}

// Remade is what became of a ticket that was made anew.
type Remade struct {
	ticket.Ticket          // what its timeline comes to; where that cannot be known, its identity as the row has it, and nothing else
	Wrong         []string // what was not what its timeline comes to, in words
	Unknown       []string // why it could not be made anew, in words
	Doubt         string   // why it is in doubt; empty: it is not
}

// Recounted is what was found as a tenant was counted.
type Recounted struct {
	Wrong  int           // counts that were
	Unread []UnreadEvent // of which nothing is counted
}

// UnreadEvent is an event that this version cannot read.
type UnreadEvent struct {
	ticket.Identity
	Seq int64
}

// WordBlock is a part of the index of words.
type WordBlock struct {
	Tenant string `json:"tenant"`
	Number int64  `json:"number"`
}

// The steps of making the read model anew, in their order.
const (
	stepTickets   = "tickets"
	stepWorkflows = "workflows"
	stepWords     = "words"
	stepCounts    = "counts"
)

// RebuildPoint is how far the read model has been made anew.
type RebuildPoint struct {
	Step   string     `json:"step"`
	Last   int64      `json:"last"`  // the highest id as it was begun: what is opened meanwhile is new anyway
	After  int64      `json:"after"` // of the tickets: up to here they are done
	Words  WordBlock  `json:"words"`
	Tenant string     `json:"tenant"` // of the counts, likewise
	Sum    RebuildSum `json:"sum"`
	Began  time.Time  `json:"began"`
}

// RebuildSum counts what was found.
type RebuildSum struct {
	Tickets   int   `json:"tickets"`
	Same      int   `json:"same"`       // as their timeline, and where they are open their workflow, has them
	Remade    int   `json:"remade"`     // made anew
	BroughtUp int   `json:"brought_up"` // from their workflow
	Events    int64 `json:"events"`     // of those
	TakenIn   int   `json:"taken_in"`   // from a workflow, since there was no row
	Unknown   int   `json:"unknown"`    // of which something cannot be known; some of them are among the others too
	Words     int   `json:"words"`      // that led to tickets which are not there
	Counts    int   `json:"counts"`     // that were wrong
	Unread    int   `json:"unread"`     // events that cannot be read, and are in no count
}

// RebuildFinding is what was found of a ticket that was not as it should be.
type RebuildFinding struct {
	ticket.Identity
	Wrong   []string // made anew
	Events  int64    // brought in from its workflow
	TakenIn bool     // there was no row of it
	Unknown []string // what cannot be known, and what to do about it
	Unread  []int64  // events that cannot be read, and are in no count
}

// RebuildCount is what there is to do.
type RebuildCount struct {
	Open, Ended int           // tickets
	About       time.Duration // how long that takes, told from some of them; 0: there is nothing to tell from
	Since       *RebuildPoint // where it goes on; nil: it begins
}

// RebuildOptions say what is made anew, and how.
type RebuildOptions struct {
	DryRun    bool
	Tenant    string   // only its tickets; empty: all
	Tickets   []string // only those with these numbers; then nothing is counted anew, and no place is kept
	FromStart bool     // not where it was interrupted
	CountOnly bool     // only tell what there is to do
	// Begin is told what there is to do, before anything is done.
	Begin func(RebuildCount)
	// Progress is told, now and then, how much of what is done.
	Progress func(what string, done, of int, after int64)
}

const (
	rebuildBatch  = 100 // tickets between two places that are kept
	rebuildSample = 8   // tickets that are looked at to tell how long all take
	// rebuildPatience is how long an event may wait to be written down by whoever caused it: who is at it now needs no help.
	rebuildPatience = 10 * time.Second
)

// Rebuilder makes the read model anew: the rows of tickets and what lies beside them from their timelines, and what timelines lack of tickets that go on from their workflows. It may run
// beside everything else and be interrupted at any time. A timeline itself is never made anew: what of it is lost or was changed is named.
type Rebuilder struct {
	*Reconciler
	Model ReadModel
}

// rebuilding is one run.
type rebuilding struct {
	*Rebuilder
	RebuildOptions
	point  RebuildPoint
	report func(RebuildFinding)
	silent silence
}

// Rebuild makes the read model anew, and reports each ticket of which anything was wrong. What is right is not written. Where it is interrupted, it goes on there when it is called again
// with the same tenant. A dry run begins at the start and keeps no place. Unless nothing is to be changed, nobody else rebuilds or reconciles meanwhile: see Books.Alone.
func (r *Rebuilder) Rebuild(ctx context.Context, o RebuildOptions, report func(RebuildFinding)) (sum RebuildSum, err error) {
	if o.DryRun || o.CountOnly {
		return r.rebuild(ctx, o, report)
	}
	err = r.Model.Alone(ctx, "migrate rebuild", func(ctx context.Context) (err error) {
		sum, err = r.rebuild(ctx, o, report)
		return err
	})
	return sum, err
}

func (r *Rebuilder) rebuild(ctx context.Context, o RebuildOptions, report func(RebuildFinding)) (RebuildSum, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int, int64) {}
	}
	if o.Begin == nil {
		o.Begin = func(RebuildCount) {}
	}
	b := &rebuilding{Rebuilder: r, RebuildOptions: o, report: report}
	if err := r.Workflows.Served(ctx); err != nil {
		return b.point.Sum, err
	}
	if len(o.Tickets) > 0 {
		return b.point.Sum, b.some(ctx)
	}
	count, err := b.begin(ctx)
	if err != nil {
		return b.point.Sum, err
	}
	if o.Begin(count); o.CountOnly {
		return b.point.Sum, nil
	}
	err = b.run(ctx, count)
	if o.DryRun {
		return b.point.Sum, err
	}
	// Also where the call is over: what was done is to be known.
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err != nil {
		return b.point.Sum, errors.Join(err, b.keep(keeping))
	}
	return b.point.Sum, r.Model.KeepRebuildPoint(keeping, o.Tenant, nil)
}

func (b *rebuilding) keep(ctx context.Context) error {
	if b.DryRun {
		return nil
	}
	return b.Model.KeepRebuildPoint(ctx, b.Tenant, &b.point)
}

// begin finds where to begin, and counts what there is to do from there.
func (b *rebuilding) begin(ctx context.Context) (count RebuildCount, err error) {
	if !b.FromStart && !b.DryRun {
		p, found, err := b.Model.RebuildPoint(ctx, b.Tenant)
		if err != nil {
			return count, err
		}
		if found {
			b.point, count.Since = p, &p
		}
	}
	if count.Since == nil {
		_, last, err := b.Model.CountStanding(ctx)
		if err != nil {
			return count, err
		}
		b.point = RebuildPoint{Step: stepTickets, Last: last, Began: b.Desk.opts.Now()}
	}
	if b.point.Step != stepTickets {
		return count, nil
	}
	if count.Open, count.Ended, err = b.Model.CountRows(ctx, b.Tenant, b.point.After, b.point.Last); err != nil {
		return count, err
	}
	count.About, err = b.about(ctx, count)
	return count, err
}

// about tells how long all tickets take from how long some take, which are looked at and not changed.
func (b *rebuilding) about(ctx context.Context, count RebuildCount) (time.Duration, error) {
	looked, began := 0, time.Now()
	for _, from := range []int64{b.point.After, (b.point.After + b.point.Last) / 2} {
		ids, err := b.Model.RowsBehind(ctx, b.Tenant, from, b.point.Last, rebuildSample/2)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		err = b.Model.Remake(ctx, ids, true, func(t Remade) error {
			if looked++; len(t.Unknown) > 0 || t.Ended() {
				return nil
			}
			_, err := b.Workflows.Peek(ctx, t.Identity, t.Generation, t.Seq)
			if ctx.Err() != nil {
				return err
			}
			return nil // it is told when its turn comes
		})
		if err != nil {
			return 0, err
		}
	}
	if looked == 0 {
		return 0, nil
	}
	return time.Since(began) / time.Duration(looked) * time.Duration(count.Open+count.Ended), nil
}

// run does what is left to do.
func (b *rebuilding) run(ctx context.Context, count RebuildCount) error {
	for _, step := range []struct {
		name string
		do   func(context.Context, RebuildCount) error
	}{{stepTickets, b.rows}, {stepWords, b.words}, {stepCounts, b.counts}, {stepWorkflows, b.workflows}} {
		if b.point.Step != step.name {
			continue
		}
		if err := step.do(ctx, count); err != nil {
			return err
		}
		b.point.Step = map[string]string{stepTickets: stepWords, stepWords: stepCounts, stepCounts: stepWorkflows}[step.name]
		if b.point.Step == "" {
			return nil
		}
		if err := b.keep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// rows makes the rows of tickets anew.
func (b *rebuilding) rows(ctx context.Context, count RebuildCount) error {
	total := b.point.Sum.Tickets + count.Open + count.Ended
	for {
		b.Progress(stepTickets, b.point.Sum.Tickets, max(total, b.point.Sum.Tickets), b.point.After)
		ids, err := b.Model.RowsBehind(ctx, b.Tenant, b.point.After, b.point.Last, rebuildBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := b.Model.Remake(ctx, ids, b.DryRun, func(t Remade) error { return b.see(ctx, t) }); err != nil {
			return err
		}
		b.point.After = ids[len(ids)-1]
		if err := b.keep(ctx); err != nil {
			return err
		}
	}
}

// see takes in a ticket that was made anew from its timeline, and brings it up where it is open.
func (b *rebuilding) see(ctx context.Context, t Remade) error {
	f := RebuildFinding{Identity: t.Identity, Wrong: t.Wrong, Unknown: t.Unknown}
	var m mended
	switch {
	case t.Doubt != "":
		f.Unknown = append(f.Unknown, "it is in doubt, and migrate reconcile sees to it: "+t.Doubt)
	case len(f.Unknown) == 0 && !t.Ended():
		var err error
		if m, err = b.asked(ctx, t.Ticket, t.Generation, &f); err != nil {
			return err
		}
	}
	b.point.Sum.Tickets++
	b.point.After = t.ID
	b.found(f, m)
	return nil
}

// asked compares a ticket with its workflow. What cannot be asked is named, unless nobody answers.
func (b *rebuilding) asked(ctx context.Context, t ticket.Ticket, generation int, f *RebuildFinding) (mended, error) {
	var m mended
	var err error
	if b.DryRun && len(f.Wrong) > 0 { // its row is not to be gone by
		var p Peeked
		if p, m.doubt, err = b.compared(ctx, t, generation); err == nil && m.doubt == "" {
			m.Identity, m.events = t.Identity, max(p.Ticket.Seq-t.Seq, 0)
		}
	} else {
		m, err = b.mend(ctx, t, generation, rebuildPatience, b.DryRun)
	}
	if err != nil && ctx.Err() != nil {
		return m, err
	}
	if b.silent.after(err) {
		return m, fmt.Errorf("ticket %s: %w", f.Number, err)
	}
	if err != nil {
		f.Unknown = append(f.Unknown, "whether its workflow knows more: "+err.Error())
	}
	if m.doubt != "" {
		f.Unknown = append(f.Unknown, m.doubt+"; migrate reconcile sees to it")
	}
	f.Events, f.TakenIn = m.events, m.takenIn
	return m, nil
}

// found counts and reports a finding.
func (b *rebuilding) found(f RebuildFinding, m mended) {
	sum := &b.point.Sum
	if len(f.Unknown) > 0 {
		sum.Unknown++
	}
	if len(f.Wrong) > 0 {
		sum.Remade++
	}
	switch {
	case m.takenIn:
		sum.TakenIn++
	case m.events > 0:
		sum.BroughtUp++
	}
	if sum.Events += m.events; len(f.Wrong)+len(f.Unknown) == 0 && m.events == 0 {
		sum.Same++
		return
	}
	b.report(f)
}

// workflows takes in tickets of which there is no row, or one of an earlier generation, from the workflows that are kept.
func (b *rebuilding) workflows(ctx context.Context, _ RebuildCount) error {
	total, err := b.Workflows.CountWorkflows(ctx)
	if err != nil {
		return err
	}
	var drawn Drawn
	for done, token := 0, ""; ; {
		b.Progress(stepWorkflows, done, max(total, done), b.point.Last)
		page, next, err := b.Workflows.List(ctx, false, time.Time{}, token)
		if err != nil {
			return err
		}
		strange, err := b.strange(ctx, page)
		if err != nil {
			return err
		}
		for _, w := range page {
			drawn.Add(w.Identity)
		}
		for _, w := range strange {
			if _, err := b.missing(ctx, w.Number, w.Generation); err != nil {
				return err
			}
		}
		done += len(page)
		if token = next; token == "" {
			break
		}
	}
	// Also where this run took in none: the one before it may have, and been killed.
	return b.advance(ctx, drawn)
}

// advance makes sure that no id and no number is given again: those of tickets that were taken in were drawn, whatever the counters say.
func (b *rebuilding) advance(ctx context.Context, drawn Drawn) error {
	if b.DryRun {
		return nil
	}
	if err := b.Model.Advance(ctx, drawn); err != nil {
		return fmt.Errorf("move the counters on: %w", err)
	}
	return b.Model.ClearVoids(ctx)
}

// missing takes in a ticket of which a generation's workflow is kept that the read model does not have.
func (b *rebuilding) missing(ctx context.Context, number string, generation int) (m mended, err error) {
	rows, err := b.Books.Known(ctx, []string{number})
	if err != nil {
		return m, err
	}
	stored, known := rows[number]
	row := stored.Ticket
	if known && (stored.Unread != nil || row.Generation >= generation) { // it was named; or it is there by now, or is one that goes on although its ticket is over: reconcile looks for those
		return m, nil
	}
	row.Number = number
	f := RebuildFinding{Identity: row.Identity}
	if b.Tenant != "" {
		p, err := b.Workflows.Peek(ctx, row.Identity, generation, 0)
		if err == nil && p.Ticket.Tenant != b.Tenant {
			return m, nil
		}
	}
	if m, err = b.asked(ctx, row, generation, &f); err != nil {
		return m, err
	}
	if m.ID != 0 {
		f.Identity = m.Identity
	}
	if m.events > 0 || len(f.Unknown) > 0 {
		b.point.Sum.Tickets++
		b.found(f, m)
	}
	return m, nil
}

// words takes out of the index of words what leads to no ticket.
func (b *rebuilding) words(ctx context.Context, _ RebuildCount) error {
	for n := 0; ; n++ {
		if n%rebuildBatch == 0 {
			b.Progress(stepWords, n, n, b.point.Words.Number)
			if err := b.keep(ctx); err != nil {
				return err
			}
		}
		at, stray, more, err := b.Model.ClearWords(ctx, b.Tenant, b.point.Words, b.DryRun)
		if err != nil || !more {
			return err
		}
		b.point.Words = at
		b.point.Sum.Words += stray
	}
}

// counts counts anew, tenant by tenant.
func (b *rebuilding) counts(ctx context.Context, _ RebuildCount) error {
	for n := 0; ; n++ {
		tenant, err := b.Tenant, error(nil)
		if tenant == "" {
			tenant, err = b.Model.TenantBehind(ctx, b.point.Tenant)
		}
		if err != nil || tenant == "" {
			return err
		}
		b.Progress(stepCounts, n, n+1, b.point.Last)
		found, err := b.Model.Recount(ctx, tenant, b.DryRun)
		if err != nil {
			return err
		}
		b.point.Sum.Counts += found.Wrong
		b.point.Sum.Unread += len(found.Unread)
		for _, one := range found.byTicket() {
			b.report(one)
		}
		b.point.Tenant = tenant
		if err := b.keep(ctx); err != nil || b.Tenant != "" {
			return err
		}
	}
}

// byTicket gives the events that cannot be read as findings, one for each ticket.
func (r Recounted) byTicket() (list []RebuildFinding) {
	for _, e := range r.Unread {
		if n := len(list); n == 0 || list[n-1].ID != e.ID {
			list = append(list, RebuildFinding{Identity: e.Identity})
		}
		last := &list[len(list)-1]
		last.Unread = append(last.Unread, e.Seq)
	}
	return list
}

// some makes tickets anew by their numbers.
func (b *rebuilding) some(ctx context.Context) error {
	ids, err := b.Model.TicketIDs(ctx, b.Tenant, b.Tickets)
	if err != nil {
		return err
	}
	b.Begin(RebuildCount{Open: len(ids)})
	var drawn Drawn
	for done, number := range b.Tickets {
		b.Progress(stepTickets, done, len(b.Tickets), b.point.After)
		id, known := ids[number]
		if known {
			if err := b.Model.Remake(ctx, []int64{id}, b.DryRun, func(t Remade) error { return b.see(ctx, t) }); err != nil {
				return err
			}
			continue
		}
		top, _, err := b.generations(ctx, number, 0)
		if err != nil {
			return err
		}
		before := b.point.Sum.Tickets
		if top >= 0 {
			m, err := b.missing(ctx, number, top)
			if err != nil {
				return err
			}
			if m.takenIn {
				drawn.Add(m.Identity)
			}
		}
		if b.point.Sum.Tickets == before {
			b.point.Sum.Tickets++
			b.found(RebuildFinding{Identity: ticket.Identity{Number: number, Tenant: b.Tenant}, Unknown: []string{"neither store has it"}}, mended{})
		}
	}
	if b.point.Sum.TakenIn == 0 {
		return nil
	}
	return b.advance(ctx, drawn)
}
