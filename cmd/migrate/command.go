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

// readArguments reads a command's arguments and the settings of the environment; done: -help has printed the flags, and there is nothing to do.
func readArguments(flags *flag.FlagSet, args []string, settings any, out io.Writer) (done bool, err error) {
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	if flags.NArg() > 0 {
		return false, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	_, err = setup.Load("migrate", nil, settings, out)
	return false, err
}

// withStore does what a command does to the database alone, once its arguments are read: -help prints its flags and does nothing.
func withStore(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer, do func(s *store.Store) error) error {
	var base setup.Base
	if done, err := readArguments(flags, args, &base, out); done || err != nil {
		return err
	}
	return withStoreOf(ctx, base, do)
}

// withStoreOf does something to the database of those settings.
func withStoreOf(ctx context.Context, base setup.Base, do func(s *store.Store) error) error {
	s, err := base.OpenStore(ctx, setup.Log(base.LogLevel, "migrate"))
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
