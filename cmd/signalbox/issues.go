package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/client"
	"signalbox/client/issue"
)

func (c *cli) openCommand() *cobra.Command {
	var title, origin, description, descriptionFile, service, assignee, opener, callback string
	var tags, relations, fields, processors []string
	command := &cobra.Command{
		Use:   "open --title TITLE",
		Short: "Open a ticket, and print its number",
		Example: `  signalbox open --title "Container held" --origin customs --tag urgent --relation manifest=ItemID1,ItemID2
  signalbox open --title "Leave in May" --service leave --field days:=3 --field from=2026-05-04
  signalbox open --title "From a file" --description-file report.txt -o json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			body := map[string]any{"title": title, "origin": origin}
			if descriptionFile != "" {
				if description != "" {
					return usagef("--description-file: not together with --description")
				}
				raw, err := c.readFile(descriptionFile)
				if err != nil {
					return err
				}
				description = string(raw)
			}
			if opener == "" {
				if who, err := c.caller(); err == nil {
					opener = who.Operator
				}
			}
			put(body, "description", description)
			put(body, "service", service)
			put(body, "assignee", assignee)
			put(body, "opener", opener)
			put(body, "callback_url", callback)
			if len(tags) > 0 {
				body["tag"] = tags
			}
			for _, text := range relations {
				kind, content, ok := strings.Cut(text, "=")
				if !ok {
					return usagef("--relation: must be type=content,content: %q", text)
				}
				all, _ := body["relations"].([]any)
				body["relations"] = append(all, map[string]any{"type": kind, "content": strings.Split(content, ",")})
			}
			filled, err := assignments("--field", fields)
			if err != nil {
				return err
			}
			if len(filled) > 0 {
				body["fields"] = filled
			}
			asked := map[string][]string{}
			for _, text := range processors {
				node, persons, ok := strings.Cut(text, "=")
				if !ok {
					return usagef("--ask: must be node=person,person: %q", text)
				}
				asked[node] = append(asked[node], strings.Split(persons, ",")...)
			}
			if len(asked) > 0 {
				body["state_processors"] = asked
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			a, err := api.Issue.OpenIssueWithBodyWithResponse(ctx, nil, "application/json", encoded(body))
			if err != nil {
				return err
			}
			return c.done(map[string]any{"id": a.JSON200.Result}, a.JSON200.Result)
		},
	}
	f := command.Flags()
	f.StringVar(&title, "title", "", "title")
	f.StringVar(&origin, "origin", "signalbox-cli", "the system that reports the case")
	f.StringVar(&description, "description", "", "description")
	f.StringVar(&descriptionFile, "description-file", "", "file with the description; - for standard input")
	f.StringSliceVar(&tags, "tag", nil, "tag; may be repeated")
	f.StringArrayVar(&relations, "relation", nil, "type=content,content: what it is about; may be repeated")
	f.StringVar(&service, "service", "", "key of the service whose process it runs through; incident unless said")
	f.StringVar(&assignee, "assignee", "", "whose it is")
	f.StringVar(&opener, "opener", "", "the person who opens it; who acts (--as) unless said")
	f.StringArrayVar(&fields, "field", nil, "key=text or key:=JSON of the opening form; may be repeated")
	f.StringArrayVar(&processors, "ask", nil, "node=person,person: whom to ask there; may be repeated")
	f.StringVar(&callback, "callback", "", "address that is told from the start")
	_ = command.MarkFlagRequired("title")
	c.completeServices(command, "service")
	return command
}

func (c *cli) listCommand() *cobra.Command {
	texts := map[string]*string{}
	var phases, slas, stuck []string
	var unassigned, overdue, all bool
	var limit int
	command := &cobra.Command{
		Use:   "list",
		Short: "List tickets",
		Example: `  signalbox list --status OPEN --waiting-for ann
  signalbox list --created-after 24h --tag urgent -n 100
  signalbox list --overdue --sort due -o json | jq -r '.[].id'`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			query := map[string]any{}
			for name, text := range texts {
				if *text == "" {
					continue
				}
				query[name] = *text
				if strings.HasSuffix(name, "_after") || strings.HasSuffix(name, "_before") {
					at, err := timeOf(*text)
					if err != nil {
						return usagef("--%s: %w", strings.ReplaceAll(name, "_", "-"), err)
					}
					query[name] = at
				}
			}
			for name, words := range map[string][]string{"phase": phases, "sla": slas, "stuck": stuck} {
				if len(words) > 0 {
					query[name] = words
				}
			}
			if unassigned {
				query["unassigned"] = true
			}
			if overdue {
				query["overdue"] = true
			}
			filter, err := as[issue.ListIssuesParams](query)
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
			return list(c, limit, api.Issues(ctx, filter), []string{"NUMBER", "STATUS", "PHASE", "TITLE", "WAITS FOR", "ASSIGNEE", "UPDATED"}, func(l issue.Line) []string {
				return []string{l.Id, string(l.Status), string(l.Phase), l.Title, waitsFor(l.CurrentNodes), l.Assignee, moment(l.UpdatedAt)}
			})
		},
	}
	f := command.Flags()
	for name, about := range map[string]string{
		"status": "OPEN or CLOSED", "origin": "the system that reported it", "tag": "a tag", "service": "key of its service", "assignee": "whose it is",
		"waiting_for": "somebody whom it asks to act", "opener": "who opened it", "follower": "who follows it", "relation": "type:content of a relation",
		"related": "content of a relation of any type", "q": "words that must all occur", "sort": "updated, -updated, due or stuck; newest first unless said",
		"created_after": "opened after: RFC 3339, a day, or so long ago (24h)", "created_before": "opened before", "updated_after": "changed after", "updated_before": "changed before",
		"due_after": "due after", "due_before": "due before", "ended_after": "ended after", "ended_before": "ended before",
	} {
		texts[name] = new(string)
		f.StringVar(texts[name], strings.ReplaceAll(name, "_", "-"), "", about)
	}
	f.StringSliceVar(&phases, "phase", nil, "triggered, acknowledged, resolved, completed, terminated, revoked or suspended; may be repeated")
	f.StringSliceVar(&slas, "sla", nil, "warned or breached; may be repeated")
	f.StringSliceVar(&stuck, "stuck", nil, "any, nobody, unknown, failed, too_few, in_doubt, lost, failing or undelivered; may be repeated")
	f.BoolVar(&unassigned, "unassigned", false, "open and nobody's")
	f.BoolVar(&overdue, "overdue", false, "open and late")
	pageFlags(f, &limit, &all)
	_ = command.RegisterFlagCompletionFunc("status", cobra.FixedCompletions([]string{"OPEN", "CLOSED"}, cobra.ShellCompDirectiveNoFileComp))
	c.completeServices(command, "service")
	return command
}

func (c *cli) showCommand() *cobra.Command {
	var timeline, addresses bool
	command := &cobra.Command{
		Use:     "show NUMBER",
		Short:   "Show a ticket",
		Example: "  signalbox show IM202611241443500000000001\n  signalbox show IM202611241443500000000001 --timeline\n  signalbox show IM202611241443500000000001 -o json | jq .current_nodes",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if timeline && addresses {
				return usagef("--timeline: not together with --addresses")
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			if addresses {
				return list(c, 0, api.Addresses(ctx, args[0]), []string{"ID", "STATE", "URL", "WAITING", "FAILED", "HELD"}, func(a issue.Address) []string {
					return []string{a.Id, string(a.State), a.Url, strconv.Itoa(a.Counts.Pending + a.Counts.Parked), strconv.Itoa(a.Counts.Failed), strconv.Itoa(a.Counts.Held)}
				})
			}
			if timeline {
				return list(c, 0, api.Timeline(ctx, args[0]), []string{"AT", "SEQ", "TYPE", "WHO", "WHAT"}, func(e client.TimelineEntry) []string {
					return []string{moment(e.At), seqOf(e), e.Type, e.Actor, what(e)}
				})
			}
			a, err := api.Issue.ReadIssueWithResponse(ctx, args[0])
			if err != nil {
				return err
			}
			if c.output == "json" {
				return c.json(json.RawMessage(a.Body))
			}
			i := *a.JSON200
			c.facts("number", i.Id, "uuid", i.Uuid, "title", i.Title, "status", string(i.Status), "phase", string(i.Phase), "service", fmt.Sprintf("%s, version %d", i.Service, i.ServiceVersion),
				"origin", i.Origin, "tags", strings.Join(i.Tag, ", "), "opener", orEmpty(i.Opener), "assignee", i.Assignee, "opened", moment(i.CreatedAt), "updated", moment(i.UpdatedAt),
				"due", momentOf(i.DueAt), "sla", orEmpty(i.SlaState), "description", i.Description)
			for _, r := range i.Relations {
				c.facts("relation "+r.Type, strings.Join(r.Content, ", "))
			}
			if len(i.CurrentNodes) == 0 {
				return nil
			}
			fmt.Fprintln(c.out)
			t := table{head: []string{"NODE", "NAME", "ROUND", "STATE", "WAITS FOR", "ACTIONS", "DUE"}}
			for _, n := range i.CurrentNodes {
				var actions []string
				for _, action := range n.Actions {
					actions = append(actions, string(action))
				}
				t.rows = append(t.rows, []string{n.Id, n.Name, strconv.Itoa(n.Round), string(n.State), waitsFor([]issue.Node{n}), strings.Join(actions, " "), momentOf(n.Due)})
			}
			return t.write(c.out, width(c.out))
		},
		ValidArgsFunction: c.completeNumbers,
	}
	command.Flags().BoolVar(&timeline, "timeline", false, "everything that happened, oldest first")
	command.Flags().BoolVar(&addresses, "addresses", false, "the addresses that are told of it, for the deliveries commands")
	return command
}

func (c *cli) actCommand() *cobra.Command {
	var node, comment, onBehalf, to, place, kind, cause, solution, parameter string
	var round int
	var targets, fields []string
	var pass, fail, interrupted, resend bool
	command := &cobra.Command{
		Use:   "act NUMBER ACTION",
		Short: "Do something about a ticket: accept, approve, reject…",
		Long: `Do something about a ticket. Which actions it takes, and at which nodes, "signalbox show NUMBER" lists.

accept, commit-solution, confirm, submit, approve, reject, add, remove, retract, claim, assign, deliver, reassign, retry, skip, suspend, unsuspend,
withdraw, terminate. The API says what is missing, by the field's name.`,
		Example: `  signalbox act IM202611241443500000000001 accept --as ann
  signalbox act IM202611241443500000000001 approve --node board --comment "fine by me"
  signalbox act IM202611241443500000000001 commit-solution --mtm-type inc_type_p_config_issues --cause "a typo" --solution "corrected"
  signalbox act IM202611241443500000000001 confirm --pass --comment "it works"
  signalbox act IM202611241443500000000001 deliver --target bob --comment "on holiday"`,
		Args: cobra.ExactArgs(2),
		RunE: func(command *cobra.Command, args []string) error {
			who, err := c.person()
			if err != nil {
				return err
			}
			p := map[string]any{}
			if parameter != "" {
				if err := json.Unmarshal([]byte(parameter), &p); err != nil {
					return usagef("--parameter: is not a JSON object: %w", err)
				}
			}
			filled, err := assignments("--field", fields)
			if err != nil {
				return err
			}
			if len(filled) > 0 {
				p["fields"] = filled
			}
			if len(targets) > 0 {
				p["targets"] = targets
			}
			put(p, "on_behalf", onBehalf)
			put(p, "to", to)
			put(p, "place", place)
			if resend {
				p["resend"] = true
			}
			switch args[1] {
			case "confirm":
				if pass != fail { // otherwise the API says that it has to be one of them
					p["virtual_confirm_result"] = pass
				}
				put(p, "virtual_confirm_comment", comment)
			case "commit-solution":
				put(p, "mtm_type", kind)
				put(p, "cause", cause)
				put(p, "solution", solution)
				p["is_service_interrupt"] = interrupted
				put(p, "comment", comment)
			default:
				put(p, "comment", comment)
			}
			if (pass || fail) && args[1] != "confirm" || (kind+cause+solution != "" || interrupted) && args[1] != "commit-solution" {
				return usagef("--pass and --fail are for confirm, --mtm-type, --interrupted, --cause and --solution for commit-solution")
			}
			body := map[string]any{"action": args[1], "operator": who}
			put(body, "node", node)
			if round > 0 {
				body["round"] = round
			}
			if len(p) > 0 {
				body["parameter"] = p
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			if _, err := api.Issue.HandleIssueWithBodyWithResponse(ctx, args[0], nil, "application/json", encoded(body)); err != nil {
				return err
			}
			return c.done(map[string]any{"id": args[0], "action": args[1], "operator": who}, fmt.Sprintf("%s: %s by %s", args[0], args[1], who))
		},
		ValidArgsFunction: func(command *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return c.completeActions(command, args[0]), cobra.ShellCompDirectiveNoFileComp
			}
			return c.completeNumbers(command, args, typed)
		},
	}
	f := command.Flags()
	f.StringVar(&node, "node", "", "which of its current nodes; needed where several take the action")
	f.IntVar(&round, "round", 0, "the round of that node for which it is meant; refused once that is over")
	f.StringVar(&comment, "comment", "", "why; kept with it")
	f.StringSliceVar(&targets, "target", nil, "assign, deliver, add, reassign: to whom; remove: whom; may be repeated")
	f.StringArrayVar(&fields, "field", nil, "key=text or key:=JSON of the node's form; may be repeated")
	f.StringVar(&onBehalf, "on-behalf", "", "in whose name, or place")
	f.StringVar(&to, "to", "", "reject: the node to go back to, where that may be chosen")
	f.StringVar(&place, "place", "", "add: before, beside or after")
	f.BoolVar(&resend, "resend", false, "retry: send a request again that has succeeded")
	f.BoolVar(&pass, "pass", false, "confirm: it is solved")
	f.BoolVar(&fail, "fail", false, "confirm: it is not; it goes back")
	f.StringVar(&kind, "mtm-type", "", "commit-solution: a word that the installation knows")
	f.BoolVar(&interrupted, "interrupted", false, "commit-solution: the service was interrupted")
	f.StringVar(&cause, "cause", "", "commit-solution: the cause")
	f.StringVar(&solution, "solution", "", "commit-solution: the solution")
	f.StringVar(&parameter, "parameter", "", "the whole parameter as JSON; the other flags come on top")
	return command
}

