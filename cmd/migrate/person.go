package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"signalbox/cmd/internal/setup"
	"signalbox/store"
)

// runPerson gives a person a password to sign in to the pages with.
func runPerson(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := newFlags("person", out)
	var p setup.Person
	flags.StringVar(&p.Tenant, "tenant", "", "the tenant (required)")
	flags.StringVar(&p.ID, "id", "", "the person's id, as tickets name them (required)")
	flags.StringVar(&p.Name, "name", "", "what people are shown; a person who is there keeps theirs unless it is given")
	flags.BoolVar(&p.Admin, "admin", false, "put the person into the group of the admins (SIGNALBOX_ADMIN_GROUP)")
	flags.BoolVar(&p.MustChange, "must-change", false, "have the person choose another password when they first sign in")
	remove := flags.Bool("remove-password", false, "take the password away, and read none")
	var settings setup.Persons
	if done, err := readArguments(flags, args, &settings, out); done || err != nil {
		return err
	}
	if p.Tenant == "" || p.ID == "" {
		return errors.New("-tenant and -id are required")
	}
	return withStoreOf(ctx, settings.Base, func(s *store.Store) error {
		if *remove {
			return s.RemovePassword(ctx, p.Tenant, "migrate", p.Key())
		}
		var err error
		if p.Password, err = readPassword(in, out); err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		return setup.EnsurePerson(ctx, s, "migrate", settings.AdminGroup, p)
	})
}

// readPassword reads a password: from a terminal twice and without showing it, from anything else the first line.
func readPassword(in io.Reader, out io.Writer) (string, error) {
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		var said [2]string
		for i, prompt := range []string{"Password: ", "Once more: "} {
			fmt.Fprint(out, prompt)
			typed, err := term.ReadPassword(int(file.Fd()))
			fmt.Fprintln(out)
			if err != nil {
				return "", err
			}
			said[i] = string(typed)
		}
		if said[0] != said[1] {
			return "", errors.New("these were two different ones")
		}
		return said[0], nil
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
