package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/client"
	"signalbox/client/subscription"
)

// owner is the address whose deliveries are made again: what is done with many is done where their address is.
type owner struct{ subscription, issue, address string }

func (o *owner) add(command *cobra.Command) {
	command.Flags().StringVar(&o.subscription, "subscription", "", "id of a lasting subscription")
	command.Flags().StringVar(&o.issue, "issue", "", "number of a ticket; with --address")
	command.Flags().StringVar(&o.address, "address", "", `id of one of the ticket's addresses ("signalbox show NUMBER --addresses")`)
}

func (o owner) check() error {
	if o.subscription != "" && o.issue == "" && o.address == "" || o.subscription == "" && o.issue != "" && o.address != "" {
		return nil
	}
	return usagef("--subscription, --issue: say either a subscription, or a ticket and its --address: many are made again address by address")
}

// ownerOf is the address that a delivery goes to.
func ownerOf(d subscription.AnyDelivery) owner {
	if d.Subscription != nil {
		return owner{subscription: *d.Subscription}
	}
	return owner{issue: orEmpty(d.Issue), address: orEmpty(d.Notification)}
}

func (c *cli) deliveriesCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "deliveries", Aliases: []string{"delivery"}, Short: "Look at deliveries, and have them made again",
		Example: "  signalbox deliveries list --state failed --host hooks.example.com\n  signalbox deliveries redeliver --subscription ID --state failed",
	}
	group.AddCommand(c.deliveryList(), c.deliveryShow(), c.deliveryRedeliver())
	return group
}

func (c *cli) deliveryList() *cobra.Command {
	var host, lasting, issue, from, to string
	var states []string
	var limit int
	var all bool
	command := &cobra.Command{
		Use: "list", Short: "List deliveries, newest first", Args: cobra.NoArgs,
		Long: "List deliveries to all addresses, newest first, each with where it goes and what its last try came to.",
		Example: `  signalbox deliveries list --state failed,held --from 24h
  signalbox deliveries list --issue IM202611241443500000000001
  signalbox deliveries list --host hooks.example.com --all -o json`,
		RunE: func(command *cobra.Command, _ []string) error {
			query := map[string]any{}
			if len(states) > 0 {
				query["state"] = states
			}
			put(query, "host", host)
			put(query, "subscription", lasting)
			put(query, "issue", issue)
			var err error
			for name, text := range map[string]string{"from": from, "to": to} {
				if text == "" {
					continue
				}
				if query[name], err = timeOf(text); err != nil {
					return usagef("--%s: %w", name, err)
				}
			}
			filter, err := as[subscription.ListAllDeliveriesParams](query)
			if err != nil {
				return err
			}
			if filter.Limit, limit, err = pageOf(limit, all); err != nil {
				return err
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			return list(c, limit, api.AllDeliveries(ctx, filter), []string{"ID", "TYPE", "STATE", "ISSUE", "TO", "AT", "TRIES", "LAST", "NEXT TRY"}, func(d subscription.DeliveryLine) []string {
				tries, last := "0", ""
				if d.LastAttempt != nil {
					tries, last = strconv.Itoa(d.LastAttempt.N), came(*d.LastAttempt)
				}
				return []string{d.Id, d.Type, string(d.State), orEmpty(d.Issue), d.Host, moment(d.At), tries, last, momentOf(d.NextAttemptAt)}
			})
		},
	}
	f := command.Flags()
	f.StringSliceVar(&states, "state", nil, "pending, parked (tried again), sent, failed, held, gathering, digested or cancelled; may be repeated")
	f.StringVar(&host, "host", "", "host of the address")
	f.StringVar(&lasting, "subscription", "", "id of a lasting subscription, or of one of a ticket's addresses")
	f.StringVar(&issue, "issue", "", "number of a ticket: what is told of it")
	f.StringVar(&from, "from", "", "what happened then or later: RFC 3339, a day, or so long ago (24h)")
	f.StringVar(&to, "to", "", "what happened before then")
	pageFlags(f, &limit, &all)
	_ = command.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"pending", "parked", "sent", "failed", "held", "gathering", "digested", "cancelled"}, cobra.ShellCompDirectiveNoFileComp))
	_ = command.RegisterFlagCompletionFunc("issue", c.completeNumbers)
	return command
}

