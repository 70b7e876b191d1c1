package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/client"
	"signalbox/client/issue"
)

func (c *cli) watchCommand() *cobra.Command {
	var from, cursorFile string
	var every time.Duration
	var untilClosed, fresh bool
	command := &cobra.Command{
		Use:   "watch [NUMBER]",
		Short: "Follow a ticket, or everything that happens",
		Long: `Follow a ticket (its whole timeline first, unless --new), or the change feed: every event of every ticket of the tenant, each once. It goes on until
it is interrupted; while Signalbox cannot be reached it goes on asking and says so. With -o json each event is a line.`,
		Example: `  signalbox watch IM202611241443500000000001 --until-closed
  signalbox watch -o json | jq -r '.Issue.id + " " + .Event.type'
  signalbox watch --cursor-file ~/.signalbox-cursor      # goes on where it was last time`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if every < 100*time.Millisecond {
				return usagef("--every: must be at least 100ms")
			}
			api, err := c.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if from != "" || cursorFile != "" {
					return usagef("--from, --cursor-file: are for the change feed, not for one ticket")
				}
				return c.watchTicket(command.Context(), api, args[0], every, fresh, untilClosed)
			}
			if untilClosed || fresh {
				return usagef("--until-closed, --new: are for one ticket")
			}
			return c.watchFeed(command.Context(), api, from, cursorFile, every)
		},
		ValidArgsFunction: c.completeNumbers,
	}
	f := command.Flags()
	f.StringVar(&from, "from", "", "of the feed: earliest, latest, or a cursor; latest unless said")
	f.StringVar(&cursorFile, "cursor-file", "", "of the feed: file that keeps how far was read")
	f.DurationVar(&every, "every", 2*time.Second, "how often to look")
	f.BoolVar(&fresh, "new", false, "of a ticket: only what happens from now on")
	f.BoolVar(&untilClosed, "until-closed", false, "of a ticket: end once it is closed")
	return command
}

func (c *cli) watchFeed(ctx context.Context, api *client.Client, from, cursorFile string, every time.Duration) error {
	cursor := from
	if cursorFile != "" {
		kept, err := os.ReadFile(cursorFile)
		switch {
		case err == nil && from != "":
			return usagef("--from: not together with a --cursor-file that is there already")
		case err == nil:
			cursor = strings.TrimSpace(string(kept))
		case !errors.Is(err, fs.ErrNotExist):
			return usage{err}
		}
	}
	switch cursor {
	case "":
		cursor = client.Latest
	case "earliest":
		cursor = ""
	}
	for got, err := range api.Follow(ctx, cursor, client.FollowOptions{Every: every, Waiting: c.waiting}) {
		if errors.Is(err, client.Gone) {
			return fmt.Errorf("the database was restored to an earlier state, and the cursor leads nowhere: begin again with --from earliest or latest: %w", err)
		}
		if err != nil {
			return err
		}
		for _, change := range got.Items {
			if err := c.tell(change); err != nil {
				return err
			}
		}
		if cursorFile != "" {
			if err := replace(cursorFile, got.Cursor+"\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cli) tell(change client.Change) error {
	if c.output == "json" {
		return c.line(change)
	}
	raw, err := json.Marshal(change.Event)
	if err != nil {
		return err
	}
	entry, err := client.ReadEntry(raw)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, joined(moment(entry.At), change.Issue.Id, string(change.Issue.Status), entry.Type, entry.Actor, what(entry), change.Issue.Title))
	return err
}

// joined is a line of what is not empty.
func joined(parts ...string) string {
	return clean(strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), gap))
}

// what says in a few words what an entry of a timeline tells beside its type.
func what(e client.TimelineEntry) string {
	var said []string
	for _, h := range e.Happenings {
		parts := []string{h.Node, h.Kind}
		if h.Action != "" {
			parts = append(parts, h.Action)
		}
		if len(h.To) > 0 {
			parts = append(parts, strings.Join(h.To, ", "))
		}
		said = append(said, strings.Join(parts, " "))
	}
	if e.Host != "" {
		said = append(said, e.Host)
	}
	if e.Note != "" {
		said = append(said, e.Note)
	}
	return strings.Join(said, "; ")
}

// replace writes a file anew, so that it has either the old text or the new one whatever happens.
func replace(name, text string) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".signalbox-")
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// waiting tells that Signalbox cannot be reached, and that it is asked again.
func (c *cli) waiting(err error) { fmt.Fprintln(c.err, "signalbox: waiting:", clean(err.Error())) }

// watchTicket tells of a ticket's timeline, from its beginning or only what is new. Entries behind the last one come again each time it is asked: they are the alerts, which
// have an id, and are told once.
func (c *cli) watchTicket(ctx context.Context, api *client.Client, number string, every time.Duration, fresh, untilClosed bool) error {
	last, alerts, first := "0", map[string]bool{}, true
	for {
		var failed error
		for {
			ended, err := c.newEntries(ctx, api, number, &last, alerts, first && fresh)
			if err != nil {
				failed = err
				break
			}
			if ended {
				break
			}
		}
		var refusal *client.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case failed != nil && (first || errors.As(failed, &refusal) && !refusal.Temporary()):
			return failed
		case failed != nil:
			c.waiting(failed)
		default:
			first = false
			if untilClosed {
				a, err := api.Issue.ReadIssueWithResponse(ctx, number)
				if err == nil && string(a.JSON200.Status) == "CLOSED" {
					return c.rest(ctx, api, number, &last, alerts)
				}
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// rest tells what came between the last look and the one that saw the ticket closed.
func (c *cli) rest(ctx context.Context, api *client.Client, number string, last *string, alerts map[string]bool) error {
	for {
		if ended, err := c.newEntries(ctx, api, number, last, alerts, false); err != nil || ended {
			return err
		}
	}
}

// newEntries tells of a page of the timeline; ended: it was the last one.
func (c *cli) newEntries(ctx context.Context, api *client.Client, number string, last *string, alerts map[string]bool, silently bool) (ended bool, err error) {
	a, err := api.Issue.ReadTimelineWithResponse(ctx, number, &issue.ReadTimelineParams{Cursor: last, Limit: new(200)})
	if err != nil {
		return false, err
	}
	for _, item := range a.JSON200.Result.Items {
		raw, err := item.MarshalJSON()
		if err != nil {
			return false, err
		}
		entry, err := client.ReadEntry(raw)
		if err != nil {
			return false, err
		}
		if entry.Seq == 0 && alerts[entry.ID] {
			continue
		}
		if entry.Seq == 0 {
			alerts[entry.ID] = true
		} else {
			*last = strconv.FormatInt(entry.Seq, 10)
		}
		if silently {
			continue
		}
		if c.output == "json" {
			err = c.line(json.RawMessage(raw))
		} else {
			_, err = fmt.Fprintln(c.out, joined(moment(entry.At), entry.Type, entry.Actor, what(entry)))
		}
		if err != nil {
			return false, err
		}
	}
	next := a.JSON200.Result.NextCursor
	if next == nil {
		return true, nil
	}
	*last = *next
	return false, nil
}
