package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/client/subscription"
)

func (c *cli) subscriptionsCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "subscriptions", Aliases: []string{"subscription"}, Short: "Keep lasting subscriptions: addresses that are told of events",
		Example: "  signalbox subscriptions list\n  signalbox subscriptions add https://example.com/closed --source signalbox --type status --status CLOSED --secret-to closed.secret",
	}
	change := func(word, about string, do func(*cobra.Command, string) (any, string, error)) *cobra.Command {
		return &cobra.Command{
			Use: word + " ID", Short: about, Example: "  signalbox subscriptions " + word + " 0f8fad5b-d9cb-469f-a165-70867728950e", Args: cobra.ExactArgs(1),
			RunE: func(command *cobra.Command, args []string) error {
				result, words, err := do(command, args[0])
				if err != nil {
					return err
				}
				return c.done(result, words)
			},
		}
	}
	group.AddCommand(c.subscriptionList(), c.subscriptionShow(), c.subscriptionAdd(),
		change("pause", "Pause a subscription: what comes is held", func(command *cobra.Command, id string) (any, string, error) {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return nil, "", err
			}
			defer cancel()
			a, err := api.Subscription.PauseSubscriptionWithResponse(ctx, id, nil)
			if err != nil {
				return nil, "", err
			}
			return resultOf(a.Body), id + " is paused", nil
		}),
		change("resume", "Resume what was paused or dropped: what was held is sent", func(command *cobra.Command, id string) (any, string, error) {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return nil, "", err
			}
			defer cancel()
			a, err := api.Subscription.ResumeSubscriptionWithResponse(ctx, id, nil)
			if err != nil {
				return nil, "", err
			}
			return resultOf(a.Body), id + " is active", nil
		}),
		c.subscriptionRotate(),
		change("test", "Send a test event to a subscription alone", func(command *cobra.Command, id string) (any, string, error) {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return nil, "", err
			}
			defer cancel()
			a, err := api.Subscription.TestSubscriptionWithResponse(ctx, id, nil)
			if err != nil {
				return nil, "", err
			}
			return resultOf(a.Body), fmt.Sprintf("delivery %s is on its way", a.JSON200.Result.Id), nil
		}),
		c.subscriptionDelete())
	return group
}

// resultOf is the result of an answer of the house API, as it came.
func resultOf(body []byte) json.RawMessage {
	var answer struct{ Result json.RawMessage }
	_ = json.Unmarshal(body, &answer) // the client has read it already
	return answer.Result
}

func (c *cli) subscriptionList() *cobra.Command {
	var state string
	var limit int
	var all bool
	command := &cobra.Command{
		Use: "list", Short: "List subscriptions, newest first", Example: "  signalbox subscriptions list --state dropped", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			query := map[string]any{}
			put(query, "state", state)
			filter, err := as[subscription.ListSubscriptionsParams](query)
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
			return list(c, limit, api.Subscriptions(ctx, filter), []string{"ID", "STATE", "URL", "FOLLOWS", "PROFILE"}, func(s subscription.Subscription) []string {
				return []string{s.Id, string(s.State), s.Url, follows(s), string(s.Profile)}
			})
		},
	}
	command.Flags().StringVar(&state, "state", "", "active, paused or dropped")
	pageFlags(command.Flags(), &limit, &all)
	return command
}

// follows says which events a subscription chooses.
func follows(s subscription.Subscription) string {
	var all []string
	for _, member := range []struct {
		name  string
		value *string
	}{{"source", s.Source}, {"topic", s.Topic}, {"type", s.Type}, {"status", s.Status}, {"key", s.Key}} {
		if member.value != nil {
			all = append(all, member.name+"="+*member.value)
		}
	}
	if len(all) == 0 {
		return "everything"
	}
	return strings.Join(all, " ")
}

func (c *cli) subscriptionShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a subscription, with how much waits", Example: "  signalbox subscriptions show 0f8fad5b-d9cb-469f-a165-70867728950e", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			a, err := api.Subscription.ReadSubscriptionWithResponse(ctx, args[0])
			if err != nil {
				return err
			}
			if c.output == "json" {
				return c.json(resultOf(a.Body))
			}
			var s subscription.Subscription
			if err := json.Unmarshal(resultOf(a.Body), &s); err != nil {
				return err
			}
			n := a.JSON200.Result.Counts
			c.facts("id", s.Id, "url", s.Url, "state", string(s.State), "follows", follows(s), "format", string(s.Format), "profile", string(s.Profile), "added", moment(s.CreatedAt),
				"failing since", momentOf(s.FailingSince), "dropped", momentOf(s.DroppedAt), "because", orEmpty(s.Reason),
				"deliveries", fmt.Sprintf("%d pending, %d tried again, %d held, %d failed", n.Pending, n.Parked, n.Held, n.Failed))
			return nil
		},
	}
}

// secretFlags are the flags for a secret that is told once.
type secretFlags struct {
	show bool
	to   string
}

func (s *secretFlags) add(command *cobra.Command) {
	command.Flags().BoolVar(&s.show, "show-secret", false, "print the secret, which is told now and never again")
	command.Flags().StringVar(&s.to, "secret-to", "", "new file that the secret is written to, for its owner alone (0600)")
}

