package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"signalbox/cmd/internal/setup"
	"signalbox/desk"
	"signalbox/store"
)

// runRebuild makes the read model anew, and lists each ticket of which anything was wrong.
func runRebuild(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("rebuild", out)
	var o desk.RebuildOptions
	flags.BoolVar(&o.DryRun, "dry-run", false, "change nothing, only tell what would be made anew")
	flags.BoolVar(&o.CountOnly, "count", false, "only count the tickets, and tell about how long it takes")
	flags.BoolVar(&o.FromStart, "from-start", false, "begin at the start, and not where it was interrupted")
	flags.StringVar(&o.Tenant, "tenant", "", "only tickets, words and counts of this tenant")
	numbers := flags.String("ticket", "", "only the tickets with these numbers, with commas between them; words of no ticket and counts are left as they are")
	var base setup.Base
	if done, err := readArguments(flags, args, &base, out); done || err != nil {
		return err
	}
	for number := range strings.SplitSeq(*numbers, ",") {
		if number = strings.TrimSpace(number); number != "" {
			o.Tickets = append(o.Tickets, number)
		}
	}
	house, err := base.Open(ctx, setup.Log(base.LogLevel, "migrate"))
	if err != nil {
		return err
	}
	defer house.Close()
	if err := house.Ready(ctx); err != nil {
		return err
	}
	return rebuild(ctx, house.Rebuilder(), o, out, newProgress(out))
}

func rebuild(ctx context.Context, r *desk.Rebuilder, o desk.RebuildOptions, out io.Writer, p *progress) error {
	p.rate = true
	o.Progress = p.tell
	o.Begin = func(c desk.RebuildCount) {
		switch {
		case len(o.Tickets) > 0:
			return
		case c.Since != nil:
			fmt.Fprintf(out, "going on with the %s, as it was interrupted: begun %s, %d tickets done; -from-start begins anew\n", c.Since.Step, c.Since.Began.UTC().Format(time.RFC3339), c.Since.Sum.Tickets)
		}
		about := ""
		if c.About > 0 {
			about = ", about " + length(c.About)
		}
		fmt.Fprintf(out, "%d tickets to look at: %d open, %d ended%s\n", c.Open+c.Ended, c.Open, c.Ended, about)
	}
	sum, err := r.Rebuild(ctx, o, func(f desk.RebuildFinding) {
		p.clear()
		tellRemade(out, f, o.DryRun)
	})
	p.clear()
	switch {
	case errors.As(err, new(*store.Held)):
		return err
	case err != nil && (o.DryRun || o.CountOnly || len(o.Tickets) > 0):
		return err
	case err != nil:
		return fmt.Errorf("%w; what was done stays, and run again it goes on there: %d tickets are done", err, sum.Tickets)
	case o.CountOnly:
		return nil
	}
	text := fmt.Sprintf("%d tickets: %d the same already, %d made anew, %d brought up by %d events, %d taken in, %d not known", sum.Tickets, sum.Same, sum.Remade, sum.BroughtUp, sum.Events, sum.TakenIn, sum.Unknown)
	if len(o.Tickets) == 0 {
		text += fmt.Sprintf("; %d counts put right, words of %d tickets that are not there", sum.Counts, sum.Words)
	}
	if o.DryRun {
		text += "; nothing was changed"
	}
	fmt.Fprintln(out, text)
	var left []string
	if sum.Unknown > 0 {
		left = append(left, fmt.Sprintf("of %d tickets something cannot be known", sum.Unknown))
	}
	if sum.Unread > 0 {
		left = append(left, fmt.Sprintf("%d events cannot be read and are in no count", sum.Unread))
	}
	if len(left) > 0 {
		return fmt.Errorf("%s: they are named above", strings.Join(left, "; "))
	}
	return nil
}

// tellRemade writes what was found of a ticket, and what was done.
func tellRemade(out io.Writer, f desk.RebuildFinding, dry bool) {
	would := ""
	if dry {
		would = "would be "
	}
	of := ""
	if f.Tenant != "" {
		of = " of " + f.Tenant
	}
	if len(f.Wrong) > 0 {
		fmt.Fprintf(out, "%s%s: %smade anew: %s\n", f.Number, of, would, strings.Join(f.Wrong, "; "))
	}
	switch {
	case f.TakenIn:
		fmt.Fprintf(out, "%s%s: %staken in from its workflow, %d events: the database had no row of it\n", f.Number, of, would, f.Events)
	case f.Events > 0:
		fmt.Fprintf(out, "%s%s: %sbrought up by %d events from its workflow\n", f.Number, of, would, f.Events)
	}
	for _, why := range f.Unknown {
		fmt.Fprintf(out, "%s%s: not known: %s\n", f.Number, of, why)
	}
	for _, seq := range f.Unread {
		fmt.Fprintf(out, "%s%s: event %d cannot be read: it is in no count\n", f.Number, of, seq)
	}
}

// length writes a length of time as people say it.
func length(d time.Duration) string {
	switch {
	case d < time.Second:
		return "a second"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Round(time.Hour).Hours()))
}
