package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/ticket"
)

// Books is the read model as far as it is compared with the workflows.
type Books interface {
	Ledger
	// Standing lists tickets by id, behind one: those that are open, and those in doubt. Their workflow has to run, or something is wrong.
	Standing(ctx context.Context, after int64, limit int) ([]Row, error)
	// CountStanding says how many there are, and the highest id of any ticket.
	CountStanding(ctx context.Context) (n int, last int64, err error)
	// Known gives those of some tickets that there are rows of, by number.
	Known(ctx context.Context, numbers []string) (map[string]Row, error)
	// Timeline gives at most limit events of a ticket after a sequence number, oldest first.
	Timeline(ctx context.Context, ticketID int64, after int64, limit int) ([]ticket.Event, error)
	// Unclaimed gives those of some operations that nothing is kept of.
	Unclaimed(ctx context.Context, operations []string) ([]string, error)
	// Resolve projects events and takes it back that the ticket is in doubt, in one transaction. It fails like Project otherwise.
	Resolve(ctx context.Context, id ticket.Identity, events []ticket.Event) error
	// Ailing gives the open tickets that are written down as stuck since their workflow is lost or fails, and takes that back of those that are over.
	Ailing(ctx context.Context) (map[int64]ticket.Cause, error)
	// Ail writes down that an open ticket is stuck for one of these causes, and for no other of them; empty: for none.
	Ail(ctx context.Context, id ticket.Identity, cause ticket.Cause) error
	// ClearVoids takes back, of ids that were said to have no ticket, that those have none which have one now.
	ClearVoids(ctx context.Context) error
	// Alone runs do while nobody else runs anything by it, in any process. It fails, with who that is and since when, where somebody is at work already. The context of do is over as soon as that is not
	// sure any more, and nothing that is written with it is kept then. what is what others are told.
	Alone(ctx context.Context, what string, do func(ctx context.Context) error) error
}

// Row is a ticket as the read model has it.
type Row struct {
	ticket.Ticket
	Unread error // why its row cannot be read; it has its number, ids and tenant alone then
}

// unread tells that a row cannot be read, which keeps its ticket from being compared, and no other.
func (r Row) unread() error {
	if r.Unread == nil {
		return nil
	}
	return fmt.Errorf("its row cannot be read, and migrate rebuild makes it anew: %w", r.Unread)
}

// Listed is the workflow of a generation of a ticket, as a list shows it. Lists may be a moment behind.
type Listed struct {
	ticket.Identity // number and integer id; zero: not known
	Generation      int
	Running         bool
}

// Workflows is Temporal as far as it is compared with the read model.
type Workflows interface {
	Engine
	// List gives a page of the tickets' workflows, those that began last first, and where the next page begins; empty: there is none. Left out is what began
	// before since, and with running what is over. The first page begins with the empty token.
	List(ctx context.Context, running bool, since time.Time, token string) (page []Listed, next string, err error)
	// CountWorkflows says how many there are.
	CountWorkflows(ctx context.Context) (int, error)
	// Running reports whether a generation's workflow runs. ErrGone: there is none, running or over.
	Running(ctx context.Context, number string, generation int) (bool, error)
	// Ails tells why a generation's workflow does not go on, ticket.CauseLost or ticket.CauseFailing; empty: it does.
	Ails(ctx context.Context, number string, generation int) (ticket.Cause, error)
	// Stop ends the workflow of a generation, if it runs, without the ticket having ended.
	Stop(ctx context.Context, number string, generation int, why string) error
	// Served refuses where nobody answers for workflows: no worker serves them.
	Served(ctx context.Context) error
}

// Reconciler compares all tickets of the two stores and has them agree, by one rule: what the database has was told to somebody, so it stays; what a workflow
// knows beyond that is brought in, if it follows from it; and a ticket whose workflow is behind the database, tells another story, or is lost is begun again from what
// the database has.
type Reconciler struct {
	Desk      *Desk
	Books     Books
	Workflows Workflows
}

