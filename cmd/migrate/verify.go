package main

import (
	"context"
	"fmt"
	"io"

	"signalbox/store"
	"signalbox/store/verify"
)

// runVerify looks for what was done to the database by hand: a line for each finding, and one that sums up. It fails where there is any.
func runVerify(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("verify", out)
	var o verify.Options
	flags.StringVar(&o.Ticket, "ticket", "", "only the ticket with this number")
	flags.StringVar(&o.Tenant, "tenant", "", "only tickets of this tenant; whole tickets that are missing are then not found")
	flags.BoolVar(&o.Backfill, "adopt", false, "take in, as it is now, what a version without the chain has written; once, when that version is gone")
	return withStore(ctx, flags, args, out, func(s *store.Store) error { return verifyStore(ctx, s, o, out) })
}

func verifyStore(ctx context.Context, s *store.Store, o verify.Options, out io.Writer) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	sum, err := s.Verify(ctx, o, func(f verify.Fault) {
		kind := "fault"
		if f.Unchained {
			kind = "unchained"
		}
		if f.Number == "" {
			fmt.Fprintf(out, "%s: %s\n", kind, f.What)
			return
		}
		fmt.Fprintf(out, "%s: ticket %s of %s: %s\n", kind, f.Number, f.Tenant, f.What)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d tickets, %d rows of timelines (%d taken in later), %d ids without a ticket; %d faults, %d unchained\n",
		sum.Tickets, sum.Rows, sum.Backfilled, sum.Void, sum.Faults, sum.Unchained)
	switch {
	case sum.Faults > 0:
		return fmt.Errorf("%d faults: somebody changed the database, or it was put back in part", sum.Faults)
	case sum.Unchained > 0:
		return fmt.Errorf("%d findings that migrate verify -adopt takes in, if a version from before the chain explains them", sum.Unchained)
	}
	return nil
}
