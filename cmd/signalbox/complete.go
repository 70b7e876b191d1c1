package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signalbox/client"
)

// completing is how long a shell waits for what Signalbox knows, at most.
const completing = 3 * time.Second

// forCompletion asks Signalbox for what completes a word; where it cannot be asked, nothing does.
func (c *cli) forCompletion(command *cobra.Command, ask func(api *client.Client, ctx context.Context)) {
	who, err := c.caller()
	if err != nil {
		return
	}
	api, err := client.New(who.URL, client.Options{Secret: who.Secret, Tries: 1, UserAgent: "signalbox-cli"})
	if err != nil {
		return
	}
	ctx := command.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completing)
	defer cancel()
	ask(api, ctx)
}

// pageFlags are the flags of a list.
func pageFlags(f *pflag.FlagSet, limit *int, all *bool) {
	f.IntVarP(limit, "limit", "n", 20, "how many at most")
	f.BoolVar(all, "all", false, "all of them")
}

// pageOf says how long a page is asked for, and how many lines there are at most; 0: all.
func pageOf(limit int, all bool) (page *int, most int, err error) {
	switch {
	case all:
		return nil, 0, nil
	case limit < 1:
		return nil, 0, usagef("--limit: must be at least 1")
	}
	return new(min(limit, 200)), limit, nil
}