// ReconcileOptions say what is compared, and how.
type ReconcileOptions struct {
	DryRun bool
	Ticket string // the number of the only ticket to be compared; empty: all
	Lost   bool   // only open tickets whose workflow does not run, which costs no question to those that do
	After  int64  // tickets up to this id are not compared; for going on after an interruption
	// Progress is told, now and then, how much of what is compared.
	Progress func(what string, done, of int, after int64)
}

// Verdict says what was found of a ticket, and done about it.
type Verdict string

const (
	Agreed     Verdict = "agreed"      // nothing; it may have been in doubt
	BroughtUp  Verdict = "brought up"  // the row was behind its workflow
	TakenIn    Verdict = "taken in"    // there was no row
	BegunAgain Verdict = "begun again" // its workflow was behind the row, told another story, or was lost
	Stopped    Verdict = "stopped"     // a workflow went on whose ticket is over, or in a later generation
	Left       Verdict = "left"        // it could not be reconciled
)

// Finding is what was found of one ticket.
type Finding struct {
	ticket.Identity
	Verdict
	Why    string
	Events int // that were brought in
	// Dropped are events that the workflow had decided and nobody was told of, which the ticket goes on without.
	Dropped []ticket.Event
	// Unclaimed are operations that did happen and of which the database has forgotten who asked for them under which key, and what was answered: sent again, they
	// would happen again.
	Unclaimed []string
}

// Sum counts findings.
type Sum struct {
	Compared int             `json:"compared"`
	Verdicts map[Verdict]int `json:"verdicts,omitempty"`
}

const (
	standingBatch = 200
	eventsBatch   = 200
)

// Reconcile compares all tickets, reports each that did not agree, and mends it unless it is a dry run. It may be interrupted and repeated, and what goes on
// meanwhile is not disturbed: whatever is to be begun again is marked as in doubt first, so that nobody writes on it. Unless it is a dry run, nobody else reconciles or rebuilds meanwhile: see Books.Alone.
func (r *Reconciler) Reconcile(ctx context.Context, o ReconcileOptions, report func(Finding)) (sum Sum, err error) {
	if o.DryRun {
		return r.reconcile(ctx, o, report)
	}
	what := "migrate reconcile"
	if o.Lost {
		what = "migrate revive"
	}
	err = r.Books.Alone(ctx, what, func(ctx context.Context) (err error) {
		sum, err = r.reconcile(ctx, o, report)
		return err
	})
	return sum, err
}

func (r *Reconciler) reconcile(ctx context.Context, o ReconcileOptions, report func(Finding)) (Sum, error) {
	sum := Sum{Verdicts: map[Verdict]int{}}
	if o.Progress == nil {
		o.Progress = func(string, int, int, int64) {}
	}
	if err := r.Workflows.Served(ctx); err != nil {
		return sum, err
	}
	see := func(f Finding, err error) error {
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			f.Verdict, f.Why = Left, err.Error()
		}
		sum.Compared++
		sum.Verdicts[f.Verdict]++
		if f.Verdict != Agreed || f.Why != "" {
			report(f)
		}
		return nil
	}
	if o.Ticket != "" {
		generation := 0
		if rows, err := r.Books.Known(ctx, []string{o.Ticket}); err != nil {
			return sum, err
		} else if row, known := rows[o.Ticket]; known {
			generation = row.Generation
		}
		return sum, see(r.one(ctx, o.Ticket, generation, o.DryRun))
	}
	if err := r.rows(ctx, o, see); err != nil || o.Lost {
		return sum, err
	}
	drawn, err := r.listed(ctx, o, see)
	if err != nil || o.DryRun {
		return sum, err
	}
	if err := r.Books.Advance(ctx, drawn); err != nil {
		return sum, fmt.Errorf("move the counters on: %w", err)
	}
	return sum, r.Books.ClearVoids(ctx)
}