// waitsFor says for whom some nodes wait.
func waitsFor(nodes []issue.Node) string {
	var all []string
	for _, n := range nodes {
		switch {
		case len(n.Pending) > 0:
			all = append(all, n.Pending...)
		case n.Anyone:
			all = append(all, "anybody")
		case orEmpty(n.Problem) != "":
			all = append(all, "somebody who helps")
		}
	}
	return strings.Join(all, ", ")
}

func seqOf(e client.TimelineEntry) string {
	if e.Seq == 0 {
		return ""
	}
	return strconv.FormatInt(e.Seq, 10)
}

// put sets a member, unless it would be empty.
func put(body map[string]any, name, value string) {
	if value != "" {
		body[name] = value
	}
}

// assignments reads key=text and key:=JSON.
func assignments(flag string, texts []string) (map[string]any, error) {
	all := map[string]any{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		name, raw := strings.CutSuffix(key, ":")
		switch {
		case !ok || name == "":
			return nil, usagef("%s: must be key=text or key:=JSON: %q", flag, text)
		case raw:
			if !json.Valid([]byte(value)) {
				return nil, usagef("%s: what follows %s:= is not JSON", flag, name)
			}
			all[name] = json.RawMessage(value)
		default:
			all[key] = value
		}
	}
	return all, nil
}

