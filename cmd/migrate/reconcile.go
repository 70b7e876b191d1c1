package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"signalbox/cmd/internal/setup"
	"signalbox/desk"
	"signalbox/store"
)

// runReconcile has both stores agree again after one of them was put back to an earlier state, and lists ticket by ticket what was done. With lost it looks only at
// tickets whose workflow does not run: migrate revive.
func runReconcile(ctx context.Context, name string, lost bool, args []string, out io.Writer) error {
	flags := newFlags(name, out)
	o := desk.ReconcileOptions{Lost: lost}
	flags.BoolVar(&o.DryRun, "dry-run", false, "change nothing, only tell what would be done")
	flags.StringVar(&o.Ticket, "ticket", "", "only the ticket with this number")
	flags.Int64Var(&o.After, "after", 0, "go on behind the ticket with this integer id, where an earlier run was interrupted")
	var base setup.Base
	if done, err := readArguments(flags, args, &base, out); done || err != nil {
		return err
	}
	house, err := base.Open(ctx, setup.Log(base.LogLevel, "migrate"))
	if err != nil {
		return err
	}
	defer house.Close()
	if err := house.Ready(ctx); err != nil {
		return err
	}
	return reconcile(ctx, house.Reconciler(), o, out, newProgress(out))
}

func reconcile(ctx context.Context, r *desk.Reconciler, o desk.ReconcileOptions, out io.Writer, p *progress) error {
	o.Progress = p.tell
	sum, err := r.Reconcile(ctx, o, func(f desk.Finding) {
		p.clear()
		tellFinding(out, f, o.DryRun)
	})
	p.clear()
	if errors.As(err, new(*store.Held)) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w; what was done stays, and it can be run again, or with -after %d", err, p.after)
	}
	text := fmt.Sprintf("%d tickets compared", sum.Compared)
	for _, v := range []desk.Verdict{desk.BroughtUp, desk.TakenIn, desk.BegunAgain, desk.Stopped, desk.Left} {
		text += fmt.Sprintf(", %d %s", sum.Verdicts[v], v)
	}
	if o.DryRun {
		text += "; nothing was changed"
	}
	fmt.Fprintln(out, text)
	if n := sum.Verdicts[desk.Left]; n > 0 {
		return fmt.Errorf("%d tickets could not be reconciled", n)
	}
	return nil
}

// tellFinding writes what was found of a ticket, what was done, and what cannot be known.
func tellFinding(out io.Writer, f desk.Finding, dry bool) {
	would := ""
	if dry {
		would = "would be "
	}
	if f.Verdict == desk.Left {
		would = ""
	}
	fmt.Fprintf(out, "%s: %s%s: %s\n", f.Number, would, f.Verdict, f.Why)
	if f.Events > 0 {
		fmt.Fprintf(out, "  events brought in: %d\n", f.Events)
	}
	for _, e := range f.Dropped {
		operation := ""
		if e.Operation != "" {
			operation = ", operation " + e.Operation
		}
		fmt.Fprintf(out, "  dropped: event %d, %s by %s (%s) at %s%s: its workflow had decided it, and nobody was told\n", e.Seq, e.Type, e.Actor, e.Channel,
			e.At.UTC().Format(time.RFC3339), operation)
	}
	if f.Verdict == desk.BegunAgain {
		fmt.Fprintln(out, "  not known: signals that came after the last event; requests of its process that were under way are made again, under the same key")
	}
	if len(f.Unclaimed) > 0 {
		slices.Sort(f.Unclaimed)
		fmt.Fprintf(out, "  not known: idempotency keys, answers and senders of what happened meanwhile; repeated, it would happen again: %s\n",
			strings.Join(f.Unclaimed, ", "))
	}
}

// progress tells how far something is: on a terminal as a bar, elsewhere as a line now and then.
type progress struct {
	out      io.Writer
	terminal bool
	rate     bool // tell how many a second, and how long the rest takes
	every    time.Duration
	last     time.Time
	after    int64
	shown    bool

	what  string // since when it is at what, and how much was done then
	from  int
	since time.Time
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, every: 5 * time.Second}
	if file, is := out.(*os.File); is {
		p.terminal = term.IsTerminal(int(file.Fd()))
	}
	if p.terminal {
		p.every = 200 * time.Millisecond
	}
	return p
}

const barWidth = 40

func (p *progress) tell(what string, done, of int, after int64) {
	p.after = after
	now := time.Now()
	begins := what != p.what
	if begins {
		p.what, p.from, p.since = what, done, now
	}
	if done > 0 && !(begins && p.rate) && now.Sub(p.last) < p.every {
		return
	}
	p.last = now
	speed := p.speed(done, of, now)
	if !p.terminal {
		fmt.Fprintf(p.out, "%s: %d of about %d, after %d%s\n", what, done, of, after, speed)
		return
	}
	filled := barWidth
	if of > 0 {
		filled = barWidth * done / of
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s [%s%s] %d of about %d%s", what, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, of, speed)
	p.shown = true
}

// speed tells how many are done a second, and how long the rest takes.
func (p *progress) speed(done, of int, now time.Time) string {
	took := now.Sub(p.since)
	if !p.rate || done <= p.from || took <= 0 {
		return ""
	}
	each := took / time.Duration(done-p.from)
	text := fmt.Sprintf(", %.0f/s", float64(time.Second)/float64(max(each, 1)))
	if of > done {
		text += ", about " + length(each*time.Duration(of-done)) + " left"
	}
	return text
}

// clear makes room for a line of another kind.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}
