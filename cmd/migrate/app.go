package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"signalbox/desk"
	"signalbox/store"
)

const appUsage = "usage: migrate app create|list|limit|disable|enable|rotate [flags]; -help after a command lists its flags"

// runApp does one thing to the apps that may call.
func runApp(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(appUsage)
	}
	flags := newFlags("app "+args[0], out)
	var code, tenant, scopes string
	var overlap time.Duration
	var rate, burst int
	limiting := func() {
		flags.IntVar(&rate, "rate", 0, "how many requests a minute are taken from it; 0: as many as SIGNALBOX_APP_RATE says")
		flags.IntVar(&burst, "burst", 0, "of these, how many at once; 0: all")
	}
	naming := func() { flags.StringVar(&code, "code", "", "the app's code (required)") }
	var do func(s *store.Store) error
	switch args[0] {
	case "create":
		naming()
		flags.StringVar(&tenant, "tenant", "", "the tenant it belongs to (required)")
		flags.StringVar(&scopes, "scopes", "read,write", "what it may do, of read, write, directory and admin")
		limiting()
		do = func(s *store.Store) error {
			app := desk.App{Code: code, Tenant: tenant, Rate: rate, Burst: burst}
			for _, scope := range strings.Split(scopes, ",") {
				app.Scopes = append(app.Scopes, desk.Scope(strings.TrimSpace(scope)))
			}
			if tenant == "" {
				return errors.New("-tenant is required")
			}
			for _, scope := range app.Scopes {
				if !slices.Contains([]desk.Scope{desk.Read, desk.Write, desk.Directory, desk.Admin}, scope) {
					return fmt.Errorf("there is no scope %q; there are read, write, directory and admin", scope)
				}
			}
			secret, err := s.CreateApp(ctx, app)
			return tell(out, secret, err)
		}
	case "list":
		flags.StringVar(&tenant, "tenant", "", "only apps of this tenant")
		do = func(s *store.Store) error { return list(ctx, s, tenant, out) }
	case "limit":
		naming()
		limiting()
		do = func(s *store.Store) error { return s.SetAppRate(ctx, code, rate, burst) }
	case "disable", "enable":
		naming()
		do = func(s *store.Store) error { return s.SetAppDisabled(ctx, code, args[0] == "disable") }
	case "rotate":
		naming()
		flags.DurationVar(&overlap, "overlap", 24*time.Hour, "how long the old secret goes on")
		do = func(s *store.Store) error {
			secret, err := s.RotateSecret(ctx, code, overlap)
			return tell(out, secret, err)
		}
	default:
		return errors.New(appUsage)
	}
	return withStore(ctx, flags, args[1:], out, func(s *store.Store) error {
		if args[0] != "list" && code == "" {
			return errors.New("-code is required")
		}
		return do(s)
	})
}

// tell prints a secret. It is the only time that anybody sees it.
func tell(out io.Writer, secret string, err error) error {
	if err == nil {
		_, err = fmt.Fprintln(out, secret)
	}
	return err
}

func list(ctx context.Context, s *store.Store, tenant string, out io.Writer) error {
	apps, err := s.ListApps(ctx, tenant)
	if err != nil {
		return err
	}
	tabs := tabwriter.NewWriter(out, 2, 4, 2, ' ', 0)
	fmt.Fprintln(tabs, "CODE\tTENANT\tSCOPES\tRATE\tSTATE")
	for _, app := range apps {
		state := "enabled"
		if app.Disabled {
			state = "disabled"
		}
		words := make([]string, len(app.Scopes))
		for i, scope := range app.Scopes {
			words[i] = string(scope)
		}
		fmt.Fprintf(tabs, "%s\t%s\t%s\t%s\t%s\n", app.Code, app.Tenant, strings.Join(words, ","), rateOf(app), state)
	}
	return tabs.Flush()
}

// rateOf writes an app's own limit; "-" when it has none.
func rateOf(app desk.App) string {
	switch {
	case app.Rate == 0:
		return "-"
	case app.Burst == 0:
		return fmt.Sprintf("%d/min", app.Rate)
	}
	return fmt.Sprintf("%d/min, %d at once", app.Rate, app.Burst)
}