// timeOf reads RFC 3339, a day in the zone of this machine, or how long ago it was.
func timeOf(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return at.UTC(), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago).UTC(), nil
	}
	return time.Time{}, errors.New("must be a time of RFC 3339, a day (2026-05-04), or how long ago (24h)")
}

// encoded is a body as JSON.
func encoded(v any) *bytes.Reader {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // of texts, numbers and valid JSON
	}
	return bytes.NewReader(raw)
}

// as reads names and values into the parameters of a call.
func as[T any](query map[string]any) (v T, err error) {
	raw, err := json.Marshal(query)
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		return v, usage{err}
	}
	return v, nil
}

// completeNumbers completes the number of a ticket with the newest that are open.
func (c *cli) completeNumbers(command *cobra.Command, args []string, _ string) (all []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c.forCompletion(command, func(api *client.Client, ctx context.Context) {
		filter, _ := as[issue.ListIssuesParams](map[string]any{"status": "OPEN", "limit": 50})
		for line, err := range api.Issues(ctx, filter) {
			if err != nil || len(all) == 50 {
				return
			}
			all = append(all, line.Id+"\t"+clean(line.Title))
		}
	})
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeActions completes what a ticket takes now.
func (c *cli) completeActions(command *cobra.Command, number string) (all []string) {
	c.forCompletion(command, func(api *client.Client, ctx context.Context) {
		a, err := api.Issue.ReadIssueWithResponse(ctx, number)
		if err != nil {
			return
		}
		for _, n := range a.JSON200.CurrentNodes {
			for _, action := range n.Actions {
				all = append(all, string(action))
			}
		}
	})
	slices.Sort(all)
	return slices.Compact(all)
}