// prepare makes the file before anything is done, so that the secret is not lost for want of one.
func (s secretFlags) prepare() (*os.File, error) {
	if s.to == "" {
		return nil, nil
	}
	file, err := os.OpenFile(s.to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, usagef("--secret-to: %w", err)
	}
	return file, nil
}

// keep writes a secret where it was asked for, and gives the result without it unless it is to be shown.
func (s secretFlags) keep(file *os.File, result json.RawMessage, secret string) (any, error) {
	if file != nil {
		if _, err := file.WriteString(secret + "\n"); err != nil {
			return nil, err
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(result, &members); err != nil {
		return nil, err
	}
	if !s.show {
		delete(members, "secret")
	}
	return members, nil
}

// unused removes a file that nothing was written to.
func unused(file *os.File) {
	if file != nil {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
}

func (c *cli) subscriptionAdd() *cobra.Command {
	var secret secretFlags
	texts := map[string]*string{}
	var unordered bool
	var wait int
	command := &cobra.Command{
		Use: "add URL", Short: "Add a subscription",
		Long: `Add a subscription. What is sent is signed with a secret that is made now and told once: --show-secret or --secret-to get it; whoever has neither has it replaced
later ("signalbox subscriptions rotate").`,
		Example: `  signalbox subscriptions add https://example.com/closed --source signalbox --type status --status CLOSED --secret-to closed.secret
  signalbox subscriptions add https://example.com/cert --source a --topic gs --key 'a.gs.cert.*' --show-secret`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			body := map[string]any{"url": args[0]}
			for name, text := range texts {
				put(body, name, *text)
			}
			if unordered {
				body["ordered"] = false
			}
			if wait > 0 {
				body["timeout"] = wait
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			file, err := secret.prepare()
			if err != nil {
				return err
			}
			a, err := api.Subscription.SubscribeWithBodyWithResponse(ctx, nil, "application/json", encoded(body))
			if err != nil {
				unused(file)
				return err
			}
			told := a.JSON200.Result.Secret
			result, err := secret.keep(file, resultOf(a.Body), told)
			if err != nil {
				return err
			}
			if a.JSON200.Result.Warnings != nil {
				for _, w := range *a.JSON200.Result.Warnings {
					fmt.Fprintln(c.err, "signalbox: warning:", clean(w.Message))
				}
			}
			words := a.JSON200.Result.Id
			if secret.show {
				words += "\n" + told
				if c.output != "json" {
					_, err := fmt.Fprintln(c.out, words)
					return err
				}
			}
			return c.done(result, words)
		},
	}
	for name, about := range map[string]string{
		"source": "event_source of what it follows", "topic": "event_topic", "type": "event_type", "status": "event_status", "key": "event_key; one that ends in * is a beginning",
		"format": "event or publish; event unless said", "profile": "standard, publish, minutely or once; that of the format unless said",
	} {
		texts[name] = command.Flags().String(name, "", about)
	}
	command.Flags().BoolVar(&unordered, "unordered", false, "have each delivery made by itself, in no order")
	command.Flags().IntVar(&wait, "try-timeout", 0, "how long a try may take, in seconds; 10 unless said")
	secret.add(command)
	return command
}

func (c *cli) subscriptionRotate() *cobra.Command {
	var secret secretFlags
	command := &cobra.Command{
		Use: "rotate ID", Short: "Replace the secret; the one before it signs as well for 24 hours",
		Example: "  signalbox subscriptions rotate 0f8fad5b-d9cb-469f-a165-70867728950e --secret-to new.secret", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if !secret.show && secret.to == "" {
				return usagef("--secret-to: say where the new secret goes, or --show-secret: it is told once")
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			file, err := secret.prepare()
			if err != nil {
				return err
			}
			a, err := api.Subscription.RotateSecretWithResponse(ctx, args[0], nil)
			if err != nil {
				unused(file)
				return err
			}
			result, err := secret.keep(file, resultOf(a.Body), a.JSON200.Result.Secret)
			if err != nil {
				return err
			}
			words := "the secret is replaced"
			if secret.show {
				words = a.JSON200.Result.Secret
			}
			return c.done(result, words)
		},
	}
	secret.add(command)
	return command
}

func (c *cli) subscriptionDelete() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use: "delete ID", Short: "Delete a subscription; nothing more is sent, what is held included", Example: "  signalbox subscriptions delete 0f8fad5b-d9cb-469f-a165-70867728950e --yes",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			a, err := api.Subscription.ReadSubscriptionWithResponse(ctx, args[0])
			if err != nil {
				return err
			}
			n := a.JSON200.Result.Counts
			if err := c.confirmed(fmt.Sprintf("Delete %s, with %d deliveries that wait or are held?", a.JSON200.Result.Url, n.Pending+n.Parked+n.Held), yes); err != nil {
				return err
			}
			if _, err := api.Subscription.UnsubscribeWithResponse(ctx, args[0], nil); err != nil {
				return err
			}
			return c.done(map[string]any{"id": args[0], "deleted": true}, args[0]+" is deleted")
		},
	}
	command.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return command
}