// rows compares every ticket that must have a workflow.
func (r *Reconciler) rows(ctx context.Context, o ReconcileOptions, see func(Finding, error) error) error {
	// What is opened from now on is for the next time: callers may open tickets as fast as they are compared.
	total, last, err := r.Books.CountStanding(ctx)
	if err != nil {
		return err
	}
	after := o.After
	for done := 0; ; {
		o.Progress("tickets", done, max(total, done), after)
		rows, err := r.Books.Standing(ctx, after, standingBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			if row.ID > last {
				return nil
			}
			if err := see(r.row(ctx, row, o)); err != nil {
				return err
			}
			after = row.ID
		}
		done += len(rows)
	}
}

// row compares a ticket that must have a workflow.
func (r *Reconciler) row(ctx context.Context, row Row, o ReconcileOptions) (Finding, error) {
	if err := row.unread(); err != nil {
		return Finding{Identity: row.Identity}, err
	}
	if o.Lost {
		runs, err := r.Workflows.Running(ctx, row.Number, row.Generation)
		if runs || err != nil && !errors.Is(err, ErrGone) {
			return Finding{Identity: row.Identity, Verdict: Agreed}, err
		}
	}
	return r.one(ctx, row.Number, row.Generation, o.DryRun)
}

// listed compares every workflow whose ticket the database has otherwise: not at all, in an earlier generation, or as one that is over.
func (r *Reconciler) listed(ctx context.Context, o ReconcileOptions, see func(Finding, error) error) (drawn Drawn, err error) {
	total, err := r.Workflows.CountWorkflows(ctx)
	if err != nil {
		return drawn, err
	}
	seen := map[string]bool{}
	for done, token := 0, ""; ; {
		o.Progress("workflows", done, max(total, done), o.After)
		page, next, err := r.Workflows.List(ctx, false, time.Time{}, token)
		if err != nil {
			return drawn, err
		}
		strange, err := r.strange(ctx, page)
		if err != nil {
			return drawn, err
		}
		for _, w := range page {
			drawn.Add(w.Identity)
		}
		for _, w := range strange {
			if seen[w.Number] {
				continue
			}
			seen[w.Number] = true
			if err := see(r.one(ctx, w.Number, w.Generation, o.DryRun)); err != nil {
				return drawn, err
			}
		}
		done += len(page)
		if token = next; token == "" {
			return drawn, nil
		}
	}
}

// strange gives those workflows of a page that the database contradicts, as far as lists tell. A row that cannot be read contradicts nothing.
func (r *Reconciler) strange(ctx context.Context, page []Listed) (out []Listed, err error) {
	numbers := make([]string, len(page))
	for i, w := range page {
		numbers[i] = w.Number
	}
	rows, err := r.Books.Known(ctx, numbers)
	if err != nil {
		return nil, err
	}
	for _, w := range page {
		row, known := rows[w.Number]
		if row.Unread != nil {
			continue
		}
		over := w.Generation < row.Generation || w.Generation == row.Generation && row.Ended()
		if !known || w.Generation > row.Generation || over && w.Running {
			out = append(out, w)
		}
	}
	return out, nil
}