// came says what a try came to.
func came(a subscription.Attempt) string {
	status := ""
	if a.HttpStatus != nil {
		status = strconv.Itoa(*a.HttpStatus)
	}
	return strings.TrimSpace(status + " " + string(a.ErrorClass) + " " + a.Error)
}

func (c *cli) deliveryShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a delivery with all its tries", Args: cobra.ExactArgs(1),
		Example: "  signalbox deliveries show 16fd2706-8baf-433b-82eb-8c7fada847da",
		RunE: func(command *cobra.Command, args []string) error {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			a, err := api.Subscription.ReadAnyDeliveryWithResponse(ctx, args[0])
			if err != nil {
				return err
			}
			if c.output == "json" {
				return c.json(resultOf(a.Body))
			}
			d := a.JSON200.Result
			c.facts("id", d.Id, "type", d.Type, "state", string(d.State), "because", orEmpty(d.Reason), "issue", orEmpty(d.Issue), "to", d.Url, "subscription", orEmpty(d.Subscription),
				"address", orEmpty(d.Notification), "person", orEmpty(d.Person), "happened", moment(d.At), "made", moment(d.CreatedAt), "over", momentOf(d.EndedAt),
				"next try", momentOf(d.NextAttemptAt), "body", d.Body)
			if len(d.Attempts) == 0 {
				return nil
			}
			fmt.Fprintln(c.out)
			t := table{head: []string{"TRY", "AT", "TOOK", "CAME TO", "ANSWER"}}
			for _, a := range d.Attempts {
				t.rows = append(t.rows, []string{strconv.Itoa(a.N), moment(a.StartedAt), (time.Duration(a.DurationMs) * time.Millisecond).String(), came(a), a.Answer})
			}
			return t.write(c.out, width(c.out))
		},
	}
}

// redelivery is how far one is.
type redelivery struct {
	ID    string `json:"id,omitempty"`
	State string `json:"state,omitempty"`
	Total int    `json:"total"`
	Done  int    `json:"done"`
}

func (c *cli) deliveryRedeliver() *cobra.Command {
	var who owner
	var state, from, to string
	var yes, dry, detach bool
	command := &cobra.Command{
		Use: "redeliver [ID]", Short: "Have one delivery, or all of a state or time, made again",
		Long: `Have one delivery, or all of a state or time, made again, each under the id that it had. How many there are is said first, and asked about unless --yes. The work goes
on by itself; how far it is is shown until it is over, and Ctrl-C ends the showing alone.`,
		Example: `  signalbox deliveries redeliver --subscription ID --state failed
  signalbox deliveries redeliver --subscription ID --from 2026-05-04 --to 2026-05-05 --dry-run
  signalbox deliveries redeliver 16fd2706-8baf-433b-82eb-8c7fada847da`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			one := len(args) == 1
			if one && (state+from+to != "" || dry || who != owner{}) {
				return usagef("--subscription, --issue, --state, --from, --to, --dry-run: are for many, not for one delivery")
			}
			if !one {
				if err := who.check(); err != nil {
					return err
				}
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			if one {
				a, err := api.Subscription.ReadAnyDeliveryWithResponse(client.WithKey(ctx, ""), args[0])
				if err != nil {
					return err
				}
				if err := ownerOf(a.JSON200.Result).redeliver(ctx, api, args[0]); err != nil {
					return err
				}
				return c.done(map[string]any{"id": args[0]}, "delivery "+args[0]+" is on its way")
			}
			body := map[string]any{}
			put(body, "state", state)
			for name, text := range map[string]string{"from": from, "to": to} {
				if text == "" {
					continue
				}
				if body[name], err = timeOf(text); err != nil {
					return usagef("--%s: %w", name, err)
				}
			}
			if len(body) == 0 {
				return usagef("--state: say which, by --state, or --from and --to")
			}
			count, err := who.redeliverMany(client.WithKey(ctx, ""), api, body, true)
			if err != nil {
				return err
			}
			switch {
			case dry && c.output == "json":
				return c.json(count)
			case dry || count.Total == 0:
				return c.done(count, fmt.Sprintf("%d deliveries would be made again", count.Total))
			}
			fmt.Fprintf(c.err, "%d deliveries are to be made again\n", count.Total)
			if err := c.confirmed("Go on?", yes); err != nil {
				return err
			}
			begin, end := context.WithTimeout(c.keyed(command.Context()), c.timeout)
			defer end()
			r, err := who.redeliverMany(begin, api, body, false)
			if err != nil {
				return err
			}
			if !detach {
				if r, err = c.progress(command.Context(), api, who, r); err != nil {
					return err
				}
			}
			if r.State == "stopped" {
				_ = c.done(r, fmt.Sprintf("stopped after %d of %d: nothing is sent to the address now", r.Done, r.Total))
				return silent{fmt.Errorf("stopped")}
			}
			return c.done(r, fmt.Sprintf("%d of %d deliveries were put back to be sent (redelivery %s)", r.Done, r.Total, r.ID))
		},
	}
	who.add(command)
	f := command.Flags()
	f.StringVar(&state, "state", "", "failed, held or sent")
	f.StringVar(&from, "from", "", "what happened then or later: RFC 3339, a day, or so long ago (24h)")
	f.StringVar(&to, "to", "", "what happened before then")
	f.BoolVar(&dry, "dry-run", false, "only say how many there are")
	f.BoolVar(&yes, "yes", false, "do not ask")
	f.BoolVar(&detach, "detach", false, "do not wait until it is over")
	return command
}

