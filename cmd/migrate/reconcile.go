package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"signalbox/cmd/internal/setup"
	"signalbox/desk"
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
	every    time.Duration
	last     time.Time
	after    int64
	shown    bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, every: 5 * time.Second}
	if file, is := out.(*os.File); is {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if p.terminal {
		p.every = 200 * time.Millisecond
	}
	return p
}

const barWidth = 40

func (p *progress) tell(what string, done, of int, after int64) {
	p.after = after
	if done > 0 && time.Since(p.last) < p.every {
		return
	}
	p.last = time.Now()
	if !p.terminal {
		fmt.Fprintf(p.out, "%s: %d of about %d, after %d\n", what, done, of, after)
		return
	}
	filled := barWidth
	if of > 0 {
		filled = barWidth * done / of
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s [%s%s] %d of about %d", what, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, of)
	p.shown = true
}

// clear makes room for a line of another kind.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}