// one compares a ticket with its workflows, and has them agree unless it is a dry run. generation is one that is known of it.
func (r *Reconciler) one(ctx context.Context, number string, generation int, dry bool) (f Finding, err error) {
	f = Finding{Identity: ticket.Identity{Number: number}, Verdict: Agreed}
	rows, err := r.Books.Known(ctx, []string{number})
	if err != nil {
		return f, err
	}
	if err := rows[number].unread(); err != nil {
		f.Identity = rows[number].Identity
		return f, err
	}
	row, inDoubt := rows[number].Ticket, false
	if row.Number != "" {
		f.Identity = row.Identity
		_, err := r.Books.Ticket(ctx, row.Tenant, row.Number)
		if inDoubt = errors.Is(err, ErrInDoubt); err != nil && !inDoubt {
			return f, err
		}
	}
	top, lives, err := r.generations(ctx, number, max(generation, row.Generation))
	if err != nil {
		return f, err
	}
	if f.Verdict, f.Why, err = r.stopEarlier(ctx, row, number, top, lives, dry); err != nil {
		return f, err
	}
	p, why, err := r.story(ctx, row, number, top)
	if err != nil {
		return f, err
	}
	switch {
	case row.Number == "" && p.Ticket.Number == "":
		return f, errors.New("neither store has it")
	case why != "":
		return r.beginAgain(ctx, f, row, p, top, lives[top], why, dry)
	case row.Number == "":
		f.Identity, f.Verdict, f.Why = p.Ticket.Identity, TakenIn, "the database had no row of it"
	case p.Ticket.Seq > row.Seq:
		f.Verdict, f.Why = BroughtUp, fmt.Sprintf("the database had it up to event %d, its workflow up to event %d", row.Seq, p.Ticket.Seq)
	}
	if inDoubt && f.Why == "" {
		f.Why = "it was in doubt, and is not any more"
	}
	if inDoubt && !dry { // what it is in doubt for was found to be no contradiction
		if err := r.Books.Resolve(ctx, f.Identity, nil); err != nil {
			return f, err
		}
	}
	if f, err = r.bringUp(ctx, f, row, p, top, dry); err != nil {
		return f, err
	}
	if p.Ticket.Number != "" && !p.Ticket.Ended() && !lives[top] {
		// Somebody ended its workflow by hand, or it failed.
		if row = p.Ticket; !dry {
			if rows, err = r.Books.Known(ctx, []string{number}); err != nil {
				return f, err
			}
			row = rows[number].Ticket
		}
		return r.beginAgain(ctx, f, row, Peeked{}, top, false, "its workflow was ended without the ticket having ended", dry)
	}
	return f, nil
}

// generations gives the highest generation of a ticket that a workflow is kept of, at most a little above one that is known, and which of those looked at run;
// below zero: there is none.
func (r *Reconciler) generations(ctx context.Context, number string, known int) (top int, lives map[int]bool, err error) {
	top, lives = -1, map[int]bool{}
	look := func(g int) (there bool, err error) {
		runs, err := r.Workflows.Running(ctx, number, g)
		if errors.Is(err, ErrGone) {
			return false, nil
		}
		if err == nil {
			lives[g] = runs
			top = max(top, g)
		}
		return err == nil, err
	}
	for g := known; g >= 0; g-- {
		if _, err := look(g); err != nil {
			return top, lives, err
		}
	}
	for g := known + 1; ; g++ {
		if there, err := look(g); err != nil || !there {
			return top, lives, err
		}
	}
}

// stopEarlier ends workflows of generations that are over.
func (r *Reconciler) stopEarlier(ctx context.Context, row ticket.Ticket, number string, top int, lives map[int]bool, dry bool) (v Verdict, why string, err error) {
	v = Agreed
	for g, runs := range lives {
		ended := row.Number != "" && g == row.Generation && row.Ended()
		if !runs || !ended && g >= max(top, row.Generation) {
			continue
		}
		if ended {
			// It may be about to end by itself.
			p, err := r.Workflows.Peek(ctx, row.Identity, g, row.Seq)
			if err != nil || p.Ticket.Ended() {
				return v, why, err
			}
		}
		v, why = Stopped, fmt.Sprintf("the workflow of generation %d went on, which is over", g)
		if !dry {
			if err := r.Workflows.Stop(ctx, number, g, why); err != nil {
				return v, why, err
			}
			lives[g] = false
		}
	}
	return v, why, nil
}

// story asks the latest workflow what it knows of a ticket, and tells why it cannot be right; empty: it can.
func (r *Reconciler) story(ctx context.Context, row ticket.Ticket, number string, top int) (p Peeked, why string, err error) {
	if top < row.Generation || top < 0 {
		if row.Number != "" && !row.Ended() {
			why = "its workflow is missing"
		}
		return p, why, nil
	}
	id := row.Identity
	id.Number = number
	after := max(row.Seq-1, 0)
	if p, err = r.Workflows.Peek(ctx, id, top, after); err != nil {
		return p, "", err
	}
	if why = contradiction(row, top, p, nil); why != "" {
		if row.Ended() && top == row.Generation {
			why = "" // one that was stopped: the ticket is over
			p = Peeked{Ticket: row}
		}
		return p, why, nil
	}
	if row.Number != "" && len(p.Events) > 0 && p.Events[0].Seq == row.Seq {
		why, err = r.otherEvent(ctx, row, p.Events[0])
	}
	return p, why, err
}