func (o owner) redeliver(ctx context.Context, api *client.Client, id string) error {
	if o.issue != "" {
		_, err := api.Issue.RedeliverWithResponse(ctx, o.issue, o.address, id, nil)
		return err
	}
	_, err := api.Subscription.RedeliverToSubscriptionWithResponse(ctx, o.subscription, id, nil)
	return err
}

func (o owner) redeliverMany(ctx context.Context, api *client.Client, which map[string]any, dry bool) (redelivery, error) {
	body := map[string]any{"dry_run": dry}
	for name, value := range which {
		body[name] = value
	}
	if o.issue != "" {
		a, err := api.Issue.RedeliverManyWithBodyWithResponse(ctx, o.issue, o.address, nil, "application/json", encoded(body))
		if err != nil {
			return redelivery{}, err
		}
		return readRedelivery(a.Body)
	}
	a, err := api.Subscription.RedeliverManyToSubscriptionWithBodyWithResponse(ctx, o.subscription, nil, "application/json", encoded(body))
	if err != nil {
		return redelivery{}, err
	}
	return readRedelivery(a.Body)
}

func (o owner) howFar(ctx context.Context, api *client.Client, id string) (redelivery, error) {
	if o.issue != "" {
		a, err := api.Issue.ReadRedeliveryWithResponse(ctx, o.issue, o.address, id)
		if err != nil {
			return redelivery{}, err
		}
		return readRedelivery(a.Body)
	}
	a, err := api.Subscription.ReadRedeliveryToSubscriptionWithResponse(ctx, o.subscription, id)
	if err != nil {
		return redelivery{}, err
	}
	return readRedelivery(a.Body)
}

func readRedelivery(body []byte) (r redelivery, err error) {
	return r, json.Unmarshal(resultOf(body), &r)
}

// looking is how often it is asked how far a redelivery is.
const looking = 500 * time.Millisecond

// progress shows how far a redelivery is until it is over.
func (c *cli) progress(ctx context.Context, api *client.Client, who owner, r redelivery) (redelivery, error) {
	shown := shower{out: c.err}
	for {
		shown.show(r.Done, r.Total)
		if r.State != "running" {
			shown.end()
			return r, nil
		}
		select {
		case <-ctx.Done():
			shown.end()
			fmt.Fprintf(c.err, "signalbox: redelivery %s goes on by itself\n", r.ID)
			return r, ctx.Err()
		case <-time.After(looking):
		}
		next, err := who.howFar(ctx, api, r.ID)
		switch {
		case err == nil:
			r = next
		case ctx.Err() == nil:
			return r, err
		}
	}
}

// shower shows progress: a bar on a terminal, lines elsewhere, and those only where something has changed.
type shower struct {
	out   io.Writer
	bar   bool
	lines int
	last  int
}

func (s *shower) show(done, total int) {
	if file, ok := s.out.(*os.File); ok && isTerminal(file) && total > 0 {
		const long = 30
		full := min(done*long/total, long)
		fmt.Fprintf(s.out, "\r[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", long-full), done, total)
		s.bar = true
		return
	}
	if s.lines == 0 || done != s.last {
		fmt.Fprintf(s.out, "%d of %d\n", done, total)
	}
	s.lines++
	s.last = done
}

func (s *shower) end() {
	if s.bar {
		fmt.Fprintln(s.out)
	}
}
