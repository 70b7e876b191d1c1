package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"signalbox/store"
)

// runReseal seals everything anew under the master key that is in force, or with -check only tells what lies under which.
func runReseal(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("reseal", out)
	check := flags.Bool("check", false, "change nothing, only tell what is sealed under which master key; fails while an earlier one is needed")
	return withStore(ctx, flags, args, out, func(s *store.Store) error {
		if *check {
			return checkSeals(ctx, s, out)
		}
		return reseal(ctx, s, out)
	})
}

func reseal(ctx context.Context, s *store.Store, out io.Writer) error {
	done, err := s.Reseal(ctx)
	tabs := tabwriter.NewWriter(out, 2, 4, 2, ' ', 0)
	fmt.Fprintln(tabs, "WHAT\tSEALED ANEW\tFAILED")
	failed := 0
	for _, d := range done {
		fmt.Fprintf(tabs, "%s\t%d\t%d\n", d.What, d.N, d.Failed)
		failed += d.Failed
	}
	if err := errors.Join(err, tabs.Flush()); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d could not be opened and were left as they are; the log says why", failed)
	}
	fmt.Fprintln(out, "Nothing is left under an earlier key, unless a process still seals with one: see migrate reseal -check.")
	return nil
}

func checkSeals(ctx context.Context, s *store.Store, out io.Writer) error {
	sealed, err := s.SealedUnder(ctx)
	if err != nil {
		return err
	}
	tabs := tabwriter.NewWriter(out, 2, 4, 2, ' ', 0)
	fmt.Fprintln(tabs, "WHAT\tKEY\tSEALED")
	left := 0
	for _, c := range sealed {
		key := c.Key
		if c.InForce {
			key += " (in force)"
		} else {
			left += c.N
		}
		fmt.Fprintf(tabs, "%s\t%s\t%d\n", c.What, key, c.N)
	}
	if err := tabs.Flush(); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d are sealed under another key than the one in force: run migrate reseal before that key goes", left)
	}
	fmt.Fprintln(out, "Everything is sealed under the key in force; no earlier one is needed.")
	return nil
}
