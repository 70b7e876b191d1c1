package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"signalbox/cmd/internal/setup"
	"signalbox/store"
)

// newFlags makes the flags of a command of migrate.
func newFlags(name string, out io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("migrate "+name, flag.ContinueOnError)
	flags.SetOutput(out)
	return flags
}

// withStore does what a command does to the database alone, once its arguments are read: -help prints its flags and does nothing.
func withStore(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer, do func(s *store.Store) error) error {
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var base setup.Base
	if _, err := setup.Load("migrate", nil, &base, out); err != nil {
		return err
	}
	s, err := base.OpenStore(ctx, setup.Log(base.LogLevel, "migrate"))
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
