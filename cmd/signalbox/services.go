package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"signalbox/client"
	"signalbox/client/service"
)

func (c *cli) servicesCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "services", Aliases: []string{"service"}, Short: "Look at services, check, play through and publish them",
		Example: "  signalbox services list\n  signalbox services check leave.yaml && signalbox services publish leave.yaml",
	}
	group.AddCommand(c.serviceList(), c.serviceShow(), c.serviceVersions(), c.serviceCheck(), c.serviceSimulate(), c.servicePublish())
	return group
}

func (c *cli) serviceList() *cobra.Command {
	var limit int
	var all bool
	command := &cobra.Command{
		Use: "list", Short: "List services in their latest versions", Example: "  signalbox services list --all -o json", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, most, err := pageOf(limit, all)
			if err != nil {
				return err
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			return list(c, most, api.Services(ctx), []string{"KEY", "NUMBER", "VERSION", "NAME", "STATE"}, func(l service.Line) []string {
				state := "enabled"
				if !l.Enabled {
					state = "disabled"
				}
				if l.BuiltIn {
					state += ", built in"
				}
				return []string{l.Key, strconv.Itoa(l.Number), strconv.Itoa(l.Version), l.Name, state}
			})
		},
	}
	pageFlags(command.Flags(), &limit, &all)
	return command
}

func (c *cli) serviceShow() *cobra.Command {
	var version int
	command := &cobra.Command{
		Use: "show KEY", Short: "Show the definition of a service, as YAML or JSON; it can be published again",
		Example: "  signalbox services show leave > leave.yaml\n  signalbox services show leave --version 2 -o json", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			kind := "application/yaml"
			if c.output == "json" {
				kind = "application/json"
			}
			var body []byte
			if version > 0 {
				a, err := api.Service.ReadVersionWithResponse(ctx, args[0], strconv.Itoa(version), accepting(kind))
				if err != nil {
					return err
				}
				body = a.Body
			} else {
				a, err := api.Service.ReadServiceWithResponse(ctx, args[0], accepting(kind))
				if err != nil {
					return err
				}
				body = a.Body
			}
			if c.output == "json" {
				return c.json(json.RawMessage(body))
			}
			_, err = c.out.Write(body)
			return err
		},
		ValidArgsFunction: c.serviceKeys,
	}
	command.Flags().IntVar(&version, "version", 0, "the version; the latest unless said")
	return command
}

// accepting asks for a type of answer.
func accepting(kind string) service.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Accept", kind)
		return nil
	}
}

func (c *cli) serviceVersions() *cobra.Command {
	return &cobra.Command{
		Use: "versions KEY", Short: "List the versions of a service, the latest first", Example: "  signalbox services versions leave", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			return list(c, 0, api.ServiceVersions(ctx, args[0]), []string{"VERSION", "NAME", "PUBLISHED", "BY", "NODES"}, func(v service.Version) []string {
				return []string{strconv.Itoa(v.Version), v.Name, momentOf(v.PublishedAt), orEmpty(v.PublishedBy), strconv.Itoa(len(v.Nodes))}
			})
		},
		ValidArgsFunction: c.serviceKeys,
	}
}

func (c *cli) serviceCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Tell everything that is wrong with a definition, each with its line",
		Long:    "Tell everything that is wrong with a definition, each with its line. The exit code is 1 where something is. FILE is - for standard input.",
		Example: "  signalbox services check leave.yaml", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			document, err := c.readFile(args[0])
			if err != nil {
				return err
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			faults, err := api.CheckService(ctx, document)
			if err != nil {
				return err
			}
			if c.output == "json" {
				if err := c.json(map[string]any{"valid": len(faults) == 0, "faults": append([]service.Fault{}, faults...)}); err != nil {
					return err
				}
			} else if len(faults) == 0 {
				fmt.Fprintln(c.out, "it can be published")
			}
			if len(faults) == 0 {
				return nil
			}
			if c.output != "json" {
				c.faults(args[0], faults)
			}
			return silent{errors.New("the definition has faults")}
		},
	}
}

// faults tells what is wrong with a file, as compilers do.
func (c *cli) faults(file string, faults []service.Fault) {
	if file == "-" {
		file = "standard input"
	}
	for _, f := range faults {
		place := file
		if f.Line != nil {
			place += fmt.Sprintf(":%d", *f.Line)
			if f.Column != nil {
				place += fmt.Sprintf(":%d", *f.Column)
			}
		}
		if f.Path != "" {
			place += ": " + f.Path
		}
		fmt.Fprintln(c.err, clean(place+": "+f.Message))
	}
}

