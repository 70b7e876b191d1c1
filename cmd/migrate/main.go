// Command migrate prepares the database and Temporal for a version of Signalbox, and keeps the apps that may call it and the passwords of people.
// Settings come from the environment; -help prints them and the commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"signalbox/cmd/internal/setup"
	"signalbox/store"
	"signalbox/workflows"
)

func main() {
	setup.Main("migrate", func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout) })
}

const commands = `
migrate                                   bring the database's schema, the namespace and its search attributes up to date
migrate app create -code C -tenant T      make an app and print its secret, once
migrate app list [-tenant T]              list apps
migrate app limit -code C -rate N         take at most N requests a minute from an app
migrate app disable|enable -code C        refuse an app from now on, or let it in again
migrate app rotate -code C -overlap D     give an app a new secret; the old one goes on for that long
migrate person -tenant T -id I [-admin]   give a person a password for the pages, read from the terminal or from standard input
migrate reseal                            seal everything anew under the master key in force, once there is a new one
migrate reseal -check                     tell what is sealed under which master key
migrate verify [-ticket N] [-tenant T]    look for what was changed in or deleted from timelines; fails where anything was
migrate verify -adopt                     take in what a version wrote that had no chain yet
migrate reconcile [-dry-run] [-ticket N]  have database and Temporal agree again after one of them was put back to an earlier state
migrate revive [-dry-run] [-ticket N]     have open tickets go on whose workflow is lost or was ended by hand, from what the database has
migrate rebuild [-dry-run] [-tenant T]    make the read model anew: tickets' rows, lists, words and counts, from their timelines and workflows
migrate rebuild -count                    count the tickets, and tell about how long that takes

-help after a command prints its flags.
`

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "app":
			return runApp(ctx, args[1:], out)
		case "person":
			return runPerson(ctx, args[1:], os.Stdin, out)
		case "reseal":
			return runReseal(ctx, args[1:], out)
		case "reconcile":
			return runReconcile(ctx, "reconcile", false, args[1:], out)
		case "revive":
			return runReconcile(ctx, "revive", true, args[1:], out)
		case "rebuild":
			return runRebuild(ctx, args[1:], out)
		case "verify":
			return runVerify(ctx, args[1:], out)
		}
	}
	var s setup.Migrate
	if done, err := setup.Load("migrate", args, &s, out); done || err != nil {
		if done {
			fmt.Fprint(out, commands)
		}
		return err
	}
	log := setup.Log(s.LogLevel, "migrate")
	var left store.Left // what cannot be read keeps nothing else from being done
	if err := s.Migrate(ctx, log); err != nil && !errors.As(err, &left) {
		return fmt.Errorf("database: %w", err)
	}
	house, err := s.Base.Open(ctx, log)
	if err != nil {
		return err
	}
	defer house.Close()
	if err := house.EnsureBootstrap(ctx, s.BootstrapApp); err != nil {
		return err
	}
	if err := workflows.Prepare(ctx, house.Client, s.Temporal.Namespace, s.TemporalRetention); err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	log.InfoContext(ctx, "migrate.done")
	return left.With(nil)
}
