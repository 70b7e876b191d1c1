package main

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/client/directory"
)

func (c *cli) personsCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "persons", Aliases: []string{"person"}, Short: "Look people up in the directory", Example: "  signalbox persons list --search ann\n  signalbox persons show ann",
	}
	group.AddCommand(c.personList(), c.personShow())
	return group
}

func (c *cli) personList() *cobra.Command {
	var search, email, manager, active string
	var limit int
	var all bool
	command := &cobra.Command{
		Use: "list", Short: "List persons, by id", Example: "  signalbox persons list --search ann --active true\n  signalbox persons list --manager chen -o json", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			query := map[string]any{}
			put(query, "search", search)
			put(query, "email", email)
			put(query, "manager", manager)
			put(query, "active", active)
			filter, err := as[directory.ListPersonsParams](query)
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
			return list(c, limit, api.Persons(ctx, filter), []string{"ID", "NAME", "EMAIL", "MANAGER", "STATE"}, func(p directory.Person) []string {
				state := "active"
				if !p.Active {
					state = "inactive"
				}
				return []string{p.Id, p.Name, p.Email, p.Manager, state}
			})
		},
	}
	f := command.Flags()
	f.StringVar(&search, "search", "", "the beginning of id, name or e-mail address")
	f.StringVar(&email, "email", "", "the whole address")
	f.StringVar(&manager, "manager", "", "id of a person")
	f.StringVar(&active, "active", "", "true or false")
	pageFlags(f, &limit, &all)
	return command
}

func (c *cli) personShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a person", Example: "  signalbox persons show ann", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			a, err := api.Directory.ReadPersonWithResponse(ctx, args[0])
			if err != nil {
				return err
			}
			if c.output == "json" {
				return c.json(resultOf(a.Body))
			}
			p := a.JSON200.Result
			var chats []string
			for _, chat := range p.Chats {
				chats = append(chats, string(chat.Network))
			}
			c.facts("id", p.Id, "name", p.Name, "email", p.Email, "language", p.Language, "time zone", p.TimeZone, "active", strconv.FormatBool(p.Active), "manager", p.Manager,
				"chats", strings.Join(chats, ", "), "version", strconv.Itoa(p.Version), "updated", moment(p.UpdatedAt))
			return nil
		},
	}
}

func (c *cli) groupsCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "groups", Aliases: []string{"group"}, Short: "Look groups up in the directory", Example: "  signalbox groups list --person ann\n  signalbox groups show finance",
	}
	group.AddCommand(c.groupList(), c.groupShow())
	return group
}

func (c *cli) groupList() *cobra.Command {
	var search, person, within string
	var limit int
	var all bool
	command := &cobra.Command{
		Use: "list", Short: "List groups without their members, by id", Example: "  signalbox groups list --person ann", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			query := map[string]any{}
			put(query, "search", search)
			put(query, "person", person)
			put(query, "group", within)
			filter, err := as[directory.ListGroupsParams](query)
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
			return list(c, limit, api.Groups(ctx, filter), []string{"ID", "NAME", "VERSION", "UPDATED"}, func(g directory.Group) []string {
				return []string{g.Id, g.Name, strconv.Itoa(g.Version), moment(g.UpdatedAt)}
			})
		},
	}
	f := command.Flags()
	f.StringVar(&search, "search", "", "the beginning of id or name")
	f.StringVar(&person, "person", "", "those that this person is a member of")
	f.StringVar(&within, "group", "", "those that this group is a member of")
	pageFlags(f, &limit, &all)
	return command
}

func (c *cli) groupShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a group with its members", Example: "  signalbox groups show finance -o json", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			api, ctx, cancel, err := c.call(command)
			if err != nil {
				return err
			}
			defer cancel()
			a, err := api.Directory.ReadGroupWithResponse(ctx, args[0])
			if err != nil {
				return err
			}
			if c.output == "json" {
				return c.json(resultOf(a.Body))
			}
			var g struct {
				ID, Name string
				Members  []struct{ Person, Group string }
			}
			if err := json.Unmarshal(resultOf(a.Body), &g); err != nil {
				return err
			}
			c.facts("id", g.ID, "name", g.Name, "members", strconv.Itoa(len(g.Members)))
			for _, m := range g.Members {
				if m.Group != "" {
					c.facts("  group", m.Group)
				} else {
					c.facts("  person", m.Person)
				}
			}
			return nil
		},
	}
}