func (c *cli) serviceSimulate() *cobra.Command {
	var key, opener, assignee, script, start string
	var version int
	var fields []string
	command := &cobra.Command{
		Use: "simulate [FILE]", Short: "Play a process through with a clock of its own, without any effect",
		Long: `Play a process through, from a file or as it is published (--service): by the rules that decide for tickets, and without any effect. The script says what
people do and what requests are answered with (docs/processes.md).`,
		Example: `  signalbox services simulate leave.yaml --opener li --field days:=3 --script answers.yaml
  signalbox services simulate --service leave --opener li -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			body := map[string]any{}
			switch {
			case len(args) == 1 && key == "":
				document, err := c.readFile(args[0])
				if err != nil {
					return err
				}
				body["definition"] = string(document)
			case len(args) == 0 && key != "":
				body["service"] = key
				if version > 0 {
					body["version"] = version
				}
			default:
				return usagef("say either a FILE or --service")
			}
			put(body, "opener", opener)
			put(body, "assignee", assignee)
			put(body, "start", start)
			filled, err := assignments("--field", fields)
			if err != nil {
				return err
			}
			if len(filled) > 0 {
				body["fields"] = filled
			}
			if script != "" {
				raw, err := c.readFile(script)
				if err != nil {
					return err
				}
				var read map[string]any
				if err := yaml.Unmarshal(raw, &read); err != nil {
					return usagef("--script: %s is neither YAML nor JSON: %w", script, err)
				}
				if _, err := json.Marshal(read); err != nil {
					return usagef("--script: %s has what JSON has not: %w", script, err)
				}
				body["script"] = read
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			a, err := api.Service.SimulateServiceWithBodyWithResponse(ctx, "application/json", encoded(body))
			if faults := client.Faults(err); len(faults) > 0 && c.output != "json" && len(args) == 1 {
				c.faults(args[0], faults)
				return usage{silent{err}}
			}
			if err != nil {
				return err
			}
			var answer struct{ Result json.RawMessage }
			if err := json.Unmarshal(a.Body, &answer); err != nil {
				return err
			}
			if c.output == "json" {
				return c.json(answer.Result)
			}
			return c.report(answer.Result)
		},
	}
	f := command.Flags()
	f.StringVar(&key, "service", "", "key of a published service, instead of a file")
	f.IntVar(&version, "version", 0, "its version; the latest unless said")
	f.StringVar(&opener, "opener", "", "who opens it")
	f.StringVar(&assignee, "assignee", "", "whose it is")
	f.StringArrayVar(&fields, "field", nil, "key=text or key:=JSON of the opening form; may be repeated")
	f.StringVar(&script, "script", "", "file (YAML or JSON) with what people do, and what requests are answered with")
	f.StringVar(&start, "start", "", "when it is opened (RFC 3339); now unless said")
	c.completeServices(command, "service")
	return command
}

// report tells what a simulation came to.
func (c *cli) report(raw []byte) error {
	var r struct {
		Path []struct {
			At, Kind, Node, Who, Note string
			To                        []string
		}
		Refused []struct {
			At, Why string
			Answer  json.RawMessage
		}
		Unused []int
		Rests  []struct{ Node, Name, State string }
		Ending *struct {
			Status string
			Why    string
		}
		Endless bool
		Status  string
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	t := table{head: []string{"AT", "NODE", "WHAT", "WHO", "TOLD", "NOTE"}}
	for _, m := range r.Path {
		t.rows = append(t.rows, []string{m.At, m.Node, m.Kind, m.Who, strings.Join(m.To, ", "), m.Note})
	}
	if err := t.write(c.out, width(c.out)); err != nil {
		return err
	}
	fmt.Fprintln(c.out)
	for _, x := range r.Refused {
		c.facts("not taken", string(x.Answer)+": "+x.Why)
	}
	for _, i := range r.Unused {
		c.facts("never had its turn", fmt.Sprintf("answer %d", i))
	}
	for _, x := range r.Rests {
		c.facts("waits at", fmt.Sprintf("%s (%s), %s", x.Node, x.Name, x.State))
	}
	if r.Endless {
		c.facts("cut off", "it goes on for ever")
	}
	if r.Ending != nil {
		c.facts("ends", strings.TrimSuffix(r.Ending.Status+": "+r.Ending.Why, ": "))
	}
	return nil
}

func (c *cli) servicePublish() *cobra.Command {
	return &cobra.Command{
		Use: "publish FILE", Short: "Publish a definition as the next version of its service",
		Long:    "Publish a definition as the next version of its service. What is wrong with it is told with its line, and nothing is published. FILE is - for standard input.",
		Example: "  signalbox services publish leave.yaml", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			document, err := c.readFile(args[0])
			if err != nil {
				return err
			}
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			published, err := api.PublishService(ctx, document)
			if faults := client.Faults(err); len(faults) > 0 {
				c.faults(args[0], faults)
				return usage{silent{err}}
			}
			if err != nil {
				return err
			}
			return c.done(published, fmt.Sprintf("%s is published as version %d", published.Key, published.Version))
		},
	}
}

func (c *cli) serviceKeys(command *cobra.Command, args []string, _ string) (all []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c.forCompletion(command, func(api *client.Client, ctx context.Context) {
		for line, err := range api.Services(ctx) {
			if err != nil {
				return
			}
			all = append(all, line.Key+"\t"+clean(line.Name))
		}
	})
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeServices completes a flag with the keys of services.
func (c *cli) completeServices(command *cobra.Command, flag string) {
	_ = command.RegisterFlagCompletionFunc(flag, func(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return c.serviceKeys(command, nil, typed)
	})
}