// bringUp projects what a workflow knows and the row does not.
func (r *Reconciler) bringUp(ctx context.Context, f Finding, row ticket.Ticket, p Peeked, top int, dry bool) (Finding, error) {
	if f.Events = int(max(p.Ticket.Seq-row.Seq, 0)); f.Events == 0 {
		return f, nil
	}
	if !dry {
		if err := r.Desk.catchUp(ctx, row, f.Identity, top); err != nil {
			return f, err
		}
	}
	// Who asked, and under which key, is in no workflow.
	for after := row.Seq; ; {
		var events []ticket.Event
		var err error
		if dry {
			if p, err = r.Workflows.Peek(ctx, f.Identity, top, after); err == nil {
				events = p.Events
			}
		} else {
			events, err = r.Books.Timeline(ctx, f.ID, after, eventsBatch)
		}
		if err != nil || len(events) == 0 {
			return f, err
		}
		var operations []string
		for _, e := range events {
			if e.Operation != "" && e.Channel != ticket.ChannelSystem && e.Channel != ticket.ChannelSignal {
				operations = append(operations, e.Operation)
			}
		}
		unclaimed, err := r.Books.Unclaimed(ctx, operations)
		if err != nil {
			return f, err
		}
		f.Unclaimed = append(f.Unclaimed, unclaimed...)
		after = events[len(events)-1].Seq
	}
}

// beginAgain has a ticket go on from what the database has: what its workflow had decided otherwise is dropped, and named.
func (r *Reconciler) beginAgain(ctx context.Context, f Finding, row ticket.Ticket, p Peeked, top int, runs bool, why string, dry bool) (Finding, error) {
	if f.Why != "" {
		why = f.Why + "; then " + why
	}
	f.Verdict, f.Why = BegunAgain, why
	if p.Ticket.Number != "" {
		var err error
		if f.Dropped, err = r.dropped(ctx, row, top); err != nil {
			return f, err
		}
	}
	if dry {
		return f, nil
	}
	// From here on nobody writes on it, and what was seen before still holds, or the next run finds it.
	if err := r.Books.Doubt(ctx, row.Identity, why); err != nil {
		return f, err
	}
	now, err := r.Books.Ticket(ctx, row.Tenant, row.Number)
	switch {
	case !errors.Is(err, ErrInDoubt) && err != nil:
		return f, err
	case !SeenOf(row).Is(now):
		return f, errors.New("it moved meanwhile; compare it again")
	}
	if runs {
		if err := r.Workflows.Stop(ctx, row.Number, top, "reconciled: "+why); err != nil {
			return f, err
		}
	}
	before, event := ticket.Recover(now, max(top, now.Generation)+1, r.Desk.opts.NewID(), why, r.Desk.opts.Now())
	if err := r.Workflows.Begin(ctx, before, []ticket.Event{event}); err != nil {
		return f, fmt.Errorf("begin again: %w", err)
	}
	return f, r.Books.Resolve(ctx, row.Identity, []ticket.Event{event})
}

// dropped gives the events of a workflow that are not those of the database.
func (r *Reconciler) dropped(ctx context.Context, row ticket.Ticket, generation int) (list []ticket.Event, err error) {
	for after := int64(0); ; {
		p, err := r.Workflows.Peek(ctx, row.Identity, generation, after)
		if err != nil || len(p.Events) == 0 {
			return list, err
		}
		first := p.Events[0].Seq
		stored, err := r.Books.Timeline(ctx, row.ID, first-1, len(p.Events))
		if err != nil {
			return list, err
		}
		for _, e := range p.Events {
			if !slices.ContainsFunc(stored, func(is ticket.Event) bool { return ticket.Same(is, e) }) {
				list = append(list, e)
			}
		}
		if after = p.Events[len(p.Events)-1].Seq; !p.More {
			return list, nil
		}
	}
}
